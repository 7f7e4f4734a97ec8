//! See `oneside_fuzz::audiosocket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::audiosocket::run(data));

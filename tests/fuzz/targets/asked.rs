//! See `oneside_fuzz::asked`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::asked::run(data));

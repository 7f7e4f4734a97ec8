//! See `oneside_fuzz::ng`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::ng::run(data));

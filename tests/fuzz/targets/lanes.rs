//! See `oneside_fuzz::lanes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::lanes::run(data));

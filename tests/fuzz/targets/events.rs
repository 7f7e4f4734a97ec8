//! See `oneside_fuzz::events`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::events::run(data));

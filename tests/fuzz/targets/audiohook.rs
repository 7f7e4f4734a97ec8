//! See `oneside_fuzz::audiohook`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::audiohook::run(data));

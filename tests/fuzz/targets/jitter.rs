//! See `oneside_fuzz::jitter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::jitter::run(data));

//! See `oneside_fuzz::http_signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::http_signature::run(data));

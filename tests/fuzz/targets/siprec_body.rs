//! See `oneside_fuzz::siprec_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::siprec_body::run(data));

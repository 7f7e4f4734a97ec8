//! See `oneside_fuzz::media_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::media_stream::run(data));

//! See `oneside_fuzz::stream_head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::stream_head::run(data));

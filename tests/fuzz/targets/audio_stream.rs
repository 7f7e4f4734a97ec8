//! See `oneside_fuzz::audio_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::audio_stream::run(data));

//! See `oneside_fuzz::wav_reader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::wav_reader::run(data));

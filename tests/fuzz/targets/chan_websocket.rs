//! See `oneside_fuzz::chan_websocket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::chan_websocket::run(data));

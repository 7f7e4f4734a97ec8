//! See `oneside_fuzz::rtp_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::rtp_packet::run(data));

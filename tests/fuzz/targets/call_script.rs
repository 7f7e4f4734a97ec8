//! See `oneside_fuzz::call_script`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oneside_fuzz::call_script::run(data));

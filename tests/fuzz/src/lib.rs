//! What the fuzz targets do with arbitrary bytes. The targets and `tests/it/crashes.rs` share it: whatever a fuzzer
//! once found runs in the ordinary tests from then on.
//!
//! Each target is a function of bytes that panics if something does not hold.

pub mod asked;
pub mod audiosocket;
pub mod bytes;
pub mod call_script;
pub mod events;
pub mod manifest;
pub mod script_outlet;
pub mod stream_head;
pub mod wav_reader;

/// The targets by name.
pub const TARGETS: [(&str, fn(&[u8])); 7] = [
    ("wav_reader", wav_reader::run),
    ("events", events::run),
    ("manifest", manifest::run),
    ("call_script", call_script::run),
    ("stream_head", stream_head::run),
    ("asked", asked::run),
    ("audiosocket", audiosocket::run),
];

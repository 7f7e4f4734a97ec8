//! What the fuzz targets do with arbitrary bytes. The targets and `tests/it/crashes.rs` share it: whatever a fuzzer
//! once found runs in the ordinary tests from then on.
//!
//! Each target is a function of bytes that panics if something does not hold.

pub mod asked;
pub mod audio_stream;
pub mod audiohook;
pub mod audiosocket;
pub mod bytes;
pub mod call_script;
pub mod chan_websocket;
pub mod events;
pub mod http_signature;
pub mod jitter;
pub mod lanes;
pub mod manifest;
pub mod media_stream;
pub mod ng;
pub mod rtp_packet;
pub mod script_outlet;
pub mod sip_message;
pub mod siprec_body;
pub mod stream_head;
pub mod wav_reader;

/// The targets by name.
pub const TARGETS: [(&str, fn(&[u8])); 18] = [
    ("wav_reader", wav_reader::run),
    ("events", events::run),
    ("manifest", manifest::run),
    ("call_script", call_script::run),
    ("stream_head", stream_head::run),
    ("asked", asked::run),
    ("sip_message", sip_message::run),
    ("siprec_body", siprec_body::run),
    ("media_stream", media_stream::run),
    ("chan_websocket", chan_websocket::run),
    ("audio_stream", audio_stream::run),
    ("audiohook", audiohook::run),
    ("http_signature", http_signature::run),
    ("audiosocket", audiosocket::run),
    ("rtp_packet", rtp_packet::run),
    ("jitter", jitter::run),
    ("ng", ng::run),
    ("lanes", lanes::run),
];

//! Parsers of what comes from outside: pure, over bytes, fuzzed. They open nothing and never panic.

pub mod asked;
#[cfg(feature = "serve")]
pub mod audio_stream;
#[cfg(feature = "serve")]
pub mod audiohook;
pub mod audiosocket;
#[cfg(feature = "serve")]
pub mod bencode;
#[cfg(feature = "serve")]
pub mod chan_websocket;
pub mod chunk;
pub mod clock;
pub mod events;
pub mod fmt;
#[cfg(feature = "serve")]
pub mod http_signature;
#[cfg(feature = "serve")]
pub mod jitter;
#[cfg(feature = "serve")]
pub mod json;
#[cfg(feature = "serve")]
pub mod media_stream;
#[cfg(feature = "serve")]
pub mod ng;
pub mod pace;
#[cfg(feature = "serve")]
pub mod payload;
#[cfg(feature = "serve")]
pub mod rtp;
pub mod sample;
#[cfg(feature = "serve")]
pub mod sip;
#[cfg(feature = "serve")]
pub mod siprec;
pub mod stream;
pub mod wav;

mod shutting;

#[cfg(test)]
mod events_tests;
#[cfg(test)]
pub(in crate::source) mod wav_tests;

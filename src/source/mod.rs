//! Where calls come from: recordings in files, the events that belong to them, and what is known about who is who.
//!
//! Files are opened for reading only. What comes from outside is taken apart in [`wire`], which is pure and fuzzed.
//!
//! * [`inputs`]: INPUT arguments → named calls.
//! * [`files`]: one way to read WAV in all its kinds, raw sound, FLAC, MP3, Ogg; [`Recording`].
//! * [`presets`]: what known exports mean by left and right; nothing is guessed.
//! * [`events`]: what was said about a call's recording, by file.
//! * `pipe`: standard input, a FIFO, an inherited descriptor.
//! * `capture`: the sound devices of a workstation (feature `capture`).
//! * `websocket`, `audiohook`: media servers that connect by WebSocket.
//! * `audiosocket`: Asterisk connects and sends the sound of one party.
//! * `exchange`: what the sources of a media server ask of the calls.
//! * `rtp`, `rtpengine`: RTP streams, announced or fetched from an rtpengine (feature `serve`).
//! * `siprec`: a session recording server (feature `serve`).
//! * [`identity`]: whether an input is still the one that was processed.
//!
//! Requirements: ING-01 … ING-08.

#[cfg(feature = "serve")]
pub mod audiohook;
#[cfg(feature = "serve")]
pub mod audiosocket;
#[cfg(feature = "capture")]
pub mod capture;
pub mod error;
pub mod events;
pub mod exchange;
pub mod files;
pub mod identity;
pub mod inputs;
#[cfg(feature = "serve")]
pub mod listen;
#[cfg(feature = "serve")]
pub mod metadata;
#[cfg(feature = "pipe")]
pub mod pipe;
pub mod presets;
pub mod raw;
#[cfg(feature = "serve")]
pub mod rendezvous;
#[cfg(feature = "serve")]
pub mod rtp;
#[cfg(feature = "serve")]
pub mod rtpengine;
#[cfg(feature = "serve")]
pub mod siprec;
pub mod table;
#[cfg(feature = "http")]
pub mod tls;
#[cfg(feature = "serve")]
pub mod websocket;
pub mod wire;

mod compressed;
mod mp3;
mod names;
mod opus;
mod pair;
mod pairing;
mod pcm;
mod walk;

#[cfg(test)]
mod events_tests;
#[cfg(test)]
mod files_tests;
#[cfg(test)]
mod inputs_tests;
#[cfg(test)]
mod presets_tests;
#[cfg(test)]
mod testing;

pub use error::SourceError;
pub use events::{CallEvents, Declared, EventsError, Feed, parse_beside, read_beside};
pub use files::{Format, Recording, open, open_file};
pub use identity::{Coverage, Identity};
pub use inputs::{Gathered, Input, InputError, Sound, Wanted, gather, shown};
pub use pairing::PairPattern;
pub use presets::{AgentSide, Direction, Preset};
pub use raw::RawFormat;
pub use table::ColumnMap;

//! Parsers of what comes from outside: pure, over bytes, fuzzed. They open nothing and never panic.

pub mod asked;
pub mod audiosocket;
pub mod chunk;
pub mod clock;
pub mod events;
pub mod fmt;
pub mod pace;
pub mod sample;
pub mod stream;
pub mod wav;

mod shutting;

#[cfg(test)]
mod events_tests;
#[cfg(test)]
pub(in crate::source) mod wav_tests;

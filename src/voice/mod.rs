//! Is it speech: the detector bank, and the lead-in and tail around what it finds.

pub mod bank;
pub mod hangover;

pub use bank::{Bank, Mode, Speech};
pub use hangover::Hangover;

//! Is it speech: the detector bank, and the lead-in and tail around what it finds. Or is it a key: the tones of the keypad.

pub mod bank;
pub mod hangover;
pub mod lanes;
pub mod tones;

pub use bank::{Bank, Detection, Detector, Mode, Speech};
pub use hangover::Hangover;
pub use tones::{Key, Toned, Tones};

//! Sound as the rest of the house sees it: whose it is, where on the time line, and how loud.
//!
//! One sample type (`i16`), one clock (samples since the call opened), frames of 20 ms. Nothing here does I/O,
//! reads a clock or starts a thread.

pub mod align;
pub mod decimate;
pub mod frame;
pub mod level;
pub mod narrow;
pub mod rate;
mod sixteen;
pub mod time;
mod wide;

pub use frame::{Agent, Customer, Frame, Party, Stereo};
pub use level::Levels;
pub use sixteen::{BySixteen, Sixteen, by_sixteen};
pub use time::{MediaTime, Span, frame_end};
pub use wide::{Work, is_wide, wide};

/// Lowest sample rate a call may have, Hz: narrow-band telephony.
pub const RATE_MIN_HZ: u32 = 8_000;
/// Highest sample rate a call may have, Hz.
pub const RATE_MAX_HZ: u32 = 48_000;
/// Frames in a second of call: a frame is 20 ms.
pub const FRAMES_PER_SECOND: u64 = 50;
/// Samples in the longest frame.
pub const FRAME_MAX: usize = (RATE_MAX_HZ as u64 / FRAMES_PER_SECOND) as usize;

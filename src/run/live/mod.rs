//! Live calls: a ring from the source's thread, a worker that drives the call, and the desk where they are steered.
//!
//! * [`arrival`]: where on the time line belongs what arrives now.
//! * [`ask`]: what is asked of a call, what its writer answers, its state.
//! * [`desk`]: the calls in hand, by name.

pub mod arrival;
pub mod ask;
pub mod desk;

pub use ask::{Answer, Arrived, Asked, Lost, Recording, State};
pub use desk::{Desk, DeskError, Ended, Handle, OpenCall};

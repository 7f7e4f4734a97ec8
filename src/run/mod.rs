//! Drives calls: from a recording through the state machine into the store, up to sixteen of them a thread.
//!
//! * [`drive`]: one recording through one call, into any outlet.
//! * [`job`]: one input of a batch: the orders for it, and what becomes of it.
//! * `underway`: one input on its way: skip, drive, store, dispose.
//! * `by_two`: one call by two threads, where one of them would be idle.
//! * `together`: what one worker has in hand, decided together.
//! * [`desk`]: the whole batch: workers, the stop flag, what is told to whoever watches.
//! * [`hardening`]: no core dumps.
//! * [`mod@line`]: what is delivered, taken apart, converted and cut into frames.
//! * [`live`]: live calls, and the desk where they are steered.
//! * [`rating`]: a labelled set through calls without a store, scored.

mod about;
mod by_two;
pub mod desk;
pub mod disposing;
pub mod drive;
pub mod hardening;
pub mod job;
pub mod line;
pub mod live;
pub mod naming;
pub mod rating;
pub mod telling;
mod together;
mod underway;

pub use desk::{Batch, Outcome, Watch, run};
pub use drive::{Course, Drive};
pub use job::{Job, JobError, Orders};

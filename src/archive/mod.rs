//! What is kept, how long, and the proof of it: over the same files that the store writes, needing nothing else.
//!
//! * [`mod@verify`]: re-checks at rest everything that can be checked; [`report`]: what it finds. `record` checks what is
//!   written down, `replay` plays the ledger through a fresh door, `sound` reads the files themselves.
//! * [`mod@erase`]: erases for good and leaves a [`receipt`]; [`mod@sweep`]: does so when retention ends; [`hold`]: what
//!   neither may touch.
//! * [`reconcile`]: what became of every call that a switch knows.
//! * [`mod@dispose`]: removes an input once its outputs are safe.
//!
//! Nothing here reads a clock: what time it is comes from outside.

pub mod acknowledge;
pub mod dispose;
pub mod erase;
pub mod error;
pub mod hold;
pub mod receipt;
pub mod reconcile;
pub mod report;
pub mod sweep;
pub mod verify;

mod record;
mod replay;
mod sound;

pub use dispose::{dispose, finish_disposals};
pub use erase::{erase, finish_pending, preview};
pub use error::ArchiveError;
pub use hold::{Hold, HoldError, Holds};
pub use receipt::{Receipt, What};
pub use report::{Finding, Report, Severity};
pub use verify::verify;

pub use crate::store::{Lock, Manifest, Place, lock};

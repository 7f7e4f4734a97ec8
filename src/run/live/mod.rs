//! Live calls: a ring from the source's thread, a worker that drives the call, and the desk where they are steered.
//!
//! * [`arrival`]: where on the time line belongs what arrives now.
//! * [`ask`]: what is asked of a call, what its writer answers, its state.
//! * [`desk`]: the calls in hand, by name; [`mod@start`]: how one begins; [`sealing`]: how one ends; [`tokens`]: standing ones.
//! * [`intake`], [`two_rings`]: from the rings to the planes; [`outlet`], [`meter`]: where it goes, what is shown.
//! * [`switchboard`]: where the sources of a media server get their calls; `knocks`: what their listeners count.
//! * [`worker`]: a call at work; [`alone`]: on a thread of its own; [`shard`]: many on one thread.
//! * [`question`]: what keys mean, and when.
//! * `piping`: a pipe as a call's source; `sidecar`, [`auto`]: the sound devices of a workstation.
//! * [`replay`]: a call made again from its list of inputs.

pub mod alone;
pub mod arrival;
pub mod ask;
pub mod auto;
pub mod desk;
pub mod figures;
pub mod intake;
pub mod keypad;
#[cfg(feature = "serve")]
mod knocks;
pub mod meter;
pub mod outlet;
#[cfg(feature = "pipe")]
pub mod piping;
pub mod question;
pub mod replay;
pub mod sealing;
mod seated;
pub mod shard;
#[cfg(feature = "capture")]
pub mod sidecar;
#[cfg(feature = "serve")]
pub mod sources;
pub mod start;
pub mod sweeps;
pub mod switchboard;
mod telling;
pub mod tokens;
pub mod two_rings;
#[cfg(feature = "capture")]
pub mod watchman;
pub mod worker;

pub use ask::{Answer, Arrived, Asked, Asks, Lost, Matter, Recording, State};
pub use desk::{Desk, DeskError, Ended, Handle, OpenCall};
pub use start::{LiveOrders, NewCall, Sound, start};

use std::path::Path;

use crate::store::StoreError;
use crate::store::live::Outcome;

/// Brings the calls in `out` that a kill, a power cut or a full disk left unfinished to a definite result (ROB-07); a
/// sentence for each. Calls that are in hand, of this process or another, are left alone.
pub fn recover(out: &Path) -> Result<Vec<String>, StoreError> {
    if !out.is_dir() {
        return Ok(Vec::new());
    }
    let recovered = crate::store::live::recover(out, &mut |_| ())?;
    let told = recovered.into_iter().map(|recovered| match recovered.outcome {
        Outcome::Sealed(stored) => format!(
            "{}: it was interrupted; {:.1} s of it were kept and sealed",
            recovered.call,
            stored.manifest.length_samples as f64 / f64::from(stored.manifest.rate_hz.max(1))
        ),
        Outcome::Completed(_) => format!("{}: it was closed and not yet in its place; it is now", recovered.call),
        Outcome::Removed => format!("{}: it was interrupted before anything of it was recorded", recovered.call),
        Outcome::Failed(error) => format!("{}: it was interrupted and cannot be sealed: {error}", recovered.call),
    });
    Ok(told.collect())
}

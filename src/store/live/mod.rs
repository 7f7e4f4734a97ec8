//! Calls in hand: written where a kill finds them whole, sealed by whoever comes next.
//!
//! A live call lies in `DIR/.live/NAME/` (the name escaped; 0700, its files 0600) until it is over:
//!
//! * [`place`]: how a call gets a name that nobody else has, and how it is seen that a call is in hand;
//! * [`journal`]: what happened, a line each, the one file that recovery believes;
//! * [`list`]: the same, read back for a replay;
//! * [`recorder`]: the outlet of a live call, with a checkpoint every half second;
//! * [`mod@recover`]: what a kill, a power cut or a full disk left is brought to a definite result (ROB-07).
//!
//! What a death costs: sound that came in after the last checkpoint, and the agent's that was still waiting for the
//! detector, the guard and the reach of a mask. A checkpoint is handed to the operating system, not forced to the
//! disk, so a *power cut* may cost more: what the system had not written yet (Linux writes after 30 s at most, unless
//! told otherwise). What must not come back is forced: the opening, every event that erases before anything is
//! wiped, the wiped sound itself, and the whole call when it is sealed.

pub mod journal;
pub mod list;
pub mod place;
pub mod recorder;
pub mod recover;

#[cfg(test)]
mod call_tests;
#[cfg(test)]
mod death_tests;
#[cfg(test)]
mod full_tests;
#[cfg(test)]
mod place_tests;
mod replay;
mod salvage;
mod seal;
#[cfg(test)]
mod tests;

pub use journal::{Gap, Opening};
pub use list::InputList;
pub use place::{LivePlace, RESERVE_BYTES, Waiting, all_in_hand, all_in_hand_by_name, claim, in_hand};
pub use recorder::{LiveRecorder, Standing};
pub use recover::{Outcome, Recovered, recover, recover_one};

use std::path::Path;

use super::error::{Naming, StoreError};
use super::files::parent_of;

/// Longest time between two checkpoints, ms. The worker keeps it.
pub const CHECKPOINT_MS: u32 = 500;
/// Most samples of a live call: what a plain WAV header can carry, so that every player opens it (12 h at 48 kHz,
/// 74 h at 8 kHz).
pub const SAMPLES_MAX: u64 = super::wav::PLAIN_DATA_BYTES_MAX / super::wav::SAMPLE_BYTES;

/// Bytes that this user may still write where `dir` is or will be.
pub fn free_bytes(dir: &Path) -> Result<u64, StoreError> {
    let mut there = dir.to_path_buf();
    while !there.exists() && there.parent().is_some() {
        there = parent_of(&there);
    }
    fs4::available_space(&there).naming("ask for the free space of", &there)
}

/// Refuses to begin where fewer than `needed` bytes are free; says how many are.
pub fn require_free(dir: &Path, needed: u64) -> Result<u64, StoreError> {
    match free_bytes(dir)? {
        free if free < needed => Err(StoreError::TooFull { dir: dir.into(), free, needed }),
        free => Ok(free),
    }
}

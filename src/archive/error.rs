//! Why something that is kept could not be erased, swept or disposed of.

use std::path::PathBuf;

use thiserror::Error;

use super::hold::HoldError;
use crate::store::StoreError;
use crate::store::live::Waiting;

/// Why the archive could not do what was asked. Nothing was removed unless the variant says so.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// A file could not be read, written or removed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing of that name is there.
    #[error("there is no call `{call}` here; `oneside verify` lists what is there")]
    NoSuchCall {
        /// The name.
        call: String,
    },
    /// The call is there, but not what is to be erased of it.
    #[error("`{call}` has no {what} to erase")]
    NothingToErase {
        /// The call.
        call: String,
        /// What was to be erased.
        what: &'static str,
    },
    /// The hold list cannot be used; nothing is erased without it.
    #[error(transparent)]
    Holds(#[from] HoldError),
    /// A hold stands (HLD-01).
    #[error("`{call}` is on hold by {by}, to be reviewed on {review}: {reason}; release the hold first")]
    Held {
        /// The call.
        call: String,
        /// Why it is held.
        reason: String,
        /// By whom.
        by: String,
        /// When the hold is to be reviewed.
        review: jiff::civil::Date,
    },
    /// A live call of that name does not stand yet.
    #[error("`{call}` {}", not_yet(*.waiting))]
    InHand {
        /// The call.
        call: String,
        /// How it is with it.
        waiting: Waiting,
    },
    /// The file has other names on this disk: removing this one would not erase its bytes (ERA-06).
    #[error("{file}: the same bytes have {others} other name(s) (hard links); remove these first, then run again")]
    HardLinked {
        /// The file.
        file: PathBuf,
        /// How many other names.
        others: u64,
    },
    /// A link or a directory where a file should be: removing it would not erase what it points to.
    #[error("{file}: it is no plain file; remove by hand what it is or points to, then run again")]
    NotAFile {
        /// What it is called.
        file: PathBuf,
    },
    /// Something is still there after it was removed.
    #[error("{file}: it is still there after it was removed; the receipt stays pending, run again")]
    StillThere {
        /// The file.
        file: PathBuf,
    },
    /// An output does not read back as it was written, so its input stays.
    #[error("{file}: {why}; the input stays, run again to redo the call")]
    NotVerified {
        /// The output.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The input is not the one that the outputs were made of.
    #[error("{file}: {why}; it stays, run again to redo the call")]
    InputChanged {
        /// The input.
        file: PathBuf,
        /// What differs.
        why: &'static str,
    },
    /// A quarantined call's input is all there is of it.
    #[error("`{call}` is quarantined, so nothing of it was kept; its input stays")]
    Quarantined {
        /// The call.
        call: String,
    },
}

fn not_yet(waiting: Waiting) -> &'static str {
    match waiting {
        Waiting::InHand => "is being recorded; end the call first",
        Waiting::ForRecovery => "was interrupted and is not sealed yet; the next live start seals it, then erase it",
    }
}

impl ArchiveError {
    /// Whether the disk is full or fails.
    pub fn is_disk(&self) -> bool {
        matches!(self, ArchiveError::Store(StoreError::DiskFull { .. } | StoreError::Io { .. }))
    }

    /// Whether it is refused as things stand: a hold, an erasure, another run.
    pub fn is_refusal(&self) -> bool {
        match self {
            ArchiveError::Store(error) => matches!(error, StoreError::Busy { .. } | StoreError::Erased { .. }),
            ArchiveError::Held { .. }
            | ArchiveError::InHand { .. }
            | ArchiveError::HardLinked { .. }
            | ArchiveError::NotAFile { .. }
            | ArchiveError::NotVerified { .. }
            | ArchiveError::InputChanged { .. }
            | ArchiveError::Quarantined { .. } => true,
            _ => false,
        }
    }
}

//! What can go wrong while storing, said so that an operator knows what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why something could not be stored, read back or removed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("{file}: cannot {verb}{}: {source}; check permissions and the disk, then run again", place(*.offset))]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file or directory.
        file: PathBuf,
        /// At which byte of it, if at one.
        offset: Option<u64>,
        /// What the system said.
        source: io::Error,
    },
    /// No space left. Complete calls stay as they are, this one was not begun as far as the directory shows.
    #[error("{file}: the disk is full{}; free some space and run again, complete calls are kept", place(*.offset))]
    DiskFull {
        /// The file that was being written.
        file: PathBuf,
        /// At which byte of it, if at one.
        offset: Option<u64>,
    },
    /// Too little space to begin a live call.
    #[error("{dir}: {free} bytes are free, a call needs {needed} to begin; free some space and try again")]
    TooFull {
        /// The directory.
        dir: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that have to be.
        needed: u64,
    },
    /// A live call of that name is in hand, waits for recovery, or stands: it cannot be made again, so nothing takes
    /// its place.
    #[error("`{name}` is the name of a live call in {dir}; rename the input, or choose another --out")]
    LiveCall {
        /// The call.
        name: String,
        /// The directory.
        dir: PathBuf,
    },
    /// Something lies where a file of a live call is to stand.
    #[error("{file}: something is there already, where a live call is to stand; move it away and start again")]
    Taken {
        /// Where.
        file: PathBuf,
    },
    /// Another process holds the directory.
    #[error("{dir}: another oneside is writing there; wait for it, or choose another --out")]
    Busy {
        /// The directory.
        dir: PathBuf,
    },
    /// A call's name that cannot be a file's name here.
    #[error("the call's name `{name}` cannot be used: {why}; rename the input")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// The call was erased; writing it again would bring back what somebody had erased (ERA-03).
    #[error("`{name}` was erased on purpose ({receipt}); take the input away, or choose another --out")]
    Erased {
        /// The call.
        name: String,
        /// Its receipt.
        receipt: PathBuf,
    },
    /// Cleared sound came out of order. A fault of this program; nothing of the call is left standing.
    #[error("{file}: sound for sample {at} came when sample {next} was due; please report this as a bug")]
    OutOfOrder {
        /// The file that was being written.
        file: PathBuf,
        /// Where the sound belongs.
        at: u64,
        /// Where the next sound belongs at the earliest.
        next: u64,
    },
    /// The sound is longer than what was announced when the file was begun.
    #[error("{file}: the sound does not end at sample {limit} as expected; run again, the input may have grown")]
    TooLong {
        /// The file that was being written.
        file: PathBuf,
        /// The most samples it was to have.
        limit: u64,
    },
    /// Customer's sound that no grant covers reached the store. A fault of this program; nothing of it is left standing.
    #[error(
        "{file}: samples {from} to {until} lie outside every grant and were discarded; please report this as a bug"
    )]
    OutsideGrants {
        /// The file that was being written.
        file: PathBuf,
        /// First sample of the stretch.
        from: u64,
        /// First sample after it.
        until: u64,
    },
    /// A sample rate that no WAV header can carry.
    #[error("{file}: {rate_hz} Hz is no sample rate; at most {} Hz can be written", super::wav::RATE_MAX_HZ)]
    Rate {
        /// The file that was to be written.
        file: PathBuf,
        /// The rate.
        rate_hz: u32,
    },
    /// A record (manifest, summary, receipt) that cannot be understood.
    #[error("{file}: {why}; run `oneside verify` for the whole picture")]
    Record {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, with its line where there is one.
        why: String,
    },
}

fn place(offset: Option<u64>) -> String {
    offset.map(|byte| format!(" at byte {byte}")).unwrap_or_default()
}

impl StoreError {
    /// A system error, with a full disk told apart.
    pub fn io(verb: &'static str, file: &Path, offset: Option<u64>, source: io::Error) -> StoreError {
        let file = file.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull { file, offset },
            _ => StoreError::Io { verb, file, offset, source },
        }
    }

    /// Whether the disk is full: every further call would fail, too.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, StoreError::DiskFull { .. })
    }
}

/// Names the verb and the file of a system error.
pub(crate) trait Naming<T> {
    /// Names what was tried on which file.
    fn naming(self, verb: &'static str, file: &Path) -> Result<T, StoreError>;
}

impl<T> Naming<T> for io::Result<T> {
    fn naming(self, verb: &'static str, file: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::io(verb, file, None, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_from_other_errors() {
        let file = Path::new("a.wav");
        let full = StoreError::io("write", file, Some(44), io::ErrorKind::StorageFull.into());
        assert!(full.is_disk_full());
        assert!(full.to_string().contains("a.wav") && full.to_string().contains("byte 44"), "{full}");
        assert!(!StoreError::io("write", file, None, io::ErrorKind::PermissionDenied.into()).is_disk_full());
    }
}

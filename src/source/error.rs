//! Why an input cannot be read: the file, the place in it, and what to do.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::wire::wav::WavError;

/// Why a recording cannot be opened or read on.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory, pipe or device where a file is needed.
    #[error("{}: this is no regular file; only files are read", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// Nothing was ever written into it.
    #[error("{}: the file is empty (0 bytes): its recorder has written nothing into it, or not yet", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The content is of no kind that is read. What it is instead is not said: without a header, it may be a voice.
    #[error(
        "{}: byte 0: its content is no kind of sound file that is read (WAV, RF64, W64, FLAC, MP3, Ogg); if it has no header, say --raw s16le|mulaw|alaw with --rate and --channels",
        path.display()
    )]
    UnknownContent {
        /// The file.
        path: PathBuf,
    },
    /// A WAV header that cannot be used.
    #[error("{}: {source}", path.display())]
    Wav {
        /// The file.
        path: PathBuf,
        /// Why, and where.
        source: WavError,
    },
    /// A format that is recognised and not read.
    #[error("{}: {what}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is not read, and what to do.
        what: String,
    },
    /// The file changed between being recognised and having been read.
    #[error("{}: the file changed while it was read; wait until its recorder is done, then run again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file became shorter while it was read.
    #[error(
        "{}: byte {offset}: the file became shorter while it was read; wait until its recorder is done, then run again",
        path.display()
    )]
    Shrunk {
        /// The file.
        path: PathBuf,
        /// Where it now ends.
        offset: u64,
    },
    /// Compressed sound that cannot be decoded, with sound behind it.
    #[error("{}: {at_s:.2} s: {what}; the file is damaged: re-export it, or repair it with `ffmpeg -i IN OUT.wav`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Seconds of sound before the damage.
        at_s: f64,
        /// What the decoder said.
        what: String,
    },
    /// Two files that cannot be one call.
    #[error("{} and {}: {what}", agent.display(), customer.display())]
    Pair {
        /// The agent's file.
        agent: PathBuf,
        /// The customer's file.
        customer: PathBuf,
        /// What does not fit, and what to do.
        what: String,
    },
}

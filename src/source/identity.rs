//! Whether an input is still the one that was processed: size, time of last change, and a digest (ING-07).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::SourceError;
use super::inputs::Sound;

/// Bytes of one sampled block.
const BLOCK_BYTES: u64 = 64 * 1024;
/// Blocks sampled, the first and the last among them.
const BLOCKS: u64 = 16;

/// How much of a file its digest covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Its length and sixteen blocks of 64 KiB, evenly spread, the first and the last among them.
    #[default]
    Sampled,
    /// All of it.
    Full,
}

/// What a file was when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Bytes.
    pub size: u64,
    /// Time of last change, nanoseconds since 1970; 0 where the file system keeps none.
    pub mtime_ns: u64,
    /// How much of it the digest covers.
    pub coverage: Coverage,
    /// BLAKE3, hex.
    pub digest: String,
}

/// The identity of an input's files, the agent's first.
pub fn of(sound: &Sound, coverage: Coverage) -> Result<Vec<Identity>, SourceError> {
    sound.paths().into_iter().map(|path| of_file(path, coverage)).collect()
}

/// Whether the files still have the size and the time of change that they had when they were recognised: asked after
/// they were read, because a recorder may still be writing.
pub fn still(sound: &Sound, identities: &[Identity]) -> Result<bool, SourceError> {
    for (path, identity) in sound.paths().into_iter().zip(identities) {
        let meta = std::fs::metadata(path).map_err(|source| SourceError::Io { path: path.into(), source })?;
        if meta.len() != identity.size || mtime_ns(&meta) != identity.mtime_ns {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The identity of one file.
pub fn of_file(path: &Path, coverage: Coverage) -> Result<Identity, SourceError> {
    if !std::fs::metadata(path).map_err(|source| SourceError::Io { path: path.into(), source })?.is_file() {
        return Err(SourceError::NotAFile { path: path.into() });
    }
    measure(path, coverage).map_err(|source| SourceError::Io { path: path.into(), source })
}

fn mtime_ns(meta: &std::fs::Metadata) -> u64 {
    let since = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

fn measure(path: &Path, coverage: Coverage) -> io::Result<Identity> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    let mtime_ns = mtime_ns(&meta);
    let size = meta.len();
    let mut hasher = blake3::Hasher::new();
    // The sound goes through this buffer, so it is wiped.
    let mut block = Zeroizing::new(vec![0; BLOCK_BYTES as usize]);
    if coverage == Coverage::Full || size <= BLOCKS * BLOCK_BYTES {
        while feed(&mut file, &mut block, &mut hasher)? {}
    } else {
        for index in 0..BLOCKS {
            let at = u128::from(size - BLOCK_BYTES) * u128::from(index) / u128::from(BLOCKS - 1);
            file.seek(SeekFrom::Start(at as u64))?;
            feed(&mut file, &mut block, &mut hasher)?;
        }
    }
    if coverage == Coverage::Sampled {
        hasher.update(&size.to_le_bytes());
    }
    Ok(Identity { size, mtime_ns, coverage, digest: hasher.finalize().to_hex().to_string() })
}

/// Hashes up to one block from where the file stands; false at its end.
fn feed(file: &mut File, block: &mut [u8], hasher: &mut blake3::Hasher) -> io::Result<bool> {
    let mut have = 0;
    while have < block.len() {
        match file.read(&mut block[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    hasher.update(&block[..have]);
    Ok(have > 0)
}

//! Uncompressed recordings: WAV behind its checked header, and raw files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::SourceError;
use super::files::{Format, Recording};
use super::raw::RawFormat;
use super::wire::fmt::Layout;
use super::wire::sample::Encoding;
use super::wire::wav::WavHeader;
use crate::split::Finding;

/// Bytes read at once: large enough that system calls do not count, small enough to stay in the cache.
const BLOCK_BYTES: usize = 64 * 1024;

/// An open uncompressed recording.
pub struct PcmFile {
    path: PathBuf,
    file: File,
    format: Format,
    encoding: Encoding,
    block: Zeroizing<Vec<u8>>,
    /// Byte offset of the next sample frame.
    at: u64,
    left: u64,
    findings: Vec<Finding>,
}

impl PcmFile {
    /// A WAV file whose header was read.
    pub(super) fn wav(path: &Path, file: File, header: WavHeader) -> Result<PcmFile, SourceError> {
        let mut pcm = PcmFile::new(path, file, "WAV", &header.layout, header.data_at, header.frames)?;
        pcm.findings = header.findings;
        Ok(pcm)
    }

    /// A file of `size` bytes that holds nothing but sound. A partial sample frame at its end is dropped.
    pub(super) fn raw(path: &Path, file: File, size: u64, raw: &RawFormat) -> Result<PcmFile, SourceError> {
        let layout = raw.layout();
        PcmFile::new(path, file, "raw", layout, 0, size / layout.block_bytes() as u64)
    }

    fn new(
        path: &Path,
        mut file: File,
        kind: &str,
        layout: &Layout,
        at: u64,
        frames: u64,
    ) -> Result<PcmFile, SourceError> {
        file.seek(SeekFrom::Start(at)).map_err(|source| SourceError::Io { path: path.into(), source })?;
        let frame = layout.block_bytes();
        let format = Format {
            rate_hz: layout.rate_hz,
            channels: layout.channels,
            frames: Some(frames),
            frames_at_most: frames,
            encoding: format!("{kind}, {}", layout.encoding),
        };
        let block = Zeroizing::new(vec![0; BLOCK_BYTES / frame * frame]);
        let encoding = layout.encoding;
        Ok(PcmFile { path: path.into(), file, format, encoding, block, at, left: frames, findings: Vec::new() })
    }

    /// Fills the first `bytes` of the block from the file.
    fn fill(&mut self, bytes: usize) -> Result<(), SourceError> {
        let mut have = 0;
        while have < bytes {
            match self.file.read(&mut self.block[have..bytes]) {
                Ok(0) => return Err(SourceError::Shrunk { path: self.path.clone(), offset: self.at + have as u64 }),
                Ok(n) => have += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(SourceError::Io { path: self.path.clone(), source }),
            }
        }
        self.at += bytes as u64;
        Ok(())
    }
}

impl Recording for PcmFile {
    fn format(&self) -> &Format {
        &self.format
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, SourceError> {
        let channels = self.format.channels;
        let wanted = self.left.min((out.len() / channels) as u64) as usize;
        let frame = self.encoding.bytes() * channels;
        let most = self.block.len() / frame;
        let mut done = 0;
        while done < wanted {
            let frames = (wanted - done).min(most);
            self.fill(frames * frame)?;
            self.encoding.decode(&self.block[..frames * frame], &mut out[done * channels..(done + frames) * channels]);
            done += frames;
        }
        self.left -= done as u64;
        Ok(done)
    }

    fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }
}

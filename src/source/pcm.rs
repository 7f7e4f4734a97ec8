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
    /// Where bytes lie until they are decoded: empty for sound that lies in the file as it does in memory.
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
        let encoding = layout.encoding;
        let room = if lies_as_in_memory(encoding) { 0 } else { BLOCK_BYTES / frame * frame };
        let block = Zeroizing::new(vec![0; room]);
        Ok(PcmFile { path: path.into(), file, format, encoding, block, at, left: frames, findings: Vec::new() })
    }

    /// Reads so many sample frames into `out`, by way of the block.
    fn decode(&mut self, frames: usize, out: &mut [i16]) -> Result<(), SourceError> {
        let channels = self.format.channels;
        let frame = self.encoding.bytes() * channels;
        let most = self.block.len() / frame;
        for out in out[..frames * channels].chunks_mut(most * channels) {
            let bytes = &mut self.block[..out.len() / channels * frame];
            fill(&mut self.file, bytes, &self.path, &mut self.at)?;
            self.encoding.decode(bytes, out);
        }
        Ok(())
    }
}

/// Whether samples of this coding need not be decoded.
fn lies_as_in_memory(encoding: Encoding) -> bool {
    encoding == Encoding::S16 && cfg!(target_endian = "little")
}

/// Fills `bytes` from the file, which stands at byte `at`.
fn fill(file: &mut File, bytes: &mut [u8], path: &Path, at: &mut u64) -> Result<(), SourceError> {
    let mut have = 0;
    while have < bytes.len() {
        match file.read(&mut bytes[have..]) {
            Ok(0) => return Err(SourceError::Shrunk { path: path.into(), offset: *at + have as u64 }),
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(SourceError::Io { path: path.into(), source }),
        }
    }
    *at += bytes.len() as u64;
    Ok(())
}

impl Recording for PcmFile {
    fn format(&self) -> &Format {
        &self.format
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, SourceError> {
        let channels = self.format.channels;
        let wanted = self.left.min((out.len() / channels) as u64) as usize;
        if lies_as_in_memory(self.encoding) {
            let bytes = bytemuck::cast_slice_mut(&mut out[..wanted * channels]);
            fill(&mut self.file, bytes, &self.path, &mut self.at)?;
        } else {
            self.decode(wanted, out)?;
        }
        self.left -= wanted as u64;
        Ok(wanted)
    }

    fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }
}

//! Recordings in files: what kind a file is, and one way to read them all.
//!
//! The kind is recognised by content, never by name. Everything is read in blocks, so memory is bounded whatever the
//! length (the decoders of compressed formats hold one packet more). Buffers are wiped when dropped: they hold the
//! customer's voice.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::compressed::Compressed;
use super::error::SourceError;
use super::inputs::Sound;
use super::pair::Pair;
use super::pcm::PcmFile;
use super::raw::RawFormat;
use super::wire::wav;
use crate::split::Finding;

/// What is known of a recording before its first sample is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Sample frames per second, 8,000 to 48,000.
    pub rate_hz: u32,
    /// Samples in a sample frame, 1 to 8.
    pub channels: usize,
    /// Sample frames there are, if that is certain before reading (after truncation); compressed files do not tell.
    pub frames: Option<u64>,
    /// Never more sample frames than this come out of it.
    pub frames_at_most: u64,
    /// Container and coding, for people.
    pub encoding: String,
}

/// A recording that is read once, from its beginning to its end.
pub trait Recording: Send {
    /// What is known of it.
    fn format(&self) -> &Format;

    /// Fills `out` with interleaved samples and returns the number of sample frames; fewer than fit only at the end,
    /// 0 when the end is reached. `out` must hold at least one sample frame.
    fn read(&mut self, out: &mut [i16]) -> Result<usize, SourceError>;

    /// What was found wrong with the file and processed all the same. Final when the end is reached.
    fn findings(&self) -> Vec<Finding>;
}

/// Opens the sound of an input. `raw` says how files without a header are to be read.
pub fn open(sound: &Sound, raw: Option<&RawFormat>) -> Result<Box<dyn Recording>, SourceError> {
    match sound {
        Sound::File(path) => open_file(path, raw),
        Sound::Pair { agent, customer, offset_s } => {
            let voices = (open_file(agent, raw)?, open_file(customer, raw)?);
            Ok(Box::new(Pair::new((agent, customer), voices, *offset_s)?))
        }
    }
}

/// Opens one file. With `raw`, a file whose header can be read is still read by its header.
pub fn open_file(path: &Path, raw: Option<&RawFormat>) -> Result<Box<dyn Recording>, SourceError> {
    let failed = |source| SourceError::Io { path: path.into(), source };
    // Asked before opening: to open a named pipe would wait for its writer.
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(SourceError::NotAFile { path: path.into() });
    }
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size == 0 && raw.is_none() {
        return Err(SourceError::Empty { path: path.into() });
    }
    let head = head(&mut file).map_err(failed)?;
    match (Kind::of(&head), raw) {
        (Some(Kind::Wav), None) => Ok(Box::new(open_wav(path, file, size)?)),
        (Some(Kind::Wav), Some(raw)) => match wav::parse(&mut file, size) {
            Ok(header) => Ok(Box::new(PcmFile::wav(path, file, header)?)),
            Err(_) => Ok(Box::new(PcmFile::raw(path, file, size, raw)?)),
        },
        (Some(Kind::Flac | Kind::Ogg), _) | (Some(Kind::Mp3), None) => {
            Ok(Box::new(Compressed::open(path, file, size)?))
        }
        (_, Some(raw)) => Ok(Box::new(PcmFile::raw(path, file, size, raw)?)),
        (None, None) => Err(SourceError::UnknownContent { path: path.into() }),
    }
}

fn open_wav(path: &Path, mut file: File, size: u64) -> Result<PcmFile, SourceError> {
    let header = wav::parse(&mut file, size).map_err(|source| SourceError::Wav { path: path.into(), source })?;
    PcmFile::wav(path, file, header)
}

/// The first bytes of a file, which is left at its beginning.
fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(16);
    file.take(16).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(head)
}

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Wav,
    Flac,
    Ogg,
    Mp3,
}

impl Kind {
    fn of(head: &[u8]) -> Option<Kind> {
        match head {
            [b'R', b'I', b'F', b'F' | b'X', ..] | [b'R', b'F', b'6', b'4', ..] | [b'B', b'W', b'6', b'4', ..] => {
                Some(Kind::Wav)
            }
            [b'r', b'i', b'f', b'f', 0x2E, 0x91, ..] => Some(Kind::Wav),
            [b'f', b'L', b'a', b'C', ..] => Some(Kind::Flac),
            [b'O', b'g', b'g', b'S', ..] => Some(Kind::Ogg),
            [b'I', b'D', b'3', 2..=4, ..] => Some(Kind::Mp3),
            // Frame sync, a version, layer 3, a bit rate and a sample rate that exist (ISO 11172-3, 2.4.2.3)
            [0xFF, second, third, ..]
                if second & 0xE6 == 0xE2 && second & 0x18 != 0x08 && third >> 4 != 15 && third & 0x0C != 0x0C =>
            {
                Some(Kind::Mp3)
            }
            _ => None,
        }
    }
}

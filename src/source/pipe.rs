//! Calls from a pipe: standard input, a named FIFO, or an inherited descriptor (an EAGI's 3).
//!
//! Reads whatever sizes come, from one byte to bursts of 64 KiB, hands the bytes on before anything else is done with
//! them (`relay`), and pushes whole sample frames into the ring. It never waits for the recorder while the recorder
//! stands still: what finds no room is a gap (ROB-04, ROB-06).

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::raw::RawFormat;
use super::wire::fmt::Layout;
use super::wire::sample::Encoding;
use super::wire::stream::read_head;
use super::wire::wav::WavError;
use crate::relay::{self, Relay};
use crate::ring::Inlet;

/// Bytes read at once: FreeSWITCH writes 64 KiB.
pub const BLOCK_BYTES: usize = 64 * 1024;
/// How long the recorder may stand still before what it has no room for is left out, if the stream is no faster than
/// real time.
const PATIENCE: Duration = Duration::from_millis(100);
/// The byte that is silence in G.711 µ-law and A-law (ITU-T G.711).
const MULAW_ZERO: u8 = 0xFF;
const ALAW_ZERO: u8 = 0xD5;

/// Where the sound comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipeInput {
    /// Standard input.
    Stdin,
    /// A FIFO, or anything that can be opened for reading.
    Path(PathBuf),
    /// An inherited descriptor: a pipe or a FIFO.
    Descriptor(u32),
}

/// Why a pipe cannot be read.
#[derive(Debug, Error)]
pub enum PipeError {
    /// It cannot be opened.
    #[error("{what}: {source}{remedy}")]
    Open {
        /// What was to be opened.
        what: String,
        /// What the system said.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// Its header cannot be used.
    #[error("the stream's header: {0}")]
    Header(#[from] WavError),
    /// Nothing came.
    #[error("the input ended before a byte of sound came: its sender has not begun, or has failed")]
    Empty,
    /// Reading failed in mid-stream.
    #[error("byte {offset} of the input: {source}")]
    Read {
        /// How far it was read.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
}

/// A pipe whose format is known.
pub struct PipeSource {
    input: Box<dyn Read + Send>,
    layout: Layout,
    head: Vec<u8>,
    left: Option<u64>,
    described: String,
}

impl PipeInput {
    fn open(&self) -> Result<Box<dyn Read + Send>, PipeError> {
        match self {
            PipeInput::Stdin => Ok(Box::new(Stdin)),
            PipeInput::Path(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(source) => Err(PipeError::Open { what: path.display().to_string(), source, remedy: "" }),
            },
            PipeInput::Descriptor(number) => open_descriptor(*number),
        }
    }
}

/// Opens what an inherited descriptor points to, by its name: taking the number itself would need unsafe code. The new
/// one is blocking whatever the old one was, which is what a reader of its own thread wants.
pub fn open_descriptor(number: u32) -> Result<Box<dyn Read + Send>, PipeError> {
    let path = format!("/dev/fd/{number}");
    File::open(&path).map(|file| Box::new(file) as Box<dyn Read + Send>).map_err(|source| PipeError::Open {
        what: format!("descriptor {number}"),
        source,
        remedy: "; it must be inherited, and a pipe or a FIFO (a socket goes on standard input). Windows has none",
    })
}

impl PipeSource {
    /// Opens a pipe and finds out its format: as said, or by the header of a WAV stream. Waits for the header.
    pub fn open(input: &PipeInput, raw: Option<&RawFormat>) -> Result<PipeSource, PipeError> {
        let mut reader = input.open()?;
        let Some(raw) = raw else {
            let head = read_head(&mut reader).map_err(|error| match error {
                WavError::HeaderCut { offset: 0 } => PipeError::Empty,
                error => PipeError::Header(error),
            })?;
            let described = format!("pipe, WAV, {}", head.layout.encoding);
            let (layout, left) = (head.layout, head.data_bytes);
            return Ok(PipeSource { input: reader, layout, head: head.bytes, left, described });
        };
        let layout = raw.layout().clone();
        let described = format!("pipe, raw, {}", layout.encoding);
        Ok(PipeSource { input: reader, layout, head: Vec::new(), left: None, described })
    }

    /// Samples per second.
    pub fn rate_hz(&self) -> u32 {
        self.layout.rate_hz
    }

    /// Interleaved channels.
    pub fn channels(&self) -> usize {
        self.layout.channels
    }

    /// What it is, for the manifest.
    pub fn described(&self) -> &str {
        &self.described
    }

    /// Time that a burst of 64 KiB holds, ms, rounded up.
    pub fn burst_ms(&self) -> u64 {
        let bytes_per_s = u64::from(self.layout.rate_hz) * self.layout.block_bytes() as u64;
        (BLOCK_BYTES as u64 * 1_000).div_ceil(bytes_per_s)
    }

    /// Reads until the stream ends or `stop` is raised: hands on, decodes, pushes. What lies behind the sound (half a
    /// sample frame, chunks after a `data` chunk that tells its size) is handed on, too, and a sender is heard out: one
    /// whose pipe is shut early fails. Runs on a thread of its own.
    pub fn run(
        mut self,
        mut inlet: Inlet,
        mut relay: Option<(&mut Relay, Option<usize>)>,
        stop: &AtomicBool,
    ) -> Result<(), PipeError> {
        let frame = self.layout.block_bytes();
        let mut bytes = Zeroizing::new(vec![0u8; BLOCK_BYTES + frame]);
        let mut samples = Zeroizing::new(vec![0i16; (BLOCK_BYTES + frame) / self.layout.encoding.bytes()]);
        let mut patience = Patience::new(self.layout.rate_hz);
        let (mut have, mut offset) = (0, self.head.len() as u64);
        if let Some((relay, _)) = &mut relay {
            relay.head(&self.head);
        }
        while !stop.load(Ordering::Relaxed) && self.left != Some(0) {
            let most = self.left.map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES as u64) as usize);
            let read = self.read(&mut bytes[have..have + most], offset)?;
            if read == 0 {
                break;
            }
            offset += read as u64;
            self.left = self.left.map(|left| left - read as u64);
            have += read;
            let whole = have / frame * frame;
            if let Some((relay, agent)) = &mut relay {
                relay.sound(&bytes[..whole], self.relayed(*agent));
            }
            let count = whole / self.layout.encoding.bytes();
            self.layout.encoding.decode(&bytes[..whole], &mut samples[..count]);
            patience.wait_for_room(&inlet, whole / frame);
            inlet.push(&samples[..count]);
            samples[..count].zeroize();
            bytes.copy_within(whole..have, 0);
            have -= whole;
            bytes[have..].fill(0);
        }
        // The recording is complete; what is left belongs to the conversation alone.
        drop(inlet);
        let mut relay = relay.map(|(relay, _)| relay);
        if let Some(relay) = &mut relay {
            relay.rest(&bytes[..have]);
        }
        while !stop.load(Ordering::Relaxed) {
            let read = self.read(&mut bytes, offset)?;
            if read == 0 {
                break;
            }
            offset += read as u64;
            if let Some(relay) = &mut relay {
                relay.rest(&bytes[..read]);
            }
        }
        Ok(())
    }

    /// Bytes that came; none at the end.
    fn read(&mut self, bytes: &mut [u8], offset: u64) -> Result<usize, PipeError> {
        loop {
            match self.input.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|source| PipeError::Read { offset, source }),
            }
        }
    }

    fn relayed(&self, agent: Option<usize>) -> relay::Layout {
        let silence = match self.layout.encoding {
            Encoding::Mulaw => MULAW_ZERO,
            Encoding::Alaw => ALAW_ZERO,
            Encoding::U8 => 0x80,
            _ => 0,
        };
        relay::Layout { channels: self.layout.channels, sample_bytes: self.layout.encoding.bytes(), agent, silence }
    }
}

/// Standard input without the buffer of the standard library, which would keep a copy of somebody's voice.
struct Stdin;

impl Read for Stdin {
    #[cfg(unix)]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(rustix::stdio::stdin(), &mut *out).map_err(io::Error::from) {
                // Somebody made it non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
                other => return other,
            }
        }
    }

    #[cfg(not(unix))]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        io::stdin().read(out)
    }
}

/// Waits for room while the recorder makes some. A file that is piped in comes faster than it can be decided: as long as
/// the stream is ahead of real time, waiting holds nobody up. A live one is waited for [`PATIENCE`] after the recorder last
/// made room, and not again until half of the ring is free.
struct Patience {
    began: Option<Instant>,
    rate_hz: u64,
    frames: u64,
    lost: bool,
    most: usize,
}

impl Patience {
    fn new(rate_hz: u32) -> Patience {
        Patience { began: None, rate_hz: u64::from(rate_hz), frames: 0, lost: false, most: 0 }
    }

    /// How long the stream is ahead of real time.
    fn ahead(&self, began: Instant) -> Duration {
        let sound = Duration::from_nanos((u128::from(self.frames) * 1_000_000_000 / u128::from(self.rate_hz)) as u64);
        sound.saturating_sub(began.elapsed())
    }

    fn wait_for_room(&mut self, inlet: &Inlet, frames: usize) {
        let began = *self.began.get_or_insert_with(Instant::now);
        let mut room = inlet.room();
        self.most = self.most.max(room);
        if !(self.lost && room < self.most / 2 && self.ahead(began).is_zero()) {
            self.lost = false;
            let mut since = Instant::now();
            while room < frames.min(self.most) && !self.lost {
                std::thread::sleep(Duration::from_millis(1));
                let now = inlet.room();
                if now > room {
                    since = Instant::now();
                }
                room = now;
                self.lost = since.elapsed() > PATIENCE && self.ahead(began).is_zero();
            }
        }
        self.frames += frames as u64;
    }
}

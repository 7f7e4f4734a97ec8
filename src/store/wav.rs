//! Writes one track as 16-bit mono PCM WAV, in large blocks, every sample at its place.
//!
//! * The only thing that carries samples in is a [`Cleared`]; there is no other verb for them.
//! * Gaps become zeros. Silent blocks are not written but left as holes, which read as zeros; unless it is dense.
//! * At most 64 KiB of cleared sound (8 KiB of a live call) wait in memory, and they are wiped when the writer is dropped.
//! * RF64 with a `ds64` chunk where the sound could pass 4 GiB (ING-05; EBU Tech 3306), decided when the file is begun.
//! * The outlet of a call cannot fail, so the first error is kept and comes back from [`WavWriter::finish`]; nothing
//!   is written after it.

use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use zeroize::{Zeroize, Zeroizing};

use super::digest::{self, BLOCK_BYTES, SoundDigest};
use super::error::{Naming, StoreError};
use super::files::{self, Aside};
use crate::call::Span;
use crate::consent::Cleared;

mod header;

pub use header::{HEADER_BYTES, PLAIN_DATA_BYTES_MAX, RATE_MAX_HZ, RF64_HEADER_BYTES};
pub(crate) use header::{header, header_bytes, is_rf64};

/// Cleared sound that waits in memory, at most, bytes. A whole number of digest blocks.
pub const BUFFER_BYTES: usize = 16 * BLOCK_BYTES;
/// The same of a live call, of which there may be thousands: half a second at 8 kHz, about what a checkpoint
/// finds.
pub const LIVE_BUFFER_BYTES: usize = 2 * BLOCK_BYTES;
/// Bytes of a sample.
pub const SAMPLE_BYTES: u64 = 2;

/// A track on its way to disk.
pub struct WavWriter {
    aside: Aside,
    rate_hz: u32,
    samples_max: u64,
    rf64: bool,
    /// `buffer[..filled]` is the sound from byte `base` of the data on.
    buffer: Zeroizing<Vec<u8>>,
    filled: usize,
    /// When so much waits it is handed on: a whole number of digest blocks. Behind silence this is less than the room, so
    /// that what BLAKE3 gets next begins at a multiple of the room again: its chunks then fill its registers.
    until: usize,
    /// A whole number of digest blocks.
    base: u64,
    digest: SoundDigest,
    /// Up to this byte of the data the file may hold sound: what was flushed, and what a checkpoint wrote ahead.
    on_disk: u64,
    /// Silence is written, too.
    dense: bool,
    /// Something that was digested has been wiped since.
    wiped: bool,
    error: Option<StoreError>,
}

/// Without the sound: what is printed for a bug report must hold nobody's voice.
impl std::fmt::Debug for WavWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let WavWriter { aside, rate_hz, filled, base, error, .. } = self;
        f.debug_struct("WavWriter")
            .field("aside", aside)
            .field("rate_hz", rate_hz)
            .field("filled", filled)
            .field("base", base)
            .field("error", error)
            .finish_non_exhaustive()
    }
}

/// A finished file, durable but not yet under its name.
#[derive(Debug)]
pub struct Finished {
    /// The file.
    pub aside: Aside,
    /// Samples in it, if it is a sound file.
    pub length_samples: Option<u64>,
    /// Bytes of it.
    pub bytes: u64,
    /// Its digest, in hexadecimal.
    pub digest: String,
}

impl WavWriter {
    /// Begins a track that is to stand at `target`. `samples_max`: more than that it will not have.
    pub fn create(target: &Path, rate_hz: u32, samples_max: u64) -> Result<WavWriter, StoreError> {
        WavWriter::begin(Aside::create(target)?, rate_hz, samples_max)
    }

    /// Begins a track in this empty file.
    pub fn begin(aside: Aside, rate_hz: u32, samples_max: u64) -> Result<WavWriter, StoreError> {
        WavWriter::begin_with(BUFFER_BYTES, aside, rate_hz, samples_max)
    }

    /// The same with so many bytes of memory: whole digest blocks.
    pub fn begin_with(room: usize, aside: Aside, rate_hz: u32, samples_max: u64) -> Result<WavWriter, StoreError> {
        if header(rate_hz, 0, false).is_none() {
            return Err(StoreError::Rate { file: aside.target().into(), rate_hz });
        }
        let room = room.next_multiple_of(BLOCK_BYTES);
        Ok(WavWriter {
            aside,
            rate_hz,
            samples_max,
            rf64: is_rf64(samples_max),
            buffer: Zeroizing::new(vec![0; room]),
            filled: 0,
            until: room,
            base: 0,
            digest: SoundDigest::default(),
            on_disk: 0,
            dense: false,
            wiped: false,
            error: None,
        })
    }

    /// The same, with silence written instead of left as holes.
    pub fn dense(self) -> WavWriter {
        WavWriter { dense: true, ..self }
    }

    /// Writes what waits into the file, and a header that gives it `length_samples` or what it has if that is more:
    /// the file opens as it lies. What waits goes on waiting, so that the digest keeps its blocks; it is written again
    /// when its block is full.
    pub fn checkpoint(&mut self, length_samples: u64) {
        if self.error.is_none() {
            let written = self.write_ahead().and_then(|()| self.write_header(length_samples.max(self.position())));
            let written = written.map(|_| ());
            self.keep(written);
        }
    }

    /// Removes the file, whether it is one that lasts or not.
    pub fn discard(self) -> Result<(), StoreError> {
        self.aside.discard()
    }

    /// Writes sound at its place on the call's time line; the gap before it becomes silence.
    pub fn write(&mut self, sound: &Cleared<'_>) {
        let (at, next) = (sound.at().0, self.position());
        if at < next {
            let file = self.aside.target().into();
            return self.fail(StoreError::OutOfOrder { file, at, next });
        }
        self.silence_until(at);
        self.append(sound);
    }

    /// Writes sound behind what is there already, wherever it lay in the call.
    pub fn append(&mut self, sound: &Cleared<'_>) {
        let mut rest = sound.samples();
        self.check_room(rest.len() as u64);
        debug_assert!(self.filled < self.until && self.until.is_multiple_of(BLOCK_BYTES));
        while self.error.is_none() && !rest.is_empty() {
            let room = (self.until - self.filled) / SAMPLE_BYTES as usize;
            let (now, later) = rest.split_at(room.min(rest.len()));
            let end = self.filled + now.len() * SAMPLE_BYTES as usize;
            let places = &mut self.buffer[self.filled..end];
            if cfg!(target_endian = "little") {
                places.copy_from_slice(bytemuck::cast_slice(now));
            } else {
                let (places, _) = places.as_chunks_mut::<2>();
                places.iter_mut().zip(now).for_each(|(place, sample)| *place = sample.to_le_bytes());
            }
            self.filled = end;
            rest = later;
            if self.filled == self.until {
                self.flush();
            }
        }
    }

    /// Samples so far: where the next one belongs at the earliest.
    pub fn position(&self) -> u64 {
        (self.base + self.filled as u64) / SAMPLE_BYTES
    }

    /// Takes the first error, if there was one.
    pub fn take_error(&mut self) -> Option<StoreError> {
        self.error.take()
    }

    /// The first error, if there was one.
    pub fn error(&self) -> Option<&StoreError> {
        self.error.as_ref()
    }

    /// Makes a stretch silent: what waits in memory, and what lies on disk.
    pub fn wipe(&mut self, span: Span) {
        let until = span.until.0.min(self.position()) * SAMPLE_BYTES;
        let from = (span.from.0.saturating_mul(SAMPLE_BYTES)).min(until);
        if from == until {
            return;
        }
        if until > self.base {
            let waiting = (from.max(self.base) - self.base) as usize..(until - self.base) as usize;
            self.buffer[waiting].fill(0);
        }
        // Behind what waits lies what was flushed last.
        self.buffer[self.filled..].zeroize();
        self.wiped |= from < self.base;
        if from < self.on_disk.max(self.base) {
            // Also after an error: what a withdrawal takes back goes whatever else is wrong.
            let wiped = self.wipe_on_disk(from..until.min(self.on_disk.max(self.base)));
            self.keep(wiped);
        }
    }

    /// Starts over with nothing: all that was written is gone.
    pub fn discard_all(&mut self) {
        self.buffer.as_mut_slice().zeroize();
        (self.filled, self.base, self.on_disk, self.wiped) = (0, 0, 0, false);
        (self.until, self.digest) = (self.buffer.len(), SoundDigest::default());
        let emptied = self.aside.file().set_len(0).naming("empty", self.aside.target());
        self.keep(emptied);
    }

    /// Fills with silence up to `length_samples`, puts the header in place and makes the file durable. The first
    /// error of the writer's life comes back here.
    pub fn finish(mut self, length_samples: u64) -> Result<Finished, StoreError> {
        if self.position() > length_samples {
            let file = self.aside.target().into();
            self.fail(StoreError::TooLong { file, limit: length_samples });
        }
        self.silence_until(length_samples);
        self.flush();
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let header = self.write_header(length_samples)?;
        let target = self.aside.target().to_path_buf();
        let data_bytes = length_samples * SAMPLE_BYTES;
        let bytes = header.len() as u64 + data_bytes;
        let file = self.aside.file();
        let digest = match self.wiped {
            false => self.digest.finish(data_bytes, &header),
            true => {
                file.seek(SeekFrom::Start(0))
                    .and_then(|_| digest::measure(file, |_, _| ()))
                    .naming("read back", &target)?
                    .digest
            }
        };
        self.aside.sync()?;
        Ok(Finished { aside: self.aside, length_samples: Some(length_samples), bytes, digest })
    }

    /// Fills with silence up to a place. Long silence passes in whole blocks that are never written.
    fn silence_until(&mut self, place: u64) {
        let missing = place.saturating_sub(self.position());
        self.check_room(missing);
        if self.error.is_some() {
            return;
        }
        let mut bytes = missing * SAMPLE_BYTES;
        if self.filled as u64 + bytes >= self.until as u64 {
            let to_boundary = (self.filled.next_multiple_of(BLOCK_BYTES) - self.filled) as u64;
            self.push_zeros(to_boundary);
            self.flush();
            bytes -= to_boundary;
            while self.dense && bytes >= self.until as u64 {
                bytes -= self.until as u64;
                self.push_zeros(self.until as u64);
                self.flush();
            }
            if !self.dense {
                let blocks = bytes / BLOCK_BYTES as u64;
                self.digest.pass(blocks);
                self.base += blocks * BLOCK_BYTES as u64;
                bytes %= BLOCK_BYTES as u64;
            }
        }
        self.push_zeros(bytes);
    }

    fn push_zeros(&mut self, bytes: u64) {
        let end = self.filled + bytes as usize;
        self.buffer[self.filled..end].fill(0);
        self.filled = end;
    }

    /// Hands what waits to the disk and to the digest; silent blocks to the digest only.
    fn flush(&mut self) {
        let WavWriter { aside, buffer, filled, until, base, digest, error, rf64, dense, .. } = self;
        let target = aside.target().to_path_buf();
        let data_at = header_bytes(*rf64) + *base;
        let bytes = &buffer[..*filled];
        let mut write = |run: Range<usize>| {
            if error.is_none() {
                let at = data_at + run.start as u64;
                let written = files::write_all_at(aside.file(), &bytes[run], at);
                *error = written.err().map(|source| StoreError::io("write", &target, Some(at), source));
            }
        };
        if *dense {
            digest.take(bytes, |_| ());
            write(0..bytes.len());
        } else {
            digest.take(bytes, write);
        }
        *base += *filled as u64;
        *filled = 0;
        *until = buffer.len() - (digest.sounding_bytes() % buffer.len() as u64) as usize;
    }

    /// Writes what waits and is not in the file yet.
    fn write_ahead(&mut self) -> Result<(), StoreError> {
        let from = self.on_disk.max(self.base);
        // Before it is written: a write that fails half-way may have left some of it.
        self.on_disk = self.base + self.filled as u64;
        let waiting = &self.buffer[(from - self.base) as usize..self.filled];
        if waiting.iter().any(|byte| *byte != 0) {
            let at = header_bytes(self.rf64) + from;
            let target = self.aside.target().to_path_buf();
            let written = files::write_all_at(self.aside.file(), waiting, at);
            written.map_err(|source| StoreError::io("write", &target, Some(at), source))?;
        }
        Ok(())
    }

    /// Puts the header for this length in place and gives the file its size.
    fn write_header(&mut self, length_samples: u64) -> Result<Vec<u8>, StoreError> {
        let target = self.aside.target().to_path_buf();
        let header = header(self.rate_hz, length_samples, self.rf64)
            .ok_or_else(|| StoreError::TooLong { file: target.clone(), limit: self.samples_max })?;
        let file = self.aside.file();
        file.set_len(header.len() as u64 + length_samples * SAMPLE_BYTES).naming("set the length of", &target)?;
        files::write_all_at(file, &header, 0).naming("write the header of", &target)?;
        Ok(header)
    }

    /// Overwrites bytes of the data with zeros, durably: a withdrawal must hold even if the process dies (WDR-02).
    fn wipe_on_disk(&mut self, bytes: Range<u64>) -> Result<(), StoreError> {
        let target = self.aside.target().to_path_buf();
        let data_at = header_bytes(self.rf64);
        let file = self.aside.file();
        // Behind its end there is nothing to wipe, and on a full disk no room to do so.
        let end = file.metadata().naming("look at", &target)?.len().min(data_at + bytes.end);
        let mut at = data_at + bytes.start;
        let mut wiped = Ok(());
        while wiped.is_ok() && at < end {
            let now = (end - at).min(BLOCK_BYTES as u64);
            wiped = files::write_all_at(file, &[0; BLOCK_BYTES][..now as usize], at);
            at += now;
        }
        // What could be wiped is made so for good, whatever else failed.
        let synced = file.sync_data().naming("sync", &target);
        wiped.map_err(|source| StoreError::io("wipe", &target, Some(at), source)).and(synced)
    }

    fn check_room(&mut self, samples: u64) {
        if self.position().saturating_add(samples) > self.samples_max {
            let file = self.aside.target().into();
            self.fail(StoreError::TooLong { file, limit: self.samples_max });
        }
    }

    fn fail(&mut self, error: StoreError) {
        self.error.get_or_insert(error);
    }

    fn keep(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            self.fail(error);
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod print_tests {
    use super::*;
    use crate::store::testing::Scratch;

    #[test]
    fn what_is_printed_of_a_writer_holds_no_sound() {
        let scratch = Scratch::new();
        let mut writer = WavWriter::create(&scratch.path().join("a.wav"), 8_000, 10).unwrap();
        writer.buffer.fill(211);
        let printed = format!("{writer:?}");
        assert!(!printed.contains("211, 211") && printed.contains("filled: 0"), "{printed}");
    }
}

//! Where each piece of `NAME.speech.wav` came from, so that cutting can be undone: `out_start_s,src_start_s,dur_s`.
//!
//! Seconds with six decimals, worked out in whole numbers: at any rate up to 384 kHz they lead back to the exact
//! sample. Neighbouring pieces are one line. Written as a stream, in bounded memory.

use std::io::Write;
use std::path::Path;

use super::error::{Naming, StoreError};
use super::files::Aside;
use super::wav::Finished;
use crate::call::{MediaTime, Span};

/// First line of a timeline.
pub const HEADING: &str = "out_start_s,src_start_s,dur_s";
/// Text that waits in memory, at most about that much, bytes.
const BUFFER_BYTES: usize = 16 << 10;

/// A timeline on its way to disk.
#[derive(Debug)]
pub struct TimelineWriter {
    aside: Aside,
    rate_hz: u32,
    text: String,
    hasher: blake3::Hasher,
    bytes: u64,
    out_samples: u64,
    pending: Option<Span>,
    error: Option<StoreError>,
}

/// A piece of speech: a line of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its first sample in the speech file.
    pub out: u64,
    /// Its first sample in the call.
    pub source: u64,
    /// Its samples.
    pub samples: u64,
}

impl TimelineWriter {
    /// Begins a timeline that is to stand at `target`.
    pub fn create(target: &Path, rate_hz: u32) -> Result<TimelineWriter, StoreError> {
        Ok(TimelineWriter::begin(Aside::create(target)?, rate_hz))
    }

    /// Begins a timeline in this empty file.
    pub fn begin(aside: Aside, rate_hz: u32) -> TimelineWriter {
        let mut timeline = TimelineWriter {
            aside,
            rate_hz,
            text: String::with_capacity(BUFFER_BYTES),
            hasher: blake3::Hasher::new(),
            bytes: 0,
            out_samples: 0,
            pending: None,
            error: None,
        };
        timeline.line(HEADING);
        timeline
    }

    /// Notes that the samples of `span` come next in the speech file.
    pub fn note(&mut self, span: Span) {
        match &mut self.pending {
            _ if span.is_empty() => {}
            Some(pending) if pending.until == span.from => pending.until = span.until,
            _ => {
                self.settle();
                self.pending = Some(span);
            }
        }
    }

    /// Starts over with nothing but the heading.
    pub fn discard_all(&mut self) {
        use std::io::{Seek, SeekFrom};
        self.text.clear();
        (self.hasher, self.bytes, self.out_samples, self.pending) = (blake3::Hasher::new(), 0, 0, None);
        let target = self.aside.target().to_path_buf();
        let file = self.aside.file();
        let emptied = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)).map(|_| ()));
        if let Err(error) = emptied.naming("empty", &target) {
            self.error.get_or_insert(error);
        }
        self.line(HEADING);
    }

    /// Makes the file durable; the first error of the writer's life comes back here.
    pub fn finish(mut self) -> Result<Finished, StoreError> {
        self.settle();
        self.flush();
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        self.aside.sync()?;
        let digest = self.hasher.finalize().to_hex().to_string();
        Ok(Finished { aside: self.aside, length_samples: None, bytes: self.bytes, digest })
    }

    fn settle(&mut self) {
        if let Some(span) = self.pending.take() {
            let piece = Piece { out: self.out_samples, source: span.from.0, samples: span.samples() };
            self.out_samples += piece.samples;
            self.line(&piece.line(self.rate_hz));
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        if self.text.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            let target = self.aside.target().to_path_buf();
            let written = self.aside.file().write_all(self.text.as_bytes());
            self.error = written.err().map(|source| StoreError::io("write", &target, Some(self.bytes), source));
        }
        self.hasher.update(self.text.as_bytes());
        self.bytes += self.text.len() as u64;
        self.text.clear();
    }
}

impl Piece {
    /// The piece as a line, without its end.
    pub fn line(&self, rate_hz: u32) -> String {
        let [out, source, samples] = [self.out, self.source, self.samples].map(|samples| seconds(samples, rate_hz));
        format!("{out},{source},{samples}")
    }

    /// The piece that a line tells of; `None` if it is no such line.
    pub fn parse(line: &str, rate_hz: u32) -> Option<Piece> {
        let mut fields = line.split(',').map(|field| samples(field, rate_hz));
        let piece = Piece { out: fields.next()??, source: fields.next()??, samples: fields.next()?? };
        fields.next().is_none().then_some(piece)
    }

    /// Where it lies in the call.
    pub fn span(&self) -> Span {
        Span::new(MediaTime(self.source), MediaTime(self.source.saturating_add(self.samples)))
    }
}

/// A number of samples as seconds with six decimals.
fn seconds(samples: u64, rate_hz: u32) -> String {
    let micros = (u128::from(samples) * 1_000_000 + u128::from(rate_hz) / 2) / u128::from(rate_hz);
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// The number of samples that [`seconds`] was made of.
fn samples(seconds: &str, rate_hz: u32) -> Option<u64> {
    let (whole, decimals) = seconds.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() != 6 {
        return None;
    }
    let micros = u128::from(whole.parse::<u64>().ok()?) * 1_000_000 + decimals.parse::<u128>().ok()?;
    u64::try_from((micros * u128::from(rate_hz) + 500_000) / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Scratch, span};

    #[test]
    fn seconds_lead_back_to_the_exact_sample() {
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 384_000] {
            for count in (0..3_000).chain([u64::from(rate) - 1, 7_200 * u64::from(rate) + 1, 1 << 40]) {
                assert_eq!(samples(&seconds(count, rate), rate), Some(count), "at {rate} Hz");
            }
        }
    }

    #[test]
    fn a_line_that_is_none_is_refused() {
        for bad in
            ["", "1,2,3", "0.000000,0.000000", "0.000000,0.000000,0.000000,0.000000", "-1.000000,0.000000,1.000000"]
        {
            assert_eq!(Piece::parse(bad, 8_000), None, "{bad:?}");
        }
        assert_eq!(
            Piece::parse("0.000000,1.000000,0.500000", 8_000),
            Some(Piece { out: 0, source: 8_000, samples: 4_000 })
        );
        assert_eq!(Piece::parse("0.000000,99999999999999999999.000000,0.500000", 8_000), None);
    }

    #[test]
    fn neighbours_become_one_line() {
        let scratch = Scratch::new();
        let target = scratch.path().join("a.timeline.csv");
        let mut timeline = TimelineWriter::create(&target, 8_000).unwrap();
        [span(80, 160), span(160, 240), span(800, 801), span(900, 900)]
            .into_iter()
            .for_each(|span| timeline.note(span));
        let finished = timeline.finish().unwrap();
        let (digest, bytes) = (finished.digest.clone(), finished.bytes);
        finished.aside.stand().unwrap();
        let text = std::fs::read_to_string(&target).unwrap();
        assert_eq!(text, format!("{HEADING}\n0.000000,0.010000,0.020000\n0.020000,0.100000,0.000125\n"));
        assert_eq!((digest, bytes), (blake3::hash(text.as_bytes()).to_hex().to_string(), text.len() as u64));
    }

    #[test]
    fn discarding_leaves_the_heading_alone() {
        let scratch = Scratch::new();
        let target = scratch.path().join("a.timeline.csv");
        let mut timeline = TimelineWriter::create(&target, 8_000).unwrap();
        (0..2_000).for_each(|n| timeline.note(span(n * 100, n * 100 + 50)));
        timeline.discard_all();
        timeline.finish().unwrap().aside.stand().unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), format!("{HEADING}\n"));
    }
}

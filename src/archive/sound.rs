//! Reads outputs back and compares them with what the manifest says. One pass a file, in bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::report::Notes;
use crate::store::digest::{self, Measured};
use crate::store::manifest::{Manifest, Output};
use crate::store::timeline::{HEADING, Piece};
use crate::store::wav::{self, SAMPLE_BYTES};
use crate::store::{Kind, Place};

/// Longest line of a timeline, bytes; three numbers of samples take less.
const LINE_BYTES_MAX: u64 = 256;
/// Bytes compared at once.
const COMPARE_BYTES: usize = 64 << 10;

/// What reading an output back told beyond its digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Samples that are not zero.
    pub(super) sounding: u64,
}

/// Reads an output back and says what is wrong with it: existence, size, digest. What a disposal asks.
pub(super) fn reread(place: &Place, output: &Output) -> Result<(), String> {
    let path = place.output(output.kind);
    let mut file = File::open(&path).map_err(|error| format!("cannot be read back: {error}"))?;
    let (digest, bytes) = match output.kind.is_sound() {
        true => digest::measure(&mut file, |_, _| ()).map(|m| (m.digest, m.header.len() as u64 + m.data_bytes)),
        false => digest::whole(&mut file),
    }
    .map_err(|error| format!("cannot be read back: {error}"))?;
    match (bytes == output.bytes, digest == output.digest) {
        (false, _) => Err(format!("has {bytes} bytes where {} were written", output.bytes)),
        (true, false) => Err("does not read back as it was written".into()),
        (true, true) => Ok(()),
    }
}

/// Checks a sound output: size, header, digest, and that it sounds only where it may.
pub(super) fn check_sound(manifest: &Manifest, output: &Output, path: &Path, notes: &mut Notes<'_>) -> Heard {
    let mut heard = Heard::default();
    let mut outside: Option<u64> = None;
    let may_sound = may_sound(manifest, output.kind);
    let measured = File::open(path).and_then(|mut file| {
        digest::measure(&mut file, |at, bytes| {
            let (pairs, _) = bytes.as_chunks::<2>();
            heard.sounding += pairs.iter().filter(|pair| **pair != [0, 0]).count() as u64;
            if let Some(spans) = may_sound.as_ref().filter(|_| outside.is_none()) {
                outside = first_outside(at / SAMPLE_BYTES, pairs, spans);
            }
        })
    });
    let measured = match measured {
        Ok(measured) => measured,
        Err(error) => {
            notes.error("unreadable", format!("it cannot be read: {error}"));
            return heard;
        }
    };
    check_size_and_header(manifest, output, &measured, notes);
    if measured.digest != output.digest {
        let what = "its sound is not what was written: something was changed, moved, cut off or added";
        notes.error("digest", what);
    }
    if let Some(sample) =
        outside.filter(|sample| masks(manifest).any(|[from, until]| from <= *sample && *sample < until))
    {
        let what = "sound is stored that was masked";
        notes.error_at("masked", format!("sample {sample}"), what);
    } else if let Some(sample) = outside {
        let what = "the customer is heard outside every grant: sound is stored that nobody may keep";
        notes.error_at("outside_grants", format!("sample {sample}"), what);
    }
    heard
}

/// Where an output may sound; `None`: anywhere. What was masked may not (ONE-09); of the customer, only what was kept may.
fn may_sound(manifest: &Manifest, kind: Kind) -> Option<Vec<[u64; 2]>> {
    let mut spans: Vec<[u64; 2]> = match kind {
        Kind::Customer => manifest.customer.kept.iter().map(|kept| [kept.from, kept.until]).collect(),
        Kind::Agent => vec![[0, manifest.length_samples]],
        _ => return None,
    };
    for entry in &manifest.ledger {
        let of_customer = entry.effect.masked_customer.filter(|_| kind == Kind::Customer);
        let Some([from, until]) = of_customer.or(entry.effect.masked) else { continue };
        let parts = spans.iter().flat_map(|span| [[span[0], span[1].min(from)], [span[0].max(until), span[1]]]);
        spans = parts.filter(|part| part[0] < part[1]).collect();
    }
    Some(spans)
}

/// What was masked, of either side.
fn masks(manifest: &Manifest) -> impl Iterator<Item = [u64; 2]> + '_ {
    manifest.ledger.iter().filter_map(|entry| entry.effect.masked_customer.or(entry.effect.masked))
}

/// Checks a text output: size and digest.
pub(super) fn check_text(output: &Output, path: &Path, notes: &mut Notes<'_>) {
    match File::open(path).and_then(|mut file| digest::whole(&mut file)) {
        Err(error) => notes.error("unreadable", format!("it cannot be read: {error}")),
        Ok((_, bytes)) if bytes != output.bytes => wrong_size(bytes, output.bytes, notes),
        Ok((digest, _)) if digest != output.digest => {
            notes.error("digest", "its text was changed after it was written")
        }
        Ok(_) => {}
    }
}

/// Checks that the timeline leads from the speech back to the agent's track, and leaves nothing of it out.
pub(super) fn check_timeline(manifest: &Manifest, place: &Place, notes: &mut Notes<'_>) {
    let speech = output(manifest, Kind::Speech).and_then(|output| output.length_samples).unwrap_or_default();
    let files = [Kind::Timeline, Kind::Agent, Kind::Speech].map(|kind| File::open(place.output(kind)));
    let [Ok(timeline), Ok(mut agent), Ok(mut sound)] = files else {
        return; // each missing file has its own finding
    };
    let mut pieces = Pieces { lines: BufReader::new(timeline), rate_hz: manifest.rate_hz, line: 0 };
    let mut next = Piece { out: 0, source: 0, samples: 0 };
    loop {
        let piece = match pieces.next() {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(what) => return notes.error_at("timeline", format!("line {}", pieces.line), what),
        };
        let line = format!("line {}", pieces.line);
        let ends = piece.source.checked_add(piece.samples).filter(|end| *end <= manifest.length_samples);
        let (true, true, Some(end)) = (piece.out == next.out, piece.source >= next.source, ends) else {
            return notes.error_at(
                "timeline",
                line,
                "the piece does not follow the one before it, or lies behind the end",
            );
        };
        match same_sound(&mut agent, &mut sound, piece) {
            Ok(None) => next = Piece { out: piece.out + piece.samples, source: end, samples: 0 },
            Ok(Some(sample)) => {
                let what = format!("the speech differs from the agent's track at sample {sample} of the speech");
                return notes.error_at("timeline", line, what);
            }
            Err(error) => return notes.error_at("timeline", line, format!("the sound cannot be compared: {error}")),
        }
    }
    if next.out != speech {
        let what = format!("its pieces make {} samples, the speech has {speech}", next.out);
        notes.error("timeline", what);
    }
}

/// The output of a kind that a manifest lists.
pub(super) fn output(manifest: &Manifest, kind: Kind) -> Option<&Output> {
    manifest.outputs.iter().find(|output| output.kind == kind)
}

fn check_size_and_header(manifest: &Manifest, output: &Output, measured: &Measured, notes: &mut Notes<'_>) {
    let bytes = measured.header.len() as u64 + measured.data_bytes;
    if bytes != output.bytes {
        wrong_size(bytes, output.bytes, notes);
    }
    let rf64 = measured.header.starts_with(b"RF64");
    let expected = output.length_samples.and_then(|length| wav::header(manifest.rate_hz, length, rf64));
    let Some(expected) = expected else {
        return notes.error("header", "the manifest gives it a rate or a length that no sound file has");
    };
    let same = expected.iter().zip(&measured.header).take_while(|(one, other)| one == other).count();
    if same < expected.len() {
        notes.error_at("header", format!("byte {same}"), "the header does not say what the manifest says");
    }
    let sound_bytes = output.length_samples.unwrap_or_default().saturating_mul(SAMPLE_BYTES);
    if sound_bytes.saturating_add(expected.len() as u64) != output.bytes {
        notes.error("header", "the manifest contradicts itself about its size and its length");
    }
}

fn wrong_size(found: u64, written: u64, notes: &mut Notes<'_>) {
    let what = match found < written {
        true => format!("it is cut off: {written} bytes were written"),
        false => format!("something was added: {written} bytes were written"),
    };
    notes.error_at("size", format!("byte {}", found.min(written)), what);
}

/// The first sample that sounds outside all stretches; `pairs` begins at sample `at`.
fn first_outside(at: u64, pairs: &[[u8; 2]], spans: &[[u64; 2]]) -> Option<u64> {
    let mut place = at;
    let end = at + pairs.len() as u64;
    let inside = |place: u64| spans.iter().find(|span| span[0] <= place && place < span[1]);
    while place < end {
        if let Some(span) = inside(place) {
            place = span[1];
            continue;
        }
        let next = spans.iter().map(|span| span[0]).filter(|from| *from > place).min().unwrap_or(end).min(end);
        let gap = &pairs[(place - at) as usize..(next - at) as usize];
        if let Some(index) = gap.iter().position(|pair| *pair != [0, 0]) {
            return Some(place + index as u64);
        }
        place = next;
    }
    None
}

/// The lines of a timeline, one after the other.
struct Pieces {
    lines: BufReader<File>,
    rate_hz: u32,
    line: u64,
}

impl Pieces {
    fn next(&mut self) -> Result<Option<Piece>, String> {
        let mut line = String::new();
        self.line += 1;
        let read = (&mut self.lines).take(LINE_BYTES_MAX).read_line(&mut line);
        if read.map_err(|error| format!("it cannot be read: {error}"))? == 0 {
            return if self.line == 1 { Err("it is empty".into()) } else { Ok(None) };
        }
        let Some(text) = line.strip_suffix('\n') else { return Err("the line has no end".into()) };
        match self.line {
            1 if text == HEADING => self.next(),
            1 => Err(format!("it does not begin with `{HEADING}`")),
            _ => Piece::parse(text, self.rate_hz).map(Some).ok_or_else(|| "it is no piece of speech".into()),
        }
    }
}

/// Compares a piece of the speech with the agent's track; the first sample of the speech that differs.
fn same_sound(agent: &mut File, speech: &mut File, piece: Piece) -> io::Result<Option<u64>> {
    seek_to(agent, piece.source)?;
    seek_to(speech, piece.out)?;
    let (mut one, mut other) = ([0; COMPARE_BYTES], [0; COMPARE_BYTES]);
    let mut done = 0;
    let bytes = piece.samples * SAMPLE_BYTES;
    while done < bytes {
        let now = (bytes - done).min(COMPARE_BYTES as u64) as usize;
        agent.read_exact(&mut one[..now])?;
        speech.read_exact(&mut other[..now])?;
        if let Some(at) = one[..now].iter().zip(&other[..now]).position(|(one, other)| one != other) {
            return Ok(Some(piece.out + (done + at as u64) / SAMPLE_BYTES));
        }
        done += now as u64;
    }
    Ok(None)
}

fn seek_to(file: &mut File, sample: u64) -> io::Result<u64> {
    let mut magic = [0; 4];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut magic)?;
    let header = if magic == *b"RF64" { wav::RF64_HEADER_BYTES } else { wav::HEADER_BYTES };
    file.seek(SeekFrom::Start(header as u64 + sample * SAMPLE_BYTES))
}

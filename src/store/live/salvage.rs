//! The files of a call whose writer died, cut to what its journal says of them.
//!
//! They are changed where they lie and need no room: what is outside of the stretches that the journal names becomes
//! silent, the speech is made to follow the agent's track, the timeline is written anew.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::journal::Opening;
use super::replay::{Replayed, samples};
use crate::call::Span;
use crate::store::digest::{self, BLOCK_BYTES};
use crate::store::error::{Naming, StoreError};
use crate::store::files::{self, Aside};
use crate::store::manifest::{Finding, Live};
use crate::store::name::Kind;
use crate::store::timeline::TimelineWriter;
use crate::store::tracks::Site;
use crate::store::wav::{self, Finished, SAMPLE_BYTES};

/// Bytes looked at at a time.
const PIECE_BYTES: usize = 16 * BLOCK_BYTES;

/// A call whose files are whole again.
pub(super) struct Salvaged {
    pub(super) opening: Opening,
    pub(super) closing: Replayed,
    pub(super) live: Live,
    /// What was found before the last checkpoint.
    pub(super) findings: Vec<Finding>,
    pub(super) finished: Vec<(Kind, Finished)>,
}

/// Cuts the files of a call to what `replayed` says may be kept of it. Each step may be repeated.
pub(super) fn files(site: &Site, mut replayed: Replayed) -> Result<Salvaged, StoreError> {
    let plan = replayed.opening.plan;
    let header = wav::header_bytes(wav::is_rf64(plan.samples_max));
    let end_of = |kind: Kind| -> Result<u64, StoreError> {
        let path = path_of(site, kind);
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            found => Ok(found.naming("look at", &path)?.len().saturating_sub(header) / SAMPLE_BYTES),
        }
    };
    replayed.cut(end_of(Kind::Agent)?, end_of(Kind::Customer)?);
    let quarantined = replayed.is_quarantined();
    let silent_if = |spans: &[Span]| if quarantined { Vec::new() } else { spans.to_vec() };
    let (agent, customer) = (silent_if(&replayed.agent), silent_if(&replayed.customer));
    let mut finished = Vec::new();
    // The customer's first: whatever fails later, what may not be kept is gone.
    match customer.is_empty() {
        true => files::remove(&path_of(site, Kind::Customer)).map(|_| ())?,
        false => finished.push((Kind::Customer, Sound::open(site, Kind::Customer, &replayed)?.keep_only(&customer)?)),
    }
    finished.push((Kind::Agent, Sound::open(site, Kind::Agent, &replayed)?.keep_only(&agent)?));
    if plan.speech {
        let mut source = File::open(path_of(site, Kind::Agent)).naming("open", &path_of(site, Kind::Agent))?;
        let speech = Sound::open(site, Kind::Speech, &replayed)?;
        finished.push((Kind::Speech, speech.follow(&mut source, &agent)?));
        let aside = Aside::lasting(path_of(site, Kind::Timeline), &site.place.output(Kind::Timeline))?;
        let mut timeline = TimelineWriter::begin(aside, plan.rate_hz);
        agent.iter().for_each(|span| timeline.note(*span));
        finished.push((Kind::Timeline, timeline.finish()?));
    }
    Ok(Salvaged {
        opening: replayed.opening.clone(),
        live: replayed.losses.live(&replayed.opening, replayed.digest.clone(), None),
        findings: replayed.findings.clone(),
        finished,
        closing: replayed,
    })
}

fn path_of(site: &Site, kind: Kind) -> PathBuf {
    site.live.as_ref().expect("the site of a live call has a directory").join(kind.bare_name())
}

/// A sound file that is cut.
struct Sound {
    aside: Aside,
    rate_hz: u32,
    rf64: bool,
    length: u64,
}

impl Sound {
    fn open(site: &Site, kind: Kind, replayed: &Replayed) -> Result<Sound, StoreError> {
        let plan = replayed.opening.plan;
        Ok(Sound {
            aside: Aside::resume(path_of(site, kind), &site.place.output(kind))?,
            rate_hz: plan.rate_hz,
            rf64: wav::is_rf64(plan.samples_max),
            length: replayed.position,
        })
    }

    /// Makes everything outside of these stretches silent.
    fn keep_only(mut self, spans: &[Span]) -> Result<Finished, StoreError> {
        let last = spans.last().map_or(0, |span| span.until.0);
        self.resize(last)?; // what lies behind goes at once
        let mut from = 0;
        for span in spans {
            self.silence(from, span.from.0)?;
            from = span.until.0;
        }
        self.complete()
    }

    /// Makes it the agent's stretches end to end. Where it is that already, nothing is written.
    fn follow(mut self, agent: &mut File, spans: &[Span]) -> Result<Finished, StoreError> {
        self.length = samples(spans);
        self.resize(self.length)?;
        let (mut ours, mut theirs) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
        let mut out = 0;
        for span in spans {
            let mut at = span.from.0;
            while at < span.until.0 {
                let count = (span.until.0 - at).min(PIECE_BYTES as u64 / SAMPLE_BYTES);
                let bytes = (count * SAMPLE_BYTES) as usize;
                let (from, to) = (self.byte_of(at), self.byte_of(out));
                let target = self.aside.target().to_path_buf();
                read_at(agent, from, &mut theirs[..bytes]).naming("read the agent's track for", &target)?;
                read_at(self.aside.file(), to, &mut ours[..bytes]).naming("read", &target)?;
                if ours[..bytes] != theirs[..bytes] {
                    write_at(self.aside.file(), to, &theirs[..bytes]).naming("write", &target)?;
                }
                (at, out) = (at + count, out + count);
            }
        }
        self.complete()
    }

    /// Overwrites what sounds between two samples. Holes stay holes.
    fn silence(&mut self, from: u64, until: u64) -> Result<(), StoreError> {
        let target = self.aside.target().to_path_buf();
        let mut piece = vec![0; PIECE_BYTES];
        let (mut at, end) = (self.byte_of(from), self.byte_of(until));
        while at < end {
            let bytes = (end - at).min(PIECE_BYTES as u64) as usize;
            read_at(self.aside.file(), at, &mut piece[..bytes]).naming("read", &target)?;
            if piece[..bytes].iter().any(|byte| *byte != 0) {
                piece[..bytes].fill(0);
                write_at(self.aside.file(), at, &piece[..bytes]).naming("wipe", &target)?;
            }
            at += bytes as u64;
        }
        Ok(())
    }

    /// Cuts it off, or continues it with silence, behind so many samples.
    fn resize(&mut self, samples: u64) -> Result<(), StoreError> {
        let (bytes, target) = (self.byte_of(samples), self.aside.target().to_path_buf());
        self.aside.file().set_len(bytes).naming("set the length of", &target)
    }

    /// Gives it its length and its header, and makes it durable.
    fn complete(mut self) -> Result<Finished, StoreError> {
        let target = self.aside.target().to_path_buf();
        let header = wav::header(self.rate_hz, self.length, self.rf64)
            .ok_or_else(|| StoreError::TooLong { file: target.clone(), limit: self.length })?;
        self.resize(self.length)?;
        let file = self.aside.file();
        write_at(file, 0, &header).naming("write the header of", &target)?;
        let measured = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| digest::measure(file, |_, _| ()))
            .naming("read back", &target)?;
        self.aside.sync()?;
        let bytes = self.byte_of(self.length);
        Ok(Finished { aside: self.aside, length_samples: Some(self.length), bytes, digest: measured.digest })
    }

    fn byte_of(&self, sample: u64) -> u64 {
        wav::header_bytes(self.rf64) + sample.saturating_mul(SAMPLE_BYTES)
    }
}

fn read_at(file: &mut File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(bytes))
}

fn write_at(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes))
}

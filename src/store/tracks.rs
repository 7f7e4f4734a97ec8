//! The outlet of a call: one file a track (ONE-10), written while the call runs, committed when it is closed.
//!
//! Memory is bounded whatever the call's length: one writer's buffer a file, and one stretch of time for every
//! stretch of the customer's side that was kept.

use super::commit::{self, Stored};
use super::error::StoreError;
use super::files;
use super::manifest::{Manifest, Output};
use super::name::{Kind, Place};
use super::timeline::TimelineWriter;
use super::wav::{Finished, WavWriter};
use crate::call::{CallResult, Closing, MediaTime, Outlet, Span};
use crate::consent::{Cleared, Track};

/// What is to be written of a call.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Samples per second of the call.
    pub rate_hz: u32,
    /// More samples than this it will not have: an upper bound from the input's size (ING-05).
    pub samples_max: u64,
    /// Also the agent's speech alone, with its timeline.
    pub speech: bool,
}

/// Records one call. Dropped before [`Recorder::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Recorder {
    place: Place,
    plan: Plan,
    agent: WavWriter,
    speech: Option<Speech>,
    customer: Option<CustomerTrack>,
    /// The error of a file that could not even be begun.
    error: Option<StoreError>,
}

#[derive(Debug)]
struct Speech {
    sound: WavWriter,
    timeline: TimelineWriter,
}

/// The customer's track and what of it is written and not erased.
#[derive(Debug)]
struct CustomerTrack {
    sound: WavWriter,
    /// In order, apart from each other: at most one for every stretch kept.
    written: Vec<Span>,
}

impl Recorder {
    /// Begins the files of a call; directories in its name are made. A call that was erased on purpose is refused.
    pub fn create(place: Place, plan: Plan) -> Result<Recorder, StoreError> {
        commit::refuse_erased(&place)?;
        files::create_dir(&place.parent())?;
        let agent = WavWriter::create(&place.output(Kind::Agent), plan.rate_hz, plan.samples_max)?;
        let speech = plan.speech.then(|| Speech::create(&place, &plan)).transpose()?;
        Ok(Recorder { place, plan, agent, speech, customer: None, error: None })
    }

    /// The first error, if there was one: what is written from then on goes nowhere, and `finish` will return it.
    pub fn error(&self) -> Option<&StoreError> {
        let speech = self.speech.as_ref().and_then(|speech| speech.sound.error());
        let customer = self.customer.as_ref().and_then(|track| track.sound.error());
        self.error.as_ref().or(self.agent.error()).or(speech).or(customer)
    }

    /// Gives up the call, and the first error if there was one. Nothing of the call is left behind.
    pub fn into_error(mut self) -> Option<StoreError> {
        let speech = self.speech.as_mut().and_then(|speech| speech.sound.take_error());
        let customer = self.customer.as_mut().and_then(|track| track.sound.take_error());
        self.error.take().or_else(|| self.agent.take_error()).or(speech).or(customer)
    }

    /// Completes the files and commits them with the manifest that `build` makes of the outputs. `picture`: the SVG of
    /// the call, if there is to be one.
    ///
    /// A quarantined call keeps nothing of either side, whenever the doubt came up (ONE-06): its agent's track is
    /// silent.
    pub fn finish(
        mut self,
        closing: &Closing,
        picture: Option<&str>,
        build: impl FnOnce(Vec<Output>) -> Manifest,
    ) -> Result<Stored, StoreError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if closing.result == CallResult::Quarantined {
            self.withhold_all();
        }
        self.check_grants(closing)?;
        let mut finished = vec![(Kind::Agent, self.agent.finish(closing.length.0)?)];
        if let Some(track) = self.customer {
            finished.push((Kind::Customer, track.sound.finish(closing.length.0)?));
        }
        if let Some(Speech { sound, timeline }) = self.speech {
            let length = sound.position();
            finished.push((Kind::Speech, sound.finish(length)?));
            finished.push((Kind::Timeline, timeline.finish()?));
        }
        if let Some(picture) = picture {
            finished.push((Kind::Picture, text_file(&self.place, picture)?));
        }
        commit::commit(&self.place, finished, build)
    }

    fn withhold_all(&mut self) {
        self.agent.discard_all();
        if let Some(speech) = &mut self.speech {
            speech.sound.discard_all();
            speech.timeline.discard_all();
        }
        self.customer = None;
    }

    /// The last look before the customer's track gets its name: all of it lies in stretches that may be kept. The
    /// call has seen to that; a fault there must not reach the disk.
    fn check_grants(&mut self, closing: &Closing) -> Result<(), StoreError> {
        let Some(track) = &self.customer else { return Ok(()) };
        let mut kept: Vec<Span> = Vec::new();
        for stretch in &closing.kept {
            push_merged(&mut kept, Span::new(stretch.from, stretch.until.unwrap_or(closing.length)));
        }
        let covered = |span: &&Span| kept.iter().any(|kept| kept.contains(**span));
        match track.written.iter().find(|span| !covered(span)) {
            None => Ok(()),
            Some(span) => Err(StoreError::OutsideGrants {
                file: self.place.output(Kind::Customer),
                from: span.from.0,
                until: span.until.0,
            }),
        }
    }

    pub(super) fn write_to(&mut self, track: Track, sound: &Cleared<'_>) {
        match track {
            Track::Agent => self.write_agent(sound),
            Track::Customer => self.write_customer(sound),
        }
    }

    fn write_agent(&mut self, sound: &Cleared<'_>) {
        self.agent.write(sound);
        if let Some(speech) = &mut self.speech {
            speech.sound.append(sound);
            speech.timeline.note(span_of(sound));
        }
    }

    /// The customer's file is begun with the first sound that was cleared for it: no grant, no file (CON-01).
    fn write_customer(&mut self, sound: &Cleared<'_>) {
        if self.customer.is_none() && self.error.is_none() {
            match WavWriter::create(&self.place.output(Kind::Customer), self.plan.rate_hz, self.plan.samples_max) {
                Ok(sound) => self.customer = Some(CustomerTrack { sound, written: Vec::new() }),
                Err(error) => self.error = Some(error),
            }
        }
        if let Some(track) = &mut self.customer {
            track.sound.write(sound);
            push_merged(&mut track.written, span_of(sound));
        }
    }
}

impl Outlet for Recorder {
    fn write(&mut self, sound: Cleared<'_>) {
        self.write_to(sound.track(), &sound);
    }

    fn erase_customer(&mut self, span: Span) {
        let Some(track) = &mut self.customer else { return };
        track.sound.wipe(span);
        track.written = track.written.iter().flat_map(|written| without(*written, span)).collect();
        if track.written.is_empty() && track.sound.error().is_none() {
            // Nothing of the customer is left, so no track of the customer's is.
            self.customer = None;
        }
    }
}

impl Speech {
    fn create(place: &Place, plan: &Plan) -> Result<Speech, StoreError> {
        let sound = WavWriter::create(&place.output(Kind::Speech), plan.rate_hz, plan.samples_max)?;
        let timeline = TimelineWriter::create(&place.output(Kind::Timeline), plan.rate_hz)?;
        Ok(Speech { sound, timeline })
    }
}

fn text_file(place: &Place, text: &str) -> Result<Finished, StoreError> {
    use super::error::Naming;
    use std::io::Write;
    let target = place.output(Kind::Picture);
    let mut aside = files::Aside::create(&target)?;
    aside.file().write_all(text.as_bytes()).naming("write", &target)?;
    aside.sync()?;
    let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
    Ok(Finished { aside, length_samples: None, bytes: text.len() as u64, digest })
}

fn span_of(sound: &Cleared<'_>) -> Span {
    let from = sound.at();
    Span::new(from, MediaTime(from.0.saturating_add(sound.samples().len() as u64)))
}

fn push_merged(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.until == span.from => last.until = span.until,
        _ => spans.push(span),
    }
}

/// What is left of `whole` without `hole`.
fn without(whole: Span, hole: Span) -> impl Iterator<Item = Span> {
    let before = Span::new(whole.from, whole.until.min(hole.from));
    let after = Span::new(whole.from.max(hole.until), whole.until);
    let parts = if whole.overlaps(hole) { [before, after] } else { [whole, Span::new(whole.until, whole.until)] };
    parts.into_iter().filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests;

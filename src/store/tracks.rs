//! The outlet of a call: one file a track (ONE-10), written while the call runs, committed when it is closed.
//!
//! Memory is bounded whatever the call's length: one writer's buffer a file, and one stretch of time for every
//! stretch of the customer's side that was kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::commit::{self, Stored};
use super::error::StoreError;
use super::files::{self, Aside};
use super::manifest::{Manifest, Output};
use super::name::{Kind, Place};
use super::timeline::TimelineWriter;
use super::wav::{BUFFER_BYTES, Finished, LIVE_BUFFER_BYTES, WavWriter};
use crate::call::{CallResult, Closing, MediaTime, Outlet, Span};
use crate::consent::{Cleared, Track};

/// What is to be written of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Samples per second of the call.
    pub rate_hz: u32,
    /// More samples than this it will not have: an upper bound from the input's size (ING-05).
    pub samples_max: u64,
    /// Also the agent's speech alone, with its timeline.
    pub speech: bool,
    /// Silence is left as holes; otherwise it is written.
    #[serde(default = "usually_sparse")]
    pub sparse: bool,
}

/// What calls in hand were that were opened before it could be chosen.
fn usually_sparse() -> bool {
    true
}

/// Records one call. Dropped before [`Recorder::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Recorder {
    tracks: Tracks,
}

impl Recorder {
    /// Begins the files of a call; directories in its name are made. A call that was erased on purpose is refused, and
    /// so is one that would take a live call's place.
    pub fn create(place: Place, plan: Plan) -> Result<Recorder, StoreError> {
        commit::refuse_erased(&place)?;
        commit::refuse_live(&place)?;
        files::create_dir(&place.parent())?;
        Ok(Recorder { tracks: Tracks::create(Site { place, live: None }, plan)? })
    }

    /// The first error, if there was one: what is written from then on goes nowhere, and `finish` will return it.
    pub fn error(&self) -> Option<&StoreError> {
        self.tracks.error()
    }

    /// Gives up the call, and the first error if there was one. Nothing of the call is left behind.
    pub fn into_error(mut self) -> Option<StoreError> {
        self.tracks.take_error()
    }

    /// Completes the files and commits them with the manifest that `build` makes of the outputs. `picture`: the SVG of
    /// the call, if there is to be one.
    ///
    /// A quarantined call keeps nothing of either side, whenever the doubt came up (ONE-06): its agent's track is
    /// silent.
    pub fn finish(
        self,
        closing: &Closing,
        picture: Option<&str>,
        build: impl FnOnce(Vec<Output>) -> Manifest,
    ) -> Result<Stored, StoreError> {
        let site = self.tracks.site.clone();
        let mut finished = self.tracks.finish(closing)?;
        if let Some(picture) = picture {
            finished.push((Kind::Picture, text_file(&site, Kind::Picture, picture)?));
        }
        commit::commit(&site.place, finished, build)
    }

    #[cfg(test)]
    pub(super) fn write_to(&mut self, track: Track, sound: &Cleared<'_>) {
        self.tracks.write(track, sound);
    }
}

impl Outlet for Recorder {
    fn write(&mut self, sound: Cleared<'_>) {
        self.tracks.write(sound.track(), &sound);
    }

    fn erase_customer(&mut self, span: Span) {
        self.tracks.erase_customer(span);
    }
}

/// Where the files of a call lie before they stand: beside their places, or in the directory of a call in hand.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// Where they are to stand.
    pub(super) place: Place,
    /// The directory of the call in hand.
    pub(super) live: Option<PathBuf>,
}

impl Site {
    fn begin(&self, kind: Kind) -> Result<Aside, StoreError> {
        let target = self.place.output(kind);
        match &self.live {
            None => Aside::create(&target),
            Some(dir) => Aside::lasting(dir.join(kind.bare_name()), &target),
        }
    }

    fn sound(&self, kind: Kind, plan: Plan) -> Result<WavWriter, StoreError> {
        let room = if self.live.is_some() { LIVE_BUFFER_BYTES } else { BUFFER_BYTES };
        let writer = WavWriter::begin_with(room, self.begin(kind)?, plan.rate_hz, plan.samples_max)?;
        Ok(if plan.sparse { writer } else { writer.dense() })
    }
}

/// The files of a call that is being written: what every recorder is made of.
#[derive(Debug)]
pub(super) struct Tracks {
    site: Site,
    plan: Plan,
    agent: WavWriter,
    speech: Option<Speech>,
    customer: Option<CustomerTrack>,
    /// The error of a file that could not even be begun, or not be removed.
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

impl Tracks {
    pub(super) fn create(site: Site, plan: Plan) -> Result<Tracks, StoreError> {
        let agent = site.sound(Kind::Agent, plan)?;
        let speech = plan.speech.then(|| Speech::create(&site, &plan)).transpose()?;
        Ok(Tracks { site, plan, agent, speech, customer: None, error: None })
    }

    pub(super) fn error(&self) -> Option<&StoreError> {
        let speech = self.speech.as_ref().and_then(|speech| speech.sound.error());
        let customer = self.customer.as_ref().and_then(|track| track.sound.error());
        self.error.as_ref().or(self.agent.error()).or(speech).or(customer)
    }

    pub(super) fn take_error(&mut self) -> Option<StoreError> {
        let speech = self.speech.as_mut().and_then(|speech| speech.sound.take_error());
        let customer = self.customer.as_mut().and_then(|track| track.sound.take_error());
        self.error.take().or_else(|| self.agent.take_error()).or(speech).or(customer)
    }

    /// Completes the files: all of them whole and durable, none under its name yet.
    pub(super) fn finish(mut self, closing: &Closing) -> Result<Vec<(Kind, Finished)>, StoreError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if closing.result == CallResult::Quarantined {
            self.withhold_all()?;
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
        Ok(finished)
    }

    /// Writes what waits, so that every sound file opens as it lies; the sides' tracks get this length.
    pub(super) fn checkpoint(&mut self, length: MediaTime) {
        self.agent.checkpoint(length.0);
        if let Some(track) = &mut self.customer {
            track.sound.checkpoint(length.0);
        }
        if let Some(speech) = &mut self.speech {
            speech.sound.checkpoint(0);
        }
    }

    fn withhold_all(&mut self) -> Result<(), StoreError> {
        self.agent.discard_all();
        if let Some(speech) = &mut self.speech {
            speech.sound.discard_all();
            speech.timeline.discard_all();
        }
        self.customer.take().map_or(Ok(()), |track| track.sound.discard())
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
                file: self.site.place.output(Kind::Customer),
                from: span.from.0,
                until: span.until.0,
            }),
        }
    }

    pub(super) fn write(&mut self, track: Track, sound: &Cleared<'_>) {
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
            let begun = self.site.sound(Kind::Customer, self.plan);
            match begun {
                Ok(mut sound) => {
                    if self.site.live.is_some() {
                        sound.checkpoint(0); // it opens as it lies from its first moment on
                    }
                    self.customer = Some(CustomerTrack { sound, written: Vec::new() });
                }
                Err(error) => self.error = Some(error),
            }
        }
        if let Some(track) = &mut self.customer {
            track.sound.write(sound);
            push_merged(&mut track.written, span_of(sound));
        }
    }

    /// Wipes a stretch of the customer's track; when nothing of it is left, no track is.
    pub(super) fn erase_customer(&mut self, span: Span) {
        let Some(track) = &mut self.customer else { return };
        track.sound.wipe(span);
        track.written = track.written.iter().flat_map(|written| without(*written, span)).collect();
        if track.written.is_empty()
            && let Some(mut track) = self.customer.take()
        {
            let error = track.sound.take_error();
            if let Some(error) = error.or(track.sound.discard().err()) {
                self.error.get_or_insert(error);
            }
        }
    }
}

impl Speech {
    fn create(site: &Site, plan: &Plan) -> Result<Speech, StoreError> {
        let sound = site.sound(Kind::Speech, *plan)?;
        let timeline = TimelineWriter::begin(site.begin(Kind::Timeline)?, plan.rate_hz);
        Ok(Speech { sound, timeline })
    }
}

/// A text, whole and durable, not yet under its name.
pub(super) fn text_file(site: &Site, kind: Kind, text: &str) -> Result<Finished, StoreError> {
    use super::error::Naming;
    use std::io::Write;
    let mut aside = site.begin(kind)?;
    let target = aside.target().to_path_buf();
    aside.file().write_all(text.as_bytes()).naming("write", &target)?;
    aside.sync()?;
    let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
    Ok(Finished { aside, length_samples: None, bytes: text.len() as u64, digest })
}

/// Where cleared sound lies.
pub(super) fn span_of(sound: &Cleared<'_>) -> Span {
    let from = sound.at();
    Span::new(from, MediaTime(from.0.saturating_add(sound.samples().len() as u64)))
}

/// Adds a stretch behind the others.
pub(super) fn push_merged(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.until == span.from => last.until = span.until,
        _ => spans.push(span),
    }
}

/// What is left of `whole` without `hole`.
pub(super) fn without(whole: Span, hole: Span) -> impl Iterator<Item = Span> {
    let before = Span::new(whole.from, whole.until.min(hole.from));
    let after = Span::new(whole.from.max(hole.until), whole.until);
    let parts = if whole.overlaps(hole) { [before, after] } else { [whole, Span::new(whole.until, whole.until)] };
    parts.into_iter().filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests;

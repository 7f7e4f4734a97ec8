//! The outlet of a live call: the same tracks as of a file, in the directory of the call in hand, and its journal.

use std::path::Path;

use super::journal::{Applied, Checkpoint, FORMAT, Gap, Journal, Line, Opening, SourceDigest};
use super::place::{LivePlace, RESERVE};
use super::seal;
use crate::call::{self, CallResult, Closing, MediaTime, Outlet, Span};
use crate::consent::{Cleared, Stamped, Track};
use crate::store::commit::Stored;
use crate::store::error::StoreError;
use crate::store::files;
use crate::store::manifest::{Finding, Leak, Loss, Tally};
use crate::store::tracks::{Site, Tracks, push_merged, span_of, without};

/// Records one live call. Dropped before [`LiveRecorder::finish`], as by a panic or a kill, it leaves what the next
/// [`super::recover()`] seals.
///
/// The order in which it is told things is what makes it safe:
/// 1. [`LiveRecorder::event`] *before* the event is applied to the call: the journal must know of a withdrawal before
///    anything is wiped (WDR-02).
/// 2. [`LiveRecorder::checkpoint`] at least every [`super::CHECKPOINT_MS`].
/// 3. [`LiveRecorder::error`] now and then. After the first error no sound is stored; events still count, and a
///    withdrawal still wipes. The recorder is kept to the end of the call, and `finish` seals it as interrupted.
#[derive(Debug)]
pub struct LiveRecorder {
    site: Site,
    tracks: Tracks,
    journal: Journal,
    opening: Opening,
    /// Samples at the last checkpoint.
    position: u64,
    /// What was written of each side since the last checkpoint and not erased.
    agent: Vec<Span>,
    customer: Vec<Span>,
    losses: Losses,
    digest: Option<String>,
    quarantined: bool,
}

/// How a call stands at a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Samples of the call settled.
    pub position: MediaTime,
    /// What became of them. What waits for a decision on the agent's side is in `heard` and nowhere else.
    pub tally: &'a call::Tally,
    /// How much of the customer may have leaked so far.
    pub leak: call::Leak,
    /// What was found so far.
    pub findings: &'a [call::Finding],
}

impl Standing<'_> {
    /// How a call stands now, between two frames.
    pub fn of(call: &call::Call) -> Standing<'_> {
        Standing { position: call.position(), tally: call.tally(), leak: call.leak(), findings: call.findings() }
    }
}

impl LiveRecorder {
    /// Begins the files of a call under the name that was claimed; `opening.about.call` must be that name. The opening
    /// is durable when this returns.
    pub fn create(mut claimed: LivePlace, opening: Opening) -> Result<LiveRecorder, StoreError> {
        let own = claimed.dir.clone();
        if opening.about.call != claimed.name() || opening.format != FORMAT {
            let why = format!("it was to be the {} of `{}`", opening.format, opening.about.call);
            return Err(StoreError::Record { file: own, why });
        }
        let site = Site { place: claimed.place.clone(), live: Some(own.clone()) };
        let mut tracks = Tracks::create(site.clone(), opening.plan)?;
        tracks.checkpoint(MediaTime::ZERO);
        // From here on a kill leaves a call.
        let file = claimed.journal.take().expect("a claim has a journal until a recorder is made of it");
        let mut journal = Journal::new(file, &own);
        journal.write(&Line::Opening(Box::new(opening.clone())));
        journal.sync();
        files::sync_dir(&own)?;
        files::sync_dir(&files::parent_of(&own))?;
        Ok(LiveRecorder {
            site,
            tracks,
            journal,
            opening,
            position: 0,
            agent: Vec::with_capacity(64),
            customer: Vec::with_capacity(64),
            losses: Losses::default(),
            digest: None,
            quarantined: false,
        })
    }

    /// The name under which the call will stand.
    pub fn name(&self) -> &str {
        self.site.place.name()
    }

    /// The first error, if there was one: no sound is stored from then on.
    pub fn error(&self) -> Option<&StoreError> {
        self.tracks.error().or(self.journal.error())
    }

    /// Takes note of an event that is about to be applied by the writer at `position` (`call.position()`), which has let
    /// the agent's side go up to `released` (`call.maskable().from`). Tell every event, also those that the clock makes,
    /// as it is handed to [`call::Call::take_now`], and before it is.
    pub fn event(&mut self, position: MediaTime, released: MediaTime, stamped: &Stamped) {
        self.journal.write(&Line::Event(Applied::new(position, released, stamped)));
    }

    /// Takes note that a doubt has shut the door for good: whatever happens now, nothing of the call is kept (ONE-06).
    pub fn quarantined(&mut self, position: MediaTime) {
        if !std::mem::replace(&mut self.quarantined, true) {
            self.journal.write(&Line::Quarantined { position: position.0 });
        }
    }

    /// Takes note of sound that did not come.
    pub fn gap(&mut self, gap: Gap) {
        self.losses.add(&gap);
        self.journal.write(&Line::Gap(gap));
    }

    /// Takes note of the digest of the source's bytes so far: BLAKE3, in hexadecimal. The last one goes into the
    /// manifest.
    pub fn digest(&mut self, bytes: u64, blake3: &str) {
        self.digest = Some(blake3.into());
        self.journal.write(&Line::Digest(SourceDigest { bytes, blake3: blake3.into() }));
    }

    /// Writes what waits, so that a kill loses nothing of it and every file opens as it lies. Nothing is forced to the
    /// disk. After an error it does nothing.
    pub fn checkpoint(&mut self, standing: &Standing<'_>) {
        if self.error().is_some() {
            return;
        }
        self.tracks.checkpoint(standing.position);
        if self.error().is_some() {
            return self.note_failure();
        }
        let pairs = |spans: &[Span]| spans.iter().map(|span| [span.from.0, span.until.0]).collect();
        let line = Line::Checkpoint(Box::new(Checkpoint {
            position: standing.position.0,
            tally: Tally::so_far(standing.tally),
            leak: Leak::so_far(standing.leak),
            findings: Finding::all_of(standing.findings),
            agent: pairs(&self.agent),
            customer: pairs(&self.customer),
        }));
        if self.journal.write(&line) {
            self.position = standing.position.0;
            self.agent.clear();
            self.customer.clear();
        }
    }

    /// Completes the call and gives it its place. `ended`: when it was closed (RFC 3339); `picture`: its SVG, if there
    /// is to be one. Tell `closing.ledger` nothing that [`LiveRecorder::event`] was not told.
    ///
    /// If the store failed in mid-call or fails now, what stood at the last checkpoint is sealed as interrupted; the
    /// manifest says so. An error is what even that could not be done for: the call is left for the next start.
    pub fn finish(mut self, closing: &Closing, ended: &str, picture: Option<&str>) -> Result<Stored, StoreError> {
        if closing.result == CallResult::Quarantined {
            self.quarantined(closing.length);
        }
        if let Some(error) = self.error() {
            let why = error.to_string();
            return self.seal_interrupted(&why);
        }
        let live = self.losses.live(&self.opening, self.digest.take(), Some(ended.into()));
        let LiveRecorder { site, tracks, mut journal, opening, .. } = self;
        let list = opening.list;
        let whole = tracks.finish(closing).and_then(|finished| {
            let listed = if list { Some(&mut journal.file) } else { None };
            seal::lay(&site, finished, picture, listed, |outputs| seal::manifest(opening, closing, outputs, live))
        });
        match whole {
            Ok(stored) => seal::stand(&site, journal.file, stored),
            Err(error) => seal::interrupted(&site, journal.file, &error.to_string()),
        }
    }

    /// Seals what stood at the last checkpoint, with the result `interrupted` (or `quarantined`, if it was). `why` goes
    /// into the manifest's findings.
    pub fn seal_interrupted(mut self, why: &str) -> Result<Stored, StoreError> {
        self.note_failure();
        let LiveRecorder { site, tracks, journal, .. } = self;
        drop(tracks); // their files last
        seal::interrupted(&site, journal.file, why)
    }

    /// Stores sound on a track by whatever door it came.
    #[cfg(test)]
    pub(in crate::store) fn write_to(&mut self, track: Track, sound: &Cleared<'_>) {
        self.store(track, sound);
    }

    fn store(&mut self, track: Track, sound: &Cleared<'_>) {
        if self.error().is_some() {
            return;
        }
        self.tracks.write(track, sound);
        match track {
            Track::Agent => push_merged(&mut self.agent, span_of(sound)),
            Track::Customer => push_merged(&mut self.customer, span_of(sound)),
        }
    }

    fn wipe(&mut self, span: Span) {
        self.tracks.erase_customer(span);
        self.customer = self.customer.iter().flat_map(|written| without(*written, span)).collect();
    }

    /// What the journal has to say of it is of use to people only, so it need not get there.
    fn note_failure(&mut self) {
        let why = self.error().map(ToString::to_string).unwrap_or_default();
        self.journal.write(&Line::Failed { position: self.position, why });
    }
}

impl Outlet for LiveRecorder {
    fn write(&mut self, sound: Cleared<'_>) {
        self.store(sound.track(), &sound);
    }

    /// The event that erases was noted before; it is made durable, and then the sound goes, durably, too.
    fn erase_customer(&mut self, span: Span) {
        self.journal.sync();
        self.wipe(span);
    }

    /// Nobody said no: what is noted need not be durable before it is done.
    fn erase_tone(&mut self, span: Span) {
        self.journal.write(&Line::Tone { from: span.from.0, until: span.until.0 });
        self.wipe(span);
    }
}

/// What did not come, by reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses(Vec<Gap>);

impl Losses {
    /// Adds a gap to those of its kind.
    pub(super) fn add(&mut self, gap: &Gap) {
        match self.0.iter_mut().find(|sum| (&sum.reason, sum.intended, sum.of) == (&gap.reason, gap.intended, gap.of)) {
            Some(sum) => sum.frames = sum.frames.saturating_add(gap.frames),
            None => self.0.push(gap.clone()),
        }
    }

    /// What the manifest tells of them.
    pub(super) fn live(
        &self,
        opening: &Opening,
        digest: Option<String>,
        ended: Option<String>,
    ) -> crate::store::manifest::Live {
        let (from, to) = (u128::from(opening.about.input.rate_hz.max(1)), u128::from(opening.plan.rate_hz));
        let samples = |frames: u64| ((u128::from(frames) * to + from / 2) / from) as u64;
        let loss = |gap: &Gap| Loss {
            of: gap.of,
            reason: gap.reason.clone(),
            intended: gap.intended,
            samples: samples(gap.frames),
        };
        crate::store::manifest::Live {
            source: opening.source.clone(),
            opened: opening.opened.clone(),
            ended,
            digest,
            reference: opening.more.get("reference").and_then(|value| value.as_str()).map(str::to_owned),
            losses: self.0.iter().map(loss).collect(),
        }
    }
}

/// Gives back the bytes that were kept for the books.
pub(super) fn open_reserve(own: &Path) -> Result<(), StoreError> {
    files::remove(&own.join(RESERVE)).map(|_| ())
}

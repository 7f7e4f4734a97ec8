//! The door. The only place in the program that makes a [`Cleared`], and a store accepts nothing else.
//!
//! Why one can believe it:
//! * `Cleared` and `Grant` have private fields; only this file builds them.
//! * A `Grant` is made only of a [`Decision`](super::Decision), and a decision carries an [`Act`](super::Act); silence has no variant.
//! * A `Cleared` borrows the gate and every event needs `&mut` gate, so none outlives a withdrawal.
//! * The agent's side needs a proof, too: [`Heard`], made only by the bleed guard.
//!
//! The tests that hold this: `tests/compile_fail/`, `tests/it/door_oracle.rs`, `tests/it/canary.rs`.

use serde::Serialize;

mod decide;
mod stops;

pub use decide::{Effect, Erased, Outcome};
pub use stops::Stop;

use stops::Stops;

use super::Terms;
use super::dropped::Dropped;
use super::roster::{PartyId, Remote, Roster, Standing};
use crate::audio::{Agent, Customer, Frame, MediaTime, Span};
use crate::bleed::Heard;

/// Sound that may be stored. There is no other way to make one than [`Gate::agent`] and [`Gate::customer`].
#[derive(Debug)]
pub struct Cleared<'g> {
    track: Track,
    at: MediaTime,
    samples: Samples<'g>,
    authority: Authority,
}

/// Samples that print their number, not themselves.
struct Samples<'g>(&'g [i16]);

impl std::fmt::Debug for Samples<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} samples", self.0.len())
    }
}

impl<'g> Cleared<'g> {
    /// Whose track it belongs to.
    pub fn track(&self) -> Track {
        self.track
    }

    /// Place of its first sample.
    pub fn at(&self) -> MediaTime {
        self.at
    }

    /// The samples.
    pub fn samples(&self) -> &[i16] {
        self.samples.0
    }

    /// By what right it may be stored.
    pub fn authority(&self) -> Authority {
        self.authority
    }
}

/// A track of a recording: one party, one file (ONE-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// The agent's.
    Agent,
    /// The customer's.
    Customer,
}

/// By what right a frame may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The agent's own voice, as the bleed guard heard it.
    AgentsOwn,
    /// The grant of everyone on the line; the number of the kept stretch it belongs to (see [`Kept`]).
    Grants(u32),
}

/// A yes that counts. Made only here, only of a [`Decision`].
#[derive(Clone, Debug)]
struct Grant {
    party: PartyId,
    purposes: Vec<String>,
    /// Purposes of it that were withdrawn since.
    withdrawn: Vec<String>,
    /// The standing token it rests on, if it does.
    token: Option<String>,
}

/// A stretch of the customer's track that may be kept, and by which grants (CON-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number within the call, as [`Authority::Grants`] names it.
    pub number: u32,
    /// Where it begins.
    pub from: MediaTime,
    /// Where it ends; `None` while it is still open.
    pub until: Option<MediaTime>,
    /// The grants in force, one for each party on the line.
    pub grants: Vec<u32>,
    /// The purposes that all of them cover.
    pub purposes: Vec<String>,
}

/// The door of one call.
#[derive(Debug, Default)]
pub struct Gate {
    terms: Terms,
    roster: Roster,
    grants: Vec<Grant>,
    kept: Vec<Kept>,
    kept_count: u32,
    /// Stretches that a later withdrawal would erase; known beforehand for recordings (see `rehearsal`).
    foreclosed: Vec<Span>,
    masks: Vec<Mask>,
    /// Samples per second, to place masks by.
    rate_hz: Option<u32>,
    stops: Stops,
    held: bool,
    over: bool,
    quarantined: bool,
    /// The latest place that anything was stamped with: nothing opens before it.
    now: MediaTime,
    /// Why the customer's side was shut before the stretch that is open: the reason up to its first sample.
    shut_before: Option<Dropped>,
    /// Why it is shut where nothing is open, as the last event left it.
    shut: Dropped,
}

/// What a mask leaves out.
#[derive(Clone, Copy, Debug)]
struct Mask {
    agent: Span,
    customer: Span,
}

impl Gate {
    /// A shut door. `foreclosed`: stretches of the customer's side that must not be kept whatever is granted.
    pub fn new(terms: Terms, foreclosed: Vec<Span>) -> Gate {
        Gate { terms, foreclosed, ..Gate::default() }
    }

    /// The same door of a call at this rate. Without it a mask cannot be placed, and leaves out all that lies before it.
    pub fn at_rate(self, rate_hz: u32) -> Gate {
        Gate { rate_hz: Some(rate_hz), ..self }
    }

    /// May this frame of the agent's be stored? Asked after the holdback, so pauses, private stretches, recording
    /// windows and masks are looked up at the time the frame was spoken. A frame that touches one of them is dropped
    /// whole (PAY-01, SEL-06, SEL-01, ONE-09).
    pub fn agent<'g>(&'g self, frame: Frame<'g, Agent>, heard: Heard) -> Result<Cleared<'g>, Dropped> {
        if self.quarantined {
            return Err(Dropped::Quarantined);
        }
        let span = frame.span();
        if !heard.covers(span) {
            return Err(Dropped::Doubt);
        }
        if let Some(stop) = self.stops.touching(span) {
            return Err(stop.reason());
        }
        if self.masks.iter().any(|mask| mask.agent.overlaps(span)) {
            return Err(Dropped::Masked);
        }
        Ok(Cleared {
            track: Track::Agent,
            at: frame.at(),
            samples: Samples(frame.samples()),
            authority: Authority::AgentsOwn,
        })
    }

    /// Whether nothing of the door's stands against the agent's side anywhere in `span`.
    pub fn lets_pass(&self, span: Span) -> bool {
        !self.quarantined
            && self.stops.touching(span).is_none()
            && !self.masks.iter().any(|mask| mask.agent.overlaps(span))
    }

    /// Why nothing of the customer's may be stored until an event comes; `None` where something may.
    pub fn shut(&self) -> Option<Dropped> {
        self.open().is_none().then(|| self.reason())
    }

    /// May this frame of the customer's be stored? The frame must not straddle an event, nor an [edge](Gate::edge): the
    /// call cuts it there.
    pub fn customer<'g>(&'g self, frame: Frame<'g, Customer>) -> Result<Cleared<'g>, Dropped> {
        let span = frame.span();
        let kept = self.kept_at(span)?;
        if self.foreclosed.iter().any(|foreclosed| foreclosed.overlaps(span)) {
            return Err(Dropped::WithdrawnLater);
        }
        if self.masks.iter().any(|mask| mask.customer.overlaps(span)) {
            return Err(Dropped::Masked);
        }
        Ok(Cleared {
            track: Track::Customer,
            at: frame.at(),
            samples: Samples(frame.samples()),
            authority: Authority::Grants(kept.number),
        })
    }

    /// The first place inside of `span` where the answer for the customer may change without an event: where a stretch
    /// that was opened ahead begins, or a mask that is known beforehand begins or ends.
    pub fn edge(&self, span: Span) -> Option<MediaTime> {
        let inside = |place: &MediaTime| span.from < *place && *place < span.until;
        let ahead = self.kept.iter().rev().take_while(|kept| kept.from > span.from).map(|kept| kept.from);
        let masks = self.masks.iter().flat_map(|mask| [mask.customer.from, mask.customer.until]);
        ahead.chain(masks).filter(inside).min()
    }

    /// Shuts both sides for good (ONE-06): which channel is whose is in doubt.
    pub fn quarantine(&mut self) {
        self.quarantined = true;
        self.refresh(self.now);
    }

    /// Whether both sides are shut for good.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined
    }

    /// Stretches of the customer's side that may be kept, in the order in which they began.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// How many kept stretches there have been, those erased since among them.
    pub fn kept_numbers(&self) -> u32 {
        self.kept_count
    }

    /// Whether recording is paused now.
    pub fn is_paused(&self) -> bool {
        self.stands(Stop::Paused)
    }

    /// Whether this stop of both sides stands now.
    pub fn stands(&self, stop: Stop) -> bool {
        self.stops.stands(stop)
    }

    /// The remote parties on the line.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The parties whose consent rests on a standing token that is `revoked`.
    pub fn resting_on(&self, revoked: impl Fn(&str) -> bool) -> Vec<PartyId> {
        let rests = |remote: &&Remote| match remote.standing {
            Standing::Granted(number) => self.grants[number as usize].token.as_deref().is_some_and(&revoked),
            _ => false,
        };
        self.roster.iter().filter(rests).map(|remote| remote.id.clone()).collect()
    }

    /// The kept stretch that is open now. It may begin ahead.
    pub fn open(&self) -> Option<&Kept> {
        self.kept.last().filter(|kept| kept.until.is_none())
    }

    /// The latest place that anything was stamped with: nothing opens before it.
    pub fn latest(&self) -> MediaTime {
        self.now
    }

    /// Why the sample of the customer's at `place` would not be stored; `None` if it would. For sound still to come.
    pub fn why_not(&self, place: MediaTime) -> Option<Dropped> {
        let frame: Frame<'_, Customer> = Frame::new(place, &[0]);
        self.customer(frame).err()
    }

    /// The kept stretch that holds `span`. One that was opened ahead may follow on another without a gap (a second
    /// grant in place of the first): until it begins, the one before it counts.
    fn kept_at(&self, span: Span) -> Result<&Kept, Dropped> {
        let mut kept = self.open().ok_or_else(|| self.reason())?;
        let mut earlier = self.kept.iter().rev().skip(1);
        while span.from < kept.from {
            kept = earlier
                .next()
                .filter(|before| before.until == Some(kept.from))
                .ok_or(self.shut_before.unwrap_or(Dropped::NoDecision))?;
        }
        match kept.until.is_none_or(|until| span.until <= until) {
            true => Ok(kept),
            false => Err(Dropped::NoDecision),
        }
    }

    fn reason(&self) -> Dropped {
        debug_assert_eq!(self.shut, self.why_shut(), "what changes the reason refreshes it");
        self.shut
    }

    fn why_shut(&self) -> Dropped {
        if self.quarantined {
            return Dropped::Quarantined;
        }
        if self.over {
            return Dropped::CallOver;
        }
        if let Some(stop) = self.stops.standing() {
            return stop.reason();
        }
        let has = |standing| self.roster.iter().any(|remote| remote.standing == standing);
        if has(Standing::Refused) {
            Dropped::Refused
        } else if has(Standing::Withdrawn) {
            Dropped::Withdrawn
        } else if has(Standing::Expired) {
            Dropped::Expired
        } else if self.held && self.roster.unanimous().is_some() {
            Dropped::Held
        } else {
            Dropped::NoDecision
        }
    }
}

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

pub use decide::{Effect, Erased, Outcome};

use super::Terms;
use super::dropped::Dropped;
use super::roster::{PartyId, Roster, Standing};
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
    pauses: Vec<Span>,
    paused_since: Option<MediaTime>,
    held: bool,
    over: bool,
    quarantined: bool,
    now: MediaTime,
}

impl Gate {
    /// A shut door. `foreclosed`: stretches of the customer's side that must not be kept whatever is granted.
    pub fn new(terms: Terms, foreclosed: Vec<Span>) -> Gate {
        Gate { terms, foreclosed, ..Gate::default() }
    }

    /// May this frame of the agent's be stored? Asked after the holdback, so pauses are looked up at the time the
    /// frame was spoken. A frame that touches a pause is dropped whole (PAY-01).
    pub fn agent<'g>(&'g self, frame: Frame<'g, Agent>, heard: Heard) -> Result<Cleared<'g>, Dropped> {
        if self.quarantined {
            return Err(Dropped::Quarantined);
        }
        let span = frame.span();
        if !heard.covers(span) {
            return Err(Dropped::Doubt);
        }
        let paused_now = self.paused_since.is_some_and(|since| since < span.until);
        let paused_then = || self.pauses.iter().rev().take_while(|p| p.until > span.from).any(|p| p.overlaps(span));
        if paused_now || paused_then() {
            return Err(Dropped::Paused);
        }
        Ok(Cleared {
            track: Track::Agent,
            at: frame.at(),
            samples: Samples(frame.samples()),
            authority: Authority::AgentsOwn,
        })
    }

    /// May this frame of the customer's be stored? The frame must not straddle an event: the call cuts it there.
    pub fn customer<'g>(&'g self, frame: Frame<'g, Customer>) -> Result<Cleared<'g>, Dropped> {
        let kept = self.open().ok_or_else(|| self.why_shut())?;
        let span = frame.span();
        if span.from < kept.from {
            return Err(Dropped::NoDecision);
        }
        if self.foreclosed.iter().any(|foreclosed| foreclosed.overlaps(span)) {
            return Err(Dropped::WithdrawnLater);
        }
        Ok(Cleared {
            track: Track::Customer,
            at: frame.at(),
            samples: Samples(frame.samples()),
            authority: Authority::Grants(kept.number),
        })
    }

    /// Shuts both sides for good (ONE-06): which channel is whose is in doubt.
    pub fn quarantine(&mut self) {
        self.quarantined = true;
        self.refresh();
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

    /// Whether the agent's side is paused now.
    pub fn is_paused(&self) -> bool {
        self.paused_since.is_some()
    }

    /// The kept stretch that is open now.
    fn open(&self) -> Option<&Kept> {
        self.kept.last().filter(|kept| kept.until.is_none())
    }

    fn why_shut(&self) -> Dropped {
        if self.quarantined {
            return Dropped::Quarantined;
        }
        if self.over {
            return Dropped::CallOver;
        }
        if self.is_paused() {
            return Dropped::Paused;
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

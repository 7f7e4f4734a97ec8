//! Whose voice is in the agent's microphone (ONE-04, ONE-05).
//!
//! The customer's voice leaks from the agent's headset or loudspeaker into the microphone, delayed by up to 300 ms and
//! 3 to 40 dB down. The guard hears the levels of both sides and says for each 10 ms unit of the microphone whether it
//! may be the agent's. Nothing is subtracted: a unit is kept as it was or withheld (MIN-01).
//!
//! ```text
//! levels ─▶ echo path: is the customer's line only the agent's own echo? then it is not the customer
//!        ─▶ bleed path: what can the customer have caused here, at most?   (learnt per call, bounded before)
//!        ─▶ likeness: does the microphone follow the customer?             (a coupling that jumped)
//!        ─▶ evidence: 30 ms at a stretch above that, gaps of a word bridged ─▶ Own | Bleed | Quiet
//! ```
//!
//! What it does not do: with both talking at once the agent's units are kept *with* the bleed under them; for that a
//! canceller is needed, whose place is before the levels are measured. A detector has an error rate; [`Ear::leak`]
//! says how much there may be.
//!
//! Every unit that is found to be the agent's own comes with a [`Heard`], and the gate asks for it.

mod ear;
mod evidence;
mod guard;
mod leak;
mod likeness;
mod path;

pub use ear::{Ear, Verdict};

use serde::Serialize;

use crate::audio::{MediaTime, Span};

/// The proof that the guard heard a stretch of the agent's side and found the agent's own voice in it. Only this room
/// makes one; it holds for its stretch and no other.
#[derive(Debug)]
pub struct Heard {
    span: Span,
}

impl Heard {
    /// Whether the proof covers `span`.
    pub fn covers(&self, span: Span) -> bool {
        self.span.contains(span)
    }

    /// One proof in place of two that follow each other.
    ///
    /// # Errors
    ///
    /// Both as they were, if they do not.
    pub fn join(self, next: Heard) -> Result<Heard, (Heard, Heard)> {
        match self.span.until == next.span.from {
            true => Ok(Heard { span: Span::new(self.span.from, next.span.until) }),
            false => Err((self, next)),
        }
    }

    /// Two proofs, one for what lies before `place` and one for the rest: no sample is in both.
    pub fn split_at(self, place: MediaTime) -> (Heard, Heard) {
        let place = place.clamp(self.span.from, self.span.until);
        let (from, until) = (self.span.from, self.span.until);
        (Heard { span: Span::new(from, place) }, Heard { span: Span::new(place, until) })
    }
}

/// Which units of a frame did not come, or not whole: silence stands in their place, and nobody heard it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unheard {
    /// The agent's.
    pub agent: [bool; 2],
    /// The customer's.
    pub customer: [bool; 2],
}

/// What the guard has to compare the microphone with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// Microphone and customer's line.
    Both,
    /// The agent alone (a mono pipe, a dropped stream): every unit passes, the leak is not measurable.
    OneParty,
}

/// Leak figures for the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Leak {
    /// False where there was no customer's side to compare with, where it did not come in more than a tenth of what the
    /// guard called the agent's, or where nothing of the agent's was kept.
    pub measurable: bool,
    /// The learnt coupling from the customer's line to the agent's microphone, dB (lower edge; −45 is none heard);
    /// absent before 1 s of customer.
    pub coupling_db: Option<f64>,
    /// Time in which the customer's side was active, seconds.
    pub customer_active_s: f64,
    /// Time of the agent's microphone withheld as bleed, seconds.
    pub withheld_s: f64,
    /// Upper estimate of the customer's sound in what the guard called the agent's, dB relative to the customer's own.
    pub residual_db: Option<f64>,
}

impl Leak {
    /// What can be said where nothing of the agent's was kept: how much of the customer is in it has no answer.
    pub fn of_nothing(self) -> Leak {
        Leak { measurable: false, residual_db: None, ..self }
    }
}

impl From<leak::Leak> for Leak {
    fn from(leak: leak::Leak) -> Leak {
        match leak {
            leak::Leak::NotMeasurable => Leak {
                measurable: false,
                coupling_db: None,
                customer_active_s: 0.0,
                withheld_s: 0.0,
                residual_db: None,
            },
            leak::Leak::Measured(figures) => Leak {
                measurable: figures.is_compared(),
                coupling_db: figures.coupling_db.map(tenths),
                customer_active_s: figures.customer_s,
                withheld_s: figures.withheld_s,
                residual_db: figures.residual_db.filter(|_| figures.is_compared()).map(tenths),
            },
        }
    }
}

/// Tenths of a decibel are all that the figures are worth.
fn tenths(db: f64) -> f64 {
    (db * 10.0).round() / 10.0
}

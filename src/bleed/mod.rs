//! Whose voice is in the agent's microphone.

mod ear;
mod guard;

pub use ear::{Ear, Verdict};

use serde::Serialize;

use crate::audio::Span;

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
}

/// What the guard has to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// Both sides.
    Both,
    /// The transport delivers the agent alone: leak is not measurable.
    OneParty,
}

/// Leak figures for the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Leak {
    /// False where there was no customer's side to compare with.
    pub measurable: bool,
    /// The learnt coupling from the customer's line to the agent's microphone, dB; absent while nothing is known.
    pub coupling_db: Option<f64>,
    /// Time in which the customer's side was active, seconds.
    pub customer_active_s: f64,
    /// Time of the agent's microphone withheld as bleed, seconds.
    pub withheld_s: f64,
    /// Upper estimate of the customer's sound in what was kept, dB relative to the customer's own.
    pub residual_db: Option<f64>,
}

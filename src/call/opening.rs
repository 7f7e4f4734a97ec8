//! What is known about a call when it opens.

use crate::audio::Span;
use crate::bleed::Reference;
use crate::consent::Terms;
use crate::split::Finding;
use crate::voice::hangover::{LEAD_IN_MS, TAIL_MS};

/// Everything a call is opened with.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The call's name: the first link of its ledger is made of it.
    pub name: String,
    /// Samples per second of both sides.
    pub rate_hz: u32,
    /// Whether the bleed guard has both sides to compare.
    pub reference: Reference,
    /// The terms of the door.
    pub terms: Terms,
    /// Stretches of the customer's side that a known later withdrawal would erase (`consent::rehearse`).
    pub foreclosed: Vec<Span>,
    /// What was found out before the call opened: a contradicted channel map shuts both sides from the first sample.
    pub findings: Vec<Finding>,
    /// Lead-in kept before speech, ms.
    pub lead_in_ms: u32,
    /// Tail kept after speech, ms.
    pub tail_ms: u32,
    /// How far a mask shall reach back beyond what the agent's side waits anyway, ms (ONE-09): the agent's sound waits
    /// that much longer in memory before it is written. At most [`REACH_MS_MAX`](super::REACH_MS_MAX).
    pub reach_ms: u32,
}

impl Opening {
    /// A call of both parties of which nothing is known yet, on the default terms, with the default lead-in and tail. Who
    /// opens real calls says each of these himself.
    pub fn new(name: impl Into<String>, rate_hz: u32) -> Opening {
        Opening {
            name: name.into(),
            rate_hz,
            reference: Reference::Both,
            terms: Terms::default(),
            foreclosed: Vec::new(),
            findings: Vec::new(),
            lead_in_ms: LEAD_IN_MS,
            tail_ms: TAIL_MS,
            reach_ms: 0,
        }
    }
}

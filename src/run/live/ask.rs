//! What is asked of a live call, and what its writer answers: never what was asked, always what was done (INF-03,
//! CON-10).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::Sender;
use jiff::Timestamp;
use serde::Serialize;

use crate::call::Finding;
use crate::consent::Event;
use crate::source::exchange::Party;

/// Something asked of a live call.
#[derive(Debug)]
pub struct Asked {
    /// What.
    pub matter: Matter,
    /// When its token expires, if it says so.
    pub expires: Option<Timestamp>,
    /// Wall-clock time at which it was asked (RFC 3339).
    pub wall: Option<String>,
    /// When it arrived: what opens counts from then, never earlier.
    pub arrived: Arrived,
    /// Where the answer goes, if anybody waits for it.
    pub reply: Option<Sender<Answer>>,
    /// Its place among what its call's source said and is not answered yet.
    pub waiting: Option<Waiting>,
}

/// A place among what waits of one call; dropped, it is free again.
#[derive(Debug)]
pub struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// A place, if fewer than `most` are taken: a source that floods must not crowd out what is said of other calls.
    pub fn among(taken: &Arc<AtomicUsize>, most: usize) -> Option<Waiting> {
        let next = |taken: usize| (taken < most).then_some(taken + 1);
        taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()?;
        Some(Waiting(Arc::clone(taken)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// When something arrived at the call.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// The ring's end: sample frames at the source's rate that the source had delivered by then.
    pub ring_end: u64,
    /// The moment.
    pub at: Instant,
    /// Its exact place on the line, frames at the source's rate, where the wire told it.
    pub place: Option<u64>,
}

/// What is asked or told.
#[derive(Debug)]
pub enum Matter {
    /// Something happened.
    Event(Event),
    /// A key was pressed.
    Digit {
        /// By whom.
        party: Party,
        /// Which.
        digit: char,
    },
    /// A key that was told of is not released yet.
    StillDown {
        /// By whom.
        party: Party,
        /// Which.
        digit: char,
    },
    /// What arrives is not what was said of it.
    Contradicted(Finding),
}

/// Where what is asked of a call goes: to the thread that has it, with the number by which that knows it.
#[derive(Clone)]
pub struct Asks {
    /// To the thread.
    pub to: Sender<(u64, Asked)>,
    /// The call's number there.
    pub key: u64,
}

/// What the writer did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The call.
    pub call: String,
    /// `accepted`, `unchanged` or `rejected`.
    pub outcome: &'static str,
    /// Why it was rejected: the stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The sample from which it counts, at `rate_hz`.
    pub sample: u64,
    /// The same in seconds of the call.
    pub seconds: f64,
    /// Where the writer was: samples of the call settled when it took effect.
    pub writer_sample: u64,
    /// Of a mask: the sample from which both sides are masked; later than asked for where the agent's sound had been
    /// stored before it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked_from: Option<u64>,
    /// The entry of the ledger that records it.
    pub ledger: u64,
    /// That entry's hash.
    pub ledger_hash: String,
    /// The customer's door after it: `open` or `shut`. Open may lie ahead: from `sample` on.
    pub customer: &'static str,
    /// The call as a whole after it.
    pub recording: Recording,
    /// From its arrival to its effect, milliseconds.
    pub lag_ms: f64,
}

/// Whether the agent is being recorded, as the writer knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recording {
    /// What the agent says is stored.
    Recording,
    /// Paused: neither side is stored.
    Paused,
    /// A private stretch: neither side is stored (SEL-06).
    Private,
    /// Outside the agent's recording windows: neither side is stored (SEL-01).
    OutsideWindow,
    /// The channels cannot be told apart: nothing of the call is kept.
    Quarantined,
    /// The store failed: nothing is stored from there on, and the call goes on.
    NotRecording,
    /// There is no call.
    #[default]
    Idle,
}

/// The state of a call, as its writer last knew it. No sound, no name of a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct State {
    /// The call.
    pub call: String,
    /// The name under which its files stand, or will.
    pub stored_as: String,
    /// When it was opened (RFC 3339).
    pub opened: String,
    /// Samples per second of the call.
    pub rate_hz: u32,
    /// Samples settled so far.
    pub sample: u64,
    /// The same in seconds.
    pub seconds: f64,
    /// Whether the agent is recorded.
    pub recording: Recording,
    /// Why it is not, if it is not: a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether the customer's side is being stored at this sample.
    pub customer_stored: bool,
    /// Why not: the reason's stable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_why: Option<&'static str>,
    /// A grant that counts from a sample ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_from: Option<u64>,
    /// The customer was told.
    pub told: bool,
    /// Level of the agent's side, dBFS over the last 100 ms, at least -96.
    pub agent_dbfs: f32,
    /// Level of the customer's side, the same.
    pub customer_dbfs: f32,
    /// The agent speaks, says the detector.
    pub agent_speaks: bool,
    /// The last units of 100 ms, oldest first: `s` stored speech, `b` withheld as bleed, `p` paused, `.` nothing stored.
    pub talk: String,
    /// From the capture of a sample to its decision, ms, of 99 in 100; where the source knows when it was captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_within_ms: Option<u32>,
    /// Samples of the agent's stored so far.
    pub agent_written: u64,
    /// Samples of the customer's stored so far and not erased.
    pub customer_written: u64,
    /// Entries of the ledger.
    pub ledger: u64,
    /// What was lost or left out because of the way it came, by reason.
    pub lost: Vec<Lost>,
    /// When its worker last told of it.
    #[serde(skip)]
    pub turned: Option<Instant>,
    /// Seconds that can still be masked (ONE-09).
    pub mask_reach_s: u32,
    /// Bytes that were free where the recording goes when it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}

/// Time that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Why: a stable name.
    pub reason: &'static str,
    /// Whether it was meant to be.
    pub intended: bool,
    /// How much, in sample frames at the source's rate.
    pub frames: u64,
}

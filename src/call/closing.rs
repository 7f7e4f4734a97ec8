//! What a call leaves behind when it is closed: facts, no sound.

use serde::Serialize;

use super::tally::Tally;
use crate::audio::MediaTime;
use crate::bleed::Leak;
use crate::consent::{Entry, Kept};
use crate::split::{Finding, Remedy};

/// Every call ends in one of these (ROB-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// What could be kept was kept.
    Recorded,
    /// A doubt withheld both sides.
    Quarantined,
    /// The process died or the store failed in mid-call; what stood by then was sealed.
    Interrupted,
}

/// The facts of a closed call.
#[derive(Clone, Debug)]
pub struct Closing {
    /// How it ended.
    pub result: CallResult,
    /// Its length.
    pub length: MediaTime,
    /// Its rate, samples per second.
    pub rate_hz: u32,
    /// What went in and what became of it.
    pub tally: Tally,
    /// How much of the customer may have leaked into the agent's track.
    pub leak: Leak,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Every event and its effect.
    pub ledger: Vec<Entry>,
    /// The stretches of the customer's track that may be kept, each closed.
    pub kept: Vec<Kept>,
}

impl Closing {
    /// The result that the findings call for.
    pub(super) fn result_of(findings: &[Finding]) -> CallResult {
        match findings.iter().any(|finding| finding.remedy() == Remedy::BothWithheld) {
            true => CallResult::Quarantined,
            false => CallResult::Recorded,
        }
    }
}

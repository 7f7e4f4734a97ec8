//! What a call leaves behind when it is closed: facts, no sound.

use serde::Serialize;

use super::tally::Tally;
use crate::audio::MediaTime;
use crate::bleed::Leak;
use crate::consent::{Dropped, Entry, Kept};
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
    /// What the figures of a call call for: events that did not count, sound that did not come.
    pub(crate) fn notes(tally: &Tally, rate_hz: u32, rejected: u64, beyond_end: u64) -> Vec<Finding> {
        let mut findings = Vec::new();
        if rejected > 0 {
            findings.push(Finding::EventsRejected { count: rejected });
        }
        if beyond_end > 0 {
            findings.push(Finding::EventsBeyondEnd { count: beyond_end });
        }
        let seconds = |frames: u64| MediaTime(frames).seconds(rate_hz);
        let (lost, absent) = (tally.agent.left_out(Dropped::Lost), tally.agent.left_out(Dropped::Absent));
        if lost > 0 {
            findings.push(Finding::FramesLost { frames: lost, seconds: seconds(lost) });
        }
        if absent > 0 {
            findings.push(Finding::SenderSilent { frames: absent, seconds: seconds(absent) });
        }
        findings
    }
}

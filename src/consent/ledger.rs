//! The record of every event and its effect, each entry chained to the one before it by BLAKE3 (AUD-01, SEC-08).
//!
//! The first link is made of the call's name, so that entries of another call do not fit.

use serde::{Deserialize, Serialize};

use super::OnWithdrawal;
use super::event::{Event, Refusal, Stamped};
use super::gate::{Effect, Gate, Outcome};
use crate::audio::{MediaTime, Span};

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0.
    pub seq: u64,
    /// The sample from which the event counts.
    pub sample: u64,
    /// Seconds since the call's first sample, as reported.
    pub at: f64,
    /// Wall-clock time, where the call's start is known (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// What came of it.
    pub effect: Recorded,
    /// The hash of the entry before it.
    pub prev: String,
    /// The hash of this entry without this field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

/// An effect as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// `accepted`, `unchanged` or `rejected`.
    pub outcome: String,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The customer's door after it: `open` or `shut`.
    pub customer: String,
    /// Both sides after it: `recording` or `stopped`.
    pub recording: String,
    /// The number of the grant it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<u32>,
    /// It overrode a refusal with a documented basis (CON-09).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overrode: bool,
    /// What it does with what was kept under the grants that it ends: `erase` or `keep` (WDR-02).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_withdrawal: Option<OnWithdrawal>,
    /// Stretches of the customer's side it erased, `[from, until)` in samples; in a recording whose events were all
    /// known beforehand these were never written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<[u64; 2]>,
    /// The stretch that it masked, `[from, until)` in samples (ONE-09).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<[u64; 2]>,
    /// The stretch that it masked of the customer's side, where that is more: the agent's side reached back less far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_customer: Option<[u64; 2]>,
}

impl Recorded {
    /// An effect in the ledger's words.
    pub fn new(effect: &Effect) -> Recorded {
        let (outcome, refusal) = match effect.outcome {
            Outcome::Accepted => ("accepted", None),
            Outcome::Unchanged => ("unchanged", None),
            Outcome::Rejected(refusal) => ("rejected", Some(refusal)),
        };
        Recorded {
            outcome: outcome.into(),
            refusal,
            customer: if effect.customer_open { "open" } else { "shut" }.into(),
            recording: if effect.recording { "recording" } else { "stopped" }.into(),
            grant: effect.grant,
            overrode: effect.overrode,
            on_withdrawal: effect.on_withdrawal,
            erased: effect.erased.iter().map(|erased| edges(erased.span)).collect(),
            masked: effect.masked.map(edges),
            masked_customer: effect.masked_customer.filter(|span| effect.masked != Some(*span)).map(edges),
        }
    }
}

fn edges(span: Span) -> [u64; 2] {
    [span.from.0, span.until.0]
}

impl Entry {
    /// The event as it was taken.
    pub fn stamped(&self) -> Stamped {
        let nanos = (self.at * 1e9).round() as u64; // saturates; what is no number becomes 0
        Stamped { at: MediaTime(self.sample), nanos, wall: self.wall.clone(), event: self.event.clone() }
    }

    /// Takes the event once more, at another door: what it does there is what is written down, or the entry is not
    /// true. How far back a mask reached is believed; that lay in the writer's hands, not in the events.
    pub fn replay(&self, gate: &mut Gate) -> Effect {
        let reach = self.effect.masked.map_or(0, |[from, _]| from);
        gate.apply_reaching(&self.stamped(), MediaTime(reach))
    }
}

/// The chain so far.
#[derive(Clone, Debug)]
pub struct Ledger {
    entries: Vec<Entry>,
    head: String,
}

impl Ledger {
    /// An empty ledger of the call with this name.
    pub fn new(call: &str) -> Ledger {
        Ledger { entries: Vec::new(), head: first_link(call) }
    }

    /// Writes down an event and its effect.
    pub fn record(&mut self, stamped: &Stamped, effect: &Effect) {
        let mut entry = Entry {
            seq: self.entries.len() as u64,
            sample: stamped.at.0,
            at: stamped.nanos as f64 / 1e9,
            wall: stamped.wall.clone(),
            event: stamped.event.clone(),
            effect: Recorded::new(effect),
            prev: std::mem::take(&mut self.head),
            hash: String::new(),
        };
        entry.hash = link(&entry);
        self.head = entry.hash.clone();
        self.entries.push(entry);
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// The first link of a call's chain.
fn first_link(call: &str) -> String {
    blake3::derive_key("oneside 2026 ledger first link", call.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// The hash of an entry without its own hash.
fn link(entry: &Entry) -> String {
    let bare = Entry { hash: String::new(), ..entry.clone() };
    let text = serde_json::to_string(&bare).expect("an entry has no map with keys that are not text");
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Checks a chain that was read back. The error names the first entry that does not fit, and why.
pub fn check_chain(call: &str, entries: &[Entry]) -> Result<(), String> {
    let mut head = first_link(call);
    for (index, entry) in entries.iter().enumerate() {
        if entry.seq != index as u64 {
            return Err(format!("ledger entry {index} is numbered {}: lines were removed or reordered", entry.seq));
        }
        if entry.prev != head {
            return Err(format!("ledger entry {index} does not follow the one before it"));
        }
        if entry.hash != link(entry) {
            return Err(format!("ledger entry {index} was changed"));
        }
        head = entry.hash.clone();
    }
    Ok(())
}

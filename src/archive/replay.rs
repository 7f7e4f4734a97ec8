//! Plays a manifest's ledger through a fresh door: what the events did, and what may be kept, must come out again.
//!
//! This is what maps every kept stretch to the grants that stood (CON-05): they are not believed, they are made again.

use super::report::Notes;
use crate::call::{CallResult, MediaTime};
use crate::consent::event::EVENTS_PER_CALL_MAX;
use crate::consent::ledger::{Recorded, check_chain};
use crate::consent::{Entry, Gate, Stamped};
use crate::store::manifest::{Kept, Manifest, Scope};

/// Checks chain, effects, and the kept stretches of a manifest.
pub(super) fn check(manifest: &Manifest, notes: &mut Notes<'_>) {
    if let Err(what) = check_chain(&manifest.call, &manifest.ledger) {
        notes.error_at("ledger_chain", "ledger", what);
    }
    // The clock may add an expiry to each grant.
    if manifest.ledger.len() > 2 * EVENTS_PER_CALL_MAX {
        return notes.error_at("ledger_length", "ledger", format!("it has {} entries", manifest.ledger.len()));
    }
    let events: Vec<Stamped> = manifest.ledger.iter().map(Entry::stamped).collect();
    check_times(manifest, &events, notes);
    let quarantined = manifest.result == CallResult::Quarantined;
    let (mut gate, mut wrong) = replay(manifest, None);
    if let Some(first) = wrong.first().copied().filter(|_| quarantined) {
        // The doubt came up between two events: from then on the door was shut for good.
        (gate, wrong) = replay(manifest, Some(first));
    }
    for entry in wrong {
        let what = "the event did not have the effect that is written down: the entry, or one before it, was changed";
        notes.error_at("ledger_effect", format!("ledger entry {entry}"), what);
    }
    let kept = if quarantined { Vec::new() } else { kept_of(&gate, manifest.length_samples) };
    check_kept(manifest, &kept, notes);
}

/// Whether the times that are written down can be: what opens counts not before it was reported (CON-06), what shuts
/// not after it, unless an event before it counted later still (both within one sample).
fn check_times(manifest: &Manifest, events: &[Stamped], notes: &mut Notes<'_>) {
    let mut before = MediaTime::ZERO;
    for (index, event) in events.iter().enumerate() {
        let exact = Stamped::new(event.nanos, None, event.event.clone(), manifest.rate_hz).at;
        let backdated = match event.event.rank() {
            crate::consent::event::Rank::Opens => event.at < exact,
            crate::consent::event::Rank::Shuts => event.at > exact.max(before),
            crate::consent::event::Rank::Informs => false,
        };
        if backdated {
            let what = format!("it counts from sample {}, but was reported for sample {}", event.at.0, exact.0);
            notes.error_at("ledger_time", format!("ledger entry {index}"), what);
        }
        before = before.max(event.at);
    }
}

/// The door after all events, and the entries whose effect is another than written down.
fn replay(manifest: &Manifest, quarantine_before: Option<usize>) -> (Gate, Vec<usize>) {
    let mut gate = Gate::new(manifest.policy.terms(), Vec::new()).at_rate(manifest.rate_hz);
    let mut wrong = Vec::new();
    for (index, entry) in manifest.ledger.iter().enumerate() {
        if quarantine_before == Some(index) {
            gate.quarantine();
        }
        if Recorded::new(&entry.replay(&mut gate)) != entry.effect {
            wrong.push(index);
        }
    }
    (gate, wrong)
}

fn check_kept(manifest: &Manifest, expected: &[Kept], notes: &mut Notes<'_>) {
    let kept = &manifest.customer.kept;
    for (index, stretch) in kept.iter().enumerate().filter(|(_, stretch)| !expected.contains(stretch)) {
        let Kept { from, until, .. } = stretch;
        let what = format!("samples {from} to {until} of the customer are said to be kept, but no such grant stood");
        notes.error_at("kept_without_grant", format!("customer.kept[{index}]"), what);
    }
    for Kept { from, until, .. } in expected.iter().filter(|stretch| !kept.contains(stretch)) {
        let what = format!("by the ledger samples {from} to {until} of the customer may be kept; they are not listed");
        notes.error_at("kept_missing", "customer.kept", what);
    }
    if kept.windows(2).any(|pair| pair[1].from < pair[0].until) {
        notes.error_at("kept_order", "customer.kept", "stretches overlap or are out of order");
    }
    if manifest.policy.scope == Scope::AgentOnly && (manifest.customer.stored || !kept.is_empty()) {
        let what = "the scope is agent-only, yet something of the customer is said to be kept";
        notes.error_at("scope", "customer", what);
    }
}

fn kept_of(gate: &Gate, length: u64) -> Vec<Kept> {
    let kept = gate.kept().iter();
    kept.filter_map(|kept| {
        let until = kept.until.map_or(length, |until| until.0);
        Kept::within(length, kept.from.0, until, &kept.grants, &kept.purposes)
    })
    .collect()
}

//! What became of the customer's side over time, and why: told from the kept stretches and the ledger.
//!
//! *That* a stretch was kept comes from the call's account of it; only the *reason* for the rest is worked out here, from
//! the events, in the order of precedence that the gate uses.

use crate::call::{CallResult, Closing};
use crate::consent::event::Rank;
use crate::consent::{Dropped, Entry, Event, PartyId, Roster, Standing};

/// A stretch of the customer's side, in samples, and its fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) fate: Result<(), Dropped>,
}

/// The customer's side from the first sample to the last, in stretches without gap or overlap.
pub(super) fn stretches(closing: &Closing) -> Vec<Stretch> {
    let mut told = Vec::new();
    let mut at = 0;
    for kept in &closing.kept {
        let from = kept.from.0.clamp(at, closing.length.0);
        let until = kept.until.unwrap_or(closing.length).0.clamp(from, closing.length.0);
        told.push(Stretch { from: at, until: from, fate: Err(Dropped::NoDecision) });
        told.extend(masked(Stretch { from, until, fate: Ok(()) }, &closing.ledger));
        at = until;
    }
    told.push(Stretch { from: at, until: closing.length.0, fate: Err(Dropped::NoDecision) });

    let reasons = reasons(closing);
    let mut out: Vec<Stretch> = Vec::new();
    for stretch in told {
        let explain = stretch.fate == Err(Dropped::NoDecision);
        let parts = if explain { explained(stretch, &reasons) } else { vec![stretch] };
        for part in parts.into_iter().filter(|part| part.from < part.until) {
            match out.last_mut() {
                Some(last) if last.fate == part.fate => last.until = part.until,
                _ => out.push(part),
            }
        }
    }
    out
}

/// A stretch that was kept, without what was masked of it.
fn masked(stretch: Stretch, ledger: &[Entry]) -> Vec<Stretch> {
    let mut parts = vec![stretch];
    for [from, until] in ledger.iter().filter_map(|entry| entry.effect.masked_customer.or(entry.effect.masked)) {
        let cut = |part: Stretch| {
            let (from, until) = (from.clamp(part.from, part.until), until.clamp(part.from, part.until));
            let hole = Stretch { from, until, fate: Err(Dropped::Masked) };
            [Stretch { until: from, ..part }, hole, Stretch { from: until, ..part }]
        };
        parts = parts.into_iter().flat_map(cut).filter(|part| part.from < part.until).collect();
    }
    parts
}

/// A stretch that was not kept, cut where the reason changes.
fn explained(stretch: Stretch, reasons: &[(u64, Dropped)]) -> Vec<Stretch> {
    let first = reasons.partition_point(|(from, _)| *from <= stretch.from).saturating_sub(1);
    let mut parts = Vec::new();
    for (i, (from, reason)) in reasons.iter().enumerate().skip(first).take_while(|(_, r)| r.0 < stretch.until) {
        let next = reasons.get(i + 1).map_or(u64::MAX, |(from, _)| *from);
        let from = (*from).max(stretch.from);
        parts.push(Stretch { from, until: next.min(stretch.until).max(from), fate: Err(*reason) });
    }
    parts
}

/// From which sample on which reason would hold for what is not kept.
fn reasons(closing: &Closing) -> Vec<(u64, Dropped)> {
    if closing.result == CallResult::Quarantined {
        return vec![(0, Dropped::Quarantined)];
    }
    let mut line = Line::default();
    let mut reasons = vec![(0, Dropped::NoDecision)];
    for entry in closing.ledger.iter().filter(|entry| entry.effect.outcome == "accepted") {
        line.take(entry);
        if entry.event.rank() == Rank::Shuts {
            // In a live call it counts before what was to open further ahead.
            while reasons.pop_if(|(from, _)| *from > entry.sample).is_some() {}
        }
        let from = entry.sample.max(reasons.last().map_or(0, |(from, _)| *from));
        reasons.push((from, line.why(entry)));
    }
    reasons
}

/// Who is on the line and what stands, as far as the reasons need it.
#[derive(Default)]
struct Line {
    roster: Roster,
    paused: bool,
    private: bool,
    outside: bool,
    held: bool,
    over: bool,
}

impl Line {
    fn take(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Granted(decision) => self.stands(&decision.party, Standing::Granted(0)),
            Event::Refused { party } => self.stands(party, Standing::Refused),
            // A withdrawal of some purposes only may leave the grant in force for the others.
            Event::Withdrawn { party, .. } if !open(entry) => self.stands(party, Standing::Withdrawn),
            Event::Expired { party, .. } => self.stands(party, Standing::Expired),
            Event::Joined { party } => self.roster.join(party.clone()),
            Event::Left { party } => {
                self.roster.leave(party);
            }
            Event::Paused => self.paused = true,
            Event::Resumed if self.paused => self.paused = false,
            Event::Resumed | Event::Retrieved => self.held = false,
            Event::Held => self.held = true,
            Event::HungUp => self.over = true,
            Event::Private => self.private = true,
            Event::PrivateEnded => self.private = false,
            Event::WindowClosed => self.outside = true,
            Event::WindowOpened => self.outside = false,
            Event::Told { .. } | Event::Withdrawn { .. } | Event::Masked { .. } | Event::Unusable { .. } => {}
        }
    }

    fn stands(&mut self, party: &PartyId, standing: Standing) {
        if let Some(remote) = self.roster.find(party) {
            remote.standing = standing;
        }
    }

    fn why(&self, entry: &Entry) -> Dropped {
        let has = |standing| self.roster.iter().any(|remote| remote.standing == standing);
        if open(entry) {
            // The door was open and yet nothing was kept: it was erased, or a known later withdrawal would have erased it.
            Dropped::WithdrawnLater
        } else if self.over {
            Dropped::CallOver
        } else if self.paused {
            Dropped::Paused
        } else if self.private {
            Dropped::Private
        } else if self.outside {
            Dropped::OutsideWindow
        } else if has(Standing::Refused) {
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

fn open(entry: &Entry) -> bool {
    entry.effect.customer == "open"
}

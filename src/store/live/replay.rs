//! A journal played again: the door, the ledger and the accounts as they stood when the writer died.

use std::fs::File;
use std::path::Path;

use super::journal::{self, Applied, Checkpoint, FORMAT, Line, Opening};
use super::recorder::Losses;
use crate::call::{CallResult, Closing, Finding, MediaTime, Span, Tally, place_now};
use crate::consent::{Dropped, Gate, Ledger, Outcome};
use crate::store::StoreError;
use crate::store::manifest::{self, Leak};
use crate::store::tracks::{push_merged, without};

/// What a journal tells of a call.
pub(super) struct Replayed {
    pub(super) opening: Opening,
    /// The call's length: what the last checkpoint says.
    pub(super) position: u64,
    tally: manifest::Tally,
    leak: Leak,
    pub(super) findings: Vec<manifest::Finding>,
    /// What the files hold of each side, in order.
    pub(super) agent: Vec<Span>,
    pub(super) customer: Vec<Span>,
    /// Samples of the customer's that were erased after the last checkpoint.
    erased_since: u64,
    gate: Gate,
    ledger: Ledger,
    rejected: u64,
    pub(super) losses: Losses,
    pub(super) digest: Option<String>,
}

impl Replayed {
    /// Plays a journal; `None` if it has no opening that can be used.
    pub(super) fn read(file: &mut File, path: &Path) -> Result<Option<Replayed>, StoreError> {
        let mut replayed: Option<Replayed> = None;
        journal::read(file, path, &mut |line, _| {
            match (&mut replayed, line) {
                (None, Line::Opening(opening)) if opening.format == FORMAT => replayed = Some(Replayed::new(*opening)),
                (None, _) => {}
                (Some(replayed), line) => replayed.take(line),
            }
            Ok(())
        })?;
        Ok(replayed)
    }

    fn new(opening: Opening) -> Replayed {
        let unknown =
            Leak { measurable: false, coupling_db: None, customer_active_s: 0.0, withheld_s: 0.0, residual_db: None };
        Replayed {
            position: 0,
            tally: manifest::Tally::default(),
            leak: unknown,
            findings: Vec::new(),
            agent: Vec::new(),
            customer: Vec::new(),
            erased_since: 0,
            gate: Gate::new(opening.about.policy.terms(), Vec::new()).at_rate(opening.plan.rate_hz),
            ledger: Ledger::new(&opening.about.call),
            rejected: 0,
            losses: Losses::default(),
            digest: None,
            opening,
        }
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Event(applied) => self.apply(&applied),
            Line::Gap(gap) => self.losses.add(&gap),
            Line::Tone { from, until } => self.erase(Span::new(MediaTime(from), MediaTime(until))),
            Line::Quarantined { .. } => self.gate.quarantine(),
            Line::Digest(digest) => self.digest = Some(digest.blake3),
            Line::Checkpoint(checkpoint) => self.pass(*checkpoint),
            Line::Opening(_) | Line::Failed { .. } => {}
        }
    }

    /// Does what [`crate::call::Call::take_now`] did.
    fn apply(&mut self, applied: &Applied) {
        let rate_hz = self.opening.plan.rate_hz;
        let stamped = place_now(&self.gate, applied.stamped(rate_hz), MediaTime(applied.position), rate_hz);
        let effect = self.gate.apply_reaching(&stamped, MediaTime(applied.released));
        for hole in effect.erased.iter().map(|erased| erased.span).chain(effect.masked_customer) {
            self.erase(hole);
        }
        self.rejected += u64::from(matches!(effect.outcome, Outcome::Rejected(_)));
        self.ledger.record(&stamped, &effect);
    }

    fn erase(&mut self, hole: Span) {
        let before = samples(&self.customer);
        self.customer = self.customer.iter().flat_map(|written| without(*written, hole)).collect();
        self.erased_since += before - samples(&self.customer);
    }

    fn pass(&mut self, checkpoint: Checkpoint) {
        let Checkpoint { position, tally, leak, findings, agent, customer } = checkpoint;
        (self.position, self.tally, self.leak, self.findings) = (position, tally, leak, findings);
        self.erased_since = 0; // the tally knows of it now
        let span = |pair: &[u64; 2]| Span::new(MediaTime(pair[0]), MediaTime(pair[1].max(pair[0])));
        agent.iter().for_each(|pair| push_merged(&mut self.agent, span(pair)));
        customer.iter().for_each(|pair| push_merged(&mut self.customer, span(pair)));
    }

    /// Takes out of the accounts what the files do not hold: they end at these samples. Of a quarantined call nothing
    /// is left; of the customer nothing outside what may be kept.
    pub(super) fn cut(&mut self, agent_end: u64, customer_end: u64) {
        let end = |end: u64| Span::new(MediaTime(end.min(self.position)), MediaTime(u64::MAX));
        let (agent_hole, customer_hole) = (end(agent_end), end(customer_end));
        self.agent = self.agent.iter().flat_map(|span| without(*span, agent_hole)).collect();
        self.customer = self.customer.iter().flat_map(|span| without(*span, customer_hole)).collect();
        let before = samples(&self.customer);
        let kept: Vec<Span> = self.gate.kept().iter().map(|kept| self.span_of(kept)).collect();
        self.customer = self.customer.iter().flat_map(|span| within(*span, &kept)).collect();
        self.erased_since += before - samples(&self.customer);
    }

    /// Whether a doubt shut the door for good.
    pub(super) fn is_quarantined(&self) -> bool {
        self.gate.is_quarantined()
    }

    /// The closing of the call as of the last checkpoint.
    pub(super) fn close(&self, why: &str) -> Closing {
        let mut tally = self.tally.to_call();
        tally.agent.written = samples(&self.agent);
        tally.customer.written = samples(&self.customer);
        tally.customer.erased += self.erased_since;
        for account in [&mut tally.agent, &mut tally.customer] {
            let left_out: u64 = account.reasons().map(|(_, samples)| samples).sum();
            let accounted = account.written + account.erased + left_out;
            // What was waiting for a decision, and what the disk lost.
            account.leave_out(Dropped::Interrupted, account.heard.saturating_sub(accounted));
        }
        let mut kept = self.gate.kept().to_vec();
        kept.iter_mut().for_each(|kept| kept.until = Some(self.span_of(kept).until));
        kept.retain(|kept| kept.until > Some(kept.from));
        let nothing = self.is_quarantined() || tally.agent.written == 0;
        Closing {
            result: if self.is_quarantined() { CallResult::Quarantined } else { CallResult::Interrupted },
            length: MediaTime(self.position),
            rate_hz: self.opening.plan.rate_hz,
            findings: self.found(why, &tally),
            leak: if nothing { self.leak.to_call().of_nothing() } else { self.leak.to_call() },
            tally,
            ledger: self.ledger.entries().to_vec(),
            kept,
        }
    }

    fn found(&self, why: &str, tally: &Tally) -> Vec<Finding> {
        let seconds = MediaTime(self.position).seconds(self.opening.plan.rate_hz);
        let mut findings = vec![Finding::Interrupted { seconds, why: why.into() }];
        let awaited = self.opening.is_compared() && !self.gate.roster().says_no();
        findings.extend(Closing::notes(tally, self.opening.plan.rate_hz, [self.rejected, 0], awaited));
        findings
    }

    fn span_of(&self, kept: &crate::consent::Kept) -> Span {
        let length = MediaTime(self.position);
        let until = kept.until.unwrap_or(length).min(length);
        Span::new(kept.from.min(until), until)
    }
}

/// The samples of some stretches.
pub(super) fn samples(spans: &[Span]) -> u64 {
    spans.iter().map(|span| span.samples()).sum()
}

/// What of `whole` lies in one of the stretches, which are in order and apart.
fn within(whole: Span, stretches: &[Span]) -> Vec<Span> {
    let parts = stretches.iter().map(|stretch| {
        let from = whole.from.max(stretch.from);
        Span::new(from, whole.until.min(stretch.until).max(from))
    });
    parts.filter(|part| !part.is_empty()).collect()
}

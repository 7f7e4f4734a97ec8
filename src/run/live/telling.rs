//! What a worker tells: the answer to what was asked, and the state of its call.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::ask::{Answer, Arrived, Recording};
use super::worker::Worker;
use crate::call::{Doors, Took};
use crate::consent::{Dropped, Outcome, Refusal};

impl Worker {
    pub(super) fn answer_of(&self, took: &Took, arrived: Arrived) -> Answer {
        Answer {
            call: self.name.clone(),
            outcome: match took.outcome() {
                Outcome::Accepted => "accepted",
                Outcome::Unchanged => "unchanged",
                Outcome::Rejected(_) => "rejected",
            },
            refusal: took.refusal().map(refusal_code),
            sample: took.at.0,
            seconds: took.at.seconds(self.rate_hz),
            writer_sample: took.writer.0,
            masked_from: took.masked_from().map(|at| at.0),
            ledger: took.ledger,
            ledger_hash: took.hash.clone(),
            customer: if took.doors.customer_open { "open" } else { "shut" },
            recording: self.recording(&took.doors),
            lag_ms: arrived.at.elapsed().as_secs_f64() * 1_000.0,
        }
    }

    fn recording(&self, doors: &Doors) -> Recording {
        if self.wrong().is_some() {
            return Recording::NotRecording;
        }
        match doors.stopped().or_else(|| self.ahead()) {
            None => Recording::Recording,
            Some(Dropped::Quarantined) => Recording::Quarantined,
            Some(Dropped::Private) => Recording::Private,
            Some(Dropped::OutsideWindow) => Recording::OutsideWindow,
            Some(_) => Recording::Paused,
        }
    }

    /// Why nothing of either side is stored at the frame to come.
    pub(super) fn stopped(&self) -> Option<Dropped> {
        self.call.doors().stopped().or_else(|| self.ahead())
    }

    /// What ends at a place that is not reached yet.
    fn ahead(&self) -> Option<Dropped> {
        self.stopped_until.filter(|(until, _)| *until > self.call.position()).map(|(_, reason)| reason)
    }

    /// Why nothing is being recorded, although nobody asked for that: the store, or the source.
    fn wrong(&self) -> Option<String> {
        let source =
            self.trouble.as_ref().and_then(|wrong| wrong.lock().unwrap_or_else(PoisonError::into_inner).clone());
        self.out.error().map(ToString::to_string).or(source)
    }

    /// Tells its source how the doors stand.
    pub(super) fn tell_standing(&self, doors: &Doors) {
        if let Some(standing) = &self.standing {
            standing.customer_wanted.store(doors.customer_open, Ordering::Release);
            let refused = matches!(doors.customer_why, Some(Dropped::Refused | Dropped::Withdrawn));
            standing.customer_refused.store(refused, Ordering::Release);
            standing.stopped.store(doors.stopped().is_some(), Ordering::Release);
            // A source that keeps sound back lays it first: it is told by `closing`, and hangs up when the call stands.
            if self.end.load(Ordering::Acquire) && !standing.keeps_back {
                standing.over.store(true, Ordering::Release);
            }
        }
    }

    /// Tells everybody who looks what the writer last did.
    pub(super) fn publish(&mut self) {
        let doors = self.call.doors();
        self.published = Instant::now();
        self.tell_standing(&doors);
        let (recording, wrong) = (self.recording(&doors), self.wrong());
        let (position, tally) = (self.call.position(), self.call.tally());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.turned = Some(Instant::now());
        state.sample = position.0;
        state.seconds = position.seconds(self.rate_hz);
        state.recording = recording;
        state.why = wrong;
        state.customer_stored = doors.customer_why.is_none() && recording == Recording::Recording;
        state.customer_why = doors.customer_why.map(Dropped::code);
        state.customer_from = doors.customer_from.map(|at| at.0);
        state.told = doors.told;
        state.decided_within_ms = self.delays.as_ref().and_then(|delays| delays.p99_ms());
        state.agent_written = tally.agent.written;
        state.customer_written = tally.customer.written;
        state.ledger = self.call.ledger().len() as u64;
        self.meter.tell(&mut state, self.out.talk());
    }
}

/// The stable code of a refusal, as the ledger writes it.
fn refusal_code(refusal: Refusal) -> String {
    serde_json::to_value(refusal).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

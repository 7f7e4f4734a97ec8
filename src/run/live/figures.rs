//! Figures since the start, for metrics. Counters never go back: what became of a call's sound is added when the call is
//! sealed, for until then a withdrawal may still erase what was written.

use std::sync::atomic::{AtomicU64, Ordering};

use super::meter::Missed;
use crate::consent::Dropped;
use crate::store::manifest::{Finding, Tally};

/// A figure for metrics: no call's name and no number is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The name of its family.
    pub name: &'static str,
    /// What is added to that where the figure is part of a histogram: `_bucket`, `_sum`, `_count`; else nothing.
    pub part: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Stable names.
    pub labels: Vec<(&'static str, &'static str)>,
    /// How much.
    pub value: f64,
}

/// The results of calls, in the order of [`Figures::ended`].
pub const RESULTS: [&str; 5] = ["recorded", "quarantined", "interrupted", "excluded", "failed"];
/// The parties, in the order of what is counted of each.
const PARTIES: [&str; 2] = ["agent", "customer"];
/// What became of sound, in the manifest's words: what was left out by its reason.
const OUTCOMES: usize = 2 + Dropped::ALL.len();

/// Figures since the start.
#[derive(Debug, Default)]
pub struct Figures {
    /// Calls opened.
    pub opened: AtomicU64,
    /// Calls ended, by result: [`RESULTS`].
    pub ended: [AtomicU64; RESULTS.len()],
    /// Events that counted.
    pub accepted: AtomicU64,
    /// Events that were rejected.
    pub rejected: AtomicU64,
    /// What became of each party's sample frames, of calls that were sealed.
    frames: [[AtomicU64; OUTCOMES]; PARTIES.len()],
    /// Sample frames that came to nothing, by reason, of calls that were sealed.
    lost: Missed<AtomicU64>,
    /// Calls of which nothing of a party ever came.
    party_missing: [AtomicU64; PARTIES.len()],
}

impl Figures {
    /// Adds what became of the sound of a call that was sealed, as its manifest tells it.
    pub fn sealed(&self, tally: &Tally, findings: &[Finding]) {
        for (frames, account) in self.frames.iter().zip([&tally.agent, &tally.customer]) {
            let left_out = Dropped::ALL.iter().map(|reason| account.left_out.get(reason.code()).copied());
            let counts = [Some(account.written), Some(account.erased)].into_iter().chain(left_out);
            for (total, count) in frames.iter().zip(counts) {
                total.fetch_add(count.unwrap_or_default(), Ordering::Relaxed);
            }
        }
        for finding in findings.iter().filter(|finding| finding.code == "party_missing") {
            let party = finding.fields.get("party").and_then(serde_json::Value::as_str);
            if let Some(at) = PARTIES.iter().position(|known| Some(*known) == party) {
                self.party_missing[at].fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Adds the sample frames of a call that came to nothing on their way, by reason.
    pub fn missed(&self, missed: &Missed<u64>) {
        for ((_, total), (_, frames)) in self.lost.each().zip(missed.each()) {
            total.fetch_add(*frames, Ordering::Relaxed);
        }
    }

    /// What became of sound since the start: each party's, outcome by outcome; what was lost; who never came.
    pub fn of_sound(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut counter = |name, help, labels: &[(&'static str, &'static str)], value: &AtomicU64| {
            let value = value.load(Ordering::Relaxed) as f64;
            figures.push(Figure { name, part: "", kind: "counter", help, labels: labels.to_vec(), value });
        };
        let outcomes = || ["written", "erased"].into_iter().chain(Dropped::ALL.iter().map(|reason| reason.code()));
        let help = "Sample frames by party and by what became of them, in the words of the manifest's tally. A call's are added \
                    when it is sealed; what is in hand is not in it.";
        for (party, frames) in PARTIES.iter().zip(&self.frames) {
            for (outcome, total) in outcomes().zip(frames) {
                counter("oneside_frames_total", help, &[("party", party), ("outcome", outcome)], total);
            }
        }
        let help = "Sample frames of the source, of either party, that came to nothing on their way, by reason and whether it was \
                    meant. A call's are added when it is sealed; those in hand are in oneside_calls_lost_frames.";
        for (why, total) in self.lost.each() {
            let intended = if why.is_intended() { "true" } else { "false" };
            counter(
                "oneside_lost_frames_total",
                help,
                &[("reason", why.reason().code()), ("intended", intended)],
                total,
            );
        }
        let help =
            "Calls of which nothing of a party ever came, although it was to come. Added when the call is sealed.";
        for (party, total) in PARTIES.iter().zip(&self.party_missing) {
            counter("oneside_party_missing_total", help, &[("party", party)], total);
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Missing;
    use crate::store::manifest::Account;

    fn value(figures: &[Figure], name: &str, labels: [&str; 2]) -> f64 {
        let found = figures.iter().find(|figure| {
            figure.name == name && labels.iter().all(|wanted| figure.labels.iter().any(|(_, label)| label == wanted))
        });
        found.unwrap_or_else(|| panic!("{name} {labels:?}")).value
    }

    #[test]
    fn what_became_of_sound_is_added_call_by_call_and_never_taken_back() {
        let figures = Figures::default();
        let account = |heard, written, erased, reason: Dropped, left_out| Account {
            heard,
            written,
            erased,
            left_out: [(reason.code().to_owned(), left_out)].into(),
        };
        let first = Tally {
            agent: account(100, 60, 0, Dropped::NotSpeech, 40),
            customer: account(100, 10, 20, Dropped::NoDecision, 70),
        };
        let second =
            Tally { agent: account(7, 3, 0, Dropped::Bleed, 4), customer: account(7, 0, 0, Dropped::NoDecision, 7) };
        let never = Finding {
            code: "party_missing".into(),
            remedy: "noted".into(),
            sentence: String::new(),
            fields: serde_json::Map::from_iter([("party".to_owned(), "customer".into())]),
        };
        figures.sealed(&first, &[]);
        figures.sealed(&second, &[never]);
        let mut missed = Missed::<u64>::default();
        *missed.of(Missing::Lost) += 5;
        *missed.of(Missing::Undecoded) += 6;
        figures.missed(&missed);
        figures.missed(&missed);
        let told = figures.of_sound();
        for (labels, frames) in [
            (["agent", "written"], 63.0),
            (["agent", "not_speech"], 40.0),
            (["agent", "bleed"], 4.0),
            (["customer", "written"], 10.0),
            (["customer", "erased"], 20.0),
            (["customer", "no_decision"], 77.0),
            (["customer", "refused"], 0.0),
        ] {
            assert_eq!(value(&told, "oneside_frames_total", labels), frames, "{labels:?}");
        }
        for (labels, frames) in [(["lost", "false"], 10.0), (["absent", "true"], 0.0), (["undecoded", "true"], 12.0)] {
            assert_eq!(value(&told, "oneside_lost_frames_total", labels), frames, "{labels:?}");
        }
        assert_eq!(value(&told, "oneside_party_missing_total", ["customer", "customer"]), 1.0);
        assert_eq!(value(&told, "oneside_party_missing_total", ["agent", "agent"]), 0.0);
        let all: f64 = told.iter().filter(|figure| figure.name == "oneside_frames_total").map(|f| f.value).sum();
        assert_eq!(all, 214.0, "every frame of both tallies is in it, once");
    }
}

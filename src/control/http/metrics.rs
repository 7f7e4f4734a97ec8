//! Health, and figures in Prometheus' text format. No call's name and no number is in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::run::live::figures::{Figure, RESULTS};
use crate::run::live::{Desk, Recording, State as CallState};

/// Answers by status code.
#[derive(Default)]
pub struct Answers(Mutex<BTreeMap<u16, u64>>);

impl Answers {
    /// Counts one.
    pub fn count(&self, status: u16) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
    }
}

/// Every state of a recording, and its stable name.
const RECORDING: [(Recording, &str); 6] = [
    (Recording::Recording, "recording"),
    (Recording::Paused, "paused"),
    (Recording::Private, "private"),
    (Recording::OutsideWindow, "outside_window"),
    (Recording::Quarantined, "quarantined"),
    (Recording::NotRecording, "not_recording"),
];

/// Whether the recorder records what it should: 503 if a call's store has failed.
pub async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let failed = shared.desk.states().iter().any(|state| state.recording == Recording::NotRecording)
        || shared.desk.trouble().is_some();
    let (status, word) = match failed {
        true => (StatusCode::SERVICE_UNAVAILABLE, "not_recording"),
        false => (StatusCode::OK, "ok"),
    };
    (status, Json(serde_json::json!({ "status": word }))).into_response()
}

/// The figures.
pub async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let answers = shared.answers.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = text(&shared.desk, &answers);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Figures, those of one family together.
    fn figures(&mut self, figures: &[Figure]) {
        for (n, Figure { name, part, kind, help, labels, value }) in figures.iter().enumerate() {
            if n == 0 || figures[n - 1].name != *name {
                self.family(name, kind, help);
            }
            self.line(&format!("{name}{part}"), labels, value);
        }
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        // Values of labels are stable names of our own: nothing in them needs escaping.
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let braces = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{braces} {value}");
    }
}

fn text(desk: &Desk, answers: &BTreeMap<u16, u64>) -> String {
    let mut out = Text(String::new());
    totals(&mut out, desk);
    in_hand(&mut out, &desk.states());
    // What the sources and the workers of a media server count.
    out.figures(&desk.more_figures());
    out.family("oneside_http_answers_total", "counter", "Answers of the HTTP API, by status code.");
    for (status, count) in answers {
        out.line("oneside_http_answers_total", &[("code", &status.to_string())], count);
    }
    out.0
}

fn totals(out: &mut Text, desk: &Desk) {
    let figures = &desk.figures;
    let read = |figure: &std::sync::atomic::AtomicU64| figure.load(Ordering::Relaxed);
    out.family("oneside_calls_opened_total", "counter", "Calls opened.");
    out.line("oneside_calls_opened_total", &[], read(&figures.opened));
    out.family("oneside_calls_ended_total", "counter", "Calls ended, by result.");
    for (result, count) in RESULTS.iter().zip(&figures.ended) {
        out.line("oneside_calls_ended_total", &[("result", result)], read(count));
    }
    out.family("oneside_events_total", "counter", "Events asked of calls, by what the gate did.");
    out.line("oneside_events_total", &[("outcome", "counted")], read(&figures.accepted));
    out.line("oneside_events_total", &[("outcome", "rejected")], read(&figures.rejected));
    out.figures(&figures.of_sound());
    if let Some((_, median, worst)) = desk.leaks() {
        let help = "What may be left of the customer in the agent's track, dB relative to the customer's own: of the last calls.";
        out.family("oneside_leak_residual_db", "gauge", help);
        out.line("oneside_leak_residual_db", &[("quantile", "0.5")], median);
        out.line("oneside_leak_residual_db", &[("quantile", "1")], worst);
    }
}

fn in_hand(out: &mut Text, states: &[CallState]) {
    let count = |is: &dyn Fn(&CallState) -> bool| states.iter().filter(|state| is(state)).count();
    out.family("oneside_calls", "gauge", "Calls in hand, by whether the agent is recorded.");
    for (recording, name) in RECORDING {
        out.line("oneside_calls", &[("recording", name)], count(&|state| state.recording == recording));
    }
    out.family("oneside_calls_customer", "gauge", "Calls in hand, by whether the customer is stored, and why not.");
    let mut customers: BTreeMap<(&str, &str), u64> = BTreeMap::from([(("true", ""), 0)]);
    for state in states {
        let key = if state.customer_stored { ("true", "") } else { ("false", state.customer_why.unwrap_or("")) };
        *customers.entry(key).or_default() += 1;
    }
    for ((stored, why), count) in &customers {
        out.line("oneside_calls_customer", &[("stored", stored), ("why", why)], count);
    }
    out.family("oneside_calls_told", "gauge", "Calls in hand whose customer was told.");
    out.line("oneside_calls_told", &[], count(&|state| state.told));
    out.family("oneside_calls_lost_frames", "gauge", "Sample frames that came to nothing, of the calls in hand.");
    let mut lost: BTreeMap<(&str, bool), u64> = BTreeMap::new();
    for part in states.iter().flat_map(|state| &state.lost) {
        *lost.entry((part.reason, part.intended)).or_default() += part.frames;
    }
    for ((reason, intended), frames) in &lost {
        let labels = [("reason", *reason), ("intended", if *intended { "true" } else { "false" })];
        out.line("oneside_calls_lost_frames", &labels, frames);
    }
    if let Some(free) = states.iter().filter_map(|state| state.free_bytes).min() {
        out.family("oneside_free_bytes", "gauge", "Bytes still free where recordings go.");
        out.line("oneside_free_bytes", &[], free);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::run::live::sweeps::Sweeps;
    use crate::store::manifest::{Account, Tally};

    #[test]
    fn every_family_is_explained_once_and_holds_its_figures_together() {
        let desk = Desk::default();
        let agent = Account { heard: 480, written: 480, ..Account::default() };
        desk.figures.sealed(&Tally { agent, ..Tally::default() }, &[]);
        desk.figures_of(Box::new(|| {
            let sweeps = Sweeps::default();
            sweeps.add(Duration::from_millis(3));
            sweeps.figures()
        }));
        let text = text(&desk, &BTreeMap::from([(200, 2)]));
        let (mut family, mut families) = ((String::new(), String::new()), Vec::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, what) = help.split_once(' ').unwrap();
                let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
                assert!(what.ends_with('.') || what.contains(':'), "{line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(!families.contains(&name.to_owned()), "{name} stands there twice");
                families.push(name.to_owned());
                family = (name.to_owned(), kind.to_owned());
                continue;
            }
            let name = line.split(['{', ' ']).next().unwrap();
            let part = name.strip_prefix(family.0.as_str()).unwrap_or_else(|| panic!("{line} in {}", family.0));
            let parts: &[&str] = if family.1 == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(parts.contains(&part), "{line}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
        for line in [
            "oneside_frames_total{party=\"agent\",outcome=\"written\"} 480",
            "oneside_frames_total{party=\"customer\",outcome=\"no_decision\"} 0",
            "oneside_lost_frames_total{reason=\"lost\",intended=\"false\"} 0",
            "oneside_party_missing_total{party=\"customer\"} 0",
            "oneside_sweep_seconds_bucket{le=\"0.002\"} 0",
            "oneside_sweep_seconds_bucket{le=\"0.005\"} 1",
            "oneside_sweep_seconds_bucket{le=\"+Inf\"} 1",
            "oneside_sweep_seconds_sum 0.003",
            "oneside_sweep_seconds_count 1",
            "oneside_http_answers_total{code=\"200\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}

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
use crate::run::live::desk::RESULTS;
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
    more(&mut out, desk);
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
    out.family("oneside_lost_frames_total", "counter", "Sample frames that came to nothing, by whether it was meant.");
    out.line("oneside_lost_frames_total", &[("intended", "false")], read(&figures.lost_frames));
    out.line("oneside_lost_frames_total", &[("intended", "true")], read(&figures.intended_frames));
    if let Some((_, median, worst)) = desk.leaks() {
        let help = "What may be left of the customer in the agent's track, dB relative to the customer's own: of the last calls.";
        out.family("oneside_leak_residual_db", "gauge", help);
        out.line("oneside_leak_residual_db", &[("quantile", "0.5")], median);
        out.line("oneside_leak_residual_db", &[("quantile", "1")], worst);
    }
}

/// Figures of a media server: what its sources and its workers count.
fn more(out: &mut Text, desk: &Desk) {
    let mut family = "";
    for figure in desk.more_figures() {
        if figure.name != family {
            out.family(figure.name, figure.kind, figure.help);
            family = figure.name;
        }
        out.line(figure.name, &figure.labels, figure.value);
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

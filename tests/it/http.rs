//! The HTTP API over calls that nobody makes: what is asked, what is answered, what is told.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oneside::control::http::{page::OPENAPI, routes, serve};
use oneside::run::live::{Desk, OpenCall};
use serde_json::{Value, json};

use crate::fake_call::{self};
use crate::http_common::{Server, any};

const EVENTS: [(&str, &str); 14] = [
    ("told", r#"{"notice":"std","version":3,"language":"sv"}"#),
    ("granted", r#"{"act":"spoken_yes","purpose":"training"}"#),
    ("withdrawn", "{}"),
    ("refused", r#"{"party":"customer"}"#),
    ("paused", "{}"),
    ("resumed", "{}"),
    ("held", "{}"),
    ("retrieved", "{}"),
    ("joined", r#"{"party":"colleague"}"#),
    ("left", r#"{"party":"colleague"}"#),
    ("private", "{}"),
    ("private_ended", "{}"),
    ("masked", r#"{"seconds":10}"#),
    ("hung_up", "{}"),
];

#[test]
fn a_call_is_opened_told_of_everything_and_closed_and_each_answer_is_the_writers() {
    let server = Server::new(&[]);
    assert_eq!(server.get("/v1/calls").json(), json!([]));
    let opened = server.post("/v1/calls", &json!({ "call": "a b/ö", "agent": "7", "sensitive": false }));
    assert_eq!((opened.status, opened.json()["call"].as_str()), (201, Some("a b/ö")));
    assert!(opened.head.contains("location: /v1/calls/a%20b%2f%c3%b6"), "{}", opened.head);
    let at = "/v1/calls/a%20b%2F%C3%B6";
    assert_eq!(server.get(at).json()["recording"], "recording");
    for (kind, body) in EVENTS {
        let answered = server.post(&format!("{at}/{kind}"), &serde_json::from_str(body).unwrap());
        assert_eq!(answered.status, 200, "{kind}: {}", answered.body);
        let answer = answered.json();
        let outcome = answer["outcome"].as_str().unwrap();
        assert!(["accepted", "unchanged"].contains(&outcome), "{kind}: {answer}");
        assert!(answer["ledger_hash"].is_string() && answer["sample"].is_u64() && answer["call"] == "a b/ö");
    }
    let over = Instant::now();
    while server.get("/v1/ended").json() == json!([]) && over.elapsed() < Duration::from_secs(30) {}
    server.get(at).problem(404, "no_such_call");
    assert_eq!(server.get("/v1/ended").json()[0]["result"], "recorded");
    for (n, close) in [("x", "DELETE"), ("y", "POST")] {
        server.post("/v1/calls", &json!({ "call": n }));
        let path = if close == "POST" { format!("/v1/calls/{n}/close") } else { format!("/v1/calls/{n}") };
        let closed = server.send(close, &path, &["Content-Type: application/json"], "{}");
        assert_eq!((closed.status, closed.json()["call"].as_str()), (200, Some(n)), "{}", closed.body);
        server.send(close, &path, &["Content-Type: application/json"], "{}").problem(404, "no_such_call");
    }
}

#[test]
fn what_the_gate_rejects_is_a_conflict_with_the_writers_answer_in_it() {
    let server = Server::new(&["a"]);
    let yes = json!({ "act": "button", "purpose": "training" });
    let problem = server.post("/v1/calls/a/granted", &yes).problem(409, "rejected");
    assert_eq!(problem["answer"]["refusal"], "not_informed");
    assert_eq!(problem["answer"]["customer"], "shut");
    assert!(problem["remedy"].as_str().unwrap().contains("told"));
    // Silence is no act: it reaches the ledger, and is refused there (CON-02).
    let silence = json!({ "act": "stayed_on_the_line", "purpose": "training" });
    assert_eq!(
        server.post("/v1/calls/a/granted", &silence).problem(409, "rejected")["answer"]["refusal"],
        "unknown_act"
    );
    server.post("/v1/calls", &json!({ "call": "a" })).problem(409, "call_exists");
    server.post("/v1/calls", &json!({ "number": "+46700000000" })).problem(409, "never_record");
    server.post("/v1/calls", &json!({ "call": "disk-full" })).problem(503, "failed");
    let one = Server {
        desk: Arc::new(Desk::default()),
        running: serve(Arc::new(Desk::default()), any(), Arc::default()).unwrap(),
    };
    one.post("/v1/calls", &json!({})).problem(409, "not_opened_here");
    assert_eq!(one.get("/v1/page").json()["can_open"], false);
    assert!(one.desk.is_idle());
}

#[test]
fn a_bad_body_names_its_field_and_reaches_no_call() {
    let server = Server::new(&["a"]);
    let before = server.get("/v1/calls/a").json()["ledger"].clone();
    for (kind, body, field) in [
        ("told", r#"{"notice":"std"}"#, Some("version")),
        ("granted", r#"{"act":"dtmf","digit":"11","purpose":"qa"}"#, Some("digit")),
        ("granted", r#"{"purpose":"qa"}"#, Some("act")),
        ("withdrawn", r#"{"party":7.5}"#, Some("party")),
        ("masked", r#"{"seconds":0}"#, Some("seconds")),
        ("masked", "{}", Some("seconds")),
        ("paused", r#"{"at":1.5}"#, Some("at")),
        ("paused", r#"{"notice":"std"}"#, Some("notice")),
        ("paused", r#"{"x":1}"#, None),
        ("paused", r#"{"party":"a","party":"b"}"#, None),
        ("paused", "[]", None),
        ("paused", "", None),
        ("paused", "{", None),
        ("close", r#"{"x":1}"#, Some("x")),
    ] {
        let path = format!("/v1/calls/a/{kind}");
        let answered = server.send("POST", &path, &["Content-Type: application/json"], body);
        assert_eq!(answered.problem(422, "bad_body")["field"].as_str(), field, "{kind} {body}");
    }
    for (body, field) in [
        ("{\"call\":7}", Some("call")),
        ("{\"agents\":\"x\"}", Some("agents")),
        ("{\"private\":1}", Some("private")),
        ("7", None),
    ] {
        let answered = server.send("POST", "/v1/calls", &["Content-Type: application/json"], body);
        assert_eq!(answered.problem(422, "bad_body")["field"].as_str(), field, "{body}");
    }
    assert_eq!(server.get("/v1/calls/a").json()["ledger"], before);
}

#[test]
fn every_other_error_is_a_problem_too() {
    let server = Server::new(&["a"]);
    let json = "Content-Type: application/json";
    server.get("/v1/calls/b").problem(404, "no_such_call");
    server.get("/v1/calls/%ff").problem(404, "no_such_call");
    server.post("/v1/calls/b/paused", &json!({})).problem(404, "no_such_call");
    server.get("/v1/nothing").problem(404, "no_such_path");
    server.post("/v1/calls/a/granted_all", &json!({})).problem(404, "no_such_path");
    let refused = server.send("PUT", "/v1/calls", &[json], "{}");
    refused.problem(405, "no_such_method");
    assert!(refused.head.contains("allow: get,head,post") || refused.head.contains("allow: "), "{}", refused.head);
    server.send("OPTIONS", "/v1/calls", &[], "").problem(405, "no_such_method");
    for kind in ["", "Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded"] {
        server.send("POST", "/v1/calls/a/paused", &[kind], "{}").problem(415, "not_json");
    }
    server.send("POST", "/v1/calls/a/paused", &["Content-Type: Application/JSON; charset=utf-8"], "{}");
    let long = format!("{{\"notice\":\"{}\"}}", "x".repeat(70_000));
    server.send("POST", "/v1/calls/a/told", &[json], &long).problem(413, "too_long");
    let slow = server.raw(&format!(
        "POST /v1/calls/a/told HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{json}\r\nContent-Length: 10\r\n\r\n{{",
        server.running.address
    ));
    slow.problem(408, "too_slow");
}

#[test]
fn a_writer_that_does_not_answer_is_told_as_such() {
    let server = Server::new(&[]);
    let mut handle = fake_call::call(&server.desk, OpenCall { call: Some("stuck".into()), ..OpenCall::default() });
    let (asks, _kept) = crossbeam_channel::bounded(4);
    let _worker_goes_on = std::mem::replace(&mut handle.asks.to, asks);
    server.desk.enter(handle);
    server.post("/v1/calls/stuck/paused", &json!({})).problem(503, "no_answer");
}

/// Reads the stream of changes until one is of this kind and pleases.
fn awaited(lines: &mut impl Iterator<Item = String>, kind: &str, pleases: impl Fn(&Value) -> bool) -> Value {
    let mut event = String::new();
    for line in lines {
        if let Some(name) = line.strip_prefix("event: ") {
            event = name.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data).unwrap();
            if event == kind && pleases(&data) {
                return data;
            }
        }
    }
    panic!("the stream ended without {kind}");
}

#[test]
fn changes_are_told_as_they_happen() {
    let mut server = Server::new(&["a"]);
    let mut stream = server.connect();
    write!(stream, "GET /v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.running.address).unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert_eq!(awaited(&mut lines, "calls", |_| true)[0]["call"], "a");
    let asked = Instant::now();
    server.post("/v1/calls/a/paused", &json!({}));
    awaited(&mut lines, "state", |state| state["recording"] == "paused");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    awaited(&mut lines, "alive", |alive| alive["at"].is_string());
    server.post("/v1/calls", &json!({ "call": "b" }));
    awaited(&mut lines, "state", |state| state["call"] == "b");
    server.post("/v1/calls/b/close", &json!({}));
    assert_eq!(awaited(&mut lines, "ended", |_| true)["call"], "b");
    let ending = Instant::now();
    server.running.end();
    assert!(ending.elapsed() < Duration::from_secs(3), "a listener does not hold up the end: {:?}", ending.elapsed());
    assert!(lines.count() < 100);
}

#[test]
fn when_a_standing_token_runs_out_reaches_the_writer() {
    // CON-16
    let server = Server::new(&["a"]);
    server.post("/v1/calls/a/told", &json!({ "notice": "std", "version": 1 }));
    let mut yes = json!({ "act": "token", "token": "t1", "purpose": "qa" });
    let problem = server.post("/v1/calls/a/granted", &yes).problem(409, "rejected");
    assert_eq!(problem["answer"]["refusal"], "token_unverifiable");
    yes["expires"] = json!("2999-01-01T00:00:00Z");
    assert_eq!(server.post("/v1/calls/a/granted", &yes).json()["customer"], "open");
}

#[test]
fn health_and_figures_tell_of_trouble_and_of_nobody() {
    let server = Server::new(&["karin.svensson"]);
    assert_eq!((server.get("/health").status, server.get("/health").json()), (200, json!({ "status": "ok" })));
    server.get("/v1/calls/nobody");
    let text = server.get("/metrics").body;
    for line in [
        "oneside_calls_opened_total 1",
        "oneside_calls_ended_total{result=\"recorded\"} 0",
        "oneside_calls{recording=\"recording\"} 1",
        "oneside_calls_customer{stored=\"false\",why=\"no_decision\"} 1",
        "oneside_calls_lost_frames{reason=\"overrun\",intended=\"false\"} 160",
        "oneside_frames_total{party=\"agent\",outcome=\"written\"} 0",
        "oneside_lost_frames_total{reason=\"undecoded\",intended=\"true\"} 0",
        "oneside_party_missing_total{party=\"customer\"} 0",
        "oneside_http_answers_total{code=\"404\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(!text.contains("karin"), "{text}");
    let mut families = BTreeSet::new();
    let mut explained = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            explained = help.split(' ').next().unwrap().to_owned();
        }
        match line.strip_prefix("# TYPE ") {
            Some(family) if !family.starts_with(&format!("{explained} ")) => panic!("{line} has no HELP"),
            Some(family) => assert!(families.insert(family.split(' ').next().unwrap().to_owned()), "{line}"),
            None if line.starts_with('#') => {}
            None => assert!(families.contains(line.split(['{', ' ']).next().unwrap()), "{line}"),
        }
    }
    server.post("/v1/calls/karin.svensson/withdrawn", &json!({ "purpose": "disk-fails" }));
    assert_eq!(
        (server.get("/health").status, server.get("/health").json()),
        (503, json!({ "status": "not_recording" }))
    );
}

#[test]
fn the_openapi_document_and_the_router_know_the_same_paths() {
    let doc: Value = serde_json::from_str(OPENAPI).unwrap();
    let documented: BTreeSet<(String, String)> = doc["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(|method| (method.clone(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    let served: BTreeSet<(String, String)> = routes().into_iter().map(|(m, p)| (m.to_owned(), p)).collect();
    assert_eq!(documented, served);
    let server = Server::new(&["a"]);
    assert_eq!(server.get("/openapi.json").json(), doc);
    for (method, path) in served.iter().filter(|(_, path)| path != "/v1/events") {
        let answered = server.send(
            &method.to_uppercase(),
            &path.replace("{call}", "none"),
            &["Content-Type: application/json"],
            "{}",
        );
        let known = &doc["paths"][path][method]["responses"][answered.status.to_string()];
        assert!(!known.is_null(), "{method} {path}: {} is not documented", answered.status);
        assert!(answered.status != 405 && !answered.body.contains("no_such_path"), "{method} {path}");
    }
    for (kind, keys) in oneside::source::wire::asked::ASKS {
        let schema = &doc["paths"][format!("/v1/calls/{{call}}/{kind}")]["post"]["requestBody"]["content"]["application/json"]
            ["schema"];
        let documented: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(documented, keys.iter().copied().collect(), "{kind}");
    }
}

#[test]
fn the_page_speaks_five_languages_with_the_same_words() {
    let server = Server::new(&[]);
    let words = server.get("/words.js").body;
    let mut keys: Vec<BTreeSet<String>> = Vec::new();
    for language in ["en", "sv", "da", "nb", "sl"] {
        let block = words.split(&format!("\n  {language}: {{")).nth(1).unwrap().split("\n  },").next().unwrap();
        let key = |part: &str| part.rsplit([',', '\n']).next().unwrap().trim().to_owned();
        let parts: Vec<&str> = block.split(": '").collect();
        keys.push(parts[..parts.len() - 1].iter().map(|part| key(part)).collect());
    }
    assert!(keys[0].len() > 60 && keys.iter().all(|other| *other == keys[0]));
    // Why a yes did not count, if the agent can do something about it.
    for refusal in ["not_informed", "refusal_stands", "outside_question", "not_the_customer", "whose_key"] {
        assert!(keys[0].contains(&format!("r_{refusal}")), "{refusal}");
    }
    let (page, script) = (server.get("/").body, server.get("/page.js").body);
    for used in page.split("data-word=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(keys[0].contains(used), "{used}");
    }
    for used in script.split("word('").skip(1).map(|rest| rest.split('\'').next().unwrap()) {
        assert!(keys[0].contains(used), "{used}");
    }
}

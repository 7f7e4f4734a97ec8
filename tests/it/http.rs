//! The HTTP API, its guard, the stream of changes, and `oneside ctl`, over calls that nobody makes.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use oneside::control::http::{HttpConfig, HttpError, Running, page::OPENAPI, routes, serve};
use oneside::run::live::{Desk, OpenCall};
use serde_json::{Value, json};

use crate::common::Scratch;
use crate::fake_call::{self, desk};

struct Server {
    desk: Arc<Desk>,
    running: Running,
}

struct Answered {
    status: u16,
    head: String,
    body: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }

    /// A problem, with all that a problem has.
    fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        assert_eq!(problem["status"], status);
        assert!(problem["title"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(problem["remedy"].as_str().is_some_and(|text| !text.is_empty()));
        problem
    }
}

fn any() -> HttpConfig {
    HttpConfig { listen: "127.0.0.1:0".parse().unwrap(), ..HttpConfig::default() }
}

impl Server {
    fn new(calls: &[&str]) -> Server {
        Server::with(any(), calls)
    }

    fn with(config: HttpConfig, calls: &[&str]) -> Server {
        let desk = desk();
        for call in calls {
            desk.open(OpenCall { call: Some((*call).into()), ..OpenCall::default() }).unwrap();
        }
        let running = serve(Arc::clone(&desk), config, Arc::new(AtomicBool::new(false))).unwrap();
        Server { desk, running }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.running.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// A request as it is written.
    fn raw(&self, request: &str) -> Answered {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        let (head, body) = all.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {request}: {all}"));
        let status = head[9..12].parse().unwrap();
        Answered { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answered {
        let own = format!("Host: {}", self.running.address);
        let host = if headers.iter().any(|h| h.starts_with("Host:")) { "" } else { &own };
        let lines: Vec<&str> = [host].into_iter().chain(headers.iter().copied()).filter(|h| !h.is_empty()).collect();
        let length = body.len();
        let head = lines.join("\r\n");
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\n{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn get(&self, path: &str) -> Answered {
        self.send("GET", path, &[], "")
    }

    fn post(&self, path: &str, body: &Value) -> Answered {
        self.send("POST", path, &["Content-Type: application/json"], &body.to_string())
    }

    fn ctl(&self, scratch: &Scratch, arguments: &[&str]) -> crate::common::Ran {
        let all: Vec<&str> = ["ctl", "--at", &self.running.url].iter().chain(arguments).copied().collect();
        scratch.run(&all)
    }
}

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
    while server.get("/v1/ended").json() == json!([]) && over.elapsed() < Duration::from_secs(5) {}
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

#[test]
fn pages_of_other_sites_are_refused_whatever_they_send() {
    let server = Server::new(&["a"]);
    let json = "Content-Type: application/json";
    let own = format!("Origin: http://{}", server.running.address);
    for (headers, code) in [
        (["Host: evil.example", json], "unknown_host"),
        (["Host: 127.0.0.1.evil.example:80", json], "unknown_host"),
        (["Origin: http://evil.example", json], "cross_site"),
        (["Origin: null", json], "cross_site"),
        (["Sec-Fetch-Site: cross-site", json], "cross_site"),
        (["Sec-Fetch-Site: same-site", json], "cross_site"),
    ] {
        for (method, path) in [("POST", "/v1/calls/a/paused"), ("DELETE", "/v1/calls/a"), ("GET", "/v1/calls")] {
            let answered = server.send(method, path, &headers, "{}");
            answered.problem(403, code);
            assert!(!answered.head.contains("access-control"), "{}", answered.head);
        }
    }
    assert_eq!(server.get("/v1/calls/a").json()["recording"], "recording");
    assert_eq!(
        server.send("POST", "/v1/calls/a/paused", &[&own, "Sec-Fetch-Site: same-origin", json], "{}").status,
        200
    );
    let preflight = ["Origin: http://evil.example", "Access-Control-Request-Method: POST"];
    assert!(!server.send("OPTIONS", "/v1/calls", &preflight, "").head.contains("access-control"));
    let page = server.send("GET", "/", &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: document"], "");
    assert_eq!(page.status, 200);
    for header in [
        "content-security-policy: default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "x-frame-options: deny",
    ] {
        assert!(page.head.contains(header), "{header}: {}", page.head);
    }
    assert!(!page.body.contains("style=") && !page.body.contains("http"), "the page brings all it needs");
}

#[test]
fn an_address_that_others_reach_needs_tls_and_a_token() {
    let scratch = Scratch::new("http-refusals");
    scratch.file("token", b"0123456789abcdef0123456789abcdef\n");
    scratch.file("short", b"abc\n");
    scratch.file("spaces", b"0123456789 abcdef\n");
    certificate(&scratch);
    let at = |name: &str| Some(scratch.at(name));
    let refused = |config: HttpConfig| match serve(Arc::default(), config, Arc::default()) {
        Ok(_) => panic!("it is served"),
        Err(error) => error.to_string(),
    };
    let wide = || HttpConfig { listen: "0.0.0.0:0".parse().unwrap(), ..HttpConfig::default() };
    assert!(refused(wide()).contains("SEC-03"));
    assert!(refused(HttpConfig { token_file: at("token"), ..wide() }).contains("--tls-cert"));
    assert!(
        refused(HttpConfig { tls_cert: at("cert.pem"), tls_key: at("key.pem"), ..wide() }).contains("--http-token")
    );
    assert!(refused(HttpConfig { tls_cert: at("cert.pem"), ..any() }).contains("--tls-key"));
    assert!(refused(HttpConfig { tls_cert: at("token"), tls_key: at("key.pem"), ..any() }).contains("certificate"));
    assert!(refused(HttpConfig { tls_cert: at("cert.pem"), tls_key: at("token"), ..any() }).contains("private key"));
    assert!(refused(HttpConfig { token_file: at("short"), ..any() }).contains("16"));
    assert!(refused(HttpConfig { token_file: at("spaces"), ..any() }).contains("without spaces"));
    assert!(refused(HttpConfig { token_file: at("none"), ..any() }).contains("none"));
    let first = Server::new(&[]);
    let taken = HttpConfig { listen: first.running.address, ..any() };
    assert!(matches!(serve(Arc::default(), taken, Arc::default()), Err(HttpError::Bind { .. })));
}

fn certificate(scratch: &Scratch) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=desk", "-addext", "subjectAltName=IP:127.0.0.1,DNS:desk.example"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(scratch.at("key.pem"))
        .arg("-out")
        .arg(scratch.at("cert.pem"))
        .output()
        .expect("openssl is there");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn with_a_token_and_tls_only_who_brings_it_is_answered() {
    let scratch = Scratch::new("http-tls");
    scratch.file("token", b"0123456789abcdef0123456789abcdef\n");
    scratch.file("other", b"0123456789abcdef0123456789abcdeX\n");
    certificate(&scratch);
    let at = |name: &str| Some(scratch.at(name));
    let listen = "0.0.0.0:0".parse().unwrap();
    let config =
        HttpConfig { listen, tls_cert: at("cert.pem"), tls_key: at("key.pem"), token_file: at("token"), ..any() };
    let server = Server::with(config, &["a"]);
    let url = format!("https://127.0.0.1:{}", server.running.address.port());
    let ctl = |more: &[&str]| {
        let all: Vec<&str> = ["ctl", "--at", &url].iter().chain(more).copied().collect();
        scratch.run(&all)
    };
    let ca = ["--tls-ca", "cert.pem"];
    let ran = ctl(&[&ca[..], &["--token-file", "token", "calls"]].concat()).ends(0);
    assert!(ran.out.starts_with("a  "), "{}", ran.out);
    assert!(ctl(&[&ca[..], &["calls"]].concat()).ends(2).err.contains("token_needed"));
    assert!(ctl(&[&ca[..], &["--token-file", "other", "calls"]].concat()).ends(2).err.contains("token_needed"));
    assert!(ctl(&["--token-file", "token", "calls"]).ends(2).err.contains("--tls-ca"));
    let plain = scratch.run(&["ctl", "--at", "http://10.0.0.1:1", "--token-file", "token", "calls"]).ends(2);
    assert!(plain.err.contains("https"), "{}", plain.err);
}

#[test]
fn on_loopback_a_token_keeps_other_users_out() {
    let scratch = Scratch::new("http-token");
    scratch.file("token", b"0123456789abcdef0123456789abcdef");
    let server = Server::with(HttpConfig { token_file: Some(scratch.at("token")), ..any() }, &["a"]);
    for path in ["/v1/calls", "/v1/events", "/metrics", "/v1/page", "/v1/nothing"] {
        let answered = server.get(path);
        answered.problem(401, "token_needed");
        assert!(answered.head.contains("www-authenticate: bearer"), "{}", answered.head);
    }
    for path in ["/", "/page.js", "/page.css", "/words.js", "/health", "/openapi.json"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef";
    assert_eq!(server.send("GET", "/v1/calls", &[bearer], "").status, 200);
    for wrong in [
        "Authorization: Bearer 0123456789abcdef0123456789abcdeF",
        "Authorization: Bearer",
        "Authorization: Basic 0123456789abcdef0123456789abcdef",
    ] {
        server.send("GET", "/v1/calls", &[wrong], "").problem(401, "token_needed");
    }
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
        "oneside_http_answers_total{code=\"404\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(!text.contains("karin"), "{text}");
    let mut families = BTreeSet::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ") {
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
fn clients_that_hold_on_to_connections_do_not_shut_out_others_for_long() {
    let server = Server::new(&["a"]);
    let held: Vec<TcpStream> = (0..200).map(|_| server.connect()).collect();
    let begun = Instant::now();
    drop(held);
    let mut status = 0;
    while status != 200 && begun.elapsed() < Duration::from_secs(10) {
        let mut stream = server.connect();
        let asked =
            write!(stream, "GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.running.address);
        let mut text = String::new();
        if asked.is_ok() && stream.read_to_string(&mut text).is_ok() && text.len() > 12 {
            status = text[9..12].parse().unwrap();
        }
    }
    assert_eq!(status, 200);
    let mut idle = server.connect();
    let begun = Instant::now();
    idle.write_all(b"GET / HTT").unwrap();
    let _ = idle.read_to_end(&mut Vec::new());
    assert!(begun.elapsed() < Duration::from_secs(14), "a head that never ends is not waited for");
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
    let (page, script) = (server.get("/").body, server.get("/page.js").body);
    for used in page.split("data-word=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(keys[0].contains(used), "{used}");
    }
    for used in script.split("word('").skip(1).map(|rest| rest.split('\'').next().unwrap()) {
        assert!(keys[0].contains(used), "{used}");
    }
}

#[test]
fn ctl_does_from_a_shell_what_the_page_does() {
    let scratch = Scratch::new("ctl");
    let server = Server::new(&[]);
    let ctl = |arguments: &[&str]| server.ctl(&scratch, arguments);
    assert!(ctl(&["pause"]).ends(2).err.contains("no call is in hand"));
    assert!(ctl(&["open", "--call", "a", "--agent", "7"]).ends(0).out.starts_with("opened: a  "));
    let early = ctl(&["granted", "--act", "spoken_yes", "--purpose", "training"]).ends(4);
    assert!(early.err.contains("rejected") && early.err.contains("told"), "{}", early.err);
    assert!(ctl(&["told", "--notice", "std", "--version", "3"]).ends(0).out.starts_with("accepted: told counts from "));
    let yes = ctl(&["granted", "--act", "dtmf", "--digit", "1", "--purpose", "training", "--json"]).ends(0);
    assert_eq!(serde_json::from_str::<Value>(&yes.out).unwrap()["customer"], "open");
    for line in [
        &["pause"][..],
        &["resume"],
        &["hold"],
        &["retrieve"],
        &["private"],
        &["private", "--end"],
        &["mask", "10"],
        &["joined", "--party", "x"],
        &["left", "--party", "x"],
        &["withdrawn"],
        &["refused"],
    ] {
        ctl(line).ends(0);
    }
    assert!(ctl(&["state"]).ends(0).out.contains("a  "));
    assert!(ctl(&["mask", "0"]).ends(2).err.contains("seconds"));
    ctl(&["open", "--call", "b"]).ends(0);
    let which = ctl(&["pause"]).ends(2);
    assert!(which.err.contains("a, b") && which.err.contains("--call"), "{}", which.err);
    assert!(ctl(&["pause", "--call", "c"]).ends(2).err.contains("no call `c`"));
    assert!(ctl(&["--call", "b", "close"]).ends(0).out.starts_with("ended: b  "));
    assert!(ctl(&["ended"]).ends(0).out.contains("recorded"));
    assert_eq!(serde_json::from_str::<Value>(&ctl(&["calls", "--json"]).ends(0).out).unwrap()[0]["call"], "a");
    ctl(&["hung-up"]).ends(0);
    let gone = scratch.run(&["ctl", "--at", "http://127.0.0.1:9", "calls"]).ends(2);
    assert!(gone.err.contains("--http") && gone.err.contains("--at"), "{}", gone.err);
}

#[test]
fn ctl_watches_until_the_recorder_ends() {
    let scratch = Scratch::new("ctl-watch");
    let mut server = Server::new(&["a"]);
    let mut child = scratch.command(&["ctl", "--at", &server.running.url, "watch"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let first: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!((&first["event"], &first["data"][0]["call"]), (&json!("calls"), &json!("a")));
    server.post("/v1/calls/a/paused", &json!({}));
    assert!(lines.any(|line| line.contains("\"recording\":\"paused\"")));
    server.running.end();
    drop(lines);
    assert!(!child.wait().unwrap().success());
}

//! The canary over the live path: a call that nobody granted, through `oneside pipe`, and everything that it hands to the
//! system searched for the customer: files, messages, answers of the API, figures (ONE-01, ONE-02, CON-01).

use std::fs;
use std::sync::Arc;

use super::common::{Scratch, agent, canary, have, interleave};
use super::encode;
use super::hunt::{Hunt, likeness, traced};
use super::live_common::{Live, Pace, Sender, asked, pipe};

const SYSTEM_CALLS: &str =
    "trace=write,pwrite64,writev,pwritev,pwritev2,send,sendto,sendmsg,sendmmsg,sendfile,splice,tee,vmsplice,msync,mmap";
const SECONDS: usize = 8;
/// What is asked of each call while it runs, and why nothing of the customer is kept then.
const CASES: [(&str, &[(&str, &str)], &str); 5] = [
    ("silent", &[], "no_decision"),
    ("told", &[TOLD], "no_decision"),
    ("refused", &[TOLD, ("refused", "{}"), YES_OF_THE_AGENT], "refused"),
    ("untold", &[YES_OF_THE_AGENT], "no_decision"),
    ("ahead", &[TOLD, YES, ("withdrawn", "{}")], "withdrawn"),
];
const TOLD: (&str, &str) = ("told", r#"{"notice":"std","version":3}"#);
const YES: (&str, &str) = ("granted", r#"{"act":"dtmf","digit":"1","purpose":"p"}"#);
const YES_OF_THE_AGENT: (&str, &str) = ("granted", r#"{"act":"button","purpose":"p"}"#);

/// The customer as each coding of a stream gives her back.
fn customers(canary: &[i16]) -> Vec<Vec<i16>> {
    let through = |code: fn(i16) -> i16| canary.iter().map(|value| code(*value)).collect();
    vec![
        canary.to_vec(),
        through(|v| encode::from_mulaw(encode::mulaw(v))),
        through(|v| encode::from_alaw(encode::alaw(v))),
    ]
}

#[test]
fn a_live_call_that_nobody_granted_gives_no_sample_of_the_customer_to_the_system() {
    let (agent, canary) = (agent(SECONDS), canary(SECONDS, 31));
    let hunt = Hunt::of(customers(&canary));
    let codings: [(&str, encode::Put, usize); 3] = [
        ("s16le", encode::s16le, 2),
        ("mulaw", |v, b| b.push(encode::mulaw(v)), 1),
        ("alaw", |v, b| b.push(encode::alaw(v)), 1),
    ];
    std::thread::scope(|scope| {
        for (number, (case, asks, reason)) in CASES.into_iter().enumerate() {
            let (encoding, put, width) = codings[number % 3];
            let bytes = Arc::new(encode::body(&interleave(&[&agent, &canary]), put));
            let (hunt, canary) = (&hunt, &canary);
            scope.spawn(move || {
                let scratch = Scratch::new(&format!("pipe-canary-{case}"));
                // Four times as fast as it was spoken.
                let pace = Pace { burst: 640 * width, per_s: 64_000 * width, pause: None };
                watched(&scratch, encoding, &bytes, pace, asks, hunt);
                let manifest = scratch.json("out/call.json");
                assert_eq!(
                    (&manifest["result"], &manifest["customer"]["reason"]),
                    (&"recorded".into(), &reason.into())
                );
                assert!(!scratch.has("out/call.customer.wav"), "{case}");
                let stored = scratch.sound("out/call.agent.wav");
                let kept = stored.iter().filter(|value| **value != 0).count();
                assert!(kept > stored.len() / 5, "{case}: the agent was kept, {kept} samples");
                assert!(likeness(&stored, canary, 40) < 0.02, "{case}: the customer is heard");
            });
        }
    });
}

/// A call under `strace`: nothing that it hands to the system holds the customer.
fn watched(scratch: &Scratch, encoding: &str, bytes: &Arc<Vec<u8>>, pace: Pace, asks: &[(&str, &str)], hunt: &Hunt) {
    let strace = ["strace", "-f", "-qq", "-e", SYSTEM_CALLS, "-xx", "-s", "100000000", "-o", "trace.txt"];
    let traces = have("strace");
    let wrapper: &[&str] = if traces { &strace } else { &[] };
    fs::create_dir_all(scratch.at("tmp")).unwrap();
    let more = ["--http", "0", "--list", "--report", "--speech", "--json"];
    let mut arguments = pipe("call", &more);
    arguments.iter_mut().filter(|word| **word == "s16le").for_each(|word| *word = encoding);
    let mut command = scratch.through(wrapper, &arguments);
    command.env("TMPDIR", scratch.at("tmp"));
    let mut live = Live::start(command);
    let address = live.address();
    let sender = Sender::begin(live.input.take().unwrap(), bytes, pace);
    let mut seen = Vec::new();
    for (number, (kind, body)) in asks.iter().enumerate() {
        sender.wait(0.3 + number as f64 * 0.1);
        seen.push(asked(&address, "POST", &format!("/v1/calls/call/{kind}"), body).1);
    }
    sender.wait(1.5);
    for path in ["/v1/calls/call", "/v1/calls", "/metrics", "/health", "/"] {
        seen.push(asked(&address, "GET", path, "").1);
    }
    scratch.files("out").iter().for_each(|(file, bytes)| hunt.finds_nothing(file, bytes));
    sender.end();
    let ran = live.ended().ends(0);
    hunt.finds_nothing("standard error", ran.err.as_bytes());
    seen.iter().for_each(|answer| hunt.finds_nothing("an answer", answer.as_bytes()));
    if traces {
        let trace = fs::read_to_string(scratch.at("trace.txt")).unwrap();
        let written = traced(&trace);
        assert!(written.len() > 50_000, "the trace shows what was written: {} bytes", written.len());
        hunt.finds_nothing("a system call", &written);
        // A file that is mapped is written without a call.
        let mapped = trace.lines().find(|line| line.contains("MAP_SHARED") && line.contains("PROT_WRITE"));
        assert!(mapped.is_none_or(|line| line.contains("MAP_ANONYMOUS")), "{mapped:?}");
        fs::remove_file(scratch.at("trace.txt")).unwrap();
    }
    let left = scratch.files("out").into_iter().chain(scratch.files("tmp"));
    left.for_each(|(file, bytes)| hunt.finds_nothing(&file, &bytes));
    scratch.run(&["verify", "out"]).ends(0);
}

/// The control: with a grant she is found.
#[test]
fn the_hunt_finds_the_customer_of_a_live_call_that_was_granted() {
    let scratch = Scratch::new("pipe-canary-granted");
    let canary = canary(SECONDS, 32);
    let bytes = Arc::new(encode::body(&interleave(&[&agent(SECONDS), &canary]), encode::s16le));
    let mut live = Live::stereo(&scratch, "call", &["--worst-buffering-ms", "0"]);
    let address = live.address();
    let input = live.input.take().unwrap();
    for (kind, body) in [TOLD, YES] {
        assert_eq!(asked(&address, "POST", &format!("/v1/calls/call/{kind}"), body).0, 200);
    }
    Sender::begin(input, &bytes, Pace { burst: 65_536, per_s: 640_000, pause: None }).end();
    live.ended().ends(0);
    let track = fs::read(scratch.at("out/call.customer.wav")).unwrap();
    assert!(Hunt::of(vec![canary]).first(&track).is_some());
}

//! `oneside record` on a private PulseAudio daemon: real speech played by `paplay`, captured through cpal by the program
//! itself, and what it stored compared with what was played.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::capture::{HZ, PLAY_HZ, correlate, inside, pactl, play, speech, wav};
use crate::common::Scratch;
use crate::live_common::{Live, asked, until};

/// Who talks when in the sample call, at [`HZ`]: seconds in which the customer talks.
const CUSTOMER_TALKS: std::ops::Range<usize> = 5..10;

struct Sidecar {
    live: Live,
    address: String,
}

impl Sidecar {
    fn begin(scratch: &Scratch, more: &[&str]) -> Sidecar {
        let ack = scratch.at("ack.jsonl");
        let ack = ack.to_str().unwrap();
        scratch.run(&["acknowledge", "--file", ack, "--agent", "a1", "--version", "v1", "--yes"]).ends(0);
        let mut arguments = vec!["record", "--agent-device", "agent_mic", "--customer-device", "agent_phones"];
        arguments.extend(["--out", "out", "--agent", "a1", "--acknowledged", ack, "--rules-version", "v1"]);
        arguments.extend(["--http", "0", "--purpose", "training"]);
        arguments.extend(more);
        let live = Live::start(scratch.command(&arguments));
        let address = live.address();
        Sidecar { live, address }
    }

    fn ask(&self, path: &str, body: Value) -> Value {
        let (status, text) = asked(&self.address, "POST", path, &body.to_string());
        assert!(status < 300, "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn get(&self, path: &str) -> Value {
        serde_json::from_str(&asked(&self.address, "GET", path, "").1).unwrap_or_default()
    }

    /// The devices begin to deliver up to 2 s after they were opened.
    fn runs(&self, call: &str) {
        until("the call's time runs", || self.get(&format!("/v1/calls/{call}"))["seconds"].as_f64() > Some(0.5));
    }

    fn close(&self, call: &str) -> Value {
        self.ask(&format!("/v1/calls/{call}/close"), json!({}))
    }
}

/// Both sides of the sample call, as a file to play.
fn both_sides(name: &str) -> (String, f64) {
    let (agent, customer) = speech(PLAY_HZ);
    let both: Vec<i16> = agent.iter().zip(&customer).flat_map(|(a, c)| [*a, *c]).collect();
    (wav(name, 2, &both), agent.len() as f64 / f64::from(PLAY_HZ))
}

#[test]
fn a_call_is_captured_and_the_customer_is_there_from_the_grant_on_and_nowhere_without_one() {
    let test = "record::a_call_is_captured_and_the_customer_is_there_from_the_grant_on_and_nowhere_without_one";
    if !inside(test) {
        return;
    }
    let scratch = Scratch::new("record");
    let (file, seconds) = both_sides("record");
    let (agent, customer) = speech(HZ);
    let sidecar = Sidecar::begin(&scratch, &["--list"]);

    // Nobody is asked: the customer is nowhere.
    sidecar.ask("/v1/calls", json!({ "call": "without" }));
    sidecar.runs("without");
    assert!(play("call", &file).wait().unwrap().success());
    let ended = sidecar.close("without");
    assert_eq!((ended["result"].as_str(), ended["customer_s"].as_f64()), (Some("recorded"), Some(0.0)), "{ended}");
    assert!(!scratch.has("out/without.customer.wav"));
    let stored = scratch.sound("out/without.agent.wav");
    let (lag, own) = correlate(&stored, &agent);
    let (_, other) = correlate(&stored, &customer);
    println!("without a grant: agent {own:.4} at {lag:.0}, customer in it {other:.4}");
    assert!(own > 0.9 && other.abs() < 0.3, "{own} {other}");

    // The grant comes while the customer talks.
    sidecar.ask("/v1/calls", json!({ "call": "with" }));
    sidecar.runs("with");
    let began = Instant::now();
    let mut player = play("call", &file);
    sidecar.ask("/v1/calls/with/told", json!({ "notice": "n", "version": 1 }));
    let talks = CUSTOMER_TALKS.start as f64 + 2.0;
    std::thread::sleep(Duration::from_secs_f64(talks).saturating_sub(began.elapsed()));
    let answer = sidecar.ask("/v1/calls/with/granted", json!({ "act": "button", "purpose": "training" }));
    assert!(player.wait().unwrap().success());
    std::thread::sleep(Duration::from_millis(500));
    sidecar.close("with");
    let kept = scratch.sound("out/with.customer.wav");
    let from = answer["sample"].as_u64().unwrap() as usize;
    assert!(kept[..from].iter().all(|sample| *sample == 0), "nothing before the grant");
    assert!(kept[from..from + HZ as usize / 2].iter().any(|sample| *sample != 0), "and what comes from there on");
    // What was kept is what the customer said from then on.
    let said = &customer[(talks as usize + 1) * HZ as usize..];
    let (_, own) = correlate(&kept[from..], said);
    println!("with a grant from sample {from} of {:.1} s played: customer {own:.4}", seconds);
    assert!(own > 0.9, "{own}");
    let ran = sidecar.live;
    ran.signal("TERM");
    let ran = ran.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    scratch.run(&["verify", "out"]).ends(0);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_device_that_is_unplugged_shows_and_calls_begin_and_end_by_what_is_heard() {
    let test = "record::a_device_that_is_unplugged_shows_and_calls_begin_and_end_by_what_is_heard";
    if !inside(test) {
        return;
    }
    let scratch = Scratch::new("record-auto");
    let (file, _) = both_sides("record-auto");
    let sidecar = Sidecar::begin(&scratch, &["--auto", "--auto-silence-s", "3"]);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(sidecar.get("/v1/calls"), json!([]), "silence is no call");
    let mut player = play("call", &file);
    until("a call begins by what is heard", || {
        sidecar.get("/v1/calls").as_array().is_some_and(|calls| calls.len() == 1)
    });
    assert!(player.wait().unwrap().success());
    until("it ends by silence", || sidecar.get("/v1/calls") == json!([]));
    let ended = sidecar.get("/v1/ended")[0].clone();
    assert_eq!(ended["result"], "recorded", "{ended}");
    // The agent's greeting, before the customer's first word, is there.
    let name = ended["stored_as"].as_str().unwrap().to_owned();
    let (agent, _) = speech(HZ);
    let (_, own) = correlate(&scratch.sound(&format!("out/{name}.agent.wav")), &agent);
    println!("by what was heard: agent {own:.4}");
    assert!(own > 0.9, "{own}");

    sidecar.ask("/v1/calls", json!({ "call": "unplugged" }));
    sidecar.runs("unplugged");
    // Away with the monitor on which both devices stand.
    let modules = pactl(&["list", "short", "modules"]);
    let remap = modules.lines().find(|line| line.contains("source_name=agent_mic")).expect("it is loaded");
    let gone = Instant::now();
    pactl(&["unload-module", remap.split_whitespace().next().unwrap()]);
    until("the state says so", || sidecar.get("/v1/calls/unplugged")["recording"] == "not_recording");
    println!("not recording after {} ms", gone.elapsed().as_millis());
    assert!(gone.elapsed() < Duration::from_millis(1_500), "{:?}", gone.elapsed());
    assert_eq!(asked(&sidecar.address, "GET", "/health", "").0, 503);
    let ended = sidecar.close("unplugged");
    assert_eq!(ended["result"], "recorded", "{ended}");
    let ran = sidecar.live;
    ran.signal("TERM");
    let ran = ran.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("NOT RECORDING"), "{}", ran.err);
    scratch.run(&["verify", "out"]).ends(0);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn the_customer_in_the_microphone_before_the_agent_speaks_is_not_kept_as_the_agents() {
    let test = "record::the_customer_in_the_microphone_before_the_agent_speaks_is_not_kept_as_the_agents";
    if !inside(test) {
        return;
    }
    let scratch = Scratch::new("record-bleed");
    // The customer talks alone for 6 s, and leaks into the microphone at −30 dB, 30 ms late; then the agent speaks.
    let (agent, customer) = speech(PLAY_HZ);
    let hz = PLAY_HZ as usize;
    let said = &customer[11 * hz..15 * hz];
    let mut both = Vec::new();
    for n in 0..8 * hz {
        let leak = n.checked_sub(hz * 30 / 1_000).and_then(|n| said.get(n)).map_or(0, |sample| sample / 32);
        let own = n.checked_sub(5 * hz).map_or(0, |n| agent[hz / 2 + n]);
        both.extend([leak + own, said.get(n).copied().unwrap_or(0)]);
    }
    let file = wav("record-bleed", 2, &both);
    let sidecar = Sidecar::begin(&scratch, &["--auto", "--auto-silence-s", "3"]);
    std::thread::sleep(Duration::from_secs(3));
    let mut player = play("call", &file);
    assert!(player.wait().unwrap().success());
    until("a call by sound is over", || sidecar.get("/v1/ended").as_array().is_some_and(|calls| !calls.is_empty()));
    let name = sidecar.get("/v1/ended")[0]["stored_as"].as_str().unwrap().to_owned();
    let ran = sidecar.live;
    ran.signal("TERM");
    ran.ended().ends(0);
    let stored = scratch.sound(&format!("out/{name}.agent.wav"));
    let (_, customer) = speech(HZ);
    let (_, other) = correlate(&stored, &customer[11 * HZ as usize..15 * HZ as usize]);
    let first = stored.iter().position(|sample| *sample != 0).expect("the agent is there");
    println!(
        "customer's likeness in the agent's file {other:.4}; first sound at {:.2} s",
        first as f64 / f64::from(HZ)
    );
    assert!(other.abs() < 0.3, "{other}");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_sound_system_that_dies_shows_and_does_not_hold_up_the_end() {
    let test = "record::a_sound_system_that_dies_shows_and_does_not_hold_up_the_end";
    if !inside(test) {
        return;
    }
    let scratch = Scratch::new("record-dies");
    let sidecar = Sidecar::begin(&scratch, &[]);
    sidecar.ask("/v1/calls", json!({ "call": "dies" }));
    sidecar.runs("dies");
    let gone = Instant::now();
    pactl(&["exit"]);
    until("the state says so", || sidecar.get("/v1/calls/dies")["recording"] == "not_recording");
    println!("not recording after {} ms", gone.elapsed().as_millis());
    assert!(gone.elapsed() < Duration::from_secs(3), "{:?}", gone.elapsed());
    let ran = sidecar.live;
    ran.signal("TERM");
    let ran = ran.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("NOT RECORDING"), "{}", ran.err);
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn nothing_is_captured_before_the_agent_has_acknowledged() {
    let scratch = Scratch::new("record-ack");
    let devices =
        ["record", "--agent-device", "x", "--customer-device", "y", "--out", "out", "--agent", "a1", "--auto"];
    scratch.run(&devices).ends(4).complains(&["INF-04"]);
    let missing = [&devices[..], &["--acknowledged", "ack.jsonl", "--rules-version", "v1"]].concat();
    scratch.run(&missing).ends(4).complains(&["INF-04", "a1"]);
    scratch.run(&["acknowledge", "--file", "ack.jsonl", "--agent", "a1", "--version", "v0", "--yes"]).ends(0);
    scratch.run(&missing).ends(4).complains(&["v1"]);
    assert!(!scratch.has("out"), "nothing was made");
}

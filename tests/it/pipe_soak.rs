//! A long call through the pipe, faster than it was spoken: memory stays where it was, and not a frame is lost (ROB-04).

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use super::common::{RATE, Scratch, agent, canary, interleave};
use super::encode;
use super::live_common::{BYTES_PER_S, Live, asked, pipe};

/// Times real time.
const SPEED: usize = 20;
/// What a call may take: the program and its HTTP API, a ring of 5 s, 64 KiB blocks, and what the detector knows.
const KIB_MAX: u64 = 32 * 1_024;

/// A size of a process, KiB, as the kernel says it.
fn size(id: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("the kernel says it");
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

fn soak(name: &str, minutes: usize) {
    let scratch = Scratch::new(name);
    let minute = encode::body(&interleave(&[&agent(60), &canary(60, 51)]), encode::s16le);
    let more = ["--http", "0", "--speech", "--report", "--list", "--worst-buffering-ms", "100"];
    let mut live = Live::start(scratch.command(&pipe("call", &more)));
    let address = live.address();
    for (kind, body) in
        [("told", r#"{"notice":"n","version":1}"#), ("granted", r#"{"act":"dtmf","digit":"1","purpose":"p"}"#)]
    {
        assert_eq!(asked(&address, "POST", &format!("/v1/calls/call/{kind}"), body).0, 200);
    }
    let mut input = live.input.take().unwrap();
    let (begun, mut sent, mut early) = (Instant::now(), 0, 0);
    for number in 0..minutes {
        for packet in minute.chunks(BYTES_PER_S / 50) {
            let moment = Duration::from_secs_f64(sent as f64 / (BYTES_PER_S * SPEED) as f64);
            std::thread::sleep((begun + moment).saturating_duration_since(Instant::now()));
            input.write_all(packet).unwrap();
            sent += packet.len();
            if number == 0 && sent == minute.len() * 2 / 3 {
                early = size(live.id(), "VmHWM:");
            }
        }
    }
    let peak = size(live.id(), "VmHWM:");
    println!("{minutes} min at {SPEED} times real time: {early} KiB early, {peak} KiB at the end");
    drop(input);
    live.ended().ends(0);
    assert!(early > 1_000 && peak <= KIB_MAX, "{peak} KiB, at most {KIB_MAX}");
    // The talk line fills within a minute, a journal's line is soon as long as it gets.
    assert!(peak - early <= 2_048, "{early} KiB became {peak} KiB");
    let manifest = scratch.json("out/call.json");
    let frames = minutes * 60 * RATE as usize;
    assert_eq!(manifest["length_samples"], frames);
    for side in ["agent", "customer"] {
        let account = &manifest["tally"][side];
        assert_eq!(account["heard"], frames);
        assert_eq!((account["left_out"].get("lost"), account["left_out"].get("absent")), (None, None), "{account}");
    }
    assert_eq!(manifest["live"]["losses"], serde_json::json!([]));
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn a_minute_at_twenty_times_real_time_loses_nothing_and_takes_no_more_memory() {
    soak("soak-minute", 1);
}

/// Takes three minutes.
#[test]
#[ignore = "long: an hour of sound"]
fn an_hour_at_twenty_times_real_time_loses_nothing_and_takes_no_more_memory() {
    soak("soak-hour", 60);
}

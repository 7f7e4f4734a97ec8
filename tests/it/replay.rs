//! A live call made again from its list of inputs (`oneside replay`): the same bit for bit, or it says what differs. That
//! calls in real time replay, with everything that was asked of them, stands in `pipe_consent.rs`.

use std::fs;
use std::io::Write;

use super::common::{RATE, Scratch, agent, canary, interleave};
use super::encode;
use super::live_common::{Live, STEREO, asked, pipe, replays};

/// A call of seven seconds with a grant, and what was sent.
fn granted(scratch: &Scratch, more: &[&str]) -> Vec<u8> {
    let bytes = encode::body(&interleave(&[&agent(7), &canary(7, 41)]), encode::s16le);
    let flags = [&["--http", "0", "--list", "--worst-buffering-ms", "0"], more].concat();
    let mut live = Live::start(scratch.command(&pipe("call", &flags)));
    let address = live.address();
    for (kind, body) in
        [("told", r#"{"notice":"n","version":1}"#), ("granted", r#"{"act":"dtmf","digit":"1","purpose":"p"}"#)]
    {
        assert_eq!(asked(&address, "POST", &format!("/v1/calls/call/{kind}"), body).0, 200);
    }
    live.input.take().unwrap().write_all(&bytes).unwrap();
    live.ended().ends(0);
    assert!(scratch.has("out/call.customer.wav"));
    bytes
}

fn replay<'a>(sound: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["replay", "out/call.inputs.jsonl", "--audio", sound, "--out", out][..], &STEREO[..6], more].concat()
}

#[test]
fn a_call_is_made_again_bit_for_bit_and_every_output_of_it() {
    let scratch = Scratch::new("replay-same");
    let bytes = granted(&scratch, &["--speech", "--report"]);
    replays(&scratch, "call", &bytes, &STEREO[..6]);
    for kind in ["agent.wav", "customer.wav", "speech.wav", "timeline.csv", "svg"] {
        let [then, now] = ["out", "again"].map(|dir| fs::read(scratch.at(&format!("{dir}/call.{kind}"))).unwrap());
        assert!(then == now, "{kind}");
    }
    // As a file with a header it is the same sound.
    scratch.file("sent.wav", &encode::wav16(&interleave(&[&agent(7), &canary(7, 41)]), 2, RATE));
    let wav = ["replay", "out/call.inputs.jsonl", "--audio", "sent.wav", "--out", "wav", "--check"];
    scratch.run(&wav).ends(0).says(&["bit for bit"]);
    scratch.run(&["verify", "again"]).ends(0);
    // What stands is never made again over itself.
    scratch.run(&replay("sent-call.raw", "again", &[])).ends(4).complains(&["stands there"]);
}

#[test]
fn another_sound_is_told_from_the_one_that_came_in() {
    let scratch = Scratch::new("replay-other");
    let mut bytes = granted(&scratch, &[]);
    let one = bytes.len() / 2 + 2; // a sample of the customer's
    bytes[one] ^= 1;
    scratch.file("other.raw", &bytes);
    // Another customer's voice would be kept under this call's grant: not unless somebody insists.
    let ran = scratch.run(&replay("other.raw", "again", &["--check"])).ends(1);
    ran.complains(&["not the sound that came in", "nothing was kept"]);
    assert!(!scratch.has("again/call.customer.wav") && !scratch.has("again/call.json"));
    let ran = scratch.run(&replay("other.raw", "again", &["--check", "--other-sound"])).ends(1);
    ran.complains(&["not the sound that came in", "digest"]);
    ran.says(&["customer.wav", "differ"]);
    assert!(!ran.out.contains("agent.wav"), "the agent's track is the same: {}", ran.out);
    let ran = scratch.run(&replay("other.raw", "unchecked", &["--other-sound"])).ends(0);
    ran.complains(&["digest"]);
    // A difference that no output shows is one all the same: the customer before the grant.
    bytes[one] ^= 1;
    let silent = bytes.len() - 1;
    bytes.truncate(silent - 3);
    scratch.file("shorter.raw", &bytes);
    let ran = scratch.run(&replay("shorter.raw", "short", &["--check", "--other-sound"])).ends(1);
    ran.says(&["the length differs"]);
}

#[test]
fn a_change_that_no_output_shows_is_told_by_the_digest_alone() {
    let scratch = Scratch::new("replay-unseen");
    let mut bytes = encode::body(&interleave(&[&agent(7), &canary(7, 42)]), encode::s16le);
    let mut live = Live::start(scratch.command(&pipe("call", &["--list"])));
    live.input.take().unwrap().write_all(&bytes).unwrap();
    live.ended().ends(0);
    bytes[2] ^= 1; // the customer's first sample, which nobody granted
    scratch.file("other.raw", &bytes);
    let ran = scratch.run(&replay("other.raw", "again", &["--check"])).ends(1);
    ran.complains(&["not the sound that came in", "digest"]);
    assert!(!scratch.has("again/call.agent.wav"));
}

#[test]
fn what_cannot_be_replayed_is_refused_and_writes_no_call() {
    let scratch = Scratch::new("replay-refused");
    let bytes = granted(&scratch, &[]);
    scratch.file("sent.raw", &bytes);
    scratch.file("one.wav", &encode::wav16(&agent(2), 1, RATE));
    let list = fs::read_to_string(scratch.at("out/call.inputs.jsonl")).unwrap();
    scratch.file("cut.jsonl", &list.as_bytes()[..100]);
    let refused = |list: &str, sound: &str, format: &[&str], words: &[&str]| {
        let arguments = [&["replay", list, "--audio", sound, "--out", "again"], format].concat();
        scratch.run(&arguments).ends(2).complains(words);
        assert!(!scratch.has("again/call.json"), "{arguments:?}");
    };
    let raw = &STEREO[..6];
    refused("nowhere.jsonl", "sent.raw", raw, &["nowhere.jsonl"]);
    refused("cut.jsonl", "sent.raw", raw, &["no list of inputs"]);
    refused("out/call.json", "sent.raw", raw, &["no list of inputs"]);
    refused("out/call.inputs.jsonl", "nowhere.raw", raw, &["nowhere.raw"]);
    refused("out/call.inputs.jsonl", "one.wav", &[], &["2 channel(s)", "1 at"]);
    refused("out/call.inputs.jsonl", "sent.raw", &["--raw", "s16le", "--rate", "16000", "--channels", "2"], &["16000"]);
    assert!(!list.contains("sound") && list.len() < 4_000, "it holds no sample");
}

//! `oneside pipe` as fast as its sender sends: whoever sends, in whatever pieces and through whatever kind of pipe, the
//! agent's track is the one that `batch` makes of the same sound (ING-01, ROB-04).

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use super::common::{RATE, Ran, Scratch, agent, canary, have, interleave};
use super::encode;
use super::live_common::{BYTES_PER_S, Live, STEREO, pipe, replays, until};
use super::skipped::skipped;

fn call(seconds: usize, seed: u64) -> Vec<i16> {
    interleave(&[&agent(seconds), &canary(seconds, seed)])
}

/// Runs a pipe that is sent these pieces at once.
fn piped(scratch: &Scratch, arguments: &[&str], pieces: Vec<Vec<u8>>) -> Ran {
    let mut live = Live::start(scratch.command(arguments));
    let mut input = live.input.take().unwrap();
    let sender = thread::spawn(move || pieces.iter().try_for_each(|piece| input.write_all(piece)));
    let ran = live.ended();
    let _ = sender.join().unwrap(); // a command that was refused reads nothing
    ran
}

/// The agent's track that `batch` makes of these bytes.
fn by_batch(name: &str, file: &str, bytes: &[u8], flags: &[&str]) -> Vec<u8> {
    let scratch = Scratch::new(&format!("{name}-by-batch"));
    scratch.file(&format!("in/{file}"), bytes);
    scratch.run(&[&["batch", "in", "--out", "out"], flags].concat()).ends(0);
    fs::read(scratch.at("out/call.agent.wav")).unwrap()
}

fn same_track(scratch: &Scratch, call: &str, expected: &[u8]) {
    let stored = fs::read(scratch.at(&format!("out/{call}.agent.wav"))).unwrap();
    assert!(expected.len() > 44 + RATE as usize, "there is something to compare");
    assert!(stored == expected, "{call}: another track than batch makes of the same sound");
    assert!(!scratch.has(&format!("out/{call}.customer.wav")), "{call}");
}

#[test]
fn in_whatever_pieces_the_sound_comes_the_agents_track_is_the_one_of_a_batch() {
    let scratch = Scratch::new("pipe-pieces");
    let bytes = encode::body(&call(7, 1), encode::s16le);
    let expected = by_batch("pipe-pieces", "call.raw", &bytes, &STEREO);
    for (name, sizes) in
        [("one", &[1][..]), ("bursts", &[65_536]), ("odd", &[3, 1, 4_093, 7, 65_537, 2]), ("all", &[usize::MAX])]
    {
        let (mut pieces, mut from) = (Vec::new(), 0);
        for size in sizes.iter().cycle() {
            let until = from + (*size).min(bytes.len() - from);
            pieces.push(bytes[from..until].to_vec());
            from = until;
            if from == bytes.len() {
                break;
            }
        }
        piped(&scratch, &pipe(name, &["--list"]), pieces).ends(0);
        same_track(&scratch, name, &expected);
        replays(&scratch, name, &bytes, &STEREO[..6]);
    }
    // Half a sample frame at the end is none.
    piped(&scratch, &pipe("half", &[]), vec![bytes.clone(), vec![7; 3]]).ends(0);
    same_track(&scratch, "half", &expected);
    scratch.run(&["verify", "out"]).ends(0);
}

/// Each encoding as sox and ffmpeg name it: to sox with and without a header, to ffmpeg without and with one.
const SENT: [(&str, &[&str], &str, &str); 3] = [
    ("s16le", &["-e", "signed-integer", "-b", "16"], "s16le", "pcm_s16le"),
    ("mulaw", &["-e", "mu-law", "-b", "8"], "mulaw", "pcm_mulaw"),
    ("alaw", &["-e", "a-law", "-b", "8"], "alaw", "pcm_alaw"),
];

#[test]
fn sox_and_ffmpeg_send_raw_and_streaming_wav_of_every_encoding() {
    let scratch = Scratch::new("pipe-senders");
    scratch.file("call.wav", &encode::wav16(&call(7, 2), 2, RATE));
    for (encoding, for_sox, raw, codec) in SENT {
        let sox = |kind: &'static str| [&["sox", "-D", "call.wav", "-t", kind], for_sox, &["-"]].concat();
        let ffmpeg =
            |kind: &'static str| vec!["ffmpeg", "-v", "error", "-i", "call.wav", "-f", kind, "-c:a", codec, "-"];
        let senders = [sox("raw"), sox("wav"), ffmpeg(raw), ffmpeg("wav")];
        for (sender, kind) in senders.iter().zip(["raw", "wav", "raw", "wav"]) {
            if !have(sender[0]) {
                continue;
            }
            let name = format!("{}-{kind}-{encoding}", sender[0]);
            let spawn = || {
                let mut command = Command::new(sender[0]);
                command.args(&sender[1..]).current_dir(scratch.at("")).stdin(Stdio::null()).stderr(Stdio::null());
                command.stdout(Stdio::piped()).spawn().unwrap()
            };
            let bytes = spawn().wait_with_output().unwrap().stdout;
            let format: &[&str] =
                if kind == "raw" { &["--raw", encoding, "--rate", "8000", "--channels", "2"] } else { &[] };
            let flags = [format, &["--agent-channel", "left"]].concat();
            let expected = by_batch(&format!("pipe-{name}"), &format!("call.{kind}"), &bytes, &flags);
            let arguments = [&["pipe", "--call", &name, "--out", "out"], &flags[..]].concat();
            let mut command = scratch.command(&arguments);
            let mut sending = spawn();
            command.stdin(sending.stdout.take().unwrap());
            Ran::of(command.output().unwrap(), &arguments).ends(0);
            sending.wait().unwrap();
            same_track(&scratch, &name, &expected);
        }
    }
}

#[test]
fn a_stream_of_one_party_says_whose_it_is() {
    let scratch = Scratch::new("pipe-party");
    let (agent, customer) = (encode::body(&agent(7), encode::s16le), encode::body(&canary(7, 3), encode::s16le));
    let one = |name| ["pipe", "--call", name, "--out", "out", "--raw", "s16le", "--rate", "8000", "--channels", "1"];
    piped(&scratch, &[&one("agent")[..], &["--party", "agent"]].concat(), vec![agent]).ends(0);
    let stored = scratch.sound("out/agent.agent.wav");
    assert!(stored.iter().filter(|v| **v != 0).count() > stored.len() / 4, "the agent is kept");
    assert!(!scratch.has("out/agent.customer.wav"));
    piped(&scratch, &[&one("customer")[..], &["--party", "customer"]].concat(), vec![customer.clone()]).ends(0);
    assert!(scratch.sound("out/customer.agent.wav").iter().all(|v| *v == 0));
    assert!(!scratch.has("out/customer.customer.wav"), "nobody granted anything");
    piped(&scratch, &[&one("mix")[..], &["--agent-channel", "left"]].concat(), vec![customer])
        .ends(2)
        .complains(&["--party"]);
    scratch.run(&["verify", "out"]).ends(0);
}

fn fifo(scratch: &Scratch, name: &str) -> bool {
    let made = Command::new("mkfifo").arg(scratch.at(name)).status();
    made.is_ok_and(|status| status.success()) || {
        skipped("no mkfifo");
        false
    }
}

#[test]
fn a_fifo_is_read_by_its_name_and_by_an_inherited_descriptor() {
    let scratch = Scratch::new("pipe-fifo");
    if !fifo(&scratch, "in.fifo") || !have("bash") {
        return;
    }
    let bytes = encode::body(&call(7, 4), encode::s16le);
    let expected = by_batch("pipe-fifo", "call.raw", &bytes, &STEREO);
    let send = || {
        let (path, bytes) = (scratch.at("in.fifo"), bytes.clone());
        thread::spawn(move || File::options().write(true).open(path).unwrap().write_all(&bytes).unwrap())
    };
    let sender = send();
    scratch.run(&pipe("named", &["in.fifo"])).ends(0);
    sender.join().unwrap();
    same_track(&scratch, "named", &expected);
    let sender = send();
    let wrapper = ["bash", "-c", "exec \"$0\" \"$@\" 3<in.fifo"];
    let arguments = pipe("inherited", &["--fd", "3"]);
    Ran::of(scratch.through(&wrapper, &arguments).output().unwrap(), &arguments).ends(0);
    sender.join().unwrap();
    same_track(&scratch, "inherited", &expected);
}

#[test]
fn consent_on_a_control_descriptor_counts_and_is_answered_on_standard_error() {
    let scratch = Scratch::new("pipe-control");
    if !fifo(&scratch, "control.fifo") || !have("bash") {
        return;
    }
    let (agent, customer) = (agent(12), canary(12, 5));
    let bytes = encode::body(&interleave(&[&agent, &customer]), encode::s16le);
    let wrapper = ["bash", "-c", "exec \"$0\" \"$@\" 4<control.fifo"];
    let arguments = pipe("call", &["--control-fd", "4", "--list", "--worst-buffering-ms", "0"]);
    let mut live = Live::start(scratch.through(&wrapper, &arguments));
    let mut control = File::options().write(true).open(scratch.at("control.fifo")).unwrap();
    let mut input = live.input.take().unwrap();
    let half = 6 * BYTES_PER_S;
    input.write_all(&bytes[..half]).unwrap();
    writeln!(control, r#"{{"event":"granted","act":"dtmf","digit":"1","purpose":"training"}}"#).unwrap();
    writeln!(control, "not a word\n").unwrap();
    // What was not understood may have been a no: the customer's side is shut until somebody says otherwise.
    until("the line is answered", || live.said().contains("control line 2: "));
    assert!(live.said().contains("the customer's side is shut (held)"), "{}", live.said());
    writeln!(control, r#"{{"event":"retrieved"}}"#).unwrap();
    writeln!(control, r#"{{"event":"told","notice":"std","version":3}}"#).unwrap();
    writeln!(control, r#"{{"event":"granted","act":"dtmf","digit":"1","purpose":"training","at":1.5}}"#).unwrap();
    until("the grant is answered", || live.said().contains("control line 6: {"));
    input.write_all(&bytes[half..]).unwrap();
    drop(input);
    let ran = live.ended().ends(0);
    ran.complains(&["control line 1:", "rejected", "not_informed"]);
    ran.complains(&["control line 2:", "not understood"]);
    ran.complains(&["control line 6:", "accepted", "\"customer\":\"open\""]);
    let said = ran.err.lines().find_map(|line| line.split_once("control line 6: ")).unwrap().1;
    let answer: serde_json::Value = serde_json::from_str(said).unwrap();
    let from = answer["sample"].as_u64().unwrap() as usize;
    assert!(
        (6 * RATE as usize - 70_000 / 4..12 * RATE as usize).contains(&from),
        "it counts from when it came: {from}"
    );
    let stored = scratch.sound("out/call.customer.wav");
    assert!(stored[..from].iter().all(|v| *v == 0) && stored[from..] == customer[from..]);
    scratch.run(&["verify", "out"]).ends(0);
    replays(&scratch, "call", &bytes, &STEREO[..6]);
}

#[test]
fn names_can_be_hashed_and_one_that_is_taken_gets_a_number() {
    let scratch = Scratch::new("pipe-names");
    let bytes = encode::body(&call(3, 6), encode::s16le);
    piped(&scratch, &pipe("call", &[]), vec![bytes.clone()]).ends(0);
    let first = scratch.files("out");
    let ran = piped(&scratch, &pipe("call", &["--json"]), vec![bytes.clone()]).ends(0);
    ran.complains(&["call-2", "stands already"]);
    ran.complains(&["\"call\":\"call\"", "\"stored_as\":\"call-2\"", "\"result\":\"recorded\""]);
    let second = scratch.files("out");
    assert!(first.iter().all(|(file, kept)| second[file] == *kept), "the first one is untouched");
    assert!(scratch.has("out/call-2.json"));
    scratch.file("key", b"0123456789abcdef");
    let out = ["--out", "hashed", "--names", "hash", "--names-key", "key", "--speech", "--report", "--list"];
    let hashed = [&["pipe", "--call", "4670-555-0147"][..], &STEREO, &out].concat();
    piped(&scratch, &hashed, vec![bytes]).ends(0);
    for (file, content) in scratch.files("hashed") {
        let there = |bytes: &[u8]| bytes.windows(8).any(|part| part == b"555-0147");
        assert!(!there(file.as_bytes()) && !there(&content), "{file} shows the number");
    }
    for out in ["out", "hashed"] {
        scratch.run(&["verify", out]).ends(0);
    }
}

#[test]
fn what_cannot_be_recorded_is_refused_with_its_remedy_and_writes_nothing() {
    let scratch = Scratch::new("pipe-refused");
    let bytes = encode::body(&call(1, 7), encode::s16le);
    let wav = encode::wav16(&call(1, 7), 2, RATE);
    let refused = |arguments: &[&str], input: &[u8], words: &[&str]| {
        let ran = piped(&scratch, &[&["pipe"], arguments].concat(), vec![input.to_vec()]).ends(2);
        let flat = ran.err.replace('\n', " ");
        assert!(words.iter().all(|word| flat.contains(word)), "{arguments:?}: {}", ran.err);
        assert!(!scratch.has("out"), "{arguments:?}");
    };
    let to = ["--call", "call", "--out", "out"];
    let with = |more: &[&'static str]| [&to[..], &STEREO, more].concat();
    refused(&["--out", "out"], &bytes, &["--call"]);
    refused(&["--call", "call"], &bytes, &["--out"]);
    refused(&to, &wav, &["--agent-channel"]);
    refused(&[&to[..], &["--raw", "s16le", "--agent-channel", "left"]].concat(), &bytes, &["--rate"]);
    refused(&[&to[..], &["--agent-channel", "left", "--channels", "2"]].concat(), &wav, &["--raw"]);
    refused(
        &[&to[..], &["--raw", "mp3", "--rate", "8000", "--channels", "2", "--agent-channel", "left"]].concat(),
        &bytes,
        &["mp3"],
    );
    refused(&[&to[..], &["--agent-channel", "7"]].concat(), &wav, &["channel"]);
    refused(&[&to[..], &["--party", "agent"]].concat(), &wav, &["2 channels"]);
    refused(&[&to[..], &["--party", "both"]].concat(), &wav, &["both"]);
    refused(&with(&["--fd", "3", "in"]), &bytes, &["--fd"]);
    refused(&with(&["--fd", "77"]), &bytes, &["77", "inherited"]);
    refused(&with(&["nowhere.fifo"]), &bytes, &["nowhere.fifo"]);
    refused(&with(&["--reach-s", "61"]), &bytes, &["reach_s", "60"]);
    refused(&with(&["--ring-ms", "1"]), &bytes, &["ring_ms", "500"]);
    refused(&with(&["--worst-buffering-ms", "300001"]), &bytes, &["worst_buffering_ms"]);
    refused(&with(&["--names", "hash"]), &bytes, &["names-key"]);
    refused(&with(&["--revoked-tokens", "nowhere"]), &bytes, &["nowhere"]);
    refused(&with(&["--pass-through", "customer"]), &bytes, &["customer"]);
    refused(&with(&["--http", "0.0.0.0:0"]), &bytes, &["TLS"]);
    refused(&with(&["--http", "nowhere"]), &bytes, &["address"]);
    for name in ["", "../call", "/call", "a\nb"] {
        refused(&[&["--call", name, "--out", "out"][..], &STEREO].concat(), &bytes, &[]);
    }
    let left = [&to[..], &["--agent-channel", "left"]].concat();
    refused(&left, &[], &["ended before a byte"]);
    refused(&left, &bytes, &["header"]);
    for cut in [1, 11, 30, 43] {
        refused(&left, &wav[..cut], &[if cut < 12 { "ended before a byte" } else { "header" }]);
    }
    refused(&left, &encode::wav16(&call(1, 7), 1, RATE), &["one channel", "--party"]);
}

#[test]
fn an_input_without_a_byte_of_sound_is_a_call_of_no_length() {
    let scratch = Scratch::new("pipe-empty");
    piped(&scratch, &pipe("raw", &[]), vec![]).ends(0);
    let left = ["pipe", "--call", "wav", "--out", "out", "--agent-channel", "left"];
    piped(&scratch, &left, vec![encode::wav16(&[], 2, RATE)]).ends(0);
    for call in ["raw", "wav"] {
        assert_eq!(scratch.json(&format!("out/{call}.json"))["length_samples"], 0);
    }
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn a_signal_seals_what_came_and_is_no_error() {
    let scratch = Scratch::new("pipe-signal");
    let bytes = Arc::new(encode::body(&call(7, 8), encode::s16le));
    let expected = by_batch("pipe-signal", "call.raw", &bytes, &STEREO);
    for signal in ["TERM", "INT"] {
        let mut live = Live::stereo(&scratch, signal, &["--list"]);
        let mut input = live.input.take().unwrap();
        input.write_all(&bytes).unwrap();
        let state = |live: &Live| super::live_common::asked(&live.address(), "GET", "/v1/calls", "").1;
        until("all of it is settled", || state(&live).contains("\"sample\":56000"));
        live.signal(signal);
        // The sender neither ends nor sends.
        live.ended().ends(0).complains(&[signal, "recorded", "7.0 s"]);
        drop(input);
        same_track(&scratch, signal, &expected);
        replays(&scratch, signal, &bytes, &STEREO[..6]);
    }
    assert!(!scratch.has("out/.live/TERM"));
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn what_follows_the_sound_in_a_stream_with_a_size_is_no_sound_and_its_sender_is_heard_out() {
    // A player's tags lie behind the sound; a sender whose pipe is shut before would fail.
    let scratch = Scratch::new("pipe-trailer");
    let sound = call(7, 9);
    let mut bytes = encode::wav16(&sound, 2, RATE);
    let expected = by_batch("pipe-trailer", "call.wav", &bytes, &["--agent-channel", "left"]);
    bytes.extend(encode::chunk(b"LIST", &vec![0x55; 300_000]));
    let mut command = scratch.command(&["pipe", "--call", "call", "--out", "out", "--agent-channel", "left"]);
    command.args(["--pass-through", "original"]);
    let mut live = Live::start(command);
    let (mut input, mut output) = (live.input.take().unwrap(), live.output());
    let sent = bytes.clone();
    let sender = thread::spawn(move || input.write_all(&sent));
    let mut passed = Vec::new();
    output.read_to_end(&mut passed).unwrap();
    assert!(sender.join().unwrap().is_ok(), "the sender could send all");
    live.ended().ends(0);
    assert!(passed == bytes, "{} of {} bytes were handed on", passed.len(), bytes.len());
    same_track(&scratch, "call", &expected);
}

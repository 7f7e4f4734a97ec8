//! The canary: the customer's channel holds numbers that occur nowhere else, and every byte that the program writes
//! without a grant is searched for them (ONE-01, ONE-02, CON-01, CON-02, CON-06, CON-07).
//!
//! Where `strace` is there, what is handed to the system on any descriptor is searched too, not only what stays.

use std::fs;

use super::common::{Dice, RATE, Ran, Scratch, agent, batch, canary, have, interleave};
use super::encode::{self, KINDS};
use super::hunt::{Hunt, likeness, traced};

/// Length of the calls, seconds.
const SECONDS: usize = 9;
/// What can be said about a call without its customer being kept, and the reason that the manifest then gives.
const CASES: [(&str, &[&str], &str); 5] = [
    ("none", &[], "no_decision"),
    ("told", &[TOLD], "no_decision"),
    ("refused", &[TOLD, r#"{"at":2.0,"event":"refused"}"#], "refused"),
    (
        "withdrawn",
        &[
            TOLD,
            r#"{"at":2.0,"event":"granted","act":"dtmf","digit":"1","purpose":"p"}"#,
            r#"{"at":7.5,"event":"withdrawn"}"#,
        ],
        "withdrawn_later",
    ),
    ("implied", &[TOLD, r#"{"at":2.0,"event":"granted","act":"stayed_on_the_line","purpose":"p"}"#], "no_decision"),
];
const TOLD: &str = r#"{"at":0,"event":"told","notice":"std","version":3}"#;
const SYSTEM_CALLS: &str = "trace=write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg,rename,renameat2";

/// Runs a batch and searches everything that comes out of it.
fn hunted(scratch: &Scratch, arguments: &[&str], hunt: &Hunt) -> Ran {
    let strace = ["strace", "-f", "-qq", "-e", SYSTEM_CALLS, "-xx", "-s", "100000000", "-o", "trace.txt"];
    let traces = have("strace");
    let wrapper: &[&str] = if traces { &strace } else { &[] };
    fs::create_dir_all(scratch.at("tmp")).unwrap();
    let mut command = scratch.through(wrapper, arguments);
    let ran = Ran::of(command.env("TMPDIR", scratch.at("tmp")).output().unwrap(), arguments);
    hunt.finds_nothing("standard output", ran.out.as_bytes());
    hunt.finds_nothing("standard error", ran.err.as_bytes());
    if traces {
        let written = traced(&fs::read_to_string(scratch.at("trace.txt")).unwrap());
        assert!(written.len() > 100_000, "the trace shows what was written");
        hunt.finds_nothing("a system call", &written);
        fs::remove_file(scratch.at("trace.txt")).unwrap();
    }
    for (file, bytes) in scratch.files("out").into_iter().chain(scratch.files("tmp")) {
        assert!(!file.ends_with(".customer.wav"), "{file} stands without a grant");
        hunt.finds_nothing(&file, &bytes);
    }
    ran
}

/// The agent's track of a call holds the agent and nothing that is like the customer; its manifest says why there is
/// no other track.
fn one_sided(scratch: &Scratch, call: &str, customer: &[i16], reason: &str) {
    let manifest = scratch.json(&format!("out/{call}.json"));
    assert_eq!(manifest["customer"]["stored"], false, "{call}");
    assert_eq!(manifest["customer"]["reason"], reason, "{call}");
    let stored = scratch.sound(&format!("out/{call}.agent.wav"));
    let kept = stored.iter().filter(|v| **v != 0).count();
    assert!(kept > stored.len() / 4, "{call}: the agent was kept, {kept} samples");
    assert!(likeness(&stored, customer, 40) < 0.02, "{call}: the customer is heard");
}

/// The customer as each kind of file gives her back.
fn customers(canary: &[i16]) -> Vec<Vec<i16>> {
    ["pcm16", "pcm8", "mulaw", "alaw"].iter().map(|name| as_read(name, canary)).collect()
}

fn as_read(kind: &str, samples: &[i16]) -> Vec<i16> {
    let kind = KINDS.iter().find(|one| one.name == kind).unwrap();
    samples.iter().map(|v| (kind.decoded)(*v)).collect()
}

#[test]
fn no_sample_of_the_customer_is_written_without_a_grant_whatever_the_file_format() {
    let scratch = Scratch::new("canary-formats");
    let (agent, canary) = (agent(SECONDS), canary(SECONDS, 1));
    let silence = vec![0; agent.len()];
    for (case, events, _) in CASES {
        for kind in &KINDS {
            let name = format!("{}-{case}", kind.name);
            scratch.file(&format!("in/{name}.wav"), &(kind.encode)(&interleave(&[&agent, &canary]), 2, RATE));
            scratch.events(&name, events);
        }
        let four = interleave(&[&agent, &canary, &silence, &silence]);
        scratch.file(&format!("in/four-{case}.wav"), &encode::wav16(&four, 4, RATE));
        scratch.events(&format!("four-{case}"), events);
    }
    let hunt = Hunt::of(customers(&canary));
    hunted(&scratch, &batch(&["--speech", "--report", "--json", "--jobs", "2"]), &hunt).ends(0);
    for (case, _, reason) in CASES {
        for kind in KINDS.iter().map(|kind| kind.name).chain(["four"]) {
            one_sided(&scratch, &format!("{kind}-{case}"), &canary, reason);
        }
    }
}

#[test]
fn no_sample_of_the_customer_is_written_from_flac_raw_files_pairs_or_at_another_rate() {
    let (agent, canary) = (agent(SECONDS), canary(SECONDS, 2));
    let stereo = interleave(&[&agent, &canary]);
    let hunt = Hunt::of(customers(&canary));
    let raw: [(&str, encode::Put); 3] = [
        ("s16le", encode::s16le),
        ("mulaw", |v, b| b.push(encode::mulaw(v))),
        ("alaw", |v, b| b.push(encode::alaw(v))),
    ];
    for (encoding, put) in raw {
        let scratch = Scratch::new(&format!("canary-{encoding}"));
        scratch.file("in/call.raw", &encode::body(&stereo, put));
        let more = ["--raw", encoding, "--rate", "8000", "--channels", "2", "--speech", "--report"];
        hunted(&scratch, &batch(&more), &hunt).ends(0);
        one_sided(&scratch, "call", &canary, "no_decision");
    }
    let scratch = Scratch::new("canary-pair");
    scratch.file("in/call-agent.wav", &encode::wav16(&agent, 1, RATE));
    scratch.file("in/call-customer.wav", &encode::wav16(&canary, 1, RATE));
    let pair = ["batch", "in", "--out", "out", "--pair", "*-agent.wav:*-customer.wav", "--speech", "--report"];
    hunted(&scratch, &pair, &hunt).ends(0);
    one_sided(&scratch, "call", &canary, "no_decision");
    for rate in ["16000", "11025"] {
        let scratch = Scratch::new(&format!("canary-{rate}"));
        scratch.call("call", &agent, &canary);
        hunted(&scratch, &batch(&["--rate", rate, "--speech", "--report"]), &hunt).ends(0);
        let stored = scratch.sound("out/call.agent.wav");
        let rate: usize = rate.parse().unwrap();
        // The customer as she sounds at the new rate, near enough to be recognised.
        let risen: Vec<i16> =
            (0..stored.len()).map(|n| canary[(n * RATE as usize / rate).min(canary.len() - 1)]).collect();
        assert!(likeness(&stored, &risen, 60) < 0.02, "at {rate} Hz the customer is heard");
    }
    if have("flac") {
        let scratch = Scratch::new("canary-flac");
        scratch.file("call.wav", &encode::wav16(&stereo, 2, RATE));
        fs::create_dir_all(scratch.at("in")).unwrap();
        let mut flac = std::process::Command::new("flac");
        flac.args(["-s", "-o"]).args([scratch.at("in/call.flac"), scratch.at("call.wav")]);
        assert!(flac.status().unwrap().success());
        hunted(&scratch, &batch(&["--speech", "--report"]), &hunt).ends(0);
        one_sided(&scratch, "call", &canary, "no_decision");
    }
}

/// The control of both tests above: with a grant the hunt finds her, so it would have found her without.
#[test]
fn with_a_grant_the_customer_is_stored_bit_for_bit_whatever_the_file_format() {
    let scratch = Scratch::new("canary-granted");
    let (agent, canary) = (agent(SECONDS), canary(SECONDS, 3));
    for kind in &KINDS {
        scratch.file(&format!("in/{}.wav", kind.name), &(kind.encode)(&interleave(&[&agent, &canary]), 2, RATE));
        scratch.events(kind.name, &[TOLD, r#"{"at":0,"event":"granted","act":"dtmf","digit":"1","purpose":"p"}"#]);
    }
    scratch.batch(&[]).ends(0);
    let hunt = Hunt::of(customers(&canary));
    for kind in &KINDS {
        let file = format!("{}.customer.wav", kind.name);
        assert_eq!(scratch.sound(&format!("out/{file}")), as_read(kind.name, &canary), "{file}");
        assert!(hunt.first(&fs::read(scratch.at(&format!("out/{file}"))).unwrap()).is_some(), "{file}");
    }
}

#[test]
fn a_grant_at_any_moment_keeps_the_customer_from_exactly_that_sample_on() {
    // CON-06, CON-07: nothing before, nothing lost after; and CON-08: the agent's track is the same without a grant.
    let scratch = Scratch::new("canary-moments");
    let (agent, canary) = (agent(SECONDS), canary(SECONDS, 4));
    let mut dice = Dice::new(5);
    let length = agent.len();
    scratch.call("none", &agent, &canary);
    let mut moments: Vec<u64> = (0..24).map(|_| dice.below(SECONDS as u64 * 1_000_000_000)).collect();
    moments.extend([0, 1, 125_000, 125_001, 20_000_000, SECONDS as u64 * 1_000_000_000 - 125_000]);
    for (n, nanos) in moments.iter().enumerate() {
        let at = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        let name = format!("call-{n}");
        scratch.call(&name, &agent, &canary);
        scratch.events(
            &name,
            &[TOLD, &format!(r#"{{"at":{at},"event":"granted","act":"button","agent":"a17","purpose":"training"}}"#)],
        );
    }
    scratch.batch(&[]).ends(0);
    let without = fs::read(scratch.at("out/none.agent.wav")).unwrap();
    for (n, nanos) in moments.iter().enumerate() {
        let first = (nanos * u64::from(RATE)).div_ceil(1_000_000_000) as usize;
        let stored = scratch.sound(&format!("out/call-{n}.customer.wav"));
        assert_eq!(stored.len(), length);
        assert!(stored[..first].iter().all(|v| *v == 0), "call-{n}: kept before the grant at {nanos} ns");
        assert!(stored[first..] == canary[first..], "call-{n}: lost after the grant at {nanos} ns");
        assert!(fs::read(scratch.at(&format!("out/call-{n}.agent.wav"))).unwrap() == without, "call-{n}");
    }
}

#[test]
fn what_was_kept_up_to_a_withdrawal_ends_within_40_ms_of_it() {
    // CON-10, with the terms that keep what was granted; the default terms are among the cases above.
    let scratch = Scratch::new("canary-keep");
    let (agent, canary) = (agent(SECONDS), canary(SECONDS, 6));
    let mut dice = Dice::new(9);
    let cases: Vec<(u64, u64)> = (0..12).map(|_| (dice.below(4_000), 4_000 + dice.below(4_900))).collect();
    for (n, (from, until)) in cases.iter().enumerate() {
        let name = format!("call-{n}");
        scratch.call(&name, &agent, &canary);
        let granted =
            format!(r#"{{"at":{},"event":"granted","act":"api","source":"crm","purpose":"p"}}"#, *from as f64 / 1e3);
        let withdrawn = format!(r#"{{"at":{},"event":"withdrawn"}}"#, *until as f64 / 1e3);
        scratch.events(&name, &[TOLD, &granted, &withdrawn]);
    }
    scratch.batch(&["--on-withdrawal", "keep"]).ends(0);
    for (n, (from, until)) in cases.iter().enumerate() {
        let (from, until) = (*from as usize * 8, *until as usize * 8);
        let stored = scratch.sound(&format!("out/call-{n}.customer.wav"));
        assert!(stored[..from].iter().chain(&stored[until..]).all(|v| *v == 0), "call-{n}: {from}..{until}");
        let heard = until - 40 * 8;
        assert!(stored[from..heard] == canary[from..heard], "call-{n}: {from}..{until}");
    }
}

/// The bytes of a sound that a reader of headers would meet, as any message could show them: plain, escaped, as
/// numbers.
fn shown(head: &[u8]) -> Vec<Vec<u8>> {
    let (id, size) = (&head[..4], [head[4], head[5], head[6], head[7]]);
    let hex = |between: &str| id.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between);
    let texts = [
        id.escape_ascii().to_string(),
        String::from_utf8_lossy(id).into_owned(),
        format!("{:?}", String::from_utf8_lossy(id)),
        format!("{id:?}").trim_matches(['[', ']']).to_owned(),
        hex(""),
        hex(" "),
        u32::from_le_bytes(size).to_string(),
        u32::from_be_bytes(size).to_string(),
        format!("{:x}", u32::from_le_bytes(size)),
    ];
    texts.into_iter().map(String::into_bytes).chain([id.to_vec(), head[..8].to_vec()]).collect()
}

/// A WAV file whose `LIST` chunk says that it ends before the sound at `sound` begins, so that a name and a size of a
/// chunk are looked for in the sound.
fn lands_in(sound: &[u8]) -> Vec<u8> {
    let list = [&b"LIST\x04\0\0\0INFO"[..], sound].concat();
    encode::riff(&[encode::chunk(b"fmt ", &encode::fmt(1, 16, 2, RATE)), list])
}

/// Where in a sound four bytes could be a chunk's name, and its size more than there is.
fn like_a_name(sound: &[u8]) -> usize {
    let fits = |bytes: &[u8]| bytes[..4].iter().all(|byte| (0x20..0x7F).contains(byte)) && bytes[7] > 0x10;
    sound.windows(8).position(fits).expect("noise holds every kind of four bytes")
}

#[test]
fn no_message_about_a_file_that_cannot_be_read_shows_a_byte_of_the_customer() {
    let scratch = Scratch::new("canary-messages");
    let canary = canary(SECONDS, 11);
    let loud = &canary[16_000..];
    let puts: [(&str, encode::Put); 3] =
        [("s16", encode::s16le), ("mulaw", |v, b| b.push(encode::mulaw(v))), ("u8", |v, b| b.push(encode::u8_of(v)))];
    let mut heads = Vec::new();
    let mut bad = |file: String, content: Vec<u8>, sound: &[u8]| {
        scratch.file(&file, &content);
        heads.push((file, shown(sound)));
    };
    for (name, put) in puts {
        let sound = encode::body(loud, put);
        bad(format!("in/bare-{name}.wav"), sound.clone(), &sound);
        bad(format!("in/landed-{name}.wav"), lands_in(&sound), &sound);
        let named = &sound[like_a_name(&sound)..];
        bad(format!("in/named-{name}.wav"), lands_in(named), named);
        bad(format!("in/form-{name}.wav"), [b"RIFF\xFF\0\0\0", &sound[..]].concat(), &sound);
        bad(format!("pairs/{name}-c.wav"), sound.clone(), &sound);
        bad(format!("pairs/{name}-landed-c.wav"), lands_in(&sound), &sound);
        for call in [format!("{name}-a.wav"), format!("{name}-landed-a.wav")] {
            scratch.file(&format!("pairs/{call}"), &encode::wav16(&agent(SECONDS), 1, RATE));
        }
    }
    scratch.call("good", &agent(SECONDS), &canary);
    let hunt = Hunt::of(customers(&canary));
    let commands: [&[&str]; 4] = [
        &["batch", "in", "--out", "out", "--agent-channel", "left", "--json"],
        &["check", "in", "--agent-channel", "left"],
        &["batch", "pairs", "--out", "pairs-out", "--pair", "*-a.wav:*-c.wav"],
        &["check", "pairs", "--pair", "*-a.wav:*-c.wav"],
    ];
    for command in commands {
        let ran = scratch.run(command).ends(1);
        let out = if command[1] == "in" { "out" } else { "pairs-out" };
        let summary = fs::read(scratch.at(&format!("{out}/batch.json"))).unwrap();
        for (place, said) in
            [("standard output", ran.out.as_bytes()), ("standard error", ran.err.as_bytes()), ("batch.json", &summary)]
        {
            hunt.finds_nothing(place, said);
            for (file, shapes) in &heads {
                let found = shapes.iter().find(|shape| said.windows(shape.len()).any(|part| part == *shape));
                let found = found.map(|shape| shape.escape_ascii().to_string());
                assert_eq!(found, None, "{command:?}: {place} shows the beginning of {file}");
            }
        }
        for (file, _) in heads.iter().filter(|(file, _)| file.starts_with(command[1])) {
            let file = file.rsplit('/').next().unwrap();
            assert!(ran.err.contains(file) || ran.out.contains(file), "{command:?} names {file}");
        }
    }
}

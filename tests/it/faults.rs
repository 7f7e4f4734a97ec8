//! Everything that can be wrong from outside: bad files, broken events, full disks, commands that cannot be meant. Each
//! is reported with its place and a remedy, ends with the documented code, and stops nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::common::{GRANTED, RATE, Scratch, agent, batch, canary, have, interleave};
use super::encode::{self, chunk, fmt, riff, wav16};
use super::skipped::skipped;

const TOLD: &str = r#"{"at":0,"event":"told","notice":"std","version":3}"#;

fn two_calls(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    scratch.call("good-1", &agent(6), &canary(6, 1));
    scratch.call("good-2", &agent(6), &canary(6, 2));
    scratch
}

/// Files that are no calls, and words that the message about each must hold.
fn bad_files() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let sound = interleave(&[&agent(2), &canary(2, 3)]);
    let good = wav16(&sound, 2, RATE);
    let data = chunk(b"data", &encode::body(&sound, encode::s16le));
    let with = |fmt: Vec<u8>| riff(&[chunk(b"fmt ", &fmt), data.clone()]);
    let noise: Vec<u8> = canary(1, 4).iter().map(|v| *v as u8).collect();
    vec![
        ("garbage.wav", noise, &["byte 0", "--raw"]),
        ("empty.wav", Vec::new(), &["empty"]),
        ("header-30.wav", good[..30].to_vec(), &["byte"]),
        ("header-12.wav", good[..12].to_vec(), &["byte"]),
        ("four.wav", b"RIFF".to_vec(), &["byte"]),
        ("text.wav", b"#!/bin/sh\necho hello\n".to_vec(), &["byte 0"]),
        ("no-data.wav", riff(&[chunk(b"fmt ", &fmt(1, 16, 2, RATE))]), &["data"]),
        ("no-fmt.wav", riff(std::slice::from_ref(&data)), &["fmt"]),
        ("mono.wav", wav16(&sound, 1, RATE), &["one channel", "--pair"]),
        ("nine.wav", wav16(&sound, 9, RATE), &["9"]),
        ("no-channels.wav", with(fmt(1, 16, 0, RATE)), &["channel"]),
        ("rate-96k.wav", wav16(&sound, 2, 96_000), &["96000"]),
        ("rate-0.wav", wav16(&sound, 2, 0), &["rate"]),
        ("adpcm.wav", with(fmt(0x11, 4, 2, RATE)), &["ADPCM"]),
        ("bits-0.wav", with(fmt(1, 0, 2, RATE)), &["bit"]),
        ("cut.flac", b"fLaC\0\0\0\x22".to_vec(), &["flac"]),
        ("half.ogg", b"OggS\0\x02".to_vec(), &["ogg"]),
    ]
}

#[test]
fn bad_files_are_named_with_their_cause_and_the_good_ones_are_done() {
    let scratch = two_calls("faults-files");
    let bad = bad_files();
    for (name, bytes, _) in &bad {
        scratch.file(&format!("in/{name}"), bytes);
    }
    let ran = scratch.batch(&[]).ends(1);
    for (name, _, words) in &bad {
        ran.complains(&[&[*name], *words].concat());
        let call = name.rsplit_once('.').unwrap().0;
        assert!(!scratch.has(&format!("out/{call}.json")) && !scratch.has(&format!("out/{call}.agent.wav")), "{name}");
    }
    assert!(scratch.has("out/good-1.agent.wav") && scratch.has("out/good-2.agent.wav"));
    let summary = scratch.json("out/batch.json");
    assert_eq!(summary["totals"]["errors"], bad.len());
    assert_eq!(summary["totals"]["recorded"], 2);
    scratch.run(&["verify", "out"]).ends(0);
    // The same inputs, only looked at.
    let looked = scratch.run(&["check", "in", "--agent-channel", "left"]).ends(1);
    bad.iter().for_each(|(name, _, _)| looked.complains(&[name]));
}

#[test]
fn headers_that_lie_are_repaired_noted_or_refused_but_never_believed() {
    let scratch = Scratch::new("faults-lies");
    let sound = interleave(&[&agent(4), &canary(4, 5)]);
    let good = wav16(&sound, 2, RATE);
    let lie = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    scratch.file("in/cut.wav", &good[..good.len() / 2]);
    scratch.file("in/odd-cut.wav", &good[..good.len() - 3]);
    scratch.file("in/huge.wav", &lie(40, &0xFFFF_FFFFu32.to_le_bytes()));
    scratch.file("in/riff-size.wav", &lie(4, &17u32.to_le_bytes()));
    scratch.file("in/byte-rate.wav", &lie(28, &1u32.to_le_bytes()));
    scratch.file("in/align.wav", &lie(32, &3u16.to_le_bytes()));
    let ran = scratch.batch(&[]);
    assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
    let length = |call: &str| scratch.json(&format!("out/{call}.json"))["length_samples"].clone();
    let codes = |call: &str| scratch.json(&format!("out/{call}.json"))["findings"].to_string();
    assert_eq!(length("cut"), (good.len() / 2 - 44) / 4);
    assert!(codes("cut").contains("truncated"));
    assert_eq!(length("odd-cut"), (good.len() - 44) / 4 - 1);
    assert_eq!(length("huge"), 4 * RATE);
    assert!(codes("huge").contains("unfinished"));
    assert_eq!(length("riff-size"), 4 * RATE);
    assert_eq!(length("byte-rate"), 4 * RATE);
    match scratch.has("out/align.json") {
        true => assert!(codes("align").contains("header_repaired")),
        false => ran.complains(&["align.wav", "byte"]),
    }
}

#[test]
fn numbers_that_are_none_in_a_float_file_do_no_harm() {
    let scratch = Scratch::new("faults-floats");
    let sound = interleave(&[&agent(4), &canary(4, 6)]);
    let mut file = encode::plain(3, 32, &sound, 2, RATE, encode::f32le);
    for (n, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, f32::MIN_POSITIVE].iter().enumerate() {
        for frame in (n..30_000).step_by(997) {
            file[44 + frame * 8..][..4].copy_from_slice(&value.to_le_bytes());
            file[48 + frame * 8..][..4].copy_from_slice(&value.to_le_bytes());
        }
    }
    scratch.file("in/call.wav", &file);
    scratch.batch(&["--speech", "--report"]).ends(0);
    assert_eq!(scratch.sound("out/call.agent.wav").len(), 4 * RATE as usize);
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn broken_events_name_file_and_line_and_nothing_of_the_call_is_kept() {
    let lines = [
        (r#"{"at":2,"event":"granted","#, "line 2"),
        ("no json", "line 2"),
        (r#"["at",2]"#, "line 2"),
        (r#"{"event":"refused"}"#, "at"),
        (r#"{"at":-1,"event":"refused"}"#, "at"),
        (r#"{"at":"soon","event":"refused"}"#, "at"),
        (r#"{"at":1e300,"event":"refused"}"#, "at"),
        (r#"{"at":2,"event":"refused","why":"x"}"#, "why"),
        (r#"{"at":2,"event":"refused","at":3}"#, "twice"),
        (r#"{"at":2}"#, "event"),
        (r#"{"at":2,"event":"withdrawl"}"#, "withdrawl"),
        (r#"{"at":2,"event":"wihtdrawn"}"#, "wihtdrawn"),
        (r#"{"at":2,"event":"customer_refused"}"#, "customer_refused"),
        (r#"{"at":2,"event":"joined"}"#, "party"),
        (r#"{"call":"nobody","at":2,"event":"refused"}"#, "nobody"),
    ];
    let scratch = two_calls("faults-events");
    for (n, (line, _)) in lines.iter().enumerate() {
        scratch.call(&format!("bad-{n}"), &agent(3), &canary(3, 7));
        scratch.events(&format!("bad-{n}"), &[TOLD, line]);
    }
    let ran = scratch.batch(&[]).ends(1);
    for (n, (_, word)) in lines.iter().enumerate() {
        ran.complains(&[&format!("bad-{n}.events.jsonl"), "line 2", word]);
        assert!(!scratch.has(&format!("out/bad-{n}.agent.wav")), "{n}: without its events a pause could not be kept");
    }
    assert!(scratch.has("out/good-1.agent.wav"));
    // In one file for all calls such a line refuses the whole run before anything is written.
    for (n, (line, word)) in lines.iter().enumerate().filter(|(_, (line, _))| !line.contains("\"call\"")) {
        let scratch = two_calls(&format!("faults-feed-{n}"));
        let line = line.replacen('{', r#"{"call":"good-1","#, 1);
        let granted = TOLD.replacen('{', r#"{"call":"good-2","#, 1);
        scratch.file("feed.jsonl", format!("{granted}\n{line}\n").as_bytes());
        scratch.batch(&["--events", "feed.jsonl"]).ends(2).complains(&["feed.jsonl", "line 2", word]);
        assert!(!scratch.has("out"), "{line}");
    }
    let scratch = two_calls("faults-unknown");
    scratch.file("feed.jsonl", b"\n{\"call\":\"nobody\",\"at\":2,\"event\":\"refused\"}\n");
    scratch.batch(&["--events", "feed.jsonl"]).ends(2).complains(&["feed.jsonl", "line 2", "nobody"]);
    scratch.file("in/nobody.events.jsonl", GRANTED.as_bytes());
    scratch.batch(&[]).ends(2).complains(&["nobody.events.jsonl"]);
    assert!(!scratch.has("out"));
}

#[test]
fn names_that_clash_are_refused_before_anything_is_written() {
    let scratch = Scratch::new("faults-names");
    let call = wav16(&interleave(&[&agent(2), &canary(2, 8)]), 2, RATE);
    let clashes: [&[&str]; 5] = [
        &["x/a.wav", "y/a.wav"],
        &["x/a.wav", "x/a.flac"],
        &["x/a.wav", "x/A.wav"],
        &["x/a.wav", "x/a.json/b.wav"],
        &["x/batch.wav"],
    ];
    for files in clashes {
        for dir in ["x", "y"] {
            let _ = fs::remove_dir_all(scratch.at(dir));
            fs::create_dir_all(scratch.at(dir)).unwrap();
        }
        files.iter().for_each(|file| scratch.file(file, &call));
        let ran = scratch.run(&["batch", "x", "y", "--out", "out", "--agent-channel", "left"]).ends(2);
        files.iter().for_each(|file| ran.complains(&[file]));
        assert!(!scratch.has("out"), "{files:?}");
    }
}

#[test]
fn a_command_that_cannot_be_meant_is_refused_with_its_remedy_and_writes_nothing() {
    let scratch = two_calls("faults-command");
    let refused = |arguments: &[&str], words: &[&str]| {
        let ran = scratch.run(&[&["batch", "in", "--out", "out"], arguments].concat()).ends(2);
        let flat = ran.err.replace('\n', " ");
        assert!(words.iter().all(|word| flat.contains(word)), "{arguments:?}: {}", ran.err);
        assert!(!scratch.has("out"), "{arguments:?}");
    };
    refused(&[], &["--agent-channel", "--preset"]);
    refused(&["--agent-channel", "centre"], &["centre"]);
    refused(&["--agent-channel", "8"], &["8"]);
    refused(&["--preset", "nonesuch"], &["nonesuch", "freeswitch"]);
    refused(&["--preset", "connect", "--agent-channel", "left"], &["connect", "agent"]);
    refused(&["--agent-channel", "left", "--rate", "96000"], &["96000"]);
    refused(&["--agent-channel", "left", "--raw", "s16le"], &["--rate"]);
    refused(&["--agent-channel", "left", "--names", "hash"], &["names-key"]);
    refused(&["--agent-channel", "left", "--lead-in-ms", "151"], &["150"]);
    refused(&["--agent-channel", "left", "--pair", "a:b"], &["--pair"]);
    refused(&["--agent-channel", "left", "--dispose", "maybe"], &["delete"]);
    refused(&["--agent-channel", "left", "--revoked-tokens", "nowhere"], &["nowhere"]);
    // CON-03: designs that record unless somebody says no.
    let config = [
        ("on_silence = \"record\"", "CON-03"),
        ("dtmf_refuse_only = true", "CON-03"),
        ("on_withdrawal = \"ignore\"", "ignore"),
        ("keep_customer = true", "keep_customer"),
        ("agent_channel = ", "refused.toml"),
    ];
    for (line, word) in config {
        scratch.file("refused.toml", format!("{line}\n").as_bytes());
        refused(&["--agent-channel", "left", "--config", "refused.toml"], &[word]);
        scratch.run(&["check", "--agent-channel", "left", "--config", "refused.toml"]).ends(2);
    }
    let missing = scratch.run(&["batch", "nowhere", "--out", "out", "--agent-channel", "left"]).ends(2);
    missing.complains(&["nowhere"]);
    fs::create_dir_all(scratch.at("bare")).unwrap();
    scratch.run(&["batch", "bare", "--out", "out", "--agent-channel", "left"]).ends(2);
    assert!(!scratch.has("out"));
}

#[test]
fn an_output_directory_that_cannot_be_made_ends_with_the_code_for_disks() {
    let scratch = two_calls("faults-out");
    for out in ["in/good-1.wav", "in/good-1.wav/out"] {
        let ran = scratch.run(&["batch", "in", "--out", out, "--agent-channel", "left"]).ends(5);
        ran.complains(&["good-1.wav"]);
    }
}

#[test]
#[cfg(unix)]
fn a_reader_who_has_gone_stops_no_work_and_is_no_bug() {
    let scratch = two_calls("faults-pipe");
    scratch.file("in/bad.wav", b"RIFF, but no call");
    // Both ends of the pipe are gone before the first word is said.
    let unheard = |arguments: &[&str]| {
        let closed = || {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            writer
        };
        scratch.command(arguments).stdout(closed()).stderr(closed()).status().unwrap().code()
    };
    assert_eq!(unheard(&batch(&["--json"])), Some(1));
    assert_eq!(unheard(&batch(&[])), Some(1));
    assert!(scratch.has("out/good-1.json") && scratch.has("out/good-2.json") && scratch.has("out/batch.json"));
    assert_eq!(unheard(&batch(&["--dry-run"])), Some(0));
    assert_eq!(unheard(&["check", "in", "--agent-channel", "left"]), Some(1));
    assert_eq!(unheard(&["presets"]), Some(0));
    assert_eq!(unheard(&["verify", "out"]), Some(0));
    assert_eq!(unheard(&["sweep", "out"]), Some(0));
    // Every call is erased, not only those up to the first word.
    assert_eq!(unheard(&["erase", "out", "--call", "good-1", "--call", "good-2"]), Some(0));
    assert!(scratch.has("out/good-1.erased.json") && scratch.has("out/good-2.erased.json"));
}

/// A file system of a given size, as long as it lives.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this process may not mount.
    fn mount(path: PathBuf, kib: u32) -> Option<Disk> {
        fs::create_dir_all(&path).unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "none"]).arg(&path).output();
        mount.is_ok_and(|ran| ran.status.success()).then_some(Disk(path))
    }

    fn grow(&self, kib: u32) {
        let option = format!("remount,size={kib}k");
        assert!(Command::new("mount").args(["-o", &option]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Ten calls, and what an undisturbed run makes of them.
fn ten(name: &str) -> (Scratch, BTreeMap<String, Vec<u8>>) {
    undisturbed(name, 10, 20)
}

/// So many calls of so many seconds, and what an undisturbed run makes of them.
pub fn undisturbed(name: &str, calls: u64, seconds: usize) -> (Scratch, BTreeMap<String, Vec<u8>>) {
    let scratch = Scratch::new(name);
    for n in 0..calls {
        scratch.call(&format!("call-{n}"), &agent(seconds), &canary(seconds, n));
        scratch.events(&format!("call-{n}"), &[GRANTED]);
    }
    scratch.batch(&["--speech"]).ends(0);
    let undisturbed = scratch.files("out");
    fs::remove_dir_all(scratch.at("out")).unwrap();
    (scratch, undisturbed)
}

#[test]
fn a_full_disk_loses_nothing_and_the_next_run_completes() {
    let (scratch, undisturbed) = ten("faults-full");
    let Some(disk) = Disk::mount(scratch.at("out"), 2_500) else {
        skipped("this user may not mount a small disk");
        return;
    };
    let ran = scratch.batch(&["--speech", "--jobs", "2"]).ends(5);
    assert!(ran.err.contains("full"), "{}", ran.err);
    let left = scratch.files("out");
    assert!(left.iter().all(|(file, bytes)| file == "batch.json" || undisturbed[file] == *bytes), "half-written");
    assert!(left.len() > 4 && left.len() < undisturbed.len(), "some calls fitted: {}", left.len());
    assert_eq!(scratch.files("in").len(), 20, "no input is lost");
    disk.grow(100_000);
    scratch.batch(&["--speech", "--jobs", "2"]).ends(0);
    assert!(scratch.files("out") == undisturbed);
}

#[test]
fn a_limit_on_file_sizes_counts_as_a_failing_disk() {
    if !have("bash") {
        return;
    }
    let (scratch, undisturbed) = ten("faults-limit");
    let wrapper = ["bash", "-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""];
    let arguments = batch(&["--speech"]);
    let ran = super::common::Ran::of(scratch.through(&wrapper, &arguments).output().unwrap(), &arguments).ends(5);
    ran.complains(&["call-0"]);
    assert!(scratch.files("out").keys().all(|file| file == "batch.json"));
    scratch.batch(&["--speech"]).ends(0);
    assert!(scratch.files("out") == undisturbed);
}

#[test]
#[cfg(unix)]
fn a_low_limit_of_open_files_takes_seats_and_workers_away_and_no_call() {
    let (scratch, undisturbed) = undisturbed("faults-files", 40, 3);
    assert!(undisturbed.keys().filter(|file| file.ends_with(".customer.wav")).count() == 40);
    // With room for two calls at a time, whatever is asked for.
    for jobs in ["1", "40"] {
        let wrapper = ["sh", "-c", "ulimit -n 80; exec \"$0\" \"$@\""];
        let arguments = batch(&["--speech", "--jobs", jobs]);
        let output = scratch.through(&wrapper, &arguments).output().unwrap();
        super::common::Ran::of(output, &arguments).ends(0);
        assert!(scratch.files("out") == undisturbed, "{jobs} jobs");
        fs::remove_dir_all(scratch.at("out")).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn a_file_whose_name_cannot_be_used_stops_no_other() {
    let scratch = Scratch::new("unusable-name");
    let good = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/calls/refused.wav")).unwrap();
    scratch.file("in/good.wav", &good);
    scratch.file("in/bad\nname.wav", &good);
    let ran = scratch.batch(&[]).ends(1);
    assert!(ran.err.contains("bad\\nname.wav"), "{}", ran.err);
    assert!(scratch.has("out/good.agent.wav"));
    assert_eq!(scratch.json("out/batch.json")["errors"].as_array().unwrap().len(), 1);
}

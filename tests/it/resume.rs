//! A batch that is killed, stopped, or run again (ING-07): the same files as an undisturbed run, and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime};

use super::common::{Dice, GRANTED, Ran, Scratch, agent, batch, canary};

const WITHDRAWN: &str = r#"{"at":5.5,"event":"withdrawn"}"#;

/// A dozen calls, every other with a grant; each `seconds` long.
fn dozen(name: &str, seconds: usize) -> Scratch {
    let scratch = Scratch::new(name);
    let (agent, customer) = (agent(seconds), canary(seconds, 11));
    for n in 0..12 {
        scratch.call(&format!("call-{n}"), &agent, &customer);
        if n % 2 == 0 {
            scratch.events(&format!("call-{n}"), &[GRANTED]);
        }
    }
    scratch
}

/// A few calls so long that the program can be met at work on them.
fn long(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    let (agent, customer) = (agent(1_200), canary(1_200, 12));
    scratch.call("long-1", &agent, &customer);
    scratch.call("long-2", &agent, &customer);
    scratch.call("short", &agent[..40_000], &customer[..40_000]);
    scratch
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "signal {signal}");
}

/// Starts a batch and halts it (SIGSTOP) in the middle of its work: when a file is being written.
fn halted(scratch: &Scratch, arguments: &[&str]) -> Child {
    let mut child = scratch.command(arguments).spawn().unwrap();
    loop {
        assert!(child.try_wait().unwrap().is_none(), "the batch was over before it could be halted");
        let at_work = scratch.has("out") && scratch.files("out").keys().any(|file| file.ends_with(".oneside-part"));
        if at_work {
            signal(&child, "STOP");
            return child;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>, when: &str) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other), "{when}");
    for (file, bytes) in one {
        assert!(other[file] == *bytes, "{when}: {file} differs");
    }
}

#[test]
fn killed_at_any_moment_and_run_again_the_files_are_those_of_an_undisturbed_run() {
    let scratch = dozen("resume-kill", 30);
    let arguments = batch(&["--speech", "--report", "--jobs", "2"]);
    let started = Instant::now();
    scratch.run(&arguments).ends(0);
    let whole = started.elapsed();
    let undisturbed = scratch.files("out");
    assert_eq!(undisturbed.len(), 12 * 5 + 6 + 1, "agent, speech, timeline, picture, manifest; customers; the summary");
    let mut dice = Dice::new(1);
    let mut in_the_middle = 0;
    for round in 0..25 {
        fs::remove_dir_all(scratch.at("out")).unwrap();
        let delay = whole.mul_f64(dice.below(1_000) as f64 / 1_000.0);
        let mut child = scratch.command(&arguments).spawn().unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();
        if scratch.has("out") {
            let left = scratch.files("out");
            in_the_middle += usize::from(!left.contains_key("batch.json"));
            let half: Vec<_> = left
                .iter()
                .filter(|(file, bytes)| {
                    !file.ends_with(".oneside-part") && *file != "batch.json" && undisturbed[*file] != **bytes
                })
                .collect();
            assert!(half.is_empty(), "round {round}: half-written under a final name: {:?}", half[0].0);
        }
        scratch.run(&arguments).ends(0);
        same(&undisturbed, &scratch.files("out"), &format!("round {round}, killed after {delay:?}"));
    }
    assert!(in_the_middle > 0, "no kill met the program at work");
}

#[test]
fn an_interrupt_ends_cleanly_and_a_second_run_does_the_rest() {
    let scratch = long("resume-interrupt");
    let arguments = batch(&["--jobs", "1", "--speech"]);
    let child = halted(&scratch, &arguments);
    signal(&child, "INT");
    signal(&child, "CONT");
    let ran = Ran::of(child.wait_with_output().unwrap(), &arguments).ends(130);
    ran.complains(&["interrupted"]);
    let left = scratch.files("out");
    // The short call may have been done with before the signal came.
    let of_long = left.keys().filter(|file| !file.starts_with("short.")).map(String::as_str);
    assert_eq!(of_long.collect::<Vec<_>>(), ["batch.json"], "nothing half-written stands");
    scratch.run(&["verify", "out"]).ends(0);
    scratch.run(&arguments).ends(0);
    let resumed = scratch.files("out");
    fs::remove_dir_all(scratch.at("out")).unwrap();
    scratch.run(&arguments).ends(0);
    same(&scratch.files("out"), &resumed, "interrupted and resumed");
}

#[test]
fn a_second_batch_into_the_same_directory_is_refused_and_the_first_completes() {
    let scratch = long("resume-two");
    let first = halted(&scratch, &batch(&["--jobs", "1"]));
    scratch.batch(&[]).ends(4).complains(&["out"]);
    scratch.run(&["erase", "out", "--call", "short"]).ends(4);
    scratch.run(&["sweep", "out", "--older-than", "0d", "--yes"]).ends(4);
    signal(&first, "CONT");
    Ran::of(first.wait_with_output().unwrap(), &["batch"]).ends(0);
    scratch.run(&["verify", "out"]).ends(0);
    assert_eq!(scratch.files("out").len(), 3 * 2 + 1);
}

#[test]
fn what_is_done_and_unchanged_is_not_written_again() {
    let scratch = dozen("resume-skip", 6);
    let changed = |scratch: &Scratch| -> BTreeMap<String, SystemTime> {
        let time = |file: &String| scratch.at(&format!("out/{file}")).metadata().unwrap().modified().unwrap();
        scratch
            .files("out")
            .keys()
            .filter(|file| *file != "batch.json")
            .map(|file| (file.clone(), time(file)))
            .collect()
    };
    scratch.batch(&[]).ends(0);
    let (times, files) = (changed(&scratch), scratch.files("out"));
    scratch.batch(&[]).ends(0).says(&["12 of them unchanged"]);
    assert_eq!(changed(&scratch), times);
    same(&files, &scratch.files("out"), "run twice");
    // One output is gone: that call alone is done again.
    fs::remove_file(scratch.at("out/call-4.customer.wav")).unwrap();
    scratch.batch(&[]).ends(0).says(&["11 of them unchanged"]);
    same(&files, &scratch.files("out"), "one output was missing");
    // One input is another: that call alone is done again.
    scratch.call("call-3", &agent(5), &canary(5, 99));
    scratch.batch(&[]).ends(0).says(&["11 of them unchanged"]);
    assert_eq!(scratch.json("out/call-3.json")["length_samples"], 40_000);
}

#[test]
fn a_changed_option_or_events_file_makes_a_call_anew() {
    let scratch = dozen("resume-changed", 6);
    scratch.batch(&[]).ends(0);
    assert!(scratch.has("out/call-0.customer.wav"));
    // A withdrawal arrives: what was kept under the grant goes, in this call alone.
    scratch.events("call-0", &[GRANTED, WITHDRAWN]);
    scratch.batch(&[]).ends(0).says(&["11 of them unchanged"]);
    assert!(!scratch.has("out/call-0.customer.wav") && scratch.has("out/call-2.customer.wav"));
    scratch.run(&["verify", "out"]).ends(0);
    // The events file disappears: without a grant there is no track.
    fs::remove_file(scratch.at("in/call-2.events.jsonl")).unwrap();
    scratch.batch(&[]).ends(0).says(&["11 of them unchanged"]);
    assert!(!scratch.has("out/call-2.customer.wav"));
    let options = [
        &["--on-withdrawal", "keep"][..],
        &["--tail-ms", "100"],
        &["--lead-in-ms", "60"],
        &["--vad-mode", "3"],
        &["--rate", "16000"],
        &["--speech"],
        &["--report"],
        &["--purpose", "documentation"],
        &[],
    ];
    for option in options {
        let ran = scratch.batch(option).ends(0);
        assert!(!ran.out.contains("unchanged"), "{option:?} changes what is written:\n{}", ran.out);
        scratch.batch(option).ends(0).says(&["12 of them unchanged"]);
        scratch.run(&["verify", "out"]).ends(0);
    }
    assert!(!scratch.files("out").keys().any(|file| file.ends_with(".speech.wav") || file.ends_with(".svg")));
}

#[test]
fn an_erased_call_is_not_made_again() {
    // ERA-03
    let scratch = dozen("resume-erased", 6);
    scratch.batch(&[]).ends(0);
    scratch.run(&["erase", "out", "--call", "call-4"]).ends(0);
    scratch.batch(&["--speech"]).ends(0).says(&["call-4", "not made again"]);
    assert_eq!(scratch.json("out/batch.json")["totals"]["inputs_remaining"], 12, "its input is there as before");
    let left: Vec<String> = scratch.files("out").into_keys().filter(|file| file.starts_with("call-4")).collect();
    assert_eq!(left, ["call-4.erased.json"]);
    scratch.run(&["verify", "out"]).ends(0);
    // With the inputs of all others gone, this one still holds the voice.
    let ran = scratch.batch(&["--speech", "--dispose", "delete"]).ends(0);
    ran.says(&["1 input(s) still hold"]);
    assert!(scratch.has("in/call-4.wav") && !scratch.has("in/call-3.wav"));
    assert!(!ran.out.contains("No input holds"), "{}", ran.out);
}

#[test]
fn an_interrupted_disposal_does_not_say_that_no_input_holds_the_voice() {
    let scratch = long("resume-dispose");
    let arguments = batch(&["--jobs", "1", "--dispose", "delete"]);
    let child = halted(&scratch, &arguments);
    signal(&child, "INT");
    signal(&child, "CONT");
    let ran = Ran::of(child.wait_with_output().unwrap(), &arguments).ends(130);
    assert!(!ran.out.contains("No input holds"), "{}", ran.out);
    // The short call may have been done with before the signal came; the long ones were not.
    let files = fs::read_dir(scratch.at("in")).unwrap().map(|file| file.unwrap().path());
    let left = files.filter(|path| path.extension().is_some_and(|extension| extension == "wav")).count();
    assert!(left >= 2, "{left} inputs are left");
    ran.says(&[&format!("{left} input(s) still hold")]);
    assert_eq!(scratch.json("out/batch.json")["totals"]["inputs_remaining"], left);
    scratch.run(&arguments).ends(0).says(&["No input holds the customer's voice any more"]);
}

#[test]
fn a_disposal_with_events_in_one_file_can_be_run_again_until_no_input_is_left() {
    let scratch = Scratch::new("resume-feed");
    for call in ["c1", "c2"] {
        scratch.call(call, &agent(6), &canary(6, 21));
    }
    let line = |call: &str| GRANTED.replace('{', &format!(r#"{{"call":"{call}","#));
    scratch.file("feed.jsonl", format!("{}\n{}\n", line("c1"), line("c2")).as_bytes());
    let feed = ["--events", "feed.jsonl", "--dispose", "delete"];
    let second = fs::read(scratch.at("in/c2.wav")).unwrap();
    fs::remove_file(scratch.at("in/c2.wav")).unwrap();
    scratch.batch(&feed).ends(2).complains(&["there is no call `c2`"]);
    scratch.file("in/c2.wav", &second);
    scratch.batch(&feed).ends(0);
    assert!(!scratch.has("in/c1.wav") && !scratch.has("in/c2.wav"));
    let left = scratch.files("out");
    scratch.batch(&feed).ends(0).says(&["No input is left"]);
    same(&left, &scratch.files("out"), "run again without inputs");
    scratch.run(&["verify", "out"]).ends(0);
    // The recording of one call came again: the other's events are no misspelling.
    scratch.call("c3", &agent(6), &canary(6, 22));
    scratch.batch(&feed).ends(0);
    // Where nothing was ever done, an empty directory is an error as before.
    scratch.run(&["batch", "in", "--out", "new", "--agent-channel", "left", "--dispose", "delete"]).ends(2);
    assert!(!scratch.has("new"));
}

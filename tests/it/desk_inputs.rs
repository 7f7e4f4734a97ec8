//! What a batch takes in, and what it says and does about it: inputs of every kind, tables of events, disposal, the summary
//! (ING-07).

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use super::common::{GRANTED, RATE, Ran, Scratch, agent, batch, canary, interleave};
use super::desk::codes;
use super::encode;

#[test]
fn an_input_is_disposed_of_only_when_its_outputs_stand_and_the_receipt_says_what_it_was() {
    // ING-07
    let scratch = Scratch::new("desk-dispose");
    scratch.call("good", &agent(6), &canary(6, 7));
    scratch.events("good", &[GRANTED]);
    scratch.call("twin", &agent(6), &agent(6));
    scratch.file("in/bad.wav", b"RIFF, but no call");
    scratch.file("pair/p-agent.wav", &encode::wav16(&agent(6), 1, RATE));
    scratch.file("pair/p-customer.wav", &encode::wav16(&canary(6, 8), 1, RATE));
    scratch.batch(&[]).ends(1);
    let input = fs::read(scratch.at("in/good.wav")).unwrap();
    assert!(scratch.has("in/good.wav"), "never by default");
    scratch.batch(&["--dispose", "delete"]).ends(1);
    assert!(!scratch.has("in/good.wav"), "done before, and disposed of now");
    assert!(scratch.has("in/twin.wav") && scratch.has("in/bad.wav"), "what was not recorded stays");
    let disposed = &scratch.json("out/good.json")["disposed"];
    assert_eq!((&disposed["method"], &disposed["state"]), (&Value::from("delete"), &Value::from("done")));
    assert_eq!(disposed["files"][0]["bytes"], input.len());
    assert_eq!(disposed["files"][0]["blake3"], blake3::hash(&input).to_hex().to_string());
    assert_eq!(scratch.json("out/batch.json")["totals"]["inputs_remaining"], 2);
    scratch.run(&["verify", "out"]).ends(0);
    let pair = ["batch", "pair", "--out", "pairs", "--pair", "*-agent.wav:*-customer.wav", "--dispose", "delete"];
    scratch.run(&pair).ends(0).says(&["No input holds the customer's voice any more"]);
    assert!(scratch.files("pair").is_empty(), "both files of a pair go");
    assert_eq!(scratch.json("pairs/p.json")["disposed"]["files"].as_array().unwrap().len(), 2);
    scratch.run(&["verify", "pairs"]).ends(0);
}

#[test]
fn the_json_on_standard_output_is_the_summary_that_stands_and_a_dry_run_writes_nothing() {
    let scratch = Scratch::new("desk-json");
    scratch.call("one", &agent(6), &canary(6, 9));
    scratch.call("two", &agent(6), &agent(6));
    scratch.file("in/bad.wav", b"RIFF, but no call");
    let dry = scratch.batch(&["--dry-run"]).ends(0);
    dry.says(&["one.wav", "one.agent.wav", "no events"]);
    let plan: Value = serde_json::from_str(&scratch.batch(&["--dry-run", "--json"]).ends(0).out).unwrap();
    assert_eq!(plan.as_array().unwrap().len(), 3);
    assert_eq!((&plan[1]["name"], &plan[1]["inputs"][0]), (&Value::from("one"), &Value::from("in/one.wav")));
    assert!(!scratch.has("out"));
    let ran = scratch.batch(&["--json"]).ends(1);
    assert_eq!(ran.out, fs::read_to_string(scratch.at("out/batch.json")).unwrap());
    let summary: Value = serde_json::from_str(&ran.out).unwrap();
    let totals = ["calls", "recorded", "quarantined", "customer_stored", "errors", "inputs_remaining"];
    assert_eq!(totals.map(|total| summary["totals"][total].as_u64().unwrap()), [2, 1, 1, 0, 1, 3]);
    let quiet = scratch.batch(&["--quiet"]).ends(1);
    assert!(quiet.out.is_empty(), "{}", quiet.out);
    quiet.complains(&["bad.wav"]);
}

#[test]
fn inputs_are_files_directories_globs_and_lists_on_standard_input() {
    let scratch = Scratch::new("desk-inputs");
    let call = encode::wav16(&interleave(&[&agent(4), &canary(4, 12)]), 2, RATE);
    for file in ["in/a.wav", "in/mon/b.wav", "in/mon/deep/c.WAV", "in/mon/note.txt", "in/mon/.hidden.wav", "d.wav"] {
        scratch.file(file, &call);
    }
    let made = |inputs: &[&str], typed: &str| {
        let arguments = [&["batch"], inputs, &["--out", "out", "--agent-channel", "left"]].concat();
        let mut child = scratch.command(&arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap(), &arguments).ends(0);
        let files =
            scratch.files("out").into_keys().filter_map(|file| file.strip_suffix(".agent.wav").map(str::to_owned));
        let names: Vec<String> = files.collect();
        fs::remove_dir_all(scratch.at("out")).unwrap();
        names
    };
    assert_eq!(made(&["in"], ""), ["a", "mon/b", "mon/deep/c"], "a directory: the path below it");
    assert_eq!(made(&["in", "d.wav"], ""), ["a", "d", "mon/b", "mon/deep/c"]);
    assert_eq!(made(&["in/mon/*.wav"], ""), ["b"], "a pattern: flat by name");
    assert_eq!(made(&["in/mon/b.wav"], ""), ["b"]);
    assert_eq!(made(&["-"], "in/a.wav\nin/mon/deep/c.WAV\n"), ["a", "c"]);
    // What it wrote itself is not taken for a call.
    scratch.batch(&[]).ends(0);
    scratch.run(&["batch", "in", "out", "--out", "again", "--agent-channel", "left"]).ends(0);
    assert_eq!(scratch.files("again").len(), 3 * 2 + 1);
    let list = batch(&["--dry-run"]);
    scratch.run(&list).ends(0).says(&["3 call(s)", "nothing was written"]);
}

#[test]
fn the_map_of_the_manual_takes_the_crm_table_of_the_samples_as_it_is() {
    let scratch = Scratch::new("desk-crm");
    let at = |below: &str| format!("{}/{below}", env!("CARGO_MANIFEST_DIR"));
    let map =
        "call=call_id,at=time_s,event=type,act=how,digit=digit,purpose=purpose,notice=announcement,version=version";
    for text in ["src/manual/events.rs", "samples/README.md"] {
        assert!(fs::read_to_string(at(text)).unwrap().contains(map), "{text} names it");
    }
    let calls = ["withdrawn", "granted", "refused"].map(|call| at(&format!("samples/calls/{call}.wav")));
    let crm = at("samples/crm.csv");
    let flags = ["--out", "out", "--agent-channel", "left", "--events", &crm, "--map", map];
    let arguments: Vec<&str> = ["batch"].into_iter().chain(calls.iter().map(String::as_str)).chain(flags).collect();
    scratch.run(&arguments).ends(0).says(&["stored of 1 call(s)"]);
    for call in ["withdrawn", "granted", "refused"] {
        assert!(!codes(&scratch.json(&format!("out/{call}.json"))).contains(&"events_rejected"), "{call}");
    }
    assert!(scratch.has("out/granted.customer.wav"));
}

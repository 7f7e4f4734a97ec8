//! A directory in which a live call is in hand, or was when its writer died: what the other commands do there.

use std::fs::{self, File};

use super::common::{Scratch, agent, canary};

/// A directory with a call that stands, and one that lies in `.live`.
fn archive(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    scratch.call("one", &agent(4), &canary(4, 1));
    scratch.batch(&[]).ends(0);
    scratch.file("out/.live/talk/journal.jsonl", b"{\"line\":\"opening\"");
    scratch.file("out/.live/talk/agent.wav", b"RIFF");
    scratch
}

#[test]
fn verify_warns_of_a_call_in_hand_and_of_one_that_waits() {
    let scratch = archive("in-hand-verify");
    let journal = File::open(scratch.at("out/.live/talk/journal.jsonl")).unwrap();
    journal.lock().unwrap();
    scratch.run(&["verify", "out"]).ends(0).says(&[".live/talk", "being recorded"]);
    drop(journal);
    scratch.run(&["verify", "out"]).ends(0).says(&[".live/talk", "waits"]);
}

#[test]
fn a_call_that_does_not_stand_yet_is_not_erased() {
    let scratch = archive("in-hand-erase");
    let journal = File::open(scratch.at("out/.live/talk/journal.jsonl")).unwrap();
    journal.lock().unwrap();
    scratch.run(&["erase", "out", "--call", "talk"]).ends(4).complains(&["talk", "is being recorded"]);
    drop(journal);
    // Nobody has it in hand any more: it is sealed, or cleared away as here, before anything is erased.
    scratch.run(&["erase", "out", "--call", "talk"]).ends(2).complains(&["talk", "was interrupted"]);
    scratch.run(&["sweep", "out", "--older-than", "1d"]).ends(0);
    scratch.run(&["erase", "out", "--call", "one"]).ends(0);
    assert!(!scratch.has("out/.live/talk/agent.wav") && !scratch.has("out/one.agent.wav"));
}

#[test]
fn a_batch_leaves_calls_in_hand_alone_and_refuses_their_names() {
    let scratch = archive("in-hand-batch");
    let before = scratch.files("out/.live");
    scratch.call("talk", &agent(4), &canary(4, 2));
    scratch.batch(&[]).ends(1).complains(&["talk", "live call"]);
    assert!(!scratch.has("out/talk.json"));
    assert_eq!(scratch.files("out/.live"), before);
    fs::remove_dir_all(scratch.at("out/.live")).unwrap();
    scratch.batch(&[]).ends(0);
    assert!(scratch.has("out/talk.json"));
}

//! What stands in an archive, after somebody laid hands on it: `verify` names what was changed (SEC-08), `erase` and
//! `sweep` delete for good and leave receipts that it accepts (ERA-06, RET-01, HLD-03).

use std::fs;

use super::common::{Ran, Scratch, agent, canary};

const GRANTED: &str = r#"{"at":1.5,"event":"granted","act":"dtmf","digit":"1","purpose":"training"}"#;
const TOLD: &str = r#"{"at":0.5,"event":"told","notice":"std","version":3}"#;
const HUNG_UP: &str = r#"{"at":7.9,"event":"hung_up"}"#;

/// Two granted calls and one without events, with everything that can be written of them.
fn archive(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    for (call, seed) in [("one", 1), ("two", 2), ("three", 3)] {
        let mut agent = agent(8);
        agent.rotate_left(seed as usize * 8_000);
        scratch.call(call, &agent, &canary(8, seed));
        if call != "three" {
            scratch.events(call, &[TOLD, GRANTED, HUNG_UP]);
        }
    }
    scratch.batch(&["--speech", "--report"]).ends(0);
    verify(&scratch).ends(0).says(&["sound"]);
    scratch
}

fn verify(scratch: &Scratch) -> Ran {
    scratch.run(&["verify", "out"])
}

/// Changes a file; `verify` must name it and end with 1; then the file is as it was.
#[track_caller]
fn noticed(scratch: &Scratch, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let path = scratch.at(&format!("out/{file}"));
    let before = fs::read(&path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "{file}: the test changed nothing");
    fs::write(&path, after).unwrap();
    let ran = verify(scratch).ends(1);
    ran.says(&[file]);
    ran.says(&["NOT sound"]);
    fs::write(&path, before).unwrap();
}

fn flipped(at: usize) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    move |mut bytes| {
        bytes[at] ^= 1;
        bytes
    }
}

fn replaced<'a>(what: &'a str, with: &'a str) -> impl FnOnce(Vec<u8>) -> Vec<u8> + 'a {
    move |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(what), "{what} is not in it");
        text.replacen(what, with, 1).into_bytes()
    }
}

#[test]
fn a_flipped_bit_anywhere_in_any_file_is_noticed_and_the_file_is_named() {
    let scratch = archive("archive-bits");
    let outputs =
        ["one.agent.wav", "one.customer.wav", "one.speech.wav", "one.timeline.csv", "one.svg", "three.agent.wav"];
    for file in outputs {
        let length = fs::read(scratch.at(&format!("out/{file}"))).unwrap().len();
        for at in [0, 22, 40, length / 3, length / 2, length - 1] {
            noticed(&scratch, file, flipped(at));
        }
    }
    for file in ["one.json", "three.json", "batch.json"] {
        let length = fs::read(scratch.at(&format!("out/{file}"))).unwrap().len();
        for at in (0..length).step_by(length / 40) {
            noticed(&scratch, file, flipped(at));
        }
    }
    verify(&scratch).ends(0);
}

#[test]
fn a_sound_file_that_became_shorter_or_longer_is_noticed() {
    let scratch = archive("archive-lengths");
    for file in ["one.agent.wav", "one.customer.wav", "one.speech.wav", "three.agent.wav"] {
        noticed(&scratch, file, |bytes| bytes[..bytes.len() - 2].to_vec());
        noticed(&scratch, file, |bytes| bytes[..44].to_vec());
        noticed(&scratch, file, |_| Vec::new());
        noticed(&scratch, file, |bytes| [bytes.as_slice(), &[0, 0]].concat());
    }
    verify(&scratch).ends(0);
}

#[test]
fn a_changed_number_in_a_manifest_is_noticed() {
    let scratch = archive("archive-numbers");
    let changes = [
        (r#""rate_hz": 8000"#, r#""rate_hz": 8001"#),
        (r#""length_samples": 64000"#, r#""length_samples": 64001"#),
        (r#""heard": 64000"#, r#""heard": 64080"#),
        (r#""channel": 0"#, r#""channel": 1"#),
        (r#""from": 12000"#, r#""from": 8000"#),
        (r#""purposes": ["training"]"#, r#""purposes": ["documentation"]"#),
        (r#""digit": "1""#, r#""digit": "9""#),
        (r#""sample": 12000"#, r#""sample": 11000"#),
        (r#""result": "recorded""#, r#""result": "quarantined""#),
        (r#""on_withdrawal": "erase""#, r#""on_withdrawal": "keep""#),
    ];
    for (what, with) in changes {
        noticed(&scratch, "one.json", replaced(what, with));
    }
    noticed(&scratch, "batch.json", replaced(r#""recorded": 3"#, r#""recorded": 2"#));
    verify(&scratch).ends(0);
}

#[test]
fn a_ledger_with_a_line_removed_moved_or_edited_is_noticed() {
    let scratch = archive("archive-ledger");
    let line = |text: &str, n: usize| -> (usize, usize) {
        let from = text.find(&format!("    {{\"seq\": {n},")).expect("the ledger has that line");
        (from, from + text[from..].find('\n').unwrap() + 1)
    };
    noticed(&scratch, "one.json", |bytes| {
        let mut text = String::from_utf8(bytes).unwrap();
        let (from, until) = line(&text, 0);
        text.replace_range(from..until, "");
        text.into_bytes()
    });
    noticed(&scratch, "one.json", |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        let ((from, middle), (_, until)) = (line(&text, 0), line(&text, 1));
        let swapped = [&text[..from], &text[middle..until], &text[from..middle], &text[until..]].concat();
        swapped.into_bytes()
    });
    noticed(&scratch, "one.json", replaced(r#""event": "told""#, r#""event": "left""#));
    verify(&scratch).ends(0);
}

#[test]
fn files_swapped_between_calls_or_tracks_are_noticed() {
    let scratch = archive("archive-swaps");
    let pairs = [
        ("one.json", "two.json"),
        ("one.agent.wav", "two.agent.wav"),
        ("one.customer.wav", "two.customer.wav"),
        ("one.speech.wav", "two.speech.wav"),
        ("one.agent.wav", "one.customer.wav"),
    ];
    let swap = |one: &str, two: &str| {
        let (one, two) = (scratch.at(&format!("out/{one}")), scratch.at(&format!("out/{two}")));
        fs::rename(&one, scratch.at("aside")).unwrap();
        fs::rename(&two, &one).unwrap();
        fs::rename(scratch.at("aside"), &two).unwrap();
    };
    for (one, two) in pairs {
        swap(one, two);
        let ran = verify(&scratch).ends(1);
        ran.says(&[one]);
        ran.says(&[two]);
        swap(one, two);
    }
    verify(&scratch).ends(0);
}

#[test]
fn a_missing_and_an_added_file_are_noticed() {
    let scratch = archive("archive-files");
    for file in ["one.agent.wav", "one.customer.wav", "one.speech.wav", "one.timeline.csv", "one.svg", "one.json"] {
        fs::rename(scratch.at(&format!("out/{file}")), scratch.at("aside")).unwrap();
        verify(&scratch).ends(1).says(&[file.strip_suffix(".json").unwrap_or(file)]);
        fs::rename(scratch.at("aside"), scratch.at(&format!("out/{file}"))).unwrap();
    }
    // The customer of a call that nobody granted.
    for (from, to) in [("one.customer.wav", "three.customer.wav"), ("one.agent.wav", "four.agent.wav")] {
        fs::copy(scratch.at(&format!("out/{from}")), scratch.at(&format!("out/{to}"))).unwrap();
        verify(&scratch).ends(1).says(&[to]);
        fs::remove_file(scratch.at(&format!("out/{to}"))).unwrap();
    }
    verify(&scratch).ends(0);
    // A whole call is gone, and nothing of it is left to ask.
    let whole: Vec<String> = scratch.files("out").into_keys().filter(|file| file.starts_with("one.")).collect();
    whole.iter().for_each(|file| fs::remove_file(scratch.at(&format!("out/{file}"))).unwrap());
    verify(&scratch).ends(1).says(&["batch.json", "one", "gone"]);
    scratch.batch(&["--speech", "--report"]).ends(0);
    verify(&scratch).ends(0);
    scratch.run(&["verify", "nowhere"]).ends(2).complains(&["nowhere"]);
}

#[test]
fn erasing_the_customer_leaves_the_agent_byte_for_byte() {
    let scratch = archive("archive-track");
    let before = scratch.files("out");
    let erase = ["erase", "out", "--call", "one", "--track", "customer", "--reason", "letter 17"];
    scratch.run(&[&erase[..], &["--dry-run"]].concat()).ends(0).says(&["one.customer.wav"]);
    assert!(scratch.files("out") == before, "a dry run changes nothing");
    scratch.run(&erase).ends(0).says(&["one.erased.json"]);
    let after = scratch.files("out");
    assert!(!after.contains_key("one.customer.wav") && after.contains_key("one.erased.json"));
    assert_eq!(scratch.json("out/one.erased.json")["erasures"][0]["reason"], "letter 17");
    for (file, bytes) in before.iter().filter(|(file, _)| *file != "one.customer.wav") {
        assert!(after.get(file) == Some(bytes), "{file} changed");
    }
    verify(&scratch).ends(0).says(&["1 receipt(s)"]);
    scratch.run(&erase).ends(0).says(&["one", "0 file(s)"]);
    assert!(scratch.files("out") == after, "twice changes nothing");
    // ERA-03: a backup of the track does not come back unnoticed, and a re-run does not make it again.
    fs::write(scratch.at("out/one.customer.wav"), &before["one.customer.wav"]).unwrap();
    verify(&scratch).ends(1).says(&["one.customer.wav"]);
    fs::remove_file(scratch.at("out/one.customer.wav")).unwrap();
    scratch.batch(&["--speech", "--report"]).ends(0);
    assert!(!scratch.has("out/one.customer.wav"));
    verify(&scratch).ends(0);
}

#[test]
fn an_erased_call_leaves_nothing_but_its_receipt() {
    let scratch = archive("archive-call");
    let before = scratch.files("out");
    scratch.run(&["erase", "out", "--call", "one"]).ends(0);
    let left: Vec<String> = scratch.files("out").into_keys().filter(|file| file.starts_with("one")).collect();
    assert_eq!(left, ["one.erased.json"]);
    assert!(scratch.files("out").iter().filter(|(file, _)| file.starts_with("two")).all(|(f, b)| before[f] == *b));
    verify(&scratch).ends(0).says(&["1 receipt(s)"]);
    noticed(&scratch, "one.erased.json", replaced("request", "retention"));
    // RET-07: the summary does not name it any more.
    assert!(!fs::read_to_string(scratch.at("out/batch.json")).unwrap().contains("\"one\""));
}

#[test]
fn what_cannot_be_erased_is_refused_and_nothing_is_touched() {
    let scratch = archive("archive-refused");
    let before = scratch.files("out");
    scratch.file("holds", br#"{"call":"one","reason":"dispute 17","by":"legal","review":"2999-01-31"}"#);
    scratch
        .run(&["erase", "out", "--call", "two", "--call", "one", "--holds", "holds"])
        .ends(4)
        .complains(&["one", "dispute 17"]);
    let unknown = scratch.run(&["erase", "out", "--call", "two", "--call", "nobody"]);
    unknown.complains(&["nobody"]);
    assert_eq!(unknown.code, Some(2));
    let none = scratch.run(&["erase", "out", "--call", "three", "--track", "customer"]);
    none.complains(&["three"]);
    assert_ne!(none.code, Some(0));
    for name in ["../in/one", "/etc/passwd", ".", ""] {
        assert_ne!(scratch.run(&["erase", "out", "--call", name]).code, Some(0), "{name:?}");
    }
    let held = [
        r#"{"call":"one","reason":"dispute 17","by":"legal"}"#,
        "no json",
        r#"{"call":"one","reason":"","by":"x","review":"2999-01-31"}"#,
    ];
    for (n, line) in held.iter().enumerate() {
        scratch.file("bad", format!("\n{line}\n").as_bytes());
        let ran = scratch.run(&["erase", "out", "--call", "two", "--holds", "bad"]).ends(2);
        ran.complains(&["bad", "line 2"]);
        let swept = scratch.run(&["sweep", "out", "--older-than", "0d", "--yes", "--holds", "bad"]).ends(2);
        assert!(swept.err.contains("line 2"), "case {n}");
    }
    assert!(scratch.files("out") == before);
}

#[test]
fn a_sweep_lists_first_spares_what_is_held_and_leaves_receipts() {
    let scratch = archive("archive-sweep");
    let before = scratch.files("out");
    scratch.file("holds", br#"{"call":"two","reason":"dispute 17","by":"legal","review":"2999-01-31"}"#);
    scratch.run(&["sweep", "out"]).ends(0).says(&["0 due", "3 not due"]);
    let listed = scratch.run(&["sweep", "out", "--older-than", "0d", "--holds", "holds"]).ends(0);
    listed.says(&["due", "one"]);
    listed.says(&["held", "two", "dispute 17"]);
    listed.says(&["2 due", "1 held", "Nothing was deleted"]);
    assert!(scratch.files("out") == before, "without --yes nothing changes");
    scratch
        .run(&["sweep", "out", "--older-than", "0d", "--holds", "holds", "--yes"])
        .ends(0)
        .says(&["2 erased", "1 held"]);
    let after = scratch.files("out");
    assert!(after.contains_key("one.erased.json") && after.contains_key("three.erased.json"));
    assert!(!after.contains_key("one.agent.wav") && !after.contains_key("one.json"));
    assert!(after.iter().filter(|(file, _)| file.starts_with("two")).all(|(file, bytes)| before[file] == *bytes));
    assert_eq!(scratch.json("out/one.erased.json")["erasures"][0]["reason"], "retention");
    verify(&scratch).ends(0).says(&["2 receipt(s)"]);
    scratch.run(&["sweep", "out", "--older-than", "0d", "--yes", "--holds", "holds"]).ends(0).says(&["0 erased"]);
    for age in ["never", "-1d", "99999d", ""] {
        let ran = scratch.run(&["sweep", "out", "--older-than", age, "--yes"]).ends(2);
        assert!(ran.err.contains("age") || ran.err.contains("argument"), "{}", ran.err);
    }
    assert!(scratch.files("out").contains_key("two.agent.wav"));
}

#[test]
fn a_doubtful_result_keeps_its_input_and_says_why() {
    let scratch = Scratch::new("archive-doubt");
    scratch.call("good", &agent(6), &canary(6, 31));
    scratch.call("untold", &agent(6), &canary(6, 32));
    scratch.events("untold", &[GRANTED]);
    scratch.call("empty", &[], &[]);
    let ran = scratch.batch(&["--dispose", "delete"]).ends(0);
    ran.says(&["untold", "events rejected (not_informed at 1.5 s)", "input kept", "doubtful"]);
    ran.says(&["empty", "input kept", "doubtful (no sound)"]);
    assert!(scratch.has("in/untold.wav") && scratch.has("in/empty.wav") && !scratch.has("in/good.wav"));
    let looked = scratch.run(&["check", "in", "--agent-channel", "left"]).ends(0);
    looked.says(&["finding events_rejected", "not_informed at 1.5 s"]);
    verify(&scratch).ends(0);
}

#[test]
fn a_directory_that_batch_never_wrote_is_not_called_sound() {
    let scratch = Scratch::new("archive-nothing");
    scratch.file("elsewhere/notes.txt", b"nothing of ours");
    let ran = scratch.run(&["verify", "elsewhere"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--out"), "{}", ran.err);
}

#[test]
fn a_hold_on_a_call_that_is_not_here_is_named() {
    let scratch = archive("archive-holds-misspelt");
    scratch.file("holds", br#"{"call":"onne","reason":"dispute 17","by":"legal","review":"2999-01-31"}"#);
    let ran = scratch.run(&["sweep", "out", "--holds", "holds"]);
    assert!(ran.err.contains("onne"), "{}", ran.err);
}

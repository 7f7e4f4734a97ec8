//! The manual's table of findings against the code, and the README's commands as written.

use std::fs;
use std::path::Path;

use oneside::split::{Finding, MissingParty, Remedy};

use crate::common::Scratch;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn findings() -> Vec<Finding> {
    vec![
        Finding::CustomerDead,
        Finding::AgentDead,
        Finding::AgentClipped { per_thousand: 30 },
        Finding::Twin { seconds: 1.0 },
        Finding::OppositePhase { seconds: 1.0 },
        Finding::TwinPassages { seconds: 1.0 },
        Finding::SwappedSuspected,
        Finding::MapContradicted { map: 0, declared: 1, by: "events".into() },
        Finding::Truncated { promised: 2, found: 1 },
        Finding::Unfinished,
        Finding::HeaderRepaired { what: "size".into() },
        Finding::EventsRejected { count: 1 },
        Finding::EventsBeyondEnd { count: 1 },
        Finding::PairLengthsDiffer { agent: 1, customer: 2 },
        Finding::FramesLost { frames: 160, seconds: 0.02 },
        Finding::SenderSilent { frames: 160, seconds: 0.02 },
        Finding::PartyMissing { party: MissingParty::Customer },
        Finding::TooFast { per_mille: 2_000 },
        Finding::LayoutMismatch { what: "one party was asked for and two came".into() },
        Finding::SideUnknown { what: "no label".into() },
        Finding::NeverRecord,
        Finding::Interrupted { seconds: 1.0, why: "the process died".into() },
    ]
}

#[test]
fn the_manuals_table_of_findings_is_that_of_the_code() {
    let manual = read("src/manual/findings.rs");
    let code = read("src/split/finding.rs");
    let rows: Vec<&str> = manual.lines().filter(|line| line.starts_with("//! | `")).collect();
    let listed = findings();
    for finding in &listed {
        let name = format!("`{}`", finding.code());
        let row = rows.iter().find(|row| row.contains(&name)).unwrap_or_else(|| panic!("{name} is not in the manual"));
        let remedy = row.split('|').nth(3).unwrap();
        match finding.remedy() {
            Remedy::BothWithheld => assert!(remedy.contains("both withheld; `quarantined`"), "{row}"),
            Remedy::Noted => assert!(remedy.contains("noted"), "{row}"),
        }
        assert!(!finding.sentence().is_empty());
    }
    assert_eq!(rows.len(), listed.len(), "the manual lists nothing that does not exist");
    let arms =
        code.split("pub fn code").nth(1).unwrap().split("pub fn sentence").next().unwrap().matches("=> \"").count();
    assert_eq!(arms, listed.len(), "this test knows every finding");
}

/// The commands of a README block and, behind each, the output that it shows.
fn shown(readme: &str) -> Vec<(Vec<String>, String)> {
    let mut commands: Vec<(Vec<String>, String)> = Vec::new();
    for block in readme.split("```console\n").skip(1) {
        for line in block.split("\n```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => {
                    let words = command.replace("cargo run --release --", "oneside");
                    commands.push((words.split_whitespace().map(str::to_owned).collect(), String::new()));
                }
                None => {
                    let output = &mut commands.last_mut().expect("a block begins with a command").1;
                    output.push_str(line);
                    output.push('\n');
                }
            }
        }
    }
    commands.retain(|(words, _)| words[0] == "oneside");
    commands
}

#[test]
fn the_readmes_commands_print_what_the_readme_shows() {
    let scratch = Scratch::new("readme");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let commands = shown(&read("README.md"));
    assert!(commands.len() >= 3, "the README shows commands: {commands:?}");
    for (words, output) in commands {
        let place = |word: &String| match word.as_str() {
            "out" => scratch.at("out").display().to_string(),
            word if word.starts_with("samples/") => root.join(word).display().to_string(),
            word => word.to_owned(),
        };
        let arguments: Vec<String> = words[1..].iter().map(place).collect();
        let ran = scratch.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.err);
        if !output.trim().is_empty() {
            assert_eq!(ran.out.trim(), output.trim(), "{words:?}");
        }
    }
}

#[test]
fn the_samples_are_kept_as_expected() {
    let scratch = Scratch::new("samples");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let (calls, pair) = (root.join("calls"), root.join("pair"));
    scratch.run(&["batch", calls.to_str().unwrap(), "--out", "out", "--agent-channel", "left"]).ends(0);
    scratch.run(&["batch", pair.to_str().unwrap(), "--out", "pair", "--pair", "*-agent.wav:*-customer.wav"]).ends(0);
    let expected = read("samples/expected/calls.csv");
    let mut rows = expected.lines();
    let heading: Vec<&str> = rows.next().unwrap().split(',').collect();
    let column =
        |name: &str| heading.iter().position(|h| *h == name).unwrap_or_else(|| panic!("{name} in {heading:?}"));
    let mut checked = 0;
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let name = cells[column("call")];
        let dir = if name == "third-party" { "pair" } else { "out" };
        let text = fs::read_to_string(scratch.at(&format!("{dir}/{name}.json"))).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rate = manifest["rate_hz"].as_f64().unwrap();
        let kept: Vec<String> = manifest["customer"]["kept"]
            .as_array()
            .unwrap()
            .iter()
            .map(|k| format!("{:.3}-{:.3}", k["from"].as_f64().unwrap() / rate, k["until"].as_f64().unwrap() / rate))
            .collect();
        let kept = if kept.is_empty() { "none".to_owned() } else { kept.join(";") };
        assert_eq!(kept, cells[column("customer_kept")], "{name}");
        checked += 1;
    }
    assert_eq!(checked, 6);
}

#[test]
fn a_grant_and_a_refusal_leave_the_agents_track_the_same_bit_for_bit() {
    // CON-08
    let scratch = Scratch::new("same-service");
    let call = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/calls/withdrawn.wav")).unwrap();
    let told = r#"{"at":0,"event":"told","notice":"std","version":3}"#;
    let mut tracks = Vec::new();
    for answer in [
        r#"{"at":1.5,"event":"granted","act":"dtmf","digit":"1","purpose":"training"}"#,
        r#"{"at":1.5,"event":"refused"}"#,
        r#"{"at":1.5,"event":"held"}"#,
    ] {
        scratch.file("in/a.wav", &call);
        scratch.events("a", &[told, answer]);
        scratch.batch(&[]).ends(0);
        tracks.push(fs::read(scratch.at("out/a.agent.wav")).unwrap());
    }
    assert!(tracks[0].len() > 100_000 && tracks[0].iter().skip(44).any(|byte| *byte != 0));
    assert!(tracks[0] == tracks[1] && tracks[1] == tracks[2], "the customer's answer changes nothing for the agent");
}

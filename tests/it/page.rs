//! The agent's page in a real Chromium, over a real call: a click on *yes* begins the customer's file at that sample, a
//! click on *withdrawn* ends it (INF-03, CON-06, CON-10).

use std::path::Path;
use std::process::Command;

use crate::live_common::{REAL_TIME, Talk, counted};
use crate::skipped::skipped;

/// Whether node, Chromium and playwright-core are there; says what is missing.
fn browser_is_there() -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chromium = std::env::var("CHROMIUM").unwrap_or("/usr/bin/chromium".into());
    let needed = [
        (Command::new("node").arg("--version").output().is_ok(), "node"),
        (Path::new(&chromium).exists(), "Chromium"),
        (root.join("target/browser/node_modules/playwright-core").exists(), "playwright-core (tests/run installs it)"),
    ];
    for (_, what) in needed.iter().filter(|(there, _)| !there) {
        skipped(format!("{what} is missing"));
    }
    needed.iter().all(|(there, _)| *there)
}

#[test]
fn a_click_on_yes_begins_the_customers_file_at_that_sample_and_a_click_on_withdrawn_ends_it() {
    if !browser_is_there() {
        return;
    }
    let more = ["--purpose", "training", "--worst-buffering-ms", "100", "--on-withdrawal", "keep"];
    let talk = Talk::begin("page", &more, &counted(25), REAL_TIME);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/yes.mjs");
    let out = Command::new("node").arg(script).arg(format!("http://{}/", talk.address())).output().unwrap();
    assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let over = talk.over();
    let ledger = over.manifest["ledger"].as_array().unwrap();
    let sample = |event: &str| {
        let entry =
            ledger.iter().find(|entry| entry["event"] == event).unwrap_or_else(|| panic!("{event}: {ledger:?}"));
        assert_eq!(entry["effect"]["outcome"], "accepted", "{entry}");
        entry["sample"].as_u64().unwrap() as usize
    };
    let (from, until) = (sample("granted"), sample("withdrawn"));
    assert!(until > from + 8_000, "it was open for a while: {from} to {until}");
    // Every sample of the customer's tells its own number: exactly these are kept.
    over.keeps(&[(from, until)]);
}

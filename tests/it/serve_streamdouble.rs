//! `streamdouble` (PyPI), a Twilio media stream that is not ours, as the caller: both tracks of a fork.
//!
//! `tests/run` installs it below `target/streamdouble`; without it the test says so and passes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::common::{RATE, agent, canary};
use crate::encode;
use crate::hunt::Hunt;
use crate::serve_common::Server;
use crate::skipped::skipped;

/// The caller speaks from 1.4 to 3.9 and from 7.4 on.
const SECONDS: usize = 9;

fn streamdouble() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/streamdouble/bin/streamdouble");
    if !program.exists() {
        skipped(format!("no {} (tests/run installs it)", program.display()));
        return None;
    }
    Some(program)
}

#[test]
fn a_fork_of_streamdouble_is_recorded_and_its_caller_only_with_a_grant() {
    let Some(program) = streamdouble() else { return };
    let sources = "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n[[serve.websocket.route]]\npath = \"/twilio\"\n\
                   dialect = \"media_stream\"\nagent_track = \"outbound\"\ncall = \"key:callId\"\n\
                   worst_buffering_ms = 500\nreorder_ms = 100\n";
    let top = "purposes = [\"training\"]\non_withdrawal = \"keep\"";
    let mut server = Server::start_with("serve-streamdouble", top, sources);
    let address = server.address_of("websocket");
    let scratch = crate::common::Scratch::new("streamdouble");
    let (agent, canary) = (agent(SECONDS), canary(SECONDS, 51));
    scratch.file("agent.wav", &encode::wav16(&agent, 1, RATE));
    scratch.file("caller.wav", &encode::wav16(&canary, 1, RATE));
    let mut caller = Command::new(program)
        .args(["call", "--fork", "--strict-fork", "--track", "both", "--param", "callId=sd-1", "--quiet"])
        .args(["--audio".as_ref(), scratch.at("caller.wav").as_os_str()])
        .args(["--agent-audio".as_ref(), scratch.at("agent.wav").as_os_str()])
        .arg(format!("ws://{address}/twilio"))
        .spawn()
        .unwrap();
    server.wait_for("sd-1: began");
    server.wait_in_hand("sd-1");
    let began = std::time::Instant::now();
    server.ask("sd-1", "told", json!({"notice": "std", "version": 3}));
    std::thread::sleep(std::time::Duration::from_secs(3));
    let granted_s = began.elapsed().as_secs_f64();
    server.ask("sd-1", "granted", json!({"act": "dtmf", "digit": "1", "purpose": "training"}));
    let status = caller.wait().unwrap();
    assert!(status.success(), "nothing was sent back on the fork: {status}");
    server.wait_ended("sd-1");
    let (code, said, store) = server.end();
    assert_eq!(code, 0, "{said:?}");
    let coded = |part: &[i16]| part.iter().map(|value| encode::from_mulaw(encode::mulaw(*value))).collect();
    let before = &canary[..(granted_s * f64::from(RATE)) as usize];
    let hunt = Hunt::of(vec![before.to_vec(), coded(before)]);
    store.files("out").iter().for_each(|(file, bytes)| hunt.finds_nothing(file, bytes));
    let after = &canary[7 * RATE as usize..];
    let customer = std::fs::read(store.at("out/sd-1.customer.wav")).unwrap();
    assert!(Hunt::of(vec![after.to_vec(), coded(after)]).first(&customer).is_some(), "she is there after the grant");
    let kept = store.sound("out/sd-1.agent.wav");
    assert!(kept.iter().filter(|sample| **sample != 0).count() > kept.len() / 5, "the agent is kept");
    store.run(&["verify", "out"]).ends(0);
}

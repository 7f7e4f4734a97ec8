//! `oneside ctl` against the HTTP API.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use crate::common::Scratch;
use crate::http_common::Server;

#[test]
fn ctl_does_from_a_shell_what_the_page_does() {
    let scratch = Scratch::new("ctl");
    let server = Server::new(&[]);
    let ctl = |arguments: &[&str]| server.ctl(&scratch, arguments);
    assert!(ctl(&["pause"]).ends(2).err.contains("no call is in hand"));
    assert!(ctl(&["open", "--call", "a", "--agent", "7"]).ends(0).out.starts_with("opened: a  "));
    let early = ctl(&["granted", "--act", "spoken_yes", "--purpose", "training"]).ends(4);
    assert!(early.err.contains("rejected") && early.err.contains("told"), "{}", early.err);
    assert!(ctl(&["told", "--notice", "std", "--version", "3"]).ends(0).out.starts_with("accepted: told counts from "));
    let yes = ctl(&["granted", "--act", "dtmf", "--digit", "1", "--purpose", "training", "--json"]).ends(0);
    assert_eq!(serde_json::from_str::<Value>(&yes.out).unwrap()["customer"], "open");
    for line in [
        &["pause"][..],
        &["resume"],
        &["hold"],
        &["retrieve"],
        &["private"],
        &["private", "--end"],
        &["mask", "10"],
        &["joined", "--party", "x"],
        &["left", "--party", "x"],
        &["withdrawn"],
        &["refused"],
    ] {
        ctl(line).ends(0);
    }
    assert!(ctl(&["state"]).ends(0).out.contains("a  "));
    assert!(ctl(&["mask", "0"]).ends(2).err.contains("seconds"));
    ctl(&["open", "--call", "b"]).ends(0);
    let which = ctl(&["pause"]).ends(2);
    assert!(which.err.contains("a, b") && which.err.contains("--call"), "{}", which.err);
    assert!(ctl(&["pause", "--call", "c"]).ends(2).err.contains("no call `c`"));
    assert!(ctl(&["--call", "b", "close"]).ends(0).out.starts_with("ended: b  "));
    assert!(ctl(&["ended"]).ends(0).out.contains("recorded"));
    assert_eq!(serde_json::from_str::<Value>(&ctl(&["calls", "--json"]).ends(0).out).unwrap()[0]["call"], "a");
    ctl(&["hung-up"]).ends(0);
    let gone = scratch.run(&["ctl", "--at", "http://127.0.0.1:9", "calls"]).ends(2);
    assert!(gone.err.contains("--http") && gone.err.contains("--at"), "{}", gone.err);
}

#[test]
fn ctl_watches_until_the_recorder_ends() {
    let scratch = Scratch::new("ctl-watch");
    let mut server = Server::new(&["a"]);
    let mut child = scratch.command(&["ctl", "--at", &server.running.url, "watch"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let first: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!((&first["event"], &first["data"][0]["call"]), (&json!("calls"), &json!("a")));
    server.post("/v1/calls/a/paused", &json!({}));
    assert!(lines.any(|line| line.contains("\"recording\":\"paused\"")));
    server.running.end();
    drop(lines);
    assert!(!child.wait().unwrap().success());
}

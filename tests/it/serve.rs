//! `oneside serve` itself: its configuration, its signals, its API; the sources have files of their own.

use serde_json::json;

use crate::common::Scratch;
use crate::serve_common::Server;

#[test]
fn it_serves_is_steered_reads_its_configuration_again_and_ends() {
    let mut server = Server::start_with("serve-plain", "purposes = [\"training\"]", "");
    let (status, calls) = server.request("GET", "/v1/calls", None);
    assert_eq!((status, calls), (200, json!([])));
    let (status, problem) =
        server.request("POST", "/v1/expected", Some(json!({ "source": "audiosocket", "call": "a" })));
    assert_eq!((status, &problem["code"]), (409, &json!("source")), "{problem}");
    let (status, _) = server.request("DELETE", "/v1/expected/nobody", None);
    assert_eq!(status, 404);
    let (status, _) = server.request("GET", "/metrics", None);
    assert_eq!(status, 200);
    server.signal("HUP");
    server.wait_for("the configuration was read again");
    let (code, said, _scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
}

#[test]
fn check_says_what_is_in_force_of_a_media_server_and_what_its_sources_cannot_use() {
    let scratch = Scratch::new("serve-check");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/serve/media-server.toml");
    let ran = scratch.run(&["check", "--config", sample]).ends(0);
    for line in [
        ["agent_channel", "as each source of [serve] says"],
        ["[keys] question", "open for 20 s after `told`"],
        ["[keys] customer", "1 grants training, 2 refuses, 9 withdraws"],
        ["[keys] agent", "# resumes, * pauses"],
    ] {
        ran.says(&line);
    }
    scratch.file("silent.toml", b"[serve]\n[keys]\n2 = \"refuse\"\n");
    let ran = scratch.run(&["check", "--config", "silent.toml"]).ends(0);
    assert!(ran.out.lines().any(|line| line.contains("[keys] agent") && line.contains("none")), "{}", ran.out);
    scratch.file("plain.toml", b"[serve]\n[keys]\n1 = \"grant\"\n2 = \"refuse\"\n");
    scratch.run(&["check", "--config", "plain.toml"]).ends(2).complains(&["key 1 grants nothing"]);
    for (name, table, why) in [
        ("route.toml", "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n", "no path is configured"),
        ("ng.toml", "[serve.rtpengine]\n", "serve.rtpengine.ng"),
    ] {
        scratch.file(name, table.as_bytes());
        scratch.run(&["check", "--config", name]).ends(2).complains(&[why]);
    }
}

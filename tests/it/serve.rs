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
    let sample_said = scratch.run(&["check", "--config", sample]).ends(0);
    for line in [
        ["agent_channel", "as each source of [serve] says"],
        ["[keys] question", "open for 20 s after `told`"],
        ["[keys] customer", "1 grants training, 2 refuses, 9 withdraws"],
        ["[keys] agent", "# resumes, * pauses"],
    ] {
        sample_said.says(&line);
    }
    scratch.file("silent.toml", b"[serve]\n[keys]\n2 = \"refuse\"\n");
    let ran = scratch.run(&["check", "--config", "silent.toml"]).ends(0);
    assert!(ran.out.lines().any(|line| line.contains("[keys] agent") && line.contains("none")), "{}", ran.out);
    scratch.file("plain.toml", b"[serve]\n[keys]\n1 = \"grant\"\n2 = \"refuse\"\n");
    scratch.run(&["check", "--config", "plain.toml"]).ends(2).complains(&["key 1 grants nothing"]);
    for line in [
        ["  out", "recordings"],
        ["  layout", "date"],
        ["  calls_max", "2000; memory for so many, at 8 kHz: about 520 MiB"],
        ["  drain_s", "within 20 s"],
        ["  http", "127.0.0.1:8741, no TLS, no token"],
        ["  rtp", "127.0.0.1, ports 40000 to 44999"],
        ["  rtpengine", "asked at 127.0.0.1:2223"],
        [
            "  siprec/udp",
            "127.0.0.1:5090, no TLS, anybody who reaches it; reference guard; the agent is whom 1 pattern(s)",
        ],
        ["  audiosocket", "127.0.0.1:9092, no TLS, anybody who reaches it; reference guard; each connection is whose"],
        ["  websocket", "127.0.0.1:9300"],
        ["/asterisk/agent speaks chan_websocket", "the agent's connection"],
        ["/asterisk/customer speaks chan_websocket", "reference guard; the customer's connection"],
    ] {
        sample_said.says(&line);
    }
    for (name, table, why) in [
        ("route.toml", "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n", "no path is configured"),
        ("ng.toml", "[serve.rtpengine]\n", "serve.rtpengine.ng"),
    ] {
        scratch.file(name, table.as_bytes());
        scratch.run(&["check", "--config", name]).ends(2).complains(&[why]);
    }
}

#[test]
fn a_listener_that_others_could_reach_is_refused_by_check_as_by_serve_and_before_anything_is_opened() {
    let scratch = Scratch::new("serve-refused");
    scratch.file("half.pem", b"");
    let http = "[serve.http]\nlisten = \"127.0.0.1:0\"\n";
    let aor = "agent_aor = \"sip:agent@*\"\n";
    let route = "[[serve.websocket.route]]\npath = \"/a\"\ndialect = \"chan_websocket\"\nside = \"agent-alone\"\n";
    let cases = [
        ("audiosocket", format!("{http}[serve.audiosocket]\nlisten = \"0.0.0.0:0\"\n"), "SEC-03"),
        (
            "siprec",
            format!("{http}[serve.siprec]\n{aor}listen_tcp = \"0.0.0.0:0\"\n"),
            "siprec: 0.0.0.0:0 can be reached",
        ),
        ("udp", format!("{http}[serve.siprec]\n{aor}listen_udp = \"0.0.0.0:0\"\n"), "siprec: 0.0.0.0:0 can be reached"),
        (
            "websocket",
            format!("{http}[serve.websocket]\nlisten = \"0.0.0.0:0\"\nallow = [\"10.0.0.0/8\"]\n{route}"),
            "0.0.0.0:0 can be reached",
        ),
        ("rtp", format!("{http}[serve.rtp]\naddress = \"10.0.0.5\"\n"), "serve.rtp.address"),
        ("http", "[serve.http]\nlisten = \"0.0.0.0:0\"\n".into(), "TLS (--tls-cert, --tls-key) and a token"),
        ("half", format!("{http}tls_cert = \"half.pem\"\n"), "TLS needs both"),
        ("token", format!("{http}token = \"nowhere\"\n"), "nowhere"),
    ];
    for (name, sources, why) in cases {
        let config = format!("{name}.toml");
        scratch.file(&config, format!("[serve]\nout = \"out\"\n{sources}").as_bytes());
        let served = scratch.run(&["serve", "--config", &config]).ends(2);
        served.complains(&[why]);
        assert!(!served.err.contains("steering at"), "{name}: the API was open: {}", served.err);
        assert!(!scratch.at("out").exists(), "{name}: the store was made");
        let checked = scratch.run(&["check", "--config", &config]).ends(2);
        assert_eq!(checked.err, served.err, "{name}");
        // The danger named, both go on: check says so.
        if !["http", "half", "token"].contains(&name) {
            let danger = format!("[serve]\nout = \"out\"\n{sources}[danger]\nplain_listeners = true\n");
            scratch.file(&config, danger.as_bytes());
            scratch.run(&["check", "--config", &config]).ends(0).says(&["[danger]", "plain_listeners"]);
        }
    }
}

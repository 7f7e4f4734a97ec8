//! Whole calls over each WebSocket dialect through `oneside serve`: the customer is nowhere before the key that grants, there
//! after it, and nowhere again from the withdrawal on (ONE-01, CON-01, CON-06, CON-08).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::common::{Scratch, agent, canary};
use crate::encode;
use crate::hunt::Hunt;
use crate::serve_common::Server;
use crate::ws_client::{Client, Sent, paced};

const RATE: usize = 8_000;
/// Of a call, seconds. The customer speaks from 1.4 to 3.9 and from 7.4 on; her keys are pressed at 2 and 5.
const SECONDS: usize = 9;
const TOP: &str = "purposes = [\"training\"]\non_withdrawal = \"keep\"\n\
                   [keys]\n1 = \"grant\"\n9 = \"withdraw\"\n[danger]\nplain_listeners = true";

/// What a switch does in 20 ms: the agent's samples, the customer's, and the key that the customer presses now.
type Step<'a> = &'a mut dyn FnMut(usize, &[i16], &[i16], Option<char>);

/// A call in real time, announced to, granted and withdrawn by keys.
fn call(server: &Server, name: &str, seed: u64, step: Step<'_>) -> Vec<i16> {
    let (agent, canary) = (agent(SECONDS), canary(SECONDS, seed));
    let before = Hunt::of(customers(&canary));
    paced(SECONDS * 50, Duration::from_millis(20), |n| {
        let key = match n {
            100 => Some('1'),
            250 => Some('9'),
            _ => None,
        };
        step(n, &agent[n * 160..][..160], &canary[n * 160..][..160], key);
        match n {
            50 => drop(server.ask(name, "told", json!({"notice": "std", "version": 3}))),
            95 => files(server, &before, "before the key"),
            _ => {}
        }
    });
    canary
}

fn files(server: &Server, hunt: &Hunt, when: &str) {
    for entry in std::fs::read_dir(&server.out).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            hunt.finds_nothing(&format!("{when}: {}", path.display()), &std::fs::read(&path).unwrap());
        }
    }
}

/// The customer as each coding of a stream gives her back.
fn customers(canary: &[i16]) -> Vec<Vec<i16>> {
    let coded = canary.iter().map(|value| encode::from_mulaw(encode::mulaw(*value))).collect();
    vec![canary.to_vec(), coded]
}

/// What is stored of a call that is over.
fn judged(server: Server, name: &str, canary: &[i16], expected_agent: usize) {
    let ended = server.wait_ended(name);
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    assert_eq!(ended["call"], name);
    for (hunt, when) in [
        (Hunt::of(customers(&canary[..2 * RATE])), "before the grant"),
        (Hunt::of(customers(&canary[7 * RATE..])), "after the withdrawal"),
    ] {
        for (file, bytes) in scratch.files("out") {
            hunt.finds_nothing(&format!("{when}: {file}"), &bytes);
        }
        hunt.finds_nothing("standard error", said.join("\n").as_bytes());
    }
    let customer = std::fs::read(scratch.at(&format!("out/{name}.customer.wav"))).unwrap();
    let granted = Hunt::of(customers(&canary[3 * RATE..3 * RATE + RATE / 2]));
    assert!(granted.first(&customer).is_some(), "with the grant she is there");
    let kept = scratch.sound(&format!("out/{name}.agent.wav"));
    assert!(kept.len().abs_diff(expected_agent) < RATE, "{} of {expected_agent}", kept.len());
    assert!(kept.iter().filter(|sample| **sample != 0).count() > kept.len() / 5, "the agent is kept");
    no_personal_data(&said, &scratch);
    scratch.run(&["verify", "out"]).ends(0);
}

fn no_personal_data(said: &[String], scratch: &Scratch) {
    let all = scratch.files("out").into_values().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    for text in said.iter().cloned().chain(all) {
        for word in ["+1-555", "John Doe", "side=agent", "Bearer"] {
            assert!(!text.contains(word), "{word} was told");
        }
    }
}

fn mulaw(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|sample| encode::mulaw(*sample)).collect()
}

#[test]
fn asterisk_with_a_connection_for_each_party() {
    let route = |side: &str| {
        format!(
            "[[serve.websocket.route]]\npath = \"/{side}\"\ndialect = \"chan_websocket\"\nside = \"{side}\"\n\
             call = \"key:CALL\"\nworst_buffering_ms = 200\n"
        )
    };
    let sources = format!("[serve.websocket]\nlisten = \"127.0.0.1:0\"\n{}{}", route("agent"), route("customer"));
    let mut server = Server::start_with("serve-asterisk", TOP, &sources);
    let address = server.address_of("websocket");
    let start = |path: &str, channel: &str| {
        let mut client = Client::open(address, path, &["Sec-WebSocket-Protocol: media"]);
        client.text(&format!(
            r#"{{"event":"MEDIA_START","connection_id":"rec1","channel":"WebSocket/rec1/0x7f","channel_id":"{channel}","format":"ulaw","optimal_frame_size":160,"ptime":20,"channel_variables":{{"CALL":"c-7"}}}}"#
        ));
        client
    };
    let mut agent = start("/agent?call=123&side=agent", "1.1");
    let mut customer = start("/customer?call=123&side=agent", "1.2");
    server.wait_in_hand("c-7");
    let canary = call(&server, "c-7", 41, &mut |_, a, c, key| {
        agent.binary(&mulaw(a));
        customer.binary(&mulaw(c));
        if let Some(digit) = key {
            customer.text(&format!(r#"{{"event":"DTMF_END","channel_id":"1.2","digit":"{digit}"}}"#));
        }
    });
    agent.close(1001);
    customer.close(1001);
    judged(server, "c-7", &canary, SECONDS * RATE);
}

#[test]
fn freeswitch_in_stereo() {
    let sources = "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n[[serve.websocket.route]]\npath = \"/rec\"\n\
                   dialect = \"audio_stream\"\nside = \"stereo\"\nagent_channel = \"right\"\nrate = 8000\n\
                   call = \"key:call\"\ndigits = \"customer\"\nworst_buffering_ms = 200\nburst_ms = 200\n";
    let mut server = Server::start_with("serve-freeswitch", TOP, sources);
    let mut client = Client::open(
        server.address_of("websocket"),
        "/rec",
        &["Origin:http://127.0.0.1:9600", "Authorization:Bearer abc"],
    );
    client.text(r#"{"call":"fs-1","side":"agent"}"#);
    server.wait_in_hand("fs-1");
    let canary = call(&server, "fs-1", 42, &mut |_, a, c, key| {
        let stereo: Vec<u8> = c.iter().zip(a).flat_map(|(c, a)| [c.to_le_bytes(), a.to_le_bytes()].concat()).collect();
        client.binary(&stereo);
        if let Some(digit) = key {
            client.text(&format!(r#"{{"event":"dtmf","digit":"{digit}"}}"#));
        }
    });
    client.text("bye");
    client.close(1000);
    judged(server, "fs-1", &canary, SECONDS * RATE);
}

#[test]
fn twilio_with_both_tracks() {
    let sources = "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n[[serve.websocket.route]]\npath = \"/twilio\"\n\
                   dialect = \"media_stream\"\nagent_track = \"outbound\"\nworst_buffering_ms = 500\nreorder_ms = 100\n";
    let mut server = Server::start_with("serve-twilio", TOP, sources);
    let mut client = Client::open(server.address_of("websocket"), "/twilio", &[]);
    client.text(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#);
    client.text(r#"{"event":"start","sequenceNumber":"1","start":{"streamSid":"MZcf","callSid":"CAf0","tracks":["inbound","outbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{}},"streamSid":"MZcf"}"#);
    server.wait_in_hand("CAf0");
    let canary = call(&server, "CAf0", 43, &mut |n, a, c, key| {
        for (track, samples) in [("outbound", a), ("inbound", c)] {
            let payload = STANDARD.encode(mulaw(samples));
            client.text(&format!(
                r#"{{"event":"media","media":{{"track":"{track}","chunk":"{}","timestamp":"{}","payload":"{payload}"}}}}"#,
                n + 1,
                n * 20
            ));
        }
        if let Some(digit) = key {
            client.text(&format!(r#"{{"event":"dtmf","dtmf":{{"track":"inbound_track","digit":"{digit}"}}}}"#));
        }
    });
    client.text(r#"{"event":"stop","stop":{"callSid":"CAf0"}}"#);
    judged(server, "CAf0", &canary, SECONDS * RATE);
}

/// The text messages of an AudioHook client.
struct Hook {
    client: Client,
    seq: u64,
    heard: u64,
}

impl Hook {
    fn say(&mut self, kind: &str, position_ms: u64, parameters: serde_json::Value) {
        self.seq += 1;
        while let Some(Sent::Text(_)) = self.client.next(Duration::from_millis(1)) {
            self.heard += 1;
        }
        let position = format!("PT{}S", position_ms as f64 / 1_000.0);
        let message = json!({"version": "2", "type": kind, "id": "s-1", "seq": self.seq, "serverseq": self.heard,
            "position": position, "parameters": parameters});
        self.client.text(&message.to_string());
    }
}

fn hook(server: &mut Server, conversation: &str) -> Hook {
    let client = Client::open(server.address_of("audiohook"), "/audiohook", &["Audiohook-Session-Id: s-1"]);
    let mut hook = Hook { client, seq: 0, heard: 0 };
    let offer = |channels: &[&str]| json!({"type": "audio", "format": "PCMU", "channels": channels, "rate": 8000});
    hook.say(
        "open",
        0,
        json!({
            "organizationId": "o", "conversationId": conversation,
            "participant": {"id": "p", "ani": "+1-555-555-1234", "aniName": "John Doe", "dnis": "+1-800"},
            "media": [offer(&["external", "internal"]), offer(&["internal"])],
        }),
    );
    server.wait_in_hand(conversation);
    hook
}

#[test]
fn genesys_with_both_participants() {
    let sources = "[serve.audiohook]\nlisten = \"127.0.0.1:0\"\nworst_buffering_ms = 400\n";
    let mut server = Server::start_with("serve-genesys", TOP, sources);
    let mut hook = hook(&mut server, "conv-1");
    let mut waiting = Vec::new();
    let canary = call(&server, "conv-1", 44, &mut |n, a, c, key| {
        waiting.extend(mulaw(c).into_iter().zip(mulaw(a)).flat_map(|(c, a)| [c, a]));
        if n % 10 == 9 {
            hook.client.binary(&std::mem::take(&mut waiting));
        }
        let position_ms = (n as u64 + 1) / 10 * 200;
        if n % 250 == 49 {
            hook.say("ping", position_ms, json!({}));
        }
        if let Some(digit) = key {
            hook.say("dtmf", position_ms, json!({"digit": digit.to_string()}));
        }
    });
    hook.say("close", SECONDS as u64 * 1_000, json!({"reason": "end"}));
    judged(server, "conv-1", &canary, SECONDS * RATE);
}

/// The client was asked for the agent alone and sends both, interleaved: nothing of it may be stored.
#[test]
fn genesys_that_sends_two_parties_where_one_was_asked_for_stores_nothing() {
    let sources = "[serve.audiohook]\nlisten = \"127.0.0.1:0\"\nreference = \"drop-before-decode\"\n";
    let mut server = Server::start_with("serve-genesys-two", TOP, sources);
    let mut hook = hook(&mut server, "conv-2");
    let (agent, canary) = (agent(4), canary(4, 45));
    paced(20, Duration::from_millis(200), |n| {
        let (a, c) = (&agent[n * 1_600..][..1_600], &canary[n * 1_600..][..1_600]);
        let both: Vec<u8> = mulaw(c).into_iter().zip(mulaw(a)).flat_map(|(c, a)| [c, a]).collect();
        hook.client.binary(&both);
    });
    drop(hook);
    let ended = server.wait_ended("conv-2");
    assert_eq!(ended["result"], "quarantined", "{ended}");
    let (_, said, scratch) = server.end();
    let hunt = Hunt::of(customers(&canary));
    scratch.files("out").iter().for_each(|(file, bytes)| hunt.finds_nothing(file, bytes));
    let stored = scratch.files("out").into_iter().filter(|(file, _)| file.ends_with(".wav"));
    for (file, _) in stored {
        let sound = scratch.sound(&format!("out/{file}"));
        assert!(sound.iter().all(|sample| *sample == 0), "{file} holds sound of a stream that held two parties");
    }
    hunt.finds_nothing("standard error", said.join("\n").as_bytes());
}

#[test]
fn the_configurations_of_the_pages_can_be_read() {
    let pages = ["asterisk-chan-websocket", "freeswitch-audio-stream", "jambonz", "twilio", "genesys-audiohook"];
    for page in pages {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("samples/switch/{page}.md"));
        let text = std::fs::read_to_string(&path).unwrap();
        let blocks: Vec<&str> = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(!blocks.is_empty(), "{page} shows a configuration");
        for block in blocks {
            toml::from_str::<oneside::config::Raw>(block).unwrap_or_else(|error| panic!("{page}: {error}"));
        }
    }
}

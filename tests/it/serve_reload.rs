//! What SIGHUP changes: the purposes, the keys and the tokens of calls that begin from then on, and nothing of a call in hand.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::audiosocket_client::{Talk, id, knock, message, speech};
use super::common::{Scratch, canary};
use super::serve_common::Server;

const SOCKET: &str = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n";

/// A configuration that records for `purpose`, and in which `key` grants.
fn top(purpose: &str, key: char) -> String {
    format!(
        "purposes = [\"{purpose}\"]\nrevoked_tokens = \"revoked.txt\"\n\
         [keys]\nquestion_s = 600\n{key} = \"grant\"\n9 = \"withdraw\"\n"
    )
}

/// A call of two parties who talk, whose customer was told: both, and the customer's connection for her keys.
fn talking(server: &Server, address: SocketAddr, call: &str, number: usize) -> ([Talk; 2], TcpStream) {
    let [agent, customer] = [2 * number, 2 * number + 1];
    server.expect(json!({ "source": "audiosocket", "call": call, "agent": id(agent), "customer": id(customer) }));
    let stream = knock(address, &id(customer));
    let keys = stream.try_clone().unwrap();
    let talks =
        [Talk::begin(knock(address, &id(agent)), speech(90, agent)), Talk::begin(stream, canary(90, customer as u64))];
    server.wait_in_hand(call);
    server.ask(call, "told", json!({ "notice": "std", "version": 1 }));
    (talks, keys)
}

/// Why a yes does not count, if it does not.
fn refusal(server: &Server, call: &str, yes: Value) -> Option<String> {
    let (status, answer) = server.request("POST", &format!("/v1/calls/{call}/granted"), Some(yes));
    assert!([200, 409].contains(&status), "{answer}");
    answer["answer"]["refusal"].as_str().map(str::to_owned)
}

fn spoken(purpose: &str) -> Value {
    json!({ "act": "spoken_yes", "purpose": purpose })
}

fn token(token: &str) -> Value {
    json!({ "act": "token", "token": token, "purpose": "quality", "expires": "2999-01-01T00:00:00Z" })
}

/// Presses a key until the customer is stored, or for a while: whether she is.
fn opens(server: &Server, call: &str, mut keys: &TcpStream, digit: u8, tries: usize) -> bool {
    (0..tries).any(|_| {
        keys.write_all(&message(0x03, &[digit])).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        server.state(call).is_some_and(|state| state["customer_stored"] == true)
    })
}

#[test]
fn a_new_call_goes_by_what_was_read_last_and_a_call_in_hand_by_what_it_began_with() {
    let scratch = Scratch::new("serve-reload");
    scratch.file("revoked.txt", b"");
    let revoked = scratch.at("revoked.txt");
    let out = scratch.at("out");
    let mut server = Server::start_in(scratch, out, &top("training", '1'), SOCKET);
    let address = server.address_of("audiosocket");
    let before = talking(&server, address, "before", 1);

    std::fs::write(&revoked, "t1\n").unwrap();
    server.reconfigure(&top("quality", '5'), SOCKET, "the configuration was read again");
    let after = talking(&server, address, "after", 2);
    let not_here = Some("purpose_not_configured".to_owned());
    assert_eq!(refusal(&server, "after", spoken("training")), not_here);
    assert_eq!(refusal(&server, "before", spoken("quality")), not_here);
    assert_eq!(refusal(&server, "after", token("t1")).as_deref(), Some("token_revoked"));
    assert!(!opens(&server, "after", &after.1, b'1', 4), "this key means nothing any more");
    assert!(opens(&server, "after", &after.1, b'5', 60));
    assert!(opens(&server, "before", &before.1, b'1', 60), "here it means what it meant");

    // What cannot be used changes nothing.
    for (broken, why) in [("purposes = 7", "TOML parse error"), ("revoked_tokens = \"nowhere.txt\"", "nowhere.txt")] {
        server.reconfigure(broken, SOCKET, "the configuration was not taken over");
        assert!(server.said.last().unwrap().contains(why), "{:?}", server.said.last());
    }
    let third = talking(&server, address, "third", 3);
    assert_eq!(refusal(&server, "third", spoken("training")), not_here);
    assert_eq!(refusal(&server, "third", token("t2")), None);

    for (call, (talks, keys)) in [("before", before), ("after", after), ("third", third)] {
        drop((talks.map(Talk::stop), keys));
        assert_eq!(server.wait_ended(call)["result"], "recorded");
    }
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    for (call, purpose) in [("before", "training"), ("after", "quality"), ("third", "quality")] {
        let manifest = scratch.json(&format!("out/{call}.json"));
        assert_eq!(manifest["policy"]["purposes"], json!([purpose]), "{manifest}");
    }
    scratch.run(&["verify", "out"]).ends(0);
}

const PLAIN: &str = "purposes = [\"training\"]";

#[test]
fn another_store_layout_or_detector_waits_for_a_restart_and_that_is_said() {
    let mut server = Server::start_with("serve-reload-layout", PLAIN, SOCKET);
    let address = server.address_of("audiosocket");
    let again = "the configuration was read again";
    server.reconfigure(PLAIN, SOCKET, again);
    assert!(!server.said.last().unwrap().contains("WARNING"), "nothing was changed: {:?}", server.said.last());
    let out = std::mem::replace(&mut server.out, "elsewhere".into());
    server.reconfigure(PLAIN, &format!("layout = \"date\"\n{SOCKET}"), again);
    let told = server.said.last().unwrap().clone();
    assert!(["`out` was changed", "`layout` was changed", "restart"].iter().all(|word| told.contains(word)), "{told}");
    server.out = out;
    for (top, changed, stays) in
        [("vad_mode = 1", "`vad_mode`", "detector"), ("detector = \"webrtc\"", "`detector`", "vad_mode")]
    {
        server.reconfigure(&format!("{PLAIN}\n{top}"), SOCKET, again);
        let told = server.said.last().unwrap();
        assert!(told.contains(&format!("{changed} was changed")) && !told.contains(stays), "{told}");
    }

    let (agent, customer) = (id(1), id(2));
    server.expect(json!({ "source": "audiosocket", "call": "after", "agent": agent, "customer": customer }));
    let talks =
        [Talk::begin(knock(address, &agent), speech(90, 1)), Talk::begin(knock(address, &customer), canary(90, 2))];
    server.wait_in_hand("after");
    drop(talks.map(Talk::stop));
    assert_eq!(server.wait_ended("after")["stored_as"], "after", "beside the others, where it would have been before");
    assert!(server.out.join("after.json").is_file());
}

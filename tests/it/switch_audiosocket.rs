//! What the dialplan for AudioSocket (`samples/switch/extensions-audiosocket.conf`) tells the API, told as it is written.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::audiosocket_client::{Talk, knock, speech};
use crate::common::canary;
use crate::serve_common::Server;

const AGENT: &str = "40325ec2-5efd-4bd3-805f-53576e581d13";
const CUSTOMER: &str = "40325ec2-5efd-4bd3-805f-53576e581d14";

const DICTATES: &str = "40325ec2-5efd-4bd3-805f-53576e581d15";

/// The requests of a context: path and body, with the dialplan's variables filled in.
fn requests(dialplan: &str, context: &str, call: &str) -> Vec<(String, Value)> {
    let context = dialplan.split(&format!("\n[{context}]\n")).nth(1).unwrap().split("\n[").next().unwrap();
    let asked =
        context.lines().filter(|line| !line.starts_with(';')).filter_map(|line| line.split("${CURL(${API}").nth(1));
    let filled = |text: &str| {
        [
            ("${CALL}", call),
            ("${UNIQUEID}", call),
            ("${AGENT_ID}", AGENT),
            ("${ID}", DICTATES),
            ("${CUSTOMER_ID}", CUSTOMER),
        ]
        .into_iter()
        .fold(text.replace("\\,", ","), |text, (name, value)| text.replace(name, value))
    };
    let request = |asked: &str| {
        let (path, rest) = asked.split_once(',').unwrap();
        let body = filled(&rest[..rest.rfind("})}").unwrap() + 1]);
        (filled(path), serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
    };
    asked.map(request).collect()
}

#[test]
fn the_api_understands_what_the_dialplan_says() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/switch");
    let dialplan = std::fs::read_to_string(root.join("extensions-audiosocket.conf")).unwrap();
    let top = "purposes = [\"training\"]\n";
    let mut server = Server::start_with("switch-audiosocket", top, "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n");
    let address = server.address_of("audiosocket");
    let mut told = BTreeSet::new();
    let mut talks = Vec::new();
    for (path, body) in requests(&dialplan, "inbound", "1732248000.17") {
        let (status, answer) = server.request("POST", &path, Some(body));
        assert!([200, 201].contains(&status), "{path}: {answer}");
        told.insert(path.rsplit('/').next().unwrap().to_owned());
        if path == "/v1/expected" {
            let sides = [(AGENT, speech(60, 1)), (CUSTOMER, canary(60, 1))];
            talks.extend(sides.map(|(id, side)| Talk::begin(knock(address, id), side)));
            server.wait_in_hand("1732248000.17");
        }
        if path.ends_with("/granted") {
            let stored = || server.state("1732248000.17").filter(|state| state["customer_stored"] == true);
            server.wait(stored, "the customer is stored");
        }
    }
    let expected = ["expected", "told", "granted", "refused"].map(str::to_owned);
    assert_eq!(told, BTreeSet::from(expected));
    assert_eq!(server.state("1732248000.17").unwrap()["customer_stored"], false, "she said no at last");
    talks.into_iter().for_each(|talk| drop(talk.stop()));
    server.wait_ended("1732248000.17");
    // Both forms of a party alone announce the same.
    let alone = requests(&dialplan, "dictation", "1732248000.18");
    assert_eq!((alone.len(), &alone[0]), (2, &alone[1]));
    let (status, answer) = server.request("POST", &alone[0].0, Some(alone[0].1.clone()));
    assert_eq!(status, 201, "{answer}");
    // Every file of the directory is on its page of contents.
    let contents = std::fs::read_to_string(root.join("README.md")).unwrap();
    for entry in std::fs::read_dir(&root).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || contents.contains(&name), "{name} is not listed");
    }
}

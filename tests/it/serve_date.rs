//! `[serve] layout = "date"`: a call lies in the directory of its day, and everything that looks for calls finds it there.

use serde_json::json;

use super::audiosocket_client::{Talk, id, knock, speech};
use super::common::{Scratch, canary};
use super::serve_common::Server;

const TOP: &str = "purposes = [\"training\"]\n";
const SOCKET: &str = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n";
const SOURCES: &str = "layout = \"date\"\n[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n";

/// Holds the switch's list against the store: the exit code, and what was said.
fn reconciled(scratch: &Scratch) -> (Option<i32>, String) {
    let ran = scratch.run(&["reconcile", "switch.csv", "--store", "out"]);
    (ran.code, ran.out)
}

#[test]
fn a_call_is_found_in_the_directory_of_its_day() {
    let mut server = Server::start_with("serve-date", TOP, SOURCES);
    let address = server.address_of("audiosocket");
    for (call, number) in [("one", 0), ("two", 2)] {
        server
            .expect(json!({ "source": "audiosocket", "call": call, "agent": id(number), "customer": id(number + 1) }));
    }
    let sides = [speech(60, 0), canary(60, 1), speech(60, 2), canary(60, 3)];
    let talk = |(number, side)| Talk::begin(knock(address, &id(number)), side);
    let talks: Vec<Talk> = sides.into_iter().enumerate().map(talk).collect();
    for call in ["one", "two"] {
        server.wait_in_hand(call);
        server.ask(call, "told", json!({ "notice": "std", "version": 1 }));
        server.ask(call, "granted", json!({ "act": "spoken_yes", "purpose": "training" }));
        let stored = || server.state(call)?["customer_written"].as_u64().filter(|written| *written > 8_000);
        server.wait(stored, "the customer is stored");
    }
    drop(talks.into_iter().map(Talk::stop).collect::<Vec<_>>());
    let stored_as = ["one", "two"].map(|call| {
        let ended = server.wait_ended(call);
        assert_eq!(ended["result"], "recorded", "{ended}");
        ended["stored_as"].as_str().unwrap().to_owned()
    });
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    for (call, stored_as) in ["one", "two"].into_iter().zip(&stored_as) {
        let manifest = scratch.json(&format!("out/{stored_as}.json"));
        let day = manifest["recorded_at"].as_str().unwrap()[..10].replace('-', "/");
        assert_eq!(*stored_as, format!("{day}/{call}"), "{manifest}");
        for track in ["agent", "customer"] {
            assert!(
                scratch.sound(&format!("out/{stored_as}.{track}.wav")).iter().any(|sample| *sample != 0),
                "{track}"
            );
        }
    }
    assert!(!scratch.files("out").keys().any(|file| file.starts_with("one.") || file.starts_with("two.")));

    scratch.run(&["verify", "out"]).ends(0);
    scratch.file("switch.csv", b"call\none\ntwo\nthree\n");
    let (code, told) = reconciled(&scratch);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("recorded 2") && told.contains("three"), "{told}");

    // A day's call can be erased, in part and as a whole, and is due when its time has come.
    scratch.run(&["erase", "out", "--call", &stored_as[0], "--track", "customer"]).ends(0);
    assert!(!scratch.has(&format!("out/{}.customer.wav", stored_as[0])));
    assert!(scratch.has(&format!("out/{}.agent.wav", stored_as[0])));
    scratch.run(&["sweep", "out", "--older-than", "1d"]).ends(0);
    let due = scratch.run(&["sweep", "out", "--older-than", "0d"]).ends(0);
    stored_as.iter().for_each(|call| due.says(&[call]));
    scratch.run(&["sweep", "out", "--older-than", "0d", "--yes"]).ends(0);
    assert!(!scratch.files("out").keys().any(|file| file.ends_with(".wav")), "{:?}", scratch.files("out").keys());
    scratch.run(&["verify", "out"]).ends(0);
    let (_, told) = reconciled(&scratch);
    assert!(told.contains("erased 2"), "{told}");
}

/// `oneside serve` with this layout as a flag.
fn flagged(name: &str, layout: &str, sources: &str) -> Server {
    let scratch = Scratch::new(name);
    let (out, command) = (scratch.at("out"), format!("exec \"$@\" --layout {layout}"));
    Server::start_under(&["sh", "-c", &command, "sh"], scratch, out, TOP, sources)
}

#[test]
fn the_layout_may_be_a_flag_and_counts_before_the_configuration_and_after_it_was_read_again() {
    for (name, layout, sources) in [("flag-date", "date", SOCKET), ("flag-flat", "flat", SOURCES)] {
        let mut server = flagged(name, layout, sources);
        let address = server.address_of("audiosocket");
        for (number, call) in ["before", "after"].into_iter().enumerate() {
            server.expect(json!({ "source": "audiosocket", "call": call, "agent": id(number) }));
            drop(Talk::begin(knock(address, &id(number)), speech(3, number)).wait());
            let ended = server.wait_ended(call);
            assert_eq!(ended["result"], "recorded", "{ended}");
            let stored_as = ended["stored_as"].as_str().unwrap();
            assert!(server.out.join(format!("{stored_as}.agent.wav")).is_file(), "{stored_as}");
            assert_eq!(stored_as.matches('/').count(), if layout == "date" { 3 } else { 0 }, "{layout}: {stored_as}");
            server.reconfigure(TOP, sources, "the configuration was read again");
        }
        let (code, said, scratch) = server.end();
        assert_eq!(code, 0, "{said:?}");
        scratch.run(&["verify", "out"]).ends(0);
    }
    let wrong = ["serve", "--out", "out", "--layout", "week"];
    Scratch::new("flag-wrong").run(&wrong).ends(2).complains(&["--layout", "week"]);
}

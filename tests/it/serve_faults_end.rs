//! `oneside serve` at its limit and at its end: every call has a definite result (ROB-07, FIN-02).

use std::net::SocketAddr;

use super::audiosocket_client::{Talk, agent_alone, is_declined, is_exact, speech};
use super::common::Scratch;
use super::serve_common::Server;

const TOP: &str = "purposes = [\"training\"]\n";
const SOCKET: &str = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n";
/// Calls in hand when it ends.
const CALLS: usize = 20;

fn call(number: usize) -> String {
    format!("call-{number}")
}

/// The switch's list of all calls, held against the store; the exit code and what was said.
fn reconciled(scratch: &Scratch, calls: usize) -> (Option<i32>, String) {
    let list: String = (0..calls).map(|number| call(number) + "\n").collect();
    scratch.file("switch.csv", format!("call\n{list}").as_bytes());
    let ran = scratch.run(&["reconcile", "switch.csv", "--store", "out"]);
    (ran.code, ran.out)
}

fn calls_in_hand(server: &Server, address: SocketAddr) -> Vec<Talk> {
    let begin = |number| Talk::begin(agent_alone(server, address, &call(number), number), speech(60, number));
    let talks: Vec<Talk> = (0..CALLS).map(begin).collect();
    // Each has been at work for a while: something of it is stored.
    for number in 0..CALLS {
        let at_work = || server.state(&call(number)).filter(|state| state["seconds"].as_f64().unwrap_or(0.0) > 1.0);
        server.wait(at_work, &format!("call {number} at work"));
    }
    talks
}

#[test]
fn sigterm_seals_every_call_in_hand() {
    let mut server = Server::start_with("faults-term", TOP, SOCKET);
    let address = server.address_of("audiosocket");
    let talks = calls_in_hand(&server, address);
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    drop(talks.into_iter().map(Talk::stop).collect::<Vec<_>>());
    for number in 0..CALLS {
        assert_eq!(scratch.json(&format!("out/{}.json", call(number)))["result"], "recorded");
        assert!(scratch.sound(&format!("out/{}.agent.wav", call(number))).len() > 8_000);
    }
    scratch.run(&["verify", "out"]).ends(0);
    let (code, told) = reconciled(&scratch, CALLS);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn after_a_kill_the_next_start_finishes_the_books() {
    let mut server = Server::start_with("faults-kill", TOP, SOCKET);
    let address = server.address_of("audiosocket");
    let talks = calls_in_hand(&server, address);
    let scratch = server.kill();
    drop(talks.into_iter().map(Talk::stop).collect::<Vec<_>>());
    let (code, told) = reconciled(&scratch, CALLS);
    assert_ne!(code, Some(0), "none of them has a result yet: {told}");
    let out = scratch.at("out");
    let server = Server::start_in(scratch, out, TOP, SOCKET);
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    let (code, told) = reconciled(&scratch, CALLS);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&format!("interrupted {CALLS}")), "{told}");
    for number in 0..CALLS {
        let stored = scratch.sound(&format!("out/{}.agent.wav", call(number)));
        assert!(stored.iter().any(|sample| *sample != 0), "call {number}: what had been laid down is kept");
    }
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn a_call_over_the_limit_is_declined_counted_and_listed() {
    let mut server = Server::start_with("faults-limit", TOP, &format!("calls_max = 2\n{SOCKET}"));
    let address = server.address_of("audiosocket");
    let talk = |number| Talk::begin(agent_alone(&server, address, &call(number), number), speech(4, number));
    let first: Vec<Talk> = (0..2).map(talk).collect();
    (0..2).for_each(|number| drop(server.wait_in_hand(&call(number))));
    // The dialplan of the third goes on at once.
    assert!(is_declined(&server, address, &call(2), 2));
    let counted = || {
        let (_, metrics) = server.request_text("GET", "/metrics", None);
        let line = "oneside_calls_declined_total{source=\"audiosocket\",reason=\"limit\"} 1";
        metrics.lines().any(|found| found == line).then_some(())
    };
    server.wait(counted, "it is counted");
    assert!(server.state(&call(2)).is_none());
    for (number, talk) in first.into_iter().enumerate() {
        drop(talk.wait());
        assert_eq!(server.wait_ended(&call(number))["result"], "recorded");
        is_exact(&server.out, &call(number), &speech(4, number));
    }
    // With room again the next one is taken.
    drop(Talk::begin(agent_alone(&server, address, &call(3), 3), speech(1, 3)).wait());
    assert_eq!(server.wait_ended(&call(3))["result"], "recorded");
    let (_, _, scratch) = server.end();
    let list = String::from_utf8(scratch.files("out")["not-recorded.jsonl"].clone()).unwrap();
    assert!(list.contains("\"call-2\"") && list.contains("\"limit\"") && list.lines().count() == 1, "{list}");
    let (code, told) = reconciled(&scratch, 4);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("limit 1"), "{told}");
}

//! Plain RTP into `oneside serve`: what the network does, who may send, and what is kept.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::common::{Scratch, agent, canary};
use super::hunt::Hunt;
use super::rtp_party::{Network, PACKET, Speaker, as_heard, in_place, packet};
use super::serve_common::{Server, track};

const TOP: &str = "purposes = [\"training\"]\non_withdrawal = \"keep\"";
const SOURCES: &str = "[serve.rtp]\nports = \"0\"\nidle_s = 2";

/// Announces a call of both parties in µ-law: where each is to be sent.
pub(super) fn announce(server: &Server, call: &str) -> (SocketAddr, SocketAddr) {
    announce_in(server, call, &["0", "101 telephone-event/8000"])
}

/// The same in other codings.
pub(super) fn announce_in(server: &Server, call: &str, payloads: &[&str]) -> (SocketAddr, SocketAddr) {
    let payloads = json!({ "payloads": payloads });
    let answer = server.expect(json!({ "source": "rtp", "call": call, "agent": payloads, "customer": payloads }));
    let at = |party: &str| {
        let ip = answer[party]["address"].as_str().unwrap().parse().unwrap();
        SocketAddr::new(ip, answer[party]["port"].as_u64().unwrap().try_into().unwrap())
    };
    (at("agent"), at("customer"))
}

pub(super) fn wait_until(began: Instant, seconds: f64) {
    std::thread::sleep((began + Duration::from_secs_f64(seconds)).saturating_duration_since(Instant::now()));
}

/// What stands in the books of a call.
pub(super) fn manifest(server: &Server, call: &str) -> Value {
    serde_json::from_slice(&std::fs::read(server.out.join(format!("{call}.json"))).unwrap()).unwrap()
}

/// Everything under `out` is searched for a customer.
pub(super) fn hunt(scratch: &Scratch, hunt: &Hunt) {
    for (file, bytes) in scratch.files("out") {
        hunt.finds_nothing(&file, &bytes);
    }
}

#[test]
fn through_loss_reordering_and_doubling_the_agent_lies_right_and_the_customer_is_kept_while_a_grant_stands() {
    let server = Server::start_with("serve-rtp", TOP, SOURCES);
    let (to_agent, to_customer) = announce(&server, "rtp-1");
    let (spoken, asked) = (agent(14), canary(14, 5));
    let network = Network { lost_percent: 5, doubled_percent: 5, jitter_ms: 60 };
    let speaker = Speaker::begin(to_agent, spoken.clone(), &[], network, 1);
    let customer = Speaker::begin(to_customer, asked.clone(), &[], Network::default(), 2);
    let began = Instant::now();
    wait_until(began, 3.0);
    server.ask("rtp-1", "told", json!({ "notice": "standard", "version": 1 }));
    wait_until(began, 7.2);
    server.ask("rtp-1", "granted", json!({ "act": "spoken_yes", "purpose": "training" }));
    wait_until(began, 10.2);
    server.ask("rtp-1", "withdrawn", json!({}));
    wait_until(began, 13.0);
    let lost = speaker.end();
    customer.end();
    assert_eq!(server.request("DELETE", "/v1/expected/rtp-1", None).0, 204);
    server.wait_ended("rtp-1");
    let manifest = manifest(&server, "rtp-1");
    assert_eq!(manifest["input"]["encoding"], "rtp: PCMU 8000 Hz / PCMU 8000 Hz", "{manifest}");

    let (stored, heard) = (track(&server.out.join("rtp-1.agent.wav")), as_heard(&spoken));
    let (first, last) = in_place(&stored, &heard);
    assert!(first < 16_000 && last > 40_000, "the agent from {first} to {last}");
    assert!(lost.iter().filter(|lost| **lost).count() > 10, "some packets were lost");

    let (stored, heard) = (track(&server.out.join("rtp-1.customer.wav")), as_heard(&asked));
    let (first, last) = in_place(&stored, &heard);
    let (granted, withdrawn) = (7.2 * 8_000.0, 10.2 * 8_000.0);
    assert!(first as f64 >= granted && (first as f64) < granted + 12_000.0, "the customer from {first}");
    assert!(last as f64 <= withdrawn + 400.0, "the customer to {last}");
    let (_, _, scratch) = server.end();
    hunt(&scratch, &Hunt::of(vec![heard[..granted as usize].to_vec(), heard[withdrawn as usize + 800..].to_vec()]));
}

#[test]
fn without_a_grant_nothing_of_the_customer_is_stored_nor_decoded() {
    let sources = format!("{SOURCES}\nreference = \"drop-before-decode\"");
    let server = Server::start_with("serve-rtp-dropped", TOP, &sources);
    let (to_agent, to_customer) = announce(&server, "rtp-2");
    let asked = canary(5, 6);
    let speaker = Speaker::begin(to_agent, agent(5), &[], Network::default(), 1);
    let customer = Speaker::begin(to_customer, asked.clone(), &[(3_500, 1)], Network::default(), 2);
    std::thread::sleep(Duration::from_secs(5));
    speaker.end();
    customer.end();
    server.wait_ended("rtp-2"); // nothing came for two seconds
    let manifest = manifest(&server, "rtp-2");
    assert_eq!(manifest["customer"]["stored"], false, "{manifest}");
    let (_, _, scratch) = server.end();
    hunt(&scratch, &Hunt::of(vec![as_heard(&asked)]));
}

#[test]
fn who_is_not_the_party_is_not_heard() {
    let server = Server::start_with("serve-rtp-foreign", TOP, SOURCES);
    let (to_agent, to_customer) = announce(&server, "rtp-3");
    let (spoken, other) = (agent(6), canary(6, 7));
    let speaker = Speaker::begin(to_agent, spoken.clone(), &[], Network::default(), 1);
    let customer = Speaker::begin(to_customer, vec![0; 6 * 8_000], &[], Network::default(), 2);
    // Behind the opening phase: within it nobody could say which of two is the party, and nothing would be kept.
    std::thread::sleep(Duration::from_secs(3));
    let stranger = Speaker::begin(to_agent, other.clone(), &[], Network::default(), 3);
    let odd = UdpSocket::bind("127.0.0.1:0").unwrap();
    for bytes in [&b""[..], b"\x80", b"GET / HTTP/1.1\r\n\r\n", &[0x80, 200, 0, 0], &packet(0, true, 1, 1, 1, &[])] {
        odd.send_to(bytes, to_agent).unwrap();
    }
    std::thread::sleep(Duration::from_millis(3_400));
    for party in [speaker, customer, stranger] {
        party.end();
    }
    server.wait_ended("rtp-3");
    let stored = track(&server.out.join("rtp-3.agent.wav"));
    let (first, last) = in_place(&stored, &as_heard(&spoken));
    assert!(last > first + 50 * PACKET, "the agent from {first} to {last}");
    let (_, _, scratch) = server.end();
    hunt(&scratch, &Hunt::of(vec![as_heard(&other)]));
}

#[test]
fn an_announcement_that_cannot_be_used_is_declined_with_its_reason() {
    let server = Server::start_with("serve-rtp-declined", TOP, SOURCES);
    let payloads = json!({ "payloads": ["0"] });
    let opus = json!({ "payloads": ["96 opus/48000/2"] });
    for (wanted, code) in [
        (json!({ "source": "rtp", "call": "a" }), "announcement"),
        (json!({ "source": "rtp", "call": "a", "agent": opus }), "announcement"),
        (json!({ "source": "rtp", "call": "a", "agent": payloads, "side": "left" }), "announcement"),
        (json!({ "source": "rtp", "call": "a", "agent": { "payloads": ["101 telephone-event/8000"] } }), "codec"),
    ] {
        let (status, problem) = server.request("POST", "/v1/expected", Some(wanted.clone()));
        assert_eq!((status, &problem["code"]), (409, &json!(code)), "{wanted}: {problem}");
    }
    let wanted = json!({ "source": "rtp", "call": "a", "agent": payloads });
    assert_eq!(server.request("POST", "/v1/expected", Some(wanted.clone())).0, 201);
    let (status, problem) = server.request("POST", "/v1/expected", Some(wanted));
    assert_eq!((status, &problem["code"]), (409, &json!("exists")));
}

#[test]
fn a_token_that_is_revoked_shuts_the_door_of_a_call_in_hand() {
    let scratch = Scratch::new("serve-rtp-revoked");
    scratch.file("revoked", b"t-8\n");
    let (list, out) = (scratch.at("revoked"), scratch.at("out"));
    let top = format!("{TOP}\nrevoked_tokens = {:?}", list.display().to_string());
    let mut server = Server::start_in(scratch, out, &top, SOURCES);
    let asked = canary(9, 8);
    let calls = ["by-t-9", "by-t-7"].map(|call| {
        let (to_agent, to_customer) = announce(&server, call);
        let speaker = Speaker::begin(to_agent, agent(9), &[], Network::default(), 1);
        (speaker, Speaker::begin(to_customer, asked.clone(), &[], Network::default(), 2))
    });
    let began = Instant::now();
    for call in ["t-9", "t-7"] {
        let grant = json!({ "act": "token", "token": call, "purpose": "training", "expires": "2100-01-01T00:00:00Z" });
        server.ask(&format!("by-{call}"), "granted", grant);
    }
    wait_until(began, 5.0);
    std::fs::write(&list, "t-8\nt-9\n").unwrap();
    server.signal("HUP");
    server.wait_for("the configuration was read again");
    let revoked = || server.state("by-t-9").filter(|state| state["customer_why"] == "withdrawn");
    server.wait(revoked, "the door is shut");
    assert!(began.elapsed() < Duration::from_secs_f64(6.5), "at once: {:?}", began.elapsed());
    assert_eq!(server.state("by-t-7").unwrap()["customer_stored"], true, "another token goes on");
    wait_until(began, 8.8);
    calls.into_iter().flat_map(|(agent, customer)| [agent, customer]).for_each(|party| drop(party.end()));
    for (call, seconds) in [("by-t-9", 3..7), ("by-t-7", 7..10)] {
        server.wait_ended(call);
        let stored = track(&server.out.join(format!("{call}.customer.wav")));
        let last = stored.iter().rposition(|sample| *sample != 0).unwrap() / 8_000;
        assert!(seconds.contains(&last), "{call}: the customer to {last} s");
    }
    let ledger = manifest(&server, "by-t-9")["ledger"].to_string();
    assert!(ledger.contains("withdrawn") && !manifest(&server, "by-t-7")["ledger"].to_string().contains("withdrawn"));
}

/// The value of a line of the metrics.
fn counted(metrics: &str, line: &str) -> u64 {
    let found = metrics.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_else(|| panic!("no {line} in\n{metrics}"))
}

/// For how long each party of a call speaks, if she comes at all, seconds.
const COMING: [(&str, Option<usize>, Option<usize>); 5] = [
    ("whole", Some(9), Some(9)),
    ("stopped", Some(9), Some(4)),
    ("no-customer", Some(9), None),
    ("no-agent", None, Some(9)),
    ("refused", Some(9), None),
];

#[test]
fn who_was_announced_and_never_came_is_named_and_leak_is_told_only_where_there_were_two_to_compare() {
    let server = Server::start_with("serve-rtp-leak", TOP, SOURCES);
    let calls = COMING.map(|(call, agent_s, customer_s)| {
        let (to_agent, to_customer) = announce(&server, call);
        let agent = agent_s.map(|s| Speaker::begin(to_agent, agent(s), &[], Network::default(), 1));
        let customer = customer_s.map(|s| Speaker::begin(to_customer, canary(s, 8), &[], Network::default(), 2));
        (call, agent, customer)
    });
    server.wait_in_hand("refused");
    server.ask("refused", "refused", json!({}));
    std::thread::sleep(Duration::from_secs(9));
    let metrics = || server.request_text("GET", "/metrics", None).1;
    let written = "oneside_frames_total{party=\"agent\",outcome=\"written\"}";
    assert_eq!(counted(&metrics(), written), 0, "what is in hand is added when it is sealed");
    let mut sealed = Vec::new();
    for (call, agent, customer) in calls {
        agent.map(Speaker::end);
        customer.map(Speaker::end);
        let ended = server.wait_ended(call);
        let manifest = manifest(&server, call);
        let leak = &manifest["leak"];
        let (findings, missing) = (manifest["findings"].as_array().unwrap(), call.strip_prefix("no-"));
        assert_eq!(
            manifest["tally"]["agent"]["written"].as_u64() > Some(8_000),
            call != "no-agent",
            "{call}: the agent"
        );
        assert_eq!(leak["measurable"], call == "whole", "{call}: {leak}");
        assert!(call == "whole" || leak["residual_db"].is_null(), "{call}: {leak}");
        let found = findings.iter().find(|finding| finding["code"] == "party_missing");
        assert_eq!(found.map(|finding| finding["fields"]["party"].as_str().unwrap()), missing, "{call}: {findings:?}");
        assert_eq!(ended["party_missing"], missing.map_or(Value::Null, |party| json!([party])), "{call}: {ended}");
        assert_eq!(ended["result"], "recorded", "{call}");
        sealed.push(manifest);
    }
    let metrics = metrics();
    let sum = |of: &dyn Fn(&Value) -> Option<u64>| sealed.iter().filter_map(of).sum::<u64>();
    for party in ["agent", "customer"] {
        assert_eq!(counted(&metrics, &format!("oneside_party_missing_total{{party=\"{party}\"}}")), 1);
        let line = |outcome: &str| format!("oneside_frames_total{{party=\"{party}\",outcome=\"{outcome}\"}}");
        let heard: u64 = metrics
            .lines()
            .filter_map(|found| found.strip_prefix(&format!("oneside_frames_total{{party=\"{party}\",")))
            .map(|rest| rest.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum();
        assert_eq!(heard, sum(&|manifest| manifest["tally"][party]["heard"].as_u64()), "{party}: every frame, once");
        assert_eq!(counted(&metrics, &line("written")), sum(&|manifest| manifest["tally"][party]["written"].as_u64()));
        for reason in ["absent", "not_speech", "no_decision", "refused"] {
            let left_out = sum(&|manifest| manifest["tally"][party]["left_out"][reason].as_u64());
            assert_eq!(counted(&metrics, &line(reason)), left_out, "{party}: {reason}");
        }
    }
    assert!(counted(&metrics, "oneside_lost_frames_total{reason=\"absent\",intended=\"true\"}") > 2 * 8_000 * 8);
    assert_eq!(counted(&metrics, "oneside_calls_ended_total{result=\"recorded\"}"), 5);
    assert!(counted(&metrics, "oneside_rtp_packets_total{what=\"packets\"}") > 9 * 50 * 4);
    let all = counted(&metrics, "oneside_sweep_seconds_count");
    assert!(all > 100 && counted(&metrics, "oneside_sweep_seconds_bucket{le=\"+Inf\"}") >= all);
    // Whoever looks a figure up finds it in the handbook.
    let manual = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/serve.rs")).unwrap();
    for family in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(manual.contains(&format!("`{family}")), "{family} is not in the handbook");
    }
    let (_, said, _scratch) = server.end();
    assert!(said.iter().any(|line| line.contains("no-customer: recorded") && line.contains("THE CUSTOMER NEVER CAME")));
}

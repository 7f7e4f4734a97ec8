//! Keys that are signalled (RFC 4733): read where the customer's sound is not, and held down where an echo comes of them.

use serde_json::{Value, json};

use super::common::{RATE, agent, canary};
use super::hunt::Hunt;
use super::rtp_party::{Network, Speaker, as_heard, in_place};
use super::serve_common::{Server, track};
use super::serve_rtp::{announce, hunt, manifest, wait_until};
use super::siprec_client::{Client, Talk};

const TOP: &str = "purposes = [\"training\"]\non_withdrawal = \"keep\"\n[keys]\n1 = \"grant\"\n9 = \"withdraw\"\n";
const RTP: &str = "[serve.rtp]\nports = \"0\"\nidle_s = 1\n";
const DROPPED: &str = "reference = \"drop-before-decode\"\n";

/// The place of an entry of the ledger, seconds.
fn entry<'a>(manifest: &'a Value, event: &str) -> (&'a Value, f64) {
    let ledger = manifest["ledger"].as_array().unwrap();
    let entry = ledger.iter().find(|entry| entry["event"] == event).unwrap_or_else(|| panic!("{event}: {ledger:?}"));
    (entry, entry["sample"].as_f64().unwrap() / f64::from(RATE))
}

/// What the books say of a call whose customer's sound is not decoded, and whose key was: her door stood open from the one to the
/// other. Both are told in seconds of the line.
#[track_caller]
fn books(server: &Server, call: &str) -> (f64, f64) {
    let manifest = manifest(server, call);
    assert_eq!(
        (&manifest["result"], &manifest["live"]["reference"]),
        (&json!("recorded"), &json!("drop-before-decode"))
    );
    assert_eq!(manifest["leak"]["measurable"], false, "{}", manifest["leak"]);
    assert!(manifest["leak"]["residual_db"].is_null(), "{}", manifest["leak"]);
    let losses = manifest["live"]["losses"].as_array().unwrap();
    let undecoded = losses.iter().filter(|loss| loss["reason"] == "undecoded");
    assert!(undecoded.clone().all(|loss| loss["of"] == "customer" && loss["intended"] == true), "{losses:?}");
    let undecoded: u64 = undecoded.map(|loss| loss["samples"].as_u64().unwrap()).sum();
    assert!(undecoded > 2 * u64::from(RATE), "{losses:?}");
    let (granted, from) = entry(&manifest, "granted");
    assert_eq!((&granted["act"], &granted["digit"]), (&json!("dtmf"), &json!("1")), "{granted}");
    let (_, until) = entry(&manifest, "withdrawn");
    assert_eq!(manifest["customer"]["stored"], true, "{manifest}");
    (from, until)
}

#[test]
fn a_key_is_read_where_the_customers_sound_is_not_decoded_and_opens_the_door_to_it_from_there_on() {
    let server = Server::start_with("keys-undecoded", TOP, &format!("{RTP}{DROPPED}"));
    let (to_agent, to_customer) = announce(&server, "rtp");
    let (spoken, said) = (agent(9), canary(9, 61));
    let began = std::time::Instant::now();
    let speaker = Speaker::begin(to_agent, spoken.clone(), &[], Network::default(), 1);
    // One before the question, one in it, and one that takes it back.
    let keys = [(2_300, 1), (4_500, 1), (7_900, 9)];
    let customer = Speaker::begin(to_customer, said.clone(), &keys, Network::default(), 2);
    wait_until(began, 3.0);
    server.ask("rtp", "told", json!({ "notice": "standard", "version": 1 }));
    wait_until(began, 8.9);
    speaker.end();
    customer.end();
    server.wait_ended("rtp");
    let (granted, withdrawn) = books(&server, "rtp");
    assert!(manifest(&server, "rtp")["ledger"].to_string().contains("outside_question"), "the first key");
    let (stored, heard) = (track(&server.out.join("rtp.customer.wav")), as_heard(&said));
    let kept = stored.iter().position(|sample| *sample != 0).unwrap() as f64 / f64::from(RATE);
    assert!(kept >= granted, "granted at {granted} s, kept from {kept} s");
    let (first, last) = in_place(&stored, &heard);
    assert!((36_800..60_000).contains(&first) && last < 64_800, "the customer from {first} to {last}");
    assert!(last > 7 * 8_000 && withdrawn > granted + 3.0, "to {last}; from {granted} s to {withdrawn} s");
    let (first, last) = in_place(&track(&server.out.join("rtp.agent.wav")), &as_heard(&spoken));
    assert!(first < 8_000 && last > 50_000, "the agent from {first} to {last}");
    let (_, _, scratch) = server.end();
    hunt(&scratch, &Hunt::of(vec![heard[..36_000].to_vec(), heard[65_000..].to_vec()]));
}

#[test]
fn so_it_is_with_a_session_recording_client() {
    let siprec = format!("{RTP}[serve.siprec]\nlisten_udp = \"127.0.0.1:0\"\nagent_label = \"1\"\n{DROPPED}");
    let mut server = Server::start_with("keys-undecoded-siprec", TOP, &siprec);
    let call = "ffff0000bbbb0001";
    let mut client = Client::new(server.address_of("siprec/udp"), false, call);
    client.invite(str::to_owned);
    let (spoken, said) = (agent(10), canary(10, 62));
    let talk = Talk::begin(&client.ports, [spoken.clone(), said.clone()]);
    talk.wait(3.0);
    server.ask(call, "told", json!({ "notice": "standard", "version": 1 }));
    talk.wait(4.5);
    let pressed = talk.press();
    talk.wait(8.2);
    server.ask(call, "withdrawn", json!({}));
    let withdrawn = talk.spoken();
    talk.wait(9.2);
    talk.end();
    client.bye();
    server.wait_ended(call);
    books(&server, call);
    let (stored, heard) = (track(&server.out.join(format!("{call}.customer.wav"))), as_heard(&said));
    let (first, last) = in_place(&stored, &heard);
    let seconds = |sample: usize| sample as f64 / f64::from(RATE);
    assert!(seconds(first) >= pressed - 0.02, "pressed at {pressed} s, kept from {}", seconds(first));
    assert!(seconds(last) <= withdrawn + 0.1 && seconds(last) > 7.5, "{withdrawn} s, kept to {}", seconds(last));
    let (first, last) = in_place(&track(&server.out.join(format!("{call}.agent.wav"))), &as_heard(&spoken));
    assert!(first < 8_000 && last > 50_000, "the agent from {first} to {last}");
    let (_, _, scratch) = server.end();
    let place = |s: f64| (s * f64::from(RATE)) as usize;
    let never = [&heard[..place(pressed - 0.2)], &heard[place(withdrawn + 0.2)..]];
    hunt(&scratch, &Hunt::of(never.map(<[i16]>::to_vec).to_vec()));
}

/// The tone of the key 1 in a silent line of so many seconds, from there on for 200 ms.
fn tone_at(seconds: usize, from_ms: usize) -> Vec<i16> {
    let wave = |n: usize, hz: f64| (std::f64::consts::TAU * hz * n as f64 / f64::from(RATE)).sin();
    let tone = |n: usize| ((wave(n, 697.0) + wave(n, 1_209.0)) * 2_500.0) as i16;
    let stretch = from_ms * 8..(from_ms + 200) * 8;
    (0..seconds * RATE as usize).map(|n| if stretch.contains(&n) { tone(n) } else { 0 }).collect()
}

#[test]
fn the_echo_of_a_key_that_the_agent_holds_down_opens_nothing_as_long_as_it_may_come() {
    let server = Server::start_with("keys-held", TOP, RTP);
    // The agent holds 1 from 4 to 5.2 s. What comes within 400 ms of that may be its echo; what comes later is the customer's.
    let calls = [("echo", 5_350, false), ("hers", 5_900, true)].map(|(call, tone_ms, grants)| {
        let (to_agent, to_customer) = announce(&server, call);
        let speaker = Speaker::holding(to_agent, agent(8), &[(4_000, 1, 1_200)], Network::default(), 1);
        (call, grants, speaker, Speaker::begin(to_customer, tone_at(8, tone_ms), &[], Network::default(), 2))
    });
    let began = std::time::Instant::now();
    wait_until(began, 2.5);
    for (call, ..) in &calls {
        server.ask(call, "told", json!({ "notice": "standard", "version": 1 }));
    }
    wait_until(began, 7.5);
    for (call, grants, speaker, customer) in calls {
        speaker.end();
        customer.end();
        server.wait_ended(call);
        let ledger = manifest(&server, call)["ledger"].to_string();
        assert_eq!(ledger.contains("\"granted\""), grants, "{call}: {ledger}");
        assert!(ledger.contains("not_the_customer"), "{call}: the agent's own press is on record: {ledger}");
    }
}

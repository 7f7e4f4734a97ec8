//! Real SIP calls through Kamailio and rtpengine, recorded one-sided through rtpengine's subscriptions.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::common::RATE;
use super::hunt::Hunt;
use super::ng_witness::{Heard, Witness};
use super::serve_common::{Server, tone_dbfs, track};
use super::sip_switch::{Switch, TONE_HZ, Telephones, are_there};

/// Samples in a packet: 20 ms.
const PACKET: usize = 160;
const KEYS: &str = "[keys]\n1 = \"grant\"\n9 = \"withdraw\"\n";

fn serve(name: &str, switch: &Switch, on_withdrawal: &str, more: &str) -> Server {
    let sources = format!("[serve.rtp]\nports = \"0\"\n[serve.rtpengine]\nng = \"{}\"\n{more}", switch.ng);
    Server::start_with(name, &format!("purposes = [\"training\"]\non_withdrawal = \"{on_withdrawal}\""), &sources)
}

fn announce(server: &Server, call: &str, call_id: &str) {
    server.expect(json!({
        "source": "rtpengine", "call": call, "call_id": call_id,
        "agent": { "label": "agent" }, "customer": { "label": "customer" }
    }));
    server.wait_in_hand(call);
}

/// Tells that the announcement was played, and gives the customer a moment: the question opens behind whatever may have
/// been on its way by then.
fn told(server: &Server, call: &str) {
    server.ask(call, "told", json!({ "notice": "standard", "version": 1 }));
    std::thread::sleep(Duration::from_secs(1));
}

fn forget(server: &Server, call: &str) {
    server.request("DELETE", &format!("/v1/expected/{call}"), None);
    server.wait_ended(call);
}

/// Waits until so many samples of the agent or the customer are stored.
fn wait_for(party: &str, server: &Server, call: &str, samples: u64) {
    let written = || server.state(call)?[format!("{party}_written")].as_u64().filter(|written| *written > samples);
    server.wait(written, "a party is stored");
}

fn manifest(server: &Server, call: &str) -> Value {
    serde_json::from_slice(&fs::read(server.out.join(format!("{call}.json"))).unwrap()).unwrap()
}

fn event<'a>(manifest: &'a Value, event: &str) -> &'a Value {
    let ledger = manifest["ledger"].as_array().unwrap();
    ledger.iter().find(|entry| entry["event"] == event).unwrap_or_else(|| panic!("{event}: {ledger:?}"))
}

fn place(manifest: &Value, name: &str) -> usize {
    event(manifest, name)["sample"].as_u64().unwrap() as usize
}

/// The agent was kept, and the customer's tone is not in that track.
fn is_one_sided(server: &Server, call: &str) {
    let agent = track(&server.out.join(format!("{call}.agent.wav")));
    let kept = agent.iter().filter(|sample| **sample != 0).count();
    assert!(kept > RATE as usize, "the agent was kept: {kept} samples, {}", manifest(server, call));
    let level = tone_dbfs(&agent, RATE, TONE_HZ);
    assert!(level < -50.0, "the customer's tone in the agent's track: {level} dBFS");
}

/// Ends the server and looks for what the customer said in everything that it wrote.
fn is_nowhere(server: Server, said: &[&[i16]]) {
    let hunt = Hunt::of(said.iter().map(|said| said.to_vec()).collect());
    let (code, lines, scratch) = server.end();
    assert_eq!(code, 0, "{lines:?}");
    let mut files = scratch.files("");
    assert!(files.keys().any(|file| file.ends_with(".agent.wav")), "{:?}", files.keys());
    files.insert("standard error".into(), lines.join("\n").into_bytes());
    for (file, bytes) in files {
        hunt.finds_nothing(&file, &bytes);
    }
}

/// The customer is stored from the key on, and what is stored is what she said, in its place. From where to where.
fn is_kept_from_the_key_on(customer: &[i16], heard: &Heard, granted: usize) -> (usize, usize) {
    let first = customer.iter().position(|sample| *sample != 0).expect("the customer was kept");
    assert!((granted..granted + PACKET).contains(&first), "granted at {granted}, kept from {first}");
    let (from, until) = heard.place(customer);
    let released = heard.key(1);
    assert!((released..=released + PACKET).contains(&from), "the key at {released}, kept from {from}");
    (from, until)
}

#[test]
fn the_customer_is_kept_from_her_key_to_the_key_that_takes_it_back() {
    if !are_there(Telephones::Baresip) {
        return;
    }
    let switch = Switch::start("serve-rtpengine-switch", Telephones::Baresip);
    let server = serve("serve-rtpengine", &switch, "keep", KEYS);
    let call_id = switch.call_id();
    let witness = Witness::begin(&switch, &call_id);
    announce(&server, "sip-1", &call_id);
    let listening = || (switch.subscribers(&call_id, "agent"), switch.subscribers(&call_id, "customer"));
    assert_eq!(listening(), (1, 2), "with the witness");
    // Before the question a key is none.
    switch.press('1');
    std::thread::sleep(Duration::from_secs(2));
    told(&server, "sip-1");
    switch.press('1');
    wait_for("customer", &server, "sip-1", 2 * u64::from(RATE));
    switch.press('9');
    switch.wait("the customer unsubscribed", |_| (listening() == (1, 1)).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    let mut heard = witness.end();
    drop(switch); // rtpengine is gone: the call is kept, with what it sent
    server.wait_in_hand("sip-1");
    forget(&server, "sip-1");

    let manifest = manifest(&server, "sip-1");
    let granted = event(&manifest, "granted");
    assert_eq!((&granted["act"], &granted["digit"]), (&json!("dtmf"), &json!("1")), "{granted}");
    let customer = track(&server.out.join("sip-1.customer.wav"));
    let ones: Vec<_> = heard.keys.iter().filter(|key| key.0 == 1).copied().collect();
    assert_eq!(ones.len(), 2, "{:?}", heard.keys);
    heard.keys.retain(|key| *key != ones[0]);
    let (from, until) = is_kept_from_the_key_on(&customer, &heard, place(&manifest, "granted"));
    let withdrawn = heard.key(9);
    assert!(until <= withdrawn && until + RATE as usize > withdrawn, "withdrawn at {withdrawn}, kept to {until}");
    assert!(heard.sound.len() > withdrawn + RATE as usize, "she went on speaking");
    let first = customer.iter().position(|sample| *sample != 0).unwrap();
    assert!(tone_dbfs(&customer[first..first + until - from], RATE, TONE_HZ) > -14.0, "it is the customer's tone");
    is_one_sided(&server, "sip-1");
    is_nowhere(server, &[&heard.sound[..from], &heard.sound[until + 1..]]);
}

#[test]
fn nothing_remains_of_the_customer_where_a_withdrawal_erases() {
    if !are_there(Telephones::Baresip) {
        return;
    }
    let switch = Switch::start("serve-rtpengine-erase-switch", Telephones::Baresip);
    let server = serve("serve-rtpengine-erase", &switch, "erase", KEYS);
    let call_id = switch.call_id();
    let witness = Witness::begin(&switch, &call_id);
    announce(&server, "sip-2", &call_id);
    std::thread::sleep(Duration::from_secs(2));
    told(&server, "sip-2");
    switch.press('1');
    wait_for("customer", &server, "sip-2", u64::from(RATE));
    server.ask("sip-2", "withdrawn", json!({}));
    switch.wait("the customer unsubscribed", |switch| (switch.subscribers(&call_id, "customer") == 1).then_some(()));
    std::thread::sleep(Duration::from_secs(1));
    let heard = witness.end();
    forget(&server, "sip-2");
    let manifest = manifest(&server, "sip-2");
    assert_eq!(event(&manifest, "granted")["act"], "dtmf");
    assert_eq!(manifest["customer"]["stored"], false, "{manifest}");
    is_one_sided(&server, "sip-2");
    assert!(heard.sound.len() > 4 * RATE as usize);
    is_nowhere(server, &[&heard.sound]);
}

#[test]
fn with_drop_before_decode_the_customer_is_subscribed_to_while_a_grant_stands_only() {
    if !are_there(Telephones::Baresip) {
        return;
    }
    let switch = Switch::start("serve-rtpengine-drop-switch", Telephones::Baresip);
    let server = serve("serve-rtpengine-drop", &switch, "keep", "reference = \"drop-before-decode\"");
    let call_id = switch.call_id();
    announce(&server, "sip-3", &call_id);
    let listening = || (switch.subscribers(&call_id, "agent"), switch.subscribers(&call_id, "customer"));
    assert_eq!(listening(), (1, 0));
    std::thread::sleep(Duration::from_secs(2));
    told(&server, "sip-3");
    server.ask("sip-3", "granted", json!({ "act": "spoken_yes", "purpose": "training" }));
    wait_for("customer", &server, "sip-3", u64::from(RATE));
    assert_eq!(listening(), (1, 1));
    server.ask("sip-3", "withdrawn", json!({}));
    switch.wait("the customer unsubscribed", |_| (listening() == (1, 0)).then_some(()));
    forget(&server, "sip-3");
    switch.wait("nobody subscribed", |_| (listening() == (0, 0)).then_some(()));
    let customer = track(&server.out.join("sip-3.customer.wav"));
    let first = customer.iter().position(|sample| *sample != 0).expect("the customer was kept");
    assert!(first >= place(&manifest(&server, "sip-3"), "granted"));
    is_one_sided(&server, "sip-3");
}

#[test]
fn of_a_customer_who_was_not_asked_nothing_is_stored() {
    if !are_there(Telephones::Sipp) {
        return;
    }
    let mut switch = Switch::start("serve-rtpengine-sipp-switch", Telephones::Sipp);
    let server = serve("serve-rtpengine-sipp", &switch, "keep", KEYS);
    let call_id = switch.call_id();
    let witness = Witness::begin(&switch, &call_id);
    announce(&server, "sip-4", &call_id);
    assert!(switch.hung_up().success(), "recording does not disturb the call");
    // Nobody says `close`: Kamailio's `delete` takes the parties out, and rtpengine goes on knowing the call.
    let hung_up = Instant::now();
    server.wait_ended("sip-4");
    let took = hung_up.elapsed();
    assert!(took < Duration::from_secs(8), "it is asked every 2 s, and it took {took:?}");
    let heard = witness.end();
    assert!(tone_dbfs(&heard.sound, RATE, TONE_HZ) > -14.0, "she spoke");
    assert_eq!(manifest(&server, "sip-4")["customer"]["stored"], false);
    assert!(!server.out.join("sip-4.customer.wav").exists());
    is_one_sided(&server, "sip-4");
    is_nowhere(server, &[&heard.sound, &switch.customer]);
}

#[test]
fn a_call_whose_telephones_died_is_over_when_both_were_silent_for_long() {
    if !are_there(Telephones::Sipp) {
        return;
    }
    let mut switch = Switch::start("serve-rtpengine-died-switch", Telephones::Sipp);
    let server = serve("serve-rtpengine-died", &switch, "keep", "silent_s = 3");
    let call_id = switch.call_id();
    announce(&server, "sip-5", &call_id);
    wait_for("agent", &server, "sip-5", 3 * u64::from(RATE) / 2);
    switch.telephones_die();
    let died = Instant::now();
    server.wait_ended("sip-5");
    let took = died.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(8)).contains(&took), "{took:?}");
    assert!(switch.tag(&call_id, "agent").is_some(), "rtpengine lists the call still");
    is_one_sided(&server, "sip-5");
}

//! `oneside serve` among clients and networks that misbehave: what was sent right is stored right, and nobody's fault is
//! another call's (ROB-04, ROB-06). The crowd, the disk, the end and a worker's panic have files of their own.

use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::audiosocket_client::{Talk, agent_alone, is_exact, message, sound, speech, talk};
use super::common::{agent, canary};
use super::hunt::Hunt;
use super::rtp_party::{Network, PACKET, Speaker, as_heard, offset};
use super::serve_common::{Server, track};
use super::ws_client::{Client, head, paced};

const TOP: &str = "purposes = [\"training\"]\n";
const ROUTE: &str = "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n[[serve.websocket.route]]\npath = \"/agent\"\n\
                     dialect = \"audio_stream\"\nside = \"agent-alone\"\nrate = 8000\ncall = \"key:call\"\n";
const SOCKET: &str = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n";

fn manifest(server: &Server, call: &str) -> Value {
    serde_json::from_slice(&std::fs::read(server.out.join(format!("{call}.json"))).unwrap()).unwrap()
}

#[test]
fn through_loss_reordering_doubling_and_200_ms_of_jitter_what_came_lies_where_it_belongs() {
    let server = Server::start_with("faults-rtp", TOP, "[serve.rtp]\nports = \"0\"\n");
    let payloads = json!({ "payloads": ["0"] });
    let answer = server.expect(json!({ "source": "rtp", "call": "net", "agent": payloads, "customer": payloads }));
    let to = |party: &str| {
        let ip = answer[party]["address"].as_str().unwrap().parse().unwrap();
        std::net::SocketAddr::new(ip, answer[party]["port"].as_u64().unwrap().try_into().unwrap())
    };
    // No sample of it is nothing, so that what is missing can be told.
    let spoken: Vec<i16> = agent(9).into_iter().map(|v| if v.unsigned_abs() < 32 { 32 } else { v }).collect();
    let asked = canary(9, 71);
    let network = Network { lost_percent: 5, doubled_percent: 5, jitter_ms: 200 };
    let speaker = Speaker::begin(to("agent"), spoken.clone(), &[], network, 11);
    let customer = Speaker::begin(to("customer"), asked.clone(), &[], network, 12);
    thread::sleep(Duration::from_millis(8_500));
    let lost = speaker.end();
    customer.end();
    server.request("DELETE", "/v1/expected/net", None);
    assert_eq!(server.wait_ended("net")["result"], "recorded");
    let (stored, heard) = (track(&server.out.join("net.agent.wav")), as_heard(&spoken));
    let offset = offset(&stored, &heard);
    let at = |place: usize| usize::try_from(place as i64 + offset).ok().and_then(|at| stored.get(at).copied());
    let (mut came, mut dropped) = (0, 0);
    // The last ones may still be on their way when the call is ended.
    for (n, gone) in lost.iter().enumerate().take(lost.len() - 25) {
        let places = n * PACKET..(n + 1) * PACKET;
        if places.clone().any(|place| at(place).is_none()) {
            continue;
        }
        if *gone {
            assert!(places.into_iter().all(|place| at(place) == Some(0)), "packet {n} never came");
            dropped += 1;
        } else {
            // What the gate or a loaded machine leaves out is silence, never something else.
            let right = places.clone().filter(|place| at(*place) == Some(heard[*place])).count();
            let silent = places.filter(|place| at(*place) == Some(0)).count();
            assert_eq!(right + silent, PACKET, "packet {n} holds what does not belong there");
            came += right;
        }
    }
    assert!(dropped > 5 && came > 8_000, "{came} samples are stored, {dropped} packets were lost");
    let manifest = manifest(&server, "net");
    let counted = manifest["tally"]["agent"]["left_out"]["lost"].as_u64().unwrap_or(0);
    assert!(counted >= (dropped * PACKET) as u64, "{counted} samples are counted as lost: {manifest}");
    assert_eq!(manifest["customer"]["stored"], false, "{manifest}");
    let (_, _, scratch) = server.end();
    let hunt = Hunt::of(vec![as_heard(&asked), asked]);
    scratch.files("out").iter().for_each(|(file, bytes)| hunt.finds_nothing(file, bytes));
}

fn web(address: std::net::SocketAddr, call: &str) -> Client {
    let mut client = Client::open(address, "/agent", &[]);
    client.text(&json!({ "call": call }).to_string());
    client
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A call of the agent alone that nobody disturbs.
fn bystander(server: &Server, address: std::net::SocketAddr, seconds: usize) -> Talk {
    Talk::begin(agent_alone(server, address, "bystander", 0), speech(seconds, 0))
}

fn bystander_is_exact(server: &Server, bystander: Talk, seconds: usize) {
    drop(bystander.wait());
    assert_eq!(server.wait_ended("bystander")["result"], "recorded");
    is_exact(&server.out, "bystander", &speech(seconds, 0));
}

#[test]
fn clients_that_stall_lie_or_break_off_keep_what_they_sent_and_disturb_nobody() {
    let mut server = Server::start_with("faults-clients", TOP, &format!("{SOCKET}{ROUTE}"));
    let (socket, websocket) = (server.address_of("audiosocket"), server.address_of("websocket"));
    let bystander = bystander(&server, socket, 6);
    let sent = speech(2, 1);
    let never = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // It stalls, and goes on where it was.
            let mut stalls = agent_alone(&server, socket, "stalls", 1);
            talk(&mut stalls, &sent[..8_000], &never);
            thread::sleep(Duration::from_secs(3));
            talk(&mut stalls, &sent[8_000..], &never);
        });
        scope.spawn(|| {
            // It stalls, and catches up on all that it kept.
            let mut stalls = web(websocket, "catches-up");
            let late = speech(5, 2);
            paced(50, Duration::from_millis(20), |n| stalls.binary(&bytes(&late[n * 160..][..160])));
            thread::sleep(Duration::from_secs(3));
            late[8_000..].chunks(160).for_each(|piece| stalls.binary(&bytes(piece)));
            stalls.close(1000);
        });
        scope.spawn(|| {
            // Lengths that are none of a message, and one that never comes.
            let mut lies = agent_alone(&server, socket, "lies", 3);
            talk(&mut lies, &sent[..8_000], &never);
            lies.write_all(&message(0x01, &[7; 3])).unwrap();
            lies.write_all(&message(0x03, &[])).unwrap();
            talk(&mut lies, &sent[8_000..], &never);
            lies.write_all(&[0x10, 0xFF, 0xFF, 1, 2, 3]).unwrap();
        });
        scope.spawn(|| {
            for (call, lie) in [("frame-lies", head(2, usize::MAX >> 1)), ("frame-torn", head(2, 320))] {
                let mut lies = web(websocket, call);
                paced(50, Duration::from_millis(20), |n| lies.binary(&bytes(&sent[n * 160..][..160])));
                lies.raw(&lie);
                lies.raw(&[1; 100]);
            }
        });
    });
    bystander_is_exact(&server, bystander, 6);
    for (call, sent) in [
        ("stalls", sent.clone()),
        ("catches-up", speech(5, 2)),
        ("lies", sent.clone()),
        ("frame-lies", sent[..8_000].to_vec()),
        ("frame-torn", sent[..8_000].to_vec()),
    ] {
        let ended = server.wait_ended(call);
        assert_eq!(ended["result"], "recorded", "{ended}");
        is_exact(&server.out, call, &sent);
    }
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn a_flood_is_quarantined_and_drowns_nobody() {
    let mut server =
        Server::start_with("faults-flood", TOP, &format!("{SOCKET}{ROUTE}[keys]\n1 = \"grant\"\n2 = \"refuse\"\n"));
    let (socket, websocket) = (server.address_of("audiosocket"), server.address_of("websocket"));
    let bystander = bystander(&server, socket, 5);
    server.wait_in_hand("bystander");
    let loud = speech(30, 4);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Ten times as fast as it can have been spoken.
            let mut floods = agent_alone(&server, socket, "flood-socket", 1);
            let tenfold = |n: usize| loud[n * 1_600..][..1_600].chunks(160).flat_map(sound).collect::<Vec<u8>>();
            paced(150, Duration::from_millis(20), |n| floods.write_all(&tenfold(n)).unwrap());
        });
        scope.spawn(|| {
            let mut floods = web(websocket, "flood-web");
            paced(150, Duration::from_millis(20), |n| floods.binary(&bytes(&loud[n * 1_600..][..1_600])));
            floods.close(1000);
        });
        scope.spawn(|| {
            // Messages as small as can be, as fast as they are taken, with keys among them.
            let mut floods = agent_alone(&server, socket, "flood-small", 2);
            let small = [sound(&[99]), message(0x03, b"1")].concat().repeat(1_000);
            for _ in 0..300 {
                floods.write_all(&small).unwrap();
            }
        });
        // What is said of another call meanwhile is heard.
        for version in 0..20 {
            server.ask("bystander", "told", json!({ "notice": "std", "version": version }));
            thread::sleep(Duration::from_millis(100));
        }
    });
    bystander_is_exact(&server, bystander, 5);
    let ledger = manifest(&server, "bystander")["ledger"].to_string();
    assert!(!ledger.contains("held"), "nobody's word was lost among the flood's: {ledger}");
    for call in ["flood-socket", "flood-web", "flood-small"] {
        let ended = server.wait_ended(call);
        assert_eq!(ended["result"], "quarantined", "{ended}");
        let manifest = manifest(&server, call);
        assert!(manifest["findings"].to_string().contains("too_fast"), "{call}: {manifest}");
        let stored = server.out.join(format!("{call}.agent.wav"));
        assert!(!stored.exists() || track(&stored).iter().all(|sample| *sample == 0), "{call}: something is stored");
    }
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    scratch.run(&["verify", "out"]).ends(0);
}

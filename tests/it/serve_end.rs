//! What had arrived when a call ends is laid, however it ends: a source that keeps sound back, for what comes out of order,
//! keeps nothing of it for itself.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::audiosocket_client::speech;
use super::encode;
use super::rtp_party::{Network, PACKET, Speaker, as_heard, in_place};
use super::serve_common::{Server, track};
use super::serve_rtp::announce;
use super::siprec_client::{Client as Recorder, Talk};
use super::ws_client::{Client, paced};

const TOP: &str = "purposes = [\"training\"]\n";
/// What waits for a late packet is much more than a busy machine makes the senders late.
const RTP: &str = "[serve.rtp]\nports = \"0\"\ndelay_ms = 400\n";
/// Sound that may be missing at the end: a machine that is held up sends the last packets late.
const MISSING_MAX: usize = 3 * PACKET;

/// Of what was sent of the agent, everything to the last packet is stored.
#[track_caller]
fn is_laid(server_out: &std::path::Path, call: &str, sent: &[i16]) {
    let stored = track(&server_out.join(format!("{call}.agent.wav")));
    let (_, last) = in_place(&stored, &as_heard(sent));
    assert!(last + MISSING_MAX > sent.len(), "{call}: stored to {last}, sent {}", sent.len());
}

/// Two parties who speak, for 3 s: what was sent of the agent.
fn speaks(to: (SocketAddr, SocketAddr)) -> Vec<i16> {
    let spoken = speech(5, 1);
    let agent = Speaker::begin(to.0, spoken.clone(), &[], Network::default(), 1);
    let customer = Speaker::begin(to.1, vec![0; 5 * 8_000], &[], Network::default(), 2);
    std::thread::sleep(Duration::from_secs(3));
    let packets = agent.end().len();
    customer.end();
    spoken[..packets * PACKET].to_vec()
}

#[test]
fn a_call_that_is_closed_has_all_that_had_arrived_over_rtp() {
    let server = Server::start_with("end-close-rtp", TOP, RTP);
    let sent = speaks(announce(&server, "c1"));
    let (status, ended) = server.request("POST", "/v1/calls/c1/close", Some(json!({})));
    assert_eq!((status, &ended["result"]), (200, &json!("recorded")), "{ended}");
    is_laid(&server.out, "c1", &sent);
}

#[test]
fn a_call_that_is_closed_has_all_that_had_arrived_of_a_media_stream() {
    let source = "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n[[serve.websocket.route]]\npath = \"/twilio\"\n\
                  dialect = \"media_stream\"\nagent_track = \"outbound\"\nworst_buffering_ms = 1000\nreorder_ms = 500\n";
    let mut server = Server::start_with("end-close-stream", TOP, source);
    let mut client = Client::open(server.address_of("websocket"), "/twilio", &[]);
    client.text(r#"{"event":"start","sequenceNumber":"1","start":{"streamSid":"MZcf","callSid":"CAf0","tracks":["outbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{}},"streamSid":"MZcf"}"#);
    let sent = speech(3, 1);
    paced(sent.len() / PACKET, Duration::from_millis(20), |n| {
        let law = encode::body(&sent[n * PACKET..][..PACKET], |v, out| out.push(encode::mulaw(v)));
        let media = json!({ "track": "outbound", "chunk": (n + 1).to_string(), "timestamp": (n * 20).to_string(),
            "payload": STANDARD.encode(law) });
        client.text(&json!({ "event": "media", "media": media }).to_string());
    });
    std::thread::sleep(Duration::from_millis(40));
    let (status, ended) = server.request("POST", "/v1/calls/CAf0/close", Some(json!({})));
    assert_eq!((status, &ended["result"]), (200, &json!("recorded")), "{ended}");
    is_laid(&server.out, "CAf0", &sent);
}

#[test]
fn a_server_that_ends_has_laid_all_that_had_arrived() {
    let server = Server::start_with("end-term", TOP, RTP);
    let sent = speaks(announce(&server, "c1"));
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    assert_eq!(scratch.json("out/c1.json")["result"], "recorded");
    is_laid(&scratch.at("out"), "c1", &sent);
}

#[test]
fn a_call_that_hangs_up_has_all_that_had_arrived() {
    let source = format!("{RTP}[serve.siprec]\nlisten_udp = \"127.0.0.1:0\"\nagent_label = \"1\"\n");
    let mut server = Server::start_with("end-bye", TOP, &source);
    let call = "abab0000bbbb0001";
    let mut client = Recorder::new(server.address_of("siprec/udp"), false, call);
    client.invite(str::to_owned);
    let spoken = speech(5, 1);
    let talk = Talk::begin(&client.ports, [spoken.clone(), vec![0; spoken.len()]]);
    talk.wait(3.0);
    let sent = talk.end();
    client.bye();
    assert_eq!(server.wait_ended(call)["result"], "recorded");
    is_laid(&server.out, call, &spoken[..sent]);
}

/// A call that is closed over the API: its source hangs up, and what it kept of the call is given back.
#[test]
fn a_call_that_is_closed_is_hung_up() {
    let source = format!("{RTP}[serve.siprec]\nlisten_udp = \"127.0.0.1:0\"\nagent_label = \"1\"\n");
    let mut server = Server::start_with("end-close-siprec", TOP, &source);
    let call = "abab0000bbbb0002";
    let mut client = Recorder::new(server.address_of("siprec/udp"), false, call);
    client.invite(str::to_owned);
    let talk = Talk::begin(&client.ports, [speech(5, 1), vec![0; 5 * 8_000]]);
    talk.wait(2.5);
    let (status, ended) = server.request("POST", &format!("/v1/calls/{call}/close"), Some(json!({})));
    assert_eq!((status, &ended["result"]), (200, &json!("recorded")), "{ended}");
    client.is_hung_up();
    talk.end();
}

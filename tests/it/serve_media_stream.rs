//! Twilio and Telnyx, media streams, into the WebSocket source alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use oneside::ring::Why;
use oneside::source::exchange::Party;
use oneside::source::websocket::auth::Credential;
use oneside::source::wire::media_stream::Track;
use oneside::source::wire::sample::Encoding;

use crate::fake_exchange::within;
use crate::ws_client::{Client, paced, request};
use crate::ws_source::{Server, TICK, twilio};

const START: &str = r#"{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC7a","streamSid":"MZcf","callSid":"CAf0","tracks":["inbound","outbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{"callId":"42"}},"streamSid":"MZcf"}"#;

fn media(track: &str, n: usize, byte: u8) -> String {
    let payload = STANDARD.encode([byte; 160]);
    format!(
        r#"{{"event":"media","sequenceNumber":"{}","media":{{"track":"{track}","chunk":"{}","timestamp":"{}","payload":"{payload}"}},"streamSid":"MZcf"}}"#,
        n + 2,
        n + 1,
        n * 20
    )
}

/// A byte of µ-law for the n-th chunk, none of them silence.
fn chunk_byte(n: usize) -> u8 {
    (n % 100) as u8
}

fn decoded(byte: u8) -> i16 {
    let mut sample = [0];
    Encoding::Mulaw.decode(&[byte], &mut sample);
    sample[0]
}

#[test]
fn twilio_sends_both_tracks_and_each_sample_comes_to_its_place() {
    let server = Server::new(vec![twilio(Track::Outbound)]);
    let mut client = server.open("/twilio", &[]);
    client.text(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#);
    client.text(START);
    // In twos the wrong way round, one lost, one twice.
    paced(50, 2 * TICK, |pair| {
        for n in [2 * pair + 1, 2 * pair] {
            client.text(&media("outbound", n, chunk_byte(n)));
            if n != 40 {
                client.text(&media("inbound", n, chunk_byte(n) | 0x80));
            }
        }
        client.text(&media("outbound", 2 * pair, 0x7E));
        if pair == 10 {
            client.text(r#"{"event":"dtmf","dtmf":{"track":"inbound_track","digit":"1"}}"#);
        }
    });
    client.text(
        r#"{"event":"stop","sequenceNumber":"502","stop":{"accountSid":"AC7a","callSid":"CAf0"},"streamSid":"MZcf"}"#,
    );
    let call = server.exchange.call("CAf0");
    let (agent, customer) = (call.all(Some(Party::Agent)), call.all(Some(Party::Customer)));
    let skip = agent.samples.len() - 100 * 160;
    assert_eq!(skip, customer.samples.len() - 100 * 160, "both tracks are of one length");
    for n in 0..100 {
        let heard = &agent.samples[skip + n * 160..][..160];
        assert!(heard.iter().all(|sample| *sample == decoded(chunk_byte(n))), "the agent's chunk {n}");
        let expected = if n == 40 { 0 } else { decoded(chunk_byte(n) | 0x80) };
        assert!(customer.samples[skip + n * 160..][..160].iter().all(|sample| *sample == expected), "{n}");
    }
    assert!(customer.missing.contains(&(Why::Source, 160)), "{:?}", customer.missing);
    assert_eq!(call.digits(), [(Party::Customer, '1')], "inbound is not the agent here");
    assert_eq!((call.arrival.source, call.contradicted()), ("twilio", None));
}

#[test]
fn a_track_that_falls_silent_does_not_hold_the_other_up() {
    let server = Server::new(vec![twilio(Track::Inbound)]);
    let mut client = server.open("/twilio", &[]);
    client.text(START);
    paced(100, TICK, |n| {
        if n < 20 {
            client.text(&media("outbound", n, 0x10));
        }
        client.text(&media("inbound", n, 0x20));
    });
    let call = server.exchange.call("CAf0");
    let mut laid = [Party::Agent, Party::Customer].map(|party| (party, 0));
    let mut lengths = || {
        laid.iter_mut().for_each(|(party, samples)| *samples += call.laid(Some(*party)).samples.len());
        laid.map(|(_, samples)| samples)
    };
    // Held up, it would be a second behind.
    let [agent, _] = lengths();
    assert!(agent > 65 * 160, "{agent}");
    // They are looked at one after the other, while both go on; and when nothing comes at all, both go on with the clock.
    for least in [agent, agent + 12_000] {
        let alike = |[agent, customer]: [usize; 2]| agent >= least && agent.abs_diff(customer) <= 1_600;
        within("both are as far", || alike(lengths()).then_some(()));
    }
    drop(client);
    assert!(call.all(Some(Party::Agent)).samples.len() < 8_000, "a connection that broke ends its call");
}

#[test]
fn twilio_is_believed_only_with_its_signature_and_its_tracks() {
    let url = "wss://recorder.example.com/twilio";
    let mut signed = twilio(Track::Inbound);
    signed.credential = Some(Credential::Twilio { token: "12345678901234567890".to_owned().into(), url: url.into() });
    let server = Server::new(vec![signed]);
    let address = server.started.addresses[0];
    let ask = |header: &str| Client::ask(address, &request("/twilio", &["Host: a", header])).unwrap().answer;
    assert!(ask("X-Nothing: x").starts_with("HTTP/1.1 401"));
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(b"12345678901234567890").unwrap();
    mac.update(url.as_bytes());
    let signature = format!("X-Twilio-Signature: {}", STANDARD.encode(mac.finalize().into_bytes()));
    assert!(ask(&signature).starts_with("HTTP/1.1 101"));

    let server = Server::new(vec![twilio(Track::Inbound)]);
    server.open("/twilio", &[]).text(&START.replace(r#"["inbound","outbound"]"#, r#"["outbound"]"#));
    assert_eq!(server.exchange.first_declined(), "side");
    let mut client = server.open("/twilio", &[]);
    client.text(&START.replace(r#"["inbound","outbound"]"#, r#"["inbound"]"#));
    client.text(&media("outbound", 0, 1));
    let call = server.exchange.call("CAf0");
    within("the customer's track is found out", || call.contradicted());
    assert!(call.all(Some(Party::Agent)).samples.iter().all(|sample| *sample == 0), "and nothing of it is laid");
}

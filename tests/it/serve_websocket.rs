//! The WebSocket sources alone: clients do on the wire what Asterisk, FreeSWITCH and jambonz do. Media streams and faults have
//! files of their own.

use std::sync::atomic::Ordering;
use std::time::Duration;

use oneside::consent::{Act, Event};
use oneside::ring::Why;
use oneside::source::exchange::{Arriving, Party, Said};
use oneside::source::metadata::ConsentWord;
use oneside::source::websocket::auth::Credential;
use oneside::source::websocket::route::{Dialect, Side};

use crate::fake_exchange::{FakeExchange, Laid, PATIENCE};
use crate::ws_client::{Client, Sent, paced, request};
use crate::ws_source::{AGENT, CUSTOMER, Server, TICK, asterisk, bytes, freeswitch, media_start, ramp, route};

#[test]
fn asterisk_is_named_by_its_channel_and_never_by_its_query() {
    let server = Server::new(vec![asterisk("/media", Side::AgentAlone, "id")]);
    let mut client = server.open("/media?call=123&side=agent", &["Sec-WebSocket-Protocol: media"]);
    assert!(client.answer.to_ascii_lowercase().contains("sec-websocket-protocol: media\r\n"), "{}", client.answer);
    client.text(&media_start("1795289909.33", "slin16", ""));
    let sent = ramp(320 * 50, 0);
    paced(50, TICK, |n| {
        client.binary(&bytes(&sent[n * 320..][..320]));
        if n == 20 {
            client.text(r#"{"event":"DTMF_END","channel_id":"1795289909.33","digit":"1"}"#);
            client.text(r##"{"event":"DTMF_END","channel_id":"1795289909.33","digit":"#"}"##);
        }
    });
    client.close(1001);
    assert_eq!(server.exchange.names(), ["1795289909.33"]);
    let call = server.exchange.call("1795289909.33");
    let laid = call.all(Some(Party::Agent));
    assert_eq!((call.arrival.rate_hz, call.arrival.source), (16_000, "websocket"));
    assert!(matches!(call.arrival.sound, Arriving::AgentAlone(_)));
    assert_eq!(laid.samples, sent);
    assert_eq!(call.digits(), [(Party::Agent, '1'), (Party::Agent, '#')]);
    assert_eq!(call.contradicted(), None);
    assert!(call.arrival.encoding.contains("the agent alone"), "{}", call.arrival.encoding);
}

#[test]
fn two_connections_of_one_call_meet_and_each_party_has_its_keys() {
    let server = Server::new(vec![asterisk("/agent", AGENT, "key:CALL"), asterisk("/customer", CUSTOMER, "key:CALL")]);
    let mut agent = server.open("/agent", &[]);
    let mut customer = server.open("/customer", &[]);
    agent.text(&media_start("1.1", "slin", r#""CALL":"c-7""#));
    customer.text(&media_start("1.2", "slin", r#""CALL":"c-7""#));
    let (a, c) = (ramp(8_000, 0), ramp(8_000, 100));
    let mut again = server.open("/customer", &[]);
    paced(50, TICK, |n| {
        agent.binary(&bytes(&a[n * 160..][..160]));
        customer.binary(&bytes(&c[n * 160..][..160]));
        if n == 25 {
            customer.text(r#"{"event":"DTMF_END","digit":"1"}"#);
            customer.text(r#"{"event":"DTMF_END","digit":"?"}"#);
            again.text(&media_start("1.3", "slin", r#""CALL":"c-7""#));
        }
    });
    assert_eq!(server.exchange.first_declined(), "exists", "a second customer is no customer of this call");
    agent.close(1000);
    customer.close(1000);
    let call = server.exchange.call("c-7");
    // Who connects second begins with the time that it was awaited.
    for (party, sent) in [(Party::Agent, a), (Party::Customer, c)] {
        let laid = call.all(Some(party));
        let awaited = laid.missing_for(Why::Absent) as usize;
        assert!(laid.missing.iter().all(|(why, _)| *why == Why::Absent), "{:?}", laid.missing);
        assert!(laid.samples[awaited..] == sent && laid.samples[..awaited].iter().all(|sample| *sample == 0));
    }
    assert_eq!(call.digits(), [(Party::Customer, '1')]);
    assert!(
        call.said().contains(&Said::Event { event: Event::Held, expires: None, place: None }),
        "a key that cannot be read may have been a no"
    );
}

#[test]
fn plain_lines_and_g711_are_taken_as_json_is() {
    let mut routes = vec![asterisk("/agent", AGENT, "connection"), asterisk("/customer", CUSTOMER, "connection")];
    routes.iter_mut().for_each(|route| route.drop_before_decode = true);
    let server = Server::new(routes);
    let begin = |path: &str, channel: &str, format: &str| {
        let mut client = server.open(path, &["Sec-WebSocket-Protocol: media"]);
        client.text(&format!("MEDIA_START connection_id:rec1 channel:WebSocket/rec1/0x7f channel_id:{channel} format:{format} optimal_frame_size:160 ptime:20"));
        client
    };
    let (mut agent, mut customer) = (begin("/agent", "1.36", "ulaw"), begin("/customer", "1.37", "alaw"));
    let call = server.exchange.call("rec1");
    let mut laid = Laid::default();
    paced(40, TICK, |n| {
        agent.binary(&[0x00; 160]);
        customer.binary(&[0x2A; 160]);
        if n == 20 {
            // What was sent so far has arrived before the grant.
            let all_came = |laid: &Laid| laid.missing_for(Why::Undecoded) == 21 * 160;
            laid = call.laid_until("it arrives", Some(Party::Customer), all_came);
            call.wants_customer(true);
            customer.text("DTMF_END digit:1 channel_id:1.37");
        }
    });
    agent.close(1001);
    customer.close(1001);
    assert!(call.arrival.drop_before_decode);
    assert!(call.all(Some(Party::Agent)).samples.iter().all(|sample| *sample == -32_124));
    laid.append(call.all(Some(Party::Customer)));
    // Who connects second begins with the time that it was awaited.
    let undecoded = laid.missing_for(Why::Undecoded);
    assert!(laid.missing.iter().all(|(why, _)| [Why::Undecoded, Why::Absent].contains(why)), "{:?}", laid.missing);
    assert_eq!(undecoded, 21 * 160);
    let heard = laid.samples.iter().filter(|sample| **sample == -32_256).count() as u64;
    assert_eq!(heard + undecoded, 40 * 160, "not decoded without a grant, and decoded with one");
    assert_eq!(call.digits(), [(Party::Customer, '1')]);
}

#[test]
fn a_stream_that_is_not_what_it_must_be_is_declined() {
    for (first, reason) in [
        (media_start("1.1", "opus", ""), "garbled"),
        (media_start("", "ulaw", ""), "garbled"),
        ("{".into(), "garbled"),
        (media_start("1.1", "ulaw", ""), "unnamed"),
    ] {
        let server = Server::new(vec![asterisk("/agent", AGENT, "key:CALL")]);
        let mut client = server.open("/agent", &[]);
        client.text(&first);
        assert_eq!(server.exchange.first_declined(), reason, "{first}");
        assert_eq!(client.next(PATIENCE), Some(Sent::Close(1000)), "and the switch is let go politely");
    }
    let server = Server::new(vec![asterisk("/agent", AGENT, "id")]);
    server.open("/agent", &[]).binary(&[0; 320]);
    assert_eq!(server.exchange.first_declined(), "layout", "sound before it is said what it is");
    let full = FakeExchange::refusing("limit");
    let server = Server::with(full, vec![asterisk("/agent", Side::AgentAlone, "id")]);
    let mut client = server.open("/agent", &[]);
    client.text(&media_start("1.1", "ulaw", ""));
    assert_eq!(server.exchange.first_declined(), "limit");
    assert_eq!(client.next(PATIENCE), Some(Sent::Close(1000)));
}

/// As mod_audio_stream writes it: no space after the colon, no subprotocol.
const FREESWITCH: [&str; 2] = ["Origin:http://127.0.0.1:9600", "Authorization:Bearer abcdefghijklmnop"];

#[test]
fn freeswitch_writes_its_headers_without_a_space_and_is_understood() {
    let mut stereo = freeswitch("/rec", Side::Stereo { agent_channel: 1 }, 16_000, "key:call");
    stereo.credential = Some(Credential::bearer("abcdefghijklmnop"));
    stereo.digits = Some(Party::Customer);
    let server = Server::new(vec![stereo]);
    let mut client = server.open("/rec", &FREESWITCH);
    assert!(!client.answer.to_ascii_lowercase().contains("sec-websocket-protocol"), "none was offered");
    client.text(r#"{"call":"42","side":"agent"}"#);
    let sent = ramp(640 * 50, 0);
    paced(50, TICK, |n| {
        client.binary(&bytes(&sent[n * 640..][..640]));
        if n == 30 {
            client.text(r#"{"event":"dtmf","digit":"1"}"#);
        }
    });
    client.text("bye");
    client.close(1000);
    let call = server.exchange.call("42");
    assert_eq!(call.all(None).samples, sent);
    assert!(matches!(call.arrival.sound, Arriving::Interleaved(map, _) if map.agent() == 1));
    assert_eq!(call.digits(), [(Party::Customer, '1')]);
    let answers: Vec<_> = std::iter::from_fn(|| client.next(Duration::from_millis(500))).take(3).collect();
    assert!(!answers.iter().any(|sent| matches!(sent, Sent::Text(_) | Sent::Other(_))), "{answers:?}");
}

#[test]
fn who_brings_no_token_or_asks_for_another_path_is_not_let_in() {
    let mut agent = freeswitch("/rec", AGENT, 8_000, "text");
    agent.credential = Some(Credential::bearer("abcdefghijklmnop"));
    let server = Server::new(vec![agent]);
    let address = server.started.addresses[0];
    let ask = |target: &str, header: &str| Client::ask(address, &request(target, &["Host: a", header])).unwrap().answer;
    assert!(ask("/rec", "Authorization: Bearer abcdefghijklmno").starts_with("HTTP/1.1 401"));
    assert!(ask("/rec", "X-Nothing: x").starts_with("HTTP/1.1 401"));
    assert!(ask("/else", "Authorization: Bearer abcdefghijklmnop").starts_with("HTTP/1.1 404"));
    assert!(ask("/rec?side=customer", "Authorization: Bearer abcdefghijklmnop").starts_with("HTTP/1.1 101"));
    assert_eq!(server.started.handshakes.unauthorized.load(Ordering::Relaxed), 2);
    assert_eq!(server.started.handshakes.no_route.load(Ordering::Relaxed), 1);
}

#[test]
fn jambonz_says_what_it_sends_and_must_keep_to_it() {
    let side = Side::Stereo { agent_channel: 0 };
    let jambonz = || route("/j", Dialect::AudioStream { side, rate_hz: None }, "key:callSid");
    let first = r#"{"callSid":"f3c5","sampleRate":8000,"mixType":"stereo","consent":"yes"}"#;
    for (from, to) in [("stereo", "mono"), ("stereo", "mixed"), ("8000", "64000"), ("\"sampleRate\":8000,", "")] {
        let server = Server::new(vec![jambonz()]);
        server.open("/j", &["Sec-WebSocket-Protocol: audio.jambonz.org"]).text(&first.replace(from, to));
        assert_eq!(server.exchange.first_declined(), "layout", "{from} → {to}");
    }
    let mut consenting = jambonz();
    let consent = ConsentWord { key: "consent".into(), yes: "yes".into(), purposes: vec!["qa".into()], notice: None };
    consenting.heeded.consent = Some(consent);
    consenting.drop_before_decode = true;
    let server = Server::new(vec![consenting]);
    let mut client = server.open("/j", &["Sec-WebSocket-Protocol: audio.jambonz.org"]);
    assert!(client.answer.contains("audio.jambonz.org"));
    client.text(first);
    let call = server.exchange.call("f3c5");
    let frames: Vec<i16> = (0..160).flat_map(|_| [1_000, -7]).collect();
    let mut customer = Laid::default();
    paced(20, TICK, |n| {
        client.binary(&bytes(&frames));
        if n == 9 {
            let all_came = |laid: &Laid| laid.missing_for(Why::Undecoded) == 10 * 160;
            customer = call.laid_until("it arrives", Some(Party::Customer), all_came);
            call.wants_customer(true);
        }
    });
    client.close(1000);
    let agent = call.all(Some(Party::Agent));
    customer.append(call.all(Some(Party::Customer)));
    assert!(agent.samples.iter().all(|sample| *sample == 1_000) && agent.samples.len() == 3_200);
    assert_eq!(customer.samples.len(), 3_200, "both legs are of one length");
    assert!(customer.samples[..1_600].iter().all(|sample| *sample == 0), "not decoded without a grant");
    assert!(customer.samples[1_600..].iter().all(|sample| *sample == -7), "and decoded with one");
    assert!(customer.missing.iter().all(|(why, _)| *why == Why::Undecoded), "{:?}", customer.missing);
    let granted =
        |said: &Said| matches!(said, Said::Event { event: Event::Granted(d), .. } if matches!(d.act, Act::Api { .. }));
    assert!(call.said().iter().any(granted), "{:?}", call.said());
}

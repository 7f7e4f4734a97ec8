//! The WebSocket sources alone: clients do on the wire what FreeSWITCH, jambonz, Asterisk and Twilio do, and what none of
//! them should.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use oneside::consent::{Act, Event};
use oneside::ring::Why;
use oneside::source::exchange::{Arriving, Party, Said};
use oneside::source::listen::{Listen, Stop};
use oneside::source::metadata::{CallFrom, ConsentWord, Heeded};
use oneside::source::websocket::auth::Credential;
use oneside::source::websocket::route::{Dialect, Route, Side};
use oneside::source::websocket::{Started, WebSocketConfig, start};
use oneside::source::wire::media_stream::Track;
use oneside::source::wire::sample::Encoding;
use tokio::runtime::Runtime;

use crate::fake_exchange::{FakeExchange, within};
use crate::ws_client::{Client, Sent, head, paced, request};

const TICK: Duration = Duration::from_millis(20);
const AGENT: Side = Side::One(Party::Agent);
const CUSTOMER: Side = Side::One(Party::Customer);

/// A running source. Dropped, it ends.
struct Server {
    exchange: Arc<FakeExchange>,
    started: Started,
    stop: Stop,
    _runtime: Runtime,
}

impl Server {
    fn new(routes: Vec<Route>) -> Server {
        Server::with(FakeExchange::default(), routes)
    }

    fn with(exchange: FakeExchange, routes: Vec<Route>) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (exchange, stop) = (Arc::new(exchange), Stop::new());
        let listen = Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            allow: Vec::new(),
            connections_max: 100,
            plain_allowed: false,
        };
        let config = WebSocketConfig {
            listen: vec![listen],
            routes: routes.into_iter().map(Arc::new).collect(),
            idle: Duration::from_secs(3),
            message_bytes_max: 64 << 10,
        };
        let started = start(config, Arc::clone(&exchange) as Arc<_>, runtime.handle(), stop.clone()).unwrap();
        Server { exchange, started, stop, _runtime: runtime }
    }

    fn open(&self, target: &str, headers: &[&str]) -> Client {
        Client::open(self.started.addresses[0], target, headers)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn route(path: &str, dialect: Dialect, call: &str) -> Route {
    Route {
        path: path.into(),
        dialect,
        call: CallFrom::parse(call).unwrap(),
        heeded: Heeded::default(),
        credential: None,
        digits: None,
        drop_before_decode: false,
        burst_ms: 400,
        worst_ms: 1_000,
    }
}

fn asterisk(path: &str, side: Side, call: &str) -> Route {
    route(path, Dialect::ChanWebsocket { side }, call)
}

fn freeswitch(path: &str, side: Side, rate_hz: u32, call: &str) -> Route {
    route(path, Dialect::AudioStream { side, rate_hz: Some(rate_hz) }, call)
}

fn twilio(agent: Track) -> Route {
    route("/twilio", Dialect::MediaStream { agent, reorder_ms: 200 }, "id")
}

/// Sound that tells where it is from: a ramp.
fn ramp(samples: usize, from: i16) -> Vec<i16> {
    (0..samples).map(|n| from.wrapping_add(n as i16)).collect()
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn media_start(channel: &str, format: &str, variables: &str) -> String {
    format!(
        r#"{{"event":"MEDIA_START","connection_id":"rec1","channel":"WebSocket/rec1/0x7f5f5c00bc30","channel_id":"{channel}","format":"{format}","optimal_frame_size":640,"ptime":20,"channel_variables":{{{variables}}}}}"#
    )
}

// ── Asterisk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

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
    assert_eq!(call.all(Some(Party::Agent)).samples, a);
    assert_eq!(call.all(Some(Party::Customer)).samples, c);
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
    paced(40, TICK, |n| {
        agent.binary(&[0x00; 160]);
        customer.binary(&[0x2A; 160]);
        if n == 20 {
            call.wants_customer(true);
            customer.text("DTMF_END digit:1 channel_id:1.37");
        }
    });
    agent.close(1001);
    customer.close(1001);
    assert!(call.arrival.drop_before_decode);
    assert!(call.all(Some(Party::Agent)).samples.iter().all(|sample| *sample == -32_124));
    let laid = call.all(Some(Party::Customer));
    // Who connects second begins with the time that it was awaited.
    let undecoded: u64 = laid.missing.iter().filter(|(why, _)| *why == Why::Undecoded).map(|(_, frames)| *frames).sum();
    assert!(laid.missing.iter().all(|(why, _)| [Why::Undecoded, Why::Absent].contains(why)), "{:?}", laid.missing);
    assert!((17..=21).contains(&(undecoded / 160)), "{undecoded}");
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
        assert_eq!(client.next(Duration::from_secs(3)), Some(Sent::Close(1000)), "and the switch is let go politely");
    }
    let server = Server::new(vec![asterisk("/agent", AGENT, "id")]);
    server.open("/agent", &[]).binary(&[0; 320]);
    assert_eq!(server.exchange.first_declined(), "layout", "sound before it is said what it is");
    let full = FakeExchange::refusing("limit");
    let server = Server::with(full, vec![asterisk("/agent", Side::AgentAlone, "id")]);
    let mut client = server.open("/agent", &[]);
    client.text(&media_start("1.1", "ulaw", ""));
    assert_eq!(server.exchange.first_declined(), "limit");
    assert_eq!(client.next(Duration::from_secs(3)), Some(Sent::Close(1000)));
}

// ── FreeSWITCH, jambonz ──────────────────────────────────────────────────────────────────────────────────────────────

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
    paced(20, TICK, |n| {
        client.binary(&bytes(&frames));
        call.wants_customer(n >= 9);
    });
    client.close(1000);
    let (agent, customer) = (call.all(Some(Party::Agent)), call.all(Some(Party::Customer)));
    assert!(agent.samples.iter().all(|sample| *sample == 1_000) && agent.samples.len() == 3_200);
    assert_eq!(customer.samples.len(), 3_200, "both legs are of one length");
    assert!(customer.samples.iter().all(|sample| [0, -7].contains(sample)) && customer.samples.contains(&-7));
    assert!(matches!(customer.missing[..], [(Why::Undecoded, _)]), "{:?}", customer.missing);
    let granted =
        |said: &Said| matches!(said, Said::Event { event: Event::Granted(d), .. } if matches!(d.act, Act::Api { .. }));
    assert!(call.said().iter().any(granted), "{:?}", call.said());
}

// ── Twilio ───────────────────────────────────────────────────────────────────────────────────────────────────────────

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
    let (agent, customer) = (call.laid(Some(Party::Agent)), call.laid(Some(Party::Customer)));
    assert!(agent.samples.len() > 80 * 160, "{}", agent.samples.len());
    // They are looked at one after the other, while both go on.
    assert!(agent.samples.len().abs_diff(customer.samples.len()) <= 1_600);
    // And when nothing comes at all, both go on with the clock.
    std::thread::sleep(Duration::from_millis(2_500));
    let later = call.laid(Some(Party::Agent));
    assert!(
        later.samples.len() > 8_000
            && later.samples.len().abs_diff(call.laid(Some(Party::Customer)).samples.len()) <= 1_600
    );
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

// ── what none of them should do ──────────────────────────────────────────────────────────────────────────────────────

#[test]
fn whoever_floods_is_found_out_and_read_to_the_end() {
    let server = Server::new(vec![asterisk("/agent", Side::AgentAlone, "id")]);
    let mut client = server.open("/agent", &[]);
    client.text(&media_start("1.1", "slin16", ""));
    let call = server.exchange.call("1.1");
    let began = Instant::now();
    paced(200, TICK / 2, |_| client.binary(&[1; 640]));
    assert!(began.elapsed() < Duration::from_secs(4), "the flood was taken as it came");
    assert_eq!(within("it is found out", || call.contradicted()), "too_fast");
    client.close(1000);
    assert_eq!(call.all(Some(Party::Agent)).samples.len(), 200 * 320);
}

#[test]
fn lies_about_lengths_halves_of_messages_and_silence_end_the_call() {
    let begin = |server: &Server| {
        let mut client = server.open("/agent", &[]);
        client.text(&media_start("1.1", "slin16", ""));
        client.binary(&[1; 640]);
        (client, server.exchange.call("1.1"))
    };
    let routes = || vec![asterisk("/agent", Side::AgentAlone, "id")];
    let endings: [(&str, fn(&mut Client)); 5] = [
        ("a length beyond all bounds", |client| client.raw(&head(2, 1 << 40))),
        ("a length beyond the limit", |client| client.raw(&head(2, 70_000))),
        ("a frame that nobody masked", |client| client.raw(&[0x82, 2, 0, 0])),
        ("half a message", |client| client.raw(&crate::ws_client::frame(2, &[1; 640])[..100])),
        ("nothing at all", |_| {}),
    ];
    for (what, end) in endings {
        let server = Server::new(routes());
        let (mut client, call) = begin(&server);
        end(&mut client);
        let client = if what.starts_with("half") { None } else { Some(client) };
        assert_eq!(call.all(Some(Party::Agent)).samples.len(), 320, "{what}");
        drop(client);
    }
    let server = Server::new(routes());
    let (mut client, call) = begin(&server);
    client.binary(&[1; 641]);
    assert_eq!(within("half a sample is found out", || call.contradicted()), "layout_mismatch");
    assert!(call.all(Some(Party::Agent)).samples.len() == 320);
}

#[test]
fn a_request_that_never_ends_is_given_up() {
    let server = Server::new(vec![asterisk("/agent", AGENT, "id")]);
    let slow: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(server.started.addresses[0]).unwrap()).collect();
    for mut stream in &slow {
        std::io::Write::write_all(&mut stream, b"GET /agent HTTP/1.1\r\nHost:").unwrap();
    }
    let handshakes = &server.started.handshakes;
    within("they are given up", || (handshakes.unfinished.load(Ordering::Relaxed) == 20).then_some(()));
    let mut client = server.open("/agent", &[]);
    client.text(&media_start("1.1", "ulaw", ""));
    server.exchange.call("1.1");
}

#[test]
fn a_call_that_is_over_on_our_side_and_a_server_that_ends_let_the_switch_go() {
    let server = Server::new(vec![asterisk("/agent", Side::AgentAlone, "id")]);
    let begin = |channel: &str| {
        let mut client = server.open("/agent", &[]);
        client.text(&media_start(channel, "ulaw", ""));
        (client, server.exchange.call(channel))
    };
    let (mut first, call) = begin("1.1");
    call.standing.over.store(true, Ordering::Release);
    assert_eq!(first.next(Duration::from_secs(3)), Some(Sent::Close(1000)));
    let (mut second, call) = begin("1.2");
    server.stop.cancel();
    assert_eq!(second.next(Duration::from_secs(3)), Some(Sent::Close(1000)));
    call.all(Some(Party::Agent));
}

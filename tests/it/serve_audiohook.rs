//! The AudioHook source alone, with a client that does on the wire what the reference client does, and what it must not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use oneside::consent::Event;
use oneside::source::audiohook::{AudioHookConfig, start};
use oneside::source::exchange::{Arriving, Party, Said};
use oneside::source::listen::{Listen, Stop};
use oneside::source::metadata::{ConsentWord, Heeded};
use oneside::source::websocket::Started;
use oneside::source::wire::http_signature::Keys;
use oneside::source::wire::sample::Encoding;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::fake_exchange::{FakeExchange, within};
use crate::ws_client::{Client, Sent, paced, request};

const KEY: &str = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh";
const SECRET: &str = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=";
const ORGANIZATION: &str = "5fb4713c-e2f7-40c5-91f9-a5fa70408d36";
const SESSION: &str = "bc92c8b1-bfcf-407c-af37-6d9b82696dee";
const CONVERSATION: &str = "a341c801-2227-4075-b9ed-bb0964fbd636";
const FRAME: Duration = Duration::from_millis(200);

struct Server {
    exchange: Arc<FakeExchange>,
    started: Started,
    stop: Stop,
    _runtime: Runtime,
}

impl Server {
    fn new(change: impl FnOnce(&mut AudioHookConfig)) -> Server {
        Server::with(FakeExchange::default(), change)
    }

    fn with(exchange: FakeExchange, change: impl FnOnce(&mut AudioHookConfig)) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (exchange, stop) = (Arc::new(exchange), Stop::new());
        let mut keys = Keys::default();
        keys.add(KEY, SECRET).unwrap();
        let listen = Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            allow: Vec::new(),
            connections_max: 100,
            plain_allowed: false,
        };
        let mut config = AudioHookConfig {
            listen,
            path: "/audiohook".into(),
            keys,
            authority: None,
            drop_before_decode: false,
            heeded: Heeded::default(),
            worst_ms: 500,
            burst_ms: 400,
        };
        change(&mut config);
        let started = start(config, Arc::clone(&exchange) as Arc<_>, runtime.handle(), stop.clone()).unwrap();
        Server { exchange, started, stop, _runtime: runtime }
    }

    fn address(&self) -> SocketAddr {
        self.started.addresses[0]
    }

    fn ask(&self, nonce: &str) -> String {
        Client::ask(self.address(), &signed(self.address(), "/audiohook", nonce)).unwrap().answer
    }

    fn session(&self) -> Session {
        static NONCE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let nonce = format!("nonce-of-{:020}", NONCE.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let client = Client::ask(self.address(), &signed(self.address(), "/audiohook", &nonce)).unwrap();
        assert!(client.answer.starts_with("HTTP/1.1 101"), "{}", client.answer);
        Session { client, seq: 0, serverseq: 0, position_ms: 0 }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A request as the reference client signs it.
fn signed(address: SocketAddr, target: &str, nonce: &str) -> String {
    let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let components = r#"("@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" "audiohook-correlation-id" "x-api-key")"#;
    let parameters = format!(
        r#"{components};keyid="{KEY}";nonce="{nonce}";alg="hmac-sha256";created={created};expires={}"#,
        created + 30
    );
    let correlation = "b7de0990-8ce3-42a7-82e9-c63f53bf7ce0";
    let base = format!(
        "\"@request-target\": {target}\n\"@authority\": {address}\n\"audiohook-organization-id\": {ORGANIZATION}\n\
         \"audiohook-session-id\": {SESSION}\n\"audiohook-correlation-id\": {correlation}\n\"x-api-key\": {KEY}\n\
         \"@signature-params\": {parameters}"
    );
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&STANDARD.decode(SECRET).unwrap()).unwrap();
    mac.update(base.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    request(
        target,
        &[
            &format!("Host: {address}"),
            &format!("Audiohook-Organization-Id: {ORGANIZATION}"),
            &format!("Audiohook-Session-Id: {SESSION}"),
            &format!("Audiohook-Correlation-Id: {correlation}"),
            &format!("X-API-KEY: {KEY}"),
            &format!("Signature-Input: sig1={parameters}"),
            &format!("Signature: sig1=:{signature}:"),
        ],
    )
}

/// The client's side of a session.
struct Session {
    client: Client,
    seq: u64,
    serverseq: u64,
    position_ms: u64,
}

impl Session {
    fn say(&mut self, kind: &str, parameters: Value) {
        self.seq += 1;
        let position = format!("PT{}S", self.position_ms as f64 / 1_000.0);
        let message = json!({
            "version": "2", "type": kind, "id": SESSION, "seq": self.seq, "serverseq": self.serverseq,
            "position": position, "parameters": parameters
        });
        self.client.text(&message.to_string());
    }

    /// The next message of the server's, which must be of this kind.
    fn hears(&mut self, kind: &str) -> Value {
        let sent = self.client.next(Duration::from_secs(5));
        let Some(Sent::Text(text)) = sent else { panic!("{kind} was expected, not {sent:?}") };
        let message: Value = serde_json::from_str(&text).unwrap();
        self.serverseq += 1;
        assert_eq!((message["type"].as_str(), message["seq"].as_u64()), (Some(kind), Some(self.serverseq)), "{text}");
        assert_eq!((message["version"].as_str(), message["id"].as_str()), (Some("2"), Some(SESSION)));
        message["parameters"].clone()
    }

    fn open(&mut self, more: Value) -> Value {
        self.open_of(CONVERSATION, more);
        self.hears("opened")
    }

    fn open_of(&mut self, conversation: &str, more: Value) {
        let offer = |channels: Value| json!({"type": "audio", "format": "PCMU", "channels": channels, "rate": 8000});
        let mut parameters = json!({
            "organizationId": ORGANIZATION,
            "conversationId": conversation,
            "participant": {"id": "d813ea76", "ani": "+1-555-555-1234", "aniName": "John Doe", "dnis": "+1-800-555-6789"},
            "media": [offer(json!(["external", "internal"])), offer(json!(["external"])), offer(json!(["internal"]))],
        });
        for (key, value) in more.as_object().unwrap() {
            parameters[key] = value.clone();
        }
        self.say("open", parameters);
    }

    /// 200 ms of both parties, as the client interleaves them; counted as so many ms.
    fn both(&mut self, counted_ms: u64) {
        let stereo: Vec<u8> = (0..1_600).flat_map(|_| [0x10, 0x90]).collect();
        self.client.binary(&stereo);
        self.position_ms += counted_ms;
    }

    fn close(mut self) {
        self.say("close", json!({"reason": "end"}));
        self.hears("closed");
        self.client.close(1005);
    }
}

fn mulaw(byte: u8) -> i16 {
    let mut sample = [0];
    Encoding::Mulaw.decode(&[byte], &mut sample);
    sample[0]
}

#[test]
fn a_session_of_both_parties_from_open_to_closed() {
    let server = Server::new(|_| {});
    let mut session = server.session();
    let opened = session.open(json!({}));
    assert_eq!(
        opened,
        json!({"media": [{"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000}], "startPaused": false})
    );
    let call = server.exchange.call(CONVERSATION);
    paced(10, FRAME, |n| {
        session.both(200);
        match n {
            4 => session.say("ping", json!({})),
            5 => {
                session.hears("pong");
                session.say("ping", json!({"rtt": "PT0.001463673S"}));
                session.hears("pong");
                session.say("dtmf", json!({"digit": "1"}));
                session.say("update", json!({"language": "en-US"}));
                session.hears("updated");
            }
            _ => {}
        }
    });
    session.close();
    let laid = call.all(None);
    assert_eq!(laid.samples.len(), 2 * 16_000);
    assert!(laid.samples.chunks(2).all(|pair| *pair == [mulaw(0x10), mulaw(0x90)]));
    assert!(matches!(call.arrival.sound, Arriving::Interleaved(map, _) if map.agent() == 1), "internal is the agent");
    assert_eq!(call.arrival.number.as_deref(), Some("+1-555-555-1234"), "for the list of never-recorded ones");
    assert_eq!(call.digits(), [(Party::Customer, '1')]);
    assert_eq!(call.contradicted(), None);
}

#[test]
fn only_what_is_signed_and_signed_just_now_and_only_once_is_let_in() {
    let server = Server::new(|_| {});
    let nonce = "a-nonce-that-is-long-enough";
    assert!(server.ask(nonce).starts_with("HTTP/1.1 101"));
    assert!(server.ask(nonce).starts_with("HTTP/1.1 401"), "a replay");
    assert!(server.ask("short").starts_with("HTTP/1.1 401"));
    let address = server.address();
    let other = signed(address, "/audiohook", "another-nonce-long-enough").replace(SESSION, CONVERSATION);
    assert!(Client::ask(address, &other).unwrap().answer.starts_with("HTTP/1.1 401"), "another session");
    let bare = request("/audiohook", &[&format!("Host: {address}"), &format!("X-API-KEY: {KEY}")]);
    assert!(Client::ask(address, &bare).unwrap().answer.starts_with("HTTP/1.1 401"), "the key alone");
    let elsewhere = signed(address, "/other", "a-third-nonce-long-enough");
    assert!(Client::ask(address, &elsewhere).unwrap().answer.starts_with("HTTP/1.1 404"));
    assert!(server.exchange.names().is_empty());
}

#[test]
fn the_client_pauses_when_nothing_is_wanted_and_resumes_when_it_is() {
    let server = Server::new(|_| {});
    let mut session = server.session();
    session.open(json!({}));
    let call = server.exchange.call(CONVERSATION);
    paced(5, FRAME, |_| session.both(200));
    call.stops(true);
    session.hears("pause");
    session.both(200); // on its way when the pause was asked for
    session.say("paused", json!({}));
    std::thread::sleep(Duration::from_millis(300));
    call.stops(false);
    session.hears("resume");
    session.say("resumed", json!({"start": "PT1.2S", "discarded": "PT0S"}));
    paced(5, FRAME, |_| session.both(200));
    session.say("discarded", json!({"start": "PT2.2S", "discarded": "PT3S"}));
    session.position_ms += 3_000;
    session.say("ping", json!({}));
    session.hears("pong");
    session.close();
    assert_eq!(call.contradicted(), None);
    assert_eq!(call.all(None).samples.len(), 2 * 11 * 1_600);
}

#[test]
fn a_client_that_sends_while_it_says_that_it_is_paused_is_not_believed() {
    let server = Server::new(|_| {});
    let mut session = server.session();
    session.open(json!({}));
    let call = server.exchange.call(CONVERSATION);
    call.stops(true);
    session.hears("pause");
    session.say("paused", json!({}));
    session.both(0);
    assert_eq!(session.hears("disconnect")["reason"], "error");
    assert_eq!(call.contradicted(), Some("layout_mismatch"));
    assert!(call.laid(None).samples.is_empty());
}

/// As the reference client does, asked for the agent alone from a stereo file: 3,200 bytes every 200 ms, counted as 400 ms.
#[test]
fn two_parties_where_one_was_asked_for_are_found_out_within_two_seconds() {
    let server = Server::new(|config| config.drop_before_decode = true);
    let mut session = server.session();
    let opened = session.open(json!({}));
    assert_eq!(opened["media"][0]["channels"], json!(["internal"]));
    let call = server.exchange.call(CONVERSATION);
    assert!(matches!(call.arrival.sound, Arriving::AgentAlone(_)) && call.arrival.drop_before_decode);
    call.stops(true);
    session.hears("pause");
    session.say("paused", json!({}));
    std::thread::sleep(Duration::from_millis(1_000));
    call.stops(false);
    session.hears("resume");
    session.say("resumed", json!({"start": "PT0S", "discarded": "PT0S"}));
    let began = Instant::now();
    paced(10, FRAME, |_| {
        if call.contradicted().is_none() {
            session.both(400);
        }
    });
    assert_eq!(call.contradicted(), Some("too_fast"));
    assert!(session.position_ms < 4_000 && began.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_client_that_counts_otherwise_than_was_agreed_is_found_out_by_its_position() {
    for (agent_alone, counted_ms) in [(true, 100), (false, 400)] {
        let server = Server::new(|config| config.drop_before_decode = agent_alone);
        let mut session = server.session();
        session.open(json!({}));
        let call = server.exchange.call(CONVERSATION);
        paced(8, FRAME, |_| {
            session.client.binary(&[0x10; 1_600][..if agent_alone { 1_600 } else { 3_200 }.min(1_600)]);
            if !agent_alone {
                session.client.binary(&[0x10; 1_600]);
            }
            session.position_ms += counted_ms;
        });
        session.say("ping", json!({}));
        let answered = session.client.next(Duration::from_secs(5));
        let kind = match &answered {
            Some(Sent::Text(text)) => serde_json::from_str::<Value>(text).unwrap()["type"].clone(),
            other => panic!("{other:?}"),
        };
        let found = call.contradicted();
        // 1.6 s came; 0.8 s is within the second that is allowed, 3.2 s is not.
        assert_eq!((kind == "pong", found.is_none()), (agent_alone, agent_alone), "{agent_alone} {answered:?}");
    }
}

#[test]
fn a_probe_is_opened_and_closed_and_is_no_call() {
    let server = Server::new(|_| {});
    let mut session = server.session();
    session.open_of("00000000-0000-0000-0000-000000000000", json!({}));
    session.hears("opened");
    session.say("ping", json!({}));
    session.hears("pong");
    session.close();
    assert!(server.exchange.names().is_empty());
}

#[test]
fn a_call_that_is_not_recorded_is_no_fault_of_the_switch() {
    let full = FakeExchange::refusing("limit");
    let server = Server::with(full, |_| {});
    let mut session = server.session();
    session.open_of(CONVERSATION, json!({}));
    assert_eq!(session.hears("disconnect")["reason"], "completed");
    session.close();
    assert_eq!(server.exchange.first_declined(), "limit");
    // One that offers only the customer.
    let server = Server::new(|_| {});
    let mut session = server.session();
    let media = json!([{"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}]);
    session.open_of(CONVERSATION, json!({"media": media}));
    assert_eq!(session.hears("disconnect")["reason"], "completed");
    assert_eq!(server.exchange.first_declined(), "layout");
}

#[test]
fn what_does_not_keep_to_the_protocol_is_asked_to_go_and_may_have_meant_no() {
    let begin = || {
        let server = Server::new(|_| {});
        let mut session = server.session();
        session.open(json!({}));
        let call = server.exchange.call(CONVERSATION);
        (server, session, call)
    };
    let wrong: [fn(&mut Session); 5] = [
        |session| session.client.text("{"),
        |session| session.seq += 1,
        |session| session.serverseq += 7,
        |session| session.client.text(&"x".repeat(70_000)),
        |session| session.client.raw(&[0x82, 1, 0]),
    ];
    for (n, wrong) in wrong.into_iter().enumerate() {
        let (_server, mut session, call) = begin();
        wrong(&mut session);
        if n == 1 || n == 2 {
            session.say("ping", json!({}));
        }
        if n < 3 {
            session.serverseq = 1;
            assert_eq!(session.hears("disconnect")["reason"], "error", "{n}");
            let held = Said::Event { event: Event::Held, expires: None, place: None };
            assert!(call.said().contains(&held), "{n}: {:?}", call.said());
            session.client.close(1000);
        }
        call.all(None);
    }
    let (_server, mut session, call) = begin();
    session.say("dtmf", json!({"digit": "one"}));
    within("a garbled key holds the customer's side", || (!call.said().is_empty()).then_some(()));
    session.close();
}

#[test]
fn who_does_not_open_or_opens_for_another_organization_is_asked_to_go() {
    let server = Server::new(|_| {});
    let mut session = server.session();
    session.client.binary(&[0; 1_600]);
    assert_eq!(session.hears("disconnect")["reason"], "error");
    let mut session = server.session();
    session.open_of(CONVERSATION, json!({"organizationId": CONVERSATION}));
    assert_eq!(session.hears("disconnect")["reason"], "unauthorized");
    let mut silent = server.session();
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(4_500));
    assert_eq!(silent.hears("disconnect")["reason"], "error");
    assert!(began.elapsed() < Duration::from_secs(7));
    assert!(server.exchange.names().is_empty());
}

#[test]
fn consent_by_an_input_variable_counts_only_if_the_configuration_names_it() {
    let consent = ConsentWord {
        key: "inputVariables.consent".into(),
        yes: "yes".into(),
        purposes: vec!["qa".into()],
        notice: None,
    };
    for (named, value, granted, refused) in
        [(true, "yes", true, false), (true, "no", false, true), (false, "yes", false, false)]
    {
        let server = Server::new(|config| config.heeded.consent = named.then(|| consent.clone()));
        let mut session = server.session();
        session.open(json!({"inputVariables": {"consent": value}}));
        let call = server.exchange.call(CONVERSATION);
        session.close();
        call.all(None);
        let said = |is: fn(&Event) -> bool| {
            call.said().iter().any(|said| matches!(said, Said::Event { event, .. } if is(event)))
        };
        assert_eq!(said(|event| matches!(event, Event::Granted(_))), granted, "{named} {value}");
        assert_eq!(said(|event| matches!(event, Event::Refused { .. })), refused, "{named} {value}");
    }
}

#[test]
fn a_call_that_is_closed_on_our_side_ends_the_session_politely() {
    let server = Server::new(|_| {});
    let mut session = server.session();
    session.open(json!({}));
    let call = server.exchange.call(CONVERSATION);
    call.standing.over.store(true, std::sync::atomic::Ordering::Release);
    assert_eq!(session.hears("disconnect")["reason"], "completed");
    session.close();
    call.all(None);
}

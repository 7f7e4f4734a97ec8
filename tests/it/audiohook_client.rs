//! The AudioHook source alone, and a client that does on the wire what the reference client does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use oneside::source::audiohook::{AudioHookConfig, start};
use oneside::source::listen::{Listen, Stop};
use oneside::source::metadata::Heeded;
use oneside::source::websocket::Started;
use oneside::source::wire::http_signature::Keys;
use oneside::source::wire::sample::Encoding;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::fake_exchange::{FakeExchange, PATIENCE};
use crate::ws_client::{Client, Sent, request};

pub const KEY: &str = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh";
pub const SECRET: &str = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=";
pub const ORGANIZATION: &str = "5fb4713c-e2f7-40c5-91f9-a5fa70408d36";
pub const SESSION: &str = "bc92c8b1-bfcf-407c-af37-6d9b82696dee";
pub const CONVERSATION: &str = "a341c801-2227-4075-b9ed-bb0964fbd636";
pub const FRAME: Duration = Duration::from_millis(200);

pub struct Server {
    pub exchange: Arc<FakeExchange>,
    pub started: Started,
    pub stop: Stop,
    pub _runtime: Runtime,
}

impl Server {
    pub fn new(change: impl FnOnce(&mut AudioHookConfig)) -> Server {
        Server::with(FakeExchange::default(), change)
    }

    pub fn with(exchange: FakeExchange, change: impl FnOnce(&mut AudioHookConfig)) -> Server {
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

    pub fn address(&self) -> SocketAddr {
        self.started.addresses[0]
    }

    pub fn ask(&self, nonce: &str) -> String {
        Client::ask(self.address(), &signed(self.address(), "/audiohook", nonce)).unwrap().answer
    }

    pub fn session(&self) -> Session {
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
pub fn signed(address: SocketAddr, target: &str, nonce: &str) -> String {
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
pub struct Session {
    pub client: Client,
    pub seq: u64,
    pub serverseq: u64,
    pub position_ms: u64,
}

impl Session {
    pub fn say(&mut self, kind: &str, parameters: Value) {
        self.seq += 1;
        let position = format!("PT{}S", self.position_ms as f64 / 1_000.0);
        let message = json!({
            "version": "2", "type": kind, "id": SESSION, "seq": self.seq, "serverseq": self.serverseq,
            "position": position, "parameters": parameters
        });
        self.client.text(&message.to_string());
    }

    /// The next message of the server's, which must be of this kind.
    pub fn hears(&mut self, kind: &str) -> Value {
        let sent = self.client.next(PATIENCE);
        let Some(Sent::Text(text)) = sent else { panic!("{kind} was expected, not {sent:?}") };
        let message: Value = serde_json::from_str(&text).unwrap();
        self.serverseq += 1;
        assert_eq!((message["type"].as_str(), message["seq"].as_u64()), (Some(kind), Some(self.serverseq)), "{text}");
        assert_eq!((message["version"].as_str(), message["id"].as_str()), (Some("2"), Some(SESSION)));
        message["parameters"].clone()
    }

    pub fn open(&mut self, more: Value) -> Value {
        self.open_of(CONVERSATION, more);
        self.hears("opened")
    }

    pub fn open_of(&mut self, conversation: &str, more: Value) {
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
    pub fn both(&mut self, counted_ms: u64) {
        let stereo: Vec<u8> = (0..1_600).flat_map(|_| [0x10, 0x90]).collect();
        self.client.binary(&stereo);
        self.position_ms += counted_ms;
    }

    pub fn close(mut self) {
        self.say("close", json!({"reason": "end"}));
        self.hears("closed");
        self.client.close(1005);
    }
}

pub fn mulaw(byte: u8) -> i16 {
    let mut sample = [0];
    Encoding::Mulaw.decode(&[byte], &mut sample);
    sample[0]
}

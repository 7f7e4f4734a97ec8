//! An exchange that keeps what it is told, and a session recording client as it looks on the wire.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::*;
use crate::consent::Event;
use crate::ring::{Drain, ring};
use crate::source::exchange::{Arrival, Arriving, Begun, CallLine, Declined, Leg, Legs, Said, Standing};
use crate::source::rtp::Settings;
use crate::source::wire::pace::Pace;
use crate::source::wire::sip::{Message, Start, param};

/// A call that was begun.
pub struct FakeCall {
    pub arrival: Arrival,
    pub said: Arc<Mutex<Vec<Said>>>,
    pub standing: Arc<Standing>,
    pub drains: Vec<Drain>,
}

impl FakeCall {
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap().clone()
    }

    pub fn events(&self) -> Vec<Event> {
        self.said()
            .into_iter()
            .filter_map(|said| if let Said::Event { event, .. } = said { Some(event) } else { None })
            .collect()
    }

    pub fn contradictions(&self) -> usize {
        self.said().iter().filter(|said| matches!(said, Said::Contradicted(_))).count()
    }
}

/// How long a test waits for anything: many times what a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Begins calls of which nothing is kept.
#[derive(Default)]
pub struct FakeExchange {
    pub calls: Mutex<Vec<FakeCall>>,
    pub declined: Mutex<Vec<&'static str>>,
    /// What every call is declined with.
    pub declines: Mutex<Option<&'static str>>,
    /// Beginning a call takes until this is taken back.
    pub busy: AtomicBool,
}

impl Exchange for FakeExchange {
    fn admits(&self, _: &Arrival) -> Result<(), Declined> {
        Ok(())
    }

    fn begin(&self, arrival: Arrival) -> Result<Begun, Declined> {
        let began = std::time::Instant::now();
        while self.busy.load(Ordering::Acquire) && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some(reason) = *self.declines.lock().unwrap() {
            // As the real one: it counts itself what it declines.
            self.declined(arrival.source, reason, Some(&arrival.call));
            return Err(Declined::new(reason, "as the test says"));
        }
        let (said, standing) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Standing::default()));
        let told = Arc::clone(&said);
        let tell = Box::new(move |what| told.lock().unwrap().push(what));
        let line = CallLine::new(arrival.call.clone(), tell, Arc::clone(&standing));
        let mut drains = Vec::new();
        let mut leg = || {
            let (inlet, drain) = ring(arrival.rate_hz as usize * 5, 1);
            drains.push(drain);
            Leg::new(inlet, 1, Pace::packets(arrival.rate_hz), line.clone()).0
        };
        let legs = match arrival.sound {
            Arriving::Apart(_) => Legs::Apart { agent: leg(), customer: leg() },
            _ => Legs::AgentAlone(leg()),
        };
        self.calls.lock().unwrap().push(FakeCall { arrival, said, standing, drains });
        Ok(Begun { line, legs })
    }

    fn declined(&self, _source: &'static str, reason: &'static str, _call: Option<&str>) {
        self.declined.lock().unwrap().push(reason);
    }
}

/// A server on free ports of the loopback.
pub struct Served {
    pub exchange: Arc<FakeExchange>,
    pub at: Started,
    pub stop: Stop,
}

pub fn listen() -> Option<Listen> {
    let address = ([127, 0, 0, 1], 0).into();
    Some(Listen { address, tls: None, allow: Vec::new(), connections_max: 10, plain_allowed: false })
}

pub fn config() -> SiprecConfig {
    let patterns = |text: &str| Pattern::new(text).into_iter().collect();
    SiprecConfig {
        udp: listen(),
        tcp: listen(),
        tls: None,
        advertised: None,
        agent: AgentRules { aor: patterns("sip:agent@*"), label: Vec::new() },
        drop_before_decode: false,
        call_name: CallName::Session,
        agent_id_is_user: true,
        sessions_max: 3,
        retry_after_s: 7,
        silent_max: Duration::from_secs(3_600),
    }
}

pub fn serve(config: SiprecConfig) -> Served {
    let (exchange, stop) = (Arc::new(FakeExchange::default()), Stop::new());
    let address = [127, 0, 0, 1].into();
    let settings = Settings { address, advertise: None, ports: [0, 0], allow: Vec::new(), delay_ms: 250, sweepers: 1 };
    let receiver = Arc::new(Receiver::start(settings).unwrap());
    let at = start(config, receiver, exchange.clone(), &Handle::current(), stop.clone()).unwrap();
    Served { exchange, at, stop }
}

const BODY: &str = include_str!("../../../tests/fuzz/seeds/siprec_body/opensips");

/// A client as OpenSIPS is one: no `rport`, a Call-ID of its own, ACK and BYE in new transactions.
pub struct Client {
    pub socket: UdpSocket,
    pub to: SocketAddr,
    pub call_id: String,
    pub cseq: u32,
    pub remote_tag: String,
    branch: u32,
}

impl Client {
    pub async fn new(to: SocketAddr, call_id: &str) -> Client {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Client { socket, to, call_id: call_id.into(), cseq: 1, remote_tag: String::new(), branch: 0 }
    }

    /// A request as text; every one of them in a new transaction.
    pub fn text(&mut self, method: &str, headers: &str, body: &str) -> String {
        self.branch += 1;
        let us = self.socket.local_addr().unwrap();
        let tag = if self.remote_tag.is_empty() { String::new() } else { format!(";tag={}", self.remote_tag) };
        let Client { to, call_id, cseq, branch, .. } = self;
        format!(
            "{method} sip:srs@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bK{call_id}.{branch}\r\nTo: <sip:{to}>{tag}\r\n\
             From: <sip:{to}>;tag=src-{call_id}\r\nCSeq: {cseq} {method}\r\nCall-ID: {call_id}\r\nMax-Forwards: 70\r\n\
             Content-Length: {}\r\nUser-Agent: OpenSIPS (4.1.0-dev (x86_64/linux))\r\n{headers}\r\n{body}",
            body.len()
        )
    }

    /// The number of the last transaction.
    pub fn last_branch(&self) -> u32 {
        self.branch
    }

    pub fn invite(&mut self, change: impl Fn(&str) -> String) -> String {
        let us = self.socket.local_addr().unwrap();
        self.cseq += 1;
        let headers =
            format!("Require: siprec\r\nContent-Type: multipart/mixed;boundary=x\r\nContact: <sip:{us}>;+sip.src\r\n");
        self.text("INVITE", &headers, &change(BODY))
    }

    pub async fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.to).await.unwrap();
    }

    /// The next message that is no 100.
    pub async fn next(&self) -> Message {
        loop {
            let mut bytes = vec![0; 65_535];
            let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut bytes)).await;
            let message = Message::parse(&bytes[..received.expect("an answer").unwrap()]).unwrap();
            if message.start != (Start::Response { code: 100 }) {
                return message;
            }
        }
    }

    /// The final answer to this request. Answers to others are passed over: the server repeats what is not acknowledged
    /// within half a second, which an ACK on a loaded machine may miss.
    pub async fn answer(&self, request: &str) -> Message {
        let request = Message::parse(request.as_bytes()).unwrap();
        let transaction = |message: &Message| {
            let branch = message.header("Via").and_then(|via| param(via, "branch"));
            (branch, message.header("CSeq").map(str::to_owned))
        };
        loop {
            let message = self.next().await;
            if matches!(message.start, Start::Response { .. }) && transaction(&message) == transaction(&request) {
                return message;
            }
        }
    }

    /// The code of the final answer to this request.
    pub async fn code(&self, request: &str) -> u16 {
        match self.answer(request).await.start {
            Start::Response { code } => code,
            Start::Request { .. } => unreachable!("it is an answer"),
        }
    }

    /// The next request of the server.
    pub async fn asked(&self) -> Message {
        loop {
            let message = self.next().await;
            if matches!(message.start, Start::Request { .. }) {
                return message;
            }
        }
    }

    /// Sends an INVITE, takes the 200 and acknowledges it. The answer.
    pub async fn call(&mut self, change: impl Fn(&str) -> String) -> Message {
        let invite = self.invite(change);
        self.send(&invite).await;
        let answer = self.answer(&invite).await;
        assert_eq!(answer.start, Start::Response { code: 200 }, "{}", String::from_utf8_lossy(&answer.body));
        self.remote_tag = param(answer.header("To").unwrap(), "tag").unwrap();
        let ack = self.text("ACK", "", "");
        self.send(&ack).await;
        answer
    }

    /// A request within the dialog; the code of its answer.
    pub async fn within(&mut self, method: &str, headers: &str, body: &str) -> u16 {
        self.cseq += 1;
        let text = self.text(method, headers, body);
        self.send(&text).await;
        self.code(&text).await
    }
}

/// Waits until something is so.
pub async fn until(what: &str, so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while began.elapsed() < PATIENCE {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}");
}

//! A session recording client as OpenSIPS 4.1 with rtpengine is one on the wire: labels 1 and 0, metadata with every
//! INVITE, the re-INVITEs of a hold, and sound of both legs from ports of its own.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::encode;
use super::tls_client::Tls;
use super::ws_client::Wire as Stream;

const BODY: &str = include_str!("../fuzz/seeds/siprec_body/opensips");
const PACKET: usize = 160;
/// How long a message is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

enum Wire {
    Udp(UdpSocket, SocketAddr),
    /// What it goes over, its name in a Via, and what was read of it and not taken yet.
    Stream(Box<dyn Stream>, &'static str, Vec<u8>),
}

impl Wire {
    fn send(&mut self, text: &str) {
        match self {
            Wire::Udp(socket, to) => drop(socket.send_to(text.as_bytes(), *to).unwrap()),
            Wire::Stream(stream, ..) => stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).unwrap(),
        }
    }

    /// The next message.
    fn next(&mut self) -> String {
        let mut some = [0; 65_535];
        match self {
            Wire::Udp(socket, _) => {
                let length = socket.recv(&mut some).expect("a message in time");
                String::from_utf8_lossy(&some[..length]).into_owned()
            }
            Wire::Stream(stream, _, read) => loop {
                let text = String::from_utf8_lossy(read).into_owned();
                if let Some(head) = text.find("\r\n\r\n") {
                    let length = text.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap();
                    let whole = head + 4 + length.parse::<usize>().unwrap();
                    if read.len() >= whole {
                        read.drain(..whole);
                        return text[..whole].to_owned();
                    }
                }
                let length = stream.read(&mut some).expect("a message in time");
                assert!(length > 0, "the connection was closed");
                read.extend(&some[..length]);
            },
        }
    }
}

/// A client with one recording session.
pub struct Client {
    wire: Wire,
    us: SocketAddr,
    to: SocketAddr,
    session: String,
    tag: Option<String>,
    cseq: u32,
    branch: u32,
    /// The ports that it was told, in the order of the streams.
    pub ports: Vec<u16>,
}

impl Client {
    /// One that will call. `session`: the id of the communication session, which the call is named by.
    pub fn new(to: SocketAddr, tcp: bool, session: &str) -> Client {
        if tcp {
            let stream = TcpStream::connect(to).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let us = stream.local_addr().unwrap();
            return Client::with(Wire::Stream(Box::new(stream), "TCP", Vec::new()), us, to, session);
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let us = socket.local_addr().unwrap();
        Client::with(Wire::Udp(socket, to), us, to, session)
    }

    /// The same over TLS.
    pub fn over_tls(tls: Tls, session: &str) -> Client {
        let (us, to) = (tls.sock.local_addr().unwrap(), tls.sock.peer_addr().unwrap());
        Client::with(Wire::Stream(Box::new(tls), "TLS", Vec::new()), us, to, session)
    }

    fn with(wire: Wire, us: SocketAddr, to: SocketAddr, session: &str) -> Client {
        Client { wire, us, to, session: session.into(), tag: None, cseq: 1, branch: 0, ports: Vec::new() }
    }

    fn request(&mut self, method: &str, headers: &str, body: &str) -> String {
        self.branch += 1;
        let Client { us, to, session, cseq, branch, .. } = self;
        let transport = if let Wire::Stream(_, name, _) = &self.wire { name } else { "UDP" };
        let tag = self.tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        format!(
            "{method} sip:srs@{to} SIP/2.0\r\nVia: SIP/2.0/{transport} {us};branch=z9hG4bK{session}.{branch}.0\r\n\
             To: <sip:{to}>{tag}\r\nFrom: <sip:{to}>;tag={session}-ce21\r\nCSeq: {cseq} {method}\r\n\
             Call-ID: B2B.263.{session}\r\nMax-Forwards: 70\r\nContent-Length: {}\r\n\
             User-Agent: OpenSIPS (4.1.0-dev (x86_64/linux))\r\n{headers}\r\n{body}",
            body.len()
        )
    }

    /// Sends an INVITE and acknowledges the 200. `change`: what is other about its body.
    pub fn invite(&mut self, change: impl Fn(&str) -> String) -> String {
        self.cseq += 1;
        let body = change(BODY).replace("rB4Aj9bQSOu8/0YulyicxA==", &self.session);
        let headers = format!(
            "Require: siprec\r\nContent-Type: multipart/mixed;boundary=x\r\nContact: <sip:{}>;+sip.src\r\n",
            self.us
        );
        let invite = self.request("INVITE", &headers, &body);
        self.wire.send(&invite);
        let answer = self.answered(200);
        let to = answer.lines().find(|line| line.starts_with("To: ")).unwrap();
        self.tag = Some(to.split(";tag=").nth(1).unwrap().to_owned());
        let ports = answer.lines().filter_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
        self.ports = ports.collect();
        assert_eq!(self.ports.len(), 2, "{answer}");
        let ack = self.request("ACK", "", "");
        self.wire.send(&ack);
        answer
    }

    /// Hangs up.
    pub fn bye(&mut self) {
        self.cseq += 1;
        let bye = self.request("BYE", "", "");
        self.wire.send(&bye);
        self.answered(200);
    }

    /// The final answer to the last request but an ACK, which must have this code. Answers to others are repetitions: a server
    /// on a loaded machine may send a 200 again before it sees the ACK.
    fn answered(&mut self, code: u16) -> String {
        let ours = format!("CSeq: {} ", self.cseq);
        loop {
            let answer = self.wire.next();
            if !answer.starts_with("SIP/2.0 100 ") && answer.lines().any(|line| line.starts_with(&ours)) {
                assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{answer}");
                return answer;
            }
        }
    }

    /// Waits for a BYE of the server's and answers it.
    pub fn is_hung_up(&mut self) {
        let bye = loop {
            let message = self.wire.next();
            if !message.starts_with("SIP/2.0 ") {
                break message;
            }
        };
        assert!(bye.starts_with("BYE "), "{bye}");
        let echoed = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "];
        let headers: Vec<&str> = bye.lines().filter(|line| echoed.iter().any(|name| line.starts_with(name))).collect();
        self.wire.send(&format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", headers.join("\r\n")));
    }
}

/// Sound of two legs, sent as it is spoken.
pub struct Talk {
    over: Arc<AtomicBool>,
    quiet: Arc<AtomicBool>,
    key: Arc<AtomicU32>,
    spoken: Arc<Mutex<usize>>,
    sender: Option<JoinHandle<()>>,
}

impl Talk {
    /// Begins. PCMU, 20 ms a packet.
    pub fn begin(ports: &[u16], legs: [Vec<i16>; 2]) -> Talk {
        let (over, quiet) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (key, spoken) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(0)));
        let talk =
            Talk { over: over.clone(), quiet: quiet.clone(), key: key.clone(), spoken: spoken.clone(), sender: None };
        let ports: Vec<SocketAddr> = ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect();
        let sender = std::thread::spawn(move || {
            let sockets = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
            let began = Instant::now();
            let mut sequence = [9_001u16, 13_015];
            for number in 0.. {
                let at = number * PACKET;
                std::thread::sleep(
                    (began + Duration::from_millis(20 * number as u64)).saturating_duration_since(Instant::now()),
                );
                if over.load(Ordering::Relaxed) || at + PACKET > legs[0].len().min(legs[1].len()) {
                    return;
                }
                *spoken.lock().unwrap() = at;
                if quiet.load(Ordering::Relaxed) {
                    continue;
                }
                // A key press lasts seven packets; its end is sent three times (RFC 4733 §2.5.1.4).
                let pressed = key.load(Ordering::Relaxed) as usize;
                for leg in 0..2 {
                    let since = number.wrapping_sub(pressed);
                    let keyed = leg == 1 && pressed > 0 && since < 10;
                    let (kind, stamp) = if keyed { (101, pressed * PACKET) } else { (0, at) };
                    let mut packet = vec![0x80, kind];
                    packet.extend(sequence[leg].to_be_bytes());
                    packet.extend((39_024 + stamp as u32).to_be_bytes());
                    packet.extend((0x49a1_1029 + leg as u32).to_be_bytes());
                    if keyed {
                        let (end, lasted) = (if since >= 7 { 0x8A } else { 0x0A }, since.min(7) * PACKET);
                        packet.extend([1, end, (lasted >> 8) as u8, lasted as u8]);
                    } else {
                        packet.extend(legs[leg][at..at + PACKET].iter().map(|sample| encode::mulaw(*sample)));
                    }
                    sequence[leg] = sequence[leg].wrapping_add(1);
                    let _ = sockets[leg].send_to(&packet, ports[leg]);
                }
            }
        });
        Talk { sender: Some(sender), ..talk }
    }

    /// Waits until so many seconds were spoken.
    pub fn wait(&self, seconds: f64) {
        while *self.spoken.lock().unwrap() < (seconds * 8_000.0) as usize {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Seconds spoken so far.
    pub fn spoken(&self) -> f64 {
        *self.spoken.lock().unwrap() as f64 / 8_000.0
    }

    /// A hold: neither leg is sent.
    pub fn quiet(&self, quiet: bool) {
        self.quiet.store(quiet, Ordering::Relaxed);
    }

    /// The customer presses 1, for 0.14 s. The second in which she lets go.
    pub fn press(&self) -> f64 {
        let packet = *self.spoken.lock().unwrap() / PACKET + 1;
        self.key.store(packet as u32, Ordering::Relaxed);
        (packet + 7) as f64 * PACKET as f64 / 8_000.0
    }

    /// Ends: the samples of each leg that were sent.
    pub fn end(mut self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.sender.take().unwrap().join().unwrap();
        *self.spoken.lock().unwrap() + PACKET
    }
}

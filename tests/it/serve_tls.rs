//! `oneside serve` behind TLS: a call over wss, who is not let in, and connections that take their time (SEC-03, ROB-06).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use super::audiosocket_client::{is_exact, speech};
use super::common::Scratch;
use super::serve_common::Server;
use super::serve_siprec::behind_tls;
use super::tls_client::{Certified, Tls, connect};
use super::ws_client::{Client, paced, request};

const TOP: &str = "purposes = [\"training\"]\n";

/// A route for the agent alone, behind TLS.
fn websocket(certified: &Certified) -> String {
    format!(
        "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n{}[[serve.websocket.route]]\npath = \"/agent\"\n\
         dialect = \"audio_stream\"\nside = \"agent-alone\"\nrate = 8000\ncall = \"key:call\"\n",
        certified.keys()
    )
}

fn open(address: SocketAddr, certified: &Certified) -> Client {
    let tls = connect(address, &certified.authority).expect("the authority that is trusted has certified it");
    Client::over(tls, &request("/agent", &["Host: 127.0.0.1"])).unwrap()
}

/// A call of the agent alone, of `seconds`.
fn call(client: &mut Client, name: &str, sent: &[i16]) {
    assert!(client.answer.starts_with("HTTP/1.1 101"), "{}", client.answer);
    client.text(&json!({ "call": name }).to_string());
    let bytes: Vec<u8> = sent.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    paced(sent.len() / 160, Duration::from_millis(20), |n| client.binary(&bytes[n * 320..][..320]));
    client.close(1000);
}

#[test]
fn a_call_over_wss_is_recorded_and_who_does_not_trust_the_authority_or_speaks_in_the_clear_has_no_part() {
    let scratch = Scratch::new("wss-authority");
    let (ours, other) = (Certified::new(&scratch, "ours"), Certified::new(&scratch, "other"));
    let mut server = Server::start_with("wss", TOP, &websocket(&ours));
    let address = server.address_of("websocket");
    let sent = speech(3, 1);
    call(&mut open(address, &ours), "first", &sent);
    assert_eq!(server.wait_ended("first")["result"], "recorded");
    is_exact(&server.out, "first", &sent);

    assert!(connect(address, &other.authority).is_err(), "another authority's word counts for nothing");
    let clear = Client::ask(address, &request("/agent", &["Host: 127.0.0.1"]));
    assert!(!clear.is_ok_and(|clear| clear.answer.starts_with("HTTP")), "nobody is answered in the clear");
    server.wait_counted("oneside_connections_total{source=\"websocket\",outcome=\"no_handshake\"}", 2);
    server.wait_counted("oneside_websocket_requests_total{source=\"websocket\",outcome=\"opened\"}", 1);

    // Listeners keep their certificate when the configuration is read again: that needs a restart.
    std::fs::copy(&other.cert, &ours.cert).unwrap();
    std::fs::copy(&other.key, &ours.key).unwrap();
    server.signal("HUP");
    server.wait_for("the configuration was read again");
    assert!(connect(address, &other.authority).is_err());
    call(&mut open(address, &ours), "second", &sent);
    assert_eq!(server.wait_ended("second")["result"], "recorded");
    let (code, said, _scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
}

/// Somebody who takes a second for each byte.
struct Slow {
    what: &'static str,
    wire: Wire,
    rest: Vec<u8>,
}

enum Wire {
    /// Not even the handshake comes to an end.
    Plain(TcpStream),
    /// What is said behind it.
    Tls(Box<Tls>),
}

impl Slow {
    /// Says the next byte. Whether the other end has closed the connection.
    fn is_thrown_out(&mut self) -> bool {
        let next = if self.rest.len() > 1 { self.rest.remove(0) } else { self.rest[0] };
        let mut some = [0; 512];
        let (written, read) = match &mut self.wire {
            Wire::Plain(stream) => (stream.write(&[next]).map(drop), stream.read(&mut some)),
            Wire::Tls(tls) => (tls.write(&[next]).and_then(|_| tls.flush()), tls.read(&mut some)),
        };
        let waits = |error: &std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        written.is_err_and(|error| !waits(&error)) || read.map_or_else(|error| !waits(&error), |length| length == 0)
    }
}

#[test]
fn who_takes_a_second_for_each_byte_is_thrown_out_before_and_behind_the_handshake_and_disturbs_nobody() {
    let scratch = Scratch::new("tls-slow-authority");
    let ours = Certified::new(&scratch, "ours");
    let mut server = Server::start_with("tls-slow", TOP, &format!("{}{}", websocket(&ours), behind_tls(&ours)));
    let (web, sip) = (server.address_of("websocket"), server.address_of("siprec/tls"));
    let plain = |address| {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        Wire::Plain(stream)
    };
    let tls = |address| {
        let tls = connect(address, &ours.authority).unwrap();
        tls.sock.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        Wire::Tls(Box::new(tls))
    };
    // The head of a ClientHello that promises 512 bytes.
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3][..], &[7; 500]].concat();
    let asked = request("/agent", &["Host: 127.0.0.1"]).into_bytes();
    let options = b"OPTIONS sip:recorder@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1\r\nX: ".repeat(3);
    let mut slow = vec![
        Slow { what: "a handshake of WebSocket", wire: plain(web), rest: hello.clone() },
        Slow { what: "a handshake of SIP", wire: plain(sip), rest: hello },
        Slow { what: "a request to open a WebSocket", wire: tls(web), rest: asked },
        Slow { what: "a SIP message", wire: tls(sip), rest: options },
    ];
    let talking = {
        let mut client = open(web, &ours);
        std::thread::spawn(move || call(&mut client, "real", &speech(4, 2)))
    };
    let until = Instant::now() + Duration::from_secs(60);
    while !slow.is_empty() {
        let left: Vec<&str> = slow.iter().map(|slow| slow.what).collect();
        assert!(Instant::now() < until, "{left:?} are still there");
        slow.retain_mut(|slow| !slow.is_thrown_out());
        std::thread::sleep(Duration::from_secs(1));
    }
    talking.join().unwrap();
    assert_eq!(server.wait_ended("real")["result"], "recorded");
    is_exact(&server.out, "real", &speech(4, 2));
    for line in [
        "oneside_connections_total{source=\"websocket\",outcome=\"no_handshake\"}",
        "oneside_connections_total{source=\"siprec\",outcome=\"no_handshake\"}",
        "oneside_websocket_requests_total{source=\"websocket\",outcome=\"unfinished\"}",
    ] {
        server.wait_counted(line, 1);
    }
    let (code, said, _scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
}

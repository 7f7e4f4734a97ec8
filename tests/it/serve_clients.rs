//! Clients of `oneside serve` that are not let in, that fall silent, and that stay.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::audiosocket_client::{id, is_exact, message, sound, speech, talk, uuid};
use super::serve_common::Server;
use super::ws_client::{Client, Sent, frame, paced};

const TOP: &str = "purposes = [\"training\"]\n";
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection from this address of the loopback.
fn from(address: &str, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(address.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
#[cfg(target_os = "linux")]
fn who_is_not_on_the_list_of_audiosocket_is_not_listened_to_though_it_knows_the_uuid() {
    let source = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\nallow = [\"10.0.0.0/8\", \"127.0.0.2\"]\n";
    let mut server = Server::start_with("clients-allowed", TOP, source);
    let address = server.address_of("audiosocket");
    server.expect(json!({ "source": "audiosocket", "call": "c1", "agent": id(1) }));
    let mut stranger = from("127.0.0.1", address);
    // The connection may be gone before all of it is written.
    let _ = stranger.write_all(&[message(0x01, &uuid(&id(1))), sound(&[1_000; 160])].concat());
    let mut said = Vec::new();
    let _ = stranger.read_to_end(&mut said);
    assert!(said.is_empty(), "not even a hang-up: {said:?}");
    let refused = "oneside_connections_total{source=\"audiosocket\",outcome=\"not_allowed\"}";
    server.wait_counted(refused, 1);
    assert!(server.state("c1").is_none());
    // The UUID is not used up: the switch comes with it.
    let mut switch = from("127.0.0.2", address);
    switch.write_all(&message(0x01, &uuid(&id(1)))).unwrap();
    let sent = speech(3, 1);
    talk(&mut switch, &sent, &Default::default());
    drop(switch);
    assert_eq!(server.wait_ended("c1")["result"], "recorded");
    is_exact(&server.out, "c1", &sent);
    server.wait_counted("oneside_connections_total{source=\"audiosocket\",outcome=\"accepted\"}", 1);
    server.wait_counted(refused, 1);
}

#[test]
fn a_websocket_that_says_nothing_for_too_long_has_ended_and_one_that_pings_has_not() {
    let source = "[serve.websocket]\nlisten = \"127.0.0.1:0\"\nidle_s = 3\n[[serve.websocket.route]]\npath = \"/agent\"\n\
                  dialect = \"audio_stream\"\nside = \"agent-alone\"\nrate = 8000\ncall = \"key:call\"\n";
    let mut server = Server::start_with("clients-idle", TOP, source);
    let address = server.address_of("websocket");
    let begin = |call: &str| {
        let mut client = Client::open(address, "/agent", &[]);
        client.text(&json!({ "call": call }).to_string());
        client
    };
    let (mut silent, mut pings) = (begin("silent"), begin("pings"));
    let sent = speech(2, 1);
    let bytes: Vec<u8> = sent.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    paced(100, Duration::from_millis(20), |n| {
        [&mut silent, &mut pings].into_iter().for_each(|client| client.binary(&bytes[n * 320..][..320]));
    });
    // As in a hold: nothing but signs of life, for longer than another may be silent.
    paced(40, Duration::from_millis(200), |_| pings.raw(&frame(9, b"")));
    assert_eq!(silent.next(PATIENCE), Some(Sent::Close(1000)), "it is told politely");
    assert_eq!(server.wait_ended("silent")["result"], "recorded");
    assert!(server.state("pings").is_some(), "it is still there");
    assert_eq!(pings.next(PATIENCE), Some(Sent::Other(10)), "a pong");
    assert_eq!(server.wait_ended("pings")["result"], "recorded");
    for call in ["silent", "pings"] {
        is_exact(&server.out, call, &sent);
    }
}

#[test]
fn a_connection_to_the_api_carries_many_requests_and_is_closed_when_nothing_comes() {
    let server = Server::start_with("clients-api", TOP, "");
    let mut stream = TcpStream::connect(server.api).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..3 {
        write!(stream, "GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", server.api).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"{\"status\":\"ok\"}") {
            let mut some = [0; 512];
            let length = stream.read(&mut some).unwrap();
            assert!(length > 0, "it was closed behind {:?}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&some[..length]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("it is closed within half a minute");
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
}

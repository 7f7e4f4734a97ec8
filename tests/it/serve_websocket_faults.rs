//! Clients of the WebSocket sources that do what none of them should, and the end of a call on our side.

use std::sync::atomic::Ordering;

use oneside::source::exchange::Party;
use oneside::source::websocket::route::Side;

use crate::fake_exchange::{PATIENCE, within};
use crate::ws_client::{Client, Sent, head, paced};
use crate::ws_source::{AGENT, Server, TICK, asterisk, media_start};

#[test]
fn whoever_floods_is_found_out_and_read_to_the_end() {
    let server = Server::new(vec![asterisk("/agent", Side::AgentAlone, "id")]);
    let mut client = server.open("/agent", &[]);
    client.text(&media_start("1.1", "slin16", ""));
    let call = server.exchange.call("1.1");
    paced(200, TICK / 2, |_| client.binary(&[1; 640]));
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
    assert_eq!(first.next(PATIENCE), Some(Sent::Close(1000)));
    let (mut second, call) = begin("1.2");
    server.stop.cancel();
    assert_eq!(second.next(PATIENCE), Some(Sent::Close(1000)));
    call.all(Some(Party::Agent));
}

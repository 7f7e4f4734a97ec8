//! The session recording server against clients on real sockets, with an exchange that keeps what it is told.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::testing::*;
use super::*;
use crate::consent::{Event, PartyId};
use crate::ring::{Drain, Piece};
use crate::source::exchange::{Arriving, Party, Placing, Said};
use crate::source::wire::sip::{Message, Start};
use crate::source::wire::siprec::Offer;

fn as_it_is(body: &str) -> String {
    body.to_owned()
}

fn held(body: &str) -> String {
    let at = body.rfind("a=sendonly").unwrap();
    format!("{}a=inactive{}", &body[..at], &body[at + "a=sendonly".len()..])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_opensips_with_a_hold_is_carried() {
    let served = serve(config());
    let mut client = Client::new(served.at.udp.unwrap(), "B2B.263.24056").await;
    let answer = client.call(as_it_is).await;
    assert!(answer.header("Contact").unwrap().ends_with(";+sip.srs"));
    let said = Offer::parse(&answer.body).unwrap();
    let labels: Vec<_> = said.media.iter().map(|media| media.label.clone().unwrap()).collect();
    assert_eq!(labels, ["1", "0"]);
    assert!(said.media.iter().all(|media| media.port > 0) && said.media[0].port != said.media[1].port);
    {
        let calls = served.exchange.calls.lock().unwrap();
        let arrival = &calls[0].arrival;
        assert_eq!(arrival.call, "ac1e008fd6d048ebbcff462e97289cc4", "the session's id, hexadecimal");
        assert_eq!((arrival.agent.as_deref(), arrival.number.as_deref()), (Some("agent"), Some("cust")));
        assert_eq!(arrival.sound, Arriving::Apart(Placing::Stamped));
        assert_eq!((arrival.rate_hz, arrival.encoding.as_str()), (8_000, "siprec: PCMU 8000 Hz / PCMU 8000 Hz"));
    }
    // As it was seen on the wire: the same offer, one leg inactive, that again, both back.
    for change in [as_it_is, held, held, as_it_is] {
        let again = Offer::parse(&client.call(change).await.body).unwrap();
        assert_eq!(again.media[0].port, said.media[0].port, "ports stay");
    }
    assert_eq!(client.within("BYE", "", "").await, 200);
    until("the call is over", || served.exchange.calls.lock().unwrap()[0].events().len() == 3).await;
    assert_eq!(served.exchange.calls.lock().unwrap()[0].events(), [Event::Held, Event::Retrieved, Event::HungUp]);
    assert_eq!(client.within("BYE", "", "").await, 481, "nothing is left of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_that_comes_again_begins_nothing_and_its_200_is_repeated_until_it_is_acknowledged() {
    let served = serve(config());
    let mut client = Client::new(served.at.udp.unwrap(), "again").await;
    let invite = client.invite(as_it_is);
    client.send(&invite).await;
    client.send(&invite).await;
    let first = client.next().await;
    client.send(&invite).await;
    for _ in 0..2 {
        let repeated = client.next().await;
        assert_eq!(repeated.start, Start::Response { code: 200 });
        assert_eq!((repeated.header("To"), &repeated.body), (first.header("To"), &first.body), "the very same answer");
    }
    assert_eq!(served.exchange.calls.lock().unwrap().len(), 1);
    // The same call by another way (a forking proxy) is not recorded twice.
    let other_way = invite.replace("branch=z9hG4bK", "branch=z9hG4bKother");
    client.send(&other_way).await;
    assert_eq!(client.code(&other_way).await, 482);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_doubt_is_answered_and_nothing_of_it_is_kept() {
    let contradicted = |body: &str| body.replace("<label>0<", "<label>1<");
    let unknown = |body: &str| body.replace("sip:agent@", "sip:nobody@");
    let bare = |body: &str| body.split("--x\r\nContent-Type: application/rs").next().unwrap().to_owned() + "--x--\r\n";
    let broken = |body: &str| body.replace("</recording>", "");
    let served = serve(SiprecConfig { sessions_max: 10, ..config() });
    let changes: [&dyn Fn(&str) -> String; 4] = [&contradicted, &unknown, &bare, &broken];
    for (number, change) in changes.into_iter().enumerate() {
        let mut client = Client::new(served.at.udp.unwrap(), &format!("doubt{number}")).await;
        let answer = Offer::parse(&client.call(change).await.body).unwrap();
        assert!(answer.media.iter().all(|media| media.port > 0), "every stream is accepted");
        client.call(as_it_is).await;
        assert_eq!(client.within("BYE", "", "").await, 200);
        let calls = served.exchange.calls.lock().unwrap();
        assert_eq!(calls.len(), number + 1);
        assert_eq!(calls[number].contradictions(), 1, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sides_that_change_in_mid_call_are_a_contradiction_and_a_silence_about_them_is_a_hold() {
    let served = serve(config());
    let mut client = Client::new(served.at.udp.unwrap(), "changing").await;
    client.call(as_it_is).await;
    client.call(|body| body.replace("<send>8usqu7yZRPSVD+cHN+TKqQ==</send>", "")).await;
    client.call(as_it_is).await;
    let events = || served.exchange.calls.lock().unwrap()[0].events();
    assert_eq!(events(), [Event::Held, Event::Retrieved]);
    assert_eq!(client.within("UPDATE", "Content-Type: application/sdp\r\n", "nonsense").await, 400);
    assert_eq!(events().last(), Some(&Event::Held), "it might have been a no");
    client.call(|body| body.replace("sip:agent@", "sip:x@").replace("sip:cust@", "sip:agent@")).await;
    assert_eq!(served.exchange.calls.lock().unwrap()[0].contradictions(), 1);
}

/// The body with a stream taken away as SIP does it: port 0, and nothing more about it.
fn without(port: u16, label: u8) -> impl Fn(&str) -> String {
    move |body| body.replace(&format!("m=audio {port}"), "m=audio 0").replace(&format!("a=label:{label}\r\n"), "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_gone_for_a_while_is_a_hold() {
    let served = serve(config());
    let mut client = Client::new(served.at.udp.unwrap(), "gone").await;
    for (port, label) in [(31_048, 0), (31_036, 1)] {
        client.call(as_it_is).await;
        let answer = Offer::parse(&client.call(without(port, label)).await.body).unwrap();
        assert_eq!(answer.media.iter().filter(|media| media.port == 0).count(), 1);
        let answer = Offer::parse(&client.call(as_it_is).await.body).unwrap();
        assert!(answer.media.iter().all(|media| media.port > 0));
        let calls = served.exchange.calls.lock().unwrap();
        assert_eq!((calls.len(), calls[0].contradictions()), (1, 0));
        assert_eq!(calls[0].events().chunks(2).last().unwrap(), [Event::Held, Event::Retrieved]);
    }
    assert_eq!(served.exchange.calls.lock().unwrap()[0].events().len(), 4);
    // Somebody else comes back: undecided, before anything is heard of them.
    client.call(without(31_048, 0)).await;
    client.call(|body| body.replace("sip:cust@", "sip:other@")).await;
    let events = served.exchange.calls.lock().unwrap()[0].events();
    let joined = Event::Joined { party: PartyId("customer-2".into()) };
    let left = Event::Left { party: PartyId::default() };
    assert_eq!(events[4..], [Event::Held, joined, left, Event::Retrieved]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_comes_to_a_call_of_the_agent_alone_is_answered_and_not_listened_to() {
    let served = serve(config());
    let mut client = Client::new(served.at.udp.unwrap(), "later").await;
    client.call(without(31_048, 0)).await;
    for _ in 0..2 {
        let answer = Offer::parse(&client.call(as_it_is).await.body).unwrap();
        assert!(answer.media.iter().all(|media| media.port > 0), "accepted in form");
        client.call(without(31_048, 0)).await;
    }
    let calls = served.exchange.calls.lock().unwrap();
    assert_eq!(calls[0].arrival.sound, Arriving::AgentAlone(Placing::Stamped));
    assert_eq!((calls.len(), calls[0].contradictions(), calls[0].events()), (1, 0, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_starts_undecided_and_another_agent_is_another_call() {
    let served = serve(config());
    let mut client = Client::new(served.at.udp.unwrap(), "transfer").await;
    client.call(as_it_is).await;
    client.call(|body| body.replace("sip:cust@", "sip:other@")).await;
    let events = |call: usize| served.exchange.calls.lock().unwrap()[call].events();
    let second = PartyId("customer-2".into());
    assert_eq!(events(0), [Event::Joined { party: second }, Event::Left { party: PartyId::default() }]);
    let said = client.call(|body| body.replace("sip:agent@127.0.0.1:5081", "sip:agent@127.0.0.1:5099")).await;
    assert_eq!(events(0).last(), Some(&Event::HungUp));
    let names: Vec<_> = served.exchange.calls.lock().unwrap().iter().map(|call| call.arrival.call.clone()).collect();
    assert_eq!((names.len(), names[1].clone()), (2, format!("{}-2", names[0])));
    assert!(Offer::parse(&said.body).unwrap().media.iter().all(|media| media.port > 0));
    let partial = "<recording><datamode>partial</datamode><participantstreamassoc participant_id='new'>\
                   <send>8usqu7yZRPSVD+cHN+TKqQ==</send></participantstreamassoc>\
                   <participant participant_id='new'><nameID aor='sip:n@x'/></participant></recording>";
    assert_eq!(client.within("UPDATE", "Content-Type: application/rs-metadata\r\n", partial).await, 200);
    assert_eq!(events(1), [Event::Joined { party: PartyId("customer-2".into()) }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_us_is_answered_by_the_book() {
    let served = serve(config());
    let mut client = Client::new(served.at.udp.unwrap(), "book").await;
    for (method, headers, code) in [
        ("OPTIONS", "", 200),
        ("REGISTER", "", 405),
        ("JUMP", "", 501),
        ("BYE", "", 481),
        ("UPDATE", "", 481),
        ("CANCEL", "", 481),
        ("INVITE", "Require: siprec, frobnicate\r\n", 420),
        ("INVITE", "", 421),
        ("INVITE", "Require: siprec\r\n", 488),
        ("INVITE", "Require: siprec\r\nContent-Type: text/plain\r\n", 488),
    ] {
        assert_eq!(client.within(method, headers, "").await, code, "{method} {headers}");
        if method == "INVITE" {
            // A refusal is acknowledged within its own transaction.
            let branch = client
                .text("ACK", "", "")
                .replace(&format!(".{}\r\n", client.last_branch()), &format!(".{}\r\n", client.last_branch() - 1));
            client.send(&branch).await;
        }
    }
    assert_eq!(client.within("INVITE", "Require: siprec\r\nContent-Type: text/plain\r\n", "hi").await, 415);
    client.remote_tag = "unknown".into();
    assert_eq!(client.within("INVITE", "Require: siprec\r\n", "").await, 481);
    let headless = "INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKz;rport\r\n\r\n";
    client.send(headless).await;
    for junk in ["", "\r\n\r\n", "\0", "hello", "SIP/2.0 200 OK\r\n\r\n", "ACK sip:x SIP/2.0\r\nVia: a\r\n\r\n"] {
        client.send(junk).await;
    }
    assert_eq!(client.code(headless).await, 400);
    assert!(served.exchange.calls.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_and_where_no_call_begins_another_server_may_be_tried() {
    let served = serve(SiprecConfig { sessions_max: 1, ..config() });
    let mut first = Client::new(served.at.udp.unwrap(), "first").await;
    first.call(as_it_is).await;
    let mut second = Client::new(served.at.udp.unwrap(), "second").await;
    let invite = second.invite(as_it_is);
    second.send(&invite).await;
    let refused = second.answer(&invite).await;
    assert_eq!((refused.start.clone(), refused.header("Retry-After")), (Start::Response { code: 503 }, Some("7")));
    // Not acknowledged: it is refused again, over UDP.
    assert_eq!(second.answer(&invite).await.start, refused.start);
    assert_eq!(*served.exchange.declined.lock().unwrap(), ["limit"]);
    assert_eq!(first.within("BYE", "", "").await, 200, "whose place is free again when this is said");
    let refusals = ["disk", "draining", "limit"].map(|reason| (reason, 503)).into_iter();
    for (reason, code) in refusals.chain(["never_record", "no_agent_ack", "no_agent"].map(|reason| (reason, 603))) {
        *served.exchange.declines.lock().unwrap() = Some(reason);
        let mut third = Client::new(served.at.udp.unwrap(), reason).await;
        let invite = third.invite(as_it_is);
        third.send(&invite).await;
        let refused = third.answer(&invite).await;
        assert_eq!(refused.start, Start::Response { code }, "{reason}");
        assert_eq!(refused.header("Retry-After").is_some(), code == 503, "{reason}");
        assert_eq!(served.exchange.declined.lock().unwrap().last(), Some(&reason));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_invite_leaves_no_call_behind() {
    let served = serve(config());
    served.exchange.busy.store(true, Ordering::Release);
    let mut client = Client::new(served.at.udp.unwrap(), "cancelled").await;
    let invite = client.invite(as_it_is);
    client.send(&invite).await;
    let head = invite.split("\r\n\r\n").next().unwrap();
    let cancel = head.replace("INVITE", "CANCEL").replace("Content-Length: 2", "X: ");
    let cancel = format!("{cancel}\r\nContent-Length: 0\r\n\r\n");
    client.send(&cancel).await;
    assert_eq!(client.code(&invite).await, 487);
    // Not acknowledged, so it comes again, before this one or behind it.
    client.send(&cancel).await;
    assert_eq!(client.code(&cancel).await, 200);
    served.exchange.busy.store(false, Ordering::Release);
    until("it is over", || {
        served.exchange.calls.lock().unwrap().first().is_some_and(|call| call.events() == [Event::HungUp])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_closed_here_and_a_server_that_stops_say_bye() {
    let served = serve(config());
    let mut client = Client::new(served.at.udp.unwrap(), "closed").await;
    client.call(as_it_is).await;
    served.exchange.calls.lock().unwrap()[0].standing.over.store(true, Ordering::Release);
    let bye = client.asked().await;
    assert!(matches!(&bye.start, Start::Request { method, .. } if method == "BYE"), "{bye:?}");
    assert_eq!(bye.header("Call-ID"), Some("closed"));
    assert!(bye.header("To").unwrap().ends_with(";tag=src-closed"));
    let again = client.asked().await;
    assert_eq!(again.header("Via"), bye.header("Via"), "until it is answered");
    client.send(&ok(&bye)).await;
    let mut other = Client::new(served.at.udp.unwrap(), "stopped").await;
    other.call(as_it_is).await;
    served.stop.cancel();
    let bye = other.asked().await;
    assert!(matches!(&bye.start, Start::Request { method, .. } if method == "BYE"), "{bye:?}");
    other.send(&ok(&bye)).await;
}

fn ok(request: &Message) -> String {
    let header = |name| format!("{name}: {}\r\n", request.header(name).unwrap());
    let headers: String = ["Via", "From", "To", "Call-ID", "CSeq"].into_iter().map(header).collect();
    format!("SIP/2.0 200 OK\r\n{headers}Content-Length: 0\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_carries_messages_in_any_pieces() {
    let served = serve(config());
    let mut stream = TcpStream::connect(served.at.tcp.unwrap()).await.unwrap();
    let mut client = Client::new(served.at.tcp.unwrap(), "tcp").await;
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\r\n");
    let options = client.text("OPTIONS", "", "");
    let both = options + &client.invite(as_it_is);
    for piece in both.as_bytes().chunks(97) {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let mut read = String::new();
    while !read.contains("m=audio") {
        let mut some = [0; 4_096];
        let length = stream.read(&mut some).await.unwrap();
        assert!(length > 0, "{read}");
        read.push_str(std::str::from_utf8(&some[..length]).unwrap());
    }
    let codes: Vec<&str> = read.lines().filter(|line| line.starts_with("SIP/2.0")).collect();
    assert_eq!(codes, ["SIP/2.0 200 OK", "SIP/2.0 100 Trying", "SIP/2.0 200 OK"]);
    assert!(read.contains(";transport=tcp>;+sip.srs"));
    // What cannot be framed ends the connection, not the session.
    stream.write_all(b"BYE sip:x SIP/2.0\r\nContent-Length: x\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(served.exchange.calls.lock().unwrap()[0].events().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_and_keys_of_both_parties_arrive_at_the_right_ends() {
    let served = serve(config());
    let mut client = Client::new(served.at.udp.unwrap(), "sound").await;
    let answer = Offer::parse(&client.call(as_it_is).await.body).unwrap();
    let sockets =
        [std::net::UdpSocket::bind("127.0.0.1:0").unwrap(), std::net::UdpSocket::bind("127.0.0.1:0").unwrap()];
    for number in 0..30u32 {
        for (leg, socket) in sockets.iter().enumerate() {
            let to = ("127.0.0.1", answer.media[leg].port);
            let mut packet = vec![0x80, 0, 0, number as u8];
            packet.extend((number * 160).to_be_bytes());
            packet.extend((7 + leg as u32).to_be_bytes());
            packet.extend([if leg == 0 { 0x80 } else { 0x00 }; 160]);
            socket.send_to(&packet, to).unwrap();
            if leg == 1 && (20..23).contains(&number) {
                let mut key = vec![0x80, 101, 1, number as u8];
                key.extend((20 * 160u32).to_be_bytes());
                key.extend(8u32.to_be_bytes());
                key.extend([1, 0x8A, 0x03, 0x20]);
                socket.send_to(&key, to).unwrap();
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    until("a key", || {
        served.exchange.calls.lock().unwrap()[0]
            .said()
            .iter()
            .any(|said| matches!(said, Said::Digit { party: Party::Customer, digit: '1', .. }))
    })
    .await;
    // What came last is laid, too.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(client.within("BYE", "", "").await, 200);
    // µ-law 0x80 is the loudest positive sample, 0x00 the loudest negative one.
    let heard: Vec<Vec<i16>> = {
        let mut calls = served.exchange.calls.lock().unwrap();
        calls[0].drains.iter_mut().map(sound).collect()
    };
    for (heard, sign) in heard.iter().zip([1, -1]) {
        assert!(heard.len() > 3_000, "{} samples came", heard.len());
        assert!(heard.iter().all(|sample| sample.signum() == sign), "each party at its own end");
    }
}

/// What came, without the gaps.
fn sound(drain: &mut Drain) -> Vec<i16> {
    let (mut all, mut some) = (Vec::new(), [0; 160]);
    for _ in 0..10_000 {
        match drain.read(&mut some) {
            Piece::Sound(frames) => all.extend(&some[..frames]),
            Piece::Gap { .. } => {}
            _ => break,
        }
    }
    all
}

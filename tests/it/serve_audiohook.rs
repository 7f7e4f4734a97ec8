//! The AudioHook source under a client that does what the reference client does, and what it must not.

use std::time::Duration;

use oneside::consent::Event;
use oneside::source::exchange::{Arriving, Party, Said};
use oneside::source::metadata::ConsentWord;
use serde_json::{Value, json};

use crate::audiohook_client::{CONVERSATION, FRAME, KEY, SESSION, Server, Session, mulaw, signed};
use crate::fake_exchange::{FakeExchange, PATIENCE, within};
use crate::ws_client::{Client, Sent, paced, request};

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
    paced(20, FRAME, |_| {
        if call.contradicted().is_none() {
            session.both(400);
        }
    });
    assert_eq!(call.contradicted(), Some("too_fast"));
    // Two seconds of it, and as many again for a loaded machine.
    assert!(session.position_ms < 8_000, "{} ms of a stream twice as fast", session.position_ms);
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
        let answered = session.client.next(PATIENCE);
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
    assert_eq!(silent.hears("disconnect")["reason"], "error");
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

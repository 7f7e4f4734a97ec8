//! Tests of [`super`].

use super::*;

/// As the reference client sends it, without the caller's name.
const OPEN: &str = r#"{"version":"2","type":"open","id":"bc92c8b1-bfcf-407c-af37-6d9b82696dee","seq":1,"serverseq":0,"position":"PT0S","parameters":{"organizationId":"5fb4713c-e2f7-40c5-91f9-a5fa70408d36","conversationId":"a341c801-2227-4075-b9ed-bb0964fbd636","participant":{"id":"d813ea76","ani":"+1-555-555-1234","aniName":"John Doe","dnis":"+1-800-555-6789"},"media":[{"type":"audio","format":"PCMU","channels":["external","internal"],"rate":8000},{"type":"audio","format":"PCMU","channels":["external"],"rate":8000},{"type":"audio","format":"PCMU","channels":["internal"],"rate":8000}],"inputVariables":{"consent":"yes"}}}"#;

fn plain(kind: &str, seq: u64, serverseq: u64, position: &str, parameters: &str) -> String {
    format!(
        r#"{{"version":"2","type":"{kind}","id":"s","seq":{seq},"serverseq":{serverseq},"position":"{position}","parameters":{parameters}}}"#
    )
}

fn open_of(text: &str) -> Open {
    match parse(text).unwrap().said {
        Said::Open(open) => *open,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_offers_and_names_a_conversation() {
    let open = open_of(OPEN);
    assert_eq!(open.conversation_id.as_deref(), Some("a341c801-2227-4075-b9ed-bb0964fbd636"));
    assert_eq!(open.number.as_deref(), Some("+1-555-555-1234"));
    assert_eq!(open.words.get("inputVariables.consent").map(String::as_str), Some("yes"));
    assert_eq!(open.words.len(), 1, "the caller's name is not among what is kept");
    let agents: Vec<_> = open.offers.iter().map(|offer| (offer.is_pcmu(), offer.agent_of_both())).collect();
    assert_eq!(agents, [(true, Some(1)), (true, None), (true, None)]);
    assert!(open.offers[2].is_agent_alone() && !open.offers[1].is_agent_alone());
}

#[test]
fn the_order_of_an_offer_says_where_the_agent_lies() {
    let open = open_of(&OPEN.replace(r#"["external","internal"]"#, r#"["internal","external"]"#));
    assert_eq!(open.offers[0].agent_of_both(), Some(0));
    let open = open_of(&OPEN.replace(r#"["external","internal"]"#, r#"["internal","internal"]"#));
    assert_eq!(open.offers[0].agent_of_both(), None);
}

#[test]
fn a_probe_has_no_conversation() {
    assert_eq!(open_of(&OPEN.replace("a341c801-2227-4075-b9ed-bb0964fbd636", NULL_UUID)).conversation_id, None);
}

#[test]
fn what_is_no_message_is_refused() {
    let bad = [
        "",
        "{}",
        r#"{"version":"1","type":"ping","id":"s","seq":1,"serverseq":0,"position":"PT0S","parameters":{}}"#,
        &plain("ping", 1, 0, "0", "{}"),
        &plain("ping", 1, 0, "PT0S", "[]"),
        &plain("resumed", 1, 0, "PT0S", "{}"),
        &plain("discarded", 1, 0, "PT0S", r#"{"discarded":"P1D"}"#),
        &plain("open", 1, 0, "PT0S", "{}"),
        &OPEN.replace("\"internal\"]", "\"sideways\"]"),
        &OPEN.replace("\"seq\":1", "\"seq\":-1"),
    ];
    for text in bad {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn each_kind_says_what_it_says() {
    let said = |kind: &str, parameters: &str| parse(&plain(kind, 1, 0, "PT1.2S", parameters)).unwrap().said;
    assert_eq!(said("ping", r#"{"rtt":"PT0.001S"}"#), Said::Ping);
    assert_eq!(said("close", r#"{"reason":"end"}"#), Said::Close);
    assert_eq!(
        said("resumed", r#"{"start":"PT4S","discarded":"PT0.5S"}"#),
        Said::Resumed { discarded_nanos: 500_000_000 }
    );
    assert_eq!(said("dtmf", r#"{"digit":"1"}"#), Said::Digit('1'));
    assert_eq!(said("dtmf", r#"{"digit":"one"}"#), Said::GarbledDigit);
    assert_eq!(said("error", r#"{"code":408,"message":"x"}"#), Said::Error { code: 408 });
    assert_eq!(said("playback_started", "{}"), Said::Unknown);
}

#[test]
fn durations_are_decimal_seconds() {
    for (text, nanos) in [
        ("PT0S", Some(0)),
        ("PT1.2S", Some(1_200_000_000)),
        ("PT6.8S", Some(6_800_000_000)),
        ("PT.5S", Some(500_000_000)),
        ("PT5.S", Some(5_000_000_000)),
        ("PT0.0014636731999S", Some(1_463_673)),
        ("PT18446744074S", None),
        ("PT1M2S", None),
        ("PTS", None),
        ("PT.S", None),
        ("PT-1S", None),
        ("PT1.-2S", None),
        ("1.2", None),
    ] {
        assert_eq!(duration(text), nanos, "{text}");
    }
}

#[test]
fn numbers_go_on_without_a_gap_and_nothing_goes_back() {
    let next = |sequence: &Sequence, text: &str| sequence.clone().accept(&parse(text).unwrap());
    let mut sequence = Sequence::new(Some("s".into()));
    sequence.accept(&parse(&plain("ping", 1, 0, "PT1S", "{}")).unwrap()).unwrap();
    assert!(sequence.message("pong", json!({})).contains(r#""seq":1,"clientseq":1"#));
    assert!(next(&sequence, &plain("ping", 2, 1, "PT1S", "{}")).is_ok());
    assert!(next(&sequence, &plain("ping", 3, 1, "PT1S", "{}")).is_err(), "a gap");
    assert!(next(&sequence, &plain("ping", 1, 1, "PT1S", "{}")).is_err(), "again");
    assert!(next(&sequence, &plain("ping", 2, 2, "PT1S", "{}")).is_err(), "saw what was not sent");
    assert!(next(&sequence, &plain("ping", 2, 1, "PT0.9S", "{}")).is_err(), "back in time");
    assert!(next(&sequence, &plain("ping", 2, 1, "PT1S", "{}").replace("\"s\"", "\"t\"")).is_err(), "another session");
    sequence.accept(&parse(&plain("ping", 2, 1, "PT1S", "{}")).unwrap()).unwrap();
    assert!(next(&sequence, &plain("ping", 3, 0, "PT1S", "{}")).is_err(), "saw less than before");
}

#[test]
fn what_is_chosen_is_written_as_it_was_offered() {
    let open = open_of(OPEN);
    let text = opened(Some(&open.offers[0]), true).to_string();
    assert_eq!(
        text,
        r#"{"media":[{"type":"audio","format":"PCMU","channels":["external","internal"],"rate":8000}],"startPaused":true}"#
    );
    assert_eq!(opened(None, false).to_string(), r#"{"media":[],"startPaused":false}"#);
}

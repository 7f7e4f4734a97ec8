//! Lines of events files: what they say, and how they are refused.

use serde_json::Value;

use super::clock::{At, parse_wall};
use super::events::{Fault, Happened, KEYS, KINDS, SCHEMA, Said, parse_line};
use crate::consent::{Act, Basis, Decision, Event, Notice, PartyId, Refusal, TokenState};
use crate::split::AgentChannel;

fn said(line: &str) -> Said {
    parse_line(line.as_bytes()).unwrap_or_else(|fault| panic!("{line} is usable, not {fault:?}"))
}

fn happened(line: &str) -> Happened {
    said(line).happened.expect("something happened")
}

/// The event of a line that holds these fields besides time and call.
fn event(fields: &str) -> Event {
    happened(&format!("{{\"call\":\"c\",\"at\":1,{fields}}}")).event
}

fn fault(line: &str) -> Fault {
    match parse_line(line.as_bytes()) {
        Err(fault) => fault,
        Ok(said) => panic!("{line} must be refused, not read as {said:?}"),
    }
}

fn unusable(said: &str, refusal: Refusal) -> Event {
    Event::Unusable { said: said.into(), refusal }
}

fn granted(act: Act) -> Event {
    let (party, purposes) = (PartyId::default(), vec!["training".into()]);
    Event::Granted(Decision { party, act, purposes, basis: None })
}

#[test]
fn an_announcement_is_told_with_its_version_in_either_writing() {
    let line = r#"{"call":"a/b","at":12.34,"event":"told","notice":"std","version":3,"language":"sv"}"#;
    let notice = Notice { notice: "std".into(), version: "3".into(), language: Some("sv".into()) };
    assert_eq!(said(line).call.as_deref(), Some("a/b"));
    assert_eq!(happened(line).at, At::Nanos(12_340_000_000));
    assert_eq!(happened(line).event, Event::Told { party: None, notice: notice.clone() });
    let party = event(r#""event":"told","notice":"std","version":"3","language":"sv","party":2"#);
    assert_eq!(party, Event::Told { party: Some(PartyId("2".into())), notice });
}

#[test]
fn every_act_is_read_by_all_its_names() {
    let cases = [
        (r#""act":"dtmf","digit":"1""#, Act::Dtmf { digit: '1' }),
        (r#""act":"dtmf","digit":1"#, Act::Dtmf { digit: '1' }),
        (r##""act":"dtmf","digit":"#""##, Act::Dtmf { digit: '#' }),
        (
            r#""act":"spoken_yes","agent":"a7","question":2"#,
            Act::SpokenYes { agent: Some("a7".into()), question: Some("2".into()) },
        ),
        (r#""act":"spoken_yes_attested""#, Act::SpokenYes { agent: None, question: None }),
        (r#""act":"button","agent":"a7""#, Act::Button { agent: Some("a7".into()) }),
        (r#""act":"agent_button""#, Act::Button { agent: None }),
        (r#""act":"api","source":"crm""#, Act::Api { source: Some("crm".into()) }),
        (r#""act":"token","token":"t1""#, Act::Token { token: "t1".into(), state: TokenState::Unverifiable }),
        (
            r#""act":"prior_consent_token","token":"t1""#,
            Act::Token { token: "t1".into(), state: TokenState::Unverifiable },
        ),
    ];
    for (fields, act) in cases {
        assert_eq!(event(&format!(r#""event":"granted","purpose":"training",{fields}"#)), granted(act), "{fields}");
    }
}

#[test]
fn purposes_parties_and_a_basis_of_a_grant_are_kept() {
    let line = r#""event":"granted","act":"api","party":"p2","purpose":"training","purposes":["quality"],"basis":"legal_obligation","basis_ref":"D-7""#;
    let basis = Some(Basis { basis: "legal_obligation".into(), basis_ref: "D-7".into() });
    let purposes = vec!["training".into(), "quality".into()];
    let expected = Decision { party: PartyId("p2".into()), act: Act::Api { source: None }, purposes, basis };
    assert_eq!(event(line), Event::Granted(expected));
    // The door refuses these two with reasons of its own, so they must reach it.
    let Event::Granted(bare) = event(r#""event":"granted","act":"api","basis":"x""#) else { panic!("a grant") };
    assert_eq!((bare.purposes.len(), bare.basis.unwrap().basis_ref.as_str()), (0, ""));
}

#[test]
fn every_other_kind_is_read() {
    let p2 = || PartyId("p2".into());
    let cases = [
        (r#""event":"refused""#, Event::Refused { party: PartyId::default() }),
        (r#""event":"withdrawn","party":"p2""#, Event::Withdrawn { party: p2(), purposes: vec![] }),
        (
            r#""event":"withdrawn","purpose":"x""#,
            Event::Withdrawn { party: PartyId::default(), purposes: vec!["x".into()] },
        ),
        (r#""event":"joined","party":"p2""#, Event::Joined { party: p2() }),
        (r#""event":"left","party":"p2""#, Event::Left { party: p2() }),
        (r#""event":"paused""#, Event::Paused),
        (r#""event":"resumed""#, Event::Resumed),
        (r#""event":"held""#, Event::Held),
        (r#""event":"retrieved""#, Event::Retrieved),
        (r#""event":"hung_up","party":null"#, Event::HungUp),
        (r#""event":"masked","seconds":10"#, Event::Masked { seconds: 10 }),
        (r#""event":"masked","seconds":"3600""#, Event::Masked { seconds: 3_600 }),
        (r#""event":"private""#, Event::Private),
        (r#""event":"private_ended""#, Event::PrivateEnded),
    ];
    for (fields, expected) in cases {
        assert_eq!(event(fields), expected);
    }
}

#[test]
fn a_mask_that_does_not_say_how_far_it_reaches_is_a_fault() {
    for fields in
        ["", r#","seconds":0"#, r#","seconds":3601"#, r#","seconds":1.5"#, r#","seconds":-1"#, r#","seconds":"ten""#]
    {
        let fault = parse_line(format!(r#"{{"call":"a","at":1,"event":"masked"{fields}}}"#).as_bytes()).unwrap_err();
        assert_eq!(fault.key, Some("seconds"), "{fields}");
    }
    // The clock alone opens and closes a window.
    assert_eq!(event(r#""event":"window_opened""#), unusable("window_opened", Refusal::UnknownEvent));
}

#[test]
fn what_wants_to_open_and_cannot_be_understood_is_kept_for_the_record() {
    let bad = |said: &str| unusable(said, Refusal::BadField);
    let cases = [
        (r#""event":"implied""#, unusable("implied", Refusal::UnknownEvent)),
        (r#""event":"stayed_on_the_line""#, unusable("stayed_on_the_line", Refusal::UnknownEvent)),
        (r#""event":"unknown""#, unusable("unknown", Refusal::UnknownEvent)),
        (r#""event":"answered""#, unusable("answered", Refusal::UnknownEvent)),
        (r#""event":"ringing""#, unusable("ringing", Refusal::UnknownEvent)),
        (r#""event":7"#, unusable("7", Refusal::UnknownEvent)),
        (r#""event":"granted","act":"implied","purpose":"x""#, unusable("granted by implied", Refusal::UnknownAct)),
        (r#""event":"granted","act":"silence""#, unusable("granted by silence", Refusal::UnknownAct)),
        (r#""event":"granted","purpose":"x""#, bad("granted")),
        (r#""event":"granted","act":"dtmf","purpose":"x""#, bad("granted")),
        (r#""event":"granted","act":"dtmf","digit":"12""#, bad("granted")),
        (r#""event":"granted","act":"dtmf","digit":"E""#, bad("granted")),
        (r#""event":"granted","act":"token""#, bad("granted")),
        (r#""event":"granted","act":"api","party":["p2"]"#, bad("granted")),
        (r#""event":"granted","act":"api","purposes":[1.5]"#, bad("granted")),
        (r#""event":"told","notice":"std""#, bad("told")),
        (r#""event":"told","notice":"","version":1"#, bad("told")),
        (r#""event":"left""#, bad("left")),
    ];
    for (fields, expected) in cases {
        assert_eq!(event(fields), expected);
    }
    let long = event(&format!(r#""event":"granted","act":"api","purpose":"{}""#, "x".repeat(257)));
    assert_eq!(long, bad("granted"));
}

#[test]
fn what_wants_to_shut_and_cannot_be_understood_stops_the_call() {
    for fields in [
        r#""event":"refused","party":{}"#,
        r#""event":"withdrawn","party":"""#,
        r#""event":"withdrawn","purposes":[null]"#,
        r#""event":"joined""#,
        r#""event":"withdraw""#,
        r#""event":"Refused""#,
        r#""event":"hang-up""#,
        r#""event":"opted_out""#,
        r#""event":"hold""#,
        r#""event":"wihtdrawn""#,
        r#""event":"puased""#,
        r#""event":"consent_withdrawn""#,
        r#""event":"customer_refused""#,
        r#""event":"recording_paused""#,
    ] {
        let fault = fault(&format!("{{\"at\":1,{fields}}}"));
        assert!(fault.what.contains("use one of these") || fault.what.contains("missing or unusable"), "{fault:?}");
    }
}

#[test]
fn a_line_that_cannot_be_placed_is_refused_with_its_column() {
    let cases = [
        (r#"{"at":1,"event":"told","purpos":"x"}"#, Some(31), "`purpos` is no key of an event; the keys are call, at,"),
        (r#"{"at":1,"event":"told","at":2}"#, Some(27), "the key `at` stands twice"),
        (r#"{"at":null,"at":2,"event":"paused"}"#, Some(15), "stands twice"),
        (r#"{"event":"paused"}"#, None, "says no `at`"),
        (r#"{"event":"paused","at":-1}"#, Some(19), "before the call's first sample"),
        (r#"{"event":"paused","at":1e12}"#, Some(19), "at most ten years"),
        (r#"{"event":"paused","at":"noon"}"#, Some(19), "`at` is no time"),
        (r#"{"event":"paused","at":"12:30"}"#, Some(19), "no RFC 3339 time with an offset"),
        (r#"{"event":"paused","at":"2026-03-01T09:00:00"}"#, Some(19), "no RFC 3339 time with an offset"),
        (r#"{"event":"paused","at":[1]}"#, Some(19), "`at` is no time"),
        (r#"{"at":1}"#, None, "names no `event`"),
        (r#"[{"at":1}]"#, Some(1), "one JSON object a line"),
        (r#"{"at":1,"event":"paused"} {}"#, Some(27), "trailing characters"),
        (r#"{"at":1,"event":"pau"#, Some(20), "EOF"),
        (r#"{"event":"opened","sensitive":"maybe"}"#, Some(19), "must be true or false"),
        (r#"{"event":"opened","agent_channel":"agent"}"#, Some(19), "no channel"),
        (r#"{"event":"opened","agent_channel":9}"#, Some(19), "no channel"),
        (r#"{"event":"opened","start":"2026-03-01 09:00"}"#, Some(19), "offset"),
        (r#"{"call":"","at":1,"event":"paused"}"#, Some(2), "must be the call's NAME"),
        ("", Some(1), "EOF"),
    ];
    for (line, column, what) in cases {
        let fault = fault(line);
        assert!(fault.what.contains(what), "{line}: {fault:?}");
        assert_eq!(fault.column, column, "{line}: {fault:?}");
    }
    assert!(parse_line(b"{\"at\":1,\"event\":\"\xFF\"}").is_err());
}

#[test]
fn times_are_seconds_or_wall_clock() {
    let at = |at: &str| happened(&format!(r#"{{"event":"paused","at":{at}}}"#)).at;
    assert_eq!(at("0"), At::Nanos(0));
    assert_eq!(at("-0.0"), At::Nanos(0));
    assert_eq!(at("\"15.25\""), At::Nanos(15_250_000_000));
    assert_eq!(at("1e-9"), At::Nanos(1));
    let nine = parse_wall("2026-03-01T08:00:00Z").unwrap().at;
    assert_eq!(at("\"2026-03-01T09:00:00+01:00\""), At::Wall(nine));
}

#[test]
fn opened_tells_about_the_call_as_a_whole() {
    let line =
        r#"{"call":"c","event":"opened","start":"2026-03-01T09:00:00+01:00","agent_channel":"left","sensitive":true}"#;
    let opened = said(line).opened;
    assert_eq!(said(line).happened, None);
    assert_eq!((opened.agent_channel, opened.sensitive), (Some(AgentChannel(0)), Some(true)));
    assert_eq!(opened.start.unwrap().wall(1_500_000_000).as_deref(), Some("2026-03-01T09:00:01.5+01:00"));
    assert_eq!(said(r#"{"event":"opened","agent_channel":1}"#).opened.agent_channel, Some(AgentChannel(1)));
}

#[test]
fn the_schema_names_the_same_keys_and_words_as_the_parser() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut named: Vec<&str> =
        schema["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
    let mut known = KEYS.to_vec();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
    let words =
        |key: &str| -> Vec<String> { serde_json::from_value(schema["properties"][key]["enum"].clone()).unwrap() };
    let mut kinds = vec!["opened"];
    kinds.extend(KINDS);
    assert_eq!(words("event"), kinds);
    for act in words("act") {
        let line = format!(r#""event":"granted","act":"{act}","digit":1,"token":"t","purpose":"x""#);
        assert!(matches!(event(&line), Event::Granted(_)), "{act}");
    }
}

#[test]
fn lines_cut_anywhere_or_with_flipped_bytes_never_panic() {
    let line =
        r#"{"call":"c","at":"2026-03-01T09:00:00+01:00","event":"granted","act":"dtmf","digit":"1","purposes":["a"]}"#;
    let mut refused = 0;
    for at in 0..line.len() {
        refused += usize::from(parse_line(&line.as_bytes()[..at]).is_err());
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] ^= flip;
            let _ = parse_line(&bytes);
        }
    }
    assert_eq!(refused, line.len());
}

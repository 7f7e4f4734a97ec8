//! Events files as a whole, and what comes of them on a call's time line.

use std::collections::HashSet;

use super::events::{CallEvents, EventsError, Feed, read_beside};
use super::table::ColumnMap;
use super::testing::Scratch;
use crate::audio::MediaTime;
use crate::consent::event::EVENTS_PER_CALL_MAX;
use crate::consent::{Act, Event, PartyId, Refusal, Stamped, TokenState};
use crate::split::AgentChannel;

fn beside(content: &str) -> Result<CallEvents, EventsError> {
    let scratch = Scratch::new();
    read_beside(&scratch.file("c.events.jsonl", content), "dir/c")
}

fn feed(content: &str, map: Option<&str>) -> Result<Feed, EventsError> {
    let scratch = Scratch::new();
    let map: Option<ColumnMap> = map.map(|map| map.parse().expect("the map is one"));
    Feed::read(&scratch.file("events", content), map.as_ref())
}

fn events(content: &str) -> CallEvents {
    beside(content).unwrap_or_else(|error| panic!("usable, not: {error}"))
}

fn stamped(content: &str) -> Vec<Stamped> {
    events(content).stamp(8_000, &HashSet::new())
}

fn refusal(result: Result<impl Sized, EventsError>) -> String {
    result.err().expect("the file is refused").to_string()
}

const START: &str = r#"{"event":"opened","start":"2026-03-01T09:00:00+01:00"}"#;

#[test]
fn events_are_stamped_in_the_order_in_which_they_count() {
    let list = stamped(
        "{\"at\":3,\"event\":\"refused\"}\n{\"at\":3,\"event\":\"granted\",\"act\":\"button\",\"purpose\":\"x\"}\r\n\n\
         {\"at\":1.00001,\"event\":\"told\",\"notice\":\"n\",\"version\":1}\n{\"at\":1.00001,\"event\":\"resumed\"}",
    );
    let order: Vec<(u64, bool)> = list.iter().map(|s| (s.at.0, matches!(s.event, Event::Refused { .. }))).collect();
    // The announcement counts from the sample before its time, what opens from the one behind it, the refusal last.
    assert_eq!(order, [(8_000, false), (8_001, false), (24_000, false), (24_000, true)]);
    assert_eq!(list[0].wall, None);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_tolerated() {
    assert_eq!(stamped("\u{feff}{\"at\":1,\"event\":\"paused\"}\r\n\r\n{\"at\":2,\"event\":\"resumed\"}\r\n").len(), 2);
    assert!(events("").is_empty());
}

#[test]
fn wall_clock_times_are_placed_by_the_start_wherever_it_stands() {
    let list = stamped(&format!("{{\"at\":\"2026-03-01T08:00:02.5Z\",\"event\":\"paused\"}}\n{START}\n"));
    assert_eq!((list[0].at, list[0].nanos), (MediaTime(20_000), 2_500_000_000));
    assert_eq!(list[0].wall.as_deref(), Some("2026-03-01T09:00:02.5+01:00"));
    let without = refusal(beside("{\"at\":\"2026-03-01T08:00:02.5Z\",\"event\":\"paused\"}"));
    assert!(without.contains("line 1: `at` is a wall-clock time, but when the call began was not said"), "{without}");
    let before = refusal(beside(&format!("{START}\n{{\"at\":\"2026-03-01T07:59:59Z\",\"event\":\"paused\"}}")));
    assert!(before.contains("line 2: `at` lies before the call's start"), "{before}");
}

#[test]
fn what_is_said_about_a_call_as_a_whole_is_kept_and_may_not_contradict_itself() {
    let line = r#"{"call":"c","event":"opened","agent_channel":"right","sensitive":true}"#;
    let read = events(&format!("{line}\n{line}\n"));
    let declared = read.declared.clone().expect("a channel was declared");
    assert_eq!((declared.channel, read.sensitive, read.is_empty()), (AgentChannel(1), true, true));
    assert_eq!(declared.by, "the call's events file");
    for other in [r#"{"event":"opened","agent_channel":0}"#, r#"{"event":"opened","sensitive":false}"#] {
        let message = refusal(beside(&format!("{line}\n{other}")));
        assert!(message.contains("line 2") && message.contains("was said otherwise before"), "{message}");
    }
}

#[test]
fn the_file_of_one_call_is_about_no_other() {
    assert!(!events(r#"{"call":"dir/c","at":1,"event":"paused"}"#).is_empty());
    let message = refusal(beside("\n{\"call\":\"d\",\"at\":1,\"event\":\"paused\"}"));
    assert!(message.contains("line 2: this is the events file of `dir/c`, but the line is about `d`"), "{message}");
}

fn with_token(expires: &str, at: &str) -> String {
    format!(r#"{{"at":{at},"event":"granted","act":"token","token":"t1","party":"p2","purpose":"x"{expires}}}"#)
}

fn states(list: &[Stamped]) -> Vec<(u64, Option<TokenState>)> {
    let state = |event: &Event| match event {
        Event::Granted(decision) => match &decision.act {
            Act::Token { state, .. } => Some(*state),
            _ => None,
        },
        _ => None,
    };
    list.iter().map(|stamped| (stamped.at.0, state(&stamped.event))).collect()
}

#[test]
fn a_token_that_runs_out_in_the_call_brings_its_own_end() {
    let line = with_token(r#","expires":"2026-03-01T08:00:30Z""#, "10");
    let list = stamped(&format!("{START}\n{line}"));
    assert_eq!(states(&list), [(80_000, Some(TokenState::Valid)), (240_000, None)]);
    assert_eq!(list[1].event, Event::Expired { party: PartyId("p2".into()), token: "t1".into() });
}

#[test]
fn a_token_counts_only_if_that_can_be_checked() {
    let state = |opened: &str, expires: &str, revoked: &[&str]| {
        let revoked = revoked.iter().map(|token| token.to_string()).collect();
        states(&events(&format!("{opened}\n{}", with_token(expires, "10"))).stamp(8_000, &revoked))
    };
    let late = r#","expires":"2026-03-01T08:00:30Z""#;
    let only = |state| vec![(80_000, Some(state))];
    assert_eq!(state("", late, &[]), only(TokenState::Unverifiable));
    assert_eq!(state(START, "", &[]), only(TokenState::Unverifiable));
    assert_eq!(state(START, r#","expires":"soon""#, &[]), only(TokenState::Unverifiable));
    assert_eq!(state(START, r#","expires":"2026-03-01T08:00:10Z""#, &[]), only(TokenState::Expired));
    assert_eq!(state(START, r#","expires":"2020-01-01T00:00:00Z""#, &[]), only(TokenState::Expired));
    assert_eq!(state(START, late, &["t1"]), only(TokenState::Revoked));
    assert_eq!(state(START, r#","expires":"9999-01-01T00:00:00Z""#, &[]), only(TokenState::Valid));
}

#[test]
fn the_digest_changes_if_and_only_if_a_decision_could() {
    let none = HashSet::new();
    let line = with_token(r#","expires":"2026-03-01T08:00:30Z""#, "10");
    let digest = |content: &str| events(content).digest(&none);
    let first = digest(&format!("{START}\n{line}"));
    assert_eq!(first, digest(&format!("{line}\n\n{START}")), "order of lines and blank lines do not count");
    let spaced = line.replace(',', " , ");
    assert_eq!(first, digest(&format!("{START}\n{spaced}")));
    let revoked: HashSet<String> = ["t1".to_owned()].into();
    let foreign: HashSet<String> = ["t2".to_owned()].into();
    let read = events(&format!("{START}\n{line}"));
    assert_eq!(first, read.digest(&foreign));
    let others = [
        read.digest(&revoked),
        digest(&line),
        digest(&format!("{START}\n{}", with_token(r#","expires":"2026-03-01T08:00:31Z""#, "10"))),
        digest(&format!("{START}\n{}", with_token(r#","expires":"2026-03-01T08:00:30Z""#, "10.5"))),
        digest(&format!("{START}\n{line}\n{{\"event\":\"opened\",\"sensitive\":true}}")),
        digest(&format!("{START}\n{line}\n{{\"event\":\"opened\",\"agent_channel\":0}}")),
        CallEvents::default().digest(&none),
    ];
    let distinct: HashSet<&String> = others.iter().chain([&first]).collect();
    assert_eq!(distinct.len(), others.len() + 1);
}

#[test]
fn limits_are_errors_that_name_the_line() {
    let long = format!("{{\"at\":1,\"event\":\"paused\"}}\n{{\"at\":1,\"event\":\"{}\"}}\n", "x".repeat(70_000));
    assert!(refusal(beside(&long)).contains("line 2: the line is longer than 64 KiB"));
    let many = "{\"at\":1,\"event\":\"paused\"}\n".repeat(EVENTS_PER_CALL_MAX + 1);
    assert!(refusal(beside(&many)).contains("line 10001: the call has more than 10000 events"));
}

#[test]
fn a_file_for_all_calls_keeps_them_apart_and_knows_strangers() {
    let content = "{\"call\":\"b\",\"at\":1,\"event\":\"paused\"}\n{\"call\":\"a\",\"at\":1,\"event\":\"held\"}\n\
                   {\"call\":\"b\",\"at\":2,\"event\":\"resumed\"}\n";
    let feed = feed(content, None).unwrap();
    let length = |name| feed.of(name).map(|events| events.stamp(8_000, &HashSet::new()).len());
    assert_eq!((length("a"), length("b"), length("c")), (Some(1), Some(2), None));
    assert!(feed.unknown_calls(&["a", "b"].into()).is_empty());
    let strangers = feed.unknown_calls(&["b", "c"].into());
    assert_eq!(strangers.len(), 1);
    assert!(strangers[0].to_string().contains("line 2: there is no call `a` among the inputs"));
    let nameless = refusal(self::feed("{\"at\":1,\"event\":\"paused\"}", None));
    assert!(nameless.contains("line 1: the line names no `call`"), "{nameless}");
}

const CRM: &str = "call=CallId,at=Sekunden,event=Zustimmung,event:JA=granted,event:NEIN=refused,event:OFFEN=-,\
                   act==api,source==crm,purposes=Zweck,start=Beginn";

#[test]
fn a_table_is_read_by_the_map_of_its_columns() {
    let table = "\u{feff}CallId;Beginn;Kunde;Zustimmung;Sekunden;Zweck\r\n\
                 c1;2026-03-01T09:00:00+01:00;Meier;JA;12.5;training|quality\r\n\
                 c1;;\"Meier; Franz\";NEIN;20;\r\n\
                 c2;;Schulz;OFFEN;;\r\n\
                 c3;;Schulz;VIELLEICHT;3;\r\n";
    let feed = feed(table, Some(CRM)).unwrap();
    let list = feed.of("c1").unwrap().stamp(8_000, &HashSet::new());
    let Event::Granted(decision) = &list[0].event else { panic!("a grant, not {:?}", list[0]) };
    assert_eq!(decision.act, Act::Api { source: Some("crm".into()) });
    assert_eq!(decision.purposes, ["training", "quality"]);
    assert_eq!(list[0].wall.as_deref(), Some("2026-03-01T09:00:12.5+01:00"));
    assert_eq!((list[1].at.0, &list[1].event), (160_000, &Event::Refused { party: PartyId::default() }));
    assert_eq!(feed.of("c2"), None, "a row that says nothing is passed over");
    let unknown = Event::Unusable { said: "VIELLEICHT".into(), refusal: Refusal::UnknownEvent };
    assert_eq!(feed.of("c3").unwrap().stamp(8_000, &HashSet::new())[0].event, unknown);
}

#[test]
fn tables_that_do_not_fit_their_map_are_refused_with_the_line() {
    let cases = [
        ("a,b\n1,2\n", "line 1: there is no column `CallId`; the columns are a, b"),
        ("CallId,CallId,Sekunden,Zustimmung,Zweck,Beginn\n", "line 1: there are two columns `CallId`"),
        ("CallId,Sekunden,Zustimmung,Zweck,Beginn\nc,1,JA\n", "line 2: the row has 3 columns, the heading 5"),
        ("CallId,Sekunden,Zustimmung,Zweck,Beginn\nc,1,JA,x,\nc,bald,JA,x,\n", "line 3: `at` is no time"),
        ("CallId,Sekunden,Zustimmung,Zweck,Beginn\n,1,JA,x,\n", "line 2: the line names no `call`"),
    ];
    for (table, expected) in cases {
        let message = refusal(feed(table, Some(CRM)));
        assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    }
    let scratch = Scratch::new();
    let latin = scratch.file("latin.csv", b"CallId,Sekunden,Zustimmung,Zweck,Beginn\nM\xFCller,1,JA,x,\n");
    let message = refusal(Feed::read(&latin, Some(&CRM.parse().unwrap())));
    assert!(message.contains("not UTF-8"), "{message}");
}

#[test]
fn maps_that_cannot_be_are_refused_with_a_remedy() {
    let cases = [
        ("at=T", "add call=COLUMN"),
        ("call=C,when=T", "`when` is no key of an event"),
        ("call=C,at", "write KEY=COLUMN, KEY==VALUE or KEY:CELL=VALUE"),
        ("call=C,at=", "write KEY=COLUMN"),
        ("call=C,call=D", "`call` stands twice"),
        ("call=C,event:JA=granted", "add event=COLUMN"),
    ];
    for (map, expected) in cases {
        let message = map.parse::<ColumnMap>().expect_err("no map");
        assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    }
    assert!("\"call=Call, Id\",at=T".parse::<ColumnMap>().is_ok());
}

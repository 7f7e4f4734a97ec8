//! Events files: JSON Lines beside a call and for many calls, tables by a map of their columns, and the map itself.
//! Whatever is read is placed on time lines of several rates.

use std::collections::HashSet;
use std::path::Path;

use oneside::consent::{Event, Gate, Stamped, Terms, rehearse};
use oneside::source::{CallEvents, ColumnMap, Feed, parse_beside};

const RATES_HZ: [u32; 4] = [8_000, 11_025, 16_000, 48_000];
/// A map for tables whose first line is no map.
const MAP: &str =
    "call=call,at=at,event=type,event:JA=granted,act==dtmf,digit=digit,purposes=purpose,notice=notice,version==1";

/// The first byte says how the others are to be read.
pub fn run(data: &[u8]) {
    let Some((kind, text)) = data.split_first() else { return };
    match kind % 4 {
        0 => beside(text),
        1 => feed(text, None),
        2 => feed(text, MAP.parse().ok().as_ref()),
        _ => mapped(text),
    }
}

fn beside(text: &[u8]) {
    if let Ok(events) = parse_beside(text, Path::new("a.events.jsonl"), "day/a") {
        place(&events);
    }
}

fn feed(text: &[u8], map: Option<&ColumnMap>) {
    let feed = match Feed::parse(text, Path::new("all"), map) {
        Ok(feed) => feed,
        Err(error) => return assert!(!error.to_string().is_empty(), "an error says what is wrong"),
    };
    for unknown in feed.unknown_calls(&HashSet::new()) {
        let oneside::source::EventsError::UnknownCall { call, line, .. } = unknown else {
            panic!("only unknown calls are told of here")
        };
        assert!(line > 0);
        place(feed.of(&call).expect("a call that is named is there"));
    }
}

/// The first line is a map, the rest a table.
fn mapped(text: &[u8]) {
    let at = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let Ok(map) = String::from_utf8_lossy(&text[..at]).parse::<ColumnMap>() else { return };
    feed(text.get(at + 1..).unwrap_or_default(), Some(&map));
}

fn place(events: &CallEvents) {
    let revoked = HashSet::from(["7".to_owned()]);
    assert_eq!(events.digest(&revoked), events.clone().digest(&revoked));
    for rate_hz in RATES_HZ {
        let stamped = events.stamp(rate_hz, &revoked);
        assert_eq!(stamped.is_empty(), events.is_empty(), "what happened is stamped");
        assert!(stamped.is_sorted_by_key(Stamped::order), "events come in their order");
        for event in &stamped {
            let exact = u128::from(event.nanos) * u128::from(rate_hz);
            let at = u128::from(event.at.0) * 1_000_000_000;
            assert!(at.abs_diff(exact) < 1_000_000_000, "an event counts from its own sample");
            if matches!(event.event, Event::Granted(_)) {
                assert!(at >= exact, "a grant never counts before it was given");
            }
        }
        let terms = Terms { sensitive: events.sensitive, ..Terms::default() };
        let mut gate = Gate::new(terms.clone(), rehearse(&terms, &stamped));
        let granted = stamped.iter().any(|event| matches!(event.event, Event::Granted(_)));
        for event in &stamped {
            assert!(!gate.apply(event).customer_open || granted, "without a grant the door stays shut");
        }
    }
}

//! What is asked of a live call: the body of a request, and a line on a control descriptor.

use oneside::consent::{Event, Refusal};
use oneside::source::wire::asked::{ASKS, AskedFor, parse_asked, parse_line_asked};

/// The first byte says of which kind the rest is the body; of none, it is a line.
pub fn run(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    match ASKS.get(usize::from(*kind) % (ASKS.len() + 1)) {
        Some((kind, _)) => of_kind(kind, body),
        None => line(body),
    }
}

fn of_kind(kind: &str, body: &[u8]) {
    let asked = match parse_asked(kind, body) {
        Ok(asked) => asked,
        Err(fault) => return assert!(!fault.what.is_empty(), "a fault says what is wrong"),
    };
    is_of_kind(kind, &asked);
    // The same on a line that names its kind, and says when and where it was, which counts for nothing.
    let text = std::str::from_utf8(body).expect("JSON is UTF-8").trim_matches([' ', '\t', '\r', '\n']);
    let fields = text.strip_prefix('{').expect("it is an object");
    let comma = if fields.trim_matches([' ', '\t', '\r', '\n']) == "}" { "" } else { "," };
    let line = format!(r#"{{"event":"{kind}","at":1.5,"call":"x"{comma}{fields}"#);
    assert_eq!(parse_line_asked(line.as_bytes()).ok(), Some(asked), "{line}");
}

fn line(line: &[u8]) {
    match parse_line_asked(line) {
        Ok(asked) => assert!(ASKS.iter().any(|(kind, _)| fits(kind, &asked.event)), "{asked:?}"),
        Err(fault) => assert!(!fault.what.is_empty(), "a fault says what is wrong"),
    }
}

fn is_of_kind(kind: &str, asked: &AskedFor) {
    assert!(fits(kind, &asked.event), "{kind}: {asked:?}");
    assert!(asked.expires.is_none() || kind == "granted", "{asked:?}");
}

/// Nothing that is asked as one kind becomes another, and only a grant may be one that cannot be used.
fn fits(kind: &str, event: &Event) -> bool {
    match event {
        Event::Told { .. } => kind == "told",
        Event::Granted(decision) => kind == "granted" && !decision.purposes.iter().any(String::is_empty),
        Event::Refused { .. } => kind == "refused",
        Event::Withdrawn { .. } => kind == "withdrawn",
        Event::Joined { .. } => kind == "joined",
        Event::Left { .. } => kind == "left",
        Event::Paused => kind == "paused",
        Event::Resumed => kind == "resumed",
        Event::Held => kind == "held",
        Event::Retrieved => kind == "retrieved",
        Event::HungUp => kind == "hung_up",
        Event::Masked { seconds } => kind == "masked" && *seconds > 0,
        Event::Private => kind == "private",
        Event::PrivateEnded => kind == "private_ended",
        Event::Unusable { refusal, .. } => kind == "granted" && *refusal != Refusal::BadField,
        // The clock alone makes these.
        Event::WindowClosed | Event::WindowOpened | Event::Expired { .. } => false,
    }
}

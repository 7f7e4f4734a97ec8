//! An event that is asked of a live call: the fields of a line of an events file, without those that place it. What
//! happens now has no `at`, and the call and the kind are known from where it was said.

use jiff::Timestamp;
use serde_json::Value;

use super::clock::parse_wall;
use super::events::{Fault, Fields};
use crate::consent::{Event, Refusal};

/// Something asked of a live call.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedFor {
    /// What. The state of a token is not known yet: `Unverifiable`.
    pub event: Event,
    /// When its token expires, if it says so.
    pub expires: Option<Timestamp>,
}

/// The kinds that may be asked for, and the fields of each.
pub const ASKS: [(&str, &[&str]); 14] = [
    ("told", &["notice", "version", "language", "party"]),
    (
        "granted",
        &[
            "act",
            "digit",
            "agent",
            "question",
            "source",
            "token",
            "expires",
            "purpose",
            "purposes",
            "party",
            "basis",
            "basis_ref",
        ],
    ),
    ("refused", &["party"]),
    ("withdrawn", &["party", "purpose", "purposes"]),
    ("paused", &[]),
    ("resumed", &[]),
    ("held", &[]),
    ("retrieved", &[]),
    ("joined", &["party"]),
    ("left", &["party"]),
    ("private", &[]),
    ("private_ended", &[]),
    ("masked", &["seconds"]),
    ("hung_up", &[]),
];

/// Takes the fields of an event of a known kind apart. Unlike a line of a file, one that cannot be used because of a
/// field is a fault at once: whoever asked is there to be told.
pub fn parse_asked(kind: &str, body: &[u8]) -> Result<AskedFor, Fault> {
    asked(kind, fields_of(body)?)
}

fn fields_of(body: &[u8]) -> Result<Fields, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let what = error.to_string();
        let what = what.replace("one JSON object a line", "one JSON object (`{}` if it has no fields)");
        Fault { key: None, column: Some(error.column().max(1)), what }
    })
}

fn asked(kind: &str, mut fields: Fields) -> Result<AskedFor, Fault> {
    let known = ASKS.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, keys)| *keys);
    if let Some(key) = fields.0.keys().find(|key| !known.contains(*key)) {
        let takes = if known.is_empty() { "it takes none".into() } else { format!("it takes {}", known.join(", ")) };
        return Err(Fault::of(key, format!("`{key}` is no field of `{kind}`; {takes}")));
    }
    fields.0.values_mut().for_each(whole);
    let event = fields.event(kind)?;
    if let Event::Unusable { refusal: Refusal::BadField, .. } = event {
        let key = unusable_key(&fields, kind);
        return Err(Fault::of(key, format!("the `{key}` of a `{kind}` event is missing or unusable")));
    }
    let expires = match fields.0.get("expires") {
        None => None,
        Some(value) => Some(expiry(value)?),
    };
    Ok(AskedFor { event, expires })
}

/// JSON knows one kind of number: `7.0` is the whole number 7.
fn whole(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(whole),
        Value::Number(number) => {
            let whole = number.as_f64().filter(|n| n.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(n));
            if let Some(whole) = whole.filter(|_| number.is_f64()) {
                *value = Value::from(whole as u64);
            }
        }
        _ => {}
    }
}

/// Takes a line apart that names its own kind (`event`), as on a control descriptor. The line of an events file may be
/// given as it is: its `at` is passed over, since what is asked of a live call happens now, and whether its `call` is this
/// one is the caller's to see.
pub fn parse_line_asked(line: &[u8]) -> Result<AskedFor, Fault> {
    let mut fields = fields_of(line)?;
    let Some(kind) = fields.0.remove("event").and_then(|kind| kind.as_str().map(str::to_owned)) else {
        return Err(Fault::of("event", "the line names no `event`"));
    };
    if !ASKS.iter().any(|(known, _)| *known == kind) {
        let known: Vec<&str> = ASKS.iter().map(|(known, _)| *known).collect();
        return Err(Fault::of("event", format!("there is no such `event`; there are {}", known.join(", "))));
    }
    for placing in ["at", "call"] {
        fields.0.remove(placing);
    }
    asked(&kind, fields)
}

fn expiry(value: &Value) -> Result<Timestamp, Fault> {
    let text = value.as_str().ok_or_else(|| Fault::of("expires", "`expires` must be a text, an RFC 3339 time"))?;
    parse_wall(text).map(|start| start.at).map_err(|what| Fault::of("expires", what))
}

/// Which field makes an event unusable.
fn unusable_key(fields: &Fields, kind: &str) -> &'static str {
    let lacks = |key: &str| !matches!(fields.word(key), Ok(Some(_)));
    let needed: &[&'static str] = match (kind, fields.word("act")) {
        ("told", _) => &["notice", "version"],
        ("left" | "joined", _) => &["party"],
        ("granted", Ok(Some(act))) if act == "dtmf" => &["digit"],
        ("granted", Ok(Some(act))) if act.contains("token") => &["token"],
        ("granted", Ok(Some(_))) => &[],
        ("granted", _) => &["act"],
        ("masked", _) => &["seconds"],
        _ => &[],
    };
    if kind == "granted" && !lacks("basis_ref") && lacks("basis") {
        return "basis";
    }
    let missing = needed.iter().find(|key| lacks(key)).copied();
    let unusable = || fields.0.keys().copied().find(|key| *key != "purposes" && fields.word(key).is_err());
    // A digit is a word and yet may be none of the twelve keys.
    missing.or_else(unusable).or(if needed == ["digit"] { Some("digit") } else { None }).unwrap_or("purposes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: &str, body: &str) -> Fault {
        parse_asked(kind, body.as_bytes()).expect_err(body)
    }

    #[test]
    fn what_places_an_event_is_no_field_of_one_that_happens_now() {
        for key in ["at", "call", "event", "start", "agent_channel", "sensitive"] {
            assert_eq!(fault("paused", &format!("{{\"{key}\":\"1\"}}")).key, Some(key));
        }
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        assert_eq!(fault("told", "{}").key, Some("notice"));
        assert_eq!(fault("told", r#"{"notice":"a"}"#).key, Some("version"));
        assert_eq!(fault("told", r#"{"notice":"a","version":1,"language":[]}"#).key, Some("language"));
        assert_eq!(fault("granted", r#"{"purpose":"qa"}"#).key, Some("act"));
        assert_eq!(fault("granted", r#"{"act":"dtmf","digit":"x","purpose":"qa"}"#).key, Some("digit"));
        assert_eq!(fault("granted", r#"{"act":"token","purpose":"qa"}"#).key, Some("token"));
        assert_eq!(fault("granted", r#"{"act":"button","purposes":[1.5]}"#).key, Some("purposes"));
        assert_eq!(
            fault("granted", r#"{"act":"token","token":"t","purpose":"qa","expires":"soon"}"#).key,
            Some("expires")
        );
        assert_eq!(fault("granted", r#"{"act":"api","purpose":"qa","basis_ref":"x"}"#).key, Some("basis"));
        assert_eq!(fault("withdrawn", r#"{"purpose":{}}"#).key, Some("purpose"));
        assert_eq!(fault("joined", "{}").key, Some("party"));
        assert!(fault("paused", "[]").what.contains("object"));
        assert!(fault("paused", r#"{"x":1}"#).what.contains('x'));
    }

    #[test]
    fn a_line_names_its_kind_and_its_time_is_passed_over() {
        let line = br#"{"event":"told","at":3.5,"call":"x","notice":"n","version":2}"#;
        assert!(matches!(parse_line_asked(line).unwrap().event, Event::Told { .. }));
        assert_eq!(parse_line_asked(b"{}").unwrap_err().key, Some("event"));
        assert_eq!(parse_line_asked(br#"{"event":"stayed"}"#).unwrap_err().key, Some("event"));
        assert_eq!(parse_line_asked(br#"{"event":"masked","seconds":0}"#).unwrap_err().key, Some("seconds"));
        assert!(parse_line_asked(b"told").is_err());
        let twice = parse_line_asked(br#"{"event":"refused","event":"told","notice":"n","version":1}"#);
        assert!(twice.unwrap_err().what.contains("twice"), "which one counts is not guessed");
    }

    #[test]
    fn an_act_that_nobody_knows_reaches_the_ledger_as_unusable() {
        let asked = parse_asked("granted", br#"{"act":"stayed_on_the_line","purpose":"qa"}"#).unwrap();
        let asked_so = parse_asked("joined", br#"{"party":7.0}"#).unwrap();
        assert_eq!(asked_so, parse_asked("joined", br#"{"party":"7"}"#).unwrap());
        assert!(matches!(asked.event, Event::Unusable { refusal: Refusal::UnknownAct, .. }));
    }
}

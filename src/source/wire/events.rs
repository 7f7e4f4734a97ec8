//! One line of an events file: a flat JSON object, or a row of a table, → what it says about a call.
//!
//! Three degrees of wrong. A line that cannot be placed (no object, a key that nobody knows, no time) is a [`Fault`],
//! and so is one that wants to *shut* something and cannot be understood: to overlook it would keep a voice that was
//! to be let go. One that wants to *open* something becomes [`Event::Unusable`]: the door stays shut, and the ledger
//! says why.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::clock::{At, Start, parse_at, parse_wall};
use super::shutting::shuts;
use crate::consent::event::{FIELD_BYTES_MAX, MASK_SECONDS_MAX};
use crate::consent::{Act, Basis, Decision, Event, Notice, PartyId, Refusal, TokenState};
use crate::split::AgentChannel;

/// The JSON Schema of a line, for those who write them.
pub const SCHEMA: &str = include_str!("../events.schema.json");

/// Every key that a line may have; [`SCHEMA`] names the same.
pub const KEYS: [&str; 22] = [
    "call",
    "at",
    "event",
    "party",
    "notice",
    "version",
    "language",
    "act",
    "digit",
    "agent",
    "question",
    "source",
    "token",
    "expires",
    "purpose",
    "purposes",
    "basis",
    "basis_ref",
    "start",
    "agent_channel",
    "sensitive",
    "seconds",
];

/// Every kind of event that a line may have, besides `opened`.
pub const KINDS: [&str; 14] = [
    "told",
    "granted",
    "refused",
    "withdrawn",
    "joined",
    "left",
    "paused",
    "resumed",
    "held",
    "retrieved",
    "hung_up",
    "masked",
    "private",
    "private_ended",
];

/// Why a line cannot be used at all. Says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key it is about, to find the column by.
    pub key: Option<&'static str>,
    /// The column, from 1, if it is known.
    pub column: Option<usize>,
    /// What is wrong, and what to do.
    pub what: String,
}

impl Fault {
    pub(in crate::source) fn of(key: &'static str, what: impl Into<String>) -> Fault {
        Fault { key: Some(key), column: None, what: what.into() }
    }
}

/// The keys of a line and their values; what was `null` is not among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(BTreeMap<&'static str, Value>);

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The call it is about, if it names it.
    pub call: Option<String>,
    /// What it says about the call as a whole.
    pub opened: Opened,
    /// What happened in the call.
    pub happened: Option<Happened>,
}

/// What a line says about a call as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opened {
    /// Wall-clock time of the first sample.
    pub start: Option<Start>,
    /// The agent's channel as the feed knows it.
    pub agent_channel: Option<AgentChannel>,
    /// The call is flagged sensitive (CON-12).
    pub sensitive: Option<bool>,
}

/// Something that happened in a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// When.
    pub at: At,
    /// What. The state of a token is not known yet: `Unverifiable`.
    pub event: Event,
    /// When the token expires, if the line says it.
    pub expires: Option<Timestamp>,
}

/// Takes a line of JSON apart.
pub fn parse_line(line: &[u8]) -> Result<Said, Fault> {
    let fields: Fields = serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).to_owned();
        Fault { key: None, column: Some(error.column().max(1)), what }
    })?;
    fields.said().map_err(|mut fault| {
        fault.column = fault.key.and_then(|key| column_of(line, key));
        fault
    })
}

fn column_of(line: &[u8], key: &str) -> Option<usize> {
    let quoted = format!("\"{key}\"");
    line.windows(quoted.len()).position(|window| window == quoted.as_bytes()).map(|at| at + 1)
}

impl Fields {
    /// Sets a value that came from elsewhere than JSON. A key that nobody knows is returned.
    pub fn set(&mut self, key: &str, value: Value) -> Result<(), String> {
        let known = KEYS.iter().find(|known| **known == key).ok_or_else(|| unknown_key(key))?;
        self.0.insert(known, value);
        Ok(())
    }

    /// What these fields say.
    pub fn said(&self) -> Result<Said, Fault> {
        let opened =
            Opened { start: self.start()?, agent_channel: self.agent_channel()?, sensitive: self.sensitive()? };
        let call = self
            .word("call")
            .map_err(|_| Fault::of("call", "`call` must be the call's NAME, a text of at most 256 bytes"))?;
        let happened = match self.0.get("event") {
            Some(Value::String(kind)) if kind == "opened" => None,
            Some(kind) => Some(self.happened(&kind.as_str().map_or_else(|| kind.to_string(), str::to_owned))?),
            None if opened != Opened::default() && !self.0.contains_key("act") => None,
            None => return Err(Fault { key: None, column: None, what: "the line names no `event`; add it".into() }),
        };
        Ok(Said { call, opened, happened })
    }

    fn happened(&self, kind: &str) -> Result<Happened, Fault> {
        let at = parse_at(self.0.get("at")).map_err(|what| Fault::of("at", what))?;
        let event = self.event(kind)?;
        let expires = match self.0.get("expires") {
            Some(value) => value.as_str().and_then(|text| parse_wall(text).ok()).map(|start| start.at),
            None => None,
        };
        Ok(Happened { at, event, expires })
    }

    fn event(&self, kind: &str) -> Result<Event, Fault> {
        let unusable = |refusal| Event::Unusable { said: shortened(kind), refusal };
        let bad = |_| unusable(Refusal::BadField);
        Ok(match kind {
            "told" => self.told().unwrap_or_else(bad),
            "granted" => self.granted().unwrap_or_else(|refusal| match refusal {
                Refusal::UnknownAct => Event::Unusable { said: self.said_act(), refusal },
                _ => unusable(refusal),
            }),
            "left" => self.party_needed().map(|party| Event::Left { party }).unwrap_or_else(bad),
            "resumed" => Event::Resumed,
            "retrieved" => Event::Retrieved,
            "refused" => Event::Refused { party: self.must(kind, "party", self.party())? },
            "withdrawn" => Event::Withdrawn {
                party: self.must(kind, "party", self.party())?,
                purposes: self.must(kind, "purpose", self.purposes())?,
            },
            "joined" => Event::Joined { party: self.must(kind, "party", self.party_needed())? },
            "paused" => Event::Paused,
            "held" => Event::Held,
            "hung_up" => Event::HungUp,
            "masked" => Event::Masked { seconds: self.seconds()? },
            "private" => Event::Private,
            "private_ended" => Event::PrivateEnded,
            _ if shuts(kind) => {
                let what = format!(
                    "`{}` looks like an event that shuts, but is none of {}; use one of these (in a table, by --map event:CELL=KIND)",
                    shortened(kind),
                    KINDS.join(", ")
                );
                return Err(Fault::of("event", what));
            }
            _ => unusable(Refusal::UnknownEvent),
        })
    }

    /// For events that shut: what cannot be understood stops the call rather than being passed over.
    fn must<T>(&self, kind: &str, key: &'static str, value: Result<T, BadField>) -> Result<T, Fault> {
        value.map_err(|BadField| {
            Fault::of(key, format!("the `{key}` of a `{kind}` event is missing or unusable; give a text of at most {FIELD_BYTES_MAX} bytes"))
        })
    }

    /// Of a mask: a whole number, which a table gives as a text.
    fn seconds(&self) -> Result<u32, Fault> {
        let seconds = match self.0.get("seconds") {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
        seconds.filter(|seconds| (1..=MASK_SECONDS_MAX).contains(seconds)).ok_or_else(|| {
            let what = format!("the `seconds` of a `masked` event are missing or unusable; give a whole number from 1 to {MASK_SECONDS_MAX}");
            Fault::of("seconds", what)
        })
    }

    fn told(&self) -> Result<Event, BadField> {
        let notice = self.word("notice")?.ok_or(BadField)?;
        let version = self.word("version")?.ok_or(BadField)?;
        let party = self.word("party")?.map(PartyId);
        Ok(Event::Told { party, notice: Notice { notice, version, language: self.word("language")? } })
    }

    fn granted(&self) -> Result<Event, Refusal> {
        let act = self.act()?;
        let basis = match (self.word("basis")?, self.word("basis_ref")?) {
            (None, None) => None,
            (basis, basis_ref) => {
                Some(Basis { basis: basis.ok_or(BadField)?, basis_ref: basis_ref.unwrap_or_default() })
            }
        };
        Ok(Event::Granted(Decision { party: self.party()?, act, purposes: self.purposes()?, basis }))
    }

    fn act(&self) -> Result<Act, Refusal> {
        let name = self.word("act")?.ok_or(Refusal::BadField)?;
        Ok(match name.as_str() {
            "dtmf" => Act::Dtmf { digit: self.digit()? },
            "spoken_yes" | "spoken_yes_attested" => {
                Act::SpokenYes { agent: self.word("agent")?, question: self.word("question")? }
            }
            "button" | "agent_button" => Act::Button { agent: self.word("agent")? },
            "api" => Act::Api { source: self.word("source")? },
            "token" | "prior_consent_token" => {
                Act::Token { token: self.word("token")?.ok_or(BadField)?, state: TokenState::Unverifiable }
            }
            _ => return Err(Refusal::UnknownAct),
        })
    }

    fn said_act(&self) -> String {
        let act = self.0.get("act").and_then(Value::as_str).unwrap_or_default();
        shortened(&format!("granted by {act}"))
    }

    fn digit(&self) -> Result<char, BadField> {
        let word = self.word("digit")?.ok_or(BadField)?;
        let mut chars = word.chars();
        match (chars.next(), chars.next()) {
            (Some(digit @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Ok(digit),
            _ => Err(BadField),
        }
    }

    fn party(&self) -> Result<PartyId, BadField> {
        Ok(self.word("party")?.map(PartyId).unwrap_or_default())
    }

    fn party_needed(&self) -> Result<PartyId, BadField> {
        self.word("party")?.map(PartyId).ok_or(BadField)
    }

    /// `purpose` and `purposes` together.
    fn purposes(&self) -> Result<Vec<String>, BadField> {
        let mut purposes: Vec<String> = self.word("purpose")?.into_iter().collect();
        match self.0.get("purposes") {
            None => {}
            Some(Value::Array(values)) => {
                for value in values {
                    purposes.push(word(value)?);
                }
            }
            Some(single) => purposes.push(word(single)?),
        }
        purposes.dedup();
        Ok(purposes)
    }

    fn word(&self, key: &str) -> Result<Option<String>, BadField> {
        self.0.get(key).map(word).transpose()
    }

    fn start(&self) -> Result<Option<Start>, Fault> {
        let Some(value) = self.0.get("start") else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| Fault::of("start", "`start` must be a text, an RFC 3339 time"))?;
        parse_wall(text).map(Some).map_err(|what| Fault::of("start", what))
    }

    fn agent_channel(&self) -> Result<Option<AgentChannel>, Fault> {
        match self.word("agent_channel") {
            Ok(None) => Ok(None),
            Ok(Some(text)) => text.parse().map(Some).map_err(|what: String| Fault::of("agent_channel", what)),
            Err(BadField) => Err(Fault::of("agent_channel", "`agent_channel` must be left, right, or a number from 0")),
        }
    }

    fn sensitive(&self) -> Result<Option<bool>, Fault> {
        match self.0.get("sensitive") {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if ["true", "yes", "1"].contains(&text.as_str()) => Ok(Some(true)),
            Some(Value::String(text)) if ["false", "no", "0"].contains(&text.as_str()) => Ok(Some(false)),
            Some(_) => Err(Fault::of("sensitive", "`sensitive` must be true or false")),
        }
    }
}

/// A field that is missing or unusable.
#[derive(Debug)]
struct BadField;

impl From<BadField> for Refusal {
    fn from(_: BadField) -> Refusal {
        Refusal::BadField
    }
}

/// A text, or a whole number taken as one (versions, digits and ids come either way).
fn word(value: &Value) -> Result<String, BadField> {
    let word = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_u64() => number.to_string(),
        _ => return Err(BadField),
    };
    match word.is_empty() || word.len() > FIELD_BYTES_MAX {
        true => Err(BadField),
        false => Ok(word),
    }
}

fn shortened(text: &str) -> String {
    let end = (0..=FIELD_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].into()
}

fn unknown_key(key: &str) -> String {
    format!("`{}` is no key of an event; the keys are {}", shortened(key), KEYS.join(", "))
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object a line")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        let mut seen = [false; KEYS.len()];
        while let Some(key) = map.next_key::<String>()? {
            let Some(index) = KEYS.iter().position(|known| *known == key) else {
                return Err(A::Error::custom(unknown_key(&key)));
            };
            if std::mem::replace(&mut seen[index], true) {
                return Err(A::Error::custom(format!("the key `{key}` stands twice; which one counts is not guessed")));
            }
            match map.next_value()? {
                Value::Null => {}
                value => drop(fields.0.insert(KEYS[index], value)),
            }
        }
        Ok(fields)
    }
}

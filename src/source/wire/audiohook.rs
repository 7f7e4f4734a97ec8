//! Genesys AudioHook, version 2: the text messages of both directions, and the checks that hold for each of them.
//!
//! A client's message has its number (`seq`), the number of ours that it saw last (`serverseq`) and the place in the
//! stream at which it was sent (`position`, `PT1.2S`); ours have `seq` and `clientseq`.
//!
//! Source: Genesys Cloud, "AudioHook protocol reference"; sessions of the reference client.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::json::{self as common, Fault, Words};

/// Longest text message, bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Longest binary message, bytes. The programs send 200 ms.
pub const BINARY_BYTES_MAX: usize = 64 << 10;
/// The conversation of a probe, which tests the connection and carries no call.
pub const NULL_UUID: &str = "00000000-0000-0000-0000-000000000000";
/// Most formats that an `open` may offer.
const OFFERS_MAX: usize = 16;

/// A message of the client, its envelope checked by [`Sequence::accept`].
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The session.
    pub id: String,
    /// Its number, from 1.
    pub seq: u64,
    /// The number of our last message that the client has seen.
    pub serverseq: u64,
    /// Where the stream stands, nanoseconds of sound.
    pub position_nanos: u64,
    /// What it says.
    pub said: Said,
}

/// What a message of the client says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The session begins.
    Open(Box<Open>),
    /// The session ends; nothing follows but our answer.
    Close,
    /// Are you there?
    Ping,
    /// Nothing is sent from here on.
    Paused,
    /// Sound follows again.
    Resumed {
        /// What was left out, nanoseconds.
        discarded_nanos: u64,
    },
    /// Sound was left out.
    Discarded {
        /// How much, nanoseconds.
        discarded_nanos: u64,
    },
    /// The external participant pressed a key.
    Digit(char),
    /// A message that was to be a key and is none.
    GarbledDigit,
    /// Something about languages, which concerns those who transcribe.
    Update,
    /// The client found an error.
    Error {
        /// Its code, in the manner of HTTP.
        code: u64,
    },
    /// A kind that nobody here knows.
    Unknown,
}

/// How a session begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// The organization, which must be that of the request.
    pub organization_id: String,
    /// The conversation; none for a probe.
    pub conversation_id: Option<String>,
    /// The participant's number. Compared, never kept.
    pub number: Option<String>,
    /// What may be chosen.
    pub offers: Vec<Offer>,
    /// `inputVariables.NAME` and `customConfig.NAME`.
    pub words: Words,
}

/// A format that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Offer {
    /// `audio`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `PCMU` or `L16`.
    pub format: String,
    /// Who, in the order in which their samples lie.
    pub channels: Vec<Channel>,
    /// Samples per second.
    pub rate: u64,
}

/// A participant, seen from the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// The customer.
    External,
    /// The agent.
    Internal,
}

impl Offer {
    /// Whether it is µ-law at 8 kHz.
    pub fn is_pcmu(&self) -> bool {
        self.kind == "audio" && self.format == "PCMU" && self.rate == 8_000
    }

    /// On which channel the agent lies, if both are there and on one channel each.
    pub fn agent_of_both(&self) -> Option<usize> {
        match self.channels[..] {
            [Channel::External, Channel::Internal] => Some(1),
            [Channel::Internal, Channel::External] => Some(0),
            _ => None,
        }
    }

    /// Whether it is the agent alone.
    pub fn is_agent_alone(&self) -> bool {
        self.channels == [Channel::Internal]
    }
}

#[derive(Deserialize)]
struct Wire {
    version: String,
    id: String,
    #[serde(rename = "type")]
    kind: String,
    seq: u64,
    serverseq: u64,
    position: String,
    parameters: Map<String, Value>,
}

/// Takes a message apart.
pub fn parse(text: &str) -> Result<Message, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Fault("the text is longer than 64 KiB"));
    }
    let wire: Wire = serde_json::from_str(text).map_err(|_| Fault("the text is no message of a client"))?;
    if wire.version != "2" {
        return Err(Fault("the message is not of version 2"));
    }
    let position_nanos = duration(&wire.position).ok_or(Fault("the position is no duration"))?;
    let id = common::name(&wire.id).ok_or(Fault("the session's id is no id"))?.to_owned();
    let said = said(&wire.kind, wire.parameters)?;
    Ok(Message { id, seq: wire.seq, serverseq: wire.serverseq, position_nanos, said })
}

fn said(kind: &str, parameters: Map<String, Value>) -> Result<Said, Fault> {
    let text = |key: &str| parameters.get(key).and_then(Value::as_str);
    let span = |key: &str| text(key).and_then(duration).ok_or(Fault("a stretch that is no duration"));
    Ok(match kind {
        "open" => Said::Open(Box::new(open(parameters)?)),
        "close" => Said::Close,
        "ping" => Said::Ping,
        "paused" => Said::Paused,
        "resumed" => Said::Resumed { discarded_nanos: span("discarded")? },
        "discarded" => Said::Discarded { discarded_nanos: span("discarded")? },
        "dtmf" => text("digit").and_then(common::digit).map_or(Said::GarbledDigit, Said::Digit),
        "update" => Said::Update,
        "error" => Said::Error { code: parameters.get("code").and_then(Value::as_u64).unwrap_or(500) },
        _ => Said::Unknown,
    })
}

fn open(mut parameters: Map<String, Value>) -> Result<Open, Fault> {
    let id = |key: &str| parameters.get(key).and_then(Value::as_str).and_then(common::name).map(str::to_owned);
    let organization_id = id("organizationId").ok_or(Fault("an open without its organization"))?;
    let conversation_id = id("conversationId").ok_or(Fault("an open without its conversation"))?;
    let number = parameters.get("participant").and_then(|participant| participant.get("ani")).and_then(Value::as_str);
    let number = number.and_then(common::name).map(str::to_owned);
    let words = common::words(
        &["inputVariables", "customConfig"]
            .into_iter()
            .filter_map(|key| parameters.get(key).map(|value| (key.to_owned(), value.clone())))
            .collect(),
    );
    let media = parameters.remove("media").ok_or(Fault("an open that offers nothing"))?;
    let offers: Vec<Offer> = serde_json::from_value(media).map_err(|_| Fault("an open whose offers cannot be read"))?;
    if offers.len() > OFFERS_MAX {
        return Err(Fault("an open with more than 16 offers"));
    }
    let conversation_id = Some(conversation_id).filter(|id| id != NULL_UUID);
    Ok(Open { organization_id, conversation_id, number, offers, words })
}

/// Nanoseconds of a duration in the one form that the protocol uses, `PT1.2S`. Digits beyond the ninth do not count.
pub fn duration(text: &str) -> Option<u64> {
    let number = text.strip_prefix("PT")?.strip_suffix('S')?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let seconds: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let nanos =
        part.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0'));
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// The numbers of a session, both ways.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    id: Option<String>,
    sent: u64,
    received: u64,
    seen: u64,
    position_nanos: u64,
}

impl Sequence {
    /// Of a session whose id the request named.
    pub fn new(id: Option<String>) -> Sequence {
        Sequence { id, ..Sequence::default() }
    }

    /// Checks the envelope of the next message: one session, no gap, nothing seen that was not sent, no way back.
    pub fn accept(&mut self, message: &Message) -> Result<(), Fault> {
        if *self.id.get_or_insert_with(|| message.id.clone()) != message.id {
            return Err(Fault("the message is of another session"));
        }
        if message.seq != self.received + 1 {
            return Err(Fault("the message's number is not the next one"));
        }
        if message.serverseq > self.sent || message.serverseq < self.seen {
            return Err(Fault("the message has seen what was not sent, or less than before"));
        }
        if message.position_nanos < self.position_nanos {
            return Err(Fault("the stream's position goes back"));
        }
        self.received = message.seq;
        self.seen = message.serverseq;
        self.position_nanos = message.position_nanos;
        Ok(())
    }

    /// The next message to the client.
    pub fn message(&mut self, kind: &str, parameters: Value) -> String {
        self.sent += 1;
        let id = self.id.as_deref().unwrap_or(NULL_UUID);
        let (seq, clientseq) = (self.sent, self.received);
        json!({"version": "2", "type": kind, "id": id, "seq": seq, "clientseq": clientseq, "parameters": parameters})
            .to_string()
    }
}

/// The parameters of `opened`.
pub fn opened(chosen: Option<&Offer>, start_paused: bool) -> Value {
    let media: Vec<Value> = chosen
        .map(|offer| {
            let channels = offer.channels.iter().map(|channel| match channel {
                Channel::External => "external",
                Channel::Internal => "internal",
            });
            json!({"type": offer.kind, "format": offer.format, "channels": channels.collect::<Vec<_>>(), "rate": offer.rate})
        })
        .into_iter()
        .collect();
    json!({"media": media, "startPaused": start_paused})
}

#[cfg(test)]
#[path = "audiohook_tests.rs"]
mod tests;

//! Asterisk's `chan_websocket`: text messages, JSON or the older plain lines; what is binary is sound as it is coded.
//!
//! What names a call is the channel. The query string of the connection does not: with Asterisk's `v(a=b)` the values of
//! one call were seen in those of later ones.
//!
//! Source: Asterisk documentation, "WebSocket channel driver".

use serde_json::{Map, Value};

use super::json::{self, Fault, Words};
use super::sample::Encoding;

/// Longest text message, bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Longest binary message, bytes: Asterisk sends at most 65,500.
pub const BINARY_BYTES_MAX: usize = 65_536;

/// A message of Asterisk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The channel's sound begins.
    Start(Start),
    /// A key was pressed and let go.
    Digit(char),
    /// Something that does not matter to who only listens.
    Other,
}

/// How a channel's sound begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The connection's name in `websocket_client.conf`, or a random one of a connection to Asterisk.
    pub connection_id: Option<String>,
    /// The channel's name.
    pub channel: Option<String>,
    /// The channel's unique id.
    pub channel_id: String,
    /// How its sound is coded.
    pub encoding: Encoding,
    /// Samples per second.
    pub rate_hz: u32,
    /// The channel's variables; none in plain lines.
    pub variables: Words,
}

/// Takes a text message apart.
pub fn parse(text: &str) -> Result<Message, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Fault("the message is longer than 64 KiB"));
    }
    let (event, fields) = match text.trim_start().starts_with('{') {
        true => from_json(text)?,
        false => from_line(text)?,
    };
    let field = |key: &str| fields.0.get(key).and_then(|text| json::name(text)).map(str::to_owned);
    Ok(match event.as_str() {
        "MEDIA_START" => {
            let format = field("format").ok_or(Fault("a MEDIA_START without its format"))?;
            let (encoding, rate_hz) = coding(&format).ok_or(Fault("a format that is neither ulaw, alaw nor slin"))?;
            Message::Start(Start {
                connection_id: field("connection_id"),
                channel: field("channel"),
                channel_id: field("channel_id").ok_or(Fault("a MEDIA_START without its channel_id"))?,
                encoding,
                rate_hz,
                variables: fields.1,
            })
        }
        "DTMF_END" => {
            let digit = fields.0.get("digit").and_then(|text| json::digit(text));
            Message::Digit(digit.ok_or(Fault("a DTMF_END without a key of a telephone"))?)
        }
        _ => Message::Other,
    })
}

/// Its event, its fields, and the channel's variables.
type Taken = (String, (Words, Words));

fn from_json(text: &str) -> Result<Taken, Fault> {
    let object: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| Fault("the message begins like JSON and is none"))?;
    // Asterisk calls it `event`; its own commands are called `command`.
    let event = object.get("event").and_then(Value::as_str).ok_or(Fault("a message without its event"))?;
    let variables = object.get("channel_variables").and_then(Value::as_object).map(json::words).unwrap_or_default();
    Ok((event.to_owned(), (json::words(&object), variables)))
}

/// `MEDIA_START connection_id:rec1 channel:WebSocket/rec1/0x7f5f format:ulaw …`
fn from_line(text: &str) -> Result<Taken, Fault> {
    let mut parts = text.split_ascii_whitespace();
    let event = parts.next().ok_or(Fault("an empty message"))?;
    let fields = parts.take(json::WORDS_MAX).filter_map(|part| part.split_once(':'));
    let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Ok((event.to_owned(), (fields, Words::new())))
}

/// Asterisk's names of uncompressed formats. Signed linear is little-endian, as on the machines that it runs on.
pub fn coding(format: &str) -> Option<(Encoding, u32)> {
    Some(match format {
        "ulaw" => (Encoding::Mulaw, 8_000),
        "alaw" => (Encoding::Alaw, 8_000),
        "slin" | "slin8" => (Encoding::S16, 8_000),
        "slin12" => (Encoding::S16, 12_000),
        "slin16" => (Encoding::S16, 16_000),
        "slin24" => (Encoding::S16, 24_000),
        "slin32" => (Encoding::S16, 32_000),
        "slin44" => (Encoding::S16, 44_100),
        "slin48" => (Encoding::S16, 48_000),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"event":"MEDIA_START","connection_id":"rec1","channel":"WebSocket/rec1/0x7f5f5c00bc30","channel_id":"1795289909.33","format":"slin16","optimal_frame_size":640,"ptime":20,"channel_variables":{"DIALEDPEERNUMBER":"rec1/c(slin16)f(json)d(in)v(call=123,side=agent)","MEDIA_WEBSOCKET_CONNECTION_ID":"rec1","MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE":"640"}}"#;
    const PLAIN: &str = "MEDIA_START connection_id:rec1 channel:WebSocket/rec1/0x7f5f60013460 channel_id:1795289919.36 format:ulaw optimal_frame_size:160 ptime:20";

    fn started(text: &str) -> Start {
        match parse(text).unwrap() {
            Message::Start(start) => start,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn json_and_plain_lines_say_the_same() {
        let (json, plain) = (started(JSON), started(PLAIN));
        assert_eq!((json.encoding, json.rate_hz), (Encoding::S16, 16_000));
        assert_eq!((plain.encoding, plain.rate_hz), (Encoding::Mulaw, 8_000));
        assert_eq!(json.connection_id, plain.connection_id);
        assert_eq!((json.channel_id.as_str(), plain.channel_id.as_str()), ("1795289909.33", "1795289919.36"));
        assert_eq!(json.channel.as_deref(), Some("WebSocket/rec1/0x7f5f5c00bc30"));
        assert_eq!(json.variables.get("MEDIA_WEBSOCKET_CONNECTION_ID").map(String::as_str), Some("rec1"));
        assert!(plain.variables.is_empty());
    }

    #[test]
    fn a_key_is_a_key_in_either_form() {
        assert_eq!(
            parse(r##"{"event":"DTMF_END","channel_id":"1795289909.33","digit":"#"}"##),
            Ok(Message::Digit('#'))
        );
        assert_eq!(parse("DTMF_END digit:1 channel_id:1795289919.36"), Ok(Message::Digit('1')));
        assert!(parse("DTMF_END channel_id:1795289919.36").is_err());
        assert!(parse(r#"{"event":"DTMF_END","digit":"one"}"#).is_err());
    }

    #[test]
    fn what_does_not_matter_is_told_from_what_is_broken() {
        assert_eq!(parse("MEDIA_XON"), Ok(Message::Other));
        assert_eq!(parse(r#"{"event":"STATUS","queue_length":3}"#), Ok(Message::Other));
        let bad = ["", "{", r#"{"command":"HANGUP"}"#, "MEDIA_START format:ulaw", "MEDIA_START channel_id:1"];
        for text in bad {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&PLAIN.replace("ulaw", "opus")).is_err(), "compressed sound is not guessed at");
        assert!(parse(&PLAIN.replace("ulaw", "slin192")).is_err());
    }
}

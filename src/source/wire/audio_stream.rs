//! FreeSWITCH's `mod_audio_stream` and `mod_audio_fork`, and jambonz' `listen`: a first text with what is known of the
//! call, then binary 16-bit sound. Texts in between are whatever the dialplan sends; keys come as `dtmf` events.
//!
//! The first text is free: JSON, or a plain word. jambonz puts `callSid`, `sampleRate` and `mixType` into it.
//!
//! Source: captured sessions of mod_audio_stream; jambonz documentation, "listen".

use serde_json::{Map, Value};

use super::json::{self, Fault, Words};

/// Longest text message, bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Longest binary message, bytes: more than 5 s of stereo at 48 kHz.
pub const BINARY_BYTES_MAX: usize = 1 << 20;

/// The first text of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The text itself, if it is no JSON object and could be a name.
    pub plain: Option<String>,
    /// What the object holds, flat.
    pub words: Words,
    /// Samples per second, if it says so (`sampleRate`).
    pub rate_hz: Option<u32>,
    /// How the parties lie in the sound, if it says so (`mixType`).
    pub mix: Option<Mix>,
}

/// How the parties lie in the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// The party on the leg alone.
    Mono,
    /// Both, on channels of their own.
    Stereo,
    /// Both in one channel: nobody can take them apart.
    Mixed,
}

/// A text after the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// A key was pressed.
    Digit(char),
    /// An event that was to be a key and is none.
    Garbled,
    /// Something else, which means nothing here.
    Other,
}

/// Takes the first text apart.
pub fn parse_first(text: &str) -> Result<Metadata, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Fault("the first text is longer than 64 KiB"));
    }
    if !text.trim_start().starts_with('{') {
        return Ok(Metadata { plain: json::name(text).map(str::to_owned), ..Metadata::default() });
    }
    let object: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| Fault("the first text begins like JSON and is none"))?;
    let words = json::words(&object);
    let rate_hz = match words.get("sampleRate").or_else(|| words.get("sample_rate")) {
        Some(text) => Some(text.parse().map_err(|_| Fault("its sampleRate is no number"))?),
        None => None,
    };
    let mix = match words.get("mixType").or_else(|| words.get("mix_type")).map(String::as_str) {
        None => None,
        Some("mono") => Some(Mix::Mono),
        Some("stereo") => Some(Mix::Stereo),
        Some("mixed") => Some(Mix::Mixed),
        Some(_) => return Err(Fault("its mixType is none of mono, stereo, mixed")),
    };
    Ok(Metadata { plain: None, words, rate_hz, mix })
}

/// Takes a later text apart: `{"event":"dtmf","digit":"1"}`, or `{"event":"dtmf","dtmf":"1","duration":"1600"}`.
pub fn parse(text: &str) -> Text {
    if text.len() > TEXT_BYTES_MAX {
        return Text::Other;
    }
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else { return Text::Other };
    if object.get("event").and_then(Value::as_str) != Some("dtmf") {
        return Text::Other;
    }
    let words = json::words(&object);
    let keys = [words.get("digit"), words.get("dtmf")];
    match keys.map(|key| key.map(|text| json::digit(text))) {
        [Some(Some(digit)), None] | [None, Some(Some(digit))] => Text::Digit(digit),
        [Some(Some(one)), Some(Some(other))] if one == other => Text::Digit(one),
        _ => Text::Garbled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_text_is_json_or_a_word() {
        let json = parse_first(r#"{"call":"42","side":"agent"}"#).unwrap();
        assert_eq!(json.words.get("call").map(String::as_str), Some("42"));
        assert_eq!((json.plain, json.rate_hz, json.mix), (None, None, None));
        assert_eq!(parse_first("meta").unwrap().plain.as_deref(), Some("meta"));
        assert_eq!(parse_first("a\0b").unwrap(), Metadata::default());
        assert!(parse_first(r#"{"call":"#).is_err());
    }

    #[test]
    fn jambonz_says_how_its_sound_is_laid_out() {
        let first = r#"{"callSid":"f3c5","direction":"inbound","sampleRate":16000,"mixType":"stereo","customerData":{"call":"7"}}"#;
        let metadata = parse_first(first).unwrap();
        assert_eq!((metadata.rate_hz, metadata.mix), (Some(16_000), Some(Mix::Stereo)));
        assert_eq!(metadata.words.get("customerData.call").map(String::as_str), Some("7"));
        assert_eq!(parse_first(&first.replace("stereo", "mixed")).unwrap().mix, Some(Mix::Mixed));
        assert!(parse_first(&first.replace("stereo", "quadro")).is_err());
        assert!(parse_first(&first.replace("16000", "\"fast\"")).is_err());
    }

    #[test]
    fn keys_come_in_two_forms_and_must_be_keys() {
        assert_eq!(parse(r#"{"event":"dtmf","digit":"1"}"#), Text::Digit('1'));
        assert_eq!(parse(r#"{"event":"dtmf","dtmf":"*","duration":"1600"}"#), Text::Digit('*'));
        assert_eq!(parse(r#"{"event":"dtmf","digit":1}"#), Text::Digit('1'));
        assert_eq!(parse(r#"{"event":"dtmf","digit":"1","dtmf":"2"}"#), Text::Garbled);
        assert_eq!(parse(r#"{"event":"dtmf"}"#), Text::Garbled);
        for other in ["bye", "", "{", "[1]", r#"{"event":"mark"}"#, "1"] {
            assert_eq!(parse(other), Text::Other, "{other}");
        }
    }
}

//! What the JSON of several protocols has in common: numbers that come as texts, keys of a telephone, flat lists of
//! what a switch knows of a call.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

/// Longest text that a switch's list may hold for one key, bytes. Longer ones are left out.
pub const WORD_BYTES_MAX: usize = 256;
/// Most keys of a switch's list that are kept.
pub const WORDS_MAX: usize = 64;

/// What a switch knows of a call: names and short texts.
pub type Words = BTreeMap<String, String>;

/// Why a message cannot be used. Says what is wrong; no part of the message is repeated, it may hold personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub &'static str);

/// A key of a telephone: one of the sixteen. Small letters are taken for capitals.
pub fn digit(text: &str) -> Option<char> {
    let mut chars = text.chars();
    match (chars.next().map(|c| c.to_ascii_uppercase()), chars.next()) {
        (Some(digit @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Some(digit),
        _ => None,
    }
}

/// The short texts of an object: its own, its numbers and truth values as text, and those of an object inside it as
/// `outer.inner`. What is too long or too much is left out.
pub fn words(object: &Map<String, Value>) -> Words {
    let mut words = Words::new();
    for (key, value) in object {
        match value {
            Value::Object(inner) => {
                for (inner_key, value) in inner {
                    keep(&mut words, format!("{key}.{inner_key}"), value);
                }
            }
            _ => keep(&mut words, key.clone(), value),
        }
    }
    words
}

fn keep(words: &mut Words, key: String, value: &Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return,
    };
    let short = key.len() <= WORD_BYTES_MAX && text.len() <= WORD_BYTES_MAX;
    if short && words.len() < WORDS_MAX {
        words.insert(key, text);
    }
}

/// A word that can name a call: not empty, short, and without control characters.
pub fn name(text: &str) -> Option<&str> {
    let text = text.trim();
    let usable = !text.is_empty() && text.len() <= WORD_BYTES_MAX && !text.chars().any(char::is_control);
    usable.then_some(text)
}

/// A whole number, which some programs write as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        let number = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.map(Number).ok_or_else(|| D::Error::custom("no whole number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_keys_and_no_other() {
        assert_eq!("0123456789*#ABCDabcd".chars().filter(|c| digit(&c.to_string()).is_some()).count(), 20);
        assert_eq!(digit("d"), Some('D'));
        assert!(["", "12", "E", "+", "１"].iter().all(|text| digit(text).is_none()));
    }

    #[test]
    fn a_list_is_flat_and_bounded() {
        let long = "x".repeat(WORD_BYTES_MAX + 1);
        let text = format!(r#"{{"a":"1","b":2,"c":true,"d":null,"e":[1],"f":{{"g":"h","i":{{}}}},"l":"{long}"}}"#);
        let words = words(&serde_json::from_str(&text).unwrap());
        let expected = [("a", "1"), ("b", "2"), ("c", "true"), ("f.g", "h")];
        assert_eq!(words, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        let many: Map<String, Value> = (0..1_000).map(|n| (n.to_string(), Value::Bool(true))).collect();
        assert_eq!(super::words(&many).len(), WORDS_MAX);
    }

    #[test]
    fn a_name_is_short_and_plain() {
        assert_eq!(name(" 42 "), Some("42"));
        assert!(["", "  ", "a\nb", &"x".repeat(WORD_BYTES_MAX + 1)].iter().all(|text| name(text).is_none()));
    }
}

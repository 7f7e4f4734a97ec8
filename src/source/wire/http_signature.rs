//! HTTP message signatures as AudioHook uses them: HMAC-SHA256 over the request line, the host and the headers that
//! name organization, session and key.
//!
//! A signature is good once: its nonce is remembered for as long as it could be used again. A request without one, with
//! an unknown parameter, or with a header given twice is refused; nothing is taken leniently here.
//!
//! Source: RFC 9421; Genesys Cloud, "AudioHook: security".

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Oldest signature that is taken, seconds.
pub const AGE_MAX_S: u64 = 10;
/// How far the client's clock may be ahead of ours, seconds.
pub const SKEW_MAX_S: u64 = 3;
/// Shortest nonce, characters: 128 bits in base64.
pub const NONCE_CHARS_MIN: usize = 22;
/// Most nonces that are remembered: 5,000 sessions a second for as long as a signature lives.
pub const NONCES_MAX: usize = 65_536;
/// Longest header that is looked at, bytes.
const HEADER_BYTES_MAX: usize = 4_096;
/// Most components that a signature may cover.
const COMPONENTS_MAX: usize = 32;

/// What a signature must cover.
pub const REQUIRED: [&str; 6] = [
    "@request-target",
    "@authority",
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    "x-api-key",
];

/// The secrets by the key's id.
#[derive(Clone, Default)]
pub struct Keys(BTreeMap<String, Zeroizing<Vec<u8>>>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// Adds one. The secret is base64, as the switch's configuration shows it.
    pub fn add(&mut self, id: &str, secret: &str) -> Result<(), &'static str> {
        let secret = STANDARD.decode(secret.trim()).map_err(|_| "a client secret is base64")?;
        if secret.len() < 16 {
            return Err("a client secret has at least 16 bytes");
        }
        self.0.insert(id.into(), Zeroizing::new(secret));
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What of a request is signed.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Path and query, as they stood in the request line.
    pub target: &'a str,
    /// Host and port, as the client named them.
    pub authority: &'a str,
    /// Names in small letters, and values.
    pub headers: &'a [(String, String)],
}

/// Why a request is refused. Tells nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has no signature.
    #[error("the request is not signed")]
    Unsigned,
    /// It has one that cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// It does not cover what it must.
    #[error("the signature does not cover what it must")]
    NotCovered,
    /// It is too old, or from the future.
    #[error("the signature is too old or not yet valid; do the clocks agree?")]
    OutOfTime,
    /// It was used before.
    #[error("the signature was used before")]
    Replayed,
    /// It was not made with the key.
    #[error("the signature does not fit")]
    Wrong,
}

/// Verifies requests, and remembers what was used.
#[derive(Debug, Default)]
pub struct Verifier {
    keys: Keys,
    /// Digest of a nonce → when it can be forgotten, seconds.
    used: HashMap<[u8; 32], u64>,
}

impl Verifier {
    /// With these keys.
    pub fn new(keys: Keys) -> Verifier {
        Verifier { keys, used: HashMap::new() }
    }

    /// Whether the request was signed by one who has a key, just now, and for the first time. `now_s`: seconds since 1970.
    pub fn verify(&mut self, request: &Request<'_>, now_s: u64) -> Result<(), Refused> {
        let header = |name: &str| one_header(request.headers, name);
        let (Some(input), Some(signature)) = (header("signature-input")?, header("signature")?) else {
            return Err(Refused::Unsigned);
        };
        let input = Input::parse(input)?;
        let signature = signature_of(signature, &input.label)?;
        if !REQUIRED.iter().all(|name| input.components.iter().any(|covered| covered == name)) {
            return Err(Refused::NotCovered);
        }
        input.in_time(now_s)?;
        let keyid = input.text("keyid").ok_or(Refused::Malformed("the signature names no key"))?;
        let nonce = input.text("nonce").filter(|nonce| nonce.chars().count() >= NONCE_CHARS_MIN);
        let nonce = nonce.ok_or(Refused::Malformed("the signature's nonce is missing or too short"))?;
        if header("x-api-key")? != Some(keyid) || input.text("alg").is_some_and(|alg| alg != "hmac-sha256") {
            return Err(Refused::Malformed(
                "the signature's key is not that of the request, or its algorithm is unknown",
            ));
        }
        let base = input.base(request)?;
        // An unknown key takes as long as a known one.
        let (known, secret) = match self.keys.0.get(keyid) {
            Some(secret) => (true, secret.as_slice()),
            None => (false, [0; 32].as_slice()),
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| Refused::Wrong)?;
        mac.update(base.as_bytes());
        // Compares in constant time.
        if mac.verify_slice(&signature).is_err() || !known {
            return Err(Refused::Wrong);
        }
        self.remember(nonce, now_s)
    }

    fn remember(&mut self, nonce: &str, now_s: u64) -> Result<(), Refused> {
        if self.used.len() >= NONCES_MAX {
            self.used.retain(|_, until| *until >= now_s);
        }
        let full = self.used.len() >= NONCES_MAX;
        let digest = blake3::hash(nonce.as_bytes()).into();
        match self.used.get(&digest) {
            Some(until) if *until >= now_s => Err(Refused::Replayed),
            _ if full => Err(Refused::Replayed), // what cannot be remembered cannot be told from a replay
            _ => {
                self.used.insert(digest, now_s + AGE_MAX_S + SKEW_MAX_S);
                Ok(())
            }
        }
    }
}

fn one_header<'a>(headers: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Refused> {
    let mut values = headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.trim());
    match (values.next(), values.next()) {
        (Some(value), None) if value.len() <= HEADER_BYTES_MAX => Ok(Some(value)),
        (None, _) => Ok(None),
        _ => Err(Refused::Malformed("a signed header is given twice or too long")),
    }
}

/// `sig1=:BASE64:`
fn signature_of(header: &str, label: &str) -> Result<Vec<u8>, Refused> {
    let malformed = Refused::Malformed("the signature header cannot be read");
    let value = header.strip_prefix(label).and_then(|rest| rest.strip_prefix("=:"));
    let value = value.and_then(|rest| rest.strip_suffix(':')).ok_or(malformed)?;
    STANDARD.decode(value).map_err(|_| malformed)
}

/// `sig1=("a" "b");keyid="…";created=1`
struct Input {
    label: String,
    components: Vec<String>,
    parameters: Vec<(String, Value)>,
}

enum Value {
    Text(String),
    Number(u64),
}

impl Input {
    fn parse(header: &str) -> Result<Input, Refused> {
        Input::read(header).ok_or(Refused::Malformed("the signature's input cannot be read"))
    }

    fn read(header: &str) -> Option<Input> {
        let (label, rest) = header.split_once('=')?;
        let plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.*".contains(&b))
        };
        let mut rest = rest.strip_prefix('(')?;
        let mut components: Vec<String> = Vec::new();
        while !rest.starts_with(')') {
            let (component, after) = quoted(rest.trim_start_matches(' '))?;
            if components.len() == COMPONENTS_MAX || components.contains(&component) {
                return None;
            }
            components.push(component);
            rest = after;
        }
        rest = &rest[1..];
        let mut parameters: Vec<(String, Value)> = Vec::new();
        while !rest.is_empty() {
            let (key, after) = rest.strip_prefix(';')?.split_once('=')?;
            let known = ["keyid", "nonce", "alg", "created", "expires"].contains(&key);
            if !known || parameters.iter().any(|(before, _)| before == key) {
                return None;
            }
            let (value, after) = match after.starts_with('"') {
                true => quoted(after).map(|(text, after)| (Value::Text(text), after))?,
                false => {
                    let end = after.find(';').unwrap_or(after.len());
                    let digits = Some(&after[..end]).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
                    (Value::Number(digits.parse().ok()?), &after[end..])
                }
            };
            parameters.push((key.to_owned(), value));
            rest = after;
        }
        plain(label).then(|| Input { label: label.into(), components, parameters })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find_map(|(key, value)| match value {
            Value::Text(text) if key == name => Some(text.as_str()),
            _ => None,
        })
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.parameters.iter().find_map(|(key, value)| match value {
            Value::Number(number) if key == name => Some(*number),
            _ => None,
        })
    }

    fn in_time(&self, now_s: u64) -> Result<(), Refused> {
        let created =
            self.number("created").ok_or(Refused::Malformed("the signature does not say when it was made"))?;
        let expired = self.number("expires").is_some_and(|expires| expires < now_s);
        if created > now_s.saturating_add(SKEW_MAX_S) || created.saturating_add(AGE_MAX_S) < now_s || expired {
            return Err(Refused::OutOfTime);
        }
        Ok(())
    }

    /// What was signed: a line for each component, and the parameters as they are written canonically.
    fn base(&self, request: &Request<'_>) -> Result<String, Refused> {
        let mut base = String::new();
        for component in &self.components {
            let value = match component.as_str() {
                "@request-target" => request.target,
                "@authority" => request.authority,
                name if name.starts_with('@') => {
                    return Err(Refused::Malformed("the signature covers an unknown part"));
                }
                name => one_header(request.headers, name)?.ok_or(Refused::NotCovered)?,
            };
            base.push_str(&format!("\"{component}\": {value}\n"));
        }
        let components: Vec<String> = self.components.iter().map(|name| format!("\"{name}\"")).collect();
        base.push_str(&format!("\"@signature-params\": ({})", components.join(" ")));
        for (key, value) in &self.parameters {
            base.push_str(&match value {
                Value::Text(text) => format!(";{key}=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
                Value::Number(number) => format!(";{key}={number}"),
            });
        }
        Ok(base)
    }
}

/// A string in quotes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next().map(|(_, c)| c).filter(|c| ['"', '\\'].contains(c))?),
            ' '..='~' => value.push(c),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
#[path = "http_signature_tests.rs"]
mod tests;

//! Which UUID is which party of which call: announced over HTTP, or written to a file by the switch.
//!
//! A UUID is the only thing that an AudioSocket connection says of itself, so whose voice it carries is known from here
//! or not at all: nothing is guessed from the order of connections.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Expected;
use crate::source::exchange::{Declined, Expecting, Party};

/// How long an announced call is expected.
const EXPECTED_FOR: Duration = Duration::from_secs(24 * 3_600);
/// Parties that are expected at a time, at most.
const EXPECTED_MAX: usize = 200_000;
/// Longest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Longest name of a call, bytes.
const NAME_BYTES_MAX: usize = 200;

/// A UUID.
pub type Id = [u8; 16];

/// The parties that are expected.
pub struct Registry {
    file: Option<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    announced: HashMap<Id, (Expected, Instant)>,
    listed: HashMap<Id, Expected>,
    /// When the file was changed that was read last.
    read: Option<SystemTime>,
}

/// A call as it is announced.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Announced {
    call: String,
    /// The UUID of the connection with the agent's sound.
    agent: String,
    /// That of the customer's; without it the call is recorded as the agent's alone.
    #[serde(default)]
    customer: Option<String>,
    /// Whose call it is, for staff rules.
    #[serde(default)]
    agent_id: Option<String>,
    /// The customer's number: compared with the never-record list, never stored.
    #[serde(default)]
    number: Option<String>,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    sensitive: bool,
}

impl Registry {
    /// A registry with this file, if there is one: a JSON object a line, as it would be announced. It is read again
    /// whenever it has changed and a UUID is not known.
    pub fn new(file: Option<PathBuf>) -> Registry {
        Registry { file, known: Mutex::default() }
    }

    /// Who that is. May read the file.
    pub fn find(&self, id: &Id) -> Option<Expected> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = |known: &Known| {
            let announced = known.announced.get(id).filter(|(_, until)| *until > Instant::now());
            announced.map(|(expected, _)| expected).or_else(|| known.listed.get(id)).cloned()
        };
        if let Some(expected) = found(&known) {
            return Some(expected);
        }
        known.read_again(self.file.as_deref()?);
        found(&known)
    }

    fn announce(&self, wanted: Map<String, Value>) -> Result<Value, Declined> {
        let parties = parties(Value::Object(wanted)).map_err(|why| Declined::new("body", why))?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        known.announced.retain(|_, (_, until)| *until > now);
        if known.announced.len() + parties.len() > EXPECTED_MAX {
            return Err(Declined::new("limit", format!("{EXPECTED_MAX} connections are expected, which is the limit")));
        }
        let other = |(id, expected): &&(Id, Expected)| {
            known.announced.get(id).is_some_and(|(before, _)| before.call != expected.call)
        };
        if let Some((_, expected)) = parties.iter().find(other) {
            let why = format!("a UUID of `{}` is that of another call", expected.call);
            return Err(Declined::new("exists", why));
        }
        let call = parties[0].1.call.clone();
        known.announced.extend(parties.into_iter().map(|(id, expected)| (id, (expected, now + EXPECTED_FOR))));
        Ok(json!({ "call": call }))
    }
}

impl Known {
    fn read_again(&mut self, file: &Path) {
        let Ok(meta) = std::fs::metadata(file) else { return };
        let changed = meta.modified().ok();
        if !meta.is_file() || meta.len() > FILE_BYTES_MAX || (changed.is_some() && changed == self.read) {
            return;
        }
        let Ok(text) = std::fs::read_to_string(file) else { return };
        self.read = changed;
        // A line that cannot be used says nothing of the others: a switch may be just writing the last one.
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        self.listed = lines.filter_map(|line| parties(line).ok()).flatten().take(EXPECTED_MAX).collect();
    }
}

impl Expecting for Registry {
    fn expect(&self, wanted: Map<String, Value>) -> Result<Value, Declined> {
        self.announce(wanted)
    }

    fn forget(&self, call: &str) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.announced.len();
        known.announced.retain(|_, (expected, _)| expected.call != call);
        known.announced.len() < before
    }
}

/// The parties of an announced call, each with its UUID.
fn parties(wanted: Value) -> Result<Vec<(Id, Expected)>, String> {
    let call: Announced = serde_json::from_value(wanted).map_err(|error| error.to_string())?;
    if call.call.is_empty() || call.call.len() > NAME_BYTES_MAX {
        return Err(format!("`call` must be a name of 1 to {NAME_BYTES_MAX} bytes"));
    }
    let alone = call.customer.is_none();
    let expected = |party| Expected {
        call: call.call.clone(),
        party,
        alone,
        agent_id: call.agent_id.clone(),
        number: call.number.clone(),
        private: call.private,
        sensitive: call.sensitive,
    };
    let mut parties = vec![(uuid(&call.agent)?, expected(Party::Agent))];
    if let Some(customer) = &call.customer {
        let id = uuid(customer)?;
        if id == parties[0].0 {
            return Err("`agent` and `customer` must be two UUIDs: one connection carries one party".into());
        }
        parties.push((id, expected(Party::Customer)));
    }
    Ok(parties)
}

/// Reads a UUID, with or without dashes.
fn uuid(text: &str) -> Result<Id, String> {
    let digits: Vec<u8> = text
        .trim()
        .chars()
        .filter(|letter| *letter != '-')
        .map_while(|letter| letter.to_digit(16))
        .map(|d| d as u8)
        .collect();
    let letters = text.trim().chars().filter(|letter| *letter != '-').count();
    let mut id = [0; 16];
    if digits.len() != 32 || letters != 32 {
        return Err("`agent` and `customer` must be UUIDs".into());
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "40325ec2-5efd-4bd3-805f-53576e581d13";
    const CUSTOMER: &str = "40325EC25EFD4BD3805F53576E581D14";

    fn announced(registry: &Registry, wanted: Value) -> Result<Value, Declined> {
        registry.expect(wanted.as_object().unwrap().clone())
    }

    #[test]
    fn a_party_is_found_by_its_uuid_until_it_is_forgotten() {
        let registry = Registry::new(None);
        assert!(registry.find(&uuid(AGENT).unwrap()).is_none());
        announced(&registry, json!({ "call": "c1", "agent": AGENT, "customer": CUSTOMER, "agent_id": "a7" })).unwrap();
        let agent = registry.find(&uuid(AGENT).unwrap()).unwrap();
        let customer = registry.find(&uuid(CUSTOMER).unwrap()).unwrap();
        assert_eq!((agent.party, customer.party, agent.alone), (Party::Agent, Party::Customer, false));
        assert_eq!((agent.call.as_str(), agent.agent_id.as_deref()), ("c1", Some("a7")));
        assert!(registry.forget("c1") && !registry.forget("c1"));
        assert!(registry.find(&uuid(AGENT).unwrap()).is_none());
    }

    #[test]
    fn what_does_not_tell_the_sides_apart_is_refused() {
        let registry = Registry::new(None);
        for wanted in [
            json!({ "call": "c", "agent": AGENT, "customer": AGENT }),
            json!({ "call": "c", "customer": CUSTOMER }),
            json!({ "call": "c", "agent": "4032" }),
            json!({ "call": "c", "agent": "40325ec2-5efd-4bd3-805f-53576e581dzz" }),
            json!({ "call": "", "agent": AGENT }),
            json!({ "call": "c", "agent": AGENT, "left": CUSTOMER }),
        ] {
            assert_eq!(announced(&registry, wanted.clone()).unwrap_err().reason, "body", "{wanted}");
        }
        announced(&registry, json!({ "call": "c", "agent": AGENT })).unwrap();
        let taken = announced(&registry, json!({ "call": "d", "agent": CUSTOMER, "customer": AGENT }));
        assert_eq!(taken.unwrap_err().reason, "exists");
    }
}

//! What the keys of a telephone mean, as written and resolved: `[keys]` of the configuration file (CON-18, PAY-03).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ConfigError, Origin};
use crate::policy::keys::{AgentKey, CustomerKey, Keys, QUESTION_S};

/// `[keys]` as written.
///
/// ```toml
/// [keys]
/// question_s = 20              # from the end of the announcement on
/// "1" = "grant"                # for the store's purposes; or { grant = ["training"] }
/// "2" = "refuse"
/// "9" = "withdraw"
/// agent = { "*" = "pause", "#" = "resume" }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RawKeys {
    /// How long the question stays open after the announcement, seconds.
    pub question_s: Option<u32>,
    /// The agent's keys: `pause` or `resume`.
    #[serde(default)]
    pub agent: BTreeMap<String, String>,
    /// The customer's.
    #[serde(flatten)]
    pub customer: BTreeMap<String, RawKey>,
}

/// What one key means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum RawKey {
    /// `grant`, `refuse` or `withdraw`.
    Word(String),
    /// A grant for purposes of its own.
    Grant {
        /// Which.
        grant: Vec<String>,
    },
}

impl RawKeys {
    /// The map in force, of a store that records for these purposes.
    pub fn resolve(&self, purposes: Option<&[String]>) -> Result<Keys, ConfigError> {
        let customer = |(key, meaning): (&String, &RawKey)| {
            let digit = digit(key)?;
            let meaning = match meaning {
                RawKey::Grant { grant } => CustomerKey::Grant(grant.clone()),
                RawKey::Word(word) => match word.as_str() {
                    "grant" => CustomerKey::Grant(purposes.unwrap_or_default().to_vec()),
                    "refuse" => CustomerKey::Refuse,
                    "withdraw" => CustomerKey::Withdraw,
                    other => {
                        return Err(bad(format!("`{other}` is no meaning of key {key}: grant, refuse, withdraw are")));
                    }
                },
            };
            Ok((digit, meaning))
        };
        let agent = |(key, meaning): (&String, &String)| match meaning.as_str() {
            "pause" => Ok((digit(key)?, AgentKey::Pause)),
            "resume" => Ok((digit(key)?, AgentKey::Resume)),
            other => Err(bad(format!("`{other}` is no meaning of the agent's key {key}: pause, resume are"))),
        };
        let customer = self.customer.iter().map(customer).collect::<Result<_, _>>()?;
        let agent = self.agent.iter().map(agent).collect::<Result<_, _>>()?;
        Keys::new(self.question_s.unwrap_or(QUESTION_S), customer, agent).map_err(|error| bad(error.to_string()))
    }
}

fn digit(key: &str) -> Result<char, ConfigError> {
    Keys::parse(key).map_err(|error| bad(error.to_string()))
}

fn bad(message: String) -> ConfigError {
    ConfigError::BadValue { key: "keys", origin: Origin::File, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Keys, ConfigError> {
        toml::from_str::<RawKeys>(text).expect("the table can be read").resolve(Some(&["training".to_owned()]))
    }

    #[test]
    fn a_profile_maps_digits() {
        let text = "question_s = 12\n1 = \"grant\"\n3 = { grant = [\"quality\"] }\n9 = \"withdraw\"\nagent = { \"*\" = \"pause\" }";
        let keys = read(text).unwrap();
        assert_eq!(keys.question_s(), 12);
        assert_eq!(keys.customer('1'), Some(&CustomerKey::Grant(vec!["training".into()])));
        assert_eq!(keys.customer('3'), Some(&CustomerKey::Grant(vec!["quality".into()])));
        assert_eq!(keys.customer('9'), Some(&CustomerKey::Withdraw));
        assert_eq!((keys.agent('*'), keys.agent('#')), (Some(AgentKey::Pause), None));
        assert_eq!(read("").unwrap().question_s(), QUESTION_S);
    }

    #[test]
    fn what_is_no_key_or_no_meaning_is_refused_by_name() {
        for (text, named) in [
            ("1 = \"yes\"", "`yes`"),
            ("question = \"9\"", "`question`"),
            ("1 = \"grant\"", "take back"),
            ("agent = { 1 = \"grant\" }", "`grant`"),
            ("1 = { grant = [] }\n2 = \"refuse\"", "grants nothing"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
        let nothing = toml::from_str::<RawKeys>("1 = \"grant\"\n2 = \"refuse\"").unwrap().resolve(None);
        assert!(nothing.is_err(), "a yes to nothing");
    }
}

//! What of a switch's metadata is heeded: the keys with agent and number, and the word that means consent.

use serde::Deserialize;

use super::bad;
use crate::config::ConfigError;
use crate::consent::Notice;
use crate::source::metadata::{ConsentWord, Heeded};

/// `consent` of a source, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConsent {
    /// The key of the metadata.
    pub key: Option<String>,
    /// The one value that means yes.
    pub yes: Option<String>,
    /// What for.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// The announcement that the switch's flow had played by then.
    pub notice: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its language.
    pub language: Option<String>,
}

/// What is heeded.
pub fn heeded(
    agent_key: Option<&String>,
    number_key: Option<&String>,
    consent: Option<&RawConsent>,
) -> Result<Heeded, ConfigError> {
    let consent = consent.map(RawConsent::resolve).transpose()?;
    Ok(Heeded { agent_key: agent_key.cloned(), number_key: number_key.cloned(), consent })
}

impl RawConsent {
    fn resolve(&self) -> Result<ConsentWord, ConfigError> {
        let needed = |key: &'static str, value: &Option<String>| {
            let value = value.clone().filter(|value| !value.is_empty());
            value.ok_or_else(|| bad(key, "a word that means consent has `key`, `yes` and `purposes`"))
        };
        if self.purposes.is_empty() || self.purposes.iter().any(String::is_empty) {
            return Err(bad("consent.purposes", "a grant without a purpose is no consent (CON-04); name them"));
        }
        let notice = match (&self.notice, &self.version) {
            (None, None) => None,
            (Some(notice), Some(version)) => {
                Some(Notice { notice: notice.clone(), version: version.clone(), language: self.language.clone() })
            }
            _ => return Err(bad("consent.notice", "an announcement has `notice` and `version` (INF-05)")),
        };
        Ok(ConsentWord {
            key: needed("consent.key", &self.key)?,
            yes: needed("consent.yes", &self.yes)?,
            purposes: self.purposes.clone(),
            notice,
        })
    }
}

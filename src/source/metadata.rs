//! What a switch's own metadata says about a call beyond its sound: its name, its agent, its customer's number, and, only
//! if the configuration names the word, consent.

use super::wire::json::{Words, name};
use crate::consent::{Act, Decision, Event, Notice, PartyId};

/// By what a call is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFrom {
    /// The switch's own id of it: channel, call or conversation.
    Id,
    /// The connection's id.
    Connection,
    /// The first text as a whole.
    Text,
    /// The value of a key.
    Key(String),
}

impl CallFrom {
    /// Reads `id`, `connection`, `text`, `key:NAME`.
    pub fn parse(text: &str) -> Option<CallFrom> {
        Some(match text {
            "id" => CallFrom::Id,
            "connection" => CallFrom::Connection,
            "text" => CallFrom::Text,
            _ => CallFrom::Key(text.strip_prefix("key:").filter(|key| !key.is_empty())?.to_owned()),
        })
    }
}

/// What of a switch's metadata is heeded. Nothing that is not named here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heeded {
    /// The key with the agent's id: staff rules are looked up by it.
    pub agent_key: Option<String>,
    /// The key with the customer's number: compared with the list of never-recorded ones, kept nowhere.
    pub number_key: Option<String>,
    /// The word that means consent.
    pub consent: Option<ConsentWord>,
}

impl Heeded {
    /// The agent's id.
    pub fn agent(&self, words: &Words) -> Option<String> {
        word(words, self.agent_key.as_deref())
    }

    /// The customer's number.
    pub fn number(&self, words: &Words) -> Option<String> {
        word(words, self.number_key.as_deref())
    }

    /// What the metadata says about consent.
    pub fn events(&self, words: &Words, source: &str) -> Vec<Event> {
        self.consent.as_ref().map(|consent| consent.events(words, source)).unwrap_or_default()
    }
}

fn word(words: &Words, key: Option<&str>) -> Option<String> {
    words.get(key?).and_then(|text| name(text)).map(str::to_owned)
}

/// A word of the switch's metadata that reports an act of the customer's before the stream began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentWord {
    /// The key.
    pub key: String,
    /// The one value that means yes.
    pub yes: String,
    /// What for.
    pub purposes: Vec<String>,
    /// The announcement that the customer had heard by then (INF-01), if the switch's flow plays one.
    pub notice: Option<Notice>,
}

impl ConsentWord {
    /// Nothing if the key is absent; a grant if its value is the one that means yes; anything else is a no.
    fn events(&self, words: &Words, source: &str) -> Vec<Event> {
        let Some(value) = words.get(&self.key) else { return Vec::new() };
        if *value != self.yes {
            return vec![Event::Refused { party: PartyId::default() }];
        }
        let told = self.notice.clone().map(|notice| Event::Told { party: None, notice });
        let granted = Event::Granted(Decision {
            party: PartyId::default(),
            act: Act::Api { source: Some(source.into()) },
            purposes: self.purposes.clone(),
            basis: None,
        });
        told.into_iter().chain([granted]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heeded() -> Heeded {
        let notice = Notice { notice: "ivr".into(), version: "3".into(), language: None };
        let consent = ConsentWord {
            key: "inputVariables.consent".into(),
            yes: "yes".into(),
            purposes: vec!["qa".into()],
            notice: Some(notice),
        };
        Heeded { agent_key: Some("agent".into()), number_key: None, consent: Some(consent) }
    }

    fn words(list: &[(&str, &str)]) -> Words {
        list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn silence_says_nothing_yes_grants_and_anything_else_refuses() {
        let events = |value: &str| heeded().events(&words(&[("inputVariables.consent", value)]), "audiohook");
        assert!(matches!(&events("yes")[..], [Event::Told { .. }, Event::Granted(_)]));
        for no in ["no", "YES", "", "true", "yes "] {
            assert!(matches!(&events(no)[..], [Event::Refused { .. }]), "{no}");
        }
        assert!(heeded().events(&words(&[("consent", "yes")]), "audiohook").is_empty());
        assert!(Heeded::default().events(&words(&[("inputVariables.consent", "yes")]), "audiohook").is_empty());
    }

    #[test]
    fn only_what_is_named_is_heeded() {
        let words = words(&[("agent", "7"), ("number", "+49")]);
        assert_eq!((heeded().agent(&words).as_deref(), heeded().number(&words)), (Some("7"), None));
    }

    #[test]
    fn a_call_is_named_by_what_the_configuration_says() {
        assert_eq!(CallFrom::parse("id"), Some(CallFrom::Id));
        assert_eq!(CallFrom::parse("key:callSid"), Some(CallFrom::Key("callSid".into())));
        assert!(["", "key:", "path", "callSid"].iter().all(|text| CallFrom::parse(text).is_none()));
    }
}

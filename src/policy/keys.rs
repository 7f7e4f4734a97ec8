//! What the keys of a telephone mean: a profile maps digits (CON-18, PAY-03).
//!
//! A key that is not in the map means nothing, and is not put on record either: it may be part of a card's number.

use std::collections::BTreeMap;

use thiserror::Error;

/// How long a question stays open after the announcement, unless the profile says otherwise, seconds.
pub const QUESTION_S: u32 = 20;
/// The shortest and the longest, seconds.
pub const QUESTION_RANGE_S: [u32; 2] = [1, 600];
/// The keys that there are.
const DIGITS: &str = "0123456789*#ABCD";

/// What a key of the customer's means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerKey {
    /// Yes, for these purposes. Only while the question is open.
    Grant(Vec<String>),
    /// No.
    Refuse,
    /// No more.
    Withdraw,
}

/// What a key of the agent's means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentKey {
    /// Recording of both sides pauses.
    Pause,
    /// It goes on.
    Resume,
}

/// The map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// How long the question stays open after the announcement, seconds.
    question_s: u32,
    customer: BTreeMap<char, CustomerKey>,
    agent: BTreeMap<char, AgentKey>,
}

/// What is wrong with a map.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeysError {
    /// Not a key.
    #[error("`{0}` is no key of a telephone; 0 to 9, *, # and A to D are")]
    NoKey(String),
    /// A yes to nothing.
    #[error("key {0} grants nothing: name the purposes, of the key or of the store (CON-04)")]
    NoPurpose(char),
    /// A question that nobody can answer, or that never ends.
    #[error("question_s = {0} is not possible; {least} to {most} s are", least = QUESTION_RANGE_S[0], most = QUESTION_RANGE_S[1])]
    Question(u32),
    /// A yes without a way of taking it back.
    #[error("key {0} grants and no key refuses or withdraws: a yes must be as easy to take back (GDPR 7(3))")]
    NoWayBack(char),
}

impl Keys {
    /// A map of these keys.
    pub fn new(
        question_s: u32,
        customer: BTreeMap<char, CustomerKey>,
        agent: BTreeMap<char, AgentKey>,
    ) -> Result<Keys, KeysError> {
        if !(QUESTION_RANGE_S[0]..=QUESTION_RANGE_S[1]).contains(&question_s) {
            return Err(KeysError::Question(question_s));
        }
        let no_key = |digit: &&char| !DIGITS.contains(**digit);
        if let Some(digit) = customer.keys().chain(agent.keys()).find(no_key) {
            return Err(KeysError::NoKey(digit.to_string()));
        }
        let grants = |(digit, key): (&char, &CustomerKey)| match key {
            CustomerKey::Grant(purposes) => Some((*digit, purposes.iter().all(|purpose| purpose.trim().is_empty()))),
            CustomerKey::Refuse | CustomerKey::Withdraw => None,
        };
        if let Some((digit, _)) = customer.iter().filter_map(grants).find(|(_, nothing)| *nothing) {
            return Err(KeysError::NoPurpose(digit));
        }
        let back = customer.values().any(|key| matches!(key, CustomerKey::Refuse | CustomerKey::Withdraw));
        if let Some((digit, _)) = customer.iter().filter_map(grants).next().filter(|_| !back) {
            return Err(KeysError::NoWayBack(digit));
        }
        Ok(Keys { question_s, customer, agent })
    }

    /// The key that a text names.
    pub fn parse(text: &str) -> Result<char, KeysError> {
        let mut letters = text.trim().chars();
        match (letters.next().map(|letter| letter.to_ascii_uppercase()), letters.next()) {
            (Some(digit), None) if DIGITS.contains(digit) => Ok(digit),
            _ => Err(KeysError::NoKey(text.into())),
        }
    }

    /// How long the question stays open after the announcement, seconds.
    pub fn question_s(&self) -> u32 {
        self.question_s
    }

    /// What a key of the customer's means, if anything.
    pub fn customer(&self, digit: char) -> Option<&CustomerKey> {
        self.customer.get(&digit.to_ascii_uppercase())
    }

    /// The customer's keys, and what each means.
    pub fn customers(&self) -> impl Iterator<Item = (char, &CustomerKey)> {
        self.customer.iter().map(|(digit, key)| (*digit, key))
    }

    /// The agent's keys, and what each means.
    pub fn agents(&self) -> impl Iterator<Item = (char, AgentKey)> {
        self.agent.iter().map(|(digit, key)| (*digit, *key))
    }

    /// What a key of the agent's means, if anything.
    pub fn agent(&self, digit: char) -> Option<AgentKey> {
        self.agent.get(&digit.to_ascii_uppercase()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> CustomerKey {
        CustomerKey::Grant(vec!["training".into()])
    }

    #[test]
    fn a_map_grants_for_purposes_and_has_a_way_back() {
        let keys =
            |customer: &[(char, CustomerKey)]| Keys::new(20, customer.iter().cloned().collect(), BTreeMap::new());
        assert_eq!(keys(&[('1', grant())]), Err(KeysError::NoWayBack('1')));
        assert_eq!(
            keys(&[('1', CustomerKey::Grant(vec![" ".into()])), ('2', CustomerKey::Refuse)]),
            Err(KeysError::NoPurpose('1'))
        );
        assert_eq!(keys(&[('x', CustomerKey::Refuse)]), Err(KeysError::NoKey("x".into())));
        let whole = keys(&[('1', grant()), ('9', CustomerKey::Withdraw)]).unwrap();
        assert_eq!((whole.customer('1'), whole.customer('3'), whole.agent('1')), (Some(&grant()), None, None));
    }

    #[test]
    fn keys_are_read_and_the_question_has_an_end() {
        assert_eq!(Keys::parse(" d "), Ok('D'));
        assert_eq!(Keys::parse("12"), Err(KeysError::NoKey("12".into())));
        for seconds in [0, 601] {
            assert_eq!(Keys::new(seconds, BTreeMap::new(), BTreeMap::new()), Err(KeysError::Question(seconds)));
        }
    }
}

//! Numbers of which no call is recorded (SEL-06): family doctors, union lines, private contacts.

use std::collections::HashSet;

/// Fewer digits than this are compared whole: they are internal extensions.
const EXTENSION_DIGITS_MAX: usize = 6;
/// Digits from the end that two ways of writing one number have in common: without country and trunk prefix.
const COMMON_DIGITS: usize = 8;

/// The list, as digits.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NeverRecord(HashSet<String>);

/// How many; not which.
impl std::fmt::Debug for NeverRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} numbers", self.0.len())
    }
}

impl NeverRecord {
    /// Reads a list, one number a line; what follows a `#` does not count.
    pub fn parse(text: &str) -> NeverRecord {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        NeverRecord(lines.map(key).filter(|key| !key.is_empty()).collect())
    }

    /// Whether a number is on it, however it is written: with country code, trunk prefix or spaces. In doubt it is:
    /// two numbers with the same last eight digits count as one.
    pub fn has(&self, number: &str) -> bool {
        let key = key(number);
        !key.is_empty() && self.0.contains(&key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn key(number: &str) -> String {
    // sip:+46701234567@host;user=phone
    let user = number.trim();
    let user = user.split_once(':').map_or(user, |(_, rest)| rest).split(['@', ';']).next().unwrap_or_default();
    let digits: String = user.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    match digits.len() {
        n if n <= EXTENSION_DIGITS_MAX => digits.to_owned(),
        n => digits[n.saturating_sub(COMMON_DIGITS)..].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_is_known_in_all_its_spellings() {
        let list = NeverRecord::parse("# private\n+46 70-123 45 67 # doctor\n\n4711\n");
        for number in ["0701234567", "+46701234567", "0046 70 123 45 67", "sip:+46701234567@pbx;user=phone", "04711"] {
            assert!(list.has(number), "{number}");
        }
        for number in ["0701234568", "14711", "", "sip:anonymous@pbx"] {
            assert!(!list.has(number), "{number}");
        }
        assert_eq!((list.len(), format!("{list:?}")), (2, "2 numbers".into()));
    }
}

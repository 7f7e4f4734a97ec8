//! Pairs of mono files, told by two patterns: `*-agent.wav:*-customer.wav`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use super::inputs::{Input, InputError, Sound};
use super::names::{self, Found};

/// The two patterns of `--pair`, the agent's first. Each has one `*`; what it matches is the call's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairPattern {
    agent: Pattern,
    customer: Pattern,
}

impl PairPattern {
    /// Whether a path below an INPUT is one of its sides.
    pub fn matches(&self, below: &str) -> bool {
        self.agent.name(below).or_else(|| self.customer.name(below)).is_some()
    }
}

impl FromStr for PairPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<PairPattern, String> {
        let wrong = || {
            format!(
                "`{text}` is no pair of patterns: give AGENT:CUSTOMER with one * in each, for instance '*-agent.wav:*-customer.wav'"
            )
        };
        let (agent, customer) = text.split_once(':').filter(|(_, rest)| !rest.contains(':')).ok_or_else(wrong)?;
        let pair = PairPattern {
            agent: Pattern::new(agent).ok_or_else(wrong)?,
            customer: Pattern::new(customer).ok_or_else(wrong)?,
        };
        match pair.agent == pair.customer {
            true => Err(format!("`{text}`: both sides have the same pattern, so nothing tells them apart")),
            false => Ok(pair),
        }
    }
}

/// A pattern with one `*`. With a `/` it is held against the whole path below the INPUT, without against the file name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    before: String,
    behind: String,
}

impl Pattern {
    fn new(text: &str) -> Option<Pattern> {
        let (before, behind) = text.split_once('*')?;
        (!behind.contains('*')).then(|| Pattern { before: before.into(), behind: behind.into() })
    }

    fn spans_directories(&self) -> bool {
        self.before.contains('/') || self.behind.contains('/')
    }

    /// The name of the call whose side this path is, if it matches.
    fn name(&self, below: &str) -> Option<String> {
        let (directory, file) = match below.rfind('/') {
            Some(at) if !self.spans_directories() => below.split_at(at + 1),
            _ => ("", below),
        };
        let star = file.strip_prefix(self.before.as_str())?.strip_suffix(self.behind.as_str())?;
        (!star.is_empty()).then(|| format!("{directory}{star}"))
    }

    fn path(&self, name: &str) -> String {
        let (directory, star) = match name.rfind('/') {
            Some(at) if !self.spans_directories() => name.split_at(at + 1),
            _ => ("", name),
        };
        format!("{directory}{}{star}{}", self.before, self.behind)
    }

    /// Literal characters: where both patterns match, the one that says more decides.
    fn weight(&self) -> usize {
        self.before.len() + self.behind.len()
    }
}

#[derive(Default)]
struct Sides {
    agent: Option<PathBuf>,
    customer: Option<PathBuf>,
}

/// Makes pairs of what was found. A half pair is an error; what matches neither pattern is passed over.
pub(super) fn pair_up(
    found: Vec<Found>,
    pattern: &PairPattern,
    offset_s: f64,
    passed_over: &mut Vec<PathBuf>,
) -> Result<Vec<Input>, InputError> {
    let mut pairs: BTreeMap<String, Sides> = BTreeMap::new();
    for file in found {
        let Some((name, side)) = side_of(&file, pattern)? else {
            passed_over.push(file.path);
            continue;
        };
        let sides = pairs.entry(name.clone()).or_default();
        let slot = if side == "agent" { &mut sides.agent } else { &mut sides.customer };
        match slot.replace(file.path.clone()) {
            Some(first) if first != file.path => {
                return Err(InputError::PairTwice { name, side, first, second: file.path });
            }
            _ => {}
        }
    }
    pairs.into_iter().map(|(name, sides)| join(name, sides, pattern, offset_s)).collect()
}

fn side_of(file: &Found, pattern: &PairPattern) -> Result<Option<(String, &'static str)>, InputError> {
    let agent = pattern.agent.name(&file.below);
    let customer = pattern.customer.name(&file.below);
    Ok(match (agent, customer) {
        (None, None) => None,
        (Some(name), None) => Some((name, "agent")),
        (None, Some(name)) => Some((name, "customer")),
        (Some(agent), Some(customer)) => match pattern.agent.weight().cmp(&pattern.customer.weight()) {
            std::cmp::Ordering::Greater => Some((agent, "agent")),
            std::cmp::Ordering::Less => Some((customer, "customer")),
            std::cmp::Ordering::Equal => {
                let what = "it matches both patterns of --pair, so whose side it is cannot be told".into();
                return Err(InputError::Name { path: file.path.clone(), what });
            }
        },
    })
}

fn join(name: String, sides: Sides, pattern: &PairPattern, offset_s: f64) -> Result<Input, InputError> {
    match (sides.agent, sides.customer) {
        (Some(agent), Some(customer)) => {
            let events = names::events_beside(&agent, &name);
            Ok(Input { name, sound: Sound::Pair { agent, customer, offset_s }, events })
        }
        (Some(present), None) => {
            Err(InputError::HalfPair { present, missing: "customer", wanted: pattern.customer.path(&name) })
        }
        (None, present) => Err(InputError::HalfPair {
            present: present.unwrap_or_default(),
            missing: "agent",
            wanted: pattern.agent.path(&name),
        }),
    }
}

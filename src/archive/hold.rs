//! Holds: calls that neither retention nor erasure may touch, each with a reason, a person, and a day of review.
//!
//! The list is a file of JSON Lines, one hold a line:
//! `{"call":"NAME","reason":"dispute 17","by":"legal","review":"2027-01-31"}`. A hold without a day of review is
//! refused (HLD-03), and it touches the named call only (HLD-02). Empty lines are passed over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Largest list that is read, bytes.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// A hold on one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The call's name.
    pub call: String,
    /// Why it must stay.
    pub reason: String,
    /// Who says so.
    pub by: String,
    /// When somebody has to look at it again.
    pub review: Date,
}

/// All holds in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds(Vec<Hold>);

/// Why a list of holds cannot be used. With a list that is not understood nothing may be erased.
#[derive(Debug, Error)]
pub enum HoldError {
    /// It cannot be read.
    #[error("{file}: cannot read the hold list: {source}; nothing is erased without it")]
    Io {
        /// The list.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is no hold.
    #[error(
        "{file}: line {line}: {why}; a hold is \
         {{\"call\":\"NAME\",\"reason\":\"…\",\"by\":\"…\",\"review\":\"2027-01-31\"}}, all four needed"
    )]
    Line {
        /// The list.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

impl Holds {
    /// These holds.
    pub fn new(holds: Vec<Hold>) -> Holds {
        Holds(holds)
    }

    /// Reads a list.
    pub fn read(file: &Path) -> Result<Holds, HoldError> {
        let unreadable = |source| HoldError::Io { file: file.into(), source };
        if fs::metadata(file).map_err(unreadable)?.len() > LIST_BYTES_MAX {
            return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than any hold list")));
        }
        let text = fs::read_to_string(file).map_err(unreadable)?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let holds = lines.map(|(index, line)| {
            Hold::parse(line).map_err(|why| HoldError::Line { file: file.into(), line: index + 1, why })
        });
        holds.collect::<Result<_, _>>().map(Holds)
    }

    /// The hold on a call, if there is one.
    pub fn of(&self, call: &str) -> Option<&Hold> {
        self.0.iter().find(|hold| hold.call == call)
    }

    /// All holds, as listed.
    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.0.iter()
    }

    /// Holds whose day of review has passed: they still hold, but somebody has to look (HLD-03).
    pub fn overdue(&self, today: Date) -> impl Iterator<Item = &Hold> {
        self.0.iter().filter(move |hold| hold.review < today)
    }
}

impl Hold {
    fn parse(line: &str) -> Result<Hold, String> {
        let hold: Hold = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let blank = [&hold.call, &hold.reason, &hold.by].iter().any(|field| field.trim().is_empty());
        if blank { Err("a field is empty".into()) } else { Ok(hold) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::Scratch;

    fn read(text: &str) -> Result<Holds, HoldError> {
        let scratch = Scratch::new();
        let file = scratch.path().join("holds.jsonl");
        fs::write(&file, text).unwrap();
        Holds::read(&file)
    }

    #[test]
    fn a_hold_names_its_call_and_no_other() {
        let holds =
            read("\n{\"call\":\"mon/a\",\"reason\":\"dispute\",\"by\":\"legal\",\"review\":\"2027-01-31\"}\n").unwrap();
        assert_eq!(holds.of("mon/a").unwrap().reason, "dispute");
        assert!(holds.of("mon/ab").is_none() && holds.of("a").is_none());
    }

    #[test]
    fn a_hold_without_a_day_of_review_is_refused_with_its_line() {
        let good = r#"{"call":"a","reason":"r","by":"b","review":"2027-01-31"}"#;
        for bad in [
            r#"{"call":"a","reason":"r","by":"b"}"#,
            r#"{"call":"a","reason":"r","by":"b","review":""}"#,
            r#"{"call":"a","reason":"r","by":"b","review":"2027-02-30"}"#,
            r#"{"call":"a","reason":" ","by":"b","review":"2027-01-31"}"#,
            r#"{"call":"a","reason":"r","by":"b","review":"2027-01-31","until":"x"}"#,
            "a,r,b,2027-01-31",
        ] {
            let refused = read(&format!("{good}\n{bad}\n"));
            assert!(matches!(refused, Err(HoldError::Line { line: 2, .. })), "{bad}: {refused:?}");
        }
    }

    #[test]
    fn a_hold_is_overdue_the_day_after_its_review() {
        let holds = read(r#"{"call":"a","reason":"r","by":"b","review":"2027-01-31"}"#).unwrap();
        assert_eq!(holds.overdue(jiff::civil::date(2027, 1, 31)).count(), 0);
        assert_eq!(holds.overdue(jiff::civil::date(2027, 2, 1)).count(), 1);
    }
}

//! `batch.json`: what the last run over the directory did, call by call, sealed like a manifest.
//!
//! It tells nothing that depends on when the run took place or how often it was interrupted, so the run that
//! completes an interrupted one leaves the same bytes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::files;
use super::manifest::read_record;
use super::name::SUMMARY;
use super::sealed;
use crate::call::CallResult;

/// The format's name and version.
pub const FORMAT: &str = "oneside-batch/1";

/// The summary of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// [`FORMAT`].
    pub format: String,
    /// The calls that stand, by name.
    pub calls: Vec<CallLine>,
    /// The inputs that could not be processed, by name.
    pub errors: Vec<ErrorLine>,
    /// Counted of the lines above, but for the inputs that remain, which were looked for.
    pub totals: Totals,
    /// BLAKE3 over all other bytes of the file.
    #[serde(serialize_with = "sealed::blank")]
    pub seal: String,
}

/// A call that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallLine {
    /// The call's name.
    pub name: String,
    /// How it ended.
    pub result: CallResult,
    /// The seal of its manifest.
    pub manifest: String,
    /// The codes of what was found.
    pub findings: Vec<String>,
    /// Whether a track of the customer's stands.
    pub customer_stored: bool,
    /// Whether the input is still there, and with it the customer's voice.
    pub input_remains: bool,
}

/// An input that could not be processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorLine {
    /// The input as it was given, or its call's name where names are hashed.
    pub input: String,
    /// Why not, with the place in the file where there is one.
    pub cause: String,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Calls that stand.
    pub calls: u64,
    /// Of these, recorded.
    pub recorded: u64,
    /// Of these, quarantined.
    pub quarantined: u64,
    /// Of these, with a track of the customer's.
    pub customer_stored: u64,
    /// Inputs that could not be processed.
    pub errors: u64,
    /// Inputs that still hold the customer's voice. Those that could not be processed, were not begun, or are of calls
    /// that were erased are among them, so it is no sum over the lines.
    pub inputs_remaining: u64,
}

impl Summary {
    /// The summary of these calls and errors, in the order of their names.
    pub fn new(mut calls: Vec<CallLine>, mut errors: Vec<ErrorLine>) -> Summary {
        calls.sort_by(|one, other| one.name.cmp(&other.name));
        errors.sort_by(|one, other| (&one.input, &one.cause).cmp(&(&other.input, &other.cause)));
        let totals = Totals::of(&calls, &errors);
        Summary { format: FORMAT.into(), calls, errors, totals, seal: String::new() }
    }

    /// The summary without one call: what is left of an erased call is its receipt alone (RET-07).
    pub fn without(self, call: &str) -> Summary {
        let Summary { mut calls, errors, totals, .. } = self;
        calls.retain(|line| line.name != call);
        // The erasure takes no input away.
        Summary::new(calls, errors).with_inputs_remaining(totals.inputs_remaining)
    }

    /// The summary with the number of inputs that were found to be there still.
    pub fn with_inputs_remaining(mut self, inputs: u64) -> Summary {
        self.totals.inputs_remaining = inputs;
        self
    }

    /// The summary as it stands in its file, sealed anew.
    pub fn to_text(&self) -> String {
        sealed::to_text(self)
    }

    /// Where the summary of a directory stands.
    pub fn file(dir: &Path) -> PathBuf {
        dir.join(SUMMARY)
    }

    /// Puts the summary in its place, durably.
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        files::write_text(&Summary::file(dir), &self.to_text())
    }

    /// Takes the last run's summary away: a run that begins makes it untrue.
    pub fn remove(dir: &Path) -> Result<(), StoreError> {
        match files::remove(&Summary::file(dir))? {
            true => files::sync_dir(dir),
            false => Ok(()),
        }
    }

    /// Reads the summary of a directory, if there is one; its seal must be whole.
    pub fn read(dir: &Path) -> Result<Option<Summary>, StoreError> {
        let file = Summary::file(dir);
        if !file.exists() {
            return Ok(None);
        }
        let text = read_record(&file)?;
        Summary::parse(&text).map(Some).map_err(|why| StoreError::Record { file, why })
    }

    /// Reads a summary's text; its seal must be whole. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Summary, String> {
        sealed::check_seal(text)?;
        sealed::parse(text)
    }
}

impl Totals {
    /// Counts lines; of the inputs it takes those to remain that the lines say so of.
    pub fn of(calls: &[CallLine], errors: &[ErrorLine]) -> Totals {
        let count = |wanted: fn(&CallLine) -> bool| calls.iter().filter(|line| wanted(line)).count() as u64;
        Totals {
            calls: calls.len() as u64,
            recorded: count(|line| line.result == CallResult::Recorded),
            quarantined: count(|line| line.result == CallResult::Quarantined),
            customer_stored: count(|line| line.customer_stored),
            errors: errors.len() as u64,
            inputs_remaining: count(|line| line.input_remains) + errors.len() as u64,
        }
    }
}

/// Two totals are the same where they count the same lines. The inputs that remain are left out: some of them have no
/// line, so nobody can count them again.
impl PartialEq for Totals {
    fn eq(&self, other: &Totals) -> bool {
        let counted = |totals: &Totals| {
            (totals.calls, totals.recorded, totals.quarantined, totals.customer_stored, totals.errors)
        };
        counted(self) == counted(other)
    }
}

impl Eq for Totals {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::Scratch;

    fn line(name: &str) -> CallLine {
        CallLine {
            name: name.into(),
            result: CallResult::Recorded,
            manifest: "0".repeat(64),
            findings: vec![],
            customer_stored: name == "b",
            input_remains: true,
        }
    }

    #[test]
    fn the_order_in_which_jobs_finished_leaves_no_trace() {
        let one = Summary::new(vec![line("a"), line("b")], vec![]).to_text();
        assert_eq!(one, Summary::new(vec![line("b"), line("a")], vec![]).to_text());
    }

    #[test]
    fn a_summary_is_read_as_it_was_written_and_removed_for_good() {
        let scratch = Scratch::new();
        assert_eq!(Summary::read(scratch.path()).unwrap(), None);
        let error = ErrorLine { input: "x.wav".into(), cause: "no header at byte 0".into() };
        let summary = Summary::new(vec![line("a"), line("b")], vec![error]);
        assert_eq!((summary.totals.calls, summary.totals.customer_stored, summary.totals.inputs_remaining), (2, 1, 3));
        summary.write(scratch.path()).unwrap();
        let mut read = Summary::read(scratch.path()).unwrap().unwrap();
        read.seal.clear();
        assert_eq!(read, summary);
        let without = read.with_inputs_remaining(5).without("b");
        assert_eq!((without.totals.customer_stored, without.totals.inputs_remaining), (0, 5));
        Summary::remove(scratch.path()).unwrap();
        assert_eq!(Summary::read(scratch.path()).unwrap(), None);
    }
}

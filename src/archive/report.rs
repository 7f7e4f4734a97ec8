//! What a verification found: which file, where in it, and what it means.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The store is sound; something about it should be looked at.
    Warning,
    /// Something is not as it was written, or not as it may be.
    Error,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Its stable name.
    pub code: &'static str,
    /// The file, below the directory that was verified.
    pub file: PathBuf,
    /// Where in the file: a line, an entry, a byte, a sample; absent if it is the whole of it.
    pub place: Option<String>,
    /// What it means, for people.
    pub what: String,
}

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Calls whose manifest was checked.
    pub calls: u64,
    /// Receipts of erasure that were checked.
    pub receipts: u64,
    /// Output files that were read.
    pub files: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// What is not as it should be, file by file.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether everything is as it was written and as it may be. Warnings do not count.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Warning)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Findings about one file, as they come up.
pub(super) struct Notes<'a> {
    file: PathBuf,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Notes<'a> {
    /// Notes about the file at this path below the directory.
    pub(super) fn about(file: impl AsRef<Path>, findings: &'a mut Vec<Finding>) -> Notes<'a> {
        Notes { file: file.as_ref().into(), findings }
    }

    /// The whole file is wrong.
    pub(super) fn error(&mut self, code: &'static str, what: impl Into<String>) {
        self.note(Severity::Error, code, None, what.into());
    }

    /// The file is wrong at a place.
    pub(super) fn error_at(&mut self, code: &'static str, place: impl Into<String>, what: impl Into<String>) {
        self.note(Severity::Error, code, Some(place.into()), what.into());
    }

    /// Something about the file should be looked at.
    pub(super) fn warning(&mut self, code: &'static str, what: impl Into<String>) {
        self.note(Severity::Warning, code, None, what.into());
    }

    fn note(&mut self, severity: Severity, code: &'static str, place: Option<String>, what: String) {
        self.findings.push(Finding { severity, code, file: self.file.clone(), place, what });
    }
}

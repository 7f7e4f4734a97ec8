//! How the files of a call are called. One place: the writer, the verifier and the eraser must agree.
//!
//! Of a call `NAME` (which may contain `/`): `NAME.json`, `NAME.agent.wav`, `NAME.customer.wav`, `NAME.speech.wav`,
//! `NAME.timeline.csv`, `NAME.svg`, `NAME.inputs.jsonl`, and `NAME.erased.json` once something of it was erased.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::StoreError;

/// The summary of the last run, in the directory itself.
pub const SUMMARY: &str = "batch.json";
/// What follows a call's name in its manifest.
pub const MANIFEST_SUFFIX: &str = ".json";
/// What follows a call's name in its receipt of erasure.
pub const RECEIPT_SUFFIX: &str = ".erased.json";
/// Longest call name, bytes.
pub const NAME_BYTES_MAX: usize = 1_024;

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The agent's track, as long as the input.
    Agent,
    /// The customer's track, as long as the input, zero outside the grants.
    Customer,
    /// The agent's speech alone, end to end.
    Speech,
    /// Where each piece of the speech came from.
    Timeline,
    /// The picture of the call.
    Picture,
    /// What a live call was made of, but for its sound: enough to make it again over the same sound.
    Inputs,
}

impl Kind {
    /// All kinds, in the order in which manifests list them.
    pub const ALL: [Kind; 6] = [Kind::Agent, Kind::Customer, Kind::Speech, Kind::Timeline, Kind::Picture, Kind::Inputs];

    /// What follows the call's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Kind::Agent => ".agent.wav",
            Kind::Customer => ".customer.wav",
            Kind::Speech => ".speech.wav",
            Kind::Timeline => ".timeline.csv",
            Kind::Picture => ".svg",
            Kind::Inputs => ".inputs.jsonl",
        }
    }

    /// What it is called in the directory of a call in hand.
    pub(super) fn bare_name(self) -> &'static str {
        &self.suffix()[1..]
    }

    /// Whether it is a sound file (its digest is that of `digest`), or text (plain BLAKE3).
    pub fn is_sound(self) -> bool {
        matches!(self, Kind::Agent | Kind::Customer | Kind::Speech)
    }
}

/// A call's place: the directory of the store and the call's name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    dir: PathBuf,
    name: String,
}

impl Place {
    /// The place of call `name` in `dir`. Refuses names that would leave the directory, hide, or clash with another
    /// record's name.
    pub fn new(dir: &Path, name: &str) -> Result<Place, StoreError> {
        check(name).map_err(|why| StoreError::Name { name: name.into(), why })?;
        Ok(Place { dir: dir.into(), name: name.into() })
    }

    /// The store's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The call's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Path of the call's file with this suffix.
    pub fn file(&self, suffix: &str) -> PathBuf {
        self.dir.join(format!("{}{suffix}", self.name))
    }

    /// Path of an output.
    pub fn output(&self, kind: Kind) -> PathBuf {
        self.file(kind.suffix())
    }

    /// Path of the manifest.
    pub fn manifest(&self) -> PathBuf {
        self.file(MANIFEST_SUFFIX)
    }

    /// Path of the receipt of erasure.
    pub fn receipt(&self) -> PathBuf {
        self.file(RECEIPT_SUFFIX)
    }

    /// The directory that the call's files lie in.
    pub fn parent(&self) -> PathBuf {
        self.manifest().parent().unwrap_or(&self.dir).to_path_buf()
    }

    /// The file name (without directories) of an output, as manifests list it.
    pub fn file_name(&self, kind: Kind) -> String {
        let base = self.name.rsplit('/').next().unwrap_or(&self.name);
        format!("{base}{}", kind.suffix())
    }
}

fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err("it is empty or too long");
    }
    if name.chars().any(|c| c.is_control() || c == '\\') {
        return Err("it contains a control character or a backslash");
    }
    if name.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
        return Err("a part of it is empty or begins with a dot");
    }
    if name == "batch" {
        return Err("`batch.json` is the summary's name");
    }
    if name.ends_with(".erased") {
        return Err("`.erased.json` marks receipts of erasure");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_directory_hide_or_clash() {
        let dir = Path::new("out");
        for bad in ["", "/etc/x", "../x", "a/../b", "a//b", ".x", "a/.x", "batch", "a.erased", "a\nb", "a\\b"] {
            assert!(Place::new(dir, bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["a", "a/b c", "a.agent", "x/batch", "ärger…", "erased"] {
            assert!(Place::new(dir, good).is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn files_of_a_call_lie_side_by_side() {
        let place = Place::new(Path::new("out"), "mon/call.1").unwrap();
        assert_eq!(place.output(Kind::Agent), Path::new("out/mon/call.1.agent.wav"));
        assert_eq!(place.manifest(), Path::new("out/mon/call.1.json"));
        assert_eq!(place.file_name(Kind::Timeline), "call.1.timeline.csv");
        assert_eq!(place.parent(), Path::new("out/mon"));
    }
}

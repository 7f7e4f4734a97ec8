//! Walks through directories and collects sound files, in a stable order.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::inputs::{InputError, Wanted};
use super::names::{Found, file_name};

/// Deepest nesting of directories.
pub(super) const DEPTH_MAX: usize = 64;

const SOUND: [&str; 10] = ["wav", "wave", "rf64", "bwf", "w64", "flac", "mp3", "ogg", "oga", "opus"];
const RAW: [&str; 5] = ["raw", "pcm", "sln", "ul", "al"];
const OWN_OUTPUTS: [&str; 3] = [".agent.wav", ".customer.wav", ".speech.wav"];
const EVENTS: &str = ".events.jsonl";

/// What was collected so far.
pub(super) struct Walk<'a> {
    wanted: &'a Wanted<'a>,
    pub(super) found: Vec<Found>,
    pub(super) passed_over: Vec<PathBuf>,
    /// Events files in the directories walked through.
    pub(super) events: Vec<PathBuf>,
    /// Files and directories that cannot be used, and why.
    pub(super) unusable: Vec<(PathBuf, String)>,
    entered: HashSet<PathBuf>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(wanted: &'a Wanted<'a>) -> Walk<'a> {
        Walk {
            wanted,
            found: Vec::new(),
            passed_over: Vec::new(),
            events: Vec::new(),
            unusable: Vec::new(),
            entered: HashSet::new(),
        }
    }

    /// Files that were met, taken or not.
    pub(super) fn len(&self) -> usize {
        self.found.len() + self.passed_over.len() + self.unusable.len()
    }

    /// Notes what is wrong with one file or directory, so that it stops no other; hands on what is wrong with them all.
    pub(super) fn tolerate(&mut self, result: Result<(), InputError>) -> Result<(), InputError> {
        match result.map_err(InputError::of_one) {
            Ok(()) => Ok(()),
            Err(Ok(one)) => {
                self.unusable.push(one);
                Ok(())
            }
            Err(Err(error)) => Err(error),
        }
    }

    /// A file that was named itself: taken whatever it is called.
    pub(super) fn named(&mut self, path: &Path) -> Result<(), InputError> {
        let below = file_name(path)?.to_owned();
        self.found.push(Found { path: path.into(), below });
        Ok(())
    }

    /// A file that a pattern matched: taken if it looks like sound.
    pub(super) fn matched(&mut self, path: &Path) -> Result<(), InputError> {
        self.consider(path, "")
    }

    /// All sound files in and below a directory; names keep the path below it.
    pub(super) fn directory(&mut self, path: &Path) -> Result<(), InputError> {
        // Each given directory is walked through by itself; only within one walk a link could lead in circles.
        self.entered.clear();
        self.enter(path, "", 0)
    }

    fn enter(&mut self, dir: &Path, below: &str, depth: usize) -> Result<(), InputError> {
        let failed = |source| InputError::Io { path: dir.into(), source };
        if depth > DEPTH_MAX {
            return Err(InputError::TooDeep { path: dir.into() });
        }
        if !self.entered.insert(dir.canonicalize().map_err(failed)?) {
            return Ok(());
        }
        let entries: Result<Vec<_>, _> = std::fs::read_dir(dir).map_err(failed)?.collect();
        let mut paths: Vec<PathBuf> = entries.map_err(failed)?.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            let result = match path.is_dir() {
                true => file_name(&path).and_then(|name| self.enter(&path, &format!("{below}{name}/"), depth + 1)),
                false => self.consider(&path, below),
            };
            self.tolerate(result)?;
        }
        Ok(())
    }

    fn consider(&mut self, path: &Path, below: &str) -> Result<(), InputError> {
        let plain = path.file_name().unwrap_or_default().to_string_lossy();
        let lossy = plain.to_lowercase();
        if lossy.ends_with(EVENTS) {
            self.events.push(path.into());
        }
        let matches_pair = |below: &str| self.wanted.pair.is_some_and(|pair| pair.matches(below));
        if !self.is_sound(&lossy) && !matches_pair(&format!("{below}{plain}")) {
            return Ok(());
        }
        // With --pair the patterns decide; without it, what this program wrote is not read again.
        if self.wanted.pair.is_none() && OWN_OUTPUTS.iter().any(|suffix| lossy.ends_with(suffix)) {
            self.passed_over.push(path.into());
            return Ok(());
        }
        let below = format!("{below}{}", file_name(path)?);
        self.found.push(Found { path: path.into(), below });
        Ok(())
    }

    fn is_sound(&self, lower_name: &str) -> bool {
        let extension = lower_name.rsplit_once('.').map_or("", |(_, extension)| extension);
        SOUND.contains(&extension) || self.wanted.raw && RAW.contains(&extension)
    }
}

/// Whether an extension (without dot) is one of sound.
pub(super) fn is_sound_extension(extension: &str) -> bool {
    let extension = extension.to_ascii_lowercase();
    SOUND.contains(&extension.as_str()) || RAW.contains(&extension.as_str())
}

//! INPUT arguments → named calls: files, directories, globs, a list on standard input, pairs of mono files.
//!
//! Everything is settled before anything is written: names that clash, and halves of pairs, are errors that name the
//! files. What concerns one file is none: a name that cannot be used and a directory that cannot be read are noted in
//! [`Gathered::unusable`], a listed file that cannot be opened is reported when its turn comes. They stop no other.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::names::{self, Found};
use super::pairing::{self, PairPattern};
use super::walk::Walk;

/// Longest line of a list, bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// One call: its name, its sound, and the events file beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// NAME: the path below the given directory without extension, `/` between its parts; safe to be used in paths.
    pub name: String,
    /// Where its sound lies.
    pub sound: Sound,
    /// `NAME.events.jsonl` beside the sound, if there is one.
    pub events: Option<PathBuf>,
}

/// Where a call's sound lies.
#[derive(Clone, Debug, PartialEq)]
pub enum Sound {
    /// One file with both sides.
    File(PathBuf),
    /// A mono file for each side.
    Pair {
        /// The agent's file: its time line is the call's.
        agent: PathBuf,
        /// The customer's file.
        customer: PathBuf,
        /// Seconds by which the customer's file begins after the agent's; may be negative.
        offset_s: f64,
    },
}

impl Sound {
    /// Bytes of its files together; a file that cannot be looked at counts as none.
    pub fn bytes(&self) -> u64 {
        self.paths().into_iter().filter_map(|path| std::fs::metadata(path).ok()).map(|meta| meta.len()).sum()
    }

    /// Its files, the agent's first.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Sound::File(path) => vec![path],
            Sound::Pair { agent, customer, .. } => vec![agent, customer],
        }
    }
}

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// The INPUT arguments.
    pub arguments: &'a [PathBuf],
    /// `--raw` is given: directories and globs also yield `.raw .pcm .sln .ul .al`.
    pub raw: bool,
    /// `--pair` is given.
    pub pair: Option<&'a PairPattern>,
    /// `--offset`, seconds; of pairs only.
    pub offset_s: f64,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The calls, sorted by name.
    pub inputs: Vec<Input>,
    /// Sound files that were passed over: outputs of this program, and what matches neither pattern of a pair.
    pub passed_over: Vec<PathBuf>,
    /// Events files in the given directories beside which no sound lies.
    pub orphaned_events: Vec<PathBuf>,
    /// Sound files that cannot become calls, and directories below the given ones that cannot be read, each with its
    /// cause and what to do; sorted by path. Whoever gathers must tell of them and count them as errors: nothing else
    /// does. The paths may hold control characters and bytes that are no text; [`shown`] makes them fit for people.
    pub unusable: Vec<(PathBuf, String)>,
}

/// A path for people: what is no text is replaced, and control characters are escaped, so that no name of a file can
/// write to a terminal or forge a line of a log.
pub fn shown(path: &Path) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    path.to_string_lossy().chars().map(escaped).collect()
}

/// Why the INPUT arguments cannot be used.
#[derive(Debug, Error)]
pub enum InputError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An argument that names nothing.
    #[error("{}: there is no such file or directory, and as a pattern it matches nothing", path.display())]
    Missing {
        /// The argument.
        path: PathBuf,
    },
    /// A pattern that cannot be, or matches nothing that is sound.
    #[error("{pattern}: {what}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A list on standard input that cannot be used.
    #[error("standard input, line {line}: {what}")]
    List {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Directories inside each other without end.
    #[error("{}: directories lie more than {} deep; name a deeper one as INPUT", path.display(), super::walk::DEPTH_MAX)]
    TooDeep {
        /// The directory that was not entered.
        path: PathBuf,
    },
    /// A file name that cannot become the name of a call.
    #[error("{}: {what}; rename the file", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// What is wrong with its name.
        what: String,
    },
    /// Two inputs whose outputs would be the same file.
    #[error(
        "{} and {}: both would write {output}; rename one of them, or give the directory above them as INPUT so that names \
         keep their path",
        first.display(),
        second.display()
    )]
    Clash {
        /// One input.
        first: PathBuf,
        /// The other input.
        second: PathBuf,
        /// The output that both would write.
        output: String,
    },
    /// One file under two names.
    #[error("{}: the arguments name it twice, as {first} and as {second}; leave one of them out", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// One name.
        first: String,
        /// The other name.
        second: String,
    },
    /// An input whose output is one of the program's own files.
    #[error("{}: its name is taken: {output} is the summary of a run; rename the file", path.display())]
    Reserved {
        /// The input.
        path: PathBuf,
        /// The file that it would write.
        output: String,
    },
    /// One side of a pair without the other.
    #[error(
        "{}: its {missing} side is missing: there is no {wanted}; add it, or correct --pair", present.display()
    )]
    HalfPair {
        /// The file that is there.
        present: PathBuf,
        /// `agent` or `customer`.
        missing: &'static str,
        /// The path that was looked for.
        wanted: String,
    },
    /// Two files for one side of one pair.
    #[error("{} and {}: both are the {side} side of {name}; give one of them", first.display(), second.display())]
    PairTwice {
        /// The pair's name.
        name: String,
        /// `agent` or `customer`.
        side: &'static str,
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
}

impl InputError {
    /// The file or directory that it is about and the cause, if it is about one and no argument.
    pub(super) fn of_one(self) -> Result<(PathBuf, String), InputError> {
        match self {
            InputError::Io { path, source } => Ok((path, source.to_string())),
            InputError::Name { path, what } => Ok((path, format!("{what}; rename the file"))),
            InputError::TooDeep { path } => {
                let what = "directories lie more than";
                Ok((path, format!("{what} {} deep; name a deeper one as INPUT", super::walk::DEPTH_MAX)))
            }
            error => Err(error),
        }
    }
}

/// Finds the calls that the arguments name. `stdin` is read only where an argument is `-`.
pub fn gather(wanted: &Wanted<'_>, stdin: &mut dyn BufRead) -> Result<Gathered, InputError> {
    let mut walk = Walk::new(wanted);
    for argument in wanted.arguments {
        match argument.to_str() {
            Some("-") => list(&mut walk, stdin)?,
            _ => name_or_pattern(&mut walk, argument)?,
        }
    }
    let mut gathered = Gathered { passed_over: walk.passed_over, ..Gathered::default() };
    gathered.inputs = match wanted.pair {
        Some(pattern) => pairing::pair_up(walk.found, pattern, wanted.offset_s, &mut gathered.passed_over)?,
        None => singles(walk.found)?,
    };
    gathered.inputs.sort_by(|a, b| a.name.cmp(&b.name));
    // The same file named twice (a directory, and a file in it) is one call.
    gathered.inputs.dedup_by(|a, b| a.name == b.name && a.sound == b.sound);
    gathered.unusable = walk.unusable;
    let mut used: HashSet<PathBuf> = gathered.inputs.iter().filter_map(|input| input.events.clone()).collect();
    for input in std::mem::take(&mut gathered.inputs) {
        match names::usable(&input).map_err(InputError::of_one) {
            Ok(()) => gathered.inputs.push(input),
            Err(one) => gathered.unusable.push(one?),
        }
    }
    gathered.unusable.sort();
    gathered.unusable.dedup();
    names::check(&gathered.inputs)?;
    // Events beside a file that cannot be used are about that file.
    used.extend(gathered.unusable.iter().map(|(path, _)| path.with_extension("events.jsonl")));
    gathered.orphaned_events = walk.events.into_iter().filter(|path| !used.contains(path)).collect();
    Ok(gathered)
}

fn singles(found: Vec<Found>) -> Result<Vec<Input>, InputError> {
    let input = |found: Found| {
        let name = names::without_extension(&found.below).to_owned();
        let events = names::events_beside(&found.path, &name);
        Ok(Input { name, events, sound: Sound::File(found.path) })
    };
    found.into_iter().map(input).collect()
}

fn name_or_pattern(walk: &mut Walk<'_>, argument: &Path) -> Result<(), InputError> {
    match std::fs::metadata(argument) {
        Ok(meta) if meta.is_dir() => walk.directory(argument),
        Ok(_) => {
            let named = walk.named(argument);
            walk.tolerate(named)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(InputError::Io { path: argument.into(), source: error })
        }
        Err(_) => match argument.to_str().filter(|text| text.contains(['*', '?', '['])) {
            Some(pattern) => matches(walk, pattern),
            None => Err(InputError::Missing { path: argument.into() }),
        },
    }
}

/// Hidden files are left out by [`hidden`]: of the crate's own option for them, a name that is no text is the end.
const PATTERNS: glob::MatchOptions =
    glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

fn matches(walk: &mut Walk<'_>, pattern: &str) -> Result<(), InputError> {
    let wrong = |what: String| InputError::Pattern { pattern: pattern.into(), what };
    let paths = glob::glob_with(pattern, PATTERNS).map_err(|error| wrong(format!("this is no pattern: {error}")))?;
    let before = walk.len();
    let mut directories = BTreeSet::new();
    for path in paths {
        let result = match path {
            Err(error) => Err(InputError::Io { path: error.path().into(), source: error.into() }),
            Ok(path) if hidden(&path, pattern) => continue,
            Ok(path) => {
                directories.extend(path.parent().map(Path::to_owned));
                if path.is_dir() { walk.directory(&path) } else { walk.matched(&path) }
            }
        };
        walk.tolerate(result)?;
    }
    for path in directories.iter().flat_map(|directory| no_text(directory, pattern)) {
        let result = walk.matched(&path);
        walk.tolerate(result)?;
    }
    match walk.len() > before {
        true => Ok(()),
        false => Err(wrong("it matches no sound file (WAV, FLAC, MP3, Ogg; raw files with --raw)".into())),
    }
}

/// As in a shell, `*` does not match what begins with a dot: a hidden file is none that was meant.
fn hidden(path: &Path, pattern: &str) -> bool {
    let meant = |name: &str| {
        let mut dotted = pattern.split('/').filter(|part| part.starts_with('.'));
        dotted.any(|part| glob::Pattern::new(part).is_ok_and(|part| part.matches(name)))
    };
    let names = path.components().filter_map(|part| match part {
        std::path::Component::Normal(name) => name.to_str(),
        _ => None,
    });
    names.into_iter().any(|name| name.starts_with('.') && !meant(name))
}

/// The files beside those that a pattern matched which it would match too, were their names text: the matching passes
/// them over without a word.
fn no_text(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let last = glob::Pattern::new(pattern.rsplit('/').next().unwrap_or(pattern)).unwrap_or_default();
    // The parent of a path of one part is called nothing.
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let name = |path: &PathBuf| path.file_name().map(std::ffi::OsStr::to_owned).unwrap_or_default();
    entries.filter(|path| name(path).to_str().is_none() && last.matches(&name(path).to_string_lossy())).collect()
}

/// Reads a list: one path a line, as it is (no patterns); blank lines count for nothing.
fn list(walk: &mut Walk<'_>, stdin: &mut dyn BufRead) -> Result<(), InputError> {
    let mut line = Vec::new();
    for number in 1.. {
        let wrong = |what: &str| InputError::List { line: number, what: what.into() };
        line.clear();
        let read = stdin.take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        match read.map_err(|source| InputError::Io { path: "standard input".into(), source })? {
            0 => break,
            n if n as u64 > LINE_BYTES_MAX => {
                return Err(wrong("the line is longer than 64 KiB; give one path a line"));
            }
            _ => {}
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            let path = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).into();
            walk.unusable
                .push((path, format!("standard input, line {number}: the path is not UTF-8; rename the file")));
            continue;
        };
        let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
        let result = match Path::new(text) {
            _ if text.is_empty() => Ok(()),
            path if path.is_dir() => walk.directory(path),
            path => walk.named(path),
        };
        walk.tolerate(result)?;
    }
    Ok(())
}

//! INPUT arguments → named calls: files, directories, globs, a list on standard input, pairs of mono files.
//!
//! Everything is settled before anything is written: names that clash or cannot be used, and halves of pairs, are
//! errors that name the files. A listed file that cannot be opened is not: it is reported when its turn comes, and does
//! not stop the others.

use std::collections::HashSet;
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
    names::check(&gathered.inputs)?;
    let used: HashSet<&PathBuf> = gathered.inputs.iter().filter_map(|input| input.events.as_ref()).collect();
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
        Ok(_) => walk.named(argument),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(InputError::Io { path: argument.into(), source: error })
        }
        Err(_) => match argument.to_str().filter(|text| text.contains(['*', '?', '['])) {
            Some(pattern) => matches(walk, pattern),
            None => Err(InputError::Missing { path: argument.into() }),
        },
    }
}

fn matches(walk: &mut Walk<'_>, pattern: &str) -> Result<(), InputError> {
    let wrong = |what: String| InputError::Pattern { pattern: pattern.into(), what };
    let paths = glob::glob(pattern).map_err(|error| wrong(format!("this is no pattern: {error}")))?;
    let before = walk.len();
    for path in paths {
        let path = path.map_err(|error| InputError::Io { path: error.path().into(), source: error.into() })?;
        match path.is_dir() {
            true => walk.directory(&path)?,
            false => walk.matched(&path)?,
        }
    }
    match walk.len() > before {
        true => Ok(()),
        false => Err(wrong("it matches no sound file (WAV, FLAC, MP3, Ogg; raw files with --raw)".into())),
    }
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
        let text = std::str::from_utf8(&line).map_err(|_| wrong("the path is not UTF-8; rename the file"))?;
        let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
        match text {
            "" => {}
            _ if Path::new(text).is_dir() => walk.directory(Path::new(text))?,
            _ => walk.named(Path::new(text))?,
        }
    }
    Ok(())
}

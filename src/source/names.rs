//! Names of calls: made of paths, safe to be used in paths, and never two for one output.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::inputs::{Input, InputError};
use super::walk::is_sound_extension;

/// What a call's outputs are called behind its name.
const OUTPUTS: [&str; 6] = [".agent.wav", ".customer.wav", ".speech.wav", ".timeline.csv", ".json", ".svg"];
/// Endings that turn one call's name into another call's output or events file, in the eyes of a reader or a program.
const LOOKALIKES: [&str; 5] = [".agent", ".customer", ".speech", ".timeline", ".events"];
/// The summary of a run, beside the outputs.
const SUMMARY: &str = "batch.json";
/// Longest part of a name, bytes: file systems allow 255, and outputs and their aside files add to it.
const PART_BYTES_MAX: usize = 200;

/// A sound file and its path below the argument that led to it, `/` between its parts.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) below: String,
}

/// The last part of a path, if it is readable text.
pub(super) fn file_name(path: &Path) -> Result<&str, InputError> {
    let unusable = |what: &str| InputError::Name { path: path.into(), what: what.into() };
    let name = path.file_name().ok_or_else(|| unusable("it has no file name"))?;
    name.to_str().ok_or_else(|| unusable("its name is not UTF-8"))
}

/// Takes a known extension off; what follows the last dot of a file without one belongs to its name (`1510.42`).
pub(super) fn without_extension(below: &str) -> &str {
    match below.rsplit_once('.') {
        Some((name, extension)) if !name.is_empty() && !name.ends_with('/') && is_sound_extension(extension) => name,
        _ => below,
    }
}

/// `NAME.events.jsonl` beside a sound file, if it is there. Of the name the last part counts.
pub(super) fn events_beside(sound: &Path, name: &str) -> Option<PathBuf> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let path = sound.with_file_name(format!("{last}.events.jsonl"));
    path.exists().then_some(path)
}

/// Refuses names whose outputs would meet. Upper and lower case count as the same,
/// because some file systems take them so.
pub(super) fn check(inputs: &[Input]) -> Result<(), InputError> {
    let mut outputs: HashMap<String, usize> = HashMap::new();
    let mut names: HashMap<&Path, &str> = HashMap::new();
    for (index, input) in inputs.iter().enumerate() {
        for path in input.sound.paths() {
            if let Some(first) = names.insert(path, &input.name) {
                let (first, second) = (first.to_owned(), input.name.clone());
                return Err(InputError::Twice { path: path.into(), first, second });
            }
        }
        let name = input.name.to_lowercase();
        for suffix in OUTPUTS {
            let output = format!("{name}{suffix}");
            if output == SUMMARY {
                return Err(InputError::Reserved { path: path_of(input), output });
            }
            if let Some(other) = outputs.insert(output, index) {
                return Err(clash(&inputs[other], input, suffix));
            }
        }
    }
    for input in inputs {
        lookalikes(input, inputs, &outputs)?;
        directories(input, inputs, &outputs)?;
    }
    Ok(())
}

/// Refuses a name that cannot be used.
pub(super) fn usable(input: &Input) -> Result<(), InputError> {
    let unusable = |what: String| Err(InputError::Name { path: path_of(input), what });
    for part in input.name.split('/') {
        if part.is_empty() || part == "." || part == ".." {
            return unusable(format!("`{part}` cannot be part of a call's name"));
        }
        if part.chars().any(char::is_control) {
            return unusable(format!("its name {part:?} holds control characters"));
        }
        if part.len() > PART_BYTES_MAX {
            return unusable(format!("its name is longer than {PART_BYTES_MAX} bytes"));
        }
    }
    Ok(())
}

/// `a` beside `a.agent`: the outputs differ, but nobody could tell whose they are.
fn lookalikes(input: &Input, inputs: &[Input], outputs: &HashMap<String, usize>) -> Result<(), InputError> {
    let name = input.name.to_lowercase();
    let base = LOOKALIKES.iter().find_map(|ending| name.strip_suffix(ending));
    match base.and_then(|base| outputs.get(&format!("{base}.json"))) {
        Some(other) => Err(clash(&inputs[*other], input, ".*")),
        None => Ok(()),
    }
}

/// A file cannot stand where a directory is needed: `a` (writes `a.json`) beside `a.json/b`.
fn directories(input: &Input, inputs: &[Input], outputs: &HashMap<String, usize>) -> Result<(), InputError> {
    let name = input.name.to_lowercase();
    let above = name.match_indices('/').map(|(at, _)| &name[..at]);
    for directory in above {
        if directory == SUMMARY {
            return Err(InputError::Reserved { path: path_of(input), output: SUMMARY.into() });
        }
        if let Some(other) = outputs.get(directory) {
            let (first, second) = (path_of(&inputs[*other]), path_of(input));
            return Err(InputError::Clash { first, second, output: directory.into() });
        }
    }
    Ok(())
}

fn clash(first: &Input, second: &Input, suffix: &str) -> InputError {
    let output = format!("{}{suffix}", second.name);
    InputError::Clash { first: path_of(first), second: path_of(second), output }
}

fn path_of(input: &Input) -> PathBuf {
    input.sound.paths().first().map(|path| path.to_path_buf()).unwrap_or_default()
}

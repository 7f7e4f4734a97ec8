//! Code that checks code: the floor plan (who may import whom, who may change files), file lengths, module docs,
//! and that `unsafe` stands in one room only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, and what each may import. Lowest first; a room that is not here fails the test.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("audio", &[]),
    ("ring", &[]),
    ("relay", &[]),
    ("split", &["audio"]),
    ("bleed", &["audio"]),
    ("voice", &["audio", "bleed"]),
    ("consent", &["audio", "bleed"]),
    ("policy", &[]),
    ("call", &["audio", "split", "bleed", "voice", "consent"]),
    ("store", &["consent", "call"]),
    ("source", &["audio", "relay", "ring", "split", "consent", "call"]),
    ("archive", &["consent", "call", "store"]),
    ("evaluate", &["audio"]),
    ("config", &["audio", "split", "voice", "consent", "policy", "source"]),
    (
        "run",
        &[
            "audio", "relay", "ring", "split", "bleed", "voice", "consent", "policy", "call", "store", "source",
            "archive", "config", "evaluate",
        ],
    ),
    ("control", &["run", "archive", "config", "consent", "call", "evaluate", "source"]),
    ("manual", &[]),
];

/// Rooms that may make or change a file.
const MAY_WRITE: &[&str] = &["store", "archive"];
/// Rooms that may open a file for reading.
const MAY_READ: &[&str] = &["store", "archive", "source", "config", "evaluate"];
/// Ways of making or changing a file.
const WRITING: &[&str] = &[
    "File::create",
    "File::options",
    "OpenOptions",
    "fs::write",
    "fs::rename",
    "fs::remove",
    "fs::copy",
    "fs::create_dir",
    "remove_file",
    "remove_dir",
    "create_dir",
    "DirBuilder",
    "set_permissions",
    "set_len",
    "hard_link",
    "symlink(",
    "NamedTempFile",
    "tempfile",
    "WavWriter",
];
/// Ways of opening one.
const READING: &[&str] = &["File::open", "fs::read", "read_to_string(", "WavReader", "fs::read_dir"];
/// Rooms without I/O, clock or threads.
const PURE: &[&str] = &["audio", "split", "bleed", "voice", "consent", "call"];
/// What a pure room may not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::net",
    "std::thread",
    "std::time",
    "std::env",
    "std::process",
    "println!",
    "eprintln!",
];

/// The one place where `unsafe` may stand: vector instructions.
const UNSAFE: &str = "src/voice/lanes";

const FILE_LINES_MAX: usize = 400;

struct Source {
    path: PathBuf,
    room: String,
    text: String,
    /// The text without its tests and comments.
    code: String,
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    assert!(files.len() > 20, "the source tree was found");
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let inside = path.strip_prefix(&src).unwrap();
            let room = inside.components().next().unwrap().as_os_str().to_string_lossy();
            let room = room.trim_end_matches(".rs").to_owned();
            let code = if is_test_file(&path) { String::new() } else { without_tests_and_comments(&text) };
            Source { path, room, text, code }
        })
        .collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// Files that hold tests only; `tests_are_compiled_for_tests_only` sees to it that this is so.
fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
    stem == "testing" || stem == "tests" || stem.ends_with("_tests")
}

fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The rooms that a file names: `crate::room` anywhere, also inside `use crate::{a, b::c}`.
fn imports(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split(';').next().unwrap();
            rooms.extend(list.split(',').map(first_word));
        } else {
            rooms.push(first_word(rest));
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

fn first_word(text: &str) -> String {
    text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn every_room_imports_only_what_the_floor_plan_allows() {
    let plan: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| !["lib", "main"].contains(&s.room.as_str())) {
        let Some(allowed) = plan.get(source.room.as_str()) else {
            wrong.push(format!("{}: room `{}` is not on the floor plan", source.path.display(), source.room));
            continue;
        };
        for room in imports(&source.code) {
            if room != source.room && plan.contains_key(room.as_str()) && !allowed.contains(&room.as_str()) {
                wrong.push(format!("{}: `{}` may not import `{room}`", source.path.display(), source.room));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_store_and_the_archive_can_make_or_change_a_file() {
    let mut wrong = Vec::new();
    for source in sources() {
        let mut forbid = |words: &[&str], rooms: &[&str], what: &str| {
            for word in words.iter().filter(|word| source.code.contains(**word)) {
                if !rooms.contains(&source.room.as_str()) {
                    wrong.push(format!("{}: `{word}`: room `{}` may not {what}", source.path.display(), source.room));
                }
            }
        };
        forbid(WRITING, MAY_WRITE, "make or change a file");
        forbid(READING, MAY_READ, "open a file");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_is_pure() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| PURE.contains(&s.room.as_str())) {
        for word in IMPURE.iter().filter(|word| source.code.contains(**word)) {
            wrong.push(format!("{}: `{word}` in a pure room", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_cleared_is_built_in_one_file_only() {
    let builders: Vec<_> =
        sources().into_iter().filter(|s| s.code.contains("Cleared {")).map(|s| s.path.display().to_string()).collect();
    assert_eq!(builders.len(), 1, "{builders:?}");
    assert!(builders[0].ends_with("consent/gate.rs"), "{builders:?}");
}

#[test]
fn unsafe_stands_in_the_lanes_only_and_each_says_why() {
    let lanes = Path::new(env!("CARGO_MANIFEST_DIR")).join(UNSAFE);
    let mut stood = 0;
    for source in sources() {
        let is_word =
            |line: &str, word: &str| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word);
        if !source.path.with_extension("").starts_with(&lanes) {
            for line in source.code.lines() {
                let wrong = is_word(line, "unsafe") || is_word(line, "unsafe_code");
                assert!(!wrong, "{}: {line}", source.path.display());
            }
            continue;
        }
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap();
            if is_word(code, "unsafe") && !code.contains("unsafe fn") {
                stood += 1;
                let above = lines[number.saturating_sub(2)..number].iter().any(|l| l.contains("// SAFETY: "));
                assert!(above, "{}:{}: no reason above: {line}", source.path.display(), number + 1);
            }
        }
    }
    assert!(stood > 0, "the lanes were found");
}

#[test]
fn every_file_says_what_it_is_and_is_no_hall() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//!") {
            wrong.push(format!("{}: no module doc on top", source.path.display()));
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{}: {lines} lines; at most {FILE_LINES_MAX}", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tests_are_compiled_for_tests_only() {
    let mut declared = 0;
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(module) = line.trim().strip_suffix(';').and_then(|l| l.rsplit_once("mod ")) else { continue };
            if is_test_file(Path::new(module.1)) {
                declared += 1;
                let above = &lines[number.saturating_sub(2)..number];
                assert!(above.iter().any(|l| l.trim() == "#[cfg(test)]"), "{}: `{line}`", source.path.display());
            }
        }
    }
    let files = sources().iter().filter(|source| is_test_file(&source.path)).count();
    assert_eq!(declared, files, "every test file is declared once, under cfg(test)");
}

#[test]
fn the_floor_plan_reads_grouped_imports() {
    assert_eq!(imports("use crate::{audio::Span, store};\nfn f() { crate::run::go() }"), ["audio", "store", "run"]);
}

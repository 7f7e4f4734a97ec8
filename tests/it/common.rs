//! What the black-box tests share: a directory of their own, the built command run in it, and calls to feed it with.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::skipped::skipped;

/// Rate of the calls made here, Hz.
pub const RATE: u32 = 8_000;

/// Two events: the announcement, and a yes at 1.5 s.
pub const GRANTED: &str = r#"{"at":0,"event":"told","notice":"std","version":3}
{"at":1.5,"event":"granted","act":"dtmf","digit":"1","purpose":"training"}"#;

/// A directory that is gone when the test is over.
pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty directory; `name` keeps the tests apart; what a failed test left is removed.
    pub fn new(name: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("blackbox-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory under the target directory");
        Scratch(path)
    }

    /// A path below it.
    pub fn at(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    /// Runs `oneside` in it, and sees to it that it does not panic.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the command starts"), arguments)
    }

    /// `oneside` in it, without what the caller's environment configures.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.through(&[], arguments)
    }

    /// `oneside` in it under another program (`strace …`).
    pub fn through(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let words: Vec<&str> = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_oneside")]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(arguments).current_dir(&self.0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.as_encoded_bytes().starts_with(b"ONESIDE_")) {
            command.env_remove(key);
        }
        command
    }

    /// `oneside batch in --out out --agent-channel left` and more.
    pub fn batch(&self, more: &[&str]) -> Ran {
        self.run(&batch(more))
    }

    /// Writes a stereo call `in/NAME.wav`, 16 bit, the agent on the left.
    pub fn call(&self, name: &str, agent: &[i16], customer: &[i16]) {
        self.file(&format!("in/{name}.wav"), &crate::encode::wav16(&interleave(&[agent, customer]), 2, RATE));
    }

    /// Writes `in/NAME.events.jsonl`.
    pub fn events(&self, name: &str, lines: &[&str]) {
        self.file(&format!("in/{name}.events.jsonl"), (lines.join("\n") + "\n").as_bytes());
    }

    /// Writes a file, and the directories above it.
    pub fn file(&self, below: &str, bytes: &[u8]) {
        let path = self.at(below);
        fs::create_dir_all(path.parent().expect("a file lies in a directory")).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Reads a file as JSON.
    pub fn json(&self, below: &str) -> Value {
        let text = fs::read_to_string(self.at(below)).unwrap_or_else(|error| panic!("{below}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{below}: {error}"))
    }

    /// Reads a mono 16-bit WAV.
    pub fn sound(&self, below: &str) -> Vec<i16> {
        let mut reader = hound::WavReader::open(self.at(below)).unwrap_or_else(|error| panic!("{below}: {error}"));
        assert_eq!((reader.spec().channels, reader.spec().bits_per_sample), (1, 16), "{below}");
        reader.samples::<i16>().map(Result::unwrap).collect()
    }

    /// Whether something stands at a path below it.
    pub fn has(&self, below: &str) -> bool {
        self.at(below).symlink_metadata().is_ok()
    }

    /// Every file below a directory, hidden ones too, with its bytes.
    pub fn files(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        let (mut found, mut waiting) = (BTreeMap::new(), vec![self.at(below)]);
        while let Some(dir) = waiting.pop() {
            for entry in fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => waiting.push(path),
                    false => {
                        let name = path.strip_prefix(self.at(below)).unwrap().to_str().unwrap().to_owned();
                        found.insert(name, fs::read(&path).unwrap());
                    }
                }
            }
        }
        found
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// The arguments of a plain batch, and more.
pub fn batch<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["batch", "in", "--out", "out", "--agent-channel", "left"], more].concat()
}

/// How a run of the command ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it said on standard output.
    pub out: String,
    /// What it said on standard error.
    pub err: String,
}

impl Ran {
    /// A finished process, which must not have panicked.
    pub fn of(output: Output, arguments: &[impl AsRef<OsStr> + std::fmt::Debug]) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the command speaks UTF-8");
        let ran = Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        let bug = ran.err.contains("panicked") || matches!(ran.code, Some(70 | 101));
        assert!(!bug, "oneside {arguments:?} has a bug:\n{}", ran.err);
        ran
    }

    /// It must have ended with this code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "standard output:\n{}standard error:\n{}", self.out, self.err);
        self
    }

    /// A line of standard error must hold all of these words.
    #[track_caller]
    pub fn complains(&self, words: &[&str]) {
        let found = self.err.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no line with {words:?} in:\n{}", self.err);
    }

    /// A line of standard output must hold all of these words.
    #[track_caller]
    pub fn says(&self, words: &[&str]) {
        let found = self.out.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no line with {words:?} in:\n{}", self.out);
    }
}

/// Whether a program can be started; says so if not.
pub fn have(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        skipped(format!("no {program}"));
    }
    found
}

/// Both sides of a sample call, 8 kHz: speech that the detector keeps.
pub fn voices(name: &str) -> (Vec<i16>, Vec<i16>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("samples/calls/{name}.wav"));
    let samples: Vec<i16> = hound::WavReader::open(path).unwrap().samples::<i16>().map(Result::unwrap).collect();
    let side = |channel: usize| samples.iter().copied().skip(channel).step_by(2).collect();
    (side(0), side(1))
}

/// Where the sample call that calls are made of begins to go back and forth quickly.
const BANTER: usize = 9 * RATE as usize + RATE as usize / 2;

/// `seconds` of an agent from the samples, over and over: she speaks from 0 to 0.9 s and from 4.3 to 6.8 s.
pub fn agent(seconds: usize) -> Vec<i16> {
    voices("withdrawn").0.into_iter().cycle().skip(BANTER).take(seconds * RATE as usize).collect()
}

/// `seconds` of a customer nobody else sounds like: noise, other for each seed, that rises and falls like the speech of
/// the agent's partner (from 1.4 to 3.9 s, from 7.4 to 11 s).
pub fn canary(seconds: usize, seed: u64) -> Vec<i16> {
    let mut dice = Dice::new(seed);
    let speech = voices("withdrawn").1;
    let loudness =
        |piece: &[i16]| (piece.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / piece.len() as f64).sqrt();
    let loudness: Vec<f64> = speech.chunks(160).map(loudness).collect();
    (BANTER..BANTER + seconds * RATE as usize)
        .map(|n| (loudness[n % speech.len() / 160] * (dice.below(40_001) as f64 / 10_000.0 - 2.0)) as i16)
        .collect()
}

/// Channels side by side, as long as the longest.
pub fn interleave(channels: &[&[i16]]) -> Vec<i16> {
    let frames = channels.iter().map(|channel| channel.len()).max().unwrap_or(0);
    let sample = |n: usize| channels.iter().map(move |channel| channel.get(n).copied().unwrap_or(0));
    (0..frames).flat_map(sample).collect()
}

/// Numbers that look random and are the same in every run (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

//! `journal.jsonl`: what happened to a call in hand, a JSON object a line, in the order in which it happened.
//!
//! It is what recovery believes. Without its checkpoints it is the list of the call's inputs: everything that
//! determined the outputs, except the samples. It holds no sound, and no name that the events do not carry.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::place::RESERVE;
use crate::call::{MediaTime, Of};
use crate::consent::{Event, Stamped};
use crate::store::error::{Naming, StoreError};
use crate::store::files;
use crate::store::manifest::{About, Finding, Leak, Tally};
use crate::store::tracks::Plan;

/// The format's name and version.
pub const FORMAT: &str = "oneside-journal/1";
/// What it is called in the directory of a call in hand.
pub(super) const JOURNAL: &str = "journal.jsonl";
/// Longest line that is believed, bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first one: with what the call was opened.
    Opening(Box<Opening>),
    /// Something was said or done. Written before it takes effect.
    Event(Applied),
    /// Sound that did not come.
    Gap(Gap),
    /// A doubt shut the door for good (ONE-06).
    Quarantined {
        /// Samples of the call settled by then.
        position: u64,
    },
    /// The beginning of a key's tone, taken off the customer's track again (PAY-05).
    Tone {
        /// Its first sample.
        from: u64,
        /// The first one behind it.
        until: u64,
    },
    /// The digest of the source's bytes so far.
    Digest(SourceDigest),
    /// Everything up to here is in the files.
    Checkpoint(Box<Checkpoint>),
    /// The store failed; nothing is stored from here on.
    Failed {
        /// Samples of the call at the last checkpoint.
        position: u64,
        /// What failed.
        why: String,
    },
}

/// With what a live call was opened: all settings that determine its outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// [`FORMAT`].
    pub format: String,
    /// What its manifest will tell: name, terms, map, detector, lead-in, tail, the input's encoding, channels and rate.
    pub about: About,
    /// What is to be written.
    pub plan: Plan,
    /// When it was opened (RFC 3339).
    pub opened: String,
    /// Where the sound comes from, for people; no name of a person.
    pub source: String,
    /// The source delivers both sides; false: the agent's alone.
    pub both_sides: bool,
    /// How far a mask reaches back, seconds (ONE-09).
    pub reach_s: u32,
    /// Leave the list of inputs as an output.
    pub list: bool,
    /// Further settings that determine the outputs, as the worker names them.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub more: serde_json::Map<String, serde_json::Value>,
}

impl Opening {
    /// Whether both parties were to come and to be compared: nothing of the customer's was thrown away undecoded.
    pub fn is_compared(&self) -> bool {
        let reference = self.more.get("reference").and_then(serde_json::Value::as_str);
        self.both_sides && reference != Some("drop-before-decode")
    }
}

/// An event as it was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// Where the writer was: samples of the call settled when it took effect.
    pub position: u64,
    /// Samples of the agent's side that had been let go by then: a mask reaches no further back.
    pub released: u64,
    /// The sample from which it was to count, if it opens; what shuts counts from the writer's position whatever this
    /// says.
    pub at: u64,
    /// Wall-clock time (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<String>,
    /// What happened.
    pub event: Event,
}

/// Sound that did not come; silence of the same length stands in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Its first sample frame, at the source's rate, counted with all gaps before it.
    pub from: u64,
    /// How many sample frames, at the source's rate.
    pub frames: u64,
    /// Of which side; of both if absent.
    #[serde(default, skip_serializing_if = "is_of_both")]
    pub of: Of,
    /// Why: `lost`, `absent`, `undecoded`.
    pub reason: String,
    /// Whether it was meant to be.
    pub intended: bool,
}

fn is_of_both(of: &Of) -> bool {
    *of == Of::Both
}

/// The digest of what a source delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceDigest {
    /// Bytes that it covers.
    pub bytes: u64,
    /// BLAKE3 of them, in hexadecimal.
    pub blake3: String,
}

/// How far the files are. What lies behind it in them is not believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Samples of the call settled: its length if it ended here.
    pub position: u64,
    /// What became of them.
    pub tally: Tally,
    /// How much of the customer may have leaked so far.
    pub leak: Leak,
    /// What was found so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Stretches of the agent's side written since the checkpoint before it, `[from, until)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agent: Vec<[u64; 2]>,
    /// Stretches of the customer's side written since then and not erased.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customer: Vec<[u64; 2]>,
}

impl Line {
    /// Whether it belongs in the list of inputs.
    pub fn is_input(&self) -> bool {
        matches!(self, Line::Opening(_) | Line::Event(_) | Line::Gap(_) | Line::Digest(_))
    }
}

impl Applied {
    /// An event about to be applied by a writer that is at `position` and has let the agent's side go up to `released`.
    pub fn new(position: MediaTime, released: MediaTime, stamped: &Stamped) -> Applied {
        let Stamped { at, wall, event, .. } = stamped.clone();
        Applied { position: position.0, released: released.0, at: at.0, wall, event }
    }

    /// The event as it was handed to the call.
    pub fn stamped(&self, rate_hz: u32) -> Stamped {
        Stamped::placed(MediaTime(self.at), self.wall.clone(), self.event.clone(), rate_hz)
    }
}

/// A journal that is being written. It cannot fail; it keeps its first error.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) file: File,
    path: PathBuf,
    /// Bytes of whole lines.
    bytes: u64,
    /// Something was written since the last sync.
    dirty: bool,
    line: Vec<u8>,
    error: Option<StoreError>,
}

impl Journal {
    pub(super) fn new(file: File, own: &Path) -> Journal {
        Journal {
            file,
            path: own.join(JOURNAL),
            bytes: 0,
            dirty: false,
            line: Vec::with_capacity(1 << 10),
            error: None,
        }
    }

    pub(super) fn error(&self) -> Option<&StoreError> {
        self.error.as_ref()
    }

    /// Writes a line. Where the disk is full the reserve makes room for it. Whether it is there.
    pub(super) fn write(&mut self, line: &Line) -> bool {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line).expect("a line has text keys and is written to memory");
        self.line.push(b'\n');
        let written = self.append().or_else(|error| match line {
            // The reserve is for the books, not for more sound.
            Line::Checkpoint(_) => Err(error),
            _ => files::remove(&self.path.with_file_name(RESERVE)).and_then(|_| self.append()),
        });
        if let Err(error) = written {
            self.error.get_or_insert(error);
            return false;
        }
        true
    }

    fn append(&mut self) -> Result<(), StoreError> {
        let Journal { file, line, bytes, .. } = self;
        let written = files::write_all_at(file, line, *bytes);
        if let Err(source) = written {
            // Half a line would hide those that follow it.
            let _ = file.set_len(*bytes);
            return Err(StoreError::io("write", &self.path, Some(*bytes), source));
        }
        *bytes += line.len() as u64;
        self.dirty = true;
        Ok(())
    }

    /// Makes everything written so far durable.
    pub(super) fn sync(&mut self) {
        if self.dirty {
            match self.file.sync_data().naming("sync", &self.path) {
                Ok(()) => self.dirty = false,
                Err(error) => {
                    self.error.get_or_insert(error);
                }
            }
        }
    }
}

/// The name of the call whose directory in `.live` this is, if its journal has an opening.
pub(super) fn name_in(own: &Path) -> Option<String> {
    let path = own.join(JOURNAL);
    let mut name = None;
    let mut visit = |line: Line, _: &str| {
        if let Line::Opening(opening) = line {
            name = Some(opening.about.call);
        }
        // The first line is enough.
        Err(StoreError::Record { file: PathBuf::new(), why: String::new() })
    };
    let _ = read(&mut File::open(&path).ok()?, &path, &mut visit);
    name
}

/// Reads a journal from its beginning, up to the first line that is not whole: what follows one that was torn was
/// never made durable. `visit` gets each line and its text, without the end.
pub(super) fn read(
    file: &mut File,
    path: &Path,
    visit: &mut dyn FnMut(Line, &str) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    file.seek(SeekFrom::Start(0)).naming("read", path)?;
    let mut lines = BufReader::new(file);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let got = (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).naming("read", path)?;
        let whole = bytes.strip_suffix(b"\n").filter(|_| got > 0).and_then(|text| std::str::from_utf8(text).ok());
        let Some(text) = whole else { return Ok(()) };
        let Ok(line) = serde_json::from_str(text) else { return Ok(()) };
        visit(line, text)?;
    }
}

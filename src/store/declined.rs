//! `not-recorded.jsonl`: calls of a media server that came to nothing, a line each, so that every call that the switch
//! knows has a definite result (FIN-02, ROB-07). A call's name as it would be stored, and a stable reason; nothing else.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{Naming, StoreError};
use super::files;

/// The file's name in a store.
pub const NOT_RECORDED: &str = "not-recorded.jsonl";

/// A call that was not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRecorded {
    /// When it was declined (RFC 3339).
    pub at: String,
    /// Its name, as it would be stored.
    pub call: String,
    /// By which source it came.
    pub source: String,
    /// Why: the stable code.
    pub reason: String,
}

/// Lines that wait for room on the disk, at most.
const WAITING_MAX: usize = 10_000;

/// The list, being written.
#[derive(Debug)]
pub struct Declines {
    file: File,
    path: PathBuf,
    /// Lines that could not be written so far: a full disk is why calls are declined, and must not lose what it says.
    waiting: VecDeque<Vec<u8>>,
    /// The last write was cut off: the next line begins a new one.
    torn: bool,
}

impl Declines {
    /// Goes on with the list of a store.
    pub fn open(dir: &Path) -> Result<Declines, StoreError> {
        files::create_dir(dir)?;
        let path = dir.join(NOT_RECORDED);
        Ok(Declines { file: files::append_to(&path)?, path, waiting: VecDeque::new(), torn: false })
    }

    /// Adds a call, in one write. What cannot be written now waits, and goes with the next one or with
    /// [`Declines::write_waiting`]. `false`: so many wait that the oldest was given up.
    pub fn note(&mut self, call: &NotRecorded) -> bool {
        let mut line = serde_json::to_vec(call).unwrap_or_default();
        line.push(b'\n');
        self.waiting.push_back(line);
        let given_up = self.waiting.len() > WAITING_MAX;
        if given_up {
            self.waiting.pop_front();
        }
        let _ = self.write_waiting(); // it waits
        !given_up
    }

    /// Writes what waits.
    pub fn write_waiting(&mut self) -> Result<(), StoreError> {
        while let Some(line) = self.waiting.front() {
            let whole = if self.torn { [b"\n", &line[..]].concat() } else { line.clone() };
            if let Err(error) = self.file.write_all(&whole) {
                self.torn = true;
                return Err(error).naming("write", &self.path);
            }
            self.torn = false;
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// Reads the list of a store; a line that was torn by a kill is passed over. Empty if there is none.
pub fn not_recorded(dir: &Path) -> Result<Vec<NotRecorded>, StoreError> {
    let path = dir.join(NOT_RECORDED);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.naming("read", &path)?,
    };
    Ok(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

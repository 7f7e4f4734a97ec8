//! `not-recorded.jsonl`: calls of a media server that came to nothing, a line each, so that every call that the switch
//! knows has a definite result (FIN-02, ROB-07). A call's name as it would be stored, and a stable reason; nothing else.

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

/// The list, being written.
#[derive(Debug)]
pub struct Declines {
    file: File,
    path: PathBuf,
}

impl Declines {
    /// Goes on with the list of a store.
    pub fn open(dir: &Path) -> Result<Declines, StoreError> {
        files::create_dir(dir)?;
        let path = dir.join(NOT_RECORDED);
        Ok(Declines { file: files::append_to(&path)?, path })
    }

    /// Adds a call, in one write.
    pub fn note(&mut self, call: &NotRecorded) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(call).unwrap_or_default();
        line.push(b'\n');
        self.file.write_all(&line).naming("write", &self.path)
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

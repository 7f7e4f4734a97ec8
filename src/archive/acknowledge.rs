//! An agent's acknowledgement of purpose, retention, access and rules, put on file (INF-04).

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::ArchiveError;
use crate::store::files;

/// Longest id, bytes.
const ID_BYTES_MAX: usize = 256;

#[derive(Serialize)]
struct Line<'a> {
    agent: &'a str,
    version: &'a str,
    at: String,
}

/// Adds a line to the file of acknowledgements, durably; the file and its directory are made if they are not there.
pub fn acknowledge(file: &Path, agent: &str, version: &str) -> Result<(), ArchiveError> {
    let line = Line { agent, version, at: Timestamp::now().to_string() };
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    files::create_dir(&files::parent_of(file))?;
    let mut open = files::append_to(file)?;
    let written = open.write_all(text.as_bytes()).and_then(|()| open.sync_all());
    written.map_err(|source| crate::store::StoreError::io("write", file, None, source).into())
}

/// Whether it can be an agent's id or a version: a text of one line, not empty and not too long.
pub fn is_usable(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= ID_BYTES_MAX && !text.chars().any(char::is_control)
}

//! The list of a call's inputs, read back: what `replay` plays.

use std::fs::File;
use std::path::Path;

use super::journal::{self, FORMAT, Line, Opening};
use crate::store::error::{Naming, StoreError};

/// Most lines of a list: ten thousand events, and as many gaps as an hour of trouble brings.
const LINES_MAX: usize = 1 << 20;

/// Everything that determined the outputs of a call but the sound.
#[derive(Clone, Debug, PartialEq)]
pub struct InputList {
    /// With what it was opened.
    pub opening: Opening,
    /// What happened, in its order.
    pub lines: Vec<Line>,
}

impl InputList {
    /// Reads a list (`NAME.inputs.jsonl`), or the journal of a call that was interrupted.
    pub fn read(path: &Path) -> Result<InputList, StoreError> {
        let mut file = File::open(path).naming("open", path)?;
        let mut opening = None;
        let mut lines = Vec::new();
        journal::read(&mut file, path, &mut |line, _| {
            match line {
                Line::Opening(found) if opening.is_none() && found.format == FORMAT => opening = Some(*found),
                line if line.is_input() && lines.len() < LINES_MAX => lines.push(line),
                _ => {}
            }
            Ok(())
        })?;
        let why = || "its first line is no opening of a live call: it is no list of inputs, or was cut".into();
        let opening = opening.ok_or_else(|| StoreError::Record { file: path.into(), why: why() })?;
        Ok(InputList { opening, lines })
    }
}

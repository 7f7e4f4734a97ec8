//! Exit codes. They are stable, and the manual lists them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Done,
    /// Some inputs failed, or `verify` found something; the rest was done.
    Partly,
    /// The command or its configuration cannot be used; nothing was written.
    Usage,
    /// `--strict` and a finding: everything was written, something was found.
    Found,
    /// Refused: held, erased before, or another oneside is writing there.
    Refused,
    /// The disk is full or fails.
    Disk,
    /// A bug in this program; the call it happened in is named.
    Bug,
    /// Interrupted; what was finished stands, a re-run does the rest.
    Interrupted,
}

impl Exit {
    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Partly => 1,
            Exit::Usage => 2,
            Exit::Found => 3,
            Exit::Refused => 4,
            Exit::Disk => 5,
            Exit::Bug => 70,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

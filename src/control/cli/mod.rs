//! The command line: one file a command. Flags are read as written here and resolved by `config`.

#[macro_use]
mod say;

pub mod acknowledge;
pub mod batch;
pub mod check;
#[cfg(feature = "http")]
pub mod ctl;
#[cfg(feature = "capture")]
pub mod devices;
pub mod erase;
pub mod evaluate;
pub mod flags;
#[cfg(feature = "http")]
pub mod http_flags;
pub mod inputs;
pub mod live;
#[cfg(feature = "pipe")]
pub mod pipe;
pub mod presets;
pub mod progress;
pub mod reconcile;
#[cfg(feature = "capture")]
pub mod record;
pub mod replay;
#[cfg(feature = "serve")]
pub mod serve;
pub mod sweep;
pub mod table;
pub mod verify;

use clap::{Parser, Subcommand};

use super::exit::Exit;
use crate::run::hardening::forbid_core_dumps;

/// One-sided call recording: keeps the agent's side of a call, and the customer's only under a standing grant made by
/// an active act.
#[derive(Debug, Parser)]
#[command(name = "oneside", version, max_term_width = 110, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done · 1 some inputs failed, or verify found something · 2 the command or configuration cannot be used, \
nothing was written · 3 --strict and a finding · 4 refused (held, erased before, another oneside is writing) · 5 disk \
full or failing · 70 a bug · 130 interrupted";

#[derive(Debug, Subcommand)]
enum Command {
    /// Recordings in, agent-only recordings out.
    Batch(batch::Args),
    /// What is in force, where each value comes from, and what an input looks like. Writes nothing.
    Check(check::Args),
    /// One call from a pipe, live: the agent kept, the customer only under a standing grant.
    #[cfg(feature = "pipe")]
    Pipe(Box<pipe::Args>),
    /// The sidecar of a workstation: microphone and loopback, live.
    #[cfg(feature = "capture")]
    Record(Box<record::Args>),
    /// The calls of media servers, live: AudioSocket, RTP and rtpengine, WebSocket, AudioHook, SIPREC.
    #[cfg(feature = "serve")]
    Serve(Box<serve::Args>),
    /// Make a live call again from its list of inputs, over sound that is supplied.
    Replay(replay::Args),
    /// Re-check what is stored against its manifests and ledgers.
    Verify(verify::Args),
    /// Hold the switch's list of calls against what became of them.
    Reconcile(reconcile::Args),
    /// Delete a call, or its customer's track, for good; leaves a receipt.
    Erase(erase::Args),
    /// Delete calls past their retention; leaves receipts.
    Sweep(sweep::Args),
    /// Score a labelled set: the detector, and what is stored.
    Evaluate(evaluate::Args),
    /// Steer the calls of a recorder that is running: what was said, a pause, an end.
    #[cfg(feature = "http")]
    Ctl(Box<ctl::Args>),
    /// Put an agent's acknowledgement of purpose, retention, access and rules on file.
    Acknowledge(acknowledge::Args),
    /// List the sound devices and what each can do.
    #[cfg(feature = "capture")]
    Devices(devices::Args),
    /// List the known exports and what each preset assumes.
    Presets,
    /// Print the JSON Schema of a line of an events file.
    Schema,
}

/// Runs the command that the process was started with.
pub fn main() -> Exit {
    if let Err(error) = forbid_core_dumps() {
        eprintln!("oneside: core dumps could not be forbidden, so a crash could leave sound on the disk: {error}");
        return Exit::Refused;
    }
    match Cli::parse().command {
        Command::Batch(args) => batch::main(&args),
        Command::Check(args) => check::main(&args),
        #[cfg(feature = "pipe")]
        Command::Pipe(args) => pipe::main(&args),
        #[cfg(feature = "capture")]
        Command::Record(args) => record::main(&args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::main(&args),
        Command::Replay(args) => replay::main(&args),
        Command::Verify(args) => verify::main(&args),
        Command::Reconcile(args) => reconcile::main(&args),
        Command::Erase(args) => erase::main(&args),
        Command::Sweep(args) => sweep::main(&args),
        Command::Evaluate(args) => evaluate::main(&args),
        #[cfg(feature = "http")]
        Command::Ctl(args) => ctl::main(&args),
        Command::Acknowledge(args) => acknowledge::main(&args),
        #[cfg(feature = "capture")]
        Command::Devices(args) => devices::main(&args),
        Command::Presets => presets::main(),
        Command::Schema => {
            say!("{}", crate::source::wire::events::SCHEMA);
            Exit::Done
        }
    }
}

/// The exit code of a command; says on standard error why it came to nothing, if it did.
fn exit_of(ran: Result<Exit, (Exit, String)>) -> Exit {
    ran.unwrap_or_else(|(exit, message)| {
        warn_line!("oneside: {message}");
        exit
    })
}

/// Says on standard error what went wrong, with everything that led to it.
fn complain(error: &dyn std::error::Error) {
    warn_line!("oneside: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        // Many messages carry their cause already.
        let text = cause.to_string();
        if !error.to_string().contains(&text) {
            warn_line!("  because {text}");
        }
        source = cause.source();
    }
}

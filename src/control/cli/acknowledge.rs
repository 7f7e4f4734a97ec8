//! `oneside acknowledge`: an agent confirms to have read what is recorded, why, how long, and who may hear it (INF-04).

use std::io::{BufRead, IsTerminal, stdin};
use std::path::PathBuf;

use crate::archive::acknowledge::{acknowledge, is_usable};
use crate::control::exit::Exit;

/// Flags of `acknowledge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file of acknowledgements ([staff] `acknowledged` of the configuration)
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Who acknowledges
    #[arg(long, value_name = "ID")]
    agent: String,
    /// The version of purpose, retention, access and rules that is acknowledged ([staff] `version`)
    #[arg(long, value_name = "VERSION")]
    version: String,
    /// The agent confirmed elsewhere; nothing is asked
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    if !is_usable(&args.agent) || !is_usable(&args.version) {
        warn_line!("oneside: --agent and --version must be texts of one line");
        return Exit::Usage;
    }
    if !args.yes && !confirmed(args) {
        warn_line!("oneside: not confirmed; nothing was put on file, and no call of `{}` will be captured", args.agent);
        return Exit::Refused;
    }
    match acknowledge(&args.file, &args.agent, &args.version) {
        Ok(()) => {
            say_line!("{}: `{}` acknowledged", args.agent, args.version);
            Exit::Done
        }
        Err(error) => {
            super::complain(&error);
            Exit::Disk
        }
    }
}

fn confirmed(args: &Args) -> bool {
    if !stdin().is_terminal() {
        warn_line!("oneside: there is no terminal to ask at; give --yes if the agent confirmed elsewhere");
        return false;
    }
    say_line!(
        "{}: I have read version `{}` of: what of my calls is recorded, for which purposes, how long it is kept, who may \
         hear it, and my rights. Type yes to confirm:",
        args.agent,
        args.version
    );
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case("yes")
}

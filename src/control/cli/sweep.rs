//! `oneside sweep`: calls past their retention, deleted; first as a list, with --yes in earnest.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::erase::{exit_of, holds};
use crate::archive::{ArchiveError, lock, sweep};
use crate::control::exit::Exit;

/// Flags of `sweep`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A directory that batch wrote
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Age from which a call is due, in days, counted from when it was recorded
    #[arg(long, value_name = "DAYSd", default_value = "90d", value_parser = days)]
    older_than: u32,
    /// Calls that must stay: {"call":…,"reason":…,"by":…,"review":"2027-01-31"}, one a line
    #[arg(long, value_name = "FILE")]
    holds: Option<PathBuf>,
    /// Delete; without it only the list is printed
    #[arg(long)]
    yes: bool,
}

/// `90d` as days.
fn days(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('d').unwrap_or(text);
    match number.parse() {
        Ok(days) if days <= 36_500 => Ok(days),
        _ => Err(format!("`{text}` is no age: say days, for instance 90d. Retention cannot be switched off (RET-01)")),
    }
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    match run(args) {
        Ok(exit) => exit,
        Err(error) => {
            super::complain(&error);
            exit_of(&error)
        }
    }
}

fn run(args: &Args) -> Result<Exit, ArchiveError> {
    let holds = holds(&args.dir, args.holds.as_deref())?;
    let age = SignedDuration::from_hours(i64::from(args.older_than) * 24);
    let _held = if args.yes { Some(lock(&args.dir)?) } else { None };
    let now = Timestamp::now();
    let plan = sweep::plan(&args.dir, age, &holds, now)?;
    for due in &plan.due {
        say_line!("due   {}  recorded {}", due.call, due.recorded_at);
    }
    for (due, hold) in &plan.held {
        say_line!(
            "held  {}  recorded {}; {} (by {}, review {})",
            due.call,
            due.recorded_at,
            hold.reason,
            hold.by,
            hold.review
        );
    }
    for (call, why) in &plan.undated {
        say_line!("?     {call}  {why}");
    }
    let mut exit = if plan.undated.is_empty() { Exit::Done } else { Exit::Partly };
    if !args.yes {
        say_line!(
            "{} due, {} held, {} not due. Nothing was deleted; --yes deletes.",
            plan.due.len(),
            plan.held.len(),
            plan.kept
        );
        return Ok(exit);
    }
    let mut erased = 0;
    for (call, result) in sweep::sweep(&args.dir, &plan, now) {
        match result {
            Ok(_) => erased += 1,
            Err(error) => {
                warn_line!("oneside: {call}: {error}");
                exit = Exit::Partly;
            }
        }
    }
    say_line!("{erased} erased with receipts, {} held, {} not due.", plan.held.len(), plan.kept);
    Ok(exit)
}

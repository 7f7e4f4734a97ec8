//! `oneside erase`: a call, or one track of it, deleted for good; a receipt stays.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::archive::{self, ArchiveError, Holds, Lock, Place, What, lock};
use crate::control::exit::Exit;
use crate::run::live::recover;

/// Flags of `erase`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A directory that batch wrote
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The call, by the name its files have. May be repeated
    #[arg(long, value_name = "NAME", required = true)]
    call: Vec<String>,
    /// Only this track; without it everything of the call goes
    #[arg(long, value_name = "customer|agent", value_parser = ["customer", "agent"])]
    track: Option<String>,
    /// Why, for the receipt
    #[arg(long, value_name = "TEXT", default_value = "request")]
    reason: String,
    /// Calls that must stay: {"call":…,"reason":…,"by":…,"review":"2027-01-31"}, one a line
    #[arg(long, value_name = "FILE")]
    holds: Option<PathBuf>,
    /// Say what would be deleted; delete nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    // A call that was interrupted is sealed first: then it can be erased like any other.
    if !args.dry_run {
        match recover(&args.dir) {
            Ok(recovered) => recovered.iter().for_each(|line| warn_line!("oneside: {line}")),
            Err(error) => super::complain(&error),
        }
    }
    match erase_all(args) {
        Ok(exit) => exit,
        Err(error) => {
            super::complain(&error);
            exit_of(&error)
        }
    }
}

/// The hold list; none given, none held. A hold on a call that is not here protects nothing, so it is named.
pub fn holds(dir: &Path, file: Option<&Path>) -> Result<Holds, ArchiveError> {
    match file {
        Some(file) => {
            let holds = Holds::read(file)?;
            for hold in holds.overdue(Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()) {
                warn_line!("oneside: the hold on {} was due for review on {}; it still holds", hold.call, hold.review);
            }
            for hold in holds.iter() {
                let is_here = Place::new(dir, &hold.call)
                    .is_ok_and(|place| place.manifest().is_file() || place.receipt().is_file());
                if !is_here {
                    warn_line!(
                        "oneside: the hold list names {}, and there is no such call here: is it misspelt?",
                        hold.call
                    );
                }
            }
            Ok(holds)
        }
        None => Ok(Holds::default()),
    }
}

/// What an error of the archive means for the exit code.
pub fn exit_of(error: &ArchiveError) -> Exit {
    match error {
        error if error.is_disk() => Exit::Disk,
        error if error.is_refusal() => Exit::Refused,
        _ => Exit::Usage,
    }
}

fn erase_all(args: &Args) -> Result<Exit, ArchiveError> {
    let what = match args.track.as_deref() {
        Some("customer") => What::Customer,
        Some(_) => What::Agent,
        None => What::All,
    };
    let holds = holds(&args.dir, args.holds.as_deref())?;
    let _held: Option<Lock> = if args.dry_run { None } else { Some(lock(&args.dir)?) };
    // Everything is looked at before the first file goes: a misspelt name or a held call stops it all.
    let mut previews = Vec::new();
    for call in &args.call {
        let preview = archive::preview(&Place::new(&args.dir, call)?, what, &holds)?;
        if let Some(hold) = &preview.held {
            warn_line!("oneside: {call} is held ({}, by {}); nothing is erased", hold.reason, hold.by);
            return Ok(Exit::Refused);
        }
        previews.push(preview);
    }
    for preview in &previews {
        let bytes: u64 = preview.files.iter().map(|file| file.bytes).sum();
        let name = preview.place.name();
        if args.dry_run {
            for file in &preview.files {
                say_line!("{name}: would delete {} ({} bytes)", file.file, file.bytes);
            }
            continue;
        }
        archive::erase(preview, &args.reason, Timestamp::now())?;
        say_line!(
            "{name}: {} erased, {} file(s), {bytes} bytes; receipt {name}.erased.json",
            what.words(),
            preview.files.len()
        );
    }
    Ok(Exit::Done)
}

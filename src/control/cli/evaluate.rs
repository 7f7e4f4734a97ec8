//! `oneside evaluate`: a labelled set, scored.

use std::path::PathBuf;

use crate::control::exit::Exit;
use crate::evaluate::{self, Report, table};
use crate::run::rating::{Rating, decode};

/// Flags of `evaluate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A labelled set: manifest.jsonl, audio, labels/*.csv
    #[arg(value_name = "SETDIR")]
    set: PathBuf,
    /// Only items whose name or set contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Also a line for each item
    #[arg(long)]
    per_item: bool,
    /// Detector mode, 0 (keeps more) to 3 (keeps less)
    #[arg(long, value_name = "0-3", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=3))]
    vad_mode: u8,
    /// The figures as JSON
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    let mut set = match evaluate::set::read(&args.set) {
        Ok(set) => set,
        Err(error) => {
            super::complain(&error);
            return Exit::Usage;
        }
    };
    if let Some(only) = &args.only {
        set.items.retain(|item| item.id.contains(only) || item.set.contains(only));
    }
    if set.items.is_empty() {
        warn_line!(
            "oneside: {}: no item of the set can be scored{}",
            args.set.display(),
            args.only.as_ref().map_or("", |_| " with this --only")
        );
        return Exit::Usage;
    }
    let rating = Rating::new(args.vad_mode);
    let total = set.items.len();
    let mut done = 0;
    let report = evaluate::evaluate(&set, decode, |item, sound| {
        done += 1;
        if !args.quiet && (done % 20 == 0 || done == total) {
            warn_line!("oneside: {done} of {total} items");
        }
        rating.run(item, sound)
    });
    print(args, &report);
    if report.failed.is_empty() { Exit::Done } else { Exit::Partly }
}

fn print(args: &Args, report: &Report) {
    match args.json {
        true => say_line!("{:#}", table::json(report)),
        false => say!("{}", table::text(report, args.per_item)),
    }
    for row in &report.failed {
        warn_line!("oneside: {}: {}", row.name, row.figures);
    }
}

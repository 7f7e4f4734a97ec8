//! `oneside verify`: what is stored, checked against its manifests and ledgers; needs only the directory.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::archive::{self, Severity};
use crate::control::exit::Exit;

/// Flags of `verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A directory that batch wrote
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The findings as JSON
    #[arg(long)]
    json: bool,
    /// No progress, and no word when all is well
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    if !args.dir.is_dir() {
        warn_line!("oneside: {}: there is no such directory", args.dir.display());
        return Exit::Usage;
    }
    let mut told = Instant::now();
    let mut bytes_before = 0;
    let mut progress = |file: &Path, bytes: u64| {
        bytes_before += bytes;
        if !args.quiet && told.elapsed() > Duration::from_secs(2) {
            told = Instant::now();
            let end = if std::io::stderr().is_terminal() { "\r" } else { "\n" };
            warn!("oneside: {} MiB read, at {}{end}", bytes_before >> 20, file.display());
        }
    };
    let report = match archive::verify(&args.dir, &mut progress) {
        Ok(report) => report,
        Err(error) => {
            super::complain(&error);
            return Exit::Disk;
        }
    };
    if report.calls + report.receipts == 0 && !["batch.json", ".live"].iter().any(|ours| args.dir.join(ours).exists()) {
        warn_line!(
            "oneside: {}: nothing that batch wrote is here; name the directory that was its --out",
            args.dir.display()
        );
        return Exit::Usage;
    }
    if args.json {
        match serde_json::to_string_pretty(&report) {
            Ok(text) => say_line!("{text}"),
            Err(error) => super::complain(&error),
        }
    } else {
        for finding in &report.findings {
            let word = if finding.severity == Severity::Warning { "warning: " } else { "" };
            say_line!("{word}{finding}");
        }
        if !args.quiet || !report.is_sound() {
            say_line!(
                "{} call(s), {} receipt(s), {} file(s), {} MiB: {}",
                report.calls,
                report.receipts,
                report.files,
                report.bytes >> 20,
                if report.is_sound() { "sound" } else { "NOT sound" }
            );
        }
    }
    if report.is_sound() { Exit::Done } else { Exit::Partly }
}

//! `oneside batch`: recordings in, agent-only recordings out.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::flags::{Knobs, Reading, Writing};
use super::inputs::{NOTHING, Prepared, Refused, prepare};
use super::progress::Progress;
use super::table;
use crate::config::customer_sentence;
use crate::control::exit::Exit;
use crate::run::desk::finish;
use crate::run::{Batch, Job, JobError, Outcome, run};
use crate::source::{Gathered, shown};

/// Flags of `batch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recordings: files, directories (searched through), globs, or - for a list on standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Where outputs go; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    knobs: Knobs,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    writing: Writing,
    /// Delete each input once its outputs are written, synced and verified (there is one way: delete)
    #[arg(long, value_name = "delete", value_parser = ["delete"])]
    dispose: Option<String>,
    /// Say what would be done; write nothing
    #[arg(long)]
    dry_run: bool,
    /// The summary as JSON on standard output
    #[arg(long)]
    json: bool,
    /// No progress, no summary; errors are still told
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    let dispose = args.dispose.is_some();
    let prepared = prepare(&args.inputs, args.out.clone(), &args.knobs, &args.writing, &args.reading, dispose);
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(Refused(message)) => {
            warn_line!("oneside: {message}");
            return Exit::Usage;
        }
    };
    if args.dry_run {
        return dry_run(&prepared, args.json);
    }
    if prepared.gathered.inputs.is_empty() && prepared.gathered.unusable.is_empty() {
        return finish_earlier(&prepared, args.quiet);
    }
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(&stop);
    let Prepared { orders, gathered } = prepared;
    let strict = orders.settings.strict.value;
    tell_unusable(&gathered, orders.namer.is_some());
    let batch = Batch { orders, inputs: gathered.inputs, unusable: gathered.unusable };
    let sizes = batch.inputs.iter().map(|input| input.sound.bytes()).collect();
    let progress = Progress::new(&batch, sizes, args.quiet);
    let outcome = run(&batch, &stop, &progress);
    progress.clear();
    match outcome {
        Ok(outcome) => match tell(args, &batch, &outcome, strict) {
            Exit::Done | Exit::Found if !batch.unusable.is_empty() => Exit::Partly,
            exit => exit,
        },
        Err(error) => {
            super::complain(&error);
            if error.is_refusal() { Exit::Refused } else { Exit::Disk }
        }
    }
}

/// Names what cannot be an input; with hashed names only why.
pub fn tell_unusable(gathered: &Gathered, hashed: bool) {
    for (path, cause) in &gathered.unusable {
        match hashed {
            true => warn_line!("oneside: {cause}"),
            false => warn_line!("oneside: {}: {cause}", shown(path)),
        }
    }
}

/// The first signal lets the calls in hand go and ends cleanly; nothing half-written stands.
fn stop_on_signal(stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    let set = ctrlc::set_handler(move || {
        if !stop.swap(true, Ordering::Relaxed) {
            warn_line!("oneside: interrupted; finishing cleanly");
        }
    });
    if let Err(error) = set {
        warn_line!("oneside: Ctrl-C will end this at once instead of cleanly: {error}");
    }
}

/// With --dispose: an earlier run left no input, and this one only completes what that one had begun.
fn finish_earlier(prepared: &Prepared, quiet: bool) -> Exit {
    match finish(&prepared.orders) {
        Ok(Some(finished)) => {
            if !quiet {
                let done = finished.len();
                say_line!("No input is left of what an earlier run did; {done} disposal(s) cut short were completed.");
            }
            Exit::Done
        }
        Ok(None) => {
            warn_line!("oneside: {NOTHING}");
            Exit::Usage
        }
        Err(error) => {
            super::complain(&error);
            if error.is_refusal() { Exit::Refused } else { Exit::Disk }
        }
    }
}

/// What a dry run says of a call.
#[derive(serde::Serialize)]
struct Planned {
    name: String,
    inputs: Vec<String>,
    events: &'static str,
}

fn dry_run(prepared: &Prepared, json: bool) -> Exit {
    let orders = &prepared.orders;
    let plan = prepared.gathered.inputs.iter().map(|input| {
        let events = match (&orders.feed, &input.events) {
            (Some(feed), _) if feed.of(&input.name).is_some() => "events in the feed",
            (None, Some(_)) => "events beside it",
            _ => "no events: the customer is dropped",
        };
        Planned { name: orders.stored_name(input), inputs: orders.told_paths(input), events }
    });
    let plan: Vec<Planned> = plan.collect();
    if json {
        say_line!("{}", serde_json::to_string_pretty(&plan).unwrap_or_default());
        return Exit::Done;
    }
    for Planned { name, inputs, events } in &plan {
        say_line!("{} -> {name}.agent.wav ({events})", inputs.join(" + "));
    }
    say_line!("{} call(s); nothing was written. {}", plan.len(), customer_sentence(&orders.settings));
    Exit::Done
}

fn tell(args: &Args, batch: &Batch, outcome: &Outcome, strict: bool) -> Exit {
    if args.json {
        say!("{}", outcome.summary.to_text());
    } else if !args.quiet {
        say!("{}", table::summary(batch, outcome));
    }
    let _ = std::io::stdout().flush(); // a closed pipe is the reader's choice
    exit_of(outcome, strict)
}

fn exit_of(outcome: &Outcome, strict: bool) -> Exit {
    let errors = || outcome.results.values().filter_map(|result| result.as_ref().err());
    if errors().any(|error| matches!(error, JobError::Panic(_))) {
        return Exit::Bug;
    }
    if outcome.interrupted {
        return Exit::Interrupted;
    }
    if errors().any(JobError::is_disk) {
        return Exit::Disk;
    }
    if errors().next().is_some() {
        return Exit::Partly;
    }
    let found = outcome.results.values().flatten().any(|job| match job {
        Job::Done(manifest) | Job::Unchanged(manifest) => !manifest.findings.is_empty(),
        Job::Erased { .. } => false,
    });
    if strict && found { Exit::Found } else { Exit::Done }
}

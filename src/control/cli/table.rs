//! The summary of a batch for people: a line a call, then the totals.

use std::fmt::Write;

use crate::archive::Manifest;
use crate::call::CallResult;
use crate::consent::Entry;
use crate::consent::event::Refusal;
use crate::run::disposing::doubt;
use crate::run::{Batch, Job, Outcome};

/// Most lines of calls; the rest is in `batch.json`.
const LINES_MAX: usize = 50;
/// Widest name.
const NAME_MAX: usize = 32;

/// The table and the totals.
pub fn summary(batch: &Batch, outcome: &Outcome) -> String {
    let mut out = String::new();
    let _ =
        writeln!(out, "{:<NAME_MAX$} {:>8} {:>8} {:>8} {:>9}  result", "call", "length", "agent", "customer", "leak");
    for (shown, (number, result)) in outcome.results.iter().enumerate() {
        if shown == LINES_MAX {
            let _ = writeln!(out, "… and {} more: see batch.json", outcome.results.len() - LINES_MAX);
            break;
        }
        let line = match result {
            Ok(Job::Done(manifest)) => row(manifest, "") + &kept(batch, manifest),
            Ok(Job::Unchanged(manifest)) => row(manifest, "unchanged; ") + &kept(batch, manifest),
            Ok(Job::Erased { name }) => format!("{:<NAME_MAX$} erased earlier; not made again", short(name)),
            Err(error) => {
                let input = &batch.inputs[*number];
                let (name, why) = (batch.orders.stored_name(input), batch.orders.told(error, input));
                format!("{:<NAME_MAX$} failed: {why}", short(&name))
            }
        };
        let _ = writeln!(out, "{line}");
    }
    out.push_str(&totals(outcome));
    out
}

/// Why the input of this call is still there although its removal was asked for.
fn kept(batch: &Batch, manifest: &Manifest) -> String {
    let doubt = doubt(manifest).filter(|_| batch.orders.dispose);
    doubt.map_or_else(String::new, |why| format!("; input kept, for the result is doubtful ({why})"))
}

/// The first event that counted for nothing: why, and when.
pub fn first_refusal(ledger: &[Entry]) -> Option<String> {
    ledger.iter().find_map(|entry| Some(format!("{} at {:.1} s", code(entry.effect.refusal?), entry.at)))
}

/// A refusal by its stable code.
pub fn code(refusal: Refusal) -> String {
    let value = serde_json::to_value(refusal).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn row(manifest: &Manifest, prefix: &str) -> String {
    let seconds = |samples: u64| format!("{:.1} s", samples as f64 / f64::from(manifest.rate_hz));
    let leak = match manifest.leak.residual_db {
        Some(db) => format!("{db:.0} dB"),
        None if manifest.leak.measurable => "none".into(),
        None => "-".into(),
    };
    let customer = match &manifest.customer.reason {
        None => seconds(manifest.tally.customer.written),
        Some(_) => "-".into(),
    };
    let mut what = match manifest.result {
        CallResult::Recorded => format!("{prefix}recorded"),
        CallResult::Quarantined => format!("{prefix}QUARANTINED, both sides withheld"),
        CallResult::Interrupted => format!("{prefix}INTERRUPTED, what stood was sealed"),
    };
    if let Some(reason) = &manifest.customer.reason {
        let _ = write!(what, "; customer not stored ({})", reason.replace('_', " "));
    }
    for finding in &manifest.findings {
        let _ = write!(what, "; {}", finding.code.replace('_', " "));
        if let Some(why) = first_refusal(&manifest.ledger).filter(|_| finding.code == "events_rejected") {
            let _ = write!(what, " ({why})");
        }
    }
    if manifest.disposed.is_some() {
        what.push_str("; input deleted");
    }
    format!(
        "{:<NAME_MAX$} {:>8} {:>8} {:>8} {:>9}  {what}",
        short(&manifest.call),
        seconds(manifest.length_samples),
        seconds(manifest.tally.agent.written),
        customer,
        leak,
    )
}

fn totals(outcome: &Outcome) -> String {
    let totals = &outcome.summary.totals;
    let unchanged = outcome.results.values().filter(|result| matches!(result, Ok(Job::Unchanged(_)))).count();
    let mut out = format!(
        "\n{} call(s): {} recorded, {} quarantined, {} failed",
        totals.calls + totals.errors,
        totals.recorded,
        totals.quarantined,
        totals.errors
    );
    if unchanged > 0 {
        let _ = write!(out, "; {unchanged} of them unchanged since an earlier run");
    }
    let _ = write!(out, ".\nThe customer's track is stored of {} call(s). ", totals.customer_stored);
    let _ = match totals.inputs_remaining {
        // What was not begun may be out of sight as well, so an interrupted run does not say it of all.
        0 if outcome.interrupted => writeln!(out),
        0 => writeln!(out, "No input holds the customer's voice any more."),
        n => writeln!(out, "{n} input(s) still hold the customer's voice (--dispose delete removes them)."),
    };
    if outcome.interrupted {
        out.push_str("Interrupted: run the same command again to do the rest.\n");
    }
    out
}

/// A name cut in its middle to fit.
fn short(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    if chars.len() <= NAME_MAX {
        return name.to_owned();
    }
    let side = (NAME_MAX - 1) / 2;
    let (front, back) = (&chars[..side], &chars[chars.len() - side..]);
    front.iter().chain(&['…']).chain(back).collect()
}

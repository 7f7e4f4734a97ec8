//! Checks what is written down, each record by itself: a manifest, the summary of the last run.

use std::path::Path;

use super::report::{Finding, Notes};
use super::sound;
use crate::call::CallResult;
use crate::store::manifest::{self, Account, Manifest, Progress, read_record};
use crate::store::name::SUMMARY;
use crate::store::summary::{self, Summary, Totals};
use crate::store::{Kind, sealed};

/// Checks a manifest as far as it can be checked alone.
pub(super) fn check_manifest(manifest: &Manifest, text: &str, name: &str, notes: &mut Notes<'_>) {
    if manifest.format != manifest::FORMAT {
        notes.error("format", format!("its format is `{}`, not `{}`", manifest.format, manifest::FORMAT));
    }
    if manifest.call != name {
        notes.error("name", format!("it is the manifest of call `{}`: files were swapped or renamed", manifest.call));
    }
    check_form(text, &manifest.to_text(), notes);
    if let Err(error) = manifest.recorded_at.parse::<jiff::Timestamp>() {
        notes.error_at("format", "recorded_at", format!("it is no time: {error}"));
    }
    check_tally("agent", &manifest.tally.agent, manifest, notes);
    check_tally("customer", &manifest.tally.customer, manifest, notes);
    check_listing(manifest, notes);
    if manifest.disposed.as_ref().is_some_and(|disposed| disposed.state == Progress::Pending) {
        let what = "removing the input was interrupted: it may still be there; run the batch again with --dispose";
        notes.warning("disposal_pending", what);
    }
}

/// A record must be, byte for byte, as it would be written: what was added or reordered shows even under a new seal.
fn check_form(text: &str, canonical: &str, notes: &mut Notes<'_>) {
    let is_seal = |line: usize| text.lines().nth(line - 1).is_some_and(|line| line.starts_with("  \"seal\""));
    if let Some(line) = sealed::first_difference(text, canonical).filter(|line| !is_seal(*line)) {
        notes.error_at("form", format!("line {line}"), "it is not as oneside writes it: the line was changed by hand");
    }
}

fn check_tally(side: &str, account: &Account, manifest: &Manifest, notes: &mut Notes<'_>) {
    let place = format!("tally.{side}");
    if !account.adds_up() {
        notes.error_at("tally", place.as_str(), "what came in is not what was written, erased and left out together");
    }
    // A customer's side that was never delivered has nothing to account for.
    let length = manifest.length_samples;
    if account.heard != length && (side == "agent" || account.heard != 0) {
        let what = format!("{} samples came in, but the call has {length}", account.heard);
        notes.error_at("tally", place.as_str(), what);
    }
    if manifest.result == CallResult::Quarantined && account.written != 0 {
        notes.error_at("tally", place, "the call is quarantined, yet something is said to be written");
    }
}

/// Checks that the outputs listed are those that the rest of the manifest speaks of.
fn check_listing(manifest: &Manifest, notes: &mut Notes<'_>) {
    let base = manifest.call.rsplit('/').next().unwrap_or_default();
    for (index, output) in manifest.outputs.iter().enumerate() {
        let place = format!("outputs[{index}]");
        if output.file != format!("{base}{}", output.kind.suffix()) {
            notes.error_at("listing", place.as_str(), format!("`{}` is no file of this call", output.file));
        }
        if manifest.outputs[..index].iter().any(|other| other.kind == output.kind) {
            notes.error_at("listing", place.as_str(), "it is listed twice");
        }
        let expected = match output.kind {
            Kind::Agent | Kind::Customer => Some(manifest.length_samples),
            Kind::Speech => Some(manifest.tally.agent.written),
            Kind::Timeline | Kind::Picture | Kind::Inputs => None,
        };
        if output.length_samples != expected {
            notes.error_at("listing", place, "its length is not that of the call, or of what was written by the tally");
        }
    }
    let stored = sound::output(manifest, Kind::Customer).is_some();
    let customer = &manifest.customer;
    if sound::output(manifest, Kind::Agent).is_none() {
        notes.error_at("listing", "outputs", "the agent's track is not among them");
    }
    if customer.stored != stored || customer.stored == customer.reason.is_some() {
        notes.error_at(
            "listing",
            "customer",
            "whether the customer's track is stored, and why not, contradict each other",
        );
    }
    let kept: u64 = customer.kept.iter().map(|kept| kept.until.saturating_sub(kept.from)).fold(0, u64::saturating_add);
    if manifest.tally.customer.written > kept || (kept > 0 && !stored && manifest.tally.customer.written > 0) {
        notes.error_at(
            "tally",
            "tally.customer",
            "more was written than there are kept stretches, or nothing is stored",
        );
    }
}

/// What stands of a call, as the summary's check needs to know it.
pub(super) struct Standing<'a> {
    /// There is a manifest.
    pub(super) manifest: bool,
    /// There is a receipt of erasure.
    pub(super) receipt: bool,
    /// The seal of the manifest, if that could be read.
    pub(super) seal: Option<&'a str>,
}

/// Checks the summary of the last run against what stands.
pub(super) fn check_summary<'a>(dir: &Path, standing: &dyn Fn(&str) -> Standing<'a>, findings: &mut Vec<Finding>) {
    let file = Summary::file(dir);
    if !file.exists() {
        return;
    }
    let mut notes = Notes::about(SUMMARY, findings);
    let text = match read_record(&file) {
        Ok(text) => text,
        Err(error) => return notes.error("unreadable", error.to_string()),
    };
    if let Err(what) = sealed::check_seal(&text) {
        notes.error("seal", what);
    }
    let summary: Summary = match sealed::parse(&text) {
        Ok(summary) => summary,
        Err(what) => return notes.error("format", format!("it cannot be understood: {what}")),
    };
    if summary.format != summary::FORMAT {
        notes.error("format", format!("its format is `{}`, not `{}`", summary.format, summary::FORMAT));
    }
    check_form(&text, &summary.to_text(), &mut notes);
    if summary.totals != Totals::of(&summary.calls, &summary.errors) {
        notes.error_at("totals", "totals", "they are not the totals of the lines above");
    }
    for line in &summary.calls {
        let place = format!("call `{}`", line.name);
        let stands = standing(&line.name);
        match stands.seal {
            Some(seal) if seal == line.manifest => {}
            _ if stands.receipt => {}
            Some(_) => notes.error_at("replaced", place, "its manifest is another one than the run left"),
            None if stands.manifest => {} // its own finding says why
            None => notes.error_at("missing", place, "it is gone, and no receipt says why"),
        }
    }
}

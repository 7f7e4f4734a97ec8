//! Re-checks at rest everything that can be checked, needing only the directory (SEC-08, AUD-02).
//!
//! Of every call: the manifest's seal, format and form; its ledger, played through a fresh door ([`super::replay`]);
//! that the tally adds up; every output's size, header and digest, that the customer is not heard outside a grant,
//! that the speech leads back to the agent's track ([`super::sound`]). Of the directory: files without a manifest,
//! receipts, the summary of the last run, what a killed run left behind, and permissions.
//!
//! Memory is bounded but for the list of names.

use std::collections::BTreeMap;
use std::path::Path;

use super::receipt::Receipt;
use super::report::{Finding, Notes, Report};
use super::{replay, sound};
use crate::call::CallResult;
use crate::store::manifest::{self, Account, Manifest, Progress, read_record};
use crate::store::name::{MANIFEST_SUFFIX, RECEIPT_SUFFIX, SUMMARY};
use crate::store::summary::{self, Summary, Totals};
use crate::store::{Kind, Place, StoreError, files, sealed, wav};

/// Longest call that is believed, samples: three hundred years at the highest rate.
const LENGTH_MAX: u64 = 1 << 50;

/// The files of a call, by what they are called.
#[derive(Default)]
struct Found {
    manifest: bool,
    receipt: bool,
    outputs: Vec<Kind>,
}

/// Verifies the store in `dir`. `progress` is told every output that was read, with its bytes. The error is for a
/// directory that cannot be walked; everything else is a finding.
pub fn verify(dir: &Path, progress: &mut dyn FnMut(&Path, u64)) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let calls = take_stock(dir, &mut report.findings)?;
    let mut seals = BTreeMap::new();
    for (name, found) in &calls {
        match Place::new(dir, name) {
            Err(error) => Notes::about(name, &mut report.findings).error("name", error.to_string()),
            Ok(place) => {
                let seal = Check { place, found, report: &mut report, progress }.run();
                seals.extend(seal.map(|seal| (name.as_str(), seal)));
            }
        }
    }
    check_summary(dir, &calls, &seals, &mut report.findings);
    report.findings.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(report)
}

/// Lists the calls of a directory by the names of its files, and notes what belongs to none.
fn take_stock(dir: &Path, findings: &mut Vec<Finding>) -> Result<BTreeMap<String, Found>, StoreError> {
    let mut calls: BTreeMap<String, Found> = BTreeMap::new();
    check_mode(dir, Path::new("."), findings);
    files::walk(dir, &mut |path| {
        let relative = path.strip_prefix(dir).unwrap_or(path);
        let Some(name) = relative.to_str() else { return Ok(()) }; // nothing of ours: our names are UTF-8
        if files::is_aside(relative.file_name().and_then(|name| name.to_str()).unwrap_or_default()) {
            let what = "a run that was killed left it half-written; the next run removes it";
            Notes::about(relative, findings).error("abandoned", what);
        } else if let Some(call) = name.strip_suffix(RECEIPT_SUFFIX) {
            calls.entry(call.into()).or_default().receipt = true;
        } else if let Some((call, kind)) = output_of(name) {
            calls.entry(call.into()).or_default().outputs.push(kind);
        } else if let Some(call) = name.strip_suffix(MANIFEST_SUFFIX).filter(|_| name != SUMMARY) {
            calls.entry(call.into()).or_default().manifest = true;
        } else if name != SUMMARY {
            return Ok(()); // somebody else's
        }
        check_mode(path, relative, findings);
        Ok(())
    })?;
    Ok(calls)
}

fn output_of(name: &str) -> Option<(&str, Kind)> {
    Kind::ALL.into_iter().find_map(|kind| Some((name.strip_suffix(kind.suffix())?, kind)))
}

/// Everything about one call.
struct Check<'a> {
    place: Place,
    found: &'a Found,
    report: &'a mut Report,
    progress: &'a mut dyn FnMut(&Path, u64),
}

impl Check<'_> {
    /// Checks the call; its manifest's seal, if that could be read.
    fn run(mut self) -> Option<String> {
        let receipt = if self.found.receipt { self.receipt() } else { None };
        let manifest = if self.found.manifest { self.manifest() } else { None };
        match (&manifest, &receipt) {
            (Some(manifest), _) => self.outputs(manifest, receipt.as_ref()),
            (None, _) if self.found.manifest => {} // its own finding says why
            (None, Some(receipt)) => self.remains(receipt),
            (None, None) => self.orphans(),
        }
        if let Some(receipt) = &receipt {
            self.receipt_fits(receipt, manifest.as_ref());
        }
        manifest.map(|manifest| manifest.seal)
    }

    fn notes(&mut self, file: &Path) -> Notes<'_> {
        let relative = file.strip_prefix(self.place.dir()).unwrap_or(file).to_path_buf();
        Notes::about(relative, &mut self.report.findings)
    }

    /// Reads and checks the manifest itself, as far as it can be read.
    fn manifest(&mut self) -> Option<Manifest> {
        let file = self.place.manifest();
        let foreign = self.found.outputs.is_empty();
        let text = match read_record(&file) {
            Ok(text) if foreign && !text.contains("oneside-manifest") => {
                self.notes(&file).warning("foreign", "it is no manifest; it was passed over");
                return None;
            }
            Ok(text) => text,
            Err(error) => {
                self.notes(&file).error("unreadable", error.to_string());
                return None;
            }
        };
        let name = self.place.name().to_string();
        let mut notes = self.notes(&file);
        if let Err(what) = sealed::check_seal(&text) {
            notes.error("seal", what);
        }
        let manifest: Manifest = match sealed::parse(&text) {
            Ok(manifest) => manifest,
            Err(what) => {
                notes.error("format", format!("it cannot be understood: {what}"));
                return None;
            }
        };
        check_manifest(&manifest, &text, &name, &mut notes);
        if manifest.rate_hz == 0 || manifest.rate_hz > wav::RATE_MAX_HZ || manifest.length_samples > LENGTH_MAX {
            notes.error("format", "its rate or its length is none that a call can have");
            return None;
        }
        replay::check(&manifest, &mut notes);
        self.report.calls += 1;
        Some(manifest)
    }

    /// Checks the files that the manifest lists, and that there are no others.
    fn outputs(&mut self, manifest: &Manifest, receipt: Option<&Receipt>) {
        let mut sounding = BTreeMap::new();
        for kind in Kind::ALL {
            let path = self.place.output(kind);
            let listed = sound::output(manifest, kind);
            let erased = receipt.is_some_and(|receipt| receipt.covers(kind));
            match (listed, self.found.outputs.contains(&kind)) {
                (_, true) if erased => {
                    let what = "it was erased, says the receipt, and is here again; erase it again";
                    self.notes(&path).error("came_back", what);
                }
                (None, true) => {
                    let what = "the manifest does not list it: it was put here afterwards";
                    self.notes(&path).error("unlisted", what);
                }
                (Some(_), false) if !erased => {
                    self.notes(&path)
                        .error("missing", "the manifest lists it, but it is gone, and no receipt says why");
                }
                (Some(output), true) => {
                    let heard = match kind.is_sound() {
                        true => sound::check_sound(manifest, output, &path, &mut self.notes(&path)),
                        false => {
                            sound::check_text(output, &path, &mut self.notes(&path));
                            sound::Heard::default()
                        }
                    };
                    sounding.insert(kind, heard.sounding);
                    self.report.files += 1;
                    self.report.bytes += output.bytes;
                    (self.progress)(&path, output.bytes);
                }
                (None, false) | (Some(_), false) => {}
            }
        }
        self.amounts(manifest, &sounding);
        if sounding.contains_key(&Kind::Timeline) {
            let (file, place) = (self.place.output(Kind::Timeline), self.place.clone());
            sound::check_timeline(manifest, &place, &mut self.notes(&file));
        }
    }

    /// Whether there is as much sound in the files as the tally says.
    fn amounts(&mut self, manifest: &Manifest, sounding: &BTreeMap<Kind, u64>) {
        let tally = &manifest.tally;
        for (kind, written) in [(Kind::Agent, tally.agent.written), (Kind::Customer, tally.customer.written)] {
            if let Some(sounding) = sounding.get(&kind).filter(|sounding| **sounding > written) {
                let what = format!("it holds {sounding} samples of sound, {written} were written by the tally");
                self.notes(&self.place.output(kind)).error("too_much_sound", what);
            }
        }
        if let (Some(agent), Some(speech)) = (sounding.get(&Kind::Agent), sounding.get(&Kind::Speech))
            && agent != speech
        {
            let what = format!("it holds {speech} samples of sound, the agent's track {agent}: they differ");
            self.notes(&self.place.output(Kind::Speech)).error("speech_differs", what);
        }
    }

    /// Reads and checks the receipt itself.
    fn receipt(&mut self) -> Option<Receipt> {
        let file = self.place.receipt();
        let name = self.place.name().to_string();
        let read = read_record(&file).map_err(|error| error.to_string());
        let receipt = match read.and_then(|text| Receipt::parse(&text, &name)) {
            Ok(receipt) => receipt,
            Err(what) => {
                self.notes(&file).error("receipt", what);
                return None;
            }
        };
        self.report.receipts += 1;
        if receipt.state == Progress::Pending {
            let what = "the erasure was interrupted: some of it may still be here; run the erasure again";
            self.notes(&file).error("erasure_pending", what);
        }
        Some(receipt)
    }

    /// Whether a receipt belongs to the manifest beside it.
    fn receipt_fits(&mut self, receipt: &Receipt, manifest: Option<&Manifest>) {
        let file = self.place.receipt();
        let Some(manifest) = manifest else {
            if !receipt.covers_all() && !self.found.manifest {
                self.notes(&file).error("missing", "only a part of the call was erased, but its manifest is gone, too");
            }
            return;
        };
        if receipt.covers_all() {
            let what = "the call was erased, says the receipt, and its manifest is here again; erase it again";
            return self.notes(&self.place.manifest()).error("came_back", what);
        }
        // The input may have been disposed of since.
        let before = Manifest { disposed: None, ..manifest.clone() }.to_text();
        let seals = [Some(manifest.seal.clone()), sealed::check_seal(&before).ok()];
        if receipt.manifest.is_some() && !seals.contains(&receipt.manifest) {
            let what = "it was given for another manifest than the one that is here";
            self.notes(&file).error("receipt", what);
        }
    }

    /// Files of a call that was erased whole.
    fn remains(&mut self, receipt: &Receipt) {
        for kind in self.found.outputs.clone() {
            let path = self.place.output(kind);
            if receipt.covers(kind) {
                let what = "it was erased, says the receipt, and is here again; erase it again";
                self.notes(&path).error("came_back", what);
            } else {
                self.notes(&path).error("orphan", "its manifest is gone");
            }
        }
    }

    /// Files that no manifest and no receipt speaks of.
    fn orphans(&mut self) {
        for kind in self.found.outputs.clone() {
            let path = self.place.output(kind);
            match kind {
                Kind::Picture => self.notes(&path).warning("orphan", "no manifest lists it"),
                _ => self.notes(&path).error("orphan", "no manifest lists it: nobody can say whether it may be kept"),
            }
        }
    }
}

/// Checks a manifest as far as it can be checked alone.
fn check_manifest(manifest: &Manifest, text: &str, name: &str, notes: &mut Notes<'_>) {
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
            Kind::Timeline | Kind::Picture => None,
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

/// Checks the summary of the last run against what stands.
fn check_summary(
    dir: &Path,
    calls: &BTreeMap<String, Found>,
    seals: &BTreeMap<&str, String>,
    findings: &mut Vec<Finding>,
) {
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
        let found = calls.get(&line.name);
        let place = format!("call `{}`", line.name);
        match seals.get(line.name.as_str()) {
            Some(seal) if *seal == line.manifest => {}
            _ if found.is_some_and(|found| found.receipt) => {}
            Some(_) => notes.error_at("replaced", place, "its manifest is another one than the run left"),
            None if found.is_some_and(|found| found.manifest) => {} // its own finding says why
            None => notes.error_at("missing", place, "it is gone, and no receipt says why"),
        }
    }
}

/// Warns of what others than the owner may read (SEC-04).
#[cfg(unix)]
fn check_mode(path: &Path, relative: &Path, findings: &mut Vec<Finding>) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = path.symlink_metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && !metadata.is_symlink() {
        let what = format!("its permissions are {mode:o}: others than its owner get at it; chmod go= it");
        Notes::about(relative, findings).warning("permissions", what);
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &Path, _: &mut Vec<Finding>) {}

#[cfg(test)]
mod tests;

//! Re-checks at rest everything that can be checked, needing only the directory (SEC-08, AUD-02).
//!
//! Of every call: the manifest's seal, format and form; its ledger, played through a fresh door (`replay`);
//! that the tally adds up; every output's size, header and digest, that the customer is not heard outside a grant,
//! that the speech leads back to the agent's track (`sound`). Of the directory: files without a manifest,
//! receipts, the summary of the last run, what a killed run left behind, live calls in hand, and permissions.
//!
//! Memory is bounded but for the list of names.

use std::collections::BTreeMap;
use std::path::Path;

use super::receipt::Receipt;
use super::record::{self, Standing};
use super::report::{Finding, Notes, Report};
use super::{replay, sound};
use crate::store::manifest::{Manifest, Progress, read_record};
use crate::store::name::{MANIFEST_SUFFIX, RECEIPT_SUFFIX, SUMMARY};
use crate::store::{Kind, Place, StoreError, files, live, sealed, wav};

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
    let standing = |name: &str| {
        let found = calls.get(name);
        let (manifest, receipt) = found.map_or((false, false), |found| (found.manifest, found.receipt));
        Standing { manifest, receipt, seal: seals.get(name).map(String::as_str) }
    };
    record::check_summary(dir, &standing, &mut report.findings);
    note_calls_in_hand(dir, &mut report.findings);
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

/// Warns of live calls that do not stand yet.
fn note_calls_in_hand(dir: &Path, findings: &mut Vec<Finding>) {
    for (call, waiting) in live::all_in_hand(dir) {
        let mut notes = Notes::about(Path::new(files::LIVE_DIR).join(call), findings);
        match waiting {
            live::Waiting::InHand => notes.warning("in_hand", "a live call is being recorded; it was not looked at"),
            live::Waiting::ForRecovery => {
                let what =
                    "a live call was interrupted and waits; the next live start, or an erase, seals what stands of it";
                notes.warning("interrupted", what);
            }
        }
    }
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
        record::check_manifest(&manifest, &text, &name, &mut notes);
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
                    self.report.bytes = self.report.bytes.saturating_add(output.bytes);
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
                Kind::Picture | Kind::Inputs => self.notes(&path).warning("orphan", "no manifest lists it"),
                _ => self.notes(&path).error("orphan", "no manifest lists it: nobody can say whether it may be kept"),
            }
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

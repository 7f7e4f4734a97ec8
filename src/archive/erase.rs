//! Erases for good, and leaves a receipt (ERA-01, ERA-06, RET-07).
//!
//! First a [`Preview`], then the deed: exactly what the preview lists. The receipt is written first, as pending; then
//! the files go, the directory is synced and looked at again; then the receipt says done. A kill in between leaves a
//! pending receipt, which [`finish_pending`] completes and `verify` names. Hold the directory's [`crate::store::lock`]
//! around it.

use std::fs::Metadata;
use std::path::Path;

use jiff::Timestamp;

use super::error::ArchiveError;
use super::hold::{Hold, Holds};
use super::receipt::{self, ErasedFile, Erasure, FORMAT, Receipt, What};
use crate::store::manifest::Progress;
use crate::store::{Kind, Manifest, Place, StoreError, Summary, files, live};

/// What an erasure would remove.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The call.
    pub place: Place,
    /// What of it.
    pub what: What,
    /// The files that are there.
    pub files: Vec<ErasedFile>,
    /// The hold that forbids it, if there is one.
    pub held: Option<Hold>,
}

/// Looks what an erasure would remove; changes nothing. A call need not have a readable manifest to be erased. Files
/// that would survive under other names are an error, and so is a live call that does not stand yet.
pub fn preview(place: &Place, what: What, holds: &Holds) -> Result<Preview, ArchiveError> {
    if let Some(waiting) = live::in_hand(place).filter(|_| !place.manifest().exists()) {
        return Err(ArchiveError::InHand { call: place.name().into(), waiting });
    }
    let manifest = Manifest::read(place).ok();
    let receipt = Receipt::read(place)?;
    let mut found = Vec::new();
    for (path, kind) in candidates(place, what) {
        let Some(metadata) = look(&path)? else { continue };
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digest = manifest.as_ref().and_then(|manifest| digest_of(manifest, kind));
        found.push(ErasedFile { file, bytes: metadata.len(), digest });
    }
    if found.is_empty() && receipt.is_none() {
        let call = place.name().to_string();
        return Err(match place.manifest().exists() {
            true => ArchiveError::NothingToErase { call, what: what.words() },
            false => ArchiveError::NoSuchCall { call },
        });
    }
    Ok(Preview { place: place.clone(), what, files: found, held: holds.of(place.name()).cloned() })
}

/// Removes what the preview lists. `at` and `reason` go into the receipt. Where nothing is left to erase the receipt
/// that is there is returned.
pub fn erase(preview: &Preview, reason: &str, at: Timestamp) -> Result<Receipt, ArchiveError> {
    let Preview { place, what, files, held } = preview;
    if let Some(Hold { call, reason, by, review }) = held.clone() {
        return Err(ArchiveError::Held { call, reason, by, review });
    }
    let earlier = Receipt::read(place)?;
    let mut receipt = match earlier {
        Some(receipt) if files.is_empty() && receipt.state == Progress::Done => return Ok(receipt),
        Some(receipt) if files.is_empty() => return complete(place, receipt),
        Some(receipt) => receipt,
        None => fresh(place),
    };
    receipt.state = Progress::Pending;
    let (reason, at) = (reason.to_string(), at.to_string());
    receipt.erasures.push(Erasure { what: *what, reason, at, files: files.clone() });
    receipt.write(place)?;
    complete(place, receipt)
}

/// Completes the erasures in `dir` that were interrupted. Returns their receipts.
pub fn finish_pending(dir: &Path) -> Result<Vec<Receipt>, ArchiveError> {
    let mut calls = Vec::new();
    files::walk(dir, &mut |file| {
        calls.extend(file.strip_prefix(dir).ok().and_then(receipt::call_of).map(str::to_string));
        Ok(())
    })?;
    let mut finished = Vec::new();
    for call in calls {
        let place = Place::new(dir, &call)?;
        match Receipt::read(&place)? {
            Some(receipt) if receipt.state == Progress::Pending => finished.push(complete(&place, receipt)?),
            _ => {}
        }
    }
    Ok(finished)
}

/// The receipt of a call of which nothing was erased yet.
fn fresh(place: &Place) -> Receipt {
    let manifest = Manifest::read(place).ok();
    let ledger = manifest.as_ref().map(|manifest| &manifest.ledger);
    Receipt {
        format: FORMAT.into(),
        call: place.name().into(),
        state: Progress::Pending,
        manifest: manifest.as_ref().map(|manifest| manifest.seal.clone()),
        ledger_entries: ledger.map(|ledger| ledger.len() as u64),
        ledger_head: ledger.and_then(|ledger| ledger.last()).map(|entry| entry.hash.clone()),
        erasures: Vec::new(),
        seal: String::new(),
    }
}

/// Removes what a pending receipt covers, sees that it is gone, and says so.
fn complete(place: &Place, mut receipt: Receipt) -> Result<Receipt, ArchiveError> {
    let whats: Vec<What> = receipt.erasures.iter().map(|erasure| erasure.what).collect();
    for (path, _) in whats.iter().flat_map(|what| candidates(place, *what)) {
        if look(&path)?.is_some() {
            files::remove(&path)?;
        }
        // What an interrupted run left aside may hold the same sound.
        files::remove(&files::aside_of(&path))?;
    }
    files::sync_dir(&place.parent())?;
    for (path, _) in whats.iter().flat_map(|what| candidates(place, *what)) {
        if look(&path)?.is_some() {
            return Err(ArchiveError::StillThere { file: path });
        }
    }
    if receipt.covers_all() {
        forget_in_summary(place)?;
    }
    receipt.state = Progress::Done;
    receipt.write(place)?;
    Ok(receipt)
}

/// Takes a call out of the summary of the last run, so that its receipt is all that is left (RET-07).
fn forget_in_summary(place: &Place) -> Result<(), StoreError> {
    match Summary::read(place.dir()) {
        Ok(Some(summary)) if summary.calls.iter().any(|line| line.name == place.name()) => {
            summary.without(place.name()).write(place.dir())
        }
        Ok(_) => Ok(()),
        // A summary that cannot be trusted any more is no reason to keep it.
        Err(StoreError::Record { .. }) => Summary::remove(place.dir()),
        Err(error) => Err(error),
    }
}

/// The paths that an erasure covers. The manifest comes last: as long as it stands the call can be looked up.
fn candidates(place: &Place, what: What) -> Vec<(std::path::PathBuf, Option<Kind>)> {
    let outputs = what.kinds().iter().map(|kind| (place.output(*kind), Some(*kind)));
    let manifest = (what == What::All).then(|| (place.manifest(), None));
    outputs.chain(manifest).collect()
}

fn digest_of(manifest: &Manifest, kind: Option<Kind>) -> Option<String> {
    match kind {
        None => Some(manifest.seal.clone()),
        Some(kind) => manifest.outputs.iter().find(|output| output.kind == kind).map(|output| output.digest.clone()),
    }
}

/// What lies at a path, if anything does: a plain file with no other name.
pub(super) fn look(path: &Path) -> Result<Option<Metadata>, ArchiveError> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("look at", path, None, error).into()),
    };
    if !metadata.is_file() {
        return Err(ArchiveError::NotAFile { file: path.into() });
    }
    match other_names(&metadata) {
        0 => Ok(Some(metadata)),
        others => Err(ArchiveError::HardLinked { file: path.into(), others }),
    }
}

#[cfg(unix)]
fn other_names(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata).saturating_sub(1)
}

#[cfg(not(unix))]
fn other_names(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests;

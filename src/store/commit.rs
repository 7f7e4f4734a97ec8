//! The moment at which a call's files come to stand.
//!
//! In this order, each step durable before the next:
//! 1. every new file is whole aside (the caller has seen to that);
//! 2. the old manifest of that name goes: from here on the call counts as not done;
//! 3. old outputs that the new call does not have go (a customer's track that is no longer granted first of all);
//! 4. the new outputs get their names;
//! 5. the new manifest gets its name: the call is done.
//!
//! A kill between two steps leaves a call without manifest, which a re-run does again from the beginning.

use super::error::StoreError;
use super::files;
use super::live;
use super::manifest::{Manifest, Output};
use super::name::{Kind, Place};
use super::wav::Finished;

/// A call that stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its manifest, with its seal.
    pub manifest: Manifest,
    /// Bytes of its outputs.
    pub bytes: u64,
}

/// Whether something of this call was erased on purpose: it must not be written again (ERA-03).
pub fn is_erased(place: &Place) -> bool {
    // Whatever cannot be looked at counts as erased: the other answer could bring something back.
    place.receipt().symlink_metadata().map_or_else(|error| error.kind() != std::io::ErrorKind::NotFound, |_| true)
}

pub(super) fn refuse_erased(place: &Place) -> Result<(), StoreError> {
    match is_erased(place) {
        true => Err(StoreError::Erased { name: place.name().into(), receipt: place.receipt() }),
        false => Ok(()),
    }
}

/// Refuses a name under which a live call is in hand or stands: there is no input to make that one again of.
pub(super) fn refuse_live(place: &Place) -> Result<(), StoreError> {
    let stands = || Manifest::read(place).is_ok_and(|manifest| manifest.live.is_some());
    match live::in_hand(place).is_some() || stands() {
        true => Err(StoreError::LiveCall { name: place.name().into(), dir: place.dir().into() }),
        false => Ok(()),
    }
}

/// The manifest of a call with these files, and their bytes.
pub(super) fn describe(
    place: &Place,
    finished: &mut [(Kind, Finished)],
    build: impl FnOnce(Vec<Output>) -> Manifest,
) -> Result<Stored, StoreError> {
    finished.sort_by_key(|(kind, _)| *kind);
    let outputs: Vec<Output> = finished.iter().map(|(kind, file)| output(place, *kind, file)).collect();
    let bytes = outputs.iter().map(|output| output.bytes).sum();
    let manifest = build(outputs);
    if manifest.call != place.name() {
        let why = format!("it was to be the manifest of `{}`", manifest.call);
        return Err(StoreError::Record { file: place.manifest(), why });
    }
    Ok(Stored { manifest, bytes })
}

pub(super) fn commit(
    place: &Place,
    mut finished: Vec<(Kind, Finished)>,
    build: impl FnOnce(Vec<Output>) -> Manifest,
) -> Result<Stored, StoreError> {
    let mut stored = describe(place, &mut finished, build)?;
    // Asked again: an erase, or a live call, may have come in between.
    refuse_erased(place)?;
    refuse_live(place)?;
    let parent = place.parent();
    if files::remove(&place.manifest())? {
        files::sync_dir(&parent)?;
    }
    let stale = Kind::ALL.into_iter().filter(|kind| finished.iter().all(|(new, _)| new != kind));
    for kind in stale {
        files::remove(&place.output(kind))?;
    }
    for (_, file) in finished {
        file.aside.stand()?;
    }
    files::sync_dir(&parent)?;
    stored.manifest.seal = stored.manifest.write(place)?;
    Ok(stored)
}

fn output(place: &Place, kind: Kind, file: &Finished) -> Output {
    Output {
        file: place.file_name(kind),
        kind,
        length_samples: file.length_samples,
        bytes: file.bytes,
        digest: file.digest.clone(),
    }
}

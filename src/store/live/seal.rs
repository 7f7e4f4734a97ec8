//! How a call in hand comes to stand, whole or interrupted: the same steps for its own writer and for whoever finds it
//! after a death.
//!
//! 1. Every file is whole and durable in the call's directory, and what may not be kept is out of it.
//! 2. The manifest is whole and durable there, too. From here on the call is only moved, never made again.
//! 3. The files get their names, then the manifest does: the call stands.
//! 4. The directory goes, its journal first.
//!
//! A kill after 2 is completed by moving what is left to move; a kill before it is a call that was interrupted.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::journal::{self, JOURNAL, Opening};
use super::place::{clear, read_small};
use super::recorder::open_reserve;
use super::replay::Replayed;
use super::salvage;
use crate::call::Closing;
use crate::store::commit::{self, Stored};
use crate::store::error::{Naming, StoreError};
use crate::store::files;
use crate::store::manifest::{Live, Manifest, Output};
use crate::store::name::{Kind, Place};
use crate::store::tracks::{Site, text_file};
use crate::store::wav::Finished;

/// The manifest, as long as the call is in hand.
pub(super) const MANIFEST: &str = "manifest.json";

/// The manifest of a live call.
pub(super) fn manifest(opening: Opening, closing: &Closing, outputs: Vec<Output>, live: Live) -> Manifest {
    Manifest { live: Some(live), ..Manifest::new(opening.about, closing, outputs) }
}

/// Lays the manifest of these files beside them (steps 1 and 2). `listed`: the journal, if the list of inputs is an
/// output.
pub(super) fn lay(
    site: &Site,
    mut finished: Vec<(Kind, Finished)>,
    picture: Option<&str>,
    listed: Option<&mut File>,
    build: impl FnOnce(Vec<Output>) -> Manifest,
) -> Result<Stored, StoreError> {
    if let Some(picture) = picture {
        finished.push((Kind::Picture, text_file(site, Kind::Picture, picture)?));
    }
    if let Some(journal) = listed {
        finished.push((Kind::Inputs, text_file(site, Kind::Inputs, &inputs(site, journal)?)?));
    }
    let mut stored = commit::describe(&site.place, &mut finished, build)?;
    commit::refuse_erased(&site.place)?;
    let own = own(site);
    files::sync_dir(&own)?;
    let text = stored.manifest.to_text();
    files::write_text(&own.join(MANIFEST), &text)?;
    stored.manifest.seal =
        crate::store::sealed::check_seal(&text).map_err(|why| StoreError::Record { file: own.join(MANIFEST), why })?;
    Ok(stored)
}

/// Moves a call whose manifest is laid to its place, and clears its directory away (steps 3 and 4).
pub(super) fn stand(site: &Site, journal: File, stored: Stored) -> Result<Stored, StoreError> {
    let (own, place) = (own(site), &site.place);
    let parent = place.parent();
    files::create_dir(&parent)?;
    for output in &stored.manifest.outputs {
        move_into_place(&own.join(output.kind.bare_name()), &place.output(output.kind))?;
    }
    files::sync_dir(&parent)?;
    move_into_place(&own.join(MANIFEST), &place.manifest())?;
    files::sync_dir(&parent)?;
    // The call stands. What cannot be cleared away now, the next recovery will.
    let _ = clear(&own, Some(journal));
    Ok(stored)
}

/// Seals what stood at the last checkpoint.
pub(super) fn interrupted(site: &Site, mut journal: File, why: &str) -> Result<Stored, StoreError> {
    let own = own(site);
    open_reserve(&own)?;
    let Some(replayed) = Replayed::read(&mut journal, &own.join(JOURNAL))? else {
        let why = "its journal has no opening".into();
        return Err(StoreError::Record { file: own.join(JOURNAL), why });
    };
    let salvaged = salvage::files(site, replayed)?;
    let listed = if salvaged.opening.list { Some(&mut journal) } else { None };
    let stored = lay(site, salvaged.finished, None, listed, |outputs| {
        let closing = salvaged.closing.close(why);
        let mut manifest = manifest(salvaged.opening, &closing, outputs, salvaged.live);
        let known = |code: &str| salvaged.findings.iter().any(|finding| finding.code == code);
        manifest.findings.retain(|finding| !known(&finding.code));
        manifest.findings.splice(0..0, salvaged.findings.iter().cloned());
        manifest
    })?;
    stand(site, journal, stored)
}

/// The manifest that is laid in the directory of a call in hand, if one is.
pub(super) fn laid(own: &Path) -> Result<Option<Stored>, StoreError> {
    let file = own.join(MANIFEST);
    let Some(text) = read_small(&file)? else { return Ok(None) };
    let manifest = Manifest::parse(&text).map_err(|why| StoreError::Record { file, why })?;
    let bytes = manifest.outputs.iter().map(|output| output.bytes).sum();
    Ok(Some(Stored { manifest, bytes }))
}

/// Whether a call of that name stands: the directory of the call in hand is then only what was left of it.
pub(super) fn stands(place: &Place) -> bool {
    commit::is_erased(place) || place.manifest().symlink_metadata().is_ok()
}

fn own(site: &Site) -> PathBuf {
    site.live.clone().expect("the site of a live call has a directory")
}

fn move_into_place(from: &Path, to: &Path) -> Result<(), StoreError> {
    let there = |path: &Path| path.symlink_metadata().is_ok();
    match (there(from), there(to)) {
        (true, true) => Err(StoreError::Taken { file: to.into() }),
        (false, true) => Ok(()), // a kill came in between
        _ => fs::rename(from, to).naming("rename into place", to),
    }
}

/// The journal without what recovery alone needs.
fn inputs(site: &Site, journal: &mut File) -> Result<String, StoreError> {
    let mut list = String::new();
    journal::read(journal, &own(site).join(JOURNAL), &mut |line, text| {
        if line.is_input() {
            list.push_str(text);
            list.push('\n');
        }
        Ok(())
    })?;
    Ok(list)
}

/// Whether an error says that something is not there.
pub(super) fn is_missing(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

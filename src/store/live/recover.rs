//! What a death left is brought to a definite result (ROB-07).

use std::fs::File;
use std::path::Path;

use super::journal::JOURNAL;
use super::place::{clear, desk_lock, dir_of, dirs, is_own_dir, take_over};
use super::replay::Replayed;
use super::seal;
use crate::store::commit::Stored;
use crate::store::error::StoreError;
use crate::store::files::LIVE_DIR;
use crate::store::name::Place;
use crate::store::tracks::Site;

/// What the manifest says of a call that was found without its writer.
const WHY: &str = "the process that wrote it ended without closing it";

/// A call that was found without its writer.
#[derive(Debug)]
pub struct Recovered {
    /// Its name; what its directory is called if the name is not known.
    pub call: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a call that was found without its writer.
#[derive(Debug)]
pub enum Outcome {
    /// What stood at its last checkpoint is sealed: `interrupted`, or `quarantined`.
    Sealed(Box<Stored>),
    /// It had been closed, and only its files had to be moved to their places.
    Completed(Box<Stored>),
    /// Nothing of it was worth a manifest (its writer died while opening it), or it stood already: its directory was removed.
    Removed,
    /// It could not be sealed; it stays as it is for the next time.
    Failed(StoreError),
}

/// Seals every call in `dir` whose writer has died. Calls in hand are left alone. `progress` is told the directory of
/// each call before it is worked on. One that fails does not stop the others.
pub fn recover(dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<Vec<Recovered>, StoreError> {
    let live = dir.join(LIVE_DIR);
    if !is_own_dir(&live) {
        return Ok(Vec::new());
    }
    let mut left = Vec::new();
    {
        let _desk = desk_lock(&live)?;
        for own in dirs(&live)? {
            left.extend(taken(&own).map(|journal| (own, journal)));
        }
    }
    let recovered = left.into_iter().map(|(own, journal)| {
        progress(&own.file_name().unwrap_or_default().to_string_lossy());
        brought_to_an_end(dir, &own, journal)
    });
    Ok(recovered.collect())
}

/// The same for the one call that stands under this name in `dir`, or would: of the others nothing is looked at. Nothing if
/// there is none of that name, or somebody has it in hand.
pub fn recover_one(dir: &Path, name: &str) -> Result<Option<Recovered>, StoreError> {
    let (live, own) = (dir.join(LIVE_DIR), dir_of(&Place::new(dir, name)?));
    if !is_own_dir(&live) || !is_own_dir(&own) {
        return Ok(None);
    }
    let journal = {
        let _desk = desk_lock(&live)?;
        taken(&own)
    };
    Ok(journal.map(|journal| brought_to_an_end(dir, &own, journal)))
}

/// The journal of a call that nobody has in hand, if it has one; nothing if somebody has it.
fn taken(own: &Path) -> Option<Result<Option<File>, StoreError>> {
    match take_over(own) {
        Ok(None) => None,
        Err(error) if seal::is_missing(&error) => Some(Ok(None)),
        taken => Some(taken),
    }
}

fn brought_to_an_end(dir: &Path, own: &Path, journal: Result<Option<File>, StoreError>) -> Recovered {
    let mut call = own.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let outcome = journal.and_then(|journal| one(dir, own, journal, &mut call)).unwrap_or_else(Outcome::Failed);
    Recovered { call, outcome }
}

fn one(dir: &Path, own: &Path, journal: Option<File>, call: &mut String) -> Result<Outcome, StoreError> {
    let removed = |journal| clear(own, journal).map(|()| Outcome::Removed);
    let Some(mut journal) = journal else { return removed(None) };
    let Some(replayed) = Replayed::read(&mut journal, &own.join(JOURNAL))? else { return removed(Some(journal)) };
    let place = Place::new(dir, &replayed.opening.about.call)?;
    if dir_of(&place) != own {
        let why = format!("it is the journal of `{}`", place.name());
        return Err(StoreError::Record { file: own.join(JOURNAL), why });
    }
    *call = place.name().into();
    if seal::stands(&place) {
        return removed(Some(journal));
    }
    let site = Site { place, live: Some(own.into()) };
    match seal::laid(own)? {
        Some(stored) => Ok(Outcome::Completed(Box::new(seal::stand(&site, journal, stored)?))),
        None => Ok(Outcome::Sealed(Box::new(seal::interrupted(&site, journal, WHY)?))),
    }
}

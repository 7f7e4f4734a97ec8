//! How a live call gets its name: one that stands nowhere, was not erased, and is in nobody's hand.
//!
//! `DIR/.live/.lock` is locked for the moment of a claim or of a look around, so that nobody mistakes a call that is
//! just being claimed for one that was left behind. `DIR/.live/NAME/journal.jsonl` is locked as long as the call is in
//! hand; the system lets go of it when the process dies, whatever it dies of.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::journal::{self, JOURNAL};
use super::seal::MANIFEST;
use crate::store::StoreError;
use crate::store::error::Naming;
use crate::store::files::{self, LIVE_DIR};
use crate::store::name::{Kind, Place};

/// Bytes kept back for the books of a call whose disk fills up.
pub const RESERVE_BYTES: usize = 256 << 10;
/// The file that holds them.
pub(super) const RESERVE: &str = "reserve";
/// Names that are tried for one call.
const NAMES_MAX: u32 = 10_000;
/// Longest escaped name; file systems take 255 bytes.
const ESCAPED_BYTES_MAX: usize = 200;
const DESK_LOCK: &str = ".lock";

/// A name that this process alone may write under. Dropped before a recorder is made of it, it is given back.
#[derive(Debug)]
pub struct LivePlace {
    pub(super) place: Place,
    pub(super) dir: PathBuf,
    /// The journal, locked; taken by the recorder.
    pub(super) journal: Option<File>,
}

/// A call that lies in `.live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Somebody is writing it.
    InHand,
    /// Whoever wrote it died: it waits for recovery.
    ForRecovery,
}

/// Claims `name`, or `name-2`, `name-3` and so on if there is such a call already. Makes the directory of the call in
/// hand and lays down its reserve; a disk without room for that is refused here.
pub fn claim(dir: &Path, name: &str) -> Result<LivePlace, StoreError> {
    Place::new(dir, name)?;
    let live = dir.join(LIVE_DIR);
    files::create_dir(&live)?;
    let _desk = desk_lock(&live)?;
    for number in 1..=NAMES_MAX {
        let tried = if number == 1 { name.to_string() } else { format!("{name}-{number}") };
        let place = Place::new(dir, &tried)?;
        if is_taken(&place) {
            continue;
        }
        files::create_dir(&place.parent())?;
        let own = dir_of(&place);
        match files::make_private_dir(&own) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made.naming("create the directory", &own)?,
        }
        let mut claimed = LivePlace { place, dir: own, journal: None };
        claimed.lay_down()?;
        return Ok(claimed);
    }
    Err(StoreError::Name { name: name.into(), why: "there are ten thousand calls of that name" })
}

impl LivePlace {
    /// The name that the call got.
    pub fn name(&self) -> &str {
        self.place.name()
    }

    /// Where it will stand.
    pub fn place(&self) -> &Place {
        &self.place
    }

    fn lay_down(&mut self) -> Result<(), StoreError> {
        let path = self.dir.join(JOURNAL);
        let journal = files::create_anew(&path)?;
        journal.lock().naming("lock", &path)?;
        self.journal = Some(journal);
        let path = self.dir.join(RESERVE);
        let mut reserve = files::create_anew(&path)?;
        // Bytes that no file system can store in less room.
        let mut bytes = vec![0; RESERVE_BYTES];
        blake3::Hasher::new().update(self.name().as_bytes()).finalize_xof().fill(&mut bytes);
        reserve.write_all(&bytes).and_then(|()| reserve.sync_all()).naming("write the reserve", &path)
    }
}

impl Drop for LivePlace {
    fn drop(&mut self) {
        if self.journal.is_some() {
            // Nothing was recorded. What cannot be removed is cleared away by the next recovery.
            let _ = clear(&self.dir, self.journal.take());
        }
    }
}

/// Whether a call of that name lies in `.live`.
pub fn in_hand(place: &Place) -> Option<Waiting> {
    waiting(&dir_of(place))
}

/// Every call that lies in `.live`: its directory's name there, and how it is with it.
pub fn all_in_hand(dir: &Path) -> Vec<(String, Waiting)> {
    let live = dir.join(LIVE_DIR);
    // A look must not be taken for a hand, nor leave anything behind.
    let _desk = File::open(live.join(DESK_LOCK)).and_then(|lock| lock.lock().map(|()| lock));
    let found = dirs(&live).unwrap_or_default();
    let named = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    found.iter().filter_map(|path| Some((named(path), waiting(path)?))).collect()
}

/// The same by the calls' names, as far as their journals tell them.
pub fn all_in_hand_by_name(dir: &Path) -> Vec<(String, Waiting)> {
    let live = dir.join(LIVE_DIR);
    let found = all_in_hand(dir).into_iter();
    found.filter_map(|(escaped, waiting)| Some((journal::name_in(&live.join(escaped))?, waiting))).collect()
}

fn waiting(own: &Path) -> Option<Waiting> {
    own.symlink_metadata().ok()?;
    // What cannot be looked at counts as in hand.
    match File::open(own.join(JOURNAL)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Waiting::ForRecovery),
        Err(_) => Some(Waiting::InHand),
        Ok(journal) => match journal.try_lock_shared() {
            Ok(()) => Some(Waiting::ForRecovery),
            Err(_) => Some(Waiting::InHand),
        },
    }
}

/// Locks the desk of calls in hand for the time of a look around.
pub(super) fn desk_lock(live: &Path) -> Result<File, StoreError> {
    let path = live.join(DESK_LOCK);
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(_) => files::open_or_create(&path)?,
    };
    lock.lock().naming("lock", &path)?;
    Ok(lock)
}

/// The directories of calls in hand, in the order of their names.
pub(super) fn dirs(live: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let listing = match fs::read_dir(live) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.and_then(|entries| entries.collect::<io::Result<Vec<_>>>()).naming("list", live)?,
    };
    let mut dirs: Vec<PathBuf> = listing.iter().map(|entry| entry.path()).filter(|path| is_own_dir(path)).collect();
    dirs.sort();
    Ok(dirs)
}

/// Whether it is a directory, and no link to one: what lies behind a link is not ours.
pub(super) fn is_own_dir(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

/// Whether a file in a call's directory is one that this program puts there.
fn is_own_file(name: &str) -> bool {
    [JOURNAL, RESERVE, MANIFEST].contains(&name)
        || Kind::ALL.iter().any(|kind| kind.bare_name() == name)
        || files::is_aside(name)
}

/// Takes the journal of a call that nobody has in hand; `None` if somebody has.
pub(super) fn take_over(own: &Path) -> Result<Option<File>, StoreError> {
    let path = own.join(JOURNAL);
    let journal = fs::OpenOptions::new().read(true).write(true).open(&path).naming("open", &path)?;
    match journal.try_lock() {
        Ok(()) => Ok(Some(journal)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path, None, error)),
    }
}

/// Removes the directory of a call in hand: first the journal, so that what is left of it is never taken for a call.
pub(super) fn clear(own: &Path, journal: Option<File>) -> Result<(), StoreError> {
    let entries = fs::read_dir(own).and_then(|entries| entries.collect::<io::Result<Vec<_>>>()).naming("list", own)?;
    if let Some(foreign) = entries.iter().find(|entry| !is_own_file(&entry.file_name().to_string_lossy())) {
        let why = "it is none of a call in hand, so nothing beside it was removed; take it away".into();
        return Err(StoreError::Record { file: foreign.path(), why });
    }
    files::remove(&own.join(JOURNAL))?;
    drop(journal);
    for entry in entries {
        files::remove(&entry.path())?;
    }
    fs::remove_dir(own).naming("remove", own)?;
    files::sync_dir(&files::parent_of(own))
}

/// The directory of a call in hand: its name, with everything but letters, digits, `.`, `-` and `_` escaped, and a
/// long one cut and told apart by its hash.
pub(super) fn dir_of(place: &Place) -> PathBuf {
    let mut escaped = String::new();
    for byte in place.name().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02x}")),
        }
    }
    if escaped.len() > ESCAPED_BYTES_MAX {
        escaped.truncate(ESCAPED_BYTES_MAX - 33);
        escaped.push('~'); // no escaped name has one
        escaped.push_str(&blake3::hash(place.name().as_bytes()).to_hex()[..32]);
    }
    place.dir().join(LIVE_DIR).join(escaped)
}

/// Whether anything of a call of that name stands, was erased, or is being written by a batch. What cannot be looked
/// at counts.
fn is_taken(place: &Place) -> bool {
    let there =
        |path: &Path| path.symlink_metadata().map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |_| true);
    let outputs = Kind::ALL.map(|kind| place.output(kind));
    let in_batch = files::aside_of(&place.output(Kind::Agent));
    there(&place.manifest()) || there(&place.receipt()) || there(&in_batch) || outputs.iter().any(|path| there(path))
}

/// Reads a whole small file of a call in hand.
pub(super) fn read_small(path: &Path) -> Result<Option<String>, StoreError> {
    let mut text = String::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.naming("open", path)?.read_to_string(&mut text).naming("read", path)?,
    };
    Ok(Some(text))
}

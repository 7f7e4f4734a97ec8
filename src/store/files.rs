//! Directories and files: private, durable, and never half-written.
//!
//! Nothing half-written ever stands under a final name: an [`Aside`] is written beside its target under a hidden,
//! recognisable name, synced, renamed, and the directory synced. Files are 0600, directories that we make 0700
//! (SEC-04).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::{Naming, StoreError};

/// What ends the name of a file that is still being written.
pub const ASIDE_SUFFIX: &str = ".oneside-part";

/// The directory of the calls in hand, inside the store's. Nothing in it stands yet, so [`walk`] passes it over.
pub const LIVE_DIR: &str = ".live";

/// A file on its way to its final name. Dropped before that, it is removed, unless it is one that lasts.
#[derive(Debug)]
pub struct Aside {
    file: File,
    aside: PathBuf,
    target: PathBuf,
    /// It stays where it is when it is dropped.
    stays: bool,
}

impl Aside {
    /// Begins a file that is to stand at `target`. What an earlier run left there aside is removed.
    pub fn create(target: &Path) -> Result<Aside, StoreError> {
        let aside = aside_of(target);
        Ok(Aside { file: create_anew(&aside)?, aside, target: target.into(), stays: false })
    }

    /// Begins a file at `aside` that lasts: dropped, it stays there, as it does when the process dies.
    pub fn lasting(aside: PathBuf, target: &Path) -> Result<Aside, StoreError> {
        Ok(Aside { file: create_anew(&aside)?, aside, target: target.into(), stays: true })
    }

    /// Takes up a file that lasts where it was left, or begins it.
    pub fn resume(aside: PathBuf, target: &Path) -> Result<Aside, StoreError> {
        Ok(Aside { file: open_or_create(&aside)?, aside, target: target.into(), stays: true })
    }

    /// Removes it, whether it lasts or not.
    pub fn discard(mut self) -> Result<(), StoreError> {
        self.stays = true; // removed here, where an error can be told
        remove(&self.aside).map(|_| ())
    }

    /// The open file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts another file in place of the open one, to see how its errors are met.
    #[cfg(test)]
    pub(super) fn swap(&mut self, file: File) {
        self.file = file;
    }

    /// Where it is to stand.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_all().naming("sync", &self.aside)
    }

    /// Gives it its final name; sync first. The directory is the caller's to sync, once for all its files.
    pub fn stand(mut self) -> Result<(), StoreError> {
        fs::rename(&self.aside, &self.target).naming("rename into place", &self.target)?;
        self.stays = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.stays {
            // Nobody can be told here; what stays is found and removed by the next run, and named by `verify`.
            let _ = fs::remove_file(&self.aside);
        }
    }
}

/// Creates a private file that was not there. What an earlier run left there is removed.
pub(super) fn create_anew(path: &Path) -> Result<File, StoreError> {
    remove(path)?;
    let mut options = OpenOptions::new();
    // `create_new` so that neither a link nor another file can be put in its place.
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).naming("create", path)
}

/// Opens a private file to add to its end; it is made if it is not there.
pub fn append_to(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).naming("open", path)
}

/// Where the file for `target` lies while it is being written.
pub fn aside_of(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}{ASIDE_SUFFIX}"))
}

/// Whether a file name is that of a file still being written.
pub fn is_aside(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(ASIDE_SUFFIX)
}

/// Writes a text so that it stands whole and durable at `target`, or not at all.
pub fn write_text(target: &Path, text: &str) -> Result<(), StoreError> {
    let mut aside = Aside::create(target)?;
    aside.file().write_all(text.as_bytes()).naming("write", target)?;
    aside.sync()?;
    aside.stand()?;
    sync_dir(&parent_of(target))
}

/// Removes a file; false if it was not there. The directory is the caller's to sync.
pub fn remove(file: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("remove", file, None, error)),
    }
}

/// Makes the names in a directory durable.
pub fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        File::open(dir).and_then(|handle| handle.sync_all()).naming("sync the directory", dir)?;
    }
    Ok(())
}

/// Makes a directory, and those above it that are missing, readable by its owner only, and durable.
pub fn create_dir(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = parent_of(dir);
    create_dir(&parent)?;
    match make_private_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()), // another job was quicker
        Err(error) => Err(StoreError::io("create the directory", dir, None, error)),
        Ok(()) => sync_dir(&parent),
    }
}

/// Makes a directory that was not there, readable by its owner only.
pub(super) fn make_private_dir(dir: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Opens a private file for reading and writing; made if it is not there, left as it is if it is.
pub(super) fn open_or_create(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).naming("open", path)
}

/// The directory a path lies in; the current one for a bare name.
pub fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.into(),
        _ => ".".into(),
    }
}

/// The store's directory, held by this process alone until dropped.
#[derive(Debug)]
pub struct Lock {
    _handle: Option<File>,
}

/// Makes `dir` if need be and holds it, so that two runs cannot write into each other's calls. No lock file is left
/// behind: the directory itself is locked. Elsewhere than on Unix nothing is locked.
pub fn lock(dir: &Path) -> Result<Lock, StoreError> {
    create_dir(dir)?;
    if !cfg!(unix) {
        return Ok(Lock { _handle: None });
    }
    let handle = File::open(dir).naming("open", dir)?;
    match handle.try_lock() {
        Ok(()) => Ok(Lock { _handle: Some(handle) }),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::Busy { dir: dir.into() }),
        Err(fs::TryLockError::Error(error)) => Err(StoreError::io("lock", dir, None, error)),
    }
}

/// Removes what earlier runs left half-written, in `dir` and below. Returns how many files that were. Call it under
/// the [`lock`] only.
pub fn remove_abandoned(dir: &Path) -> Result<u64, StoreError> {
    let mut removed = 0;
    let mut touched = Vec::new();
    walk(dir, &mut |file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if is_aside(&name) && remove(file)? {
            removed += 1;
            touched.push(parent_of(file));
        }
        Ok(())
    })?;
    touched.dedup();
    touched.iter().try_for_each(|dir| sync_dir(dir))?;
    Ok(removed)
}

/// Visits every file in `dir` and below, in the order of their names; links are visited, not followed. Calls in hand
/// ([`LIVE_DIR`]) are passed over.
pub fn walk(dir: &Path, visit: &mut dyn FnMut(&Path) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        let listing = fs::read_dir(&dir).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = listing.naming("list", &dir)?;
        entries.sort_by_key(|entry| entry.file_name());
        let mut below = Vec::new();
        for entry in entries {
            match entry.file_type().naming("look at", &entry.path())? {
                kind if kind.is_dir() && entry.file_name() == LIVE_DIR => {}
                kind if kind.is_dir() => below.push(entry.path()),
                _ => visit(&entry.path())?,
            }
        }
        waiting.extend(below.into_iter().rev());
    }
    Ok(())
}

/// Writes all of `bytes` at this byte of the file, in one call of the system where it takes them at once.
#[cfg(unix)]
pub(super) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

/// Writes all of `bytes` at this byte of the file.
#[cfg(not(unix))]
pub(super) fn write_all_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::Scratch;

    #[test]
    fn nothing_stands_before_it_is_whole() {
        let scratch = Scratch::new();
        let target = scratch.path().join("a.json");
        let mut aside = Aside::create(&target).unwrap();
        aside.file().write_all(b"half").unwrap();
        assert!(!target.exists() && aside_of(&target).exists());
        drop(aside);
        assert!(!target.exists() && !aside_of(&target).exists());
        write_text(&target, "whole").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "whole");
        assert!(!aside_of(&target).exists());
    }

    #[test]
    fn what_an_earlier_run_left_is_removed_and_nothing_else() {
        let scratch = Scratch::new();
        let below = scratch.path().join("mon/day");
        create_dir(&below).unwrap();
        fs::write(below.join(".a.agent.wav.oneside-part"), "half").unwrap();
        fs::write(below.join("a.oneside-part"), "somebody's").unwrap();
        fs::write(below.join("a.agent.wav"), "whole").unwrap();
        assert_eq!(remove_abandoned(scratch.path()).unwrap(), 1);
        assert!(below.join("a.agent.wav").exists() && below.join("a.oneside-part").exists());
        assert!(!below.join(".a.agent.wav.oneside-part").exists());
    }

    #[cfg(unix)]
    #[test]
    fn files_and_directories_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = Scratch::new();
        let dir = scratch.path().join("new/below");
        create_dir(&dir).unwrap();
        write_text(&dir.join("a"), "x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&scratch.path().join("new")), mode(&dir.join("a"))), (0o700, 0o700, 0o600));
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_is_held_by_one_run_at_a_time() {
        let scratch = Scratch::new();
        let dir = scratch.path().join("out");
        let held = lock(&dir).unwrap();
        assert!(matches!(lock(&dir), Err(StoreError::Busy { .. })));
        drop(held);
        lock(&dir).unwrap();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "no lock file is left");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_planted_aside_is_replaced_not_followed() {
        let scratch = Scratch::new();
        let target = scratch.path().join("a");
        let victim = scratch.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, aside_of(&target)).unwrap();
        write_text(&target, "new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}

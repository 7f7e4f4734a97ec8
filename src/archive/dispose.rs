//! Removes an input once its outputs are safe: the one verb that takes an input away.
//!
//! 1. The outputs are read back and compared with their digests; the input is read whole.
//! 2. The manifest says, durably, what is about to be removed: `disposed`, pending.
//! 3. The input goes, its directory is synced, and looked at again.
//! 4. The manifest says done.
//!
//! A kill in between leaves a pending disposal, which `verify` names. [`dispose`], asked again, completes it: what is
//! gone by then counts as removed, what is still there must be what the receipt says. [`finish_disposals`] does so for
//! inputs that a re-run does not find any more.

use std::fs::File;
use std::path::Path;

use super::erase::look;
use super::error::ArchiveError;
use super::{sound, sweep};
use crate::call::CallResult;
use crate::store::manifest::{DigestKind, Disposed, DisposedFile, InputFile, Manifest, Progress};
use crate::store::{Place, StoreError, digest, files};

/// The only method there is.
pub const METHOD: &str = "delete";

/// Removes the input of a call that stands. `inputs`: its files, in the order in which the manifest lists them.
/// Returns the manifest with the receipt in it. Refuses, and removes nothing, where an output does not read back as
/// it was written, where the input is not the one that the outputs were made of, or where the call is quarantined.
pub fn dispose(place: &Place, inputs: &[&Path]) -> Result<Manifest, ArchiveError> {
    let mut manifest = Manifest::read(place)?;
    if manifest.result == CallResult::Quarantined {
        return Err(ArchiveError::Quarantined { call: place.name().into() });
    }
    for output in &manifest.outputs {
        let unsafe_yet = |why| ArchiveError::NotVerified { file: place.output(output.kind), why };
        sound::reread(place, output).map_err(unsafe_yet)?;
    }
    let receipt = match manifest.disposed.take() {
        Some(earlier) => resumed(earlier, inputs)?,
        None => first(&manifest, inputs)?,
    };
    if receipt.state == Progress::Done && inputs.iter().all(|input| is_gone(input)) {
        manifest.disposed = Some(receipt);
        return Ok(manifest);
    }
    write(place, &mut manifest, receipt, Progress::Pending)?;
    for input in inputs {
        if look(input)?.is_some() {
            files::remove(input)?;
        }
        files::sync_dir(&files::parent_of(input))?;
        if look(input)?.is_some() {
            return Err(ArchiveError::StillThere { file: input.into() });
        }
    }
    done(place, &mut manifest)?;
    Ok(manifest)
}

/// Completes the records of disposals in `dir` that were interrupted after the input was gone. Removes nothing.
/// Returns the calls' names.
pub fn finish_disposals(dir: &Path) -> Result<Vec<String>, ArchiveError> {
    let mut finished = Vec::new();
    for call in sweep::calls(dir)? {
        let place = Place::new(dir, &call)?;
        // A manifest that cannot be read is not this verb's to complain about.
        let Ok(mut manifest) = Manifest::read(&place) else { continue };
        let Some(disposed) = manifest.disposed.as_ref().filter(|disposed| disposed.state == Progress::Pending) else {
            continue;
        };
        if disposed.files.iter().all(|file| file.path.as_deref().is_some_and(|path| is_gone(Path::new(path)))) {
            done(&place, &mut manifest)?;
            finished.push(call);
        }
    }
    Ok(finished)
}

/// The receipt of an input that is all there.
fn first(manifest: &Manifest, inputs: &[&Path]) -> Result<Disposed, ArchiveError> {
    let listed = &manifest.input.files;
    let mut files = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let changed = |why| ArchiveError::InputChanged { file: input.into(), why };
        let known = listed.get(index).ok_or(changed("the call was not made of it"))?;
        let found = read(input)?.ok_or(changed("it is not there"))?;
        same_input(known, &found, input)?;
        files.push(found);
    }
    match files.len() == listed.len() {
        true => Ok(Disposed { method: METHOD.into(), state: Progress::Pending, files }),
        false => {
            let file = inputs.first().map(Path::new).unwrap_or(Path::new("")).into();
            Err(ArchiveError::InputChanged { file, why: "the call was made of more files than that" })
        }
    }
}

/// The receipt of a disposal that was interrupted: what is still there must be what it names.
fn resumed(receipt: Disposed, inputs: &[&Path]) -> Result<Disposed, ArchiveError> {
    let same = |one: &DisposedFile, other: &DisposedFile| one.bytes == other.bytes && one.blake3 == other.blake3;
    for (index, input) in inputs.iter().enumerate() {
        match read(input)? {
            Some(found) if !receipt.files.get(index).is_some_and(|expected| same(expected, &found)) => {
                let why = "another file stands where an input was disposed of";
                return Err(ArchiveError::InputChanged { file: input.into(), why });
            }
            _ => {}
        }
    }
    Ok(receipt)
}

fn done(place: &Place, manifest: &mut Manifest) -> Result<(), StoreError> {
    let Some(mut receipt) = manifest.disposed.take() else { return Ok(()) };
    receipt.files.iter_mut().for_each(|file| file.path = None);
    write(place, manifest, receipt, Progress::Done)
}

/// Whether nothing is there any more. What cannot be looked at counts as there.
fn is_gone(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn write(place: &Place, manifest: &mut Manifest, receipt: Disposed, state: Progress) -> Result<(), StoreError> {
    manifest.disposed = Some(Disposed { state, ..receipt });
    manifest.seal = manifest.write(place)?;
    Ok(())
}

/// Reads an input whole; `None` if it is not there.
fn read(input: &Path) -> Result<Option<DisposedFile>, ArchiveError> {
    if look(input)?.is_none() {
        return Ok(None);
    }
    let whole = File::open(input).and_then(|mut file| digest::whole(&mut file));
    let (blake3, bytes) = whole.map_err(|source| StoreError::io("read", input, None, source))?;
    // A path that is no UTF-8 cannot be written down; then only the same input, given again, completes the record.
    let path = std::path::absolute(input).ok().and_then(|path| path.into_os_string().into_string().ok());
    Ok(Some(DisposedFile { bytes, blake3, path }))
}

fn same_input(known: &InputFile, found: &DisposedFile, input: &Path) -> Result<(), ArchiveError> {
    let changed = |why| Err(ArchiveError::InputChanged { file: input.into(), why });
    if known.bytes != found.bytes {
        return changed("its size is another than when it was processed");
    }
    if known.digest.kind == DigestKind::Full && known.digest.blake3 != found.blake3 {
        return changed("its content is another than when it was processed");
    }
    let modified = input.symlink_metadata().and_then(|metadata| metadata.modified());
    let modified = modified.ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
    let expected: Option<jiff::Timestamp> = known.modified.parse().ok();
    match (modified, expected) {
        (Some(found), Some(expected)) if found.as_second() == expected.as_second() => Ok(()),
        _ => changed("it was modified after it was processed"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::store::testing::{Scene, Scratch};

    /// A call in `out`, and its input in `in`, as the manifest describes it.
    fn store(scene: &Scene) -> (Scratch, Place, PathBuf) {
        let scratch = Scratch::new();
        let out = scratch.path().join("out");
        files::create_dir(&out).unwrap();
        files::create_dir(&scratch.path().join("in")).unwrap();
        scene.record(&out);
        let input = scratch.path().join("in/a.wav");
        fs::write(&input, vec![7; 44 + 4 * scene.length as usize]).unwrap();
        touch(&input, &scene.recorded_at);
        (scratch, Place::new(&out, "a").unwrap(), input)
    }

    fn touch(file: &Path, at: &str) {
        let time: jiff::Timestamp = at.parse().unwrap();
        fs::File::options().write(true).open(file).unwrap().set_modified(time.into()).unwrap();
    }

    #[test]
    fn an_input_goes_when_its_outputs_are_safe_and_the_manifest_says_so() {
        let (_scratch, place, input) = store(&Scene::new("a"));
        let manifest = dispose(&place, &[&input]).unwrap();
        assert!(!input.exists());
        let disposed = manifest.disposed.clone().unwrap();
        assert_eq!((disposed.state, disposed.files[0].bytes), (Progress::Done, 64_044));
        assert_eq!(disposed.files[0].blake3, blake3::hash(&[7; 64_044]).to_hex().to_string());
        assert_eq!(Manifest::read(&place).unwrap(), manifest);
        assert!(super::super::verify(place.dir(), &mut |_, _| ()).unwrap().is_sound());
        assert_eq!(dispose(&place, &[&input]).unwrap(), manifest, "asked again, nothing changes");
    }

    #[test]
    fn an_input_stays_while_an_output_is_damaged_or_missing() {
        for kind in crate::store::Kind::ALL.into_iter().filter(|kind| *kind != crate::store::Kind::Inputs) {
            let (_scratch, place, input) = store(&Scene::new("a"));
            let output = place.output(kind);
            let mut bytes = fs::read(&output).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(&output, &bytes).unwrap();
            assert!(matches!(dispose(&place, &[&input]), Err(ArchiveError::NotVerified { .. })), "{kind:?}");
            fs::remove_file(&output).unwrap();
            assert!(matches!(dispose(&place, &[&input]), Err(ArchiveError::NotVerified { .. })), "{kind:?}");
            assert!(input.exists() && Manifest::read(&place).unwrap().disposed.is_none());
        }
    }

    #[test]
    fn an_input_that_is_not_the_one_that_was_processed_stays() {
        let (_scratch, place, input) = store(&Scene::new("a"));
        touch(&input, "2026-03-01T09:30:01Z");
        assert!(matches!(dispose(&place, &[&input]), Err(ArchiveError::InputChanged { .. })));
        fs::write(&input, "short").unwrap();
        touch(&input, "2026-03-01T09:30:00Z");
        assert!(matches!(dispose(&place, &[&input]), Err(ArchiveError::InputChanged { .. })));
        assert!(matches!(dispose(&place, &[]), Err(ArchiveError::InputChanged { .. })));
        assert!(matches!(dispose(&place, &[&input, &input]), Err(ArchiveError::InputChanged { .. })));
        assert!(input.exists());
    }

    #[test]
    fn the_input_of_a_quarantined_call_stays() {
        let (_scratch, place, input) = store(&Scene { result: CallResult::Quarantined, ..Scene::new("a") });
        assert!(matches!(dispose(&place, &[&input]), Err(ArchiveError::Quarantined { .. })));
        assert!(input.exists());
    }

    #[test]
    fn an_interrupted_disposal_is_named_and_completed() {
        for gone in [false, true] {
            let (_scratch, place, input) = store(&Scene::new("a"));
            let mut manifest = Manifest::read(&place).unwrap();
            let receipt = first(&manifest, &[&input]).unwrap();
            write(&place, &mut manifest, receipt, Progress::Pending).unwrap();
            assert!(finish_disposals(place.dir()).unwrap().is_empty(), "the input is still there");
            let report = super::super::verify(place.dir(), &mut |_, _| ()).unwrap();
            assert!(report.is_sound() && report.findings.iter().any(|finding| finding.code == "disposal_pending"));
            if gone {
                fs::remove_file(&input).unwrap();
            }
            let done = dispose(&place, &[&input]).unwrap();
            assert!(!input.exists() && done.disposed.unwrap().state == Progress::Done);
        }
    }

    #[test]
    fn a_disposal_whose_input_is_gone_is_completed_without_it() {
        let (_scratch, place, input) = store(&Scene::new("a"));
        let mut manifest = Manifest::read(&place).unwrap();
        let receipt = first(&manifest, &[&input]).unwrap();
        write(&place, &mut manifest, receipt, Progress::Pending).unwrap();
        fs::remove_file(&input).unwrap();
        assert_eq!(finish_disposals(place.dir()).unwrap(), ["a"]);
        let text = fs::read_to_string(place.manifest()).unwrap();
        assert!(!text.contains(input.to_str().unwrap()), "the path is not kept");
        assert!(finish_disposals(place.dir()).unwrap().is_empty());
        let report = super::super::verify(place.dir(), &mut |_, _| ()).unwrap();
        assert!(report.findings.iter().all(|finding| finding.code == "permissions"), "{:?}", report.findings);
    }

    #[test]
    fn a_new_file_where_an_input_was_stays() {
        let (_scratch, place, input) = store(&Scene::new("a"));
        dispose(&place, &[&input]).unwrap();
        fs::write(&input, "the next call").unwrap();
        assert!(matches!(dispose(&place, &[&input]), Err(ArchiveError::InputChanged { .. })));
        assert!(input.exists());
    }

    #[cfg(unix)]
    #[test]
    fn an_input_with_another_name_or_behind_a_link_stays() {
        let (scratch, place, input) = store(&Scene::new("a"));
        let other = scratch.path().join("in/b.wav");
        fs::hard_link(&input, &other).unwrap();
        assert!(matches!(dispose(&place, &[&input]), Err(ArchiveError::HardLinked { others: 1, .. })));
        fs::remove_file(&other).unwrap();
        std::os::unix::fs::symlink(&input, &other).unwrap();
        assert!(matches!(dispose(&place, &[&other]), Err(ArchiveError::NotAFile { .. })));
        assert!(input.exists());
    }
}

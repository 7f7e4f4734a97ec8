//! Tests on a small disk that fills up in mid-call. They need a file system of their own: root, and `mount`.

#[cfg(test)]
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tests::{assert_sound, play, scene, sound};
use super::*;
use crate::call::{CallResult, Closing};
use crate::store::testing::{RATE, Scene, Scratch, granted, span, told, withdrawn};

/// A file system in memory, gone when the test is over.
struct SmallDisk {
    dir: PathBuf,
    _scratch: Scratch,
}

impl SmallDisk {
    /// `None`, with the reason told, where it cannot be had.
    fn new(size: &str) -> Option<SmallDisk> {
        let scratch = Scratch::new();
        let dir = scratch.path().join("disk");
        fs::create_dir(&dir).unwrap();
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(&dir).output();
        match mounted {
            Ok(ran) if ran.status.success() => Some(SmallDisk { dir, _scratch: scratch }),
            other => {
                crate::skipped::skipped(format!("no file system can be mounted here ({other:?})"));
                None
            }
        }
    }

    fn fill(&self) {
        let mut bytes = vec![1; 64 << 10];
        let mut file = fs::File::create(self.dir.join("filler")).unwrap();
        while !bytes.is_empty() {
            if std::io::Write::write_all(&mut file, &bytes).is_err() {
                bytes.truncate(bytes.len() / 2);
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.dir).status();
    }
}

/// Half a minute in which both sides are kept all the time: more than a megabyte.
fn long_scene() -> Scene {
    Scene {
        length: 30 * u64::from(RATE),
        events: vec![(0, told()), (800, granted())],
        speech: vec![span(0, 30 * u64::from(RATE))],
        ..scene()
    }
}

fn recorded_until_full(scene: &Scene, dir: &Path) -> (LiveRecorder, Closing) {
    let (recorder, closing) = play(scene, dir, true, |_, _| ());
    assert!(recorder.error().is_some_and(|error| error.is_disk_full()), "{:?}", recorder.error());
    (recorder, closing)
}

#[test]
fn a_disk_that_fills_up_ends_in_a_sealed_call() {
    let Some(disk) = SmallDisk::new("1100k") else { return };
    let (recorder, closing) = recorded_until_full(&long_scene(), &disk.dir);
    let stored = recorder.finish(&closing, "2026-03-01T09:30:30Z", Some("<svg/>")).unwrap();
    assert_eq!(stored.manifest.result, CallResult::Interrupted);
    let why = stored.manifest.findings.iter().find(|finding| finding.code == "interrupted").unwrap();
    assert!(why.sentence.contains("the disk is full"), "{}", why.sentence);
    let seconds = stored.manifest.length_samples / u64::from(RATE);
    assert!((5..30).contains(&seconds), "{seconds} s stand");
    let agent = sound(&disk.dir.join("a.agent.wav")).unwrap();
    assert!(agent.iter().all(|sample| *sample != 0));
    assert_sound(&disk.dir);
    assert_eq!(fs::read_dir(disk.dir.join(".live")).unwrap().count(), 1);
}

#[test]
fn a_withdrawal_after_the_disk_is_full_still_takes_everything_back() {
    let Some(disk) = SmallDisk::new("1100k") else { return };
    let scene = Scene { events: vec![(0, told()), (800, granted()), (200_000, withdrawn())], ..long_scene() };
    let (recorder, closing) = recorded_until_full(&scene, &disk.dir);
    let left = fs::read(disk.dir.join(".live/a/customer.wav")).unwrap_or_default();
    assert!(left.iter().skip(44).all(|byte| *byte == 0), "it is gone at once, not only when the call is sealed");
    let stored = recorder.finish(&closing, "2026-03-01T09:30:30Z", None).unwrap();
    assert_eq!(stored.manifest.ledger.len(), 3);
    assert!(!disk.dir.join("a.customer.wav").exists());
    assert!(stored.manifest.tally.customer.erased > 0);
    assert_sound(&disk.dir);
}

#[test]
fn where_even_the_reserve_is_not_enough_the_next_start_seals_it() {
    let Some(disk) = SmallDisk::new("1100k") else { return };
    let (recorder, closing) = recorded_until_full(&long_scene(), &disk.dir);
    fs::remove_file(disk.dir.join(".live/a/reserve")).ok();
    disk.fill();
    let refused = recorder.finish(&closing, "2026-03-01T09:30:30Z", None);
    assert!(refused.as_ref().is_err_and(|error| error.is_disk_full()), "{refused:?}");
    let failed = recover(&disk.dir, &mut |_| ()).unwrap();
    assert!(matches!(failed[0].outcome, Outcome::Failed(_)), "{failed:?}");
    fs::remove_file(disk.dir.join("filler")).unwrap();
    let recovered = recover(&disk.dir, &mut |_| ()).unwrap();
    let Outcome::Sealed(stored) = &recovered[0].outcome else { panic!("{recovered:?}") };
    assert_eq!(stored.manifest.result, CallResult::Interrupted);
    assert_sound(&disk.dir);
}

#[test]
fn a_disk_without_room_for_the_reserve_is_refused_at_the_start() {
    let Some(disk) = SmallDisk::new("128k") else { return };
    let refused = claim(&disk.dir, "a");
    assert!(refused.as_ref().is_err_and(|error| error.is_disk_full()), "{refused:?}");
    assert_eq!(all_in_hand(&disk.dir), []);
}

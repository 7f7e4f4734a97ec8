//! Tests of the recorder, driven with what the gate clears.

#[cfg(test)]
use std::fs;
use std::path::Path;

use super::*;
use crate::consent::OnWithdrawal;
use crate::store::testing::{Scene, Scratch, granted, noise, span, told, withdrawn};
use crate::store::wav::HEADER_BYTES;

/// The samples of a file, or none if it is not there.
fn sound(file: &Path) -> Option<Vec<i16>> {
    let bytes = fs::read(file).ok()?;
    Some(bytes[HEADER_BYTES..].as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect())
}

/// Silence, but for these stretches.
fn silence_but(length: usize, stretches: &[Span]) -> Vec<i16> {
    let mut samples = vec![0; length];
    for span in stretches {
        let range = span.from.0 as usize..span.until.0 as usize;
        samples[range.clone()].copy_from_slice(&noise(span.from.0, range.len()));
    }
    samples
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_call_leaves_its_files_and_nothing_else() {
    let scratch = Scratch::new();
    let stored = Scene::new("mon/a").record(scratch.path());
    let expected = ["a.agent.wav", "a.customer.wav", "a.json", "a.speech.wav", "a.svg", "a.timeline.csv"];
    assert_eq!(names(&scratch.path().join("mon")), expected);
    assert!(stored.manifest.outputs_stand(&Place::new(scratch.path(), "mon/a").unwrap()));
    let dir = scratch.path().join("mon");
    let speech = [span(800, 2_400), span(8_000, 8_160)];
    assert_eq!(sound(&dir.join("a.agent.wav")).unwrap(), silence_but(16_000, &speech));
    assert_eq!(sound(&dir.join("a.customer.wav")).unwrap(), silence_but(16_000, &[span(4_000, 16_000)]));
    assert_eq!(sound(&dir.join("a.speech.wav")).unwrap(), [noise(800, 1_600), noise(8_000, 160)].concat());
    let timeline = fs::read_to_string(dir.join("a.timeline.csv")).unwrap();
    assert_eq!(
        timeline.lines().skip(1).collect::<Vec<_>>(),
        ["0.000000,0.100000,0.200000", "0.200000,1.000000,0.020000"]
    );
}

#[test]
fn without_a_grant_there_is_no_file_of_the_customers() {
    let scratch = Scratch::new();
    let scene = Scene { events: vec![(2_000, told())], ..Scene::new("a") };
    let stored = scene.record(scratch.path());
    assert!(!scratch.path().join("a.customer.wav").exists());
    assert_eq!(
        (stored.manifest.customer.stored, stored.manifest.customer.reason.as_deref()),
        (false, Some("no_decision"))
    );
}

#[test]
fn a_withdrawal_in_mid_call_wipes_what_was_kept() {
    let events = vec![(0, told()), (800, granted()), (8_000, withdrawn())];
    for live in [true, false] {
        let scratch = Scratch::new();
        let scene = Scene { events: events.clone(), live, ..Scene::new("a") };
        let stored = scene.record(scratch.path());
        assert!(!scratch.path().join("a.customer.wav").exists());
        assert_eq!(stored.manifest.tally.customer.erased, if live { 7_200 } else { 0 });
        assert!(stored.manifest.tally.customer.adds_up());
    }
    let scratch = Scratch::new();
    Scene { events, on_withdrawal: OnWithdrawal::Keep, ..Scene::new("a") }.record(scratch.path());
    assert_eq!(sound(&scratch.path().join("a.customer.wav")).unwrap(), silence_but(16_000, &[span(800, 8_000)]));
}

#[test]
fn a_withdrawal_and_a_new_grant_leave_the_second_stretch_alone() {
    let scratch = Scratch::new();
    let events = vec![(0, told()), (800, granted()), (8_000, withdrawn()), (12_000, granted())];
    Scene { events, live: true, ..Scene::new("a") }.record(scratch.path());
    assert_eq!(sound(&scratch.path().join("a.customer.wav")).unwrap(), silence_but(16_000, &[span(12_000, 16_000)]));
}

#[test]
fn recording_again_takes_away_what_is_no_longer_granted() {
    let scratch = Scratch::new();
    Scene::new("a").record(scratch.path());
    assert!(scratch.path().join("a.customer.wav").exists());
    Scene { events: vec![], picture: None, ..Scene::new("a") }.record(scratch.path());
    assert_eq!(names(scratch.path()), ["a.agent.wav", "a.json", "a.speech.wav", "a.timeline.csv"]);
}

#[test]
fn recording_again_gives_the_same_bytes() {
    let scratch = Scratch::new();
    let contents =
        || names(scratch.path()).iter().map(|n| fs::read(scratch.path().join(n)).unwrap()).collect::<Vec<_>>();
    Scene::new("a").record(scratch.path());
    let first = contents();
    Scene::new("a").record(scratch.path());
    assert!(first == contents());
}

#[test]
fn a_quarantined_call_keeps_nothing_of_either_side() {
    let scratch = Scratch::new();
    let stored = Scene { result: CallResult::Quarantined, ..Scene::new("a") }.record(scratch.path());
    assert!(!scratch.path().join("a.customer.wav").exists());
    assert!(sound(&scratch.path().join("a.agent.wav")).unwrap().iter().all(|sample| *sample == 0));
    assert!(sound(&scratch.path().join("a.speech.wav")).unwrap().is_empty());
    let manifest = stored.manifest;
    assert_eq!((manifest.tally.agent.written, manifest.tally.customer.written), (0, 0));
    assert!(manifest.tally.agent.adds_up() && manifest.tally.customer.adds_up() && manifest.customer.kept.is_empty());
}

#[test]
fn sound_outside_every_grant_never_gets_a_name() {
    let scratch = Scratch::new();
    let scene = Scene::new("a");
    let (recorder, mut closing) = scene.run(scratch.path());
    closing.kept[0].until = Some(MediaTime(15_000));
    let refused = recorder.finish(&closing, None, |outputs| scene.manifest(&closing, outputs));
    assert!(matches!(refused, Err(StoreError::OutsideGrants { from: 4_000, until: 16_000, .. })));
    assert_eq!(names(scratch.path()), [] as [&str; 0]);
}

#[test]
fn a_recorder_that_is_dropped_leaves_nothing_behind() {
    let scratch = Scratch::new();
    drop(Scene::new("a").run(scratch.path()));
    assert_eq!(names(scratch.path()), [] as [&str; 0]);
}

#[test]
fn a_call_that_was_erased_is_not_written_again() {
    let scratch = Scratch::new();
    fs::write(scratch.path().join("a.erased.json"), "{}").unwrap();
    let plan = Plan { rate_hz: 8_000, samples_max: 1, speech: false, sparse: true };
    let refused = Recorder::create(Place::new(scratch.path(), "a").unwrap(), plan);
    assert!(matches!(refused, Err(StoreError::Erased { .. })));
}

#[test]
fn the_manifest_is_read_as_it_was_written() {
    let scratch = Scratch::new();
    let stored = Scene::new("a").record(scratch.path());
    let place = Place::new(scratch.path(), "a").unwrap();
    let read = Manifest::read(&place).unwrap();
    assert_eq!(read, stored.manifest);
    assert_eq!(read.to_text(), fs::read_to_string(place.manifest()).unwrap());
    fs::copy(place.manifest(), scratch.path().join("b.json")).unwrap();
    let other = Manifest::read(&Place::new(scratch.path(), "b").unwrap());
    assert!(other.unwrap_err().to_string().contains("call `a`"));
}

/// Name and content of every file.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    names(dir).into_iter().map(|name| (name.clone(), fs::read(dir.join(name)).unwrap())).collect()
}

#[test]
fn a_kill_between_any_two_steps_of_a_commit_is_named_and_repaired_by_running_again() {
    let scene = Scene { events: vec![], ..Scene::new("a") };
    let undisturbed = Scratch::new();
    scene.record(undisturbed.path());
    let new = contents(undisturbed.path());
    let outputs = || new.iter().filter(|(name, _)| name != "a.json");
    for killed_after in 0..=3 + outputs().count() {
        let scratch = Scratch::new();
        let dir = scratch.path();
        Scene::new("a").record(dir); // an earlier run, when the customer's track was granted
        outputs().for_each(|(name, bytes)| fs::write(files::aside_of(&dir.join(name)), bytes).unwrap());
        if killed_after >= 1 {
            fs::remove_file(dir.join("a.json")).unwrap();
        }
        if killed_after >= 2 {
            fs::remove_file(dir.join("a.customer.wav")).unwrap();
        }
        for (name, _) in outputs().take(killed_after.saturating_sub(2)) {
            fs::rename(files::aside_of(&dir.join(name)), dir.join(name)).unwrap();
        }
        if killed_after == 3 + outputs().count() {
            fs::write(files::aside_of(&dir.join("a.json")), "{\"half\":").unwrap();
        }
        let report = crate::archive::verify(dir, &mut |_, _| ()).unwrap();
        assert!(!report.is_sound(), "killed after step {killed_after}");
        files::remove_abandoned(dir).unwrap();
        scene.record(dir);
        assert!(contents(dir) == new, "killed after step {killed_after}");
        assert!(crate::archive::verify(dir, &mut |_, _| ()).unwrap().is_sound());
    }
}

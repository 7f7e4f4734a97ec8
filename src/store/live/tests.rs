//! Tests of calls in hand: killed at every point, sealed, and never the worse for it.

#[cfg(test)]
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::archive::verify;
use crate::call::{CallResult, Leak, MediaTime, Outlet, Span, Tally};
use crate::consent::{Cleared, Event, Stamped, Track};
use crate::store::name::{Kind, Place};
use crate::store::testing::{RATE, Scene, Scratch, Sink, granted, noise, span, told, withdrawn};
use crate::store::{Manifest, Plan, Stored};

/// Samples between two checkpoints.
const CHECKPOINT: u64 = RATE as u64 * CHECKPOINT_MS as u64 / 1_000;

pub(super) fn opening(scene: &Scene, name: &str, list: bool) -> Opening {
    let mut about = scene.about();
    about.call = name.into();
    about.input.files.clear();
    Opening {
        format: journal::FORMAT.into(),
        about,
        plan: Plan { rate_hz: RATE, samples_max: SAMPLES_MAX, speech: true, sparse: true },
        opened: "2026-03-01T09:30:00Z".into(),
        source: "a test".into(),
        both_sides: true,
        reach_s: 0,
        list,
        more: serde_json::Map::new(),
    }
}

/// A recorder that is driven by a scene, and watched.
pub(super) struct Hand<W> {
    pub(super) recorder: LiveRecorder,
    pub(super) next: u64,
    pub(super) watch: W,
}

impl<W: FnMut(MediaTime, &mut LiveRecorder)> Outlet for Hand<W> {
    fn write(&mut self, sound: Cleared<'_>) {
        self.recorder.write(sound);
    }

    fn erase_customer(&mut self, span: Span) {
        self.recorder.erase_customer(span);
    }
}

impl<W: FnMut(MediaTime, &mut LiveRecorder)> Sink for Hand<W> {
    fn write_to(&mut self, track: Track, sound: &Cleared<'_>) {
        self.recorder.write_to(track, sound);
    }

    fn before(&mut self, position: MediaTime, event: &Stamped) {
        self.recorder.event(position, position, event);
        (self.watch)(position, &mut self.recorder);
    }

    fn after(&mut self, position: MediaTime, tally: &Tally) {
        if position.0 >= self.next {
            self.next += CHECKPOINT;
            let leak = Leak {
                measurable: true,
                coupling_db: None,
                customer_active_s: 1.5,
                withheld_s: 0.0,
                residual_db: None,
            };
            self.recorder.checkpoint(&Standing { position, tally, leak, findings: &[] });
        }
        (self.watch)(position, &mut self.recorder);
    }
}

/// Plays a scene into a live recorder; `watch` looks on after every unit and every event that is about to count.
pub(super) fn play<W: FnMut(MediaTime, &mut LiveRecorder)>(
    scene: &Scene,
    dir: &Path,
    list: bool,
    watch: W,
) -> (LiveRecorder, crate::call::Closing) {
    let claimed = claim(dir, &scene.name).unwrap();
    let opening = opening(scene, claimed.name(), list);
    let mut hand = Hand { recorder: LiveRecorder::create(claimed, opening).unwrap(), next: CHECKPOINT, watch };
    // The ledger's first link is made of the name that was claimed.
    let closing = Scene { name: hand.recorder.name().into(), ..scene.clone() }.drive(&mut hand);
    (hand.recorder, closing)
}

pub(super) fn record(scene: &Scene, dir: &Path) -> Stored {
    let (recorder, closing) = play(scene, dir, true, |_, _| ());
    recorder.finish(&closing, "2026-03-01T09:30:05Z", Some("<svg/>")).unwrap()
}

/// Five seconds; a yes, a no that erases, another yes; the agent speaks now and then.
pub(super) fn scene() -> Scene {
    Scene {
        length: 40_000,
        live: true,
        events: vec![
            (1_000, told()),
            (3_000, granted()),
            (17_010, withdrawn()),
            (22_000, granted()),
            (30_000, Event::Paused),
            (33_000, Event::Resumed),
        ],
        speech: vec![span(800, 2_400), span(8_000, 16_160), span(20_000, 29_920), span(34_000, 40_000)],
        ..Scene::new("a")
    }
}

pub(super) fn sound(file: &Path) -> Option<Vec<i16>> {
    file.exists().then(|| {
        let mut reader = hound::WavReader::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        reader.samples::<i16>().map(Result::unwrap).collect()
    })
}

/// Silence, but for these stretches as far as they reach.
pub(super) fn silence_but(length: u64, stretches: &[Span]) -> Vec<i16> {
    let mut samples = vec![0; length as usize];
    for span in stretches {
        let range = span.from.0.min(length) as usize..span.until.0.min(length) as usize;
        samples[range.clone()].copy_from_slice(&noise(range.start as u64, range.len()));
    }
    samples
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() { copy(&from, &to) } else { fs::copy(&from, &to).map(|_| ()).unwrap() }
    }
}

/// Every file below a directory, with its bytes; locks are none.
pub(super) fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false if path.ends_with(".lock") => {}
            false => found.push((path.file_name().unwrap().into(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

pub(super) fn assert_sound(dir: &Path) {
    let report = verify(dir, &mut |_, _| ()).unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
}

/// What the customer's track may hold of the scene.
fn allowed(withdrawn: bool) -> Vec<Span> {
    let first = if withdrawn { vec![] } else { vec![span(3_000, 17_010)] };
    [first, vec![span(22_000, 30_000), span(33_000, 40_000)]].concat()
}

#[test]
fn a_kill_at_any_point_leaves_a_call_that_is_sealed_and_sound() {
    let (scratch, scene, mut point) = (Scratch::new(), scene(), 0);
    let mut snapshots = Vec::new();
    play(&scene, &scratch.path().join("live"), true, |position, _| {
        point += 1;
        // Every seventh unit, and every one around the events.
        if point % 7 == 0 || scene.events.iter().any(|(at, _)| position.0.abs_diff(*at) < 200) {
            let to = scratch.path().join(format!("at-{point}"));
            copy(&scratch.path().join("live"), &to);
            snapshots.push((position, to));
        }
    });
    assert!(snapshots.len() > 80);
    for (position, dir) in snapshots {
        for track in ["agent", "customer", "speech"] {
            sound(&dir.join(format!(".live/a/{track}.wav"))); // opens as it lies
        }
        let noted = fs::read_to_string(dir.join(".live/a/journal.jsonl")).unwrap().contains("withdrawn");
        let again = dir.with_extension("again");
        copy(&dir, &again);
        let recovered = recover(&dir, &mut |_| ()).unwrap();
        let [Recovered { call, outcome: Outcome::Sealed(stored) }] = recovered.as_slice() else {
            panic!("{recovered:?}");
        };
        let length = stored.manifest.length_samples;
        assert_eq!((call.as_str(), stored.manifest.result), ("a", CallResult::Interrupted));
        assert!(length <= position.0 && position.0 - length <= CHECKPOINT, "at {} kept {length}", position.0);
        assert_eq!(sound(&dir.join("a.agent.wav")).unwrap(), silence_but(length, &scene.speech), "at {}", position.0);
        let customer = sound(&dir.join("a.customer.wav")).unwrap_or(vec![0; length as usize]);
        let withdrawn = stored.manifest.ledger.iter().any(|entry| entry.event == withdrawn());
        assert_eq!(withdrawn, noted, "at {}", position.0);
        assert_eq!(customer, silence_but(length, &allowed(withdrawn)), "at {}", position.0);
        assert!(stored.manifest.findings.iter().any(|finding| finding.code == "interrupted"));
        assert_sound(&dir);
        assert!(recover(&dir, &mut |_| ()).unwrap().is_empty(), "there is nothing left to recover");
        recover(&again, &mut |_| ()).unwrap();
        assert!(contents(&dir) == contents(&again), "at {}: recovered twice, once differently", position.0);
        assert!(!contents(&dir).iter().any(|(name, _)| name.ends_with("reserve")));
        fs::remove_dir_all(dir).unwrap();
        fs::remove_dir_all(again).unwrap();
    }
}

#[test]
fn a_live_call_that_is_closed_stands_as_one_of_a_file_does() {
    let scratch = Scratch::new();
    let scene = scene();
    let stored = record(&scene, scratch.path());
    assert_eq!(stored.manifest.result, CallResult::Recorded);
    let live = stored.manifest.live.clone().unwrap();
    assert_eq!((live.ended.as_deref(), live.source.as_str()), (Some("2026-03-01T09:30:05Z"), "a test"));
    assert_eq!(sound(&scratch.path().join("a.agent.wav")).unwrap(), silence_but(40_000, &scene.speech));
    assert_eq!(sound(&scratch.path().join("a.customer.wav")).unwrap(), silence_but(40_000, &allowed(true)));
    let place = Place::new(scratch.path(), "a").unwrap();
    assert_eq!(Manifest::read(&place).unwrap(), stored.manifest);
    assert_sound(scratch.path());
    // The same sound and the same events, as a batch writes them.
    let batch = Scratch::new();
    let other = Scene { live: true, ..self::scene() }.record(batch.path());
    let digests = |stored: &Stored| -> Vec<_> {
        let sounds = stored.manifest.outputs.iter().filter(|output| output.kind != Kind::Inputs);
        sounds.map(|output| (output.kind, output.digest.clone())).collect()
    };
    assert_eq!(digests(&stored), digests(&other));
    assert_eq!(stored.manifest.tally, other.manifest.tally);
    assert_eq!(fs::read_dir(scratch.path().join(".live")).unwrap().count(), 1, "the lock alone is left");
}

#[test]
fn the_list_of_inputs_holds_all_that_happened_and_no_checkpoint() {
    let scratch = Scratch::new();
    record(&scene(), scratch.path());
    let text = fs::read_to_string(scratch.path().join("a.inputs.jsonl")).unwrap();
    let kinds: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["line"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(kinds, ["opening", "event", "event", "event", "event", "event", "event"]);
    let journal::Line::Event(applied) = serde_json::from_str(text.lines().nth(3).unwrap()).unwrap() else { panic!() };
    assert_eq!((applied.position, applied.at, applied.event), (17_010, 17_010, withdrawn()));
    let unlisted = Scratch::new();
    let (recorder, closing) = play(&scene(), unlisted.path(), false, |_, _| ());
    recorder.finish(&closing, "2026-03-01T09:30:05Z", None).unwrap();
    assert!(!unlisted.path().join("a.inputs.jsonl").exists());
}

#[test]
fn a_kill_while_a_call_is_sealed_is_completed_and_not_made_again() {
    let scratch = Scratch::new();
    let whole = scratch.path().join("whole");
    record(&scene(), &whole);
    let outputs: Vec<Kind> =
        Manifest::read(&Place::new(&whole, "a").unwrap()).unwrap().outputs.iter().map(|output| output.kind).collect();
    // As it was before the first file was moved; the journal is not looked at any more.
    let laid = scratch.path().join("laid");
    let journal = {
        let (recorder, _) = play(&scene(), &scratch.path().join("other"), true, |_, _| ());
        drop(recorder);
        fs::read(scratch.path().join("other/.live/a/journal.jsonl")).unwrap()
    };
    let own = laid.join(".live/a");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("journal.jsonl"), journal).unwrap();
    fs::copy(whole.join("a.json"), own.join("manifest.json")).unwrap();
    for kind in &outputs {
        fs::copy(whole.join(format!("a{}", kind.suffix())), own.join(kind.bare_name())).unwrap();
    }
    for moved in 0..=outputs.len() + 2 {
        let dir = scratch.path().join(format!("moved-{moved}"));
        copy(&laid, &dir);
        for kind in outputs.iter().take(moved) {
            fs::rename(dir.join(".live/a").join(kind.bare_name()), dir.join(format!("a{}", kind.suffix()))).unwrap();
        }
        if moved > outputs.len() {
            fs::rename(dir.join(".live/a/manifest.json"), dir.join("a.json")).unwrap();
        }
        if moved > outputs.len() + 1 {
            fs::remove_file(dir.join(".live/a/journal.jsonl")).unwrap();
        }
        let recovered = recover(&dir, &mut |_| ()).unwrap();
        assert!(matches!(recovered[0].outcome, Outcome::Completed(_) | Outcome::Removed), "{recovered:?}");
        assert!(contents(&dir) == contents(&whole), "after {moved} moves");
        assert_sound(&dir);
    }
}

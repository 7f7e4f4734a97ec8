//! Tests of verifying: what is sound is called so, and whatever is tampered with is named.

#[cfg(test)]
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::archive::report::Severity;
use crate::call::CallResult;
use crate::consent::{Event, OnWithdrawal, PartyId};
use crate::store::summary::CallLine;
use crate::store::testing::{Scene, Scratch, granted, span, told, withdrawn};
use crate::store::{Output, Summary};

fn checked(dir: &Path) -> Report {
    verify(dir, &mut |_, _| ()).unwrap()
}

/// The codes of the errors found about a file.
fn errors(dir: &Path, file: &str) -> Vec<&'static str> {
    let report = checked(dir);
    let findings = report.findings.iter().filter(|finding| finding.severity == Severity::Error);
    findings.filter(|finding| finding.file == Path::new(file)).map(|finding| finding.code).collect()
}

fn store(scenes: &[Scene]) -> Scratch {
    let scratch = Scratch::new();
    #[cfg(unix)]
    fs::set_permissions(scratch.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let lines = scenes.iter().map(|scene| {
        let stored = scene.record(scratch.path());
        CallLine {
            name: scene.name.clone(),
            result: scene.result,
            manifest: stored.manifest.seal,
            findings: vec![],
            customer_stored: stored.manifest.customer.stored,
            input_remains: true,
        }
    });
    Summary::new(lines.collect(), vec![]).write(scratch.path()).unwrap();
    scratch
}

fn edit(file: &PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

/// Changes a manifest and seals it anew, as somebody would who knows the format.
fn forge(dir: &Path, name: &str, change: impl FnOnce(&mut Manifest)) {
    let place = Place::new(dir, name).unwrap();
    let mut manifest = Manifest::read(&place).unwrap();
    change(&mut manifest);
    manifest.write(&place).unwrap();
    Summary::remove(dir).unwrap(); // it would tell
}

#[test]
fn what_was_written_is_sound_whatever_happened_in_the_call() {
    let party = || PartyId("second".into());
    let scripts: Vec<Vec<(u64, Event)>> = vec![
        vec![],
        vec![(0, granted())],
        vec![(0, told()), (800, granted()), (8_000, withdrawn())],
        vec![(0, told()), (800, granted()), (8_000, withdrawn()), (9_000, granted())],
        vec![(0, told()), (800, granted()), (4_000, Event::Paused), (5_001, Event::Resumed), (9_999, Event::Held)],
        vec![
            (0, told()),
            (803, granted()),
            (4_000, Event::Joined { party: party() }),
            (6_000, Event::Left { party: party() }),
        ],
        vec![(0, told()), (800, granted()), (15_000, Event::HungUp), (15_500, granted()), (90_000, withdrawn())],
    ];
    for (live, on_withdrawal) in
        [(true, OnWithdrawal::Erase), (false, OnWithdrawal::Erase), (false, OnWithdrawal::Keep)]
    {
        for (index, events) in scripts.iter().enumerate() {
            let scene = Scene { events: events.clone(), live, on_withdrawal, ..Scene::new("mon/a") };
            let report = checked(store(&[scene]).path());
            assert!(report.findings.is_empty(), "script {index}, live {live}: {:#?}", report.findings);
            assert_eq!(report.calls, 1);
        }
    }
}

#[test]
fn a_quarantined_call_is_sound_and_silent() {
    let scratch = store(&[Scene { result: CallResult::Quarantined, ..Scene::new("a") }]);
    assert!(checked(scratch.path()).findings.is_empty());
}

#[test]
fn a_doubt_that_comes_up_in_mid_call_leaves_a_ledger_that_can_be_played_again() {
    let events =
        vec![(0, told()), (800, granted()), (4_000, Event::Held), (5_000, Event::Retrieved), (6_000, withdrawn())];
    for doubt in 0..events.len() {
        let (events, result) = (events.clone(), CallResult::Quarantined);
        let scratch = store(&[Scene { events, result, live: true, doubt_before: Some(doubt), ..Scene::new("a") }]);
        let report = checked(scratch.path());
        assert!(report.findings.is_empty(), "before event {doubt}: {:?}", report.findings);
        forge(scratch.path(), "a", |manifest| manifest.ledger[1].effect.recording = "elsewhere".into());
        assert!(errors(scratch.path(), "a.json").contains(&"ledger_effect"));
    }
}

#[test]
fn any_flipped_bit_of_any_file_is_named() {
    let scratch = store(&[Scene::new("a")]);
    for name in ["a.agent.wav", "a.customer.wav", "a.speech.wav", "a.timeline.csv", "a.svg", "a.json", "batch.json"] {
        let file = scratch.path().join(name);
        let original = fs::read(&file).unwrap();
        let places = (0..original.len()).step_by(1 + original.len() / 40).chain([0, 22, original.len() - 1]);
        for at in places.filter(|at| *at < original.len()) {
            edit(&file, |bytes| bytes[at] ^= 1 << (at % 7));
            assert!(!errors(scratch.path(), name).is_empty(), "byte {at} of {name}");
            fs::write(&file, &original).unwrap();
        }
    }
    assert!(checked(scratch.path()).is_sound());
}

#[test]
fn what_is_cut_off_or_added_is_named_with_its_place() {
    let scratch = store(&[Scene::new("a")]);
    for name in ["a.agent.wav", "a.customer.wav", "a.speech.wav", "a.timeline.csv", "a.svg", "a.json", "batch.json"] {
        let file = scratch.path().join(name);
        let original = fs::read(&file).unwrap();
        for length in [0, 10, original.len() / 2, original.len() - 1, original.len() + 2] {
            edit(&file, |bytes| bytes.resize(length, 0));
            assert!(!errors(scratch.path(), name).is_empty(), "{name} of {length} bytes");
            fs::write(&file, &original).unwrap();
        }
    }
    edit(&scratch.path().join("a.agent.wav"), |bytes| bytes.truncate(1_000));
    let report = checked(scratch.path());
    let cut = report.findings.iter().find(|finding| finding.code == "size").unwrap();
    assert_eq!(cut.to_string(), "a.agent.wav: byte 1000: it is cut off: 32044 bytes were written");
}

#[test]
fn files_that_changed_places_between_calls_are_named() {
    for suffix in [".agent.wav", ".speech.wav", ".timeline.csv", ".json"] {
        let other = Scene { speech: vec![span(1_600, 3_200), span(8_080, 8_240)], ..Scene::new("b") };
        let scratch = store(&[Scene::new("a"), other]);
        let [one, two, aside] = ["a", "b", "c"].map(|name| scratch.path().join(format!("{name}{suffix}")));
        fs::rename(&one, &aside).unwrap();
        fs::rename(&two, &one).unwrap();
        fs::rename(&aside, &two).unwrap();
        for name in ["a", "b"] {
            assert!(!errors(scratch.path(), &format!("{name}{suffix}")).is_empty(), "{name}{suffix}");
        }
    }
}

#[test]
fn entries_that_were_removed_reordered_or_changed_are_named_even_under_a_new_seal() {
    let events = vec![(0, told()), (800, granted()), (4_000, Event::Paused), (5_000, Event::Resumed)];
    let changes: [fn(&mut Manifest); 7] = [
        |manifest| drop(manifest.ledger.remove(1)),
        |manifest| drop(manifest.ledger.pop()), // the last one: the chain alone would not tell
        |manifest| manifest.ledger.swap(1, 2),
        |manifest| manifest.ledger[1].sample = 400,
        |manifest| manifest.ledger[1].effect.customer = "shut".into(),
        |manifest| manifest.ledger[0].event = granted(),
        |manifest| manifest.ledger.clear(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let scratch = store(&[Scene { events: events.clone(), ..Scene::new("a") }]);
        forge(scratch.path(), "a", change);
        let errors = errors(scratch.path(), "a.json");
        let named = errors.iter().any(|code| code.starts_with("ledger") || code.starts_with("kept"));
        assert!(named, "change {index}: {errors:?}");
    }
}

#[test]
fn numbers_that_were_changed_are_named_even_under_a_new_seal() {
    type Change = fn(&mut Manifest);
    let changes: [(&str, Change); 13] = [
        ("tally", |manifest| manifest.tally.agent.written += 1),
        ("tally", |manifest| manifest.tally.customer.left_out.clear()),
        ("tally", |manifest| manifest.length_samples += 80),
        ("header", |manifest| manifest.rate_hz = 16_000),
        ("format", |manifest| manifest.rate_hz = u32::MAX),
        ("format", |manifest| manifest.length_samples = u64::MAX),
        ("format", |manifest| manifest.recorded_at = "yesterday".into()),
        ("kept_without_grant", |manifest| manifest.customer.kept[0].from -= 1),
        ("kept_without_grant", |manifest| manifest.customer.kept[0].purposes.push("sale".into())),
        ("kept_missing", |manifest| manifest.customer.kept.clear()),
        ("scope", |manifest| manifest.policy.scope = crate::store::manifest::Scope::AgentOnly),
        ("listing", |manifest| drop::<Output>(manifest.outputs.remove(0))),
        ("name", |manifest| manifest.call = "b".into()),
    ];
    for (code, change) in changes {
        let scratch = store(&[Scene::new("a")]);
        let place = Place::new(scratch.path(), "a").unwrap();
        forge(scratch.path(), "a", change);
        let report = checked(scratch.path());
        assert!(
            place.manifest().exists() && report.findings.iter().any(|f| f.code == code),
            "{code}: {:?}",
            report.findings
        );
    }
}

#[test]
fn a_manifest_with_an_added_field_or_another_layout_is_named() {
    let scratch = store(&[Scene::new("a")]);
    let file = scratch.path().join("a.json");
    let original = fs::read_to_string(&file).unwrap();
    for (from, to) in
        [("\"prev\":", "\"extra\": 1, \"prev\":"), ("\"at\": 0.25", "\"at\": 0.250"), ("  \"call\"", "   \"call\"")]
    {
        assert!(original.contains(from), "{from}");
        // Sealed anew: the form has to tell.
        let bare = original.replacen(from, to, 1).replace(&sealed::check_seal(&original).unwrap(), "");
        let seal = blake3::hash(bare.as_bytes()).to_hex();
        fs::write(&file, bare.replace("\"seal\": \"\"", &format!("\"seal\": \"{seal}\""))).unwrap();
        assert!(errors(scratch.path(), "a.json").contains(&"form"), "{to}");
    }
}

#[test]
fn a_customer_heard_outside_the_grants_is_named_with_the_sample() {
    let scratch = store(&[Scene::new("a")]);
    edit(&scratch.path().join("a.customer.wav"), |bytes| bytes[44 + 2 * 3_999] = 1);
    let report = checked(scratch.path());
    let finding = report.findings.iter().find(|finding| finding.code == "outside_grants").unwrap();
    assert_eq!((finding.place.as_deref(), finding.file.to_str()), (Some("sample 3999"), Some("a.customer.wav")));
}

#[test]
fn a_customers_track_that_nobody_lists_is_named() {
    let scratch = store(&[Scene { events: vec![], ..Scene::new("a") }, Scene::new("b")]);
    fs::copy(scratch.path().join("b.customer.wav"), scratch.path().join("a.customer.wav")).unwrap();
    fs::copy(scratch.path().join("b.customer.wav"), scratch.path().join("z.customer.wav")).unwrap();
    assert_eq!(errors(scratch.path(), "a.customer.wav"), ["unlisted"]);
    assert_eq!(errors(scratch.path(), "z.customer.wav"), ["orphan"]);
}

#[test]
fn whatever_is_missing_is_named() {
    for name in ["a.agent.wav", "a.customer.wav", "a.speech.wav", "a.timeline.csv", "a.svg"] {
        let scratch = store(&[Scene::new("a")]);
        fs::remove_file(scratch.path().join(name)).unwrap();
        assert_eq!(errors(scratch.path(), name), ["missing"]);
    }
    let scratch = store(&[Scene::new("a"), Scene::new("b")]);
    fs::remove_file(scratch.path().join("a.json")).unwrap();
    assert_eq!(errors(scratch.path(), "a.agent.wav"), ["orphan"]);
    assert_eq!(errors(scratch.path(), "batch.json"), ["missing"]);
}

#[test]
fn a_manifest_that_was_replaced_whole_differs_from_the_runs_summary() {
    let scratch = store(&[Scene::new("a")]);
    Scene { recorded_at: "2020-01-01T00:00:00Z".into(), ..Scene::new("a") }.record(scratch.path());
    assert_eq!(errors(scratch.path(), "batch.json"), ["replaced"]);
}

#[test]
fn what_a_killed_run_left_is_named() {
    let scratch = store(&[Scene::new("a")]);
    fs::write(scratch.path().join(".b.agent.wav.oneside-part"), "half").unwrap();
    assert_eq!(errors(scratch.path(), ".b.agent.wav.oneside-part"), ["abandoned"]);
}

#[test]
fn a_receipt_that_was_touched_or_belongs_to_another_call_is_named() {
    let scratch = store(&[Scene::new("a"), Scene::new("b")]);
    let place = Place::new(scratch.path(), "a").unwrap();
    let preview = crate::archive::preview(&place, crate::archive::What::Customer, &Default::default()).unwrap();
    crate::archive::erase(&preview, "asked", "2026-06-01T12:00:00Z".parse().unwrap()).unwrap();
    let text = fs::read_to_string(place.receipt()).unwrap();
    fs::write(place.receipt(), text.replace("asked", "asket")).unwrap();
    assert_eq!(errors(scratch.path(), "a.erased.json"), ["receipt"]);
    fs::write(place.receipt(), &text).unwrap();
    assert!(checked(scratch.path()).is_sound());
    fs::copy(place.receipt(), scratch.path().join("b.erased.json")).unwrap();
    assert_eq!(errors(scratch.path(), "b.erased.json"), ["receipt"]);
}

#[cfg(unix)]
#[test]
fn what_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = store(&[Scene::new("a")]);
    fs::set_permissions(scratch.path().join("a.agent.wav"), fs::Permissions::from_mode(0o644)).unwrap();
    let report = checked(scratch.path());
    assert!(report.is_sound());
    assert_eq!(report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["permissions"]);
}

#[test]
fn files_of_others_are_left_alone() {
    let scratch = store(&[Scene::new("a")]);
    for (name, text) in [("notes.txt", "x"), ("other.json", "{\"a\":1}"), ("a.wav", "RIFF")] {
        fs::write(scratch.path().join(name), text).unwrap();
    }
    assert!(checked(scratch.path()).is_sound());
}

#[test]
fn rubbish_in_every_record_is_a_finding_and_never_a_panic() {
    let scratch = store(&[Scene::new("a")]);
    let huge = "{\"format\": \"oneside-manifest/1\", \"ledger\": [".repeat(1_000);
    for rubbish in ["", "{", "null", "[]", "\"seal\": \"\"\n}\n", "\u{1F600}\"\n}\n", huge.as_str()] {
        for name in ["a.json", "a.erased.json", "batch.json", "a.timeline.csv", "a.agent.wav"] {
            let file = scratch.path().join(name);
            let original = fs::read(&file).ok();
            fs::write(&file, rubbish).unwrap();
            assert!(!errors(scratch.path(), name).is_empty(), "{rubbish:.20?} in {name}");
            original.map_or_else(|| fs::remove_file(&file), |original| fs::write(&file, original)).unwrap();
        }
    }
}

#[test]
fn the_largest_number_in_any_place_is_a_finding_and_never_a_panic() {
    let scratch = store(&[Scene::new("a")]);
    let file = scratch.path().join("a.json");
    let original = fs::read_to_string(&file).unwrap();
    let bare = original.replace(&sealed::check_seal(&original).unwrap(), "");
    let begins = |at: usize| bare.as_bytes()[at].is_ascii_digit() && matches!(bare.as_bytes()[at - 1], b' ' | b'[');
    let numbers: Vec<usize> = (1..bare.len()).filter(|at| begins(*at)).collect();
    assert!(numbers.len() > 30, "{}", numbers.len());
    for at in numbers {
        let end = at + bare[at..].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap();
        let forged = format!("{}{}{}", &bare[..at], u64::MAX, &bare[end..]);
        let seal = blake3::hash(forged.as_bytes()).to_hex();
        fs::write(&file, forged.replace("\"seal\": \"\"", &format!("\"seal\": \"{seal}\""))).unwrap();
        assert!(!checked(scratch.path()).is_sound(), "the number at byte {at}");
    }
}

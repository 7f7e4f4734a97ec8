//! Tests of erasing.

#[cfg(test)]
use std::fs;

use super::*;
use crate::archive::{Report, verify};
use crate::call::CallResult;
use crate::store::summary::CallLine;
use crate::store::testing::{Scene, Scratch};

fn at() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn checked(dir: &Path) -> Report {
    verify(dir, &mut |_, _| ()).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn store(names: &[&str]) -> (Scratch, Place) {
    let scratch = Scratch::new();
    let stored: Vec<_> = names.iter().map(|name| Scene::new(name).record(scratch.path())).collect();
    let lines = stored.iter().map(|stored| CallLine {
        name: stored.manifest.call.clone(),
        result: CallResult::Recorded,
        manifest: stored.manifest.seal.clone(),
        findings: vec![],
        customer_stored: true,
        input_remains: true,
    });
    Summary::new(lines.collect(), vec![]).write(scratch.path()).unwrap();
    let place = Place::new(scratch.path(), names[0]).unwrap();
    (scratch, place)
}

fn erased(place: &Place, what: What) -> Receipt {
    erase(&preview(place, what, &Holds::default()).unwrap(), "asked by letter", at()).unwrap()
}

#[test]
fn of_a_call_erased_whole_the_receipt_alone_is_left() {
    let (scratch, place) = store(&["a", "b"]);
    fs::write(scratch.path().join(".a.customer.wav.oneside-part"), "left by a killed run").unwrap();
    let preview = preview(&place, What::All, &Holds::default()).unwrap();
    let listed: Vec<_> = preview.files.iter().map(|file| file.file.as_str()).collect();
    assert_eq!(listed, ["a.agent.wav", "a.customer.wav", "a.speech.wav", "a.timeline.csv", "a.svg", "a.json"]);
    let receipt = erase(&preview, "asked by letter", at()).unwrap();
    assert_eq!((receipt.state, &receipt.erasures[0].files), (Progress::Done, &preview.files));
    assert!(preview.files.iter().all(|file| file.digest.is_some() && file.bytes > 0));
    assert_eq!(receipt.ledger_entries, Some(2));
    let mine: Vec<_> =
        names(scratch.path()).into_iter().filter(|name| name.trim_start_matches('.').starts_with("a.")).collect();
    assert_eq!(mine, ["a.erased.json"]);
    assert!(!fs::read_to_string(scratch.path().join("batch.json")).unwrap().contains("\"a\""));
    let report = checked(scratch.path());
    assert!(report.is_sound() && report.receipts == 1 && report.calls == 1, "{:?}", report.findings);
}

#[test]
fn erasing_the_customer_leaves_the_agents_files_untouched() {
    let (scratch, place) = store(&["a"]);
    let kept = [Kind::Agent, Kind::Speech, Kind::Timeline, Kind::Picture].map(|kind| place.output(kind));
    let contents = || kept.iter().chain([&place.manifest()]).map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    let before = contents();
    erased(&place, What::Customer);
    assert!(before == contents() && !place.output(Kind::Customer).exists());
    let report = checked(scratch.path());
    assert!(report.is_sound(), "{:?}", report.findings);
    fs::remove_file(place.receipt()).unwrap();
    assert!(!checked(scratch.path()).is_sound(), "without the receipt the track is missing");
}

#[test]
fn erasing_the_agent_takes_what_was_made_of_it_along() {
    let (scratch, place) = store(&["a"]);
    erased(&place, What::Agent);
    assert_eq!(names(scratch.path()), ["a.customer.wav", "a.erased.json", "a.json", "batch.json"]);
    assert!(checked(scratch.path()).is_sound());
}

#[test]
fn a_second_erasure_is_added_to_the_receipt() {
    let (scratch, place) = store(&["a"]);
    erased(&place, What::Customer);
    let receipt = erased(&place, What::All);
    assert_eq!(receipt.erasures.iter().map(|erasure| erasure.what).collect::<Vec<_>>(), [What::Customer, What::All]);
    assert_eq!(erased(&place, What::All), Receipt::read(&place).unwrap().unwrap(), "asked again, nothing changes");
    assert_eq!(names(scratch.path()), ["a.erased.json", "batch.json"]);
}

#[test]
fn a_held_call_is_not_erased_and_the_reason_is_named() {
    let (_scratch, place) = store(&["a"]);
    let (reason, by) = ("dispute 17".into(), "legal".into());
    let holds = Holds::new(vec![Hold { call: "a".into(), reason, by, review: jiff::civil::date(2027, 1, 31) }]);
    let refused = erase(&preview(&place, What::All, &holds).unwrap(), "asked", at()).unwrap_err().to_string();
    assert!(refused.contains("dispute 17") && refused.contains("legal") && refused.contains("2027-01-31"), "{refused}");
    assert!(place.output(Kind::Agent).exists() && !place.receipt().exists());
}

#[test]
fn an_interrupted_erasure_is_named_and_completed() {
    for what in [What::All, What::Customer, What::Agent] {
        let (scratch, place) = store(&["mon/a"]);
        let preview = preview(&place, what, &Holds::default()).unwrap();
        let mut receipt = fresh(&place);
        let files = preview.files.clone();
        receipt.erasures.push(Erasure { what, reason: "asked".into(), at: at().to_string(), files });
        receipt.write(&place).unwrap();
        fs::remove_file(place.output(what.kinds()[0])).unwrap(); // killed after the first file
        let report = checked(scratch.path());
        assert!(report.findings.iter().any(|finding| finding.code == "erasure_pending"), "{what:?}");
        let finished = finish_pending(scratch.path()).unwrap();
        assert_eq!((finished.len(), finished[0].state), (1, Progress::Done));
        assert!(what.kinds().iter().all(|kind| !place.output(*kind).exists()));
        let report = checked(scratch.path());
        assert!(report.is_sound(), "{what:?}: {:?}", report.findings);
        assert!(finish_pending(scratch.path()).unwrap().is_empty());
    }
}

#[test]
fn what_comes_back_is_named_and_can_be_erased_again() {
    let (scratch, place) = store(&["a"]);
    let customer = fs::read(place.output(Kind::Customer)).unwrap();
    erased(&place, What::Customer);
    fs::write(place.output(Kind::Customer), customer).unwrap(); // from a backup
    assert!(checked(scratch.path()).findings.iter().any(|finding| finding.code == "came_back"));
    assert_eq!(erased(&place, What::Customer).erasures.len(), 2);
    assert!(checked(scratch.path()).is_sound());
}

#[test]
fn a_call_whose_manifest_is_damaged_can_be_erased_all_the_same() {
    let (scratch, place) = store(&["a"]);
    fs::write(place.manifest(), "{").unwrap();
    let receipt = erased(&place, What::All);
    assert_eq!((receipt.manifest, receipt.erasures[0].files.len()), (None, 6));
    assert_eq!(names(scratch.path()), ["a.erased.json", "batch.json"]);
}

#[test]
fn what_is_not_there_cannot_be_erased() {
    let scratch = Scratch::new();
    Scene { events: vec![], ..Scene::new("a") }.record(scratch.path());
    let place = |name| Place::new(scratch.path(), name).unwrap();
    let refused = |name, what| preview(&place(name), what, &Holds::default()).unwrap_err();
    assert!(matches!(refused("b", What::All), ArchiveError::NoSuchCall { .. }));
    assert!(matches!(refused("a", What::Customer), ArchiveError::NothingToErase { .. }));
}

#[cfg(unix)]
#[test]
fn bytes_that_would_live_on_under_another_name_are_not_called_erased() {
    let (scratch, place) = store(&["a"]);
    fs::hard_link(place.output(Kind::Customer), scratch.path().join("copy")).unwrap();
    let refused = preview(&place, What::Customer, &Holds::default());
    assert!(matches!(refused, Err(ArchiveError::HardLinked { others: 1, .. })));
    assert!(place.output(Kind::Customer).exists());
}

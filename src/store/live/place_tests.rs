//! Tests of names: free ones are claimed, once; nothing that stands is written over.

#[cfg(test)]
use std::fs;

use super::tests::{assert_sound, contents, opening, play, record, scene};
use super::*;
use crate::archive::{ArchiveError, Holds, What, preview, verify};
use crate::store::name::Place;
use crate::store::testing::{Scene, Scratch};
use crate::store::{Plan, Recorder, StoreError, remove_abandoned};

#[test]
fn a_call_that_stands_is_never_written_over() {
    let scratch = Scratch::new();
    let first = record(&scene(), scratch.path());
    let before = contents(scratch.path());
    for name in ["a-2", "a-3"] {
        let stored = record(&scene(), scratch.path());
        assert_eq!(stored.manifest.call, name);
    }
    assert_eq!(first.manifest.call, "a");
    let after = contents(scratch.path());
    assert!(before.iter().all(|file| after.contains(file)));
    assert_sound(scratch.path());
}

#[test]
fn a_name_is_taken_by_anything_of_a_call_and_by_its_receipt() {
    for file in ["a.json", "a.erased.json", "a.agent.wav", "a.customer.wav", "a.svg", ".a.agent.wav.oneside-part"] {
        let scratch = Scratch::new();
        fs::write(scratch.path().join(file), "x").unwrap();
        assert_eq!(claim(scratch.path(), "a").unwrap().name(), "a-2", "{file}");
    }
}

#[test]
fn many_at_once_get_a_name_each() {
    let scratch = Scratch::new();
    let claims: Vec<LivePlace> = std::thread::scope(|scope| {
        let claims: Vec<_> = (0..8).map(|_| scope.spawn(|| claim(scratch.path(), "x/y z").unwrap())).collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).collect()
    });
    let mut names: Vec<&str> = claims.iter().map(LivePlace::name).collect();
    names.sort();
    assert_eq!(names, ["x/y z", "x/y z-2", "x/y z-3", "x/y z-4", "x/y z-5", "x/y z-6", "x/y z-7", "x/y z-8"]);
    assert!(recover(scratch.path(), &mut |_| ()).unwrap().is_empty(), "claimed is in hand");
    drop(claims);
    assert_eq!(all_in_hand(scratch.path()), [], "what was not recorded is given back");
}

#[test]
fn names_that_could_be_confused_have_directories_of_their_own() {
    let long = |end: &str| format!("{}{end}", "å/".repeat(300).trim_end_matches('/'));
    let names = ["a/b", "a%2fb", "a_b", "a b", "a%b", &long("x"), &long("y"), "A/b"];
    let mut dirs: Vec<_> = names.iter().map(|name| place::dir_of(&Place::new("out".as_ref(), name).unwrap())).collect();
    assert!(dirs.iter().all(|dir| dir.file_name().unwrap().len() <= 200));
    dirs.sort();
    dirs.dedup();
    assert_eq!(dirs.len(), names.len());
}

#[cfg(unix)]
#[test]
fn a_call_in_hand_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let (recorder, _) = play(&scene(), scratch.path(), false, |_, _| ());
    let own = scratch.path().join(".live/a");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&own), mode(&scratch.path().join(".live"))), (0o700, 0o700));
    for entry in fs::read_dir(&own).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    drop(recorder);
}

#[test]
fn a_call_in_hand_is_hidden_from_the_archive_and_from_a_batch() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let (recorder, closing) = play(&scene(), dir, false, |_, _| ());
    let place = Place::new(dir, "a").unwrap();
    let codes = || verify(dir, &mut |_, _| ()).unwrap().findings.iter().map(|finding| finding.code).collect::<Vec<_>>();
    assert!(codes().contains(&"in_hand"));
    assert_sound(dir);
    let erasing = || preview(&place, What::All, &Holds::default());
    assert!(matches!(erasing(), Err(ArchiveError::InHand { waiting: Waiting::InHand, .. })));
    let plan = Plan { rate_hz: 8_000, samples_max: 1, speech: false, sparse: true };
    let batch = || Recorder::create(place.clone(), plan);
    assert!(matches!(batch(), Err(StoreError::LiveCall { .. })));
    assert_eq!(remove_abandoned(dir).unwrap(), 0);
    assert!(recover(dir, &mut |_| ()).unwrap().is_empty(), "it is in hand");
    // Its writer dies.
    drop(recorder);
    assert!(codes().contains(&"interrupted"));
    assert!(matches!(erasing(), Err(ArchiveError::InHand { waiting: Waiting::ForRecovery, .. })));
    assert!(matches!(batch(), Err(StoreError::LiveCall { .. })));
    assert_eq!(recover(dir, &mut |_| ()).unwrap().len(), 1);
    assert!(!codes().contains(&"interrupted"));
    assert!(matches!(batch(), Err(StoreError::LiveCall { .. })), "there is no input to make it again of");
    erasing().unwrap();
    drop(closing);
}

#[test]
fn an_opening_of_another_name_is_refused_and_the_claim_given_back() {
    let scratch = Scratch::new();
    let claimed = claim(scratch.path(), "a").unwrap();
    let refused = LiveRecorder::create(claimed, opening(&Scene::new("a"), "b", false));
    assert!(matches!(refused, Err(StoreError::Record { .. })));
    assert_eq!(all_in_hand(scratch.path()), []);
}

#[test]
fn a_start_without_room_is_refused() {
    let scratch = Scratch::new();
    let below = scratch.path().join("not/yet");
    assert!(free_bytes(&below).unwrap() > 0);
    require_free(&below, 1).unwrap();
    let refused = require_free(&below, u64::MAX);
    assert!(matches!(refused, Err(StoreError::TooFull { needed: u64::MAX, .. })));
}

#[test]
fn one_call_is_recovered_and_the_others_are_not_looked_at() {
    let scratch = Scratch::new();
    drop(play(&scene(), scratch.path(), false, |_, _| ()));
    let live = scratch.path().join(".live");
    // A call that cannot be recovered, and one that is in hand.
    fs::create_dir(live.join("b")).unwrap();
    fs::write(live.join("b/journal.jsonl"), "rubbish").unwrap();
    let in_hand = claim(scratch.path(), "c").unwrap();
    let recovered = |name| recover_one(scratch.path(), name).unwrap();
    assert!(recovered("c").is_none() && recovered("d").is_none());
    let sealed = recovered("a").unwrap();
    assert!(matches!(sealed.outcome, Outcome::Sealed(_)), "{sealed:?}");
    assert_eq!((sealed.call.as_str(), live.join("a").exists()), ("a", false));
    assert_eq!(fs::read_to_string(live.join("b/journal.jsonl")).unwrap(), "rubbish");
    drop(in_hand);
    fs::remove_dir_all(live.join("b")).unwrap();
    assert_sound(scratch.path());
}

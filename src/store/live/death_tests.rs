//! Tests of what else a death can leave: torn lines, lost blocks, a wipe cut short, a doubt.

#[cfg(test)]
use std::fs;

use super::tests::{assert_sound, contents, copy, play, scene, silence_but, sound};
use super::*;
use crate::call::{CallResult, Leak, MediaTime, Tally};
use crate::consent::OnWithdrawal;
use crate::store::testing::{Scene, Scratch, granted, span, told, withdrawn};

#[test]
fn a_torn_line_and_all_behind_it_is_dropped() {
    let scratch = Scratch::new();
    drop(play(&scene(), scratch.path(), false, |_, _| ()));
    let journal = scratch.path().join(".live/a/journal.jsonl");
    let bytes = fs::read(&journal).unwrap();
    let whole = fs::read_to_string(&journal).unwrap();
    let opening = whole.lines().next().unwrap().len();
    for cut in [opening + 1, bytes.len() - 1, bytes.len() - 200, bytes.len() * 2 / 3, bytes.len() / 2] {
        let dir = scratch.path().join(format!("cut-{cut}"));
        copy(&scratch.path().join(".live"), &dir.join(".live"));
        fs::write(dir.join(".live/a/journal.jsonl"), &bytes[..cut]).unwrap();
        let recovered = recover(&dir, &mut |_| ()).unwrap();
        assert!(matches!(recovered[0].outcome, Outcome::Sealed(_)), "{recovered:?}");
        assert_sound(&dir);
    }
    for cut in [0, 1, opening] {
        let dir = scratch.path().join(format!("cut-{cut}"));
        copy(&scratch.path().join(".live"), &dir.join(".live"));
        fs::write(dir.join(".live/a/journal.jsonl"), &bytes[..cut]).unwrap();
        let recovered = recover(&dir, &mut |_| ()).unwrap();
        assert!(matches!(recovered[0].outcome, Outcome::Cleared), "cut to {cut}: {recovered:?}");
        assert_eq!(contents(&dir), []);
    }
}

#[test]
fn what_a_power_cut_took_is_counted_and_the_speech_follows_the_agent() {
    let scratch = Scratch::new();
    drop(play(&scene(), scratch.path(), false, |_, _| ()));
    let cuts: [(&str, u64); 6] =
        [("agent", 0), ("agent", 30_000), ("agent", 60_001), ("customer", 50_000), ("speech", 9_000), ("speech", 20)];
    for (track, bytes) in cuts {
        let dir = scratch.path().join(format!("{track}-{bytes}"));
        copy(&scratch.path().join(".live"), &dir.join(".live"));
        let file = fs::OpenOptions::new().write(true).open(dir.join(format!(".live/a/{track}.wav"))).unwrap();
        file.set_len(bytes).unwrap();
        if track == "speech" {
            file.set_len(bytes + 40_000).unwrap(); // blocks that never reached the disk read as zeros
        }
        let recovered = recover(&dir, &mut |_| ()).unwrap();
        let Outcome::Sealed(stored) = &recovered[0].outcome else { panic!("{recovered:?}") };
        let tally = &stored.manifest.tally;
        let left_out = |account: &crate::store::manifest::Account| account.left_out.get("interrupted").copied();
        assert_eq!(left_out(&tally.agent).is_some(), track == "agent", "{track} {bytes}");
        assert_eq!(left_out(&tally.customer).is_some(), track == "customer", "{track} {bytes}");
        assert_sound(&dir);
    }
}

#[test]
fn a_wipe_that_was_cut_short_is_completed() {
    let scratch = Scratch::new();
    let (dir, mut seen) = (scratch.path().join("noted"), 0);
    play(&scene(), &scratch.path().join("live"), false, |position, _| {
        // The second look at this place: the withdrawal is noted, and nothing is wiped yet.
        seen += u32::from(position.0 == 17_010);
        if seen == 2 && !dir.exists() {
            copy(&scratch.path().join("live"), &dir);
        }
    });
    let customer = dir.join(".live/a/customer.wav");
    assert!(sound(&customer).unwrap().iter().any(|sample| *sample != 0), "it lies there still");
    let recovered = recover(&dir, &mut |_| ()).unwrap();
    let Outcome::Sealed(stored) = &recovered[0].outcome else { panic!("{recovered:?}") };
    assert!(!dir.join("a.customer.wav").exists() && !customer.exists());
    assert_eq!(stored.manifest.ledger.last().unwrap().event, withdrawn());
    let tally = &stored.manifest.tally.customer;
    assert!(tally.erased > 0 && tally.written == 0 && tally.adds_up(), "{tally:?}");
    assert_sound(&dir);
}

#[test]
fn what_a_withdrawal_takes_back_is_gone_from_the_file_at_once() {
    let scratch = Scratch::new();
    let scene =
        Scene { events: vec![(0, told()), (800, granted()), (2_480, withdrawn()), (3_000, granted())], ..scene() };
    let mut seen = 0;
    play(&scene, scratch.path(), false, |position, recorder| {
        let file = scratch.path().join(".live/a/customer.wav");
        if position.0 == 2_400 {
            let tally = Tally::default();
            let leak = Leak {
                measurable: false,
                coupling_db: None,
                customer_active_s: 0.0,
                withheld_s: 0.0,
                residual_db: None,
            };
            // Written ahead by a checkpoint: in the file, and in memory still.
            recorder.checkpoint(&Standing { position, tally: &tally, leak, findings: &[] });
            assert!(sound(&file).unwrap()[800..].iter().all(|sample| *sample != 0));
            seen += 1;
        }
        if (2_560..3_000).contains(&position.0) {
            assert!(!file.exists());
            seen += 1;
        }
        if position.0 == 8_000 {
            assert!(sound(&file).unwrap()[..3_000].iter().all(|sample| *sample == 0));
            seen += 1;
        }
    });
    assert!(seen > 2);
}

#[test]
fn a_quarantined_call_keeps_nothing_also_when_it_is_killed() {
    for doubt_in_time in [true, false] {
        let scratch = Scratch::new();
        let scene = Scene { doubt_before: doubt_in_time.then_some(4), ..scene() };
        let (mut recorder, _) = play(&scene, scratch.path(), false, |position, recorder| {
            if doubt_in_time && position.0 >= 21_000 {
                recorder.quarantined(position);
            }
        });
        recorder.quarantined(MediaTime(40_000));
        drop(recorder);
        let recovered = recover(scratch.path(), &mut |_| ()).unwrap();
        let Outcome::Sealed(stored) = &recovered[0].outcome else { panic!("{recovered:?}") };
        assert_eq!(stored.manifest.result, CallResult::Quarantined);
        assert!(sound(&scratch.path().join("a.agent.wav")).unwrap().iter().all(|sample| *sample == 0));
        assert!(!scratch.path().join("a.customer.wav").exists());
        assert_sound(scratch.path());
    }
}

#[test]
fn what_stays_after_a_withdrawal_by_the_terms_stays_after_a_kill() {
    let scratch = Scratch::new();
    let scene = Scene { on_withdrawal: OnWithdrawal::Keep, ..scene() };
    drop(play(&scene, scratch.path(), false, |_, _| ()));
    recover(scratch.path(), &mut |_| ()).unwrap();
    let kept = [span(3_000, 17_010), span(22_000, 30_000), span(33_000, 40_000)];
    assert_eq!(sound(&scratch.path().join("a.customer.wav")).unwrap(), silence_but(40_000, &kept));
    assert_sound(scratch.path());
}

//! Recovery against the call itself: what the journal is played to must be what the call had come to.

#[cfg(test)]
use std::path::PathBuf;

use super::tests::{assert_sound, copy, opening, sound};
use super::*;
use crate::audio::Stereo;
use crate::bleed::Reference;
use crate::call::{self, Call, CallResult, MediaTime, Missing, Span};
use crate::consent::{Entry, Event, Stamped};
use crate::store::testing::{RATE, Scene, Scratch, granted, noise, told, withdrawn};
use crate::voice::Speech;

const FRAME: u64 = RATE as u64 / 50;

/// What a call had come to when it was killed.
struct Snapshot {
    position: u64,
    ledger: Vec<Entry>,
    dir: PathBuf,
}

/// Two people who speak at their own pace: noise that rises and falls, zero nowhere.
fn agent_at(place: u64) -> i16 {
    (noise(place, 1)[0] / (3 + (place / 800 * 7 % 11) as i16 * 4)) | 1
}

fn customer_at(place: u64) -> i16 {
    (noise(place + 7_777_777, 1)[0] / (3 + (place / 560 * 5 % 13) as i16 * 4)) | 1
}

fn call(name: &str, reach_ms: u32) -> Call {
    Call::open(call::Opening { reference: Reference::OneParty, reach_ms, ..call::Opening::new(name, RATE) })
}

/// Eight seconds of a call with these events, at frames; what opens counts 50 ms ahead. Killed after every ninth frame,
/// and before and after every event.
fn played(scratch: &Scratch, events: &[(u64, Event)], reach_ms: u32) -> Vec<Snapshot> {
    let live = scratch.path().join("live");
    let mut call = call("a", reach_ms);
    let mut recorder = LiveRecorder::create(claim(&live, "a").unwrap(), opening(&Scene::new("a"), "a", false)).unwrap();
    let mut snapshots = Vec::new();
    for frame in 0..400 {
        let at = MediaTime(frame * FRAME);
        let mut killed = |position: MediaTime, ledger: &[Entry], when: &str| {
            let dir = scratch.path().join(format!("{}-{when}", position.0));
            copy(&live, &dir);
            snapshots.push(Snapshot { position: position.0, ledger: ledger.to_vec(), dir });
        };
        for (_, event) in events.iter().filter(|(place, _)| *place == frame) {
            let stamped = Stamped::placed(MediaTime(at.0 + 400), None, event.clone(), RATE);
            recorder.event(call.position(), call.maskable().from, &stamped);
            call.take_now(stamped, &mut recorder);
            killed(at, call.ledger(), &format!("{:?}", event.rank()));
        }
        if frame == 120 {
            call.missing(Span::new(at, MediaTime(at.0 + 500)), Missing::Lost);
            recorder.gap(Gap {
                from: at.0,
                frames: 500,
                of: crate::call::Of::Both,
                reason: "lost".into(),
                intended: false,
            });
        }
        let agent: Vec<i16> = (at.0..at.0 + FRAME).map(agent_at).collect();
        let customer: Vec<i16> = (at.0..at.0 + FRAME).map(customer_at).collect();
        let sound = Stereo::new(at, &agent, &customer);
        call.listen(&sound);
        call.settle(&sound, Speech(true), &mut recorder);
        if frame % 25 == 24 {
            recorder.checkpoint(&Standing::of(&call));
        }
        if frame % 9 == 0 {
            killed(call.position(), call.ledger(), "frame");
        }
    }
    let closing = call.close(&mut recorder);
    let stored = recorder.finish(&closing, "2026-03-01T09:30:08Z", None).unwrap();
    assert_eq!(stored.manifest.result, CallResult::Recorded, "{:?}", stored.manifest.findings);
    assert_eq!(stored.manifest.live.unwrap().losses[0].samples, 500);
    assert_sound(&live);
    snapshots
}

fn check(reach_ms: u32, events: &[(u64, Event)]) {
    let scratch = Scratch::new();
    let snapshots = played(&scratch, events, reach_ms);
    let whole = sound(&scratch.path().join("live/a.agent.wav")).unwrap();
    let reach = u64::from(reach_ms) * u64::from(RATE) / 1_000;
    let lost_max = reach + u64::from(RATE);
    for Snapshot { position, ledger, dir } in snapshots {
        let recovered = recover(&dir, &mut |_| ()).unwrap();
        let Outcome::Sealed(stored) = &recovered[0].outcome else { panic!("{recovered:?}") };
        let manifest = &stored.manifest;
        assert_eq!(manifest.ledger, ledger, "at {position}");
        assert!(manifest.tally.agent.adds_up() && manifest.tally.customer.adds_up(), "{:?}", manifest.tally);
        assert_sound(&dir);
        // The agent: everything that the whole call has, but for the end.
        let agent = sound(&dir.join("a.agent.wav")).unwrap();
        let same = agent.iter().zip(&whole).take_while(|(one, other)| one == other).count() as u64;
        let rest = &agent[same as usize..];
        assert!(rest.iter().all(|sample| *sample == 0), "at {position}: other sound than the call's");
        assert!(position - same <= lost_max, "at {position}: only {same} samples of the agent are left");
        // The customer: nothing but what the door let through, and nothing of it that was masked.
        let Some(customer) = sound(&dir.join("a.customer.wav")) else { continue };
        let masked = ledger.iter().filter_map(|entry| entry.effect.masked_customer.or(entry.effect.masked));
        let masked: Vec<[u64; 2]> = masked.collect();
        for (place, sample) in customer.iter().enumerate().filter(|(_, sample)| **sample != 0) {
            let place = place as u64;
            assert_eq!(*sample, customer_at(place));
            assert!(manifest.customer.kept.iter().any(|kept| kept.from <= place && place < kept.until));
            assert!(!masked.iter().any(|[from, until]| (*from..*until).contains(&place)), "masked at {place}");
        }
    }
}

#[test]
fn the_ledger_of_a_killed_call_is_that_of_the_call() {
    check(0, &[(10, told()), (20, granted()), (180, withdrawn()), (200, granted()), (300, Event::HungUp)]);
}

#[test]
fn masks_and_stops_hold_after_a_kill() {
    let events = [
        (5, told()),
        (6, granted()),
        (90, Event::Masked { seconds: 1 }),
        (130, Event::Private),
        (160, Event::PrivateEnded),
        (200, Event::Paused),
        (201, granted()),
        (230, Event::Resumed),
        (333, Event::Masked { seconds: 3 }),
        (390, withdrawn()),
    ];
    check(0, &events);
    check(2_000, &events);
}

//! Runs of one lane against the same frames one by one: each decision, and all that the lane then remembers.

use super::tests::{Random, Voice, columns};
use super::{Detectors, Seats, Width};
use crate::voice::{Mode, Speech};

const FRAMES: usize = 2_400;

#[test]
fn a_run_is_decided_as_its_frames_one_by_one() {
    let mut taken = [0; 2];
    for width in Width::supported() {
        for (rate_hz, frame_ms) in [8_000, 16_000, 32_000].into_iter().flat_map(|hz| [10, 20, 30].map(|ms| (hz, ms))) {
            for mode in 0..4 {
                let mode = Mode::new(mode).unwrap();
                let all = compare(width, rate_hz, mode, frame_ms);
                taken = [taken[0] + all[0], taken[1] + all[1]];
            }
        }
    }
    println!("{} pieces, {} of them taken again", taken[0], taken[1]);
    // Both ways were gone: the seams are compared, and what does not fit is mended.
    assert!(taken[1] > 0 && taken[1] < taken[0] / 4, "{taken:?}");
}

/// The pieces of the runs, and those taken again.
fn compare(width: Width, rate_hz: u32, mode: Mode, frame_ms: u32) -> [u64; 2] {
    let mut random = Random(u64::from(rate_hz + frame_ms));
    let mut voice = Voice::new(random.next());
    let make = || Detectors::with_width(width, 5, rate_hz, mode, frame_ms);
    let (mut single, mut run) = (make(), make());
    let frames: Vec<Vec<i16>> = (0..FRAMES).map(|_| voice.frame(single.samples())).collect();
    let lane = random.below(5) as usize;
    let mut from = 0;
    while from < FRAMES {
        let count = (random.below(if from < FRAMES / 2 { 700 } else { 40 }) as usize).min(FRAMES - from);
        let mut decided = vec![Speech::default(); count];
        run.decide_run(lane, |number| &frames[from + number], &mut decided);
        for (number, decided) in decided.into_iter().enumerate() {
            let mut speech = [Speech::default(); 5];
            single.decide(|other| if other == lane { &frames[from + number] } else { &[] }, &mut speech);
            assert_eq!(
                decided,
                speech[lane],
                "{width:?}, {rate_hz} Hz, {frame_ms} ms, {mode:?}, frame {}",
                from + number
            );
        }
        assert_eq!(
            columns(&mut run),
            columns(&mut single),
            "{width:?}, {rate_hz} Hz, {frame_ms} ms, {mode:?}, at {from}"
        );
        from += count;
    }
    taken(&run)
}

fn taken(detectors: &Detectors) -> [u64; 2] {
    match &detectors.seats {
        #[cfg(target_arch = "x86_64")]
        Seats::Sixteen(groups) => groups.scratch.as_ref().map_or([0; 2], |scratch| scratch.taken),
        #[cfg(target_arch = "x86_64")]
        Seats::Eight(groups) => groups.scratch.as_ref().map_or([0; 2], |scratch| scratch.taken),
        Seats::Four(groups) => groups.scratch.as_ref().map_or([0; 2], |scratch| scratch.taken),
        Seats::One(groups) => groups.scratch.as_ref().map_or([0; 2], |scratch| scratch.taken),
    }
}

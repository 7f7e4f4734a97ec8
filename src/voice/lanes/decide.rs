//! One frame of each lane of a group: filters, judgement, hangover.

use super::energy::{BLOCKS_MAX, Heights};
use super::filters::{self, BLOCK};
use super::group::Group;
use super::layout::{Apart, Layout};
use super::mixture;
use super::tables::{BANDS, RUN_MAX, Thresholds};
use super::vector::Lanes;

/// Samples of 30 ms at 32 kHz.
const SAMPLES_MAX: usize = (BLOCKS_MAX * BLOCK) << 2;

/// What lanes without a frame are computed with, to no effect.
static SILENCE: [i16; SAMPLES_MAX] = [0; SAMPLES_MAX];

/// What the frames are, and what is asked of them.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often the rate is halved to come to 8 kHz.
    pub halvings: usize,
    /// Blocks of a frame at 8 kHz.
    pub blocks: usize,
    pub thresholds: Thresholds,
}

impl Settings {
    /// Samples of a frame at its own rate.
    pub fn samples(&self) -> usize {
        (self.blocks * BLOCK) << self.halvings
    }
}

/// Decides the lanes of a group whose frames are not empty, and says in which there is speech; the others are left as
/// they are.
#[inline(always)]
pub fn decide<V: Lanes<N>, const N: usize>(
    group: &mut Group<N>,
    heights: &mut Heights<N>,
    frames: &[&[i16]; N],
    settings: &Settings,
) -> [bool; N] {
    let (features, has_sound, active) = hear::<V, N>(group, heights, frames, settings);
    judge::<V, Apart, N>(group, &features, has_sound, active, settings)
}

/// What is measured of the frames that are not empty: their features, where there is sound, and which they are.
#[inline(always)]
pub fn hear<V: Lanes<N>, const N: usize>(
    group: &mut Group<N>,
    heights: &mut Heights<N>,
    frames: &[&[i16]; N],
    settings: &Settings,
) -> ([[i16; N]; BANDS], V::Mask, V::Mask) {
    let samples = settings.samples();
    assert!(samples <= SAMPLES_MAX);
    let mut active = [0_i16; N];
    let mut heard = [SILENCE.as_ptr(); N];
    for lane in 0..N {
        if !frames[lane].is_empty() {
            assert_eq!(frames[lane].len(), samples, "samples of a frame");
            active[lane] = -1;
            heard[lane] = frames[lane].as_ptr();
        }
    }
    let active = V::splat(0).gt(V::load(&active));
    let blocks = settings.blocks;
    // SAFETY: each pointer is to a frame of as many samples as the settings have, or to so much silence.
    let sums = unsafe {
        match settings.halvings {
            0 => filters::pass::<V, N, 0>(group, heights, &heard, blocks, active),
            1 => filters::pass::<V, N, 1>(group, heights, &heard, blocks, active),
            _ => filters::pass::<V, N, 2>(group, heights, &heard, blocks, active),
        }
    };
    let (features, has_sound) = sums.features(heights, blocks);
    (features, has_sound, active)
}

/// Decides by the features, in the `active` lanes.
#[inline(always)]
pub fn judge<V: Lanes<N>, L: Layout<N>, const N: usize>(
    group: &mut Group<N>,
    features: &[[i16; N]; BANDS],
    has_sound: V::Mask,
    active: V::Mask,
    settings: &Settings,
) -> [bool; N] {
    let judged = has_sound & active;
    let mut speech = judged;
    if V::any(judged) {
        speech = mixture::judge::<V, L, N>(group, features, judged, &settings.thresholds);
    }
    hang_over::<V, N>(group, speech, active, &settings.thresholds)
}

/// Speech lasts a few frames longer than it is found.
#[inline(always)]
fn hang_over<V: Lanes<N>, const N: usize>(
    group: &mut Group<N>,
    speech: V::Mask,
    active: V::Mask,
    thresholds: &Thresholds,
) -> [bool; N] {
    let (zero, one, run_max) = (V::splat(0), V::splat(1), V::splat(RUN_MAX));
    let (left, run) = (V::load(&group.hangover), V::load(&group.run));
    let longer = V::select(speech, run + one, zero);
    let is_long = longer.gt(run_max);
    let renewed = V::select(is_long, V::splat(thresholds.hangover_long), V::splat(thresholds.hangover_short));
    let remaining = V::select(speech, renewed, (left - one).max(zero));
    V::select(active, longer.min(run_max), run).store(&mut group.run);
    V::select(active, remaining, left).store(&mut group.hangover);
    let mut found = [0; N];
    V::select(active, V::select(speech, one, left), zero).store(&mut found);
    found.map(|found| found != 0)
}

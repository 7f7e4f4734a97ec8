//! The commonest frames, measured in whole registers: 20 ms at 8 kHz, and 20 ms that were narrowed to 8 kHz.
//!
//! The numbers are those of `measure_any`; tests compare them.

use super::{Levels, mean, peak};
use crate::audio::{BySixteen, Sixteen};

/// Samples of a unit at 8 kHz.
const UNIT: usize = 80;

/// What `measure_any` measures, for 160 samples at 8 kHz: units of 80 differences, which reach two samples into each other.
pub(super) struct Frame8k<'a> {
    pub agent: &'a [i16; 2 * UNIT],
    pub customer: &'a [i16; 2 * UNIT],
}

impl BySixteen for Frame8k<'_> {
    type Output = Levels;

    #[inline(always)]
    fn call(self, simd: impl Sixteen) -> Levels {
        let Frame8k { agent, customer } = self;
        let peak = peak_of(simd, agent);
        let agent = [whole_unit(simd, agent, 0), whole_unit(simd, agent, UNIT - 2)];
        let customer = [whole_unit(simd, customer, 0), whole_unit(simd, customer, UNIT - 2)];
        measured(simd, agent, customer, UNIT as u64, peak)
    }
}

/// The same for halves that were narrowed to 80 samples, of 78 differences each. `whole`: the agent's as it came.
pub(super) struct Frame<'a> {
    pub whole: &'a [i16],
    pub agent: [&'a [i16; UNIT]; 2],
    pub customer: [&'a [i16; UNIT]; 2],
}

impl BySixteen for Frame<'_> {
    type Output = Levels;

    #[inline(always)]
    fn call(self, simd: impl Sixteen) -> Levels {
        let peak = peak_of(simd, self.whole);
        let agent = [cut_unit(simd, self.agent[0]), cut_unit(simd, self.agent[1])];
        let customer = [cut_unit(simd, self.customer[0]), cut_unit(simd, self.customer[1])];
        measured(simd, agent, customer, UNIT as u64 - 2, peak)
    }
}

/// The differences of a unit, sixteen at a time.
type Steps<S> = [<S as Sixteen>::Samples; UNIT / 16];

/// The 80 differences of the 82 samples from `from` on.
#[inline(always)]
fn whole_unit<S: Sixteen>(simd: S, side: &[i16; 2 * UNIT], from: usize) -> Steps<S> {
    let mut steps = [simd.splat(0); UNIT / 16];
    for (at, steps) in steps.iter_mut().enumerate() {
        *steps = step_at(simd, side, from + 16 * at);
    }
    steps
}

/// The 78 differences of 80 samples: of the last sixteen, two were taken before.
#[inline(always)]
fn cut_unit<S: Sixteen>(simd: S, half: &[i16; UNIT]) -> Steps<S> {
    const NEW: [i16; 16] = [0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1];
    let last = simd.and(step_at(simd, half, UNIT - 18), simd.load(&NEW));
    [step_at(simd, half, 0), step_at(simd, half, 16), step_at(simd, half, 32), step_at(simd, half, 48), last]
}

/// What `step` makes of sixteen.
#[inline(always)]
fn step_at<S: Sixteen>(simd: S, samples: &[i16], at: usize) -> S::Samples {
    let difference = simd.minus(simd.at(samples, at + 2), simd.at(samples, at));
    simd.eighth(simd.plus(simd.plus(difference, difference), simd.splat(4)))
}

/// The levels of both sides' units of `count` differences.
#[inline(always)]
fn measured<S: Sixteen>(simd: S, agent: [Steps<S>; 2], customer: [Steps<S>; 2], count: u64, peak: u16) -> Levels {
    let [first, second] = &agent;
    let [third, fourth] = &customer;
    let energies = [
        product(simd, first, first),
        product(simd, second, second),
        product(simd, third, third),
        product(simd, fourth, fourth),
    ];
    // A sum of squares has no sign.
    let [a, b, c, d] = simd.totals(energies);
    let (a, b, c, d) = (u64::from(a as u32), u64::from(b as u32), u64::from(c as u32), u64::from(d as u32));
    let mut levels = Levels {
        agent: [mean(a, count), mean(b, count)],
        customer: [mean(c, count), mean(d, count)],
        agent_energy: a + b,
        customer_energy: c + d,
        dot: 0,
        agent_peak: peak,
    };
    if levels.may_be_twins() {
        let dots = [product(simd, first, third), product(simd, second, fourth), simd.zero(), simd.zero()];
        levels.dot = simd.totals(dots).iter().map(|dot| i64::from(*dot)).sum();
    }
    levels
}

/// The sums of the products of two units' differences.
#[inline(always)]
fn product<S: Sixteen>(simd: S, a: &Steps<S>, b: &Steps<S>) -> S::Sums {
    let mut sums = simd.zero();
    for at in 0..UNIT / 16 {
        sums = simd.add_products(sums, a[at], b[at]);
    }
    sums
}

/// What `peak` finds.
#[inline(always)]
fn peak_of<S: Sixteen>(simd: S, samples: &[i16]) -> u16 {
    let (whole, rest) = samples.as_chunks::<16>();
    let (mut low, mut high) = (simd.splat(0), simd.splat(0));
    for samples in whole {
        let samples = simd.load(samples);
        (low, high) = (simd.min(low, samples), simd.max(high, samples));
    }
    let low = simd.store(low).into_iter().fold(0, i16::min);
    let high = simd.store(high).into_iter().fold(0, i16::max);
    peak(rest).max(low.unsigned_abs()).max(high.unsigned_abs())
}

//! The first looks at a unit, which nearly all of speech does not pass: in integers, sixteen samples at a time.
//!
//! Three lags of the autocorrelation: those of a pair lie near a straight line between those of its tones. Then what each of
//! the eight tones holds of the energy: the strongest row and column must hold half of it together.

use super::{Grid, UNIT_MAX};
use crate::audio::{BySixteen, Sixteen};

/// The share of the energy that the two strongest tones must hold before anything is fitted.
const FILTERS_MIN: f32 = 0.5;
/// How far the first three lags of a unit may lie from those of a pair, as a sum of squares: 0.1 each.
const LAGS_OFF_MAX: f32 = 0.03;

/// Rounds of sixteen in the longest unit.
const ROUNDS_MAX: usize = UNIT_MAX / 16;
/// Samples of which the products of samples an eighth of their size add up to less than 2^31.
const NARROW_SUM: usize = 112;
/// Bits behind the point of a wave. Samples an eighth of their size lie 2^12 off their mean on the average, at most: 160 products with it
/// add up to less than 2^31.
const POINT: u32 = 11;

/// A unit to be looked at. What comes of it: the strongest row and column, if nothing speaks against a pair.
pub(super) struct Screen<'a> {
    pub grid: &'a Grid,
    pub unit: &'a [i16],
}

impl BySixteen for Screen<'_> {
    type Output = Option<[usize; 2]>;

    #[inline(always)]
    fn call(self, simd: impl Sixteen) -> Option<[usize; 2]> {
        let Screen { grid, unit } = self;
        // Samples an eighth of their size, and silence behind them.
        let mut small = [0; UNIT_MAX + 32];
        for (small, sample) in small.iter_mut().zip(unit) {
            *small = sample >> 3;
        }
        let may_be = grid.may_be_a_pair(lags(simd, &small, unit.len()));
        if may_be { grid.strongest(simd, &small, unit.len()) } else { None }
    }
}

/// The energy of a unit but for its last three samples, and the products of these with those one to three later.
#[inline(always)]
fn lags<S: Sixteen>(simd: S, small: &[i16; UNIT_MAX + 32], len: usize) -> [f32; 4] {
    let count = len - 3;
    let mut sums = [simd.zero(); 4];
    for at in (0..count).step_by(16) {
        let these = simd.and(simd.at(small, at), first(simd, count - at));
        for (lag, sum) in sums.iter_mut().enumerate() {
            *sum = simd.add_products(*sum, these, simd.at(small, at + lag));
        }
    }
    if count <= NARROW_SUM {
        return simd.totals(sums).map(|total| total as f32);
    }
    let mut totals = [0.0; 4];
    for (total, sum) in totals.iter_mut().zip(sums) {
        *total = simd.sums(sum).iter().map(|sum| i64::from(*sum)).sum::<i64>() as f32;
    }
    totals
}

/// All bits of the first `count` of sixteen samples.
#[inline(always)]
fn first<S: Sixteen>(simd: S, count: usize) -> S::Samples {
    const ONES_AND_ZEROS: [i16; 32] = {
        let mut bits = [0; 32];
        let mut at = 0;
        while at < 16 {
            bits[at] = -1;
            at += 1;
        }
        bits
    };
    simd.at(&ONES_AND_ZEROS, 16 - count.min(16))
}

impl Grid {
    /// Whether the first three lags of the autocorrelation are those of a pair.
    #[inline(always)]
    fn may_be_a_pair(&self, [energy, first, second, third]: [f32; 4]) -> bool {
        let energy = energy.max(1.0);
        let [first, second, third] = [first / energy, second / energy, third / energy];
        let spread = second - (2.0 * first * first - 1.0);
        within(self.region.first, first)
            && within(self.region.spread, spread)
            && self.keys.any_like([first, second, third])
    }

    /// The strongest row and column, if they hold enough of the energy together.
    #[inline(always)]
    fn strongest<S: Sixteen>(&self, simd: S, small: &[i16; UNIT_MAX + 32], len: usize) -> Option<[usize; 2]> {
        let rounds = len.div_ceil(16);
        let mut whole = simd.zero();
        for round in 0..rounds {
            whole = simd.add_products(whole, simd.at(small, 16 * round), simd.splat(1));
        }
        let mean = simd.sums(whole).iter().sum::<i32>() / len as i32;
        let mut centred = [simd.splat(0); ROUNDS_MAX];
        let mut energy = simd.zero();
        for (round, centred) in centred.iter_mut().enumerate().take(rounds) {
            let these = simd.minus(simd.at(small, 16 * round), simd.splat(mean as i16));
            *centred = simd.and(these, first(simd, len - 16 * round));
            energy = simd.add_products(energy, *centred, *centred);
        }
        let mut power = [0.0; 8];
        for (power, waves) in power.iter_mut().zip(&self.waves.0) {
            let (mut cosines, mut sines) = (simd.zero(), simd.zero());
            for (round, these) in centred.iter().enumerate().take(rounds) {
                cosines = simd.add_products(cosines, *these, simd.at(&waves[0], 16 * round));
                sines = simd.add_products(sines, *these, simd.at(&waves[1], 16 * round));
            }
            let [a, b, ..] = simd.totals([cosines, sines, simd.zero(), simd.zero()]);
            let (a, b) = (a as f32 / (1 << POINT) as f32, b as f32 / (1 << POINT) as f32);
            *power = a * a + b * b;
        }
        let strongest = |from: usize| {
            (from..from + 4).map(|tone| (tone, power[tone])).fold((from, -1.0), |a, b| if b.1 > a.1 { b } else { a })
        };
        let (row, column) = (strongest(0), strongest(4));
        let energy = simd.sums(energy).iter().map(|sum| f64::from(*sum)).sum::<f64>() as f32;
        let held = 2.0 * (row.1 + column.1) / len as f32;
        (held >= FILTERS_MIN * energy).then_some([row.0, column.0])
    }
}

/// Cosine and sine of each tone.
#[derive(Debug)]
pub(super) struct Waves([[[i16; UNIT_MAX]; 2]; 8]);

impl Waves {
    pub(super) fn of(omega: &[f32; 8]) -> Waves {
        let point = f64::from(1 << POINT);
        let wave = |omega: f32, turn: fn(f64) -> f64| {
            std::array::from_fn(|at| (turn(f64::from(omega) * at as f64) * point).round() as i16)
        };
        Waves(omega.map(|omega| [wave(omega, f64::cos), wave(omega, f64::sin)]))
    }
}

/// Where the first two lags of a pair's autocorrelation lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    first: [f32; 2],
    spread: [f32; 2],
}

impl Region {
    /// What pairs of every key, twist and error can reach, and a margin for noise and for the unit's short length.
    pub(super) fn of(omega: &[f32; 8]) -> Region {
        let mut region = Region { first: [f32::MAX, f32::MIN], spread: [f32::MAX, f32::MIN] };
        let shares = [0.08f32, 0.2, 0.35, 0.5, 0.65, 0.8, 0.92];
        for (row, column) in (0..16).map(|key| (omega[key / 4], omega[4 + key % 4])) {
            for (share, off) in shares.into_iter().flat_map(|share| [0.97f32, 1.0, 1.03].map(|off| (share, off))) {
                let lag = |k: f32| share * (k * row * off).cos() + (1.0 - share) * (k * column * off).cos();
                for noise in [0.88, 1.0] {
                    let (first, second) = (noise * lag(1.0), noise * lag(2.0));
                    let spread = second - (2.0 * first * first - 1.0);
                    region.first = [region.first[0].min(first), region.first[1].max(first)];
                    region.spread = [region.spread[0].min(spread), region.spread[1].max(spread)];
                }
            }
        }
        let [low, high] = region.first;
        let [narrow, wide] = region.spread;
        Region { first: [low - 0.04, high + 0.02], spread: [narrow - 0.04, wide + 0.06] }
    }
}

fn within([low, high]: [f32; 2], x: f32) -> bool {
    low <= x && x <= high
}

/// For each key the lags of its column's tone alone, the way from there to those of its row's, and the square of its
/// length turned over: a pair lies on that way, the nearer to its row the louder that is.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    column: [[f32; 16]; 3],
    way: [[f32; 16]; 3],
    over: [f32; 16],
}

impl Keys {
    pub(super) fn of(omega: &[f32; 8]) -> Keys {
        let lag = |tone: usize, k: usize| ((k + 1) as f32 * omega[tone]).cos();
        let column = [0, 1, 2].map(|k| std::array::from_fn(|key| lag(4 + key % 4, k)));
        let way = [0, 1, 2].map(|k| std::array::from_fn(|key| lag(key / 4, k) - lag(4 + key % 4, k)));
        let over = std::array::from_fn(|key| 1.0 / (0..3).map(|k| way[k][key] * way[k][key]).sum::<f32>());
        Keys { column, way, over }
    }

    /// Whether these are near the lags of any pair.
    #[inline(always)]
    fn any_like(&self, lags: [f32; 3]) -> bool {
        let mut off = [0.0f32; 16];
        for (key, off) in off.iter_mut().enumerate() {
            let from = [0, 1, 2].map(|k| lags[k] - self.column[k][key]);
            let way = [0, 1, 2].map(|k| self.way[k][key]);
            let along = (from[0] * way[0] + from[1] * way[1] + from[2] * way[2]) * self.over[key];
            let share = along.clamp(0.1, 0.9);
            let rest = [0, 1, 2].map(|k| from[k] - share * way[k]);
            *off = rest[0] * rest[0] + rest[1] * rest[1] + rest[2] * rest[2];
        }
        off.iter().any(|off| *off <= LAGS_OFF_MAX)
    }
}

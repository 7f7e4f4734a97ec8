//! Two sinusoids in 10 ms: which pair of keypad tones a unit of sound is made of, if it is made of nothing else.
//!
//! In the order of their cost, and each only where the one before found nothing against it: three lags of the
//! autocorrelation (those of a pair lie near a straight line between those of its tones), eight Goertzel filters, the true
//! frequencies from the phases of both halves, and a least-squares fit of both tones that says how much is left over.
//! Rates beyond 16 kHz are averaged down to between 8 and 16 kHz first, as for the levels.

use std::f32::consts::{PI, TAU};

use crate::audio::{Work, wide};

/// The tones of rows and columns, Hz (ITU-T Q.23).
const TONES_HZ: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// The keys, row by row.
const KEYS: [char; 16] = ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];
/// Samples of a unit, at most, at the rate that is worked at.
const UNIT_MAX: usize = 160;
/// Lowest rate at which there are tones, Hz.
pub(super) const RATE_MIN_HZ: u32 = 8_000;
/// How far off a tone may be in one unit, as a share of its frequency. Tones of ±1.5 % have to be accepted and of ±3.5 %
/// rejected (ITU-T Q.24); a run of units is held to a narrower limit.
const OFF_MAX: f32 = 0.028;
/// The smallest amplitude of either tone: -50 dBFS.
const AMPLITUDE_MIN: f32 = 100.0;
/// By how much the column's tone may be louder or softer than the row's, as a ratio of powers: +4 and -8 dB (Q.24)
/// with 1.5 dB for what noise does to the measure.
const TWIST: [f32; 2] = [0.112, 3.55];
/// How much of the energy may be neither of the two tones: 13 %, a signal 9 dB above all else, harmonics among it.
const LEFT_OVER_MAX: f32 = 0.13;
/// The share of the energy that the two strongest filters must hold before anything is fitted.
const FILTERS_MIN: f32 = 0.5;

/// A unit that is made of a pair of tones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    /// Number of the key.
    pub key: usize,
    /// Amplitude of both tones, row first, in sample values.
    pub amplitude: [f32; 2],
    /// Their phases in the middle of the unit.
    pub phase: [f32; 2],
    /// Their frequencies, radians a sample at the rate worked at.
    pub omega: [f32; 2],
    /// How far these are off, as a share.
    pub off: [f32; 2],
    /// The share of the energy that is neither.
    pub left_over: f32,
    /// The middle of the unit, in half samples of the call.
    pub middle: u64,
}

impl Unit {
    /// The key.
    pub fn digit(&self) -> char {
        KEYS[self.key]
    }
}

/// How far the first three lags of a unit may lie from those of a pair, as a sum of squares: 0.1 each.
const LAGS_OFF_MAX: f32 = 0.03;

/// What is worked with at one rate.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// Samples of the call that make one sample worked with.
    fold: usize,
    /// Radians a sample of each tone.
    omega: [f32; 8],
    region: Region,
    keys: Keys,
}

/// Where the first two lags of a pair's autocorrelation lie.
#[derive(Clone, Copy, Debug)]
struct Region {
    first: [f32; 2],
    spread: [f32; 2],
}

impl Grid {
    /// For calls at `rate_hz`.
    pub fn new(rate_hz: u32) -> Grid {
        let fold = (rate_hz / RATE_MIN_HZ).max(1) as usize;
        let omega = TONES_HZ.map(|hz| TAU * hz * fold as f32 / rate_hz.max(1) as f32);
        Grid { fold, omega, region: Region::of(&omega), keys: Keys::of(&omega) }
    }

    /// Samples of the call that make one sample worked with.
    pub fn fold(&self) -> usize {
        self.fold
    }

    /// Listens to a unit that begins at sample `at` of the call.
    pub fn hear(&self, samples: &[i16], at: u64) -> Option<Unit> {
        let mut folded = [0; UNIT_MAX];
        let unit = if self.fold == 1 {
            &samples[..samples.len().min(UNIT_MAX)]
        } else {
            average(samples, self.fold, &mut folded)
        };
        if unit.len() < UNIT_MAX / 4 {
            return None;
        }
        if !self.may_be_a_pair(unit) {
            return None;
        }
        let mut plain = [0.0; UNIT_MAX];
        let plain = centred(unit, &mut plain);
        let energy: f32 = plain.iter().map(|x| x * x).sum();
        let pair = self.strongest(plain, energy)?;
        let fit = Fit::new(plain, self.refined(plain, pair));
        let mut found = fit.unit(energy)?;
        found.key = pair[0] * 4 + pair[1] - 4;
        found.off = [0, 1].map(|i| fit.omega[i] / self.omega[pair[i]] - 1.0);
        found.middle = 2 * at + (unit.len() * self.fold) as u64;
        found.off.iter().all(|off| off.abs() <= OFF_MAX).then_some(found)
    }

    /// Whether the first three lags of the autocorrelation are those of a pair: each is asked for only if those before it
    /// have nothing against one.
    fn may_be_a_pair(&self, unit: &[i16]) -> bool {
        let mut small = [0; UNIT_MAX];
        let count = unit.len() - 3;
        let first_lag = FirstLag { unit, small: &mut small, count, region: self.region.first };
        let Some([energy, first]) = wide(first_lag) else { return false };
        let lag = |lag: usize| wide(Product(&small[..count], &small[lag..count + lag])) / energy;
        let second = lag(2);
        let spread = second - (2.0 * first * first - 1.0);
        within(self.region.spread, spread) && self.keys.any_like([first, second, lag(3)])
    }

    /// The strongest row and column, if they hold enough of the energy together.
    fn strongest(&self, plain: &[f32], energy: f32) -> Option<[usize; 2]> {
        let coefficients = self.omega.map(|omega| 2.0 * omega.cos());
        let (mut one, mut two) = ([0.0f32; 8], [0.0f32; 8]);
        for x in plain {
            for tone in 0..8 {
                let next = x + coefficients[tone] * one[tone] - two[tone];
                (two[tone], one[tone]) = (one[tone], next);
            }
        }
        let power =
            |tone: usize| one[tone] * one[tone] + two[tone] * two[tone] - coefficients[tone] * one[tone] * two[tone];
        let strongest = |from: usize| {
            (from..from + 4).map(|tone| (tone, power(tone))).fold((from, -1.0), |a, b| if b.1 > a.1 { b } else { a })
        };
        let (row, column) = (strongest(0), strongest(4));
        let held = 2.0 * (row.1 + column.1) / plain.len() as f32;
        (held >= FILTERS_MIN * energy).then_some([row.0, column.0])
    }

    /// The true frequencies of a pair: by how much its phases in the middles of both halves differ from what they would
    /// be at the nominal ones.
    fn refined(&self, plain: &[f32], pair: [usize; 2]) -> [f32; 2] {
        let nominal = pair.map(|tone| self.omega[tone]);
        let half = plain.len() / 2;
        let first = Fit::new(&plain[..half], nominal);
        let second = Fit::new(&plain[half..half * 2], nominal);
        [0, 1].map(|i| {
            let turned = second.phase(i) - first.phase(i) - nominal[i] * half as f32;
            nominal[i] + wrapped(turned) / half as f32
        })
    }
}

impl Region {
    /// What pairs of every key, twist and error can reach, and a margin for noise and for the unit's short length.
    fn of(omega: &[f32; 8]) -> Region {
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
struct Keys {
    column: [[f32; 16]; 3],
    way: [[f32; 16]; 3],
    over: [f32; 16],
}

impl Keys {
    fn of(omega: &[f32; 8]) -> Keys {
        let lag = |tone: usize, k: usize| ((k + 1) as f32 * omega[tone]).cos();
        let column = [0, 1, 2].map(|k| std::array::from_fn(|key| lag(4 + key % 4, k)));
        let way = [0, 1, 2].map(|k| std::array::from_fn(|key| lag(key / 4, k) - lag(4 + key % 4, k)));
        let over = std::array::from_fn(|key| 1.0 / (0..3).map(|k| way[k][key] * way[k][key]).sum::<f32>());
        Keys { column, way, over }
    }

    /// Whether these are near the lags of any pair.
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

/// A unit of which samples an eighth of their size are wanted, its energy and the first lag, if that lies in a region.
struct FirstLag<'a> {
    unit: &'a [i16],
    small: &'a mut [i16; UNIT_MAX],
    count: usize,
    region: [f32; 2],
}

impl Work for FirstLag<'_> {
    type Output = Option<[f32; 2]>;

    #[inline(always)]
    fn call(self) -> Option<[f32; 2]> {
        let FirstLag { unit, small, count, region } = self;
        // A product is at most 2^24, and 80 of them fit into 31 bits.
        for (small, sample) in small.iter_mut().zip(unit) {
            *small = sample >> 3;
        }
        let energy = product(&small[..count], &small[..count]).max(1.0);
        let first = product(&small[..count], &small[1..count + 1]) / energy;
        within(region, first).then_some([energy, first])
    }
}

/// Two stretches whose product is wanted.
struct Product<'a>(&'a [i16], &'a [i16]);

impl Work for Product<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        product(self.0, self.1)
    }
}

/// The sum of the products of two stretches of small samples.
#[inline(always)]
fn product(a: &[i16], b: &[i16]) -> f32 {
    let mut sum = 0i64;
    for (a, b) in a.chunks(80).zip(b.chunks(80)) {
        sum += i64::from(a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>());
    }
    sum as f32
}

/// A least-squares fit of two sinusoids. The time is counted from the middle, where cosines and sines are orthogonal,
/// so it falls into two systems of two equations.
struct Fit {
    omega: [f32; 2],
    cosines: [f32; 2],
    sines: [f32; 2],
    /// What of the energy the two hold.
    held: f32,
}

impl Fit {
    fn new(plain: &[f32], omega: [f32; 2]) -> Fit {
        let count = plain.len() as f32;
        let mut even = [0.0; 2];
        let mut odd = [0.0; 2];
        for i in 0..2 {
            // A phasor that turns from the first sample to the last.
            let (turn_sin, turn_cos) = omega[i].sin_cos();
            let (mut sin, mut cos) = (-omega[i] * (count - 1.0) / 2.0).sin_cos();
            for x in plain {
                even[i] += x * cos;
                odd[i] += x * sin;
                (cos, sin) = (cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin);
            }
        }
        let sum = |omega: f32| (count * omega / 2.0).sin() / (omega / 2.0).sin();
        let near = if (omega[0] - omega[1]).abs() > 1e-3 { sum(omega[0] - omega[1]) } else { count };
        let far = sum(omega[0] + omega[1]);
        let own = omega.map(|omega| sum(2.0 * omega));
        let solve = |sign: f32, right: [f32; 2]| {
            let (a, b) = ((count + sign * own[0]) / 2.0, (count + sign * own[1]) / 2.0);
            let cross = (near + sign * far) / 2.0;
            let determinant = a * b - cross * cross;
            [(b * right[0] - cross * right[1]) / determinant, (a * right[1] - cross * right[0]) / determinant]
        };
        let (cosines, sines) = (solve(1.0, even), solve(-1.0, odd));
        let held = (0..2).map(|i| cosines[i] * even[i] + sines[i] * odd[i]).sum();
        Fit { omega, cosines, sines, held }
    }

    fn phase(&self, i: usize) -> f32 {
        (-self.sines[i]).atan2(self.cosines[i])
    }

    /// The unit, if it is made of these two tones and next to nothing else.
    fn unit(&self, energy: f32) -> Option<Unit> {
        let amplitude = [0, 1].map(|i| self.cosines[i].hypot(self.sines[i]));
        let twist = (amplitude[1] / amplitude[0]).powi(2);
        let left_over = 1.0 - self.held / energy;
        let pure = left_over <= LEFT_OVER_MAX && amplitude.iter().all(|one| *one >= AMPLITUDE_MIN);
        (pure && (TWIST[0]..=TWIST[1]).contains(&twist)).then(|| Unit {
            key: 0,
            amplitude,
            phase: [self.phase(0), self.phase(1)],
            omega: self.omega,
            off: [0.0; 2],
            left_over,
            middle: 0,
        })
    }
}

/// An angle between -π and π.
pub(super) fn wrapped(angle: f32) -> f32 {
    angle - TAU * ((angle + PI) / TAU).floor()
}

fn average<'a>(samples: &[i16], fold: usize, out: &'a mut [i16; UNIT_MAX]) -> &'a [i16] {
    let count = (samples.len() / fold).min(UNIT_MAX);
    for (out, group) in out.iter_mut().zip(samples.chunks_exact(fold)) {
        *out = (group.iter().map(|&x| i32::from(x)).sum::<i32>() / fold as i32) as i16;
    }
    &out[..count]
}

/// The unit without its mean.
fn centred<'a>(unit: &[i16], out: &'a mut [f32; UNIT_MAX]) -> &'a [f32] {
    let mean = unit.iter().map(|&x| i32::from(x)).sum::<i32>() as f32 / unit.len() as f32;
    for (out, x) in out.iter_mut().zip(unit) {
        *out = f32::from(*x) - mean;
    }
    &out[..unit.len()]
}

//! Two sinusoids in 10 ms: which pair of keypad tones a unit of sound is made of, if it is made of nothing else.
//!
//! In the order of their cost, and each only where the one before found nothing against it: three lags of the
//! autocorrelation and what the eight tones hold of it (`screen`), the true frequencies from the phases of both halves, and a
//! least-squares fit of both tones that says how much is left over. Rates from 16 kHz on are averaged down to between 8 and
//! 12 kHz first, for the levels, too.

use std::f32::consts::{PI, TAU};
use std::sync::{Arc, Mutex, Weak};

use crate::audio::narrow::fold_of;
use crate::audio::{Work, by_sixteen, wide};

mod screen;

use screen::{Keys, Region, Screen, Waves};

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

/// What is worked with at one rate.
#[derive(Debug)]
pub(super) struct Grid {
    rate_hz: u32,
    /// Samples of the call that make one sample worked with.
    fold: usize,
    /// Radians a sample of each tone.
    omega: [f32; 8],
    region: Region,
    keys: Keys,
    waves: Waves,
}

/// The grids that are in use, one for all calls at a rate: they are made of some thousand sines.
static GRIDS: Mutex<Vec<Weak<Grid>>> = Mutex::new(Vec::new());

impl Grid {
    /// For calls at `rate_hz`.
    pub fn of(rate_hz: u32) -> Arc<Grid> {
        let mut grids = GRIDS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(grid) = grids.iter().filter_map(Weak::upgrade).find(|grid| grid.rate_hz == rate_hz) {
            return grid;
        }
        let grid = Arc::new(Grid::new(rate_hz));
        grids.retain(|grid| grid.strong_count() > 0);
        grids.push(Arc::downgrade(&grid));
        grid
    }

    fn new(rate_hz: u32) -> Grid {
        let fold = fold_of(rate_hz);
        let omega = TONES_HZ.map(|hz| TAU * hz * fold as f32 / rate_hz.max(1) as f32);
        Grid { rate_hz, fold, omega, region: Region::of(&omega), keys: Keys::of(&omega), waves: Waves::of(&omega) }
    }

    /// Samples of the call that make one sample worked with.
    pub fn fold(&self) -> usize {
        self.fold
    }

    /// Listens to a unit, narrowed, that begins at sample `at` of the call.
    pub fn hear(&self, unit: &[i16], at: u64) -> Option<Unit> {
        let unit = &unit[..unit.len().min(UNIT_MAX)];
        if unit.len() < UNIT_MAX / 4 {
            return None;
        }
        let pair = by_sixteen(Screen { grid: self, unit })?;
        wide(Fitting { grid: self, unit, pair, at })
    }

    /// The true frequencies of a pair: by how much its phases in the middles of both halves differ from what they would
    /// be at the nominal ones.
    #[inline(always)]
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

/// A unit that nothing speaks against, and the strongest row and column in it.
struct Fitting<'a> {
    grid: &'a Grid,
    unit: &'a [i16],
    pair: [usize; 2],
    at: u64,
}

impl Work for Fitting<'_> {
    type Output = Option<Unit>;

    #[inline(always)]
    fn call(self) -> Option<Unit> {
        let Fitting { grid, unit, pair, at } = self;
        let mut plain = [0.0; UNIT_MAX];
        let plain = centred(unit, &mut plain);
        let energy: f32 = plain.iter().map(|x| x * x).sum();
        let fit = Fit::new(plain, grid.refined(plain, pair));
        let mut found = fit.unit(energy)?;
        found.key = pair[0] * 4 + pair[1] - 4;
        found.off = [0, 1].map(|i| fit.omega[i] / grid.omega[pair[i]] - 1.0);
        found.middle = 2 * at + (unit.len() * grid.fold) as u64;
        found.off.iter().all(|off| off.abs() <= OFF_MAX).then_some(found)
    }
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
    #[inline(always)]
    fn new(plain: &[f32], omega: [f32; 2]) -> Fit {
        let count = plain.len() as f32;
        let mut even = [0.0; 2];
        let mut odd = [0.0; 2];
        for i in 0..2 {
            [even[i], odd[i]] = turned_with(plain, omega[i]);
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
    #[inline(always)]
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

/// The sums of the products with a cosine and a sine that are at 0 in the middle.
#[inline(always)]
fn turned_with(plain: &[f32], omega: f32) -> [f32; 2] {
    const ABREAST: usize = 8;
    // Phasors of eight neighbours, which turn eight samples at a time.
    let start = -omega * (plain.len() as f32 - 1.0) / 2.0;
    let (mut cos, mut sin) = ([0.0; ABREAST], [0.0; ABREAST]);
    let turn = omega.sin_cos();
    let mut phasor = turned([1.0, 0.0], start.sin_cos());
    for i in 0..ABREAST {
        [cos[i], sin[i]] = phasor;
        phasor = turned(phasor, turn);
    }
    let (turn_sin, turn_cos) = (omega * ABREAST as f32).sin_cos();
    let (mut even, mut odd) = ([0.0f32; ABREAST], [0.0f32; ABREAST]);
    let (whole, rest) = plain.as_chunks::<ABREAST>();
    let last = std::array::from_fn(|i| rest.get(i).copied().unwrap_or(0.0));
    for x in whole.iter().chain((!rest.is_empty()).then_some(&last)) {
        for i in 0..ABREAST {
            even[i] += x[i] * cos[i];
            odd[i] += x[i] * sin[i];
            (cos[i], sin[i]) = (cos[i] * turn_cos - sin[i] * turn_sin, sin[i] * turn_cos + cos[i] * turn_sin);
        }
    }
    [even.iter().sum(), odd.iter().sum()]
}

/// A phasor, cosine first, turned by an angle of this sine and cosine.
#[inline(always)]
fn turned([cos, sin]: [f32; 2], (turn_sin, turn_cos): (f32, f32)) -> [f32; 2] {
    [cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin]
}

/// The unit without its mean.
#[inline(always)]
fn centred<'a>(unit: &[i16], out: &'a mut [f32; UNIT_MAX]) -> &'a [f32] {
    let mean = unit.iter().map(|&x| i32::from(x)).sum::<i32>() as f32 / unit.len() as f32;
    for (out, x) in out.iter_mut().zip(unit) {
        *out = f32::from(*x) - mean;
    }
    &out[..unit.len()]
}

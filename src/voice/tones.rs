//! Keypad tones in the sound itself: DTMF as it is heard in-band (ITU-T Q.23, Q.24; CON-18, PAY-05).
//!
//! One detector listens to one side of a call, 20 ms at a time, in units of 10 ms. A key counts from three whole units in
//! a row that are made of one pair of tones and nothing else, of one loudness, on pitch, and without a break of phase: any
//! tone of 40 ms has three, one of less than 30 ms has not. Speech has pairs of partials now and then, but not so pure, not
//! so long, and not standing still. A break of up to 20 ms (a lost packet) does not make two keys of one.
//!
//! It keeps no sample: of a unit that has passed, frequencies, amplitudes and phases are known.

mod unit;

use std::sync::Arc;

use crate::audio::level::{ACTIVE, Level};
use unit::{Grid, RATE_MIN_HZ, Unit, wrapped};

/// Units in a row that make a key.
const UNITS_MIN: u32 = 3;
/// Units without the tone that end it.
const MISSES_MAX: u32 = 3;
/// How far off the mean frequency of a run may be, as a share.
const OFF_MAX: f32 = 0.023;
/// How much of the energy of a run may be neither of its tones, as a mean.
const LEFT_OVER_MAX: f32 = 0.11;
/// By how much a tone's power may differ from one unit to the next: 2.5 dB.
const STEADY: f32 = 1.78;
/// By how much its phase may differ from what its frequency foretells, radians.
const PHASE_MAX: f32 = 0.8;
/// By how much its frequency may differ from one unit to the next, as a share.
const PITCH_MAX: f32 = 0.02;

/// A key that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// `0`-`9`, `A`-`D`, `*`, `#`.
    pub digit: char,
    /// How loud, tenths of a decibel below full scale (a sine at full scale is -30).
    pub dbfs_tenths: i16,
}

/// What was found in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Toned {
    /// Which of its units hold a tone, or may hold the end of one.
    pub units: [bool; 2],
    /// How many units right before the frame do, as is known only now.
    pub units_before: u8,
    /// The key that was made out in this frame, once for each press.
    pub key: Option<Key>,
}

/// The detector of one side.
#[derive(Clone, Debug)]
pub struct Tones {
    /// Absent at rates too low for the tones.
    grid: Option<Arc<Grid>>,
    at: u64,
    run: Option<Run>,
}

/// Units in a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    last: Unit,
    units: u32,
    /// Units since it ended, if perhaps not for good.
    misses: u32,
    known: bool,
    off: [f32; 2],
    left_over: f32,
}

impl Tones {
    /// For calls at `rate_hz`. Below 8 kHz nothing is ever found.
    pub fn new(rate_hz: u32) -> Tones {
        Tones { grid: (rate_hz >= RATE_MIN_HZ).then(|| Grid::of(rate_hz)), at: 0, run: None }
    }

    /// Hears the next frame: how many samples it has, its halves [narrowed](crate::audio::narrow::narrow) as at this rate, and
    /// their levels. Allocates nothing.
    pub fn hear(&mut self, samples: usize, halves: [&[i16]; 2], levels: [Level; 2]) -> Toned {
        let at = self.at;
        self.at += samples as u64;
        let Some(grid) = &self.grid else { return Toned::default() };
        if self.run.is_none() && levels[0] <= ACTIVE && levels[1] <= ACTIVE {
            return Toned::default();
        }
        let hear = |number: usize| {
            let at = at + (number * (samples / 2)) as u64;
            if levels[number] > ACTIVE { grid.hear(halves[number], at) } else { None }
        };
        // A key has three units in a row, so two that are neighbours: where none goes on and the second unit is no
        // tone's, the first one may be what it will.
        let second = hear(1);
        if self.run.is_none() && second.is_none() {
            return Toned::default();
        }
        let mut toned = Toned::default();
        for (number, unit) in [hear(0), second].into_iter().enumerate() {
            let (tone, before) = follow(&mut self.run, unit, grid.fold());
            toned.units[number] = tone;
            if let Some(before) = before {
                // Of what lies before, the frame's own first unit is one.
                let inside = before.min(number as u32);
                toned.units[0] |= inside > 0;
                toned.units_before = (before - inside) as u8;
                toned.key = self.run.map(|run| Key { digit: run.last.digit(), dbfs_tenths: loudness(&run.last) });
            }
        }
        toned
    }
}

/// Follows a run over one more unit: whether the unit holds a tone; and if it made the key known, how many units before
/// it do, the one in which it may have begun among them.
fn follow(run: &mut Option<Run>, unit: Option<Unit>, fold: usize) -> (bool, Option<u32>) {
    let begun =
        |unit: Unit| Run { last: unit, units: 1, misses: 0, known: false, off: unit.off, left_over: unit.left_over };
    match (run.as_mut(), unit) {
        (Some(run), Some(unit)) if run.goes_on(&unit, fold) => {
            run.add(unit);
            let made_out = !run.known && run.counts();
            run.known |= made_out;
            (run.known, made_out.then_some(run.units))
        }
        (Some(run), None) if run.known && run.misses + 1 < MISSES_MAX => {
            run.misses += 1;
            (run.misses == 1, None)
        }
        (before, unit) => {
            let ends = before.is_some_and(|run| run.known && run.misses == 0);
            *run = unit.map(begun);
            (ends, None)
        }
    }
}

impl Run {
    /// Whether the unit is more of the same tone. Once a key is known, nothing but another key or a pause makes another press.
    fn goes_on(&self, unit: &Unit, fold: usize) -> bool {
        let last = &self.last;
        if unit.key != last.key || self.known {
            return unit.key == last.key;
        }
        let steady = |i: usize| {
            let ratio = (unit.amplitude[i] / last.amplitude[i]).powi(2);
            (1.0 / STEADY..=STEADY).contains(&ratio) && (unit.off[i] - last.off[i]).abs() <= PITCH_MAX
        };
        let distance = (unit.middle - last.middle) as f32 / (2 * fold) as f32;
        let in_phase = |i: usize| {
            let foretold = last.phase[i] + (last.omega[i] + unit.omega[i]) / 2.0 * distance;
            wrapped(unit.phase[i] - foretold).abs() <= PHASE_MAX
        };
        (0..2).all(|i| steady(i) && in_phase(i))
    }

    fn add(&mut self, unit: Unit) {
        self.units += 1;
        self.misses = 0;
        self.off = [0, 1].map(|i| self.off[i] + unit.off[i]);
        self.left_over += unit.left_over;
        self.last = unit;
    }

    /// Whether it is a key by now.
    fn counts(&self) -> bool {
        let units = self.units as f32;
        self.units >= UNITS_MIN
            && self.left_over / units <= LEFT_OVER_MAX
            && self.off.iter().all(|off| (off / units).abs() <= OFF_MAX)
    }
}

/// Tenths of a decibel below full scale.
fn loudness(unit: &Unit) -> i16 {
    let power = unit.amplitude.iter().map(|one| one * one).sum::<f32>() / 2.0;
    (100.0 * (power / (32_768.0f32 * 32_768.0)).log10()).round() as i16
}

#[cfg(test)]
mod tests;

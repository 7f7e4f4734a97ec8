//! What the agent's page shows of the sound: two levels, a talk line. A level, never a waveform.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use super::ask::{Lost, State};
use crate::audio::Stereo;
use crate::call::Missing;
use crate::voice::Speech;

/// Frames over which a level is taken: 100 ms.
const FRAMES: usize = 5;
/// Longest delay that is told apart, ms.
const DELAY_MAX_MS: usize = 512;
/// What is left off of a square: a sample of 3 of 32,768 counts as nothing.
const SQUARE_SHIFT: u32 = 4;
/// The lowest level that is told, dBFS.
const FLOOR_DB: f32 = -96.0;

/// When the first sample of a call was captured, as the source's thread knows it: how late a decision is made is
/// measured against it.
#[derive(Debug)]
pub struct Origin {
    base: Instant,
    nanos: AtomicI64,
}

impl Default for Origin {
    fn default() -> Origin {
        Origin { base: Instant::now(), nanos: AtomicI64::new(i64::MIN) }
    }
}

impl Origin {
    /// The sample at `seconds` of the call was captured `ago_ns` before now.
    pub fn tell(&self, seconds: f64, ago_ns: f64) {
        let now = self.base.elapsed().as_nanos() as f64;
        self.nanos.store((now - ago_ns - seconds * 1e9) as i64, Ordering::Relaxed);
    }

    /// How long ago the sample at `seconds` of the call was captured, milliseconds.
    pub fn ago_ms(&self, seconds: f64) -> Option<f64> {
        let origin = Some(self.nanos.load(Ordering::Relaxed)).filter(|nanos| *nanos != i64::MIN)?;
        Some((self.base.elapsed().as_nanos() as f64 - origin as f64) / 1e6 - seconds * 1e3)
    }
}

/// How late decisions are made: counts by millisecond.
#[derive(Debug)]
pub struct Delays([u32; DELAY_MAX_MS]);

impl Default for Delays {
    fn default() -> Delays {
        Delays([0; DELAY_MAX_MS])
    }
}

impl Delays {
    /// Takes in one.
    pub fn add(&mut self, ms: f64) {
        self.0[(ms.max(0.0) as usize).min(DELAY_MAX_MS - 1)] += 1;
    }

    /// The delay that 99 of 100 decisions do not exceed, ms; `None` before there was one.
    pub fn p99_ms(&self) -> Option<u32> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let mut left = all.checked_sub(1)? / 100;
        let slowest = self.0.iter().enumerate().rev().find(|(_, count)| {
            let found = left < u64::from(**count);
            left = left.saturating_sub(u64::from(**count));
            found
        });
        slowest.map(|(ms, _)| ms as u32 + 1)
    }
}

/// The meters of one call.
#[derive(Debug, Default)]
pub struct Meter {
    agent: [f32; FRAMES],
    customer: [f32; FRAMES],
    next: usize,
    speaks: bool,
    missed: Missed<u64>,
}

/// Something for each reason for which sound does not come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed<T>([T; Missing::ALL.len()]);

impl<T> Missed<T> {
    /// What there is for a reason.
    pub fn of(&mut self, why: Missing) -> &mut T {
        &mut self.0[why as usize]
    }

    /// Each, with its reason.
    pub fn each(&self) -> impl Iterator<Item = (Missing, &T)> {
        Missing::ALL.into_iter().zip(&self.0)
    }
}

impl Meter {
    /// Hears one frame.
    pub fn hear(&mut self, sound: &Stereo<'_>, speech: Speech) {
        self.agent[self.next] = power(sound.agent.samples());
        self.customer[self.next] = power(sound.customer.samples());
        self.next = (self.next + 1) % FRAMES;
        self.speaks = speech.0;
    }

    /// So many frames of the source are missing.
    pub fn lost(&mut self, why: Missing, frames: u64) {
        *self.missed.of(why) += frames;
    }

    /// Frames of the source that are missing.
    pub fn missed(&self) -> &Missed<u64> {
        &self.missed
    }

    /// Writes what is seen into the state.
    pub fn tell(&self, state: &mut State, talk: impl Iterator<Item = char>) {
        state.agent_dbfs = level(&self.agent);
        state.customer_dbfs = level(&self.customer);
        state.agent_speaks = self.speaks;
        state.talk.clear();
        state.talk.extend(talk);
        state.lost.clear();
        let told = self.missed.each().filter(|(_, frames)| **frames > 0);
        state.lost.extend(told.map(|(why, frames)| Lost {
            reason: why.reason().code(),
            intended: why.is_intended(),
            frames: *frames,
        }));
    }
}

fn power(samples: &[i16]) -> f32 {
    // Squares of 2^26 at most, 32 of them in 32 bits: many at a time.
    let square = |sample: &i16| (i32::from(*sample) * i32::from(*sample)) as u32 >> SQUARE_SHIFT;
    let sum: u64 = samples.chunks(32).map(|chunk| u64::from(chunk.iter().map(square).sum::<u32>())).sum();
    (sum << SQUARE_SHIFT) as f32 / samples.len().max(1) as f32
}

fn level(powers: &[f32]) -> f32 {
    let mean = powers.iter().sum::<f32>() / powers.len() as f32;
    (10.0 * (mean / (32_768.0 * 32_768.0)).max(1e-12).log10()).max(FLOOR_DB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::MediaTime;

    #[test]
    fn one_in_a_hundred_may_be_later() {
        let mut delays = Delays::default();
        assert_eq!(delays.p99_ms(), None);
        (0..200).for_each(|_| delays.add(12.3));
        delays.add(400.0);
        assert_eq!(delays.p99_ms(), Some(13), "one of two hundred");
        (0..2).for_each(|_| delays.add(9e9));
        assert_eq!(delays.p99_ms(), Some(401), "what is longer than can be told counts as the longest");
    }

    #[test]
    fn full_scale_is_0_db_and_silence_is_the_floor() {
        let mut meter = Meter::default();
        for _ in 0..FRAMES {
            meter.hear(&Stereo::new(MediaTime::ZERO, &[i16::MIN; 160], &[0; 160]), Speech(true));
        }
        let mut state = State::default();
        meter.tell(&mut state, "ss..".chars());
        assert_eq!((state.agent_dbfs, state.customer_dbfs, state.talk.as_str()), (0.0, FLOOR_DB, "ss.."));
    }
}

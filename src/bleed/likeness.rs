//! Does the microphone follow the customer? The second look, for a coupling that changes in mid-call (ONE-04).
//!
//! [`Path`](super::path::Path) learns the lower edge and rises slowly, so a headset moved aside or a loudspeaker switched
//! on would pass as an agent who speaks. While only the customer is heard, though, microphone minus customer hardly
//! moves at the right delay; while the agent speaks, it does. So per 20 ms delay this keeps a running mean of that
//! difference and its mean deviation, over about 160 ms of active customer.
//!
//! Measured on the dev set (in the band of first differences, 24-frame windows, smallest deviation over all delays): bleed alone has a median of
//! 2.1 dB in headsets and 2.8 dB in rooms of 0.5 s reverberation, double talk of two people is above 3.6 dB in 95 of
//! 100 windows. The limits below lie between; a false alarm withholds a part of a syllable, a miss stores bleed.

use super::path::History;
use crate::audio::level::{Level, tenths_db};

/// Delays that are watched, in frames: 0 to 300 ms.
const LANES: usize = 16;

/// Mean deviation of a microphone that follows the customer.
pub(super) const ALIKE: Level = tenths_db(25);

/// The same while the agent was surely heard less than a second ago.
pub(super) const ALIKE_BESIDE_AGENT: Level = tenths_db(15);

/// A difference this far off starts the lane anew, as doubtful as [`DOUBT`].
const RESTART: Level = tenths_db(100);
const DOUBT: Level = tenths_db(80);

/// Louder than the customer by this much is no bleed.
const CEILING: Level = tenths_db(30);

/// A delay at which the microphone follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// Delay in frames.
    pub(super) frames: usize,
    /// Mean of microphone minus customer.
    pub(super) coupling: Level,
}

#[derive(Debug)]
pub(super) struct Likeness {
    customer: History,
    means: [Level; LANES],
    deviations: [Level; LANES],
}

impl Likeness {
    pub(super) const fn new() -> Likeness {
        Likeness { customer: History::new(), means: [0; LANES], deviations: [DOUBT; LANES] }
    }

    /// Takes one frame; customer levels below `threshold` say nothing. The best delay, if its deviation is below `limit`.
    #[inline(always)]
    pub(super) fn hear(&mut self, customer: Level, agent: Level, threshold: Level, limit: Level) -> Option<Match> {
        let window = self.customer.ahead::<LANES>(1);
        let loudest = window.iter().fold(customer, |loudest, &level| loudest.max(level));
        let mut least = limit;
        if loudest >= threshold {
            for ((mean, deviation), &level) in self.means.iter_mut().zip(&mut self.deviations).zip(window) {
                follow(mean, deviation, agent - level, level >= threshold);
                least = least.min(pick((level >= threshold) & (*mean < CEILING), *deviation, limit));
            }
            let (mean, deviation) = (&mut self.means[LANES - 1], &mut self.deviations[LANES - 1]);
            follow(mean, deviation, agent - customer, customer >= threshold);
            least = least.min(pick((customer >= threshold) & (*mean < CEILING), *deviation, limit));
        }
        self.customer.push(customer);
        if least >= limit { None } else { self.best(least, threshold) }
    }

    fn best(&self, least: Level, threshold: Level) -> Option<Match> {
        let window = self.customer.window::<LANES>(0);
        let fits =
            |&lane: &usize| self.deviations[lane] == least && self.means[lane] < CEILING && window[lane] >= threshold;
        let lane = (0..LANES).find(fits)?;
        Some(Match { frames: LANES - 1 - lane, coupling: self.means[lane] })
    }
}

/// One lane hears that microphone minus customer is `difference`, if the customer is `active`.
#[inline(always)]
fn follow(mean: &mut Level, deviation: &mut Level, difference: Level, active: bool) {
    let off = difference - *mean;
    let far = off.abs() > RESTART;
    let moved = pick(far, off, off >> 3);
    let spread = pick(far, (DOUBT - *deviation).max(0), (off.abs() - *deviation) >> 3);
    *mean += pick(active, moved, 0);
    *deviation += pick(active, spread, 0);
}

/// Chosen without a branch, so that many lanes can be at once.
#[inline(always)]
fn pick(first: bool, one: Level, other: Level) -> Level {
    let mask = -Level::from(first);
    one & mask | other & !mask
}

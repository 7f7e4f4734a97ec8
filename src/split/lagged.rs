//! Whether one channel is a delayed copy of the other: fake stereo whose two sides were delayed on their way (ING-06).
//!
//! A frame's correlation finds copies of the same moment only; one sample of delay already hides a copy from it. Levels
//! do not mind: if, at one and the same delay, both channels are as loud as each other most of the time, they carry the
//! same sound. In a call of two people one is silent while the other speaks, and an echo or a leak is 10 dB down, so
//! nothing but a copy comes near. Only the first ten seconds of sound are looked at: after that the cost is nothing.

use crate::audio::level::{ACTIVE, Level, Levels, tenths_db};

/// Longest delay either way, units of 10 ms.
const REACH: usize = 15;
const LAGS: usize = 2 * REACH + 1;
/// As loud as each other: within 3 dB.
const ALIKE: Level = tenths_db(30);
/// Units with sound after which a judgement is made (3 s), and after which none is any more (10 s).
const ENOUGH: u32 = 300;
const MOST: u32 = 1_000;
/// Share of these units that must be alike, percent.
const PERCENT: u32 = 60;

/// The last levels of both sides and, for each delay, how often they were alike.
#[derive(Debug)]
pub(super) struct Lagged {
    agent: [Level; REACH + 1],
    customer: [Level; REACH + 1],
    looked: [u32; LAGS],
    alike: [u32; LAGS],
}

impl Default for Lagged {
    fn default() -> Lagged {
        Lagged { agent: [0; REACH + 1], customer: [0; REACH + 1], looked: [0; LAGS], alike: [0; LAGS] }
    }
}

impl Lagged {
    /// Hears one frame. True once one side has shown to be a copy of the other.
    pub(super) fn hear(&mut self, levels: &Levels) -> bool {
        if self.looked[REACH] >= MOST {
            return false;
        }
        for (agent, customer) in levels.agent.into_iter().zip(levels.customer) {
            self.agent.rotate_right(1);
            self.customer.rotate_right(1);
            (self.agent[0], self.customer[0]) = (agent, customer);
            for back in 0..=REACH {
                self.look(REACH + back, self.agent[back], customer);
                if back > 0 {
                    self.look(REACH - back, agent, self.customer[back]);
                }
            }
        }
        self.looked.iter().zip(&self.alike).any(|(looked, alike)| *looked >= ENOUGH && alike * 100 >= looked * PERCENT)
    }

    /// Seconds in which both sides were alike, at the delay at which they were so most often.
    pub(super) fn seconds(&self) -> f64 {
        f64::from(self.alike.into_iter().max().unwrap_or(0)) / 100.0
    }

    fn look(&mut self, lag: usize, agent: Level, customer: Level) {
        let sounds = agent.max(customer) > ACTIVE;
        self.looked[lag] += u32::from(sounds);
        self.alike[lag] += u32::from(sounds && (agent - customer).abs() <= ALIKE);
    }
}

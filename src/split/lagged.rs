//! Whether one channel is a delayed copy of the other: fake stereo whose two sides were delayed on their way (ING-06).
//!
//! A frame's correlation finds copies of the same moment only; one sample of delay already hides a copy from it. Levels
//! do not mind: if, at one and the same delay, both channels are as loud as each other most of the time, they carry the
//! same sound. In a call of two people one is silent while the other speaks, and an echo or a leak is 10 dB down, so
//! nothing but a copy comes near. Only the first ten seconds of sound are looked at: after that the cost is nothing.

use crate::audio::level::{ACTIVE, Level, Levels, tenths_db};

/// Longest delay either way, units of 10 ms.
const REACH: usize = 15;
/// As loud as each other: within 3 dB.
const ALIKE: Level = tenths_db(30);
/// Units with sound after which a judgement is made (3 s), and after which none is any more (10 s).
const ENOUGH: u32 = 300;
const MOST: u32 = 1_000;
/// Share of these units that must be alike, percent.
const PERCENT: u32 = 60;

/// The last levels of both sides, the newest first, and what came of each delay.
#[derive(Debug, Default)]
pub(super) struct Lagged {
    agent: [Level; REACH + 1],
    customer: [Level; REACH + 1],
    agent_first: Delays,
    customer_first: Delays,
}

/// For each delay of one side behind the other, none among them: how often there was sound, and how often both were alike.
/// Sound at a delay is at most twice that without one, [`MOST`] and a frame: it fits.
#[derive(Debug, Default)]
struct Delays {
    looked: [u16; REACH + 1],
    alike: [u16; REACH + 1],
}

impl Delays {
    /// Looks at the newest unit of one side beside the last ones of the other. Plain arrays, which wide registers take.
    fn look(&mut self, earlier: &[Level; REACH + 1], newest: Level) {
        for ((looked, alike), &level) in self.looked.iter_mut().zip(&mut self.alike).zip(earlier) {
            let sounds = level.max(newest) > ACTIVE;
            *looked += u16::from(sounds);
            *alike += u16::from(sounds & ((level - newest).abs() <= ALIKE));
        }
    }

    fn is_copy(&self) -> bool {
        let mut counts =
            self.looked.iter().zip(&self.alike).map(|(looked, alike)| (u32::from(*looked), u32::from(*alike)));
        counts.any(|(looked, alike)| looked >= ENOUGH && alike * 100 >= looked * PERCENT)
    }
}

impl Lagged {
    /// Hears one frame. True once one side has shown to be a copy of the other.
    pub(super) fn hear(&mut self, levels: &Levels) -> bool {
        if u32::from(self.agent_first.looked[0]) >= MOST {
            return false;
        }
        for (agent, customer) in levels.agent.into_iter().zip(levels.customer) {
            // Of a length that is known: rotated, they were copied by calls.
            self.agent.copy_within(..REACH, 1);
            self.customer.copy_within(..REACH, 1);
            (self.agent[0], self.customer[0]) = (agent, customer);
            self.agent_first.look(&self.agent, customer);
            self.customer_first.look(&self.customer, agent);
        }
        self.agent_first.is_copy() || self.customer_first.is_copy()
    }

    /// Seconds in which both sides were alike, at the delay at which they were so most often.
    pub(super) fn seconds(&self) -> f64 {
        let most = self.agent_first.alike.into_iter().chain(self.customer_first.alike).max();
        f64::from(most.unwrap_or(0)) / 100.0
    }
}

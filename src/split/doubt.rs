//! Doubt about the channel map, from the sound itself: channels that carry the same sound, dead channels, a clipped
//! microphone, sides that look swapped (ING-06, ONE-06). What each finding does stands in [`Finding::remedy`].
//!
//! It works on the frame levels that the bleed guard uses, so it costs a few comparisons a frame.

use super::Finding;
use super::lagged::Lagged;
use crate::audio::Levels;
use crate::audio::level::{ACTIVE, Level, tenths_db};

/// Frames of twin sound after which the whole call is in doubt: 1 s.
const TWIN_FRAMES: u64 = 50;
/// Share of the active frames that must be twins for that, in percent. Music or ringing that reaches both sides for a
/// while stays below it; those frames are withheld one by one.
const TWIN_PERCENT: u64 = 80;
/// A channel that was never active for as many frames (100 ms) together is dead.
const ALIVE_FRAMES: u64 = 5;
/// Share of the agent's active frames with a sample at full scale that makes a clipped microphone, per thousand.
const CLIPPED_PER_THOUSAND: u64 = 20;
/// Nearly full scale: G.711's largest value decodes to 32,124.
const FULL_SCALE: u16 = 32_000;
/// Louder than this an echo of the agent on the customer's channel is no line echo any more.
const LINE_ECHO: Level = tenths_db(-90);
/// Active frames of each side needed before sides can look swapped: 5 s.
const SWAP_FRAMES: u64 = 250;
/// Frames for which an echo may lag (300 ms).
const ECHO_FRAMES: usize = 15;

/// The doubt about one call.
#[derive(Debug, Default)]
pub struct Doubt {
    frames: u64,
    active: u64,
    agent_active: u64,
    customer_active: u64,
    twin: u64,
    inverted: u64,
    clipped: u64,
    /// Frames in which one side was active and the other, within the reach of an echo, as good as equally loud.
    agent_echoed: u64,
    customer_echoed: u64,
    recent_agent: Recent,
    lagged: Lagged,
    latched: bool,
}

/// The last levels of one side.
#[derive(Debug, Default)]
struct Recent {
    levels: [i16; ECHO_FRAMES],
    next: usize,
}

impl Recent {
    fn push(&mut self, level: i16) {
        self.levels[self.next] = level;
        self.next = (self.next + 1) % ECHO_FRAMES;
    }

    fn loudest(&self) -> i16 {
        self.levels.iter().copied().max().unwrap_or(0)
    }
}

impl Doubt {
    /// Hears one frame. True: in this frame the two channels cannot be told apart, so neither may be kept.
    pub fn hear(&mut self, levels: &Levels) -> bool {
        let agent = levels.agent[0].max(levels.agent[1]);
        let customer = levels.customer[0].max(levels.customer[1]);
        let (agent_on, customer_on) = (agent > ACTIVE, customer > ACTIVE);
        self.frames += 1;
        self.latched |= self.lagged.hear(levels);
        self.agent_active += u64::from(agent_on);
        self.customer_active += u64::from(customer_on);
        self.active += u64::from(agent_on || customer_on);
        self.clipped += u64::from(levels.agent_peak >= FULL_SCALE);
        self.recent_agent.push(agent);
        self.agent_echoed += u64::from(agent_on && customer > agent + LINE_ECHO);
        self.customer_echoed += u64::from(customer_on && self.recent_agent.loudest() > customer + LINE_ECHO);
        let twin = levels.may_be_twins() && is_twin(levels);
        if twin {
            self.twin += 1;
            self.inverted += u64::from(levels.dot < 0);
        }
        twin
    }

    /// Whether the whole call is in doubt: asked after each frame, true from the first time on.
    pub fn is_whole(&mut self) -> bool {
        self.latched |= self.twin >= TWIN_FRAMES && self.twin * 100 >= self.active * TWIN_PERCENT;
        self.latched
    }

    /// What was found by the end of the call.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let seconds =
            if self.latched { self.lagged.seconds().max(self.twin as f64 / 50.0) } else { self.twin as f64 / 50.0 };
        if self.latched && self.twin > 0 && self.inverted * 2 > self.twin {
            findings.push(Finding::OppositePhase { seconds });
        } else if self.latched {
            findings.push(Finding::Twin { seconds });
        } else if self.twin >= TWIN_FRAMES {
            findings.push(Finding::TwinPassages { seconds });
        }
        if self.frames == 0 {
            return findings;
        }
        if self.agent_active < ALIVE_FRAMES {
            findings.push(Finding::AgentDead);
        }
        if self.customer_active < ALIVE_FRAMES {
            findings.push(Finding::CustomerDead);
        }
        if self.clipped * 1_000 >= self.agent_active.max(1) * CLIPPED_PER_THOUSAND {
            let per_thousand = self.clipped * 1_000 / self.agent_active.max(1);
            findings.push(Finding::AgentClipped { per_thousand });
        }
        if self.looks_swapped() {
            findings.push(Finding::SwappedSuspected);
        }
        findings
    }

    /// The customer's channel echoes the agent's louder than a line does, almost always, and the agent's channel
    /// does not echo the customer's: as if the "customer" were the microphone beside the loudspeaker.
    fn looks_swapped(&self) -> bool {
        let enough = self.agent_active >= SWAP_FRAMES && self.customer_active >= SWAP_FRAMES;
        enough
            && !self.latched
            && self.agent_echoed * 100 >= self.agent_active * 95
            && self.customer_echoed * 100 < self.customer_active * 70
    }
}

/// Whether both channels, as loud as twins are, carry the same sound: by the normalised correlation of the frame,
/// |ρ|² ≥ 0.9.
fn is_twin(levels: &Levels) -> bool {
    let (a, c) = (u128::from(levels.agent_energy), u128::from(levels.customer_energy));
    let dot = u128::from(levels.dot.unsigned_abs());
    dot * dot * 10 >= a * c * 9
}

//! Placeholder guard by a fixed threshold.
use super::{Leak, Reference};
use crate::audio::Levels;

/// Verdict on a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The agent's own.
    Own,
    /// Bleed.
    Bleed,
}

/// Look.
pub const LOOK_FRAMES: usize = 7;
/// The guard.
#[derive(Debug)]
pub struct Guard {
    reference: Reference,
    recent: [i16; 16],
    at: usize,
    own: std::collections::VecDeque<bool>,
}

impl Guard {
    /// New.
    pub fn new(reference: Reference) -> Guard {
        Guard { reference, recent: [0; 16], at: 0, own: std::collections::VecDeque::with_capacity(64) }
    }
    /// Hears.
    pub fn hear(&mut self, levels: &Levels) {
        for i in 0..2 {
            self.recent[self.at] = levels.customer[i];
            self.at = (self.at + 1) % 16;
            let c = *self.recent.iter().max().unwrap();
            self.own.push_back(self.reference == Reference::OneParty || levels.agent[i] > c - 512 || c < 1810);
        }
    }
    /// Verdict of the next unit.
    pub fn verdict(&mut self) -> Verdict {
        if self.own.pop_front().unwrap() { Verdict::Own } else { Verdict::Bleed }
    }
    /// Leak.
    pub fn leak(&self) -> Leak {
        Leak { measurable: true, coupling_db: None, customer_active_s: 0.0, withheld_s: 0.0, residual_db: None }
    }
}

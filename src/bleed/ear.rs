//! The guard with its proofs: every unit that it finds to be the agent's own comes with a [`Heard`] for that stretch.

use std::collections::VecDeque;

use super::guard::{self, Guard};
use super::{Heard, Leak, Reference};
use crate::audio::{Levels, Span};

/// The bleed guard's ear on one call: heard a frame at a time, it answers [`Ear::LOOK_FRAMES`] frames later.
#[derive(Debug)]
pub struct Ear {
    guard: Guard,
    unanswered: VecDeque<Span>,
    asked: u64,
}

/// What the guard says of a unit.
#[derive(Debug)]
pub enum Verdict {
    /// It is the agent's own.
    Own(Heard),
    /// It holds, or may hold, the customer's voice and not the agent's.
    Bleed,
    /// The microphone's own noise while the customer is heard; nothing of the agent is in it.
    Quiet,
}

impl Ear {
    /// Frames that the guard looks ahead.
    pub const LOOK_FRAMES: usize = guard::LOOK_FRAMES as usize;

    /// An ear with this to compare.
    pub fn new(reference: Reference) -> Ear {
        Ear { guard: Guard::new(reference), unanswered: VecDeque::with_capacity(2 * Ear::LOOK_FRAMES + 4), asked: 0 }
    }

    /// Hears the levels of one frame, and where its two units lie.
    pub fn hear(&mut self, levels: &Levels, units: [Span; 2]) {
        self.guard.hear(levels);
        self.unanswered.extend(units);
    }

    /// The call has ended: what was heard can be answered for without more to come.
    pub fn end(&mut self) {
        self.guard.end();
    }

    /// The verdict on the oldest frame that was not answered for. Asked when [`Ear::LOOK_FRAMES`] newer ones were
    /// heard, or after [`Ear::end`].
    pub fn answer(&mut self) -> [Verdict; 2] {
        [(); 2].map(|()| {
            let span = self.unanswered.pop_front().expect("a frame waits for its verdict");
            let unit = self.asked;
            self.asked += 1;
            match self.guard.verdict(unit) {
                guard::Verdict::Own => Verdict::Own(Heard { span }),
                guard::Verdict::Bleed => Verdict::Bleed,
                guard::Verdict::Quiet => Verdict::Quiet,
            }
        })
    }

    /// Frames heard and not answered for.
    pub fn waiting(&self) -> usize {
        self.unanswered.len() / 2
    }

    /// Leak figures so far.
    pub fn leak(&self) -> Leak {
        self.guard.leak().into()
    }
}

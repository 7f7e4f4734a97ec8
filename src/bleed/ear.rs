//! The guard with its proofs: every unit that it finds to be the agent's own comes with a [`Heard`] for that stretch.

use super::guard::{self, Guard};
use super::{Heard, Leak, Reference, Unheard};
use crate::audio::{Levels, MediaTime, Span};

/// Units that may wait for an answer: those of the look-ahead and of the frame in hand, rounded up to a power of two.
const WAITING: usize = (2 * Ear::LOOK_FRAMES + 2).next_power_of_two();

/// The bleed guard's ear on one call: heard a frame at a time, it answers [`Ear::LOOK_FRAMES`] frames later.
#[derive(Debug)]
pub struct Ear {
    guard: Guard,
    /// Where the units lie that were not answered for, by their number.
    spans: [Span; WAITING],
    heard: u64,
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
        let nowhere = Span::new(MediaTime::ZERO, MediaTime::ZERO);
        Ear { guard: Guard::new(reference), spans: [nowhere; WAITING], heard: 0, asked: 0 }
    }

    /// Hears the levels of one frame, and where its two units lie. `unheard`: what of it did not come.
    pub fn hear(&mut self, levels: &Levels, unheard: Unheard, units: [Span; 2]) {
        assert!(self.heard - self.asked <= WAITING as u64 - 2, "frames are answered for in their turn");
        self.guard.hear(levels, unheard);
        for span in units {
            self.spans[self.heard as usize % WAITING] = span;
            self.heard += 1;
        }
    }

    /// The call has ended: what was heard can be answered for without more to come.
    pub fn end(&mut self) {
        self.guard.end();
    }

    /// The verdict on the oldest frame that was not answered for. Asked when [`Ear::LOOK_FRAMES`] newer ones were
    /// heard, or after [`Ear::end`].
    pub fn answer(&mut self) -> [Verdict; 2] {
        [self.answer_unit(), self.answer_unit()]
    }

    fn answer_unit(&mut self) -> Verdict {
        let unit = self.asked;
        assert!(unit < self.heard, "a frame waits for its verdict");
        self.asked += 1;
        let span = self.spans[unit as usize % WAITING];
        match self.guard.verdict(unit) {
            guard::Verdict::Own => Verdict::Own(Heard { span }),
            guard::Verdict::Bleed => Verdict::Bleed,
            guard::Verdict::Quiet => Verdict::Quiet,
        }
    }

    /// Leak figures so far.
    pub fn leak(&self) -> Leak {
        self.guard.leak().into()
    }
}

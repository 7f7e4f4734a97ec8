//! An intake that breaks in the middle of a call: there is no switch for that in the program.

use oneside::audio::MediaTime;
use oneside::run::line::Sides;
use oneside::run::live::intake::{Came, Intake, OneRing, RingEnds};

/// An intake that does something else than its duty once so much was taken.
pub struct Broken {
    /// What does its duty.
    pub inner: OneRing,
    /// After so many pieces of sound.
    pub left: u32,
    /// What it does then, in place of its duty.
    pub how: fn(),
}

impl Intake for Broken {
    fn take(&mut self, now: u64, opens_ahead: bool, sides: &mut Sides) -> Came {
        let came = self.inner.take(now, opens_ahead, sides);
        if let Came::Sound(_) = came {
            self.left = self.left.saturating_sub(1);
        }
        if self.left == 0 {
            (self.how)();
        }
        came
    }

    fn opens_from(&self, now: u64, ring_end: u64) -> MediaTime {
        self.inner.opens_from(now, ring_end)
    }

    fn place(&self, place: u64) -> MediaTime {
        self.inner.place(place)
    }

    fn ends(&self) -> RingEnds {
        self.inner.ends()
    }

    fn digest(&self) -> Option<(u64, String)> {
        self.inner.digest()
    }
}

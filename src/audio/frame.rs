//! Whose sound it is: frames that carry their party in the type.
//!
//! Before the door a frame is `Frame<'_, Agent>` or `Frame<'_, Customer>`, and the compiler keeps them apart.
//! After the door there is one `consent::Cleared`. Frames borrow: nothing here can keep a sample.

use std::fmt;
use std::marker::PhantomData;

use super::time::{MediaTime, Span};

mod sealed {
    pub trait OneOfTwo {}
}

/// One of the two sides of a call. Sealed: there are these two and no third.
pub trait Party: sealed::OneOfTwo {
    /// The side's name, for people.
    const NAME: &'static str;
}

/// The side whose recording is wanted.
pub enum Agent {}
/// The side whose recording needs a grant.
pub enum Customer {}

impl sealed::OneOfTwo for Agent {}
impl sealed::OneOfTwo for Customer {}

impl Party for Agent {
    const NAME: &'static str = "agent";
}

impl Party for Customer {
    const NAME: &'static str = "customer";
}

/// Borrowed sound of one party: 16-bit samples and the place of the first of them.
pub struct Frame<'a, P: Party> {
    at: MediaTime,
    samples: &'a [i16],
    party: PhantomData<P>,
}

impl<P: Party> Clone for Frame<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Party> Copy for Frame<'_, P> {}

impl<'a, P: Party> Frame<'a, P> {
    /// Sound of party `P` that begins at `at`.
    pub fn new(at: MediaTime, samples: &'a [i16]) -> Frame<'a, P> {
        Frame { at, samples, party: PhantomData }
    }

    /// Place of the first sample.
    pub fn at(&self) -> MediaTime {
        self.at
    }

    /// The stretch of the call that it covers.
    pub fn span(&self) -> Span {
        Span { from: self.at, until: MediaTime(self.at.0 + self.samples.len() as u64) }
    }

    /// The samples.
    pub fn samples(&self) -> &'a [i16] {
        self.samples
    }

    /// The part of it that lies in `span`.
    pub fn part(&self, span: Span) -> Frame<'a, P> {
        let whole = self.span();
        let from = span.from.clamp(whole.from, whole.until);
        let until = span.until.clamp(from, whole.until);
        let samples = &self.samples[(from.0 - whole.from.0) as usize..(until.0 - whole.from.0) as usize];
        Frame::new(from, samples)
    }
}

/// Prints whose it is, where and how long: never the sound.
impl<P: Party> fmt::Debug for Frame<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame<{}>(at {}, {} samples)", P::NAME, self.at.0, self.samples.len())
    }
}

/// Both sides of the same stretch of a call, apart.
#[derive(Clone, Copy, Debug)]
pub struct Stereo<'a> {
    /// The agent's side.
    pub agent: Frame<'a, Agent>,
    /// The customer's side.
    pub customer: Frame<'a, Customer>,
}

impl<'a> Stereo<'a> {
    /// Both sides from `at` on. The two slices must be of one length: a frame cannot be half there.
    pub fn new(at: MediaTime, agent: &'a [i16], customer: &'a [i16]) -> Stereo<'a> {
        assert_eq!(agent.len(), customer.len(), "both sides of a frame are of one length");
        Stereo { agent: Frame::new(at, agent), customer: Frame::new(at, customer) }
    }

    /// The stretch of the call that it covers.
    pub fn span(&self) -> Span {
        self.agent.span()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_frame_prints_no_sound() {
        let frame: Frame<'_, Customer> = Frame::new(MediaTime(160), &[1234, -4321]);
        let text = format!("{frame:?}");
        assert_eq!(text, "Frame<customer>(at 160, 2 samples)");
    }

    #[test]
    fn a_part_is_cut_by_place_and_never_reaches_outside() {
        let samples = [0, 1, 2, 3, 4];
        let frame: Frame<'_, Agent> = Frame::new(MediaTime(100), &samples);
        let part = frame.part(Span::new(MediaTime(102), MediaTime(104)));
        assert_eq!((part.at(), part.samples()), (MediaTime(102), &samples[2..4]));
        let outside = frame.part(Span::new(MediaTime(0), MediaTime(1_000)));
        assert_eq!(outside.samples(), &samples);
        assert!(frame.part(Span::new(MediaTime(7), MediaTime(9))).samples().is_empty());
    }
}

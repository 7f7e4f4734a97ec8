//! From the ring to the call's planes: what was delivered, taken apart and converted once, and where something is missing
//! silence of the same length.

use zeroize::Zeroizing;

use super::arrival::{Advice, ArrivalClock};
use crate::audio::rate::converted_len;
use crate::call::{MediaTime, Missing, Span};
use crate::ring::{Drain, Piece, Position, Why};
use crate::run::line::{BLOCK, Sides, TAPS};
use crate::split::Delivery;

/// What was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Sound, so many frames at the source's rate.
    Sound(u64),
    /// Silence in place of what is missing: the stretch of the call that it fills.
    Missing {
        /// The stretch, at the call's rate.
        span: Span,
        /// The same in frames of the source.
        frames: u64,
        /// Where it begins, in frames of the source.
        from: u64,
        /// Why.
        why: Missing,
    },
    /// Nothing is there yet.
    Nothing,
    /// Nothing will come any more.
    Ended,
}

/// Where a live call's sound comes from.
pub trait Intake: Send {
    /// Takes in what comes next, at most [`BLOCK`] frames. `now`: nanoseconds on the worker's clock. `opens_ahead`: the
    /// call waits for a place ahead from which something opens.
    fn take(&mut self, now: u64, opens_ahead: bool, sides: &mut Sides) -> Came;

    /// The sample of the call from which something that opens may count, if it arrived at `now` with the ring's end at
    /// `ring_end` (in frames of the source).
    fn opens_from(&self, now: u64, ring_end: u64) -> MediaTime;

    /// The ring's end, for those who stamp events.
    fn position(&self) -> Position;

    /// The call is about to end: what was delivered is taken, and nothing is waited for.
    fn hurry(&mut self) {}

    /// The bytes that were delivered so far as interleaved 16-bit samples, little-endian, and their BLAKE3 in hexadecimal.
    fn digest(&self) -> (u64, String);
}

/// One ring with both sides, or with one side alone.
pub struct OneRing {
    drain: Drain,
    delivery: Delivery,
    clock: Option<ArrivalClock>,
    block: Zeroizing<Vec<i16>>,
    /// Silence that is still to be laid, frames of the source, and why.
    owed: Option<(u64, Missing)>,
    /// Frames of the source on the line so far.
    placed: u64,
    source_hz: u32,
    rate_hz: u32,
    digest: blake3::Hasher,
}

impl OneRing {
    /// An intake of `drain` at `source_hz` for a call at `rate_hz`. With a clock the time line follows the arrivals;
    /// without one (a device counts its own frames) it follows what was delivered.
    pub fn new(drain: Drain, delivery: Delivery, source_hz: u32, rate_hz: u32, clock: Option<ArrivalClock>) -> OneRing {
        let block = Zeroizing::new(vec![0; BLOCK * drain.channels()]);
        OneRing {
            drain,
            delivery,
            clock,
            block,
            owed: None,
            placed: 0,
            source_hz,
            rate_hz,
            digest: blake3::Hasher::new(),
        }
    }

    fn lay_silence(&mut self, frames: u64, why: Missing, sides: &mut Sides) -> Came {
        let now = frames.min(BLOCK as u64);
        let channels = self.delivery.channels();
        self.block[..now as usize * channels].fill(0);
        sides.take(&self.delivery, &self.block[..now as usize * channels]);
        self.owed = (frames > now).then_some((frames - now, why));
        let from = self.placed;
        self.placed += now;
        let place = |frames| MediaTime(converted_len(frames, self.source_hz, self.rate_hz));
        Came::Missing { span: Span::new(place(from), place(self.placed)), frames: now, from, why }
    }

    fn take_sound(&mut self, frames: usize, sides: &mut Sides) -> Came {
        let samples = frames * self.delivery.channels();
        let block = &mut self.block[..samples];
        digest_into(&mut self.digest, block);
        sides.take(&self.delivery, block);
        block.fill(0);
        self.placed += frames as u64;
        Came::Sound(frames as u64)
    }
}

impl Intake for OneRing {
    fn take(&mut self, now: u64, opens_ahead: bool, sides: &mut Sides) -> Came {
        if let Some((frames, why)) = self.owed.take() {
            return self.lay_silence(frames, why, sides);
        }
        if let Some(clock) = &mut self.clock {
            match clock.look(now, self.drain.position().end(), opens_ahead) {
                Advice::Take => {}
                Advice::Hold => return Came::Nothing,
                Advice::Fill { frames, intended } => {
                    let why = if intended { Missing::Absent } else { Missing::Lost };
                    return self.lay_silence(frames, why, sides);
                }
            }
        }
        match self.drain.read(&mut self.block) {
            Piece::Sound(frames) => self.take_sound(frames, sides),
            Piece::Gap { frames, why: Why::Overrun | Why::Source } => self.lay_silence(frames, Missing::Lost, sides),
            Piece::Nothing => Came::Nothing,
            Piece::Ended => Came::Ended,
        }
    }

    fn opens_from(&self, now: u64, ring_end: u64) -> MediaTime {
        let frames = self.clock.as_ref().map_or(ring_end, |clock| clock.opens_from(now, ring_end));
        let place = (u128::from(frames) * u128::from(self.rate_hz)).div_ceil(u128::from(self.source_hz)) as u64;
        // A converter spreads a sample over its taps: what was said just before would sound into what comes after.
        let spread = if self.source_hz == self.rate_hz { 0 } else { TAPS as u64 };
        MediaTime(place + spread)
    }

    fn position(&self) -> Position {
        self.drain.position()
    }

    fn hurry(&mut self) {
        if let Some(clock) = &mut self.clock {
            clock.hurry();
        }
    }

    fn digest(&self) -> (u64, String) {
        (self.digest.count(), self.digest.finalize().to_hex().to_string())
    }
}

/// Adds samples to a digest, as their little-endian bytes.
pub fn digest_into(digest: &mut blake3::Hasher, samples: &[i16]) {
    // In pieces that lie in the cache.
    let mut bytes = Zeroizing::new([0u8; 2_048]);
    for piece in samples.chunks(bytes.len() / 2) {
        let (places, _) = bytes[..piece.len() * 2].as_chunks_mut::<2>();
        places.iter_mut().zip(piece).for_each(|(place, sample)| *place = sample.to_le_bytes());
        digest.update(&bytes[..piece.len() * 2]);
    }
}

//! From the ring to the call's planes: what was delivered, taken apart and converted once, and where something is missing
//! silence of the same length.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::arrival::{Advice, ArrivalClock};
use crate::audio::rate::converted_len;
use crate::call::{MediaTime, Missing, Of, Span};
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

/// Silence in place of what is missing on one side, while the other one goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneSided {
    /// Of which.
    pub of: Of,
    /// The stretch, at the call's rate.
    pub span: Span,
    /// The same in frames of the source.
    pub frames: u64,
    /// Where it begins, in frames of the source.
    pub from: u64,
    /// Why.
    pub why: Missing,
}

/// Where a live call's sound comes from.
pub trait Intake: Send {
    /// Takes in what comes next, at most [`BLOCK`] frames. `now`: nanoseconds on the worker's clock. `opens_ahead`: the
    /// call waits for a place ahead from which something opens.
    fn take(&mut self, now: u64, opens_ahead: bool, sides: &mut Sides) -> Came;

    /// The sample of the call from which something that opens may count, if it arrived at `now` with the ring's end at
    /// `ring_end` (in frames of the source).
    fn opens_from(&self, now: u64, ring_end: u64) -> MediaTime;

    /// The sample of the call at which frame `place` of the source's line lies, for what opens there.
    fn place(&self, place: u64) -> MediaTime;

    /// Where its rings end, for those who stamp events.
    fn ends(&self) -> RingEnds;

    /// Whether what was delivered waits until the pace of its source is plausible: the call does not end before.
    fn is_judging(&self) -> bool {
        false
    }

    /// The call is about to end: what was delivered is taken, and nothing is waited for.
    fn hurry(&mut self) {}

    /// Whether its sound is placed by when it arrives: then it has to be looked at often.
    fn is_placed_by_arrival(&self) -> bool {
        true
    }

    /// What is missing of one side alone, of what was taken in last; asked for until there is no more.
    fn one_sided(&mut self) -> Option<OneSided> {
        None
    }

    /// The bytes that were delivered so far as interleaved 16-bit samples, little-endian, and their BLAKE3 in hexadecimal:
    /// for who has the same bytes and wants to tell. None where nobody can have them, as of streams that came apart.
    fn digest(&self) -> Option<(u64, String)> {
        None
    }
}

/// One ring with both sides, or with one side alone.
pub struct OneRing {
    drain: Drain,
    delivery: Delivery,
    clock: Option<ArrivalClock>,
    block: Zeroizing<Vec<i16>>,
    block_frames: usize,
    /// Nothing is taken before the pace of the source is known to be plausible.
    vouched: Option<Vouch>,
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
        OneRing::in_blocks(BLOCK, drain, delivery, source_hz, rate_hz, clock)
    }

    /// The same in blocks of at most `block_frames`.
    pub fn in_blocks(
        block_frames: usize,
        drain: Drain,
        delivery: Delivery,
        source_hz: u32,
        rate_hz: u32,
        clock: Option<ArrivalClock>,
    ) -> OneRing {
        let block = Zeroizing::new(vec![0; block_frames * drain.channels()]);
        OneRing {
            drain,
            delivery,
            clock,
            block,
            block_frames,
            vouched: None,
            owed: None,
            placed: 0,
            source_hz,
            rate_hz,
            digest: blake3::Hasher::new(),
        }
    }

    /// Nothing is taken before this says that the pace of the source is plausible, or the call ends.
    pub fn once(mut self, vouched: Vouch) -> OneRing {
        self.vouched = Some(vouched);
        self
    }

    fn lay_silence(&mut self, frames: u64, why: Missing, sides: &mut Sides) -> Came {
        let now = frames.min(self.block_frames as u64);
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
        if self.is_judging() {
            if let Some(clock) = &mut self.clock {
                clock.watch(now, self.drain.position().end());
            }
            return Came::Nothing;
        }
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
            Piece::Gap { frames, why } => self.lay_silence(frames, missing(why), sides),
            Piece::Nothing => Came::Nothing,
            Piece::Ended => Came::Ended,
        }
    }

    fn opens_from(&self, now: u64, ring_end: u64) -> MediaTime {
        let judged = self.vouched.as_ref().is_none_or(|vouched| vouched());
        self.place(self.clock.as_ref().map_or(ring_end, |clock| match judged {
            true => clock.opens_from(now, ring_end),
            false => clock.opens_unseen(now, ring_end),
        }))
    }

    fn place(&self, place: u64) -> MediaTime {
        opening_place(place, self.source_hz, self.rate_hz)
    }

    fn ends(&self) -> RingEnds {
        RingEnds(vec![self.drain.position()])
    }

    fn is_placed_by_arrival(&self) -> bool {
        self.clock.is_some()
    }

    fn is_judging(&self) -> bool {
        self.vouched.as_ref().is_some_and(|vouched| !vouched())
    }

    fn hurry(&mut self) {
        if let Some(clock) = &mut self.clock {
            clock.hurry();
        }
    }

    fn digest(&self) -> Option<(u64, String)> {
        Some((self.digest.count(), self.digest.finalize().to_hex().to_string()))
    }
}

/// Where something opens on the call's line that opens at frame `place` of the source's.
pub(super) fn opening_place(place: u64, source_hz: u32, rate_hz: u32) -> MediaTime {
    let at = (u128::from(place) * u128::from(rate_hz)).div_ceil(u128::from(source_hz)) as u64;
    // A converter spreads a sample over its taps: what was said just before would sound into what comes after.
    let spread = if source_hz == rate_hz { 0 } else { TAPS as u64 };
    MediaTime(at + spread)
}

/// Why sound is missing, as the call counts it.
pub(super) fn missing(why: Why) -> Missing {
    match why {
        Why::Overrun | Why::Source => Missing::Lost,
        Why::Absent => Missing::Absent,
        Why::Undecoded => Missing::Undecoded,
    }
}

/// Says whether the pace of a source is plausible.
pub type Vouch = Arc<dyn Fn() -> bool + Send + Sync>;

/// Where the rings of a call end.
#[derive(Clone)]
pub struct RingEnds(pub Vec<Position>);

impl RingEnds {
    /// Sample frames that its source has delivered: the furthest of its rings.
    pub fn end(&self) -> u64 {
        self.0.iter().map(Position::end).max().unwrap_or(0)
    }
}

/// Adds samples to a digest, as their little-endian bytes.
pub fn digest_into(digest: &mut blake3::Hasher, samples: &[i16]) {
    // In pieces that lie in the cache.
    let mut bytes = [0u8; 2_048];
    for piece in samples.chunks(bytes.len() / 2) {
        let (places, _) = bytes[..piece.len() * 2].as_chunks_mut::<2>();
        places.iter_mut().zip(piece).for_each(|(place, sample)| *place = sample.to_le_bytes());
        digest.update(&bytes[..piece.len() * 2]);
    }
    // Whole words at a time; what is looked at is not left out.
    let used = bytes.len().min(samples.len() * 2);
    bytes[..used].fill(0);
    std::hint::black_box(&bytes);
}

//! From what a source delivers to frames of both sides: taken apart, converted once, cut, and settled by the call.
//!
//! Memory is bounded whatever the call's length, and wiped.

use zeroize::Zeroizing;

use crate::audio::rate::Converter;
use crate::audio::{FRAME_MAX, MediaTime, Stereo, frame_end};
use crate::call::{Call, Outlet};
use crate::split::Delivery;
use crate::voice::{Bank, Speech};

/// Sample frames taken in at a time, at most: a second or two of a call, 32 KiB a side.
pub const BLOCK: usize = 16_384;
/// Taps of the rate conversion, at the lower rate.
pub const TAPS: usize = 128;

/// Cuts the sides into frames and settles them.
pub struct Line {
    bank: Bank,
    rate_hz: u32,
    frame: u64,
    at: MediaTime,
}

impl Line {
    /// Frames at `rate_hz`, decided by `bank` (of one lane).
    pub fn new(rate_hz: u32, bank: Bank) -> Line {
        Line { bank, rate_hz, frame: 0, at: MediaTime::ZERO }
    }

    /// Settles every whole frame that is there.
    pub fn settle_whole_frames(
        &mut self,
        call: &mut Call,
        sides: &mut Sides,
        out: &mut impl Outlet,
        watch: &mut impl FnMut(&Stereo<'_>, Speech),
    ) {
        self.settle_until(MediaTime(u64::MAX), call, sides, out, watch);
    }

    /// Settles whole frames that begin before `until`.
    pub fn settle_until(
        &mut self,
        until: MediaTime,
        call: &mut Call,
        sides: &mut Sides,
        out: &mut impl Outlet,
        watch: &mut impl FnMut(&Stereo<'_>, Speech),
    ) {
        let mut from = 0;
        while self.at < until {
            let length = (frame_end(self.frame, self.rate_hz).0 - self.at.0) as usize;
            if sides.agent.len() - from < length {
                break;
            }
            self.settle(call, &sides.agent[from..from + length], &sides.customer[from..from + length], out, watch);
            from += length;
        }
        sides.drop_front(from);
    }

    /// The last frame may be shorter.
    pub fn settle_rest(
        &mut self,
        call: &mut Call,
        sides: &mut Sides,
        out: &mut impl Outlet,
        watch: &mut impl FnMut(&Stereo<'_>, Speech),
    ) {
        if !sides.agent.is_empty() {
            self.settle(call, &sides.agent, &sides.customer, out, watch);
        }
    }

    fn settle(
        &mut self,
        call: &mut Call,
        agent: &[i16],
        customer: &[i16],
        out: &mut impl Outlet,
        watch: &mut impl FnMut(&Stereo<'_>, Speech),
    ) {
        let sound = Stereo::new(self.at, agent, customer);
        let heard = call.listen(&sound);
        let mut speech = [Speech::default()];
        self.bank.decide(&[heard.samples()], &mut speech);
        watch(&sound, speech[0]);
        call.settle(&sound, speech[0], out);
        self.at = sound.span().until;
        self.frame += 1;
    }
}

/// Both sides, apart, at the call's rate, waiting to be cut into frames.
pub struct Sides {
    agent: Zeroizing<Vec<i16>>,
    customer: Zeroizing<Vec<i16>>,
    conversion: Option<Conversion>,
}

impl Sides {
    /// Sides that come at `input_hz` and are wanted at `rate_hz`.
    pub fn new(input_hz: u32, rate_hz: u32) -> Sides {
        let room = room(input_hz, rate_hz);
        Sides {
            agent: Zeroizing::new(Vec::with_capacity(room)),
            customer: Zeroizing::new(Vec::with_capacity(room)),
            conversion: (input_hz != rate_hz).then(|| Conversion::new(input_hz, rate_hz)),
        }
    }

    /// Takes an interleaved block apart and in.
    pub fn take(&mut self, delivery: &Delivery, block: &[i16]) {
        match &mut self.conversion {
            None => {
                let frames = block.len() / delivery.channels();
                let from = self.agent.len();
                self.agent.resize(from + frames, 0);
                self.customer.resize(from + frames, 0);
                delivery.split(block, &mut self.agent[from..], &mut self.customer[from..]);
            }
            Some(conversion) => conversion.take(delivery, block, &mut self.agent, &mut self.customer),
        }
    }

    /// Nothing more will come: what a converter still holds comes out.
    pub fn finish(&mut self) {
        if let Some(conversion) = &mut self.conversion {
            conversion.finish(&mut self.agent, &mut self.customer);
        }
    }

    /// Lets the first `frames` sample frames go, and wipes where they lay.
    pub fn drop_front(&mut self, frames: usize) {
        for side in [&mut self.agent, &mut self.customer] {
            let left = side.len() - frames;
            side.copy_within(frames.., 0);
            side[left..].fill(0);
            side.truncate(left);
        }
    }
}

/// Samples that may wait on a side: a block at the call's rate, what the converter lets go late, and a frame that is not
/// whole. A plane that had to grow would leave a copy of the sound behind, and nobody would wipe it.
fn room(input_hz: u32, rate_hz: u32) -> usize {
    let ratio = rate_hz.div_ceil(input_hz.max(1)).max(1) as usize;
    (BLOCK + 2 * FRAME_MAX + TAPS) * ratio + 2 * FRAME_MAX
}

/// Both sides to another rate, aligned: the converter's delay is cut off in front, and the length is that of the input
/// in time.
struct Conversion {
    agent: Converter,
    customer: Converter,
    piece: Zeroizing<Vec<i16>>,
    /// A piece of each side on its way into its converter.
    apart: [Zeroizing<Vec<i16>>; 2],
    skip: usize,
    taken_in: u64,
    given_out: u64,
}

impl Conversion {
    fn new(input_hz: u32, rate_hz: u32) -> Conversion {
        let block = (rate_hz / 50) as usize;
        let agent = Converter::new(input_hz, rate_hz, block, TAPS);
        let skip = agent.delay();
        let customer = Converter::new(input_hz, rate_hz, block, TAPS);
        let piece = Zeroizing::new(vec![0; block]);
        let apart = [(); 2].map(|()| Zeroizing::new(vec![0; FRAME_MAX]));
        Conversion { agent, customer, piece, apart, skip, taken_in: 0, given_out: 0 }
    }

    fn take(&mut self, delivery: &Delivery, block: &[i16], agent_out: &mut Vec<i16>, customer_out: &mut Vec<i16>) {
        self.taken_in += (block.len() / delivery.channels()) as u64;
        // In small pieces, so that the converters' waiting rooms stay small.
        for piece in block.chunks(FRAME_MAX * delivery.channels()) {
            let frames = piece.len() / delivery.channels();
            let [agent, customer] = &mut self.apart;
            delivery.split(piece, &mut agent[..frames], &mut customer[..frames]);
            self.agent.push(&agent[..frames]);
            self.customer.push(&customer[..frames]);
            while self.pull(agent_out, customer_out) > 0 {}
        }
        self.apart.iter_mut().for_each(|side| side.fill(0));
    }

    /// Pulls one piece of each side; the number of samples that came out of each before the cut.
    fn pull(&mut self, agent_out: &mut Vec<i16>, customer_out: &mut Vec<i16>) -> usize {
        if !self.agent.pull(&mut self.piece) {
            return 0;
        }
        let skip = self.skip.min(self.piece.len());
        agent_out.extend_from_slice(&self.piece[skip..]);
        let came = self.customer.pull(&mut self.piece);
        assert!(came, "both converters are fed alike");
        customer_out.extend_from_slice(&self.piece[skip..]);
        self.skip -= skip;
        self.given_out += (self.piece.len() - skip) as u64;
        self.piece.len()
    }

    fn finish(&mut self, agent_out: &mut Vec<i16>, customer_out: &mut Vec<i16>) {
        let whole = self.agent.output_len(self.taken_in);
        let silence = [0; FRAME_MAX];
        while self.given_out < whole {
            self.agent.push(&silence);
            self.customer.push(&silence);
            while self.pull(agent_out, customer_out) > 0 {}
        }
        let surplus = (self.given_out - whole) as usize;
        agent_out.truncate(agent_out.len() - surplus);
        customer_out.truncate(customer_out.len() - surplus);
        self.given_out = whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{AgentChannel, ChannelMap};

    #[test]
    fn the_planes_never_grow_whatever_the_rates() {
        for (input_hz, rate_hz) in [(8_000, 48_000), (8_000, 8_000), (48_000, 8_000), (11_025, 48_000), (8_000, 11_025)]
        {
            let map = Delivery::Both(ChannelMap::new(AgentChannel(0), 2).unwrap());
            let mut sides = Sides::new(input_hz, rate_hz);
            let planes = |sides: &Sides| [sides.agent.as_ptr(), sides.customer.as_ptr()];
            let before = planes(&sides);
            for _ in 0..4 {
                sides.take(&map, &vec![1; 2 * BLOCK]);
                assert_eq!(planes(&sides), before, "{input_hz} to {rate_hz} Hz");
                // What is left is less than a frame.
                let whole = sides.agent.len().saturating_sub(FRAME_MAX - 1);
                sides.drop_front(whole);
            }
            sides.finish();
            assert_eq!(planes(&sides), before, "{input_hz} to {rate_hz} Hz, at the end");
        }
    }
}

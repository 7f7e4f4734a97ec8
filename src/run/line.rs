//! From what a source delivers to frames of both sides: taken apart, converted once, cut, and settled by the call.
//!
//! Memory is bounded whatever the call's length, and wiped.

use zeroize::Zeroizing;

use crate::audio::rate::Converter;
use crate::audio::{FRAME_MAX, FRAMES_PER_SECOND, MediaTime, Stereo, frame_end};
use crate::call::{Call, Outlet};
use crate::split::Delivery;
use crate::voice::{Bank, Speech};

/// Sample frames taken in at a time, at most: a second or two of a call, 32 KiB a side.
pub const BLOCK: usize = 16_384;
/// Taps of the rate conversion, at the lower rate.
pub const TAPS: usize = 128;

/// Cuts the sides into frames, one after the other: each is listened to, decided by whoever has the detectors, and
/// settled.
pub struct Cutter {
    rate_hz: u32,
    frame: u64,
    at: MediaTime,
    /// Samples of the sides that were settled and still lie there.
    from: usize,
    /// The frame in hand, if one was listened to: its samples.
    in_hand: Option<usize>,
}

impl Cutter {
    /// Frames at `rate_hz`.
    pub fn new(rate_hz: u32) -> Cutter {
        Cutter { rate_hz, frame: 0, at: MediaTime::ZERO, from: 0, in_hand: None }
    }

    /// Listens to the next whole frame that begins before `until`, if it is there. `last`: what is left counts as whole.
    pub fn listen(&mut self, until: MediaTime, last: bool, call: &mut Call, sides: &mut Sides) -> bool {
        assert!(self.in_hand.is_none(), "the frame in hand is settled first");
        let whole = (frame_end(self.frame, self.rate_hz).0 - self.at.0) as usize;
        let there = sides.agent.len().min(sides.customer.len()) - self.from;
        let length = if last { whole.min(there) } else { whole };
        if self.at >= until || there < length || length == 0 {
            self.let_go(sides);
            return false;
        }
        self.in_hand = Some(length);
        call.listen(&self.sound(sides));
        true
    }

    /// Frames of the sides that can be listened to. `last`: what is left counts as whole.
    pub fn waiting(&self, sides: &Sides, last: bool) -> usize {
        let there = sides.agent.len().min(sides.customer.len()) - self.from;
        let end = self.at.0 + there as u64;
        let until = |frames: u64| frame_end(self.frame + frames, self.rate_hz).0;
        let mut frames = (end * FRAMES_PER_SECOND / u64::from(self.rate_hz)).saturating_sub(self.frame + 1);
        while until(frames) <= end {
            frames += 1;
        }
        let rest = last && (frames == 0 && there > 0 || frames > 0 && until(frames - 1) < end);
        frames as usize + usize::from(rest)
    }

    /// What the detector is to hear of the `number`-th frame that waits; the last may be shorter.
    pub fn ahead<'a>(&self, sides: &'a Sides, number: usize) -> &'a [i16] {
        let number = self.frame + number as u64;
        let from = if number == self.frame { self.at } else { frame_end(number - 1, self.rate_hz) };
        let place = |at: MediaTime| (self.from + (at.0 - self.at.0) as usize).min(sides.agent.len());
        &sides.agent[place(from)..place(frame_end(number, self.rate_hz))]
    }

    /// Goes past frames that somebody else will settle, `last` as in [`Cutter::waiting`]: how many samples they have.
    pub fn pass(&mut self, frames: usize, sides: &Sides, last: bool) -> usize {
        let there = sides.agent.len().min(sides.customer.len()) - self.from;
        self.frame += frames as u64;
        let whole = (frame_end(self.frame.saturating_sub(1), self.rate_hz).0.max(self.at.0) - self.at.0) as usize;
        let samples = if frames == 0 { 0 } else { whole };
        assert!(last || samples <= there, "frames that wait are whole, but for the last");
        let samples = samples.min(there);
        self.at.0 += samples as u64;
        samples
    }

    /// Has the sides let go of what was settled.
    pub fn let_go(&mut self, sides: &mut Sides) {
        sides.drop_front(std::mem::take(&mut self.from));
    }

    /// What the detector is to hear of the frame in hand; nothing if there is none.
    pub fn heard<'a>(&self, sides: &'a Sides) -> &'a [i16] {
        &sides.agent[self.from..self.from + self.in_hand.unwrap_or(0)]
    }

    /// The frame in hand.
    pub fn sound<'a>(&self, sides: &'a Sides) -> Stereo<'a> {
        let place = self.from..self.from + self.in_hand.unwrap_or(0);
        Stereo::new(self.at, &sides.agent[place.clone()], &sides.customer[place])
    }

    /// Settles the frame in hand.
    pub fn settle(&mut self, speech: Speech, call: &mut Call, sides: &Sides, out: &mut impl Outlet) {
        let sound = self.sound(sides);
        call.settle(&sound, speech, out);
        self.at = sound.span().until;
        self.from += self.in_hand.take().unwrap_or(0);
        self.frame += 1;
    }
}

/// The frames of one call, decided by a bank of its own.
pub struct Line {
    bank: Bank,
    cutter: Cutter,
}

impl Line {
    /// Frames at `rate_hz`, decided by `bank` (of one lane).
    pub fn new(rate_hz: u32, bank: Bank) -> Line {
        Line { bank, cutter: Cutter::new(rate_hz) }
    }

    /// Settles every whole frame that is there.
    pub fn settle_whole_frames(&mut self, call: &mut Call, sides: &mut Sides, out: &mut impl Outlet) {
        self.settle_until(MediaTime(u64::MAX), call, sides, out);
    }

    /// Settles whole frames that begin before `until`.
    pub fn settle_until(&mut self, until: MediaTime, call: &mut Call, sides: &mut Sides, out: &mut impl Outlet) {
        while self.cutter.listen(until, false, call, sides) {
            self.settle(call, sides, out);
        }
    }

    /// The last frame may be shorter.
    pub fn settle_rest(&mut self, call: &mut Call, sides: &mut Sides, out: &mut impl Outlet) {
        while self.cutter.listen(MediaTime(u64::MAX), true, call, sides) {
            self.settle(call, sides, out);
        }
    }

    fn settle(&mut self, call: &mut Call, sides: &Sides, out: &mut impl Outlet) {
        let mut speech = [Speech::default()];
        self.bank.decide(&[self.cutter.heard(sides)], &mut speech);
        self.cutter.settle(speech[0], call, sides, out);
    }
}

/// Both sides, apart, at the call's rate, waiting to be cut into frames.
pub struct Sides {
    agent: Zeroizing<Vec<i16>>,
    customer: Zeroizing<Vec<i16>>,
    conversion: Option<Conversion>,
}

impl Sides {
    /// Sides that come at `input_hz` and are wanted at `rate_hz`, in blocks of at most [`BLOCK`].
    pub fn new(input_hz: u32, rate_hz: u32) -> Sides {
        Sides::in_blocks(BLOCK, input_hz, rate_hz)
    }

    /// The same in blocks of at most `block` sample frames.
    pub fn in_blocks(block: usize, input_hz: u32, rate_hz: u32) -> Sides {
        let room = room(block, input_hz, rate_hz);
        Sides {
            agent: Zeroizing::new(Vec::with_capacity(room)),
            customer: Zeroizing::new(Vec::with_capacity(room)),
            conversion: (input_hz != rate_hz).then(|| Conversion::new(input_hz, rate_hz)),
        }
    }

    /// Empty planes of the same size.
    pub fn alike(&self) -> Sides {
        let plane = |side: &Vec<i16>| Zeroizing::new(Vec::with_capacity(side.capacity()));
        Sides { agent: plane(&self.agent), customer: plane(&self.customer), conversion: None }
    }

    /// Hands the first `samples` over to `to`, whatever lay there, and keeps what is behind them.
    pub fn hand_over(&mut self, samples: usize, to: &mut Sides) {
        for (ours, theirs) in [(&mut self.agent, &mut to.agent), (&mut self.customer, &mut to.customer)] {
            theirs.clear();
            theirs.extend_from_slice(&ours[samples..]);
            ours[samples..].fill(0);
            ours.truncate(samples);
            std::mem::swap(ours, theirs);
        }
    }

    /// Takes an interleaved block apart and in.
    pub fn take(&mut self, delivery: &Delivery, block: &[i16]) {
        match &mut self.conversion {
            None => delivery.append(block, &mut self.agent, &mut self.customer),
            Some(conversion) => conversion.take(delivery, block, &mut self.agent, &mut self.customer),
        }
    }

    /// Both sides as they wait, the agent's first, for who lays each by itself at the call's rate. They may be laid
    /// unequally far; what both have is cut. Within their capacity: a plane that had to grow would leave a copy behind.
    pub fn planes(&mut self) -> [&mut Vec<i16>; 2] {
        assert!(self.conversion.is_none(), "what is laid on the planes has the call's rate");
        [&mut self.agent, &mut self.customer]
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
fn room(block: usize, input_hz: u32, rate_hz: u32) -> usize {
    let frame = (rate_hz / 50) as usize + 1;
    if input_hz == rate_hz {
        return block + frame;
    }
    let ratio = rate_hz.div_ceil(input_hz.max(1)).max(1) as usize;
    (block + 2 * FRAME_MAX + TAPS) * ratio + 2 * frame
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
                let whole = sides.agent.len().saturating_sub(rate_hz as usize / 50);
                sides.drop_front(whole);
            }
            sides.finish();
            assert_eq!(planes(&sides), before, "{input_hz} to {rate_hz} Hz, at the end");
            // Nor where they are handed over, again and again.
            let mut sides = Sides::new(input_hz, rate_hz);
            let mut others = sides.alike();
            let mut all = [planes(&sides), planes(&others)];
            for _ in 0..4 {
                sides.take(&map, &vec![1; 2 * BLOCK]);
                let whole = sides.agent.len().saturating_sub(rate_hz as usize / 50);
                sides.hand_over(whole, &mut others);
                all.reverse();
                assert_eq!([planes(&sides), planes(&others)], all, "{input_hz} to {rate_hz} Hz, handed over");
                assert_eq!((others.agent.len(), others.customer.len()), (whole, whole));
            }
        }
    }
}

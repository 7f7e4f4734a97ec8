//! One recording through one call.
//!
//! Files have no real-time thread to protect, so they bypass the ring: blocks go from the reader straight to the call.
//! Memory is bounded whatever the length: one interleaved block and one plane a side. All of it is wiped.

use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::audio::rate::Converter;
use crate::audio::{FRAME_MAX, MediaTime, Stereo, frame_end};
use crate::bleed::Reference;
use crate::call::{Call, Closing, Opening, Outlet};
use crate::consent::{Stamped, Terms, rehearse};
use crate::source::{Recording, SourceError};
use crate::split::{ChannelMap, Finding};
use crate::voice::{Bank, Mode, Speech};

/// Sample frames read at a time: a second or two of a call, 32 KiB a side.
const BLOCK: usize = 16_384;
/// Taps of the output's rate conversion, at the lower rate.
const TAPS: usize = 128;

/// How a recording is taken through its call.
pub struct Drive<'a> {
    /// The call's name.
    pub name: String,
    /// Which channel is whose.
    pub map: ChannelMap,
    /// Output rate; `None`: the recording's.
    pub rate_hz: Option<u32>,
    /// The detector's mode.
    pub mode: Mode,
    /// Lead-in, ms.
    pub lead_in_ms: u32,
    /// Tail, ms.
    pub tail_ms: u32,
    /// The terms of the door.
    pub terms: Terms,
    /// What was found before the call opened.
    pub findings: Vec<Finding>,
    /// Raised when the work is to stop.
    pub stop: &'a AtomicBool,
    /// Told how many sample frames of the input were taken in.
    pub advance: &'a dyn Fn(u64),
}

/// Why a recording did not get through.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The recording cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Whoever asked for it wants it to stop.
    #[error("interrupted")]
    Stopped,
}

impl Drive<'_> {
    /// Takes the recording through a call with these events (placed at the output's rate) into `out`. The outlet's
    /// own errors are the caller's to ask for; `check` is asked once a block whether to go on.
    pub fn run<O: Outlet>(
        self,
        recording: &mut dyn Recording,
        events: Vec<Stamped>,
        out: &mut O,
        mut check: impl FnMut(&O) -> bool,
    ) -> Result<Closing, DriveError> {
        let input_hz = recording.format().rate_hz;
        let rate_hz = self.rate_hz.unwrap_or(input_hz);
        let foreclosed = rehearse(&self.terms, &events);
        let mut call = Call::open(Opening {
            name: self.name,
            rate_hz,
            reference: Reference::Both,
            terms: self.terms,
            foreclosed,
            findings: self.findings,
            lead_in_ms: self.lead_in_ms,
            tail_ms: self.tail_ms,
            reach_ms: 0,
        });
        for event in events {
            call.event(event);
        }
        let mut line = Line::new(rate_hz, Bank::new(1, rate_hz, self.mode));
        let mut sides = Sides::new(input_hz, rate_hz);
        let mut block = Zeroizing::new(vec![0; BLOCK * self.map.channels()]);
        loop {
            let frames = recording.read(&mut block)?;
            if frames == 0 {
                break;
            }
            sides.take(&self.map, &block[..frames * self.map.channels()]);
            line.settle_whole_frames(&mut call, &mut sides, out);
            (self.advance)(frames as u64);
            if self.stop.load(Ordering::Relaxed) || !check(out) {
                return Err(DriveError::Stopped);
            }
        }
        sides.finish();
        line.settle_whole_frames(&mut call, &mut sides, out);
        line.settle_rest(&mut call, &mut sides, out);
        let mut closing = call.close(out);
        closing.findings.extend(recording.findings());
        Ok(closing)
    }
}

/// Cuts the sides into frames and settles them.
struct Line {
    bank: Bank,
    rate_hz: u32,
    frame: u64,
    at: MediaTime,
}

impl Line {
    fn new(rate_hz: u32, bank: Bank) -> Line {
        Line { bank, rate_hz, frame: 0, at: MediaTime::ZERO }
    }

    fn settle_whole_frames(&mut self, call: &mut Call, sides: &mut Sides, out: &mut impl Outlet) {
        let mut from = 0;
        loop {
            let length = (frame_end(self.frame, self.rate_hz).0 - self.at.0) as usize;
            if sides.agent.len() - from < length {
                break;
            }
            self.settle(call, &sides.agent[from..from + length], &sides.customer[from..from + length], out);
            from += length;
        }
        sides.drop_front(from);
    }

    /// The last frame may be shorter.
    fn settle_rest(&mut self, call: &mut Call, sides: &mut Sides, out: &mut impl Outlet) {
        if !sides.agent.is_empty() {
            self.settle(call, &sides.agent, &sides.customer, out);
        }
    }

    fn settle(&mut self, call: &mut Call, agent: &[i16], customer: &[i16], out: &mut impl Outlet) {
        let sound = Stereo::new(self.at, agent, customer);
        let heard = call.listen(&sound);
        let mut speech = [Speech::default()];
        self.bank.decide(&[heard.samples()], &mut speech);
        call.settle(&sound, speech[0], out);
        self.at = sound.span().until;
        self.frame += 1;
    }
}

/// Both sides, apart, at the call's rate, waiting to be cut into frames.
struct Sides {
    agent: Zeroizing<Vec<i16>>,
    customer: Zeroizing<Vec<i16>>,
    conversion: Option<Conversion>,
}

impl Sides {
    fn new(input_hz: u32, rate_hz: u32) -> Sides {
        let room = room(input_hz, rate_hz);
        Sides {
            agent: Zeroizing::new(Vec::with_capacity(room)),
            customer: Zeroizing::new(Vec::with_capacity(room)),
            conversion: (input_hz != rate_hz).then(|| Conversion::new(input_hz, rate_hz)),
        }
    }

    /// Takes an interleaved block apart and in.
    fn take(&mut self, map: &ChannelMap, block: &[i16]) {
        let frames = block.len() / map.channels();
        match &mut self.conversion {
            None => {
                let from = self.agent.len();
                self.agent.resize(from + frames, 0);
                self.customer.resize(from + frames, 0);
                map.split(block, &mut self.agent[from..], &mut self.customer[from..]);
            }
            Some(conversion) => {
                let mut agent = Zeroizing::new(vec![0; frames]);
                let mut customer = Zeroizing::new(vec![0; frames]);
                map.split(block, &mut agent, &mut customer);
                conversion.take(&agent, &customer, &mut self.agent, &mut self.customer);
            }
        }
    }

    fn finish(&mut self) {
        if let Some(conversion) = &mut self.conversion {
            conversion.finish(&mut self.agent, &mut self.customer);
        }
    }

    /// Lets the first `frames` sample frames go, and wipes where they lay.
    fn drop_front(&mut self, frames: usize) {
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
        Conversion { agent, customer, piece: Zeroizing::new(vec![0; block]), skip, taken_in: 0, given_out: 0 }
    }

    fn take(&mut self, agent: &[i16], customer: &[i16], agent_out: &mut Vec<i16>, customer_out: &mut Vec<i16>) {
        self.taken_in += agent.len() as u64;
        // In small pieces, so that the converters' waiting rooms stay small.
        for (agent, customer) in agent.chunks(FRAME_MAX).zip(customer.chunks(FRAME_MAX)) {
            self.agent.push(agent);
            self.customer.push(customer);
            while self.pull(agent_out, customer_out) > 0 {}
        }
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
    use crate::split::AgentChannel;

    #[test]
    fn the_planes_never_grow_whatever_the_rates() {
        for (input_hz, rate_hz) in [(8_000, 48_000), (8_000, 8_000), (48_000, 8_000), (11_025, 48_000), (8_000, 11_025)]
        {
            let map = ChannelMap::new(AgentChannel(0), 2).unwrap();
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

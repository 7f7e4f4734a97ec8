//! Two devices, two clocks, one time line (ROB-03).
//!
//! The agent's device is the master: its frames are the line. The customer's are bent to it in the same step in which
//! they are converted to the call's rate, once, with at least 60 dB against aliasing.
//!
//! * **Where a frame lies** is known by its device's clock: a filter over the stamps of its deliveries. Both
//!   clocks together say which frame of the customer's device was captured together with which of the agent's; the
//!   converter's ratio follows that, by at most 0.2 %.
//! * **What is not there becomes silence.** A side that delivers nothing is waited for (see [`Cadence`]); then the line
//!   goes on without it. When it delivers again, its sound lies where it was captured, and never later. What comes too
//!   late for its place is let go and counted.
//! * **Neither side shifts the other.** If the agent's device stalls, its clock carries the line on.
//!
//! Latency: the aligner adds [`Aligner::latency`], 18 ms at most for 8 kHz, to what the slower device needs to deliver.
//! Memory: 3 s of sound a side, taken at the beginning, wiped as it is read and at the end. Nothing is allocated later.

mod clock;
mod side;

#[cfg(test)]
mod tests;

use super::rate::{BEND_MAX, Converter};
use side::Side;

/// Blocks in a second of call.
const BLOCKS_PER_SECOND: u32 = 100;
/// Taps of the conversion, at the lower rate.
const TAPS: usize = 128;
/// Furthest that the customer's sound is stretched or squeezed: far from what is heard.
const BEND: f64 = 0.002;
/// An offset that is not bent away but jumped over, seconds.
const RESEAT_S: f64 = 0.015;

const _: () = assert!(BEND < BEND_MAX);

/// How much of a device's sound was delivered, and when its last frame was captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Frames since the beginning, missing ones that the source counted among them.
    pub frames: u64,
    /// When the last of them was captured: nanoseconds on a clock that both sides share.
    pub nanos: u64,
    /// Grows whenever the stream begins anew (opened again, an overrun in the device): then a place that does not fit
    /// the clock is believed at once.
    pub epoch: u32,
}

/// How a device delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Always, silence too: a microphone, a monitor of PulseAudio or PipeWire. It is waited for up to 1 s.
    Steady,
    /// Only while something sounds: WASAPI loopback. It is waited for a little longer than it lately took between two
    /// deliveries (30 to 500 ms); silence in between is absence, not loss.
    Sparse,
}

/// Whose device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The agent's: the master clock.
    Agent,
    /// The customer's.
    Customer,
}

/// Samples of a block for which a device delivered nothing, at the call's rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// It had nothing to deliver (a loopback while nobody speaks): intended.
    pub absent: usize,
    /// It should have: not intended.
    pub lost: usize,
}

/// A block of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aligned {
    /// What is missing of the agent.
    pub agent: Missing,
    /// What is missing of the customer.
    pub customer: Missing,
}

/// Brings two mono streams onto one line at the call's rate.
pub struct Aligner {
    agent: Side,
    customer: Side,
    agent_reader: Reader,
    customer_reader: Reader,
    agent_hz: u32,
    call_hz: u32,
    block: usize,
    /// Samples of the call so far.
    given: u64,
    /// The customer's frame that lies at the line's end; `None` before its device delivered.
    at: Option<f64>,
    two_clocks: bool,
}

enum Reader {
    Plain,
    Converting(Box<Converter>),
}

impl Reader {
    fn new(from_hz: u32, to_hz: u32, block: usize) -> Reader {
        match from_hz == to_hz {
            true => Reader::Plain,
            false => Reader::Converting(Box::new(Converter::new(from_hz, to_hz, block, TAPS))),
        }
    }

    fn needs(&self, block: usize) -> usize {
        match self {
            Reader::Plain => block,
            Reader::Converting(converter) => converter.input_needed(),
        }
    }

    /// Frames by which it has to read ahead, for its output to lie in place.
    fn ahead(&self) -> usize {
        match self {
            Reader::Plain => 0,
            Reader::Converting(converter) => converter.input_delay(),
        }
    }

    fn read(&mut self, side: &mut Side, out: &mut [i16]) -> Missing {
        match self {
            Reader::Plain => side.take(out.len(), |samples| out.copy_from_slice(samples)),
            Reader::Converting(converter) => {
                let needed = converter.input_needed();
                let missing = side.take(needed, |samples| converter.push(samples));
                let came = converter.pull(out);
                debug_assert!(came, "it was given what it needs");
                let at_call_rate = |frames: usize| (frames * out.len()).div_ceil(needed).min(out.len());
                Missing { absent: at_call_rate(missing.absent), lost: at_call_rate(missing.lost) }
            }
        }
    }
}

impl Aligner {
    /// For two devices at their own rates. `customer_cadence` tells a loopback from what delivers always.
    pub fn new(agent_hz: u32, customer_hz: u32, call_hz: u32, customer_cadence: Cadence) -> Aligner {
        let block = (call_hz / BLOCKS_PER_SECOND) as usize;
        let bendable = Reader::Converting(Box::new(Converter::bendable(customer_hz, call_hz, block, TAPS)));
        let mut aligner = Aligner {
            agent: Side::new(agent_hz, Cadence::Steady),
            customer: Side::new(customer_hz, customer_cadence),
            agent_reader: Reader::new(agent_hz, call_hz, block),
            customer_reader: bendable,
            agent_hz,
            call_hz,
            block,
            given: 0,
            at: None,
            two_clocks: true,
        };
        aligner.agent.seat_first(aligner.agent_reader.ahead() as i64);
        aligner
    }

    /// For one device that carries both sides, on one clock: push, skip and stamp both sides alike.
    pub fn one_clock(hz: u32, call_hz: u32) -> Aligner {
        let mut aligner = Aligner::new(hz, hz, call_hz, Cadence::Steady);
        aligner.customer_reader = Reader::new(hz, call_hz, aligner.block);
        aligner.customer.seat_first(aligner.customer_reader.ahead() as i64);
        aligner.two_clocks = false;
        aligner
    }

    /// Samples in each block that [`pull`](Aligner::pull) gives: 10 ms.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Seconds from the capture of a sample to its block, the devices' own buffers and the customer's bends aside.
    pub fn latency(&self) -> f64 {
        let ahead = self.agent_reader.ahead() as f64 / f64::from(self.agent_hz);
        (self.block as f64 / f64::from(self.call_hz)) + ahead.max(self.customer_ahead_s())
    }

    fn customer_ahead_s(&self) -> f64 {
        self.customer_reader.ahead() as f64 * self.customer.clock.nominal_s()
    }

    /// Frames of a side for which there is room now. What is pushed beyond it is lost, and counted.
    pub fn room(&self, whose: Whose) -> usize {
        self.side(whose).room()
    }

    /// Takes in what a device delivered.
    pub fn push(&mut self, whose: Whose, samples: &[i16]) {
        self.side_mut(whose).push(samples);
    }

    /// Takes in that `frames` frames are missing there; `absent` if that is how it was meant.
    pub fn skip(&mut self, whose: Whose, frames: u64, absent: bool) {
        self.side_mut(whose).skip(frames, absent);
    }

    /// Takes in how far a device is, before the sound itself is pushed: once a tick is enough. `now` is on the same
    /// clock as the stamp.
    pub fn stamp(&mut self, whose: Whose, stamp: Stamp, now: u64) {
        self.side_mut(whose).stamp(stamp, now);
    }

    /// The next block of the line, if it is complete or nothing more is waited for. Both slices hold one block.
    pub fn pull(&mut self, now: u64, agent_out: &mut [i16], customer_out: &mut [i16]) -> Option<Aligned> {
        assert!(agent_out.len() == self.block && customer_out.len() == self.block, "an aligner gives whole blocks");
        self.agent.pay();
        self.customer.pay();
        let needs = self.agent_reader.needs(self.block);
        if !ready(&mut self.agent, needs, now) {
            return None;
        }
        if self.two_clocks && !self.bend_customer(now)? {
            customer_out.fill(0);
            let lost = self.customer.cadence_is_steady();
            let agent = self.agent_reader.read(&mut self.agent, agent_out);
            self.given += self.block as u64;
            let (absent, lost) = if lost { (0, self.block) } else { (self.block, 0) };
            return Some(Aligned { agent, customer: Missing { absent, lost } });
        }
        let needs = self.customer_reader.needs(self.block);
        if !ready(&mut self.customer, needs, now) {
            return None;
        }
        let agent = self.agent_reader.read(&mut self.agent, agent_out);
        let customer = self.customer_reader.read(&mut self.customer, customer_out);
        self.given += self.block as u64;
        Some(Aligned { agent, customer })
    }

    /// Sets the ratio for the next block. `None` to wait, `false` if the customer's device has not begun by then.
    fn bend_customer(&mut self, now: u64) -> Option<bool> {
        let from = self.customer_frame(self.given);
        let until = self.customer_frame(self.given + self.block as u64);
        let (Some(from), Some(until)) = (from, until) else {
            let end = self.agent.clock.nanos_at(self.agent_frame(self.given + self.block as u64))?;
            return (now as f64 > end + self.customer.patience_ns()).then_some(false);
        };
        let Reader::Converting(converter) = &mut self.customer_reader else { return Some(true) };
        let per_second = 1.0 / self.customer.clock.nominal_s();
        let at = match self.at.filter(|at| (at - from).abs() <= RESEAT_S * per_second) {
            Some(at) => at,
            None => {
                // The converter has taken in more than it gave out.
                let ahead = self.at.map_or(converter.input_delay() as f64, |at| self.customer.start() as f64 - at);
                let place = (from + ahead).round();
                match self.at {
                    Some(_) => self.customer.seat(place as i64),
                    None if until + ahead < self.customer.start() as f64 => return Some(false),
                    None => self.customer.seat_first(place as i64),
                }
                place - ahead
            }
        };
        let nominal = self.block as f64 / f64::from(self.call_hz) * per_second;
        let input = (until - at).clamp(nominal * (1.0 - BEND), nominal * (1.0 + BEND));
        converter.bend(input);
        if !ready(&mut self.customer, converter.input_needed(), now) {
            return None;
        }
        self.at = Some(at + input);
        Some(true)
    }

    /// The agent's frame at a sample of the call.
    fn agent_frame(&self, sample: u64) -> f64 {
        sample as f64 * f64::from(self.agent_hz) / f64::from(self.call_hz)
    }

    /// The customer's frame that was captured together with a sample of the call.
    fn customer_frame(&self, sample: u64) -> Option<f64> {
        self.customer.clock.frame_at(self.agent.clock.nanos_at(self.agent_frame(sample))?)
    }

    /// When a sample of the call was captured, nanoseconds; `None` before the agent's first stamp.
    pub fn captured_at(&self, sample: u64) -> Option<f64> {
        self.agent.clock.nanos_at(self.agent_frame(sample))
    }

    /// The first sample of the call that is captured at or after an instant; `None` before the agent's first stamp.
    pub fn sample_at(&self, nanos: u64) -> Option<u64> {
        let frame = self.agent.clock.frame_at(nanos as f64)?;
        Some((frame * f64::from(self.call_hz) / f64::from(self.agent_hz)).ceil().max(0.0) as u64)
    }

    /// The first sample of the call that holds nothing of what a device delivered before its frame `frame`.
    pub fn sample_after(&self, whose: Whose, frame: u64) -> Option<u64> {
        let place = self.side(whose).place(frame) as f64;
        let frame = match whose {
            Whose::Customer if self.two_clocks => {
                self.agent.clock.frame_at(self.customer.clock.nanos_at(place)?)? + self.bend_slack()
            }
            _ => place,
        };
        let taps = TAPS as f64 / 2.0;
        Some((frame * f64::from(self.call_hz) / f64::from(self.agent_hz) + taps).ceil().max(0.0) as u64)
    }

    /// Frames of the agent by which the customer's sound may lie behind its clock while it is being bent.
    fn bend_slack(&self) -> f64 {
        RESEAT_S * f64::from(self.agent_hz)
    }

    /// Samples of the call given out so far.
    pub fn given(&self) -> u64 {
        self.given
    }

    /// Frames of a side that came when their place had passed, or found no room.
    pub fn late(&self, whose: Whose) -> u64 {
        self.side(whose).late
    }

    /// By how much the customer's clock runs faster than the agent's, parts per million.
    pub fn drift_ppm(&self) -> f64 {
        ((1.0 + self.customer.clock.drift()) / (1.0 + self.agent.clock.drift()) - 1.0) * 1e6
    }

    /// How far the customer's sound lies from where its clock says, seconds: what is still to be bent away.
    pub fn offset(&self) -> Option<f64> {
        Some((self.at? - self.customer_frame(self.given)?) * self.customer.clock.nominal_s())
    }

    fn side(&self, whose: Whose) -> &Side {
        match whose {
            Whose::Agent => &self.agent,
            Whose::Customer => &self.customer,
        }
    }

    fn side_mut(&mut self, whose: Whose) -> &mut Side {
        match whose {
            Whose::Agent => &mut self.agent,
            Whose::Customer => &mut self.customer,
        }
    }
}

/// Whether a side has so many frames, silence for those that are not waited for any longer.
fn ready(side: &mut Side, frames: usize, now: u64) -> bool {
    if side.len() >= frames {
        return true;
    }
    let end = side.start() + frames as i64;
    let given_up = side.clock.nanos_at(end as f64).is_some_and(|due| now as f64 > due + side.patience_ns());
    if given_up {
        side.fill(frames - side.len());
    }
    given_up
}

//! One party's RTP stream, laid on the line of its call. Pure: the time is an input.
//!
//! The *line* counts frames since the call began and advances with the clock, `delay` behind it. A packet has its place
//! by its time stamp; where a run of time stamps lies on the line is settled by the arrival of its fastest packet, before
//! anything of it is laid. After that no sound moves: what is late is left out, what is missing keeps its length.
//!
//! A new run (a *segment*) begins, at the place of its arrival, with another sender (SSRC), another clock, or time stamps
//! that no longer fit the arrivals. Two clocks that drift apart are followed where the sender pauses; if it never does, in
//! steps of at most [`STEP_MS`]. A segment opens no door and shuts none.
//!
//! Payloads are kept as they came, at most [`PACKETS_MAX`] and [`BYTES_MAX`] of them, and wiped when they were read.
//! A G.711 stream in packets of 20 ms and a delay of 250 ms holds 13 of them: 2 KiB, and 1 KiB around it.

use std::collections::VecDeque;

use zeroize::Zeroize;

pub use self::counts::Counts;
use self::segment::Segment;
use super::payload::Codec;
use super::rtp::Header;
use crate::ring::Why;

/// Most packets that wait.
pub const PACKETS_MAX: usize = 128;
/// Most bytes of payload that wait.
pub const BYTES_MAX: usize = 32 * 1024;
/// Longest step by which drifting clocks are followed while the sender does not pause, ms.
pub const STEP_MS: i64 = 20;

/// How long packets may be late, one after the other, until their time stamps are taken to have stood still.
const LATE_FOR_NS: u64 = 240_000_000;
/// How long packets of the sender before count as stragglers.
const STRAGGLERS_NS: u64 = 1_000_000_000;
/// Lag that is followed without a pause, ms. It eats into the delay.
const LAG_MAX_MS: i64 = 40;
/// Lag or lead that is followed in a pause, ms.
const TREND_MIN_MS: i64 = 20;

/// What a packet holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Sound that lasts so many frames of the line.
    Sound {
        /// How it is coded.
        codec: Codec,
        /// As it came.
        payload: &'a [u8],
        /// Frames of the line.
        frames: u32,
    },
    /// Something else: keys, comfort noise. Its sequence number counts.
    Other,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new.
    New,
    /// It is new and of another sender than the one before.
    NewSender,
    /// It came before.
    Duplicate,
    /// Its place has passed.
    Late,
    /// It belongs to the sender before.
    Straggler,
    /// There is no room for it.
    Overflow,
}

/// The next piece of the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Sound, of which the first `skip` frames are laid already.
    Sound {
        /// How it is coded.
        codec: Codec,
        /// As it came.
        payload: &'a [u8],
        /// Frames of the line to leave out at its beginning.
        skip: u32,
        /// Frames of the line that are left.
        frames: u32,
    },
    /// Nothing is there: lost if the sequence numbers show it, or if what was there came too late or found no room; absent
    /// otherwise. An outage that is longer than the delay is absent for as long as nothing shows that anything was sent;
    /// [`Counts::lost`] has it all the same.
    Missing {
        /// Frames of the line.
        frames: u64,
        /// Why.
        why: Why,
    },
}

/// A stream and its place on the line.
pub struct Jitter {
    line_hz: u32,
    /// Frames.
    delay: i64,
    /// Frames that are laid.
    laid: i64,
    segment: Option<Segment>,
    segments: u64,
    pending: VecDeque<Slot>,
    spare: Vec<Vec<u8>>,
    bytes: usize,
    /// Segment and sequence number of what was laid last.
    last: Option<(u64, i64)>,
    left: Option<(u32, u64)>,
    counts: Counts,
}

/// A packet that waits.
struct Slot {
    segment: u64,
    sequence: i64,
    place: i64,
    frames: u32,
    codec: Codec,
    payload: Vec<u8>,
}

impl Jitter {
    /// A line of this rate, laid `delay_ms` behind the clock.
    pub fn new(line_hz: u32, delay_ms: u32) -> Jitter {
        Jitter {
            line_hz,
            delay: i64::from(delay_ms) * i64::from(line_hz) / 1_000,
            laid: 0,
            segment: None,
            segments: 0,
            pending: VecDeque::new(),
            spare: Vec::new(),
            bytes: 0,
            last: None,
            left: None,
            counts: Counts::default(),
        }
    }

    /// A packet came at `now_ns` after the call began. `unit`: frames of the line in a tick of its time stamp.
    pub fn packet(&mut self, now_ns: u64, header: &Header, unit: u32, content: Content<'_>) -> Taken {
        let mut taken = Taken::New;
        match self.segment.as_ref().map(|segment| segment.ssrc) {
            Some(ssrc) if ssrc != header.ssrc => {
                if self.is_straggler(now_ns, header.ssrc) {
                    self.counts.stragglers += 1;
                    return Taken::Straggler;
                }
                self.left = Some((ssrc, now_ns));
                self.counts.senders += 1;
                self.begin(now_ns, header, unit);
                taken = Taken::NewSender;
            }
            Some(_) => {}
            None => self.begin(now_ns, header, unit),
        }
        if !self.segment.as_ref().is_some_and(|segment| segment.fits(header, unit)) {
            self.counts.jumps += 1;
            self.begin(now_ns, header, unit);
        }
        let Some((sequence, ticks)) = self.segment.as_mut().and_then(|segment| segment.note(header)) else {
            self.counts.duplicates += 1;
            return Taken::Duplicate;
        };
        self.counts.packets += 1;
        let Content::Sound { codec, payload, frames } = content else { return taken };
        match self.keep(now_ns, header, unit, sequence, ticks, (codec, payload, frames)) {
            Taken::New => taken,
            other => other,
        }
    }

    /// Lays what has its place up to `now_ns` less the delay.
    pub fn tick(&mut self, now_ns: u64, out: &mut impl FnMut(Piece<'_>)) {
        let target = self.frames(now_ns) - self.delay;
        while self.pending.front().is_some_and(|slot| slot.place < target) {
            let Some(slot) = self.pending.pop_front() else { break };
            self.lay(&slot, out);
            self.recycle(slot.payload);
        }
        if target > self.laid {
            let why = self.pending.front().map_or(Why::Absent, |slot| self.why(slot.segment, slot.sequence));
            out(Piece::Missing { frames: (target - self.laid) as u64, why });
            self.laid = target;
        }
    }

    /// The place of a time stamp of the present sender.
    pub fn place(&self, timestamp: u32) -> Option<u64> {
        let segment = self.segment.as_ref()?;
        u64::try_from(segment.place(segment.extend(timestamp))).ok()
    }

    /// Frames that are laid.
    pub fn laid(&self) -> u64 {
        self.laid as u64
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts;
        counts.lost += self.segment.as_ref().map_or(0, Segment::lost);
        counts
    }

    /// Whatever waits is thrown away; the line goes on.
    pub fn clear(&mut self) {
        self.end_segment();
        self.last = None;
        self.wipe();
    }

    fn wipe(&mut self) {
        for slot in &mut self.pending {
            slot.payload.zeroize();
        }
        self.pending.clear();
        self.bytes = 0;
    }

    fn frames(&self, ns: u64) -> i64 {
        const SECOND: u64 = 1_000_000_000;
        let hz = u64::from(self.line_hz);
        (ns / SECOND * hz + ns % SECOND * hz / SECOND) as i64
    }

    fn ms(&self, ms: i64) -> i64 {
        ms * i64::from(self.line_hz) / 1_000
    }

    fn is_straggler(&self, now_ns: u64, ssrc: u32) -> bool {
        self.left.is_some_and(|(left, since)| left == ssrc && now_ns.saturating_sub(since) < STRAGGLERS_NS)
    }

    fn end_segment(&mut self) {
        if let Some(segment) = self.segment.take() {
            self.counts.lost += segment.lost();
        }
    }

    /// A new segment, at the place of its arrival.
    fn begin(&mut self, now_ns: u64, header: &Header, unit: u32) {
        self.end_segment();
        self.segments += 1;
        let place = self.frames(now_ns);
        self.segment = Some(Segment::begin(self.segments, header, unit, place, now_ns));
    }

    fn keep(
        &mut self,
        now_ns: u64,
        header: &Header,
        unit: u32,
        sequence: i64,
        ticks: i64,
        sound: (Codec, &[u8], u32),
    ) -> Taken {
        let (codec, payload, frames) = sound;
        let (mut sequence, mut ticks) = (sequence, ticks);
        if self.jumps(now_ns, sequence, ticks) {
            self.counts.jumps += 1;
            self.begin(now_ns, header, unit);
            let noted = self.segment.as_mut().and_then(|segment| segment.note(header));
            (sequence, ticks) = noted.unwrap_or((sequence, ticks));
        }
        let Some(place) = self.settle(now_ns, header, sequence, ticks, frames) else { return Taken::Late };
        if place + i64::from(frames) <= self.laid {
            self.counts.late += 1;
            self.leave_out(sequence);
            return Taken::Late;
        }
        if self.pending.len() >= PACKETS_MAX || self.bytes + payload.len() > BYTES_MAX {
            self.counts.overflow += 1;
            self.leave_out(sequence);
            return Taken::Overflow;
        }
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.extend_from_slice(payload);
        self.bytes += kept.len();
        let slot = Slot { segment: self.segments, sequence, place, frames, codec, payload: kept };
        let behind = self.pending.iter().rposition(|other| other.place <= place).map_or(0, |before| before + 1);
        self.pending.insert(behind, slot);
        Taken::New
    }

    fn leave_out(&mut self, sequence: i64) {
        if let Some(segment) = &mut self.segment {
            segment.leave_out(sequence);
        }
    }

    /// Whether the time stamp of this sound does not fit its arrival.
    fn jumps(&mut self, now_ns: u64, sequence: i64, ticks: i64) -> bool {
        let (arrival, delay) = (self.frames(now_ns), self.delay);
        let Some(segment) = &mut self.segment else { return false };
        let newest = sequence == segment.highest;
        let backwards = newest && segment.sound_ticks.is_some_and(|before| ticks < before);
        let behind = arrival - segment.place(ticks);
        if newest {
            let since = *segment.late_since.get_or_insert(now_ns);
            if behind <= delay {
                segment.late_since = None;
            } else if now_ns.saturating_sub(since) >= LATE_FOR_NS {
                return true;
            }
        }
        backwards || behind < -delay
    }

    /// Where this sound lies, after what its arrival tells of the segment's place was taken in.
    fn settle(&mut self, now_ns: u64, header: &Header, sequence: i64, ticks: i64, frames: u32) -> Option<i64> {
        let (arrival, least, most) = (self.frames(now_ns), self.ms(TREND_MIN_MS), self.ms(LAG_MAX_MS));
        let (step, half) = (self.ms(STEP_MS), self.delay / 2);
        let segment = self.segment.as_mut()?;
        let behind = arrival - segment.place(ticks);
        if segment.opening && behind < 0 {
            let mut waiting = self.pending.iter_mut().filter(|slot| slot.segment == segment.number).peekable();
            // No further than there is still room for what waits: the line is laid up to here.
            let by = waiting.peek().map_or(behind, |first| behind.max((self.laid - first.place).min(0)));
            waiting.for_each(|slot| slot.place += by);
            segment.offset += by;
            segment.end += by;
        }
        if sequence == segment.highest {
            let gap = header.marker || segment.place(ticks) > segment.end;
            let paused = gap && !segment.lacks(sequence - 1, sequence);
            if let Some(by) = segment.trend.follow(now_ns, behind, paused, [least, most, half, step]) {
                segment.offset += by;
                self.counts.steps += 1;
            }
            segment.sound_ticks = Some(ticks);
            segment.end = segment.place(ticks) + i64::from(frames);
        }
        Some(segment.place(ticks))
    }

    fn lay(&mut self, slot: &Slot, out: &mut impl FnMut(Piece<'_>)) {
        let Slot { segment, sequence, place, frames, codec, ref payload } = *slot;
        if let Some(present) = self.segment.as_mut().filter(|present| present.number == segment) {
            present.opening = false;
        }
        if place > self.laid {
            let why = self.why(segment, sequence);
            out(Piece::Missing { frames: (place - self.laid) as u64, why });
            self.laid = place;
        }
        self.last = Some((segment, sequence));
        let skip = (self.laid - place).clamp(0, frames.into()) as u32;
        if skip < frames {
            out(Piece::Sound { codec, payload, skip, frames: frames - skip });
            self.laid += i64::from(frames - skip);
        }
    }

    /// Why there is nothing between what was laid last and this packet.
    fn why(&self, segment: u64, sequence: i64) -> Why {
        let Some(present) = self.segment.as_ref().filter(|present| present.number == segment) else {
            return Why::Absent;
        };
        match self.last {
            Some((before, from)) if before == segment && present.lacks(from + 1, sequence) => Why::Source,
            _ => Why::Absent,
        }
    }

    fn recycle(&mut self, mut payload: Vec<u8>) {
        self.bytes -= payload.len();
        payload.fill(0);
        std::hint::black_box(&payload);
        payload.clear();
        if self.spare.len() < PACKETS_MAX / 8 {
            self.spare.push(payload);
        }
    }
}

impl Drop for Jitter {
    fn drop(&mut self) {
        self.wipe();
    }
}

mod counts;
mod ending;
mod print;
mod segment;

#[cfg(test)]
mod tests;

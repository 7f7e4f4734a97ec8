//! A run of time stamps of one sender: which of its packets came, and how its clock drifts.

use crate::source::wire::rtp::Header;

/// Sequence numbers of which it is known whether they came.
const SEEN: u64 = 256;
/// A stream that skips more sequence numbers than this has begun anew (RFC 3550 A.1: MAX_DROPOUT).
const DROPOUT_MAX: i64 = 3_000;
/// Over how long the fastest packet is looked for, to tell how the clocks drift.
const TREND_NS: u64 = 10_000_000_000;

/// A run of time stamps.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) ssrc: u32,
    /// Frames of the line in a tick.
    pub(super) unit: u32,
    /// Place of the extended time stamp 0.
    pub(super) offset: i64,
    /// The extended time stamp of the latest packet, and of the latest sound.
    pub(super) ticks: i64,
    pub(super) sound_ticks: Option<i64>,
    /// Frames behind the latest sound.
    pub(super) end: i64,
    /// Lowest and highest extended sequence number, and how many came.
    first: i64,
    pub(super) highest: i64,
    came: i64,
    seen: [u64; SEEN as usize / 64],
    /// Those of them of which nothing could be laid.
    left_out: [u64; SEEN as usize / 64],
    /// Nothing of it is laid: it may still be moved.
    pub(super) opening: bool,
    pub(super) late_since: Option<u64>,
    pub(super) trend: Trend,
}

/// How the arrivals lie behind (positive) the places, frames.
#[derive(Default)]
pub(super) struct Trend {
    since_ns: u64,
    fastest: Option<i64>,
    /// Of the window before.
    settled: Option<i64>,
}

impl Segment {
    /// Begins with this packet at `place`.
    pub(super) fn begin(number: u64, header: &Header, unit: u32, place: i64, now_ns: u64) -> Segment {
        let ticks = i64::from(header.timestamp);
        Segment {
            number,
            ssrc: header.ssrc,
            unit,
            offset: place - ticks * i64::from(unit),
            ticks,
            sound_ticks: None,
            end: place,
            first: i64::from(header.sequence),
            highest: i64::from(header.sequence) - 1,
            came: 0,
            seen: [0; SEEN as usize / 64],
            left_out: [0; SEEN as usize / 64],
            opening: true,
            late_since: None,
            trend: Trend { since_ns: now_ns, ..Trend::default() },
        }
    }

    /// Whether a packet goes on where this is.
    pub(super) fn fits(&self, header: &Header, unit: u32) -> bool {
        let step = self.step(header.sequence);
        self.unit == unit && step <= DROPOUT_MAX && step > -(SEEN as i64)
    }

    /// Extends a packet's sequence number and time stamp. None if it came before.
    pub(super) fn note(&mut self, header: &Header) -> Option<(i64, i64)> {
        let sequence = self.highest + self.step(header.sequence);
        if !self.see(sequence) {
            return None;
        }
        let ticks = self.extend(header.timestamp);
        if sequence == self.highest {
            self.ticks = ticks;
        }
        Some((sequence, ticks))
    }

    /// The extended time stamp that is nearest to the latest one.
    pub(super) fn extend(&self, timestamp: u32) -> i64 {
        self.ticks + i64::from(timestamp.wrapping_sub(self.ticks as u32) as i32)
    }

    /// How far a sequence number lies ahead of the highest.
    pub(super) fn step(&self, sequence: u16) -> i64 {
        i64::from(sequence.wrapping_sub(self.highest as u16) as i16)
    }

    pub(super) fn place(&self, ticks: i64) -> i64 {
        self.offset + ticks * i64::from(self.unit)
    }

    /// Notes that it came. Whether it is new.
    fn see(&mut self, sequence: i64) -> bool {
        while self.highest < sequence {
            self.highest += 1;
            let (word, bit) = Segment::bit(self.highest);
            self.seen[word] &= !bit;
            self.left_out[word] &= !bit;
        }
        let (word, bit) = Segment::bit(sequence);
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        self.came += i64::from(new);
        self.first = self.first.min(sequence);
        new
    }

    /// Notes that it came and that its sound is lost all the same.
    pub(super) fn leave_out(&mut self, sequence: i64) {
        if sequence > self.highest - SEEN as i64 {
            let (word, bit) = Segment::bit(sequence);
            self.left_out[word] |= bit;
        }
    }

    /// Whether a packet among `from..to` is known not to have come, or too late, or nothing is known of it any more.
    pub(super) fn lacks(&self, from: i64, to: i64) -> bool {
        let known = from > self.highest - SEEN as i64;
        from < to
            && (!known
                || (from..to).any(|sequence| {
                    let (word, bit) = Segment::bit(sequence);
                    (self.seen[word] & !self.left_out[word]) & bit == 0
                }))
    }

    /// Packets that were sent and never came.
    pub(super) fn lost(&self) -> u64 {
        u64::try_from(self.highest + 1 - self.first - self.came).unwrap_or(0)
    }

    fn bit(sequence: i64) -> (usize, u64) {
        let at = sequence.rem_euclid(SEEN as i64) as usize;
        (at / 64, 1 << (at % 64))
    }
}

impl Trend {
    /// A packet came `behind` its place. By how much the places have to move, if they have to.
    pub(super) fn follow(
        &mut self,
        now_ns: u64,
        behind: i64,
        paused: bool,
        [least, most, half, step]: [i64; 4],
    ) -> Option<i64> {
        let fastest = self.fastest.map_or(behind, |fastest| fastest.min(behind));
        self.fastest = Some(fastest);
        if now_ns.saturating_sub(self.since_ns) >= TREND_NS {
            *self = Trend { since_ns: now_ns, fastest: None, settled: Some(fastest) };
        }
        let trend = self.settled?;
        let by = match paused {
            true if trend.abs() > least => trend,
            false if trend > most || trend < -half => trend.clamp(-step, step),
            _ => return None,
        };
        *self = Trend { since_ns: now_ns, ..Trend::default() };
        Some(by)
    }
}

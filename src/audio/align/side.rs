//! One device's sound on its own line of frames: what was delivered, at its place, and silence where nothing was.

use std::collections::VecDeque;

use zeroize::Zeroize;

use super::clock::Clock;
use super::{Cadence, Missing, Stamp};

/// Sound of a side that may wait, milliseconds.
const QUEUE_MS: usize = 3_000;
/// Stretches without sound that may wait. More of them become one long one.
const GAPS_MAX: usize = 64;
/// Longest wait for a device that delivers always, nanoseconds: then it has stalled (ROB-02).
const STALL_NS: f64 = 1e9;
/// A steady device that is so late by its clock has lost sound without a word. So early: the clock was wrong.
const JUMP_NS: f64 = 20e6;
/// It has to be late for so long: a callback that was held up is no loss.
const LATE_LASTS_NS: f64 = 400e6;
/// It has to be early for so long.
const EARLY_LASTS_NS: f64 = 100e6;
/// A sparse device that is so late was silent. A stream that began anew is believed at once as well.
const PAUSE_NS: f64 = 20e6;
/// Shortest and longest wait for a sparse device.
const SPARSE_MIN_NS: f64 = 30e6;
const SPARSE_MAX_NS: f64 = 500e6;

#[derive(Clone, Copy)]
struct Gap {
    from: i64,
    until: i64,
    absent: bool,
}

/// A change of place that counts from a frame of the device on.
#[derive(Clone, Copy)]
struct Jump {
    at: u64,
    frames: i64,
}

/// A device that seems to be off its clock.
#[derive(Clone, Copy)]
struct Suspicion {
    since: f64,
    at: u64,
    least: f64,
}

pub(super) struct Side {
    pub(super) clock: Clock,
    cadence: Cadence,
    hz: f64,
    queue: Vec<i16>,
    capacity: usize,
    /// Place of the first sample in the queue.
    start: i64,
    /// What lies before this place was never wanted: it is let go without being counted.
    unwanted_until: i64,
    /// Frames of the device so far, missing ones among them.
    next: u64,
    /// A frame of the device lies at its number plus this.
    shift: i64,
    jump: Option<Jump>,
    suspicion: Option<Suspicion>,
    last: Option<Stamp>,
    /// Longest that a delivery lately kept us waiting.
    wait_ns: f64,
    gaps: VecDeque<Gap>,
    /// Frames that came when their place had passed, or found no room.
    pub(super) late: u64,
}

impl Side {
    pub(super) fn new(hz: u32, cadence: Cadence) -> Side {
        let capacity = hz as usize * QUEUE_MS / 1_000;
        Side {
            clock: Clock::new(hz),
            cadence,
            hz: f64::from(hz),
            queue: Vec::with_capacity(capacity),
            capacity,
            start: 0,
            unwanted_until: 0,
            next: 0,
            shift: 0,
            jump: None,
            suspicion: None,
            last: None,
            wait_ns: 100e6,
            gaps: VecDeque::with_capacity(GAPS_MAX),
            late: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn cadence_is_steady(&self) -> bool {
        self.cadence == Cadence::Steady
    }

    pub(super) fn start(&self) -> i64 {
        self.start
    }

    fn end(&self) -> i64 {
        self.start + self.queue.len() as i64
    }

    /// Place of a frame of the device.
    pub(super) fn place(&self, frame: u64) -> i64 {
        let ahead = self.jump.filter(|jump| jump.at <= frame).map_or(0, |jump| jump.frames);
        frame as i64 + self.shift + ahead
    }

    pub(super) fn room(&self) -> usize {
        let owed = (self.place(self.next) - self.end()).max(0) as usize;
        (self.capacity - self.queue.len()).saturating_sub(owed)
    }

    /// How long after its capture a frame is waited for, nanoseconds.
    pub(super) fn patience_ns(&self) -> f64 {
        match self.cadence {
            Cadence::Steady => STALL_NS,
            Cadence::Sparse => (1.25 * self.wait_ns + 10e6).clamp(SPARSE_MIN_NS, SPARSE_MAX_NS),
        }
    }

    pub(super) fn stamp(&mut self, stamp: Stamp, now: u64) {
        if self.last.is_some_and(|last| last.frames == stamp.frames && last.epoch == stamp.epoch) {
            return;
        }
        let (place, nanos) = (self.place(stamp.frames) as f64, stamp.nanos as f64);
        let last = self.last.replace(stamp);
        let (Some(expected), Some(last)) = (self.clock.nanos_at(place), last) else {
            return self.clock.begin(place, nanos);
        };
        let late = nanos - expected;
        let anew = stamp.epoch != last.epoch || self.cadence == Cadence::Sparse && late > 0.0;
        if anew && late.abs() > PAUSE_NS {
            self.suspicion = None;
            return self.jump_by(late, last.frames);
        }
        if late.abs() <= JUMP_NS {
            self.suspicion = None;
            self.wait_ns = (self.wait_ns * 0.999).max(now as f64 - last.nanos as f64);
            return self.clock.follow(place, nanos);
        }
        let same_way = self.suspicion.filter(|suspicion| suspicion.least.signum() == late.signum());
        let mut suspicion = same_way.unwrap_or(Suspicion { since: nanos, at: last.frames, least: late });
        if late.abs() < suspicion.least.abs() {
            suspicion.least = late;
        }
        self.suspicion = Some(suspicion);
        if late < 0.0 && nanos - suspicion.since >= EARLY_LASTS_NS {
            // No frame comes from the future: earlier stamps were late, and nothing is missing.
            self.suspicion = None;
            self.clock.doubt();
            self.clock.begin(place, nanos);
        } else if nanos - suspicion.since >= LATE_LASTS_NS {
            self.suspicion = None;
            self.jump_by(suspicion.least, suspicion.at);
        }
    }

    /// From frame `at` of the device on, everything lies so much later (or earlier, if negative).
    fn jump_by(&mut self, nanos: f64, at: u64) {
        let frames = (nanos * self.hz / 1e9).round() as i64;
        self.clock.doubt();
        let before = self.jump.take();
        let at = before.map_or(at, |jump| jump.at);
        self.jump = Some(Jump { at, frames: frames + before.map_or(0, |jump| jump.frames) });
        self.land();
    }

    fn land(&mut self) {
        if let Some(jump) = self.jump.filter(|jump| jump.at <= self.next) {
            self.shift += jump.frames;
            self.jump = None;
        }
    }

    pub(super) fn push(&mut self, samples: &[i16]) {
        let before_jump =
            self.jump.map_or(samples.len(), |jump| (jump.at - self.next).min(samples.len() as u64) as usize);
        let (first, rest) = samples.split_at(before_jump);
        self.lay(first);
        if !rest.is_empty() {
            self.land();
            self.lay(rest);
        }
        self.land();
    }

    pub(super) fn skip(&mut self, frames: u64, absent: bool) {
        self.pay();
        self.next += frames;
        self.land();
        let owed = (self.place(self.next) - self.end()).max(0) as usize;
        self.lay_silence(owed.min(self.capacity - self.queue.len()), absent);
    }

    fn lay(&mut self, samples: &[i16]) {
        self.pay();
        let place = self.place(self.next);
        self.next += samples.len() as u64;
        let passed = (self.end() - place).clamp(0, samples.len() as i64) as usize;
        let room = if place > self.end() { 0 } else { self.capacity - self.queue.len() };
        let taken = (samples.len() - passed).min(room);
        self.queue.extend_from_slice(&samples[passed..passed + taken]);
        let unwanted = (self.unwanted_until - place).clamp(0, passed as i64) as usize;
        self.late += (samples.len() - taken - unwanted) as u64;
    }

    /// Lays silence up to the place of the device's next frame, as far as there is room.
    pub(super) fn pay(&mut self) {
        let owed = (self.place(self.next) - self.end()).max(0) as usize;
        self.fill(owed.min(self.capacity - self.queue.len()));
    }

    /// Lays silence where nothing was delivered.
    pub(super) fn fill(&mut self, frames: usize) {
        self.lay_silence(frames, self.cadence == Cadence::Sparse);
    }

    fn lay_silence(&mut self, frames: usize, absent: bool) {
        if frames == 0 {
            return;
        }
        let from = self.end();
        self.queue.resize(self.queue.len() + frames, 0);
        let until = self.end();
        let full = self.gaps.len() == GAPS_MAX;
        match self.gaps.back_mut() {
            Some(gap) if full || gap.until == from && gap.absent == absent => gap.until = until,
            _ => self.gaps.push_back(Gap { from, until, absent }),
        }
    }

    /// Begins reading at a place: what lies before it is let go, and was never wanted.
    pub(super) fn seat_first(&mut self, place: i64) {
        let late = self.late;
        self.unwanted_until = place;
        self.seat(place);
        self.late = late;
    }

    /// Goes on reading at another place: what lies before it is let go.
    pub(super) fn seat(&mut self, place: i64) {
        if place >= self.end() {
            self.late += self.queue.len() as u64;
            self.let_go(self.queue.len());
            self.start = place;
        } else if place >= self.start {
            self.late += (place - self.start) as u64;
            self.let_go((place - self.start) as usize);
        } else {
            let missing = ((self.start - place) as usize).min(self.capacity - self.queue.len());
            let sound = self.queue.len();
            self.queue.resize(sound + missing, 0);
            self.queue.copy_within(..sound, missing);
            self.queue[..missing].fill(0);
            self.start -= missing as i64;
        }
    }

    /// Hands the first `frames` samples over and lets them go. How many of them were missing.
    pub(super) fn take(&mut self, frames: usize, give: impl FnOnce(&[i16])) -> Missing {
        give(&self.queue[..frames]);
        let mut missing = Missing::default();
        let until = self.start + frames as i64;
        for gap in self.gaps.iter().take_while(|gap| gap.from < until) {
            let frames = (gap.until.min(until) - gap.from.max(self.start)).max(0) as usize;
            *(if gap.absent { &mut missing.absent } else { &mut missing.lost }) += frames;
        }
        self.let_go(frames);
        missing
    }

    fn let_go(&mut self, frames: usize) {
        let left = self.queue.len() - frames;
        self.queue.copy_within(frames.., 0);
        self.queue[left..].zeroize();
        self.queue.truncate(left);
        self.start += frames as i64;
        while self.gaps.front().is_some_and(|gap| gap.until <= self.start) {
            self.gaps.pop_front();
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.queue.zeroize();
    }
}

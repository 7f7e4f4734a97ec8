//! The lock-free ring between a source's thread and the worker that drives the call (ROB-04, ONE-03).
//!
//! * [`Inlet`] belongs to the source's thread, which may be a real-time one: [`Inlet::push`] takes slices, never waits,
//!   allocates, frees, locks or calls the system (`tests/hot_path.rs`).
//! * [`Drain`] belongs to the worker. What it has read is wiped at once.
//! * What finds no room is counted and lies on the time line as a gap of the same length: later sound never shifts.
//! * [`Position`] tells where the ring ends. The end is announced *before* the sound is pushed, so that an event that
//!   is stamped with it can never count from a sample that was delivered before the event (CON-06). The order of these
//!   steps is model-checked below.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use zeroize::Zeroize;

/// Gaps that may wait to be read; 24 bytes each, in every ring. More of them become one long one.
const GAPS_MAX: usize = 64;
const CLOSED: u64 = 1;

/// A ring for `capacity` sample frames of `channels` interleaved channels each. Its memory is taken here, once:
/// two bytes a sample.
pub fn ring(capacity: usize, channels: usize) -> (Inlet, Drain) {
    with_words(capacity, channels)
}

fn with_words<W: Word>(capacity: usize, channels: usize) -> (Inlet<W>, Drain<W>) {
    assert!(capacity > 0 && channels > 0, "a ring has room");
    let (samples_in, samples_out) = HeapRb::new(capacity * channels).split();
    let (gaps_in, gaps_out) = HeapRb::new(GAPS_MAX).split();
    let shared = Arc::new(Shared { end: W::new(0), closed: W::new(0), tail: W::new(0) });
    let inlet =
        Inlet { samples: samples_in, gaps: gaps_in, shared: Arc::clone(&shared), channels, placed: 0, unsaid: None };
    let drain = Drain { samples: samples_out, gaps: gaps_out, shared, channels, at: 0, ended: false };
    (inlet, drain)
}

/// A shared number. Two kinds: the processor's, and that of the model checker.
pub trait Word: Send + Sync {
    /// A number.
    fn new(value: u64) -> Self;
    /// Reads it; what was written before it was stored is seen.
    fn load(&self) -> u64;
    /// Stores it; what was written before is seen by who reads it.
    fn store(&self, value: u64);
}

impl Word for AtomicU64 {
    fn new(value: u64) -> AtomicU64 {
        AtomicU64::new(value)
    }

    fn load(&self) -> u64 {
        AtomicU64::load(self, Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        AtomicU64::store(self, value, Ordering::Release);
    }
}

struct Shared<W> {
    /// Sample frames that were delivered, gaps among them.
    end: W,
    closed: W,
    /// A gap at the very end that found no room among the gaps, in frames.
    tail: W,
}

/// Why there is a gap in what a source delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The worker did not keep up: the disk or the machine was too slow.
    Overrun,
    /// The source lost it before it reached us (a lost packet, a device that stalled).
    Source,
    /// The sender sent none: a hold, or a stream that has not begun.
    Absent,
    /// It came and was not decoded: nobody may hear it.
    Undecoded,
}

/// A stretch of the time line that holds no sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    at: u64,
    frames: u64,
    why: Why,
}

/// The source's end.
pub struct Inlet<W: Word = AtomicU64> {
    samples: HeapProd<i16>,
    gaps: HeapProd<Gap>,
    shared: Arc<Shared<W>>,
    channels: usize,
    /// Frames on the time line so far.
    placed: u64,
    /// A gap that found no room yet. No sound may follow before it is said.
    unsaid: Option<Gap>,
}

/// The worker's end.
pub struct Drain<W: Word = AtomicU64> {
    samples: HeapCons<i16>,
    gaps: HeapCons<Gap>,
    shared: Arc<Shared<W>>,
    channels: usize,
    at: u64,
    ended: bool,
}

/// Where the ring ends.
pub struct Position<W: Word = AtomicU64>(Arc<Shared<W>>);

impl<W: Word> Clone for Position<W> {
    fn clone(&self) -> Position<W> {
        Position(Arc::clone(&self.0))
    }
}

impl<W: Word> Position<W> {
    /// Sample frames that the source has delivered, lost ones among them.
    pub fn end(&self) -> u64 {
        self.0.end.load()
    }
}

/// What comes next on the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// So many frames were read.
    Sound(usize),
    /// So many frames are missing.
    Gap {
        /// Frames.
        frames: u64,
        /// Why.
        why: Why,
    },
    /// Nothing is there yet.
    Nothing,
    /// Nothing will come any more.
    Ended,
}

impl<W: Word> Inlet<W> {
    /// Delivers interleaved sound (whole sample frames, 16 bits). Returns the frames that found no room: they lie on
    /// the time line as a gap. Wait-free.
    pub fn push(&mut self, interleaved: &[i16]) -> u64 {
        let frames = (interleaved.len() / self.channels) as u64;
        self.announce(frames);
        let room = if self.say_unsaid() { (self.samples.vacant_len() / self.channels) as u64 } else { 0 };
        let taken = frames.min(room);
        let pushed = self.samples.push_slice(&interleaved[..taken as usize * self.channels]);
        debug_assert_eq!(pushed, taken as usize * self.channels);
        self.placed += taken;
        self.leave_out(frames - taken, Why::Overrun);
        frames - taken
    }

    /// Delivers the news that `frames` sample frames are missing.
    pub fn skip(&mut self, frames: u64, why: Why) {
        self.announce(frames);
        self.say_unsaid();
        self.leave_out(frames, why);
    }

    /// Frames for which there is room now.
    pub fn room(&self) -> usize {
        self.samples.vacant_len() / self.channels
    }

    /// Where the ring ends, for those who stamp events.
    pub fn position(&self) -> Position<W> {
        Position(Arc::clone(&self.shared))
    }

    /// The end is known before the sound is there: see the module.
    fn announce(&self, frames: u64) {
        let unsaid = self.unsaid.map_or(0, |gap| gap.frames);
        self.shared.end.store(self.placed + unsaid + frames);
    }

    fn leave_out(&mut self, frames: u64, why: Why) {
        if frames == 0 {
            return;
        }
        match &mut self.unsaid {
            Some(gap) => gap.frames += frames,
            None => self.unsaid = Some(Gap { at: self.placed, frames, why }),
        }
        self.say_unsaid();
    }

    /// Whether no gap waits to be said any more.
    fn say_unsaid(&mut self) -> bool {
        let Some(gap) = self.unsaid else { return true };
        if self.gaps.try_push(gap).is_err() {
            return false;
        }
        self.placed += gap.frames;
        self.unsaid = None;
        true
    }
}

impl<W: Word> Drop for Inlet<W> {
    fn drop(&mut self) {
        if !self.say_unsaid() {
            self.shared.tail.store(self.unsaid.map_or(0, |gap| gap.frames));
        }
        self.shared.closed.store(CLOSED);
    }
}

impl<W: Word> Drain<W> {
    /// Reads what comes next, at most as much sound as `out` holds in whole frames. What was read is wiped in the ring.
    pub fn read(&mut self, out: &mut [i16]) -> Piece {
        // In this order: who sees the end sees all that came before it, and who sees sound sees the gaps before it.
        let closed = self.shared.closed.load() == CLOSED;
        let there = self.samples.occupied_len() / self.channels;
        let gap = self.gaps.try_peek().copied();
        if let Some(Gap { frames, why, .. }) = gap.filter(|gap| gap.at == self.at) {
            self.gaps.skip(1);
            self.at += frames;
            return Piece::Gap { frames, why };
        }
        let until_gap = gap.map_or(u64::MAX, |gap| gap.at - self.at);
        let frames = there.min(out.len() / self.channels).min(usize::try_from(until_gap).unwrap_or(usize::MAX));
        if frames == 0 {
            return if closed && there == 0 { self.end() } else { Piece::Nothing };
        }
        self.take(&mut out[..frames * self.channels]);
        self.at += frames as u64;
        Piece::Sound(frames)
    }

    /// Frames of sound that wait to be read.
    pub fn waiting(&self) -> usize {
        self.samples.occupied_len() / self.channels
    }

    /// Channels that are interleaved in it.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Frames of the time line that were read.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Where the ring ends, for those who stamp events.
    pub fn position(&self) -> Position<W> {
        Position(Arc::clone(&self.shared))
    }

    fn take(&mut self, out: &mut [i16]) {
        let (first, second) = self.samples.as_mut_slices();
        let from_first = first.len().min(out.len());
        let (front, back) = out.split_at_mut(from_first);
        front.copy_from_slice(&first[..from_first]);
        back.copy_from_slice(&second[..back.len()]);
        // Plain stores, many at a time: the ring lives on, so they are not left out.
        first[..from_first].fill(0);
        second[..back.len()].fill(0);
        self.samples.skip(out.len());
    }

    fn end(&mut self) -> Piece {
        let tail = self.shared.tail.load();
        if self.ended || tail == 0 {
            return Piece::Ended;
        }
        self.ended = true;
        self.at += tail;
        Piece::Gap { frames: tail, why: Why::Overrun }
    }
}

impl<W: Word> Drop for Drain<W> {
    fn drop(&mut self) {
        let (first, second) = self.samples.as_mut_slices();
        first.zeroize();
        second.zeroize();
    }
}

#[cfg(test)]
mod tests;

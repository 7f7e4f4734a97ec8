//! Where the sound of a media stream belongs: by its time stamps, put into order, both tracks together.
//!
//! The line is the stream's own: place 0 is its time stamp 0. Sound waits for a moment, in case what belongs before it is
//! still to come; then it is laid, and what is not there by then is missing. When nothing comes at all, the line
//! follows the clock at a distance, so that a track that fell silent does not hold the other one up. Pure: it is told
//! the time.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// Most chunks of a track that wait.
const WAITING_MAX: usize = 256;
/// How far ahead of the line a time stamp may lie, seconds: beyond, it is no time stamp of this stream.
const AHEAD_MAX_S: u64 = 30;
/// The clock is set anew by the quickest chunk of so many nanoseconds: the sender's runs a little differently.
const WINDOW_NANOS: u64 = 10_000_000_000;

/// What waits for its turn.
enum Waiting {
    /// Coded sound.
    Sound(Zeroizing<Vec<u8>>),
    /// So many frames that nobody may decode.
    Undecoded(u64),
}

/// A stretch of the line, in its order.
#[derive(PartialEq, Eq)]
pub enum Piece<'a> {
    /// Coded sound, a byte a frame.
    Sound(&'a [u8]),
    /// Frames that came and were not decoded.
    Undecoded(u64),
    /// Frames between others that never came.
    Lost(u64),
    /// Frames that the sender sent none of.
    Absent(u64),
}

/// Without the sound.
impl std::fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, frames) = match self {
            Piece::Sound(bytes) => ("Sound", bytes.len() as u64),
            Piece::Undecoded(frames) => ("Undecoded", *frames),
            Piece::Lost(frames) => ("Lost", *frames),
            Piece::Absent(frames) => ("Absent", *frames),
        };
        write!(f, "{what}({frames} frames)")
    }
}

/// The chunks of one track.
#[derive(Default)]
pub struct Track {
    waiting: BTreeMap<u64, Waiting>,
    laid: u64,
    /// Whether any sound was laid.
    begun: bool,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It waits for its turn.
    Waits,
    /// It was there already.
    Twice,
    /// Its place is laid already.
    Late,
    /// Its place is none of this stream's, or too many wait.
    Refused,
}

impl Track {
    /// Puts coded sound at its place. With `frames` alone it is not to be decoded.
    pub fn put(&mut self, at: u64, sound: Result<Zeroizing<Vec<u8>>, u64>, rate_hz: u32) -> Put {
        let frames = sound.as_ref().map_or_else(|frames| *frames, |bytes| bytes.len() as u64);
        let furthest = self.laid + AHEAD_MAX_S * u64::from(rate_hz);
        if at.checked_add(frames).is_none_or(|end| end > furthest) {
            return Put::Refused;
        }
        if self.waiting.contains_key(&at) {
            return Put::Twice;
        }
        if at < self.laid {
            return Put::Late;
        }
        if self.waiting.len() >= WAITING_MAX {
            return Put::Refused;
        }
        let waiting = match sound {
            Ok(bytes) => Waiting::Sound(bytes),
            Err(frames) => Waiting::Undecoded(frames),
        };
        self.waiting.insert(at, waiting);
        Put::Waits
    }

    /// Lays the line up to `to`.
    pub fn lay(&mut self, to: u64, mut out: impl FnMut(Piece<'_>)) {
        while self.laid < to {
            let next = self.waiting.first_key_value().map(|(at, _)| *at);
            match next {
                Some(at) if at <= self.laid => self.lay_first(at, to, &mut out),
                next => {
                    let end = next.unwrap_or(to).min(to);
                    let frames = end - self.laid;
                    // Between two stretches of sound it was lost; before the first and after the last none was sent.
                    out(if self.begun && next.is_some() { Piece::Lost(frames) } else { Piece::Absent(frames) });
                    self.laid = end;
                }
            }
        }
    }

    /// Lays of the first that waits what is not laid yet and belongs before `to`; the rest waits on.
    fn lay_first(&mut self, at: u64, to: u64, out: &mut impl FnMut(Piece<'_>)) {
        let Some(first) = self.waiting.remove(&at) else { return };
        let skip = self.laid - at;
        let length = match &first {
            Waiting::Sound(bytes) => bytes.len() as u64,
            Waiting::Undecoded(frames) => *frames,
        };
        let end = length.min(to - at);
        if end <= skip {
            return; // covered by what overlapped it
        }
        match &first {
            Waiting::Sound(bytes) => out(Piece::Sound(&bytes[skip as usize..end as usize])),
            Waiting::Undecoded(_) => out(Piece::Undecoded(end - skip)),
        }
        self.begun = true;
        self.laid = at + end;
        if end < length {
            let rest = match first {
                Waiting::Sound(bytes) => Waiting::Sound(Zeroizing::new(bytes[end as usize..].to_vec())),
                Waiting::Undecoded(frames) => Waiting::Undecoded(frames - end),
            };
            self.waiting.entry(self.laid).or_insert(rest);
        }
    }
}

/// How far the line may be laid.
pub struct Line {
    rate_hz: u64,
    /// How long sound waits for what belongs before it, frames.
    reorder: u64,
    /// How far the line may be behind the clock, frames.
    worst: u64,
    newest: u64,
    /// Least difference between arrival and time stamp, of this window and the one before, frames.
    least: [Option<i64>; 2],
    window: u64,
}

impl Line {
    /// A line at `rate_hz` that waits `reorder_ms` for what is out of order, and is never more than `worst_ms` behind
    /// the clock.
    pub fn new(rate_hz: u32, reorder_ms: u32, worst_ms: u32) -> Line {
        let frames = |ms: u32| u64::from(ms) * u64::from(rate_hz) / 1_000;
        Line {
            rate_hz: rate_hz.into(),
            reorder: frames(reorder_ms),
            worst: frames(worst_ms.max(reorder_ms)),
            newest: 0,
            least: [None; 2],
            window: 0,
        }
    }

    /// A chunk that ends at `end` came, `nanos` after the stream began.
    pub fn came(&mut self, end: u64, nanos: u64) {
        self.newest = self.newest.max(end);
        let window = nanos / WINDOW_NANOS;
        if window != self.window {
            self.least = [None, if window == self.window + 1 { self.least[0] } else { None }];
            self.window = window;
        }
        let behind = self.frames(nanos).saturating_sub_unsigned(end);
        self.least[0] = Some(self.least[0].map_or(behind, |least| least.min(behind)));
    }

    /// Up to where the line may be laid at `nanos`.
    pub fn target(&self, nanos: u64) -> u64 {
        let by_media = self.newest.saturating_sub(self.reorder);
        let least = self.least.iter().flatten().min();
        let by_clock = least.map_or(0, |least| {
            let now = self.frames(nanos) - least;
            now.saturating_sub_unsigned(self.worst).max(0) as u64
        });
        by_media.max(by_clock)
    }

    /// Where the newest sound ends: the end of the line when the stream has ended.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    fn frames(&self, nanos: u64) -> i64 {
        (u128::from(nanos) * u128::from(self.rate_hz) / 1_000_000_000) as i64
    }
}

#[cfg(test)]
#[path = "playout_tests.rs"]
mod tests;

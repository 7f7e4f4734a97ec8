//! One stream's end of its ring, held against the clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::CallLine;
use crate::ring::{Inlet, Position, Why};
use crate::source::wire::pace::{JUDGE_MS, Pace};
use crate::split::Finding;

/// How often a call is told of a stream that is too fast.
const TOLD_EVERY: Duration = Duration::from_millis(100);

/// Our end of one stream. Dropped: the stream has ended; when all of a call have, the call is closed and sealed.
pub struct Leg {
    inlet: Inlet,
    laid: u64,
    channels: usize,
    pace: Pace,
    /// When the call was last told that it is too fast: not at every message, for a flood must not fill the way on which
    /// others' calls are told.
    found_out: Option<Instant>,
    began: Instant,
    vouched: Arc<Vouched>,
    line: CallLine,
}

/// Whether the pace of a stream has been watched for long enough: until then what came of it waits in its ring. One that
/// is found out shuts the call before that.
#[derive(Debug, Default)]
pub struct Vouched {
    began: OnceLock<Instant>,
    /// It is known for good: nobody has to look at a clock any more.
    settled: AtomicBool,
}

impl Vouched {
    /// It has, or nothing came yet.
    pub fn is_plausible(&self) -> bool {
        if self.settled.load(Ordering::Relaxed) {
            return true;
        }
        let Some(began) = self.began.get() else { return true };
        let plausible = began.elapsed() >= Duration::from_millis(JUDGE_MS);
        self.settled.store(plausible, Ordering::Relaxed);
        plausible
    }
}

impl Leg {
    /// The end of a ring with `channels`, at a pace that is held against the clock.
    pub fn new(inlet: Inlet, channels: usize, pace: Pace, line: CallLine) -> (Leg, Arc<Vouched>) {
        let vouched = Arc::new(Vouched::default());
        let (found_out, began) = (None, Instant::now());
        let leg = Leg { inlet, laid: 0, channels, pace, found_out, began, vouched: Arc::clone(&vouched), line };
        (leg, vouched)
    }

    /// Lays sound behind what is there, interleaved if the stream is. Never waits; what finds no room is counted as lost
    /// and keeps its length.
    pub fn sound(&mut self, samples: &[i16]) {
        self.laid += (samples.len() / self.channels) as u64;
        self.inlet.push(samples);
    }

    /// Lays so many frames of silence: they are missing.
    pub fn missing(&mut self, frames: u64, why: Why) {
        if frames > 0 {
            self.laid += frames;
            self.inlet.skip(frames, why);
        }
    }

    /// Frames laid so far: the place of the next one.
    pub fn end(&self) -> u64 {
        self.laid
    }

    /// So many new frames arrived at `now`; told before they are laid. Held against the clock. A stream that is faster than
    /// it can be shuts the call.
    pub fn pace(&mut self, frames: u64, now: Instant) {
        let nanos = u64::try_from(now.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX);
        self.vouched.began.get_or_init(|| now);
        if let Err(too_fast) = self.pace.came(nanos, frames)
            && self.found_out.is_none_or(|told| now.saturating_duration_since(told) >= TOLD_EVERY)
        {
            self.found_out = Some(now);
            self.line.contradict(Finding::TooFast { per_mille: too_fast.per_mille });
        }
    }

    /// Nobody looked for what comes of it for so long: what was kept meanwhile comes at once.
    pub fn excuse(&mut self, stalled: Duration) {
        self.pace.excuse(u64::try_from(stalled.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Sound that arrives now and belongs behind what is there.
    pub fn heard(&mut self, samples: &[i16], now: Instant) {
        self.pace((samples.len() / self.channels) as u64, now);
        self.sound(samples);
    }

    /// A pause that we asked for begins or ends: what lies before it does not excuse what comes.
    pub fn pause_known(&mut self, now: Instant) {
        let nanos = u64::try_from(now.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX);
        self.pace.forget(nanos);
    }

    /// Where its ring ends.
    pub fn position(&self) -> Position {
        self.inlet.position()
    }
}

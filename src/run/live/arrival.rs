//! The arrival clock of a live stream: where on the time line what arrives now belongs.
//!
//! Most taps carry no time stamps. A pause or a hold sends no bytes; a sender that stalls sends late, at once, what it
//! had kept, or loses some of it. The clock keeps the time line through all of them, and tells from which place a grant
//! may count (CON-06). Pure: it is told the time.
//!
//! * In its normal state a stream leads its arrival clock by its *lead*: the longest burst, seen over the last half minute.
//! * After a silence, what arrives is held for [`JUDGE_MS`] and judged. No more than real time and a burst: the sender
//!   paused, and silence of the same length lies *before* what arrives. More: it catches up on what it had kept, which
//!   belongs where the stream stopped; what is still missing when it has caught up was lost.
//! * While something that opens lies ahead, silence is never laid before what arrives: sound that was spoken before the
//!   grant could move behind it.

/// How long sound is held after a silence, until it can be told whether the sender paused or stalled.
pub const JUDGE_MS: u64 = 200;
/// Shorter silences than this, beyond two bursts, are the sender's own unsteadiness.
pub const QUIET_MIN_MS: u64 = 250;
/// A lag that is not worth a fill.
const LAG_MIN_MS: u64 = 60;
/// How much later than it happened an arrival may be seen.
const SEEN_LATE_MS: u64 = 20;
/// Half of the time over which the lead is remembered.
const LEAD_HALF_S: u64 = 15;
const NANOS: u64 = 1_000_000_000;

/// What is to be done with the stream now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Take what is there.
    Take,
    /// Leave it in the ring: it is being judged.
    Hold,
    /// Lay so many frames of silence behind what was taken so far, then take what is there.
    Fill {
        /// Frames.
        frames: u64,
        /// The sender sent nothing on purpose (pause, hold); otherwise it lost it.
        intended: bool,
    },
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Steady,
    /// Sound came after a silence.
    Judging {
        since: u64,
        delivered: u64,
    },
    /// The sender sends more than real time.
    CatchingUp {
        since: u64,
        delivered: u64,
    },
}

/// The clock of one stream.
#[derive(Debug)]
pub struct ArrivalClock {
    rate_hz: u64,
    /// The worst buffering before our ring, in frames, as the source declares it.
    worst: u64,
    /// When the first sound arrived, ns.
    origin: Option<u64>,
    last_arrival: u64,
    delivered: u64,
    filled: u64,
    burst: u64,
    /// Largest lead of the half period before and of this one, in frames.
    leads: [i64; 2],
    half: u64,
    phase: Phase,
    /// Silence is laid where the sender sent none.
    fills: bool,
}

impl ArrivalClock {
    /// The clock of a stream at `rate_hz` that may have waited `worst_ms` on its way to us.
    pub fn new(rate_hz: u32, worst_ms: u64) -> ArrivalClock {
        let rate_hz = u64::from(rate_hz);
        ArrivalClock {
            rate_hz,
            worst: rate_hz * worst_ms / 1_000,
            origin: None,
            last_arrival: 0,
            delivered: 0,
            filled: 0,
            burst: 0,
            leads: [i64::MIN; 2],
            half: 0,
            phase: Phase::Steady,
            fills: true,
        }
    }

    /// The same for a source that keeps its own time line, as a device does: it tells places, and lays no silence.
    pub fn of_a_device(rate_hz: u32, worst_ms: u64) -> ArrivalClock {
        ArrivalClock { fills: false, ..ArrivalClock::new(rate_hz, worst_ms) }
    }

    /// The call is about to end: nothing is held or judged any more.
    pub fn hurry(&mut self) {
        self.fills = false;
    }

    /// Frames of the time line that were laid by this clock and not delivered.
    pub fn filled(&self) -> u64 {
        self.filled
    }

    /// The place from which something that opens may count if it arrived at `now` when the ring ended at `ring_end`:
    /// not before the ring's end, and not before its place on the clock plus what may be on its way (in frames). Before
    /// the first sound too: what arrives first may have been spoken before.
    pub fn opens_from(&self, now: u64, ring_end: u64) -> u64 {
        // Arrivals are seen by the worker's tick: a little later than they were.
        // A device's sound is on its way all the time; a burst that was seen says how long a pipe's is.
        let on_its_way = if self.fills { self.lead().max(self.worst as i64) } else { self.lead() + self.worst as i64 };
        let lead = on_its_way + self.frames(SEEN_LATE_MS * NANOS / 1_000) as i64;
        // Until the clock has looked at the stream (the first sound waits until its pace is plausible) what lies in the ring
        // tells the time.
        let passed = self.origin.map_or(ring_end, |origin| self.frames(now.saturating_sub(origin)));
        let on_clock = passed as i64 + lead;
        (ring_end + self.filled).max(on_clock.max(0) as u64)
    }

    /// The same while the stream's pace is not judged yet and nothing of it was looked at: where it began is not known, so
    /// its place is counted from the beginning of the call, which lies no later.
    pub fn opens_unseen(&self, now: u64, ring_end: u64) -> u64 {
        let on_its_way = self.worst + self.frames(SEEN_LATE_MS * NANOS / 1_000);
        (ring_end + self.filled).max(self.frames(now) + on_its_way)
    }

    /// Looks at what was delivered by `now` (ns); both never fall. `opens_ahead`: the call waits for a place ahead from
    /// which something opens. Call it before anything is taken from the ring.
    pub fn look(&mut self, now: u64, delivered: u64, opens_ahead: bool) -> Advice {
        let came = delivered - self.delivered;
        if self.origin.is_none() {
            if came == 0 {
                return Advice::Take;
            }
            self.origin = Some(now);
            self.last_arrival = now;
        }
        let quiet = now - self.last_arrival;
        if came > 0 {
            self.last_arrival = now;
        }
        let advice = match self.phase {
            Phase::Steady if self.fills && came > 0 && quiet > self.quiet_max() => {
                self.phase = Phase::Judging { since: now, delivered: self.delivered };
                self.judge(now, delivered, opens_ahead)
            }
            Phase::Steady => {
                self.steady(now, came);
                Advice::Take
            }
            Phase::Judging { .. } => self.judge(now, delivered, opens_ahead),
            Phase::CatchingUp { .. } => self.catch_up(now, delivered),
        };
        self.delivered = delivered;
        advice
    }

    /// Watches what is delivered while nothing of it is taken yet, because the stream is being judged: when it began and how
    /// it comes is known when the first of it is taken. Arguments as of [`ArrivalClock::look`].
    pub fn watch(&mut self, now: u64, delivered: u64) {
        let came = delivered - self.delivered;
        if came == 0 {
            return;
        }
        self.origin.get_or_insert(now);
        self.last_arrival = now;
        self.steady(now, came);
        self.delivered = delivered;
    }

    fn steady(&mut self, now: u64, came: u64) {
        if came == 0 {
            return;
        }
        self.burst = self.burst.max(came.min(self.worst));
        let half = now / (LEAD_HALF_S * NANOS);
        if half != self.half {
            self.leads = [if half == self.half + 1 { self.leads[1] } else { i64::MIN }, i64::MIN];
            self.half = half;
        }
        let lead = (self.delivered + came + self.filled) as i64 - self.clock(now);
        self.leads[1] = self.leads[1].max(lead);
    }

    fn judge(&mut self, now: u64, delivered: u64, opens_ahead: bool) -> Advice {
        let Phase::Judging { since, delivered: before } = self.phase else { return Advice::Take };
        if !self.fills {
            return Advice::Take; // the call is about to end
        }
        let came = delivered - before;
        if came > self.real_time(now - since) {
            self.phase = Phase::CatchingUp { since: now, delivered };
            return Advice::Take;
        }
        if now - since < JUDGE_MS * NANOS / 1_000 {
            return Advice::Hold;
        }
        if opens_ahead {
            self.phase = Phase::CatchingUp { since: now, delivered };
            return Advice::Take;
        }
        self.phase = Phase::Steady;
        self.fill(delivered, true)
    }

    fn catch_up(&mut self, now: u64, delivered: u64) -> Advice {
        let Phase::CatchingUp { since, delivered: before } = self.phase else { return Advice::Take };
        let window = (2 * self.nanos(self.burst)).max(300 * NANOS / 1_000);
        if now - since < window {
            return Advice::Take;
        }
        if delivered - before > self.real_time(now - since) {
            self.phase = Phase::CatchingUp { since: now, delivered };
            return Advice::Take;
        }
        self.phase = Phase::Steady;
        self.fill(delivered, false)
    }

    /// Silence up to where the clock had the latest arrival: between two bursts the clock runs ahead of a sound stream.
    fn fill(&mut self, delivered: u64, intended: bool) -> Advice {
        let lag = self.clock(self.last_arrival) + self.lead() - (delivered + self.filled) as i64;
        if lag <= (self.rate_hz * LAG_MIN_MS / 1_000) as i64 {
            return Advice::Take;
        }
        self.filled += lag as u64;
        Advice::Fill { frames: lag as u64, intended }
    }

    /// The most that a sender in real time delivers in `nanos` after a silence: a burst more, and a little.
    fn real_time(&self, nanos: u64) -> u64 {
        self.frames(nanos) * 105 / 100 + self.burst + self.rate_hz / 20
    }

    fn quiet_max(&self) -> u64 {
        2 * self.nanos(self.burst) + QUIET_MIN_MS * NANOS / 1_000
    }

    fn lead(&self) -> i64 {
        match self.leads[0].max(self.leads[1]) {
            i64::MIN => self.burst as i64,
            lead => lead,
        }
    }

    fn clock(&self, now: u64) -> i64 {
        self.frames(now - self.origin.unwrap_or(now)) as i64
    }

    fn frames(&self, nanos: u64) -> u64 {
        (u128::from(nanos) * u128::from(self.rate_hz) / u128::from(NANOS)) as u64
    }

    fn nanos(&self, frames: u64) -> u64 {
        (u128::from(frames) * u128::from(NANOS) / u128::from(self.rate_hz)) as u64
    }
}

#[cfg(test)]
#[path = "arrival_tests.rs"]
mod arrival_tests;

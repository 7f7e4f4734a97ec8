//! The pace guard: whether a stream delivers no more sound than time has passed (PROTOCOLS: a client that was asked for
//! one party and sends two is found out by nothing else).
//!
//! Only *too fast* counts; a pause is no fault. A bucket holds how far the stream is ahead of the clock: it fills with
//! what comes and empties with time, at most [`TOLERANCE`] faster than real time. Pure: it is told the time.

/// How much faster than the wall clock a sender's own clock may run.
pub const TOLERANCE: f64 = 1.05;
/// How long sound waits in RAM until its pace is plausible, ms.
pub const JUDGE_MS: u64 = 2_000;
/// How far a packet source may be ahead of the clock, ms: jitter.
const PACKET_SLACK_MS: u64 = 500;
/// How much a stream may catch up on after a stall, ms.
const CATCH_UP_MS: u64 = 20_000;

/// A stream's sound against the clock.
#[derive(Clone, Debug)]
pub struct Pace {
    rate_hz: u64,
    /// How far ahead it may be, frames.
    slack: f64,
    /// How far behind it can be and catch up, frames.
    credit: f64,
    /// How much further, after a stall of our own, frames.
    excused: f64,
    /// How far ahead of the clock it is, frames.
    ahead: f64,
    /// When it was last looked at, ns; `None` before the first sound.
    last: Option<u64>,
    began: u64,
    came: u64,
}

/// A stream that delivers more than time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast {
    /// Its pace since it began, thousandths of real time.
    pub per_mille: u32,
}

impl Pace {
    /// Packets that are sent as they are spoken, at `rate_hz` frames a second: judged over 2 s.
    pub fn packets(rate_hz: u32) -> Pace {
        Pace::new(rate_hz, PACKET_SLACK_MS, PACKET_SLACK_MS)
    }

    /// A stream in bursts of up to `burst_ms` that catches up on what a stall kept: one burst may be ahead, 20 s behind.
    pub fn stream(rate_hz: u32, burst_ms: u32) -> Pace {
        Pace::new(rate_hz, u64::from(burst_ms).max(PACKET_SLACK_MS), CATCH_UP_MS)
    }

    fn new(rate_hz: u32, slack_ms: u64, credit_ms: u64) -> Pace {
        let frames = |ms: u64| (u64::from(rate_hz) * ms) as f64 / 1_000.0;
        Pace {
            rate_hz: u64::from(rate_hz),
            slack: frames(slack_ms),
            credit: frames(credit_ms),
            excused: 0.0,
            ahead: 0.0,
            last: None,
            began: 0,
            came: 0,
        }
    }

    /// So many frames came at `now` (ns, never falling).
    pub fn came(&mut self, now: u64, frames: u64) -> Result<(), TooFast> {
        let last = self.last.unwrap_or_else(|| {
            self.began = now;
            now
        });
        self.last = Some(now);
        let passed = now.saturating_sub(last) as f64 * self.rate_hz as f64 / 1e9;
        // The tolerance is spent only on what is ahead: it must not grow into a credit.
        self.ahead =
            if self.ahead > 0.0 { (self.ahead - passed * TOLERANCE).max(-passed) } else { self.ahead - passed };
        self.ahead = self.ahead.max(-self.credit - self.excused) + frames as f64;
        if self.ahead > -self.credit {
            self.excused = 0.0;
        }
        self.came += frames;
        if self.ahead > self.slack {
            return Err(TooFast { per_mille: self.per_mille(now) });
        }
        Ok(())
    }

    /// We did not look at it for so long (ns): what the kernel kept comes at once, and is no fault of the sender's.
    pub fn excuse(&mut self, ns: u64) {
        self.excused = (self.rate_hz * (ns / 1_000_000).min(CATCH_UP_MS) / 1_000) as f64;
    }

    /// What was not sent so far does not excuse what comes.
    pub fn forget(&mut self, now: u64) {
        let passed = now.saturating_sub(self.last.unwrap_or(now)) as f64 * self.rate_hz as f64 / 1e9;
        self.ahead = (self.ahead - passed).max(0.0);
        self.last = self.last.map(|_| now);
    }

    fn per_mille(&self, now: u64) -> u32 {
        let passed = (u128::from(now.saturating_sub(self.began)) * u128::from(self.rate_hz) / 1_000_000_000).max(1);
        u32::try_from(u128::from(self.came) * 1_000 / passed).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 8_000;

    /// `ms` of packets of 20 ms of which each holds `frames`; the first moment at which it was too fast, ms.
    fn packets(pace: &mut Pace, from_ms: u64, ms: u64, frames: u64) -> Option<u64> {
        (from_ms..from_ms + ms)
            .step_by(20)
            .find(|now| pace.came(now * 1_000_000, frames).is_err())
            .map(|now| now - from_ms)
    }

    #[test]
    fn two_parties_where_one_was_asked_for_are_found_out_within_two_seconds() {
        assert!(packets(&mut Pace::packets(RATE), 0, 10_000, 320).unwrap() < 2_000);
        assert!(packets(&mut Pace::stream(RATE, 200), 0, 10_000, 320).unwrap() < 2_000);
        // Also after an hour of the right pace, by a clock that is a little slow.
        let mut pace = Pace::stream(RATE, 200);
        for step in 0..180_000u64 {
            assert!(pace.came(step * 20_001_000, 160).is_ok());
        }
        assert!(packets(&mut pace, 3_600_181, 10_000, 320).unwrap() < 2_000);
    }

    #[test]
    fn a_pause_is_no_fault_and_a_known_one_no_excuse() {
        let mut pace = Pace::packets(RATE);
        assert_eq!(packets(&mut pace, 0, 3_000, 160), None);
        assert_eq!(packets(&mut pace, 60_000, 3_000, 160), None);
        let mut pace = Pace::stream(RATE, 200);
        assert_eq!(packets(&mut pace, 0, 3_000, 160), None);
        pace.forget(60_000_000_000);
        assert!(packets(&mut pace, 60_000, 10_000, 320).unwrap() < 2_000);
    }

    #[test]
    fn what_we_did_not_look_at_for_a_while_is_no_fault_of_the_senders() {
        let stalled = |excused: bool, ms: u64| {
            let mut pace = Pace::packets(RATE);
            assert_eq!(packets(&mut pace, 0, 3_000, 160), None);
            if excused {
                pace.excuse(ms * 1_000_000);
            }
            // Everything of the stall at one moment, then twice what can be.
            let kept = (0..ms / 20).all(|_| pace.came((3_000 + ms) * 1_000_000, 160).is_ok());
            (kept, packets(&mut pace, 3_020 + ms, 10_000, 320))
        };
        assert!(!stalled(false, 3_000).0);
        let (kept, found) = stalled(true, 3_000);
        assert!(kept && found.unwrap() < 2_000, "{found:?}");
    }

    #[test]
    fn jitter_bursts_and_a_stall_that_is_caught_up_on_are_no_faults() {
        let mut pace = Pace::packets(RATE);
        for step in 0..500u64 {
            // 200 ms come at once, every 200 ms.
            assert!(pace.came(step / 10 * 200_000_000, 160).is_ok());
        }
        let mut pace = Pace::stream(RATE, 4_096);
        for burst in 0..20u64 {
            assert!(pace.came(burst * 4_096_000_000, 32_768).is_ok());
        }
        let mut pace = Pace::stream(RATE, 200);
        assert_eq!(packets(&mut pace, 0, 3_000, 160), None);
        assert!(pace.came(21_000_000_000, 18 * 8_000).is_ok(), "18 s at once after 18 s of nothing");
        assert_eq!(packets(&mut pace, 21_020, 3_000, 160), None);
    }

    #[test]
    fn six_percent_too_fast_is_found_out_and_four_are_not() {
        assert_eq!(packets(&mut Pace::packets(RATE), 0, 600_000, 166), None);
        assert!(packets(&mut Pace::packets(RATE), 0, 600_000, 171).is_some());
    }
}

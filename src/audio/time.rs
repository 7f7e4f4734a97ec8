//! Time inside a call, counted in samples.
//!
//! Wall time enters once, when the call opens, and with events; from then on a place in the call is a number of
//! samples, and frames are cut by exact rational time so that rates whose 20 ms are no whole number of samples
//! (11,025 Hz: 220.5) never drift.

use super::FRAMES_PER_SECOND;

/// A place on a call's time line: samples since its first sample, at the call's own rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(pub u64);

impl MediaTime {
    /// The beginning of the call.
    pub const ZERO: MediaTime = MediaTime(0);

    /// The first sample that does not lie before `nanos` (for what opens a door: never earlier than the act).
    pub fn at_or_after(nanos: u64, rate_hz: u32) -> MediaTime {
        let product = u128::from(nanos) * u128::from(rate_hz);
        MediaTime(product.div_ceil(1_000_000_000) as u64)
    }

    /// The last sample that does not lie after `nanos` (for what shuts a door: never later than the act).
    pub fn at_or_before(nanos: u64, rate_hz: u32) -> MediaTime {
        let product = u128::from(nanos) * u128::from(rate_hz);
        MediaTime((product / 1_000_000_000) as u64)
    }

    /// Seconds since the call's first sample.
    pub fn seconds(self, rate_hz: u32) -> f64 {
        self.0 as f64 / f64::from(rate_hz)
    }
}

/// A stretch of a call, `from` included, `until` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// First sample of the stretch.
    pub from: MediaTime,
    /// First sample after the stretch.
    pub until: MediaTime,
}

impl Span {
    /// The stretch between two places; empty if `until` does not lie after `from`.
    pub fn new(from: MediaTime, until: MediaTime) -> Span {
        Span { from, until: until.max(from) }
    }

    /// Samples in the stretch.
    pub fn samples(self) -> u64 {
        self.until.0 - self.from.0
    }

    /// Whether it holds no sample.
    pub fn is_empty(self) -> bool {
        self.samples() == 0
    }

    /// Whether the two share a sample.
    pub fn overlaps(self, other: Span) -> bool {
        self.from < other.until && other.from < self.until
    }

    /// Whether every sample of `other` lies in this one.
    pub fn contains(self, other: Span) -> bool {
        self.from <= other.from && other.until <= self.until
    }
}

/// The first sample after frame `frame` (counted from 0) of a call at `rate_hz`.
pub fn frame_end(frame: u64, rate_hz: u32) -> MediaTime {
    // In 64 bits where they suffice, which is always but in theory: a division of 128 bits takes thirty times as long.
    match (frame + 1).checked_mul(u64::from(rate_hz)) {
        Some(product) => MediaTime(product / FRAMES_PER_SECOND),
        None => MediaTime(((u128::from(frame) + 1) * u128::from(rate_hz) / u128::from(FRAMES_PER_SECOND)) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_rounds_up_and_a_closing_rounds_down() {
        // 10.00001 s at 8 kHz is sample 80,000.08
        assert_eq!(MediaTime::at_or_after(10_000_010_000, 8_000), MediaTime(80_001));
        assert_eq!(MediaTime::at_or_before(10_000_010_000, 8_000), MediaTime(80_000));
        assert_eq!(MediaTime::at_or_after(10_000_000_000, 8_000), MediaTime(80_000));
    }

    #[test]
    fn frames_at_an_odd_rate_do_not_drift() {
        assert_eq!(frame_end(0, 11_025), MediaTime(220));
        assert_eq!(frame_end(1, 11_025), MediaTime(441));
        assert_eq!(frame_end(49, 11_025), MediaTime(11_025));
        assert_eq!(frame_end(50 * 7_200 - 1, 11_025), MediaTime(11_025 * 7_200));
    }

    #[test]
    fn neighbouring_spans_do_not_overlap() {
        let first = Span::new(MediaTime(0), MediaTime(10));
        let second = Span::new(MediaTime(10), MediaTime(20));
        assert!(!first.overlaps(second));
        assert!(first.overlaps(Span::new(MediaTime(9), MediaTime(11))));
        assert!(Span::new(MediaTime(7), MediaTime(3)).is_empty());
    }
}

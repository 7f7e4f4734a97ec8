//! A device's clock, seen through the stamps of its deliveries.
//!
//! A delay-locked loop of second order (F. Adriaensen, *Using a DLL to filter time*, 2005): a proportional and an
//! integral part follow the difference between a stamp and what was expected, so a constant drift leaves no error
//! behind. It begins wide, to find the rate, and becomes narrow, to be deaf to the jitter of callbacks.

use std::f64::consts::{SQRT_2, TAU};

/// Bandwidth of the loop at the beginning, Hz.
const WIDE_HZ: f64 = 0.5;
/// Bandwidth of the loop when it has settled, Hz.
const NARROW_HZ: f64 = 0.02;
/// Furthest that a device's rate is believed to lie from what it says, as a part of it.
const DRIFT_MAX: f64 = 0.001;

/// Which frame of a device was captured when.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    nominal: f64,
    /// Nanoseconds a frame, as it turns out.
    period: f64,
    /// A frame, and when it was captured.
    seen: Option<(f64, f64)>,
    age_s: f64,
}

impl Clock {
    pub(super) fn new(hz: u32) -> Clock {
        let nominal = 1e9 / f64::from(hz);
        Clock { nominal, period: nominal, seen: None, age_s: 0.0 }
    }

    /// Seconds a frame, by what the device says.
    pub(super) fn nominal_s(&self) -> f64 {
        self.nominal / 1e9
    }

    pub(super) fn begin(&mut self, frame: f64, nanos: f64) {
        self.seen = Some((frame, nanos));
    }

    /// When a frame was or will be captured; nothing before the first stamp.
    pub(super) fn nanos_at(&self, frame: f64) -> Option<f64> {
        self.seen.map(|(seen, nanos)| nanos + (frame - seen) * self.period)
    }

    /// The frame that is captured at an instant.
    pub(super) fn frame_at(&self, nanos: f64) -> Option<f64> {
        self.seen.map(|(seen, at)| seen + (nanos - at) / self.period)
    }

    /// By how much the device runs faster than it says, in parts of one.
    pub(super) fn drift(&self) -> f64 {
        self.nominal / self.period - 1.0
    }

    /// Follows a stamp.
    pub(super) fn follow(&mut self, frame: f64, nanos: f64) {
        let Some((seen, at)) = self.seen else {
            return self.begin(frame, nanos);
        };
        let frames = frame - seen;
        if frames <= 0.0 {
            return;
        }
        let seconds = (frames * self.period / 1e9).min(1.0);
        let omega = TAU * (WIDE_HZ / (1.0 + self.age_s)).max(NARROW_HZ) * seconds;
        let expected = at + frames * self.period;
        let error = nanos - expected;
        self.seen = Some((frame, expected + (SQRT_2 * omega).min(1.0) * error));
        let period = self.period + (omega * omega).min(1.0) * error / frames;
        self.period = period.clamp(self.nominal * (1.0 - DRIFT_MAX), self.nominal * (1.0 + DRIFT_MAX));
        self.age_s += seconds;
    }
}

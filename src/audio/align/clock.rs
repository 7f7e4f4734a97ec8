//! A device's clock, seen through the stamps of its deliveries.
//!
//! A Kalman filter of two states: when a frame was captured, and by how much the device runs slower than it says. It is
//! told what is known of sound devices: crystals lie within some 50 ppm of what they say, seldom 200, drift slowly, and callbacks come some
//! milliseconds early or late, a second long in the same direction. So it finds its place within seconds and the
//! rate within a minute, and becomes deaf to jitter. For a constant drift no error stays behind (it is a PI controller).

/// How far the first stamp may lie from the truth, nanoseconds.
const PLACE_NS: f64 = 10e6;
/// How far a device's rate may lie from what it says: one standard deviation, and the furthest that is believed.
const DRIFT: f64 = 50e-6;
const DRIFT_MAX: f64 = 0.001;
/// Jitter of the stamps in a second, nanoseconds.
const JITTER_NS: f64 = 12e6;
/// Change of a device's rate in a second.
const WANDER: f64 = 0.3e-6;

/// Which frame of a device was captured when.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// Nanoseconds a frame, by what the device says.
    nominal: f64,
    /// By how much a frame really lasts longer, in parts of one.
    slow: f64,
    /// A frame, and when it was captured.
    seen: Option<(f64, f64)>,
    /// Variances of the place (ns²) and of `slow`, and their covariance.
    place_var: f64,
    slow_var: f64,
    covariance: f64,
}

impl Clock {
    pub(super) fn new(hz: u32) -> Clock {
        let nominal = 1e9 / f64::from(hz);
        let (place_var, slow_var) = (PLACE_NS.powi(2), DRIFT.powi(2));
        Clock { nominal, slow: 0.0, seen: None, place_var, slow_var, covariance: 0.0 }
    }

    /// Seconds a frame, by what the device says.
    pub(super) fn nominal_s(&self) -> f64 {
        self.nominal / 1e9
    }

    fn period(&self) -> f64 {
        self.nominal * (1.0 + self.slow)
    }

    pub(super) fn begin(&mut self, frame: f64, nanos: f64) {
        self.seen = Some((frame, nanos));
    }

    /// The stream jumped: its rate is still known, its place only roughly.
    pub(super) fn doubt(&mut self) {
        (self.place_var, self.covariance) = (PLACE_NS.powi(2), 0.0);
    }

    /// When a frame was or will be captured; nothing before the first stamp.
    pub(super) fn nanos_at(&self, frame: f64) -> Option<f64> {
        self.seen.map(|(seen, nanos)| nanos + (frame - seen) * self.period())
    }

    /// The frame that is captured at an instant.
    pub(super) fn frame_at(&self, nanos: f64) -> Option<f64> {
        self.seen.map(|(seen, at)| seen + (nanos - at) / self.period())
    }

    /// By how much the device runs faster than it says, in parts of one.
    pub(super) fn drift(&self) -> f64 {
        1.0 / (1.0 + self.slow) - 1.0
    }

    /// Follows a stamp.
    pub(super) fn follow(&mut self, frame: f64, nanos: f64) {
        let Some((seen, at)) = self.seen else {
            return self.begin(frame, nanos);
        };
        let lasted = (frame - seen) * self.nominal;
        if lasted <= 0.0 {
            return;
        }
        let seconds = lasted / 1e9;
        // What is expected, and how sure that is.
        let expected = at + lasted * (1.0 + self.slow);
        self.place_var += 2.0 * lasted * self.covariance + lasted * lasted * self.slow_var;
        self.covariance += lasted * self.slow_var;
        self.slow_var = (self.slow_var + WANDER.powi(2) * seconds).min(DRIFT.powi(2));
        // What is seen: jitter lasts, so many stamps in a second tell no more than one.
        let all = self.place_var + JITTER_NS.powi(2) / seconds.min(1.0);
        let (place_gain, slow_gain) = (self.place_var / all, self.covariance / all);
        let error = nanos - expected;
        self.seen = Some((frame, expected + place_gain * error));
        self.slow = (self.slow + slow_gain * error).clamp(-DRIFT_MAX, DRIFT_MAX);
        self.slow_var -= slow_gain * self.covariance;
        self.covariance *= 1.0 - place_gain;
        self.place_var *= 1.0 - place_gain;
    }
}

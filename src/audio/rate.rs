//! Sample-rate conversion of one channel, streaming, by rubato's band-limited interpolation.
//!
//! No allocation after [`Converter::new`]. A call decided at another rate than it was recorded at passes through here
//! once, before anything else looks at it.

use audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Adjustable, Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};
use zeroize::Zeroize;

/// Converts one channel from one rate to another in output blocks of a fixed length.
pub struct Converter {
    resampler: Async<f32>,
    waiting: Vec<f32>,
    converted: Vec<f32>,
    from_hz: u32,
    to_hz: u32,
    taps: usize,
}

/// Furthest that a [bendable](Converter::bendable) converter leaves its ratio, as a part of it.
pub const BEND_MAX: f64 = 0.01;

impl Converter {
    /// A converter from `from_hz` to `to_hz` whose [`pull`](Converter::pull) gives `block` samples at a time.
    /// `taps` is the length of the interpolation filter in samples of the lower rate: 64 for a detector, 128 for ears.
    pub fn new(from_hz: u32, to_hz: u32, block: usize, taps: usize) -> Converter {
        Converter::with_reach(from_hz, to_hz, block, taps, 1.0)
    }

    /// The same, and its ratio can be bent while it runs: see [`bend`](Converter::bend).
    pub fn bendable(from_hz: u32, to_hz: u32, block: usize, taps: usize) -> Converter {
        Converter::with_reach(from_hz, to_hz, block, taps, 1.0 + BEND_MAX)
    }

    fn with_reach(from_hz: u32, to_hz: u32, block: usize, taps: usize, reach: f64) -> Converter {
        let taps = (taps * (from_hz.div_ceil(to_hz) as usize).max(1)).next_multiple_of(8);
        let parameters = SincInterpolationParameters {
            sinc_len: taps,
            f_cutoff: None,
            interpolation: SincInterpolationType::Linear,
            oversampling_factor: 128,
            window: WindowFunction::BlackmanHarris2,
        };
        let ratio = f64::from(to_hz) / f64::from(from_hz);
        let resampler = Async::new_sinc(ratio, reach, &parameters, block, 1, FixedAsync::Output)
            .expect("rates between 8 and 48 kHz make a valid ratio");
        let room = resampler.input_frames_max() * 2;
        Converter { resampler, waiting: Vec::with_capacity(room), converted: vec![0.0; block], from_hz, to_hz, taps }
    }

    /// From the next block on, `input` samples of input become one block: the ratio that two clocks which drift apart
    /// ask for. What lies further from the nominal ratio than [`BEND_MAX`] is cut to it. Bendable converters only.
    pub fn bend(&mut self, input: f64) {
        let nominal = self.converted.len() as f64 * f64::from(self.from_hz) / f64::from(self.to_hz);
        let relative = (nominal / input).clamp(1.0 / (1.0 + BEND_MAX), 1.0 + BEND_MAX);
        self.resampler.set_resample_ratio_relative(relative, false).expect("a ratio within the converter's reach");
    }

    /// Samples at the input rate by which the output lags the input.
    pub fn input_delay(&self) -> usize {
        self.taps / 2
    }

    /// Samples at the output rate by which the output lags the input.
    pub fn delay(&self) -> usize {
        self.resampler.output_delay()
    }

    /// Samples that `input` samples become.
    pub fn output_len(&self, input: u64) -> u64 {
        converted_len(input, self.from_hz, self.to_hz)
    }

    /// Samples that the next [`pull`](Converter::pull) needs.
    pub fn input_needed(&self) -> usize {
        self.resampler.input_frames_next()
    }

    /// Takes in sound.
    pub fn push(&mut self, samples: &[i16]) {
        self.waiting.extend(samples.iter().map(|s| f32::from(*s)));
    }

    /// Fills `out` (one block) if enough sound has come in; false if not.
    pub fn pull(&mut self, out: &mut [i16]) -> bool {
        assert_eq!(out.len(), self.converted.len(), "a converter gives whole blocks");
        let needed = self.resampler.input_frames_next();
        if self.waiting.len() < needed {
            return false;
        }
        let input = SequentialSlice::new(&self.waiting[..needed], 1, needed).expect("one channel of `needed` samples");
        let block = self.converted.len();
        let mut output = SequentialSlice::new_mut(&mut self.converted, 1, block).expect("one channel of one block");
        self.resampler
            .process_into_buffer(&input, &mut output, None)
            .expect("the buffers are of the lengths asked for");
        for (sample, converted) in out.iter_mut().zip(&self.converted) {
            *sample = converted.round().clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
        let left = self.waiting.len() - needed;
        self.waiting.copy_within(needed.., 0);
        self.waiting[left..].zeroize(); // what was read may be a customer's
        self.waiting.truncate(left);
        true
    }
}

/// Samples at `to_hz` that last as long as `samples` at `from_hz`, rounded to the nearest.
pub fn converted_len(samples: u64, from_hz: u32, to_hz: u32) -> u64 {
    let product = u128::from(samples) * u128::from(to_hz);
    ((product + u128::from(from_hz) / 2) / u128::from(from_hz)) as u64
}

impl Drop for Converter {
    fn drop(&mut self) {
        self.waiting.zeroize();
        self.converted.zeroize();
        self.resampler.reset(); // fills its own buffer with zeros
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, seconds: u32) -> Vec<i16> {
        let step = hz * std::f64::consts::TAU / f64::from(rate);
        (0..rate * seconds).map(|i| ((f64::from(i) * step).sin() * 8_000.0) as i16).collect()
    }

    fn converted(input: &[i16], from: u32, to: u32) -> Vec<i16> {
        let mut converter = Converter::new(from, to, 160, 64);
        let mut out = Vec::new();
        for block in input.chunks(441) {
            converter.push(block);
            let mut piece = [0; 160];
            while converter.pull(&mut piece) {
                out.extend_from_slice(&piece);
            }
        }
        out
    }

    fn rms(samples: &[i16]) -> f64 {
        (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    #[test]
    fn a_tone_below_the_band_edge_keeps_its_level() {
        let out = converted(&tone(1_000.0, 48_000, 1), 48_000, 8_000);
        let level = rms(&out[800..7_000]) / rms(&tone(1_000.0, 48_000, 1));
        assert!((0.98..1.02).contains(&level), "{level}");
    }

    #[test]
    fn a_tone_above_the_band_edge_is_60_db_down() {
        for (hz, from) in [(5_000.0, 48_000), (7_000.0, 48_000), (5_500.0, 44_100), (11_500.0, 24_000)] {
            let input = tone(hz, from, 1);
            let out = converted(&input, from, 8_000);
            let level_db = 20.0 * (rms(&out[800..7_000]).max(1e-9) / rms(&input)).log10();
            assert!(level_db < -60.0, "{hz} Hz at {from} Hz comes out at {level_db:.1} dB");
        }
    }

    #[test]
    fn any_ratio_gives_as_many_samples_as_time_asks_for() {
        for (from, to) in [(44_100, 8_000), (11_025, 8_000), (8_001, 8_000), (8_000, 16_000), (48_000, 44_100)] {
            let input = vec![0; from as usize * 3];
            let out = converted(&input, from, to).len() as i64;
            let expected = i64::from(to) * 3;
            assert!((expected - out).abs() < i64::from(to) / 20, "{from} -> {to}: {out} of {expected}");
        }
    }
}

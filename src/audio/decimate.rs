//! From a whole multiple of 8 kHz to 8 kHz, for what only has to be heard: a low pass and every n-th sample of it.
//!
//! A linear-phase filter by the window method (Kaiser; Oppenheim and Schafer, *Discrete-Time Signal Processing*, 7.6): flat to
//! 3.0 kHz, 60 dB down from 4 kHz on, which is all that could fold back. Integers, so every machine hears the same; the
//! inner loop is a dot product that takes whole registers.

use zeroize::Zeroizing;

use super::{BySixteen, Sixteen, by_sixteen};

/// The rate that comes out, Hz.
pub const DECIMATED_HZ: u32 = 8_000;
/// Samples of a frame that come out: 20 ms.
pub const DECIMATED_FRAME: usize = 160;
/// Filter length for each sample of the input that one of the output stands for.
/// A whole number of registers.
const TAPS_EACH: usize = 32;
/// Where the filter is half-way down, Hz, and its window's shape: a transition of 1 kHz, 64 dB.
const MIDDLE_HZ: f64 = 3_500.0;
const BETA: f64 = 6.1;
/// Bits behind the point of a coefficient: the sum of their sizes is below 1.9, so 32 bits hold every sum.
const POINT: u32 = 15;

/// A decimator of one stream.
pub struct Decimator {
    ratio: usize,
    taps: Vec<i16>,
    /// What the filter reaches back to, and the frame in hand behind it.
    sound: Zeroizing<Vec<i16>>,
}

impl Decimator {
    /// For sound at `rate_hz`; `None` where that is no whole multiple of 8 kHz, or 8 kHz itself.
    pub fn new(rate_hz: u32) -> Option<Decimator> {
        let ratio = (rate_hz / DECIMATED_HZ) as usize;
        if ratio < 2 || !rate_hz.is_multiple_of(DECIMATED_HZ) {
            return None;
        }
        let taps = low_pass(ratio);
        let sound = Zeroizing::new(vec![0; taps.len() - ratio + DECIMATED_FRAME * ratio]);
        Some(Decimator { ratio, taps, sound })
    }

    /// The next 20 ms, 2 ms late: [`DECIMATED_FRAME`] samples. A shorter frame, the last of a call, is followed by silence.
    pub fn hear(&mut self, frame: &[i16], out: &mut [i16]) {
        let back = self.taps.len() - self.ratio;
        let place = &mut self.sound[back..];
        let length = frame.len().min(place.len());
        place[..length].copy_from_slice(&frame[..length]);
        place[length..].fill(0);
        by_sixteen(Decimation { sound: &self.sound, taps: &self.taps, ratio: self.ratio, out });
        self.sound.copy_within(DECIMATED_FRAME * self.ratio.., 0);
    }
}

/// A frame to be decimated.
struct Decimation<'a> {
    sound: &'a [i16],
    taps: &'a [i16],
    ratio: usize,
    out: &'a mut [i16],
}

impl BySixteen for Decimation<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self, simd: impl Sixteen) {
        let Decimation { sound, taps, ratio, out } = self;
        // Four at a time: each piece of the filter is taken up once for all of them.
        for (number, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let window = &sound[4 * number * ratio..][..taps.len() + 3 * ratio];
            let (a, b) = (window.as_chunks::<16>().0, window[ratio..].as_chunks::<16>().0);
            let (c, d) = (window[2 * ratio..].as_chunks::<16>().0, window[3 * ratio..].as_chunks::<16>().0);
            let [mut first, mut second, mut third, mut fourth] = [simd.zero(); 4];
            for ((((taps, a), b), c), d) in taps.as_chunks::<16>().0.iter().zip(a).zip(b).zip(c).zip(d) {
                let taps = simd.load(taps);
                first = simd.add_products(first, simd.load(a), taps);
                second = simd.add_products(second, simd.load(b), taps);
                third = simd.add_products(third, simd.load(c), taps);
                fourth = simd.add_products(fourth, simd.load(d), taps);
            }
            for (out, sum) in out.iter_mut().zip(simd.totals([first, second, third, fourth])) {
                *out = ((sum + (1 << (POINT - 1))) >> POINT).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            }
        }
    }
}

/// The coefficients; they are symmetrical, and add up to one.
fn low_pass(ratio: usize) -> Vec<i16> {
    let count = TAPS_EACH * ratio;
    let cutoff = MIDDLE_HZ / (f64::from(DECIMATED_HZ) * ratio as f64);
    let ideal = |place: f64| {
        let angle = std::f64::consts::TAU * cutoff * place;
        if place == 0.0 { 2.0 * cutoff } else { angle.sin() / (std::f64::consts::PI * place) }
    };
    let middle = (count - 1) as f64 / 2.0;
    let windowed = |number: usize| {
        let place = number as f64 - middle;
        let off = place / (middle + 0.5);
        ideal(place) * bessel(BETA * (1.0 - off * off).sqrt()) / bessel(BETA)
    };
    let taps: Vec<f64> = (0..count).map(windowed).collect();
    let whole: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| (tap / whole * f64::from(1 << POINT)).round() as i16).collect()
}

/// The modified Bessel function of order zero.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The filter's gain at a frequency, dB.
    fn gain_db(taps: &[i16], rate_hz: f64, hz: f64) -> f64 {
        let turn = std::f64::consts::TAU * hz / rate_hz;
        let (mut re, mut im) = (0.0, 0.0);
        for (number, tap) in taps.iter().enumerate() {
            let size = f64::from(*tap) / f64::from(1 << POINT);
            re += size * (turn * number as f64).cos();
            im += size * (turn * number as f64).sin();
        }
        20.0 * re.hypot(im).log10()
    }

    #[test]
    fn what_could_fold_back_is_sixty_decibels_down_and_speech_passes() {
        for ratio in [3, 5, 6] {
            let (taps, rate_hz) = (low_pass(ratio), 8_000.0 * ratio as f64);
            for hz in (0..=3_000).step_by(50) {
                let gain = gain_db(&taps, rate_hz, f64::from(hz));
                assert!(gain.abs() < 0.1, "{rate_hz} Hz at {hz} Hz: {gain} dB");
            }
            for hz in (4_000..=(rate_hz / 2.0) as u32).step_by(20) {
                let gain = gain_db(&taps, rate_hz, f64::from(hz));
                assert!(gain < -60.0, "{rate_hz} Hz at {hz} Hz: {gain} dB");
            }
            // Full scale never leaves the sums' 32 bits.
            let most = taps.iter().map(|tap| i64::from(tap.unsigned_abs())).sum::<i64>() * 32_768;
            assert!(most + (1 << POINT) < i64::from(i32::MAX), "{most}");
        }
    }

    #[test]
    fn a_tone_comes_out_as_it_went_in_across_frames() {
        let mut decimator = Decimator::new(48_000).unwrap();
        let tone = |hz: f64, rate: f64, at: f64| 20_000.0 * (std::f64::consts::TAU * hz * at / rate).sin();
        let sound: Vec<i16> = (0..9_600).map(|at| tone(1_000.0, 48_000.0, f64::from(at)) as i16).collect();
        let mut out = Vec::new();
        for frame in sound.chunks(960) {
            let mut heard = [0; DECIMATED_FRAME];
            decimator.hear(frame, &mut heard);
            out.extend(heard);
        }
        // The middle of the filter lies 95.5 samples back, and the last sample of six is the newest.
        for (at, sample) in out.iter().enumerate().skip(40) {
            let expected = tone(1_000.0, 48_000.0, (at * 6 + 5) as f64 - 95.5);
            assert!((f64::from(*sample) - expected).abs() < 30.0, "{at}: {sample}, {expected}");
        }
    }

    #[test]
    fn other_rates_have_none() {
        for rate_hz in [8_000, 11_025, 22_050, 44_100] {
            assert!(Decimator::new(rate_hz).is_none(), "{rate_hz}");
        }
    }
}

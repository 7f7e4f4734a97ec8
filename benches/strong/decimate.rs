//! 48 kHz to 8 kHz by a plain FIR filter in 16-bit numbers, of which the compiler makes vector instructions.

const FACTOR: usize = 6;
const TAPS: usize = 96;
/// Half the amplitude is left here, as a part of the input's rate: 3.6 kHz of 48.
const CUTOFF: f64 = 3_600.0 / 48_000.0;
/// Bits behind the point: 96 products of full scale stay within 32 bits.
const SHIFT: u32 = 14;

/// A decimator of one channel.
pub struct Decimator {
    taps: [i16; TAPS],
    /// The last samples of the frame before, and the frame.
    line: Vec<i16>,
    out: Vec<i16>,
}

impl Decimator {
    /// A windowed sinc (Blackman) of unit gain.
    pub fn new() -> Decimator {
        let tap = |number: usize| {
            let place = number as f64 - (TAPS - 1) as f64 / 2.0;
            let sinc = (std::f64::consts::TAU * CUTOFF * place).sin() / (std::f64::consts::PI * place);
            let turn = std::f64::consts::TAU * (number as f64 + 0.5) / TAPS as f64;
            sinc * (0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos())
        };
        let sum: f64 = (0..TAPS).map(tap).sum();
        let taps = std::array::from_fn(|number| (tap(number) / sum * f64::from(1 << SHIFT)).round() as i16);
        Decimator { taps, line: vec![0; TAPS - FACTOR], out: Vec::new() }
    }

    /// The frame at 8 kHz: a whole number of times shorter.
    pub fn take(&mut self, frame: &[i16]) -> &[i16] {
        self.line.truncate(TAPS - FACTOR);
        self.line.extend_from_slice(frame);
        self.out.clear();
        let taps = &self.taps;
        let product = |(sample, tap): (&i16, &i16)| i32::from(*sample) * i32::from(*tap);
        let filtered = self.line.windows(TAPS).step_by(FACTOR).map(|window| {
            let sum: i32 = window.iter().zip(taps).map(product).sum();
            ((sum + (1 << (SHIFT - 1))) >> SHIFT).clamp(i16::MIN.into(), i16::MAX.into()) as i16
        });
        self.out.extend(filtered);
        let past = self.line.len() - (TAPS - FACTOR);
        self.line.copy_within(past.., 0);
        &self.out
    }
}

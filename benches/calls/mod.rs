//! Calls to measure on: the project's samples, cut into turns of a conversation and put together anew, in stereo.

#![allow(dead_code)] // each of those who include it uses a part

pub mod plain;
mod sound;
mod wav;

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use self::sound::{at_rate, read};
use self::wav::Wav;

/// Samples that are calls at 8 kHz, the agent on the left.
const SAMPLES: [&str; 3] = ["granted.wav", "no-events.wav", "withdrawn.wav"];
pub const RATE_HZ: u32 = 8_000;

/// How calls are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// 16-bit linear.
    Pcm16,
    /// G.711 µ-law.
    MuLaw,
}

/// What kind of calls.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// A whole multiple of 8 kHz; above it is the sound of the 8 kHz samples, converted.
    pub rate_hz: u32,
    /// How they are encoded.
    pub codec: Codec,
}

impl Default for Kind {
    fn default() -> Kind {
        Kind { rate_hz: RATE_HZ, codec: Codec::Pcm16 }
    }
}

/// The samples, each as interleaved stereo at 8 kHz.
pub fn samples() -> Result<Vec<Vec<i16>>, Box<dyn Error>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/calls");
    SAMPLES.iter().map(|name| read(&dir.join(name), RATE_HZ)).collect()
}

/// Makes `count` calls of so many `seconds` in `dir`; always the same ones. Returns the seconds of all together. Memory
/// does not grow with the calls.
pub fn make(dir: &Path, count: u32, seconds: Range<u32>, kind: Kind) -> Result<u64, Box<dyn Error>> {
    assert!(kind.rate_hz.is_multiple_of(RATE_HZ), "{} Hz is no multiple of {RATE_HZ}", kind.rate_hz);
    std::fs::create_dir_all(dir)?;
    let samples: Vec<_> = samples()?.iter().map(|sample| at_rate(sample, RATE_HZ, kind.rate_hz)).collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut total = 0;
    for number in 0..count {
        let length = seconds.start + random.below(seconds.len() as u32);
        let frames = u64::from(length * kind.rate_hz);
        let mut wav = Wav::create(&dir.join(format!("call-{number:03}.wav")), kind, frames)?;
        call(&samples, frames, kind.rate_hz / RATE_HZ, &mut random, &mut wav)?;
        wav.finish()?;
        total += u64::from(length);
    }
    Ok(total)
}

/// Pieces of 4 to 12 s from anywhere in the samples, each call a little quieter or louder than the next. `times`: the
/// samples' rate by 8 kHz; the pieces are the same at every rate.
fn call(samples: &[Vec<i16>], frames: u64, times: u32, random: &mut Random, wav: &mut Wav) -> std::io::Result<()> {
    let gain_percent = 60 + random.below(60) as i32;
    let mut left = frames as usize * 2;
    let mut piece = Vec::new();
    while left > 0 {
        let sample = &samples[random.below(samples.len() as u32) as usize];
        let length = ((4 * RATE_HZ + random.below(8 * RATE_HZ)) * times * 2) as usize;
        let from = (random.below(sample.len() as u32 / times / 2) * times * 2) as usize;
        let until = (from + length).min(sample.len()).min(from + left);
        let louder = |sample: &i16| (i32::from(*sample) * gain_percent / 100).clamp(-32_768, 32_767) as i16;
        piece.clear();
        piece.extend(sample[from..until].iter().map(louder));
        wav.write(&piece)?;
        left -= piece.len();
    }
    Ok(())
}

/// Marsaglia's xorshift: the same calls on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) % u64::from(below)) as u32
    }
}

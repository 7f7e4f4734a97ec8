//! Calls to measure on: the project's samples, cut into turns of a conversation and put together anew, 8 kHz stereo.

#![allow(dead_code)] // each of those who include it uses a part

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use oneside::source::open_file;

/// Samples that are calls at 8 kHz, the agent on the left.
const SAMPLES: [&str; 3] = ["granted.wav", "no-events.wav", "withdrawn.wav"];
const RATE_HZ: u32 = 8_000;

/// The samples, each as interleaved stereo.
pub fn samples() -> Result<Vec<Vec<i16>>, Box<dyn Error>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/calls");
    SAMPLES.iter().map(|name| read(&dir.join(name))).collect()
}

fn read(file: &Path) -> Result<Vec<i16>, Box<dyn Error>> {
    let mut recording = open_file(file, None)?;
    assert_eq!((recording.format().rate_hz, recording.format().channels), (RATE_HZ, 2), "{}", file.display());
    let (mut sound, mut block) = (Vec::new(), vec![0; 8_192]);
    loop {
        match recording.read(&mut block)? {
            0 => return Ok(sound),
            frames => sound.extend_from_slice(&block[..frames * 2]),
        }
    }
}

/// Makes `count` calls of so many `seconds` in `dir`; always the same ones. Returns the seconds of all together.
pub fn make(dir: &Path, count: u32, seconds: Range<u32>) -> Result<u64, Box<dyn Error>> {
    std::fs::create_dir_all(dir)?;
    let samples = samples()?;
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut total = 0;
    for number in 0..count {
        let length = seconds.start + random.below(seconds.len() as u32);
        let file = dir.join(format!("call-{number:03}.wav"));
        write(&file, &call(&samples, length, &mut random))?;
        total += u64::from(length);
    }
    Ok(total)
}

/// Pieces of 4 to 12 s from anywhere in the samples, each call a little quieter or louder than the next.
fn call(samples: &[Vec<i16>], seconds: u32, random: &mut Random) -> Vec<i16> {
    let whole = (seconds * RATE_HZ * 2) as usize;
    let gain_percent = 60 + random.below(60) as i32;
    let mut call = Vec::with_capacity(whole);
    while call.len() < whole {
        let sample = &samples[random.below(samples.len() as u32) as usize];
        let length = ((4 * RATE_HZ + random.below(8 * RATE_HZ)) * 2) as usize;
        let from = random.below((sample.len() / 2) as u32) as usize * 2;
        let until = (from + length).min(sample.len()).min(from + whole - call.len());
        let louder = |sample: &i16| (i32::from(*sample) * gain_percent / 100).clamp(-32_768, 32_767) as i16;
        call.extend(sample[from..until].iter().map(louder));
    }
    call
}

fn write(file: &Path, sound: &[i16]) -> Result<(), hound::Error> {
    let sample_format = hound::SampleFormat::Int;
    let spec = hound::WavSpec { channels: 2, sample_rate: RATE_HZ, bits_per_sample: 16, sample_format };
    let mut writer = hound::WavWriter::create(file, spec)?;
    let mut block = writer.get_i16_writer(sound.len() as u32);
    sound.iter().for_each(|sample| block.write_sample(*sample));
    block.flush()?;
    writer.finalize()
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

//! The samples' sound, and the same at other rates.

use std::error::Error;
use std::path::Path;

use oneside::audio::rate::Converter;
use oneside::source::open_file;

/// Filter length of the conversion, at the lower rate.
const TAPS: usize = 128;

/// A stereo file at `rate_hz`, interleaved.
pub fn read(file: &Path, rate_hz: u32) -> Result<Vec<i16>, Box<dyn Error>> {
    let mut recording = open_file(file, None)?;
    assert_eq!((recording.format().rate_hz, recording.format().channels), (rate_hz, 2), "{}", file.display());
    let (mut sound, mut block) = (Vec::new(), vec![0; 8_192]);
    loop {
        match recording.read(&mut block)? {
            0 => return Ok(sound),
            frames => sound.extend_from_slice(&block[..frames * 2]),
        }
    }
}

/// Interleaved stereo at another rate, as long in time.
pub fn at_rate(stereo: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz {
        return stereo.to_vec();
    }
    let sides = [0, 1].map(|side| {
        let plane: Vec<i16> = stereo.iter().skip(side).step_by(2).copied().collect();
        side_at_rate(&plane, from_hz, to_hz)
    });
    sides[0].iter().zip(&sides[1]).flat_map(|(left, right)| [*left, *right]).collect()
}

fn side_at_rate(plane: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    let mut piece = vec![0; (to_hz / 50) as usize];
    let mut converter = Converter::new(from_hz, to_hz, piece.len(), TAPS);
    let whole = converter.output_len(plane.len() as u64) as usize;
    let (delay, silence) = (converter.delay(), vec![0; (from_hz / 50) as usize]);
    let mut out = Vec::with_capacity(whole + delay + piece.len());
    for part in plane.chunks(silence.len()).chain(std::iter::repeat(&silence[..])) {
        converter.push(part);
        while converter.pull(&mut piece) {
            out.extend_from_slice(&piece);
        }
        if out.len() >= whole + delay {
            break;
        }
    }
    out.drain(..delay);
    out.truncate(whole);
    out
}

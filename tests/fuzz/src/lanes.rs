//! Detectors by script: lanes in any number and width, frames of any sound, frames left out, lanes that begin anew. They
//! decide as libfvad does.

use oneside::voice::lanes::{Detectors, Width};
use oneside::voice::{Mode, Speech};
use webrtc_vad::{SampleRate, Vad, VadMode};

use super::bytes::Bytes;

const LANES_MAX: u8 = 20;
const ROUNDS_MAX: usize = 400;

/// The bytes are a script.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mode = bytes.below(4);
    let rate_hz = bytes.pick(&[8_000, 16_000, 32_000]);
    let frame_ms = bytes.pick(&[10, 20, 30]);
    let widths: Vec<Width> = Width::supported().collect();
    let lanes = usize::from(1 + bytes.below(LANES_MAX));
    let width = bytes.pick(&widths);
    let mut detectors = Detectors::with_width(width, lanes, rate_hz, Mode::new(mode).unwrap(), frame_ms);
    let mut vads: Vec<Vad> = (0..lanes).map(|_| reference(rate_hz, mode)).collect();
    let mut frames = vec![vec![0; detectors.samples()]; lanes];
    let mut speech = vec![Speech::default(); lanes];
    for _ in 0..ROUNDS_MAX {
        if bytes.is_empty() {
            break;
        }
        let mut is_left_out = vec![false; lanes];
        for lane in 0..lanes {
            match bytes.byte() {
                0 => is_left_out[lane] = true,
                1 => {
                    detectors.renew(lane);
                    vads[lane] = reference(rate_hz, mode);
                }
                // The frame before once more.
                2..=63 => {}
                what => sound(&mut bytes, what, &mut frames[lane]),
            }
        }
        detectors.decide(|lane| if is_left_out[lane] { &[] } else { &frames[lane] }, &mut speech);
        for lane in 0..lanes {
            let expected = !is_left_out[lane] && vads[lane].is_voice_segment(&frames[lane]).unwrap();
            assert_eq!(speech[lane].0, expected, "{width:?}, mode {mode}, {rate_hz} Hz, {frame_ms} ms, lane {lane}");
        }
    }
}

/// A few words repeated, or noise of a level.
fn sound(bytes: &mut Bytes<'_>, what: u8, frame: &mut [i16]) {
    if what < 160 {
        let words: Vec<i16> = (0..1 + what % 32).map(|_| bytes.word() as i16).collect();
        frame.iter_mut().zip(words.iter().cycle()).for_each(|(sample, &word)| *sample = word);
        return;
    }
    let mut noise = u32::from(bytes.word()) << 8 | 1;
    for sample in frame {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = (noise >> 16) as i16 >> (what % 16);
    }
}

fn reference(rate_hz: u32, mode: u8) -> Vad {
    let rate = SampleRate::try_from(rate_hz as i32).unwrap();
    let mode = match mode {
        0 => VadMode::Quality,
        1 => VadMode::LowBitrate,
        2 => VadMode::Aggressive,
        _ => VadMode::VeryAggressive,
    };
    Vad::new_with_rate_and_mode(rate, mode)
}

//! Detectors by script: lanes in any number and width, frames of any sound, frames left out, lanes that begin anew, runs of
//! one lane of any length. They decide as libfvad does.

use oneside::voice::lanes::{Detectors, Width};
use oneside::voice::{Mode, Speech};
use webrtc_vad::{SampleRate, Vad, VadMode};

use super::bytes::Bytes;

const LANES_MAX: u8 = 20;
const ROUNDS_MAX: usize = 400;
/// Frames of a run, and of all runs together: more than are taken at a time.
const RUN_MAX: usize = 700;
const RUNS_MAX: usize = 4_000;

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
    let mut left = RUNS_MAX;
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
                2..=47 => {}
                48..=63 => {
                    let sounds = sounds(&mut bytes, &frames[lane], left);
                    left -= sounds.len();
                    let mut decided = vec![Speech::default(); sounds.len()];
                    detectors.decide_run(lane, |number| &sounds[number], &mut decided);
                    let decided: Vec<bool> = decided.into_iter().map(|speech| speech.0).collect();
                    let expected: Vec<bool> =
                        sounds.iter().map(|sound| vads[lane].is_voice_segment(sound).unwrap()).collect();
                    assert_eq!(decided, expected, "{width:?}, mode {mode}, {rate_hz} Hz, {frame_ms} ms, a run");
                }
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

/// The frames of a run, at most `left`: some sounds, now this, now that, as their bytes say; the first is `before`.
fn sounds(bytes: &mut Bytes<'_>, before: &[i16], left: usize) -> Vec<Vec<i16>> {
    let count = (usize::from(bytes.word()) % RUN_MAX).min(left);
    let mut kinds = vec![before.to_vec(); 1 + usize::from(bytes.below(4))];
    for kind in &mut kinds[1..] {
        let what = bytes.byte();
        sound(bytes, what, kind);
    }
    let (lasts, mut order, mut at) = (1 + u32::from(bytes.byte()), u32::from(bytes.word()), 0);
    let mut next = |_| {
        order = order.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if (order >> 16).is_multiple_of(lasts) {
            at = (order >> 8) as usize % kinds.len();
        }
        kinds[at].clone()
    };
    (0..count).map(&mut next).collect()
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

//! The detector in lanes over real sound: every recording of the shared folder, each mode, each frame length, decided by
//! all widths as by libfvad.
//!
//! Needs `data/` of the shared folder; see `tones.rs`.

use oneside::voice::lanes::{Detectors, Width};
use oneside::voice::{Bank, Detection, Detector, Mode, Speech};
use webrtc_vad::{SampleRate, Vad, VadMode};

use super::tones::{channels, shared, sounds};

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

/// Every channel of every recording at a rate.
fn voices(rate_hz: u32) -> Vec<Vec<i16>> {
    let Some(data) = shared() else { return Vec::new() };
    let mut paths = Vec::new();
    for folder in ["vad", "calls", "mono", "echo", "dtmf"] {
        sounds(&data.join(folder), &mut paths);
    }
    let read = paths.iter().map(|path| channels(path)).filter(|&(rate, _)| rate == rate_hz);
    read.flat_map(|(_, channels)| channels).collect()
}

#[test]
fn lanes_decide_every_recording_as_libfvad_does() {
    let mut compared = 0;
    for rate_hz in [8_000, 16_000] {
        let voices = voices(rate_hz);
        for (mode, frame_ms) in (0..4).flat_map(|mode| [10, 20, 30].map(|frame_ms| (mode, frame_ms))) {
            compared += decided_alike(&voices, rate_hz, mode, frame_ms);
        }
    }
    println!("{compared} frames");
}

/// The frames that were compared with all widths.
fn decided_alike(voices: &[Vec<i16>], rate_hz: u32, mode: u8, frame_ms: u32) -> usize {
    let samples = (rate_hz / 1_000 * frame_ms) as usize;
    let decided = |voice: &Vec<i16>| -> Vec<bool> {
        let mut vad = reference(rate_hz, mode);
        voice.chunks_exact(samples).map(|frame| vad.is_voice_segment(frame).unwrap()).collect()
    };
    let expected: Vec<Vec<bool>> = voices.iter().map(decided).collect();
    let longest = expected.iter().map(Vec::len).max().unwrap_or(0);
    for width in Width::supported() {
        let mut lanes = Detectors::with_width(width, voices.len(), rate_hz, Mode::new(mode).unwrap(), frame_ms);
        let mut speech = vec![Speech::default(); voices.len()];
        for number in 0..longest {
            let frame = |lane: usize| {
                let is_there = number < expected[lane].len();
                if is_there { &voices[lane][number * samples..(number + 1) * samples] } else { &[] }
            };
            lanes.decide(frame, &mut speech);
            for (lane, expected) in expected.iter().enumerate() {
                let expected = expected.get(number).copied().unwrap_or(false);
                assert_eq!(speech[lane].0, expected, "{width:?}, mode {mode}, {frame_ms} ms, voice {lane} at {number}");
            }
        }
    }
    expected.iter().map(Vec::len).sum()
}

/// What a bank adds, conversion and short last frames, is the same before both detectors.
#[test]
fn a_bank_of_lanes_decides_as_a_bank_of_libfvad() {
    for rate_hz in [8_000, 11_025, 16_000, 32_000, 44_100, 48_000] {
        let samples = rate_hz as usize / 50;
        let mut banks = [
            Bank::new(5, rate_hz, Mode::default()),
            Bank::new(5, rate_hz, Detection { detector: Detector::Webrtc, ..Detection::default() }),
        ];
        let mut spoken = 0;
        for number in 0..400 {
            if number == 150 {
                banks.iter_mut().for_each(|bank| bank.renew(2));
            }
            if number == 250 {
                assert!(banks.iter_mut().all(|bank| bank.grow() == 5));
            }
            let buzz = |lane: usize, at: usize| {
                let time = (number * samples + at) as f64 / f64::from(rate_hz);
                let loud = (time * (3.0 + lane as f64)).sin().max(0.0) * 6_000.0;
                (loud * ((time * 900.0).sin() + (time * 5_100.0).sin() + (time * 15_000.0).sin())) as i16
            };
            let length = |lane: usize| match (lane + number) % 23 {
                0 => 0,
                1 => samples / 3,
                _ => samples,
            };
            let frames: Vec<Vec<i16>> =
                (0..banks[0].lanes()).map(|lane| (0..length(lane)).map(|at| buzz(lane, at)).collect()).collect();
            let frames: Vec<&[i16]> = frames.iter().map(Vec::as_slice).collect();
            let mut speech = [vec![Speech::default(); frames.len()], vec![Speech::default(); frames.len()]];
            for (bank, speech) in banks.iter_mut().zip(&mut speech) {
                bank.decide(&frames, speech);
            }
            assert_eq!(speech[0], speech[1], "{rate_hz} Hz, frame {number}");
            spoken += speech[0].iter().filter(|speech| speech.0).count();
        }
        assert!((100..1_900).contains(&spoken), "{rate_hz} Hz: {spoken}");
    }
}

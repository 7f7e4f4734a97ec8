//! In-band keypad tones over real sound: no key is ever heard in speech, and those that are there are.
//!
//! Needs `data/` of the shared folder (`../shared`, or where `ONESIDE_SHARED` says); without it the tests say so and pass.

use std::fs;
use std::path::{Path, PathBuf};

use oneside::audio::level;
use oneside::audio::narrow::{fold_of, narrow};
use oneside::source::files;
use oneside::voice::{Key, Tones};

use super::skipped::skipped;

/// Hours of speech that no key may be heard in (CON-18).
const HOURS: f64 = 10.0;

pub(super) fn shared() -> Option<PathBuf> {
    shared_folder("data")
}

/// A folder of the shared one, if it is there.
pub(super) fn shared_folder(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("ONESIDE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = shared.join(name);
    if !folder.is_dir() {
        skipped(format!("no {}", folder.display()));
        return None;
    }
    Some(folder)
}

/// Every channel of a file, and the rate.
pub(super) fn channels(path: &Path) -> (u32, Vec<Vec<i16>>) {
    let mut recording = files::open_file(path, None).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (rate_hz, count) = (recording.format().rate_hz, recording.format().channels);
    let (mut block, mut channels) = (vec![0; 16_384 * count], vec![Vec::new(); count]);
    loop {
        let frames = recording.read(&mut block).unwrap();
        if frames == 0 {
            return (rate_hz, channels);
        }
        for (number, channel) in channels.iter_mut().enumerate() {
            channel.extend(block[..frames * count].iter().skip(number).step_by(count));
        }
    }
}

/// Files of sound below a folder, in order.
pub(super) fn sounds(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sounds(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "wav" || ending == "flac") {
            found.push(path);
        }
    }
}

/// The keys that are heard, each with the place of its frame.
fn keys(sound: impl Iterator<Item = i16>, rate_hz: u32) -> (usize, Vec<(f64, Key)>) {
    let (mut tones, mut found, mut at) = (Tones::new(rate_hz), Vec::new(), 0);
    let mut frame = Vec::with_capacity(rate_hz as usize / 50);
    for sample in sound {
        frame.push(sample);
        at += 1;
        if frame.len() == rate_hz as usize / 50 {
            let mut room = None;
            let narrowed = narrow(&frame, &frame, fold_of(rate_hz), &mut room);
            let levels = level::measure_narrowed(&frame, &frame, &narrowed);
            let toned = tones.hear(frame.len(), narrowed.agent, levels.agent);
            found.extend(toned.key.map(|key| (at as f64 / f64::from(rate_hz), key)));
            frame.clear();
        }
    }
    (at, found)
}

#[test]
fn in_hours_of_speech_no_key_is_heard() {
    let Some(data) = shared() else { return };
    let mut paths = Vec::new();
    for folder in ["vad", "calls", "mono", "echo"] {
        sounds(&data.join(folder), &mut paths);
    }
    let (mut seconds, mut round, mut wrong) = (0.0, 0, Vec::new());
    while seconds < HOURS * 3_600.0 {
        // Each round the same voices at another pitch and speed, loudness, and place of the frames' grid.
        let pitch = [1.0, 0.92, 1.09, 0.85, 1.04, 1.17, 0.96, 1.13, 0.88, 1.02, 0.98, 1.07][round % 12];
        let gain = [1.0, 0.5, 2.5, 1.6, 0.25][round % 5];
        for path in &paths {
            if seconds >= HOURS * 3_600.0 {
                break;
            }
            let (rate_hz, channels) = channels(path);
            for channel in &channels {
                let from = round * 37;
                let count = ((channel.len() - from - 1) as f64 / pitch) as usize;
                let shifted = (0..count).map(|number| {
                    let place = from as f64 + number as f64 * pitch;
                    let (whole, part) = (place as usize, place.fract());
                    let sample = f64::from(channel[whole]) * (1.0 - part) + f64::from(channel[whole + 1]) * part;
                    (sample * gain).clamp(-32_768.0, 32_767.0) as i16
                });
                let (samples, found) = keys(shifted, rate_hz);
                seconds += samples as f64 / f64::from(rate_hz);
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                wrong.extend(found.into_iter().map(|(at, key)| format!("{name} at {at:.2} s, pitch {pitch}: {key:?}")));
            }
        }
        round += 1;
    }
    println!("{} h of {} files in {round} rounds: {} keys", seconds / 3_600.0, paths.len(), wrong.len());
    assert!(wrong.is_empty(), "{} keys in {} h:\n{}", wrong.len(), seconds / 3_600.0, wrong.join("\n"));
}

#[test]
fn keys_between_speech_in_noise_and_through_a_telephone_line_are_heard() {
    let Some(data) = shared() else { return };
    for name in ["dtmf_clean_8k", "dtmf_noisy15_8k", "dtmf_short45ms_twist_8k", "dtmf_speech_around_8k"] {
        let labels = fs::read_to_string(data.join(format!("labels/{name}.csv"))).unwrap();
        let expected: String = labels.lines().skip(1).filter_map(|line| line.rsplit(',').next()).collect();
        let (rate_hz, channels) = channels(&data.join(format!("dtmf/{name}.wav")));
        let (_, found) = keys(channels[0].iter().copied(), rate_hz);
        let found: String = found.iter().map(|(_, key)| key.digit).collect();
        assert_eq!(found, expected, "{name}");
    }
}

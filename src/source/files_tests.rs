//! Recordings as they are opened and read.

use std::path::Path;

use super::error::SourceError;
use super::files::{Recording, open, open_file};
use super::inputs::Sound;
use super::raw::RawFormat;
use super::testing::{Scratch, bytes, read_all};
use super::wire::wav_tests::{chunk, fmt, riff, sized};
use crate::split::Finding;

/// A sawtooth that is nowhere the same within a second.
fn saw(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (n as i32 * 7 % 60_000 - 30_000) as i16).collect()
}

fn wav(channels: u16, rate_hz: u32, samples: &[i16]) -> Vec<u8> {
    riff(b"RIFF", &[chunk(b"fmt ", &fmt(1, channels, rate_hz, 16)), chunk(b"data", &bytes(samples))])
}

fn refusal(path: &Path, raw: Option<&RawFormat>) -> String {
    match open_file(path, raw) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_wav_is_read_sample_by_sample_whatever_the_block_size() {
    let scratch = Scratch::new();
    let samples = saw(2 * 50_000);
    let path = scratch.file("call.wav", wav(2, 8_000, &samples));
    let mut recording = open_file(&path, None).unwrap();
    let format = recording.format().clone();
    assert_eq!(
        (format.rate_hz, format.channels, format.frames, format.frames_at_most),
        (8_000, 2, Some(50_000), 50_000)
    );
    assert_eq!(format.encoding, "WAV, 16-bit PCM");
    assert!(read_all(&mut *recording) == samples);
    assert_eq!(recording.read(&mut [0; 8]).unwrap(), 0);
    assert_eq!(recording.findings(), []);
}

#[test]
fn one_large_read_gives_the_whole_recording() {
    let scratch = Scratch::new();
    let samples = saw(2 * 50_000);
    let mut recording = open_file(&scratch.file("call.wav", wav(2, 8_000, &samples)), None).unwrap();
    let mut out = vec![0; 2 * 60_000];
    assert_eq!(recording.read(&mut out).unwrap(), 50_000);
    assert!(out[..samples.len()] == samples);
}

#[test]
fn the_kind_of_a_file_is_told_by_its_content() {
    let scratch = Scratch::new();
    let misnamed = scratch.file("call.mp3", wav(2, 8_000, &saw(200)));
    assert_eq!(open_file(&misnamed, None).unwrap().format().encoding, "WAV, 16-bit PCM");
    let page = scratch.file("page.wav", "<html><body>404</body></html>");
    assert!(refusal(&page, None).contains("page.wav: byte 0: its content is no kind of sound file"));
    let empty = scratch.file("empty.wav", "");
    assert!(refusal(&empty, None).contains("the file is empty (0 bytes)"));
    assert!(refusal(scratch.path(), None).contains("no regular file"));
    assert!(matches!(open_file(&scratch.path().join("none.wav"), None), Err(SourceError::Io { .. })));
}

#[test]
fn raw_sound_needs_its_format_said_and_a_header_that_can_be_read_wins() {
    let scratch = Scratch::new();
    let samples = saw(2 * 1_000);
    let raw = RawFormat::new("s16le", 16_000, 2).unwrap();
    let path = scratch.file("call.raw", [bytes(&samples), vec![9; 3]].concat());
    assert!(refusal(&path, None).contains("--raw s16le|mulaw|alaw"));
    let mut recording = open_file(&path, Some(&raw)).unwrap();
    assert_eq!(recording.format().frames, Some(1_000));
    assert!(read_all(&mut *recording) == samples);
    let proper = scratch.file("call.wav", wav(2, 8_000, &samples));
    assert_eq!(open_file(&proper, Some(&raw)).unwrap().format().rate_hz, 8_000);
    let destroyed = scratch.file("bad.wav", [&b"RIFF\0\0\0\0WAVE"[..], &[0; 88]].concat());
    assert_eq!(open_file(&destroyed, Some(&raw)).unwrap().format().frames, Some(25));
}

#[test]
fn raw_formats_that_cannot_be_are_refused_with_a_remedy() {
    assert!(RawFormat::new("gsm", 8_000, 2).unwrap_err().contains("say s16le, mulaw or alaw"));
    assert!(RawFormat::new("s16le", 4_000, 2).unwrap_err().contains("8000 to 48000 Hz"));
    assert!(RawFormat::new("alaw", 8_000, 9).unwrap_err().contains("1 to 8"));
}

#[test]
fn g711_in_raw_files_is_decoded() {
    let scratch = Scratch::new();
    let path = scratch.file("call.ul", [0xFF, 0x00, 0x80, 0xFF]);
    let mut recording = open_file(&path, Some(&RawFormat::new("mulaw", 8_000, 2).unwrap())).unwrap();
    assert_eq!(read_all(&mut *recording), [0, -32_124, 32_124, 0]);
}

#[test]
fn a_truncated_file_gives_what_is_there_and_says_so() {
    let scratch = Scratch::new();
    let samples = saw(2 * 100);
    let content = riff(b"RIFF", &[chunk(b"fmt ", &fmt(1, 2, 8_000, 16)), sized(b"data", 4_000, &bytes(&samples))]);
    let mut recording = open_file(&scratch.file("call.wav", content), None).unwrap();
    assert!(read_all(&mut *recording) == samples);
    assert_eq!(recording.findings(), [Finding::Truncated { promised: 1_000, found: 100 }]);
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error_that_names_the_place() {
    let scratch = Scratch::new();
    let path = scratch.file("call.wav", wav(2, 8_000, &saw(2 * 50_000)));
    let mut recording = open_file(&path, None).unwrap();
    recording.read(&mut [0; 2 * 100]).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100_000).unwrap();
    let error = loop {
        match recording.read(&mut [0; 2 * 1_000]) {
            Ok(frames) => assert!(frames > 0, "the end was reached without an error"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("byte 100000: the file became shorter"), "{error}");
}

fn pair(scratch: &Scratch, agent: &[i16], customer: &[i16], offset_s: f64) -> Result<Box<dyn Recording>, SourceError> {
    let agent = scratch.file("a.wav", wav(1, 8_000, agent));
    let customer = scratch.file("c.wav", wav(1, 8_000, customer));
    open(&Sound::Pair { agent, customer, offset_s }, None)
}

fn sides(recording: &mut dyn Recording) -> (Vec<i16>, Vec<i16>) {
    let sound = read_all(recording);
    sound.as_chunks::<2>().0.iter().map(|[agent, customer]| (*agent, *customer)).unzip()
}

#[test]
fn a_pair_becomes_one_recording_with_the_agent_on_channel_0() {
    let scratch = Scratch::new();
    let (agent, customer) = (saw(40_000), vec![5; 40_000]);
    let mut recording = pair(&scratch, &agent, &customer, 0.0).unwrap();
    assert_eq!((recording.format().channels, recording.format().frames), (2, Some(40_000)));
    assert!(sides(&mut *recording) == (agent, customer));
    assert_eq!(recording.findings(), []);
}

#[test]
fn the_customer_of_a_pair_is_shifted_and_the_shorter_side_continued_with_silence() {
    let scratch = Scratch::new();
    let mut later = pair(&scratch, &[1, 2, 3, 4, 5], &[7, 8, 9], 0.000_5).unwrap();
    assert_eq!(later.format().frames, Some(7));
    assert_eq!(sides(&mut *later), (vec![1, 2, 3, 4, 5, 0, 0], vec![0, 0, 0, 0, 7, 8, 9]));
    let mut earlier = pair(&scratch, &[1, 2, 3, 4, 5], &[7, 8, 9], -0.000_25).unwrap();
    assert_eq!(sides(&mut *earlier), (vec![1, 2, 3, 4, 5], vec![9, 0, 0, 0, 0]));
    let mut gone = pair(&scratch, &[1, 2], &[7, 8, 9], -1.0).unwrap();
    assert_eq!(sides(&mut *gone), (vec![1, 2], vec![0, 0]));
}

#[test]
fn pairs_that_differ_by_more_than_a_second_are_found_out() {
    let scratch = Scratch::new();
    let just = pair(&scratch, &saw(16_000), &saw(8_000), 0.0).unwrap();
    assert_eq!(just.findings(), []);
    let more = pair(&scratch, &saw(16_001), &saw(8_000), 0.0).unwrap();
    assert_eq!(more.findings(), [Finding::PairLengthsDiffer { agent: 16_001, customer: 8_000 }]);
    let offset = pair(&scratch, &saw(16_001), &saw(8_000), 0.5).unwrap();
    assert_eq!(offset.findings(), []);
}

#[test]
fn two_files_that_are_no_pair_are_refused_with_a_remedy() {
    let scratch = Scratch::new();
    let agent = scratch.file("agent.wav", wav(1, 8_000, &saw(80)));
    let fast = scratch.file("fast.wav", wav(1, 16_000, &saw(80)));
    let stereo = scratch.file("stereo.wav", wav(2, 8_000, &saw(80)));
    let refusal = |customer: &Path, offset_s: f64| {
        let sound = Sound::Pair { agent: agent.clone(), customer: customer.into(), offset_s };
        open(&sound, None).err().expect("no pair").to_string()
    };
    assert!(refusal(&fast, 0.0).contains("their rates differ (8000 and 16000 Hz); bring them to one"));
    assert!(refusal(&stereo, 0.0).contains("1 and 2 channels"));
    assert!(refusal(&agent, f64::NAN).contains("an offset of NaN s cannot be"));
}

/// The shared recordings, where they lie beside the project.
fn shared(path: &str) -> Option<std::path::PathBuf> {
    let root = std::env::var_os("ONESIDE_SHARED").map(Into::into);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let found =
        root.into_iter().chain([beside, above]).map(|root: std::path::PathBuf| root.join(path)).find(|p| p.exists());
    if found.is_none() {
        crate::skipped::skipped(format!("{path} does not lie beside the project"));
    }
    found
}

#[test]
fn the_four_channels_of_rtpengine_are_read() {
    let Some(path) = shared("fixtures/rtpengine_channels_mix_4ch_extensible.wav") else { return };
    let mut recording = open_file(&path, None).unwrap();
    assert_eq!((recording.format().rate_hz, recording.format().channels), (8_000, 4));
    let sound = read_all(&mut *recording);
    assert_eq!(sound.len(), 32_320 * 4);
    let peaks = [0, 1, 2, 3].map(|channel| sound.iter().skip(channel).step_by(4).map(|s| s.unsigned_abs()).max());
    assert!(peaks[0] > Some(10_000) && peaks[1] > Some(10_000), "two tones at -6 dBFS: {peaks:?}");
    assert_eq!(peaks[2..], [Some(0), Some(0)], "two channels that nobody used");
}

#[test]
fn a_flac_recording_is_read_to_its_promised_end_and_its_cut_tail_is_told() {
    let Some(path) = shared("data/calls/real_lca40/real_lca40_bleed20.flac") else { return };
    let mut whole = open_file(&path, None).unwrap();
    let promised = whole.format().frames_at_most;
    assert_eq!((whole.format().rate_hz, whole.format().channels, whole.format().frames), (8_000, 2, None));
    let sound = read_all(&mut *whole);
    assert_eq!((sound.len() as u64, whole.findings()), (promised * 2, vec![]));
    let scratch = Scratch::new();
    let content = std::fs::read(&path).unwrap();
    let mut cut = open_file(&scratch.file("cut.flac", &content[..content.len() / 3]), None).unwrap();
    let rest = read_all(&mut *cut);
    assert!(rest.len() > 1_000 && rest[..] == sound[..rest.len()]);
    assert_eq!(cut.findings(), [Finding::Truncated { promised, found: rest.len() as u64 / 2 }]);
}

#[test]
fn damage_in_the_midst_of_a_flac_recording_is_an_error_that_names_the_time() {
    let Some(path) = shared("data/calls/real_lca40/real_lca40_bleed20.flac") else { return };
    let scratch = Scratch::new();
    let mut content = std::fs::read(&path).unwrap();
    let middle = content.len() / 2;
    content[middle..middle + 40].iter_mut().for_each(|byte| *byte ^= 0x5A);
    let mut recording = open_file(&scratch.file("bad.flac", content), None).unwrap();
    let mut out = vec![0; 1 << 24];
    let message = recording.read(&mut out).expect_err("the damage is found").to_string();
    assert!(message.contains(" s of sound are missing here") || message.contains("malformed"), "{message}");
}

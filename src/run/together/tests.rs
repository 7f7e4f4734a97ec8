//! Detectors that break at one call of several in hand: that call comes to nothing, the others are as if it had not been.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::super::desk::{self, Batch, Watch};
use super::super::job::{Job, JobError, Orders};
use crate::config::{Raw, Sided, resolve};
use crate::source::{Wanted, gather};
use crate::store::testing::Scratch;

const RATE_HZ: u32 = 8_000;
const FRAME: usize = 160;
/// The frame at which detectors break.
const BROKEN: [i16; 4] = [12_345, -23_456, 4_567, -31_234];

/// Panics at [`BROKEN`], in the place of a detector.
pub(super) fn break_at(frame: &[i16]) {
    assert!(!frame.starts_with(&BROKEN), "on purpose, in a test");
}

struct Nobody;

impl Watch for Nobody {
    fn advanced(&self, _input: usize, _frames: u64) {}
    fn finished(&self, _input: usize, _result: &Result<Job, JobError>) {}
}

/// Both sides of a sample, interleaved, from this frame on.
fn sample(from: usize) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/calls/withdrawn.wav");
    let samples = hound::WavReader::open(path).unwrap().into_samples::<i16>();
    samples.map(Result::unwrap).skip(2 * FRAME * from).collect()
}

fn write(path: &Path, rate_hz: u32, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
}

/// What a batch made of the calls in a directory: what failed, and the files that stand, but for its summary.
fn batch(dir: &Path, out: &Path) -> (BTreeMap<String, String>, BTreeMap<String, Vec<u8>>) {
    let raw = Raw { agent_channel: Some("left".into()), jobs: Some(1), ..Raw::default() };
    let settings = resolve(raw, Raw::default(), Raw::default(), Sided::ByKnobs).unwrap();
    let arguments = [dir.to_owned()];
    let inputs = gather(&Wanted { arguments: &arguments, ..Wanted::default() }, &mut &b""[..]).unwrap().inputs;
    let orders = Orders {
        out: out.to_owned(),
        settings,
        raw: None,
        feed: None,
        revoked: HashSet::new(),
        namer: None,
        dispose: false,
    };
    let batch = Batch { orders, inputs, unusable: Vec::new() };
    let outcome = desk::run(&batch, &AtomicBool::new(false), &Nobody).unwrap();
    assert_eq!(outcome.results.len(), batch.inputs.len(), "each input has come to something");
    let failed = outcome.results.iter().filter_map(|(number, result)| match result {
        Err(JobError::Panic(what)) => Some((batch.inputs[*number].name.clone(), what.clone())),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    });
    let files = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap());
    let files = files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()));
    (failed.collect(), files.filter(|(name, _)| name != "batch.json").collect())
}

#[test]
fn a_call_that_breaks_the_detectors_takes_none_of_those_with_it_that_were_decided_beside_it() {
    // Decided together; and one by one, being few.
    for good in [5, 1] {
        let scratch = Scratch::new();
        let [calls, out, expected] = ["calls", "out", "expected"].map(|name| scratch.path().join(name));
        std::fs::create_dir(&calls).unwrap();
        for number in 0..good {
            write(&calls.join(format!("good-{number}.wav")), RATE_HZ, &sample(number * 20));
        }
        write(&calls.join("other-rate.wav"), 2 * RATE_HZ, &sample(0));
        // Where all of them have begun to write, if they are decided together.
        let mut broken = sample(0);
        let at = 2 * FRAME * 120;
        BROKEN.into_iter().enumerate().for_each(|(n, agent)| broken[at + 2 * n] = agent);
        write(&calls.join("broken.wav"), RATE_HZ, &broken);
        let (failed, stands) = batch(&calls, &out);
        assert_eq!(failed, BTreeMap::from([("broken".into(), "on purpose, in a test".into())]));
        std::fs::remove_file(calls.join("broken.wav")).unwrap();
        let (none, expected) = batch(&calls, &expected);
        assert!(none.is_empty(), "{none:?}");
        assert!(expected.len() >= 2 * (good + 1), "{:?}", expected.keys());
        assert!(stands == expected, "{:?}, not {:?}", stands.keys(), expected.keys());
    }
}

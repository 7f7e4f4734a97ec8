//! The obvious program: hound's sample iterator, the same detector, hound's writer. Same outputs as
//! `oneside batch --speech`: the agent's track with silence where nothing is kept, and its speech alone; the same lead-in
//! and tail. No guard, no digest, no manifest, nothing durable, nothing written aside.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use webrtc_vad::{SampleRate, Vad, VadMode};

/// Frames of 20 ms.
const FRAMES_PER_SECOND: usize = 50;
/// 150 ms, in whole frames.
const LEAD_IN_FRAMES: usize = 8;
/// 250 ms, in whole frames.
const TAIL_FRAMES: u32 = 13;

type Writer = WavWriter<BufWriter<File>>;

/// Takes the left channel of a 16-bit stereo call at 8, 16, 32 or 48 kHz into `agent` and `speech`. Returns its sample
/// frames.
pub fn obvious(call: &Path, agent: &Path, speech: &Path) -> Result<u64, hound::Error> {
    let mut reader = WavReader::open(call)?;
    assert_eq!(reader.spec().channels, 2, "the obvious program is for stereo");
    let sample_rate = reader.spec().sample_rate;
    let rate = SampleRate::try_from(sample_rate as i32).expect("a rate of the detector");
    let samples = sample_rate as usize / FRAMES_PER_SECOND;
    let spec = WavSpec { channels: 1, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let (mut agent, mut speech) = (WavWriter::create(agent, spec)?, WavWriter::create(speech, spec)?);
    let mut vad = Vad::new_with_rate_and_mode(rate, VadMode::Aggressive);
    let mut waiting: VecDeque<Vec<i16>> = VecDeque::new();
    let mut tail = 0;
    let mut frame = Vec::with_capacity(samples);
    let mut frames = 0;
    for (number, sample) in reader.samples::<i16>().enumerate() {
        let sample = sample?;
        if number % 2 == 1 {
            continue;
        }
        frames += 1;
        frame.push(sample);
        if frame.len() < samples {
            continue;
        }
        if vad.is_voice_segment(&frame).unwrap_or(false) {
            for waited in waiting.drain(..) {
                keep(&waited, &mut agent, &mut speech)?;
            }
            tail = TAIL_FRAMES + 1;
        }
        let whole = std::mem::replace(&mut frame, Vec::with_capacity(samples));
        if tail > 0 {
            tail -= 1;
            keep(&whole, &mut agent, &mut speech)?;
        } else {
            waiting.push_back(whole);
            if waiting.len() > LEAD_IN_FRAMES {
                drop_oldest(&mut waiting, &mut agent)?;
            }
        }
    }
    while !waiting.is_empty() {
        drop_oldest(&mut waiting, &mut agent)?;
    }
    for _ in &frame {
        agent.write_sample(0i16)?;
    }
    agent.finalize()?;
    speech.finalize()?;
    Ok(frames)
}

fn keep(frame: &[i16], agent: &mut Writer, speech: &mut Writer) -> Result<(), hound::Error> {
    for sample in frame {
        agent.write_sample(*sample)?;
        speech.write_sample(*sample)?;
    }
    Ok(())
}

fn drop_oldest(waiting: &mut VecDeque<Vec<i16>>, agent: &mut Writer) -> Result<(), hound::Error> {
    for _ in waiting.pop_front().unwrap_or_default() {
        agent.write_sample(0i16)?;
    }
    Ok(())
}

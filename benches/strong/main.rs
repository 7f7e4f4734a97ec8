//! The strong baseline: what a capable programmer writes who wants the two outputs fast and knows `webrtc-vad`. Large
//! blocks in and out, one pass, no copy of a sample too many, one thread. The same outputs as the obvious program, with
//! the same lead-in and tail. No guard, no digest, no manifest, nothing durable, nothing written aside.
//!
//!     strong OUT CALL...           each stereo WAV file CALL, or all of a directory → OUT/NAME.agent.wav and
//!                                  OUT/NAME.speech.wav
//!
//! 16-bit and µ-law at 8, 16, 32 and 48 kHz. Of a frame at 48 kHz the detector would hear the first half only: there it
//! decides on a decimation to 8 kHz.

mod decimate;
mod gate;
mod wav;

use std::error::Error;
use std::path::{Path, PathBuf};

use gate::{Decider, Gate};
use wav::{Reader, Writer};

/// Sample frames read at a time.
const BLOCK: usize = 16_384;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("usage: strong OUT CALL...")?;
    std::fs::create_dir_all(&out)?;
    let mut sound = Vec::new();
    for call in calls(arguments)? {
        let name = call.file_stem().unwrap_or_default().to_string_lossy();
        let outputs = [out.join(format!("{name}.agent.wav")), out.join(format!("{name}.speech.wav"))];
        take(&call, &outputs, &mut sound).map_err(|error| format!("{}: {error}", call.display()))?;
    }
    Ok(())
}

/// The files, and those of the directories, in order.
fn calls(arguments: impl Iterator<Item = PathBuf>) -> std::io::Result<Vec<PathBuf>> {
    let mut calls = Vec::new();
    for argument in arguments {
        if !argument.is_dir() {
            calls.push(argument);
            continue;
        }
        let mut inside =
            std::fs::read_dir(argument)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        inside.retain(|path| path.extension().is_some_and(|extension| extension == "wav"));
        inside.sort();
        calls.extend(inside);
    }
    Ok(calls)
}

/// Takes the left channel of a call into its agent's track and its speech. `sound` is room that calls share.
fn take(call: &Path, [agent, speech]: &[PathBuf; 2], sound: &mut Vec<i16>) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::open(call, BLOCK)?;
    let rate_hz = reader.rate_hz();
    let mut outputs = Outputs { agent: Writer::create(agent, rate_hz)?, speech: Writer::create(speech, rate_hz)? };
    let (mut gate, mut decider) = (Gate::default(), Decider::new(rate_hz)?);
    let frame = decider.frame();
    // The left channel of what is not settled: frames that were decided, and behind them what came.
    sound.clear();
    let mut decided = 0;
    while reader.read_left(sound)? {
        for frame in sound[decided * frame..].chunks_exact(frame) {
            gate.hear(decider.is_speech(frame)?);
        }
        let whole = sound.len() / frame;
        let settled = gate.settle(|kept, run| outputs.take(kept, &sound[run.start * frame..run.end * frame]))?;
        sound.drain(..settled * frame);
        decided = whole - settled;
    }
    gate.end();
    let settled = gate.settle(|kept, run| outputs.take(kept, &sound[run.start * frame..run.end * frame]))?;
    outputs.take(false, &sound[settled * frame..])?;
    outputs.agent.finish()?;
    outputs.speech.finish()?;
    Ok(())
}

/// Where a call goes.
struct Outputs {
    agent: Writer,
    speech: Writer,
}

impl Outputs {
    fn take(&mut self, kept: bool, sound: &[i16]) -> std::io::Result<()> {
        if !kept {
            return self.agent.silence(sound.len());
        }
        self.agent.write(sound)?;
        self.speech.write(sound)
    }
}

//! Which frames are speech, and which are kept: speech with its lead-in and tail.

use std::ops::Range;

use webrtc_vad::{SampleRate, Vad, VadMode};

use super::decimate::Decimator;

/// Frames of 20 ms.
const FRAMES_PER_SECOND: u32 = 50;
/// 150 ms, in whole frames.
const LEAD_IN_FRAMES: usize = 8;
/// 250 ms, in whole frames.
const TAIL_FRAMES: usize = 13;

/// The detector, and what stands before it.
pub struct Decider {
    vad: Vad,
    frame: usize,
    decimator: Option<Decimator>,
}

impl Decider {
    /// A detector for calls at `rate_hz`.
    pub fn new(rate_hz: u32) -> Result<Decider, &'static str> {
        let (rate, decimator) = match rate_hz {
            8_000 => (SampleRate::Rate8kHz, None),
            16_000 => (SampleRate::Rate16kHz, None),
            32_000 => (SampleRate::Rate32kHz, None),
            48_000 => (SampleRate::Rate8kHz, Some(Decimator::new())),
            _ => return Err("its rate is not 8, 16, 32 or 48 kHz"),
        };
        let vad = Vad::new_with_rate_and_mode(rate, VadMode::Aggressive);
        Ok(Decider { vad, frame: (rate_hz / FRAMES_PER_SECOND) as usize, decimator })
    }

    /// Samples of a frame.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// Whether the next frame is speech.
    pub fn is_speech(&mut self, frame: &[i16]) -> Result<bool, &'static str> {
        let heard = match &mut self.decimator {
            Some(decimator) => decimator.take(frame),
            None => frame,
        };
        self.vad.is_voice_segment(heard).map_err(|()| "the detector refuses a frame")
    }
}

/// What is kept of the frames that were decided and are not settled.
#[derive(Default)]
pub struct Gate {
    /// Whether each is kept; those behind the last that is may yet be lead-in.
    kept: Vec<bool>,
    /// Frames of tail that are left.
    tail: usize,
    ended: bool,
}

impl Gate {
    /// Takes in the next decision.
    pub fn hear(&mut self, is_speech: bool) {
        if is_speech {
            let from = self.kept.len().saturating_sub(LEAD_IN_FRAMES);
            self.kept[from..].fill(true);
            self.tail = TAIL_FRAMES + 1;
        }
        self.kept.push(self.tail > 0);
        self.tail = self.tail.saturating_sub(1);
    }

    /// Nothing more will come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Hands over, in runs, the frames of which nothing that comes changes anything. How many.
    pub fn settle<E>(&mut self, mut run: impl FnMut(bool, Range<usize>) -> Result<(), E>) -> Result<usize, E> {
        let dropped = self.kept.iter().rev().take_while(|kept| !**kept).count();
        let open = if self.ended { 0 } else { dropped.min(LEAD_IN_FRAMES) };
        let settled = self.kept.len() - open;
        let mut from = 0;
        for frames in self.kept[..settled].chunk_by(|one, next| one == next) {
            run(frames[0], from..from + frames.len())?;
            from += frames.len();
        }
        self.kept.drain(..settled);
        Ok(settled)
    }
}

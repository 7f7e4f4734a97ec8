//! The body of a device's callback. **Real time:** no allocation, no lock, no system call of ours
//! (`tests/hot_path.rs`). Everything is taken when the device is opened.

use std::sync::Arc;

use cpal::{FromSample, Sample};
use crossbeam_channel::Sender;
use zeroize::Zeroize;

use super::heartbeat::Heartbeat;
use crate::audio::align::Cadence;
use crate::ring::{Inlet, Why};

/// Frames that are converted at a time.
const PIECE: usize = 256;
/// A sparse device that resumes so long after its last frame was silent.
const PAUSE_NS: u64 = 20_000_000;
/// A stream that begins anew so long after the last frame leaves a gap.
const BREAK_NS: u64 = 2_000_000;
/// Longest gap that a clock is believed: a day.
const GAP_MAX_NS: u64 = 86_400_000_000_000;

/// What of a device's channels is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// The average of all channels: one side of a call. A stereo microphone is one voice in two channels; the average
    /// keeps its level and takes half of the noise away.
    Average,
    /// The first two channels as they are: both sides of a call.
    Pair,
}

/// Hears what a device captures, and puts it into the ring.
pub struct Ear {
    inlet: Inlet,
    heartbeat: Arc<Heartbeat>,
    mix: Mix,
    channels: usize,
    hz: u64,
    cadence: Cadence,
    piece: [i16; 2 * PIECE],
    frames: u64,
    /// When the last frame in the ring was captured; 0 before the first.
    end_ns: u64,
    anew: bool,
}

impl Ear {
    /// For a device of so many channels. The ring has one channel for [`Mix::Average`], two for [`Mix::Pair`].
    pub fn new(inlet: Inlet, heartbeat: Arc<Heartbeat>, mix: Mix, channels: usize, hz: u32, cadence: Cadence) -> Ear {
        assert!(channels > 0 && (mix == Mix::Average || channels >= 2), "a device has the channels that are heard");
        let hz = u64::from(hz);
        Ear { inlet, heartbeat, mix, channels, hz, cadence, piece: [0; 2 * PIECE], frames: 0, end_ns: 0, anew: true }
    }

    /// Hears a block of interleaved samples whose first frame was captured at `captured_ns`. Wait-free.
    pub fn hear<T: Copy>(&mut self, interleaved: &[T], captured_ns: u64)
    where
        i16: FromSample<T>,
        T: Sample,
    {
        self.leave_out_silence(captured_ns);
        for frames in interleaved.chunks(PIECE * self.channels) {
            let length = frames.len() / self.channels;
            let samples = match self.mix {
                Mix::Average => {
                    for (out, frame) in self.piece.iter_mut().zip(frames.chunks_exact(self.channels)) {
                        let sum: i32 = frame.iter().map(|sample| i32::from(i16::from_sample(*sample))).sum();
                        *out = (sum / self.channels as i32) as i16;
                    }
                    length
                }
                Mix::Pair => {
                    for (out, frame) in self.piece.chunks_exact_mut(2).zip(frames.chunks_exact(self.channels)) {
                        out.copy_from_slice(&[i16::from_sample(frame[0]), i16::from_sample(frame[1])]);
                    }
                    2 * length
                }
            };
            self.inlet.push(&self.piece[..samples]);
        }
        self.piece.zeroize();
        let length = (interleaved.len() / self.channels) as u64;
        self.frames += length;
        self.end_ns = captured_ns.max(1) + length * 1_000_000_000 / self.hz;
        self.heartbeat.beat(length, self.frames, self.end_ns);
    }

    /// Where a sparse device was silent, or a stream began anew, the time in between lies on the line as a gap.
    fn leave_out_silence(&mut self, captured_ns: u64) {
        let anew = std::mem::take(&mut self.anew);
        let limit = match self.cadence {
            _ if anew => BREAK_NS,
            Cadence::Sparse => PAUSE_NS,
            Cadence::Steady => return, // whether it lost sound without a word is for the aligner to find out
        };
        if self.end_ns > 0 && captured_ns > self.end_ns + limit {
            self.skip_until(captured_ns);
        }
    }

    /// Lays a gap up to an instant, if it lies ahead.
    pub(super) fn skip_until(&mut self, nanos: u64) {
        if self.end_ns == 0 {
            return;
        }
        let missing =
            (nanos.saturating_sub(self.end_ns).min(GAP_MAX_NS) as u128 * u128::from(self.hz) / 1_000_000_000) as u64;
        if missing > 0 {
            self.inlet.skip(missing, Why::Source);
            self.frames += missing;
            self.end_ns += missing * 1_000_000_000 / self.hz;
        }
    }

    /// The next block comes from a stream that was opened anew.
    pub(super) fn begin_anew(&mut self) {
        self.anew = true;
        self.heartbeat.begin_anew();
    }

    pub(super) fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    pub(super) fn share_heartbeat(&self) -> Arc<Heartbeat> {
        Arc::clone(&self.heartbeat)
    }

    /// How long so many interleaved samples last.
    pub(super) fn nanos_of(&self, samples: usize) -> u64 {
        (samples / self.channels) as u64 * 1_000_000_000 / self.hz
    }
}

/// An ear that is lent to a stream and comes home when the stream is gone.
pub(super) struct Lent {
    ear: Option<Ear>,
    home: Sender<Ear>,
}

impl Lent {
    pub(super) fn new(ear: Ear, home: Sender<Ear>) -> Lent {
        Lent { ear: Some(ear), home }
    }

    pub(super) fn ear(&mut self) -> &mut Ear {
        self.ear.as_mut().expect("an ear is lent until its stream is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(ear) = self.ear.take() {
            let _ = self.home.try_send(ear); // nobody waits for it when the capture is over
        }
    }
}

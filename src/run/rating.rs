//! A labelled set through the same drive as a batch, into memory instead of a store, and scored.
//!
//! Two things are told apart: what the detector hears on the item's channel, and what would be stored.

use std::path::Path;

use super::drive::{Course, Drive};
use crate::audio::{FRAMES_PER_SECOND, frame_end};
use crate::call::{Outlet, Span};
use crate::consent::{Cleared, Terms, Track};
use crate::evaluate::{Interval, Item, Kind, Outcome, Sound};
use crate::source::{Recording, SourceError, open_file};
use crate::split::{AgentChannel, ChannelMap, Finding};
use crate::voice::hangover::{LEAD_IN_MS, TAIL_MS};
use crate::voice::{Bank, Mode, Speech};

/// Sample frames decoded at a time.
const BLOCK: usize = 16_384;

/// How a set is run.
#[derive(Clone, Copy, Debug)]
pub struct Rating {
    /// The detector's mode.
    pub mode: Mode,
    /// Lead-in, ms.
    pub lead_in_ms: u32,
    /// Tail, ms.
    pub tail_ms: u32,
}

impl Rating {
    /// The program's defaults with this detector mode (0 to 3).
    pub fn new(mode: u8) -> Rating {
        Rating { mode: Mode::new(mode).unwrap_or_default(), lead_in_ms: LEAD_IN_MS, tail_ms: TAIL_MS }
    }

    /// Runs one item, whose decoded sound is `sound`.
    pub fn run(&self, item: &Item, sound: &Sound) -> Result<Outcome, String> {
        // Echo items have no labels of the near end to hold a detector against.
        let voiced = match item.kind {
            Kind::Echo { .. } => None,
            _ => Some(self.voiced(&sound.channel(item.channel)?, sound.rate_hz)),
        };
        let stored = match sound.channels {
            1 => None,
            _ => Some(self.stored(item, sound)?),
        };
        Ok(Outcome { voiced, stored })
    }

    /// Where the detector alone hears speech, seconds.
    fn voiced(&self, samples: &[i16], rate_hz: u32) -> Vec<Interval> {
        let mut bank = Bank::new(1, rate_hz, self.mode);
        let mut intervals: Vec<Interval> = Vec::new();
        let mut from = 0;
        for frame in 0.. {
            let until = (frame_end(frame, rate_hz).0 as usize).min(samples.len());
            if from >= until {
                break;
            }
            let mut speech = [Speech::default()];
            bank.decide(&[&samples[from..until]], &mut speech);
            let (start, end) = (frame as f64 / FRAMES_PER_SECOND as f64, (frame + 1) as f64 / FRAMES_PER_SECOND as f64);
            match intervals.last_mut() {
                _ if !speech[0].0 => {}
                Some(last) if last.until_s == start => last.until_s = end,
                _ => intervals.push(Interval { from_s: start, until_s: end }),
            }
            from = until;
        }
        intervals
    }

    /// What would be stored as the agent's, on the item's time line.
    fn stored(&self, item: &Item, sound: &Sound) -> Result<Vec<i16>, String> {
        let map =
            ChannelMap::new(AgentChannel(item.agent_channel), sound.channels).map_err(|error| error.to_string())?;
        let course = Course {
            name: item.id.clone(),
            map,
            rate_hz: None,
            lead_in_ms: self.lead_in_ms,
            tail_ms: self.tail_ms,
            terms: Terms::default(),
            findings: Vec::new(),
            block: BLOCK,
        };
        let mut out = Memory { samples: vec![0; sound.samples.len() / sound.channels] };
        let drive = Drive::begin(course, Box::new(Decoded::new(sound)), Vec::new());
        drive.through(self.mode.into(), &mut out, |_, _| true).map_err(|error| error.to_string())?;
        Ok(out.samples)
    }
}

/// Decodes a whole file. Only labelled sets, which are short, are held in memory.
pub fn decode(path: &Path) -> Result<Sound, String> {
    let mut recording = open_file(path, None).map_err(|error| error.to_string())?;
    let (channels, rate_hz) = (recording.format().channels, recording.format().rate_hz);
    let mut samples = Vec::new();
    let mut block = vec![0; BLOCK * channels];
    loop {
        match recording.read(&mut block).map_err(|error| error.to_string())? {
            0 => return Ok(Sound { samples, channels, rate_hz }),
            frames => samples.extend_from_slice(&block[..frames * channels]),
        }
    }
}

/// The agent's stored sound, in memory.
struct Memory {
    samples: Vec<i16>,
}

impl Outlet for Memory {
    fn write(&mut self, sound: Cleared<'_>) {
        if sound.track() == Track::Agent {
            let from = sound.at().0 as usize;
            self.samples[from..from + sound.samples().len()].copy_from_slice(sound.samples());
        }
    }

    fn erase_customer(&mut self, _span: Span) {}
}

/// Sound that is decoded already, read as a recording.
struct Decoded<'a> {
    format: crate::source::Format,
    rest: &'a [i16],
}

impl<'a> Decoded<'a> {
    fn new(sound: &'a Sound) -> Decoded<'a> {
        let frames = (sound.samples.len() / sound.channels) as u64;
        let format = crate::source::Format {
            rate_hz: sound.rate_hz,
            channels: sound.channels,
            frames: Some(frames),
            frames_at_most: frames,
            encoding: "decoded".into(),
        };
        Decoded { format, rest: &sound.samples }
    }
}

impl Recording for Decoded<'_> {
    fn format(&self) -> &crate::source::Format {
        &self.format
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, SourceError> {
        let frames = out.len().min(self.rest.len()) / self.format.channels;
        let (now, rest) = self.rest.split_at(frames * self.format.channels);
        out[..now.len()].copy_from_slice(now);
        self.rest = rest;
        Ok(frames)
    }

    fn findings(&self) -> Vec<Finding> {
        Vec::new()
    }
}

//! One recording through one call.
//!
//! Files have no real-time thread to protect, so they bypass the ring: blocks go from the reader straight to the call.
//! Memory is bounded whatever the length: one interleaved block and one plane a side. All of it is wiped.

use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;
use zeroize::Zeroizing;

use super::line::{BLOCK, Line, Sides};
use crate::bleed::Reference;
use crate::call::{Call, Closing, Opening, Outlet};
use crate::consent::{Stamped, Terms, rehearse};
use crate::source::{Recording, SourceError};
use crate::split::{ChannelMap, Delivery, Finding};
use crate::voice::{Bank, Mode};

/// How a recording is taken through its call.
pub struct Drive<'a> {
    /// The call's name.
    pub name: String,
    /// Which channel is whose.
    pub map: ChannelMap,
    /// Output rate; `None`: the recording's.
    pub rate_hz: Option<u32>,
    /// The detector's mode.
    pub mode: Mode,
    /// Lead-in, ms.
    pub lead_in_ms: u32,
    /// Tail, ms.
    pub tail_ms: u32,
    /// The terms of the door.
    pub terms: Terms,
    /// What was found before the call opened.
    pub findings: Vec<Finding>,
    /// Raised when the work is to stop.
    pub stop: &'a AtomicBool,
    /// Told how many sample frames of the input were taken in.
    pub advance: &'a dyn Fn(u64),
}

/// Why a recording did not get through.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The recording cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Whoever asked for it wants it to stop.
    #[error("interrupted")]
    Stopped,
}

impl Drive<'_> {
    /// Takes the recording through a call with these events (placed at the output's rate) into `out`. The outlet's
    /// own errors are the caller's to ask for; `check` is asked once a block whether to go on.
    pub fn run<O: Outlet>(
        self,
        recording: &mut dyn Recording,
        events: Vec<Stamped>,
        out: &mut O,
        mut check: impl FnMut(&O) -> bool,
    ) -> Result<Closing, DriveError> {
        let input_hz = recording.format().rate_hz;
        let rate_hz = self.rate_hz.unwrap_or(input_hz);
        let foreclosed = rehearse(&self.terms, &events);
        let mut call = Call::open(Opening {
            name: self.name,
            rate_hz,
            reference: Reference::Both,
            terms: self.terms,
            foreclosed,
            findings: self.findings,
            lead_in_ms: self.lead_in_ms,
            tail_ms: self.tail_ms,
            reach_ms: 0,
        });
        for event in events {
            call.event(event);
        }
        let mut line = Line::new(rate_hz, Bank::new(1, rate_hz, self.mode));
        let delivery = Delivery::Both(self.map);
        let mut sides = Sides::new(input_hz, rate_hz);
        let mut block = Zeroizing::new(vec![0; BLOCK * self.map.channels()]);
        loop {
            let frames = recording.read(&mut block)?;
            if frames == 0 {
                break;
            }
            sides.take(&delivery, &block[..frames * self.map.channels()]);
            line.settle_whole_frames(&mut call, &mut sides, out);
            (self.advance)(frames as u64);
            if self.stop.load(Ordering::Relaxed) || !check(out) {
                return Err(DriveError::Stopped);
            }
        }
        sides.finish();
        line.settle_whole_frames(&mut call, &mut sides, out);
        line.settle_rest(&mut call, &mut sides, out);
        let mut closing = call.close(out);
        closing.findings.extend(recording.findings());
        Ok(closing)
    }
}

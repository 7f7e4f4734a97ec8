//! One recording through one call, a block at a time.
//!
//! Files have no real-time thread to protect, so they bypass the ring: blocks go from the reader straight to the call.
//! Who has several in hand takes a block of each in and has their speech decided together; who has one decides it by
//! itself ([`Drive::through`]). Memory is bounded whatever the length: one plane a side (three by two threads). All of it is wiped.

use zeroize::{Zeroize, Zeroizing};

use super::line::{Cutter, Sides};
use crate::audio::MediaTime;
use crate::bleed::Reference;
use crate::call::{Call, Closing, Opening, Outlet};
use crate::consent::{Stamped, Terms, rehearse};
use crate::source::{Recording, SourceError};
use crate::split::{ChannelMap, Delivery, Finding};
use crate::voice::{Bank, Detection, Speech};

/// Sample frames that are read at once: 32 KiB of stereo, which a processor's cache still holds when they are taken apart.
const PIECE: usize = 8_192;

/// How a recording is taken through its call.
pub struct Course {
    /// The call's name.
    pub name: String,
    /// Which channel is whose.
    pub map: ChannelMap,
    /// Output rate; `None`: the recording's.
    pub rate_hz: Option<u32>,
    /// Lead-in, ms.
    pub lead_in_ms: u32,
    /// Tail, ms.
    pub tail_ms: u32,
    /// The terms of the door.
    pub terms: Terms,
    /// What was found before the call opened.
    pub findings: Vec<Finding>,
    /// Sample frames taken in at a time.
    pub block: usize,
}

/// A recording on its way through its call.
pub struct Drive<'r> {
    pub(super) intake: Intake<'r>,
    pub(super) call: Call,
}

/// A recording on its way to where it is cut into frames.
pub struct Intake<'r> {
    recording: Box<dyn Recording + 'r>,
    rate_hz: u32,
    block: usize,
    delivery: Delivery,
    pub(super) cutter: Cutter,
    pub(super) sides: Sides,
    /// Nothing more will come: the last frame may be shorter.
    pub(super) ended: bool,
}

/// Interleaved samples on their way from the recording to the sides: one for all that a thread has in hand. The next piece
/// takes the place of the last; it is wiped when a recording is at its end, or fails, and when it is dropped.
#[derive(Default)]
pub struct Block(Zeroizing<Vec<i16>>);

impl Block {
    fn of(&mut self, samples: usize) -> &mut [i16] {
        if self.0.len() < samples {
            self.0 = Zeroizing::new(vec![0; samples]); // not grown: that would leave a copy behind
        }
        &mut self.0[..samples]
    }

    fn wipe(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl<'r> Drive<'r> {
    /// Opens the call of a recording, with these events (placed at the output's rate).
    pub fn begin(course: Course, recording: Box<dyn Recording + 'r>, events: Vec<Stamped>) -> Drive<'r> {
        let input_hz = recording.format().rate_hz;
        let rate_hz = course.rate_hz.unwrap_or(input_hz);
        let foreclosed = rehearse(&course.terms, &events);
        let mut call = Call::open(Opening {
            name: course.name,
            rate_hz,
            reference: Reference::Both,
            terms: course.terms,
            foreclosed,
            findings: course.findings,
            lead_in_ms: course.lead_in_ms,
            tail_ms: course.tail_ms,
            reach_ms: 0,
        });
        if events.is_empty() {
            call.expect_no_event();
        }
        for event in events {
            call.event(event);
        }
        let intake = Intake {
            recording,
            rate_hz,
            block: course.block,
            delivery: Delivery::Both(course.map),
            cutter: Cutter::new(rate_hz),
            sides: Sides::in_blocks(course.block, input_hz, rate_hz),
            ended: false,
        };
        Drive { intake, call }
    }

    /// The recording, where it is cut into frames.
    pub fn intake(&mut self) -> &mut Intake<'r> {
        &mut self.intake
    }

    /// Settles the frames that wait, decided so.
    pub fn settle(&mut self, speech: &[Speech], out: &mut impl Outlet) {
        let Drive { intake: Intake { cutter, sides, ended, .. }, call } = self;
        settle(cutter, sides, *ended, speech, call, out);
    }

    /// Closes the call, when nothing waits and the recording is at its end.
    pub fn close(self, out: &mut impl Outlet) -> Closing {
        let mut closing = self.call.close(out);
        closing.findings.extend(self.intake.findings());
        closing
    }

    /// Takes the whole recording through by itself. `go_on` is told after each block how many sample frames it had, and
    /// says whether to go on: if not, there is no closing.
    pub fn through<O: Outlet>(
        mut self,
        detection: Detection,
        out: &mut O,
        mut go_on: impl FnMut(usize, &O) -> bool,
    ) -> Result<Option<Closing>, SourceError> {
        let ended = self.go_to_its_end(detection, out, &mut go_on)?;
        Ok(ended.then(|| self.close(out)))
    }

    /// The same, but for the closing: whether it came to its end.
    pub(super) fn go_to_its_end<O: Outlet>(
        &mut self,
        detection: Detection,
        out: &mut O,
        go_on: &mut impl FnMut(usize, &O) -> bool,
    ) -> Result<bool, SourceError> {
        let mut bank = Bank::new(1, self.intake.rate_hz, detection);
        let (mut block, mut speech) = (Block::default(), Vec::new());
        while !self.intake.ended {
            let frames = self.intake.take_in(&mut block)?;
            decide_alone(&mut bank, 0, &self.intake, &mut speech);
            self.settle(&speech, out);
            if !go_on(frames, out) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Settles frames of the sides, decided so. `last`: what is left counts as whole.
pub fn settle(
    cutter: &mut Cutter,
    sides: &mut Sides,
    last: bool,
    speech: &[Speech],
    call: &mut Call,
    out: &mut impl Outlet,
) {
    for speech in speech {
        let listened = cutter.listen(MediaTime(u64::MAX), last, call, sides);
        assert!(listened, "a frame waits for each decision");
        cutter.settle(*speech, call, sides, out);
    }
    cutter.let_go(sides);
}

impl Intake<'_> {
    /// The output's rate, Hz.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// What was found wrong with the recording so far.
    pub fn findings(&self) -> Vec<Finding> {
        self.recording.findings()
    }

    /// Takes in the next block. Sample frames of it; 0: the recording is at its end, and what waits now is the last.
    pub fn take_in(&mut self, block: &mut Block) -> Result<usize, SourceError> {
        let channels = self.delivery.channels();
        let mut taken_in = 0;
        while taken_in < self.block {
            let piece = block.of(PIECE.min(self.block - taken_in) * channels);
            match self.recording.read(piece) {
                Ok(0) => break,
                Ok(frames) => {
                    self.sides.take(&self.delivery, &piece[..frames * channels]);
                    taken_in += frames;
                }
                Err(error) => {
                    block.wipe();
                    return Err(error);
                }
            }
        }
        if taken_in == 0 {
            self.ended = true;
            self.sides.finish();
            block.wipe();
        }
        Ok(taken_in)
    }

    /// Frames that wait to be settled.
    pub fn waiting(&self) -> usize {
        self.cutter.waiting(&self.sides, self.ended)
    }

    /// What the detector is to hear of the `number`-th of the frames that wait.
    pub fn heard(&self, number: usize) -> &[i16] {
        self.cutter.ahead(&self.sides, number)
    }
}

/// Decides all frames that wait of one recording, on a lane of the bank.
pub fn decide_alone(bank: &mut Bank, lane: usize, intake: &Intake<'_>, speech: &mut Vec<Speech>) {
    speech.clear();
    speech.resize(intake.waiting(), Speech::default());
    bank.decide_run(lane, |number| intake.heard(number), speech);
}

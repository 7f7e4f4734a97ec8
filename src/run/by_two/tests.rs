//! Two threads make of a recording what one makes, and end as one does: with an error, at a word, in a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::call::{Closing, Span};
use crate::consent::{Cleared, Terms, Track};
use crate::run::drive::Course;
use crate::source::{Format, Recording};
use crate::split::{AgentChannel, ChannelMap, Finding};

/// How a recording ends.
#[derive(Clone, Copy)]
enum End {
    Well,
    Error,
    Panic,
}

/// A recording in memory.
struct Made {
    format: Format,
    left: Vec<i16>,
    end: End,
}

impl Recording for Made {
    fn format(&self) -> &Format {
        &self.format
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, SourceError> {
        let count = out.len().min(self.left.len()) / 2 * 2;
        match self.end {
            End::Error if count == 0 => return Err(SourceError::Shrunk { path: "made".into(), offset: 7 }),
            End::Panic if count == 0 => panic!("on purpose, in a test"),
            _ => {}
        }
        out[..count].copy_from_slice(&self.left[..count]);
        self.left.drain(..count);
        Ok(count / 2)
    }

    fn findings(&self) -> Vec<Finding> {
        vec![Finding::Unfinished]
    }
}

/// What was written: whose, where, and what.
#[derive(Default, PartialEq)]
struct Written {
    pieces: Vec<(Track, u64, Vec<i16>)>,
    panics: bool,
}

impl Outlet for Written {
    fn write(&mut self, sound: Cleared<'_>) {
        assert!(!self.panics, "on purpose, in a test");
        self.pieces.push((sound.track(), sound.at().0, sound.samples().to_vec()));
    }

    fn erase_customer(&mut self, _span: Span) {}
}

/// The drive of both sides of a sample, cut to so many sample frames.
fn drive(frames: usize, rates_hz: [u32; 2], block: usize, end: End) -> Drive<'static> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/calls/withdrawn.wav");
    let sample = hound::WavReader::open(path).unwrap().into_samples::<i16>().map(Result::unwrap);
    let left: Vec<i16> = sample.take(2 * frames).collect();
    let format = Format {
        rate_hz: rates_hz[0],
        channels: 2,
        frames: Some(frames as u64),
        frames_at_most: frames as u64,
        encoding: "made".into(),
    };
    let course = Course {
        name: "made".into(),
        map: ChannelMap::new(AgentChannel(0), 2).unwrap(),
        rate_hz: Some(rates_hz[1]),
        lead_in_ms: 300,
        tail_ms: 500,
        terms: Terms::default(),
        findings: Vec::new(),
        block,
    };
    Drive::begin(course, Box::new(Made { format, left, end }), Vec::new())
}

fn by_two(mut drive: Drive<'_>, out: &mut Written) -> Closing {
    through(&mut drive, Detection::default(), out, |_, _| true).unwrap();
    drive.close(out)
}

#[test]
fn two_threads_make_the_same_as_one() {
    let mut written = 0;
    for rates_hz in [[8_000, 8_000], [16_000, 16_000], [8_000, 11_025], [48_000, 8_000]] {
        for frames in [0, 1, 159, 160, 161, 999, 1_000, 1_001, 4_321, 60_001] {
            for block in [7, 1_000, 81_920] {
                if block == 7 && frames > 5_000 {
                    continue;
                }
                let make = || drive(frames, rates_hz, block, End::Well);
                let (mut one, mut two) = (Written::default(), Written::default());
                let expected = make().through(Detection::default(), &mut one, |_, _| true).unwrap().unwrap();
                let closing = by_two(make(), &mut two);
                assert!(one == two, "{rates_hz:?}, {frames} frames in blocks of {block}: other sound");
                assert_eq!(format!("{closing:?}"), format!("{expected:?}"));
                written += two.pieces.len();
            }
        }
    }
    assert!(written > 1_000, "{written} pieces: the sample holds speech");
}

#[test]
fn a_recording_that_breaks_off_is_an_error() {
    let mut drive = drive(20_000, [8_000; 2], 1_000, End::Error);
    let error = through(&mut drive, Detection::default(), &mut Written::default(), |_, _| true);
    assert!(matches!(error, Err(JobError::Source(SourceError::Shrunk { offset: 7, .. }))), "{error:?}");
}

#[test]
fn it_stops_when_it_is_told_to() {
    let mut drive = drive(60_000, [8_000; 2], 1_000, End::Well);
    let mut blocks = 0;
    let stopped = through(&mut drive, Detection::default(), &mut Written::default(), |_, _| {
        blocks += 1;
        blocks < 5
    });
    assert!(matches!(stopped, Err(JobError::Stopped)), "{stopped:?}");
    assert_eq!(blocks, 5);
}

#[test]
fn a_panic_of_either_thread_is_a_panic_and_no_waiting_for_ever() {
    for (end, panics) in [(End::Well, true), (End::Panic, false)] {
        let mut out = Written { panics, ..Written::default() };
        let mut drive = drive(60_000, [8_000; 2], 1_000, end);
        let ended =
            catch_unwind(AssertUnwindSafe(|| _ = through(&mut drive, Detection::default(), &mut out, |_, _| true)));
        let what = ended.unwrap_err();
        assert_eq!(what.downcast_ref(), Some(&"on purpose, in a test"));
    }
}

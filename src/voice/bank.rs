//! Speech decisions for many calls at once, by the WebRTC voice-activity detector: ours of many lanes ([`lanes`]), or
//! for comparison libfvad through `webrtc-vad`, call by call. Both decide the same.
//!
//! A worker hands the agents' frames of all its calls to one bank; a bank of one is the plain case. The detector hears
//! 8, 16 or 32 kHz as it is; any other rate is converted to 8 kHz first, because at 48 kHz WebRTC looks at the first
//! 10 ms of a frame only.
//!
//! [`lanes`]: super::lanes

use serde::Serialize;
use webrtc_vad::{SampleRate, Vad, VadMode};
use zeroize::Zeroizing;

use super::lanes::Detectors;
use crate::audio::decimate::{DECIMATED_FRAME as NARROW_FRAME, DECIMATED_HZ as NARROW_HZ, Decimator};
use crate::audio::rate::Converter;

const FRAME_MS: u32 = 20;
/// Filter length of the conversion to 8 kHz, samples at 8 kHz (8 ms).
const TAPS: usize = 64;

/// A decision about 20 ms of sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speech(pub bool);

/// How readily the detector says no: WebRTC's aggressiveness, 0 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Mode(u8);

impl Mode {
    /// Mode 0 (quality) to 3 (very aggressive); `None` for any other number.
    pub fn new(mode: u8) -> Option<Mode> {
        (mode <= 3).then_some(Mode(mode))
    }

    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }

    fn webrtc(self) -> VadMode {
        match self.0 {
            0 => VadMode::Quality,
            1 => VadMode::LowBitrate,
            2 => VadMode::Aggressive,
            _ => VadMode::VeryAggressive,
        }
    }
}

impl Default for Mode {
    /// Mode 2: of the four the one that fires least on bleed while still losing no agent (PERFORMANCE figures in the manual).
    fn default() -> Mode {
        Mode(2)
    }
}

/// Which implementation decides. Both decide the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detector {
    /// Ours, of many lanes.
    #[default]
    Lanes,
    /// libfvad through the crate `webrtc-vad`, call by call: the reference.
    Webrtc,
}

/// How speech is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// How readily the detector says no.
    pub mode: Mode,
    /// Which one it is.
    pub detector: Detector,
}

impl From<Mode> for Detection {
    fn from(mode: Mode) -> Detection {
        Detection { mode, ..Detection::default() }
    }
}

/// A bank of detectors, one lane a call. Not `Send`: each worker makes its own.
pub struct Bank {
    lanes: Vec<Lane>,
    seats: Seats,
    rate_hz: u32,
    mode: Mode,
    /// What frames of a run became that could not be heard as they came.
    prepared: Zeroizing<Vec<i16>>,
}

enum Seats {
    Lanes(Detectors),
    Webrtc(Vec<Vad>),
}

/// What stands between a call's frames and its detector.
struct Lane {
    narrowing: Option<Narrowing>,
    frame: Zeroizing<Vec<i16>>,
    /// Whether the detector hears `frame` instead of what came.
    is_prepared: bool,
}

impl Bank {
    /// A bank of `lanes` detectors (0: many calls will come) for calls at `rate_hz`.
    pub fn new(lanes: usize, rate_hz: u32, detection: impl Into<Detection>) -> Bank {
        let Detection { mode, detector } = detection.into();
        let seats = match detector {
            Detector::Lanes => Seats::Lanes(Detectors::new(lanes, heard_hz(rate_hz), mode, FRAME_MS)),
            Detector::Webrtc => Seats::Webrtc((0..lanes).map(|_| reference(rate_hz, mode)).collect()),
        };
        let lanes = (0..lanes).map(|_| Lane::new(rate_hz)).collect();
        Bank { lanes, seats, rate_hz, mode, prepared: Zeroizing::default() }
    }

    /// Lanes in the bank.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Gives a lane to another call: nothing of the one before is remembered.
    pub fn renew(&mut self, lane: usize) {
        self.lanes[lane] = Lane::new(self.rate_hz);
        match &mut self.seats {
            Seats::Lanes(detectors) => detectors.renew(lane),
            Seats::Webrtc(detectors) => detectors[lane] = reference(self.rate_hz, self.mode),
        }
    }

    /// One lane more; its number.
    pub fn grow(&mut self) -> usize {
        self.lanes.push(Lane::new(self.rate_hz));
        match &mut self.seats {
            Seats::Lanes(detectors) => _ = detectors.grow(),
            Seats::Webrtc(detectors) => detectors.push(reference(self.rate_hz, self.mode)),
        }
        self.lanes.len() - 1
    }

    /// Decides one frame (20 ms, the last of a call may be shorter) of each lane. An empty frame leaves its lane as it
    /// is and is no speech. The slices are as long as the bank has lanes.
    pub fn decide(&mut self, frames: &[&[i16]], speech: &mut [Speech]) {
        assert_eq!(frames.len(), self.lanes.len(), "one frame a lane");
        assert_eq!(speech.len(), self.lanes.len(), "one decision a lane");
        for (lane, frame) in self.lanes.iter_mut().zip(frames) {
            lane.prepare(frame);
        }
        let lanes = &self.lanes;
        let heard = |lane: usize| if lanes[lane].is_prepared { lanes[lane].frame.as_slice() } else { frames[lane] };
        match &mut self.seats {
            Seats::Lanes(detectors) => detectors.decide(heard, speech),
            Seats::Webrtc(detectors) => {
                for (lane, (vad, speech)) in detectors.iter_mut().zip(speech).enumerate() {
                    *speech = Speech(!heard(lane).is_empty() && voiced(vad, heard(lane)));
                }
            }
        }
    }

    /// Decides as many frames of one lane, one after the other, as there is room for in `speech`: the same as
    /// [`Bank::decide`] one by one, in less time. `frame` gives each by its number; none is empty.
    pub fn decide_run<'a>(&mut self, lane: usize, frame: impl Fn(usize) -> &'a [i16], speech: &mut [Speech]) {
        let Bank { lanes, seats, prepared, .. } = self;
        let seat = &mut lanes[lane];
        // Whole frames of a rate that the detector hears are heard where they lie.
        let first = speech.iter().enumerate().position(|(number, _)| !seat.hears(frame(number)));
        let plain = first.unwrap_or(speech.len());
        let length = seat.frame.len();
        let needed = (speech.len() - plain) * length;
        if prepared.capacity() < needed {
            *prepared = Zeroizing::new(Vec::with_capacity(needed)); // not grown: that would leave a copy behind
        }
        prepared.clear();
        for number in plain..speech.len() {
            seat.prepare(frame(number));
            prepared.extend_from_slice(if seat.is_prepared { &seat.frame } else { frame(number) });
        }
        let heard = |number: usize| {
            if number < plain { frame(number) } else { &prepared[(number - plain) * length..][..length] }
        };
        match seats {
            Seats::Lanes(detectors) => detectors.decide_run(lane, heard, speech),
            Seats::Webrtc(detectors) => {
                for (number, speech) in speech.iter_mut().enumerate() {
                    *speech = Speech(voiced(&mut detectors[lane], heard(number)));
                }
            }
        }
        prepared.fill(0);
    }
}

/// What makes 8 kHz of another rate.
enum Narrowing {
    /// Of a whole multiple: 24, 40 and 48 kHz.
    Whole(Decimator),
    /// Of any other.
    Any(Converter),
}

impl Lane {
    fn new(rate_hz: u32) -> Lane {
        let narrowing = (heard_hz(rate_hz) != rate_hz).then(|| match Decimator::new(rate_hz) {
            Some(decimator) => Narrowing::Whole(decimator),
            None => Narrowing::Any(narrowing(rate_hz)),
        });
        let length = if narrowing.is_some() { NARROW_FRAME } else { (rate_hz / 50) as usize };
        Lane { narrowing, frame: Zeroizing::new(vec![0; length]), is_prepared: false }
    }

    /// Whether the detector can hear this frame as it came.
    fn hears(&self, frame: &[i16]) -> bool {
        self.narrowing.is_none() && frame.len() == self.frame.len()
    }

    /// Converts or fills up a frame that the detector cannot hear as it came.
    fn prepare(&mut self, frame: &[i16]) {
        self.is_prepared = !frame.is_empty() && !self.hears(frame);
        if !self.is_prepared {
            return;
        }
        match &mut self.narrowing {
            Some(Narrowing::Whole(decimator)) => decimator.hear(frame, &mut self.frame),
            Some(Narrowing::Any(converter)) => {
                converter.push(frame);
                // Too little has come in only for a call's short last frame: its decision is that of the frame before.
                converter.pull(&mut self.frame);
            }
            None => {
                let heard = frame.len().min(self.frame.len());
                self.frame[..heard].copy_from_slice(&frame[..heard]);
                self.frame[heard..].fill(0);
            }
        }
    }
}

/// The rate at which the detector hears a call.
fn heard_hz(rate_hz: u32) -> u32 {
    if matches!(rate_hz, 8_000 | 16_000 | 32_000) { rate_hz } else { NARROW_HZ }
}

fn reference(rate_hz: u32, mode: Mode) -> Vad {
    let rate = match heard_hz(rate_hz) {
        16_000 => SampleRate::Rate16kHz,
        32_000 => SampleRate::Rate32kHz,
        _ => SampleRate::Rate8kHz,
    };
    Vad::new_with_rate_and_mode(rate, mode.webrtc())
}

/// A converter to 8 kHz with so much silence in front that every frame of input gives one of output.
fn narrowing(rate_hz: u32) -> Converter {
    let mut converter = Converter::new(rate_hz, NARROW_HZ, NARROW_FRAME, TAPS);
    let lead = vec![0; converter.input_needed().saturating_sub((rate_hz / 50) as usize) + 2];
    converter.push(&lead);
    converter
}

fn voiced(vad: &mut Vad, frame: &[i16]) -> bool {
    vad.is_voice_segment(frame).expect("the frame has 20 ms at a rate that the detector knows")
}

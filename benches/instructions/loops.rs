//! The loops: what each frame of a call goes through, in pieces and as a whole.

use std::hint::black_box;

use oneside::audio::{Levels, MediaTime, Span, Stereo, level};
use oneside::bleed::{Ear, Reference, Unheard};
use oneside::call::{Call, Opening};
use oneside::split::{AgentChannel, ChannelMap, Delivery, Doubt};
use oneside::voice::lanes::{Detectors, Width};
use oneside::voice::{Bank, Mode, Speech, Tones};

use super::calls::plain::Nowhere;

const RATE_HZ: u32 = 8_000;
const FRAME: usize = 160;
/// Calls decided together.
const LANES: usize = 16;

/// A loop: its name, its frames, and the work.
type Loop<'s> = (String, usize, Box<dyn FnMut() + 's>);

/// Both sides of all samples.
pub struct Sound {
    agent: Vec<i16>,
    customer: Vec<i16>,
    interleaved: Vec<i16>,
}

impl Sound {
    /// Of the samples, interleaved.
    pub fn new(samples: &[Vec<i16>]) -> Sound {
        let interleaved = samples.concat();
        let side = |side: usize| interleaved.iter().skip(side).step_by(2).copied().collect();
        Sound { agent: side(0), customer: side(1), interleaved }
    }

    /// A frame of a lane: each is at another place of the sound.
    fn frame(&self, lane: usize, number: usize, samples: usize) -> &[i16] {
        let whole = self.agent.len() / samples;
        let number = (number + lane * whole / LANES) % whole;
        &self.agent[number * samples..][..samples]
    }

    fn stereo(&self, lane: usize, number: usize) -> Stereo<'_> {
        let whole = self.agent.len() / FRAME;
        let from = (number + lane * whole / LANES) % whole * FRAME;
        let at = MediaTime((number * FRAME) as u64);
        Stereo::new(at, &self.agent[from..from + FRAME], &self.customer[from..from + FRAME])
    }

    fn levels(&self, number: usize) -> Levels {
        let sound = self.stereo(0, number);
        level::measure(sound.agent.samples(), sound.customer.samples())
    }
}

/// All loops, over so many frames each.
pub fn all(sound: &Sound, frames: usize) -> Vec<Loop<'_>> {
    let mut all = Vec::new();
    // AVX-512 has no name here: what counts instructions does not know it.
    for width in [Width::Eight, Width::Four, Width::One] {
        if Width::supported().any(|supported| supported == width) {
            all.push(detector(sound, frames, width));
            all.push(run_of_one(sound, frames, width));
        }
    }
    all.extend([taken_apart(sound, frames), guard(sound, frames), tones(sound, frames)]);
    all.extend([call(sound, frames), calls(sound, frames)]);
    all.extend([16_000, 48_000].map(|rate_hz| heard_at(sound, frames / 4, rate_hz)));
    all
}

/// Decisions for full groups of a width.
fn detector(sound: &Sound, frames: usize, width: Width) -> Loop<'_> {
    let mut detectors = Detectors::with_width(width, LANES, RATE_HZ, Mode::default(), 20);
    let work = move || {
        let mut speech = [Speech::default(); LANES];
        for number in 0..frames / LANES {
            detectors.decide(|lane| sound.frame(lane, number, FRAME), black_box(&mut speech));
        }
    };
    (format!("detector, {width:?}"), frames, Box::new(work))
}

/// Decisions for one call by itself, its frames side by side.
fn run_of_one(sound: &Sound, frames: usize, width: Width) -> Loop<'_> {
    let mut detectors = Detectors::with_width(width, 1, RATE_HZ, Mode::default(), 20);
    let mut speech = vec![Speech::default(); frames];
    let work = move || detectors.decide_run(0, |number| sound.frame(0, number, FRAME), black_box(&mut speech));
    (format!("detector of one call, {width:?}"), frames, Box::new(work))
}

/// The sides of what was delivered, apart.
fn taken_apart(sound: &Sound, frames: usize) -> Loop<'_> {
    let map = ChannelMap::new(AgentChannel(0), 2).expect("there are two channels");
    let delivery = Delivery::Both(map);
    let (mut agent, mut customer) = (Vec::with_capacity(frames * FRAME), Vec::with_capacity(frames * FRAME));
    let work = move || {
        for block in sound.interleaved[..frames * FRAME * 2].chunks(8 * FRAME) {
            delivery.append(block, &mut agent, &mut customer);
        }
        black_box((&agent, &customer));
    };
    ("sides taken apart".into(), frames, Box::new(work))
}

/// Levels, the guard, and doubt.
fn guard(sound: &Sound, frames: usize) -> Loop<'_> {
    let (mut ear, mut doubt) = (Ear::new(Reference::Both), Doubt::default());
    let work = move || {
        for number in 0..frames {
            let levels = sound.levels(number);
            let place = |units: usize| MediaTime((number * FRAME + units * FRAME / 2) as u64);
            let units = [Span::new(place(0), place(1)), Span::new(place(1), place(2))];
            ear.hear(&levels, Unheard::default(), units);
            if number >= Ear::LOOK_FRAMES {
                black_box(ear.answer());
            }
            black_box((doubt.hear(&levels), doubt.is_whole()));
        }
    };
    ("levels, guard and doubt".into(), frames, Box::new(work))
}

/// What is narrow already.
fn halves(side: &[i16]) -> [&[i16]; 2] {
    [&side[..FRAME / 2], &side[FRAME / 2..]]
}

/// Keypad tones on both sides.
fn tones(sound: &Sound, frames: usize) -> Loop<'_> {
    let mut tones = [Tones::new(RATE_HZ), Tones::new(RATE_HZ)];
    let levels: Vec<_> = (0..frames).map(|number| sound.levels(number)).collect();
    let work = move || {
        for (number, levels) in levels.iter().enumerate() {
            let Stereo { agent, customer, .. } = sound.stereo(0, number);
            let [ours, theirs] = &mut tones;
            let ours = ours.hear(FRAME, halves(agent.samples()), levels.agent);
            black_box((ours, theirs.hear(FRAME, halves(customer.samples()), levels.customer)));
        }
    };
    ("tones of both sides".into(), frames, Box::new(work))
}

/// A call but for its detector and its outputs.
fn call(sound: &Sound, frames: usize) -> Loop<'_> {
    let mut call = Call::open(Opening::new("count", RATE_HZ));
    let work = move || {
        for number in 0..frames {
            let frame = sound.stereo(0, number);
            black_box(call.listen(&frame).samples());
            call.settle(&frame, Speech(number % 100 < 50), &mut Nowhere);
        }
    };
    ("call without detector".into(), frames, Box::new(work))
}

/// Sixteen calls, decided together, but for their outputs.
fn calls(sound: &Sound, frames: usize) -> Loop<'_> {
    let mut calls = [(); LANES].map(|()| Call::open(Opening::new("count", RATE_HZ)));
    let mut bank = Bank::new(LANES, RATE_HZ, Mode::default());
    let work = move || {
        let mut speech = [Speech::default(); LANES];
        for number in 0..frames / LANES {
            let frames: [_; LANES] = std::array::from_fn(|lane| sound.stereo(lane, number));
            for (call, frame) in calls.iter_mut().zip(&frames) {
                black_box(call.listen(frame).samples());
            }
            bank.decide(&frames.each_ref().map(|frame| frame.agent.samples()), &mut speech);
            for ((call, frame), speech) in calls.iter_mut().zip(&frames).zip(speech) {
                call.settle(frame, speech, &mut Nowhere);
            }
        }
    };
    ("call, sixteen together".into(), frames, Box::new(work))
}

/// What the bank does with a call at another rate: the same numbers, as if they had been taken faster.
fn heard_at(sound: &Sound, frames: usize, rate_hz: u32) -> Loop<'_> {
    let samples = (rate_hz / 50) as usize;
    let mut bank = Bank::new(LANES, rate_hz, Mode::default());
    let work = move || {
        let mut speech = [Speech::default(); LANES];
        for number in 0..frames / LANES {
            let frames: [_; LANES] = std::array::from_fn(|lane| sound.frame(lane, number, samples));
            bank.decide(&frames, black_box(&mut speech));
        }
    };
    (format!("bank at {rate_hz} Hz"), frames, Box::new(work))
}

//! A call whose tracks are buffered and digested as the store does it, and then let go: what the engine costs without a
//! disk.

use oneside::audio::MediaTime;
use oneside::call::{Call, Opening, Outlet, Span};
use oneside::consent::{Act, Cleared, Decision, Event, Notice, PartyId, Stamped, Track};
use oneside::run::line::{Cutter, Sides};
use oneside::run::live::meter::Meter;
use oneside::store::digest::SoundDigest;
use oneside::store::wav::LIVE_BUFFER_BYTES;
use oneside::voice::Speech;

use super::seats::{FRAME, RATE_HZ, Seat, Sound};

/// Frames that are taken in at a time, at most.
const BLOCK_FRAMES: usize = 50;

/// A call.
pub struct Memory {
    number: usize,
    call: Call,
    line: Cutter,
    sides: Sides,
    meter: Meter,
    out: Tracks,
    placed: usize,
}

impl Memory {
    /// Begins a call.
    pub fn begin(number: usize, is_granted: bool) -> Memory {
        let mut call = Call::open(Opening::new(format!("call-{number}"), RATE_HZ));
        let mut out = Tracks::default();
        for event in yes().into_iter().filter(|_| is_granted) {
            call.take_now(Stamped::placed(MediaTime::ZERO, None, event, RATE_HZ), &mut out);
        }
        let sides = Sides::in_blocks(BLOCK_FRAMES * FRAME, RATE_HZ, RATE_HZ);
        Memory { number, call, line: Cutter::new(RATE_HZ), sides, meter: Meter::default(), out, placed: 0 }
    }
}

impl Seat for Memory {
    fn take_in(&mut self, sound: &Sound, frames: usize) {
        for _ in 0..frames {
            let frame = sound.frame(self.number, self.placed);
            let sides = self.sides.planes();
            sides.into_iter().zip(frame).for_each(|(side, frame)| side.extend_from_slice(frame));
            self.placed += 1;
        }
    }

    fn waiting(&self) -> usize {
        self.line.waiting(&self.sides, false)
    }

    fn heard(&self, number: usize) -> &[i16] {
        self.line.ahead(&self.sides, number)
    }

    fn settle(&mut self, speech: &[Speech]) {
        for speech in speech {
            let listened = self.line.listen(MediaTime(u64::MAX), false, &mut self.call, &mut self.sides);
            assert!(listened, "a frame waits for each decision");
            self.meter.hear(&self.line.sound(&self.sides), *speech);
            self.line.settle(*speech, &mut self.call, &self.sides, &mut self.out);
        }
        self.line.let_go(&mut self.sides);
    }

    fn look_after(&mut self) {}

    fn check(&self) -> Result<(), String> {
        let settled = self.call.position().0;
        let tally = self.call.tally();
        match (self.placed * FRAME) as u64 == settled && tally.agent.written > 0 {
            true => Ok(()),
            false => Err(format!("call {}: {settled} samples, {:?}", self.number, tally.agent)),
        }
    }
}

/// What is said of a call whose customer agrees.
pub fn yes() -> [Event; 2] {
    let notice = Notice { notice: "bench".into(), version: "1".into(), language: None };
    let act = Act::Dtmf { digit: '1' };
    let decision = Decision { party: PartyId::default(), act, purposes: vec!["bench".into()], basis: None };
    [Event::Told { party: None, notice }, Event::Granted(decision)]
}

/// The tracks of a call.
#[derive(Default)]
struct Tracks {
    agent: Buffer,
    customer: Buffer,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    digest: SoundDigest,
    /// Samples so far.
    position: u64,
}

impl Buffer {
    fn push(&mut self, at: u64, samples: &[i16]) {
        // Silence in between, in whole buffers.
        while self.position < at {
            let now = (at - self.position).min((LIVE_BUFFER_BYTES - self.bytes.len()) as u64 / 2);
            self.bytes.resize(self.bytes.len() + now as usize * 2, 0);
            self.position += now;
            self.flush_if_full();
        }
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min((LIVE_BUFFER_BYTES - self.bytes.len()) / 2));
            let from = self.bytes.len();
            self.bytes.resize(from + now.len() * 2, 0);
            let places = self.bytes[from..].as_chunks_mut::<2>().0;
            places.iter_mut().zip(now).for_each(|(place, sample)| *place = sample.to_le_bytes());
            self.position += now.len() as u64;
            self.flush_if_full();
            rest = later;
        }
    }

    fn flush_if_full(&mut self) {
        if self.bytes.len() == LIVE_BUFFER_BYTES {
            self.digest.take(&self.bytes, |_| ());
            self.bytes.clear();
        }
    }
}

impl Outlet for Tracks {
    fn write(&mut self, sound: Cleared<'_>) {
        let track = match sound.track() {
            Track::Agent => &mut self.agent,
            Track::Customer => &mut self.customer,
        };
        track.push(sound.at().0, sound.samples());
    }

    fn erase_customer(&mut self, _span: Span) {}
}

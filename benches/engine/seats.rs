//! Calls in groups of sixteen, whose speech is decided together: in the order in which a shard does it.

use std::sync::Arc;

use oneside::voice::{Bank, Mode, Speech};

pub const RATE_HZ: u32 = 8_000;
/// Samples of 20 ms.
pub const FRAME: usize = 160;
/// Calls that are decided together.
const GROUP: usize = 16;
/// Calls begin over so many frames: what falls due every so many does not fall due for all at once.
const SPREAD: usize = 50;

/// A call in hand.
pub trait Seat {
    /// Takes in so many frames of sound.
    fn take_in(&mut self, sound: &Sound, frames: usize);

    /// Frames that wait.
    fn waiting(&self) -> usize;

    /// What the detector is to hear of one of them.
    fn heard(&self, number: usize) -> &[i16];

    /// Settles them.
    fn settle(&mut self, speech: &[Speech]);

    /// Does what is due after a turn.
    fn look_after(&mut self);

    /// An error if it did not come to what it should.
    fn check(&self) -> Result<(), String>;
}

/// Both sides of all samples; calls share them, and play them from different places.
#[derive(Clone)]
pub struct Sound(Arc<[Vec<i16>; 2]>);

impl Sound {
    /// Of the samples, interleaved.
    pub fn new(samples: &[Vec<i16>]) -> Sound {
        let interleaved = samples.concat();
        let side = |side: usize| interleaved.iter().skip(side).step_by(2).copied().collect();
        Sound(Arc::new([side(0), side(1)]))
    }

    /// Frame `number` of a call: the agent's side, and the customer's.
    pub fn frame(&self, call: usize, number: usize) -> [&[i16]; 2] {
        let whole = self.0[0].len() / FRAME;
        let from = (number + call * 97) % whole * FRAME;
        [&self.0[0][from..from + FRAME], &self.0[1][from..from + FRAME]]
    }
}

struct Group<S> {
    bank: Bank,
    calls: Vec<S>,
    /// What was decided of the frames that wait, call by call.
    speech: Vec<Vec<Speech>>,
}

/// All calls.
pub struct Groups<S> {
    groups: Vec<Group<S>>,
    sound: Sound,
}

impl<S: Seat> Groups<S> {
    /// Seats the calls.
    pub fn new(calls: Vec<S>, sound: &Sound) -> Groups<S> {
        let mut calls = calls.into_iter();
        let mut groups = Vec::new();
        while calls.len() > 0 {
            let calls: Vec<S> = calls.by_ref().take(GROUP).collect();
            let (bank, speech) = (Bank::new(calls.len(), RATE_HZ, Mode::default()), vec![Vec::new(); calls.len()]);
            groups.push(Group { bank, calls, speech });
        }
        Groups { groups, sound: sound.clone() }
    }

    /// Gives each call another number of frames before it is begun to measure.
    pub fn spread(&mut self) {
        for (number, group) in self.groups.iter_mut().enumerate() {
            for (place, call) in group.calls.iter_mut().enumerate() {
                for _ in 0..(number * 7 + place * 3) % SPREAD {
                    call.take_in(&self.sound, 1);
                    settle_alone(&mut group.bank, place, call);
                }
            }
        }
    }

    /// A turn of those groups whose it is: so many frames of each of their calls.
    pub fn turn(&mut self, turn: usize, turns: usize, frames: usize) {
        for group in self.groups.iter_mut().skip(turn).step_by(turns) {
            for call in &mut group.calls {
                call.take_in(&self.sound, frames);
            }
            group.settle();
            group.calls.iter_mut().for_each(Seat::look_after);
        }
    }

    /// Whether every call came to something.
    pub fn check(&self) -> Result<(), String> {
        self.groups.iter().flat_map(|group| &group.calls).try_for_each(Seat::check)
    }
}

/// Settles what is there of one call, on its lane.
fn settle_alone(bank: &mut Bank, lane: usize, call: &mut impl Seat) {
    let mut speech = vec![Speech::default(); call.waiting()];
    bank.decide_run(lane, |number| call.heard(number), &mut speech);
    call.settle(&speech);
}

impl<S: Seat> Group<S> {
    /// Settles every frame that is there: decided together, and then call by call.
    fn settle(&mut self) {
        let Group { bank, calls, speech: decided } = self;
        let mut most = 0;
        for (call, decided) in calls.iter().zip(&mut *decided) {
            decided.clear();
            decided.resize(call.waiting(), Speech::default());
            most = most.max(decided.len());
        }
        for number in 0..most {
            let mut heard: [&[i16]; GROUP] = [&[]; GROUP];
            let waits = calls.iter().zip(&*decided).map(|(call, decided)| (number < decided.len()).then_some(call));
            for (heard, call) in heard.iter_mut().zip(waits).filter_map(|(heard, call)| Some((heard, call?))) {
                *heard = call.heard(number);
            }
            let (mut speech, lanes) = ([Speech::default(); GROUP], calls.len());
            bank.decide(&heard[..lanes], &mut speech[..lanes]);
            for (decided, speech) in decided.iter_mut().zip(speech) {
                if let Some(place) = decided.get_mut(number) {
                    *place = speech;
                }
            }
        }
        calls.iter_mut().zip(decided).for_each(|(call, decided)| call.settle(decided));
    }
}

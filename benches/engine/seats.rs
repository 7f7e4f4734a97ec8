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

    /// Listens to the next frame, if there is one.
    fn listen(&mut self) -> bool;

    /// What the detector is to hear of it.
    fn heard(&self) -> &[i16];

    /// Settles it.
    fn settle(&mut self, speech: Speech);

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
            groups.push(Group { bank: Bank::new(calls.len(), RATE_HZ, Mode::default()), calls });
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
    while call.listen() {
        let mut speech = [Speech::default()];
        bank.decide_run(lane, |_| call.heard(), &mut speech);
        call.settle(speech[0]);
    }
}

impl<S: Seat> Group<S> {
    /// Settles every frame that is there: one of each call at a time, all decided together.
    fn settle(&mut self) {
        loop {
            let mut listens = [false; GROUP];
            for (listens, call) in listens.iter_mut().zip(&mut self.calls) {
                *listens = call.listen();
            }
            if !listens.contains(&true) {
                return;
            }
            let mut heard: [&[i16]; GROUP] = [&[]; GROUP];
            for ((heard, call), _) in heard.iter_mut().zip(&self.calls).zip(listens).filter(|(_, listens)| *listens) {
                *heard = call.heard();
            }
            let (mut speech, lanes) = ([Speech::default(); GROUP], self.calls.len());
            self.bank.decide(&heard[..lanes], &mut speech[..lanes]);
            for ((call, speech), _) in self.calls.iter_mut().zip(speech).zip(listens).filter(|(_, listens)| *listens) {
                call.settle(speech);
            }
        }
    }
}

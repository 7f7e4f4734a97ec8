//! Calls on their shard: those of a group have their speech decided together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::sealing::{Sealing, panic_text};
use super::worker::{Turn, Worked, Worker};
use crate::voice::{Bank, Detection, Speech};

/// A call that is over, for those who seal, and the count in which it stands until it is.
pub(super) type Seal = (Sealing, Result<Worked, String>, Arc<AtomicUsize>);

/// A call for a shard.
pub(super) struct Seated {
    pub(super) key: u64,
    pub(super) worker: Box<Worker>,
    pub(super) sealing: Sealing,
}

/// A call on its shard.
pub(super) struct InHand {
    pub(super) key: u64,
    pub(super) worker: Box<Worker>,
    pub(super) sealing: Sealing,
    turn: Turn,
    /// Nothing will come any more, and what was left has come out.
    drained: bool,
    /// What was decided of the frames that wait.
    speech: Vec<Speech>,
    /// It panicked: what.
    pub(super) broken: Option<String>,
}

impl InHand {
    /// Does something with the call; a panic breaks it and no other.
    pub(super) fn try_to<T>(&mut self, work: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        if self.broken.is_some() {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(|| work(&mut self.worker))) {
            Ok(done) => Some(done),
            Err(panic) => {
                self.break_off(&panic_text(&*panic));
                None
            }
        }
    }

    fn break_off(&mut self, why: &str) {
        self.broken = Some(why.to_owned());
        self.turn = Turn::Over;
        self.speech.clear();
    }

    /// Makes room for the decisions of the frames that wait. How many there are.
    fn await_decisions(&mut self) -> usize {
        if self.turn == Turn::Over && !self.drained {
            self.try_to(Worker::drain);
            self.drained = true;
        }
        let last = self.drained;
        let waiting = self.try_to(|worker| worker.waiting(last)).unwrap_or(0);
        self.speech.clear();
        self.speech.resize(waiting, Speech::default());
        waiting
    }

    /// Settles the frames that were decided.
    fn settle(&mut self) {
        let (speech, last) = (std::mem::take(&mut self.speech), self.drained);
        self.try_to(|worker| worker.settle_run(&speech, last));
        self.speech = speech;
    }
}

/// Calls in a group: the lanes of its bank.
pub(super) const GROUP: usize = 16;
/// Blocks of one call that are taken in one turn: one that catches up does not hold up the others.
const BLOCKS_MAX: usize = 4;

/// Calls at one rate, each on a lane of their bank.
pub(super) struct Group {
    rate_hz: u32,
    /// Their sound is placed by when it arrives.
    pub(super) by_arrival: bool,
    /// Whose turn it is when.
    pub(super) slot: usize,
    detection: Detection,
    bank: Bank,
    calls: [Option<InHand>; GROUP],
}

impl Group {
    /// A group for calls such as this one, whose turn it is at `slot`.
    pub(super) fn for_such_as(call: &Seated, detection: Detection, slot: usize) -> Group {
        let (rate_hz, by_arrival) = (call.worker.rate_hz, call.worker.intake.is_placed_by_arrival());
        Group {
            rate_hz,
            by_arrival,
            slot,
            detection,
            bank: Bank::new(GROUP, rate_hz, detection),
            calls: [const { None }; GROUP],
        }
    }

    /// Whether the call fits in.
    pub(super) fn has_room_for(&self, call: &Seated) -> bool {
        let kind = (call.worker.rate_hz, call.worker.intake.is_placed_by_arrival());
        kind == (self.rate_hz, self.by_arrival) && self.calls.iter().any(Option::is_none)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.iter().all(Option::is_none)
    }

    /// Takes in a call; there must be room. Its lane.
    pub(super) fn seat(&mut self, Seated { key, worker, sealing }: Seated) -> usize {
        let lane = self.calls.iter().position(Option::is_none).expect("there is room");
        self.bank.renew(lane);
        let (turn, drained, speech, broken) = (Turn::Idle, false, Vec::new(), None);
        self.calls[lane] = Some(InHand { key, worker, sealing, turn, drained, speech, broken });
        lane
    }

    pub(super) fn call(&mut self, lane: usize) -> Option<&mut InHand> {
        self.calls[lane].as_mut()
    }

    pub(super) fn any_over(&self) -> bool {
        self.calls.iter().flatten().any(|call| call.turn == Turn::Over)
    }

    /// Calls that are over, which leave.
    pub(super) fn part(&mut self) -> impl Iterator<Item = InHand> + '_ {
        self.calls.iter_mut().filter_map(|call| call.take_if(|call| call.turn == Turn::Over))
    }

    /// What is there of each call is taken in, settled and written, and what is due is done.
    pub(super) fn run(&mut self) {
        for call in self.calls.iter_mut().flatten().filter(|call| call.broken.is_none()) {
            call.turn = Turn::Came;
        }
        for _ in 0..BLOCKS_MAX {
            let mut came = false;
            for call in self.calls.iter_mut().flatten().filter(|call| call.turn == Turn::Came) {
                if let Some(turn) = call.try_to(Worker::take_in) {
                    call.turn = turn;
                    came |= turn == Turn::Came;
                }
            }
            self.settle();
            if !came {
                break;
            }
        }
        for call in self.calls.iter_mut().flatten() {
            call.try_to(Worker::look_after);
        }
    }

    /// Settles every frame that is there: decided together, and then call by call, so that what a call needs is fetched
    /// once and not for each of its frames.
    fn settle(&mut self) {
        let most = self.calls.iter_mut().flatten().map(InHand::await_decisions).max().unwrap_or(0);
        for number in 0..most {
            let mut speech = [Speech::default(); GROUP];
            let Group { bank, calls, .. } = self;
            let decided = catch_unwind(AssertUnwindSafe(|| {
                let heard = calls.each_ref().map(|call| match call {
                    Some(call) if number < call.speech.len() => call.worker.heard(number),
                    _ => &[],
                });
                bank.decide(&heard, &mut speech);
            }));
            if let Err(panic) = decided {
                return self.break_off(&panic_text(&*panic));
            }
            for (call, speech) in self.calls.iter_mut().zip(speech) {
                if let Some(place) = call.as_mut().and_then(|call| call.speech.get_mut(number)) {
                    *place = speech;
                }
            }
        }
        self.calls.iter_mut().flatten().for_each(InHand::settle);
    }

    /// Nobody knows any more what its detectors know: its calls are sealed, and others go on.
    fn break_off(&mut self, why: &str) {
        self.calls.iter_mut().flatten().for_each(|call| call.break_off(why));
        self.bank = Bank::new(GROUP, self.rate_hz, self.detection);
    }
}

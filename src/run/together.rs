//! What one worker of a batch has in hand: up to sixteen calls at a time, a block of each in turn, their speech decided
//! together. A seat that comes free takes the next input; where few are left, each is decided by itself, its own frames
//! side by side.
//!
//! Memory is bounded by the seats, whatever the length of the calls. Calls whose detectors broke are begun anew by
//! themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use super::desk::{Batch, Watch};
use super::drive::{Block, decide_alone};
use super::hardening::raise_open_files;
use super::job::{Job, JobError};
use super::underway::{Begun, Underway};
use crate::voice::{Bank, Speech};

/// Calls that a worker has in hand at most.
pub const SEATS: usize = 16;
/// Files that a call has open at most: two inputs, and its outputs.
const FILES: u64 = 8;
/// Files of the process that are none of a call's.
const OTHER_FILES: u64 = 64;
/// Up to so many are decided one by one: a lane by itself takes about a quarter of what a whole group takes.
const ALONE: usize = 3;
/// Sample frames that are taken in of a call at a time: a second at 8 kHz, so that what sixteen calls have in hand stays in a
/// processor's second cache.
const BLOCK: usize = 8_192;
/// The same where a worker has no more calls than are decided alone: ten seconds, of which each lane gets a good piece.
pub const LONG_BLOCK: usize = 81_920;

/// What became of an input, by its place in the batch.
type Finished = (usize, Result<Job, JobError>);

/// The seats of a worker.
pub struct Together<'a> {
    batch: &'a Batch,
    watch: &'a dyn Watch,
    seats: Vec<Seat<'a>>,
    seats_max: usize,
    banks: Vec<Lanes>,
    block: Block,
}

/// A call in hand.
struct Seat<'a> {
    number: usize,
    underway: Box<Underway<'a>>,
    /// The bank of its rate, and its lane there.
    bank: usize,
    lane: usize,
    speech: Vec<Speech>,
    /// What it came to, when it is over.
    over: Option<Result<(), JobError>>,
}

/// Detectors of one rate.
struct Lanes {
    rate_hz: u32,
    bank: Bank,
    taken: [bool; SEATS],
}

/// How many of so many workers have room within the process's limit of open files, and how many files each may have open,
/// if there is such a limit.
pub fn share_files(workers: usize) -> (usize, Option<u64>) {
    let Some(allowed) = raise_open_files() else { return (workers, None) };
    let files = allowed.saturating_sub(OTHER_FILES);
    let workers = workers.min((files / FILES) as usize).max(1);
    (workers, Some(files / workers as u64))
}

impl<'a> Together<'a> {
    /// Seats for a worker that will get about `calls` calls; `files`: how many it may have open, if that is known.
    pub fn new(batch: &'a Batch, watch: &'a dyn Watch, calls: usize, files: Option<u64>) -> Together<'a> {
        let allowed = files.map_or(SEATS, |files| (files / FILES).min(SEATS as u64) as usize);
        let seats_max = calls.min(allowed).max(1);
        Together { batch, watch, seats: Vec::new(), seats_max, banks: Vec::new(), block: Block::default() }
    }

    /// Whether one more call can be taken in hand.
    pub fn has_room(&self) -> bool {
        self.seats.len() < self.seats_max
    }

    /// Whether nothing is in hand.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Takes an input in hand. Gives what it came to if there was nothing to do, or it could not be begun.
    pub fn seat(&mut self, number: usize) -> Option<Result<Job, JobError>> {
        let block = if self.seats_max <= ALONE { LONG_BLOCK } else { BLOCK };
        let (orders, input) = (&self.batch.orders, &self.batch.inputs[number]);
        match guarded(|| orders.begin(input, block)) {
            Err(error) => Some(Err(error)),
            Ok(Begun::Already(job)) => Some(Ok(job)),
            Ok(Begun::Underway(underway)) => {
                let rate_hz = underway.intake().rate_hz();
                match guarded(|| Ok(self.lane(rate_hz))) {
                    Err(error) => Some(Err(error)),
                    Ok((bank, lane)) => {
                        self.seats.push(Seat { number, underway, bank, lane, speech: Vec::new(), over: None });
                        None
                    }
                }
            }
        }
    }

    /// A free lane for calls at this rate: the number of its bank, and its own.
    fn lane(&mut self, rate_hz: u32) -> (usize, usize) {
        let bank = self.banks.iter().position(|lanes| lanes.rate_hz == rate_hz).unwrap_or_else(|| {
            let settings = &self.batch.orders.settings;
            let lanes = if self.seats_max <= ALONE { self.seats_max } else { SEATS };
            let bank = Bank::new(lanes, rate_hz, settings.detection());
            self.banks.push(Lanes { rate_hz, bank, taken: [false; SEATS] });
            self.banks.len() - 1
        });
        let lanes = &mut self.banks[bank];
        let lane = lanes.taken.iter().position(|taken| !taken).expect("there are as many lanes as seats");
        lanes.taken[lane] = true;
        lanes.bank.renew(lane);
        (bank, lane)
    }

    /// Takes a block of each call through, and gives those that are over.
    pub fn turn(&mut self, stop: &AtomicBool) -> Vec<Finished> {
        let mut over = Vec::new();
        let Together { seats, block, watch, .. } = self;
        for seat in seats.iter_mut() {
            seat.take_in(block, *watch);
        }
        for bank in 0..self.banks.len() {
            let decided = guarded(|| {
                self.decide(bank);
                Ok(())
            });
            if decided.is_err() {
                over.extend(self.one_by_one(bank, stop));
            }
        }
        for seat in self.seats.iter_mut() {
            seat.settle();
            if stop.load(Ordering::Relaxed) {
                seat.over.get_or_insert(Err(JobError::Stopped));
            }
        }
        over.extend(self.part());
        over
    }

    /// Decides what waits of the calls of a bank.
    fn decide(&mut self, bank: usize) {
        let Lanes { bank: detectors, .. } = &mut self.banks[bank];
        let ours = || |seat: &&mut Seat<'_>| seat.bank == bank;
        if self.seats.iter_mut().filter(ours()).count() <= ALONE {
            for seat in self.seats.iter_mut().filter(ours()) {
                let Seat { underway, lane, speech, .. } = seat;
                decide_by_itself(detectors, *lane, underway, speech);
            }
            return;
        }
        let mut by_lane: [Option<&mut Seat<'_>>; SEATS] = [const { None }; SEATS];
        let mut most = 0;
        for seat in self.seats.iter_mut().filter(ours()) {
            let waiting = seat.underway.intake().waiting();
            seat.speech.clear();
            seat.speech.resize(waiting, Speech::default());
            most = most.max(waiting);
            let lane = seat.lane;
            by_lane[lane] = Some(seat);
        }
        for number in 0..most {
            let frames = by_lane.each_ref().map(|seat| match seat {
                Some(seat) if number < seat.speech.len() => heard(&seat.underway, number),
                _ => &[],
            });
            let mut speech = [Speech::default(); SEATS];
            detectors.decide(&frames, &mut speech);
            for (seat, speech) in by_lane.iter_mut().zip(speech) {
                if let Some(place) = seat.as_mut().and_then(|seat| seat.speech.get_mut(number)) {
                    *place = speech;
                }
            }
        }
    }

    /// The calls that are over leave their seats.
    fn part(&mut self) -> Vec<Finished> {
        let over = self.seats.extract_if(.., |seat| seat.over.is_some()).collect::<Vec<_>>();
        let finish = |seat: Seat<'_>| {
            let result = match seat.over {
                Some(Err(error)) => Err(error),
                _ => guarded(|| seat.underway.finish()),
            };
            (seat.number, result)
        };
        for seat in &over {
            self.banks[seat.bank].taken[seat.lane] = false;
        }
        over.into_iter().map(finish).collect()
    }

    /// Nobody knows any more what the detectors of a bank know, nor which call broke them: its calls are begun anew, one
    /// after the other, each with a detector of its own, and only what breaks that comes to nothing. The others wait.
    fn one_by_one(&mut self, bank: usize, stop: &AtomicBool) -> Vec<Finished> {
        let broken = |seat: &mut Seat<'_>| seat.bank == bank && !matches!(seat.over, Some(Err(_)));
        // Their files aside go with the seats.
        let numbers: Vec<usize> = self.seats.extract_if(.., broken).map(|seat| seat.number).collect();
        let Lanes { rate_hz, bank: detectors, taken } = &mut self.banks[bank];
        *detectors = Bank::new(detectors.lanes(), *rate_hz, self.batch.orders.settings.detection());
        *taken = [false; SEATS];
        numbers.into_iter().map(|number| (number, guarded(|| self.by_itself(number, stop)))).collect()
    }

    /// Takes an input through from its beginning to its end. What was told of its progress is not told again.
    fn by_itself(&mut self, number: usize, stop: &AtomicBool) -> Result<Job, JobError> {
        let (orders, input) = (&self.batch.orders, &self.batch.inputs[number]);
        let mut underway = match orders.begin(input, BLOCK)? {
            Begun::Already(job) => return Ok(job),
            Begun::Underway(underway) => underway,
        };
        let mut bank = Bank::new(1, underway.intake().rate_hz(), orders.settings.detection());
        let mut speech = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let frames = underway.take_in(&mut self.block)?;
            decide_by_itself(&mut bank, 0, &underway, &mut speech);
            if !underway.settle(&speech) || frames == 0 {
                return underway.finish();
            }
        }
        Err(JobError::Stopped)
    }
}

/// What the detector is to hear of a frame that waits.
fn heard<'u>(underway: &'u Underway<'_>, number: usize) -> &'u [i16] {
    let frame = underway.intake().heard(number);
    #[cfg(test)]
    tests::break_at(frame);
    frame
}

/// Decides all frames that wait of one call, on a lane of the bank.
fn decide_by_itself(bank: &mut Bank, lane: usize, underway: &Underway<'_>, speech: &mut Vec<Speech>) {
    #[cfg(test)]
    (0..underway.intake().waiting()).for_each(|number| _ = heard(underway, number));
    decide_alone(bank, lane, underway.intake(), speech);
}

impl Seat<'_> {
    fn take_in(&mut self, block: &mut Block, watch: &dyn Watch) {
        match guarded(|| self.underway.take_in(block)) {
            Ok(0) => self.over = Some(Ok(())),
            Ok(frames) => watch.advanced(self.number, frames as u64),
            Err(error) => self.over = Some(Err(error)),
        }
    }

    fn settle(&mut self) {
        if matches!(self.over, Some(Err(_))) {
            return;
        }
        match guarded(|| Ok(self.underway.settle(&self.speech))) {
            Ok(true) => {}
            Ok(false) => self.over = Some(Ok(())),
            Err(error) => self.over = Some(Err(error)),
        }
    }
}

/// A panic in the work on a call is caught: its files aside are gone with it, and the others go on.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, JobError>) -> Result<T, JobError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(JobError::Panic(text.unwrap_or("no message").to_owned()))
    })
}

#[cfg(test)]
mod tests;

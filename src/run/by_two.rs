//! One call by two threads, where a worker has no other and a processor is idle: one thread takes blocks in and decides them, the
//! other settles them. What comes of it is the same to the byte.

use std::panic::resume_unwind;
use std::thread;

use crossbeam_channel as channel;

use super::desk::{Batch, Watch};
use super::drive::{Block, Drive, Intake, decide_alone, settle};
use super::job::{Job, JobError};
use super::line::{Cutter, Sides};
use super::together::{LONG_BLOCK, guarded};
use super::underway::Begun;
use crate::call::Outlet;
use crate::source::SourceError;
use crate::voice::{Bank, Detection, Speech};

/// Blocks on their way between the threads, at most.
const LOTS: usize = 2;

/// Whole frames of a block (at the end, also the rest), decided.
struct Lot {
    sides: Sides,
    speech: Vec<Speech>,
    /// Sample frames that were taken in for it.
    taken_in: usize,
    /// Nothing comes behind it.
    last: bool,
}

/// Takes an input of a batch through. `go_on` says whether to.
pub fn take(batch: &Batch, watch: &dyn Watch, number: usize, go_on: impl Fn() -> bool) -> Result<Job, JobError> {
    guarded(|| match batch.orders.begin(&batch.inputs[number], LONG_BLOCK)? {
        Begun::Already(job) => Ok(job),
        Begun::Underway(underway) => underway.through_by_two(batch.orders.settings.detection(), |frames| {
            watch.advanced(number, frames as u64);
            go_on()
        }),
    })
}

/// Takes a recording to its end through its call, which is left to be closed. `go_on` is told after each block how many
/// sample frames it had, and says whether to go on; if not, that is [`JobError::Stopped`]. Where the system has no thread to
/// spare, this one does it alone.
pub fn through<O: Outlet>(
    drive: &mut Drive<'_>,
    detection: Detection,
    out: &mut O,
    mut go_on: impl FnMut(usize, &O) -> bool,
) -> Result<(), JobError> {
    let (full, filled) = channel::bounded(LOTS);
    let (empty, emptied) = channel::bounded(LOTS);
    let (hand, handed) = channel::bounded::<&mut Intake<'_>>(1);
    for _ in 0..LOTS {
        let lot = Lot { sides: drive.intake.sides.alike(), speech: Vec::new(), taken_in: 0, last: false };
        let _ = empty.send(lot); // there is room for all
    }
    // What it takes along goes with it if it panics: else the other thread would wait for ever.
    let ended = thread::scope(move |scope| {
        let other = move || handed.recv().map_or(Ok(()), |intake| take_in(intake, detection, &emptied, &full));
        let Ok(taking_in) = thread::Builder::new().spawn_scoped(scope, other) else {
            return drive.go_to_its_end(detection, out, &mut go_on);
        };
        let Drive { intake, call } = drive;
        let mut cutter = Cutter::new(intake.rate_hz());
        let _ = hand.send(intake); // it waits for it
        let mut ended = false;
        for mut lot in filled {
            settle(&mut cutter, &mut lot.sides, lot.last, &lot.speech, call, out);
            ended = lot.last;
            if !go_on(lot.taken_in, out) {
                ended = false;
                break;
            }
            let _ = empty.send(lot); // at the end nobody takes it any more
        }
        drop(empty);
        taking_in.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok(ended)
    })?;
    if ended { Ok(()) } else { Err(JobError::Stopped) }
}

/// Fills lots until the recording ends, or nobody settles them any more.
fn take_in(
    intake: &mut Intake<'_>,
    detection: Detection,
    emptied: &channel::Receiver<Lot>,
    full: &channel::Sender<Lot>,
) -> Result<(), SourceError> {
    let mut bank = Bank::new(1, intake.rate_hz(), detection);
    let mut block = Block::default();
    while !intake.ended {
        let Ok(mut lot) = emptied.recv() else { return Ok(()) };
        lot.taken_in = intake.take_in(&mut block)?;
        lot.last = intake.ended;
        decide_alone(&mut bank, 0, intake, &mut lot.speech);
        let Intake { cutter, sides, ended, .. } = intake;
        let samples = cutter.pass(lot.speech.len(), sides, *ended);
        sides.hand_over(samples, &mut lot.sides);
        if full.send(lot).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

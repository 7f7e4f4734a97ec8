//! A call on a thread of its own: a pipe's, a workstation's.

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::ask::Asked;
use super::worker::{TICK, Turn, Worked, Worker};
use crate::voice::{Bank, Speech};

/// Drives a call to its end. `bank`: of one lane.
pub fn run(mut worker: Worker, mut bank: Bank, asks: &Receiver<(u64, Asked)>) -> Worked {
    let mut speech = Vec::new();
    loop {
        while let Ok((_, asked)) = asks.try_recv() {
            worker.answer(asked);
        }
        let turn = worker.take_in();
        settle(&mut worker, &mut bank, &mut speech, false);
        worker.look_after();
        match turn {
            Turn::Over => break,
            Turn::Came => {}
            Turn::Idle => match asks.recv_timeout(TICK) {
                Ok((_, asked)) => worker.answer(asked),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
            },
        }
    }
    worker.drain();
    settle(&mut worker, &mut bank, &mut speech, true);
    // What was asked in the last moment is still put on the record.
    while let Ok((_, asked)) = asks.try_recv() {
        worker.answer(asked);
    }
    worker.finish()
}

fn settle(worker: &mut Worker, bank: &mut Bank, speech: &mut Vec<Speech>, last: bool) {
    speech.clear();
    speech.resize(worker.waiting(last), Speech::default());
    bank.decide_run(0, |number| worker.heard(number), speech);
    worker.settle_run(speech, last);
}

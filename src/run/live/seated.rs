//! A call on its shard, and the detectors of those at one rate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::sealing::{Sealing, panic_text};
use super::worker::{Turn, Worked, Worker};
use crate::voice::{Bank, Speech};

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
    /// Its rate, and its lane in the bank of that rate.
    pub(super) rate_hz: u32,
    pub(super) lane: usize,
    pub(super) turn: Turn,
    /// Nothing will come any more, and what was left has come out.
    pub(super) drained: bool,
    /// A frame of it is in hand.
    pub(super) listens: bool,
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

    pub(super) fn break_off(&mut self, why: &str) {
        self.broken = Some(why.to_owned());
        self.turn = Turn::Over;
        self.listens = false;
    }
}

/// The detectors of the calls at one rate.
pub(super) struct Lanes {
    pub(super) bank: Bank,
    pub(super) free: Vec<usize>,
    pub(super) speech: Vec<Speech>,
}

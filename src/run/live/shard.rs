//! Many calls on few threads: each shard is one thread with its calls, which drains them, has the speech of all of them
//! decided by one bank, and writes what was cleared.
//!
//! A panic in a call ends the recording of that call alone. What is asked of a call is answered between two sweeps, by
//! the thread that has it. Calls that are over are sealed by a thread of their own: that waits for the disk.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, unbounded};

use super::ask::{Asked, Asks};
use super::sealing::{Sealing, panic_text};
use super::seated::{InHand, Lanes, Seal, Seated};
use super::sweeps::Sweeps;
use super::worker::{Paces, Turn, Worker};
use crate::voice::bank::Mode;
use crate::voice::{Bank, Speech};

/// How often a shard sweeps its calls: a frame of telephone sound.
pub const SWEEP: Duration = Duration::from_millis(20);
/// How often the calls of a shard are looked after: a kill loses this and the holdback (SEC-05).
pub const PACES: Paces = Paces { checkpoint: Duration::from_millis(450), publish: Duration::from_millis(450) };
/// What may be asked of the calls of a shard and wait.
const ASKS_MAX: usize = 16_384;
/// Blocks of one call that are taken in one sweep: one that catches up does not hold up the others.
const BLOCKS_MAX: usize = 8;
/// How long what is asked of a call waits until the call has its seat.
const EARLY: Duration = Duration::from_millis(200);

/// The shards of a process.
pub struct Shards {
    shards: Vec<Shard>,
    key: AtomicU64,
    /// Held while a place is counted: two that begin at once must not both take the last one.
    counting: Mutex<()>,
    /// How long sweeps took.
    pub sweeps: Arc<Sweeps>,
    sealers: Vec<JoinHandle<()>>,
}

struct Shard {
    calls: Option<Sender<Seated>>,
    asks: Sender<(u64, Asked)>,
    load: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// A place on a shard for a call that is being begun. Dropped, it is given back.
pub struct Seat<'a> {
    shard: &'a Shard,
    key: u64,
    taken: bool,
}

impl Shards {
    /// Starts `count` shards whose calls are decided by a detector of this mode, and as many threads that seal.
    pub fn start(count: usize, mode: Mode) -> std::io::Result<Shards> {
        let sweeps = Arc::new(Sweeps::default());
        let (seals, to_seal) = unbounded::<Seal>();
        let mut shards = Vec::new();
        for number in 0..count.max(1) {
            let (calls, seated) = unbounded();
            let (asks, asked) = bounded(ASKS_MAX);
            let load = Arc::new(AtomicUsize::new(0));
            let (sweeps, seals, freed) = (Arc::clone(&sweeps), seals.clone(), Arc::clone(&load));
            let thread = std::thread::Builder::new()
                .name(format!("shard-{number}"))
                .spawn(move || Floor::new(mode, sweeps, seals, freed).run(&seated, &asked))?;
            shards.push(Shard { calls: Some(calls), asks, load, thread: Some(thread) });
        }
        let mut sealers = Vec::new();
        for number in 0..count.max(1) {
            let to_seal = to_seal.clone();
            let seal = move || {
                for (sealing, worked, load) in to_seal.iter() {
                    sealing.seal(worked);
                    // A call counts until it stands: what waits for a slow disk is bounded.
                    load.fetch_sub(1, Ordering::AcqRel);
                }
            };
            sealers.push(std::thread::Builder::new().name(format!("seal-{number}")).spawn(seal)?);
        }
        Ok(Shards { shards, key: AtomicU64::new(1), counting: Mutex::default(), sweeps, sealers })
    }

    /// Calls that have a place, those that are being sealed among them.
    pub fn calls(&self) -> usize {
        self.shards.iter().map(|shard| shard.load.load(Ordering::Acquire)).sum()
    }

    /// A place on the shard with the fewest calls, if fewer than `calls_max` have one.
    pub fn seat(&self, calls_max: usize) -> Option<Seat<'_>> {
        let _counting = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.calls() >= calls_max {
            return None;
        }
        let shard = self.shards.iter().min_by_key(|shard| shard.load.load(Ordering::Acquire));
        let shard = shard.expect("there is a shard");
        shard.load.fetch_add(1, Ordering::AcqRel);
        Some(Seat { shard, key: self.key.fetch_add(1, Ordering::Relaxed), taken: false })
    }

    /// Waits until every call is sealed, at most until `deadline`. Calls must have been told to end. Whether all are.
    pub fn finish(mut self, deadline: Instant) -> bool {
        self.shards.iter_mut().for_each(|shard| drop(shard.calls.take()));
        let threads = self.shards.iter_mut().filter_map(|shard| shard.thread.take());
        let threads: Vec<_> = threads.chain(self.sealers.drain(..)).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl Seat<'_> {
    /// Where what is asked of the call goes.
    pub fn asks(&self) -> Asks {
        Asks { to: self.shard.asks.clone(), key: self.key }
    }

    /// Gives the call to the shard.
    pub fn take(mut self, worker: Worker, sealing: Sealing) {
        self.taken = true;
        let seated = Seated { key: self.key, worker: Box::new(worker), sealing };
        if let Some(calls) = &self.shard.calls
            && let Err(refused) = calls.send(seated)
        {
            // The shard is gone, as after a panic outside of a call: what was begun is sealed as it is.
            self.shard.load.fetch_sub(1, Ordering::AcqRel);
            let Seated { sealing, worker, .. } = refused.into_inner();
            drop(worker);
            sealing.seal(Err("its worker is gone".into()));
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if !self.taken {
            self.shard.load.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// A shard's thread and what it has.
struct Floor {
    mode: Mode,
    calls: Vec<InHand>,
    lanes: BTreeMap<u32, Lanes>,
    sweeps: Arc<Sweeps>,
    seals: Sender<Seal>,
    load: Arc<AtomicUsize>,
    /// What was asked of calls that are not known here: until when that may be because it is too early.
    early: Vec<(Instant, u64, Asked)>,
}

impl Floor {
    fn new(mode: Mode, sweeps: Arc<Sweeps>, seals: Sender<Seal>, load: Arc<AtomicUsize>) -> Floor {
        Floor { mode, calls: Vec::new(), lanes: BTreeMap::new(), sweeps, seals, load, early: Vec::new() }
    }

    fn run(mut self, seated: &Receiver<Seated>, asks: &Receiver<(u64, Asked)>) {
        let mut closing = false;
        while !closing || !self.calls.is_empty() {
            let began = Instant::now();
            closing |= self.seat_all(seated);
            while let Ok((key, asked)) = asks.try_recv() {
                self.seat_all(seated);
                self.answer(key, asked);
            }
            self.answer_early();
            self.sweep(asks);
            if !self.calls.is_empty() {
                self.sweeps.add(began.elapsed());
            }
            self.wait(began + SWEEP, seated, asks);
        }
    }

    /// Waits for the next sweep; what is asked is answered meanwhile.
    fn wait(&mut self, until: Instant, seated: &Receiver<Seated>, asks: &Receiver<(u64, Asked)>) {
        loop {
            match asks.recv_deadline(until) {
                Ok((key, asked)) => {
                    self.seat_all(seated);
                    self.answer(key, asked);
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => return std::thread::sleep(SWEEP),
            }
        }
    }

    /// Seats the calls that have come: before anything is answered, for what is said of a call right after it began must not
    /// find it unknown. Whether none will come any more.
    fn seat_all(&mut self, seated: &Receiver<Seated>) -> bool {
        loop {
            match seated.try_recv() {
                Ok(call) => {
                    self.seat(call);
                    // In the order in which it was said.
                    self.answer_early();
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn seat(&mut self, Seated { key, worker, sealing }: Seated) {
        let (mode, rate_hz) = (self.mode, worker.rate_hz);
        let lanes = self.lanes.entry(rate_hz).or_insert_with(|| Lanes {
            bank: Bank::new(0, rate_hz, mode),
            free: Vec::new(),
            speech: Vec::new(),
        });
        let lane = match lanes.free.pop() {
            Some(lane) => {
                lanes.bank.renew(lane);
                lane
            }
            None => {
                lanes.speech.push(Speech::default());
                lanes.bank.grow()
            }
        };
        // Keys grow, so the calls stay in their order.
        self.calls.push(InHand {
            key,
            worker,
            sealing,
            rate_hz,
            lane,
            turn: Turn::Idle,
            drained: false,
            listens: false,
            broken: None,
        });
        if self.calls.iter().rev().nth(1).is_some_and(|before| before.key > key) {
            self.calls.sort_by_key(|call| call.key);
        }
    }

    fn answer(&mut self, key: u64, asked: Asked) {
        match self.calls.binary_search_by_key(&key, |call| call.key) {
            Ok(index) => drop(self.calls[index].try_to(|worker| worker.answer(asked))),
            // It is over, or it has not been seated yet: the desk knows it a moment earlier.
            Err(_) => self.early.push((Instant::now() + EARLY, key, asked)),
        }
    }

    /// What was asked too early is asked again; who asked too late is told so by what is dropped.
    fn answer_early(&mut self) {
        let now = Instant::now();
        for (until, key, asked) in std::mem::take(&mut self.early) {
            match self.calls.binary_search_by_key(&key, |call| call.key) {
                Ok(index) => drop(self.calls[index].try_to(|worker| worker.answer(asked))),
                Err(_) if now < until => self.early.push((until, key, asked)),
                Err(_) => {}
            }
        }
    }

    fn sweep(&mut self, asks: &Receiver<(u64, Asked)>) {
        for call in self.calls.iter_mut().filter(|call| call.broken.is_none()) {
            call.turn = Turn::Came;
        }
        for _ in 0..BLOCKS_MAX {
            let mut came = false;
            for call in self.calls.iter_mut().filter(|call| call.turn == Turn::Came) {
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
        for call in &mut self.calls {
            call.try_to(Worker::look_after);
        }
        self.part(asks);
    }

    /// Settles every frame that is there: a frame of each call at a time, all decided together.
    fn settle(&mut self) {
        loop {
            let mut any = false;
            for call in &mut self.calls {
                if call.turn == Turn::Over && !call.drained {
                    call.try_to(Worker::drain);
                    call.drained = true;
                }
                let last = call.drained;
                call.listens = call.try_to(|worker| worker.listen(last)).unwrap_or(false);
                any |= call.listens;
            }
            if !any {
                return;
            }
            let mut broken = None;
            for (rate_hz, lanes) in &mut self.lanes {
                let mut frames: Vec<&[i16]> = vec![&[]; lanes.bank.lanes()];
                for call in self.calls.iter().filter(|call| call.rate_hz == *rate_hz && call.listens) {
                    frames[call.lane] = call.worker.heard();
                }
                let decided = catch_unwind(AssertUnwindSafe(|| lanes.bank.decide(&frames, &mut lanes.speech)));
                if let Err(panic) = decided {
                    broken = Some((*rate_hz, panic_text(&*panic)));
                }
            }
            if let Some((rate_hz, why)) = broken {
                // Nobody knows any more what its detectors know: its calls are sealed, and others go on.
                self.calls.iter_mut().filter(|call| call.rate_hz == rate_hz).for_each(|call| call.break_off(&why));
                self.lanes.remove(&rate_hz);
            }
            for call in self.calls.iter_mut().filter(|call| call.listens) {
                let speech = self.lanes[&call.rate_hz].speech[call.lane];
                call.try_to(|worker| worker.settle(speech));
            }
        }
    }

    /// Calls that are over leave the shard and are sealed.
    fn part(&mut self, asks: &Receiver<(u64, Asked)>) {
        if self.calls.iter().all(|call| call.turn != Turn::Over) {
            return;
        }
        // What was said before its streams ended may have been a no.
        while let Ok((key, asked)) = asks.try_recv() {
            self.answer(key, asked);
        }
        let (over, going): (Vec<_>, Vec<_>) = self.calls.drain(..).partition(|call| call.turn == Turn::Over);
        self.calls = going;
        for call in over {
            if let Some(lanes) = self.lanes.get_mut(&call.rate_hz) {
                lanes.free.push(call.lane);
            }
            let InHand { worker, sealing, broken, .. } = call;
            worker.tell_over();
            let worked = match broken {
                None => catch_unwind(AssertUnwindSafe(|| worker.finish())).map_err(|panic| panic_text(&*panic)),
                Some(why) => {
                    drop(worker);
                    Err(why)
                }
            };
            // The sealers live as long as the shards.
            let _ = self.seals.send((sealing, worked, Arc::clone(&self.load)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_begin_at_once_one_gets_the_last_place() {
        const ROUNDS: usize = 20_000;
        let shards = Shards::start(3, Mode::new(0).unwrap()).unwrap();
        let (arrived, seated) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // They wait awake: who has to be woken comes too late to meet anybody.
        let meet = |all: usize| {
            arrived.fetch_add(1, Ordering::AcqRel);
            for waited in 0_u32.. {
                match arrived.load(Ordering::Acquire) >= all {
                    true => return,
                    false if waited > 1_000 => std::thread::yield_now(),
                    false => std::hint::spin_loop(),
                }
            }
        };
        let one = || {
            for round in 0..ROUNDS {
                meet(6 * round + 2);
                let seat = shards.seat(1);
                seated.fetch_add(usize::from(seat.is_some()), Ordering::AcqRel);
                meet(6 * round + 4); // the place is given back when both have asked
                drop(seat);
                meet(6 * round + 6);
            }
        };
        std::thread::scope(|scope| drop((scope.spawn(one), scope.spawn(one))));
        assert_eq!((seated.into_inner(), shards.calls()), (ROUNDS, 0));
        assert!(shards.finish(Instant::now() + Duration::from_secs(5)));
    }
}

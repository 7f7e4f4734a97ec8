//! Many calls on few threads: each shard is one thread with its calls, which drains them, has the speech of all of them
//! decided by one bank, and writes what was cleared.
//!
//! A panic in a call ends the recording of that call alone. What is asked of a call is answered between two sweeps, by
//! the thread that has it. Calls that are over are sealed by a thread of their own: that waits for the disk.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, unbounded};

use super::ask::{Asked, Asks};
use super::sealing::{Sealing, panic_text};
use super::worker::{Paces, Turn, Worked, Worker};
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
/// Sweeps longer than this are told apart no more, ms.
const SWEEP_MAX_MS: usize = 256;

/// Figures of one shard or of all.
#[derive(Debug)]
pub struct Sweeps([AtomicU64; SWEEP_MAX_MS]);

impl Default for Sweeps {
    fn default() -> Sweeps {
        Sweeps([const { AtomicU64::new(0) }; SWEEP_MAX_MS])
    }
}

impl Sweeps {
    fn add(&self, took: Duration) {
        self.0[(took.as_millis() as usize).min(SWEEP_MAX_MS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// Sweeps so far, and the time that 50, 99 and 100 of 100 of them did not exceed, ms.
    pub fn figures(&self) -> (u64, [u32; 3]) {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let within = |per_cent: u64| {
            let mut left = (all * per_cent).div_ceil(100);
            let at = counts.iter().position(|count| {
                left = left.saturating_sub(*count);
                left == 0
            });
            at.map_or(0, |ms| ms as u32 + 1)
        };
        if all == 0 { (0, [0; 3]) } else { (all, [within(50), within(99), within(100)]) }
    }
}

/// A call for a shard.
struct Seated {
    key: u64,
    worker: Worker,
    sealing: Sealing,
}

/// The shards of a process.
pub struct Shards {
    shards: Vec<Shard>,
    key: AtomicU64,
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
        let (seals, to_seal) = unbounded::<(Sealing, Result<Worked, String>)>();
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
            let seal = move || to_seal.iter().for_each(|(sealing, worked)| sealing.seal(worked));
            sealers.push(std::thread::Builder::new().name(format!("seal-{number}")).spawn(seal)?);
        }
        Ok(Shards { shards, key: AtomicU64::new(1), sweeps, sealers })
    }

    /// Calls that have a place, those that are being sealed not among them.
    pub fn calls(&self) -> usize {
        self.shards.iter().map(|shard| shard.load.load(Ordering::Acquire)).sum()
    }

    /// A place on the shard with the fewest calls.
    pub fn seat(&self) -> Seat<'_> {
        let shard = self.shards.iter().min_by_key(|shard| shard.load.load(Ordering::Acquire));
        let shard = shard.expect("there is a shard");
        shard.load.fetch_add(1, Ordering::AcqRel);
        Seat { shard, key: self.key.fetch_add(1, Ordering::Relaxed), taken: false }
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
        let seated = Seated { key: self.key, worker, sealing };
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

/// A call on its shard.
struct InHand {
    key: u64,
    worker: Worker,
    sealing: Sealing,
    /// Its rate, and its lane in the bank of that rate.
    rate_hz: u32,
    lane: usize,
    turn: Turn,
    /// Nothing will come any more, and what was left has come out.
    drained: bool,
    /// A frame of it is in hand.
    listens: bool,
    /// It panicked: what.
    broken: Option<String>,
}

impl InHand {
    /// Does something with the call; a panic breaks it and no other.
    fn try_to<T>(&mut self, work: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        if self.broken.is_some() {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(|| work(&mut self.worker))) {
            Ok(done) => Some(done),
            Err(panic) => {
                self.broken = Some(panic_text(&*panic));
                self.turn = Turn::Over;
                self.listens = false;
                None
            }
        }
    }
}

/// The detectors of the calls at one rate.
struct Lanes {
    bank: Bank,
    free: Vec<usize>,
    speech: Vec<Speech>,
}

/// A shard's thread and what it has.
struct Floor {
    mode: Mode,
    calls: Vec<InHand>,
    lanes: BTreeMap<u32, Lanes>,
    sweeps: Arc<Sweeps>,
    seals: Sender<(Sealing, Result<Worked, String>)>,
    load: Arc<AtomicUsize>,
}

impl Floor {
    fn new(
        mode: Mode,
        sweeps: Arc<Sweeps>,
        seals: Sender<(Sealing, Result<Worked, String>)>,
        load: Arc<AtomicUsize>,
    ) -> Floor {
        Floor { mode, calls: Vec::new(), lanes: BTreeMap::new(), sweeps, seals, load }
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
            self.sweep();
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
                Ok(call) => self.seat(call),
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
        // One that is over drops what was asked: whoever waits for the answer is told so by that.
        if let Ok(index) = self.calls.binary_search_by_key(&key, |call| call.key) {
            self.calls[index].try_to(|worker| worker.answer(asked));
        }
    }

    fn sweep(&mut self) {
        for call in &mut self.calls {
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
        self.part();
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
            for (rate_hz, lanes) in &mut self.lanes {
                let mut frames: Vec<&[i16]> = vec![&[]; lanes.bank.lanes()];
                for call in self.calls.iter().filter(|call| call.rate_hz == *rate_hz && call.listens) {
                    frames[call.lane] = call.worker.heard();
                }
                lanes.bank.decide(&frames, &mut lanes.speech);
            }
            for call in self.calls.iter_mut().filter(|call| call.listens) {
                let speech = self.lanes[&call.rate_hz].speech[call.lane];
                call.try_to(|worker| worker.settle(speech));
            }
        }
    }

    /// Calls that are over leave the shard and are sealed.
    fn part(&mut self) {
        if self.calls.iter().all(|call| call.turn != Turn::Over) {
            return;
        }
        let (over, going): (Vec<_>, Vec<_>) = self.calls.drain(..).partition(|call| call.turn == Turn::Over);
        self.calls = going;
        for call in over {
            if let Some(lanes) = self.lanes.get_mut(&call.rate_hz) {
                lanes.free.push(call.lane);
            }
            let InHand { worker, sealing, broken, .. } = call;
            let worked = match broken {
                None => catch_unwind(AssertUnwindSafe(|| worker.finish())).map_err(|panic| panic_text(&*panic)),
                Some(why) => {
                    drop(worker);
                    Err(why)
                }
            };
            self.load.fetch_sub(1, Ordering::AcqRel);
            // The sealers live as long as the shards.
            let _ = self.seals.send((sealing, worked));
        }
    }
}

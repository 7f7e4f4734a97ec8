//! Many calls on few threads: each shard is one thread with its calls, in groups whose speech is decided by one bank; it
//! drains them and writes what was cleared.
//!
//! Every 5 ms it is the turn of a twenty-fourth of the groups. What a call needs has left the processor's caches when its
//! turn comes, and fetching it again costs more than a frame does: so there are six frames of each call to be settled then,
//! and a group is small enough to stay in the cache until it is done. Where the time of an arrival counts it is every fourth
//! turn. Turns are short, so that nobody waits long behind others.
//!
//! A panic in a call ends the recording of that call alone. What is asked of a call is answered between two sweeps, by
//! the thread that has it. Calls that are over are sealed by a thread of their own: that waits for the disk.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, unbounded};

use super::ask::{Asked, Asks};
use super::sealing::{Sealing, panic_text};
use super::seated::{Group, InHand, Seal, Seated};
use super::sweeps::Sweeps;
use super::worker::{Paces, Worker};
use crate::voice::Detection;

/// How often a shard takes a turn.
const TICK: Duration = Duration::from_millis(5);
/// The same while it has no call.
const IDLE_TICK: Duration = Duration::from_millis(20);
/// How many turns there are until it is a call's turn again.
const TURNS: usize = 24;
/// The same where the time of an arrival counts: 20 ms.
const ARRIVAL_TURNS: usize = 4;
const _: () = assert!(TURNS.is_multiple_of(ARRIVAL_TURNS));
/// How often the calls of a shard are looked after. Before it a kill loses what is on the way there: for RTP 60 ms in the
/// socket, the jitter buffer's delay (250), a turn (120), the holdback (260): less than a second together (SEC-05).
pub const PACES: Paces = Paces { checkpoint: Duration::from_millis(230), publish: Duration::from_millis(450) };
/// What may be asked of the calls of a shard and wait.
const ASKS_MAX: usize = 16_384;
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
    /// Starts `count` shards whose calls are decided so, and as many threads that seal.
    pub fn start(count: usize, detection: Detection) -> std::io::Result<Shards> {
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
                .spawn(move || Floor::new(detection, sweeps, seals, freed).run(&seated, &asked))?;
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
    detection: Detection,
    groups: Vec<Group>,
    /// In which group a call is, and on which lane.
    places: HashMap<u64, (usize, usize)>,
    /// Which of the [`TURNS`] is next.
    turn: usize,
    sweeps: Arc<Sweeps>,
    seals: Sender<Seal>,
    load: Arc<AtomicUsize>,
    /// What was asked of calls that are not known here: until when that may be because it is too early.
    early: Vec<(Instant, u64, Asked)>,
}

impl Floor {
    fn new(detection: Detection, sweeps: Arc<Sweeps>, seals: Sender<Seal>, load: Arc<AtomicUsize>) -> Floor {
        let (groups, places) = (Vec::new(), HashMap::new());
        Floor { detection, groups, places, turn: 0, sweeps, seals, load, early: Vec::new() }
    }

    fn run(mut self, seated: &Receiver<Seated>, asks: &Receiver<(u64, Asked)>) {
        let mut closing = false;
        let mut due = Instant::now();
        while !closing || !self.places.is_empty() {
            let began = Instant::now();
            closing |= self.seat_all(seated);
            while let Ok((key, asked)) = asks.try_recv() {
                self.seat_all(seated);
                self.answer(key, asked);
            }
            self.answer_early();
            let any = !self.places.is_empty();
            self.sweep(asks);
            if any {
                self.sweeps.add(began.elapsed());
            }
            // Who is late once is not late for good; who is late by more goes on from where he is.
            due = (due + if any { TICK } else { IDLE_TICK }).max(Instant::now());
            self.wait(due, seated, asks);
        }
    }

    /// Waits for the next turn; what is asked is answered meanwhile.
    fn wait(&mut self, until: Instant, seated: &Receiver<Seated>, asks: &Receiver<(u64, Asked)>) {
        loop {
            match asks.recv_deadline(until) {
                Ok((key, asked)) => {
                    self.seat_all(seated);
                    self.answer(key, asked);
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => return std::thread::sleep(TICK),
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

    fn seat(&mut self, call: Seated) {
        let key = call.key;
        let group = self.groups.iter().position(|group| group.has_room_for(&call));
        let group = group.unwrap_or_else(|| {
            let slot = self.emptiest_slot(call.worker.intake.is_placed_by_arrival());
            self.groups.push(Group::for_such_as(&call, self.detection, slot));
            self.groups.len() - 1
        });
        let lane = self.groups[group].seat(call);
        self.places.insert(key, (group, lane));
    }

    /// The turn that the fewest groups of that kind have.
    fn emptiest_slot(&self, by_arrival: bool) -> usize {
        let groups =
            |slot| self.groups.iter().filter(|group| group.by_arrival == by_arrival && group.slot == slot).count();
        (0..turns(by_arrival)).min_by_key(|&slot| groups(slot)).unwrap_or(0)
    }

    fn call(&mut self, key: u64) -> Option<&mut InHand> {
        let (group, lane) = *self.places.get(&key)?;
        self.groups[group].call(lane)
    }

    fn answer(&mut self, key: u64, asked: Asked) {
        match self.call(key) {
            Some(call) => drop(call.try_to(|worker| worker.answer(asked))),
            // It is over, or it has not been seated yet: the desk knows it a moment earlier.
            None => self.early.push((Instant::now() + EARLY, key, asked)),
        }
    }

    /// What was asked too early is asked again; who asked too late is told so by what is dropped.
    fn answer_early(&mut self) {
        if self.early.is_empty() {
            return;
        }
        let now = Instant::now();
        for (until, key, asked) in std::mem::take(&mut self.early) {
            match self.call(key) {
                Some(call) => drop(call.try_to(|worker| worker.answer(asked))),
                None if now < until => self.early.push((until, key, asked)),
                None => {}
            }
        }
    }

    /// The groups whose turn it is.
    fn sweep(&mut self, asks: &Receiver<(u64, Asked)>) {
        self.turn = (self.turn + 1) % TURNS;
        for group in 0..self.groups.len() {
            let Group { by_arrival, slot, .. } = self.groups[group];
            if self.turn % turns(by_arrival) != slot {
                continue;
            }
            self.groups[group].run();
            if self.groups[group].any_over() {
                self.part(group, asks);
            }
        }
    }

    /// Calls of a group that are over leave the shard and are sealed.
    fn part(&mut self, group: usize, asks: &Receiver<(u64, Asked)>) {
        // What was said before its streams ended may have been a no.
        while let Ok((key, asked)) = asks.try_recv() {
            self.answer(key, asked);
        }
        for InHand { key, mut worker, sealing, broken, .. } in self.groups[group].part() {
            self.places.remove(&key);
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
        while self.groups.last().is_some_and(Group::is_empty) {
            self.groups.pop();
        }
    }
}

/// How many turns there are until it is the turn again of a group of that kind.
fn turns(by_arrival: bool) -> usize {
    if by_arrival { ARRIVAL_TURNS } else { TURNS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_begin_at_once_one_gets_the_last_place() {
        const ROUNDS: usize = 20_000;
        let shards = Shards::start(3, Detection::default()).unwrap();
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

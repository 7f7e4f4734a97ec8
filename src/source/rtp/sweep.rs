//! A thread that looks at many sockets in turn.
//!
//! Every [`TICK`] it is the turn of a sixth of the calls: it reads what lies in each of their sockets, at most [`BURST_MAX`]
//! datagrams, and lays what is due. No socket has to be registered anywhere, and a thread wakes 100 times a second whatever
//! arrives. The kernel keeps what comes until it is the turn of its socket again.
//!
//! Measured (`benches/receive.rs`: 1,000 sockets, 50 packets a second each, twice): 1.7 to 1.8 µs of processor time a packet
//! with a look every 60 ms, 2.5 to 2.6 every 20 ms, 3.4 to 3.5 every 10 ms, 4.7 to 4.8 with a tokio task per socket.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, unbounded};
use ipnet::IpNet;

use super::party::{FIGURES, PartyCounts, Receiving};
use super::receiver::{Port, Stream};
use crate::source::exchange::{Begun, CallLine, Legs, Party};
use crate::source::wire::rtp::DATAGRAM_MAX;

/// How often it is somebody's turn.
const TICK: Duration = Duration::from_millis(10);
/// How many turns there are: a socket is looked at every 60 ms. What a call needs has left the processor's caches by then,
/// and is fetched once for three packets.
const TURNS: usize = 6;
/// A call that was not looked at for so long was held up by us, not by its sender.
const STALLED: Duration = Duration::from_millis(300);
/// Most datagrams that are read from a socket in its turn: 3,200 a second.
pub const BURST_MAX: usize = 192;
/// How often counts are told to those who ask for them.
const COUNTS_EVERY: Duration = Duration::from_millis(200);

/// What a sweeper is told.
pub(super) enum Command {
    Begin(Box<Task>),
    Open { id: u64, party: Party, port: Port, stream: Stream },
    Change { id: u64, party: Party, stream: Stream },
    Shut { id: u64, party: Party },
    Close { id: u64 },
}

/// A call to be received.
pub(super) struct Task {
    /// One after the other, for each sweeper.
    pub(super) id: u64,
    pub(super) begun: Begun,
    pub(super) rate_hz: u32,
    pub(super) delay_ms: u32,
    pub(super) drop_before_decode: bool,
    pub(super) allow: Arc<[IpNet]>,
    pub(super) shared: Arc<Shared>,
    pub(super) totals: Arc<Totals>,
}

/// What was counted of all calls together, in the order of [`PartyCounts::figures`].
#[derive(Debug, Default)]
pub(super) struct Totals([AtomicU64; FIGURES]);

impl Totals {
    /// Adds what came to the counts of a party since `before`.
    fn add(&self, before: PartyCounts, now: PartyCounts) {
        for (total, (before, now)) in self.0.iter().zip(before.figures().into_iter().zip(now.figures())) {
            // A packet that counted as lost may come after all: the difference may be negative.
            total.fetch_add(now.1.wrapping_sub(before.1), Ordering::Relaxed);
        }
    }

    pub(super) fn figures(&self) -> Vec<(&'static str, u64)> {
        let names = PartyCounts::default().figures().map(|(name, _)| name);
        names.into_iter().zip(&self.0).map(|(name, total)| (name, total.load(Ordering::Relaxed))).collect()
    }
}

/// What a session and its sweeper both know.
pub(super) struct Shared {
    began: Instant,
    /// When the last packet came that counts, ms after the beginning.
    heard_ms: AtomicU64,
    counts: Mutex<[PartyCounts; 2]>,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared { began: Instant::now(), heard_ms: AtomicU64::new(0), counts: Mutex::default() }
    }
}

impl Shared {
    pub(super) fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(heard)
    }

    pub(super) fn counts(&self, party: Party) -> PartyCounts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)[party as usize]
    }
}

/// Starts a sweeper. It ends when nobody can tell it anything any more.
pub(super) fn start(number: usize) -> io::Result<Sender<Command>> {
    let (tell, told) = unbounded();
    std::thread::Builder::new().name(format!("rtp-{number}")).spawn(move || run(&told))?;
    Ok(tell)
}

fn run(told: &Receiver<Command>) {
    let mut calls = Calls::default();
    let mut datagram = [0u8; DATAGRAM_MAX];
    let mut turns = (0..TURNS).cycle();
    let mut next = Instant::now();
    loop {
        loop {
            match told.try_recv() {
                Ok(command) => obey(&mut calls, command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        if calls.0.iter().all(Vec::is_empty) {
            match told.recv_timeout(Duration::from_secs(3_600)) {
                Ok(command) => obey(&mut calls, command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            next = Instant::now();
            continue;
        }
        let turn = turns.next().unwrap_or_default();
        sweep(&mut calls.0[turn], &mut datagram);
        next += TICK;
        let now = Instant::now();
        match next.checked_duration_since(now) {
            Some(rest) => std::thread::sleep(rest),
            None => next = now, // too slow for this many: the next turn reads more at once
        }
    }
}

/// The calls of a turn.
fn sweep(calls: &mut Vec<Call>, datagram: &mut [u8; DATAGRAM_MAX]) {
    for call in calls.iter_mut() {
        // A call whose handling panics is lost; the others go on.
        call.over = !catch_unwind(AssertUnwindSafe(|| call.sweep(datagram))).unwrap_or(false);
    }
    calls.retain(|call| !call.over);
}

/// The calls of each turn.
#[derive(Default)]
struct Calls([Vec<Call>; TURNS]);

impl Calls {
    fn of_turn(&mut self, id: u64) -> &mut Vec<Call> {
        &mut self.0[id as usize % TURNS]
    }
}

fn obey(calls: &mut Calls, command: Command) {
    match command {
        Command::Begin(task) => {
            calls.of_turn(task.id).push(Call::new(*task));
        }
        Command::Open { id, party, port, stream } => with(calls, id, party, |receiving| receiving.open(port, stream)),
        Command::Change { id, party, stream } => with(calls, id, party, |receiving| receiving.change(stream)),
        Command::Shut { id, party } => with(calls, id, party, Receiving::shut),
        Command::Close { id } => {
            let calls = calls.of_turn(id);
            if let Some(index) = calls.iter().position(|call| call.id == id) {
                let mut call = calls.swap_remove(index);
                // What was sent before it ended is part of it.
                let _ = catch_unwind(AssertUnwindSafe(|| call.finish()));
            }
        }
    }
}

fn with(calls: &mut Calls, id: u64, party: Party, change: impl FnOnce(&mut Receiving)) {
    if let Some(call) = calls.of_turn(id).iter_mut().find(|call| call.id == id)
        && let Some(receiving) = call.parties[party as usize].as_mut()
    {
        change(receiving);
    }
}

struct Call {
    id: u64,
    line: CallLine,
    /// The agent, the customer.
    parties: [Option<Receiving>; 2],
    shared: Arc<Shared>,
    totals: Arc<Totals>,
    told: Instant,
    looked: Instant,
    over: bool,
}

impl Call {
    fn new(task: Task) -> Call {
        let Task { id, begun, rate_hz, delay_ms, drop_before_decode, allow, shared, totals } = task;
        let Begun { line, legs } = begun;
        let receiving =
            |party, leg| Some(Receiving::new(party, leg, line.clone(), rate_hz, delay_ms, Arc::clone(&allow)));
        let parties = match legs {
            Legs::Apart { agent, customer } => {
                let customer = receiving(Party::Customer, customer)
                    .map(|customer| if drop_before_decode { customer.dropped_before_decode() } else { customer });
                [receiving(Party::Agent, agent), customer]
            }
            Legs::AgentAlone(agent) => [receiving(Party::Agent, agent), None],
            Legs::Interleaved(_) => [None, None], // RTP streams are apart: `begin` asks for nothing else
        };
        let now = Instant::now();
        Call { id, line, parties, shared, totals, told: now, looked: now, over: false }
    }

    /// Whether the call goes on.
    fn sweep(&mut self, datagram: &mut [u8; DATAGRAM_MAX]) -> bool {
        if self.line.is_over() {
            return false;
        }
        if self.line.is_closing() {
            self.finish();
            return false;
        }
        let looked = std::mem::replace(&mut self.looked, Instant::now());
        let stalled = Some(self.looked - looked).filter(|since| *since > STALLED);
        let mut heard = false;
        for receiving in self.parties.iter_mut().flatten() {
            stalled.into_iter().for_each(|stalled| receiving.excuse(stalled));
            heard |= receiving.read(self.shared.began, datagram);
        }
        let now = Instant::now();
        let since = now.saturating_duration_since(self.shared.began);
        for receiving in self.parties.iter_mut().flatten() {
            receiving.lay(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        }
        if heard {
            self.shared.heard_ms.store(since.as_millis() as u64, Ordering::Relaxed);
        }
        if now.saturating_duration_since(self.told) >= COUNTS_EVERY {
            self.told = now;
            self.tell_counts();
        }
        true
    }

    /// Reads what lies in the sockets and lays all that waits.
    fn finish(&mut self) {
        let mut datagram = [0u8; DATAGRAM_MAX];
        for receiving in self.parties.iter_mut().flatten() {
            receiving.read(self.shared.began, &mut datagram);
            receiving.lay_all(u64::try_from(self.shared.began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    }

    fn tell_counts(&self) {
        let counts = self.parties.each_ref().map(|party| party.as_ref().map(Receiving::counts).unwrap_or_default());
        let before = std::mem::replace(&mut *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner), counts);
        for (before, now) in before.into_iter().zip(counts) {
            self.totals.add(before, now);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.tell_counts();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_the_sum_of_what_is_counted_and_what_came_late_is_taken_off_the_lost() {
        let totals = Totals::default();
        let (none, mut one, mut later) = (PartyCounts::default(), PartyCounts::default(), PartyCounts::default());
        (one.stream.lost, one.ignored.foreign, one.keys) = (5, 2, 1);
        (later.stream.lost, later.ignored.foreign, later.keys) = (3, 4, 1);
        totals.add(none, one);
        totals.add(one, later);
        totals.add(none, one);
        let told: Vec<_> = totals.figures().into_iter().filter(|(_, total)| *total > 0).collect();
        assert_eq!(told, [("lost", 8), ("foreign", 6), ("keys", 2)]);
    }
}

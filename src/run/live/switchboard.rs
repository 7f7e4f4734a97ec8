//! Where the sources of a media server get their calls: admitted, counted, seated on a shard.
//!
//! What is over the limit, unknown or excluded is declined with a stable reason and counted; the switch's own call is
//! never touched by that.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use jiff::Timestamp;

use super::arrival::ArrivalClock;
use super::ask::{Arrived, Asked, Asks, Matter, Waiting};
use super::desk::Desk;
use super::figures::Figure;
use super::intake::{Intake, OneRing, RingEnds};
use super::shard::{PACES, Seat, Shards};
use super::start::{LiveOrders, NewCall, Prepared, Sound, StartError, prepare};
use super::sweeps::Sweeps;
use super::two_rings::{Stream, TwoRings};
use crate::ring::{Drain, Inlet, ring};
use crate::source::exchange::{
    Arrival, Arriving, Begun, CallLine, Declined, Exchange, Leg, Legs, Placing, Said, Standing, Tell, Vouched,
};
use crate::source::wire::pace::{JUDGE_MS, Pace};
use crate::split::Delivery;
use crate::store::StoreError;
use crate::store::declined::{Declines, NotRecorded};

/// What a call hands over at a time, at most, ms: what comes between two of its turns (120 ms), and a little. It is memory of
/// every call, 4 bytes a frame.
const BLOCK_MS: u64 = 140;
/// The least that a ring holds, ms: what comes while a stream is judged, twice, for a party may come when the other one has
/// just been judged.
const RING_MIN_MS: u64 = 2 * JUDGE_MS + 500;
/// Of a ring, how much may wait for the other stream of its call.
const PATIENCE_PERCENT: u64 = 60;
/// How often what could not be written to the list is tried again.
const LIST_AGAIN: Duration = Duration::from_millis(500);
/// Lines that may wait for the list of calls that were not recorded.
const LIST_MAX: usize = 4_096;
/// What the source of one call may say that is not answered yet.
const WAITING_MAX: usize = 256;
/// Room beyond that for what contradicts what was said of the call.
const CONTRADICTIONS_MAX: usize = 16;
/// What is added to the way of a sample whose place is told by its arrival, ms: its shard looks at it every 20 ms.
const LOOK_MS: u64 = 40;

/// Limits of a media server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls in hand, at most.
    pub calls_max: usize,
}

/// The switchboard.
pub struct Switchboard {
    orders: Mutex<Arc<LiveOrders>>,
    desk: Arc<Desk>,
    shards: Mutex<Option<Arc<Shards>>>,
    /// How long the shards' turns took: known to the end, also when they are gone.
    sweeps: Arc<Sweeps>,
    limits: Limits,
    draining: AtomicBool,
    declined: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    begun: Mutex<BTreeMap<&'static str, u64>>,
    /// To the thread that keeps the list of calls that were not recorded: it may have to wait for the disk.
    list: Sender<NotRecorded>,
    /// Lines of it that were given up.
    given_up: Arc<AtomicU64>,
    told: Box<dyn Fn(&Told<'_>) + Send + Sync>,
}

/// What is told of calls as they come.
#[derive(Debug)]
pub enum Told<'a> {
    /// One began.
    Began {
        /// By which source.
        source: &'static str,
        /// Its name.
        call: &'a str,
    },
    /// One was declined.
    Declined {
        /// By which source.
        source: &'static str,
        /// Why: the stable code.
        reason: &'static str,
        /// Its name, if it had one.
        call: Option<&'a str>,
        /// A sentence, if there is one.
        why: Option<&'a str>,
    },
}

impl Switchboard {
    /// A switchboard for calls under these orders. `told`: what is to be said of them, to people.
    pub fn new(
        orders: Arc<LiveOrders>,
        desk: Arc<Desk>,
        shards: Shards,
        limits: Limits,
        told: Box<dyn Fn(&Told<'_>) + Send + Sync>,
    ) -> Result<Switchboard, StoreError> {
        let mut declines = Declines::open(&orders.out)?;
        let (list, lines) = bounded::<NotRecorded>(LIST_MAX);
        let given_up = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&given_up);
        let keep = move || loop {
            match lines.recv_timeout(LIST_AGAIN) {
                Ok(line) => drop(lost.fetch_add(u64::from(!declines.note(&line)), Ordering::Relaxed)),
                // There may be room on the disk by now.
                Err(RecvTimeoutError::Timeout) => drop(declines.write_waiting()),
                Err(RecvTimeoutError::Disconnected) => return drop(declines.write_waiting()),
            }
        };
        let kept = std::thread::Builder::new().name("declines".into()).spawn(keep);
        let failed = |source| StoreError::io("start the thread that writes", &orders.out, None, source);
        kept.map_err(failed)?;
        Ok(Switchboard {
            orders: Mutex::new(orders),
            desk,
            sweeps: Arc::clone(&shards.sweeps),
            shards: Mutex::new(Some(Arc::new(shards))),
            limits,
            draining: AtomicBool::new(false),
            declined: Mutex::default(),
            begun: Mutex::default(),
            list,
            given_up,
            told,
        })
    }

    /// Other orders for the calls that begin from now on; those in hand keep theirs, but for the list of revoked tokens:
    /// that counts for them as well, from their next look at it.
    pub fn reload(&self, mut orders: LiveOrders) {
        let mut standing = held(&self.orders);
        standing.revoked.replace(&orders.revoked);
        orders.revoked = Arc::clone(&standing.revoked);
        *standing = Arc::new(orders);
    }

    /// No call begins any more.
    pub fn stop_admitting(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Ends every call in hand, and waits until all are sealed, at most so long. Whether all are.
    pub fn drain(&self, within: Duration) -> bool {
        self.stop_admitting();
        let deadline = Instant::now() + within;
        self.desk.end_all();
        let shards = held(&self.shards).take();
        let mut shards = shards;
        // Whoever is just beginning a call has the shards in hand for a moment.
        while let Some(shared) = shards.take() {
            match Arc::try_unwrap(shared) {
                Ok(own) => {
                    self.desk.end_all();
                    return own.finish(deadline);
                }
                Err(_) if Instant::now() >= deadline => return false,
                Err(shared) => {
                    shards = Some(shared);
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
        true
    }

    /// What it counts, for metrics.
    pub fn figures(&self) -> Vec<Figure> {
        let counter = |name, help, labels, value: u64| Figure {
            name,
            part: "",
            kind: "counter",
            help,
            labels,
            value: value as f64,
        };
        let mut figures = Vec::new();
        for (source, count) in held(&self.begun).iter() {
            let help = "Calls begun, by source.";
            figures.push(counter("oneside_calls_begun_total", help, vec![("source", *source)], *count));
        }
        for ((source, reason), count) in held(&self.declined).iter() {
            let (help, labels) =
                ("Calls not recorded, by source and reason.", vec![("source", *source), ("reason", *reason)]);
            figures.push(counter("oneside_calls_declined_total", help, labels, *count));
        }
        let help = "Calls not recorded that could not be entered in the list of them either.";
        let given_up = self.given_up.load(Ordering::Relaxed);
        figures.push(counter("oneside_calls_unlisted_total", help, Vec::new(), given_up));
        figures.extend(self.sweeps.figures());
        figures
    }

    fn admit(&self) -> Result<Arc<Shards>, Declined> {
        let shards = held(&self.shards).clone().filter(|_| !self.draining.load(Ordering::Acquire));
        shards.ok_or_else(|| Declined::new("draining", "the recorder is ending"))
    }

    /// A place for a call: from here on it counts, whatever it still waits for.
    fn seat<'a>(&self, shards: &'a Shards, arrival: &Arrival) -> Result<Seat<'a>, Declined> {
        let calls_max = self.limits.calls_max;
        let full = || Declined::new("limit", format!("{calls_max} calls are in hand, which is the limit"));
        let seat = shards.seat(calls_max).ok_or_else(full)?;
        if self.desk.state(&arrival.call).is_ok() {
            return Err(Declined::new("exists", "a call of that name is in hand"));
        }
        Ok(seat)
    }

    /// Counts a call that is not recorded, and enters it in the list by which the switch's own is held against ours (FIN-02).
    fn note_declined(&self, source: &'static str, reason: &'static str, call: Option<&str>, why: Option<&str>) {
        *held(&self.declined).entry((source, reason)).or_default() += 1;
        // Names as they would be stored: a plain one may be a telephone number.
        let name = call.map(|call| held(&self.orders).hashed_name(call));
        if let Some(call) = name.clone() {
            let at = Timestamp::now().to_string();
            let line = NotRecorded { at, call, source: source.into(), reason: reason.into() };
            if self.list.try_send(line).is_err() {
                self.given_up.fetch_add(1, Ordering::Relaxed);
            }
        }
        // What a rule for staff says names people.
        let why = why.filter(|_| !["no_agent_ack", "no_agent", "never_record"].contains(&reason));
        (self.told)(&Told::Declined { source, reason, call: name.as_deref(), why });
    }

    fn begin_call(&self, arrival: &Arrival) -> Result<Begun, Declined> {
        let shards = self.admit()?;
        let orders = Arc::clone(&held(&self.orders));
        let seat = self.seat(&shards, arrival)?;
        let asks = seat.asks();
        let keeps_back = arrival.sound.placing() == Placing::Stamped;
        let standing = Arc::new(Standing { keeps_back, ..Standing::default() });
        let (ends, line) = line(arrival, asks.clone(), &standing);
        let (legs, sound) = lay_out(arrival, &line, u64::from(orders.settings.live.ring_ms.value))?;
        let _ = ends.set(sound.intake.ends());
        let new = NewCall {
            agent: arrival.agent.clone(),
            number: arrival.number.clone(),
            private: arrival.private,
            sensitive: arrival.sensitive,
            undecoded: arrival.drop_before_decode,
            sided_by: Some(arrival.source),
            standing: Some(Arc::clone(&standing)),
            paces: PACES,
            ..NewCall::new(arrival.call.clone(), sound)
        };
        let Prepared { worker, sealing, .. } = prepare(&orders, &self.desk, new, asks).map_err(declined)?;
        seat.take(worker, sealing);
        Ok(Begun { line, legs })
    }
}

impl Exchange for Switchboard {
    fn begin(&self, arrival: Arrival) -> Result<Begun, Declined> {
        let begun = self.begin_call(&arrival);
        match &begun {
            Ok(_) => {
                *held(&self.begun).entry(arrival.source).or_default() += 1;
                let call = held(&self.orders).hashed_name(&arrival.call);
                (self.told)(&Told::Began { source: arrival.source, call: &call });
            }
            Err(Declined { reason, why }) => {
                self.note_declined(arrival.source, reason, Some(&arrival.call), Some(why));
            }
        }
        begun
    }

    fn admits(&self, arrival: &Arrival) -> Result<(), Declined> {
        let orders = Arc::clone(&held(&self.orders));
        let admitted = orders.settings.live.staff.admit(arrival.agent.as_deref(), arrival.number.as_deref());
        admitted.map_err(|excluded| declined(excluded.into()))
    }

    fn declined(&self, source: &'static str, reason: &'static str, call: Option<&str>) {
        self.note_declined(source, reason, call, None);
    }
}

/// For what the wire says: each word is stamped with the rings' ends as it comes.
fn line(arrival: &Arrival, asks: Asks, standing: &Arc<Standing>) -> (Arc<std::sync::OnceLock<RingEnds>>, CallLine) {
    let ends = Arc::new(std::sync::OnceLock::<RingEnds>::new());
    let (ends_then, unheard, taken) = (Arc::clone(&ends), Arc::clone(standing), Arc::<AtomicUsize>::default());
    let tell: Tell = Box::new(move |said| {
        let (matter, expires, place) = match said {
            Said::Event { event, expires, place } => (Matter::Event(event), expires, place),
            Said::Digit { party, digit, place } => (Matter::Digit { party, digit }, None, place),
            Said::StillDown { party, digit, place } => (Matter::StillDown { party, digit }, None, place),
            Said::Contradicted(finding) => (Matter::Contradicted(finding), None, None),
        };
        let ring_end = ends_then.get().map_or(0, RingEnds::end);
        let arrived = Arrived { ring_end, at: Instant::now(), place };
        let wall = Some(Timestamp::now().to_string());
        // What shuts both sides finds room behind whatever else was said.
        let more = if matches!(matter, Matter::Contradicted(_)) { CONTRADICTIONS_MAX } else { 0 };
        let waiting = Waiting::among(&taken, WAITING_MAX + more);
        let told = waiting.is_some_and(|waiting| {
            let asked = Asked { matter, expires, wall, arrived, reply: None, waiting: Some(waiting) };
            asks.to.try_send((asks.key, asked)).is_ok()
        });
        if !told {
            // It may have been a no: the worker shuts the customer's side at its next look.
            unheard.unheard.store(true, Ordering::Release);
        }
    });
    (ends, CallLine::new(arrival.call.clone(), tell, Arc::clone(standing)))
}

/// The rings of a call, our ends of them and the worker's.
fn lay_out(arrival: &Arrival, line: &CallLine, ring_ms: u64) -> Result<(Legs, Sound), Declined> {
    let rate_hz = arrival.rate_hz;
    if !(8_000..=48_000).contains(&rate_hz) {
        return Err(Declined::new("rate", format!("{rate_hz} Hz is no rate of a call; 8000 to 48000 Hz are")));
    }
    let placing = arrival.sound.placing();
    let worst_ms = u64::from(arrival.worst_ms).max(LOOK_MS);
    let (by_arrival, burst_ms) = match placing {
        Placing::Stamped => (false, 0),
        Placing::ByArrival { burst_ms } => (true, burst_ms),
    };
    let clock = || match by_arrival {
        true => ArrivalClock::new(rate_hz, worst_ms.max(u64::from(burst_ms))),
        false => ArrivalClock::of_a_device(rate_hz, worst_ms),
    };
    let pace = || match placing {
        Placing::Stamped => Pace::packets(rate_hz),
        Placing::ByArrival { burst_ms } => Pace::stream(rate_hz, burst_ms),
    };
    let ring_ms = ring_ms.max(RING_MIN_MS).max(2 * u64::from(burst_ms));
    let frames = (ring_ms * u64::from(rate_hz) / 1_000) as usize;
    let block_frames = (BLOCK_MS * u64::from(rate_hz) / 1_000) as usize;
    let leg = |channels: usize| -> (Leg, Drain, Arc<Vouched>) {
        let (inlet, drain): (Inlet, Drain) = ring(frames, channels);
        let (leg, vouched) = Leg::new(inlet, channels, pace(), line.clone());
        (leg, drain, vouched)
    };
    let one = |delivery: Delivery| {
        let (leg, drain, vouched) = leg(delivery.channels());
        let intake = OneRing::in_blocks(block_frames, drain, delivery, rate_hz, rate_hz, Some(clock()));
        (leg, delivery, Box::new(intake.once(Arc::new(move || vouched.is_plausible()))) as Box<dyn Intake>)
    };
    let (legs, delivery, intake) = match arrival.sound {
        Arriving::Interleaved(map, _) => {
            let (leg, delivery, intake) = one(Delivery::Both(map));
            (Legs::Interleaved(leg), delivery, intake)
        }
        Arriving::AgentAlone(_) => {
            let (leg, delivery, intake) = one(Delivery::AgentAlone);
            (Legs::AgentAlone(leg), delivery, intake)
        }
        Arriving::Apart(_) => {
            let stream = || {
                let (leg, drain, vouched) = leg(1);
                let vouch = Arc::new(move || vouched.is_plausible());
                (leg, Stream::new(drain, clock(), by_arrival, vouch))
            };
            let ((agent, agent_stream), (customer, customer_stream)) = (stream(), stream());
            let patience = frames * PATIENCE_PERCENT as usize / 100;
            let intake = TwoRings::new([agent_stream, customer_stream], patience, rate_hz);
            (Legs::Apart { agent, customer }, TwoRings::delivery(), Box::new(intake) as Box<dyn Intake>)
        }
    };
    let encoding = arrival.encoding.clone();
    let sound = Sound { delivery, source_hz: rate_hz, rate_hz, encoding, intake, block_frames };
    Ok((legs, sound))
}

fn declined(error: StartError) -> Declined {
    let reason = match &error {
        StartError::Excluded(excluded) => excluded.code(),
        StartError::Store(StoreError::TooFull { .. }) => "disk_full",
        StartError::Store(StoreError::Name { .. }) => "name",
        StartError::Store(_) => "disk",
        StartError::Thread(_) => "thread",
    };
    Declined::new(reason, error.to_string())
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

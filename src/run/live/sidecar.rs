//! The sidecar: the sound devices of a workstation, one call at a time.
//!
//! One thread drains the devices' rings, brings both onto one line (`audio::align`), watches over the devices, and while a
//! call is in hand hands the line to that call's ring. Between calls what came is wiped unheard; with `--auto` the agent's
//! last seconds, and never the customer's, wait in memory so that a greeting is not lost (CON-07).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use zeroize::{Zeroize, Zeroizing};

use super::arrival::ArrivalClock;
use super::auto::{Auto, Wish};
use super::desk::{Desk, DeskError, Handle, OpenCall};
use super::intake::OneRing;
use super::meter::Origin;
use super::start::{LiveOrders, NewCall, Sound, StartError, start};
use super::watchman::Watchman;
use super::worker::TICK;
use crate::audio::align::{Aligned, Aligner, Cadence, Whose};
use crate::audio::level::{self, ACTIVE};
use crate::ring::{Inlet, Piece, Why, ring};
use crate::run::line::BLOCK;
use crate::source::capture::Capture;
use crate::split::{AgentChannel, ChannelMap, Delivery, MapError};

/// Frames read from a device's ring at a time.
const READ: usize = 4_096;
/// What the worker's tick and ours may add to the way of a sample, ms.
const TICKS_MS: u64 = 60;
/// How long a customer's voice may linger in the agent's microphone, ms: the guard's own reach is shorter.
const BLEED_MS: u64 = 500;
/// How long the end of the capture is waited for: a sound system that died may hold it for ever.
const END_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for the pump to open a call.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// What a sidecar is told.
pub struct SidecarOrders {
    /// What all its calls have in common.
    pub live: Arc<LiveOrders>,
    /// The calls' rate.
    pub rate_hz: u32,
    /// Whose workstation it is.
    pub agent: Option<String>,
    /// Calls begin and end by what is heard; the silence that ends one.
    pub auto_silence: Option<Duration>,
}

/// A call that somebody wants begun.
struct Begin {
    wanted: OpenCall,
    reply: Sender<Result<Handle, DeskError>>,
}

/// A sidecar at work. Dropped, it ends the call in hand and the capture.
pub struct Sidecar {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    trouble: Trouble,
}

/// What is wrong with the devices, if something is: a sentence.
pub type Trouble = Arc<Mutex<Option<String>>>;

impl Sidecar {
    /// Begins to pump what the devices deliver. Calls are opened through the desk.
    pub fn begin(orders: SidecarOrders, capture: Capture, desk: &Arc<Desk>) -> std::io::Result<Sidecar> {
        let unfit = |error: MapError| std::io::Error::new(std::io::ErrorKind::InvalidInput, error.to_string());
        let map = ChannelMap::new(orders.live.settings.agent.value.channel(), 2).map_err(unfit)?;
        let (ask, asks) = bounded::<Begin>(4);
        desk.open_by(Box::new(move |wanted| {
            let (reply, answer) = bounded(1);
            ask.send_timeout(Begin { wanted, reply }, OPEN_WITHIN).map_err(|_| DeskError::NoAnswer)?;
            answer.recv_timeout(OPEN_WITHIN).unwrap_or(Err(DeskError::NoAnswer))
        }));
        let (stop, trouble) = (Arc::new(AtomicBool::new(false)), Trouble::default());
        let mut pump = Pump::new(orders, map, capture, Arc::clone(desk), asks, Arc::clone(&trouble));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("sidecar".into()).spawn(move || pump.run(&stopped))?;
        Ok(Sidecar { stop, thread: Some(thread), trouble })
    }

    /// What is wrong with the devices, if something is.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let began = Instant::now();
        if let Some(thread) = self.thread.take() {
            // The call is ended and sealed first; what may hang is the sound system's end.
            while !thread.is_finished() && began.elapsed() < END_WITHIN {
                std::thread::sleep(TICK);
            }
        }
    }
}

struct Current {
    /// It began as a private call.
    private: bool,
    origin: Arc<Origin>,
    /// Frames that were handed on.
    given: u64,
    handle: Handle,
    inlet: Inlet,
    thread: JoinHandle<()>,
}

struct Pump {
    orders: SidecarOrders,
    /// Of one two-channel device: which channel is the agent's.
    map: ChannelMap,
    capture: Capture,
    aligner: Aligner,
    desk: Arc<Desk>,
    asks: Receiver<Begin>,
    trouble: Trouble,
    current: Option<Current>,
    auto: Option<Auto>,
    /// The agent's last seconds, for calls that begin by what is heard.
    before: VecDeque<i16>,
    /// Samples since the customer's line last had sound: nothing of the agent's is kept before that is a while ago, for
    /// without the other side the guard could not tell the customer's voice in it (ONE-04).
    customer_quiet: u64,
    /// A call was excluded, or was private: what goes on is not begun by sound before both sides were silent (SEL-06).
    barred: bool,
    watchman: Watchman,
    /// Why the last call was not begun.
    refused: Option<String>,
    read: Zeroizing<Vec<i16>>,
    sides: [Zeroizing<Vec<i16>>; 2],
    both: Zeroizing<Vec<i16>>,
}

impl Pump {
    fn new(
        orders: SidecarOrders,
        map: ChannelMap,
        capture: Capture,
        desk: Arc<Desk>,
        asks: Receiver<Begin>,
        trouble: Trouble,
    ) -> Pump {
        let rate_hz = orders.rate_hz;
        let aligner = match &capture.lines[..] {
            [one] => Aligner::one_clock(one.rate_hz, rate_hz),
            [agent, customer, ..] => Aligner::new(agent.rate_hz, customer.rate_hz, rate_hz, customer.cadence),
            [] => unreachable!("a capture has a line"),
        };
        let block = aligner.block();
        let plane = || Zeroizing::new(vec![0; block.max(READ)]);
        let auto = orders.auto_silence.map(|silence| Auto::new(rate_hz, silence));
        let room = auto.as_ref().map_or(0, |auto| auto.before());
        Pump {
            orders,
            map,
            capture,
            aligner,
            desk,
            asks,
            trouble,
            current: None,
            auto,
            before: VecDeque::with_capacity(room + block),
            customer_quiet: 0,
            barred: false,
            watchman: Watchman::default(),
            refused: None,
            read: Zeroizing::new(vec![0; 2 * READ]),
            sides: [plane(), plane()],
            both: Zeroizing::new(vec![0; 2 * block]),
        }
    }

    fn run(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            while let Ok(Begin { wanted, reply }) = self.asks.try_recv() {
                let opened = self.open(wanted, false);
                let _ = reply.send(opened); // who asked may have gone
            }
            self.drain();
            self.blocks();
            self.look_after_devices();
            std::thread::sleep(TICK);
        }
        self.finish();
    }

    /// From the devices' rings into the aligner.
    fn drain(&mut self) {
        let now = self.capture.now_ns();
        let one = self.capture.lines.len() == 1;
        for (index, line) in self.capture.lines.iter_mut().enumerate() {
            let whose = [Whose::Agent, Whose::Customer][index];
            let both = [Whose::Agent, Whose::Customer];
            let sides = if one { &both[..] } else { &both[index..=index] };
            if let Some(stamp) = line.heartbeat.stamp() {
                sides.iter().for_each(|side| self.aligner.stamp(*side, stamp, now));
            }
            loop {
                // What found no room would be lost; it waits in the ring instead.
                let room = sides.iter().map(|side| self.aligner.room(*side)).min().unwrap_or(0).min(READ);
                if room == 0 {
                    break;
                }
                let channels = line.drain.channels();
                match line.drain.read(&mut self.read[..room * channels]) {
                    Piece::Sound(frames) if one => {
                        let [agent, customer] = &mut self.sides;
                        self.map.split(&self.read[..frames * channels], &mut agent[..frames], &mut customer[..frames]);
                        self.aligner.push(Whose::Agent, &agent[..frames]);
                        self.aligner.push(Whose::Customer, &customer[..frames]);
                    }
                    Piece::Sound(frames) => self.aligner.push(whose, &self.read[..frames]),
                    Piece::Gap { frames, why } => {
                        // A loopback that has nothing to play delivers nothing.
                        let absent = line.cadence == Cadence::Sparse && why == Why::Source;
                        sides.iter().for_each(|side| self.aligner.skip(*side, frames, absent));
                    }
                    Piece::Nothing | Piece::Ended => break,
                }
            }
            self.read.as_mut_slice().zeroize();
        }
        self.sides.iter_mut().for_each(|side| side.as_mut_slice().zeroize());
    }

    /// From the aligner into the call.
    fn blocks(&mut self) {
        let block = self.aligner.block();
        loop {
            let now = self.capture.now_ns();
            let [agent, customer] = &mut self.sides;
            let Some(aligned) = self.aligner.pull(now, &mut agent[..block], &mut customer[..block]) else { break };
            for ((pair, agent), customer) in self.both.chunks_exact_mut(2).zip(agent.iter()).zip(customer.iter()) {
                pair[0] = *agent;
                pair[1] = *customer;
            }
            self.hand_on(aligned);
        }
        self.both.as_mut_slice().zeroize();
        self.sides.iter_mut().for_each(|side| side.as_mut_slice().zeroize());
    }

    fn hand_on(&mut self, aligned: Aligned) {
        let block = self.aligner.block();
        if let Some(current) = &self.current
            && current.handle.end.load(Ordering::Acquire)
        {
            self.barred |= current.private;
            self.current = None; // its worker drains what it has, and closes
        }
        let wish = match &mut self.auto {
            Some(auto) => auto.hear(&self.sides[0][..block], &self.sides[1][..block], self.current.is_some()),
            None => Wish::Nothing,
        };
        match wish {
            Wish::Begin if !self.barred => drop(self.open(OpenCall::default(), true)), // a refusal is told as trouble
            Wish::Begin => {}
            Wish::End => self.end(),
            Wish::Silence => (self.barred, self.refused) = (false, None),
            Wish::Nothing => {}
        }
        self.tell_origin();
        match &mut self.current {
            Some(current) if aligned.agent.lost >= block => current.inlet.skip(block as u64, Why::Source),
            Some(current) => drop(current.inlet.push(&self.both)),
            None => self.remember(block),
        }
    }

    /// When the block in hand was captured.
    fn tell_origin(&mut self) {
        let (given, rate_hz) = (self.aligner.given(), f64::from(self.orders.rate_hz));
        let (Some(current), Some(captured)) = (&mut self.current, self.aligner.captured_at(given)) else { return };
        current.given += self.aligner.block() as u64;
        current.origin.tell(current.given as f64 / rate_hz, self.capture.now_ns() as f64 - captured);
    }

    /// Keeps the agent's last seconds.
    fn remember(&mut self, block: usize) {
        let Some(auto) = &self.auto else { return };
        // Recording windows are looked at when a call begins; what lies before that is nobody's to keep.
        if self.barred || self.orders.live.settings.live.staff.windows.is_some() {
            self.before.iter_mut().for_each(Zeroize::zeroize);
            return self.before.clear();
        }
        let sounds =
            level::measure(&self.sides[0][..block], &self.sides[1][..block]).customer.iter().any(|l| *l > ACTIVE);
        self.customer_quiet = if sounds { 0 } else { self.customer_quiet + block as u64 };
        let alone = self.customer_quiet * 1_000 > BLEED_MS * u64::from(self.orders.rate_hz);
        match alone {
            true => self.before.extend(&self.sides[0][..block]),
            false => self.before.extend(std::iter::repeat_n(0, block)),
        }
        let surplus = self.before.len().saturating_sub(auto.before());
        self.before.iter_mut().take(surplus).for_each(Zeroize::zeroize);
        self.before.drain(..surplus);
    }

    fn open(&mut self, wanted: OpenCall, by_sound: bool) -> Result<Handle, DeskError> {
        if self.current.as_ref().is_some_and(|current| !current.thread.is_finished()) {
            let name = self.current.as_ref().map(|current| current.handle.call.clone()).unwrap_or_default();
            return Err(DeskError::Exists(name));
        }
        let rate_hz = self.orders.rate_hz;
        let ring_ms = u64::from(self.orders.live.settings.live.ring_ms.value);
        let before = if by_sound { self.before.len() } else { 0 };
        let (mut inlet, drain) = ring((ring_ms * u64::from(rate_hz) / 1_000) as usize + before, 2);
        let delivery = Delivery::Both(ChannelMap::new(AgentChannel(0), 2).expect("two channels have a map"));
        let clock = ArrivalClock::of_a_device(rate_hz, self.worst_ms());
        let intake = OneRing::new(drain, delivery, rate_hz, rate_hz, Some(clock));
        let (encoding, intake) = (self.described(), Box::new(intake));
        let sound = Sound { delivery, source_hz: rate_hz, rate_hz, encoding, intake, block_frames: BLOCK };
        let name = wanted.call.unwrap_or_else(|| format!("{}", jiff::Zoned::now().strftime("%Y%m%d-%H%M%S")));
        let origin = Arc::new(Origin::default());
        let new = NewCall {
            agent: wanted.agent.or_else(|| self.orders.agent.clone()),
            number: wanted.number,
            private: wanted.private,
            sensitive: wanted.sensitive,
            trouble: Some(Arc::clone(&self.trouble)),
            origin: Some(Arc::clone(&origin)),
            ..NewCall::new(name, sound)
        };
        let private = new.private;
        let (handle, thread) = match start(&self.orders.live, &self.desk, new).map_err(refusal) {
            Ok(started) => started,
            Err(error) => {
                self.barred |= matches!(error, DeskError::Refused { .. });
                self.refused = Some(format!("the call was not begun: {error}"));
                return Err(error);
            }
        };
        self.refused = None;
        // What the agent said before: the customer's side of it is silence.
        let mut both = Zeroizing::new(Vec::with_capacity(2 * before));
        self.before.drain(..).take(before).for_each(|sample| both.extend([sample, 0]));
        inlet.push(&both);
        self.current = Some(Current { private, origin, given: before as u64, handle: handle.clone(), inlet, thread });
        Ok(handle)
    }

    /// The longest way of a sample from the air to the call's ring.
    fn worst_ms(&self) -> u64 {
        let device = self.capture.lines.iter().map(|line| {
            let callback_ms = line.heartbeat.longest_callback() * 1_000 / u64::from(line.rate_hz.max(1));
            callback_ms + line.heartbeat.device_delay_ns() / 1_000_000
        });
        let aligned = (self.aligner.latency() * 1_000.0).ceil() as u64;
        let configured = self.orders.live.settings.live.worst_buffering_ms.as_ref().map_or(0, |ms| ms.value.into());
        (device.max().unwrap_or(0) + aligned + TICKS_MS).max(configured)
    }

    fn described(&self) -> String {
        let lines = self.capture.lines.iter().map(|line| line.opened_as.as_str());
        format!("devices: {}", lines.collect::<Vec<_>>().join("; "))
    }

    /// A device that is gone or stands still shows within a second (ROB-02).
    fn look_after_devices(&mut self) {
        let wrong = self.watchman.look(&self.capture.lines);
        self.desk.set_trouble(wrong.clone().or_else(|| self.refused.clone()));
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = wrong;
    }

    fn end(&mut self) {
        if let Some(Current { handle, inlet, thread, .. }) = self.current.take() {
            drop(inlet);
            handle.end.store(true, Ordering::Release);
            let _ = thread.join(); // its result is the desk's
        }
    }

    fn finish(&mut self) {
        self.drain();
        self.blocks();
        self.end();
        self.before.iter_mut().for_each(Zeroize::zeroize);
    }
}

fn refusal(error: StartError) -> DeskError {
    match error {
        StartError::Excluded(excluded) => DeskError::Refused { code: excluded.code(), why: excluded.to_string() },
        other => DeskError::Failed(other.to_string()),
    }
}

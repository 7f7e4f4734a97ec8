//! The thread that watches over the streams: it dates their clocks, notices when one stalls or is gone, and opens the
//! same device again when it returns. Never another one (ROB-02).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{Data, Device, ErrorKind, Host, InputCallbackInfo, SampleFormat, Stream};
use crossbeam_channel::{Receiver, bounded};

use super::ear::{Ear, Lent};
use super::heartbeat::{Condition, Heartbeat};
use super::{CaptureError, Plan, devices, nanos_since};
use crate::audio::align::Cadence;

/// How often the streams are looked at.
const LOOK_EACH: Duration = Duration::from_millis(50);
/// A device without callbacks for so long has stalled.
const STALL_AFTER: Duration = Duration::from_millis(850);
/// A device has so long for its first callback.
const BEGIN_WITHIN: Duration = Duration::from_secs(4);
/// How often a lost device is looked for, and a quiet loopback's device.
const SEEK_EACH: Duration = Duration::from_millis(500);
/// How often a stream's clock is dated.
const DATE_EACH: Duration = Duration::from_secs(1);
/// How often a device behind a sound server is asked for.
const ASK_EACH: Duration = Duration::from_millis(600);
/// Whether a block is dated by its callback, or as the system dates it.
const DATED_BY_CALLBACK: bool = cfg!(not(any(target_os = "windows", target_os = "macos")));
/// A stream's clock that is so far off when a callback is dated by it makes no sense.
const SENSELESS_NS: u64 = 3_000_000_000;

/// Ends with it, and the streams too.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn over(host: Host, mut watched: Vec<Watched>, origin: Instant) -> io::Result<Watch> {
        let stop = Arc::new(AtomicBool::new(false));
        let raised = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("devices".into()).spawn(move || {
            while !raised.load(Ordering::Acquire) {
                for one in &mut watched {
                    one.look(&host, origin);
                }
                std::thread::park_timeout(LOOK_EACH);
            }
            for one in &watched {
                one.heartbeat.set_condition(Condition::Ended);
            }
        })?;
        Ok(Watch { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join(); // a panic there has shown itself by silence
        }
    }
}

/// A device under watch.
pub(super) struct Watched {
    plan: Plan,
    heartbeat: Arc<Heartbeat>,
    phase: Phase,
    dated: Instant,
    asked: Instant,
}

enum Phase {
    Streaming {
        stream: Stream,
        home: Receiver<Box<Ear>>,
        callbacks: u64,
        alive: Instant,
        sought: Instant,
    },
    Away {
        ear: Box<Ear>,
        sought: Instant,
    },
    /// The ear did not come home: a bug in the sound system's library. The ring has ended.
    Over,
}

impl Watched {
    pub(super) fn open(plan: Plan, ear: Box<Ear>, origin: Instant) -> Result<Watched, CaptureError> {
        let heartbeat = ear.share_heartbeat();
        let name = plan.name.clone();
        let opened = stream(&plan.device, &plan, ear, &heartbeat, origin);
        let phase = opened.map_err(|(source, _)| CaptureError::Device { device: name, source })?;
        Ok(Watched { plan, heartbeat, phase, dated: Instant::now(), asked: Instant::now() })
    }

    pub(super) fn buffer_frames(&self) -> Option<u32> {
        match &self.phase {
            Phase::Streaming { stream, .. } => stream.buffer_size().ok(),
            _ => None,
        }
    }

    fn look(&mut self, host: &Host, origin: Instant) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Streaming { stream, home, callbacks, alive, sought } => {
                let seen = self.heartbeat.callbacks();
                let alive = if seen > callbacks { Instant::now() } else { alive };
                if seen > callbacks {
                    self.heartbeat.set_condition(Condition::Live);
                }
                self.date(&stream, seen > callbacks, origin);
                match self.is_gone(host, alive, sought).or_else(|| self.was_moved()) {
                    None => {
                        let sought = if sought.elapsed() > SEEK_EACH { Instant::now() } else { sought };
                        Phase::Streaming { stream, home, callbacks: seen, alive, sought }
                    }
                    Some(condition) => {
                        self.heartbeat.lose(condition);
                        drop(stream);
                        match home.recv_timeout(BEGIN_WITHIN) {
                            Ok(ear) => Phase::Away { ear, sought: Instant::now() },
                            Err(_) => Phase::Over,
                        }
                    }
                }
            }
            Phase::Away { ear, sought } => self.seek(host, ear, sought, origin),
            Phase::Over => Phase::Over,
        };
    }

    /// Whether the device stalled or is lost.
    fn is_gone(&self, host: &Host, alive: Instant, sought: Instant) -> Option<Condition> {
        if self.heartbeat.has_failed() {
            return Some(Condition::Lost);
        }
        let patience = match self.heartbeat.condition() {
            Condition::Live => STALL_AFTER,
            _ => BEGIN_WITHIN,
        };
        if alive.elapsed() < patience {
            return None;
        }
        match self.plan.cadence {
            Cadence::Steady => Some(Condition::Stalled),
            // A loopback may be silent for as long as it likes, while its device is there.
            Cadence::Sparse => {
                (sought.elapsed() > SEEK_EACH && find_again(host, &self.plan.id).is_none()).then_some(Condition::Lost)
            }
        }
    }

    /// A sound server moves a stream whose device disappears to another one, and says nothing through ALSA: the
    /// callbacks go on, with a stranger's sound. So while a server stands behind the device, it is asked for the device
    /// again and again, by a second stream that is never started.
    fn was_moved(&mut self) -> Option<Condition> {
        if !self.plan.behind_server() || self.asked.elapsed() < ASK_EACH {
            return None;
        }
        let (device, plan) = (&self.plan.device, &self.plan);
        let answer = device.build_input_stream_raw(plan.config, plan.format, |_, _| (), |_| (), None);
        self.asked = Instant::now();
        let error = answer.err().filter(|error| error.kind() != ErrorKind::DeviceBusy)?;
        self.heartbeat.fail(error.kind());
        Some(Condition::Lost)
    }

    /// While it is away, the line goes on as a gap, and the same device is looked for.
    fn seek(&mut self, host: &Host, mut ear: Box<Ear>, sought: Instant, origin: Instant) -> Phase {
        ear.skip_until(nanos_since(origin));
        if sought.elapsed() < SEEK_EACH {
            return Phase::Away { ear, sought };
        }
        let Some(device) = find_again(host, &self.plan.id) else {
            return Phase::Away { ear, sought: Instant::now() };
        };
        self.heartbeat.forgive();
        ear.begin_anew();
        match stream(&device, &self.plan, ear, &self.heartbeat, origin) {
            Ok(phase) => {
                // Until it delivers, it is what it was: the worker is not told that it lives before it does.
                self.dated = Instant::now();
                phase
            }
            Err((error, ear)) => {
                self.heartbeat.fail(error.kind());
                ear.map_or(Phase::Over, |ear| Phase::Away { ear, sought: Instant::now() })
            }
        }
    }

    /// Says once a second how the stream's clock lies to ours. Where it makes no sense, arrivals are dated.
    fn date(&mut self, stream: &Stream, beats: bool, origin: Instant) {
        if self.dated.elapsed() < DATE_EACH || self.heartbeat.clock_offset().is_none() {
            return;
        }
        self.dated = Instant::now();
        let now = nanos_since(origin);
        let senseless = beats && self.heartbeat.stamp().is_some_and(|stamp| stamp.nanos.abs_diff(now) > SENSELESS_NS);
        self.heartbeat.set_clock(offset(stream, origin), senseless);
    }
}

fn find_again(host: &Host, id: &str) -> Option<Device> {
    devices::usable(host).ok()?.into_iter().find(|device| devices::id_of(device).as_deref() == Some(id))
}

/// From the stream's clock to ours: the best of a few looks, for a thread may be held up between the two.
fn offset(stream: &Stream, origin: Instant) -> i64 {
    let looks = (0..3).map(|_| {
        let before = nanos_since(origin);
        let there = stream.now().as_nanos() as i64;
        let after = nanos_since(origin);
        (after - before, ((before + after) / 2) as i64 - there)
    });
    looks.min().map_or(0, |(_, offset)| offset)
}

/// Opens a device and starts it. On failure, the ear comes back.
fn stream(
    device: &Device,
    plan: &Plan,
    ear: Box<Ear>,
    heartbeat: &Arc<Heartbeat>,
    origin: Instant,
) -> Result<Phase, (cpal::Error, Option<Box<Ear>>)> {
    let (returned, home) = bounded(1);
    let mut lent = Lent::new(ear, returned);
    let on_error = Arc::clone(heartbeat);
    let opened = device.build_input_stream_raw(
        plan.config,
        plan.format,
        move |data, about| hear(lent.ear(), data, about, origin),
        move |error| on_error.fail(error.kind()),
        None,
    );
    let stream = opened.map_err(|error| (error, home.try_recv().ok()))?;
    heartbeat.set_clock(offset(&stream, origin), false);
    if let Err(error) = stream.play() {
        drop(stream);
        return Err((error, home.try_recv().ok()));
    }
    heartbeat.set_clock(offset(&stream, origin), false);
    let now = Instant::now();
    Ok(Phase::Streaming { stream, home, callbacks: heartbeat.callbacks(), alive: now, sought: now })
}

/// The callback. **Real time.**
fn hear(ear: &mut Ear, data: &Data, about: &InputCallbackInfo, origin: Instant) {
    let times = about.timestamp();
    let heartbeat = ear.heartbeat();
    let delay = times.callback.saturating_duration_since(times.capture).as_nanos() as u64;
    heartbeat.delayed(delay);
    let lasts = ear.nanos_of(data.len());
    let captured = match heartbeat.clock_offset() {
        Some(offset) => {
            // What ALSA's plugins say of their delay is half a second wrong in the first seconds, so there the callback
            // is taken: its block has just become complete. Elsewhere the system dates the block itself.
            let there = match DATED_BY_CALLBACK {
                true => (times.callback.as_nanos() as i64).saturating_sub(lasts as i64),
                false => times.capture.as_nanos() as i64,
            };
            there.saturating_add(offset).max(1) as u64
        }
        // The clock is read without entering the system: vDSO on Linux, a counter elsewhere.
        None => nanos_since(origin).saturating_sub(lasts),
    };
    macro_rules! hear_as {
        ($($format:ident: $sample:ty),*) => {
            match data.sample_format() {
                $(SampleFormat::$format => data.as_slice::<$sample>().map(|samples| ear.hear(samples, captured)),)*
                _ => None,
            }
        };
    }
    let heard = hear_as!(
        I8: i8, I16: i16, I24: cpal::I24, I32: i32, I64: i64,
        U8: u8, U16: u16, U24: cpal::U24, U32: u32, U64: u64,
        F32: f32, F64: f64
    );
    if heard.is_none() {
        ear.heartbeat().fail(ErrorKind::UnsupportedConfig);
    }
}

//! The sound devices of a workstation, by cpal (feature `capture`).
//!
//! ```text
//!  device ──▶ callback: Ear ──▶ ring ──▶ worker ──▶ audio::align
//!                │                          ▲
//!                └─▶ Heartbeat ─────────────┤ how far, how alive
//!  watch thread ─▶ opens the same device again, lays the gap ─┘
//! ```
//!
//! * [`devices`]: what is there, and what each can do.
//! * [`open`]: one two-channel device, or two devices (microphone = agent; loopback or monitor = customer).
//! * A device that stalls or disappears is noticed within 1 s by its missing callbacks, not only by its errors. The same
//!   one is opened again when it returns, never another; the time in between lies in the ring as a gap (ROB-02).
//! * The callback allocates nothing, locks nothing and calls no system ([`Ear`], ROB-04).
//!
//! On Linux the ALSA host is named explicitly; PulseAudio and PipeWire are reached by their ALSA plugin. On Windows and
//! macOS a loopback is an output that is opened as an input.

mod devices;
mod ear;
mod heartbeat;
mod watch;

use std::sync::Arc;
use std::time::Instant;

use cpal::traits::DeviceTrait;
use cpal::{BufferSize, Device, SampleFormat, StreamConfig};
use thiserror::Error;

use crate::audio::align::Cadence;
use crate::ring::{Drain, ring};

pub use devices::{Listed, Shape, devices};
pub use ear::{Ear, Mix};
pub use heartbeat::{Condition, Heartbeat};
use watch::Watch;

/// Seconds of sound that a ring holds.
pub const RING_S: usize = 2;

/// ALSA names that stand for no device: the sound server puts its default behind them, and another one when that
/// changes, without a word.
const FOLLOWS_DEFAULT: [&str; 4] = ["default", "sysdefault", "pulse", "pipewire"];

/// What is to be captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// One device whose first two channels are the two sides.
    One(Pick),
    /// A device for each side, on two clocks.
    Two {
        /// The agent's: a microphone.
        agent: Pick,
        /// The customer's: a loopback or monitor of what the agent hears.
        customer: Pick,
    },
}

/// A device, and how to open it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// Its id, its name, a part of either, or a pattern with `*` and `?`.
    pub device: String,
    /// The rate to ask for, Hz; the device's own by default.
    pub rate_hz: Option<u32>,
    /// Frames to ask for in a callback; the device's own choice by default. A wish: callbacks of any size are taken.
    pub buffer_frames: Option<u32>,
}

impl Pick {
    /// A device as it likes to be opened.
    pub fn named(device: &str) -> Pick {
        Pick { device: device.into(), ..Pick::default() }
    }
}

/// Why nothing can be captured.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The sound system does not answer.
    #[error("the sound system cannot be used: {source}")]
    System {
        /// What it said.
        source: cpal::Error,
    },
    /// No device of that name.
    #[error("no sound device matches `{wanted}`; there are: {}", list(there))]
    NoSuchDevice {
        /// What was asked for.
        wanted: String,
        /// Those that are there.
        there: Vec<String>,
    },
    /// Several devices of that name.
    #[error("`{wanted}` matches several sound devices; say which: {}", list(matches))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Those that match.
        matches: Vec<String>,
    },
    /// One device for two sides.
    #[error("agent and customer cannot both be `{device}`: to record one two-channel device, name it alone")]
    SameDevice {
        /// The device.
        device: String,
    },
    /// The device cannot do what it has to.
    #[error("{device}: {what}")]
    Unfit {
        /// The device.
        device: String,
        /// What is missing, and what to do.
        what: String,
    },
    /// The device cannot be opened.
    #[error("{device} cannot be opened: {source}")]
    Device {
        /// The device.
        device: String,
        /// What the system said.
        source: cpal::Error,
    },
    /// Nobody can watch the devices.
    #[error("no thread is to be had that watches the devices: {source}; allow this user more processes (ulimit -u)")]
    Thread {
        /// What the system said.
        source: std::io::Error,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// One device that is being captured.
pub struct Line {
    /// The worker's end of its ring: one channel, or two for [`Spec::One`].
    pub drain: Drain,
    /// Its signs of life, and how far it is.
    pub heartbeat: Arc<Heartbeat>,
    /// Its rate, Hz.
    pub rate_hz: u32,
    /// Whether it delivers always, or only while something sounds.
    pub cadence: Cadence,
    /// Its exact name.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What was opened, for people: `2 channels, 48000 Hz, f32, loopback`.
    pub opened_as: String,
    /// Frames in the device's own buffer as the system says; callbacks may be of other sizes
    /// ([`Heartbeat::longest_callback`]).
    pub buffer_frames: Option<u32>,
}

/// Devices that are being captured. Dropping it ends that, and each drain once it is empty.
pub struct Capture {
    /// One line, or the agent's and the customer's.
    pub lines: Vec<Line>,
    origin: Instant,
    _watch: Watch,
}

impl Capture {
    /// Nanoseconds on the clock of [`Heartbeat::stamp`].
    pub fn now_ns(&self) -> u64 {
        nanos_since(self.origin)
    }

    /// An instant on that clock.
    pub fn nanos_at(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }
}

fn nanos_since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Opens the devices and starts them. Sound comes into the rings as soon as they deliver, which may take 2 s.
pub fn open(spec: &Spec) -> Result<Capture, CaptureError> {
    let host = devices::host()?;
    let picks = match spec {
        Spec::One(pick) => vec![(pick, Mix::Pair)],
        Spec::Two { agent, customer } => vec![(agent, Mix::Average), (customer, Mix::Average)],
    };
    let mut plans = Vec::new();
    for (pick, mix) in picks {
        plans.push(Plan::of(devices::find(&host, &pick.device)?, pick, mix)?);
    }
    if let [first, second] = &plans[..]
        && first.id == second.id
    {
        return Err(CaptureError::SameDevice { device: first.id.clone() });
    }
    let origin = Instant::now();
    let (mut lines, mut watched) = (Vec::new(), Vec::new());
    for plan in plans {
        let (inlet, drain) = ring(plan.config.sample_rate as usize * RING_S, plan.ring_channels());
        let heartbeat = Arc::new(Heartbeat::new());
        let ear = Box::new(plan.ear(inlet, Arc::clone(&heartbeat)));
        lines.push(plan.line(drain, heartbeat));
        watched.push(watch::Watched::open(plan, ear, origin)?);
    }
    for (line, watched) in lines.iter_mut().zip(&watched) {
        line.buffer_frames = watched.buffer_frames();
    }
    let watch = Watch::over(host, watched, origin).map_err(|source| CaptureError::Thread { source })?;
    Ok(Capture { lines, origin, _watch: watch })
}

/// A device that was picked, and how it is opened: the same way each time.
struct Plan {
    device: Device,
    id: String,
    name: String,
    loopback: bool,
    config: StreamConfig,
    format: SampleFormat,
    mix: Mix,
    cadence: Cadence,
}

impl Plan {
    fn of(device: Device, pick: &Pick, mix: Mix) -> Result<Plan, CaptureError> {
        let (id, name) = (devices::id_of(&device).unwrap_or_default(), devices::name_of(&device));
        let unfit = |what: String| CaptureError::Unfit { device: name.clone(), what };
        let loopback = !device.supports_input();
        let own = if loopback { device.default_output_config() } else { device.default_input_config() };
        let mut own = own.map_err(|source| CaptureError::Device { device: name.clone(), source })?;
        let wished = pick.rate_hz.is_some_and(|hz| hz != own.sample_rate());
        if wished || mix == Mix::Pair && own.channels() < 2 || own.sample_format().is_dsd() {
            let ranges: Vec<_> = match loopback {
                true => device.supported_output_configs().map(Iterator::collect),
                false => device.supported_input_configs().map(Iterator::collect),
            }
            .map_err(|source| CaptureError::Device { device: name.clone(), source })?;
            let hz = pick.rate_hz.unwrap_or(own.sample_rate());
            let needed = if mix == Mix::Pair { 2 } else { 1 };
            let best = ranges
                .into_iter()
                .filter(|range| range.channels() >= needed && !range.sample_format().is_dsd())
                .min_by_key(|range| (range.channels() != own.channels(), range.channels().abs_diff(needed)))
                .ok_or_else(|| unfit(format!("it has no {needed} channels; name two devices instead")))?;
            own = best.try_with_sample_rate(hz).ok_or_else(|| {
                let (low, high) = (best.min_sample_rate(), best.max_sample_rate());
                unfit(format!("it cannot be opened with {hz} Hz; it does {low} to {high} Hz"))
            })?;
        }
        let mut config = own.config();
        if let Some(frames) = pick.buffer_frames {
            config.buffer_size = BufferSize::Fixed(frames);
        }
        // Only WASAPI's loopback delivers nothing while nothing sounds.
        let cadence = if loopback && cfg!(target_os = "windows") { Cadence::Sparse } else { Cadence::Steady };
        Ok(Plan { device, id, name, loopback, config, format: own.sample_format(), mix, cadence })
    }

    /// Whether a sound server stands behind the device, and may move its streams. An ALSA card is held directly.
    fn behind_server(&self) -> bool {
        cfg!(not(any(target_os = "windows", target_os = "macos"))) && !self.id.contains("CARD=")
    }

    fn ring_channels(&self) -> usize {
        if self.mix == Mix::Pair { 2 } else { 1 }
    }

    fn ear(&self, inlet: crate::ring::Inlet, heartbeat: Arc<Heartbeat>) -> Ear {
        let channels = usize::from(self.config.channels);
        Ear::new(inlet, heartbeat, self.mix, channels, self.config.sample_rate, self.cadence)
    }

    fn line(&self, drain: Drain, heartbeat: Arc<Heartbeat>) -> Line {
        let (channels, hz, format) = (self.config.channels, self.config.sample_rate, self.format);
        let how = match (self.loopback, FOLLOWS_DEFAULT.contains(&self.id.as_str())) {
            (true, _) => ", loopback",
            (false, true) => ", whatever the system's default is: name a device to be held to it",
            (false, false) => "",
        };
        Line {
            drain,
            heartbeat,
            rate_hz: hz,
            cadence: self.cadence,
            id: self.id.clone(),
            name: self.name.clone(),
            opened_as: format!("{channels} channel(s), {hz} Hz, {format}{how}"),
            buffer_frames: None,
        }
    }
}

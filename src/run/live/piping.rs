//! A pipe as the source of a call: its format, its ring, what is handed on, and the thread that reads it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use super::arrival::ArrivalClock;
use super::intake::OneRing;
use super::start::Sound;
use crate::config::{AgentSide, Alone, Settings};
use crate::relay::{PassThrough, Relay};
use crate::ring::{Inlet, ring};
use crate::run::line::BLOCK;
use crate::source::RawFormat;
use crate::source::pipe::{PipeError, PipeInput, PipeSource};
use crate::split::{ChannelMap, Delivery};

/// A pipe that is open, and not read yet.
pub struct Piping {
    source: PipeSource,
    inlet: Inlet,
    relay: Option<Relay>,
    delivery: Delivery,
}

impl Piping {
    /// Opens a pipe, waits for its header, and makes the ring: two bursts, and at least what is configured (5 s by
    /// default). `pass_through`: `original` or `agent`. The error is a sentence for people; nothing was read of the sound.
    pub fn open(
        settings: &Settings,
        input: &PipeInput,
        raw: Option<&RawFormat>,
        pass_through: Option<&str>,
    ) -> Result<(Piping, Sound), String> {
        let relay = pass_through.map(|what| {
            let what = if what == "agent" { PassThrough::Agent } else { PassThrough::Original };
            Relay::to_stdout(what, settings.live.pass_through_to_file).map_err(|error| error.to_string())
        });
        let relay = relay.transpose()?;
        let source = PipeSource::open(input, raw).map_err(|error| error.to_string())?;
        let delivery = delivery(settings, source.channels())?;
        let source_hz = source.rate_hz();
        let rate_hz = settings.rate_hz.value.filter(|_| raw.is_none()).unwrap_or(source_hz);
        let worst_ms = settings.live.worst_buffering_ms.as_ref().map_or(source.burst_ms(), |worst| worst.value.into());
        let ring_ms = u64::from(settings.live.ring_ms.value).max(2 * source.burst_ms());
        let (inlet, drain) = ring((ring_ms * u64::from(source_hz)).div_ceil(1_000) as usize, delivery.channels());
        let clock = ArrivalClock::new(source_hz, worst_ms);
        let intake = OneRing::new(drain, delivery, source_hz, rate_hz, Some(clock));
        let encoding = source.described().into();
        let sound = Sound { delivery, source_hz, rate_hz, encoding, intake: Box::new(intake), block_frames: BLOCK };
        Ok((Piping { source, inlet, relay, delivery }, sound))
    }

    /// Reads on a thread of its own, so that a signal ends the call and not the sender's next byte.
    pub fn start(self, stop: &Arc<AtomicBool>) -> std::io::Result<JoinHandle<Result<(), PipeError>>> {
        let stop = Arc::clone(stop);
        std::thread::Builder::new().name("pipe".into()).spawn(move || self.carry(&stop))
    }

    /// Reads until the stream ends or `stop` is raised. Whether anybody drains the ring does not matter to it: the
    /// conversation goes on (ROB-06).
    pub fn carry(mut self, stop: &AtomicBool) -> Result<(), PipeError> {
        let agent = self.delivery.agent();
        self.source.run(self.inlet, self.relay.as_mut().map(|relay| (relay, agent)), stop)
    }
}

fn delivery(settings: &Settings, channels: usize) -> Result<Delivery, String> {
    let alone = |delivery| match channels {
        1 => Ok(delivery),
        _ => Err(format!("--party says that one party alone is delivered, but the stream has {channels} channels")),
    };
    match &settings.agent.value {
        AgentSide::Alone(Alone::Agent) => alone(Delivery::AgentAlone),
        AgentSide::Alone(Alone::Customer) => alone(Delivery::CustomerAlone),
        side if channels > 1 => {
            ChannelMap::new(side.channel(), channels).map(Delivery::Both).map_err(|error| error.to_string())
        }
        _ => {
            Err("the stream has one channel: say with --party whose it is, if it is one party's alone; a mix of both \
                  cannot be told apart and is not recorded"
                .into())
        }
    }
}

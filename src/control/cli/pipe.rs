//! `oneside pipe`: one call from a pipe, live.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::flags::{Knobs, Reading, Writing};
use super::live::{LiveFlags, Started, begin, describe, ended};
use crate::archive::Place;
use crate::config::{AgentSide, Alone, Names, Settings, Sided};
use crate::control::exit::Exit;
use crate::relay::{PassThrough, Relay};
use crate::ring::{Inlet, ring};
use crate::run::live::arrival::ArrivalClock;
use crate::run::live::intake::OneRing;
use crate::run::live::start::{NewCall, Sound};
use crate::source::pipe::{PipeError, PipeInput, PipeSource, open_descriptor};
use crate::split::{ChannelMap, Delivery};

/// Flags of `pipe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A FIFO to read; - is standard input
    #[arg(value_name = "INPUT", default_value = "-", conflicts_with = "fd")]
    input: PathBuf,
    /// Read this inherited descriptor instead (EAGI: 3)
    #[arg(long, value_name = "N")]
    fd: Option<u32>,
    /// The call's name; outputs are called after it. A name that is taken gets a number
    #[arg(long, value_name = "ID")]
    call: String,
    /// Where outputs go; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A stream of one channel: whose it is
    #[arg(long, value_name = "agent|customer", value_parser = ["agent", "customer"])]
    party: Option<String>,
    /// The other side's number: only compared with the never-record list, and never stored
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// A private call: neither side is recorded until `private_ended`
    #[arg(long)]
    private: bool,
    /// Health and the like: nothing but consent opens the customer's side
    #[arg(long)]
    sensitive: bool,
    /// Hand the call on to standard output: as it came, or the agent's side alone
    #[arg(long, value_name = "original|agent", value_parser = ["original", "agent"])]
    pass_through: Option<String>,
    /// Consent while the call runs: one JSON event a line on this inherited descriptor
    #[arg(long, value_name = "N")]
    control_fd: Option<u32>,
    #[command(flatten)]
    live: LiveFlags,
    #[command(flatten)]
    knobs: Knobs,
    #[command(flatten)]
    reading: PipeReading,
    #[command(flatten)]
    writing: Writing,
}

/// How the stream is read.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "How the stream is read")]
pub struct PipeReading {
    /// A stream without a header is read as this; needs --rate and --channels. Otherwise it is WAV of unknown length
    #[arg(long, visible_alias = "format", value_name = "s16le|mulaw|alaw")]
    raw: Option<String>,
    /// With --raw: the stream's rate. Otherwise: the output's rate, Hz [default: the stream's]
    #[arg(long, value_name = "HZ")]
    rate: Option<u32>,
    /// With --raw: the stream's channels
    #[arg(long, value_name = "N", requires = "raw")]
    channels: Option<usize>,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    let ready = match ready(args) {
        Ok(ready) => ready,
        Err(message) => {
            warn_line!("oneside: {message}");
            return Exit::Usage;
        }
    };
    run(args, ready)
}

struct Ready {
    settings: Settings,
    source: PipeSource,
    delivery: Delivery,
    relay: Option<Relay>,
}

/// Everything that can be wrong with the command is found here, before a byte of sound is taken.
fn ready(args: &Args) -> Result<Ready, String> {
    let reading = Reading {
        raw: args.reading.raw.clone(),
        rate: args.reading.rate,
        channels: args.reading.channels,
        ..Reading::default()
    };
    let sided = match args.party.as_deref() {
        None => Sided::ByKnobs,
        Some("customer") => Sided::ByParty(Alone::Customer),
        Some(_) => Sided::ByParty(Alone::Agent),
    };
    let settings = args.knobs.live_settings(&args.writing, &reading, &args.live, sided).map_err(|e| e.to_string())?;
    if let Names::Plain = settings.names.value {
        Place::new(&args.out, &args.call).map_err(|error| error.to_string())?;
    }
    let raw = reading.raw_format()?;
    let relay = args.pass_through.as_deref().map(|what| {
        let what = if what == "agent" { PassThrough::Agent } else { PassThrough::Original };
        if settings.live.pass_through_to_file {
            warn_line!(
                "oneside: [danger] pass_through_to_file: the whole call may be written to a file, without consent"
            );
        }
        Relay::to_stdout(what, settings.live.pass_through_to_file).map_err(|error| error.to_string())
    });
    let relay = relay.transpose()?;
    let input = match args.fd {
        Some(number) => PipeInput::Descriptor(number),
        None if args.input.as_os_str() == "-" => PipeInput::Stdin,
        None => PipeInput::Path(args.input.clone()),
    };
    let source = PipeSource::open(&input, raw.as_ref()).map_err(|error| error.to_string())?;
    let delivery = delivery(&settings, source.channels())?;
    Ok(Ready { settings, source, delivery, relay })
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
        _ => Err("the stream has one channel: say with --party whose it is, if it is one party's alone; \
                  a mix of both cannot be told apart and is not recorded"
            .into()),
    }
}

fn run(args: &Args, ready: Ready) -> Exit {
    let Ready { settings, source, delivery, relay } = ready;
    let rate_hz = settings.rate_hz.value.filter(|_| args.reading.raw.is_none()).unwrap_or(source.rate_hz());
    let worst_ms = settings.live.worst_buffering_ms.as_ref().map_or(source.burst_ms(), |worst| worst.value.into());
    // Two bursts, and at least what is configured (5 s by default).
    let ring_ms = u64::from(settings.live.ring_ms.value).max(2 * source.burst_ms());
    let capacity = (ring_ms * u64::from(source.rate_hz())).div_ceil(1_000) as usize;
    let (inlet, drain) = ring(capacity, delivery.channels());
    let clock = ArrivalClock::new(source.rate_hz(), worst_ms);
    let intake = OneRing::new(drain, delivery, source.rate_hz(), rate_hz, Some(clock));
    let sound = Sound {
        delivery,
        source_hz: source.rate_hz(),
        rate_hz,
        encoding: source.described().into(),
        intake: Box::new(intake),
    };
    let new = NewCall {
        agent: args.live.agent().map(str::to_owned),
        number: args.number.clone(),
        private: args.private,
        sensitive: args.sensitive,
        ..NewCall::new(args.call.clone(), sound)
    };
    let started = match begin(&args.out, settings, &args.live, Some(new)) {
        Ok(started) => started,
        Err((exit, message)) => {
            warn_line!("oneside: {message}");
            if exit == Exit::Usage {
                return exit;
            }
            // The recording failed, the conversation goes on: whoever sends must not be disturbed (ROB-06).
            warn_line!("oneside: NOT RECORDING; the call goes on");
            drain_only(source, inlet, relay, delivery);
            return exit;
        }
    };
    if let Some(number) = args.control_fd
        && let Err(error) = follow_control(number, &started)
    {
        warn_line!("oneside: {error}; consent cannot be given there");
    }
    carry(source, inlet, relay, delivery, started)
}

/// Reads on a thread of its own, so that a signal ends the call and not the sender's next byte.
fn carry(source: PipeSource, inlet: Inlet, relay: Option<Relay>, delivery: Delivery, started: Started) -> Exit {
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = super::live::stop_on_signal();
    let reader = {
        let stop = Arc::clone(&stop);
        std::thread::Builder::new().name("pipe".into()).spawn(move || {
            let mut relay = relay;
            source.run(inlet, relay.as_mut().map(|relay| (relay, delivery.agent())), &stop)
        })
    };
    let reader = match reader {
        Ok(reader) => reader,
        Err(error) => {
            warn_line!("oneside: no thread could be started: {error}");
            return Exit::Bug;
        }
    };
    while !reader.is_finished() && !interrupted.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(2));
    }
    stop.store(true, Ordering::Relaxed);
    let read = if reader.is_finished() { reader.join().unwrap_or(Ok(())) } else { Ok(()) };
    if let Err(error) = &read {
        warn_line!("oneside: {error}; what came before it is kept");
    }
    let exit = ended(started, &interrupted);
    if read.is_err() && exit == Exit::Done { Exit::Partly } else { exit }
}

fn drain_only(source: PipeSource, inlet: Inlet, mut relay: Option<Relay>, delivery: Delivery) {
    let stop = super::live::stop_on_signal();
    if let Err(error) = source.run(inlet, relay.as_mut().map(|relay| (relay, delivery.agent())), &stop) {
        warn_line!("oneside: {error}");
    }
}

/// Applies the events that come on an inherited descriptor, and says on standard error what the writer did.
fn follow_control(number: u32, started: &Started) -> Result<(), PipeError> {
    let lines = BufReader::new(open_descriptor(number)?.take(u64::MAX));
    let (desk, call) = (Arc::clone(&started.desk), started.call.clone());
    let follow = move || {
        for (number, line) in lines.lines().enumerate() {
            let Ok(line) = line else { break };
            if line.trim().is_empty() {
                continue;
            }
            let said = describe(&desk, &call, line.as_bytes());
            let _ = writeln!(std::io::stderr(), "oneside: control line {}: {said}", number + 1);
        }
    };
    std::thread::Builder::new().name("control".into()).spawn(follow).map(|_| ()).map_err(|source| PipeError::Open {
        what: format!("descriptor {number}"),
        source,
        remedy: "",
    })
}

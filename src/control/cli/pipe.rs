//! `oneside pipe`: one call from a pipe, live.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::flags::{Knobs, Reading, Writing};
use super::live::{LiveFlags, Started, begin, describe, ended};
use crate::archive::Place;
use crate::config::{Alone, Names, Settings, Sided};
use crate::control::exit::Exit;
use crate::run::live::Recording;
use crate::run::live::piping::Piping;
use crate::run::live::start::NewCall;
use crate::source::pipe::{PipeError, PipeInput, open_descriptor};

/// Turns of 2 ms after which the state is looked at.
const TURNS: u64 = 50;
/// Longest line on a control descriptor, bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;

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
    piping: Piping,
    new: NewCall,
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
    if args.pass_through.is_some() && settings.live.pass_through_to_file {
        warn_line!("oneside: [danger] pass_through_to_file: the whole call may be written to a file, without consent");
    }
    let raw = reading.raw_format()?;
    let input = match args.fd {
        Some(number) => PipeInput::Descriptor(number),
        None if args.input.as_os_str() == "-" => PipeInput::Stdin,
        None => PipeInput::Path(args.input.clone()),
    };
    let (piping, sound) = Piping::open(&settings, &input, raw.as_ref(), args.pass_through.as_deref())?;
    let new = NewCall {
        agent: args.live.agent().map(str::to_owned),
        number: args.number.clone(),
        private: args.private,
        sensitive: args.sensitive,
        ..NewCall::new(args.call.clone(), sound)
    };
    Ok(Ready { settings, piping, new })
}

fn run(args: &Args, ready: Ready) -> Exit {
    let Ready { settings, piping, new } = ready;
    // From here on the conversation is handed on, whatever becomes of the recording (ROB-06).
    let stop = Arc::new(AtomicBool::new(false));
    let reader = match piping.start(&stop) {
        Ok(reader) => reader,
        Err(error) => {
            warn_line!("oneside: no thread could be started: {error}");
            return Exit::Bug;
        }
    };
    let started = match begin(&args.out, settings, &args.live, Some(new)) {
        Ok(started) => started,
        Err((exit, message)) => {
            warn_line!("oneside: {message}");
            if exit == Exit::Usage && args.pass_through.is_none() {
                return exit;
            }
            warn_line!("oneside: NOT RECORDING; the call goes on");
            let interrupted = super::live::stop_on_signal();
            while !reader.is_finished() && !interrupted.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(2));
            }
            return exit;
        }
    };
    if let Some(number) = args.control_fd
        && let Err(error) = follow_control(number, &started)
    {
        warn_line!("oneside: {error}; consent cannot be given there");
    }
    carry(reader, &stop, started)
}

fn carry(reader: JoinHandle<Result<(), PipeError>>, stop: &AtomicBool, started: Started) -> Exit {
    let interrupted = super::live::stop_on_signal();
    let mut told = None;
    for turn in 0u64.. {
        if reader.is_finished() || interrupted.load(Ordering::Relaxed) {
            break;
        }
        if turn.is_multiple_of(TURNS) {
            tell_trouble(&started, &mut told);
        }
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

/// Says at once that nothing is recorded any more, and why.
fn tell_trouble(started: &Started, told: &mut Option<String>) {
    let state = started.desk.state(&started.call).ok();
    let why = state.filter(|state| state.recording == Recording::NotRecording).and_then(|state| state.why);
    if why != *told {
        match &why {
            Some(why) => warn_line!("oneside: NOT RECORDING; the call goes on: {why}"),
            None => warn_line!("oneside: recording goes on"),
        }
        *told = why;
    }
}

/// Applies the events that come on an inherited descriptor, and says on standard error what the writer did.
fn follow_control(number: u32, started: &Started) -> Result<(), PipeError> {
    let mut lines = BufReader::new(open_descriptor(number)?);
    let (desk, call) = (Arc::clone(&started.desk), started.call.clone());
    let follow = move || {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            // What is longer is read in pieces, none of which is understood: the customer's side shuts.
            match lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) if line.trim_ascii().is_empty() => continue,
                Ok(_) => {}
            }
            let said = describe(&desk, &call, &line);
            let _ = writeln!(std::io::stderr(), "oneside: control line {number}: {said}");
        }
    };
    std::thread::Builder::new().name("control".into()).spawn(follow).map(|_| ()).map_err(|source| PipeError::Open {
        what: format!("descriptor {number}"),
        source,
        remedy: "",
    })
}

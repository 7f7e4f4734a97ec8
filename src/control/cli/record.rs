//! `oneside record`: the sidecar on an agent's workstation.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::flags::{Knobs, Reading, Writing};
use super::live::{LiveFlags, Started, begin, stop_on_signal, tell_ended};
use crate::config::{Alone, Settings, Sided};
use crate::control::exit::Exit;
use crate::run::live::sidecar::{Sidecar, SidecarOrders};
use crate::run::live::{Ended, OpenCall};
use crate::source::capture::{Pick, Spec, open};

/// The calls' rate unless another is asked for: what the detector takes, and what speech needs.
const RATE_HZ: u32 = 16_000;
/// Rates at which a call can be recorded from devices: those that the detector takes as they are.
const RATES_HZ: [u32; 3] = [8_000, 16_000, 32_000];

/// Flags of `record`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The microphone: its id or name, a part of it, or a pattern (`oneside devices`)
    #[arg(long, value_name = "DEVICE", requires = "customer_device", required_unless_present = "device")]
    agent_device: Option<String>,
    /// What the agent hears: the loopback or monitor of the headset
    #[arg(long, value_name = "DEVICE", requires = "agent_device")]
    customer_device: Option<String>,
    /// One device with both sides on two channels; needs --agent-channel
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["agent_device", "customer_device"])]
    device: Option<String>,
    /// Where outputs go; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Begin a call of this name at once
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Calls begin when both sides have sound and end when both are silent
    #[arg(long)]
    auto: bool,
    /// With --auto: the silence that ends a call
    #[arg(long, value_name = "SECONDS", default_value_t = 20, requires = "auto")]
    auto_silence_s: u64,
    /// The calls' rate: 8000, 16000 or 32000 Hz
    #[arg(long, value_name = "HZ", default_value_t = RATE_HZ)]
    rate: u32,
    /// Frames to ask the devices for in a callback; a wish [default: the device's own]
    #[arg(long, value_name = "FRAMES")]
    buffer_frames: Option<u32>,
    /// The file of acknowledgements; without the agent's nothing is captured [default: the configuration's]
    #[arg(long, value_name = "FILE", requires = "rules_version")]
    acknowledged: Option<PathBuf>,
    /// The version of purpose, retention, access and rules that has to be acknowledged
    #[arg(long, value_name = "VERSION", requires = "acknowledged")]
    rules_version: Option<String>,
    #[command(flatten)]
    live: LiveFlags,
    #[command(flatten)]
    knobs: Knobs,
    #[command(flatten)]
    writing: Writing,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    super::exit_of(run(args))
}

fn run(args: &Args) -> Result<Exit, (Exit, String)> {
    let usage = |message: String| (Exit::Usage, message);
    if !RATES_HZ.contains(&args.rate) {
        return Err(usage(format!("--rate {}: 8000, 16000 and 32000 Hz are recorded from devices", args.rate)));
    }
    if args.call.is_none() && !args.auto && !args.live.is_steered() {
        return Err(usage("no call could ever begin: give --call, --auto or --http".into()));
    }
    let settings = settings(args).map_err(usage)?;
    // INF-04: before the first capture, not before the first call.
    let staff = &settings.live.staff;
    if staff.acknowledged.is_none() {
        return Err((
            Exit::Refused,
            "nothing is captured before the agent's acknowledgement of purpose, retention, access and rules is on file \
             (INF-04): give --acknowledged FILE and --rules-version V, or [staff] in the configuration"
                .into(),
        ));
    }
    staff.admit(args.live.agent(), None).map_err(|error| (Exit::Refused, error.to_string()))?;
    let pick = |device: &str| Pick { buffer_frames: args.buffer_frames, ..Pick::named(device) };
    let spec = match (&args.device, &args.agent_device, &args.customer_device) {
        (Some(one), ..) => Spec::One(pick(one)),
        (None, Some(agent), Some(customer)) => Spec::Two { agent: pick(agent), customer: pick(customer) },
        _ => return Err(usage("name --agent-device and --customer-device, or one --device".into())),
    };
    let capture = open(&spec).map_err(|error| usage(error.to_string()))?;
    for line in &capture.lines {
        let buffer = line.buffer_frames.map_or_else(|| "unknown".into(), |frames| format!("{frames} frames"));
        warn_line!("oneside: capturing {} ({}; its own buffer: {buffer})", line.name, line.opened_as);
    }
    let started = begin(&args.out, settings, &args.live, None)?;
    let orders = SidecarOrders {
        live: Arc::clone(&started.orders),
        rate_hz: args.rate,
        agent: args.live.agent().map(str::to_owned),
        auto_silence: args.auto.then(|| Duration::from_secs(args.auto_silence_s)),
    };
    let failed = |error: std::io::Error| (Exit::Bug, format!("no thread could be started: {error}"));
    let sidecar = Sidecar::begin(orders, capture, &started.desk).map_err(failed)?;
    if let Some(name) = &args.call {
        let wanted = OpenCall { call: Some(name.clone()), ..OpenCall::default() };
        started.desk.open(wanted).map_err(|error| (Exit::Disk, error.to_string()))?;
    }
    Ok(watch(args, sidecar, &started))
}

fn settings(args: &Args) -> Result<Settings, String> {
    let sided = if args.device.is_some() { Sided::ByKnobs } else { Sided::ByParty(Alone::Agent) };
    let acknowledged = args.acknowledged.clone().zip(args.rules_version.clone());
    args.knobs
        .live_settings_with(&args.writing, &Reading::default(), &args.live, sided, acknowledged)
        .map_err(|error| error.to_string())
}

/// Says what changes until a signal comes; then the call in hand is ended and sealed.
fn watch(args: &Args, sidecar: Sidecar, started: &Started) -> Exit {
    let stop = stop_on_signal();
    let mut told = None;
    let mut ended = 0;
    while !stop.load(Ordering::Relaxed) {
        tell_trouble(&sidecar, &mut told);
        tell_over(args, started, &mut ended);
        if args.call.is_some() && started.desk.is_idle() && ended > 0 && !args.live.is_steered() && !args.auto {
            break; // the one call that it was begun for is over, and nobody can begin another
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    tell_trouble(&sidecar, &mut told); // what came up in the last moment
    drop(sidecar);
    match tell_over(args, started, &mut ended)
        .iter()
        .any(|call| call.result == "failed" || call.result == "interrupted")
    {
        true => Exit::Disk,
        false => Exit::Done,
    }
}

/// Says how calls ended since `told` of them were told. All that ended, the last one first.
fn tell_over(args: &Args, started: &Started, told: &mut usize) -> Vec<Ended> {
    let over = started.desk.ended();
    let new = over.len().saturating_sub(*told);
    over[..new].iter().rev().for_each(|call| tell_ended(call, args.live.is_json()));
    *told = over.len();
    over
}

/// Says what is wrong with the devices when that changes.
fn tell_trouble(sidecar: &Sidecar, told: &mut Option<String>) {
    let trouble = sidecar.trouble();
    if trouble != *told {
        match &trouble {
            Some(trouble) => warn_line!("oneside: NOT RECORDING: {trouble}"),
            None => warn_line!("oneside: the devices deliver again"),
        }
        *told = trouble;
    }
}

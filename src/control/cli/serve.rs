//! `oneside serve`: the calls of media servers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::flags::{Knobs, Reading, Writing};
#[cfg(unix)]
use super::live::orders_of;
use super::live::{LiveFlags, Started, begin, tell_ended};
use crate::config::serve::{Serve, address};
use crate::config::{ConfigError, Settings, Sided};
use crate::control::exit::Exit;
use crate::control::http::{HttpConfig, PageConfig};
use crate::run::hardening::raise_open_files;
#[cfg(unix)]
use crate::run::live::LiveOrders;
use crate::run::live::shard::Shards;
use crate::run::live::sources::{self, Ground};
use crate::run::live::switchboard::{Limits, Switchboard, Told};
use crate::source::listen::Stop;

/// Files and sockets that a call has open: a connection or port for each party, its journal, its tracks, its lock.
const FILES_OF_A_CALL: u64 = 6;
/// Those of the server itself: listeners, the API, what is being sealed, connections that come to nothing.
const FILES_MIN: u64 = 500;
/// Threads of the sockets.
const IO_THREADS: usize = 2;

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where outputs go; made if it is not there [default: `out` in the configuration]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Calls lie in the store beside each other, or in a directory for each day [default: `layout` in the configuration]
    #[arg(long, value_name = "flat|date", value_parser = ["flat", "date"])]
    layout: Option<String>,
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
    let (settings, serve) = configured(args).map_err(|error| usage(error.to_string()))?;
    let out = args.out.clone().or_else(|| serve.out.clone());
    let out = out.ok_or_else(|| usage("where do outputs go? Say --out DIR, or `out` under [serve]".into()))?;
    let mut flags = args.live.clone();
    flags.http_else = http_of(&serve, &settings).map_err(|error| usage(error.to_string()))?;
    // Before anything is opened: a listener that is refused must not find the API open, nor calls begun.
    let http = flags.http_config(&settings).and_then(|http| http.as_ref().map_or(Ok(()), HttpConfig::check));
    http.map_err(|error| usage(error.to_string()))?;
    sources::check(&serve).map_err(usage)?;
    if serve.plain_listeners {
        warn_line!("oneside: [danger] plain_listeners: voices may cross the network in the clear");
    }
    tell_if_too_few_files(serve.calls_max);
    let detection = settings.detection();
    let failed = |what: &str, error: std::io::Error| (Exit::Bug, format!("{what} could not be started: {error}"));
    let shards = Shards::start(serve.workers, detection).map_err(|error| failed("the workers", error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS.min(serve.workers))
        .thread_name("io")
        .enable_all()
        .build()
        .map_err(|error| failed("the network", error))?;
    let started = begin(&out, settings, &flags, None)?;
    let json = args.live.is_json();
    started.desk.tell_left(Arc::new(move |ended| tell_ended(ended, json)));
    let limits = Limits { calls_max: serve.calls_max };
    let told = Box::new(move |told: &Told<'_>| tell(told, json));
    let desk = Arc::clone(&started.desk);
    let board = Switchboard::new(Arc::clone(&started.orders), desk, shards, limits, told);
    let board = Arc::new(board.map_err(|error| (Exit::Disk, error.to_string()))?);
    started.desk.figures_of({
        let board = Arc::clone(&board);
        Box::new(move || board.figures())
    });
    let stop = Stop::new();
    let ground = Ground {
        serve: &serve,
        exchange: Arc::clone(&board) as Arc<_>,
        desk: &started.desk,
        runtime: runtime.handle(),
        stop: stop.clone(),
    };
    for line in sources::start(&ground).map_err(usage)? {
        warn_line!("oneside: {line}");
    }
    warn_line!("oneside: serving; calls go to {}", out.display());
    runtime.block_on(until_told_to_end(args, &board, &started));
    let within = Duration::from_secs(serve.drain_s);
    warn_line!("oneside: ending; calls in hand are sealed within {} s", serve.drain_s);
    board.stop_admitting();
    stop.cancel();
    let sealed = board.drain(within);
    runtime.shutdown_timeout(Duration::from_millis(500));
    if !sealed {
        warn_line!("oneside: some calls were not sealed in time; the next start does it");
        return Ok(Exit::Disk);
    }
    Ok(Exit::Done)
}

/// Says so if the system lets the process have fewer files and sockets open than the calls that it may have need.
fn tell_if_too_few_files(calls_max: usize) {
    let Some(allowed) = raise_open_files() else { return };
    let needed = FILES_MIN + calls_max as u64 * FILES_OF_A_CALL;
    if allowed < needed {
        warn_line!(
            "oneside: {allowed} files and sockets may be open, and {calls_max} calls (calls_max) need about {needed}: raise the limit \
             (LimitNOFILE= in a systemd unit, `ulimit -Hn`); calls for which there are none left are declined (`disk`)"
        );
    }
}

fn configured(args: &Args) -> Result<(Settings, Serve), ConfigError> {
    let (file, _, _) = args.knobs.layers(&args.writing, &Reading::default())?;
    let serve = file.serve.clone().unwrap_or_default().resolve(&file.danger.clone().unwrap_or_default())?;
    let mut settings = args.knobs.live_settings(&args.writing, &Reading::default(), &args.live, Sided::BySource)?;
    if let Some(layout) = &args.layout {
        settings.live.by_date = layout == "date";
    }
    Ok((settings, serve))
}

/// How the API is to be served, if the configuration says that it is.
pub(super) fn http_of(serve: &Serve, settings: &Settings) -> Result<Option<HttpConfig>, ConfigError> {
    let Some(raw) = &serve.http else { return Ok(None) };
    let default = HttpConfig::default();
    let listen = raw.listen.as_ref().map(|text| address("serve.http.listen", text)).transpose()?;
    Ok(Some(HttpConfig {
        listen: listen.unwrap_or(default.listen),
        tls_cert: raw.tls_cert.clone(),
        tls_key: raw.tls_key.clone(),
        token_file: raw.token.clone(),
        names: raw.names.clone(),
        page: PageConfig { purposes: settings.purposes.value.clone().unwrap_or_default(), ..default.page },
    }))
}

/// Waits for a signal that ends the server. SIGHUP reads the configuration again for the calls to come, and what tokens are
/// revoked for those in hand as well.
async fn until_told_to_end(args: &Args, board: &Switchboard, started: &Started) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
            warn_line!("oneside: signals cannot be heard; a kill ends the server, and the next start seals its calls");
            return std::future::pending().await;
        };
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => reload(args, board, started),
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (args, board, started);
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// New calls get what the configuration says now, and calls in hand lose what rests on a token that is revoked now; a
/// configuration that cannot be used changes nothing.
#[cfg(unix)]
fn reload(args: &Args, board: &Switchboard, started: &Started) {
    let orders = configured(args).map_err(|error| error.to_string()).and_then(|(mut settings, serve)| {
        let kept = kept_of(args, &serve, &mut settings, &started.orders);
        let orders = orders_of(&started.orders.out, settings).map_err(|(_, message)| message)?;
        Ok((orders, kept))
    });
    match orders {
        Ok((orders, kept)) => {
            board.reload(orders);
            let kept: String = kept
                .iter()
                .map(|key| format!("; WARNING: `{key}` was changed and not taken over, that needs a restart"))
                .collect();
            warn_line!(
                "oneside: the configuration was read again; it counts for calls that begin from now on, revoked tokens for those in hand as well{kept}"
            );
        }
        Err(message) => warn_line!("oneside: the configuration was not taken over: {message}"),
    }
}

/// What was changed and stays as it was while the server runs: one store has all its calls, laid out in one way. `settings`
/// go on with what stands.
#[cfg(unix)]
fn kept_of(args: &Args, serve: &Serve, settings: &mut Settings, standing: &LiveOrders) -> Vec<&'static str> {
    let out = args.out.as_ref().or(serve.out.as_ref());
    let by_date = standing.settings.live.by_date;
    let mut kept = Vec::new();
    if out != Some(&standing.out) {
        kept.push("out");
    }
    // The shards' detectors were made at the start.
    if settings.vad_mode.value != standing.settings.vad_mode.value {
        settings.vad_mode = standing.settings.vad_mode.clone();
        kept.push("vad_mode");
    }
    if settings.detector.value != standing.settings.detector.value {
        settings.detector = standing.settings.detector.clone();
        kept.push("detector");
    }
    if settings.live.by_date != by_date {
        settings.live.by_date = by_date;
        kept.push("layout");
    }
    kept
}

/// Says that a call began, or why it did not: the call's name and stable words, nothing of a person.
fn tell(told: &Told<'_>, json: bool) {
    let at = jiff::Timestamp::now();
    match told {
        Told::Began { source, call } if json => {
            let line =
                serde_json::json!({ "at": at.to_string(), "event": "call_began", "source": source, "call": call });
            warn_line!("{line}");
        }
        Told::Began { source, call } => warn_line!("oneside: {call}: began ({source})"),
        Told::Declined { source, reason, call, .. } if json => {
            let line = serde_json::json!({
                "at": at.to_string(), "event": "call_declined", "source": source, "reason": reason, "call": call
            });
            warn_line!("{line}");
        }
        Told::Declined { source, reason, call, why } => warn_line!(
            "oneside: {}: NOT RECORDED ({source}, {reason}){}",
            call.unwrap_or("a call"),
            why.map(|why| format!(": {why}")).unwrap_or_default()
        ),
    }
}

//! What the commands that carry live calls have in common: their flags, their beginning and their end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::flags::{Knobs, Reading, Writing};
use crate::config::{ConfigError, Names, Raw, Settings, Sided, read_key, read_token_list, resolve};
use crate::consent::Event;
use crate::control::exit::Exit;
#[cfg(feature = "http")]
use crate::control::http::HttpError;
use crate::run::hardening::keep_out_of_swap;
use crate::run::live::start::{LiveOrders, NewCall, StartError, start};
use crate::run::live::tokens::Revoked;
use crate::run::live::{Answer, Desk, Ended, recover};
use crate::run::naming::Namer;
use crate::source::wire::asked::parse_line_asked;

/// Knobs of live calls.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Live calls")]
pub struct LiveFlags {
    /// Seconds of the agent's that stay in memory, where a mask still reaches them; a kill loses a second more [default: 0]
    #[arg(long, value_name = "SECONDS")]
    reach_s: Option<u32>,
    /// What the ring between source and writer holds, ms [default: 5000, and at least two bursts]
    #[arg(long, value_name = "MS")]
    ring_ms: Option<u32>,
    /// The longest that sound may have waited on its way here, ms: a grant counts from so much later [default: a burst]
    #[arg(long, value_name = "MS")]
    worst_buffering_ms: Option<u32>,
    /// No call is begun with less free space than this [default: 64]
    #[arg(long, value_name = "MIB")]
    free_min_mib: Option<u64>,
    /// Also NAME.inputs.jsonl: everything that determined the outputs but the sound, for `oneside replay`
    #[arg(long)]
    list: bool,
    /// Whose call it is: recording windows and acknowledgement are looked up by it ([staff] of the configuration)
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Say how the call ended as JSON on standard error
    #[arg(long)]
    json: bool,
    #[cfg(feature = "http")]
    #[command(flatten)]
    http: super::http_flags::HttpFlags,
    /// How the API is served unless these flags say it.
    #[cfg(feature = "http")]
    #[arg(skip)]
    pub http_else: Option<crate::control::http::HttpConfig>,
}

impl LiveFlags {
    /// Whose call it is.
    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// Whether calls can be steered by others than this command.
    pub fn is_steered(&self) -> bool {
        #[cfg(feature = "http")]
        return self.http.is_asked_for();
        #[cfg(not(feature = "http"))]
        return false;
    }

    /// How the API is to be served, if it is: as these flags say, else as the configuration does.
    #[cfg(feature = "http")]
    pub fn http_config(&self, settings: &Settings) -> Result<Option<crate::control::http::HttpConfig>, HttpError> {
        Ok(self.http.config(settings)?.or_else(|| self.http_else.clone()))
    }

    /// Whether ends are told as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    fn put(&self, raw: &mut Raw) {
        raw.reach_s = self.reach_s;
        raw.ring_ms = self.ring_ms;
        raw.worst_buffering_ms = self.worst_buffering_ms;
        raw.free_min_mib = self.free_min_mib;
        raw.list = self.list.then_some(true);
    }
}

impl Knobs {
    /// Resolves what is in force for live calls.
    pub fn live_settings(
        &self,
        writing: &Writing,
        reading: &Reading,
        live: &LiveFlags,
        sided: Sided,
    ) -> Result<Settings, ConfigError> {
        self.live_settings_with(writing, reading, live, sided, None)
    }

    /// The same, with the file of acknowledgements and the version that has to be acknowledged.
    pub fn live_settings_with(
        &self,
        writing: &Writing,
        reading: &Reading,
        live: &LiveFlags,
        sided: Sided,
        acknowledged: Option<(PathBuf, String)>,
    ) -> Result<Settings, ConfigError> {
        let (mut file, environment, mut flags) = self.layers(writing, reading)?;
        live.put(&mut flags);
        if let Some((path, version)) = acknowledged {
            let staff = file.staff.get_or_insert_default();
            (staff.acknowledged, staff.version) = (Some(path), Some(version));
        }
        resolve(file, environment, flags, sided)
    }
}

/// A desk at work.
pub struct Started {
    /// The desk.
    pub desk: Arc<Desk>,
    /// What its calls have in common.
    pub orders: Arc<LiveOrders>,
    /// The one call it was begun for, if it was.
    pub call: String,
    thread: Option<JoinHandle<()>>,
    recovery: Option<JoinHandle<()>>,
    json: bool,
    #[cfg(feature = "http")]
    http: Option<crate::control::http::Running>,
}

/// What the calls under these settings have in common; what the settings name is read.
pub fn orders_of(out: &Path, settings: Settings) -> Result<LiveOrders, (Exit, String)> {
    let usage = |error: String| (Exit::Usage, error);
    let revoked = match &settings.revoked_tokens.value {
        Some(path) => read_token_list(path).map_err(|error| usage(error.to_string()))?,
        None => Default::default(),
    };
    let revoked = Arc::new(Revoked::new(revoked));
    let namer = match &settings.names.value {
        Names::Plain => None,
        Names::Hash { key_file } => {
            let key = read_key(key_file).map_err(|error| usage(error.to_string()))?;
            Some(Namer::new(&key).map_err(|error| usage(error.to_string()))?)
        }
    };
    Ok(LiveOrders { out: out.into(), settings, revoked, namer })
}

/// Finishes the books of calls that were interrupted, begins the call, and opens the desk.
pub fn begin(
    out: &Path,
    settings: Settings,
    flags: &LiveFlags,
    call: Option<NewCall>,
) -> Result<Started, (Exit, String)> {
    #[cfg(feature = "http")]
    let http_config = flags.http_config(&settings).map_err(|error| (Exit::Usage, error.to_string()))?;
    let orders = orders_of(out, settings)?;
    if let Err(why) = keep_out_of_swap() {
        warn_line!("oneside: {why}");
    }
    // A call that comes by a pipe is on its way: it does not wait until the books of others are done.
    let recovery = match call {
        None => {
            tell_recovered(out);
            None
        }
        Some(_) => {
            let out = out.to_path_buf();
            std::thread::Builder::new().name("recovery".into()).spawn(move || tell_recovered(&out)).ok()
        }
    };
    let desk = Arc::new(Desk::default());
    let orders = Arc::new(orders);
    let mut started = Started {
        desk: Arc::clone(&desk),
        orders: Arc::clone(&orders),
        call: String::new(),
        thread: None,
        recovery,
        json: flags.json,
        #[cfg(feature = "http")]
        http: None,
    };
    #[cfg(feature = "http")]
    if let Some(config) = http_config {
        match crate::control::http::serve(Arc::clone(&desk), config, Arc::default()) {
            Ok(running) => started.http = Some(running),
            // Another call of this machine has the port. A call that is on its way is carried all the same (ROB-06).
            Err(error @ HttpError::Bind { .. }) if call.is_some() => warn_line!("oneside: NOT STEERED: {error}"),
            Err(error) => return Err((Exit::Usage, error.to_string())),
        }
    }
    if let Some(call) = call {
        started.call = call.name.clone();
        let (handle, thread) = start(&orders, &desk, call).map_err(|error| match error {
            StartError::Excluded(_) => (Exit::Refused, error.to_string()),
            _ => (Exit::Disk, error.to_string()),
        })?;
        let state = handle.state.lock().map(|state| state.stored_as.clone()).unwrap_or_default();
        if state != started.call && orders.namer.is_none() {
            warn_line!("oneside: a call `{}` stands already; this one is kept as `{state}`", started.call);
        }
        started.thread = Some(thread);
    }
    // Said when the call is in hand: whoever reads it may steer at once.
    #[cfg(feature = "http")]
    if let Some(running) = &started.http {
        warn_line!("oneside: steering at {}", running.url);
    }
    Ok(started)
}

/// Brings calls that a kill or a full disk interrupted to a definite result (ROB-07).
fn tell_recovered(out: &Path) {
    match recover(out) {
        Ok(recovered) => recovered.iter().for_each(|line| warn_line!("oneside: {line}")),
        Err(error) => warn_line!("oneside: calls that were interrupted wait to be finished: {error}"),
    }
}

/// Waits until the call stands, and says how it ended. A store that does not answer is waited for until a signal says
/// that nobody wants to wait any more.
pub fn ended(mut started: Started, interrupted: &AtomicBool) -> Exit {
    let call = std::mem::take(&mut started.call);
    if let Some(thread) = started.thread.take() {
        while !thread.is_finished() && !interrupted.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(2));
        }
        if !thread.is_finished() && started.desk.close(&call).is_err() && !thread.is_finished() {
            warn_line!("oneside: the store does not answer; what stands is sealed at the next start");
            return Exit::Disk;
        }
        if thread.join().is_err() {
            return Exit::Bug;
        }
    }
    let ended = started.desk.ended().into_iter().find(|ended| ended.call == call);
    #[cfg(feature = "http")]
    drop(started.http.take());
    let Some(ended) = ended else { return Exit::Bug };
    tell_ended(&ended, started.json);
    if let Some(recovery) = started.recovery.take() {
        while !recovery.is_finished() && !interrupted.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    match (ended.result.as_str(), &ended.error) {
        ("recorded", None) => Exit::Done,
        (_, Some(error)) if error.contains("internal error") => Exit::Bug,
        ("interrupted" | "failed", _) => Exit::Disk,
        _ if started.orders.settings.strict.value => Exit::Found,
        _ => Exit::Done,
    }
}

/// A call's name as it may be told: where names are hashed the plain one may be a telephone number (ANO-02).
fn told_name(call: &str, stored_as: &str) -> String {
    if stored_as.starts_with(call) { call.into() } else { stored_as.into() }
}

/// Says how a call ended.
pub fn tell_ended(ended: &Ended, json: bool) {
    if json {
        let told = Ended { call: told_name(&ended.call, &ended.stored_as), ..ended.clone() };
        return warn_line!("{}", serde_json::to_string(&told).unwrap_or_default());
    }
    let customer = if ended.customer_s > 0.0 { format!("{:.1} s", ended.customer_s) } else { "none".into() };
    warn_line!(
        "oneside: {}: {}, {:.1} s; agent {:.1} s, customer {customer}{}{}",
        ended.stored_as,
        ended.result,
        ended.seconds,
        ended.agent_s,
        ended
            .party_missing
            .iter()
            .map(|party| format!("; THE {} NEVER CAME", party.to_uppercase()))
            .collect::<String>(),
        ended.error.as_ref().map(|error| format!("; {error}")).unwrap_or_default()
    );
}

/// Applies one line of events to a call and describes in one line what the writer did. A line that cannot be understood
/// may have been meant to shut: nothing more of the customer is kept until `retrieved` says that it may be.
pub fn describe(desk: &Desk, call: &str, line: &[u8]) -> String {
    let about = serde_json::from_slice::<serde_json::Value>(line).ok();
    let about = about.as_ref().and_then(|line| line.get("call")).and_then(serde_json::Value::as_str);
    // A dialer may write one stream for all its calls.
    if about.is_some_and(|about| about != call && Some(about) != call.rsplit('/').next()) {
        return "about another call, and not applied".into();
    }
    let asked = match parse_line_asked(line) {
        Ok(asked) => asked,
        Err(fault) if cannot_shut(line) => return format!("not understood, and not applied: {}", fault.what),
        Err(fault) => {
            let held = desk.ask(call, Event::Held, None).map_or_else(|error| error.to_string(), |_| "held".into());
            return format!("not understood, so the customer's side is shut ({held}): {}", fault.what);
        }
    };
    let stored_as = desk.state(call).map(|state| state.stored_as).unwrap_or_default();
    match desk.ask(call, asked.event, asked.expires) {
        Ok(answer) => {
            let told = Answer { call: told_name(call, &stored_as), ..answer };
            serde_json::to_string(&told).unwrap_or_default()
        }
        Err(error) => error.to_string(),
    }
}

/// Whether a line names an event that only informs or opens.
fn cannot_shut(line: &[u8]) -> bool {
    let kind = serde_json::from_slice::<serde_json::Value>(line).ok();
    let kind = kind.as_ref().and_then(|line| line.get("event")).and_then(serde_json::Value::as_str);
    kind.is_some_and(|kind| ["told", "granted", "left", "resumed", "retrieved", "private_ended"].contains(&kind))
}

/// A flag that the first Ctrl-C or SIGTERM raises: the call is ended and sealed.
pub fn stop_on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    if let Err(error) = ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed)) {
        warn_line!("oneside: a signal will end this at once instead of cleanly: {error}");
    }
    stop
}

//! `oneside check`: what is in force, and what an input looks like. Writes nothing.

#[cfg(feature = "serve")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::flags::{Knobs, Reading, Writing};
use super::inputs::{Prepared, Refused, prepare};
#[cfg(feature = "serve")]
use super::live::orders_of;
use super::table::{code, first_refusal};
use crate::call::{CallResult, Closing};
use crate::config::{ConfigError, Settings, explain};
#[cfg(feature = "serve")]
use crate::config::{Sided, resolve};
use crate::control::exit::Exit;
#[cfg(feature = "serve")]
use crate::control::http::HttpConfig;
#[cfg(feature = "serve")]
use crate::run::live::sources;
use crate::run::naming::looks_like_a_number;
use crate::source::{Format, Input};

/// Flags of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recordings to look at, as for batch
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    knobs: Knobs,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    writing: Writing,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    let settings = match settings(args) {
        Ok(settings) => settings,
        Err(error) => {
            super::complain(&error);
            return Exit::Usage;
        }
    };
    say_line!("In force:\n{}", explain(&settings));
    if args.inputs.is_empty() {
        #[cfg(feature = "serve")]
        return super::exit_of(media_server(args, settings));
        #[cfg(not(feature = "serve"))]
        return Exit::Done;
    }
    match prepare(&args.inputs, PathBuf::new(), &args.knobs, &args.writing, &args.reading, false) {
        Ok(prepared) => look(&prepared),
        Err(Refused(message)) => {
            warn_line!("oneside: {message}");
            Exit::Usage
        }
    }
}

/// What is in force. Without inputs to look at, a configuration with `[serve]` is that of a media server: which side is which
/// stands with its sources.
fn settings(args: &Args) -> Result<Settings, ConfigError> {
    #[cfg(feature = "serve")]
    if args.inputs.is_empty() {
        let (file, environment, flags) = args.knobs.layers(&args.writing, &args.reading)?;
        if file.serve.is_some() {
            return resolve(file, environment, flags, Sided::BySource);
        }
    }
    args.knobs.settings(&args.writing, &args.reading)
}

/// Of a media server: whether `serve` would start by this configuration, by the rules that it goes by itself, and what it
/// would do. Nothing is opened.
#[cfg(feature = "serve")]
fn media_server(args: &Args, settings: Settings) -> Result<Exit, (Exit, String)> {
    let usage = |error: String| (Exit::Usage, error);
    let (file, _, _) = args.knobs.layers(&args.writing, &args.reading).map_err(|error| usage(error.to_string()))?;
    let Some(serve) = &file.serve else { return Ok(Exit::Done) };
    let serve = serve.resolve(&file.danger.clone().unwrap_or_default()).map_err(|error| usage(error.to_string()))?;
    let http = super::serve::http_of(&serve, &settings).map_err(|error| usage(error.to_string()))?;
    http.as_ref().map_or(Ok(()), HttpConfig::check).map_err(|error| usage(error.to_string()))?;
    sources::check(&serve).map_err(usage)?;
    let (by_date, ring_ms) = (settings.live.by_date, settings.live.ring_ms.value);
    let http = http.map_or_else(|| "none: calls cannot be announced nor steered".into(), |http| http.to_string());
    let shown = serve.shown(serve.out.as_deref(), by_date, ring_ms, &http).map_err(|error| usage(error.to_string()))?;
    // What the settings name is read, as at a start.
    orders_of(serve.out.as_deref().unwrap_or(Path::new("")), settings)?;
    say!("Media server:\n{shown}");
    Ok(Exit::Done)
}

fn look(prepared: &Prepared) -> Exit {
    let hashed = prepared.orders.namer.is_some();
    super::batch::tell_unusable(&prepared.gathered, hashed);
    let mut exit = if prepared.gathered.unusable.is_empty() { Exit::Done } else { Exit::Partly };
    for input in &prepared.gathered.inputs {
        say_line!("{}:", prepared.orders.stored_name(input));
        if looks_like_a_number(&input.name) && !hashed {
            say_line!(
                "  warning: the name holds seven digits or more, perhaps a telephone number; --names hash hides it"
            );
        }
        match prepared.orders.look(input, &AtomicBool::new(false)) {
            Ok((format, closing)) => {
                say!("{}", describe(prepared, input, &format, &closing));
                if prepared.orders.settings.strict.value && !closing.findings.is_empty() && exit == Exit::Done {
                    exit = Exit::Found;
                }
            }
            Err(error) => {
                let orders = &prepared.orders;
                warn_line!("oneside: {}: {}", orders.stored_name(input), orders.told(&error, input));
                exit = Exit::Partly;
            }
        }
    }
    exit
}

fn describe(prepared: &Prepared, input: &Input, format: &Format, closing: &Closing) -> String {
    let seconds = |samples: u64| samples as f64 / f64::from(closing.rate_hz);
    let events = match (&prepared.orders.feed, &input.events) {
        (Some(feed), _) if feed.of(&input.name).is_some() => "in the feed".to_owned(),
        (None, Some(_)) if prepared.orders.namer.is_some() => "beside it".into(),
        (None, Some(path)) => path.display().to_string(),
        _ => "none: the customer is dropped".to_owned(),
    };
    let mut out = format!(
        "  {}, {} channels, {} Hz, {:.1} s; agent's channel: {}\n  events: {events}\n",
        format.encoding,
        format.channels,
        format.rate_hz,
        seconds(closing.length.0),
        prepared.orders.settings.agent.value.channel(),
    );
    let result = match closing.result {
        CallResult::Recorded => "would be recorded",
        CallResult::Quarantined => "would be QUARANTINED, both sides withheld",
        CallResult::Interrupted => "would be INTERRUPTED",
    };
    out.push_str(&format!(
        "  {result}: agent {:.1} s kept, customer {:.1} s kept\n",
        seconds(closing.tally.agent.written),
        seconds(closing.tally.customer.written)
    ));
    for entry in &closing.ledger {
        if let Some(refusal) = entry.effect.refusal {
            out.push_str(&format!("  event at {} s counts for nothing: {}\n", entry.at, code(refusal)));
        }
    }
    match closing.findings.is_empty() {
        true => out.push_str("  no findings\n"),
        false => closing.findings.iter().for_each(|finding| {
            out.push_str(&format!("  finding {}: {}", finding.code(), finding.sentence()));
            if let Some(why) = first_refusal(&closing.ledger).filter(|_| finding.code() == "events_rejected") {
                out.push_str(&format!(" (first: {why})"));
            }
            out.push('\n');
        }),
    }
    out
}

//! The events of calls, from files: `NAME.events.jsonl` beside a call, or one file for all.
//!
//! No line is passed over in silence. What cannot be placed is an error that names file, line and column; what was said
//! and cannot count arrives as `Event::Unusable` and is refused on the record.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use super::table::{self, ColumnMap};
use super::wire::clock::{At, Start};
use super::wire::events::{Fault, Happened, Opened, Said, parse_line};
use crate::consent::event::EVENTS_PER_CALL_MAX;
use crate::consent::{Act, Decision, Event, Stamped, TokenState};
use crate::split::AgentChannel;

/// Longest line of an events file, bytes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Largest events file, bytes.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why an events file cannot be used.
#[derive(Debug, Error)]
pub enum EventsError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Larger than any day of calls.
    #[error("{}: the file is larger than 256 MiB; split it", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line that cannot be used.
    #[error("{}: line {line}{}: {what}", path.display(), column.map(|c| format!(", column {c}")).unwrap_or_default())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, from 1, where one is to blame.
        column: Option<usize>,
        /// What is wrong, and what to do.
        what: String,
    },
    /// An event of a call that is not among the inputs.
    #[error("{}: line {line}: there is no call `{call}` among the inputs; correct the name, or take its events out", path.display())]
    UnknownCall {
        /// The file.
        path: PathBuf,
        /// The first line that names it, from 1.
        line: u64,
        /// The name.
        call: String,
    },
}

/// Everything that was said about one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallEvents {
    /// Wall-clock time of the first sample, if it was said.
    pub start: Option<Start>,
    /// The agent's channel as the feed knows it, if it was said: to be held against the map in force.
    pub declared: Option<Declared>,
    /// The call was flagged sensitive (CON-12).
    pub sensitive: bool,
    /// In the order of [`Stamped::order`].
    happened: Vec<Placed>,
}

/// Who says which channel is the agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The channel.
    pub channel: AgentChannel,
    /// Where it says so, without the file's name: that may hold a telephone number.
    pub by: String,
}

/// An event on the call's time line.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Placed {
    nanos: u64,
    event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

impl CallEvents {
    /// Whether nothing was said that happened in the call.
    pub fn is_empty(&self) -> bool {
        self.happened.is_empty()
    }

    /// The events in their order, on the time line of a call at `rate_hz`. `revoked`: ids of tokens that count no
    /// more. A token that is valid when it is given and runs out later brings an `Expired` at that moment; it may lie
    /// far behind the end of the sound.
    pub fn stamp(&self, rate_hz: u32, revoked: &HashSet<String>) -> Vec<Stamped> {
        let mut stamped = Vec::with_capacity(self.happened.len());
        for placed in &self.happened {
            let mut event = placed.event.clone();
            let expiry = self.check_token(&mut event, placed, revoked);
            let expired = match &event {
                Event::Granted(Decision { party, act: Act::Token { token, .. }, .. }) => {
                    expiry.map(|nanos| (nanos, Event::Expired { party: party.clone(), token: token.clone() }))
                }
                _ => None,
            };
            stamped.push(self.stamped(placed.nanos, event, rate_hz));
            stamped.extend(expired.map(|(nanos, event)| self.stamped(nanos, event, rate_hz)));
        }
        stamped.sort_by_key(Stamped::order);
        stamped
    }

    fn stamped(&self, nanos: u64, event: Event, rate_hz: u32) -> Stamped {
        Stamped::new(nanos, self.start.and_then(|start| start.wall(nanos)), event, rate_hz)
    }

    /// Finds out whether a token counts; returns when it will run out, if that lies ahead.
    fn check_token(&self, event: &mut Event, placed: &Placed, revoked: &HashSet<String>) -> Option<u64> {
        let Event::Granted(decision) = event else { return None };
        let Act::Token { token, state } = &mut decision.act else { return None };
        let expires: Option<Timestamp> = placed.expires.as_ref().and_then(|text| text.parse().ok());
        let (found, expiry) = match (self.start, expires) {
            _ if revoked.contains(token) => (TokenState::Revoked, None),
            (Some(start), Some(expires)) => match start.nanos_until(expires) {
                Some(nanos) if nanos > placed.nanos => (TokenState::Valid, Some(nanos)),
                // Too far ahead to be counted in nanoseconds is still ahead.
                None if expires > start.at => (TokenState::Valid, None),
                _ => (TokenState::Expired, None),
            },
            _ => (TokenState::Unverifiable, None),
        };
        *state = found;
        expiry
    }

    /// BLAKE3 (hex) over everything that was said about the call, and which of its tokens are revoked: it changes if
    /// and only if a decision could. The order of simultaneous lines counts, line numbers and file names do not.
    pub fn digest(&self, revoked: &HashSet<String>) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("oneside 2026 events of one call");
        let mut put = |text: String| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        let start = self.start.map(|start| start.at.to_string());
        let channel = self.declared.as_ref().map(|declared| declared.channel.0);
        put(format!("{start:?} {channel:?} {}", self.sensitive));
        for placed in &self.happened {
            put(serde_json::to_string(placed).unwrap_or_default());
            if let Event::Granted(decision) = &placed.event
                && let Act::Token { token, .. } = &decision.act
            {
                put(format!("revoked: {}", revoked.contains(token)));
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// The events of many calls, from one file.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    path: PathBuf,
    calls: BTreeMap<String, (u64, CallEvents)>,
}

impl Feed {
    /// Reads a file for all calls: JSON Lines, or a table (CSV) if `map` says what its columns mean.
    pub fn read(path: &Path, map: Option<&ColumnMap>) -> Result<Feed, EventsError> {
        Feed::parse(open(path)?, path, map)
    }

    /// Reads the same from anywhere; `path` is what errors name.
    pub fn parse(input: impl BufRead, path: &Path, map: Option<&ColumnMap>) -> Result<Feed, EventsError> {
        let mut drafts = Drafts::default();
        each_said(input, path, map, |line, said| drafts.take(line, said, None))?;
        let mut calls = BTreeMap::new();
        for (call, draft) in drafts.0 {
            let first = draft.first_line;
            let events = draft.settle("the events file").map_err(|(line, fault)| at_line(path, line, fault))?;
            calls.insert(call, (first, events));
        }
        Ok(Feed { path: path.into(), calls })
    }

    /// What was said about a call.
    pub fn of(&self, name: &str) -> Option<&CallEvents> {
        self.calls.get(name).map(|(_, events)| events)
    }

    /// Calls that events are about and that are not among the inputs, in the order of their names.
    pub fn unknown_calls(&self, names: &HashSet<&str>) -> Vec<EventsError> {
        let unknown = self.calls.iter().filter(|(call, _)| !names.contains(call.as_str()));
        unknown
            .map(|(call, (line, _))| EventsError::UnknownCall {
                path: self.path.clone(),
                line: *line,
                call: call.clone(),
            })
            .collect()
    }
}

/// Reads the events file of one call. A line may leave `call` out; if it names one, it must be `name` or its last part.
pub fn read_beside(path: &Path, name: &str) -> Result<CallEvents, EventsError> {
    parse_beside(open(path)?, path, name)
}

/// Reads the same from anywhere; `path` is what errors name.
pub fn parse_beside(input: impl BufRead, path: &Path, name: &str) -> Result<CallEvents, EventsError> {
    let mut drafts = Drafts::default();
    each_said(input, path, None, |line, said| drafts.take(line, said, Some(name)))?;
    match drafts.0.into_values().next() {
        Some(draft) => draft.settle("the call's events file").map_err(|(line, fault)| at_line(path, line, fault)),
        None => Ok(CallEvents::default()),
    }
}

fn at_line(path: &Path, line: u64, fault: Fault) -> EventsError {
    EventsError::Line { path: path.into(), line, column: fault.column, what: fault.what }
}

fn open(path: &Path) -> Result<impl BufRead, EventsError> {
    let failed = |source| EventsError::Io { path: path.into(), source };
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file")));
    }
    if meta.len() > FILE_BYTES_MAX {
        return Err(EventsError::TooLarge { path: path.into() });
    }
    Ok(BufReader::new(File::open(path).map_err(failed)?.take(FILE_BYTES_MAX)))
}

/// Reads line by line (or row by row) and hands on what each says.
fn each_said(
    mut input: impl BufRead,
    path: &Path,
    map: Option<&ColumnMap>,
    mut take: impl FnMut(u64, Said) -> Result<(), Fault>,
) -> Result<(), EventsError> {
    let failed = |source| EventsError::Io { path: path.into(), source };
    if let Some(map) = map {
        return table::each_row(input, map, |line, said| said.and_then(|said| take(line, said)))
            .map_err(|(line, fault)| at_line(path, line, fault));
    }
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut input).take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line).map_err(failed)?;
        if read == 0 {
            break;
        }
        let long =
            Fault { key: None, column: None, what: "the line is longer than 64 KiB; give one event a line".into() };
        let fault = if read > LINE_BYTES_MAX { Err(long) } else { one_line(&line, number, &mut take) };
        fault.map_err(|fault| at_line(path, number, fault))?;
    }
    Ok(())
}

fn one_line(line: &[u8], number: u64, take: &mut impl FnMut(u64, Said) -> Result<(), Fault>) -> Result<(), Fault> {
    let line = if number == 1 { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
    match line.trim_ascii() {
        [] => Ok(()),
        line => take(number, parse_line(line)?),
    }
}

/// What was said so far, by call.
#[derive(Default)]
struct Drafts(BTreeMap<String, Draft>);

impl Drafts {
    /// `only`: the call that the whole file is about.
    fn take(&mut self, line: u64, said: Said, only: Option<&str>) -> Result<(), Fault> {
        let call = match (said.call, only) {
            (None, Some(name)) => name.to_owned(),
            (Some(call), Some(name)) if call != name && Some(call.as_str()) != name.rsplit('/').next() => {
                return Err(Fault::of(
                    "call",
                    format!("this is the events file of `{name}`, but the line is about `{call}`"),
                ));
            }
            (Some(_), Some(name)) => name.to_owned(),
            (Some(call), None) => call,
            (None, None) => {
                return Err(Fault {
                    key: None,
                    column: None,
                    what: "the line names no `call`; in a file for all calls each line must".into(),
                });
            }
        };
        let draft = self.0.entry(call).or_insert_with(|| Draft { first_line: line, ..Draft::default() });
        draft.merge(said.opened)?;
        draft.happened.extend(said.happened.map(|happened| (line, happened)));
        match draft.happened.len() > EVENTS_PER_CALL_MAX {
            true => Err(Fault::of(
                "call",
                format!("the call has more than {EVENTS_PER_CALL_MAX} events; the feed is broken"),
            )),
            false => Ok(()),
        }
    }
}

#[derive(Default)]
struct Draft {
    first_line: u64,
    opened: Opened,
    happened: Vec<(u64, Happened)>,
}

impl Draft {
    fn merge(&mut self, said: Opened) -> Result<(), Fault> {
        same_or_new(&mut self.opened.start, said.start, "start")?;
        same_or_new(&mut self.opened.agent_channel, said.agent_channel, "agent_channel")?;
        same_or_new(&mut self.opened.sensitive, said.sensitive, "sensitive")
    }

    /// Puts everything on the call's time line.
    fn settle(self, by: &str) -> Result<CallEvents, (u64, Fault)> {
        let start = self.opened.start;
        let mut happened = Vec::with_capacity(self.happened.len());
        for (line, Happened { at, event, expires }) in self.happened {
            let nanos = place(at, start).map_err(|what| (line, Fault::of("at", what)))?;
            happened.push(Placed { nanos, event, expires: expires.map(|at| at.to_string()) });
        }
        happened.sort_by_key(|placed| (placed.nanos, placed.event.rank()));
        let declared = self.opened.agent_channel.map(|channel| Declared { channel, by: by.into() });
        Ok(CallEvents { start, declared, sensitive: self.opened.sensitive.unwrap_or(false), happened })
    }
}

fn same_or_new<T: PartialEq>(known: &mut Option<T>, said: Option<T>, key: &'static str) -> Result<(), Fault> {
    match (&known, said) {
        (Some(known), Some(said)) if *known != said => {
            Err(Fault::of(key, format!("`{key}` was said otherwise before of the same call; correct one of the two")))
        }
        (_, None) => Ok(()),
        (_, said) => {
            *known = said;
            Ok(())
        }
    }
}

fn place(at: At, start: Option<Start>) -> Result<u64, String> {
    match (at, start) {
        (At::Nanos(nanos), _) => Ok(nanos),
        (At::Wall(at), Some(start)) => start.nanos_until(at).ok_or_else(|| {
            "`at` lies before the call's start; check the `start` of its `opened` line, and the clocks of both systems".into()
        }),
        (At::Wall(_), None) => Err("`at` is a wall-clock time, but when the call began was not said; add a line \
            {\"call\":\"NAME\",\"event\":\"opened\",\"start\":\"2026-03-01T09:00:00+01:00\"}, or give seconds"
            .into()),
    }
}

//! From INPUT arguments and flags to orders: what `batch` and `check` do before anything is written.

use std::collections::HashSet;
use std::io::stdin;
use std::path::{Path, PathBuf};

use super::flags::{Knobs, Reading, Writing};
use crate::archive::Place;
use crate::config::{Names, Settings, read_key, read_token_list};
use crate::run::Orders;
use crate::run::naming::Namer;
use crate::run::telling::without_path;
use crate::source::{ColumnMap, EventsError, Feed, Gathered, Wanted, gather};

/// What is said where no input is.
pub const NOTHING: &str = "no recordings were found in what was given; give files, directories or globs";

/// A message for people: the command cannot be used as it stands.
pub struct Refused(pub String);

impl<E: std::error::Error> From<E> for Refused {
    fn from(error: E) -> Refused {
        Refused(error.to_string())
    }
}

/// What a batch over these inputs would be.
pub struct Prepared {
    /// What every job has in common.
    pub orders: Orders,
    /// The inputs.
    pub gathered: Gathered,
}

/// Gathers the inputs and makes up the orders. Everything that can be wrong with the command is found here, before
/// anything is written.
pub fn prepare(
    arguments: &[PathBuf],
    out: PathBuf,
    knobs: &Knobs,
    writing: &Writing,
    reading: &Reading,
    dispose: bool,
) -> Result<Prepared, Refused> {
    let settings = knobs.settings(writing, reading)?;
    let raw = reading.raw_format().map_err(Refused)?;
    let pair = reading.pair_pattern().map_err(Refused)?;
    let offset_s = reading.offset.unwrap_or(0.0);
    if !offset_s.is_finite() || offset_s.abs() > 86_400.0 {
        return Err(Refused(format!("--offset {offset_s}: an offset lies within a day (86400 s)")));
    }
    let wanted = Wanted { arguments, raw: raw.is_some(), pair: pair.as_ref(), offset_s };
    let gathered = gather(&wanted, &mut stdin().lock())?;
    // With --dispose none may be left of an earlier run; whether that is so, the caller finds out.
    if gathered.inputs.is_empty() && gathered.unusable.is_empty() && !dispose {
        return Err(Refused(NOTHING.into()));
    }
    let namer = namer(&settings)?;
    refuse_orphans(&out, &gathered, namer.as_ref(), reading)?;
    let feed = feed(&out, reading, &gathered, namer.as_ref())?;
    let revoked = match &settings.revoked_tokens.value {
        Some(path) => read_token_list(path)?,
        None => HashSet::new(),
    };
    let orders = Orders { out, settings, raw, feed, revoked, namer, dispose };
    Ok(Prepared { orders, gathered })
}

/// Events without a recording beside them are a misspelt name, and perhaps a withdrawal that would not be heard; unless
/// the call stands already and its recording was disposed of.
fn refuse_orphans(out: &Path, gathered: &Gathered, namer: Option<&Namer>, reading: &Reading) -> Result<(), Refused> {
    if reading.events.is_some() {
        return Ok(());
    }
    let is_known = |orphan: &Path| {
        let text = orphan.to_string_lossy();
        let whole = text.strip_suffix(".events.jsonl").unwrap_or(&text);
        // The name is the path below a directory that was given: one of its ends.
        let ends = whole
            .char_indices()
            .filter(|(at, c)| *at == 0 || *c == '/')
            .map(|(at, _)| whole[at..].trim_start_matches('/'));
        ends.into_iter().any(|name| stands(out, name, namer))
    };
    match gathered.orphaned_events.iter().find(|orphan| !is_known(orphan)) {
        None => Ok(()),
        Some(_) if namer.is_some() => Err(Refused(
            "an events file has no recording beside it that its events could be about; correct its name, or take it \
             away (a run without --names hash names it)"
                .into(),
        )),
        Some(orphan) => Err(Refused(format!(
            "{}: there is no recording beside it that these events could be about; correct its name, or take it away",
            orphan.display()
        ))),
    }
}

/// Whether a call stands already, or was erased: then its recording need not be among the inputs.
fn stands(out: &Path, name: &str, namer: Option<&Namer>) -> bool {
    let name = namer.map_or_else(|| name.to_owned(), |namer| namer.name(name));
    Place::new(out, &name).is_ok_and(|place| place.manifest().is_file() || place.receipt().is_file())
}

fn feed(out: &Path, reading: &Reading, gathered: &Gathered, namer: Option<&Namer>) -> Result<Option<Feed>, Refused> {
    let Some(path) = &reading.events else { return Ok(None) };
    let map: Option<ColumnMap> = match &reading.map {
        Some(text) => Some(text.parse().map_err(|error| Refused(format!("--map {text}: {error}")))?),
        None => None,
    };
    if map.is_none() && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        return Err(Refused(format!(
            "{}: a CSV file needs --map to say which column is what, for instance --map call=CallId,at=Time,event=Type",
            path.display()
        )));
    }
    let told = |text: String| match namer {
        Some(_) => without_path(&text, &path.display().to_string(), "the events file"),
        None => text,
    };
    let feed = Feed::read(path, map.as_ref()).map_err(|error| Refused(told(error.to_string())))?;
    let names: HashSet<&str> = gathered.inputs.iter().map(|input| input.name.as_str()).collect();
    for error in feed.unknown_calls(&names) {
        match (&error, namer) {
            (EventsError::UnknownCall { call, .. }, _) if stands(out, call, namer) => {}
            (EventsError::UnknownCall { call, .. }, Some(namer)) => {
                let text = error.to_string().replace(&format!("`{call}`"), &format!("`{}`", namer.name(call)));
                return Err(Refused(told(text)));
            }
            _ => return Err(error.into()),
        }
    }
    Ok(Some(feed))
}

fn namer(settings: &Settings) -> Result<Option<Namer>, Refused> {
    let Names::Hash { key_file } = &settings.names.value else { return Ok(None) };
    let key = read_key(key_file)?;
    let namer = Namer::new(&key).map_err(|error| Refused(format!("{}: {error}", key_file.display())))?;
    Ok(Some(namer))
}

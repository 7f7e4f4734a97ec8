//! Judging by numbers: a labelled set is run and scored, the voice detector apart from what would be stored.
//!
//! ```text
//! SETDIR ── set ── items ──▶ run (the caller's) ──▶ intervals ──▶ vad  ─┐
//!                                              └──▶ output    ──▶ leak ─┴──▶ Report ── table / JSON
//! ```
//!
//! The two answer different questions. A detector that hears everything may store nothing of it, and a gate that
//! stores little may still let the customer through; one figure for both would hide either.
//!
//! Only `set` opens files, and only to read; decoding and the run itself are the caller's functions. The scorers
//! (`vad`, `leak`) are plain functions over samples and labels.

mod fit;
pub mod grid;
pub mod leak;
pub mod set;
pub mod table;
pub mod vad;

use std::path::Path;

pub use grid::{Interval, Label};
pub use set::{Item, Kind, Set, SetError};

/// Decoded sound.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Samples, interleaved (shape: sample frames × channels).
    pub samples: Vec<i16>,
    /// Channels.
    pub channels: usize,
    /// Sample rate, Hz.
    pub rate_hz: u32,
}

/// What a run made of an item. What is `None` is not scored.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Where the detector hears speech on the item's `channel`, seconds.
    pub voiced: Option<Vec<Interval>>,
    /// The agent-only output, one channel, at the item's rate; scored on calls and echo items.
    pub stored: Option<Vec<i16>>,
}

/// The scores of one item.
#[derive(Clone, Debug)]
pub struct ItemScore {
    /// The item's name.
    pub id: String,
    /// The group it is averaged in.
    pub set: String,
    /// Of the detector.
    pub voice: Option<vad::Counts>,
    /// Of what would be stored.
    pub stored: Option<leak::Figures>,
}

/// A line of a table: a set or an item, and its figures.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// Name of the set or the item.
    pub name: String,
    /// Its figures.
    pub figures: T,
}

/// Everything that was measured on a set, sets and items in the manifest's order.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The voice detector, per set.
    pub voice_sets: Vec<Row<vad::Metrics>>,
    /// The voice detector, per item.
    pub voice_items: Vec<Row<vad::Metrics>>,
    /// What would be stored, per set.
    pub stored_sets: Vec<Row<leak::Figures>>,
    /// What would be stored, per item.
    pub stored_items: Vec<Row<leak::Figures>>,
    /// Items that could not be scored, and why.
    pub failed: Vec<Row<String>>,
    /// Items of kinds that are not scored.
    pub passed_over: usize,
}

/// Runs and scores all items of `set`, one after the other.
///
/// `decode` reads a sound file; `run` gets an item and its decoded recording. An item that either of them refuses
/// goes to [`Report::failed`] and does not stop the others.
pub fn evaluate(
    set: &Set,
    decode: impl Fn(&Path) -> Result<Sound, String>,
    mut run: impl FnMut(&Item, &Sound) -> Result<Outcome, String>,
) -> Report {
    let mut scored = Vec::new();
    let mut failed = Vec::new();
    for item in &set.items {
        let score = open(item, &decode)
            .and_then(|sound| run(item, &sound).and_then(|outcome| score(item, &sound, &outcome, &decode)));
        match score {
            Ok(score) => scored.push(score),
            Err(cause) => failed.push(Row { name: item.id.clone(), figures: cause }),
        }
    }
    Report { failed, passed_over: set.passed_over, ..Report::of(&scored) }
}

/// Decodes the item's recording and checks that it is what the manifest says.
pub fn open(item: &Item, decode: impl Fn(&Path) -> Result<Sound, String>) -> Result<Sound, String> {
    decode_at(&item.audio, item.rate_hz, &decode)
}

/// Scores what a run made of `item`; `recording` is the item's own sound, references come through `decode`.
pub fn score(
    item: &Item,
    recording: &Sound,
    outcome: &Outcome,
    decode: impl Fn(&Path) -> Result<Sound, String>,
) -> Result<ItemScore, String> {
    let frames = grid::whole_frames(item.length_s);
    let voice = outcome.voiced.as_ref().map(|voiced| {
        let other = item.other_party();
        vad::score(&item.speech(), voiced, frames, 0, other.as_deref())
    });
    let stored = match &outcome.stored {
        Some(output) => stored_figures(item, recording, output, &decode)?,
        None => None,
    };
    Ok(ItemScore { id: item.id.clone(), set: item.set.clone(), voice, stored })
}

impl Report {
    /// Puts the scores of items together, per set in the order in which the sets first occur.
    pub fn of(scores: &[ItemScore]) -> Report {
        let mut report = Report::default();
        let mut voice: Vec<Row<vad::Counts>> = Vec::new();
        let mut stored: Vec<Row<Vec<leak::Figures>>> = Vec::new();
        for score in scores {
            if let Some(counts) = &score.voice {
                report.voice_items.push(Row { name: score.id.clone(), figures: counts.metrics() });
                row(&mut voice, &score.set).add(counts);
            }
            if let Some(figures) = score.stored {
                report.stored_items.push(Row { name: score.id.clone(), figures });
                row(&mut stored, &score.set).push(figures);
            }
        }
        report.voice_sets =
            voice.into_iter().map(|row| Row { name: row.name, figures: row.figures.metrics() }).collect();
        report.stored_sets =
            stored.into_iter().map(|row| Row { name: row.name, figures: leak::aggregate(&row.figures) }).collect();
        report
    }
}

impl Sound {
    /// One channel, counted from 0.
    pub fn channel(&self, channel: usize) -> Result<Vec<i16>, String> {
        if channel >= self.channels {
            return Err(format!("channel {channel} is wanted and there are {}", self.channels));
        }
        Ok(self.samples.chunks_exact(self.channels).map(|frame| frame[channel]).collect())
    }
}

fn stored_figures(
    item: &Item,
    recording: &Sound,
    output: &[i16],
    decode: &impl Fn(&Path) -> Result<Sound, String>,
) -> Result<Option<leak::Figures>, String> {
    let (agent, customer) = match &item.kind {
        Kind::Vad | Kind::Mono => return Ok(None),
        Kind::Call { clean, customer_channel } => {
            let sound = decode_at(clean, item.rate_hz, decode)?;
            (Some(sound.channel(item.agent_channel)?), sound.channel(*customer_channel)?)
        }
        Kind::Echo { agent_clean, customer_channel } => {
            let agent = agent_clean.as_ref().map(|path| decode_at(path, item.rate_hz, decode)?.channel(0));
            (agent.transpose()?, recording.channel(*customer_channel)?)
        }
    };
    let length = (item.length_s * f64::from(item.rate_hz)) as usize;
    let counted = |samples: &[i16]| samples.len().min(length);
    Ok(Some(leak::score(&leak::Call {
        output,
        agent: agent.as_ref().map(|agent| &agent[..counted(agent)]),
        customer: &customer[..counted(&customer)],
        rate_hz: item.rate_hz,
        labels: &item.labels,
    })))
}

fn decode_at(path: &Path, rate_hz: u32, decode: &impl Fn(&Path) -> Result<Sound, String>) -> Result<Sound, String> {
    let sound = decode(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
    if sound.rate_hz != rate_hz {
        return Err(format!("{}: {} Hz, and the manifest says {rate_hz}", path.display(), sound.rate_hz));
    }
    Ok(sound)
}

fn row<'a, T: Default>(rows: &'a mut Vec<Row<T>>, name: &str) -> &'a mut T {
    let at = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
        rows.push(Row { name: name.to_string(), figures: T::default() });
        rows.len() - 1
    });
    &mut rows[at].figures
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;

//! A labelled set on disk: `manifest.jsonl`, one item a line, and `labels/*.csv` with `start_s,end_s,who`.
//!
//! Opens files only to read them. Unknown keys and columns are left alone and items of kinds that are not scored
//! (`dtmf`, `pcap`, `unlabelled`, …) are counted and passed over; what a scored item needs and lacks is an error that
//! names file and line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

use super::grid::{Interval, Label};
use crate::audio::{RATE_MAX_HZ, RATE_MIN_HZ};

/// Largest manifest or label file, bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Longest item, seconds: one day.
const ITEM_S_MAX: f64 = 86_400.0;
/// Highest channel number of an item.
const CHANNEL_MAX: usize = 7;

/// A set that was read and found sound.
#[derive(Clone, Debug)]
pub struct Set {
    /// The items to score, in the manifest's order.
    pub items: Vec<Item>,
    /// Items of kinds that are not scored.
    pub passed_over: usize,
}

/// One item to score. Paths are complete: the set's directory stands before them.
#[derive(Clone, Debug)]
pub struct Item {
    /// Name, unique in the set.
    pub id: String,
    /// The group it is averaged in.
    pub set: String,
    /// What it is.
    pub kind: Kind,
    /// The recording.
    pub audio: PathBuf,
    /// The channel whose speech is judged, counted from 0.
    pub channel: usize,
    /// Sample rate, Hz.
    pub rate_hz: u32,
    /// Length that counts, seconds.
    pub length_s: f64,
    /// Who speaks when; items may share them.
    pub labels: Arc<[Label]>,
    /// The class that is speech here: `speech`, `agent` or `customer`.
    pub who: String,
    /// The agent's channel, counted from 0 (0 where the item has one channel).
    pub agent_channel: usize,
}

/// The kinds of item that are scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One channel and its speech labels.
    Vad,
    /// Both speakers summed into one channel.
    Mono,
    /// A call with separate channels, and the same call without bleed.
    Call {
        /// The recording without bleed, channels as in the item's own.
        clean: PathBuf,
        /// The customer's channel, counted from 0.
        customer_channel: usize,
    },
    /// A near-end microphone and its far-end reference.
    Echo {
        /// The near end alone, where it is known; mono.
        agent_clean: Option<PathBuf>,
        /// The far end's channel, counted from 0.
        customer_channel: usize,
    },
}

/// Why a set could not be read.
#[derive(Debug, Error)]
pub enum SetError {
    /// A file could not be read.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A line says something that cannot be used.
    #[error("{}:{line}: {what}", path.display())]
    Line {
        /// In which file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// Reads `directory/manifest.jsonl` and every label file that its items name.
pub fn read(directory: &Path) -> Result<Set, SetError> {
    let manifest = directory.join("manifest.jsonl");
    let text = read_text(&manifest)?;
    let mut set = Set { items: Vec::new(), passed_over: 0 };
    let mut lines_by_id = BTreeMap::new();
    let mut known_labels = BTreeMap::new();
    for (nth, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let broken = |what: String| SetError::Line { path: manifest.clone(), line: nth + 1, what };
        let entry: Entry = serde_json::from_str(line).map_err(|cause| broken(cause.to_string()))?;
        if !matches!(entry.kind.as_str(), "vad" | "mono" | "call" | "echo") {
            set.passed_over += 1;
            continue;
        }
        let item = entry.resolve(directory, &mut known_labels, &broken)?;
        if let Some(earlier) = lines_by_id.insert(item.id.clone(), nth + 1) {
            return Err(broken(format!("id {:?} stands on line {earlier} already", item.id)));
        }
        set.items.push(item);
    }
    Ok(set)
}

/// Reads labels from the text of a CSV file; `path` is only for messages.
///
/// The first line names the columns; `start_s`, `end_s` and `who` may stand in any order, among others.
pub fn parse_labels(path: &Path, text: &str) -> Result<Vec<Label>, SetError> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let Some((nth, head)) = lines.next() else { return Ok(Vec::new()) };
    let broken = |nth: usize, what: String| SetError::Line { path: path.to_path_buf(), line: nth + 1, what };
    let names: Vec<&str> = fields(head).collect();
    let column = |name: &str| {
        let found = names.iter().position(|&is| is == name);
        found.ok_or_else(|| broken(nth, format!("no column {name:?} in the first line (start_s,end_s,who are needed)")))
    };
    let columns = [column("start_s")?, column("end_s")?, column("who")?];
    lines.map(|(nth, line)| parse_label(line, columns).map_err(|what| broken(nth, what))).collect()
}

impl Item {
    /// The stretches of the class that is speech in this item.
    pub fn speech(&self) -> Vec<Interval> {
        super::grid::of_class(&self.labels, &self.who)
    }

    /// The stretches of the other party, on items that have two.
    pub fn other_party(&self) -> Option<Vec<Interval>> {
        let other = if self.who == "agent" { "customer" } else { "agent" };
        matches!(self.kind, Kind::Call { .. } | Kind::Mono).then(|| super::grid::of_class(&self.labels, other))
    }
}

impl Kind {
    /// The manifest's word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Vad => "vad",
            Kind::Mono => "mono",
            Kind::Call { .. } => "call",
            Kind::Echo { .. } => "echo",
        }
    }
}

// A manifest line as written.
#[derive(Deserialize)]
struct Entry {
    id: String,
    set: String,
    kind: String,
    audio: Option<PathBuf>,
    channel: Option<usize>,
    fs: Option<u32>,
    dur_s: Option<f64>,
    labels: Option<PathBuf>,
    who: Option<String>,
    agent_channel: Option<usize>,
    customer_channel: Option<usize>,
    clean_ref: Option<PathBuf>,
    agent_clean: Option<PathBuf>,
}

type KnownLabels = BTreeMap<PathBuf, Arc<[Label]>>;

impl Entry {
    fn resolve(
        self,
        directory: &Path,
        known: &mut KnownLabels,
        broken: &dyn Fn(String) -> SetError,
    ) -> Result<Item, SetError> {
        let lacks = |key: &str| broken(format!("{} item {:?} has no {key:?}", self.kind, self.id));
        let wrong = |what: String| broken(format!("item {:?}: {what}", self.id));
        let rate_hz = self.fs.ok_or_else(|| lacks("fs"))?;
        if !(RATE_MIN_HZ..=RATE_MAX_HZ).contains(&rate_hz) {
            return Err(wrong(format!("fs is {rate_hz}, outside {RATE_MIN_HZ}..={RATE_MAX_HZ} Hz")));
        }
        let length_s = self.dur_s.ok_or_else(|| lacks("dur_s"))?;
        if !(length_s > 0.0 && length_s <= ITEM_S_MAX) {
            return Err(wrong(format!("dur_s is {length_s}, outside 0..={ITEM_S_MAX} s")));
        }
        let channels = [self.channel, self.agent_channel, self.customer_channel];
        if let Some(high) = channels.into_iter().flatten().find(|&channel| channel > CHANNEL_MAX) {
            return Err(wrong(format!("channel {high} is above {CHANNEL_MAX}")));
        }
        let customer_channel = self.customer_channel.ok_or_else(|| lacks("customer_channel"));
        let kind = match self.kind.as_str() {
            "call" => Kind::Call {
                clean: directory.join(self.clean_ref.as_ref().ok_or_else(|| lacks("clean_ref"))?),
                customer_channel: customer_channel?,
            },
            "echo" => Kind::Echo {
                agent_clean: self.agent_clean.as_ref().map(|path| directory.join(path)),
                customer_channel: customer_channel?,
            },
            "mono" => Kind::Mono,
            _ => Kind::Vad,
        };
        if self.agent_channel.is_none() && matches!(kind, Kind::Call { .. } | Kind::Echo { .. }) {
            return Err(lacks("agent_channel"));
        }
        Ok(Item {
            kind,
            audio: directory.join(self.audio.as_ref().ok_or_else(|| lacks("audio"))?),
            channel: self.channel.unwrap_or(0),
            rate_hz,
            length_s,
            labels: read_labels(directory.join(self.labels.as_ref().ok_or_else(|| lacks("labels"))?), known)?,
            who: self.who.clone().ok_or_else(|| lacks("who"))?,
            agent_channel: self.agent_channel.unwrap_or(0),
            id: self.id,
            set: self.set,
        })
    }
}

fn read_labels(path: PathBuf, known: &mut KnownLabels) -> Result<Arc<[Label]>, SetError> {
    if let Some(labels) = known.get(&path) {
        return Ok(labels.clone());
    }
    let labels: Arc<[Label]> = parse_labels(&path, &read_text(&path)?)?.into();
    known.insert(path, labels.clone());
    Ok(labels)
}

fn parse_label(line: &str, columns: [usize; 3]) -> Result<Label, String> {
    let found: Vec<&str> = fields(line).collect();
    let [from, until, who] = columns.map(|column| found.get(column).copied().unwrap_or(""));
    let seconds = |name: &str, text: &str| match text.parse::<f64>() {
        Ok(value) if (0.0..=ITEM_S_MAX).contains(&value) => Ok(value),
        Ok(value) => Err(format!("{name} is {value}, outside 0..={ITEM_S_MAX} s")),
        Err(_) => Err(format!("{name} is no number: {text:?}")),
    };
    let span = Interval { from_s: seconds("start_s", from)?, until_s: seconds("end_s", until)? };
    if span.until_s < span.from_s {
        return Err(format!("end_s {until} lies before start_s {from}"));
    }
    if who.is_empty() {
        return Err("who is empty".to_string());
    }
    Ok(Label { span, who: who.to_string() })
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|field| field.trim().trim_matches('"'))
}

fn read_text(path: &Path) -> Result<String, SetError> {
    let unreadable = |cause| SetError::Unreadable { path: path.to_path_buf(), cause };
    let mut text = String::new();
    let mut file = File::open(path).map_err(unreadable)?.take(FILE_BYTES_MAX + 1);
    file.read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(io::Error::other(format!("longer than {FILE_BYTES_MAX} bytes"))));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = r#"{"id":"c1","set":"call-clean","kind":"call","audio":"c1.wav","channel":0,"agent_channel":0,
        "customer_channel":1,"fs":8000,"dur_s":40,"labels":"c1.csv","who":"agent","clean_ref":"c1.wav","ir":null}"#;

    fn resolve(text: &str) -> Result<Item, String> {
        let entry: Entry = serde_json::from_str(text).map_err(|cause| cause.to_string())?;
        let mut known = KnownLabels::from([(PathBuf::from("set/c1.csv"), Arc::from([]))]);
        let broken = |what| SetError::Line { path: "set/manifest.jsonl".into(), line: 3, what };
        entry.resolve(Path::new("set"), &mut known, &broken).map_err(|error| error.to_string())
    }

    fn labels(text: &str) -> Result<Vec<Label>, String> {
        parse_labels(Path::new("l.csv"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_call_with_keys_nobody_knows_is_read() {
        let item = resolve(CALL).expect("a sound item");
        let clean = PathBuf::from("set/c1.wav");
        assert_eq!((item.kind, item.length_s), (Kind::Call { clean, customer_channel: 1 }, 40.0));
    }

    #[test]
    fn what_a_call_lacks_is_named_with_file_and_line() {
        let complaint = |text: String| resolve(&text).expect_err("must be refused");
        assert_eq!(
            complaint(CALL.replace("clean_ref", "x")),
            "set/manifest.jsonl:3: call item \"c1\" has no \"clean_ref\""
        );
        assert!(complaint(CALL.replace("\"agent_channel\"", "\"x\"")).ends_with("has no \"agent_channel\""));
        assert!(complaint(CALL.replace("8000", "800")).contains("fs is 800, outside 8000..=48000 Hz"));
        assert!(complaint(CALL.replace("40", "1e9")).contains("dur_s is 1000000000"));
        assert!(complaint(CALL.replace(":1,", ":9,")).contains("channel 9 is above 7"));
    }

    #[test]
    fn columns_may_stand_in_any_order_and_lines_end_either_way() {
        let read =
            labels("who,note,start_s,end_s\r\nagent,x,0.5,1.25\r\n\r\n\"customer\",,2,3\n").expect("sound labels");
        let label = |from_s, until_s, who: &str| Label { span: Interval { from_s, until_s }, who: who.to_string() };
        assert_eq!(read, [label(0.5, 1.25, "agent"), label(2.0, 3.0, "customer")]);
        assert_eq!(labels("").expect("nothing is no error"), []);
    }

    #[test]
    fn a_broken_label_is_named_with_its_line() {
        let complaint =
            |line: &str| labels(&format!("start_s,end_s,who\n0,1,agent\n{line}\n")).expect_err("must be refused");
        assert_eq!(complaint("a,2,agent"), "l.csv:3: start_s is no number: \"a\"");
        assert_eq!(complaint("3,2,agent"), "l.csv:3: end_s 2 lies before start_s 3");
        assert_eq!(complaint("1,inf,agent"), "l.csv:3: end_s is inf, outside 0..=86400 s");
        assert_eq!(complaint("1,2"), "l.csv:3: who is empty");
        assert!(labels("a,b\n").expect_err("must be refused").starts_with("l.csv:1: no column \"start_s\""));
    }
}

//! Events from a table, as a CRM exports it (CSV), by a map of its columns.
//!
//! A map is a list of items, separated by commas (in double quotes where a name holds a comma):
//!
//! | item | meaning |
//! |---|---|
//! | `call=CallId` | the key `call` is taken from the column `CallId` |
//! | `event==granted` | the key `event` is `granted` in every row |
//! | `event:JA=granted` | where the column of `event` holds `JA`, it means `granted` |
//! | `event:BUSY=-` | rows whose column of `event` holds `BUSY` say nothing and are passed over |
//!
//! Columns that the map does not name are not read. Empty cells say nothing. Several purposes in one cell of `purposes`
//! are separated by `|`. Comma, semicolon or tab separate columns, whichever the heading has most of.

use std::collections::HashMap;
use std::io::BufRead;
use std::str::FromStr;

use csv::{ReaderBuilder, StringRecord};
use serde_json::Value;

use super::wire::events::{Fault, Fields, KEYS, Said};

/// What a translation to this value does: the row is passed over.
const PASS_OVER: &str = "-";

/// What the columns of a table mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMap {
    sources: Vec<(String, Source)>,
    /// (key, what the cell holds) → what it means
    translations: HashMap<(String, String), String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Column(String),
    Constant(String),
}

impl FromStr for ColumnMap {
    type Err = String;

    fn from_str(text: &str) -> Result<ColumnMap, String> {
        let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let mut record = StringRecord::new();
        reader.read_record(&mut record).map_err(|error| format!("--map cannot be read: {error}"))?;
        let mut map = ColumnMap { sources: Vec::new(), translations: HashMap::new() };
        for item in record.iter() {
            map.add(item.trim())?;
        }
        let has = |key: &str| map.sources.iter().any(|(known, _)| known == key);
        if !has("call") {
            return Err("--map does not say which column holds the call; add call=COLUMN".into());
        }
        if let Some((key, _)) = map.translations.keys().find(|(key, _)| !has(key)) {
            return Err(format!(
                "--map translates values of `{key}` but does not say where they come from; add {key}=COLUMN"
            ));
        }
        Ok(map)
    }
}

impl ColumnMap {
    fn add(&mut self, item: &str) -> Result<(), String> {
        let wrong = || format!("`{item}` is no item of a map; write KEY=COLUMN, KEY==VALUE or KEY:CELL=VALUE");
        let (left, right) = item.split_once('=').ok_or_else(wrong)?;
        let (key, cell) = left.split_once(':').map_or((left, None), |(key, cell)| (key, Some(cell)));
        if !KEYS.contains(&key) {
            return Err(format!("`{key}` is no key of an event; the keys are {}", KEYS.join(", ")));
        }
        if right.is_empty() {
            return Err(wrong());
        }
        let twice = match (cell, right.strip_prefix('=')) {
            (Some(cell), _) => self.translations.insert((key.into(), cell.into()), right.into()).is_some(),
            (None, constant) => {
                let source = constant.map_or(Source::Column(right.into()), |value| Source::Constant(value.into()));
                let twice = self.sources.iter().any(|(known, _)| known == key);
                self.sources.push((key.into(), source));
                twice
            }
        };
        match twice {
            true => Err(format!("`{left}` stands twice in --map")),
            false => Ok(()),
        }
    }

    /// Where each key's value stands in a row.
    fn places(&self, heading: &StringRecord) -> Result<Vec<(&str, Place<'_>)>, Fault> {
        self.sources.iter().map(|(key, source)| Ok((key.as_str(), source.place(heading)?))).collect()
    }

    /// What a row says; `None` if it is to be passed over.
    fn said(&self, row: &StringRecord, places: &[(&str, Place<'_>)]) -> Result<Option<Said>, Fault> {
        let mut fields = Fields::default();
        for (key, place) in places {
            let cell = match place {
                Place::Constant(value) => value,
                Place::Column(index) => row.get(*index).unwrap_or_default().trim(),
            };
            let value = self.translations.get(&((*key).to_owned(), cell.to_owned())).map_or(cell, String::as_str);
            match value {
                PASS_OVER if cell != value => return Ok(None),
                "" => {}
                value => fields.set(key, typed(key, value)).map_err(fault)?,
            }
        }
        fields.said().map(Some)
    }
}

impl Source {
    fn place(&self, heading: &StringRecord) -> Result<Place<'_>, Fault> {
        let name = match self {
            Source::Constant(value) => return Ok(Place::Constant(value)),
            Source::Column(name) => name,
        };
        let mut columns = heading.iter().enumerate().filter(|(_, column)| clean(column) == name);
        match (columns.next(), columns.next()) {
            (Some((index, _)), None) => Ok(Place::Column(index)),
            (None, _) => {
                let columns: Vec<&str> = heading.iter().map(clean).collect();
                Err(fault(format!("there is no column `{name}`; the columns are {}", columns.join(", "))))
            }
            _ => Err(fault(format!("there are two columns `{name}`; rename one"))),
        }
    }
}

#[derive(Clone, Copy)]
enum Place<'a> {
    Column(usize),
    Constant(&'a str),
}

/// Reads a table and hands on what each row says, with its line. The first row is the heading.
pub(super) fn each_row(
    input: impl BufRead,
    map: &ColumnMap,
    mut take: impl FnMut(u64, Result<Said, Fault>) -> Result<(), Fault>,
) -> Result<(), (u64, Fault)> {
    let (mut reader, heading) = reader_of(input)?;
    let places = map.places(&heading).map_err(|fault| (1, fault))?;
    let mut row = StringRecord::new();
    while reader.read_record(&mut row).map_err(unreadable)? {
        let line = row.position().map_or(0, csv::Position::line);
        if let Some(said) = map.said(&row, &places).transpose() {
            take(line, said).map_err(|fault| (line, fault))?;
        }
    }
    Ok(())
}

/// A table's reader and its heading, whatever separates its columns.
fn reader_of<R: BufRead>(mut input: R) -> Result<(csv::Reader<R>, StringRecord), (u64, Fault)> {
    let first = input.fill_buf().map_err(|error| (1, fault(error.to_string())))?;
    let heading = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| heading.iter().filter(|byte| **byte == separator).count();
    let separator = [b',', b';', b'\t'].into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',');
    let mut reader = ReaderBuilder::new().delimiter(separator).from_reader(input);
    let heading = reader.headers().map_err(unreadable)?.clone();
    Ok((reader, heading))
}

/// What stands in one column of a table, with the line of each; empty cells are passed over. The error is a sentence that
/// names the file and the line.
pub fn column(path: &std::path::Path, name: &str) -> Result<Vec<(u64, String)>, String> {
    let map: ColumnMap = format!("call={}", quoted(name)).parse()?;
    let wrong = |line: u64, what: &str| format!("{}:{line}: {what}", path.display());
    let file = std::fs::File::open(path).map_err(|error| format!("{}: cannot be opened: {error}", path.display()))?;
    let (mut reader, heading) =
        reader_of(std::io::BufReader::new(file)).map_err(|(line, fault)| wrong(line, &fault.what))?;
    let places = map.places(&heading).map_err(|fault| wrong(1, &fault.what))?;
    let Some((_, Place::Column(index))) = places.first() else { return Ok(Vec::new()) };
    let (mut row, mut found) = (StringRecord::new(), Vec::new());
    while reader.read_record(&mut row).map_err(unreadable).map_err(|(line, fault)| wrong(line, &fault.what))? {
        let cell = row.get(*index).unwrap_or_default().trim();
        if !cell.is_empty() {
            found.push((row.position().map_or(0, csv::Position::line), cell.to_owned()));
        }
    }
    Ok(found)
}

fn quoted(name: &str) -> String {
    name.replace('"', "")
}

fn typed(key: &str, value: &str) -> Value {
    match key {
        "purposes" => value.split('|').map(|purpose| Value::from(purpose.trim())).collect(),
        _ => value.into(),
    }
}

fn clean(column: &str) -> &str {
    column.trim_start_matches('\u{feff}').trim()
}

fn fault(what: String) -> Fault {
    Fault { key: None, column: None, what }
}

fn unreadable(error: csv::Error) -> (u64, Fault) {
    let line = error.position().map_or(1, csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "the table is not UTF-8; export it as \"CSV UTF-8\"".into(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} columns, the heading {expected_len}; repair it")
        }
        _ => error.to_string(),
    };
    (line, fault(what))
}

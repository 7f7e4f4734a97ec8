//! The rules for staff, as written and resolved: `[staff]` of the configuration file (SEL-01, SEL-02, SEL-06, INF-04).

use std::path::PathBuf;

use jiff::civil::{Date, Time, Weekday};
use serde::Deserialize;

use super::secrets::{read_key, read_text};
use super::{ConfigError, Origin};
use crate::policy::{Acknowledged, Limits, NeverRecord, Staff, Window, Windows};

/// `[staff]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStaff {
    /// Who has acknowledged: lines of JSON as `oneside acknowledge` writes them.
    pub acknowledged: Option<PathBuf>,
    /// The version that has to be acknowledged.
    pub version: Option<String>,
    /// Numbers of which no call is recorded, one a line.
    pub never_record: Option<PathBuf>,
    /// First day of the training period.
    pub first_day: Option<String>,
    /// Last day of it.
    pub last_day: Option<String>,
    /// Days in a row, at most.
    pub days_in_a_row_max: Option<u32>,
    /// Hours a week, at most.
    pub hours_a_week_max: Option<u32>,
    /// When agents may be recorded; without any, always.
    #[serde(default)]
    pub window: Vec<RawWindow>,
}

/// `[[staff.window]]` as written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawWindow {
    /// For whom; `*` is everybody.
    pub agents: Vec<String>,
    /// `mon` to `sun`.
    pub days: Vec<String>,
    /// `09:00`.
    pub from: String,
    /// `12:00`.
    pub until: String,
}

/// A line of the file of acknowledgements.
#[derive(Debug, Deserialize)]
struct Line {
    agent: String,
    version: String,
}

impl RawStaff {
    /// Reads what it names, and holds it against the limits.
    pub fn resolve(&self) -> Result<Staff, ConfigError> {
        let acknowledged = match (&self.acknowledged, &self.version) {
            (None, None) => None,
            (Some(path), Some(version)) => Some(acknowledged(path, version)?),
            _ => return Err(bad("acknowledged", "the file and the `version` that has to be acknowledged go together")),
        };
        let never_record = match &self.never_record {
            Some(path) => NeverRecord::parse(&read_text(path)?),
            None => NeverRecord::default(),
        };
        Ok(Staff { acknowledged, windows: self.windows()?, never_record })
    }

    fn windows(&self) -> Result<Option<Windows>, ConfigError> {
        let day = |key, text: &Option<String>| -> Result<Option<Date>, ConfigError> {
            let parsed = text
                .as_ref()
                .map(|text| text.parse().map_err(|_| bad(key, format!("`{text}` is no day (2026-03-01)"))));
            parsed.transpose()
        };
        let (first, last) = (day("first_day", &self.first_day)?, day("last_day", &self.last_day)?);
        if self.window.is_empty() {
            return match first.or(last) {
                None => Ok(None),
                Some(_) => Err(bad("first_day", "a training period needs its windows: [[staff.window]]")),
            };
        }
        let default = Limits::default();
        let limits = Limits {
            days_in_a_row: self.days_in_a_row_max.unwrap_or(default.days_in_a_row),
            hours_a_week: self.hours_a_week_max.unwrap_or(default.hours_a_week),
        };
        let windows = self.window.iter().map(RawWindow::resolve).collect::<Result<Vec<_>, _>>()?;
        Windows::new(windows, first, last, limits).map(Some).map_err(|error| bad("window", error.to_string()))
    }
}

impl RawWindow {
    fn resolve(&self) -> Result<Window, ConfigError> {
        let time = |text: &str| -> Result<Time, ConfigError> {
            text.parse().map_err(|_| bad("window", format!("`{text}` is no time of day (09:00)")))
        };
        let days = self.days.iter().map(|name| weekday(name)).collect::<Result<Vec<_>, _>>()?;
        Ok(Window { agents: self.agents.clone(), days, from: time(&self.from)?, until: time(&self.until)? })
    }
}

fn weekday(name: &str) -> Result<Weekday, ConfigError> {
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let at = names.iter().position(|known| name.eq_ignore_ascii_case(known));
    let day = at.and_then(|at| Weekday::from_monday_zero_offset(at as i8).ok());
    day.ok_or_else(|| bad("window", format!("`{name}` is no day; the days are {}", names.join(", "))))
}

fn acknowledged(path: &std::path::Path, version: &str) -> Result<Acknowledged, ConfigError> {
    let text = if path.exists() { String::from_utf8_lossy(&read_key(path)?).into_owned() } else { String::new() };
    let mut agents = std::collections::BTreeSet::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(line).map_err(|_| ConfigError::Malformed {
            path: path.to_owned(),
            message: format!("line {}: it is no acknowledgement as `oneside acknowledge` writes them", number + 1),
        })?;
        if line.version == version {
            agents.insert(line.agent);
        }
    }
    Ok(Acknowledged { version: version.into(), agents })
}

fn bad(key: &'static str, message: impl Into<String>) -> ConfigError {
    ConfigError::BadValue { key, origin: Origin::File, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staff(text: &str) -> Result<Staff, String> {
        toml::from_str::<RawStaff>(text).map_err(|e| e.to_string())?.resolve().map_err(|e| e.to_string())
    }

    #[test]
    fn a_plan_of_whole_weeks_is_refused_and_names_the_rule() {
        let plan = |days: &str| staff(&format!("[[window]]\nagents=['*']\ndays=[{days}]\nfrom='09:00'\nuntil='12:00'"));
        assert!(plan("'mon','Wed'").unwrap().windows.is_some());
        assert!(plan("'mon','tue','wed','thu','fri'").unwrap_err().contains("SEL-01"));
        assert!(plan("'monday'").unwrap_err().contains("monday"));
        assert!(staff("first_day='2026-03-01'").is_err());
        assert!(staff("version='1'").is_err());
    }
}

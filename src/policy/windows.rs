//! When an agent may be recorded (SEL-01, SEL-02): windows by weekday, within a training period that ends by itself.
//!
//! No agent is recorded whole weeks on end: a plan with too many days in a row, or too many hours a week, is refused
//! when it is read.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, Weekday};
use thiserror::Error;

/// Most days in a row by default.
pub const DAYS_IN_A_ROW_MAX: u32 = 4;
/// Most hours a week by default.
pub const HOURS_A_WEEK_MAX: u32 = 20;
/// How far ahead a boundary is looked for, days.
const AHEAD_DAYS: i64 = 8;

/// A stretch of each of some weekdays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// For whom; `*` is everybody.
    pub agents: Vec<String>,
    /// On which days it begins.
    pub days: Vec<Weekday>,
    /// From when.
    pub from: Time,
    /// Until when, the same day.
    pub until: Time,
}

/// How much is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Days in a row, at most.
    pub days_in_a_row: u32,
    /// Hours a week, at most.
    pub hours_a_week: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { days_in_a_row: DAYS_IN_A_ROW_MAX, hours_a_week: HOURS_A_WEEK_MAX }
    }
}

/// A plan that is refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WindowsError {
    /// A window that ends before it begins.
    #[error("a window from {from} until {until} is empty; one that passes midnight is written as two")]
    Empty {
        /// Its beginning.
        from: Time,
        /// Its end.
        until: Time,
    },
    /// Whole weeks.
    #[error("agent `{agent}` would be recorded on {days} days in a row; at most {most} are allowed (SEL-01)")]
    DaysInARow {
        /// Who.
        agent: String,
        /// How many.
        days: u32,
        /// How many may be.
        most: u32,
    },
    /// Too many hours.
    #[error("agent `{agent}` would be recorded {hours:.1} hours a week; at most {most} are allowed (SEL-01)")]
    HoursAWeek {
        /// Who.
        agent: String,
        /// How many.
        hours: f64,
        /// How many may be.
        most: u32,
    },
    /// A training period that ends before it begins.
    #[error("the training period ends ({last}) before it begins ({first})")]
    Period {
        /// Its first day.
        first: Date,
        /// Its last day.
        last: Date,
    },
}

/// A plan that holds the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    windows: Vec<Window>,
    first: Option<Date>,
    last: Option<Date>,
}

impl Windows {
    /// A plan within a training period (days included), held against the limits.
    pub fn new(
        windows: Vec<Window>,
        first: Option<Date>,
        last: Option<Date>,
        limits: Limits,
    ) -> Result<Windows, WindowsError> {
        if let Some(window) = windows.iter().find(|window| window.until <= window.from) {
            return Err(WindowsError::Empty { from: window.from, until: window.until });
        }
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            return Err(WindowsError::Period { first, last });
        }
        let plan = Windows { windows, first, last };
        let agents = plan.windows.iter().flat_map(|window| &window.agents);
        agents.into_iter().try_for_each(|agent| plan.check(agent, limits))?;
        Ok(plan)
    }

    fn check(&self, agent: &str, limits: Limits) -> Result<(), WindowsError> {
        let on: Vec<bool> = week().map(|day| self.of(agent, day).next().is_some()).collect();
        let minutes: f64 = week().map(|day| minutes(&self.merged(agent, day))).sum();
        let mut row = 0;
        // Twice the week, so that a row over its end is seen; seven of seven never ends.
        for today in on.iter().chain(&on) {
            row = if *today { row + 1 } else { 0 };
            if row > limits.days_in_a_row {
                let days = on.iter().filter(|today| **today).count() as u32;
                return Err(WindowsError::DaysInARow { agent: agent.into(), days, most: limits.days_in_a_row });
            }
        }
        let hours = minutes / 60.0;
        match hours > f64::from(limits.hours_a_week) {
            true => Err(WindowsError::HoursAWeek { agent: agent.into(), hours, most: limits.hours_a_week }),
            false => Ok(()),
        }
    }

    fn of<'a>(&'a self, agent: &'a str, day: Weekday) -> impl Iterator<Item = &'a Window> {
        let for_them = move |window: &&Window| window.agents.iter().any(|name| name == "*" || name == agent);
        self.windows.iter().filter(for_them).filter(move |window| window.days.contains(&day))
    }

    /// The stretches of a day, those that overlap as one.
    fn merged(&self, agent: &str, day: Weekday) -> Vec<(Time, Time)> {
        let mut stretches: Vec<_> = self.of(agent, day).map(|window| (window.from, window.until)).collect();
        stretches.sort();
        let mut merged: Vec<(Time, Time)> = Vec::new();
        for (from, until) in stretches {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => merged.push((from, until)),
            }
        }
        merged
    }

    /// Whether this agent may be recorded at this local time.
    pub fn is_open(&self, agent: &str, now: DateTime) -> bool {
        let in_period =
            self.first.is_none_or(|first| now.date() >= first) && self.last.is_none_or(|last| now.date() <= last);
        in_period
            && self.merged(agent, now.weekday()).iter().any(|(from, until)| *from <= now.time() && now.time() < *until)
    }

    /// The next times, in order, at which a window of this agent begins (true) or ends (false), within a week.
    pub fn boundaries(&self, agent: &str, now: DateTime) -> Vec<(DateTime, bool)> {
        let mut found = Vec::new();
        for ahead in 0..AHEAD_DAYS {
            let Ok(date) = now.date().checked_add(ahead.days()) else { break };
            for (from, until) in self.merged(agent, date.weekday()) {
                for (time, open) in [(from, true), (until, false)] {
                    let at = date.to_datetime(time);
                    if at > now && self.is_open(agent, at) == open {
                        found.push((at, open));
                    }
                }
            }
        }
        found
    }
}

fn week() -> impl Iterator<Item = Weekday> {
    Weekday::Monday.cycle_forward().take(7)
}

fn minutes(stretches: &[(Time, Time)]) -> f64 {
    stretches.iter().map(|(from, until)| from.duration_until(*until).as_secs_f64() / 60.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, time};

    fn window(days: &[Weekday], from: i8, until: i8) -> Window {
        Window { agents: vec!["a".into()], days: days.to_vec(), from: time(from, 0, 0, 0), until: time(until, 0, 0, 0) }
    }

    fn plan(windows: Vec<Window>) -> Result<Windows, WindowsError> {
        Windows::new(windows, Some(date(2026, 3, 2)), Some(date(2026, 3, 31)), Limits::default())
    }

    #[test]
    fn whole_weeks_and_too_many_hours_are_refused() {
        use Weekday::*;
        assert!(plan(vec![window(&[Monday, Tuesday, Wednesday, Thursday], 9, 14)]).is_ok());
        let week = plan(vec![window(&[Monday, Tuesday, Wednesday, Thursday, Friday], 9, 10)]);
        assert!(matches!(week, Err(WindowsError::DaysInARow { days: 5, .. })));
        // Over the end of the week.
        let over = plan(vec![window(&[Friday, Saturday, Sunday, Monday, Tuesday], 9, 10)]);
        assert!(matches!(over, Err(WindowsError::DaysInARow { .. })));
        assert!(matches!(plan(vec![window(&[Monday, Wednesday], 8, 20)]), Err(WindowsError::HoursAWeek { .. })));
        // What overlaps counts once.
        assert!(plan(vec![window(&[Monday, Wednesday], 8, 16), window(&[Monday, Wednesday], 9, 17)]).is_ok());
        assert!(matches!(plan(vec![window(&[Monday], 9, 9)]), Err(WindowsError::Empty { .. })));
    }

    #[test]
    fn a_window_opens_and_ends_and_the_period_stops_by_itself() {
        let plan = plan(vec![window(&[Weekday::Monday], 9, 12)]).unwrap();
        let monday = date(2026, 3, 9);
        let open = |hour, minute| plan.is_open("a", monday.at(hour, minute, 0, 0));
        assert_eq!([open(8, 59), open(9, 0), open(11, 59), open(12, 0)], [false, true, true, false]);
        assert!(!plan.is_open("b", monday.at(10, 0, 0, 0)));
        assert!(!plan.is_open("a", date(2026, 4, 6).at(10, 0, 0, 0)), "a Monday after the period");
        assert!(!plan.is_open("a", date(2026, 2, 23).at(10, 0, 0, 0)), "a Monday before it");
        let ahead = plan.boundaries("a", monday.at(8, 0, 0, 0));
        assert_eq!(ahead[..2], [(monday.at(9, 0, 0, 0), true), (monday.at(12, 0, 0, 0), false)]);
    }
}

//! Times in events: seconds on the call's time line, or wall-clock time (RFC 3339).

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde_json::Value;

/// Latest place of an event, seconds: ten years, which no call reaches.
const SECONDS_MAX: f64 = 10.0 * 366.0 * 86_400.0;

/// When something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Nanoseconds since the call's first sample.
    Nanos(u64),
    /// Wall-clock time; the call's start places it.
    Wall(Timestamp),
}

/// The wall-clock time of a call's first sample, and the offset from UTC in which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The moment.
    pub at: Timestamp,
    offset: Offset,
}

impl Start {
    /// The moment `nanos` after the start, RFC 3339, in the start's own offset.
    pub fn wall(&self, nanos: u64) -> Option<String> {
        let since = jiff::SignedDuration::from_nanos(i64::try_from(nanos).ok()?);
        let at = self.at.checked_add(since).ok()?;
        Some(at.display_with_offset(self.offset).to_string())
    }

    /// Nanoseconds from the start to a moment; `None` if it lies before the start.
    pub fn nanos_until(&self, at: Timestamp) -> Option<u64> {
        u64::try_from(at.as_nanosecond() - self.at.as_nanosecond()).ok()
    }
}

/// Reads an RFC 3339 time. Without an offset from UTC it names no moment. The error says what to do.
pub fn parse_wall(text: &str) -> Result<Start, String> {
    let wrong =
        || format!("`{text}` is no RFC 3339 time with an offset from UTC; write it like 2026-03-01T09:00:00+01:00");
    let pieces = Pieces::parse(text).map_err(|_| wrong())?;
    let offset = pieces.to_numeric_offset().ok_or_else(wrong)?;
    let at: Timestamp = text.parse().map_err(|_| wrong())?;
    Ok(Start { at, offset })
}

/// Reads an `at`. The error says what to do.
pub(super) fn parse_at(value: Option<&Value>) -> Result<At, String> {
    let seconds = match value {
        None => {
            return Err("the line says no `at`; give seconds since the call's first sample, or an RFC 3339 time".into());
        }
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) if text.starts_with(|c: char| c.is_ascii_digit() || ".-+".contains(c)) => {
            match text.parse().ok() {
                None => return parse_wall(text).map(|start| At::Wall(start.at)),
                seconds => seconds,
            }
        }
        Some(_) => None,
    };
    match seconds {
        Some(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => Ok(At::Nanos((seconds * 1e9).round() as u64)),
        Some(seconds) if seconds < 0.0 => Err(format!(
            "`at` is {seconds}: it lies before the call's first sample; times count from there, in seconds"
        )),
        _ => {
            Err("`at` is no time; give seconds since the call's first sample (at most ten years), or an RFC 3339 time"
                .into())
        }
    }
}

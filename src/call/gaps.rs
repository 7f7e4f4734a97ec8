//! Where sound is missing: silence of the same length stands in its place, and each sample of it is counted.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::audio::{MediaTime, Span};
use crate::consent::Dropped;

/// Gaps that there is room for from the beginning.
const ROOM: usize = 64;

/// Why a stretch of sound is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Lost on its way: an overrun, a packet that never came. Unintended.
    Lost,
    /// The sender sent nothing: a pause or a hold of its own. Intended.
    Absent,
    /// It came and was not decoded, by policy. Intended.
    Undecoded,
}

/// Of which side something is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Of both.
    #[default]
    Both,
    /// Of the agent's.
    Agent,
    /// Of the customer's.
    Customer,
}

impl Missing {
    /// All of them, in their order.
    pub const ALL: [Missing; 3] = [Missing::Lost, Missing::Absent, Missing::Undecoded];

    /// The one that is counted under this reason's stable name.
    pub fn of_reason(code: &str) -> Option<Missing> {
        Missing::ALL.into_iter().find(|why| why.reason().code() == code)
    }

    /// Whether it was meant to be.
    pub fn is_intended(self) -> bool {
        self != Missing::Lost
    }

    /// The reason under which it is counted.
    pub fn reason(self) -> Dropped {
        match self {
            Missing::Lost => Dropped::Lost,
            Missing::Absent => Dropped::Absent,
            Missing::Undecoded => Dropped::Undecoded,
        }
    }
}

/// The gaps that were announced and not passed by both sides yet, in their order.
#[derive(Debug)]
pub struct Gaps(VecDeque<(Span, Missing)>);

impl Default for Gaps {
    fn default() -> Gaps {
        Gaps(VecDeque::with_capacity(ROOM))
    }
}

impl Gaps {
    /// Takes in a gap that does not begin before the end of the last one.
    pub fn announce(&mut self, span: Span, why: Missing) {
        let after = self.0.back().map_or(MediaTime::ZERO, |(last, _)| last.until);
        let span = Span::new(span.from.max(after), span.until);
        match self.0.back_mut() {
            _ if span.is_empty() => {}
            Some((last, reason)) if *reason == why && last.until == span.from => last.until = span.until,
            _ => self.0.push_back((span, why)),
        }
    }

    /// Whether nothing is missing from here on, as far as is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first part of `span` that is missing throughout, or there throughout; and why it is missing.
    pub fn first_part(&self, span: Span) -> (Span, Option<Missing>) {
        match self.0.iter().find(|(gap, _)| gap.until > span.from) {
            Some((gap, why)) if gap.from <= span.from => (Span::new(span.from, gap.until.min(span.until)), Some(*why)),
            Some((gap, _)) => (Span::new(span.from, gap.from.min(span.until)), None),
            None => (span, None),
        }
    }

    /// Whether anything of `span` is missing.
    pub fn meets(&self, span: Span) -> bool {
        self.0.iter().any(|(gap, _)| gap.from < span.until && gap.until > span.from)
    }

    /// Forgets what lies before `place`.
    pub fn forget(&mut self, place: MediaTime) {
        while self.0.front().is_some_and(|(gap, _)| gap.until <= place) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, until: u64) -> Span {
        Span::new(MediaTime(from), MediaTime(until))
    }

    #[test]
    fn a_stretch_falls_into_parts_that_are_there_and_parts_that_are_not() {
        let mut gaps = Gaps::default();
        gaps.announce(span(100, 150), Missing::Lost);
        gaps.announce(span(140, 200), Missing::Lost); // what overlaps is counted once
        gaps.announce(span(200, 210), Missing::Absent);
        assert_eq!(gaps.0.len(), 2);
        assert_eq!(gaps.first_part(span(80, 160)), (span(80, 100), None));
        assert_eq!(gaps.first_part(span(100, 160)), (span(100, 160), Some(Missing::Lost)));
        assert_eq!(gaps.first_part(span(190, 260)), (span(190, 200), Some(Missing::Lost)));
        assert_eq!(gaps.first_part(span(200, 260)), (span(200, 210), Some(Missing::Absent)));
        assert_eq!(gaps.first_part(span(210, 260)), (span(210, 260), None));
        assert!(gaps.meets(span(0, 101)) && gaps.meets(span(120, 130)) && gaps.meets(span(209, 300)));
        assert!(!gaps.meets(span(0, 100)) && !gaps.meets(span(210, 300)));
        gaps.forget(MediaTime(205));
        assert_eq!(gaps.0.len(), 1);
    }
}

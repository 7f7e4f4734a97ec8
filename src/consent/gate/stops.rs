//! What stops both sides for a while: each kind by itself, so that the end of one never ends another.

use crate::audio::{MediaTime, Span};
use crate::consent::Dropped;

/// What stops both sides. The order is that in which reasons are given where several stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A pause: payment data and the like (PAY-01).
    Paused,
    /// A private stretch (SEL-06).
    Private,
    /// Outside the agent's recording windows (SEL-01).
    OutsideWindow,
}

impl Stop {
    /// All kinds.
    pub const ALL: [Stop; 3] = [Stop::Paused, Stop::Private, Stop::OutsideWindow];

    /// The reason under which what it leaves out is counted.
    pub fn reason(self) -> Dropped {
        match self {
            Stop::Paused => Dropped::Paused,
            Stop::Private => Dropped::Private,
            Stop::OutsideWindow => Dropped::OutsideWindow,
        }
    }
}

/// The stops of a call.
#[derive(Debug, Default)]
pub(super) struct Stops([Kind; Stop::ALL.len()]);

/// The stops of one kind.
#[derive(Debug, Default)]
struct Kind {
    since: Option<MediaTime>,
    /// Those that are over, in the order of their ends.
    over: Vec<Span>,
}

impl Stops {
    /// Begins one; false if it stands already.
    pub(super) fn begin(&mut self, stop: Stop, place: MediaTime) -> bool {
        let kind = &mut self.0[stop as usize];
        match kind.since {
            Some(_) => false,
            None => {
                kind.since = Some(place);
                true
            }
        }
    }

    /// Ends one; false if none stands. The ends come in their order, and may lie ahead.
    pub(super) fn end(&mut self, stop: Stop, place: MediaTime) -> bool {
        let kind = &mut self.0[stop as usize];
        match kind.since.take() {
            Some(since) => {
                kind.over.push(Span::new(since, place));
                true
            }
            None => false,
        }
    }

    pub(super) fn stands(&self, stop: Stop) -> bool {
        self.0[stop as usize].since.is_some()
    }

    /// One that stands now.
    pub(super) fn standing(&self) -> Option<Stop> {
        Stop::ALL.into_iter().find(|stop| self.stands(*stop))
    }

    /// One that `span` touches, whether it stands or is over.
    pub(super) fn touching(&self, span: Span) -> Option<Stop> {
        Stop::ALL.into_iter().find(|stop| {
            let kind = &self.0[*stop as usize];
            let mut over = kind.over.iter().rev().take_while(|over| over.until > span.from);
            kind.since.is_some_and(|since| since < span.until) || over.any(|over| over.overlaps(span))
        })
    }
}

//! The question of a live call, and the keys that answer it (CON-18).
//!
//! A key that grants counts only from the customer's own leg, and only while the question is open: from the announcement
//! on, for as long as the profile says, until the line changes. A key that refuses or withdraws always counts. What was
//! pressed for nothing is on the record with its reason, but never which key: it may be part of a card's number.
//!
//! A tone that is heard in-band may be the other side's, carried over by a line or a headset: up to 300 ms late and 10 to
//! 30 dB softer. So of a key that is heard on both sides the louder one counts; and a tone that would grant waits
//! 200 ms for what the other side says. What was signalled is known to be whose it is. A key that is both signalled and heard counts once, unless it shuts: then each time.

use std::collections::VecDeque;

use crate::call::{MediaTime, Span};
use crate::consent::{Act, Decision, Event, PartyId, Refusal};
use crate::policy::keys::{AgentKey, CustomerKey, Keys};
use crate::source::exchange::Party;

/// An echo comes no later than this after what it is one of, ms; and the sides may be that much out of step.
const ECHO_MS: u64 = 400;
/// How long a tone that would grant waits, ms.
const SETTLE_MS: u64 = 200;
/// Within which time the same key, signalled and heard, is one press, ms.
const ONE_PRESS_MS: u64 = 1_000;
/// By how much the one side must be louder to be surely the one that pressed, tenths of a decibel.
const LOUDER: i16 = 60;
/// Presses that are remembered.
const REMEMBERED: usize = 16;
/// Presses for nothing that are put on record, at most.
const NOTED_MAX: u32 = 50;

/// Whoever pressed a key on a leg with several parties.
const SOMEBODY: &str = "somebody on the customer's leg";

/// How a key came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The wire told of it.
    Signalled,
    /// Its tone was heard.
    InBand {
        /// How loud, tenths of a decibel below full scale.
        dbfs_tenths: i16,
        /// Where its tone began.
        from: MediaTime,
    },
}

/// The question of one call.
#[derive(Debug)]
pub struct Question {
    keys: Keys,
    rate_hz: u64,
    /// Who is on the customer's leg, in the order in which they came.
    on_line: Vec<PartyId>,
    asked: PartyId,
    /// Where it is open.
    open: Option<Span>,
    recent: VecDeque<Pressed>,
    /// A yes that was heard, and since when.
    waiting: Option<Waiting>,
    noted: u32,
}

/// A yes that was heard and waits for what the other side says.
#[derive(Debug)]
struct Waiting {
    digit: char,
    dbfs_tenths: i16,
    since: MediaTime,
    event: Event,
}

#[derive(Clone, Copy, Debug)]
struct Pressed {
    party: Party,
    digit: char,
    how: How,
    at: MediaTime,
    /// Up to where it is known to have been down.
    until: MediaTime,
    /// It was told in the other way as well, or may not be any more.
    paired: bool,
}

impl Question {
    /// Of a call at `rate_hz`, under this map.
    pub fn new(keys: Keys, rate_hz: u32) -> Question {
        Question {
            keys,
            rate_hz: u64::from(rate_hz),
            on_line: vec![PartyId::default()],
            asked: PartyId::default(),
            open: None,
            recent: VecDeque::with_capacity(REMEMBERED),
            waiting: None,
            noted: 0,
        }
    }

    /// Takes note of an event that counted, and where: an announcement where it had arrived, which is behind all that
    /// waits to be listened to.
    pub fn counted(&mut self, event: &Event, at: MediaTime) {
        match event {
            Event::Told { party, .. } => {
                let asked = party.clone().or_else(|| self.on_line.first().cloned()).unwrap_or_default();
                let until = at.0.saturating_add(u64::from(self.keys.question_s()) * self.rate_hz);
                (self.asked, self.open) = (asked, Some(Span::new(at, MediaTime(until))));
            }
            Event::Joined { party } => {
                if !self.on_line.contains(party) {
                    self.on_line.push(party.clone());
                }
                self.close();
            }
            Event::Left { party } => {
                self.on_line.retain(|one| one != party);
                self.close();
            }
            Event::Held | Event::HungUp => self.close(),
            Event::Refused { .. } | Event::Withdrawn { .. } => self.waiting = None,
            Event::Granted(_)
            | Event::Paused
            | Event::Resumed
            | Event::Retrieved
            | Event::Masked { .. }
            | Event::Private
            | Event::PrivateEnded
            | Event::WindowClosed
            | Event::WindowOpened
            | Event::Expired { .. }
            | Event::Unusable { .. } => {}
        }
    }

    /// Whether a yes would count at this place.
    pub fn is_open(&self, at: MediaTime) -> bool {
        self.open.is_some_and(|open| open.from <= at && at < open.until)
    }

    /// A key was pressed on a leg, at this place of the call. What it means, if that is certain at once.
    pub fn digit(&mut self, party: Party, digit: char, how: How, at: MediaTime) -> Option<Event> {
        let digit = digit.to_ascii_uppercase();
        let echoed = party == Party::Agent && self.echo_found_out(digit, how);
        // What shuts counts each time it is told: something may have been opened in between.
        if !self.shuts(party, digit) && self.is_told_again(party, digit, how, at) {
            // It may have an echo of its own.
            self.remember(Pressed { party, digit, how, at, until: at, paired: true });
            // The wire says whose it is: there is nothing to wait for.
            let certain = self.waiting.take_if(|waiting| waiting.digit == digit && how == How::Signalled)?;
            return Some(certain.event);
        }
        let elsewhere = self.heard_elsewhere(party, digit, how, at);
        let paired = elsewhere != Elsewhere::Softer;
        self.remember(Pressed { party, digit, how, at, until: at, paired });
        match (party, elsewhere) {
            (_, Elsewhere::Louder) => None,
            (Party::Agent, elsewhere) => self.of_the_agent(digit, elsewhere, echoed),
            (Party::Customer, elsewhere) => self.of_the_customer(digit, how, elsewhere, at),
        }
    }

    /// A key of which the wire told is still down, up to this place: its echo may be heard for as long, and opens nothing.
    pub fn still_down(&mut self, party: Party, digit: char, at: MediaTime) {
        let digit = digit.to_ascii_uppercase();
        let is_it = |one: &&mut Pressed| one.party == party && one.digit == digit && one.how == How::Signalled;
        let Some(pressed) = self.recent.iter_mut().rev().find(is_it) else { return };
        pressed.until = pressed.until.max(at);
        if party == Party::Agent {
            self.echo_found_out(digit, How::Signalled);
        }
    }

    /// The yes that has waited for long enough, if there is one.
    pub fn due(&mut self, at: MediaTime) -> Option<Event> {
        let settle = self.samples(SETTLE_MS);
        let due = self.waiting.take_if(|waiting| at.0 >= waiting.since.0.saturating_add(settle))?;
        Some(due.event)
    }

    fn of_the_agent(&mut self, digit: char, elsewhere: Elsewhere, echoed: bool) -> Option<Event> {
        match self.keys.agent(digit) {
            Some(AgentKey::Pause) => Some(Event::Paused),
            Some(AgentKey::Resume) if elsewhere == Elsewhere::Alike => self.for_nothing(Refusal::WhoseKey),
            Some(AgentKey::Resume) => Some(Event::Resumed),
            None if echoed || self.grants(digit) => self.for_nothing(Refusal::NotTheCustomer),
            None => None,
        }
    }

    fn of_the_customer(&mut self, digit: char, how: How, elsewhere: Elsewhere, at: MediaTime) -> Option<Event> {
        let purposes = match self.keys.customer(digit)? {
            CustomerKey::Refuse => return Some(Event::Refused { party: self.who_says_no() }),
            CustomerKey::Withdraw => return Some(Event::Withdrawn { party: self.who_says_no(), purposes: Vec::new() }),
            CustomerKey::Grant(purposes) => purposes.clone(),
        };
        let from = match how {
            How::Signalled => at,
            How::InBand { from, .. } => from,
        };
        if !self.is_open(from) || !self.is_open(at) || !self.on_line.contains(&self.asked) {
            return self.for_nothing(Refusal::OutsideQuestion);
        }
        if elsewhere == Elsewhere::Alike {
            return self.for_nothing(Refusal::WhoseKey);
        }
        let act = Act::Dtmf { digit };
        let event = Event::Granted(Decision { party: self.asked.clone(), act, purposes, basis: None });
        match how {
            How::Signalled => Some(event),
            How::InBand { dbfs_tenths, .. } => {
                self.waiting = Some(Waiting { digit, dbfs_tenths, since: at, event });
                None
            }
        }
    }

    /// The agent pressed this key, and a yes by it waits: unless it was surely louder, that was an echo which came early,
    /// or cannot be told from one.
    fn echo_found_out(&mut self, digit: char, how: How) -> bool {
        let softer =
            |than: i16| matches!(how, How::InBand { dbfs_tenths, .. } if dbfs_tenths.saturating_add(LOUDER) <= than);
        let echoed = self.waiting.take_if(|waiting| waiting.digit == digit && !softer(waiting.dbfs_tenths)).is_some();
        for one in self.recent.iter_mut().filter(|one| echoed && one.party == Party::Customer && one.digit == digit) {
            one.paired = true;
        }
        echoed
    }

    fn remember(&mut self, pressed: Pressed) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(pressed);
    }

    /// Whether it is the other half of a press that was told already.
    fn is_told_again(&mut self, party: Party, digit: char, how: How, at: MediaTime) -> bool {
        let reach = self.samples(ONE_PRESS_MS);
        let other_way = |one: How| (one == How::Signalled) != (how == How::Signalled);
        let same = |one: &&mut Pressed| {
            one.party == party
                && one.digit == digit
                && other_way(one.how)
                && !one.paired
                && one.at.0.abs_diff(at.0) <= reach
        };
        match self.recent.iter_mut().find(same) {
            Some(one) => {
                one.paired = true;
                true
            }
            None => false,
        }
    }

    /// How the same key was heard on the other side a moment ago.
    fn heard_elsewhere(&self, party: Party, digit: char, how: How, at: MediaTime) -> Elsewhere {
        let How::InBand { dbfs_tenths, from } = how else { return Elsewhere::Softer };
        let (reach, shuts) = (self.samples(ECHO_MS), self.shuts(party, digit));
        let near = |one: &Pressed| {
            // A key that is held down hides what would open for all that time, and what shuts not for longer than a tap.
            let held = one.how == How::Signalled && !shuts;
            let overlaps = from.0 <= one.until.0.saturating_add(reach) && one.at.0 <= at.0.saturating_add(reach);
            one.at.0.abs_diff(at.0) <= reach || (held && overlaps)
        };
        let there = self.recent.iter().filter(|one| one.party != party && one.digit == digit && near(one));
        let compared = there.map(|one| match one.how {
            How::Signalled => Elsewhere::Louder,
            How::InBand { dbfs_tenths: other, .. } if other >= dbfs_tenths.saturating_add(LOUDER) => Elsewhere::Louder,
            How::InBand { dbfs_tenths: other, .. } if other.saturating_add(LOUDER) <= dbfs_tenths => Elsewhere::Softer,
            How::InBand { .. } => Elsewhere::Alike,
        });
        compared.max().unwrap_or(Elsewhere::Softer)
    }

    /// Whose no it is. Where several are on that leg it cannot be told who pressed, and the gate takes a no of somebody
    /// who was never heard of for everybody's.
    fn who_says_no(&self) -> PartyId {
        match self.on_line.as_slice() {
            [one] => one.clone(),
            _ => PartyId(SOMEBODY.into()),
        }
    }

    fn shuts(&self, party: Party, digit: char) -> bool {
        match party {
            Party::Agent => self.keys.agent(digit) == Some(AgentKey::Pause),
            Party::Customer => {
                matches!(self.keys.customer(digit), Some(CustomerKey::Refuse | CustomerKey::Withdraw))
            }
        }
    }

    fn grants(&self, digit: char) -> bool {
        matches!(self.keys.customer(digit), Some(CustomerKey::Grant(_)))
    }

    fn for_nothing(&mut self, refusal: Refusal) -> Option<Event> {
        self.noted += 1;
        (self.noted <= NOTED_MAX).then(|| Event::Unusable { said: "key".into(), refusal })
    }

    fn close(&mut self) {
        (self.open, self.waiting) = (None, None);
    }

    fn samples(&self, ms: u64) -> u64 {
        ms * self.rate_hz / 1_000
    }
}

/// How the same key was heard on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Elsewhere {
    /// Not at all, or as an echo of this.
    Softer,
    /// As loud: whose it is cannot be told.
    Alike,
    /// This is an echo of that.
    Louder,
}

#[cfg(test)]
#[path = "question_tests.rs"]
mod tests;

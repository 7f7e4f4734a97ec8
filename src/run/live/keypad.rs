//! Keys of a live call, signalled or heard, on their way to its question.

use jiff::Timestamp;

use super::ask::Arrived;
use super::question::How;
use super::worker::Worker;
use crate::consent::Track;
use crate::consent::event::Rank;
use crate::source::exchange::Party;

impl Worker {
    /// The wire told of a key.
    pub(super) fn key_signalled(&mut self, party: Party, digit: char, wall: Option<String>, arrived: Arrived) {
        let place = self.place_of(arrived);
        let Some(question) = &mut self.question else { return };
        if let Some(event) = question.digit(party, digit, How::Signalled, place) {
            let at = if event.rank() == Rank::Opens { place } else { self.call.position() };
            self.apply_at(at, None, event, wall);
            self.publish();
        }
    }

    /// The wire told that a key is not released yet.
    pub(super) fn key_still_down(&mut self, party: Party, digit: char, arrived: Arrived) {
        let place = self.place_of(arrived);
        if let Some(question) = &mut self.question {
            question.still_down(party, digit, place);
        }
    }

    /// Keys whose tones were made out in the frame that was settled, and one that has waited for long enough.
    pub(super) fn hear_keys(&mut self) {
        let here = self.call.position();
        while let Some(press) = self.call.next_press() {
            let party = match press.side {
                Track::Agent => Party::Agent,
                Track::Customer => Party::Customer,
            };
            let how = How::InBand { dbfs_tenths: press.key.dbfs_tenths, from: press.from };
            let said =
                self.question.as_mut().and_then(|question| question.digit(party, press.key.digit, how, press.known));
            self.say_heard(said);
        }
        let due = self.question.as_mut().and_then(|question| question.due(here));
        self.say_heard(due);
    }

    fn say_heard(&mut self, event: Option<crate::consent::Event>) {
        if let Some(event) = event {
            self.apply_at(self.call.position(), None, event, Some(Timestamp::now().to_string()));
        }
    }
}

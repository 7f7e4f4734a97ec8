//! The customer's side: settled at once, cut where events fall into it and where the gate's answer changes.

use super::{Call, Heard, Outlet};
use crate::audio::{Customer, Frame, MediaTime, Span};
use crate::call::gaps::Missing;
use crate::consent::{Authority, Dropped};

impl Call {
    /// The customer's side of the frame in hand, cut where events fall into it.
    pub(super) fn settle_customer(&mut self, frame: Frame<'_, Customer>, heard: &Heard, out: &mut impl Outlet) {
        let span = frame.span();
        self.tally.customer.heard += span.samples();
        let is_plain = !heard.doubtful && self.gaps[1].is_empty() && !self.lies_ahead(span.until);
        if is_plain && let Some(reason) = self.gate.shut() {
            // No event falls into the frame and nothing of it is missing: all of it is left out for one reason.
            self.tally.customer.leave_out(reason, span.samples());
            return;
        }
        let mut from = span.from;
        while let Some(pending) = self.pending.pop_front_if(|pending| pending.stamped.at < span.until) {
            let until = pending.stamped.at.max(from);
            self.settle_between(frame.part(Span::new(from, until)), heard, out);
            from = until;
            self.take(pending, from, out);
        }
        self.settle_between(frame.part(Span::new(from, span.until)), heard, out);
    }

    /// Whether an event takes effect before `until`.
    fn lies_ahead(&self, until: MediaTime) -> bool {
        self.pending.front().is_some_and(|pending| pending.stamped.at < until)
    }

    /// Sound of the customer's between two events, cut where it is missing and where the gate's answer changes.
    fn settle_between(&mut self, sound: Frame<'_, Customer>, heard: &Heard, out: &mut impl Outlet) {
        let mut rest = sound.span();
        while !rest.is_empty() {
            let (mut part, missing) = self.gaps[1].first_part(rest);
            part.until = self.gate.edge(part).filter(|_| missing.is_none()).unwrap_or(part.until);
            let toned;
            (part, toned) = heard.customer_toned(part);
            let refused = missing.map(Missing::reason).or(heard.doubtful.then_some(Dropped::Doubt));
            self.settle_piece(sound.part(part), refused, toned, out);
            rest.from = part.until;
        }
    }

    fn settle_piece(
        &mut self,
        piece: Frame<'_, Customer>,
        refused: Option<Dropped>,
        toned: bool,
        out: &mut impl Outlet,
    ) {
        let span = piece.span();
        let samples = span.samples();
        match refused.map_or_else(|| self.gate.customer(piece), Err) {
            Ok(_) if toned => self.tally.customer.leave_out(Dropped::Tone, samples),
            Ok(cleared) => {
                if let Authority::Grants(number) = cleared.authority() {
                    self.written.add(number, span);
                }
                out.write(cleared);
                self.tally.customer.written += samples;
            }
            Err(reason) => self.tally.customer.leave_out(reason, samples),
        }
    }
}

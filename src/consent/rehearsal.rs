//! What a later withdrawal would erase is never written: the events of a recording are known beforehand, so they are
//! played through a door without sound first.

use super::Terms;
use super::event::Stamped;
use super::gate::Gate;
use crate::audio::{MediaTime, Span};

/// The stretches of the customer's side that `events` (in their order) end up erasing.
pub fn rehearse(terms: &Terms, events: &[Stamped]) -> Vec<Span> {
    let mut gate = Gate::new(terms.clone(), Vec::new());
    let mut place = MediaTime::ZERO;
    let mut erased = Vec::new();
    for event in events {
        // As in the call, an event counts no earlier than the one before it.
        place = place.max(event.at);
        erased.extend(gate.apply(&Stamped { at: place, ..event.clone() }).erased);
    }
    erased.into_iter().map(|erased| erased.span).collect()
}

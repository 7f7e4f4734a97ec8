//! What a later withdrawal would erase is never written: the events of a recording are known beforehand, so they are
//! played through a door without sound first.

use super::Terms;
use super::event::Stamped;
use super::gate::Gate;
use crate::audio::Span;

/// The stretches of the customer's side that `events` (in their order) end up erasing.
pub fn rehearse(terms: &Terms, events: &[Stamped]) -> Vec<Span> {
    let mut gate = Gate::new(terms.clone(), Vec::new());
    events.iter().flat_map(|event| gate.apply(event).erased).map(|erased| erased.span).collect()
}

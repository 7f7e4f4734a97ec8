//! A grant needs a decision, and a decision needs an act and its purposes.
use oneside::consent::{Decision, Event, PartyId};

fn main() {
    let _ = Event::Granted(Decision { party: PartyId::default(), purposes: Vec::new(), basis: None });
}

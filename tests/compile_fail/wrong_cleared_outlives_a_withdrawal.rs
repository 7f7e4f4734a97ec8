//! A `Cleared` borrows the gate and an event needs `&mut` gate: none outlives a withdrawal.
use oneside::audio::{Customer, Frame, MediaTime};
use oneside::consent::{Event, Gate, PartyId, Stamped, Terms};

fn main() {
    let mut gate = Gate::new(Terms::default(), Vec::new());
    let frame: Frame<'_, Customer> = Frame::new(MediaTime(0), &[1, 2, 3]);
    let cleared = gate.customer(frame);
    let withdrawn = Event::Withdrawn { party: PartyId::default(), purposes: Vec::new() };
    gate.apply(&Stamped::new(0, None, withdrawn, 8_000));
    println!("{}", cleared.is_ok());
}

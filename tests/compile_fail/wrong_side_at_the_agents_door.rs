//! A customer's frame does not pass the agent's door.
use oneside::audio::{Customer, Frame, MediaTime};
use oneside::bleed::Heard;
use oneside::consent::{Gate, Terms};

fn pass(heard: Heard) {
    let gate = Gate::new(Terms::default(), Vec::new());
    let frame: Frame<'_, Customer> = Frame::new(MediaTime(0), &[1, 2, 3]);
    let _ = gate.agent(frame, heard);
}

fn main() {}

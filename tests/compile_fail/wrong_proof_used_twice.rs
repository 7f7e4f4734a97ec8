//! A proof is spent with its stretch.
use oneside::audio::{Agent, Frame};
use oneside::bleed::Heard;
use oneside::consent::Gate;

fn pass(gate: &Gate, frame: Frame<'_, Agent>, heard: Heard) {
    let _ = gate.agent(frame, heard);
    let _ = gate.agent(frame, heard);
}

fn main() {}

//! A `Grant` is made only inside the gate, of a decision.
use oneside::consent::gate::Grant;

fn main() {}

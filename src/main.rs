//! The `oneside` command.
fn main() {}

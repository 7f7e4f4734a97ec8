//! The agent's side needs the guard's proof, and only the guard makes one.
use oneside::audio::{MediaTime, Span};
use oneside::bleed::Heard;

fn main() {
    let _ = Heard { span: Span::new(MediaTime(0), MediaTime(160)) };
}

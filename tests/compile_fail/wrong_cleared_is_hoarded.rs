//! No store can keep what was cleared: a `Cleared` cannot be copied out of its borrow.
use oneside::consent::Cleared;

struct Hoard {
    kept: Vec<Cleared<'static>>,
}

impl Hoard {
    fn write(&mut self, sound: Cleared<'_>) {
        self.kept.push(sound);
    }
}

fn main() {}

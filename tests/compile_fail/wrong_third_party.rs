//! There are two parties and no third.
use oneside::audio::Party;

enum Bystander {}

impl Party for Bystander {
    const NAME: &'static str = "bystander";
}

fn main() {}

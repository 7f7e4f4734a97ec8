//! Silence has no variant.
use oneside::consent::Act;

fn main() {
    let _ = Act::Silence;
    let _ = Act::Implied;
}

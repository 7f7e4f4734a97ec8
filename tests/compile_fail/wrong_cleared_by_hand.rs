//! Only the gate makes a `Cleared`: its fields are private.
use oneside::audio::MediaTime;
use oneside::consent::{Authority, Cleared, Track};

fn main() {
    let _ = Cleared { track: Track::Customer, at: MediaTime(0), authority: Authority::Grants(0) };
}

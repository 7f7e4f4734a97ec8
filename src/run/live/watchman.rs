//! Looks after the sound devices: one that is gone or stands still shows within a second (ROB-02).
//!
//! It believes its own count of callbacks before anybody's word: whoever else watches may be held up by the same sound
//! system.

use std::time::{Duration, Instant};

use crate::audio::align::Cadence;
use crate::source::capture::{Condition, Line};

/// A device without a callback for so long stands still, whatever is said of it.
const STILL: Duration = Duration::from_millis(800);

/// Looks after the devices of a capture.
#[derive(Debug, Default)]
pub struct Watchman {
    /// Callbacks of each device so far, and when the last one was seen.
    seen: Vec<(u64, Instant)>,
}

impl Watchman {
    /// What is wrong with the devices now, if something is: a sentence.
    pub fn look(&mut self, lines: &[Line]) -> Option<String> {
        let now = Instant::now();
        self.seen.resize(lines.len(), (0, now));
        let sides = ["the agent's device", "the customer's device"];
        lines.iter().zip(&mut self.seen).zip(sides).find_map(|((line, seen), side)| {
            let callbacks = line.heartbeat.callbacks();
            if callbacks != seen.0 {
                *seen = (callbacks, now);
            }
            let still = line.cadence == Cadence::Steady && seen.0 > 0 && now.duration_since(seen.1) > STILL;
            let what = match line.heartbeat.condition() {
                Condition::Live if still => "delivers nothing",
                Condition::Live | Condition::Opening => return None,
                Condition::Stalled => "delivers nothing",
                Condition::Lost => "is gone; it is waited for, and no other is used",
                Condition::Ended => "has ended",
            };
            let why = line.heartbeat.last_error().map(|why| format!(" ({why})")).unwrap_or_default();
            Some(format!("{} {what}{why}", if lines.len() == 1 { "the device" } else { side }))
        })
    }
}

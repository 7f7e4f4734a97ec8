//! What comes of a connection while its call is being begun. That may have to wait for the disk, and the connection is read
//! all the same: Asterisk never waits for us.
//!
//! Of the sound the latest [`HELD_MS`] are held, and [`MESSAGES_MAX`] messages at most; what is older lies before the call and
//! is counted. Whatever the disk does, that is 32 KiB at 8 kHz, 192 KiB at 48 kHz and 768 KiB at the highest rate that there is,
//! beside the book-keeping. A grant does not reach back into it: its place is counted from before the disk was waited for.

use std::collections::VecDeque;
use std::time::Instant;

use zeroize::Zeroizing;

use crate::source::wire::audiosocket::Message;

/// Sound that is held, ms.
const HELD_MS: u64 = 2_000;
/// Messages that are held, those without sound among them.
const MESSAGES_MAX: usize = 256;

/// Messages in the order in which they came.
#[derive(Default)]
pub(super) struct Held {
    messages: VecDeque<Kept>,
    /// How much sound is among them, in nanoseconds.
    nanos: u64,
    /// Something that was no sound found no room.
    pub(super) lost_words: bool,
}

/// A message that is held.
pub(super) struct Kept {
    /// When it came.
    pub(super) at: Instant,
    what: What,
}

enum What {
    Sound { rate_hz: u32, payload: Zeroizing<Vec<u8>>, nanos: u64 },
    Said(Message<'static>),
}

impl Kept {
    /// The message.
    pub(super) fn message(&self) -> Message<'_> {
        match &self.what {
            What::Sound { rate_hz, payload, .. } => Message::Sound { rate_hz: *rate_hz, payload },
            What::Said(message) => *message,
        }
    }

    fn nanos(&self) -> u64 {
        if let What::Sound { nanos, .. } = &self.what { *nanos } else { 0 }
    }
}

impl Held {
    /// Holds a message. `sample_bytes`: bytes of a sample of its sound. How many messages were let go for it: the oldest sound,
    /// and where there is none the message itself.
    pub(super) fn push(&mut self, message: Message<'_>, sample_bytes: usize, at: Instant) -> u64 {
        let what = match message {
            Message::Sound { rate_hz, payload } => {
                let samples = (payload.len() / sample_bytes.max(1)) as u64;
                let nanos = samples * 1_000_000_000 / u64::from(rate_hz.max(1));
                What::Sound { rate_hz, payload: Zeroizing::new(payload.to_vec()), nanos }
            }
            Message::Hangup => What::Said(Message::Hangup),
            Message::Id(id) => What::Said(Message::Id(id)),
            Message::Digit(digit) => What::Said(Message::Digit(digit)),
            Message::Error(code) => What::Said(Message::Error(code)),
            Message::Malformed(kind) => What::Said(Message::Malformed(kind)),
            Message::Unknown(kind) => What::Said(Message::Unknown(kind)),
        };
        let kept = Kept { at, what };
        self.nanos += kept.nanos();
        self.messages.push_back(kept);
        let mut gone = 0;
        while self.nanos > HELD_MS * 1_000_000 || self.messages.len() > MESSAGES_MAX {
            let oldest = self.messages.iter().position(|kept| matches!(kept.what, What::Sound { .. }));
            self.lost_words |= oldest.is_none();
            let oldest = oldest.unwrap_or(self.messages.len() - 1);
            self.nanos -= self.messages.remove(oldest).map_or(0, |kept| kept.nanos());
            gone += 1;
        }
        gone
    }

    /// The message that came first.
    pub(super) fn pop(&mut self) -> Option<Kept> {
        let kept = self.messages.pop_front()?;
        self.nanos -= kept.nanos();
        if self.messages.is_empty() {
            self.messages = VecDeque::new(); // it is not needed again
        }
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(held: &mut Held, byte: u8, ms: usize) -> u64 {
        held.push(Message::Sound { rate_hz: 8_000, payload: &vec![byte; 16 * ms] }, 2, Instant::now())
    }

    fn left(mut held: Held) -> Vec<String> {
        let mut left = Vec::new();
        while let Some(kept) = held.pop() {
            left.push(match kept.message() {
                Message::Sound { payload, .. } => format!("{}", payload[0]),
                message => format!("{message:?}"),
            });
        }
        assert_eq!(held.nanos, 0);
        left
    }

    #[test]
    fn the_latest_sound_is_held_and_what_was_said_keeps_its_place() {
        let mut held = Held::default();
        assert_eq!(sound(&mut held, 1, 1_700), 0);
        assert_eq!(held.push(Message::Digit('1'), 2, Instant::now()), 0);
        assert_eq!((sound(&mut held, 2, 300), sound(&mut held, 3, 20)), (0, 1));
        assert_eq!(held.push(Message::Hangup, 2, Instant::now()), 0);
        assert_eq!(left(held), ["Digit", "2", "3", "Hangup"]);
    }

    #[test]
    fn a_flood_is_bounded_whatever_it_is_made_of() {
        let mut held = Held::default();
        let gone: u64 = (0..10_000).map(|_| held.push(Message::Digit('5'), 2, Instant::now())).sum();
        assert_eq!((held.messages.len(), gone), (MESSAGES_MAX, 10_000 - MESSAGES_MAX as u64));
        assert!(held.lost_words);
        let mut held = Held::default();
        assert_eq!((0..10_000).map(|_| sound(&mut held, 9, 1)).sum::<u64>(), 10_000 - MESSAGES_MAX as u64);
        assert_eq!(held.messages.len(), MESSAGES_MAX);
        // The longest message at the lowest rate is more than is held.
        assert_eq!((held.push(Message::Sound { rate_hz: 8_000, payload: &[0; 65_535] }, 2, Instant::now())), 257);
        assert!(held.pop().is_none());
    }
}

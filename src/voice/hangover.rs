//! Lead-in and tail around speech, each unit of them passing the bleed guard by itself (MIN-01, ONE-04).
//!
//! A detector fires late on soft beginnings and lets go between words, so what lies shortly before and after its
//! frames is kept, too. But a lead-in reaches back into what may be the customer's turn: it is kept only in the 10 ms
//! units that the guard holds for the agent's own. A frame starts speech only if the guard owns a part of it.

use std::collections::VecDeque;

use crate::audio::MediaTime;
use crate::bleed::{Heard, Verdict};

/// Default lead-in before speech, ms: the first sounds of a word are soft (MIN-01).
pub const LEAD_IN_MS: u32 = 150;
/// Default tail after speech, ms.
pub const TAIL_MS: u32 = 250;
/// Frames that the hangover looks ahead: the longest lead-in (150 ms) in whole frames.
pub const LOOK_FRAMES: usize = 8;
/// Length of a unit, ms.
const UNIT_MS: u32 = 10;

/// What is to be done with a unit of the agent's side.
#[derive(Debug)]
pub enum Word {
    /// The agent's own speech, its lead-in or tail, with the guard's proof.
    Keep(Heard),
    /// No speech near.
    NotSpeech,
    /// Speech, but the guard does not hold it for the agent's.
    Bleed,
}

impl Word {
    /// The same of what lies before `place`, and of the rest.
    pub fn split_at(self, place: MediaTime) -> (Word, Word) {
        match self {
            Word::Keep(heard) => {
                let (first, rest) = heard.split_at(place);
                (Word::Keep(first), Word::Keep(rest))
            }
            Word::NotSpeech => (Word::NotSpeech, Word::NotSpeech),
            Word::Bleed => (Word::Bleed, Word::Bleed),
        }
    }
}

/// The hangover of one call. Fed a frame at a time, it answers [`LOOK_FRAMES`] frames later.
#[derive(Debug)]
pub struct Hangover {
    lead_in_units: u64,
    tail_units: u64,
    waiting: VecDeque<Judged>,
    /// Which of them start speech: a bit each, the oldest is the lowest.
    starts: u32,
    /// Number of the oldest waiting frame.
    frame: u64,
    /// First unit after the tail of the last speech.
    tail_until: u64,
}

#[derive(Debug)]
struct Judged {
    speech: bool,
    verdicts: [Verdict; 2],
}

impl Judged {
    fn starts_speech(&self) -> bool {
        self.speech && self.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Own(_)))
    }
}

impl Hangover {
    /// A hangover of this lead-in (at most 150 ms counts) and tail, in steps of 10 ms.
    pub fn new(lead_in_ms: u32, tail_ms: u32) -> Hangover {
        let most = LOOK_FRAMES as u32 * 2 * UNIT_MS;
        Hangover {
            lead_in_units: u64::from(lead_in_ms.min(most) / UNIT_MS),
            tail_units: u64::from(tail_ms / UNIT_MS),
            waiting: VecDeque::with_capacity(LOOK_FRAMES + 2),
            starts: 0,
            frame: 0,
            tail_until: 0,
        }
    }

    /// Takes in what the detector and the guard said of the next frame.
    pub fn push(&mut self, speech: bool, verdicts: [Verdict; 2]) {
        let judged = Judged { speech, verdicts };
        self.starts |= u32::from(judged.starts_speech()) << self.waiting.len();
        self.waiting.push_back(judged);
    }

    /// Answers for the oldest frame that was pushed. Asked when [`LOOK_FRAMES`] newer ones were, or at the end.
    pub fn answer(&mut self) -> [Word; 2] {
        let ahead = (self.starts != 0).then(|| self.starts.trailing_zeros());
        let judged = self.waiting.pop_front().expect("a frame waits for its word");
        let first = self.frame * 2;
        self.frame += 1;
        self.starts >>= 1;
        if ahead == Some(0) {
            self.tail_until = first + 2 + self.tail_units;
        }
        let starts = ahead.map(|frames| first + 2 * u64::from(frames));
        let word = |unit: u64, verdict: Verdict| {
            let near = unit < self.tail_until || starts.is_some_and(|start| unit + self.lead_in_units >= start);
            match verdict {
                Verdict::Own(heard) if near => Word::Keep(heard),
                Verdict::Bleed if near || judged.speech => Word::Bleed,
                _ => Word::NotSpeech,
            }
        };
        let [one, other] = judged.verdicts;
        [word(first, one), word(first + 1, other)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Levels, Span};
    use crate::bleed::{Ear, Reference, Unheard};

    /// Verdicts on a frame whose units are the agent's own or not, as told; a proof can only come from an ear.
    fn verdicts(own: [bool; 2]) -> [Verdict; 2] {
        let mut ear = Ear::new(Reference::OneParty);
        ear.hear(&Levels::default(), Unheard::default(), [Span::new(MediaTime(0), MediaTime(80)); 2]);
        ear.end();
        let mut own = own.into_iter();
        ear.answer().map(|verdict| if own.next() == Some(true) { verdict } else { Verdict::Bleed })
    }

    /// Runs a call of these frames: for each unit `k` kept, `b` bleed, `.` not speech.
    fn words(frames: &[(bool, [bool; 2])], lead_in_ms: u32, tail_ms: u32) -> String {
        let mut hangover = Hangover::new(lead_in_ms, tail_ms);
        let mut words = Vec::new();
        for (heard, (speech, own)) in frames.iter().enumerate() {
            hangover.push(*speech, verdicts(*own));
            if heard >= LOOK_FRAMES {
                words.extend(hangover.answer());
            }
        }
        while words.len() < frames.len() * 2 {
            words.extend(hangover.answer());
        }
        let letter = |word: &Word| match word {
            Word::Keep(_) => 'k',
            Word::Bleed => 'b',
            Word::NotSpeech => '.',
        };
        words.iter().map(letter).collect()
    }

    const QUIET: (bool, [bool; 2]) = (false, [true; 2]);
    const SPEECH: (bool, [bool; 2]) = (true, [true; 2]);

    #[test]
    fn speech_is_kept_with_its_lead_in_and_tail_and_no_more() {
        let mut frames = vec![QUIET; 60];
        frames[30] = SPEECH;
        let expected = format!("{}{}{}", ".".repeat(45), "k".repeat(15 + 2 + 25), ".".repeat(33));
        assert_eq!(words(&frames, 150, 250), expected);
    }

    #[test]
    fn a_unit_of_the_lead_in_that_is_not_the_agents_is_bleed() {
        let mut frames = vec![QUIET; 40];
        frames[20] = SPEECH;
        frames[18].1 = [true, false];
        assert_eq!(&words(&frames, 150, 250)[36..39], "kbk");
    }

    #[test]
    fn speech_that_is_not_the_agents_starts_nothing() {
        assert_eq!(words(&[(true, [false; 2]); 20], 150, 250), "b".repeat(40));
    }

    #[test]
    fn a_call_shorter_than_the_look_ahead_is_answered_whole() {
        assert_eq!(words(&[SPEECH; 2], 150, 250), "kkkk");
        assert_eq!(words(&[], 150, 250), "");
    }
}

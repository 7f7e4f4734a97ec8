//! Lead-in and tail around speech, each unit of them passing the bleed guard by itself (MIN-01, ONE-04).
//!
//! A detector fires late on soft beginnings and lets go between words, so what lies shortly before and after its
//! frames is kept, too. But a lead-in reaches back into what may be the customer's turn: it is kept only in the 10 ms
//! units that the guard holds for the agent's own. A frame starts speech only if the guard owns a part of it.

use std::collections::VecDeque;

/// Frames that the hangover looks ahead: the longest lead-in (150 ms) in whole frames.
pub const LOOK_FRAMES: usize = 8;
/// Length of a unit, ms.
const UNIT_MS: u32 = 10;

/// What is to be done with a unit of the agent's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The agent's own speech, its lead-in or tail.
    Keep,
    /// No speech near.
    NotSpeech,
    /// Speech, but the guard does not hold it for the agent's.
    Bleed,
}

/// The hangover of one call. Fed a frame at a time, it answers [`LOOK_FRAMES`] frames later.
#[derive(Debug)]
pub struct Hangover {
    lead_in_units: u64,
    tail_units: u64,
    waiting: VecDeque<Judged>,
    /// Number of the oldest waiting frame.
    frame: u64,
    /// First unit after the tail of the last speech.
    tail_until: u64,
}

#[derive(Clone, Copy, Debug)]
struct Judged {
    speech: bool,
    own: [bool; 2],
}

impl Judged {
    fn starts_speech(self) -> bool {
        self.speech && (self.own[0] || self.own[1])
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
            frame: 0,
            tail_until: 0,
        }
    }

    /// Takes in what the detector said of the next frame, and which of its two units the guard holds for the agent's.
    pub fn push(&mut self, speech: bool, own: [bool; 2]) {
        self.waiting.push_back(Judged { speech, own });
    }

    /// Answers for the oldest frame that was pushed. Asked when [`LOOK_FRAMES`] newer ones were, or at the end.
    pub fn answer(&mut self) -> [Word; 2] {
        let ahead = self.waiting.iter().position(|judged| judged.starts_speech());
        let judged = self.waiting.pop_front().expect("a frame waits for its word");
        let first = self.frame * 2;
        self.frame += 1;
        if judged.starts_speech() {
            self.tail_until = first + 2 + self.tail_units;
        }
        let starts = ahead.map(|frames| first + 2 * frames as u64);
        [first, first + 1].map(|unit| {
            let near = unit < self.tail_until || starts.is_some_and(|start| unit + self.lead_in_units >= start);
            match judged.own[(unit - first) as usize] {
                true if near => Word::Keep,
                false if near || judged.speech => Word::Bleed,
                _ => Word::NotSpeech,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a call of these frames and tells for each unit whether it is kept.
    fn kept(frames: &[(bool, [bool; 2])], lead_in_ms: u32, tail_ms: u32) -> Vec<Word> {
        let mut hangover = Hangover::new(lead_in_ms, tail_ms);
        let mut words = Vec::new();
        for (heard, (speech, own)) in frames.iter().enumerate() {
            hangover.push(*speech, *own);
            if heard >= LOOK_FRAMES {
                words.extend(hangover.answer());
            }
        }
        while words.len() < frames.len() * 2 {
            words.extend(hangover.answer());
        }
        words
    }

    const QUIET: (bool, [bool; 2]) = (false, [true; 2]);
    const SPEECH: (bool, [bool; 2]) = (true, [true; 2]);

    #[test]
    fn speech_is_kept_with_its_lead_in_and_tail_and_no_more() {
        let mut frames = vec![QUIET; 60];
        frames[30] = SPEECH;
        let words = kept(&frames, 150, 250);
        let keep: Vec<usize> = (0..words.len()).filter(|u| words[*u] == Word::Keep).collect();
        assert_eq!(keep, (60 - 15..62 + 25).collect::<Vec<_>>());
    }

    #[test]
    fn a_unit_of_the_lead_in_that_is_not_the_agents_is_bleed() {
        let mut frames = vec![QUIET; 40];
        frames[20] = SPEECH;
        frames[18].1 = [true, false];
        let words = kept(&frames, 150, 250);
        assert_eq!(words[37], Word::Bleed);
        assert_eq!((words[36], words[38]), (Word::Keep, Word::Keep));
    }

    #[test]
    fn speech_that_is_not_the_agents_starts_nothing() {
        let words = kept(&[(true, [false; 2]); 20], 150, 250);
        assert!(words.iter().all(|word| *word == Word::Bleed), "{words:?}");
    }

    #[test]
    fn a_call_shorter_than_the_look_ahead_is_answered_whole() {
        assert_eq!(kept(&[SPEECH; 2], 150, 250), [Word::Keep; 4]);
        assert_eq!(kept(&[], 150, 250), []);
    }
}

//! The agent's last frames, waiting for what the detector and the guard say of the sound around them.
//!
//! The agent may be delayed (lead-in, the guard's look-ahead), the customer never: this ring holds the agent's side
//! alone. Its memory is taken when the call opens and wiped when it closes.

use zeroize::Zeroize;

use crate::audio::{Agent, Frame, MediaTime, Span};

/// A frame that waits, with what was known about it when it was heard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waiting {
    at: MediaTime,
    length: usize,
    /// Neither channel of this frame may be kept: they cannot be told apart.
    pub doubtful: bool,
    /// The customer's side was active in each half.
    pub customer_active: [bool; 2],
    /// Each half holds the tone of a key.
    pub toned: [bool; 2],
}

/// A ring of frames with a place for each that may wait.
pub struct Holdback {
    slots: Vec<Waiting>,
    sound: Vec<i16>,
    frame_max: usize,
    oldest: usize,
    waiting: usize,
}

impl Holdback {
    /// Room for `frames` frames of at most `frame_max` samples.
    pub fn new(frames: usize, frame_max: usize) -> Holdback {
        Holdback {
            slots: vec![Waiting::default(); frames],
            sound: vec![0; frames * frame_max],
            frame_max,
            oldest: 0,
            waiting: 0,
        }
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Takes in the newest frame. There must be room: the call lets the oldest go first.
    pub fn push(&mut self, frame: Frame<'_, Agent>, doubtful: bool, customer_active: [bool; 2], toned: [bool; 2]) {
        assert!(self.waiting < self.slots.len(), "the call lets a frame go before it takes one more");
        let slot = self.slot(self.waiting);
        let length = frame.samples().len();
        self.slots[slot] = Waiting { at: frame.at(), length, doubtful, customer_active, toned };
        self.sound[slot * self.frame_max..][..length].copy_from_slice(frame.samples());
        self.waiting += 1;
    }

    /// The frame that has waited longest.
    pub fn oldest(&self) -> (Waiting, Frame<'_, Agent>) {
        assert!(self.waiting > 0, "a frame waits");
        let waiting = self.slots[self.oldest];
        let samples = &self.sound[self.oldest * self.frame_max..][..waiting.length];
        (waiting, Frame::new(waiting.at, samples))
    }

    /// The last halves that wait hold a tone, as is known only now.
    pub fn tone_before(&mut self, halves: usize) {
        for back in 0..halves.min(2 * self.waiting) {
            let slot = self.slot(self.waiting - 1 - back / 2);
            self.slots[slot].toned[1 - back % 2] = true;
        }
    }

    /// Wipes what waits of `span`: somebody masked it.
    pub fn wipe(&mut self, span: Span) {
        for waiting in 0..self.waiting {
            let slot = self.slot(waiting);
            let Waiting { at, length, .. } = self.slots[slot];
            let inside = |place: MediaTime| place.0.saturating_sub(at.0).min(length as u64) as usize;
            let sound = &mut self.sound[slot * self.frame_max..][..length];
            sound[inside(span.from)..inside(span.until)].zeroize();
        }
    }

    /// Lets it go.
    pub fn pop(&mut self) {
        self.oldest = self.slot(1);
        self.waiting -= 1;
    }

    /// The place of the `number`-th frame that waits, or of the next one.
    fn slot(&self, number: usize) -> usize {
        let slot = self.oldest + number;
        if slot < self.slots.len() { slot } else { slot - self.slots.len() }
    }
}

/// Without the sound: what is printed for a bug report must hold nobody's voice.
impl std::fmt::Debug for Holdback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holdback").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Drop for Holdback {
    fn drop(&mut self) {
        self.sound.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_of_the_frames_that_wait_holds_no_sound() {
        let mut holdback = Holdback::new(2, 4);
        holdback.push(Frame::new(MediaTime::ZERO, &[12_345; 4]), false, [false; 2], [false; 2]);
        let printed = format!("{holdback:?}");
        assert!(!printed.contains("12345") && printed.contains("waiting: 1"), "{printed}");
    }
}

//! Where a live call goes: its files, its picture if one is wanted, its talk line.

use std::collections::VecDeque;

use super::intake::{Came, OneSided};
use crate::call::{Call, Closing, Of, Outlet, Span, Trace};
use crate::consent::{Cleared, Dropped, Stamped};
use crate::store::live::{Gap, LiveRecorder, Standing};
use crate::store::picture::{self, Sketch};
use crate::store::{StoreError, Stored};

/// Characters of the talk line: a minute.
const TALK: usize = 600;
/// Of how much of the call one of them tells: 100 ms.
const TALK_HZ: u64 = 10;

/// The outlet of one live call.
pub struct LiveOutlet {
    recorder: LiveRecorder,
    sketch: Option<Sketch>,
    rate_hz: u32,
    talk: Talk,
}

impl LiveOutlet {
    /// Into these files, with a picture if wanted.
    pub fn new(recorder: LiveRecorder, picture: bool, rate_hz: u32) -> LiveOutlet {
        LiveOutlet { recorder, sketch: picture.then(|| Sketch::new(rate_hz)), rate_hz, talk: Talk::default() }
    }

    /// The name under which the call will stand.
    pub fn name(&self) -> &str {
        self.recorder.name()
    }

    /// The first error, if there was one: nothing is stored since.
    pub fn error(&self) -> Option<&StoreError> {
        self.recorder.error()
    }

    /// The talk line.
    pub fn talk(&self) -> impl Iterator<Item = char> + '_ {
        self.talk.line.iter().copied().map(char::from)
    }

    /// Takes note of an event that is about to be applied.
    pub fn event(&mut self, call: &Call, stamped: &Stamped) {
        self.recorder.event(call.position(), call.maskable().from, stamped);
    }

    /// Takes note of what is missing.
    pub fn missing(&mut self, came: &Came) {
        if let Came::Missing { frames, from, why, .. } = came {
            let reason = why.reason();
            let intended = why.is_intended();
            let of = Of::Both;
            self.recorder.gap(Gap { from: *from, frames: *frames, of, reason: reason.code().into(), intended });
        }
    }

    /// Takes note of what is missing of one side.
    pub fn one_sided(&mut self, gap: &OneSided) {
        if gap.span.is_empty() {
            return;
        }
        let OneSided { of, frames, from, why, .. } = *gap;
        let reason = why.reason().code().into();
        self.recorder.gap(Gap { from, frames, of, reason, intended: why.is_intended() });
    }

    /// Lays down what was cleared so far, with the books.
    pub fn checkpoint(&mut self, call: &Call) {
        if call.doors().quarantined {
            self.recorder.quarantined(call.position());
        }
        self.recorder.checkpoint(&Standing {
            position: call.position(),
            tally: call.tally(),
            leak: call.leak(),
            findings: call.findings(),
        });
    }

    /// Takes note of the digest of what was delivered.
    pub fn digest(&mut self, bytes: u64, blake3: &str) {
        self.recorder.digest(bytes, blake3);
    }

    /// Completes the call.
    pub fn finish(self, closing: &Closing) -> Result<Stored, StoreError> {
        let picture = self.sketch.map(|sketch| picture::draw(self.recorder.name(), closing, &sketch));
        self.recorder.finish(closing, &jiff::Timestamp::now().to_string(), picture.as_deref())
    }
}

impl Outlet for LiveOutlet {
    fn write(&mut self, sound: Cleared<'_>) {
        self.recorder.write(sound);
    }

    fn erase_customer(&mut self, span: Span) {
        self.recorder.erase_customer(span);
    }

    fn erase_tone(&mut self, span: Span) {
        self.recorder.erase_tone(span);
    }

    fn trace(&mut self, unit: Trace) {
        self.talk.add(unit, self.rate_hz);
        if let Some(sketch) = &mut self.sketch {
            sketch.add(unit);
        }
    }
}

/// What became of the agent's side lately, a character for every 100 ms: the most telling of its units.
#[derive(Debug, Default)]
struct Talk {
    /// ASCII.
    line: VecDeque<u8>,
    at: u64,
    word: u8,
}

impl Talk {
    fn add(&mut self, unit: Trace, rate_hz: u32) {
        let place = unit.span.from.0 * TALK_HZ / u64::from(rate_hz);
        while self.at < place {
            let next = [b' ', b'.', b'b', b'p', b's'][usize::from(std::mem::take(&mut self.word))];
            self.line.push_back(if next == b' ' { b'.' } else { next });
            if self.line.len() > TALK {
                self.line.pop_front();
            }
            self.at += 1;
        }
        let word = match unit.agent {
            Ok(()) => 4,
            Err(Dropped::Paused | Dropped::Private | Dropped::OutsideWindow | Dropped::Masked | Dropped::Tone) => 3,
            Err(Dropped::Bleed) => 2,
            Err(_) => 1,
        };
        self.word = self.word.max(word);
    }
}

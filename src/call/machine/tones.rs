//! The tones of keys in a call: made out on both sides, left out of both tracks (PAY-05), and told to whoever asks.
//!
//! A tone is known some tens of milliseconds after it began. The agent's side still waits by then, so nothing of the
//! tone is ever written; of the customer's, where a grant stands, the beginning is wiped again.

use std::collections::VecDeque;

use super::{Call, Heard, Outlet};
use crate::audio::narrow::Narrowed;
use crate::audio::{FRAMES_PER_SECOND, Levels, MediaTime, Span};
use crate::consent::{Dropped, Track};
use crate::voice::{Key, Toned, Tones};

/// Presses that wait to be asked for; of more, the first are forgotten.
const PRESSES_MAX: usize = 16;

/// A key that was pressed, as its tone was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// On whose side.
    pub side: Track,
    /// Which key, and how loud.
    pub key: Key,
    /// Where its tone began, or up to 10 ms before.
    pub from: MediaTime,
    /// Where it was made out: what it opens counts from nowhere before.
    pub known: MediaTime,
}

/// The detectors of both sides, and what they made out.
#[derive(Debug)]
pub(super) struct Keypads {
    sides: [Tones; 2],
    /// Nobody needs to know of the customer's keys.
    agent_alone: bool,
    unit: u64,
    presses: VecDeque<Press>,
}

impl Keypads {
    pub(super) fn new(rate_hz: u32) -> Keypads {
        let unit = u64::from(rate_hz).div_ceil(2 * FRAMES_PER_SECOND);
        Keypads {
            sides: [Tones::new(rate_hz), Tones::new(rate_hz)],
            agent_alone: false,
            unit,
            presses: VecDeque::with_capacity(PRESSES_MAX),
        }
    }

    /// Hears a frame of both sides.
    pub(super) fn hear(&mut self, span: Span, narrowed: &Narrowed<'_>, levels: &Levels) -> [Toned; 2] {
        let [agent, customer] = &mut self.sides;
        let samples = span.samples() as usize;
        let mut toned = [agent.hear(samples, narrowed.agent, levels.agent), Toned::default()];
        if !self.agent_alone {
            toned[1] = customer.hear(samples, narrowed.customer, levels.customer);
        }
        for (side, toned) in [Track::Agent, Track::Customer].into_iter().zip(&toned) {
            let Some(key) = toned.key else { continue };
            if self.presses.len() == PRESSES_MAX {
                self.presses.pop_front();
            }
            let from = self.before(span.from, toned);
            self.presses.push_back(Press { side, key, from, known: span.until });
        }
        toned
    }

    /// Where the units before `place` begin that hold a tone.
    fn before(&self, place: MediaTime, toned: &Toned) -> MediaTime {
        MediaTime(place.0.saturating_sub(u64::from(toned.units_before) * self.unit))
    }
}

impl Heard {
    /// The first part of `part` that holds a tone of the customer's throughout, or none.
    pub(super) fn customer_toned(&self, part: Span) -> (Span, bool) {
        let [first, second] = self.toned[1].units;
        let half = self.span.from.0 + self.span.samples() / 2;
        let before = part.from.0 < half;
        let until = if before && first != second { part.until.0.min(half) } else { part.until.0 };
        (Span::new(part.from, MediaTime(until)), if before { first } else { second })
    }
}

impl Call {
    /// Nobody will ask for the customer's presses, and no event will come: then nothing of hers can be kept, no tone has to be
    /// left out of it, and none is listened for. An event that comes all the same undoes it.
    pub fn expect_no_event(&mut self) {
        self.keypads.agent_alone = true;
    }

    /// An event comes, or takes effect: from now on the customer's tones matter.
    pub(super) fn listen_to_customer(&mut self) {
        self.keypads.agent_alone = false;
    }

    /// The next press that was made out, in their order; the agent's before the customer's of the same frame.
    pub fn next_press(&mut self) -> Option<Press> {
        self.keypads.presses.pop_front()
    }

    /// Leaves out what came before the frame in hand and has turned out to be the beginning of a tone.
    pub(super) fn leave_out_tones(&mut self, heard: &Heard, out: &mut impl Outlet) {
        let [agent, customer] = &heard.toned;
        self.holdback.tone_before(usize::from(agent.units_before));
        if customer.units_before == 0 {
            return;
        }
        let span = Span::new(self.keypads.before(heard.span.from, customer), heard.span.from);
        let gone = self.written.erase(span);
        if gone > 0 {
            out.erase_tone(span);
            self.tally.customer.written -= gone;
            self.tally.customer.leave_out(Dropped::Tone, gone);
            self.written.make_room();
        }
    }
}

//! The state machine of one call.

use std::collections::VecDeque;

use super::gaps::{Gaps, Missing, Of};
use super::holdback::Holdback;
use super::runs::Runs;
use super::{CallResult, Closing, Opening, Outlet, Tally, Trace};
use crate::audio::level::{self, ACTIVE};
use crate::audio::narrow::{fold_of, narrow};
use crate::audio::{Agent, FRAMES_PER_SECOND, Frame, Levels, MediaTime, Span, Stereo};
use crate::bleed::{Ear, Reference, Unheard};
use crate::consent::{Dropped, Effect, Event, Gate, Ledger, Outcome, Stamped};
use crate::split::{Doubt, Finding, Remedy};
use crate::voice::hangover::{self, Hangover, Word};
use crate::voice::{Speech, Toned};

mod customer;
mod live;
mod tones;

pub(crate) use live::place_now;
pub use live::{Doors, Took};
use tones::Keypads;
pub use tones::Press;

/// Frames that the agent's side may wait: what the guard looks ahead and the lead-in.
pub const HOLDBACK_FRAMES: usize = Ear::LOOK_FRAMES + hangover::LOOK_FRAMES;
/// Longest reach of a mask, ms: ten minutes, 9.6 MB of the agent's sound at 8 kHz.
pub const REACH_MS_MAX: u32 = 600_000;

/// One call. It has no field that could hold a customer's frame.
#[derive(Debug)]
pub struct Call {
    rate_hz: u32,
    gate: Gate,
    ear: Ear,
    /// Both parties were to come, and the guard compares them.
    compared: bool,
    doubt: Doubt,
    hangover: Hangover,
    holdback: Holdback,
    ledger: Ledger,
    tally: Tally,
    findings: Vec<Finding>,
    pending: VecDeque<Pending>,
    /// Speech decisions of frames on which the guard has not spoken yet.
    speech: VecDeque<Speech>,
    /// What was decided of frames that wait for a mask that may still come.
    words: VecDeque<[Word; 2]>,
    /// Frames that the agent's side waits: the holdback, and the reach of a mask.
    wait_frames: usize,
    heard: Option<Heard>,
    now: MediaTime,
    /// First sample of the agent's that was not let go.
    released: MediaTime,
    /// What is missing on the agent's side, and on the customer's.
    gaps: [Gaps; 2],
    keypads: Keypads,
    written: Runs,
    rejected: u64,
    beyond_end: u64,
}

/// An event that lies ahead.
#[derive(Debug)]
struct Pending {
    stamped: Stamped,
    /// How far back it can reach on the agent's side, if it is a mask: what lay before was gone when it became known.
    reach: MediaTime,
}

/// What was found out about the frame in hand between `listen` and `settle`.
#[derive(Clone, Copy, Debug)]
struct Heard {
    span: Span,
    doubtful: bool,
    customer_active: [bool; 2],
    /// The tones of keys, on the agent's side and on the customer's.
    toned: [Toned; 2],
}

impl Call {
    /// Opens a call.
    pub fn open(opening: Opening) -> Call {
        let mut gate = Gate::new(opening.terms, opening.foreclosed).at_rate(opening.rate_hz);
        if opening.findings.iter().any(|finding| finding.remedy() == Remedy::BothWithheld) {
            gate.quarantine();
        }
        let frame_max = (u64::from(opening.rate_hz) / FRAMES_PER_SECOND) as usize + 1;
        let frame_ms = 1_000 / FRAMES_PER_SECOND as u32;
        let reach_frames = opening.reach_ms.min(REACH_MS_MAX).div_ceil(frame_ms) as usize;
        let wait_frames = HOLDBACK_FRAMES + reach_frames;
        Call {
            rate_hz: opening.rate_hz,
            gate,
            ear: Ear::new(opening.reference),
            compared: opening.reference == Reference::Both,
            doubt: Doubt::default(),
            hangover: Hangover::new(opening.lead_in_ms, opening.tail_ms),
            holdback: Holdback::new(wait_frames + 1, frame_max),
            ledger: Ledger::new(&opening.name),
            tally: Tally::default(),
            findings: opening.findings,
            pending: VecDeque::new(),
            speech: VecDeque::with_capacity(HOLDBACK_FRAMES + 1),
            words: VecDeque::with_capacity(reach_frames + 2),
            wait_frames,
            heard: None,
            now: MediaTime::ZERO,
            released: MediaTime::ZERO,
            gaps: Default::default(),
            keypads: Keypads::new(opening.rate_hz),
            written: Runs::default(),
            rejected: 0,
            beyond_end: 0,
        }
    }

    /// Takes an event. It counts from its place on the time line, or at once if that lies behind; events that are
    /// stamped ahead wait, and a mask among them is heeded from now on. May allocate.
    pub fn event(&mut self, stamped: Stamped) {
        self.listen_to_customer();
        if stamped.at >= self.now {
            self.gate.foresee(&stamped);
        }
        let at = self.pending.partition_point(|other| other.stamped.order() <= stamped.order());
        self.pending.insert(at, Pending { stamped, reach: self.released });
    }

    /// Announces that a stretch of what is to come is missing: its frames hold silence in its place, on both sides. It is
    /// counted to the sample, and nothing of it is written. Announced before its frames are listened to, in order.
    pub fn missing(&mut self, span: Span, why: Missing) {
        self.missing_of(Of::Both, span, why);
    }

    /// The same, of one side.
    pub fn missing_of(&mut self, of: Of, span: Span, why: Missing) {
        let span = Span::new(span.from.max(self.now), span.until);
        let [agent, customer] = &mut self.gaps;
        if of != Of::Customer {
            agent.announce(span, why);
        }
        if of != Of::Agent {
            customer.announce(span, why);
        }
    }

    /// Hears the next frame of both sides and gives back what the speech detector is to hear. Frames follow each
    /// other without gap and are at most 20 ms long.
    pub fn listen<'a>(&mut self, sound: &Stereo<'a>) -> Frame<'a, Agent> {
        assert_eq!(sound.span().from, self.now, "frames follow each other without gap");
        let mut room = None;
        let narrowed = narrow(sound.agent.samples(), sound.customer.samples(), fold_of(self.rate_hz), &mut room);
        let levels = level::measure_narrowed(sound.agent.samples(), sound.customer.samples(), &narrowed);
        let units = units(sound.span());
        let met = |gaps: &Gaps| if gaps.is_empty() { [false; 2] } else { units.map(|unit| gaps.meets(unit)) };
        let unheard = Unheard { agent: met(&self.gaps[0]), customer: met(&self.gaps[1]) };
        self.ear.hear(&levels, unheard, units);
        let doubtful = self.doubt.hear(&levels);
        if self.doubt.is_whole() {
            self.gate.quarantine();
        }
        let toned = self.keypads.hear(sound.span(), &narrowed, &levels);
        self.heard = Some(Heard { span: sound.span(), doubtful, customer_active: active(&levels), toned });
        sound.agent
    }

    /// Settles the frame that was listened to: the customer's side at once, the agent's when the guard and the
    /// detector have spoken about its neighbourhood.
    pub fn settle(&mut self, sound: &Stereo<'_>, speech: Speech, out: &mut impl Outlet) {
        let heard = self.heard.take().expect("listen comes before settle");
        assert_eq!(heard.span, sound.span(), "the frame settled is the frame heard");
        self.leave_out_tones(&heard, out);
        self.settle_customer(sound.customer, &heard, out);
        self.now = heard.span.until;
        self.gaps[1].forget(self.now);
        self.tally.agent.heard += heard.span.samples();
        self.holdback.push(sound.agent, heard.doubtful, heard.customer_active, heard.toned[0].units);
        self.speech.push_back(speech);
        if self.speech.len() > Ear::LOOK_FRAMES {
            self.guard_speaks();
        }
        if self.holdback.len() - self.words.len() > HOLDBACK_FRAMES {
            self.words.push_back(self.hangover.answer());
        }
        if self.holdback.len() > self.wait_frames {
            self.release(out);
        }
    }

    /// Closes the call: what waits is decided, what was stamped behind the end takes effect, the account is made up.
    pub fn close(mut self, out: &mut impl Outlet) -> Closing {
        self.ear.end();
        while !self.speech.is_empty() {
            self.guard_speaks();
        }
        while self.words.len() < self.holdback.len() {
            self.words.push_back(self.hangover.answer());
        }
        while !self.holdback.is_empty() {
            self.release(out);
        }
        while let Some(pending) = self.pending.pop_front() {
            let spoken = !matches!(pending.stamped.event, Event::Expired { .. });
            self.beyond_end += u64::from(pending.stamped.at > self.now && spoken);
            self.take(pending, self.now, out);
        }
        self.findings.extend(self.doubt.findings());
        let events = [self.rejected, self.beyond_end];
        let awaited = self.compared && !self.gate.roster().says_no();
        self.findings.extend(Closing::notes(&self.tally, self.rate_hz, events, awaited));
        let mut kept = self.gate.kept().to_vec();
        for stretch in &mut kept {
            let until = stretch.until.unwrap_or(self.now).min(self.now);
            stretch.until = Some(until);
        }
        kept.retain(|stretch| stretch.until > Some(stretch.from));
        assert!(self.tally.agent.adds_up() && self.tally.customer.adds_up(), "the tally adds up: {:?}", self.tally);
        let (result, leak) = (Closing::result_of(&self.findings), self.leak());
        Closing {
            result,
            length: self.now,
            rate_hz: self.rate_hz,
            tally: self.tally,
            leak: if result == CallResult::Quarantined { leak.of_nothing() } else { leak },
            findings: self.findings,
            ledger: self.ledger.entries().to_vec(),
            kept,
        }
    }

    /// An event takes effect at its place, or at `position` if that lies behind: what was written since is then part
    /// of what it ends.
    fn take(&mut self, pending: Pending, position: MediaTime, out: &mut impl Outlet) {
        let Pending { mut stamped, reach } = pending;
        stamped.at = stamped.at.max(position);
        self.carry_out(&stamped, reach, out);
    }

    /// Has the gate decide about an event, and does what follows. `reach`: what of the agent's can still be masked.
    fn carry_out(&mut self, stamped: &Stamped, reach: MediaTime, out: &mut impl Outlet) -> Effect {
        self.listen_to_customer();
        let effect = self.gate.apply_reaching(stamped, reach);
        let mut gone = 0;
        for erased in &effect.erased {
            out.erase_customer(erased.span);
            gone += self.written.erase_kept(erased.kept);
        }
        if let Some(masked) = effect.masked_customer {
            let masked_written = self.written.erase(masked);
            if masked_written > 0 {
                out.erase_customer(masked);
            }
            gone += masked_written;
        }
        if let Some(masked) = effect.masked {
            self.holdback.wipe(masked);
        }
        self.tally.customer.written -= gone;
        self.tally.customer.erased += gone;
        self.written.make_room();
        self.rejected += u64::from(matches!(effect.outcome, Outcome::Rejected(_)));
        self.ledger.record(stamped, &effect);
        effect
    }

    /// The guard's word on the oldest frame it has not judged yet goes to the hangover.
    fn guard_speaks(&mut self) {
        let speech = self.speech.pop_front().expect("a frame waits for the guard");
        let verdicts = self.ear.answer();
        self.hangover.push(speech.0, verdicts);
    }

    /// Decides the frame that has waited longest and lets it go.
    fn release(&mut self, out: &mut impl Outlet) {
        let words = self.words.pop_front().expect("it was decided");
        let Call { holdback, gate, gaps, tally, .. } = self;
        let (waiting, frame) = holdback.oldest();
        let whole = frame.span();
        self.released = whole.until;
        let mut put = |span: Span, refused: Option<Dropped>, word: Word, toned: bool| {
            let cleared = match (refused, word) {
                (Some(reason), _) => Err(reason),
                (None, Word::NotSpeech) => Err(Dropped::NotSpeech),
                (None, Word::Bleed) => Err(Dropped::Bleed),
                (None, Word::Keep(heard)) => {
                    let cleared = gate.agent(frame.part(span), heard);
                    if toned { cleared.and(Err(Dropped::Tone)) } else { cleared }
                }
            };
            let agent = cleared.map(|cleared| out.write(cleared));
            match agent {
                Ok(()) => tally.agent.written += span.samples(),
                Err(reason) => tally.agent.leave_out(reason, span.samples()),
            }
            for (unit, customer_active) in units(whole).into_iter().zip(waiting.customer_active) {
                let span = Span::new(unit.from.max(span.from), unit.until.min(span.until));
                if span.from < span.until {
                    out.trace(Trace { span, agent, customer_active });
                }
            }
        };
        let is_plain = !waiting.doubtful && waiting.toned == [false; 2] && !gaps[0].meets(whole);
        match if is_plain { alike(words, || gate.lets_pass(whole)) } else { Err(words) } {
            Ok(word) => put(whole, None, word, false),
            Err(words) => {
                for ((unit, mut word), toned) in units(whole).into_iter().zip(words).zip(waiting.toned) {
                    let mut rest = unit;
                    loop {
                        // A unit of which some is missing is decided in parts, each with its part of the proof.
                        let (span, missing) = gaps[0].first_part(rest);
                        let (first, others) = word.split_at(span.until);
                        word = others;
                        let refused = missing.map(Missing::reason).or(waiting.doubtful.then_some(Dropped::Doubt));
                        put(span, refused, first, toned);
                        rest.from = span.until;
                        if rest.is_empty() {
                            break;
                        }
                    }
                }
            }
        }
        self.gaps[0].forget(self.released);
        self.holdback.pop();
    }
}

/// One word for both units of a frame, if they have the same and, where it is kept, all of it `passes` the gate.
fn alike(words: [Word; 2], passes: impl FnOnce() -> bool) -> Result<Word, [Word; 2]> {
    match words {
        [Word::NotSpeech, Word::NotSpeech] => Ok(Word::NotSpeech),
        [Word::Bleed, Word::Bleed] => Ok(Word::Bleed),
        [Word::Keep(first), Word::Keep(second)] if passes() => {
            first.join(second).map(Word::Keep).map_err(|(first, second)| [Word::Keep(first), Word::Keep(second)])
        }
        words => Err(words),
    }
}

/// The two units of a frame: its halves, of 10 ms each when the frame is whole.
fn units(frame: Span) -> [Span; 2] {
    let half = MediaTime(frame.from.0 + frame.samples() / 2);
    [Span::new(frame.from, half), Span::new(half, frame.until)]
}

fn active(levels: &Levels) -> [bool; 2] {
    levels.customer.map(|level| level > ACTIVE)
}

//! The state machine of one call.

use std::collections::VecDeque;

use super::holdback::Holdback;
use super::{Closing, Opening, Outlet, Tally, Trace};
use crate::audio::level::{self, ACTIVE};
use crate::audio::{Agent, Customer, FRAMES_PER_SECOND, Frame, Levels, MediaTime, Span, Stereo};
use crate::bleed::Ear;
use crate::consent::{Authority, Dropped, Event, Gate, Ledger, Outcome, Stamped};
use crate::split::{Doubt, Finding, Remedy};
use crate::voice::Speech;
use crate::voice::hangover::{self, Hangover, Word};

/// Frames that the agent's side may wait: what the guard looks ahead and the lead-in.
pub const HOLDBACK_FRAMES: usize = Ear::LOOK_FRAMES + hangover::LOOK_FRAMES;

/// One call. It has no field that could hold a customer's frame.
#[derive(Debug)]
pub struct Call {
    rate_hz: u32,
    gate: Gate,
    ear: Ear,
    doubt: Doubt,
    hangover: Hangover,
    holdback: Holdback,
    ledger: Ledger,
    tally: Tally,
    findings: Vec<Finding>,
    pending: VecDeque<Stamped>,
    /// Speech decisions of frames on which the guard has not spoken yet.
    speech: VecDeque<Speech>,
    heard: Option<Heard>,
    now: MediaTime,
    /// Samples written of each kept stretch of the customer's, by its number.
    written: Vec<u64>,
    rejected: u64,
    beyond_end: u64,
}

/// What was found out about the frame in hand between `listen` and `settle`.
#[derive(Clone, Copy, Debug)]
struct Heard {
    span: Span,
    doubtful: bool,
    customer_active: [bool; 2],
}

impl Call {
    /// Opens a call.
    pub fn open(opening: Opening) -> Call {
        let mut gate = Gate::new(opening.terms, opening.foreclosed);
        if opening.findings.iter().any(|finding| finding.remedy() == Remedy::BothWithheld) {
            gate.quarantine();
        }
        let frame_max = (u64::from(opening.rate_hz) / FRAMES_PER_SECOND) as usize + 1;
        Call {
            rate_hz: opening.rate_hz,
            gate,
            ear: Ear::new(opening.reference),
            doubt: Doubt::default(),
            hangover: Hangover::new(opening.lead_in_ms, opening.tail_ms),
            holdback: Holdback::new(HOLDBACK_FRAMES + 1, frame_max),
            ledger: Ledger::new(&opening.name),
            tally: Tally::default(),
            findings: opening.findings,
            pending: VecDeque::new(),
            speech: VecDeque::with_capacity(HOLDBACK_FRAMES + 1),
            heard: None,
            now: MediaTime::ZERO,
            written: Vec::new(),
            rejected: 0,
            beyond_end: 0,
        }
    }

    /// Takes an event. It counts from its place on the time line, or at once if that lies behind; events that are
    /// stamped ahead wait. May allocate.
    pub fn event(&mut self, stamped: Stamped) {
        let at = self.pending.partition_point(|other| other.order() <= stamped.order());
        self.pending.insert(at, stamped);
    }

    /// Hears the next frame of both sides and gives back what the speech detector is to hear. Frames follow each
    /// other without gap and are at most 20 ms long.
    pub fn listen<'a>(&mut self, sound: &Stereo<'a>) -> Frame<'a, Agent> {
        assert_eq!(sound.span().from, self.now, "frames follow each other without gap");
        let levels = level::measure(sound.agent.samples(), sound.customer.samples());
        self.ear.hear(&levels, units(sound.span()));
        let doubtful = self.doubt.hear(&levels);
        if self.doubt.is_whole() {
            self.gate.quarantine();
        }
        self.heard = Some(Heard { span: sound.span(), doubtful, customer_active: active(&levels) });
        sound.agent
    }

    /// Settles the frame that was listened to: the customer's side at once, the agent's when the guard and the
    /// detector have spoken about its neighbourhood.
    pub fn settle(&mut self, sound: &Stereo<'_>, speech: Speech, out: &mut impl Outlet) {
        let heard = self.heard.take().expect("listen comes before settle");
        assert_eq!(heard.span, sound.span(), "the frame settled is the frame heard");
        self.settle_customer(sound.customer, heard.doubtful, out);
        self.now = heard.span.until;
        self.tally.agent.heard += heard.span.samples();
        self.holdback.push(sound.agent, heard.doubtful, heard.customer_active);
        self.speech.push_back(speech);
        if self.speech.len() > Ear::LOOK_FRAMES {
            self.guard_speaks();
        }
        if self.holdback.len() > HOLDBACK_FRAMES {
            self.release(out);
        }
    }

    /// Closes the call: what waits is decided, what was stamped behind the end takes effect, the account is made up.
    pub fn close(mut self, out: &mut impl Outlet) -> Closing {
        self.ear.end();
        while !self.speech.is_empty() {
            self.guard_speaks();
        }
        while !self.holdback.is_empty() {
            self.release(out);
        }
        while let Some(stamped) = self.pending.pop_front() {
            let spoken = !matches!(stamped.event, Event::Expired { .. });
            self.beyond_end += u64::from(stamped.at > self.now && spoken);
            self.take(&stamped, out);
        }
        self.findings.extend(self.doubt.findings());
        self.note_events();
        let mut kept = self.gate.kept().to_vec();
        for stretch in &mut kept {
            let until = stretch.until.unwrap_or(self.now).min(self.now);
            stretch.until = Some(until);
        }
        kept.retain(|stretch| stretch.until > Some(stretch.from));
        assert!(self.tally.agent.adds_up() && self.tally.customer.adds_up(), "the tally adds up: {:?}", self.tally);
        Closing {
            result: Closing::result_of(&self.findings),
            length: self.now,
            rate_hz: self.rate_hz,
            tally: self.tally,
            leak: self.ear.leak(),
            findings: self.findings,
            ledger: self.ledger.entries().to_vec(),
            kept,
        }
    }

    /// The customer's side of the frame in hand, cut where events fall into it.
    fn settle_customer(&mut self, frame: Frame<'_, Customer>, doubtful: bool, out: &mut impl Outlet) {
        let span = frame.span();
        self.tally.customer.heard += span.samples();
        let mut from = span.from;
        while let Some(stamped) = self.pending.pop_front_if(|stamped| stamped.at < span.until) {
            let until = stamped.at.max(from);
            self.settle_piece(frame.part(Span::new(from, until)), doubtful, out);
            from = until;
            self.take(&stamped, out);
        }
        self.settle_piece(frame.part(Span::new(from, span.until)), doubtful, out);
    }

    fn settle_piece(&mut self, piece: Frame<'_, Customer>, doubtful: bool, out: &mut impl Outlet) {
        let samples = piece.span().samples();
        if samples == 0 {
            return;
        }
        let cleared = if doubtful { Err(Dropped::Doubt) } else { self.gate.customer(piece) };
        match cleared {
            Ok(cleared) => {
                if let Authority::Grants(number) = cleared.authority() {
                    self.written[number as usize] += samples;
                }
                out.write(cleared);
                self.tally.customer.written += samples;
            }
            Err(reason) => self.tally.customer.leave_out(reason, samples),
        }
    }

    fn take(&mut self, stamped: &Stamped, out: &mut impl Outlet) {
        let effect = self.gate.apply(stamped);
        for erased in &effect.erased {
            out.erase_customer(erased.span);
            let written = std::mem::take(&mut self.written[erased.kept as usize]);
            self.tally.customer.written -= written;
            self.tally.customer.erased += written;
        }
        // Room for the stretch that this event may have opened, so that no frame has to make it.
        self.written.resize(self.written.len().max(self.gate.kept_numbers() as usize), 0);
        self.rejected += u64::from(matches!(effect.outcome, Outcome::Rejected(_)));
        self.ledger.record(stamped, &effect);
    }

    /// The guard's word on the oldest frame it has not judged yet goes to the hangover.
    fn guard_speaks(&mut self) {
        let speech = self.speech.pop_front().expect("a frame waits for the guard");
        let verdicts = self.ear.answer();
        self.hangover.push(speech.0, verdicts);
    }

    /// Decides the frame that has waited longest and lets it go.
    fn release(&mut self, out: &mut impl Outlet) {
        let words = self.hangover.answer();
        let (waiting, frame) = self.holdback.oldest();
        for ((span, word), customer_active) in units(frame.span()).into_iter().zip(words).zip(waiting.customer_active) {
            let cleared = match word {
                _ if waiting.doubtful => Err(Dropped::Doubt),
                Word::NotSpeech => Err(Dropped::NotSpeech),
                Word::Bleed => Err(Dropped::Bleed),
                Word::Keep(heard) => self.gate.agent(frame.part(span), heard),
            };
            let agent = match cleared {
                Ok(cleared) => {
                    out.write(cleared);
                    self.tally.agent.written += span.samples();
                    Ok(())
                }
                Err(reason) => {
                    self.tally.agent.leave_out(reason, span.samples());
                    Err(reason)
                }
            };
            out.trace(Trace { span, agent, customer_active });
        }
        self.holdback.pop();
    }

    fn note_events(&mut self) {
        if self.rejected > 0 {
            self.findings.push(Finding::EventsRejected { count: self.rejected });
        }
        if self.beyond_end > 0 {
            self.findings.push(Finding::EventsBeyondEnd { count: self.beyond_end });
        }
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

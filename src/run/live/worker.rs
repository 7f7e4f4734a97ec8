//! A live call at work: drains the ring, drives the call, writes what was cleared, answers what is asked.
//!
//! It is driven by a thread that is the last one before the disk: no queue stands behind the door. That thread has one
//! call (`alone`) or many (`shard`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::ask::{Arrived, Asked, Matter, State};
use super::intake::{Came, Intake};
use super::meter::{Delays, Meter, Missed, Origin};
use super::outlet::LiveOutlet;
use super::question::Question;
use super::tokens::Tokens;
use crate::call::{Call, Closing, Finding, MediaTime, Took};
use crate::consent::event::Rank;
use crate::consent::{Dropped, Event, Stamped};
use crate::run::line::{Cutter, Sides};
use crate::source::exchange::Standing;
use crate::split::Remedy;
use crate::voice::Speech;

/// How long the worker sleeps when nothing is there.
pub const TICK: Duration = Duration::from_millis(5);
/// How often what was cleared is laid on disk and entered in the journal: a kill loses this and the holdback (SEC-05).
pub const CHECKPOINT: Duration = Duration::from_millis(400);
/// The same for sound that comes faster than it was spoken: so many seconds of it.
const CHECKPOINT_S: u64 = 5;
/// How long a source has to lay what it keeps of a call that is to end: each looks at its calls at least every 100 ms.
const LAID_WITHIN: Duration = Duration::from_secs(1);
/// A frame's first sample is that much older than its last.
const FRAME_MS: u32 = 20;
/// How often the state of a call that is alone is published while nothing happens.
pub const PUBLISH: Duration = Duration::from_millis(50);

/// Everything a worker needs.
pub struct Worker {
    /// The call.
    pub call: Call,
    /// Its frames.
    pub line: Cutter,
    /// Its sound, apart.
    pub sides: Sides,
    /// Where its sound comes from.
    pub intake: Box<dyn Intake>,
    /// Where it goes.
    pub out: LiveOutlet,
    /// Its name, as it was asked for.
    pub name: String,
    /// A pause or the like that ends at a place ahead: nothing is recorded before it.
    pub stopped_until: Option<(MediaTime, Dropped)>,
    /// Where something opens that was asked for last.
    pub opened: MediaTime,
    /// What everybody may see of it.
    pub state: Arc<Mutex<State>>,
    /// Raised to end the call.
    pub end: Arc<AtomicBool>,
    /// When its source was told to lay what it keeps, for the call is to end.
    pub ending: Option<Instant>,
    /// The call's rate.
    pub rate_hz: u32,
    /// When the worker's clock began.
    pub began: Instant,
    /// Token expiries and windows that lie ahead: told by the clock.
    pub alarms: Vec<Alarm>,
    /// What is wrong with the source, if something is.
    pub trouble: Option<Arc<Mutex<Option<String>>>>,
    /// When its sound was captured, where the source knows it; and how late decisions are made.
    pub origin: Option<Arc<Origin>>,
    /// How late.
    pub delays: Option<Box<Delays>>,
    /// What is known about standing tokens.
    pub tokens: Tokens,
    /// What keys mean, if they mean anything.
    pub question: Option<Box<Question>>,
    /// The levels and the talk line.
    pub meter: Meter,
    /// What its source has to know of it.
    pub standing: Option<Arc<Standing>>,
    /// When what was cleared was laid down last, and up to where.
    pub laid: (Instant, MediaTime),
    /// When the state was published last.
    pub published: Instant,
    /// How often that is done.
    pub paces: Paces,
}

/// How often a call is looked after.
#[derive(Clone, Copy, Debug)]
pub struct Paces {
    /// Laying down what was cleared.
    pub checkpoint: Duration,
    /// Publishing the state.
    pub publish: Duration,
}

impl Default for Paces {
    /// Those of a call that is alone.
    fn default() -> Paces {
        Paces { checkpoint: CHECKPOINT, publish: PUBLISH }
    }
}

/// How it is with a call after a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something came: there may be more.
    Came,
    /// Nothing is there.
    Idle,
    /// It is at its end.
    Over,
}

/// Something that happens by the clock.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// When, on a clock that nobody sets.
    pub at: Instant,
    /// The same on the wall: a machine that slept counts only there. Whichever comes first.
    pub wall: Timestamp,
    /// What.
    pub event: Event,
}

/// How a worker came to its end.
pub struct Worked {
    /// Frames of the source that are missing.
    pub missed: Missed<u64>,
    /// The call's facts.
    pub closing: Closing,
    /// What was written, ready to be committed.
    pub out: LiveOutlet,
}

impl Worker {
    /// Takes in what is there, at most a block. Frames that are whole now wait in the line.
    pub fn take_in(&mut self) -> Turn {
        self.ring_alarms();
        self.heed_revoked();
        self.heed_flags();
        let ending = self.is_ending();
        if ending {
            self.intake.hurry();
        }
        let opens_ahead = self.opened > self.call.position();
        let came = self.intake.take(self.now(), opens_ahead, &mut self.sides);
        if let Came::Missing { span, frames, why, .. } = came {
            self.call.missing(span, why);
            self.out.missing(&came);
            self.meter.lost(why, frames);
        }
        while let Some(gap) = self.intake.one_sided() {
            self.call.missing_of(gap.of, gap.span, gap.why);
            self.out.one_sided(&gap);
            self.meter.lost(gap.why, gap.frames);
        }
        match came {
            Came::Ended => Turn::Over,
            Came::Nothing if ending && !self.intake.is_judging() => Turn::Over,
            Came::Nothing => Turn::Idle,
            Came::Sound(_) | Came::Missing { .. } => Turn::Came,
        }
    }

    /// Whether the call ends with what is there. A source that keeps sound back lays it first and ends its streams, by which
    /// the call is over; the wait for that is bounded.
    fn is_ending(&mut self) -> bool {
        if !self.end.load(Ordering::Acquire) {
            return false;
        }
        let Some(standing) = self.standing.as_ref().filter(|standing| standing.keeps_back) else { return true };
        standing.closing.store(true, Ordering::Release);
        self.ending.get_or_insert_with(Instant::now).elapsed() >= LAID_WITHIN
    }

    /// Frames that wait to be settled. `last`: the call is at its end, and what is left counts as whole.
    pub fn waiting(&self, last: bool) -> usize {
        self.line.waiting(&self.sides, last)
    }

    /// What the detector is to hear of the `number`-th frame that waits.
    pub fn heard(&self, number: usize) -> &[i16] {
        self.line.ahead(&self.sides, number)
    }

    /// Settles frames that wait, decided so.
    pub fn settle_run(&mut self, speech: &[Speech], last: bool) {
        for speech in speech {
            let listened = self.line.listen(MediaTime(u64::MAX), last, &mut self.call, &mut self.sides);
            assert!(listened, "a frame waits for each decision");
            self.settle(*speech);
        }
        self.line.let_go(&mut self.sides);
    }

    /// Settles the frame in hand.
    fn settle(&mut self, speech: Speech) {
        self.meter.hear(&self.line.sound(&self.sides), speech);
        self.line.settle(speech, &mut self.call, &self.sides, &mut self.out);
        self.hear_keys();
        if let Some(origin) = &self.origin
            && let Some(ms) = origin.ago_ms(self.call.position().seconds(self.rate_hz))
        {
            self.delays.get_or_insert_default().add(ms + f64::from(FRAME_MS));
        }
    }

    /// What is due: laying down what was cleared, publishing the state.
    pub fn look_after(&mut self) {
        let here = self.call.position();
        let (when, laid) = self.laid;
        if when.elapsed() >= self.paces.checkpoint || here.0 - laid.0 >= CHECKPOINT_S * u64::from(self.rate_hz) {
            self.out.checkpoint(&self.call);
            self.laid = (Instant::now(), here);
        }
        if self.published.elapsed() >= self.paces.publish {
            self.publish();
        }
    }

    /// Nothing will come any more: the last frames come out of the converters. What is left is settled by
    /// [`Worker::settle_run`].
    pub fn drain(&mut self) {
        self.sides.finish();
    }

    /// Closes the call.
    pub fn finish(mut self) -> Worked {
        self.heed_flags();
        if self.call.doors().quarantined && !self.call.findings().iter().any(|f| f.remedy() == Remedy::BothWithheld) {
            let what = "the source contradicted itself, and the word that says how found no room".into();
            self.call.contradict(Finding::SideUnknown { what });
        }
        self.publish();
        if let Some((bytes, digest)) = self.intake.digest() {
            self.out.digest(bytes, &digest);
        }
        let closing = self.call.close(&mut self.out);
        Worked { missed: self.meter.missed().clone(), closing, out: self.out }
    }

    /// Applies what was asked between two frames, and says what it did.
    pub fn answer(&mut self, asked: Asked) {
        let Asked { matter, expires, wall, arrived, reply, waiting: _waiting } = asked;
        let mut event = match matter {
            Matter::Event(event) => event,
            Matter::Contradicted(finding) => return self.contradict(finding),
            Matter::Digit { party, digit } => return self.key_signalled(party, digit, wall, arrived),
            Matter::StillDown { party, digit } => return self.key_still_down(party, digit, arrived),
        };
        self.alarms.extend(self.tokens.check(&mut event, expires, Timestamp::now()));
        let took = self.apply(event, wall, arrived);
        let answer = self.answer_of(&took, arrived);
        self.publish();
        if let Some(reply) = reply {
            let _ = reply.try_send(answer); // who asked may have gone
        }
    }

    /// What arrives is not what was said of it: nothing of the call is kept (ONE-06).
    fn contradict(&mut self, finding: Finding) {
        self.call.contradict(finding);
        self.out.checkpoint(&self.call);
        self.publish();
    }

    /// What its source raised that must come through whatever else does.
    fn heed_flags(&mut self) {
        let Some(standing) = self.standing.clone() else { return };
        if standing.contradicted.load(Ordering::Acquire) && !self.call.doors().quarantined {
            self.call.quarantine();
            self.out.checkpoint(&self.call);
            self.publish();
        }
        if standing.unheard.swap(false, Ordering::AcqRel) {
            // What was not heard may have been a no.
            let arrived = Arrived { ring_end: self.intake.ends().end(), at: Instant::now(), place: None };
            self.apply(Event::Held, Some(Timestamp::now().to_string()), arrived);
        }
    }

    /// A list of revoked tokens that was read again takes back every consent of this call that rests on one of them.
    fn heed_revoked(&mut self) {
        let Some(list) = self.tokens.news() else { return };
        let resting = self.call.resting_on(|token| list.contains(token));
        if resting.is_empty() {
            return;
        }
        let arrived = Arrived { ring_end: self.intake.ends().end(), at: Instant::now(), place: None };
        for party in resting {
            let event = Event::Withdrawn { party, purposes: Vec::new() };
            self.apply(event, Some(Timestamp::now().to_string()), arrived);
        }
        self.publish();
    }

    /// What the clock and the call's beginning bring is applied before anybody hears of the call.
    pub fn begin(&mut self) {
        self.ring_alarms();
        self.publish();
    }

    /// It is over, however: its source hangs up and decodes nothing of the customer's any more.
    pub fn tell_over(&mut self) {
        // Said for the last time: nothing that is published afterwards takes it back.
        if let Some(standing) = self.standing.take() {
            standing.customer_wanted.store(false, Ordering::Release);
            standing.over.store(true, Ordering::Release);
        }
    }

    /// Consent is not backdated, refusal is not delayed (CON-06, CON-10).
    fn apply(&mut self, event: Event, wall: Option<String>, arrived: Arrived) -> Took {
        let at = match event.rank() {
            Rank::Opens => self.place_of(arrived),
            Rank::Informs | Rank::Shuts => self.call.position(),
        };
        let told = matches!(event, Event::Told { .. }).then(|| self.place_of(arrived));
        self.apply_at(at, told, event, wall)
    }

    /// Where something belongs that arrived then: behind everything that had been delivered.
    pub(super) fn place_of(&self, arrived: Arrived) -> MediaTime {
        let nanos = u64::try_from(arrived.at.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX);
        self.call.position().max(match arrived.place {
            Some(place) => self.intake.place(place),
            None => self.intake.opens_from(nanos, arrived.ring_end),
        })
    }

    /// Applies an event at a place. `told`: where an announcement had arrived.
    pub(super) fn apply_at(
        &mut self,
        at: MediaTime,
        told: Option<MediaTime>,
        event: Event,
        wall: Option<String>,
    ) -> Took {
        self.opened = self.opened.max(at);
        let stopped = self.stopped();
        let stamped = Stamped::placed(at, wall, event, self.rate_hz);
        self.out.event(&self.call, &stamped);
        let took = self.call.take_now(stamped.clone(), &mut self.out);
        if let Some(question) = self.question.as_mut().filter(|_| took.refusal().is_none()) {
            question.counted(&stamped.event, told.unwrap_or(took.at));
        }
        // Its source is to know at once whether the customer is wanted.
        self.tell_standing(&took.doors);
        self.stopped_until = stopped.filter(|_| took.doors.stopped().is_none()).map(|reason| (self.opened, reason));
        took
    }

    fn ring_alarms(&mut self) {
        if self.alarms.is_empty() {
            return;
        }
        let (now, wall) = (Instant::now(), Timestamp::now());
        while let Some(index) = self.alarms.iter().position(|alarm| alarm.at <= now || alarm.wall <= wall) {
            let alarm = self.alarms.remove(index);
            let arrived = Arrived { ring_end: self.intake.ends().end(), at: now, place: None };
            self.apply(alarm.event, Some(wall.to_string()), arrived);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

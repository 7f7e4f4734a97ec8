//! The worker of one live call: drains the ring, drives the call, writes what was cleared, answers what is asked.
//!
//! One thread, and the last one before the disk: no queue stands behind the door. A panic in here ends the recording of
//! this call alone; whoever hands the conversation on is another thread and never notices (ROB-06).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use jiff::Timestamp;

use super::ask::{Answer, Arrived, Asked, Recording, State};
use super::intake::{Came, Intake};
use super::meter::{Delays, Meter, Origin};
use super::outlet::LiveOutlet;
use super::tokens::Tokens;
use crate::audio::Stereo;
use crate::call::{Call, Closing, Doors, MediaTime, Took};
use crate::consent::event::Rank;
use crate::consent::{Dropped, Event, Outcome, Refusal, Stamped};
use crate::run::line::{Line, Sides};
use crate::voice::Speech;

/// How long the worker sleeps when nothing is there.
pub const TICK: Duration = Duration::from_millis(5);
/// How often what was cleared is laid on disk and entered in the journal: a kill loses this and the holdback (SEC-05).
pub const CHECKPOINT: Duration = Duration::from_millis(400);
/// The same for sound that comes faster than it was spoken: so many seconds of it.
const CHECKPOINT_S: u64 = 5;
/// A frame's first sample is that much older than its last.
const FRAME_MS: u32 = 20;
/// How often the state is published while nothing happens.
const PUBLISH: Duration = Duration::from_millis(50);

/// Everything a worker needs.
pub struct Worker {
    /// The call.
    pub call: Call,
    /// Its frames.
    pub line: Line,
    /// Its sound, apart.
    pub sides: Sides,
    /// Where its sound comes from.
    pub intake: Box<dyn Intake>,
    /// Where it goes.
    pub out: LiveOutlet,
    /// What is asked.
    pub asks: Receiver<Asked>,
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
    pub delays: Delays,
    /// What is known about standing tokens.
    pub tokens: Tokens,
    /// The levels and the talk line.
    pub meter: Meter,
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
    /// Frames of the source that are missing without intent, and with.
    pub missing: (u64, u64),
    /// The call's facts.
    pub closing: Closing,
    /// What was written, ready to be committed.
    pub out: LiveOutlet,
}

impl Worker {
    /// Drives the call to its end.
    pub fn run(mut self) -> Worked {
        let mut checkpoint = Instant::now();
        let (mut published, mut laid) = (Instant::now(), MediaTime::ZERO);
        loop {
            while let Ok(asked) = self.asks.try_recv() {
                self.answer(asked);
            }
            self.ring_alarms();
            let ending = self.end.load(Ordering::Acquire);
            if ending {
                self.intake.hurry();
            }
            let came = self.take();
            let here = self.call.position();
            if checkpoint.elapsed() >= CHECKPOINT || here.0 - laid.0 >= CHECKPOINT_S * u64::from(self.rate_hz) {
                self.out.checkpoint(&self.call);
                (checkpoint, laid) = (Instant::now(), here);
            }
            if published.elapsed() >= PUBLISH {
                self.publish();
                published = Instant::now();
            }
            match came {
                Came::Ended => break,
                Came::Nothing if ending => break,
                Came::Nothing => match self.asks.recv_timeout(TICK) {
                    Ok(asked) => self.answer(asked),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
                },
                Came::Sound(_) | Came::Missing { .. } => {}
            }
        }
        self.finish()
    }

    /// Takes in what comes next, and settles the frames that it completes.
    fn take(&mut self) -> Came {
        let opens_ahead = self.opened > self.call.position();
        let came = self.intake.take(self.now(), opens_ahead, &mut self.sides);
        if let Came::Missing { span, frames, why, .. } = came {
            self.call.missing(span, why);
            self.out.missing(&came);
            self.meter.lost(why, frames);
        }
        let (call, line, meter) = (&mut self.call, &mut self.line, &mut self.meter);
        line.settle_whole_frames(call, &mut self.sides, &mut self.out, &mut |sound: &Stereo<'_>, speech: Speech| {
            meter.hear(sound, speech);
        });
        if let (Some(origin), Came::Sound(_)) = (&self.origin, came)
            && let Some(ms) = origin.ago_ms(self.call.position().seconds(self.rate_hz))
        {
            self.delays.add(ms + f64::from(FRAME_MS));
        }
        came
    }

    fn finish(mut self) -> Worked {
        self.sides.finish();
        let (call, line, meter) = (&mut self.call, &mut self.line, &mut self.meter);
        let mut watch = |sound: &Stereo<'_>, speech: Speech| meter.hear(sound, speech);
        line.settle_whole_frames(call, &mut self.sides, &mut self.out, &mut watch);
        line.settle_rest(call, &mut self.sides, &mut self.out, &mut watch);
        // What was asked in the last moment is still put on the record.
        while let Ok(asked) = self.asks.try_recv() {
            self.answer(asked);
        }
        self.publish();
        let (bytes, digest) = self.intake.digest();
        self.out.digest(bytes, &digest);
        let closing = self.call.close(&mut self.out);
        Worked { missing: self.meter.missing(), closing, out: self.out }
    }

    /// Applies what was asked between two frames, and says what it did.
    fn answer(&mut self, asked: Asked) {
        let Asked { mut event, expires, wall, arrived, reply } = asked;
        self.alarms.extend(self.tokens.check(&mut event, expires, Timestamp::now()));
        let took = self.apply(event, wall, arrived);
        let answer = self.answer_of(&took, arrived);
        self.publish();
        if let Some(reply) = reply {
            let _ = reply.try_send(answer); // who asked may have gone
        }
    }

    /// Consent is not backdated, refusal is not delayed (CON-06, CON-10).
    fn apply(&mut self, event: Event, wall: Option<String>, arrived: Arrived) -> Took {
        let here = self.call.position();
        let at = match event.rank() {
            Rank::Opens => {
                let nanos = u64::try_from(arrived.at.saturating_duration_since(self.began).as_nanos());
                here.max(self.intake.opens_from(nanos.unwrap_or(u64::MAX), arrived.ring_end))
            }
            Rank::Informs | Rank::Shuts => here,
        };
        self.opened = self.opened.max(at);
        let stopped = self.stopped();
        let stamped = Stamped::placed(at, wall, event, self.rate_hz);
        self.out.event(&self.call, &stamped);
        let took = self.call.take_now(stamped, &mut self.out);
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
            let arrived = Arrived { ring_end: self.intake.position().end(), at: now };
            self.apply(alarm.event, Some(wall.to_string()), arrived);
        }
    }

    fn answer_of(&self, took: &Took, arrived: Arrived) -> Answer {
        Answer {
            call: self.name.clone(),
            outcome: match took.outcome() {
                Outcome::Accepted => "accepted",
                Outcome::Unchanged => "unchanged",
                Outcome::Rejected(_) => "rejected",
            },
            refusal: took.refusal().map(refusal_code),
            sample: took.at.0,
            seconds: took.at.seconds(self.rate_hz),
            writer_sample: took.writer.0,
            masked_from: took.masked_from().map(|at| at.0),
            ledger: took.ledger,
            ledger_hash: took.hash.clone(),
            customer: if took.doors.customer_open { "open" } else { "shut" },
            recording: self.recording(&took.doors),
            lag_ms: arrived.at.elapsed().as_secs_f64() * 1_000.0,
        }
    }

    fn recording(&self, doors: &Doors) -> Recording {
        if self.wrong().is_some() {
            return Recording::NotRecording;
        }
        match doors.stopped().or_else(|| self.ahead()) {
            None => Recording::Recording,
            Some(Dropped::Quarantined) => Recording::Quarantined,
            Some(Dropped::Private) => Recording::Private,
            Some(Dropped::OutsideWindow) => Recording::OutsideWindow,
            Some(_) => Recording::Paused,
        }
    }

    /// Why nothing of either side is stored at the frame to come.
    fn stopped(&self) -> Option<Dropped> {
        self.call.doors().stopped().or_else(|| self.ahead())
    }

    /// What ends at a place that is not reached yet.
    fn ahead(&self) -> Option<Dropped> {
        self.stopped_until.filter(|(until, _)| *until > self.call.position()).map(|(_, reason)| reason)
    }

    /// Why nothing is being recorded, although nobody asked for that: the store, or the source.
    fn wrong(&self) -> Option<String> {
        let source =
            self.trouble.as_ref().and_then(|wrong| wrong.lock().unwrap_or_else(PoisonError::into_inner).clone());
        self.out.error().map(ToString::to_string).or(source)
    }

    /// Tells everybody who looks what the writer last did.
    fn publish(&mut self) {
        let doors = self.call.doors();
        let (recording, wrong) = (self.recording(&doors), self.wrong());
        let (position, tally) = (self.call.position(), self.call.tally());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.turned = Some(Instant::now());
        state.sample = position.0;
        state.seconds = position.seconds(self.rate_hz);
        state.recording = recording;
        state.why = wrong;
        state.customer_stored = doors.customer_why.is_none() && recording == Recording::Recording;
        state.customer_why = doors.customer_why.map(Dropped::code);
        state.customer_from = doors.customer_from.map(|at| at.0);
        state.told = doors.told;
        state.decided_within_ms = self.delays.p99_ms();
        state.agent_written = tally.agent.written;
        state.customer_written = tally.customer.written;
        state.ledger = self.call.ledger().len() as u64;
        self.meter.tell(&mut state, self.out.talk());
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The stable code of a refusal, as the ledger writes it.
fn refusal_code(refusal: Refusal) -> String {
    serde_json::to_value(refusal).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

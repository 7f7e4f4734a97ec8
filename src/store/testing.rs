//! What the tests of the store and the archive share.

#[cfg(test)]
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::audio::{Customer, Frame, MediaTime, Span};
use crate::bleed::Leak;
use crate::call::{Account, CallResult, Closing, Outlet, Tally};
use crate::consent::{
    Act, Cleared, Decision, Dropped, Event, Gate, Ledger, Notice, OnWithdrawal, PartyId, Stamped, Terms, Track,
    rehearse,
};
use crate::store::manifest::{AgentChannel, DigestKind, Input, InputDigest, InputFile, Policy, Scope, Voice};
use crate::store::{About, Place, Plan, Recorder, Stored};

/// The rate of test calls.
pub const RATE: u32 = 8_000;

/// A directory that is gone when the test is over.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("oneside-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Scratch(dir)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn span(from: u64, until: u64) -> Span {
    Span::new(MediaTime(from), MediaTime(until))
}

pub fn at(sample: u64, event: Event) -> Stamped {
    Stamped::new(sample * 1_000_000_000 / u64::from(RATE), None, event, RATE)
}

pub fn told() -> Event {
    Event::Told {
        party: None,
        notice: Notice { notice: "std".into(), version: "3".into(), language: Some("da".into()) },
    }
}

pub fn granted() -> Event {
    let (party, purposes) = (PartyId::default(), vec!["training".into()]);
    Event::Granted(Decision { party, act: Act::Dtmf { digit: '1' }, purposes, basis: None })
}

pub fn withdrawn() -> Event {
    Event::Withdrawn { party: PartyId::default(), purposes: vec![] }
}

/// A door that is open to the customer from the first sample on.
pub fn open_gate() -> Gate {
    let mut gate = Gate::new(Terms::default(), vec![]);
    gate.apply(&at(0, told()));
    gate.apply(&at(0, granted()));
    gate
}

/// Sound of the customer's as it may lie anywhere.
pub fn frame(at: u64, samples: &[i16]) -> Frame<'_, Customer> {
    Frame::new(MediaTime(at), samples)
}

/// Samples none of which is zero, different at every place.
pub fn noise(from: u64, count: usize) -> Vec<i16> {
    (from..from + count as u64).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as i16 | 1).collect()
}

/// An outlet that a scene can be played into.
pub trait Sink: Outlet {
    /// Stores sound on this track, by whatever door it came.
    fn write_to(&mut self, track: Track, sound: &Cleared<'_>);

    /// An event is about to be applied.
    fn before(&mut self, _position: MediaTime, _event: &Stamped) {}

    /// A unit was settled.
    fn after(&mut self, _position: MediaTime, _tally: &Tally) {}
}

impl Sink for Recorder {
    fn write_to(&mut self, track: Track, sound: &Cleared<'_>) {
        Recorder::write_to(self, track, sound);
    }
}

/// A small call: what is said about it, and where the agent speaks. The customer speaks all the time.
#[derive(Clone)]
pub struct Scene {
    pub name: String,
    pub length: u64,
    pub events: Vec<(u64, Event)>,
    pub speech: Vec<Span>,
    pub on_withdrawal: OnWithdrawal,
    pub result: CallResult,
    /// What a later withdrawal erases is written first, as in a call that is going on.
    pub live: bool,
    /// A doubt shuts the door for good before this event of the list.
    pub doubt_before: Option<usize>,
    pub recorded_at: String,
    pub picture: Option<String>,
}

impl Scene {
    /// Two seconds; the customer says yes at 0.5 s; the agent speaks twice.
    pub fn new(name: &str) -> Scene {
        Scene {
            name: name.into(),
            length: 16_000,
            events: vec![(2_000, told()), (4_000, granted())],
            speech: vec![span(800, 2_400), span(8_000, 8_160)],
            on_withdrawal: OnWithdrawal::Erase,
            result: CallResult::Recorded,
            live: false,
            doubt_before: None,
            recorded_at: "2026-03-01T09:30:00Z".into(),
            picture: Some("<svg/>".into()),
        }
    }

    pub fn record(&self, dir: &Path) -> Stored {
        let (recorder, closing) = self.run(dir);
        recorder.finish(&closing, self.picture.as_deref(), |outputs| self.manifest(&closing, outputs)).unwrap()
    }

    pub fn manifest(&self, closing: &Closing, outputs: Vec<crate::store::Output>) -> crate::store::Manifest {
        crate::store::Manifest::new(self.about(), closing, outputs)
    }

    pub fn terms(&self) -> Terms {
        Terms { on_withdrawal: self.on_withdrawal, ..Terms::default() }
    }

    /// Records the call, and closes it.
    pub fn run(&self, dir: &Path) -> (Recorder, Closing) {
        let plan = Plan { rate_hz: RATE, samples_max: self.length, speech: true, sparse: true };
        let mut recorder = Recorder::create(Place::new(dir, &self.name).unwrap(), plan).unwrap();
        let closing = self.drive(&mut recorder);
        (recorder, closing)
    }

    /// Drives a gate and an outlet as a call does.
    pub fn drive(&self, recorder: &mut impl Sink) -> Closing {
        let events: Vec<Stamped> = self.events.iter().map(|(sample, event)| at(*sample, event.clone())).collect();
        let foreclosed = if self.live { vec![] } else { rehearse(&self.terms(), &events) };
        let mut gate = Gate::new(self.terms(), foreclosed);
        let mut ledger = Ledger::new(&self.name);
        let mut tally = Tally::default();
        let (mut events, agents_door) = (events.iter().peekable(), open_gate());
        // Frames are cut where an event falls into them.
        let places = (0..=self.length).filter(|place| place % 80 == 0 || self.events.iter().any(|e| e.0 == *place));
        let places: Vec<u64> = places.collect();
        for pair in places.windows(2) {
            let (unit, end) = (pair[0], pair[1]);
            while let Some(event) = events.next_if(|event| event.at.0 <= unit) {
                if self.doubt_before == Some(ledger.entries().len()) {
                    gate.quarantine();
                }
                recorder.before(MediaTime(unit), event);
                take(event, &mut gate, recorder, &mut ledger, &mut tally);
            }
            let sound = noise(unit, (end - unit) as usize);
            let frame = frame(unit, &sound);
            // Only the guard can prove that a frame is the agent's, so what stands for the agent came by another door.
            let speaks = self.speech.iter().any(|speech| speech.contains(frame.span()));
            count(&mut tally.agent, sound.len(), if speaks { None } else { Some(Dropped::NotSpeech) });
            if speaks {
                recorder.write_to(Track::Agent, &agents_door.customer(frame).unwrap());
            }
            let cleared = gate.customer(frame);
            count(&mut tally.customer, sound.len(), cleared.as_ref().err().copied());
            if let Ok(cleared) = cleared {
                recorder.write(cleared);
            }
            recorder.after(MediaTime(end), &tally);
        }
        for event in events {
            recorder.before(MediaTime(self.length), event);
            take(event, &mut gate, recorder, &mut ledger, &mut tally);
        }
        let leak =
            Leak { measurable: true, coupling_db: None, customer_active_s: 2.0, withheld_s: 0.25, residual_db: None };
        let mut kept = gate.kept().to_vec();
        kept.iter_mut().for_each(|kept| kept.until = Some(kept.until.unwrap_or(MediaTime(self.length))));
        Closing {
            result: self.result,
            length: MediaTime(self.length),
            rate_hz: RATE,
            tally,
            leak,
            findings: vec![],
            ledger: ledger.entries().to_vec(),
            kept,
        }
    }

    pub fn about(&self) -> About {
        About {
            call: self.name.clone(),
            recorded_at: self.recorded_at.clone(),
            input: Input {
                encoding: "wav pcm16".into(),
                channels: 2,
                rate_hz: RATE,
                files: vec![InputFile {
                    name: Some(format!("{}.wav", self.name)),
                    bytes: 44 + 4 * self.length,
                    modified: self.recorded_at.clone(),
                    digest: InputDigest { kind: DigestKind::Sampled, blake3: "5".repeat(64) },
                }],
            },
            agent_channel: AgentChannel { channel: 0, from: "--agent-channel".into() },
            settings: "7".repeat(64),
            voice: Voice { detector: "webrtc-vad".into(), mode: 2, lead_in_ms: 150, tail_ms: 250 },
            policy: Policy {
                scope: Scope::WithConsent,
                on_withdrawal: self.on_withdrawal.into(),
                purposes: None,
                sensitive: false,
            },
        }
    }
}

fn take(event: &Stamped, gate: &mut Gate, recorder: &mut impl Sink, ledger: &mut Ledger, tally: &mut Tally) {
    let effect = gate.apply(event);
    for erased in &effect.erased {
        recorder.erase_customer(erased.span);
        let samples = erased.span.samples().min(tally.customer.written);
        tally.customer.written -= samples;
        tally.customer.erased += samples;
    }
    ledger.record(event, &effect);
}

fn count(account: &mut Account, samples: usize, dropped: Option<Dropped>) {
    account.heard += samples as u64;
    match dropped {
        None => account.written += samples as u64,
        Some(reason) => account.leave_out(reason, samples as u64),
    }
}

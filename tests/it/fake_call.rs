//! A call that nobody makes: a thread that answers what is asked of it as a writer would, without sound.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use oneside::consent::{Act, Event};
use oneside::ring::ring;
use oneside::run::live::intake::RingEnds;
use oneside::run::live::{
    Answer, Asked, Asks, Desk, DeskError, Ended, Handle, Lost, Matter, OpenCall, Recording, State,
};

/// Rate of the call, Hz.
pub const RATE: u32 = 8_000;
/// The length of a frame.
const FRAME: Duration = Duration::from_millis(20);
/// Its samples.
const SAMPLES: u64 = 160;

/// A desk where calls can be opened.
pub fn desk() -> Arc<Desk> {
    let desk = Arc::new(Desk::default());
    let weak = Arc::downgrade(&desk);
    desk.open_by(Box::new(move |wanted| {
        let desk = weak.upgrade().ok_or(DeskError::Failed("the desk is gone".into()))?;
        if wanted.number.as_deref() == Some("+46700000000") {
            return Err(DeskError::Refused {
                code: "never_record",
                why: "the number is on the never-record list".into(),
            });
        }
        if wanted.call.as_deref() == Some("disk-full") {
            return Err(DeskError::Failed("the disk is full".into()));
        }
        Ok(call(&desk, wanted))
    }));
    desk
}

/// A call of a desk. The caller enters it.
pub fn call(desk: &Arc<Desk>, wanted: OpenCall) -> Handle {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let name = wanted.call.unwrap_or_else(|| format!("call-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let (asks, asked) = bounded(16);
    let (inlet, _drain) = ring(16, 2);
    let state = State {
        call: name.clone(),
        stored_as: name.clone(),
        opened: jiff::Timestamp::now().to_string(),
        rate_hz: RATE,
        recording: if wanted.private { Recording::Private } else { Recording::Recording },
        customer_why: Some("no_decision"),
        agent_dbfs: -96.0,
        customer_dbfs: -96.0,
        ledger: 1,
        mask_reach_s: 10,
        free_bytes: Some(5_000_000_000),
        lost: vec![Lost { reason: "overrun", intended: false, frames: 160 }],
        ..State::default()
    };
    let state = Arc::new(Mutex::new(state));
    let handle = Handle {
        call: name,
        asks: Asks { to: asks, key: 0 },
        ends: RingEnds(vec![inlet.position()]),
        state: Arc::clone(&state),
        entered: Arc::default(),
        end: Arc::new(AtomicBool::new(false)),
    };
    let end = Arc::clone(&handle.end);
    let worker = Worker { state, granted: false, kept: 0 };
    let desk = Arc::downgrade(desk);
    std::thread::spawn(move || {
        let ended = worker.run(&asked, &end);
        if let Some(desk) = desk.upgrade() {
            desk.leave(ended);
        }
    });
    handle
}

struct Worker {
    state: Arc<Mutex<State>>,
    granted: bool,
    kept: u64,
}

impl Worker {
    fn run(mut self, asked: &Receiver<(u64, Asked)>, end: &AtomicBool) -> Ended {
        let mut next = Instant::now() + FRAME;
        while !end.load(Ordering::Acquire) {
            match asked.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok((_, asked)) if matches!(asked.matter, Matter::Event(Event::HungUp)) => {
                    self.answer(asked);
                    break;
                }
                Ok((_, asked)) => self.answer(asked),
                Err(RecvTimeoutError::Timeout) => {
                    next += FRAME;
                    self.frame();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let state = self.state.lock().unwrap().clone();
        Ended {
            call: state.call,
            stored_as: state.stored_as,
            result: if state.recording == Recording::NotRecording { "failed" } else { "recorded" }.into(),
            seconds: state.seconds,
            agent_s: state.agent_written as f64 / f64::from(RATE),
            customer_s: state.customer_written as f64 / f64::from(RATE),
            manifest: Some("0".repeat(64)),
            party_missing: Vec::new(),
            error: None,
        }
    }

    fn frame(&mut self) {
        let mut state = self.state.lock().unwrap();
        state.sample += SAMPLES;
        state.seconds = state.sample as f64 / f64::from(RATE);
        let seconds = state.seconds;
        let wave = |period: f64| (seconds / period * std::f64::consts::TAU).sin();
        let (agent, customer) = (wave(7.0) > -0.2, wave(7.0) < -0.1);
        state.agent_dbfs = if agent { -22.0 + 6.0 * wave(0.37) as f32 } else { -71.0 };
        state.customer_dbfs = if customer { -25.0 + 6.0 * wave(0.41) as f32 } else { -66.0 };
        state.agent_speaks = agent;
        let on = state.recording == Recording::Recording;
        state.customer_stored = on && self.granted;
        state.customer_why = match (state.customer_stored, on) {
            (true, _) => None,
            (false, false) => Some("paused"),
            (false, true) => Some("no_decision"),
        };
        state.agent_written += if on && agent { SAMPLES } else { 0 };
        state.customer_written += if state.customer_stored { SAMPLES } else { 0 };
        self.kept += 1;
        if self.kept.is_multiple_of(5) {
            let unit = match (on, agent, customer) {
                (false, ..) => 'p',
                (true, true, true) => 'b',
                (true, true, false) => 's',
                _ => '.',
            };
            state.talk.push(unit);
            let over = state.talk.len().saturating_sub(100);
            state.talk.drain(..over);
        }
    }

    fn answer(&mut self, asked: Asked) {
        let Matter::Event(event) = &asked.matter else { return };
        let shared = Arc::clone(&self.state);
        let mut state = shared.lock().unwrap();
        let before = (state.recording, self.granted, state.told);
        let mut refusal = None;
        match event {
            Event::Told { .. } => state.told = true,
            Event::Granted(_) if !state.told => refusal = Some("not_informed"),
            Event::Granted(decision) if decision.purposes.is_empty() => refusal = Some("no_purpose"),
            Event::Granted(decision) if matches!(decision.act, Act::Token { .. }) && asked.expires.is_none() => {
                refusal = Some("token_unverifiable");
            }
            Event::Granted(_) => self.granted = true,
            Event::Refused { .. } | Event::Withdrawn { .. } | Event::Expired { .. } => {
                self.granted = false;
                state.customer_written = 0;
            }
            Event::Paused | Event::Held => state.recording = Recording::Paused,
            Event::Resumed | Event::Retrieved => state.recording = Recording::Recording,
            Event::Unusable { refusal: why, .. } => {
                refusal = Some("unknown");
                let text = serde_json::to_value(why).unwrap();
                refusal = text.as_str().map(|text| &*text.to_owned().leak()).or(refusal);
            }
            other => others(other, &mut state),
        }
        if *event == (Event::Withdrawn { party: Default::default(), purposes: vec!["disk-fails".into()] }) {
            state.recording = Recording::NotRecording;
            state.why = Some("the disk is full".into());
        }
        state.ledger += 1;
        let outcome = match refusal {
            Some(_) => "rejected",
            None if before == (state.recording, self.granted, state.told) => "unchanged",
            None => "accepted",
        };
        let masked_from = match *event {
            Event::Masked { seconds } => Some(state.sample.saturating_sub(u64::from(seconds * RATE))),
            _ => None,
        };
        let answer = Answer {
            call: state.call.clone(),
            outcome,
            refusal: refusal.map(str::to_owned),
            sample: state.sample,
            seconds: state.seconds,
            writer_sample: state.sample,
            masked_from,
            ledger: state.ledger,
            ledger_hash: "ab".repeat(32),
            customer: if self.granted { "open" } else { "shut" },
            recording: state.recording,
            lag_ms: asked.arrived.at.elapsed().as_secs_f64() * 1e3,
        };
        if let Some(reply) = asked.reply {
            let _ = reply.send(answer);
        }
    }
}

/// What neither consent nor a pause is.
fn others(event: &Event, state: &mut State) {
    match event {
        Event::Private => state.recording = Recording::Private,
        Event::PrivateEnded => state.recording = Recording::Recording,
        Event::Masked { seconds } => {
            let units = state.talk.len().saturating_sub(*seconds as usize * 10);
            state.talk.truncate(units);
        }
        _ => {}
    }
}

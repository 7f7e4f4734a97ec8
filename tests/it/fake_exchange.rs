//! An exchange that begins any call and keeps what its source lays and says, for tests of a source alone.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oneside::ring::{Drain, Piece, Why, ring};
use oneside::source::exchange::{
    Arrival, Arriving, Begun, CallLine, Declined, Exchange, Leg, Legs, Party, Placing, Said, Standing,
};
use oneside::source::wire::pace::Pace;

/// How long anything is waited for: many times what a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What a ring of a test holds, seconds.
const RING_S: u32 = 60;

/// The calls that were begun, and those that came to nothing.
#[derive(Default)]
pub struct FakeExchange {
    calls: Mutex<BTreeMap<String, Arc<FakeCall>>>,
    declined: Mutex<Vec<(&'static str, Option<String>)>>,
    refuses: Option<&'static str>,
}

/// A call that was begun.
pub struct FakeCall {
    /// As it came.
    pub arrival: Arrival,
    drains: Mutex<Vec<(Option<Party>, Drain)>>,
    said: Arc<Mutex<Vec<Said>>>,
    /// How its door stands.
    pub standing: Arc<Standing>,
}

/// What lies on a leg.
#[derive(Debug, Default)]
pub struct Laid {
    /// Its sound, gaps as silence.
    pub samples: Vec<i16>,
    /// Frames that are missing, by the reason.
    pub missing: Vec<(Why, u64)>,
    /// Whether nothing will come any more.
    pub ended: bool,
}

impl Laid {
    /// Frames that are missing for this reason.
    pub fn missing_for(&self, reason: Why) -> u64 {
        self.missing.iter().filter(|(why, _)| *why == reason).map(|(_, frames)| *frames).sum()
    }

    /// Takes what lies behind it.
    pub fn append(&mut self, more: Laid) {
        self.samples.extend(more.samples);
        self.missing.extend(more.missing);
        self.ended |= more.ended;
    }
}

impl Exchange for FakeExchange {
    fn admits(&self, _: &Arrival) -> Result<(), Declined> {
        Ok(())
    }

    fn begin(&self, arrival: Arrival) -> Result<Begun, Declined> {
        if let Some(reason) = self.refuses {
            self.declined(arrival.source, reason, Some(&arrival.call)); // as the switchboard does
            return Err(Declined::new(reason, "the test says so"));
        }
        let said = Arc::new(Mutex::new(Vec::new()));
        let standing = Arc::new(Standing::default());
        let tell = {
            let said = Arc::clone(&said);
            Box::new(move |what| said.lock().unwrap().push(what))
        };
        let line = CallLine::new(arrival.call.clone(), tell, Arc::clone(&standing));
        let mut drains = Vec::new();
        let mut leg = |party, channels| {
            let pace = match arrival.sound.placing() {
                Placing::Stamped => Pace::packets(arrival.rate_hz),
                Placing::ByArrival { burst_ms } => Pace::stream(arrival.rate_hz, burst_ms),
            };
            let (inlet, drain) = ring((arrival.rate_hz * RING_S) as usize, channels);
            drains.push((party, drain));
            Leg::new(inlet, channels, pace, line.clone()).0
        };
        let legs = match arrival.sound {
            Arriving::Interleaved(map, _) => Legs::Interleaved(leg(None, map.channels())),
            Arriving::Apart(_) => {
                Legs::Apart { agent: leg(Some(Party::Agent), 1), customer: leg(Some(Party::Customer), 1) }
            }
            Arriving::AgentAlone(_) => Legs::AgentAlone(leg(Some(Party::Agent), 1)),
        };
        let call = FakeCall { arrival: arrival.clone(), drains: Mutex::new(drains), said, standing };
        self.calls.lock().unwrap().insert(arrival.call, Arc::new(call));
        Ok(Begun { line, legs })
    }

    fn declined(&self, _source: &'static str, reason: &'static str, call: Option<&str>) {
        self.declined.lock().unwrap().push((reason, call.map(str::to_owned)));
    }
}

impl FakeExchange {
    /// One that refuses every call for this reason.
    pub fn refusing(reason: &'static str) -> FakeExchange {
        FakeExchange { refuses: Some(reason), ..FakeExchange::default() }
    }

    /// The call of this name, as soon as it has begun.
    pub fn call(&self, name: &str) -> Arc<FakeCall> {
        within("a call begins", || self.calls.lock().unwrap().get(name).cloned())
    }

    /// The names of all calls.
    pub fn names(&self) -> Vec<String> {
        self.calls.lock().unwrap().keys().cloned().collect()
    }

    /// The reason for which the first call was declined, as soon as one was.
    pub fn first_declined(&self) -> &'static str {
        within("a call is declined", || self.declined.lock().unwrap().first().map(|(reason, _)| *reason))
    }
}

impl FakeCall {
    /// What lies on a leg so far; `None`: the leg with both parties.
    pub fn laid(&self, party: Option<Party>) -> Laid {
        let mut drains = self.drains.lock().unwrap();
        let (_, drain) = drains.iter_mut().find(|(of, _)| *of == party).expect("there is such a leg");
        let mut laid = Laid::default();
        let mut buffer = vec![0; 8_000 * drain.channels()];
        loop {
            match drain.read(&mut buffer) {
                Piece::Sound(frames) => laid.samples.extend_from_slice(&buffer[..frames * drain.channels()]),
                Piece::Gap { frames, why } => {
                    laid.samples.resize(laid.samples.len() + frames as usize * drain.channels(), 0);
                    match laid.missing.last_mut() {
                        Some((last, sum)) if *last == why => *sum += frames,
                        _ => laid.missing.push((why, frames)),
                    }
                }
                Piece::Nothing => return laid,
                Piece::Ended => {
                    laid.ended = true;
                    return laid;
                }
            }
        }
    }

    /// All that lies on a leg when it has ended.
    pub fn all(&self, party: Option<Party>) -> Laid {
        self.laid_until("the leg ends", party, |laid| laid.ended)
    }

    /// What lies on a leg as soon as it is so.
    pub fn laid_until(&self, what: &str, party: Option<Party>, mut so: impl FnMut(&Laid) -> bool) -> Laid {
        let mut all = Laid::default();
        within(what, || {
            all.append(self.laid(party));
            so(&all).then_some(())
        });
        all
    }

    /// What was said so far.
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap().clone()
    }

    /// The keys that were pressed so far.
    pub fn digits(&self) -> Vec<(Party, char)> {
        let digit = |said: &Said| match said {
            Said::Digit { party, digit, .. } => Some((*party, *digit)),
            _ => None,
        };
        self.said().iter().filter_map(digit).collect()
    }

    /// Whether something contradicted what was said of it: by its code.
    pub fn contradicted(&self) -> Option<&'static str> {
        self.said().iter().find_map(|said| match said {
            Said::Contradicted(finding) => Some(finding.code()),
            _ => None,
        })
    }

    /// Opens or shuts its door for the customer.
    pub fn wants_customer(&self, wanted: bool) {
        self.standing.customer_wanted.store(wanted, Ordering::Release);
    }

    /// Stops or resumes both sides.
    pub fn stops(&self, stopped: bool) {
        self.standing.stopped.store(stopped, Ordering::Release);
    }
}

/// Waits until something is there.
pub fn within<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: not within {PATIENCE:?}")
}

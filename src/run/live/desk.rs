//! The live desk: the calls in hand, found by name, and how something is asked of them.
//!
//! Everybody who steers (the HTTP API, a control descriptor, a media server) comes through here. A call's worker is the
//! only one who changes it; the desk stamps, passes on, and waits for the worker's answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, SendTimeoutError, bounded};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::ask::{Answer, Arrived, Asked, Asks, Matter, Recording, State};
use super::figures::{Figure, Figures, RESULTS};
use super::intake::RingEnds;
use crate::consent::Event;
use crate::source::exchange::{Declined, Expecting};

/// Longest wait for a worker's answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// After so long without a word of its worker a call counts as not recorded.
pub const STALE: Duration = Duration::from_millis(900);
/// Ended calls that are remembered.
pub const ENDED_MAX: usize = 256;
/// Events that may wait for a worker.
pub const WAITING_MAX: usize = 1_024;

/// A call in hand.
#[derive(Clone)]
pub struct Handle {
    /// Its name.
    pub call: String,
    /// Where what is asked goes.
    pub asks: Asks,
    /// Where its rings end.
    pub ends: RingEnds,
    /// What its worker last said of it.
    pub state: Arc<Mutex<State>>,
    /// It was entered on the desk.
    pub entered: Arc<AtomicBool>,
    /// Raised to end the call: its worker drains what was delivered, and closes.
    pub end: Arc<AtomicBool>,
}

/// A call that is over.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// The call.
    pub call: String,
    /// The name under which its files stand.
    pub stored_as: String,
    /// `recorded`, `quarantined`, `interrupted`, `excluded` or `failed`: every call ends in one of these (ROB-07).
    pub result: String,
    /// Its length, seconds.
    pub seconds: f64,
    /// Agent stored, seconds.
    pub agent_s: f64,
    /// Customer stored, seconds.
    pub customer_s: f64,
    /// The seal of its manifest, if one stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Whose sound was to come, and nothing of it ever did: `agent`, `customer`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub party_missing: Vec<String>,
    /// What went wrong, if something did: a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A call to be opened.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCall {
    /// Its name; made of the time if absent.
    #[serde(default)]
    pub call: Option<String>,
    /// The agent's id: windows and acknowledgement are looked up by it (SEL-01, INF-04).
    #[serde(default)]
    pub agent: Option<String>,
    /// The other side's number: only compared with the never-record list, and never stored (SEL-06).
    #[serde(default)]
    pub number: Option<String>,
    /// A private call: neither side is recorded.
    #[serde(default)]
    pub private: bool,
    /// Health and the like (CON-12).
    #[serde(default)]
    pub sensitive: bool,
}

/// Why something asked came to nothing.
#[derive(Debug, Error)]
pub enum DeskError {
    /// No such call is in hand.
    #[error("no call `{0}` is in hand")]
    NoSuchCall(String),
    /// A call of that name is in hand.
    #[error("a call `{0}` is in hand already")]
    Exists(String),
    /// Calls cannot be opened here.
    #[error("calls are not opened by command here: {0}")]
    NotHere(&'static str),
    /// The call may not be opened: a rule says so. The code is stable.
    #[error("{why}")]
    Refused {
        /// The rule's stable name.
        code: &'static str,
        /// A sentence.
        why: String,
    },
    /// The store or a device cannot be used.
    #[error("{0}")]
    Failed(String),
    /// The call has just ended: its sound is being sealed.
    #[error("call `{0}` has just ended and is being sealed; nothing was done")]
    Over(String),
    /// The worker did not answer in time: whether it took effect is unknown; look at the state.
    #[error("the writer did not answer within {} s; it may be held up by the disk. What was asked takes effect when it goes on", ANSWER_WITHIN.as_secs())]
    NoAnswer,
}

/// Opens calls on request.
pub type Opener = Box<dyn Fn(OpenCall) -> Result<Handle, DeskError> + Send + Sync>;

/// Gives further figures.
pub type More = Box<dyn Fn() -> Vec<Figure> + Send + Sync>;

/// Told of every call that ended.
pub type Left = Arc<dyn Fn(&Ended) + Send + Sync>;

/// The calls in hand.
#[derive(Default)]
pub struct Desk {
    calls: Mutex<BTreeMap<String, Handle>>,
    ended: Mutex<VecDeque<Ended>>,
    opener: Mutex<Option<Arc<Opener>>>,
    trouble: Mutex<Option<String>>,
    left: Mutex<Option<Left>>,
    leaks: Mutex<VecDeque<f64>>,
    more: Mutex<Vec<More>>,
    expecting: Mutex<BTreeMap<&'static str, Arc<dyn Expecting>>>,
    /// Figures since the start.
    pub figures: Figures,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder left is whole: every change under these locks is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of a call; one whose worker stands still is not being recorded, whatever it said last (INF-03).
fn fresh(handle: &Handle) -> State {
    let mut state = held(&handle.state).clone();
    if state.turned.take().is_some_and(|turned| turned.elapsed() > STALE) {
        state.recording = Recording::NotRecording;
        state.why = Some("the writer stands still: the disk does not answer".into());
    }
    state
}

impl Desk {
    /// Says how calls are opened on request. Without it, opening is refused.
    pub fn open_by(&self, opener: Opener) {
        *held(&self.opener) = Some(Arc::new(opener));
    }

    /// Whether calls can be opened on request.
    pub fn opens(&self) -> bool {
        held(&self.opener).is_some()
    }

    /// Opens a call on request.
    pub fn open(&self, wanted: OpenCall) -> Result<State, DeskError> {
        let opener = held(&self.opener).clone();
        let opener = opener.ok_or(DeskError::NotHere("this stage carries the one call it was started for"))?;
        if let Some(name) = wanted.call.as_ref().filter(|name| held(&self.calls).contains_key(*name)) {
            return Err(DeskError::Exists(name.clone()));
        }
        let handle = opener(wanted)?;
        let state = held(&handle.state).clone();
        self.enter(handle);
        Ok(state)
    }

    /// Enters a call that was opened; once, whoever tells it.
    pub fn enter(&self, handle: Handle) {
        if handle.entered.swap(true, Ordering::AcqRel) {
            return;
        }
        self.figures.opened.fetch_add(1, Ordering::Relaxed);
        held(&self.calls).insert(handle.call.clone(), handle);
    }

    /// Where further figures come from.
    pub fn figures_of(&self, more: More) {
        held(&self.more).push(more);
    }

    /// Further figures, those of one name together.
    pub fn more_figures(&self) -> Vec<Figure> {
        let mut all: Vec<Figure> = held(&self.more).iter().flat_map(|more| more()).collect();
        all.sort_by_key(|figure| figure.name);
        all
    }

    /// Who is to be told of every call that ended.
    pub fn tell_left(&self, left: Left) {
        *held(&self.left) = Some(left);
    }

    /// Calls of `source` can be announced by command.
    pub fn expect_by(&self, source: &'static str, expecting: Arc<dyn Expecting>) {
        held(&self.expecting).insert(source, expecting);
    }

    /// Announces a call to the source that `wanted.source` names.
    pub fn expect(&self, mut wanted: Map<String, Value>) -> Result<Value, Declined> {
        let Some(Value::String(source)) = wanted.remove("source") else {
            return Err(Declined::new("body", "`source` must be a text: where the call comes from"));
        };
        let sources: Vec<(&'static str, Arc<dyn Expecting>)> =
            held(&self.expecting).iter().map(|(name, source)| (*name, Arc::clone(source))).collect();
        let found = sources.iter().find(|(name, _)| source == *name);
        let Some((_, found)) = found else {
            let known: Vec<&str> = sources.iter().map(|(name, _)| *name).collect();
            let known = if known.is_empty() { "there is none".into() } else { known.join(", ") };
            return Err(Declined::new("source", format!("`source` must name where the call comes from: {known}")));
        };
        found.expect(wanted)
    }

    /// Forgets a call that was announced and has not come. Whether there was one.
    pub fn forget(&self, call: &str) -> bool {
        let sources: Vec<Arc<dyn Expecting>> = held(&self.expecting).values().cloned().collect();
        sources.iter().any(|source| source.forget(call))
    }

    /// Strikes out a call that never began.
    pub fn strike_out(&self, handle: &Handle) {
        held(&self.calls).retain(|_, known| !Arc::ptr_eq(&known.state, &handle.state));
    }

    /// What keeps calls from being recorded, whether one is in hand or not: a device, a rule that refused one.
    pub fn set_trouble(&self, trouble: Option<String>) {
        *held(&self.trouble) = trouble;
    }

    /// What was told of that last.
    pub fn trouble(&self) -> Option<String> {
        held(&self.trouble).clone()
    }

    /// Strikes a call out that has ended.
    pub fn leave(&self, ended: Ended) {
        let figure = RESULTS.iter().position(|result| *result == ended.result).unwrap_or(RESULTS.len() - 1);
        self.figures.ended[figure].fetch_add(1, Ordering::Relaxed);
        // First among those that ended, then out of those in hand: whoever looks finds a call in one list at least.
        {
            let mut list = held(&self.ended);
            list.push_back(ended.clone());
            if list.len() > ENDED_MAX {
                list.pop_front();
            }
        }
        held(&self.calls).remove(&ended.call);
        let left = held(&self.left).clone();
        if let Some(left) = left {
            left(&ended);
        }
    }

    /// Asks something of a call and waits for what its writer did. `expires`: when the event's token does.
    pub fn ask(&self, call: &str, event: Event, expires: Option<Timestamp>) -> Result<Answer, DeskError> {
        let handle = held(&self.calls).get(call).cloned().ok_or_else(|| DeskError::NoSuchCall(call.into()))?;
        let (reply, answers) = bounded(1);
        let arrived = Arrived { ring_end: handle.ends.end(), at: Instant::now(), place: None };
        let wall = Some(Timestamp::now().to_string());
        let asked = Asked { matter: Matter::Event(event), expires, wall, arrived, reply: Some(reply), waiting: None };
        handle.asks.to.send_timeout((handle.asks.key, asked), ANSWER_WITHIN).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => DeskError::NoAnswer,
            SendTimeoutError::Disconnected(_) => DeskError::Over(call.into()),
        })?;
        match answers.recv_timeout(ANSWER_WITHIN) {
            Ok(answer) => {
                let figure = if answer.outcome == "rejected" { &self.figures.rejected } else { &self.figures.accepted };
                figure.fetch_add(1, Ordering::Relaxed);
                Ok(answer)
            }
            Err(RecvTimeoutError::Timeout) => Err(DeskError::NoAnswer),
            Err(RecvTimeoutError::Disconnected) => Err(DeskError::Over(call.into())),
        }
    }

    /// Ends a call, and waits until it stands.
    pub fn close(&self, call: &str) -> Result<Ended, DeskError> {
        let handle = held(&self.calls).get(call).cloned().ok_or_else(|| DeskError::NoSuchCall(call.into()))?;
        handle.end.store(true, Ordering::Release);
        let until = Instant::now() + ANSWER_WITHIN * 5;
        while Instant::now() < until {
            if !held(&self.calls).contains_key(call)
                && let Some(ended) = held(&self.ended).iter().rev().find(|ended| ended.call == call)
            {
                return Ok(ended.clone());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(DeskError::NoAnswer)
    }

    /// The state of a call in hand.
    pub fn state(&self, call: &str) -> Result<State, DeskError> {
        let handle = held(&self.calls).get(call).cloned().ok_or_else(|| DeskError::NoSuchCall(call.into()))?;
        Ok(fresh(&handle))
    }

    /// The states of all calls in hand, by name.
    pub fn states(&self) -> Vec<State> {
        let handles: Vec<Handle> = held(&self.calls).values().cloned().collect();
        handles.iter().map(fresh).collect()
    }

    /// The calls that ended last, latest first.
    pub fn ended(&self) -> Vec<Ended> {
        held(&self.ended).iter().rev().cloned().collect()
    }

    /// Takes note of what may be left of the customer in the agent's track of a call that is over, dB relative to the
    /// customer's own: an upper estimate.
    pub fn note_leak(&self, residual_db: f64) {
        let mut leaks = held(&self.leaks);
        leaks.push_back(residual_db);
        if leaks.len() > ENDED_MAX {
            leaks.pop_front();
        }
    }

    /// The leak of the calls that ended last (at most 256): how many of them could be measured, the median, the worst, dB.
    pub fn leaks(&self) -> Option<(usize, f64, f64)> {
        let mut leaks: Vec<f64> = held(&self.leaks).iter().copied().collect();
        leaks.sort_by(f64::total_cmp);
        Some((leaks.len(), *leaks.get(leaks.len() / 2)?, *leaks.last()?))
    }

    /// Tells every call in hand to end.
    pub fn end_all(&self) {
        held(&self.calls).values().for_each(|handle| handle.end.store(true, Ordering::Release));
    }

    /// Whether no call is in hand.
    pub fn is_idle(&self) -> bool {
        held(&self.calls).is_empty()
    }
}

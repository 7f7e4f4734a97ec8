//! What the sources of a media server ask of the calls: to begin one, to lay its sound, to tell what was signalled.
//!
//! A source knows its protocol and nothing of stores, workers or doors. It is handed an [`Exchange`]; what it gets back
//! are its ends of lock-free rings, one [`Leg`] a stream, and a [`CallLine`] for what the wire says about consent.

mod leg;
mod print;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

pub use self::leg::{Leg, Vouched};
use crate::consent::Event;
use crate::split::{ChannelMap, Finding};

/// Begins calls. Implemented by `run/`.
pub trait Exchange: Send + Sync {
    /// Begins a call: its files are there and a worker has it when this returns. Waits for the disk, so asynchronous code
    /// calls it where it may block.
    fn begin(&self, arrival: Arrival) -> Result<Begun, Declined>;

    /// A call of the switch came to nothing before it could begin: counted by reason, and told.
    fn declined(&self, source: &'static str, reason: &'static str, call: Option<&str>);

    /// Whether the rules would let such a call be recorded: asked for what the second connection of a call adds.
    fn admits(&self, arrival: &Arrival) -> Result<(), Declined>;
}

/// A call that has come.
#[derive(Clone)]
pub struct Arrival {
    /// Its name; no place for a telephone number.
    pub call: String,
    /// Which source it came by: a stable word for metrics.
    pub source: &'static str,
    /// What arrives, for the manifest.
    pub encoding: String,
    /// Samples per second of what the legs carry, decoded.
    pub rate_hz: u32,
    /// How its sound arrives.
    pub sound: Arriving,
    /// The longest that sound may have waited before it reaches us, ms (CON-06).
    pub worst_ms: u32,
    /// The customer's payload is not decoded unless a grant stands; otherwise the bleed guard hears it, in RAM.
    pub drop_before_decode: bool,
    /// Whose call it is: staff rules are looked up by it.
    pub agent: Option<String>,
    /// The customer's number: compared with the never-record list, never stored, never told.
    pub number: Option<String>,
    /// It begins as a private call (SEL-06).
    pub private: bool,
    /// Health and the like (CON-12).
    pub sensitive: bool,
}

impl Arrival {
    /// A call with nothing special about it.
    pub fn new(call: String, source: &'static str, rate_hz: u32, sound: Arriving) -> Arrival {
        Arrival {
            call,
            source,
            encoding: source.into(),
            rate_hz,
            sound,
            worst_ms: 0,
            drop_before_decode: false,
            agent: None,
            number: None,
            private: false,
            sensitive: false,
        }
    }
}

/// How a call's sound arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arriving {
    /// One stream with both parties on channels of their own.
    Interleaved(ChannelMap, Placing),
    /// A stream for each party.
    Apart(Placing),
    /// The agent alone.
    AgentAlone(Placing),
}

impl Arriving {
    /// By what its sound is placed.
    pub fn placing(self) -> Placing {
        match self {
            Arriving::Interleaved(_, placing) | Arriving::Apart(placing) | Arriving::AgentAlone(placing) => placing,
        }
    }
}

/// By what sound is placed on the call's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// The source keeps the line: its legs advance together with the clock, and it tells what is missing.
    Stamped,
    /// By its arrival: the worker's arrival clock lays silence where the sender paused.
    ByArrival {
        /// The longest burst that is usual, ms.
        burst_ms: u32,
    },
}

/// A party of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// The agent.
    Agent,
    /// The customer.
    Customer,
}

impl Party {
    /// The other one.
    pub fn other(self) -> Party {
        match self {
            Party::Agent => Party::Customer,
            Party::Customer => Party::Agent,
        }
    }
}

/// A call that has begun.
pub struct Begun {
    /// For what the wire says about it.
    pub line: CallLine,
    /// For its sound.
    pub legs: Legs,
}

/// Our ends of a call's streams.
#[allow(clippy::large_enum_variant, reason = "one a call, taken apart at once")]
pub enum Legs {
    /// One stream with both parties.
    Interleaved(Leg),
    /// A stream for each.
    Apart {
        /// The agent's.
        agent: Leg,
        /// The customer's.
        customer: Leg,
    },
    /// The agent's alone.
    AgentAlone(Leg),
}

/// A call that is not recorded. The switch's own call goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Declined {
    /// The stable code: `limit`, `exists`, `excluded`, `unknown`, `disk`, `draining`, `rate` …
    pub reason: &'static str,
    /// A sentence.
    pub why: String,
}

impl Declined {
    /// For this reason.
    pub fn new(reason: &'static str, why: impl Into<String>) -> Declined {
        Declined { reason, why: why.into() }
    }
}

/// What the wire says about a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Something was signalled.
    Event {
        /// What.
        event: Event,
        /// When its token expires, if it says so.
        expires: Option<Timestamp>,
        /// Its exact place on the line, frames at the source's rate, where the wire tells it.
        place: Option<u64>,
    },
    /// A key was pressed.
    Digit {
        /// By whom.
        party: Party,
        /// Which: `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// Where it ended on the line, or began where it is told before it ends ([`Said::StillDown`]), frames at the
        /// source's rate, where the wire tells it.
        place: Option<u64>,
    },
    /// A key that was told of is not released yet: an echo of it may be heard.
    StillDown {
        /// By whom.
        party: Party,
        /// Which.
        digit: char,
        /// Up to where on the line.
        place: Option<u64>,
    },
    /// What arrives is not what was said: both sides are withheld.
    Contradicted(Finding),
}

/// How a call stands, as its source has to know it.
#[derive(Debug, Default)]
pub struct Standing {
    /// A grant stands, or stands ahead.
    pub customer_wanted: AtomicBool,
    /// The customer refused, or took the grant back, and did not change that since.
    pub customer_refused: AtomicBool,
    /// Nothing of either side is wanted now.
    pub stopped: AtomicBool,
    /// Its source keeps sound for a while before it lays it.
    pub keeps_back: bool,
    /// The call is to end: what its source keeps of it is to be laid now.
    pub closing: AtomicBool,
    /// The call was closed on our side.
    pub over: AtomicBool,
    /// Something was said that found no room: it may have been a no.
    pub unheard: AtomicBool,
    /// What arrives is not what was said of it: both sides are withheld, whether the word that says why comes through or not.
    pub contradicted: AtomicBool,
}

/// Tells a call's worker what the wire says; never waits.
pub type Tell = Box<dyn Fn(Said) + Send + Sync>;

/// A call, as its source sees it.
#[derive(Clone)]
pub struct CallLine {
    inner: Arc<Inner>,
    /// Looked at for every packet: not behind another pointer.
    standing: Arc<Standing>,
}

struct Inner {
    call: String,
    tell: Tell,
}

impl CallLine {
    /// The line of a call.
    pub fn new(call: String, tell: Tell, standing: Arc<Standing>) -> CallLine {
        CallLine { inner: Arc::new(Inner { call, tell }), standing }
    }

    /// The call's name.
    pub fn call(&self) -> &str {
        &self.inner.call
    }

    /// Whether both are of the same call, not only of the same name.
    pub fn is(&self, other: &CallLine) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Something was signalled.
    pub fn say(&self, event: Event) {
        (self.inner.tell)(Said::Event { event, expires: None, place: None });
    }

    /// Something was signalled, and its place on the line is known: frames at the source's rate.
    pub fn say_at(&self, event: Event, place: u64) {
        (self.inner.tell)(Said::Event { event, expires: None, place: Some(place) });
    }

    /// A grant by a standing token (CON-16).
    pub fn say_token(&self, event: Event, expires: Option<Timestamp>) {
        (self.inner.tell)(Said::Event { event, expires, place: None });
    }

    /// A key was pressed. `place`: where it ended on the line, if the wire tells it.
    pub fn digit(&self, party: Party, digit: char, place: Option<u64>) {
        (self.inner.tell)(Said::Digit { party, digit, place });
    }

    /// A key that was told of is not released yet.
    pub fn still_down(&self, party: Party, digit: char, place: Option<u64>) {
        (self.inner.tell)(Said::StillDown { party, digit, place });
    }

    /// What arrives is not what was said: both sides are withheld, and the result says so.
    pub fn contradict(&self, finding: Finding) {
        // Seen by the worker even if the word finds no room.
        self.standing.contradicted.store(true, Ordering::Release);
        (self.inner.tell)(Said::Contradicted(finding));
    }

    /// Whether a grant stands, or stands ahead.
    pub fn customer_wanted(&self) -> bool {
        self.standing.customer_wanted.load(Ordering::Acquire)
    }

    /// Whether the customer refused, or took the grant back, and did not change that since: nothing of that side is needed.
    pub fn customer_refused(&self) -> bool {
        self.standing.customer_refused.load(Ordering::Acquire)
    }

    /// Whether nothing of either side is wanted now: a pause, a private stretch, the end of a window.
    pub fn stopped(&self) -> bool {
        self.standing.stopped.load(Ordering::Acquire)
    }

    /// Whether the call is to end on our side: who keeps sound back lays it now, and ends its streams.
    pub fn is_closing(&self) -> bool {
        self.standing.closing.load(Ordering::Acquire)
    }

    /// Whether the call was closed on our side: time to hang up.
    pub fn is_over(&self) -> bool {
        self.standing.over.load(Ordering::Acquire)
    }
}

/// Calls that are announced before they come.
pub trait Expecting: Send + Sync {
    /// Expects a call, or begins it where the source goes to fetch it. The answer is told to who announced it: ports, for
    /// instance.
    fn expect(&self, wanted: serde_json::Map<String, serde_json::Value>) -> Result<serde_json::Value, Declined>;

    /// Forgets one that has not come. Whether there was one.
    fn forget(&self, call: &str) -> bool;
}

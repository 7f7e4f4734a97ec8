//! One call as a pure state machine: sound, speech decisions and events in; cleared sound and facts out.
//!
//! No I/O, no clock, no threads; no allocation per frame (events may, up to their limit). The shape of the loop:
//!
//! ```text
//! let mut call = Call::open(opening);
//! for event in events { call.event(event) }
//! for each 20 ms of sound {
//!     let agent = call.listen(&sound);            // split sound → bleed guard, doubt; what the detector hears
//!     let speech = bank.decide(agent);            // many calls at once
//!     call.settle(&sound, speech, &mut outlet);   // gate, lead-in, tail → Cleared
//! }
//! let closing = call.close(&mut outlet);
//! ```
//!
//! A live call takes its events as they arrive, between two frames ([`Call::take_now`]), and is told beforehand which
//! stretches of what comes are silence in the place of sound that is missing ([`Call::missing`]).

pub mod closing;
pub mod gaps;
pub mod holdback;
pub mod opening;
pub mod runs;
pub mod tally;

mod machine;

pub use closing::{CallResult, Closing};
pub use gaps::{Missing, Of};
pub(crate) use machine::place_now;
pub use machine::{Call, Doors, HOLDBACK_FRAMES, Press, REACH_MS_MAX, Took};
pub use opening::Opening;
pub use tally::{Account, Tally};

pub use crate::audio::{MediaTime, Span};
pub use crate::bleed::Leak;
pub use crate::split::Finding;

use crate::consent::{Cleared, Dropped};

/// Where a call's results go. Handed in, so that nothing can be left undrained and frames may be borrowed. It cannot
/// fail: an implementation keeps its first error and lets the driver ask for it.
pub trait Outlet {
    /// Stores cleared sound. Per track the calls come in the order of the time line, without overlap.
    fn write(&mut self, sound: Cleared<'_>);

    /// Wipes a stretch of the customer's track that a withdrawal erases or a mask leaves out. Never called for sound that
    /// was known beforehand to be withdrawn or masked: that is not written at all.
    fn erase_customer(&mut self, span: Span);

    /// Wipes a stretch of the customer's track that has turned out to hold the beginning of a key's tone (PAY-05): at
    /// most some tens of milliseconds, the last that were written.
    fn erase_tone(&mut self, span: Span) {
        self.erase_customer(span);
    }

    /// Is told what became of each unit of at most 10 ms, for pictures; sound is not among it.
    fn trace(&mut self, _unit: Trace) {}
}

/// What became of a unit of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The stretch.
    pub span: Span,
    /// The agent's side: stored, or why not.
    pub agent: Result<(), Dropped>,
    /// The customer's side was active (a yes or no, no level).
    pub customer_active: bool,
}

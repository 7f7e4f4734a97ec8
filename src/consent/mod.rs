//! The only door. Who may be kept, since when, by which act, and the proof of it.
//!
//! * [`event`]: what people and switches can say about a call. Silence has no variant.
//! * [`roster`]: the remote parties, what each was told and decided.
//! * [`gate`]: the one place that makes a [`Cleared`], the only thing a store accepts.
//! * [`ledger`]: the hash-chained record of every event and its effect.
//!
//! Requirements: CON-01 … CON-17, INF-01, WDR-02, PAY-01, PAY-02.

pub mod dropped;
pub mod event;
pub mod gate;
pub mod ledger;
pub mod rehearsal;
pub mod roster;

pub use dropped::Dropped;
pub use event::{Act, Basis, Decision, Event, Notice, Refusal, Stamped, TokenState};
pub use gate::{Authority, Cleared, Effect, Erased, Gate, Kept, Outcome, Stop, Track};
pub use ledger::{Entry, Ledger};
pub use rehearsal::rehearse;
pub use roster::{PartyId, Roster, Standing};

use serde::{Deserialize, Serialize};

/// What a withdrawal does with what was kept under the grant (WDR-02, GDPR 17(1)(b)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnWithdrawal {
    /// What was kept under the grant is erased.
    #[default]
    Erase,
    /// What was kept stays, up to the withdrawal.
    Keep,
}

/// The terms under which a call's door opens. None of them opens it: only an act does.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// What a withdrawal does.
    pub on_withdrawal: OnWithdrawal,
    /// The purposes this store records for; `None`: whatever purpose a grant names (CON-04).
    pub purposes: Option<Vec<String>>,
    /// The call was flagged sensitive: consent of the customer alone counts, no other basis (CON-12).
    pub sensitive: bool,
}

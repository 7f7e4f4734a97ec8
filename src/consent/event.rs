//! What people and switches can say about a call, and when.
//!
//! A closed set. There is no event for "stayed on the line", and none for silence (CON-02): what is not here cannot
//! open the door. Events that could not be understood arrive as [`Event::Unusable`] and are refused on the record.

use serde::{Deserialize, Serialize};

use super::roster::PartyId;
use crate::audio::MediaTime;

/// Most events one call may have; more is a broken feed, not a call.
pub const EVENTS_PER_CALL_MAX: usize = 10_000;
/// Longest text of one field of an event, bytes.
pub const FIELD_BYTES_MAX: usize = 256;
/// Most seconds that one mask may reach back.
pub const MASK_SECONDS_MAX: u32 = 3_600;

/// Something that was said or done about the recording of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An announcement was played to the end, or read out (INF-01). Without `party`: to everyone then on the line.
    Told {
        /// Who heard it; everyone if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        party: Option<PartyId>,
        /// What was heard.
        #[serde(flatten)]
        notice: Notice,
    },
    /// A remote party said yes, by an act.
    Granted(Decision),
    /// A remote party said no. Sticky: only a new act of that party reopens (CON-09).
    Refused {
        /// Who; the first remote party if absent.
        #[serde(default)]
        party: PartyId,
    },
    /// A remote party took a grant back.
    Withdrawn {
        /// Who; the first remote party if absent.
        #[serde(default)]
        party: PartyId,
        /// Which purposes; all of them if empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        purposes: Vec<String>,
    },
    /// Another remote party came on the line; it starts undecided (CON-14, CON-15).
    Joined {
        /// Who.
        party: PartyId,
    },
    /// A remote party left the line.
    Left {
        /// Who.
        party: PartyId,
    },
    /// Recording of both sides pauses (PAY-01).
    Paused,
    /// Recording goes on. Ends a pause; with no pause standing it ends a hold.
    Resumed,
    /// The call was put on hold: nothing of the far side is kept until it is retrieved.
    Held,
    /// The call was taken off hold.
    Retrieved,
    /// The call ended: every grant of it expires (CON-16).
    HungUp,
    /// The last seconds of both sides are not to be kept: something was said that nobody needs (ONE-09).
    Masked {
        /// How many, 1 to [`MASK_SECONDS_MAX`].
        seconds: u32,
    },
    /// A private stretch begins: nothing of either side is recorded (SEL-06). Only its own end ends it.
    Private,
    /// The private stretch is over.
    PrivateEnded,
    /// The agent's recording window is over: nothing of either side is recorded (SEL-01). Made by the clock, never read
    /// from a feed.
    WindowClosed,
    /// A recording window of the agent's has begun. Made by the clock, never read from a feed.
    WindowOpened,
    /// A standing token ran out in mid-call. Made by the clock, never read from a feed.
    Expired {
        /// Whose grant ends.
        #[serde(default)]
        party: PartyId,
        /// The token that ran out. A grant made by another act since goes on.
        token: String,
    },
    /// Something that is not in this list, kept for the record with the reason why it counts for nothing.
    Unusable {
        /// What it called itself.
        said: String,
        /// Why it cannot be used.
        refusal: Refusal,
    },
}

/// An announcement: which text, in which version and language (INF-05).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The announcement's id.
    pub notice: String,
    /// Its version.
    pub version: String,
    /// Its language (BCP 47), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A yes: who, by which act, for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who; the first remote party if absent.
    #[serde(default)]
    pub party: PartyId,
    /// The act it was made by.
    #[serde(flatten)]
    pub act: Act,
    /// What for: at least one purpose (CON-04).
    pub purposes: Vec<String>,
    /// Another legal basis than consent, with the document that assesses it; needed when an agent overrides a
    /// refusal (CON-09, CON-13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// The active ways of saying yes (CON-02). Closed; silence has no variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// The customer pressed a key.
    Dtmf {
        /// Which: `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// The customer said yes and the agent attests it (CON-11); no sound of it is kept as evidence.
    SpokenYes {
        /// The attesting agent's id, if the feed names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
        /// The version of the question that was read, if the feed names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
    },
    /// The agent pressed the consent button.
    Button {
        /// The agent's id, if the feed names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    },
    /// Another system reports the customer's yes.
    Api {
        /// Which system, if the feed names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
    },
    /// A standing consent given earlier (CON-16).
    Token {
        /// The token's id.
        token: String,
        /// Whether it can count for this call.
        state: TokenState,
    },
}

impl Act {
    /// Whether the customer does it in this call: only such an act overcomes a refusal without another basis (CON-09).
    pub fn is_the_customers_own(&self) -> bool {
        matches!(self, Act::Dtmf { .. } | Act::SpokenYes { .. })
    }
}

/// What was found out about a standing token before it reached the door: expiry needs wall time, revocation a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// Not expired at this point of the call, not revoked.
    Valid,
    /// Expired before this point of the call.
    Expired,
    /// On the list of revoked tokens.
    Revoked,
    /// No expiry was given, or the call's wall clock is unknown: it cannot be checked, so it does not count.
    Unverifiable,
}

/// A legal basis other than consent, with the document that assesses it (CON-13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The basis' code, for instance `legal_obligation`.
    pub basis: String,
    /// The reference of the documented assessment.
    pub basis_ref: String,
}

/// Why something said about a call counts for nothing. The codes are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A grant before any announcement was made to that party (INF-01).
    NotInformed,
    /// After a refusal only a new act of the customer, or a documented basis, reopens (CON-09).
    RefusalStands,
    /// A basis other than consent came without the reference of its assessment (CON-13).
    NoBasisReference,
    /// The call is flagged sensitive: no basis but consent counts (CON-12).
    SensitiveNeedsConsent,
    /// A grant that names no purpose is no specific consent (CON-04).
    NoPurpose,
    /// None of the grant's purposes is one that this store records for (CON-04).
    PurposeNotConfigured,
    /// The standing token has expired (CON-16).
    TokenExpired,
    /// The standing token was revoked (CON-16).
    TokenRevoked,
    /// The standing token's expiry cannot be checked (CON-16).
    TokenUnverifiable,
    /// The call is over; nothing can be granted any more.
    CallOver,
    /// No such party is on the line.
    UnknownParty,
    /// An event kind that does not exist (CON-02).
    UnknownEvent,
    /// An act that does not exist (CON-02).
    UnknownAct,
    /// A key that grants was pressed while no question was open (CON-18).
    OutsideQuestion,
    /// A key that grants was pressed on the agent's side (CON-18).
    NotTheCustomer,
    /// The tone of a key was as loud on both sides: whose it was cannot be told (CON-18).
    WhoseKey,
    /// A field that the event needs is missing or unusable.
    BadField,
}

/// An event with its place on the call's time line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The sample from which it counts.
    pub at: MediaTime,
    /// Nanoseconds since the call's first sample, as it was reported.
    pub nanos: u64,
    /// Wall-clock time, where the call's start is known (RFC 3339).
    pub wall: Option<String>,
    /// What happened.
    pub event: Event,
}

impl Stamped {
    /// Places an event on the time line of a call at `rate_hz`: what opens counts from the first sample not before
    /// it (CON-06), everything else from the last sample not after it.
    pub fn new(nanos: u64, wall: Option<String>, event: Event, rate_hz: u32) -> Stamped {
        let at = match event.rank() {
            Rank::Opens => MediaTime::at_or_after(nanos, rate_hz),
            Rank::Informs | Rank::Shuts => MediaTime::at_or_before(nanos, rate_hz),
        };
        Stamped { at, nanos, wall, event }
    }

    /// Something that counts from a sample of a live call: the time is made of the place, and leads back to it.
    pub fn placed(at: MediaTime, wall: Option<String>, event: Event, rate_hz: u32) -> Stamped {
        let product = u128::from(at.0) * 1_000_000_000;
        let nanos = match event.rank() {
            Rank::Opens => product / u128::from(rate_hz),
            Rank::Informs | Rank::Shuts => product.div_ceil(u128::from(rate_hz)),
        };
        Stamped { at, nanos: nanos as u64, wall, event }
    }

    /// The order in which events of a call count: by time, and at a tie what shuts comes last and so wins.
    pub fn order(&self) -> (u64, Rank) {
        (self.nanos, self.event.rank())
    }
}

/// What an event can do to the door, in the order in which a tie is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It neither opens nor shuts.
    Informs,
    /// It can open.
    Opens,
    /// It can shut.
    Shuts,
}

impl Event {
    /// What it can do to the door.
    pub fn rank(&self) -> Rank {
        match self {
            Event::Told { .. } | Event::Unusable { .. } => Rank::Informs,
            Event::Granted(_)
            | Event::Left { .. }
            | Event::Resumed
            | Event::Retrieved
            | Event::PrivateEnded
            | Event::WindowOpened => Rank::Opens,
            Event::Refused { .. }
            | Event::Withdrawn { .. }
            | Event::Joined { .. }
            | Event::Paused
            | Event::Held
            | Event::HungUp
            | Event::Masked { .. }
            | Event::Private
            | Event::WindowClosed
            | Event::Expired { .. } => Rank::Shuts,
        }
    }
}

//! Why a frame is not stored: a closed set, each with a stable name, each counted in the tally.

use serde::Serialize;

/// Why a frame is not stored. Every one of them is counted in the tally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// Agent: not speech (MIN-01).
    NotSpeech,
    /// Agent: the customer's voice in the agent's microphone (ONE-04).
    Bleed,
    /// Either: the channels cannot be told apart here (twin or opposite phase, ING-06).
    Doubt,
    /// Either: recording is paused (PAY-01).
    Paused,
    /// Either: the call is quarantined (ONE-06).
    Quarantined,
    /// Customer: someone on the line has decided nothing (CON-01, CON-14), or nobody is on the line.
    #[default]
    NoDecision,
    /// Customer: someone on the line refused.
    Refused,
    /// Customer: someone on the line took the grant back.
    Withdrawn,
    /// Customer: a later withdrawal would erase it, so it is never written (WDR-02).
    WithdrawnLater,
    /// Customer: a standing token ran out (CON-16).
    Expired,
    /// Customer: the call is on hold (CON-15).
    Held,
    /// Customer: the call is over (CON-16).
    CallOver,
    /// Either: a private stretch (SEL-06).
    Private,
    /// Either: outside the agent's recording windows (SEL-01).
    OutsideWindow,
    /// Either: somebody masked it afterwards (ONE-09).
    Masked,
    /// Either: the tone of a key, which is no talk and may be part of a card's number (PAY-05). Intended.
    Tone,
    /// Either: it was in hand when the process died or the store failed, and was not stored.
    Interrupted,
    /// Either: it was lost on its way; silence of the same length keeps the time line. Unintended.
    Lost,
    /// Either: the sender sent nothing (a pause or a hold of its own). Intended.
    Absent,
    /// Customer: it came and was not decoded, by policy (`drop-before-decode`). Intended.
    Undecoded,
}

impl Dropped {
    /// All reasons, in the order of the tally.
    pub const ALL: [Dropped; 20] = [
        Dropped::NotSpeech,
        Dropped::Bleed,
        Dropped::Doubt,
        Dropped::Paused,
        Dropped::Quarantined,
        Dropped::NoDecision,
        Dropped::Refused,
        Dropped::Withdrawn,
        Dropped::WithdrawnLater,
        Dropped::Expired,
        Dropped::Held,
        Dropped::CallOver,
        Dropped::Private,
        Dropped::OutsideWindow,
        Dropped::Masked,
        Dropped::Tone,
        Dropped::Interrupted,
        Dropped::Lost,
        Dropped::Absent,
        Dropped::Undecoded,
    ];

    /// The reason's stable name in manifests.
    pub fn code(self) -> &'static str {
        match self {
            Dropped::NotSpeech => "not_speech",
            Dropped::Bleed => "bleed",
            Dropped::Doubt => "doubt",
            Dropped::Paused => "paused",
            Dropped::Quarantined => "quarantined",
            Dropped::NoDecision => "no_decision",
            Dropped::Refused => "refused",
            Dropped::Withdrawn => "withdrawn",
            Dropped::WithdrawnLater => "withdrawn_later",
            Dropped::Expired => "expired",
            Dropped::Held => "held",
            Dropped::CallOver => "call_over",
            Dropped::Private => "private",
            Dropped::OutsideWindow => "outside_window",
            Dropped::Masked => "masked",
            Dropped::Tone => "tone",
            Dropped::Interrupted => "interrupted",
            Dropped::Lost => "lost",
            Dropped::Absent => "absent",
            Dropped::Undecoded => "undecoded",
        }
    }
}

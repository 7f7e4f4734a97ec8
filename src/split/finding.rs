//! What was found out about an input, and what each finding does: one table of code and manual (ING-06, ONE-06).

use serde::Serialize;

/// Something found about a call's sound or its description.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Finding {
    /// The customer's channel holds no sound at all.
    CustomerDead,
    /// The agent's channel holds no sound at all.
    AgentDead,
    /// The agent's microphone is driven into its limits.
    AgentClipped {
        /// Active frames with a sample at full scale, of a thousand.
        per_thousand: u64,
    },
    /// Both channels carry the same sound.
    Twin {
        /// Active time in which they did, seconds.
        seconds: f64,
    },
    /// Both channels carry the same sound with opposite sign.
    OppositePhase {
        /// Active time in which they did, seconds.
        seconds: f64,
    },
    /// For a while both channels carried the same sound; those frames were withheld.
    TwinPassages {
        /// How long, seconds.
        seconds: f64,
    },
    /// The sound looks as if the two sides were swapped. From sound alone this is only a warning.
    SwappedSuspected,
    /// What came with the input says that another channel is the agent's.
    MapContradicted {
        /// The agent's channel by the map in force.
        map: usize,
        /// The agent's channel as declared.
        declared: usize,
        /// Who declared it.
        by: String,
    },
    /// The input ends before its header says; what is there was processed.
    Truncated {
        /// Sample frames that the header promises.
        promised: u64,
        /// Sample frames that are there.
        found: u64,
    },
    /// The header names no length (a recorder that was interrupted); the real size was used (ING-04).
    Unfinished,
    /// The header contradicts itself in a way that could be repaired.
    HeaderRepaired {
        /// What was wrong.
        what: String,
    },
    /// Events that counted for nothing; each is in the ledger with its reason.
    EventsRejected {
        /// How many.
        count: u64,
    },
    /// Events that lie behind the end of the sound.
    EventsBeyondEnd {
        /// How many.
        count: u64,
    },
    /// The two files of a pair differ in length; the shorter one was continued with silence.
    PairLengthsDiffer {
        /// Sample frames of the agent's file.
        agent: u64,
        /// Sample frames of the customer's file, its offset included.
        customer: u64,
    },
    /// Sound was lost on its way; silence of the same length stands in its place. Unintended.
    FramesLost {
        /// Sample frames, at the call's rate.
        frames: u64,
        /// The same in seconds.
        seconds: f64,
    },
    /// The sender sent nothing for a while (a pause or a hold of its own); silence stands in its place. Intended.
    SenderSilent {
        /// Sample frames, at the call's rate.
        frames: u64,
        /// The same in seconds.
        seconds: f64,
    },
    /// The source delivers more sound than time passes: it carries what it was not said to.
    TooFast {
        /// Its pace, thousandths of real time.
        per_mille: u32,
    },
    /// What arrives is not laid out as it was said to be: more parties, another format, another length.
    LayoutMismatch {
        /// What was said, and what came.
        what: String,
    },
    /// The signalling does not tell, or tells in two ways, which side is the agent's.
    SideUnknown {
        /// What was missing or contradicted.
        what: String,
    },
    /// Nothing of this party's sound ever came, although it was to come.
    PartyMissing {
        /// Which.
        party: MissingParty,
    },
    /// The other side's number is on the never-record list, and was known only after the call had begun (SEL-06).
    NeverRecord,
    /// The process died or the store failed in mid-call; what stood by then was sealed.
    Interrupted {
        /// The last sample that is accounted for, seconds of the call.
        seconds: f64,
        /// Why, as far as it is known.
        why: String,
    },
}

/// Who never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingParty {
    /// The agent.
    Agent,
    /// The customer.
    Customer,
}

/// What a finding does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The finding is noted; what may be kept is kept.
    Noted,
    /// Both sides are withheld and the call's result is `quarantined`.
    BothWithheld,
}

impl Finding {
    /// What it does. The only table of it.
    pub fn remedy(&self) -> Remedy {
        match self {
            Finding::Twin { .. }
            | Finding::OppositePhase { .. }
            | Finding::MapContradicted { .. }
            | Finding::TooFast { .. }
            | Finding::LayoutMismatch { .. }
            | Finding::NeverRecord
            | Finding::SideUnknown { .. } => Remedy::BothWithheld,
            Finding::CustomerDead
            | Finding::AgentDead
            | Finding::AgentClipped { .. }
            | Finding::TwinPassages { .. }
            | Finding::SwappedSuspected
            | Finding::Truncated { .. }
            | Finding::Unfinished
            | Finding::HeaderRepaired { .. }
            | Finding::EventsRejected { .. }
            | Finding::EventsBeyondEnd { .. }
            | Finding::PairLengthsDiffer { .. }
            | Finding::FramesLost { .. }
            | Finding::SenderSilent { .. }
            | Finding::PartyMissing { .. }
            | Finding::Interrupted { .. } => Remedy::Noted,
        }
    }

    /// Its stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Finding::CustomerDead => "customer_dead",
            Finding::AgentDead => "agent_dead",
            Finding::AgentClipped { .. } => "agent_clipped",
            Finding::Twin { .. } => "twin",
            Finding::OppositePhase { .. } => "opposite_phase",
            Finding::TwinPassages { .. } => "twin_passages",
            Finding::SwappedSuspected => "swapped_suspected",
            Finding::MapContradicted { .. } => "map_contradicted",
            Finding::Truncated { .. } => "truncated",
            Finding::Unfinished => "unfinished",
            Finding::HeaderRepaired { .. } => "header_repaired",
            Finding::EventsRejected { .. } => "events_rejected",
            Finding::EventsBeyondEnd { .. } => "events_beyond_end",
            Finding::PairLengthsDiffer { .. } => "pair_lengths_differ",
            Finding::FramesLost { .. } => "frames_lost",
            Finding::SenderSilent { .. } => "sender_silent",
            Finding::PartyMissing { .. } => "party_missing",
            Finding::TooFast { .. } => "too_fast",
            Finding::LayoutMismatch { .. } => "layout_mismatch",
            Finding::SideUnknown { .. } => "side_unknown",
            Finding::NeverRecord => "never_record",
            Finding::Interrupted { .. } => "interrupted",
        }
    }

    /// One sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Finding::CustomerDead => "the customer's channel is silent throughout; the agent is kept, leak cannot be measured".into(),
            Finding::AgentDead => "the agent's channel is silent throughout; its track is empty".into(),
            Finding::AgentClipped { per_thousand } => format!("the agent's microphone is clipped ({per_thousand} of a thousand active frames)"),
            Finding::Twin { seconds } => format!("both channels carry the same sound ({seconds:.1} s of it); both are withheld"),
            Finding::OppositePhase { seconds } => {
                format!("both channels carry the same sound with opposite sign ({seconds:.1} s of it); both are withheld")
            }
            Finding::TwinPassages { seconds } => {
                format!("for {seconds:.1} s both channels carried the same sound; these frames were withheld")
            }
            Finding::SwappedSuspected => "the sides look swapped: the customer's channel echoes the agent's louder than a line does; check --agent-channel".into(),
            Finding::MapContradicted { map, declared, by } => {
                format!("{by} declares channel {declared} to be the agent's, the map says {map}; both are withheld")
            }
            Finding::Truncated { promised, found } => format!("the file ends early: {found} of {promised} sample frames are there"),
            Finding::Unfinished => "the header names no length (interrupted recorder); the real size was used".into(),
            Finding::HeaderRepaired { what } => format!("the header was wrong and could be repaired: {what}"),
            Finding::EventsRejected { count } => format!("{count} event(s) counted for nothing; the ledger says why"),
            Finding::EventsBeyondEnd { count } => format!("{count} event(s) lie behind the end of the sound"),
            Finding::PairLengthsDiffer { agent, customer } => {
                format!("the pair differs in length (agent {agent}, customer {customer} sample frames); filled with silence")
            }
            Finding::FramesLost { frames, seconds } => {
                format!("{frames} sample frames ({seconds:.3} s) were lost on their way; silence stands in their place")
            }
            Finding::SenderSilent { frames, seconds } => {
                format!("the sender sent nothing for {seconds:.3} s ({frames} sample frames); silence stands in its place")
            }
            Finding::PartyMissing { party: MissingParty::Agent } => {
                "the agent was to be heard and never came: nothing of the agent's sound arrived, and the agent's track is empty".into()
            }
            Finding::PartyMissing { party: MissingParty::Customer } => {
                "the customer was to be heard and never came: nothing of the customer's sound arrived; the agent is kept with nothing to compare with, leak is not measurable".into()
            }
            Finding::TooFast { per_mille } => {
                format!("the source delivers {:.2} times real time: it carries more than was said; both sides are withheld", f64::from(*per_mille) / 1_000.0)
            }
            Finding::LayoutMismatch { what } => format!("{what}; both sides are withheld"),
            Finding::SideUnknown { what } => format!("{what}, so the sides cannot be told apart; both are withheld"),
            Finding::NeverRecord => "the other side's number is on the never-record list; both sides are withheld".into(),
            Finding::Interrupted { seconds, why } => format!("the recording was interrupted at {seconds:.1} s ({why}); what stood was sealed"),
        }
    }
}

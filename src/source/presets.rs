//! What known exports mean by left and right (ING-02). Each preset says what it assumes; where an export does not fix
//! the side, the preset asks for it. Nothing is guessed: a wrong side would keep the wrong voice.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::split::AgentChannel;

const LEFT: AgentChannel = AgentChannel(0);
const RIGHT: AgentChannel = AgentChannel(1);

/// A known export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name, as `--preset` takes it.
    pub name: &'static str,
    /// What it takes for granted, in one sentence for people.
    pub assumes: &'static str,
    /// Where the agent is.
    pub side: AgentSide,
    /// Where that is known from.
    pub source: Evidence,
    /// The raw format of its files, if they have no header: for `--raw` and `--channels`; the rate has to be given.
    pub raw: Option<(&'static str, usize)>,
}

/// Where an export has the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentSide {
    /// Always on this channel.
    Fixed(AgentChannel),
    /// Depends on who called.
    ByDirection {
        /// The agent's channel when the agent called.
        outbound: AgentChannel,
        /// The agent's channel when the customer called.
        inbound: AgentChannel,
    },
    /// Depends on something that only the operator knows; the sentence says on what.
    NeedsAgentChannel(&'static str),
    /// A file for each side; the sentence says which is whose.
    NeedsPair(&'static str),
    /// Cannot be used; the sentence says why, and what to do.
    Refused(&'static str),
}

/// How well a preset's statement is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Measured on the running program.
    Measured,
    /// Stated in the vendor's or project's documentation.
    Documented,
    /// Common knowledge, not checked.
    SaidSo,
    /// Nothing that could be checked.
    Unverified,
}

/// Who called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The customer.
    Inbound,
    /// The agent.
    Outbound,
}

/// What the operator said besides the preset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--agent-channel`.
    pub agent_channel: Option<AgentChannel>,
    /// `--direction`.
    pub direction: Option<Direction>,
    /// `--pair` is given: the agent's file becomes channel 0.
    pub pair: bool,
}

/// Why a preset does not settle the agent's side.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PresetError {
    /// No such preset.
    #[error("there is no preset `{name}`; there are {}", names())]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The side depends on who called.
    #[error(
        "preset {preset}: the agent's side depends on who called; add --direction inbound|outbound, or --agent-channel"
    )]
    NeedsDirection {
        /// The preset.
        preset: &'static str,
    },
    /// The side depends on something else.
    #[error("preset {preset}: {why}; add --agent-channel left|right")]
    NeedsAgentChannel {
        /// The preset.
        preset: &'static str,
        /// On what it depends.
        why: &'static str,
    },
    /// The export is a file for each side.
    #[error("preset {preset}: {why}; add --pair 'AGENT:CUSTOMER', for instance --pair '*-agent.wav:*-customer.wav'")]
    NeedsPair {
        /// The preset.
        preset: &'static str,
        /// Which file is whose.
        why: &'static str,
    },
    /// It cannot be used.
    #[error("preset {preset}: {why}")]
    Refused {
        /// The preset.
        preset: &'static str,
        /// Why, and what to do.
        why: &'static str,
    },
    /// Preset and flags say different things.
    #[error(
        "preset {preset} has the agent on channel {by_preset}, --agent-channel says {given}; leave one of them out"
    )]
    Contradicted {
        /// The preset.
        preset: &'static str,
        /// The agent's channel by the preset.
        by_preset: AgentChannel,
        /// The agent's channel as given.
        given: AgentChannel,
    },
    /// `--pair` with an export that is one file.
    #[error("preset {preset} is of one file with both sides; leave --pair or --preset out")]
    NoPair {
        /// The preset.
        preset: &'static str,
    },
}

/// All presets, in the order of the manual.
pub fn all() -> &'static [Preset] {
    &ALL
}

/// The preset with this name.
pub fn find(name: &str) -> Result<&'static Preset, PresetError> {
    ALL.iter().find(|preset| preset.name == name).ok_or_else(|| PresetError::Unknown { name: name.into() })
}

impl Preset {
    /// The agent's channel, if preset and choice settle it.
    pub fn agent_channel(&self, choice: Choice) -> Result<AgentChannel, PresetError> {
        let preset = self.name;
        let by_preset = match (self.side, choice.direction) {
            (AgentSide::Refused(why), _) => return Err(PresetError::Refused { preset, why }),
            (AgentSide::NeedsPair(_), _) if choice.pair => LEFT,
            (AgentSide::NeedsPair(why), _) => return Err(PresetError::NeedsPair { preset, why }),
            _ if choice.pair => return Err(PresetError::NoPair { preset }),
            (AgentSide::Fixed(channel), _) => channel,
            (AgentSide::ByDirection { outbound, .. }, Some(Direction::Outbound)) => outbound,
            (AgentSide::ByDirection { inbound, .. }, Some(Direction::Inbound)) => inbound,
            (AgentSide::ByDirection { .. }, None) => {
                return choice.agent_channel.ok_or(PresetError::NeedsDirection { preset });
            }
            (AgentSide::NeedsAgentChannel(why), _) => {
                return choice.agent_channel.ok_or(PresetError::NeedsAgentChannel { preset, why });
            }
        };
        match choice.agent_channel {
            Some(given) if given != by_preset => Err(PresetError::Contradicted { preset, by_preset, given }),
            _ => Ok(by_preset),
        }
    }
}

const fn preset(name: &'static str, side: AgentSide, source: Evidence, assumes: &'static str) -> Preset {
    Preset { name, assumes, side, source, raw: None }
}

/// The caller is left: so the agent is left when the agent called.
const CALLER_LEFT: AgentSide = AgentSide::ByDirection { outbound: LEFT, inbound: RIGHT };

const MONO: AgentSide = AgentSide::Refused(
    "both voices lie in one channel, so the two sides cannot be told apart; have the two sides recorded on channels or in \
     files of their own",
);
const UNKNOWN_EXPORT: AgentSide = AgentSide::Refused(
    "what its exports look like could not be verified; listen to one, then use --agent-channel without a preset, or \
     --pair for two files",
);

static ALL: [Preset; 21] = [
    preset(
        "vicidial",
        AgentSide::Fixed(LEFT),
        Evidence::Documented,
        "stereo recording: the agent (and third parties) left, the customer right",
    ),
    preset(
        "vicidial-gateway",
        AgentSide::NeedsPair("the carrier's file is the customer's, the dialer's file the agent's"),
        Evidence::Documented,
        "two files of MixMonitor, swapped for outbound calls so that carrier is always the far side",
    ),
    preset(
        "freeswitch",
        CALLER_LEFT,
        Evidence::Measured,
        "RECORD_STEREO on the caller's leg: its speaker left, the other right; if the recording runs on the called leg, or with \
         RECORD_STEREO_SWAP, give --agent-channel",
    ),
    preset("webitel", CALLER_LEFT, Evidence::Documented, "stereo MP3: leg A (who called) left, leg B right"),
    Preset {
        raw: Some(("s16le", 2)),
        ..preset(
            "asterisk-d",
            AgentSide::NeedsAgentChannel(
                "left is who speaks on the recorded channel, right what is played to it, so it depends on whose channel MixMonitor ran",
            ),
            Evidence::Measured,
            "MixMonitor option D: raw 16-bit stereo without a header, at the channel's rate (--rate)",
        )
    },
    preset(
        "asterisk-rt",
        AgentSide::NeedsPair(
            "r(FILE) holds who speaks on the recorded channel, t(FILE) what is played to it: on the agent's channel r is the agent's",
        ),
        Evidence::Documented,
        "MixMonitor options r and t: a mono file for each direction",
    ),
    preset(
        "rtpengine-single",
        AgentSide::NeedsPair("the party of each file is told only by its label or SSRC"),
        Evidence::Measured,
        "a mono file for each SSRC, gaps left out, so that the sides drift apart where packets were lost",
    ),
    preset(
        "rtpengine-channels",
        AgentSide::Refused(
            "its channels stand in the order in which packets first came, which changes from call to call; record single files with labels and give them as --pair",
        ),
        Evidence::Measured,
        "one WAV of up to four channels in no order that can be relied upon",
    ),
    preset(
        "twilio-dual",
        CALLER_LEFT,
        Evidence::Documented,
        "dual-channel recording: the leg that came first left; if your application calls the customer first, give --agent-channel",
    ),
    preset("connect", AgentSide::Fixed(RIGHT), Evidence::SaidSo, "Amazon Connect: the agent right, everyone else left"),
    preset(
        "genesys",
        AgentSide::Fixed(RIGHT),
        Evidence::Measured,
        "dual channel in the order of AudioHook: external party (customer) left, internal party (agent) right",
    ),
    preset(
        "genesys-bulk",
        AgentSide::NeedsPair("the metadata of the export says which participant each file is"),
        Evidence::Documented,
        "bulk export with separate mono recordings for each participant",
    ),
    preset(
        "mediasense",
        AgentSide::NeedsAgentChannel("which track is whose stands in the session's track metadata"),
        Evidence::Documented,
        "two tracks of a session in one file",
    ),
    preset(
        "siprec-pair",
        AgentSide::NeedsPair("the recording metadata says which participant sends which stream"),
        Evidence::Documented,
        "a mono file for each stream",
    ),
    preset(
        "starface",
        AgentSide::NeedsAgentChannel("its documents do not say which channel is the caller's"),
        Evidence::Documented,
        "stereo WAV with one party on each channel; separate files go with --pair instead",
    ),
    preset(
        "asp-ab",
        AgentSide::NeedsPair("A is the own side, B the other; B starts later, so give --offset"),
        Evidence::Documented,
        "a file for each party",
    ),
    preset("mono", MONO, Evidence::Unverified, "one channel with both voices"),
    preset("adversus", UNKNOWN_EXPORT, Evidence::Unverified, "nothing"),
    preset("leocall", UNKNOWN_EXPORT, Evidence::Unverified, "nothing"),
    preset("dialfire", UNKNOWN_EXPORT, Evidence::Unverified, "nothing"),
    preset("leaddesk", UNKNOWN_EXPORT, Evidence::Unverified, "nothing"),
];

fn names() -> String {
    ALL.map(|preset| preset.name).join(", ")
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Evidence::Measured => "measured",
            Evidence::Documented => "documented",
            Evidence::SaidSo => "said to be so, not checked",
            Evidence::Unverified => "not verified",
        })
    }
}

impl FromStr for Direction {
    type Err = String;

    fn from_str(text: &str) -> Result<Direction, String> {
        match text {
            "inbound" => Ok(Direction::Inbound),
            "outbound" => Ok(Direction::Outbound),
            _ => Err(format!(
                "`{text}` is no direction: say inbound (the customer called) or outbound (the agent called)"
            )),
        }
    }
}

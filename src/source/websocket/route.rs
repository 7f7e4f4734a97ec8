//! Which path speaks which dialect, for which side, and who may use it.

use super::auth::Credential;
use crate::source::exchange::Party;
use crate::source::metadata::{CallFrom, Heeded};
use crate::source::wire::media_stream::Track;

/// A path that switches connect to.
#[derive(Clone, Debug)]
pub struct Route {
    /// The path, without query.
    pub path: String,
    /// What is spoken there.
    pub dialect: Dialect,
    /// By what a call is named.
    pub call: CallFrom,
    /// What of the switch's metadata is heeded.
    pub heeded: Heeded,
    /// What a connection has to bring; nothing if empty.
    pub credential: Option<Credential>,
    /// Whose keys the stream reports, where the protocol does not say it; `None`: keys are not heeded.
    pub digits: Option<Party>,
    /// The customer's payload is not decoded unless a grant stands.
    pub drop_before_decode: bool,
    /// The longest burst that is usual, ms.
    pub burst_ms: u32,
    /// The longest that sound may wait before it reaches us, ms.
    pub worst_ms: u32,
}

/// What is spoken on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// mod_audio_stream, mod_audio_fork, jambonz' `listen`.
    AudioStream {
        /// Who is in it.
        side: Side,
        /// Samples per second, unless the first text says it.
        rate_hz: Option<u32>,
    },
    /// Asterisk's chan_websocket.
    ChanWebsocket {
        /// Who is in it.
        side: Side,
    },
    /// Twilio and Telnyx media streams.
    MediaStream {
        /// Which track is the agent's.
        agent: Track,
        /// How long sound waits for what belongs before it, ms.
        reorder_ms: u32,
    },
}

impl Dialect {
    /// Its name for metrics.
    pub fn source(self) -> &'static str {
        match self {
            Dialect::AudioStream { .. } | Dialect::ChanWebsocket { .. } => "websocket",
            Dialect::MediaStream { .. } => "twilio",
        }
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::AudioStream { .. } => "audio_stream",
            Dialect::ChanWebsocket { .. } => "chan_websocket",
            Dialect::MediaStream { .. } => "media_stream",
        }
    }
}

/// Who is in a stream of plain sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// One party; the other one has a connection of its own.
    One(Party),
    /// The agent, and nobody else comes.
    AgentAlone,
    /// Both, on channels of their own.
    Stereo {
        /// The agent's channel, 0 or 1.
        agent_channel: usize,
    },
}

impl Side {
    /// Channels of the stream.
    pub fn channels(self) -> usize {
        match self {
            Side::One(_) | Side::AgentAlone => 1,
            Side::Stereo { .. } => 2,
        }
    }

    /// Whose keys a stream of one party reports.
    pub fn party(self) -> Option<Party> {
        match self {
            Side::One(party) => Some(party),
            Side::AgentAlone => Some(Party::Agent),
            Side::Stereo { .. } => None,
        }
    }
}

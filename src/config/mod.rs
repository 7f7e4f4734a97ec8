//! What is in force, and where each value comes from.
//!
//! As written ([`Raw`], everything optional, unknown keys refused) → resolved ([`Settings`]: defaults < file <
//! environment < flags, each value with its [`Origin`]). No knob opens the door: the ones that could (`on_silence =
//! "record"`, `dtmf_refuse_only`) exist only to be refused with the rule (CON-03).

pub mod explain;
pub mod keys;
pub mod live;
pub mod raw;
pub mod resolve;
pub mod secrets;
#[cfg(feature = "serve")]
pub mod serve;
pub mod staff;

pub use explain::{customer_sentence, explain};
pub use keys::{RawKey, RawKeys};
pub use live::Live;
pub use raw::{Raw, RawDanger};
pub use resolve::{AgentSide, Alone, DigestKind, Names, Settings, Sided, resolve};
pub use secrets::{read_key, read_token, read_token_list};
pub use staff::RawStaff;

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// A value in force and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a value came from, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The program's default.
    Default,
    /// The configuration file.
    File,
    /// An environment variable.
    Environment,
    /// A flag of this command.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Default => "default",
            Origin::File => "file",
            Origin::Environment => "environment",
            Origin::Flag => "flag",
        })
    }
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}; give --config an existing file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no configuration.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
    /// A value that cannot be used.
    #[error("{key} ({origin}): {message}")]
    BadValue {
        /// The knob.
        key: &'static str,
        /// Where its value came from.
        origin: Origin,
        /// What is wrong and what would be right.
        message: String,
    },
    /// An opt-out design.
    #[error(
        "{key} ({origin}): refused (CON-03): recording unless somebody objects is no consent; \
         silence never opens the door. Remove it"
    )]
    OptOut {
        /// The knob.
        key: &'static str,
        /// Where its value came from.
        origin: Origin,
    },
    /// Nobody said which channel is the agent's.
    #[error(
        "which channel is the agent's? There is no default. Say --agent-channel left|right|N, or --preset NAME \
         for a known export (`oneside presets` lists them)"
    )]
    NoAgentSide,
    /// Two statements about the agent's channel that exclude each other.
    #[error("--agent-channel {given} contradicts preset {preset}, which says {says}; drop one of the two")]
    Contradiction {
        /// The channel given.
        given: String,
        /// The preset.
        preset: String,
        /// What the preset says.
        says: String,
    },
}

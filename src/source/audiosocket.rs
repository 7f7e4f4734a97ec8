//! Calls over AudioSocket: Asterisk connects, says a UUID, and sends the sound of one party.
//!
//! A connection carries one party; which one of which call, the [`registry`] knows. Two connections of a call find each
//! other. What is unknown, or one call too many, is answered by a hang-up message, upon which Asterisk's dialplan goes on:
//! the call itself is never harmed. A connection is always read, so that Asterisk never waits; there are no time stamps,
//! so sound is placed by its arrival. What comes while the call is being begun, which may have to wait for the disk, is held
//! for a moment (`held`).

pub mod connection;
mod held;
pub mod registry;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle as Runtime;

use super::exchange::{Exchange, Party};
use super::listen::{Knocks, Listen, ListenError, Stop, accept_loop};
use super::rendezvous::Rendezvous;
use super::wire::sample::Encoding;
pub use registry::Registry;

/// The word for this source.
pub const SOURCE: &str = "audiosocket";
/// The port that is usual.
pub const PORT: u16 = 9_092;

/// What is in force.
#[derive(Clone)]
pub struct Config {
    /// Where to listen, and for whom.
    pub listen: Listen,
    /// The sender's channels have a codec, so G.711 comes under the type of 16-bit sound at 8 kHz.
    pub g711: Option<Encoding>,
    /// The customer's sound is not taken apart unless a grant stands.
    pub drop_before_decode: bool,
    /// A file that says which UUID is whose.
    pub registry: Option<PathBuf>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("address", &self.listen.address)
            .field("g711", &self.g711)
            .finish_non_exhaustive()
    }
}

/// A party that is expected.
#[derive(Clone, PartialEq, Eq)]
pub struct Expected {
    /// The call.
    pub call: String,
    /// Whose sound the connection carries.
    pub party: Party,
    /// The call has no other connection.
    pub alone: bool,
    /// Whose call it is, for staff rules.
    pub agent_id: Option<String>,
    /// The customer's number, for the never-record list.
    pub number: Option<String>,
    /// It begins as a private call.
    pub private: bool,
    /// Health and the like.
    pub sensitive: bool,
}

/// Without the number and whose call it is.
impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expected({}, {:?}, alone: {})", self.call, self.party, self.alone)
    }
}

/// What is counted of all connections.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages of types that there are not.
    pub unknown: AtomicU64,
    /// Messages that are not as they have to be.
    pub malformed: AtomicU64,
    /// Errors that the other end told.
    pub errors: AtomicU64,
    /// Connections that ended in the middle of a message.
    pub torn: AtomicU64,
    /// Streams found to be of another coding than was said.
    pub other_coding: AtomicU64,
    /// Messages that came before their call had begun and found no room: it began late.
    pub early: AtomicU64,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A source at work.
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// Who knocked.
    pub knocks: Arc<Knocks>,
    /// What is counted.
    pub counts: Arc<Counts>,
    /// Where calls are announced.
    pub registry: Arc<Registry>,
}

/// What every connection works with.
pub(super) struct Shared {
    config: Config,
    exchange: Arc<dyn Exchange>,
    registry: Arc<Registry>,
    rendezvous: Rendezvous,
    counts: Arc<Counts>,
    stop: Stop,
}

impl Shared {
    /// How sound comes under the type of this rate.
    fn encoding(&self, rate_hz: u32) -> Encoding {
        self.config.g711.filter(|_| rate_hz == 8_000).unwrap_or(Encoding::S16)
    }
}

/// Begins to listen.
pub fn start(
    config: Config,
    exchange: Arc<dyn Exchange>,
    runtime: &Runtime,
    stop: Stop,
) -> Result<Started, ListenError> {
    let listener = config.listen.bind()?;
    let address =
        listener.local_addr().map_err(|source| ListenError::Bind { address: config.listen.address, source })?;
    let registry = Arc::new(Registry::new(config.registry.clone()));
    let (knocks, counts) = (Arc::new(Knocks::default()), Arc::new(Counts::default()));
    let listen = config.listen.clone();
    let shared = Arc::new(Shared {
        config,
        exchange,
        registry: Arc::clone(&registry),
        rendezvous: Rendezvous::default(),
        counts: Arc::clone(&counts),
        stop: stop.clone(),
    });
    let serve = move |stream, _| connection::serve(Arc::clone(&shared), stream);
    runtime.spawn(accept_loop(listener, listen, Arc::clone(&knocks), stop, serve));
    Ok(Started { address, knocks, counts, registry })
}

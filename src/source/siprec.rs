//! A session recording server (RFC 7866): switches call it, by SIP, and send a copy of both parties' sound.
//!
//! * `listeners`: SIP over UDP, TCP and TLS.
//! * `transactions`, `dialog`: what RFC 3261 asks of who is called. Pure.
//! * `server`: which message belongs to what.
//! * `session`: a recording session, on a task of its own.
//! * `recorded`: which stream is whose, and what becomes of it when the client changes its mind.
//!
//! The customer's stream is accepted always, and dropped here: clients go on sending what was refused, or give the whole
//! recording up. Its key presses are read in any case. A call in doubt is answered as any other, so that nothing happens
//! to it, and nothing of it is kept (ONE-06).

mod dialog;
mod listeners;
mod names;
mod peer;
mod recorded;
mod server;
mod session;
mod streams;
mod transactions;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::runtime::Handle;

use self::recorded::Means;
use self::server::Server;
use super::exchange::Exchange;
use super::listen::{Knocks, Listen, ListenError, Stop, accept_loop};
use super::rtp::Receiver;

pub use self::names::CallName;
pub use super::wire::siprec::{AgentRules, Pattern};

/// How session recording clients are served.
#[derive(Clone)]
pub struct SiprecConfig {
    /// SIP over UDP.
    pub udp: Option<Listen>,
    /// SIP over TCP.
    pub tcp: Option<Listen>,
    /// SIP over TLS.
    pub tls: Option<Listen>,
    /// The address that clients are told to call, where it is not the one that is bound.
    pub advertised: Option<IpAddr>,
    /// How the agent is known.
    pub agent: AgentRules,
    /// The customer's sound is not decoded unless a grant stands.
    pub drop_before_decode: bool,
    /// Which id a call takes its name from.
    pub call_name: CallName,
    /// Rules for staff go by the user part of the agent's address.
    pub agent_id_is_user: bool,
    /// Sessions at a time.
    pub sessions_max: usize,
    /// What a client is told to wait when there is no room, s.
    pub retry_after_s: u32,
    /// A session of which nothing was heard for so long is ended: its client has died.
    pub silent_max: Duration,
}

impl std::fmt::Debug for SiprecConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listens = |listen: &Option<Listen>| listen.as_ref().map(|listen| listen.address);
        f.debug_struct("SiprecConfig")
            .field("udp", &listens(&self.udp))
            .field("tcp", &listens(&self.tcp))
            .field("tls", &listens(&self.tls))
            .finish_non_exhaustive()
    }
}

/// What was started.
#[derive(Clone, Debug, Default)]
pub struct Started {
    /// SIP over UDP.
    pub udp: Option<SocketAddr>,
    /// SIP over TCP.
    pub tcp: Option<SocketAddr>,
    /// SIP over TLS.
    pub tls: Option<SocketAddr>,
    /// Who knocked, at any of them.
    pub knocks: Arc<Knocks>,
}

/// Starts the server: it listens when this returns, until `stop`; then every session is ended with a BYE.
pub fn start(
    config: SiprecConfig,
    receiver: Arc<Receiver>,
    exchange: Arc<dyn Exchange>,
    runtime: &Handle,
    stop: Stop,
) -> Result<Started, ListenError> {
    let _entered = runtime.enter();
    let config = Arc::new(config);
    let means = Means { config: Arc::clone(&config), exchange, receiver };
    let server = Server::new(means, stop.clone());
    let mut started = Started::default();
    if let Some(listen) = config.udp.clone() {
        listen.check()?;
        let bind = |source| ListenError::Bind { address: listen.address, source };
        let socket = std::net::UdpSocket::bind(listen.address).map_err(bind)?;
        socket.set_nonblocking(true).map_err(bind)?;
        let socket = Arc::new(UdpSocket::from_std(socket).map_err(bind)?);
        started.udp = socket.local_addr().ok();
        // It ends with the last session: until then BYEs are to be answered.
        let (serving, knocks) = (Arc::clone(&server), Arc::clone(&started.knocks));
        runtime.spawn(async move {
            tokio::select! {
                _ = listeners::datagrams(Arc::clone(&serving), socket, listen, knocks) => {}
                () = serving.look_after() => {}
            }
        });
    } else {
        runtime.spawn(Arc::clone(&server).look_after());
    }
    for (listen, tls) in [(config.tcp.clone(), false), (config.tls.clone(), true)] {
        let Some(listen) = listen else { continue };
        let listener = listen.bind()?;
        let bound = listener.local_addr().unwrap_or(listen.address);
        *(if tls { &mut started.tls } else { &mut started.tcp }) = Some(bound);
        let server = Arc::clone(&server);
        let serve = move |stream, from| listeners::connection(Arc::clone(&server), stream, from, bound, tls);
        runtime.spawn(accept_loop(listener, listen, Arc::clone(&started.knocks), stop.clone(), serve));
    }
    Ok(started)
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

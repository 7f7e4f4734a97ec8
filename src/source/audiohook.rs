//! Genesys AudioHook, version 2: Genesys Cloud connects to us for each conversation and streams both parties, or one.
//!
//! The protocol says which channel is whose: `external` is the customer, `internal` the agent. By reference `guard` both
//! are taken; by `drop-before-decode` the agent alone, and the client's promise to send nothing else is held against the
//! clock and against the position that it declares itself.
//!
//! While nothing of either side is wanted (a pause, a private stretch) the client is asked to pause as well, so that no
//! voice leaves the switch at all. It is never trusted to: what arrives is judged at the door as ever.
//!
//! The server sends no binary message, ever.

mod session;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::{StatusCode, header};

use self::session::Named;
use super::exchange::Exchange;
use super::listen::{Knocks, Listen, ListenError, Stop, Stream, accept_loop};
use super::metadata::Heeded;
use super::websocket::link::{Link, limits};
use super::websocket::{Handshakes, REQUEST_WITHIN, Started, refused};
use super::wire::audiohook::TEXT_BYTES_MAX;
use super::wire::http_signature::{self, Keys, Verifier};

/// A connection on which nothing comes for so long has ended. The client asks every 5 s whether we are there.
const IDLE: Duration = Duration::from_secs(30);

/// Where to listen, and for what.
#[derive(Clone)]
pub struct AudioHookConfig {
    /// Where.
    pub listen: Listen,
    /// The path, without query.
    pub path: String,
    /// The keys of those who may connect. Empty: nobody is asked for one.
    pub keys: Keys,
    /// The host by which the client knows us, where something in between changes it.
    pub authority: Option<String>,
    /// The agent alone is taken, and the customer's sound refused.
    pub drop_before_decode: bool,
    /// What of `inputVariables` and `customConfig` is heeded.
    pub heeded: Heeded,
    /// The longest that sound may wait before it reaches us, ms.
    pub worst_ms: u32,
    /// The longest burst that is usual, ms.
    pub burst_ms: u32,
}

/// What the sessions share.
struct Shared {
    exchange: Arc<dyn Exchange>,
    config: AudioHookConfig,
    verifier: Mutex<Verifier>,
    handshakes: Arc<Handshakes>,
    stop: Stop,
}

/// Binds the listener and serves what connects until `stop`.
pub fn start(
    config: AudioHookConfig,
    exchange: Arc<dyn Exchange>,
    runtime: &Handle,
    stop: Stop,
) -> Result<Started, ListenError> {
    let (knocks, handshakes) = (Arc::new(Knocks::default()), Arc::new(Handshakes::default()));
    let listen = config.listen.clone();
    let listener = listen.bind()?;
    let unknown = |source: io::Error| ListenError::Bind { address: listen.address, source };
    let addresses = vec![listener.local_addr().map_err(unknown)?];
    let verifier = Mutex::new(Verifier::new(config.keys.clone()));
    let shared =
        Arc::new(Shared { exchange, config, verifier, handshakes: Arc::clone(&handshakes), stop: stop.clone() });
    let serve = move |stream: Stream, _peer: SocketAddr| connected(Arc::clone(&shared), stream);
    runtime.spawn(accept_loop(listener, listen, Arc::clone(&knocks), stop, serve));
    Ok(Started { addresses, knocks, handshakes })
}

async fn connected(shared: Arc<Shared>, stream: Stream) {
    let mut named = None;
    let mut unauthorized = false;
    #[allow(clippy::result_large_err, reason = "the type is that of the handshake, once a connection")]
    let answer = |request: &Request, response: Response| match admitted(&shared, request) {
        Ok(session) => {
            named = Some(session);
            Ok(response)
        }
        Err(status) => {
            unauthorized = status == StatusCode::UNAUTHORIZED;
            Err(refused(status))
        }
    };
    let config = limits(TEXT_BYTES_MAX);
    let handshake = timeout(REQUEST_WITHIN, accept_hdr_async_with_config(stream, answer, Some(config))).await;
    let (Ok(Ok(socket)), Some(named)) = (handshake, named) else {
        let count = if unauthorized { &shared.handshakes.unauthorized } else { &shared.handshakes.unfinished };
        count.fetch_add(1, Ordering::Relaxed);
        return;
    };
    shared.handshakes.opened.fetch_add(1, Ordering::Relaxed);
    let link = Link::new(socket, shared.stop.clone(), IDLE);
    session::serve(link, shared, named).await;
}

/// What a request names, if it may open a session.
fn admitted(shared: &Shared, request: &Request) -> Result<Named, StatusCode> {
    if request.uri().path() != shared.config.path {
        return Err(StatusCode::NOT_FOUND);
    }
    let headers: Option<Vec<(String, String)>> = request
        .headers()
        .iter()
        .map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let headers = headers.ok_or(StatusCode::BAD_REQUEST)?;
    let one = |name: &str| {
        let mut values = headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    };
    if !shared.config.keys.is_empty() {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let host = one(header::HOST.as_str()).ok_or(StatusCode::BAD_REQUEST)?;
        let authority = shared.config.authority.as_deref().unwrap_or(host);
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let signed = http_signature::Request { target, authority, headers: &headers };
        let mut verifier = shared.verifier.lock().unwrap_or_else(PoisonError::into_inner);
        verifier.verify(&signed, now_s).map_err(|_| StatusCode::UNAUTHORIZED)?;
    }
    let named = |name: &str| one(name).map(str::to_owned);
    Ok(Named { organization: named("audiohook-organization-id"), session: named("audiohook-session-id") })
}

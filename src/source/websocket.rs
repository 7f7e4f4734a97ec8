//! WebSocket sources: FreeSWITCH's mod_audio_stream and mod_audio_fork, jambonz' `listen`, Asterisk's chan_websocket,
//! Twilio and Telnyx media streams. The switch connects to us, and only listens: nothing is sent back but what the
//! WebSocket protocol itself demands.
//!
//! The path says what is spoken and whose sound it is ([`route`]). The query string says nothing: Asterisk has been seen to
//! leak one call's values into the next. A stream is always read on, whatever becomes of its call, until it ends or we
//! end it: no switch waits for us.
//!
//! * [`auth`]: who may connect. `link`: a connection and its limits. `raw`, `media`: the dialects.
//! * `lay`, `playout`: where sound goes, by its arrival and by its time stamps.

pub mod auth;
pub(in crate::source) mod link;
pub mod route;

mod lay;
mod media;
mod playout;
mod raw;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode, header};

use self::link::{Link, limits};
use self::route::{Dialect, Route};
use super::exchange::{Declined, Exchange};
use super::listen::{Knocks, Listen, ListenError, Stop, Stream, accept_loop};
use super::metadata::CallFrom;
use super::rendezvous::Rendezvous;
use super::wire::json::{Words, name};

/// Time for the request that opens a connection.
pub(in crate::source) const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// Time for the text that says what a connection is.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// How often a connection looks whether its call is over.
const TICK: Duration = Duration::from_millis(100);
/// Subprotocols that are taken if they are offered; none is needed.
const SUBPROTOCOLS: [&str; 3] = ["media", "audio.drachtio.org", "audio.jambonz.org"];

/// Where to listen, and for what.
#[derive(Clone)]
pub struct WebSocketConfig {
    /// Where.
    pub listen: Vec<Listen>,
    /// What is spoken on which path.
    pub routes: Vec<Arc<Route>>,
    /// A connection on which nothing comes for so long has ended.
    pub idle: Duration,
    /// Longest message, bytes.
    pub message_bytes_max: usize,
}

/// What listens now.
pub struct Started {
    /// Where.
    pub addresses: Vec<SocketAddr>,
    /// What became of those who knocked.
    pub knocks: Arc<Knocks>,
    /// What became of those who were let in.
    pub handshakes: Arc<Handshakes>,
}

/// What became of requests to open a connection.
#[derive(Debug, Default)]
pub struct Handshakes {
    /// Opened.
    pub opened: AtomicU64,
    /// Not finished in time, or no request of a WebSocket.
    pub unfinished: AtomicU64,
    /// No such path.
    pub no_route: AtomicU64,
    /// Without the right to.
    pub unauthorized: AtomicU64,
}

/// What the connections share.
struct Shared {
    exchange: Arc<dyn Exchange>,
    rendezvous: Rendezvous,
    routes: Vec<Arc<Route>>,
    handshakes: Arc<Handshakes>,
    idle: Duration,
    message_bytes_max: usize,
    stop: Stop,
}

/// Binds the listeners and serves what connects until `stop`.
pub fn start(
    config: WebSocketConfig,
    exchange: Arc<dyn Exchange>,
    runtime: &Handle,
    stop: Stop,
) -> Result<Started, ListenError> {
    let handshakes = Arc::new(Handshakes::default());
    let knocks = Arc::new(Knocks::default());
    let shared = Arc::new(Shared {
        exchange,
        rendezvous: Rendezvous::default(),
        routes: config.routes,
        handshakes: Arc::clone(&handshakes),
        idle: config.idle,
        message_bytes_max: config.message_bytes_max,
        stop: stop.clone(),
    });
    let mut addresses = Vec::new();
    for listen in config.listen {
        let listener = listen.bind()?;
        let unknown = |source: io::Error| ListenError::Bind { address: listen.address, source };
        addresses.push(listener.local_addr().map_err(unknown)?);
        let serve = {
            let shared = Arc::clone(&shared);
            move |stream: Stream, _peer: SocketAddr| connected(Arc::clone(&shared), stream)
        };
        runtime.spawn(accept_loop(listener, listen, Arc::clone(&knocks), stop.clone(), serve));
    }
    Ok(Started { addresses, knocks, handshakes })
}

async fn connected(shared: Arc<Shared>, stream: Stream) {
    let mut chosen = None;
    #[allow(clippy::result_large_err, reason = "the type is that of the handshake, once a connection")]
    let answer = |request: &Request, mut response: Response| {
        chosen = Some(admitted(&shared, request)?);
        if let Some(protocol) = subprotocol(request.headers()) {
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        Ok(response)
    };
    let config = limits(shared.message_bytes_max);
    let handshake = timeout(REQUEST_WITHIN, accept_hdr_async_with_config(stream, answer, Some(config))).await;
    let (Ok(Ok(socket)), Some(route)) = (handshake, chosen) else {
        shared.handshakes.unfinished.fetch_add(1, Ordering::Relaxed);
        return;
    };
    shared.handshakes.opened.fetch_add(1, Ordering::Relaxed);
    let link = Link::new(socket, shared.stop.clone(), shared.idle);
    match route.dialect {
        Dialect::AudioStream { side, .. } | Dialect::ChanWebsocket { side } => {
            raw::serve(link, shared, route, side).await;
        }
        Dialect::MediaStream { agent, reorder_ms } => media::serve(link, shared, route, agent, reorder_ms).await,
    }
}

/// The route of a request that may use it.
#[allow(clippy::result_large_err, reason = "the type is that of the handshake, once a connection")]
fn admitted(shared: &Shared, request: &Request) -> Result<Arc<Route>, ErrorResponse> {
    let Some(route) = shared.routes.iter().find(|route| route.path == request.uri().path()) else {
        shared.handshakes.no_route.fetch_add(1, Ordering::Relaxed);
        return Err(refused(StatusCode::NOT_FOUND));
    };
    let admitted = route
        .credential
        .as_ref()
        .is_none_or(|credential| credential.admits(|header| one_header(request.headers(), header)));
    if !admitted {
        shared.handshakes.unauthorized.fetch_add(1, Ordering::Relaxed);
        return Err(refused(StatusCode::UNAUTHORIZED));
    }
    Ok(Arc::clone(route))
}

/// The value of a header that is there once.
fn one_header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    value.filter(|_| values.next().is_none())
}

/// An answer that opens nothing.
pub(in crate::source) fn refused(status: StatusCode) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    response
}

/// The first of the offered subprotocols that is known.
fn subprotocol(headers: &HeaderMap) -> Option<&'static str> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut offered = offered.flat_map(|value| value.split(',')).map(str::trim);
    offered.find_map(|offered| SUBPROTOCOLS.into_iter().find(|known| *known == offered))
}

/// The call's name, from where the configuration says.
fn call_named(
    from: &CallFrom,
    id: Option<&str>,
    connection: Option<&str>,
    text: Option<&str>,
    words: &Words,
) -> Result<String, Declined> {
    let said = match from {
        CallFrom::Id => id,
        CallFrom::Connection => connection,
        CallFrom::Text => text,
        CallFrom::Key(key) => words.get(key).map(String::as_str),
    };
    let unnamed = || Declined::new("unnamed", "the stream does not name its call where this path says it does");
    said.and_then(name).map(str::to_owned).ok_or_else(unnamed)
}

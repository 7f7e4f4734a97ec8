//! Where the clients of a media server knock: a listener with its limits, who may come in, and TLS.
//!
//! What is refused here is refused before a byte of it is read. A connection that comes to nothing is counted, never an
//! error of the program.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ipnet::IpNet;
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
pub use tokio_util::sync::CancellationToken as Stop;

/// Time for a TLS handshake.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// Rest after an accept that failed: the system is out of descriptors, and trying at once would not help.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A connection on which nothing came for so long is asked whether the other end is still there.
const ALIVE_ASKED: Duration = Duration::from_secs(60);
/// How long it has for an answer before it is asked again.
const ALIVE_AGAIN: Duration = Duration::from_secs(10);

/// Where to listen, and for whom.
#[derive(Clone)]
pub struct Listen {
    /// The address; with port 0 any free one.
    pub address: SocketAddr,
    /// TLS, if connections are to be encrypted.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Who may connect; everybody if empty.
    pub allow: Vec<IpNet>,
    /// Connections at a time. One more is closed at once.
    pub connections_max: usize,
    /// An address that others reach may go without TLS (`[danger] plain_listeners`), or the protocol has none and
    /// `allow` says who may come.
    pub plain_allowed: bool,
}

/// Without the keys.
impl std::fmt::Debug for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listen")
            .field("address", &self.address)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// Why nothing listens.
#[derive(Debug, Error)]
pub enum ListenError {
    /// An address that others reach, without what keeps them out (SEC-03).
    #[error(
        "{0} can be reached from other machines, so it needs TLS (tls_cert, tls_key), or an `allow` list where the protocol \
         has none (SEC-03); give it, listen on 127.0.0.1, or say `plain_listeners = true` under [danger]"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be used.
    #[error("cannot listen on {address}: {source}; another program may be there")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// What became of those who knocked.
#[derive(Debug, Default)]
pub struct Knocks {
    /// Let in.
    pub accepted: AtomicU64,
    /// Not on the list.
    pub not_allowed: AtomicU64,
    /// One too many.
    pub too_many: AtomicU64,
    /// No TLS handshake in time.
    pub no_handshake: AtomicU64,
}

impl Listen {
    /// Whether this peer may come in.
    pub fn allows(&self, peer: IpAddr) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|net| net.contains(&peer.to_canonical()))
    }

    /// Checks what SEC-03 asks, for UDP as well as TCP.
    pub fn check(&self) -> Result<(), ListenError> {
        let kept = self.address.ip().is_loopback() || self.tls.is_some() || self.plain_allowed;
        if kept { Ok(()) } else { Err(ListenError::NotLoopback(self.address)) }
    }

    /// Binds the address; what it listens on is told by the listener.
    pub fn bind(&self) -> Result<StdListener, ListenError> {
        self.check()?;
        let bind = |source| ListenError::Bind { address: self.address, source };
        let listener = StdListener::bind(self.address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        Ok(listener)
    }
}

/// Accepts connections until `stop`, and serves each on a task of its own. Must run on a tokio runtime.
pub async fn accept_loop<F, Served>(
    listener: StdListener,
    listen: Listen,
    knocks: Arc<Knocks>,
    stop: Stop,
    serve: F,
) -> io::Result<()>
where
    F: Fn(Stream, SocketAddr) -> Served + Send + Sync + 'static,
    Served: Future<Output = ()> + Send,
{
    let listener = TcpListener::from_std(listener)?;
    let (room, serve) = (Arc::new(Semaphore::new(listen.connections_max)), Arc::new(serve));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_REST).await;
            continue;
        };
        if !listen.allows(peer.ip()) {
            knocks.not_allowed.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            knocks.too_many.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        knocks.accepted.fetch_add(1, Ordering::Relaxed);
        let _ = stream.set_nodelay(true);
        let _ = watch_over(&stream);
        let (tls, serve, knocks) = (listen.tls.clone(), Arc::clone(&serve), Arc::clone(&knocks));
        tokio::spawn(async move {
            let stream = match tls {
                None => Stream::Plain(stream),
                Some(tls) => {
                    let handshake = TlsAcceptor::from(tls).accept(stream);
                    match tokio::time::timeout(HANDSHAKE_WITHIN, handshake).await {
                        Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
                        _ => {
                            knocks.no_handshake.fetch_add(1, Ordering::Relaxed);
                            return;
                        }
                    }
                }
            };
            serve(stream, peer).await;
            drop(permit);
        });
    }
}

/// A peer that vanished without a word (its machine died, its line was cut) is noticed by the system within a few minutes:
/// the connection breaks, and its call ends and is sealed. Sound that is merely not sent, as in a hold, breaks nothing.
fn watch_over(stream: &TcpStream) -> io::Result<()> {
    let alive = TcpKeepalive::new().with_time(ALIVE_ASKED).with_interval(ALIVE_AGAIN);
    SockRef::from(stream).set_tcp_keepalive(&alive)
}

/// A connection, encrypted or not.
pub enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! passed_on {
    ($self:ident, $stream:ident => $work:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => $work,
            Stream::Tls($stream) => $work,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        passed_on!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        passed_on!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        passed_on!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        passed_on!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

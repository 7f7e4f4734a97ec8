//! The thread that serves. All that can be wrong with the configuration is found before it starts.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum_server::Handle;
use axum_server::accept::DefaultAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;

use super::bounds::{Bounded, HEAD_WITHIN};
use super::guard::Guard;
use super::metrics::Answers;
use super::news::{News, look};
use super::{HttpConfig, HttpError, Shared, router};
use crate::config::{read_key, read_token};
use crate::run::live::Desk;
use crate::source::tls::{self, TlsError};

/// Time that running answers get when the API ends.
const END_WITHIN: Duration = Duration::from_millis(500);

/// The API, being served.
pub struct Running {
    /// Where it listens: the port is known here even if any was asked for.
    pub address: SocketAddr,
    /// The page's address.
    pub url: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Ends it, and waits until it has ended.
    pub fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // It ends in time or not: nothing of a call depends on it.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// What keeps others out: read, and found to be enough (SEC-03).
struct Lock {
    tls: Option<RustlsConfig>,
    token: Option<String>,
}

impl HttpConfig {
    /// Whether the API could be served so, as far as that can be told without listening.
    pub fn check(&self) -> Result<(), HttpError> {
        self.lock().map(drop)
    }

    fn lock(&self) -> Result<Lock, HttpError> {
        let tls = match (&self.tls_cert, &self.tls_key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(tls(cert, key)?),
            _ => return Err(HttpError::HalfTls),
        };
        let lacks = match (&tls, &self.token_file) {
            _ if self.listen.ip().is_loopback() => None,
            (None, None) => Some("TLS (--tls-cert, --tls-key) and a token (--http-token)"),
            (None, Some(_)) => Some("TLS (--tls-cert, --tls-key)"),
            (Some(_), None) => Some("a token (--http-token)"),
            (Some(_), Some(_)) => None,
        };
        if let Some(lacks) = lacks {
            return Err(HttpError::NotLoopback { listen: self.listen, lacks });
        }
        Ok(Lock { tls, token: self.token_file.as_deref().map(read_token).transpose()? })
    }
}

/// Serves the desk on a thread of its own until `stop` is raised or the handle is dropped.
pub fn serve(desk: Arc<Desk>, config: HttpConfig, stop: Arc<AtomicBool>) -> Result<Running, HttpError> {
    let Lock { tls, token } = config.lock()?;
    let listen = config.listen;
    let loopback = listen.ip().is_loopback();
    let token = token.map(|token| blake3::hash(token.as_bytes()));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let bind = |source| HttpError::Bind { listen, source };
    let listener = TcpListener::bind(listen).map_err(bind)?;
    listener.set_nonblocking(true).map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let shared = Arc::new(Shared {
        desk,
        guard: Guard { token, loopback, names: config.names, scheme },
        page: config.page,
        news: News::default(),
        answers: Answers::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HttpError::Start)?;
    let stopped = Arc::clone(&stop);
    let thread = std::thread::Builder::new()
        .name("http".into())
        .spawn(move || {
            // A listener that fails later ends the API, never the recording.
            let _ = runtime.block_on(run(shared, listener, tls, stopped));
            runtime.shutdown_timeout(END_WITHIN);
        })
        .map_err(HttpError::Start)?;
    Ok(Running { address, url: format!("{scheme}://{address}/"), stop, thread: Some(thread) })
}

async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    stop: Arc<AtomicBool>,
) -> std::io::Result<()> {
    let handle = Handle::new();
    let service = router(&shared).into_make_service();
    let ending = handle.clone();
    tokio::spawn(async move {
        look(shared, || stop.load(Ordering::Acquire)).await;
        ending.graceful_shutdown(Some(END_WITHIN));
    });
    let mut server = axum_server::from_tcp(listener)?.http1_only().handle(handle);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(64 * 1024);
    match tls {
        Some(tls) => server.acceptor(Bounded::new(RustlsAcceptor::new(tls))).serve(service).await,
        None => server.acceptor(Bounded::new(DefaultAcceptor::new())).serve(service).await,
    }
}

fn tls(cert: &Path, key: &Path) -> Result<RustlsConfig, HttpError> {
    let made = tls::server(&read_key(cert)?, &read_key(key)?, &["http/1.1"]);
    made.map(RustlsConfig::from_config).map_err(|error| match error {
        TlsError::Certificate(what) => HttpError::Tls { path: cert.to_owned(), what },
        TlsError::Key(what) => HttpError::Tls { path: key.to_owned(), what },
    })
}

//! The HTTP API, and the agent's page. Every answer tells what the writer did, never what was asked (INF-03, CON-10).
//!
//! * [`guard`]: who may ask: loopback only unless TLS and a token are configured (SEC-03); no cross-site requests.
//! * [`calls`]: calls are opened, closed, looked at, and told what happened.
//! * [`news`]: what changes, as it changes (server-sent events).
//! * [`metrics`]: health, and figures for Prometheus.
//! * [`page`]: the agent's page and the OpenAPI document; all of it is part of the program, nothing is downloaded.
//! * [`problem`]: errors (RFC 9457), each with a stable code and what to do.
//! * [`server`], [`bounds`]: the thread that serves, TLS, limits against slow and many clients.
//!
//! Nothing is logged. The program knows no cookies, so that no page of another site can act in the agent's name.

pub mod bounds;
pub mod calls;
pub mod guard;
pub mod metrics;
pub mod news;
pub mod page;
pub mod problem;
pub mod server;

pub use page::PageConfig;
pub use server::{Running, serve};

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post};
use thiserror::Error;

use crate::config::ConfigError;
use crate::run::live::Desk;
use crate::source::wire::asked::ASKS;
use guard::Guard;
use metrics::Answers;
use news::News;

/// Where the API listens if nothing else is said.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8741);

/// How the API is served.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// The address. One that is not loopback needs TLS and a token (SEC-03).
    pub listen: SocketAddr,
    /// Certificate chain (PEM).
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// A file with the token that every request has to bring; on loopback it keeps other local users out.
    pub token_file: Option<PathBuf>,
    /// Names under which the machine is reached, besides its addresses and `localhost`.
    pub names: Vec<String>,
    /// What the agent's page is told.
    pub page: PageConfig,
}

/// For people: where, and what keeps others out.
impl std::fmt::Display for HttpConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tls = if self.tls_cert.is_some() { "TLS" } else { "no TLS" };
        let token = if self.token_file.is_some() { "with a token" } else { "no token" };
        write!(f, "{}, {tls}, {token}", self.listen)
    }
}

impl Default for HttpConfig {
    fn default() -> HttpConfig {
        HttpConfig {
            listen: LISTEN,
            tls_cert: None,
            tls_key: None,
            token_file: None,
            names: Vec::new(),
            page: PageConfig::default(),
        }
    }
}

/// Why the API is not served. All of them are errors of configuration; nothing was opened.
#[derive(Debug, Error)]
pub enum HttpError {
    /// An address that others reach, without what keeps them out.
    #[error(
        "{listen} can be reached from other machines, so it needs {lacks} (SEC-03); give them, or listen on 127.0.0.1"
    )]
    NotLoopback {
        /// The address.
        listen: SocketAddr,
        /// What is missing.
        lacks: &'static str,
    },
    /// One of the two files is missing.
    #[error("TLS needs both a certificate and its key: give --tls-cert and --tls-key")]
    HalfTls,
    /// The certificate or the key cannot be used.
    #[error("{}: {what}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A file that the settings name.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be used.
    #[error("cannot listen on {listen}: {source}; another program may be there: choose another port with --http")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The thread that serves cannot be started.
    #[error("the HTTP API cannot be started: {0}")]
    Start(std::io::Error),
}

/// What all requests share.
pub struct Shared {
    desk: Arc<Desk>,
    guard: Guard,
    page: PageConfig,
    news: News,
    answers: Answers,
}

type Routes = Vec<(&'static str, String, MethodRouter<Arc<Shared>>)>;

fn table() -> Routes {
    let mut routes: Routes = vec![
        ("get", "/".into(), get(page::index)),
        ("get", "/page.css".into(), get(page::style)),
        ("get", "/page.js".into(), get(page::script)),
        ("get", "/words.js".into(), get(page::words)),
        ("get", "/openapi.json".into(), get(page::openapi)),
        ("get", "/health".into(), get(metrics::health)),
        ("get", "/metrics".into(), get(metrics::metrics)),
        ("get", "/v1/page".into(), get(page::config)),
        ("get", "/v1/calls".into(), get(calls::list)),
        ("post", "/v1/calls".into(), post(calls::open)),
        ("get", "/v1/calls/{call}".into(), get(calls::state)),
        ("delete", "/v1/calls/{call}".into(), delete(calls::close)),
        ("post", "/v1/calls/{call}/close".into(), post(calls::close_by_post)),
        ("get", "/v1/ended".into(), get(calls::ended)),
        ("post", "/v1/expected".into(), post(calls::expect)),
        ("delete", "/v1/expected/{call}".into(), delete(calls::forget)),
        ("get", "/v1/events".into(), get(news::events)),
    ];
    for (kind, _) in ASKS {
        let ask = move |shared, call, request| calls::ask(kind, shared, call, request);
        routes.push(("post", format!("/v1/calls/{{call}}/{kind}"), post(ask)));
    }
    routes
}

/// Every route: method and path, as in the OpenAPI document.
pub fn routes() -> Vec<(&'static str, String)> {
    table().into_iter().map(|(method, path, _)| (method, path)).collect()
}

fn router(shared: &Arc<Shared>) -> Router {
    let mut router = Router::new();
    for (_, path, handler) in table() {
        router = router.route(&path, handler);
    }
    router
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(axum::extract::DefaultBodyLimit::max(calls::BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(shared), guard::guard))
        .with_state(Arc::clone(shared))
}

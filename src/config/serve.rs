//! `[serve]`: a media server's calls. Which sources there are, where they listen, and the limits of all of them.
//!
//! Each source's part stands in a file of its own beside this one.

pub mod audiohook;
pub mod audiosocket;
pub mod heeded;
pub mod websocket;

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

use self::rtp::RawRtp;
use self::rtpengine::RawRtpengine;
use self::siprec::RawSiprec;
use super::secrets::read_key;
use super::{ConfigError, Origin, RawDanger};
use crate::source::listen::Listen;
use crate::source::rtp::{AnnouncedConfig, Settings as RtpSettings};
use crate::source::rtpengine::RtpengineConfig;
use crate::source::siprec::SiprecConfig;
use crate::source::tls::{self, TlsError};

pub mod rtp;
pub mod rtpengine;
mod shown;
pub mod siprec;

/// Calls in hand, at most, unless more are asked for.
pub const CALLS_MAX: usize = 4_000;
/// The most that can be asked for.
const CALLS_MAX_MAX: usize = 100_000;
/// Time in which calls are brought to an end when the server is.
pub const DRAIN_S: u64 = 20;
/// Connections of one listener at a time.
pub const CONNECTIONS_MAX: usize = 12_000;

/// `[serve]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawServe {
    /// Where outputs go.
    pub out: Option<PathBuf>,
    /// Threads that have calls; one a core if absent.
    pub workers: Option<usize>,
    /// Calls in hand, at most.
    pub calls_max: Option<usize>,
    /// `flat`, or `date`: a directory for each day (UTC).
    pub layout: Option<String>,
    /// Seconds in which calls are brought to an end when the server is.
    pub drain_s: Option<u64>,
    /// The HTTP API.
    pub http: Option<RawHttp>,
    /// How RTP is received, and calls of it that are announced.
    pub rtp: Option<RawRtp>,
    /// Calls of an rtpengine.
    pub rtpengine: Option<RawRtpengine>,
    /// Session recording clients.
    pub siprec: Option<RawSiprec>,
    /// Switches that connect by WebSocket.
    pub websocket: Option<websocket::RawWebSocket>,
    /// Genesys AudioHook.
    pub audiohook: Option<audiohook::RawAudioHook>,
    /// Calls over AudioSocket.
    pub audiosocket: Option<audiosocket::RawAudioSocket>,
}

/// `[serve.http]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawHttp {
    /// The address.
    pub listen: Option<String>,
    /// The file with the token that every request has to bring.
    pub token: Option<PathBuf>,
    /// Names under which the machine is reached.
    #[serde(default)]
    pub names: Vec<String>,
    /// Certificate chain (PEM).
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
}

/// The parts of `[serve]` that are not a source's.
#[derive(Clone, Debug)]
pub struct Serve {
    /// Where outputs go, if the file says so.
    pub out: Option<PathBuf>,
    /// Threads that have calls.
    pub workers: usize,
    /// Calls in hand, at most.
    pub calls_max: usize,
    /// Calls are stored in a directory for each day.
    pub by_date: bool,
    /// Seconds for the end.
    pub drain_s: u64,
    /// The HTTP API, if it is configured here.
    pub http: Option<RawHttp>,
    /// Switches that connect by WebSocket, as written.
    pub websocket: Option<websocket::RawWebSocket>,
    /// Genesys AudioHook, as written.
    pub audiohook: Option<audiohook::RawAudioHook>,
    /// Listeners that others reach may go without TLS.
    pub plain_listeners: bool,
    /// How RTP is received, for all sources that do.
    pub rtp: Option<RtpSettings>,
    /// Calls of plain RTP.
    pub announced: Option<AnnouncedConfig>,
    /// Calls of an rtpengine.
    pub rtpengine: Option<RtpengineConfig>,
    /// Session recording clients.
    pub siprec: Option<SiprecConfig>,
    /// Calls over AudioSocket.
    pub audiosocket: Option<crate::source::audiosocket::Config>,
}

impl RawServe {
    /// What is in force.
    pub fn resolve(&self, danger: &RawDanger) -> Result<Serve, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let in_range = |key, value: usize, most: usize| match value {
            1.. if value <= most => Ok(value),
            _ => Err(bad(key, format!("{value} is not possible; 1 to {most} are"))),
        };
        let mut serve = Serve {
            out: self.out.clone(),
            workers: in_range("serve.workers", self.workers.unwrap_or(cores), 256)?,
            calls_max: in_range("serve.calls_max", self.calls_max.unwrap_or(CALLS_MAX), CALLS_MAX_MAX)?,
            by_date: self.by_date()?,
            drain_s: self.drain_s.unwrap_or(DRAIN_S),
            http: self.http.clone(),
            websocket: self.websocket.clone(),
            audiohook: self.audiohook.clone(),
            plain_listeners: danger.plain_listeners.unwrap_or(false),
            rtp: None,
            announced: self.rtp.as_ref().map(RawRtp::announced).transpose()?,
            rtpengine: self.rtpengine.as_ref().map(RawRtpengine::resolve).transpose()?,
            siprec: None,
            audiosocket: None,
        };
        serve.rtp = Some(self.rtp.clone().unwrap_or_default().resolve(&serve)?);
        serve.siprec = self.siprec.as_ref().map(|raw| raw.resolve(&serve)).transpose()?;
        serve.audiosocket = self.audiosocket.as_ref().map(|raw| raw.resolve(&serve)).transpose()?;
        Ok(serve)
    }

    /// Whether calls are stored in a directory for each day.
    pub fn by_date(&self) -> Result<bool, ConfigError> {
        match self.layout.as_deref() {
            None | Some("flat") => Ok(false),
            Some("date") => Ok(true),
            Some(other) => Err(bad("serve.layout", format!("`{other}` is neither flat nor date"))),
        }
    }
}

/// What every source that listens can say of its listener.
#[derive(Clone, Debug, Default)]
pub struct RawListen {
    /// The address.
    pub listen: Option<String>,
    /// Who may connect; everybody if empty.
    pub allow: Vec<String>,
    /// Certificate chain (PEM).
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Connections at a time.
    pub connections_max: Option<usize>,
}

impl RawListen {
    /// The listener of the source whose keys begin with `key`. `plain_protocol`: the protocol has no TLS, so an `allow` list
    /// is what keeps others out (SEC-03).
    pub fn resolve(
        &self,
        key: &'static str,
        default: SocketAddr,
        plain_protocol: bool,
        serve: &Serve,
    ) -> Result<Listen, ConfigError> {
        let address = match &self.listen {
            None => default,
            Some(text) => address(key, text)?,
        };
        let parse = |text: &String| network(key, text);
        let allow: Vec<IpNet> = self.allow.iter().map(parse).collect::<Result<_, _>>()?;
        let tls = match (&self.tls_cert, &self.tls_key) {
            (None, None) => None,
            (Some(cert), Some(secret)) => {
                let made = tls::server(&read_key(cert)?, &read_key(secret)?, &[]);
                Some(made.map_err(|error| match error {
                    TlsError::Certificate(message) => ConfigError::Malformed { path: cert.clone(), message },
                    TlsError::Key(message) => ConfigError::Malformed { path: secret.clone(), message },
                })?)
            }
            _ => return Err(bad(key, "TLS needs both `tls_cert` and `tls_key`")),
        };
        let plain_allowed = serve.plain_listeners || (plain_protocol && !allow.is_empty());
        let connections_max = self.connections_max.unwrap_or(CONNECTIONS_MAX);
        Ok(Listen { address, tls, allow, connections_max, plain_allowed })
    }
}

/// An address with a port, or a port of this machine alone.
pub fn address(key: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    if let Ok(port) = text.trim().parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.trim()
        .parse()
        .map_err(|_| bad(key, format!("`{text}` is no address with a port (127.0.0.1:9092, [::1]:9092)")))
}

/// A network (10.0.0.0/8), or one machine.
fn network(key: &'static str, text: &str) -> Result<IpNet, ConfigError> {
    let alone = || text.parse::<std::net::IpAddr>().map(IpNet::from).ok();
    let net = text.trim().parse::<IpNet>().ok().or_else(alone);
    net.ok_or_else(|| bad(key, format!("`{text}` in `allow` is no network (10.0.0.0/8) and no address")))
}

/// Whether the customer's payload is decoded without a grant: `guard` or `drop-before-decode`.
pub fn drop_before_decode(key: &'static str, reference: Option<&str>) -> Result<bool, ConfigError> {
    match reference {
        None | Some("guard") => Ok(false),
        Some("drop-before-decode") => Ok(true),
        Some(other) => Err(bad(key, format!("`{other}` is neither guard nor drop-before-decode"))),
    }
}

/// A value of the file that cannot be used.
pub fn bad(key: &'static str, message: impl Into<String>) -> ConfigError {
    ConfigError::BadValue { key, origin: Origin::File, message: message.into() }
}

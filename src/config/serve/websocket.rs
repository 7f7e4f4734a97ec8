//! `[serve.websocket]`: switches that connect by WebSocket, and what is spoken on which path.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::heeded::{RawConsent, heeded};
use super::{RawListen, Serve, bad, drop_before_decode};
use crate::config::{ConfigError, read_token};
use crate::source::exchange::Party;
use crate::source::listen::Listen;
use crate::source::metadata::CallFrom;
use crate::source::websocket::WebSocketConfig;
use crate::source::websocket::auth::Credential;
use crate::source::websocket::route::{Dialect, Route, Side};
use crate::source::wire::media_stream::Track;

/// Where switches connect to, unless it is said.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9300);
/// A connection on which nothing comes for so long has ended, seconds: a hold may be long, and FreeSWITCH's is silent.
const IDLE_S: u64 = 3_600;
/// Longest message, bytes.
const MESSAGE_BYTES: usize = 256 << 10;
/// The least and the most that the longest message can be, bytes.
const MESSAGE_BYTES_RANGE: [usize; 2] = [64 << 10, 1 << 20];
/// The longest that sound may wait in mod_audio_fork's buffer before it is sent, ms.
const WORST_MS: u32 = 2_000;
/// How long a media stream's sound waits for what belongs before it, ms.
const REORDER_MS: u32 = 200;
/// The most of each of these, ms.
const MS_MAX: u32 = 60_000;

/// `[serve.websocket]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawWebSocket {
    /// The address, or several.
    pub listen: Option<OneOrMany>,
    /// Who may connect; everybody if empty.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Certificate chain (PEM).
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Connections at a time.
    pub connections_max: Option<usize>,
    /// A connection on which nothing comes for so long has ended, seconds.
    pub idle_s: Option<u64>,
    /// Longest message, bytes.
    pub message_bytes_max: Option<usize>,
    /// The paths.
    #[serde(default)]
    pub route: Vec<RawRoute>,
}

/// One text, or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// `[[serve.websocket.route]]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRoute {
    /// The path.
    pub path: Option<String>,
    /// `audio_stream`, `chan_websocket` or `media_stream`.
    pub dialect: Option<String>,
    /// `agent`, `customer`, `agent-alone` or `stereo`.
    pub side: Option<String>,
    /// Of stereo: `left`, `right`, 0 or 1.
    pub agent_channel: Option<String>,
    /// Of a media stream: `inbound` or `outbound`.
    pub agent_track: Option<String>,
    /// Of audio_stream: samples per second.
    pub rate: Option<u32>,
    /// By what a call is named: `id`, `connection`, `text`, `key:NAME`.
    pub call: Option<String>,
    /// Whose keys a stereo stream reports: `agent` or `customer`.
    pub digits: Option<String>,
    /// `guard` or `drop-before-decode`.
    pub reference: Option<String>,
    /// The longest burst that is usual, ms.
    pub burst_ms: Option<u32>,
    /// The longest that sound may wait before it reaches us, ms.
    pub worst_buffering_ms: Option<u32>,
    /// How long a media stream's sound waits for what belongs before it, ms.
    pub reorder_ms: Option<u32>,
    /// The metadata's key with the agent's id.
    pub agent_key: Option<String>,
    /// The metadata's key with the customer's number.
    pub number_key: Option<String>,
    /// The file with the bearer token that a connection brings.
    pub bearer: Option<PathBuf>,
    /// The name that a connection brings.
    pub user: Option<String>,
    /// The file with its password.
    pub password: Option<PathBuf>,
    /// The file with the Twilio account's token.
    pub twilio_token: Option<PathBuf>,
    /// The address by which Twilio reaches this path, as in TwiML.
    pub public_url: Option<String>,
    /// The word that means consent.
    pub consent: Option<RawConsent>,
}

impl RawWebSocket {
    /// What is in force.
    pub fn resolve(&self, serve: &Serve) -> Result<WebSocketConfig, ConfigError> {
        let message_bytes_max = self.message_bytes_max.unwrap_or(MESSAGE_BYTES);
        let [least, most] = MESSAGE_BYTES_RANGE;
        if !(least..=most).contains(&message_bytes_max) {
            let message = format!("{message_bytes_max} is not possible; {least} to {most} bytes are");
            return Err(bad("serve.websocket.message_bytes_max", message));
        }
        let listen = self.listeners(serve)?;
        let routes: Vec<Arc<Route>> =
            self.route.iter().map(|route| route.resolve().map(Arc::new)).collect::<Result<_, _>>()?;
        if routes.is_empty() {
            return Err(bad("serve.websocket.route", "no path is configured; whose sound would it be?"));
        }
        for (n, route) in routes.iter().enumerate() {
            if routes[..n].iter().any(|other| other.path == route.path) {
                return Err(bad("serve.websocket.route", format!("path {} stands there twice", route.path)));
            }
            let open = |listen: &Listen| !listen.address.ip().is_loopback() && listen.allow.is_empty();
            if route.credential.is_none() && !serve.plain_listeners && listen.iter().any(open) {
                let message = format!(
                    "anybody could connect to {}: give `bearer`, `user` and `password`, `twilio_token`, or an `allow` list (SEC-03)",
                    route.path
                );
                return Err(bad("serve.websocket.route", message));
            }
        }
        // Whoever of a call's two connections comes first begins it: both must say the same of it.
        let of_two = |route: &&Arc<Route>| {
            matches!(
                route.dialect,
                Dialect::AudioStream { side: Side::One(_), .. } | Dialect::ChanWebsocket { side: Side::One(_) }
            )
        };
        let mut references = routes.iter().filter(of_two).map(|route| route.drop_before_decode);
        if let Some(first) = references.next()
            && references.any(|other| other != first)
        {
            let message = "the paths of agent and customer must have the same `reference`";
            return Err(bad("serve.websocket.route.reference", message));
        }
        let idle = Duration::from_secs(self.idle_s.unwrap_or(IDLE_S).max(1));
        Ok(WebSocketConfig { listen, routes, idle, message_bytes_max })
    }

    fn listeners(&self, serve: &Serve) -> Result<Vec<Listen>, ConfigError> {
        let addresses = match &self.listen {
            None => vec![None],
            Some(OneOrMany::One(address)) => vec![Some(address.clone())],
            Some(OneOrMany::Many(many)) => many.iter().cloned().map(Some).collect(),
        };
        let listen = |address| RawListen {
            listen: address,
            allow: self.allow.clone(),
            tls_cert: self.tls_cert.clone(),
            tls_key: self.tls_key.clone(),
            connections_max: self.connections_max,
        };
        addresses
            .into_iter()
            .map(|address| listen(address).resolve("serve.websocket.listen", LISTEN, false, serve))
            .collect()
    }
}

impl RawRoute {
    fn resolve(&self) -> Result<Route, ConfigError> {
        let path = self.path.clone().filter(|path| path.starts_with('/') && !path.contains(['?', '#']));
        let path = path.ok_or_else(|| bad("serve.websocket.route.path", "a path begins with / and has no query"))?;
        let dialect = self.dialect()?;
        let default = if let Dialect::AudioStream { .. } = dialect { "key:callSid" } else { "id" };
        let one = matches!(
            dialect,
            Dialect::AudioStream { side: Side::One(_), .. } | Dialect::ChanWebsocket { side: Side::One(_) }
        );
        if one && matches!(self.call.as_deref(), None | Some("id")) {
            return Err(bad(
                "serve.websocket.route.call",
                "a party has a connection of its own here, and the other party's must carry the same name: `connection`, `text` or \
                 `key:NAME` (a channel has its own `id`, and the call would fall in two)",
            ));
        }
        let call = CallFrom::parse(self.call.as_deref().unwrap_or(default));
        let call = call.ok_or_else(|| {
            bad("serve.websocket.route.call", "a call is named by `id`, `connection`, `text` or `key:NAME`")
        })?;
        let digits = match self.digits.as_deref() {
            None => None,
            Some("agent") => Some(Party::Agent),
            Some("customer") => Some(Party::Customer),
            Some(_) => return Err(bad("serve.websocket.route.digits", "keys are of the `agent` or of the `customer`")),
        };
        let ms = |key, value: Option<u32>, default| match value.unwrap_or(default) {
            ms @ 0..=MS_MAX => Ok(ms),
            ms => Err(bad(key, format!("{ms} ms is too long; at most {MS_MAX} ms"))),
        };
        let burst = if let Dialect::ChanWebsocket { .. } = dialect { 200 } else { 1_000 };
        Ok(Route {
            path,
            dialect,
            call,
            heeded: heeded(self.agent_key.as_ref(), self.number_key.as_ref(), self.consent.as_ref())?,
            credential: self.credential()?,
            digits,
            drop_before_decode: drop_before_decode("serve.websocket.route.reference", self.reference.as_deref())?,
            burst_ms: ms("serve.websocket.route.burst_ms", self.burst_ms, burst)?,
            worst_ms: ms("serve.websocket.route.worst_buffering_ms", self.worst_buffering_ms, WORST_MS)?,
        })
    }

    fn dialect(&self) -> Result<Dialect, ConfigError> {
        match self.dialect.as_deref() {
            Some("audio_stream") => {
                let rate_hz = self.rate;
                if rate_hz.is_some_and(|rate| !(8_000..=48_000).contains(&rate)) {
                    return Err(bad("serve.websocket.route.rate", "between 8000 and 48000 Hz"));
                }
                Ok(Dialect::AudioStream { side: self.side(true)?, rate_hz })
            }
            Some("chan_websocket") => Ok(Dialect::ChanWebsocket { side: self.side(false)? }),
            Some("media_stream") => {
                if self.side.is_some() || self.agent_channel.is_some() {
                    return Err(bad(
                        "serve.websocket.route.side",
                        "a media stream names its tracks; say `agent_track` alone",
                    ));
                }
                let agent = self.agent_track.as_deref().and_then(Track::named).ok_or_else(|| {
                    bad(
                        "serve.websocket.route.agent_track",
                        "which track is the agent's, inbound or outbound? It depends on the leg that the stream is begun \
                         on: of a call that was dialled out, inbound is the one who was called. There is no default",
                    )
                })?;
                let reorder_ms = self.reorder_ms.unwrap_or(REORDER_MS).min(MS_MAX);
                Ok(Dialect::MediaStream { agent, reorder_ms })
            }
            _ => Err(bad(
                "serve.websocket.route.dialect",
                "it is `audio_stream` (FreeSWITCH, jambonz), `chan_websocket` (Asterisk) or `media_stream` (Twilio, Telnyx)",
            )),
        }
    }

    fn side(&self, can_be_stereo: bool) -> Result<Side, ConfigError> {
        let side = match self.side.as_deref() {
            Some("agent") => Side::One(Party::Agent),
            Some("customer") => Side::One(Party::Customer),
            Some("agent-alone") => Side::AgentAlone,
            Some("stereo") if can_be_stereo => {
                let agent_channel = match self.agent_channel.as_deref() {
                    Some("left" | "0") => 0,
                    Some("right" | "1") => 1,
                    _ => {
                        return Err(bad(
                            "serve.websocket.route.agent_channel",
                            "which channel is the agent's, left or right? There is no default (FreeSWITCH: left is the \
                             party on the channel that is recorded)",
                        ));
                    }
                };
                return Ok(Side::Stereo { agent_channel });
            }
            _ => {
                let stereo = if can_be_stereo { ", or `stereo`" } else { "" };
                let message = format!("whose sound comes here? `agent`, `customer`, `agent-alone`{stereo}; no default");
                return Err(bad("serve.websocket.route.side", message));
            }
        };
        match self.agent_channel {
            Some(_) => Err(bad("serve.websocket.route.agent_channel", "only stereo has channels to choose from")),
            None => Ok(side),
        }
    }

    fn credential(&self) -> Result<Option<Credential>, ConfigError> {
        Ok(match (&self.bearer, (&self.user, &self.password), (&self.twilio_token, &self.public_url)) {
            (None, (None, None), (None, None)) => None,
            (Some(file), (None, None), (None, None)) => Some(Credential::bearer(&read_token(file)?)),
            (None, (Some(user), Some(file)), (None, None)) => Some(Credential::basic(user, &read_token(file)?)),
            (None, (None, None), (Some(file), Some(url))) => {
                Some(Credential::Twilio { token: Zeroizing::new(read_token(file)?), url: url.clone() })
            }
            _ => {
                return Err(bad(
                    "serve.websocket.route",
                    "a path has one of `bearer`, `user` with `password`, `twilio_token` with `public_url`",
                ));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(plain_listeners: bool) -> Serve {
        let danger = crate::config::RawDanger { plain_listeners: Some(plain_listeners), ..Default::default() };
        super::super::RawServe::default().resolve(&danger).unwrap()
    }

    fn resolved(text: &str) -> Result<WebSocketConfig, String> {
        let raw: RawWebSocket = toml::from_str(text).map_err(|error| error.to_string())?;
        raw.resolve(&serve(false)).map_err(|error| error.to_string())
    }

    fn route(text: &str) -> Result<Route, String> {
        resolved(&format!("[[route]]\npath = \"/a\"\n{text}")).map(|config| (*config.routes[0]).clone())
    }

    #[test]
    fn no_side_is_ever_assumed() {
        assert!(route("dialect = \"chan_websocket\"").err().unwrap().contains("whose sound"));
        assert!(route("dialect = \"chan_websocket\"\nside = \"stereo\"").is_err());
        assert!(route("dialect = \"audio_stream\"\nside = \"stereo\"").err().unwrap().contains("no default"));
        assert!(route("dialect = \"media_stream\"").err().unwrap().contains("no default"));
        assert!(route("dialect = \"media_stream\"\nagent_track = \"both\"").is_err());
        assert!(
            route("dialect = \"audio_stream\"\nside = \"agent\"\ncall = \"text\"\nagent_channel = \"left\"").is_err()
        );
        for name in ["", "call = \"id\"\n"] {
            let one = format!("dialect = \"chan_websocket\"\nside = \"agent\"\n{name}");
            assert!(route(&one).err().unwrap().contains("the same name"), "the call would fall in two");
            assert!(route(&one.replace("\"agent\"", "\"agent-alone\"")).is_ok());
        }
        let stereo = route("dialect = \"audio_stream\"\nside = \"stereo\"\nagent_channel = \"right\"").unwrap();
        assert_eq!(stereo.dialect, Dialect::AudioStream { side: Side::Stereo { agent_channel: 1 }, rate_hz: None });
        let twilio = route("dialect = \"media_stream\"\nagent_track = \"outbound\"").unwrap();
        assert_eq!(twilio.dialect, Dialect::MediaStream { agent: Track::Outbound, reorder_ms: REORDER_MS });
    }

    #[test]
    fn a_path_stands_once_and_a_misspelt_key_is_refused() {
        let one = "[[route]]\npath = \"/a\"\ndialect = \"chan_websocket\"\nside = \"agent\"\ncall = \"text\"\n";
        assert!(resolved(one).is_ok());
        assert!(resolved(&format!("{one}{one}")).err().unwrap().contains("twice"));
        assert!(resolved("").err().unwrap().contains("no path"));
        assert!(resolved(&one.replace("side", "sides")).is_err());
        assert!(resolved(&one.replace("\"/a\"", "\"a?b\"")).is_err());
    }

    #[test]
    fn both_connections_of_a_call_say_the_same_of_its_reference() {
        let two = |reference: &str| {
            let path = |path: &str, more: &str| {
                format!(
                    "[[route]]\npath = \"{path}\"\ndialect = \"chan_websocket\"\nside = \"{}\"\ncall = \"text\"\n{more}\n",
                    &path[1..]
                )
            };
            resolved(&(path("/agent", "reference = \"drop-before-decode\"") + &path("/customer", reference)))
        };
        assert!(two("reference = \"drop-before-decode\"").is_ok());
        assert!(two("reference = \"guard\"").err().unwrap().contains("same"));
        assert!(two("").is_err());
    }

    #[test]
    fn what_others_reach_asks_for_something() {
        let text = "listen = \"0.0.0.0:9300\"\n[[route]]\npath = \"/a\"\ndialect = \"chan_websocket\"\nside = \"agent-alone\"\n";
        assert!(resolved(text).err().unwrap().contains("SEC-03"));
        assert!(resolved(&format!("allow = [\"10.0.0.0/8\"]\n{text}")).is_ok());
        let raw: RawWebSocket = toml::from_str(text).unwrap();
        assert!(raw.resolve(&serve(true)).is_ok());
    }

    #[test]
    fn consent_by_metadata_needs_key_value_and_purpose() {
        let with = |consent: &str| {
            route(&format!("dialect = \"audio_stream\"\nside = \"agent-alone\"\nconsent = {{ {consent} }}"))
        };
        assert!(with("key = \"consent\", yes = \"yes\"").err().unwrap().contains("CON-04"));
        assert!(with("key = \"consent\", purposes = [\"qa\"]").is_err());
        assert!(with("key = \"consent\", yes = \"yes\", purposes = [\"qa\"], notice = \"a\"").is_err());
        let heeded = with("key = \"consent\", yes = \"yes\", purposes = [\"qa\"]").unwrap().heeded;
        assert_eq!(heeded.consent.map(|consent| consent.key).as_deref(), Some("consent"));
    }
}

//! `[serve.audiosocket]`: where Asterisk connects, and what it sends.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::{RawListen, Serve, bad, drop_before_decode};
use crate::config::ConfigError;
use crate::source::audiosocket::{Config, PORT};
use crate::source::wire::sample::Encoding;

/// `[serve.audiosocket]` as written. Which side is which has no default: each connection's UUID is announced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAudioSocket {
    /// The address; by default port 9092 of this machine alone.
    pub listen: Option<String>,
    /// Who may connect: needed where other machines reach the address, since the protocol has neither TLS nor a password.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Connections at a time.
    pub connections_max: Option<usize>,
    /// `guard` or `drop-before-decode`.
    pub reference: Option<String>,
    /// `ulaw` or `alaw`: the channels have that codec, and their sound comes under the type of 16-bit sound.
    pub g711: Option<String>,
    /// A file with a JSON object a line, as calls are announced over HTTP.
    pub registry: Option<PathBuf>,
}

impl RawAudioSocket {
    /// What is in force.
    pub fn resolve(&self, serve: &Serve) -> Result<Config, ConfigError> {
        let listen = RawListen {
            listen: self.listen.clone(),
            allow: self.allow.clone(),
            connections_max: self.connections_max,
            ..RawListen::default()
        };
        let default = SocketAddr::from(([127, 0, 0, 1], PORT));
        let g711 = match self.g711.as_deref() {
            None => None,
            Some("ulaw") => Some(Encoding::Mulaw),
            Some("alaw") => Some(Encoding::Alaw),
            Some(other) => return Err(bad("serve.audiosocket.g711", format!("`{other}` is neither ulaw nor alaw"))),
        };
        Ok(Config {
            listen: listen.resolve("serve.audiosocket.listen", default, true, serve)?,
            g711,
            drop_before_decode: drop_before_decode("serve.audiosocket.reference", self.reference.as_deref())?,
            registry: self.registry.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RawDanger;
    use crate::config::serve::RawServe;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let serve = RawServe::default().resolve(&RawDanger::default()).unwrap();
        toml::from_str::<RawAudioSocket>(text).unwrap().resolve(&serve)
    }

    #[test]
    fn an_address_that_others_reach_needs_a_list_of_who_may_come() {
        assert_eq!(read("").unwrap().listen.address, SocketAddr::from(([127, 0, 0, 1], 9_092)));
        let open = read("listen = \"0.0.0.0:9092\"").unwrap();
        assert!(open.listen.check().is_err(), "everybody could send calls");
        let kept = read("listen = \"0.0.0.0:9092\"\nallow = [\"10.1.0.0/16\"]").unwrap();
        assert!(kept.listen.check().is_ok());
        assert!(kept.listen.allows("10.1.2.3".parse().unwrap()) && !kept.listen.allows("10.2.0.1".parse().unwrap()));
    }

    #[test]
    fn what_it_may_be_told_is_read_and_nothing_else() {
        let config = read("g711 = \"alaw\"\nreference = \"drop-before-decode\"").unwrap();
        assert_eq!((config.g711, config.drop_before_decode), (Some(Encoding::Alaw), true));
        for text in ["g711 = \"opus\"", "reference = \"always\"", "allow = [\"everybody\"]"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(toml::from_str::<RawAudioSocket>("agent = \"left\"").is_err());
    }
}

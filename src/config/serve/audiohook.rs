//! `[serve.audiohook]`: Genesys Cloud connects for each conversation.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::heeded::{RawConsent, heeded};
use super::{RawListen, Serve, bad, drop_before_decode};
use crate::config::ConfigError;
use crate::config::secrets::read_text;
use crate::source::audiohook::AudioHookConfig;
use crate::source::wire::http_signature::Keys;

/// Where Genesys connects to, unless it is said.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9310);
/// The path, unless it is said.
const PATH: &str = "/audiohook";
/// The longest that sound may wait before it reaches us, ms: it crosses the Internet.
const WORST_MS: u32 = 2_000;
/// The longest burst that is usual, ms: the client sends 200 ms at a time.
const BURST_MS: u32 = 400;
/// The most of each of these, ms.
const MS_MAX: u32 = 10_000;

/// `[serve.audiohook]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAudioHook {
    /// The address.
    pub listen: Option<String>,
    /// Who may connect; everybody if empty.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Certificate chain (PEM).
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Connections at a time.
    pub connections_max: Option<usize>,
    /// The path of the connection.
    pub path: Option<String>,
    /// The file with the keys: a line for each, API KEY and CLIENT SECRET.
    pub keys: Option<PathBuf>,
    /// The host by which Genesys knows us, where something in between changes it.
    pub authority: Option<String>,
    /// `guard` or `drop-before-decode`.
    pub reference: Option<String>,
    /// The longest that sound may wait before it reaches us, ms.
    pub worst_buffering_ms: Option<u32>,
    /// The longest burst that is usual, ms.
    pub burst_ms: Option<u32>,
    /// The key of `inputVariables.NAME` or `customConfig.NAME` with the agent's id.
    pub agent_key: Option<String>,
    /// The same with the customer's number, if the participant's `ani` is not it.
    pub number_key: Option<String>,
    /// The word that means consent.
    pub consent: Option<RawConsent>,
}

impl RawAudioHook {
    /// What is in force.
    pub fn resolve(&self, serve: &Serve) -> Result<AudioHookConfig, ConfigError> {
        let listen = RawListen {
            listen: self.listen.clone(),
            allow: self.allow.clone(),
            tls_cert: self.tls_cert.clone(),
            tls_key: self.tls_key.clone(),
            connections_max: self.connections_max,
        };
        let listen = listen.resolve("serve.audiohook.listen", LISTEN, false, serve)?;
        let keys = self.keys.as_deref().map(read_text).transpose()?.unwrap_or_default();
        let keys = keys_of(&keys)?;
        if keys.is_empty() && !(listen.address.ip().is_loopback() && serve.plain_listeners) {
            return Err(bad(
                "serve.audiohook.keys",
                "without keys anybody could open a session: name the file with API KEY and CLIENT SECRET (SEC-03). Only on \
                 127.0.0.1 and with `plain_listeners = true` under [danger] it can do without",
            ));
        }
        let path = self.path.clone().unwrap_or_else(|| PATH.into());
        if !path.starts_with('/') || path.contains(['?', '#']) {
            return Err(bad("serve.audiohook.path", "a path begins with / and has no query"));
        }
        let ms = |key, value: Option<u32>, default| match value.unwrap_or(default) {
            ms @ 0..=MS_MAX => Ok(ms),
            ms => Err(bad(key, format!("{ms} ms is too long; at most {MS_MAX} ms"))),
        };
        Ok(AudioHookConfig {
            listen,
            path,
            keys,
            authority: self.authority.clone(),
            drop_before_decode: drop_before_decode("serve.audiohook.reference", self.reference.as_deref())?,
            heeded: heeded(self.agent_key.as_ref(), self.number_key.as_ref(), self.consent.as_ref())?,
            worst_ms: ms("serve.audiohook.worst_buffering_ms", self.worst_buffering_ms, WORST_MS)?,
            burst_ms: ms("serve.audiohook.burst_ms", self.burst_ms, BURST_MS)?,
        })
    }
}

/// A line for each key: its id, white space, its secret. Empty lines and lines that begin with `#` do not count.
fn keys_of(text: &str) -> Result<Keys, ConfigError> {
    let mut keys = Keys::default();
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let wrong = |what: &str| bad("serve.audiohook.keys", format!("line {number}: {what}"));
        let (id, secret) = line
            .split_once(char::is_whitespace)
            .ok_or_else(|| wrong("a line holds an API KEY and a CLIENT SECRET, with a space between them"))?;
        keys.add(id, secret).map_err(wrong)?;
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, plain_listeners: bool) -> Result<AudioHookConfig, String> {
        let raw: RawAudioHook = toml::from_str(text).map_err(|error| error.to_string())?;
        let danger = crate::config::RawDanger { plain_listeners: Some(plain_listeners), ..Default::default() };
        let serve = super::super::RawServe::default().resolve(&danger).unwrap();
        raw.resolve(&serve).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_needed_unless_danger_is_named_on_this_machine() {
        assert!(resolved("", false).err().unwrap().contains("SEC-03"));
        assert!(resolved("", true).is_ok());
        assert!(resolved("listen = \"0.0.0.0:9310\"", true).err().unwrap().contains("SEC-03"));
        assert!(resolved("path = \"audiohook\"", true).is_err());
    }

    #[test]
    fn a_file_of_keys_has_a_key_and_a_secret_a_line() {
        let text = "# of the organization\n\nabc  TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=\n";
        assert!(!keys_of(text).unwrap().is_empty());
        assert!(keys_of("").unwrap().is_empty());
        assert!(keys_of("abc").err().unwrap().to_string().contains("line 1"));
        assert!(keys_of("abc AAAA").err().unwrap().to_string().contains("16 bytes"));
    }
}

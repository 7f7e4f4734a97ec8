//! `[serve.siprec]`: session recording clients, and how the agent is known.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{CALLS_MAX, RawListen, Serve, bad, drop_before_decode};
use crate::config::ConfigError;
use crate::source::listen::Listen;
use crate::source::siprec::{AgentRules, CallName, Pattern, SiprecConfig};

/// Where clients call, unless it is said. 5060 is the switch's own.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5090);
/// What a client is told to wait when there is no room, s.
const RETRY_AFTER_S: u32 = 10;
/// A session of which nothing was heard for so long is ended, s.
const SILENT_MAX_S: u64 = 3_600;
/// Most patterns of a kind.
const PATTERNS_MAX: usize = 1_000;

/// `[serve.siprec]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSiprec {
    /// SIP over UDP; on 127.0.0.1:5090 if no listener is given.
    pub listen_udp: Option<String>,
    /// SIP over TCP; on 127.0.0.1:5090 if no listener is given.
    pub listen_tcp: Option<String>,
    /// SIP over TLS.
    pub listen_tls: Option<String>,
    /// Who may call; everybody if empty.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Certificate chain (PEM).
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Connections at a time, of TCP and of TLS each.
    pub connections_max: Option<usize>,
    /// The address that clients are told to call, where it is not the one that is bound.
    pub advertised: Option<String>,
    /// Addresses of record that are agents': `sip:*@agents.example`.
    pub agent_aor: Option<Texts>,
    /// Labels that are agents', for clients without metadata.
    pub agent_label: Option<Texts>,
    /// `guard` or `drop-before-decode`.
    pub reference: Option<String>,
    /// `session`, `sip-session` or `call-id`.
    pub call_name: Option<String>,
    /// `aor-user`, or `none`: by what rules for staff know an agent.
    pub agent_id: Option<String>,
    /// Sessions at a time.
    pub sessions_max: Option<usize>,
    /// What a client is told to wait when there is no room, s.
    pub retry_after_s: Option<u32>,
    /// A session of which nothing was heard for so long is ended, s.
    pub silent_max_s: Option<u64>,
}

/// One text, or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl RawSiprec {
    /// What is in force.
    pub fn resolve(&self, serve: &Serve) -> Result<SiprecConfig, ConfigError> {
        let none = self.listen_udp.is_none() && self.listen_tcp.is_none() && self.listen_tls.is_none();
        let given = |text: &Option<String>| none || text.is_some();
        let tls = self.listen_tls.is_some();
        if tls && (self.tls_cert.is_none() || self.tls_key.is_none()) {
            return Err(bad("serve.siprec.listen_tls", "SIP over TLS needs `tls_cert` and `tls_key`"));
        }
        let listen = |key, text: &Option<String>, datagrams, tls| self.listener(key, text, datagrams, tls, serve);
        let rules = AgentRules {
            aor: patterns("serve.siprec.agent_aor", self.agent_aor.as_ref())?,
            label: patterns("serve.siprec.agent_label", self.agent_label.as_ref())?,
        };
        if rules.aor.is_empty() && rules.label.is_empty() {
            return Err(bad(
                "serve.siprec.agent_aor",
                "say who the agent is: agent_aor = [\"sip:*@agents.example\"], or agent_label = \"1\" for clients that send no \
                 metadata; which side is the agent's is never guessed",
            ));
        }
        Ok(SiprecConfig {
            udp: given(&self.listen_udp)
                .then(|| listen("serve.siprec.listen_udp", &self.listen_udp, true, false))
                .transpose()?,
            tcp: given(&self.listen_tcp)
                .then(|| listen("serve.siprec.listen_tcp", &self.listen_tcp, false, false))
                .transpose()?,
            tls: tls.then(|| listen("serve.siprec.listen_tls", &self.listen_tls, false, true)).transpose()?,
            advertised: self.advertised.as_ref().map(|text| ip("serve.siprec.advertised", text)).transpose()?,
            agent: rules,
            drop_before_decode: drop_before_decode("serve.siprec.reference", self.reference.as_deref())?,
            call_name: match self.call_name.as_deref() {
                None | Some("session") => CallName::Session,
                Some("sip-session") => CallName::SipSession,
                Some("call-id") => CallName::CallId,
                Some(other) => {
                    let message = format!("`{other}` is none of session, sip-session, call-id");
                    return Err(bad("serve.siprec.call_name", message));
                }
            },
            agent_id_is_user: match self.agent_id.as_deref() {
                None | Some("none") => false,
                Some("aor-user") => true,
                Some(other) => {
                    return Err(bad("serve.siprec.agent_id", format!("`{other}` is neither aor-user nor none")));
                }
            },
            sessions_max: in_range("serve.siprec.sessions_max", self.sessions_max.unwrap_or(CALLS_MAX), 1..=100_000)?,
            retry_after_s: in_range(
                "serve.siprec.retry_after_s",
                self.retry_after_s.unwrap_or(RETRY_AFTER_S),
                1..=3_600,
            )?,
            silent_max: Duration::from_secs(in_range(
                "serve.siprec.silent_max_s",
                self.silent_max_s.unwrap_or(SILENT_MAX_S),
                10..=86_400,
            )?),
        })
    }

    fn listener(
        &self,
        key: &'static str,
        text: &Option<String>,
        datagrams: bool,
        tls: bool,
        serve: &Serve,
    ) -> Result<Listen, ConfigError> {
        let raw = RawListen {
            listen: text.clone(),
            allow: self.allow.clone(),
            tls_cert: self.tls_cert.clone().filter(|_| tls),
            tls_key: self.tls_key.clone().filter(|_| tls),
            connections_max: self.connections_max,
        };
        raw.resolve(key, LISTEN, datagrams, serve)
    }
}

fn ip(key: &'static str, text: &str) -> Result<IpAddr, ConfigError> {
    text.trim().parse().map_err(|_| bad(key, format!("`{text}` is no address")))
}

fn in_range<T: PartialOrd + std::fmt::Display>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<T, ConfigError> {
    match range.contains(&value) {
        true => Ok(value),
        false => Err(bad(key, format!("{value} is not possible; {} to {} are", range.start(), range.end()))),
    }
}

fn patterns(key: &'static str, texts: Option<&Texts>) -> Result<Vec<Pattern>, ConfigError> {
    let texts: &[String] = match texts {
        None => &[],
        Some(Texts::One(text)) => std::slice::from_ref(text),
        Some(Texts::Several(texts)) => texts,
    };
    if texts.len() > PATTERNS_MAX {
        return Err(bad(key, format!("more than {PATTERNS_MAX} patterns")));
    }
    let pattern = |text: &String| {
        Pattern::new(text)
            .ok_or_else(|| bad(key, format!("`{text}` matches everything or nothing, so it tells nothing")))
    };
    texts.iter().map(pattern).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RawDanger;
    use crate::config::serve::RawServe;

    fn resolved(text: &str) -> Result<SiprecConfig, String> {
        let raw: RawSiprec = toml::from_str(text).unwrap();
        let serve = RawServe::default().resolve(&RawDanger::default()).unwrap();
        raw.resolve(&serve).map_err(|error| error.to_string())
    }

    #[test]
    fn who_the_agent_is_has_to_be_said() {
        for text in ["", "agent_aor = []", "agent_aor = '*'", "agent_label = ''"] {
            assert!(resolved(text).is_err_and(|error| error.contains("serve.siprec.agent_")), "{text}");
        }
        let config = resolved("agent_aor = ['sip:*@agents.example', 'sip:agent@*']\nagent_label = '1'").unwrap();
        assert_eq!((config.agent.aor.len(), config.agent.label.len()), (2, 1));
        assert!(!config.drop_before_decode && config.call_name == CallName::Session && !config.agent_id_is_user);
        let listens = |listen: &Option<Listen>| listen.as_ref().map(|listen| listen.address.to_string());
        assert_eq!(listens(&config.udp).as_deref(), Some("127.0.0.1:5090"));
        assert_eq!(listens(&config.tcp), listens(&config.udp));
        assert!(config.tls.is_none());
    }

    #[test]
    fn what_others_reach_needs_a_list_or_tls() {
        let agent = "agent_label = '1'\n";
        let udp = |more: &str| {
            let config = resolved(&format!("{agent}listen_udp = '0.0.0.0:5090'\nallow = [{more}]")).unwrap();
            assert!(config.tcp.is_none(), "what is not asked for does not listen");
            config.udp.unwrap().check()
        };
        assert!(udp("").is_err());
        assert!(udp("'10.0.0.0/8'").is_ok());
        let tcp = resolved(&format!("{agent}listen_tcp = '0.0.0.0:5090'\nallow = ['10.0.0.0/8']")).unwrap();
        assert!(tcp.tcp.unwrap().check().is_err(), "TCP could be encrypted");
        assert!(resolved(&format!("{agent}listen_tls = '0.0.0.0:5061'")).unwrap_err().contains("tls_cert"));
        for wrong in ["reference = 'no'", "sessions_max = 0", "advertised = 'x'", "call_name = 'x'", "agent_id = 'x'"] {
            assert!(resolved(&format!("{agent}{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_sample_is_a_configuration() {
        let page = include_str!("../../../samples/switch/opensips-siprec.md");
        let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let raw: crate::config::Raw = toml::from_str(text).unwrap();
        let serve = raw.serve.unwrap().resolve(&RawDanger::default()).unwrap();
        let config = serve.siprec.unwrap();
        assert!(config.udp.unwrap().check().is_ok() && config.tcp.is_none() && config.agent_id_is_user);
    }
}

//! `[serve.rtp]`: how RTP is received, for whichever source negotiates it; and calls of plain RTP that are announced.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::Deserialize;

use super::{RawListen, Serve, bad, drop_before_decode};
use crate::config::ConfigError;
use crate::source::rtp::{AnnouncedConfig, Settings};

/// Ports out of which each call takes two.
pub const PORTS: [u16; 2] = [40_000, 59_999];
/// How far behind the clock sound is laid, ms: 200 ms of jitter lose nothing.
pub const DELAY_MS: u32 = 250;
/// The least and the most that this can be, ms: a socket is looked at every 60 ms.
const DELAY_RANGE_MS: [u32; 2] = [80, 2_000];
/// Seconds after which a call on whose ports nothing comes is over.
pub const IDLE_S: u32 = 120;
/// Most of these, seconds.
const IDLE_MAX_S: u32 = 24 * 3_600;

/// `[serve.rtp]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRtp {
    /// Where the ports are bound: an address without a port.
    pub address: Option<String>,
    /// The address that senders are told, if it is another one.
    pub advertise: Option<String>,
    /// The ports: `40000-59999`; `0` takes any free ones.
    pub ports: Option<String>,
    /// Who may send.
    #[serde(default)]
    pub allow: Vec<String>,
    /// How far behind the clock sound is laid, ms.
    pub delay_ms: Option<u32>,
    /// Threads that receive; one a worker if absent.
    pub sweepers: Option<usize>,
    /// Seconds after which a call on whose ports nothing comes is over.
    pub idle_s: Option<u32>,
    /// `guard` or `drop-before-decode`.
    pub reference: Option<String>,
}

impl RawRtp {
    /// How RTP is received.
    pub fn resolve(&self, serve: &Serve) -> Result<Settings, ConfigError> {
        let ip = |key, text: &String| {
            text.parse::<IpAddr>().map_err(|_| bad(key, format!("`{text}` is no address (10.0.0.5, ::1)")))
        };
        let address = self.address.as_ref().map(|text| ip("serve.rtp.address", text)).transpose()?;
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let advertise = self.advertise.as_ref().map(|text| ip("serve.rtp.advertise", text)).transpose()?;
        if address.is_unspecified() && advertise.is_none() {
            return Err(bad("serve.rtp.address", "senders cannot be told to send to all addresses: give `advertise`"));
        }
        // RTP has no TLS: who may send has to be said where others can reach the ports (SEC-03).
        let raw = RawListen { allow: self.allow.clone(), ..RawListen::default() };
        let listen = raw.resolve("serve.rtp", (address, 0).into(), true, serve)?;
        listen.check().map_err(|error| bad("serve.rtp.address", error.to_string()))?;
        let allow: Vec<IpNet> = listen.allow;
        let delay_ms = self.delay_ms.unwrap_or(DELAY_MS);
        let [least, most] = DELAY_RANGE_MS;
        if !(least..=most).contains(&delay_ms) {
            return Err(bad("serve.rtp.delay_ms", format!("{delay_ms} ms is not possible; {least} to {most} ms are")));
        }
        let sweepers = self.sweepers.unwrap_or(serve.workers);
        if !(1..=256).contains(&sweepers) {
            return Err(bad("serve.rtp.sweepers", format!("{sweepers} is not possible; 1 to 256 are")));
        }
        Ok(Settings { address, advertise, ports: self.ports()?, allow, delay_ms, sweepers })
    }

    /// How announced calls are taken.
    pub fn announced(&self) -> Result<AnnouncedConfig, ConfigError> {
        let idle_s = idle("serve.rtp.idle_s", self.idle_s)?;
        let drop_before_decode = drop_before_decode("serve.rtp.reference", self.reference.as_deref())?;
        Ok(AnnouncedConfig { idle_s, drop_before_decode })
    }

    fn ports(&self) -> Result<[u16; 2], ConfigError> {
        let Some(text) = &self.ports else { return Ok(PORTS) };
        let unusable = || bad("serve.rtp.ports", format!("`{text}` is no range of ports (40000-59999)"));
        if text.trim() == "0" {
            return Ok([0, 0]);
        }
        let (first, last) = text.split_once('-').ok_or_else(unusable)?;
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| unusable());
        let (first, last) = (port(first)?, port(last)?);
        if first < 1_024 || last <= first {
            return Err(unusable());
        }
        Ok([first, last])
    }
}

/// Seconds after which a silent call is over.
pub(super) fn idle(key: &'static str, idle_s: Option<u32>) -> Result<u32, ConfigError> {
    match idle_s.unwrap_or(IDLE_S) {
        idle_s @ 1..=IDLE_MAX_S => Ok(idle_s),
        other => Err(bad(key, format!("{other} s is not possible; 1 to {IDLE_MAX_S} s are"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RawDanger;
    use crate::config::serve::RawServe;

    fn resolved(text: &str) -> Result<Settings, ConfigError> {
        let serve = RawServe::default().resolve(&RawDanger::default()).unwrap();
        toml::from_str::<RawRtp>(text).unwrap().resolve(&serve)
    }

    #[test]
    fn the_defaults_receive_on_this_machine_alone() {
        let settings = resolved("").unwrap();
        assert!(settings.address.is_loopback());
        assert_eq!((settings.ports, settings.delay_ms), (PORTS, DELAY_MS));
    }

    #[test]
    fn others_reach_it_only_if_it_is_said_who_may_send() {
        assert!(resolved("address = '10.0.0.5'").unwrap_err().to_string().contains("SEC-03"));
        assert_eq!(resolved("address = '10.0.0.5'\nallow = ['10.0.0.0/8']").unwrap().allow.len(), 1);
        assert!(resolved("address = '0.0.0.0'\nallow = ['10.0.0.0/8']").is_err());
        assert!(resolved("address = '0.0.0.0'\nadvertise = '10.0.0.5'\nallow = ['10.0.0.0/8']").is_ok());
    }

    #[test]
    fn what_is_not_possible_is_refused() {
        for text in
            ["ports = '5'", "ports = '50-60'", "ports = '5000-4000'", "delay_ms = 10", "sweepers = 0", "address = 'x'"]
        {
            assert!(resolved(text).is_err(), "{text}");
        }
        assert_eq!(resolved("ports = '0'").unwrap().ports, [0, 0]);
        assert!(RawRtp { idle_s: Some(0), ..RawRtp::default() }.announced().is_err());
        assert!(RawRtp { reference: Some("none".into()), ..RawRtp::default() }.announced().is_err());
    }
}

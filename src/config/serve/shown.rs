//! What is in force of `[serve]`, for people: where calls go, the limits and what they cost, a line for each source.

use std::fmt::{Display, Write as _};
use std::path::Path;

use super::Serve;
use crate::config::ConfigError;
use crate::source::exchange::Party;
use crate::source::listen::Listen;
use crate::source::websocket::route::{Dialect, Route, Side};
use crate::source::wire::media_stream::Track;

/// Memory of a server without calls, KiB (measured; the manual has it).
const SERVER_KIB: u64 = 20 << 10;
/// Memory of a call with both parties beside its rings, KiB (the same).
const CALL_KIB: u64 = 100;
/// What a ring holds at least, ms.
const RING_MIN_MS: u64 = 4_500;
/// Bytes a millisecond of both parties' rings, at 8 kHz.
const RING_BYTES_A_MS: u64 = 2 * 8 * 2;

impl Serve {
    /// What is in force. `out`: where outputs go, if it is said; `by_date`: a directory for each day; `ring_ms`: what a ring
    /// holds; `http`: the API, as its own room describes it.
    pub fn shown(&self, out: Option<&Path>, by_date: bool, ring_ms: u32, http: &str) -> Result<String, ConfigError> {
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn Display| {
            let _ = writeln!(text, "  {name:<15} {value}");
        };
        match out {
            Some(out) => line("out", &out.display()),
            None => line("out", &"not said here: `serve --out DIR` has to"),
        }
        line("layout", &if by_date { "date: a directory for each day (UTC)" } else { "flat" });
        line(
            "calls_max",
            &format!("{}; memory for so many, at 8 kHz: about {} MiB", self.calls_max, self.mib(ring_ms)),
        );
        line("drain_s", &format!("calls in hand are sealed within {} s of SIGTERM", self.drain_s));
        if self.plain_listeners {
            line("[danger]", &"plain_listeners: voices may cross the network in the clear");
        }
        line("http", &http);
        self.rtp_shown(&mut line);
        if let Some(siprec) = &self.siprec {
            let (aors, labels) = (siprec.agent.aor.len(), siprec.agent.label.len());
            let who = format!("the agent is whom {aors} pattern(s) of agent_aor or {labels} of agent_label match");
            for (way, listen) in [("udp", &siprec.udp), ("tcp", &siprec.tcp), ("tls", &siprec.tls)] {
                let Some(listen) = listen else { continue };
                let (at, reference) = (listener(listen), reference(siprec.drop_before_decode));
                line(&format!("siprec/{way}"), &format!("{at}; {reference}; {who}"));
            }
        }
        if let Some(raw) = &self.websocket {
            let config = raw.resolve(self)?;
            let at: Vec<String> = config.listen.iter().map(listener).collect();
            line("websocket", &at.join("; "));
            config.routes.iter().for_each(|route| line("", &route_shown(route)));
        }
        if let Some(raw) = &self.audiohook {
            let config = raw.resolve(self)?;
            let keys = if config.keys.is_empty() { "NO KEYS" } else { "with keys" };
            let (at, reference) = (listener(&config.listen), reference(config.drop_before_decode));
            let who = "channel 0 is the customer's, 1 the agent's, as the protocol has it";
            line("audiohook", &format!("{at}, {}, {keys}; {reference}; {who}", config.path));
        }
        if let Some(config) = &self.audiosocket {
            let (at, reference) = (listener(&config.listen), reference(config.drop_before_decode));
            line("audiosocket", &format!("{at}; {reference}; each connection is whose its UUID was announced to be"));
        }
        Ok(text)
    }

    fn rtp_shown(&self, line: &mut impl FnMut(&str, &dyn Display)) {
        let Some(rtp) = &self.rtp else { return };
        let at =
            format!("{}, ports {}, no TLS in the protocol, {}", rtp.address, rtp.ports_shown(), allowed(&rtp.allow));
        if let Some(announced) = &self.announced {
            let reference = reference(announced.drop_before_decode);
            line("rtp", &format!("{at}; {reference}; each port is whose it was announced to be"));
        } else if self.rtpengine.is_some() || self.siprec.is_some() {
            line("rtp", &format!("{at}; for the sources below"));
        }
        if let Some(engine) = &self.rtpengine {
            let reference = reference(engine.drop_before_decode);
            let who = "which stream is the agent's is announced with each call";
            line("rtpengine", &format!("asked at {} (ng, no TLS in the protocol); {reference}; {who}", engine.address));
        }
    }

    /// Memory that `calls_max` calls take at 8 kHz, MiB, rounded up.
    fn mib(&self, ring_ms: u32) -> u64 {
        let rings_kib = u64::from(ring_ms).max(RING_MIN_MS) * RING_BYTES_A_MS / 1_024;
        (SERVER_KIB + self.calls_max as u64 * (rings_kib + CALL_KIB)).div_ceil(1_024)
    }
}

fn listener(listen: &Listen) -> String {
    let tls = if listen.tls.is_some() { "TLS" } else { "no TLS" };
    format!("{}, {tls}, {}", listen.address, allowed(&listen.allow))
}

fn allowed(allow: &[ipnet::IpNet]) -> String {
    match allow {
        [] => "anybody who reaches it".into(),
        nets => format!("only {}", nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

fn reference(drop_before_decode: bool) -> &'static str {
    if drop_before_decode { "reference drop-before-decode" } else { "reference guard" }
}

fn route_shown(route: &Route) -> String {
    let whose = |side: Side| match side {
        Side::One(Party::Agent) => "the agent's connection",
        Side::One(Party::Customer) => "the customer's connection",
        Side::AgentAlone => "the agent alone",
        Side::Stereo { agent_channel: 0 } => "both, the agent left",
        Side::Stereo { .. } => "both, the agent right",
    };
    let who = match route.dialect {
        Dialect::AudioStream { side, .. } | Dialect::ChanWebsocket { side } => whose(side),
        Dialect::MediaStream { agent: Track::Inbound, .. } => "both, the agent's track is inbound",
        Dialect::MediaStream { agent: Track::Outbound, .. } => "both, the agent's track is outbound",
    };
    let credential = if route.credential.is_some() { "with a credential" } else { "NO CREDENTIAL" };
    let reference = reference(route.drop_before_decode);
    format!("{} speaks {}, {credential}; {reference}; {who}", route.path, route.dialect.name())
}

#[cfg(test)]
mod tests {
    use crate::config::RawDanger;
    use crate::config::serve::RawServe;

    #[test]
    fn memory_is_what_the_manual_reckons() {
        let mib = |text: &str, ring_ms| {
            let serve = toml::from_str::<RawServe>(text).unwrap().resolve(&RawDanger::default()).unwrap();
            serve.mib(ring_ms)
        };
        // 20 MiB, and a thousand times 156 KiB of rings and 100 KiB more.
        assert_eq!(mib("calls_max = 1000", 5_000), 270);
        assert_eq!(mib("calls_max = 1000", 10_000), 423);
        assert_eq!(mib("calls_max = 1", 0), 21, "a ring has a least length");
    }
}

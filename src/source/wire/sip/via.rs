//! The topmost Via of a request: which transaction it belongs to, where its answer goes, how it is echoed.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use ezk_sip_types::header::HeaderParse;
use ezk_sip_types::header::typed::Via;
use ezk_sip_types::host::Host;

use super::TOKEN_BYTES_MAX;

/// The topmost Via: which transaction it is, and where its answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The branch; one that does not begin with `z9hG4bK` is of the time before RFC 3261.
    pub branch: String,
    /// Who says to have sent it, `host:port`.
    pub sent_by: String,
    /// The port that it says, 5060 if it says none.
    pub port: u16,
    /// Its host, where that is an address.
    pub address: Option<IpAddr>,
    /// The answer goes to the port that it came from (RFC 3581).
    pub rport: bool,
}

/// Reads the topmost Via of a line of them.
pub(super) fn hop(value: &str) -> Option<Hop> {
    let (via, _) = first_via(value)?;
    let branch = via.params.get_val("branch").map(|branch| branch.to_string()).unwrap_or_default();
    if branch.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let port = via.sent_by.port.unwrap_or(5060);
    let (host, address) = match &via.sent_by.host {
        Host::IP4(ip) => (ip.to_string(), Some(IpAddr::V4(*ip))),
        Host::IP6(ip) => (ip.to_string(), Some(IpAddr::V6(*ip))),
        Host::Name(name) => (name.to_string().to_ascii_lowercase(), None),
    };
    let rport = via.params.get("rport").is_some();
    Some(Hop { branch, sent_by: format!("{host}:{port}"), port, address, rport })
}

/// The first Via of a line, and how many bytes of the line it takes.
fn first_via(value: &str) -> Option<(Via, usize)> {
    let source = Bytes::copy_from_slice(value.as_bytes());
    let text = std::str::from_utf8(&source).ok()?;
    let (rest, via) = Via::parse(&source, text).ok()?;
    Some((via, text.len() - rest.len()))
}

/// The topmost Via as it is echoed: with the address (and, where asked for, the port) that the request came from
/// (RFC 3261 §18.2.1, RFC 3581 §4).
pub(super) fn via_received(value: &str, from: SocketAddr) -> String {
    let bytes = first_via(value).map_or(value.len(), |(_, bytes)| bytes);
    let (first, rest) = value.split_at(bytes);
    let mut parts: Vec<String> = first.split(';').map(|part| part.trim().to_owned()).collect();
    parts.retain(|part| !part.to_ascii_lowercase().starts_with("received="));
    for part in &mut parts {
        if part.eq_ignore_ascii_case("rport") {
            *part = format!("rport={}", from.port());
        }
    }
    parts.push(format!("received={}", from.ip().to_canonical()));
    parts.join(";") + rest
}

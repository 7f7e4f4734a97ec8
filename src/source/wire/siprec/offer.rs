//! The session description of an offer (RFC 8866, RFC 3264): which streams, in which form, from where.

use std::net::IpAddr;

use sdp_types::Session;

use super::{FIELD_BYTES_MAX, Unusable};
use crate::source::wire::payload::Payloads;

/// Most streams of an offer.
pub const MEDIA_MAX: usize = 16;
/// Most formats of a stream.
const FORMATS_MAX: usize = 64;

/// Which way a stream flows, as the offering side says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It sends (`sendonly`, `sendrecv`, nothing said).
    Sends,
    /// It does not (`inactive`, `recvonly`, or to nowhere): hold.
    Silent,
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Whether it is sound by RTP without encryption: what can be recorded.
    pub audio: bool,
    /// The `m=` line up to the port: kind, as written.
    pub kind: String,
    /// The transport, as written.
    pub proto: String,
    /// The formats, as written.
    pub formats_written: Vec<String>,
    /// The port it is sent from, by convention; 0: the stream is not offered any more.
    pub port: u16,
    /// The address it is sent from.
    pub address: Option<IpAddr>,
    /// Its label (RFC 4574).
    pub label: Option<String>,
    /// Which way it flows.
    pub direction: Direction,
    /// The payload types that can be read, in the order of preference.
    pub payloads: Payloads,
}

/// An offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The streams, in their order: an answer has as many.
    pub media: Vec<Media>,
}

impl Offer {
    /// Reads a session description.
    pub fn parse(bytes: &[u8]) -> Result<Offer, Unusable> {
        let session = Session::parse(bytes).map_err(|_| Unusable::Offer)?;
        if session.medias.is_empty() || session.medias.len() > MEDIA_MAX {
            return Err(Unusable::Offer);
        }
        Ok(Offer { media: session.medias.iter().map(|media| stream(&session, media)).collect() })
    }
}

fn stream(session: &Session, media: &sdp_types::Media) -> Media {
    let connection = media.connections.first().or(session.connection.as_ref());
    let address = connection.and_then(|connection| connection.try_address().ok()).map(|address| address.ip);
    let value = |name: &str| {
        media.attributes.iter().find(|attribute| attribute.attribute == name).and_then(|a| a.value.clone())
    };
    let formats_written: Vec<String> = media.fmt.split_whitespace().take(FORMATS_MAX).map(str::to_owned).collect();
    let mut payloads = Payloads::new();
    formats_written.iter().for_each(|written| add(&mut payloads, media, written));
    let label = value("label").map(|label| label.trim().to_owned());
    let proto = media.proto.to_string();
    Media {
        audio: media.media.eq_ignore_ascii_case("audio") && matches!(proto.as_str(), "RTP/AVP" | "RTP/AVPF"),
        kind: media.media.to_string(),
        proto,
        formats_written,
        port: media.port,
        address,
        label: label.filter(|label| !label.is_empty() && label.len() <= FIELD_BYTES_MAX),
        direction: direction(session, media, address),
        payloads,
    }
}

/// Said by the stream, or by the session for all of them. An address of nowhere is the hold of old (RFC 3264 §8.4).
fn direction(session: &Session, media: &sdp_types::Media, address: Option<IpAddr>) -> Direction {
    let mut said =
        media.attributes.iter().chain(&session.attributes).filter_map(|attribute| match attribute.attribute.as_str() {
            "sendonly" | "sendrecv" => Some(Direction::Sends),
            "inactive" | "recvonly" => Some(Direction::Silent),
            _ => None,
        });
    match address.is_some_and(|address| address.is_unspecified()) {
        true => Direction::Silent,
        false => said.next().unwrap_or(Direction::Sends),
    }
}

/// Adds what a payload type means: by `rtpmap`, or by the table of RFC 3551.
fn add(payloads: &mut Payloads, media: &sdp_types::Media, written: &str) {
    let Some(payload) = written.parse::<u8>().ok().filter(|payload| *payload < 128) else { return };
    let mapped = media.attributes.iter().filter(|a| a.attribute == "rtpmap").find_map(|attribute| {
        let (number, encoding) = attribute.value.as_deref()?.trim().split_once(' ')?;
        (number.parse() == Ok(payload)).then(|| encoding.trim())
    });
    let Some(encoding) = mapped else {
        payloads.add_static(payload);
        return;
    };
    let mut parts = encoding.split('/').map(str::trim);
    let (Some(name), Some(Ok(clock_hz))) = (parts.next(), parts.next().map(str::parse)) else { return };
    // Two channels in one stream would be two parties in it: such a format is left out.
    let channels = parts.next().map_or(Ok(1), str::parse).unwrap_or(0);
    payloads.add(payload, name, clock_hz, channels);
}

//! The answer to an offer: a stream for each stream, in the same order (RFC 3264 §6), to be received only.

use std::fmt::Write;
use std::net::IpAddr;

use super::offer::{Direction, Media, Offer};
use crate::source::wire::payload::Kind;

/// What becomes of a stream that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It may be sent to this port.
    To(u16),
    /// It is no sound. It is accepted in form, since a media server may take one refused stream for all of them; nothing
    /// is to be sent.
    Inactive,
}

/// Writes an answer. `session` and `version` are those of its `o=` line: the session stays, the version grows with each.
pub fn answer(offer: &Offer, accepted: &[Accepted], local: IpAddr, session: u64, version: u64) -> String {
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    let mut out =
        format!("v=0\r\no=- {session} {version} IN {family} {local}\r\ns=-\r\nc=IN {family} {local}\r\nt=0 0\r\n");
    for (number, media) in offer.media.iter().enumerate() {
        match accepted.get(number) {
            _ if media.port == 0 => refuse(&mut out, media),
            Some(Accepted::To(port)) => accept(&mut out, media, *port),
            Some(Accepted::Inactive) => {
                let _ = write!(out, "m={} 9 {} {}\r\na=inactive\r\n", media.kind, media.proto, written(media));
            }
            None => refuse(&mut out, media),
        }
        if let Some(label) = &media.label {
            let _ = write!(out, "a=label:{label}\r\n");
        }
    }
    out
}

fn refuse(out: &mut String, media: &Media) {
    let _ = write!(out, "m={} 0 {} {}\r\n", media.kind, media.proto, written(media));
}

fn written(media: &Media) -> String {
    if media.formats_written.is_empty() { "0".into() } else { media.formats_written.join(" ") }
}

fn accept(out: &mut String, media: &Media, port: u16) {
    let payloads: Vec<String> = media.payloads.iter().map(|(payload, _)| payload.to_string()).collect();
    // A stream whose formats nobody can read is taken in form all the same; what becomes of the call is told elsewhere.
    let formats = if payloads.is_empty() { written(media) } else { payloads.join(" ") };
    let _ = write!(out, "m={} {port} {} {formats}\r\n", media.kind, media.proto);
    for (payload, kind) in media.payloads.iter() {
        let (name, clock_hz) = match kind {
            Kind::Sound(codec) => (codec.name(), codec.clock_hz()),
            Kind::Keys { clock_hz } => ("telephone-event", clock_hz),
            Kind::ComfortNoise => ("CN", 8_000),
        };
        let _ = write!(out, "a=rtpmap:{payload} {name}/{clock_hz}\r\n");
        if matches!(kind, Kind::Keys { .. }) {
            let _ = write!(out, "a=fmtp:{payload} 0-15\r\n");
        }
    }
    out.push_str(match media.direction {
        Direction::Sends => "a=recvonly\r\n",
        Direction::Silent => "a=inactive\r\n",
    });
}

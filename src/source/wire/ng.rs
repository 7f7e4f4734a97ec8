//! The control protocol of rtpengine, "ng": `cookie SP bencode` in a datagram each way. Pure.
//!
//! What is read of its answers: the parties of a call (their tags and labels), and the description of what a subscription
//! would send. Whose stream an `m=` line is, is told by its label, never by its position: rtpengine lists first who sent
//! first.

use std::net::{IpAddr, SocketAddr};

use sdp_types::{Media, Session};

use super::bencode::Value;
use super::payload::Payloads;

/// Longest datagram that is read, bytes.
pub const ANSWER_MAX: usize = 65_535;
/// Most `m=` lines of a description that are read.
const MEDIAS_MAX: usize = 16;

/// A party of a call, as whoever announced it names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// By the label that the proxy gave with `offer` or `answer`.
    Label(String),
    /// By its SIP tag.
    Tag(String),
}

/// What rtpengine answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// It did it.
    Ok(Value<'a>),
    /// It refused, and says why.
    Refused(&'a str),
}

/// What a subscription would send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// By which the subscription is named from now on.
    pub to_tag: String,
    /// The audio of the one party that was asked for.
    pub media: Offered,
}

/// An `m=` line with audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Where it comes from.
    pub peer: Option<SocketAddr>,
    /// Of its payload types, those that can be read.
    pub payloads: Payloads,
    /// All of its payload types, as they were offered.
    pub formats: Vec<u8>,
    /// Their `a=rtpmap` and `a=fmtp`, as they were offered.
    pub maps: Vec<(String, String)>,
}

/// Why an offer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It cannot be read.
    Malformed,
    /// It is not of the one party that was asked for, or of more than that.
    Layout,
    /// It is encrypted, or no RTP.
    Transport,
}

/// A request. `entries` come behind the command.
pub fn request<'a>(cookie: &str, command: &'a str, entries: Vec<(&'a str, Value<'a>)>) -> Vec<u8> {
    let mut out = format!("{cookie} ").into_bytes();
    Value::dictionary([("command", command.into())].into_iter().chain(entries)).write(&mut out);
    out
}

/// The answer to the request with this cookie. None if the datagram is something else.
pub fn answer<'a>(datagram: &'a [u8], cookie: &str) -> Option<Answer<'a>> {
    let body = datagram.strip_prefix(cookie.as_bytes())?.strip_prefix(b" ")?;
    let value = Value::read(body)?;
    match value.text("result")? {
        "ok" => Some(Answer::Ok(value)),
        "error" => Some(Answer::Refused(value.text("error-reason").unwrap_or(""))),
        _ => None,
    }
}

/// The tag of a party in the answer to `query`. None if there is none, or more than one with that label.
pub fn find(query: &Value<'_>, party: &Selector) -> Option<String> {
    let tags = query.get("tags")?.entries();
    let mut found = tags.filter_map(|(tag, about)| {
        let tag = std::str::from_utf8(tag).ok()?;
        let is_it = match party {
            Selector::Label(label) => about.text("label") == Some(label),
            Selector::Tag(wanted) => tag == wanted,
        };
        is_it.then(|| tag.to_owned())
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// Whether the answer to a `query` about one party (with its tag as `from-tag`) lists it. None if it lists no parties at all:
/// then it was no such answer.
pub fn lists(query: &Value<'_>, tag: &str) -> Option<bool> {
    Some(query.get("tags")?.entries().any(|(listed, _)| listed == tag.as_bytes()))
}

/// The offer of a subscription to the party with this tag, out of the answer to `subscribe request`.
pub fn offer(answer: &Value<'_>, tag: &str) -> Result<Offer, Unusable> {
    let to_tag = answer.text("to-tag").ok_or(Unusable::Malformed)?;
    let description = answer.text("sdp").ok_or(Unusable::Malformed)?;
    if answer.get("from-tags").is_some_and(|tags| tags.items().iter().any(|from| from.as_text() != Some(tag))) {
        return Err(Unusable::Layout);
    }
    let session = Session::parse(description.as_bytes()).map_err(|_| Unusable::Malformed)?;
    let mut audio = session.medias.iter().take(MEDIAS_MAX).filter(|media| media.media == "audio" && media.port != 0);
    let (Some(media), None) = (audio.next(), audio.next()) else { return Err(Unusable::Layout) };
    if let Some(labels) = answer.get("media-labels") {
        // A telephone's own labels are passed on beside rtpengine's (baresip writes `a=label:1`): only those that rtpengine
        // explains count, and all of these must name the party.
        let named = media.attributes.iter().filter(|attribute| attribute.attribute == "label");
        let mut explained = named.filter_map(|label| labels.get(label.value.as_deref()?)).peekable();
        if explained.peek().is_none() || !explained.all(|about| about.text("tag") == Some(tag)) {
            return Err(Unusable::Layout);
        }
    }
    if !matches!(media.proto.as_str(), "RTP/AVP" | "RTP/AVPF") {
        return Err(Unusable::Transport);
    }
    Ok(Offer { to_tag: to_tag.into(), media: offered(&session, media) })
}

fn offered(session: &Session, media: &Media) -> Offered {
    let formats: Vec<u8> = media.fmt.split_ascii_whitespace().filter_map(|format| format.parse::<u8>().ok()).collect();
    let mut payloads = Payloads::new();
    for format in &formats {
        payloads.add_static(*format);
    }
    let mut maps = Vec::new();
    for attribute in &media.attributes {
        let Some(value) = attribute.value.as_deref() else { continue };
        if !matches!(attribute.attribute.as_str(), "rtpmap" | "fmtp") {
            continue;
        }
        maps.push((attribute.attribute.clone(), value.to_owned()));
        if let Some((payload_type, name, clock_hz, channels)) =
            rtpmap(value).filter(|_| attribute.attribute == "rtpmap")
            && formats.contains(&payload_type)
        {
            payloads.add(payload_type, name, clock_hz, channels);
        }
    }
    let connection = media.connections.first().or(session.connection.as_ref());
    let address = connection.and_then(|connection| connection.connection_address.parse::<IpAddr>().ok());
    let peer = address.filter(|address| !address.is_unspecified()).map(|address| SocketAddr::new(address, media.port));
    Offered { peer, payloads, formats, maps }
}

/// `101 telephone-event/8000`, `96 L16/16000/1`.
pub fn rtpmap(value: &str) -> Option<(u8, &str, u32, u32)> {
    let (payload_type, encoding) = value.trim().split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    let (name, clock_hz) = (parts.next()?, parts.next()?.parse().ok()?);
    let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
    Some((payload_type.parse().ok()?, name, clock_hz, channels))
}

/// The description with which an offer is taken at `local`: all that was offered if `transcode` is not set; otherwise
/// µ-law and keys, to which rtpengine is asked to convert.
pub fn accept(offered: &Offered, local: SocketAddr, transcode: bool) -> String {
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    let (formats, maps) = if transcode {
        let maps = [("rtpmap", "0 PCMU/8000"), ("rtpmap", "101 telephone-event/8000"), ("fmtp", "101 0-15")];
        (vec![0, 101], maps.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    } else {
        (offered.formats.clone(), offered.maps.clone())
    };
    let formats: Vec<String> = formats.iter().map(u8::to_string).collect();
    let mut sdp = format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP {}\r\n",
        local.port(),
        formats.join(" "),
        ip = local.ip()
    );
    for (name, value) in maps {
        sdp.push_str(&format!("a={name}:{value}\r\n"));
    }
    sdp.push_str("a=recvonly\r\n");
    sdp
}

/// The payloads of what [`accept`] asks for with `transcode`.
pub fn transcoded() -> Payloads {
    let mut payloads = Payloads::new();
    payloads.add_static(0);
    payloads.add(101, "telephone-event", 8_000, 1);
    payloads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::wire::payload::{Codec, Kind};

    /// As rtpengine 10.5 sent it.
    const SDP: &str = "v=0\r\no=- 7710849164120274842 7710849164120274842 IN IP4 127.0.0.1\r\ns=rtpengine-10-5-3-5-1-deb12u1\r\n\
        t=0 0\r\nm=audio 31028 RTP/AVP 0 101\r\nc=IN IP4 127.0.0.1\r\na=label:1\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendonly\r\na=rtcp:31029\r\na=ptime:20\r\n";

    fn subscribed<'a>(sdp: &'a str, label: &'a str, tag: &'a str) -> Value<'a> {
        Value::dictionary([
            ("from-tags", Value::texts([tag])),
            ("media-labels", Value::dictionary([(label, Value::dictionary([("tag", tag.into())]))])),
            ("to-tag", "recorder".into()),
            ("sdp", sdp.into()),
            ("result", "ok".into()),
        ])
    }

    #[test]
    fn a_request_has_its_cookie_and_an_answer_must_have_the_same() {
        let request = request("c1", "query", vec![("call-id", "x@y".into())]);
        assert_eq!(request, b"c1 d7:command5:query7:call-id3:x@ye");
        assert!(matches!(answer(b"c1 d6:result2:oke", "c1"), Some(Answer::Ok(_))));
        let refused = b"c1 d6:result5:error12:error-reason15:Unknown call-ide";
        assert_eq!(answer(refused, "c1"), Some(Answer::Refused("Unknown call-id")));
        for other in [&b"c2 d6:result2:oke"[..], b"c1d6:result2:oke", b"c1 d6:result4:pongee", b"c1 d6:result", b""] {
            assert_eq!(answer(other, "c1"), None);
        }
    }

    #[test]
    fn parties_are_found_by_label_or_tag_and_never_guessed() {
        let about = |label| Value::dictionary([("label", Value::from(label))]);
        let tags = Value::dictionary([("a1", about("agent")), ("c1", about("customer")), ("c2", about("customer"))]);
        let query = Value::dictionary([("tags", tags)]);
        let find = |party| find(&query, &party);
        assert_eq!(find(Selector::Label("agent".into())), Some("a1".into()));
        assert_eq!(find(Selector::Tag("c2".into())), Some("c2".into()));
        assert_eq!(find(Selector::Label("customer".into())), None, "two of them");
        assert_eq!(find(Selector::Label("nobody".into())), None);
        assert_eq!(find(Selector::Tag("agent".into())), None);
    }

    #[test]
    fn a_party_that_was_deleted_is_not_listed_any_more() {
        // As rtpengine 10.5 answers, shortened: a call in hand, after the `delete` of its proxy, and something else.
        let answers = |text: &'static [u8]| lists(&Value::read(text).unwrap(), "a1");
        assert_eq!(answers(b"d6:result2:ok4:tagsd2:a1d5:label5:agente2:c1d5:label8:customereee"), Some(true));
        assert_eq!(answers(b"d6:result2:ok4:tagsdee"), Some(false));
        assert_eq!(answers(b"d6:result2:oke"), None);
    }

    #[test]
    fn an_offer_is_of_the_party_that_was_asked_for() {
        let offer = offer(&subscribed(SDP, "1", "agent"), "agent").unwrap();
        assert_eq!(offer.to_tag, "recorder");
        assert_eq!(offer.media.peer, Some("127.0.0.1:31028".parse().unwrap()));
        assert_eq!(offer.media.formats, [0, 101]);
        assert_eq!(offer.media.payloads.kind(0), Some(Kind::Sound(Codec::Pcmu)));
        assert_eq!(offer.media.payloads.kind(101), Some(Kind::Keys { clock_hz: 8_000 }));
    }

    #[test]
    fn an_offer_of_somebody_else_or_of_more_is_not_taken() {
        let two = format!("{SDP}{}", &SDP[SDP.find("m=").unwrap()..]);
        let encrypted = SDP.replace("RTP/AVP", "RTP/SAVP");
        let unlabelled = SDP.replace("a=label:1\r\n", "");
        for (sdp, label, tag, why) in [
            (SDP, "0", "agent", Unusable::Layout),
            (SDP, "1", "customer", Unusable::Layout),
            (&two, "1", "agent", Unusable::Layout),
            (&unlabelled, "1", "agent", Unusable::Layout),
            (&encrypted, "1", "agent", Unusable::Transport),
            ("v=0\r\nrubbish", "1", "agent", Unusable::Malformed),
        ] {
            assert_eq!(offer(&subscribed(sdp, label, tag), "agent"), Err(why));
        }
    }

    #[test]
    fn a_label_of_the_telephone_is_passed_over() {
        let labelled = SDP.replace("a=label:1\r\n", "a=label:1\r\na=label:0\r\n");
        assert!(offer(&subscribed(&labelled, "0", "customer"), "customer").is_ok());
        assert_eq!(offer(&subscribed(&labelled, "0", "customer"), "agent"), Err(Unusable::Layout));
    }

    #[test]
    fn all_that_was_offered_is_taken_unless_it_has_to_be_converted() {
        let media = offer(&subscribed(SDP, "1", "agent"), "agent").unwrap().media;
        let local = "127.0.0.1:40000".parse().unwrap();
        let taken = accept(&media, local, false);
        assert!(taken.contains("m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"), "{taken}");
        assert!(taken.ends_with("a=fmtp:101 0-15\r\na=recvonly\r\n"), "{taken}");
        let opus = Offered { formats: vec![96], maps: vec![("rtpmap".into(), "96 opus/48000/2".into())], ..media };
        let converted = accept(&opus, "[::1]:40000".parse().unwrap(), true);
        assert!(converted.contains("c=IN IP6 ::1\r\n") && converted.contains("RTP/AVP 0 101\r\n"), "{converted}");
        assert!(Session::parse(converted.as_bytes()).is_ok());
        assert_eq!(transcoded().describe(), "PCMU 8000 Hz");
    }
}

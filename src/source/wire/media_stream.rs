//! Twilio and Telnyx media streams: JSON messages over a WebSocket, G.711 in base64.
//!
//! The two are of one family. Twilio writes camel case, Telnyx snake case; numbers come as texts or as numbers. Telnyx
//! does not promise the order of its messages, so each carries its place (`timestamp`, ms since the stream began).
//!
//! `inbound` and `outbound` are relative to the leg that the stream was begun on: of a call that was dialled out,
//! inbound is the one who was called. Which of them is the agent is therefore configuration, and has no default.
//!
//! Source: Twilio, "Media Streams: WebSocket messages"; Telnyx, "Stream call media over WebSocket".

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::json::{self, Fault, Number, Words};
use super::sample::Encoding;

/// Longest message, bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Most sound in one message, frames (2 s). The programs send 20 ms.
pub const FRAMES_MAX: usize = 16_000;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A message of the switch.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<'a> {
    /// The connection stands; nothing is known of the call yet.
    Connected,
    /// The stream begins.
    Start(Start),
    /// Sound of one party.
    Media(Media<'a>),
    /// A key was pressed.
    Digit {
        /// Which: `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// On which track, if the message says it.
        track: Option<Track>,
    },
    /// Something that we sent was played; we send nothing.
    Mark,
    /// The stream ends.
    Stop,
    /// An event that nobody here knows.
    Unknown,
}

/// How a stream begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The stream's id.
    pub stream: Option<String>,
    /// The call's id as the switch has it.
    pub call: Option<String>,
    /// The tracks that it will carry; none are named by Telnyx.
    pub tracks: Vec<Track>,
    /// How its sound is coded.
    pub encoding: Encoding,
    /// Samples per second.
    pub rate_hz: u32,
    /// What the one who began the stream added.
    pub parameters: Words,
}

/// A direction, relative to the leg that the stream was begun on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// What the party on that leg says.
    Inbound,
    /// What that party hears.
    Outbound,
}

impl Track {
    /// The other one.
    pub fn other(self) -> Track {
        match self {
            Track::Inbound => Track::Outbound,
            Track::Outbound => Track::Inbound,
        }
    }

    /// Reads `inbound`, `outbound`, and the same with `_track`.
    pub fn named(name: &str) -> Option<Track> {
        match name.strip_suffix("_track").unwrap_or(name) {
            "inbound" => Some(Track::Inbound),
            "outbound" => Some(Track::Outbound),
            _ => None,
        }
    }
}

/// Sound of one party, not decoded yet.
#[derive(Clone, PartialEq)]
pub struct Media<'a> {
    /// Whose.
    pub track: Track,
    /// Its number in the stream, from 1.
    pub chunk: Option<u64>,
    /// Where it belongs, ms since the stream began.
    pub timestamp_ms: Option<u64>,
    payload: Cow<'a, str>,
}

/// Without the sound.
impl std::fmt::Debug for Media<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Media({:?}, {:?}, {:?} ms, {} frames)", self.track, self.chunk, self.timestamp_ms, self.frames())
    }
}

impl Media<'_> {
    /// Frames that it holds, counted without decoding it. One byte is one frame.
    pub fn frames(&self) -> usize {
        let length = self.payload.trim_end_matches('=').len();
        length / 4 * 3 + (length % 4).saturating_sub(1)
    }

    /// The G.711 bytes; wiped when dropped.
    pub fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut bytes = Zeroizing::new(vec![0; self.payload.len() / 4 * 3 + 3]);
        let length = BASE64
            .decode_slice(self.payload.as_bytes(), &mut bytes)
            .map_err(|_| Fault("the payload of a media message is no base64"))?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(default, alias = "streamSid", alias = "stream_sid")]
    stream_id: Option<String>,
    #[serde(default)]
    start: Option<WireStart>,
    #[serde(default, borrow)]
    media: Option<WireMedia<'a>>,
    #[serde(default)]
    dtmf: Option<WireDigit>,
}

#[derive(Deserialize)]
struct WireStart {
    #[serde(default, rename = "callSid", alias = "call_sid", alias = "call_control_id")]
    call: Option<String>,
    #[serde(default)]
    call_session_id: Option<String>,
    #[serde(default)]
    tracks: Vec<String>,
    #[serde(rename = "mediaFormat", alias = "media_format")]
    format: WireFormat,
    #[serde(default, rename = "customParameters", alias = "custom_parameters")]
    parameters: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct WireFormat {
    encoding: String,
    #[serde(rename = "sampleRate", alias = "sample_rate")]
    rate: Number,
    #[serde(default)]
    channels: Option<Number>,
}

#[derive(Deserialize)]
struct WireMedia<'a> {
    #[serde(default)]
    track: Option<String>,
    #[serde(default)]
    chunk: Option<Number>,
    #[serde(default)]
    timestamp: Option<Number>,
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

#[derive(Deserialize)]
struct WireDigit {
    digit: String,
    #[serde(default)]
    track: Option<String>,
}

/// Takes a message apart.
pub fn parse(text: &str) -> Result<Message<'_>, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Fault("the message is longer than 64 KiB"));
    }
    let wire: Wire<'_> = serde_json::from_str(text).map_err(|_| Fault("the message is none of a media stream"))?;
    Ok(match &*wire.event {
        "connected" => Message::Connected,
        "start" => {
            Message::Start(start(wire.start.ok_or(Fault("a start message without its object"))?, wire.stream_id)?)
        }
        "media" => Message::Media(media(wire.media.ok_or(Fault("a media message without its object"))?)?),
        "dtmf" => {
            let said = wire.dtmf.ok_or(Fault("a dtmf message without its object"))?;
            let digit = json::digit(&said.digit).ok_or(Fault("a dtmf message without a key of a telephone"))?;
            let track = said.track.map(|name| Track::named(&name).ok_or(Fault("a track that nobody knows")));
            Message::Digit { digit, track: track.transpose()? }
        }
        "mark" => Message::Mark,
        "stop" => Message::Stop,
        _ => Message::Unknown,
    })
}

fn start(wire: WireStart, stream: Option<String>) -> Result<Start, Fault> {
    let encoding = match wire.format.encoding.to_ascii_lowercase().as_str() {
        "audio/x-mulaw" | "audio/pcmu" | "pcmu" | "mulaw" => Encoding::Mulaw,
        "audio/x-alaw" | "audio/pcma" | "pcma" | "alaw" => Encoding::Alaw,
        _ => return Err(Fault("the stream is coded neither in PCMU nor in PCMA; set the codec of the stream")),
    };
    if wire.format.channels.is_some_and(|channels| channels.0 != 1) {
        return Err(Fault("a track has one channel, this stream's have more"));
    }
    let rate_hz = u32::try_from(wire.format.rate.0).ok().filter(|rate| *rate == 8_000);
    let tracks = wire.tracks.iter().map(|name| Track::named(name).ok_or(Fault("a track that nobody knows")));
    let named = |name: Option<String>| name.as_deref().and_then(json::name).map(str::to_owned);
    Ok(Start {
        stream: named(stream),
        call: named(wire.call_session_id).or_else(|| named(wire.call)),
        tracks: tracks.collect::<Result<_, _>>()?,
        encoding,
        rate_hz: rate_hz.ok_or(Fault("G.711 has 8,000 samples a second, the stream says otherwise"))?,
        parameters: wire.parameters.as_ref().map(json::words).unwrap_or_default(),
    })
}

fn media(wire: WireMedia<'_>) -> Result<Media<'_>, Fault> {
    let track = match wire.track {
        Some(name) => Track::named(&name).ok_or(Fault("a track that nobody knows"))?,
        None => return Err(Fault("a media message that does not name its track")),
    };
    let (chunk, timestamp_ms) = (wire.chunk.map(|n| n.0), wire.timestamp.map(|n| n.0));
    let media = Media { track, chunk, timestamp_ms, payload: wire.payload };
    if media.frames() > FRAMES_MAX {
        return Err(Fault("a media message of more than 2 s"));
    }
    Ok(media)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#"{"event": "start", "sequenceNumber": "1", "start": {"accountSid": "AC7a", "streamSid": "MZcf", "callSid": "CAf0", "tracks": ["inbound", "outbound"], "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}, "customParameters": {"callId": "42"}}, "streamSid": "MZcf"}"#;

    fn started(text: &str) -> Start {
        match parse(text).unwrap() {
            Message::Start(start) => start,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn twilio_begins_with_the_call_its_tracks_and_what_was_added() {
        let start = started(START);
        assert_eq!((start.stream.as_deref(), start.call.as_deref()), (Some("MZcf"), Some("CAf0")));
        assert_eq!(start.tracks, [Track::Inbound, Track::Outbound]);
        assert_eq!((start.encoding, start.rate_hz), (Encoding::Mulaw, 8_000));
        assert_eq!(start.parameters.get("callId").map(String::as_str), Some("42"));
    }

    #[test]
    fn telnyx_writes_the_same_with_underscores() {
        let start = started(
            r#"{"event":"start","sequence_number":"1","stream_id":"32DE","start":{"user_id":"3E6F","call_control_id":"v2:T02","call_session_id":"ff55","from":"+1312","to":"+1313","custom_parameters":{"call":"7"},"media_format":{"encoding":"PCMA","sample_rate":"8000","channels":1}}}"#,
        );
        assert_eq!((start.stream.as_deref(), start.call.as_deref()), (Some("32DE"), Some("ff55")));
        assert_eq!((start.encoding, start.tracks.len()), (Encoding::Alaw, 0));
    }

    #[test]
    fn sound_has_its_track_its_place_and_a_length_that_needs_no_decoding() {
        for (payload, bytes) in [("", 0), ("/w==", 1), ("/w", 1), ("//8=", 2), ("////", 3), ("/////w", 4)] {
            let text = format!(
                r#"{{"event":"media","media":{{"track":"outbound","chunk":3,"timestamp":"20","payload":"{payload}"}}}}"#
            );
            let Message::Media(media) = parse(&text).unwrap() else { panic!("{text}") };
            assert_eq!((media.track, media.chunk, media.timestamp_ms), (Track::Outbound, Some(3), Some(20)));
            assert_eq!((media.frames(), media.bytes().unwrap().len()), (bytes, bytes), "{payload}");
            assert!(matches!(media.payload, Cow::Borrowed(_)), "it is not copied");
        }
    }

    #[test]
    fn keys_come_with_their_track_or_without() {
        let digit = |dtmf: &str| parse(&format!(r#"{{"event":"dtmf","dtmf":{dtmf}}}"#)).map(|m| format!("{m:?}"));
        assert_eq!(
            digit(r#"{"track":"inbound_track","digit":"1"}"#).unwrap(),
            "Digit { digit: '1', track: Some(Inbound) }"
        );
        assert_eq!(digit(r##"{"digit":"#"}"##).unwrap(), "Digit { digit: '#', track: None }");
        assert!(digit(r#"{"digit":"12"}"#).is_err());
        assert!(digit(r#"{"track":"sideways","digit":"1"}"#).is_err());
    }

    #[test]
    fn what_cannot_be_placed_with_a_party_is_refused() {
        let bad = [
            r#"{"event":"media","media":{"payload":"//8="}}"#.to_owned(),
            r#"{"event":"media","media":{"track":"both","payload":"//8="}}"#.into(),
            r#"{"event":"media"}"#.into(),
            "connected".into(),
            START.replace("audio/x-mulaw", "OPUS"),
            START.replace("8000", "16000"),
            START.replace(r#""channels": 1"#, r#""channels": 2"#),
            START.replace(r#"["inbound","#, r#"["both","#),
            format!(r#"{{"event":"media","media":{{"track":"inbound","payload":"{}"}}}}"#, "A".repeat(22_000)),
        ];
        for text in bad {
            assert!(parse(&text).is_err(), "{text}");
        }
        let Message::Media(media) = parse(r#"{"event":"media","media":{"track":"inbound","payload":"?"}}"#).unwrap()
        else {
            panic!("its payload is looked at later")
        };
        assert!(media.bytes().is_err());
        assert_eq!(parse(r#"{"event":"cleared"}"#), Ok(Message::Unknown));
    }
}

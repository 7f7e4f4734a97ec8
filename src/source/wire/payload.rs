//! What payload types stand for, and how their sound is decoded. Pure.
//!
//! The *line* of a call has one rate for both parties: the highest that any of their payloads decodes to. All places are
//! frames at that rate. What decodes to a lower one, by a whole factor, is interpolated.

use audio_codec::g722::G722Decoder;

use super::sample::Encoding;

/// Payload types that one party may use.
pub const PAYLOADS_MAX: usize = 32;
/// Rates that a line can have, Hz.
const RATES_HZ: [u32; 4] = [8_000, 16_000, 32_000, 48_000];

/// A codec of a stream of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s: 16,000 samples a second under a clock of 8,000 (RFC 3551 §4.5.2).
    G722,
    /// 16-bit samples, most significant byte first (RFC 3551 §4.5.11).
    L16 {
        /// Samples per second, and the clock.
        rate_hz: u32,
    },
}

impl Codec {
    /// Samples per second, decoded.
    pub fn rate_hz(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8_000,
            Codec::G722 => 16_000,
            Codec::L16 { rate_hz } => rate_hz,
        }
    }

    /// Ticks of the time stamp per second.
    pub fn clock_hz(self) -> u32 {
        match self {
            Codec::G722 => 8_000,
            other => other.rate_hz(),
        }
    }

    /// Samples in a payload of so many bytes.
    pub fn samples(self, bytes: usize) -> usize {
        match self {
            Codec::Pcmu | Codec::Pcma => bytes,
            Codec::G722 => bytes * 2,
            Codec::L16 { .. } => bytes / 2,
        }
    }

    /// Its name in a session description.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::L16 { .. } => "L16",
        }
    }
}

/// What a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sound.
    Sound(Codec),
    /// Keys (RFC 4733).
    Keys {
        /// Ticks of the time stamp per second.
        clock_hz: u32,
    },
    /// Comfort noise (RFC 3389): the sender is silent.
    ComfortNoise,
}

/// The payload types of a stream. A type that is not among them is no sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payloads(Vec<(u8, Kind)>);

impl Payloads {
    /// None yet.
    pub fn new() -> Payloads {
        Payloads::default()
    }

    /// Adds what an `a=rtpmap` says (name, clock, channels). Whether it is one that can be read: others are left out.
    pub fn add(&mut self, payload_type: u8, name: &str, clock_hz: u32, channels: u32) -> bool {
        let kind = match name.to_ascii_uppercase().as_str() {
            _ if channels != 1 => return false,
            "PCMU" if clock_hz == 8_000 => Kind::Sound(Codec::Pcmu),
            "PCMA" if clock_hz == 8_000 => Kind::Sound(Codec::Pcma),
            "G722" if clock_hz == 8_000 => Kind::Sound(Codec::G722),
            "L16" if RATES_HZ.contains(&clock_hz) => Kind::Sound(Codec::L16 { rate_hz: clock_hz }),
            "TELEPHONE-EVENT" if (8_000..=48_000).contains(&clock_hz) => Kind::Keys { clock_hz },
            "CN" => Kind::ComfortNoise,
            _ => return false,
        };
        if payload_type > 127 || self.0.len() >= PAYLOADS_MAX {
            return false;
        }
        self.0.retain(|(known, _)| *known != payload_type);
        self.0.push((payload_type, kind));
        true
    }

    /// Adds a payload type that needs no `a=rtpmap` (RFC 3551 §6). Whether it is one that can be read.
    pub fn add_static(&mut self, payload_type: u8) -> bool {
        match payload_type {
            0 => self.add(0, "PCMU", 8_000, 1),
            8 => self.add(8, "PCMA", 8_000, 1),
            9 => self.add(9, "G722", 8_000, 1),
            13 => self.add(13, "CN", 8_000, 1),
            _ => false,
        }
    }

    /// What this payload type stands for. Comfort noise needs no announcement.
    pub fn kind(&self, payload_type: u8) -> Option<Kind> {
        let known = self.0.iter().find(|(known, _)| *known == payload_type).map(|(_, kind)| *kind);
        known.or((payload_type == 13).then_some(Kind::ComfortNoise))
    }

    /// Everything in it.
    pub fn iter(&self) -> impl Iterator<Item = (u8, Kind)> + '_ {
        self.0.iter().copied()
    }

    /// Its sound.
    pub fn codecs(&self) -> impl Iterator<Item = Codec> + '_ {
        self.iter().filter_map(|(_, kind)| if let Kind::Sound(codec) = kind { Some(codec) } else { None })
    }

    /// For the manifest: `PCMU 8000 Hz, PCMA 8000 Hz`.
    pub fn describe(&self) -> String {
        let each: Vec<_> = self.codecs().map(|codec| format!("{} {} Hz", codec.name(), codec.rate_hz())).collect();
        each.join(", ")
    }
}

/// The rate of the line on which all of these can be laid, Hz: the highest; none if it is no whole multiple of another,
/// or if there is no sound in them.
pub fn line_hz<'a>(streams: impl IntoIterator<Item = &'a Payloads>) -> Option<u32> {
    let rates: Vec<u32> = streams.into_iter().flat_map(Payloads::codecs).map(Codec::rate_hz).collect();
    let highest = rates.iter().copied().max()?;
    rates.iter().all(|rate| highest % rate == 0).then_some(highest)
}

/// Decodes one stream.
pub struct Decoder {
    line_hz: u32,
    g722: Option<Box<G722Decoder>>,
    last: i16,
}

impl Decoder {
    /// For a line with this rate.
    pub fn new(line_hz: u32) -> Decoder {
        Decoder { line_hz, g722: None, last: 0 }
    }

    /// Frames of the line that a payload lasts. None if it cannot be laid on it.
    pub fn frames(&self, codec: Codec, bytes: usize) -> Option<u32> {
        let factor = factor(self.line_hz, codec.rate_hz())?;
        u32::try_from(codec.samples(bytes)).ok()?.checked_mul(factor)
    }

    /// Frames of the line in one tick of the time stamp.
    pub fn unit(&self, clock_hz: u32) -> Option<u32> {
        factor(self.line_hz, clock_hz)
    }

    /// Decodes a payload behind what is in `out`: as many samples as [`frames`](Decoder::frames) says.
    pub fn decode(&mut self, codec: Codec, payload: &[u8], out: &mut Vec<i16>) {
        let Some(factor) = factor(self.line_hz, codec.rate_hz()) else { return };
        let from = out.len();
        let samples = codec.samples(payload.len());
        match codec {
            Codec::Pcmu | Codec::Pcma => {
                out.resize(from + samples, 0);
                let law = if codec == Codec::Pcmu { Encoding::Mulaw } else { Encoding::Alaw };
                law.decode(payload, &mut out[from..]);
            }
            Codec::L16 { .. } => {
                let (pairs, _) = payload.as_chunks::<2>();
                out.extend(pairs.iter().map(|pair| i16::from_be_bytes(*pair)));
            }
            Codec::G722 => {
                out.resize(from + samples, 0);
                let decoder = self.g722.get_or_insert_with(|| Box::new(G722Decoder::new()));
                // It fails for want of room only, and there is room; then silence stands.
                let _ = decoder.decode_frame_into(payload, &mut out[from..]);
            }
        }
        self.interpolate(out, from, factor as usize);
    }

    /// Between each two samples, what lies on a straight line between them: telephone sound ends well below the rate at
    /// which that would be heard.
    fn interpolate(&mut self, out: &mut Vec<i16>, from: usize, factor: usize) {
        let samples = out.len() - from;
        if samples == 0 {
            return;
        }
        let last = std::mem::replace(&mut self.last, out[out.len() - 1]);
        if factor == 1 {
            return;
        }
        out.resize(from + samples * factor, 0);
        for at in (0..samples).rev() {
            let here = i32::from(out[from + at]);
            let before = if at == 0 { i32::from(last) } else { i32::from(out[from + at - 1]) };
            for part in 0..factor {
                let moved = (here - before) * (part as i32 + 1) / factor as i32;
                out[from + at * factor + part] = (before + moved) as i16;
            }
        }
    }

    /// The stream does not go on where it was: another sender.
    pub fn reset(&mut self) {
        *self = Decoder::new(self.line_hz);
    }
}

fn factor(line_hz: u32, rate_hz: u32) -> Option<u32> {
    (rate_hz > 0 && line_hz.is_multiple_of(rate_hz)).then(|| line_hz / rate_hz).filter(|factor| *factor > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(line_hz: u32, codec: Codec, payload: &[u8]) -> Vec<i16> {
        let (mut decoder, mut out) = (Decoder::new(line_hz), Vec::new());
        decoder.decode(codec, payload, &mut out);
        assert_eq!(Some(out.len() as u32), decoder.frames(codec, payload.len()));
        out
    }

    #[test]
    fn each_codec_is_decoded_by_its_own_rules() {
        assert_eq!(decoded(8_000, Codec::Pcmu, &[0xFF, 0x00, 0x80]), [0, -32_124, 32_124]);
        assert_eq!(decoded(8_000, Codec::Pcma, &[0xD5, 0x2A]), [8, -32_256]);
        assert_eq!(decoded(16_000, Codec::L16 { rate_hz: 16_000 }, &[0x12, 0x34, 0xFF, 0xFE, 1]), [0x1234, -2]);
    }

    #[test]
    fn a_tone_comes_through_g722() {
        use audio_codec::Encoder as _;
        let tone: Vec<i16> = (0..3_200).map(|n| (8_000.0 * (f64::from(n) * 0.39).sin()) as i16).collect();
        let payload = audio_codec::g722::G722Encoder::new().encode(&tone);
        assert_eq!(payload.len(), 1_600);
        let heard = decoded(16_000, Codec::G722, &payload);
        let power = |sound: &[i16]| sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len() as f64;
        let ratio = power(&heard[400..]) / power(&tone[400..]);
        assert!((0.8..1.25).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_slower_codec_is_spread_over_the_line() {
        assert_eq!(decoded(16_000, Codec::Pcmu, &[0x80, 0xFF]), [16_062, 32_124, 16_062, 0]);
        assert_eq!(Decoder::new(16_000).frames(Codec::L16 { rate_hz: 48_000 }, 4), None);
        assert_eq!(Decoder::new(16_000).unit(Codec::G722.clock_hz()), Some(2));
    }

    #[test]
    fn payload_types_mean_what_was_described_and_nothing_else() {
        let mut payloads = Payloads::new();
        assert!(payloads.add_static(0) && payloads.add(101, "telephone-event", 8_000, 1));
        assert!(payloads.add(96, "l16", 16_000, 1));
        for unreadable in [("opus", 48_000, 2), ("L16", 44_100, 1), ("L16", 16_000, 2), ("PCMU", 16_000, 1)] {
            assert!(!payloads.add(97, unreadable.0, unreadable.1, unreadable.2), "{unreadable:?}");
        }
        assert!(!payloads.add(128, "PCMU", 8_000, 1) && !payloads.add_static(3));
        assert_eq!(payloads.kind(101), Some(Kind::Keys { clock_hz: 8_000 }));
        assert_eq!(payloads.kind(13), Some(Kind::ComfortNoise));
        assert_eq!((payloads.kind(8), payloads.kind(97)), (None, None));
        assert_eq!(payloads.describe(), "PCMU 8000 Hz, L16 16000 Hz");
    }

    #[test]
    fn a_line_has_the_highest_rate_if_the_others_divide_it() {
        let with = |codecs: &[(&str, u32)]| {
            let mut payloads = Payloads::new();
            for (number, (name, clock_hz)) in codecs.iter().enumerate() {
                assert!(payloads.add(96 + number as u8, name, *clock_hz, 1));
            }
            payloads
        };
        assert_eq!(line_hz([&with(&[("PCMU", 8_000)]), &with(&[("G722", 8_000), ("PCMA", 8_000)])]), Some(16_000));
        assert_eq!(line_hz([&with(&[("L16", 32_000), ("L16", 48_000)])]), None);
        assert_eq!(line_hz([&with(&[("telephone-event", 8_000)])]), None);
    }
}

//! The Opus packets of an Ogg file (RFC 6716, RFC 7845), decoded by `opus-pure`.
//!
//! Opus has no rate of its own. It is decoded at the rate of the original sound, where the header names one that the
//! decoder knows, so that a telephone call comes out at its 8 kHz; otherwise at 48 kHz.

use opus_pure::OpusDecoder;
use zeroize::{Zeroize, Zeroizing};

/// Ticks in which Ogg Opus counts.
const TICK_HZ: u64 = 48_000;
/// The longest packet lasts 120 ms: a second holds more than eight.
const PACKETS_PER_SECOND_MIN: u32 = 8;
/// Rates that the decoder knows besides 48 kHz.
const RATES_HZ: [u32; 4] = [8_000, 12_000, 16_000, 24_000];

/// One Opus stream of one or two channels.
pub(super) struct OpusVoice {
    decoder: OpusDecoder,
    rate_hz: u32,
    channels: usize,
    /// Sample frames of encoder delay still to be left out.
    skip: usize,
    scratch: Zeroizing<Vec<i16>>,
}

impl OpusVoice {
    /// A decoder for the stream with this identification header (RFC 7845, 5.1). The error is a sentence with a remedy.
    pub(super) fn new(head: &[u8]) -> Result<OpusVoice, String> {
        let short = || "its Opus header is cut or damaged; convert the file to WAV".to_owned();
        let fields: [u8; 10] = *head.get(9..19).and_then(|head| head.first_chunk()).ok_or_else(short)?;
        let [channels, skip0, skip1, r0, r1, r2, r3, gain0, gain1, family] = fields;
        let channels = usize::from(channels);
        if family != 0 || !(1..=2).contains(&channels) {
            return Err(format!(
                "its Opus stream has {channels} channel(s) of mapping family {family}; one or two of family 0 are read: \
                 convert the file to WAV"
            ));
        }
        let original = u32::from_le_bytes([r0, r1, r2, r3]);
        let rate_hz = if RATES_HZ.contains(&original) { original } else { TICK_HZ as u32 };
        let mut decoder = OpusDecoder::new(rate_hz as i32, channels)
            .map_err(|error| format!("its Opus stream cannot be decoded ({error}); convert the file to WAV"))?;
        decoder.gain_q8 = i32::from(i16::from_le_bytes([gain0, gain1]));
        let skip = to_frames(u64::from(u16::from_le_bytes([skip0, skip1])), rate_hz);
        let scratch = Zeroizing::new(vec![0; (rate_hz / PACKETS_PER_SECOND_MIN) as usize * channels]);
        Ok(OpusVoice { decoder, rate_hz, channels, skip, scratch })
    }

    pub(super) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Sample frames of encoder delay that are still to be left out.
    pub(super) fn delay(&self) -> u64 {
        self.skip as u64
    }

    /// Decodes a packet into `pcm`, without the encoder's delay and without `trim_end` ticks at its end.
    pub(super) fn decode(&mut self, packet: &[u8], trim_end: u64, pcm: &mut Vec<i16>) -> Result<(), String> {
        pcm.zeroize();
        // An empty packet would ask for concealment of a length that nobody knows.
        if packet.is_empty() {
            return Err("an Opus packet is empty".into());
        }
        let room = self.scratch.len() / self.channels;
        let frames = self.decoder.decode_s16(packet, room, &mut self.scratch).map_err(|error| error.to_string())?;
        let frames = frames.min(room);
        let skip = self.skip.min(frames);
        self.skip -= skip;
        let until = frames.saturating_sub(to_frames(trim_end, self.rate_hz)).max(skip);
        pcm.extend_from_slice(&self.scratch[skip * self.channels..until * self.channels]);
        Ok(())
    }
}

fn to_frames(ticks: u64, rate_hz: u32) -> usize {
    (ticks.saturating_mul(u64::from(rate_hz)) / TICK_HZ) as usize
}

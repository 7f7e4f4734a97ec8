//! The Opus packets of an Ogg file (RFC 6716, RFC 7845), decoded by `opus-decoder`.
//!
//! Opus has no rate of its own. It is decoded at the rate of the original sound, where the header names one that the
//! decoder knows, so that a telephone call comes out at its 8 kHz; otherwise at 48 kHz.

use opus_decoder::OpusMultistreamDecoder;
use zeroize::{Zeroize, Zeroizing};

/// Ticks in which Ogg Opus counts.
const TICK_HZ: u64 = 48_000;
/// Sample frames of the longest packet, 120 ms at 48 kHz.
const PACKET_FRAMES_MAX: usize = 5_760;
/// Rates that the decoder knows besides 48 kHz.
const RATES_HZ: [u32; 4] = [8_000, 12_000, 16_000, 24_000];

/// One Opus stream.
pub(super) struct OpusVoice {
    decoder: OpusMultistreamDecoder,
    rate_hz: u32,
    channels: usize,
    /// Factor from the header's output gain (RFC 7845, 5.1), 1 if there is none.
    gain: f32,
    /// Sample frames of encoder delay still to be left out.
    skip: usize,
    scratch: Zeroizing<Vec<i16>>,
}

impl OpusVoice {
    /// A decoder for the stream with this identification header; `delay` in ticks is left out at its beginning.
    /// The error is a sentence with a remedy.
    pub(super) fn new(head: &[u8], delay: u32) -> Result<OpusVoice, String> {
        let short = || "its Opus header is cut or damaged; convert the file to WAV".to_owned();
        let [channels, _, _, r0, r1, r2, r3, g0, g1, family] =
            *head.get(9..19).and_then(|h| h.first_chunk()).ok_or_else(short)?;
        let channels = usize::from(channels);
        let original = u32::from_le_bytes([r0, r1, r2, r3]);
        let rate_hz = if RATES_HZ.contains(&original) { original } else { TICK_HZ as u32 };
        let (streams, coupled, mapping) = match (family, channels) {
            (0, 1) => (1, 0, vec![0]),
            (0, 2) => (1, 1, vec![0, 1]),
            (0, _) => return Err(short()),
            _ => {
                let mapping = head.get(21..21 + channels).ok_or_else(short)?;
                (usize::from(head[19]), usize::from(head[20]), mapping.to_vec())
            }
        };
        let decoder = OpusMultistreamDecoder::new(rate_hz, channels, streams, coupled, &mapping)
            .map_err(|error| format!("its Opus streams cannot be decoded ({error}); convert the file to WAV"))?;
        let gain = 10f32.powf(f32::from(i16::from_le_bytes([g0, g1])) / 256.0 / 20.0);
        let skip = (u64::from(delay) * u64::from(rate_hz) / TICK_HZ) as usize;
        let scratch = Zeroizing::new(vec![0; PACKET_FRAMES_MAX * channels]);
        Ok(OpusVoice { decoder, rate_hz, channels, gain, skip, scratch })
    }

    pub(super) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Decodes a packet into `pcm`, without the encoder's delay and without `trim_end` ticks at its end.
    pub(super) fn decode(&mut self, packet: &[u8], trim_end: u64, pcm: &mut Vec<i16>) -> Result<(), String> {
        pcm.zeroize();
        // An empty packet would ask for concealment of a length that nobody knows.
        if packet.is_empty() {
            return Err("an Opus packet is empty".into());
        }
        let frames = self.decoder.decode(packet, &mut self.scratch, false).map_err(|error| error.to_string())?;
        let skip = self.skip.min(frames);
        self.skip -= skip;
        let trim = (trim_end * u64::from(self.rate_hz) / TICK_HZ) as usize;
        let until = frames.saturating_sub(trim).max(skip);
        pcm.extend_from_slice(&self.scratch[skip * self.channels..until * self.channels]);
        if self.gain != 1.0 {
            pcm.iter_mut().for_each(|sample| *sample = (f32::from(*sample) * self.gain).round() as i16);
        }
        Ok(())
    }
}

//! From bytes to 16-bit samples, block by block. Pure; each loop is plain enough for the compiler to vectorise.
//!
//! Wider samples are cut to their upper 16 bits (rounding towards −∞, at most one step of 16-bit sound, no dither: the
//! recording is judged and stored, not mastered). Floats are scaled by 32,768, rounded to the nearest and clamped; what
//! is no number is silence.

use std::fmt;

use audio_codec_algorithms::{decode_alaw, decode_ulaw};

use crate::audio::{Work, is_wide, wide};

/// How one sample is coded. Little-endian throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 8-bit unsigned.
    U8,
    /// 16-bit signed.
    S16,
    /// 24-bit signed.
    S24,
    /// 32-bit signed.
    S32,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// G.711 A-law.
    Alaw,
    /// G.711 µ-law.
    Mulaw,
}

impl Encoding {
    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        match self {
            Encoding::U8 | Encoding::Alaw | Encoding::Mulaw => 1,
            Encoding::S16 => 2,
            Encoding::S24 => 3,
            Encoding::S32 | Encoding::F32 => 4,
            Encoding::F64 => 8,
        }
    }

    /// Converts as many whole samples as both sides hold.
    pub fn decode(self, bytes: &[u8], out: &mut [i16]) {
        match self {
            Encoding::U8 => each::<1>(bytes, out, |b| (i16::from(b[0]) - 128) << 8),
            Encoding::S16 => each::<2>(bytes, out, i16::from_le_bytes),
            Encoding::S24 => each::<3>(bytes, out, |b| i16::from_le_bytes([b[1], b[2]])),
            Encoding::S32 => each::<4>(bytes, out, |b| i16::from_le_bytes([b[2], b[3]])),
            Encoding::F32 => each::<4>(bytes, out, |b| from_float(f32::from_le_bytes(b))),
            // A double beyond the range of a float becomes infinite, and is clamped like any other.
            Encoding::F64 => each::<8>(bytes, out, |b| from_float(f64::from_le_bytes(b) as f32)),
            // In wide registers the formula is the faster one (4 % of a batch), elsewhere the table.
            Encoding::Alaw if is_wide() => wide(ExpandAlaw { bytes, out }),
            Encoding::Mulaw if is_wide() => wide(ExpandMulaw { bytes, out }),
            Encoding::Alaw => each::<1>(bytes, out, |b| decode_alaw(b[0])),
            Encoding::Mulaw => each::<1>(bytes, out, |b| decode_ulaw(b[0])),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Encoding::U8 => "8-bit PCM",
            Encoding::S16 => "16-bit PCM",
            Encoding::S24 => "24-bit PCM",
            Encoding::S32 => "32-bit PCM",
            Encoding::F32 => "32-bit float",
            Encoding::F64 => "64-bit float",
            Encoding::Alaw => "A-law",
            Encoding::Mulaw => "µ-law",
        })
    }
}

#[inline(always)]
fn each<const N: usize>(bytes: &[u8], out: &mut [i16], decode: impl Fn([u8; N]) -> i16) {
    let (samples, _) = bytes.as_chunks::<N>();
    for (sample, out) in samples.iter().zip(out) {
        *out = decode(*sample);
    }
}

/// A-law to be expanded (ITU-T G.711).
struct ExpandAlaw<'a> {
    bytes: &'a [u8],
    out: &'a mut [i16],
}

impl Work for ExpandAlaw<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (out, byte) in self.out.iter_mut().zip(self.bytes) {
            let code = i32::from(byte ^ 0x55);
            let chord = code >> 4 & 7;
            let size = (((code & 15) << 4) + 8 + (i32::from(chord > 0) << 8)) << (chord - 1).max(0);
            *out = if code & 0x80 != 0 { size } else { -size } as i16;
        }
    }
}

/// µ-law to be expanded (ITU-T G.711).
struct ExpandMulaw<'a> {
    bytes: &'a [u8],
    out: &'a mut [i16],
}

impl Work for ExpandMulaw<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const BIAS: i32 = 0x84;
        for (out, byte) in self.out.iter_mut().zip(self.bytes) {
            let code = i32::from(!byte);
            let size = ((((code & 15) << 3) + BIAS) << (code >> 4 & 7)) - BIAS;
            *out = if code & 0x80 != 0 { -size } else { size } as i16;
        }
    }
}

/// Adding and taking away 1.5 · 2²³ rounds a float below 2²² to the nearest integer, in any instruction set.
const ROUND: f32 = 12_582_912.0;

/// What is no number passes the clamp, and `as` takes it to 0.
fn from_float(sample: f32) -> i16 {
    let scaled = (sample * 32_768.0).clamp(-32_768.0, 32_767.0);
    (scaled + ROUND - ROUND) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<i16> {
        let mut out = vec![0; bytes.len() / encoding.bytes()];
        encoding.decode(bytes, &mut out);
        out
    }

    #[test]
    fn sixteen_bits_are_copied_straight() {
        let samples = [0, 1, -1, i16::MAX, i16::MIN];
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        assert_eq!(decoded(Encoding::S16, &bytes), samples);
    }

    #[test]
    fn wider_and_narrower_integers_keep_their_upper_bits() {
        assert_eq!(decoded(Encoding::U8, &[0, 128, 255]), [-32_768, 0, 32_512]);
        assert_eq!(decoded(Encoding::S24, &[0xFF, 0x34, 0x12, 0xFF, 0xFF, 0xFF]), [0x1234, -1]);
        assert_eq!(decoded(Encoding::S32, &[0xFF, 0xFF, 0x34, 0x12, 0, 0, 0, 0x80]), [0x1234, i16::MIN]);
    }

    #[test]
    fn floats_are_scaled_clamped_and_never_something_that_is_no_number() {
        let step = 1.0f32 / 32_768.0;
        let floats = [0.0, 0.5, -1.0, 1.0, 7.0, f32::NAN, f32::NEG_INFINITY, 1.4 * step, -1.6 * step, 2.5 * step];
        let expected = [0, 16_384, i16::MIN, i16::MAX, i16::MAX, 0, i16::MIN, 1, -2, 2];
        let narrow: Vec<u8> = floats.iter().flat_map(|s| s.to_le_bytes()).collect();
        let wide: Vec<u8> = floats.iter().flat_map(|s| f64::from(*s).to_le_bytes()).collect();
        assert_eq!(decoded(Encoding::F32, &narrow), expected);
        assert_eq!(decoded(Encoding::F64, &wide), expected);
        assert_eq!(decoded(Encoding::F64, &1e300f64.to_le_bytes()), [i16::MAX]);
    }

    #[test]
    fn g711_follows_its_tables() {
        // ITU-T G.711: the codes of silence and of full scale
        assert_eq!(decoded(Encoding::Mulaw, &[0xFF, 0x7F, 0x00, 0x80]), [0, 0, -32_124, 32_124]);
        assert_eq!(decoded(Encoding::Alaw, &[0xD5, 0x55, 0x2A, 0xAA]), [8, -8, -32_256, 32_256]);
        let codes: Vec<u8> = (0..=255).collect();
        let (mut alaw, mut mulaw) = ([0; 256], [0; 256]);
        wide(ExpandAlaw { bytes: &codes, out: &mut alaw });
        wide(ExpandMulaw { bytes: &codes, out: &mut mulaw });
        assert_eq!(alaw, std::array::from_fn(|code| decode_alaw(code as u8)));
        assert_eq!(mulaw, std::array::from_fn(|code| decode_ulaw(code as u8)));
    }
}

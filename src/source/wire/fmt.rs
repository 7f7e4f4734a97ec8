//! The `fmt ` chunk of a WAV file: how a sample frame is laid out.

use super::sample::Encoding;
use super::wav::WavError;
use crate::audio::{RATE_MAX_HZ, RATE_MIN_HZ};
use crate::split::CHANNELS_MAX;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const ALAW: u16 = 6;
const MULAW: u16 = 7;
const EXTENSIBLE: u16 = 0xFFFE;

/// What a sub-format GUID of WAVE_FORMAT_EXTENSIBLE holds behind its first two bytes.
const GUID_TAIL: [u8; 14] = *b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71";

/// How sound lies in a file: interleaved sample frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How one sample is coded.
    pub encoding: Encoding,
    /// Sample frames per second.
    pub rate_hz: u32,
    /// Samples in a sample frame, 1 to 8.
    pub channels: usize,
}

impl Layout {
    /// A layout, if rate and channels are in range; otherwise a sentence that says what is wrong and what to do.
    pub fn new(encoding: Encoding, rate_hz: u32, channels: usize) -> Result<Layout, String> {
        if !(RATE_MIN_HZ..=RATE_MAX_HZ).contains(&rate_hz) {
            return Err(format!(
                "its rate is {rate_hz} Hz; {RATE_MIN_HZ} to {RATE_MAX_HZ} Hz are read: convert it, for instance with `sox IN -r 8000 OUT.wav`"
            ));
        }
        if channels == 0 || channels > CHANNELS_MAX {
            return Err(format!("it has {channels} channels; 1 to {CHANNELS_MAX} are read"));
        }
        Ok(Layout { encoding, rate_hz, channels })
    }

    /// Bytes of a sample frame.
    pub fn block_bytes(&self) -> usize {
        self.encoding.bytes() * self.channels
    }
}

/// The numbers of a `fmt ` chunk as written.
struct Written {
    tag: u16,
    channels: u16,
    rate_hz: u32,
    byte_rate: u32,
    block_align: u16,
    bits: u16,
}

/// Reads the content of a `fmt ` chunk that begins at byte `offset`. Returns the layout and, if the chunk contradicts
/// itself in a way that has one plain meaning, what was mended.
pub fn parse_fmt(content: &[u8], offset: u64) -> Result<(Layout, Option<String>), WavError> {
    let broken = |what: String| WavError::Broken { offset, what };
    let written = read(content).ok_or_else(|| broken(format!("its `fmt ` chunk has only {} bytes", content.len())))?;
    if !matches!(written.tag, PCM | FLOAT | ALAW | MULAW) {
        return Err(WavError::Codec { offset, codec: codec_name(written.tag) });
    }
    if written.channels == 0 || usize::from(written.channels) > CHANNELS_MAX {
        let what = format!("it has {} channels; 1 to {CHANNELS_MAX} are read", written.channels);
        return Err(WavError::Refused { offset, what });
    }
    if written.bits == 0 && matches!(written.tag, PCM | FLOAT) {
        return Err(broken("it says that its samples have 0 bits".into()));
    }
    let least = if matches!(written.tag, ALAW | MULAW) { 1 } else { written.bits.div_ceil(8) };
    let (bytes, repaired) = container(&written, least).map_err(&broken)?;
    let encoding = encoding(&written, bytes).ok_or_else(|| {
        broken(format!("{} bits in {bytes} byte(s) are no {} that is read", written.bits, codec_name(written.tag)))
    })?;
    let layout = Layout::new(encoding, written.rate_hz, written.channels.into())
        .map_err(|what| WavError::Refused { offset, what })?;
    Ok((layout, repaired))
}

fn read(content: &[u8]) -> Option<Written> {
    let word = |at: usize| content.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let long = |at: usize| content.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let mut tag = word(0)?;
    let bits = word(14).or(if matches!(tag, ALAW | MULAW) { Some(8) } else { None })?;
    // The container's size stands in the ordinary field; fewer valid bits lie at its top, so they need no care.
    if tag == EXTENSIBLE && content.get(26..40) == Some(&GUID_TAIL) {
        tag = word(24)?;
    }
    Some(Written { tag, channels: word(2)?, rate_hz: long(4)?, byte_rate: long(8)?, block_align: word(12)?, bits })
}

/// Bytes of one sample, out of the three numbers that say it: bits, block align and byte rate. Where two agree, the
/// third is mended; where none do, nothing is guessed.
fn container(written: &Written, least: u16) -> Result<(u16, Option<String>), String> {
    let Written { channels, rate_hz, byte_rate, block_align, bits, .. } = *written;
    let block = least.saturating_mul(channels);
    let implied = u64::from(rate_hz) * u64::from(block);
    if block_align == block {
        let repaired = (u64::from(byte_rate) != implied).then(|| format!("byte rate {byte_rate} instead of {implied}"));
        return Ok((least, repaired));
    }
    if u64::from(byte_rate) == implied || block_align == 0 {
        return Ok((least, Some(format!("block align {block_align} instead of {block}"))));
    }
    // The one padded container that real devices write: 24 bits in four bytes.
    let roomy = least == 3 && block_align == channels * 4;
    if roomy && u64::from(byte_rate) == u64::from(rate_hz) * u64::from(block_align) {
        return Ok((4, None));
    }
    Err(format!(
        "its format contradicts itself: {channels} channel(s) of {bits} bits, but block align {block_align} and byte rate {byte_rate}"
    ))
}

fn encoding(written: &Written, bytes: u16) -> Option<Encoding> {
    match (written.tag, bytes) {
        (PCM, 1) => Some(Encoding::U8),
        (PCM, 2) => Some(Encoding::S16),
        (PCM, 3) => Some(Encoding::S24),
        (PCM, 4) => Some(Encoding::S32),
        (FLOAT, 4) if written.bits == 32 => Some(Encoding::F32),
        (FLOAT, 8) if written.bits == 64 => Some(Encoding::F64),
        (ALAW, 1) => Some(Encoding::Alaw),
        (MULAW, 1) => Some(Encoding::Mulaw),
        _ => None,
    }
}

fn codec_name(tag: u16) -> String {
    let name = match tag {
        PCM => "PCM",
        FLOAT => "float",
        ALAW => "A-law",
        MULAW => "µ-law",
        0x02 => "Microsoft ADPCM",
        0x11 => "IMA ADPCM",
        0x22 => "TrueSpeech",
        0x31 => "GSM 6.10",
        0x40 | 0x45 | 0x64 | 0x14 => "G.726 or G.721",
        0x50 => "MPEG layer 1 or 2",
        0x55 => "MP3",
        0x83 | 0x133 => "G.729",
        0xFF | 0x1610 => "AAC",
        _ => return format!("format {tag:#06x}"),
    };
    name.into()
}

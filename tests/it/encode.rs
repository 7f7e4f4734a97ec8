//! Sound files of every kind, byte by byte: written here from the formats' descriptions, sharing nothing with the reader.

/// Puts a sample behind the bytes that are there.
pub type Put = fn(i16, &mut Vec<u8>);

/// A kind of WAV file.
pub struct Kind {
    /// For names of calls.
    pub name: &'static str,
    /// Interleaved samples, channels and rate as a file of that kind.
    pub encode: fn(&[i16], u16, u32) -> Vec<u8>,
    /// What a sample is after it went through that kind.
    pub decoded: fn(i16) -> i16,
}

/// All of them.
pub const KINDS: [Kind; 13] = [
    Kind { name: "pcm8", encode: |s, c, r| plain(1, 8, s, c, r, |v, b| b.push(u8_of(v))), decoded: |v| v >> 8 << 8 },
    Kind { name: "pcm16", encode: wav16, decoded: |v| v },
    Kind { name: "pcm24", encode: |s, c, r| plain(1, 24, s, c, r, s24le), decoded: |v| v },
    Kind { name: "pcm32", encode: |s, c, r| plain(1, 32, s, c, r, s32le), decoded: |v| v },
    Kind { name: "float32", encode: |s, c, r| plain(3, 32, s, c, r, f32le), decoded: |v| v },
    Kind { name: "float64", encode: |s, c, r| plain(3, 64, s, c, r, f64le), decoded: |v| v },
    Kind {
        name: "alaw",
        encode: |s, c, r| plain(6, 8, s, c, r, |v, b| b.push(alaw(v))),
        decoded: |v| from_alaw(alaw(v)),
    },
    Kind {
        name: "mulaw",
        encode: |s, c, r| plain(7, 8, s, c, r, |v, b| b.push(mulaw(v))),
        decoded: |v| from_mulaw(mulaw(v)),
    },
    Kind { name: "extensible", encode: extensible, decoded: |v| v },
    Kind { name: "rf64", encode: rf64, decoded: |v| v },
    Kind { name: "size-0", encode: |s, c, r| unfinished(s, c, r, 0), decoded: |v| v },
    Kind { name: "size-7ffff000", encode: |s, c, r| unfinished(s, c, r, 0x7FFF_F000), decoded: |v| v },
    Kind { name: "odd-chunks", encode: odd_chunks, decoded: |v| v },
];

/// 16-bit PCM.
pub fn wav16(samples: &[i16], channels: u16, rate: u32) -> Vec<u8> {
    plain(1, 16, samples, channels, rate, s16le)
}

/// A `fmt ` chunk and a `data` chunk.
pub fn plain(tag: u16, bits: u16, samples: &[i16], channels: u16, rate: u32, put: Put) -> Vec<u8> {
    riff(&[chunk(b"fmt ", &fmt(tag, bits, channels, rate)), chunk(b"data", &body(samples, put))])
}

/// The samples alone.
pub fn body(samples: &[i16], put: Put) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(samples.len() * 8);
    samples.iter().for_each(|sample| put(*sample, &mut bytes));
    bytes
}

/// A RIFF file of these chunks.
pub fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let inside: Vec<u8> = chunks.concat();
    [b"RIFF".as_slice(), &(inside.len() as u32 + 4).to_le_bytes(), b"WAVE", &inside].concat()
}

/// A chunk, padded to an even length.
pub fn chunk(id: &[u8; 4], bytes: &[u8]) -> Vec<u8> {
    let pad: &[u8] = if bytes.len() % 2 == 1 { &[0] } else { &[] };
    [id.as_slice(), &(bytes.len() as u32).to_le_bytes(), bytes, pad].concat()
}

/// The inside of a `fmt ` chunk.
pub fn fmt(tag: u16, bits: u16, channels: u16, rate: u32) -> Vec<u8> {
    let align = channels * bits.div_ceil(8);
    let mut bytes = Vec::new();
    bytes.extend(tag.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(align)).to_le_bytes());
    bytes.extend(align.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes
}

fn extensible(samples: &[i16], channels: u16, rate: u32) -> Vec<u8> {
    let mut inside = fmt(0xFFFE, 16, channels, rate);
    inside.extend(22u16.to_le_bytes());
    inside.extend(16u16.to_le_bytes());
    inside.extend(((1u32 << channels) - 1).to_le_bytes());
    inside.extend([1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]); // KSDATAFORMAT_SUBTYPE_PCM
    riff(&[chunk(b"fmt ", &inside), chunk(b"data", &body(samples, s16le))])
}

/// RF64 with `ds64` (EBU Tech 3306).
fn rf64(samples: &[i16], channels: u16, rate: u32) -> Vec<u8> {
    let data = body(samples, s16le);
    let mut file = rf64_header(data.len() as u64, channels, rate);
    file.extend(data);
    file
}

/// The 80 bytes before the sound of an RF64 file.
pub fn rf64_header(data_bytes: u64, channels: u16, rate: u32) -> Vec<u8> {
    let mut sizes = Vec::new();
    sizes.extend((data_bytes + 72).to_le_bytes());
    sizes.extend(data_bytes.to_le_bytes());
    sizes.extend((data_bytes / u64::from(2 * channels)).to_le_bytes());
    sizes.extend(0u32.to_le_bytes());
    let fmt = chunk(b"fmt ", &fmt(1, 16, channels, rate));
    [b"RF64\xFF\xFF\xFF\xFFWAVE".as_slice(), &chunk(b"ds64", &sizes), &fmt, b"data\xFF\xFF\xFF\xFF"].concat()
}

/// What an interrupted recorder leaves: sizes that were never filled in.
fn unfinished(samples: &[i16], channels: u16, rate: u32, size: u32) -> Vec<u8> {
    let mut file = wav16(samples, channels, rate);
    file[4..8].copy_from_slice(&size.to_le_bytes());
    file[40..44].copy_from_slice(&size.to_le_bytes());
    file
}

fn odd_chunks(samples: &[i16], channels: u16, rate: u32) -> Vec<u8> {
    let list = chunk(b"LIST", b"INFOISFT\x05\0\0\0odd!\0\0");
    let junk = chunk(b"JUNK", &[0x2A; 4_095]);
    let (fmt, data) = (chunk(b"fmt ", &fmt(1, 16, channels, rate)), chunk(b"data", &body(samples, s16le)));
    riff(&[junk.clone(), fmt, list.clone(), data, list])
}

pub fn s16le(v: i16, bytes: &mut Vec<u8>) {
    bytes.extend(v.to_le_bytes());
}

pub fn s24le(v: i16, bytes: &mut Vec<u8>) {
    bytes.push(0);
    bytes.extend(v.to_le_bytes());
}

pub fn s32le(v: i16, bytes: &mut Vec<u8>) {
    bytes.extend((i32::from(v) << 16).to_le_bytes());
}

pub fn f32le(v: i16, bytes: &mut Vec<u8>) {
    bytes.extend((f32::from(v) / 32_768.0).to_le_bytes());
}

pub fn f64le(v: i16, bytes: &mut Vec<u8>) {
    bytes.extend((f64::from(v) / 32_768.0).to_le_bytes());
}

/// 8-bit PCM counts from 128.
pub fn u8_of(v: i16) -> u8 {
    ((v >> 8) + 128) as u8
}

/// G.711 µ-law of a 16-bit sample.
pub fn mulaw(v: i16) -> u8 {
    let sign = if v < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(v).abs().min(32_635) + 132;
    let exponent = 24 - magnitude.leading_zeros() as i32; // 132 … 32,767: bits 7 … 14
    let mantissa = (magnitude >> (exponent + 3)) & 0x0F;
    !(sign | (exponent << 4) | mantissa) as u8
}

/// The 16-bit sample of a µ-law byte.
pub fn from_mulaw(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i32::from(byte & 0x0F) << 3) + 132) << ((byte >> 4) & 7);
    (if byte & 0x80 != 0 { 132 - magnitude } else { magnitude - 132 }) as i16
}

/// G.711 A-law of a 16-bit sample.
pub fn alaw(v: i16) -> u8 {
    let (sign, magnitude) = if v >= 0 { (0x80, i32::from(v)) } else { (0, -i32::from(v) - 1) };
    let exponent = (24 - (magnitude.max(1)).leading_zeros() as i32).max(0); // 256 and more: 1 … 7
    let mantissa = if exponent == 0 { magnitude >> 4 } else { magnitude >> (exponent + 3) } & 0x0F;
    (sign | (exponent << 4) | mantissa) as u8 ^ 0x55
}

/// The 16-bit sample of an A-law byte.
pub fn from_alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = ((byte >> 4) & 7, i32::from(byte & 0x0F) << 4);
    let magnitude = if exponent == 0 { mantissa + 8 } else { (mantissa + 264) << (exponent - 1) };
    (if byte & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

#[test]
fn companding_comes_back_to_the_same_byte() {
    for byte in 0..=255u8 {
        assert_eq!(alaw(from_alaw(byte)), byte);
        // µ-law has two zeros; the negative one comes back as the positive.
        assert_eq!(mulaw(from_mulaw(byte)), if byte == 0x7F { 0xFF } else { byte });
    }
    // Ends of the scale by ITU-T G.711, tables 1a and 2a, at 16 bits.
    assert_eq!((from_alaw(0xAA), from_mulaw(0x80), from_mulaw(0x00)), (32_256, 32_124, -32_124));
}

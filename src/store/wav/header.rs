//! The header of a track: plain, or RF64 where the sound could pass 4 GiB.

use super::SAMPLE_BYTES;

/// Bytes of a plain header.
pub const HEADER_BYTES: usize = 44;
/// Bytes of a header with 64-bit sizes.
pub const RF64_HEADER_BYTES: usize = 80;
/// Highest rate a header is written for, Hz.
pub const RATE_MAX_HZ: u32 = 384_000;
/// Most bytes of sound in a file with 32-bit sizes; the slack leaves room for chunks that others may add.
pub const PLAIN_DATA_BYTES_MAX: u64 = (1 << 32) - (64 << 10);

/// Whether a file of at most so many samples gets a header with 64-bit sizes.
pub(crate) fn is_rf64(samples_max: u64) -> bool {
    samples_max.saturating_mul(SAMPLE_BYTES) > PLAIN_DATA_BYTES_MAX
}

/// Bytes of the header.
pub(crate) fn header_bytes(rf64: bool) -> u64 {
    if rf64 { RF64_HEADER_BYTES as u64 } else { HEADER_BYTES as u64 }
}

/// The header of a track; `None` if it cannot carry the rate or the length.
pub(crate) fn header(rate_hz: u32, samples: u64, rf64: bool) -> Option<Vec<u8>> {
    if rate_hz == 0 || rate_hz > RATE_MAX_HZ {
        return None;
    }
    let sample_format = hound::SampleFormat::Int;
    let spec = hound::WavSpec { channels: 1, sample_rate: rate_hz, bits_per_sample: 16, sample_format };
    let mut plain = spec.into_header_for_infinite_file();
    let data_bytes = samples.checked_mul(SAMPLE_BYTES)?;
    if rf64 {
        let riff_bytes = data_bytes.checked_add(RF64_HEADER_BYTES as u64 - 8)?;
        return Some(rf64_header(&plain[12..36], riff_bytes, data_bytes, samples));
    }
    let data_bytes = u32::try_from(data_bytes).ok()?;
    let riff_bytes = data_bytes.checked_add(HEADER_BYTES as u32 - 8)?;
    plain[4..8].copy_from_slice(&riff_bytes.to_le_bytes());
    plain[40..44].copy_from_slice(&data_bytes.to_le_bytes());
    Some(plain)
}

fn rf64_header(format_chunk: &[u8], riff_bytes: u64, data_bytes: u64, samples: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(RF64_HEADER_BYTES);
    header.extend(b"RF64\xff\xff\xff\xffWAVEds64");
    header.extend(28u32.to_le_bytes());
    [riff_bytes, data_bytes, samples].iter().for_each(|size| header.extend(size.to_le_bytes()));
    header.extend(0u32.to_le_bytes()); // no table of further sizes
    header.extend(format_chunk);
    header.extend(b"data\xff\xff\xff\xff");
    header
}

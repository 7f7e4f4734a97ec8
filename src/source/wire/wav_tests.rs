//! One fixture for each kind of WAV, built of bytes.

use std::io::Cursor;

use super::sample::Encoding;
use super::wav::{WavError, WavHeader, parse};
use crate::split::Finding;

pub(in crate::source) fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut chunk = sized(id, content.len() as u32, content);
    if content.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}

/// A chunk whose size field says `size`, whatever its content.
pub(in crate::source) fn sized(id: &[u8; 4], size: u32, content: &[u8]) -> Vec<u8> {
    [id.as_slice(), &size.to_le_bytes(), content].concat()
}

pub(in crate::source) fn fmt(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
    let block = channels * bits.div_ceil(8);
    fmt_with(tag, channels, rate_hz, rate_hz * u32::from(block), block, bits)
}

fn fmt_with(tag: u16, channels: u16, rate_hz: u32, byte_rate: u32, block: u16, bits: u16) -> Vec<u8> {
    let mut content = Vec::new();
    content.extend(tag.to_le_bytes());
    content.extend(channels.to_le_bytes());
    content.extend(rate_hz.to_le_bytes());
    content.extend(byte_rate.to_le_bytes());
    content.extend(block.to_le_bytes());
    content.extend(bits.to_le_bytes());
    content
}

fn extensible(sub_format: u16, channels: u16, rate_hz: u32, bits: u16, valid: u16) -> Vec<u8> {
    let mut content = fmt(0xFFFE, channels, rate_hz, bits);
    content.extend(22u16.to_le_bytes());
    content.extend(valid.to_le_bytes());
    content.extend(3u32.to_le_bytes());
    content.extend(sub_format.to_le_bytes());
    content.extend(b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71");
    content
}

pub(in crate::source) fn riff(id: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    [id.as_slice(), &(body.len() as u32 + 4).to_le_bytes(), b"WAVE", &body].concat()
}

fn wav(fmt: Vec<u8>, sound: &[u8]) -> Vec<u8> {
    riff(b"RIFF", &[chunk(b"fmt ", &fmt), chunk(b"data", sound)])
}

fn header(bytes: &[u8]) -> WavHeader {
    parse(&mut Cursor::new(bytes), bytes.len() as u64).expect("the header is readable")
}

fn refusal(bytes: &[u8]) -> String {
    parse(&mut Cursor::new(bytes), bytes.len() as u64).expect_err("the header is not readable").to_string()
}

fn stereo16(data: &[Vec<u8>]) -> Vec<u8> {
    let mut chunks = vec![chunk(b"fmt ", &fmt(1, 2, 8_000, 16))];
    chunks.extend_from_slice(data);
    riff(b"RIFF", &chunks)
}

#[test]
fn every_encoding_of_a_plain_wav_is_recognised() {
    let kinds = [
        (1, 8, Encoding::U8),
        (1, 16, Encoding::S16),
        (1, 24, Encoding::S24),
        (1, 32, Encoding::S32),
        (3, 32, Encoding::F32),
        (3, 64, Encoding::F64),
        (6, 8, Encoding::Alaw),
        (7, 8, Encoding::Mulaw),
    ];
    for (tag, bits, encoding) in kinds {
        for channels in 1..=8 {
            let block = usize::from(channels * bits / 8);
            let read = header(&wav(fmt(tag, channels, 16_000, bits), &vec![0; block * 5]));
            assert_eq!((read.layout.encoding, read.layout.channels), (encoding, usize::from(channels)));
            assert_eq!((read.layout.rate_hz, read.data_at, read.frames), (16_000, 44, 5));
            assert_eq!(read.findings, []);
        }
    }
}

#[test]
fn the_extensible_format_is_read_by_its_sub_format() {
    for (tag, bits, valid, encoding) in [
        (1, 16, 16, Encoding::S16),
        (1, 24, 20, Encoding::S24),
        (1, 32, 24, Encoding::S32),
        (3, 32, 32, Encoding::F32),
        (7, 8, 8, Encoding::Mulaw),
    ] {
        let read = header(&wav(extensible(tag, 4, 48_000, bits, valid), &vec![0; usize::from(bits) / 8 * 4 * 3]));
        assert_eq!((read.layout.encoding, read.layout.channels, read.frames), (encoding, 4, 3));
    }
    let mut foreign = extensible(1, 2, 8_000, 16, 16);
    foreign[30] = 0x55;
    assert!(refusal(&wav(foreign, &[0; 8])).contains("format 0xfffe"));
}

#[test]
fn chunks_of_any_kind_and_size_may_stand_before_the_sound() {
    let bytes = riff(
        b"RIFF",
        &[
            chunk(b"JUNK", &[0; 4096]),
            chunk(b"bext", &[0; 603]),
            chunk(b"fmt ", &fmt(1, 2, 8_000, 16)),
            chunk(b"LIST", b"INFOISFT\x03\0\0\0sox"),
            chunk(b"fact", &4u32.to_le_bytes()),
            chunk(b"data", &[7; 16]),
            chunk(b"LIST", b"INFO"),
        ],
    );
    let read = header(&bytes);
    assert_eq!((read.frames, &bytes[read.data_at as usize..][..16]), (4, &[7; 16][..]));
    assert_eq!(read.findings, []);
}

#[test]
fn a_forgotten_pad_byte_is_tolerated() {
    let odd = sized(b"LIST", 7, b"INFOabc");
    let bytes = stereo16(&[odd, chunk(b"data", &[0; 8])]);
    assert_eq!(header(&bytes).frames, 2);
}

#[test]
fn a_length_that_was_never_filled_in_is_replaced_by_the_real_one() {
    for size in [0, 0x7FFF_F000, 0x7FFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF - 36] {
        let read = header(&stereo16(&[sized(b"data", size, &[1; 4 * 9 + 3])]));
        assert_eq!((read.frames, read.findings), (9, vec![Finding::Unfinished]), "size {size:#x}");
    }
}

#[test]
fn the_streaming_length_of_sox_is_known_when_rounded_to_whole_frames() {
    let block = 6;
    let size = 0x7FFF_F000 / block * block;
    let bytes = riff(b"RIFF", &[chunk(b"fmt ", &fmt(1, 2, 8_000, 24)), sized(b"data", size, &[0; 60])]);
    assert_eq!(header(&bytes).findings, [Finding::Unfinished]);
}

#[test]
fn an_empty_call_is_no_unfinished_one() {
    let bare = header(&stereo16(&[sized(b"data", 0, &[])]));
    assert_eq!((bare.frames, bare.findings), (0, vec![]));
    let tagged = header(&stereo16(&[sized(b"data", 0, &[]), chunk(b"LIST", b"INFOISFT\x04\0\0\0sox\0")]));
    assert_eq!((tagged.frames, tagged.findings), (0, vec![]));
}

#[test]
fn a_truncated_file_says_what_was_promised_and_what_is_there() {
    let read = header(&stereo16(&[sized(b"data", 4_000, &[0; 402])]));
    assert_eq!(read.frames, 100);
    assert_eq!(read.findings, [Finding::Truncated { promised: 1_000, found: 100 }]);
}

#[test]
fn a_partial_sample_frame_at_the_end_is_dropped() {
    let read = header(&stereo16(&[sized(b"data", 4 * 3 + 2, &[0; 4 * 3 + 2])]));
    assert_eq!((read.frames, read.findings), (3, vec![]));
}

#[test]
fn sound_behind_an_outdated_length_is_not_lost_but_trailing_chunks_are_no_sound() {
    let outdated = header(&stereo16(&[sized(b"data", 400, &[0; 400 + 40_000])]));
    assert_eq!(outdated.frames, 10_100);
    assert!(matches!(&outdated.findings[..], [Finding::HeaderRepaired { what }] if what.contains("40000 bytes")));
    let tagged = header(&stereo16(&[chunk(b"data", &[0; 400]), chunk(b"LIST", &[0; 40_000])]));
    assert_eq!((tagged.frames, tagged.findings), (100, vec![]));
}

fn ds64(data: u64, table: &[(&[u8; 4], u64)]) -> Vec<u8> {
    let mut content = Vec::new();
    content.extend(u64::MAX.to_le_bytes());
    content.extend(data.to_le_bytes());
    content.extend(0u64.to_le_bytes());
    content.extend((table.len() as u32).to_le_bytes());
    for (id, bytes) in table {
        content.extend(*id);
        content.extend(bytes.to_le_bytes());
    }
    chunk(b"ds64", &content)
}

#[test]
fn rf64_and_bw64_take_their_lengths_from_the_ds64_chunk() {
    for id in [b"RF64", b"BW64"] {
        let chunks = |data: u64| {
            vec![
                ds64(data, &[(b"JUNK", 10)]),
                sized(b"JUNK", u32::MAX, &[0; 10]),
                chunk(b"fmt ", &fmt(1, 2, 8_000, 16)),
                sized(b"data", u32::MAX, &[0; 44]),
            ]
        };
        let whole = header(&riff(id, &chunks(40)));
        assert_eq!((whole.frames, whole.findings), (10, vec![]));
        let unfinished = header(&riff(id, &chunks(0)));
        assert_eq!((unfinished.frames, unfinished.findings), (11, vec![Finding::Unfinished]));
        let cut = header(&riff(id, &chunks(5 << 30)));
        assert_eq!(cut.findings, [Finding::Truncated { promised: (5 << 30) / 4, found: 11 }]);
    }
}

/// A file of which only the beginning is stored; the rest reads as zeros.
struct Sparse {
    beginning: Vec<u8>,
    at: u64,
    size: u64,
}

impl std::io::Read for Sparse {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = (self.size.saturating_sub(self.at)).min(out.len() as u64) as usize;
        for (index, byte) in out[..read].iter_mut().enumerate() {
            *byte = self.beginning.get(self.at as usize + index).copied().unwrap_or(0);
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl std::io::Seek for Sparse {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        match to {
            std::io::SeekFrom::Start(at) => self.at = at,
            _ => return Err(std::io::ErrorKind::Unsupported.into()),
        }
        Ok(self.at)
    }
}

fn header_of_size(beginning: Vec<u8>, size: u64) -> WavHeader {
    parse(&mut Sparse { beginning, at: 0, size }, size).expect("the header is readable")
}

#[test]
fn more_than_four_gigabytes_are_read_whatever_the_header_could_say() {
    let size = 44 + (5 << 30);
    let wrapped = header_of_size(stereo16(&[sized(b"data", 1 << 30, &[])]), size);
    assert_eq!(wrapped.frames, (5 << 30) / 4);
    let unknown = header_of_size(stereo16(&[sized(b"data", u32::MAX, &[])]), size);
    assert_eq!((unknown.frames, unknown.findings), ((5 << 30) / 4, vec![Finding::Unfinished]));
    let wide =
        riff(b"RF64", &[ds64(5 << 30, &[]), chunk(b"fmt ", &fmt(1, 2, 8_000, 16)), sized(b"data", u32::MAX, &[])]);
    let at = wide.len() as u64;
    let read = header_of_size(wide, at + (5 << 30));
    assert_eq!((read.data_at, read.frames, read.findings), (at, (5 << 30) / 4, vec![]));
}

#[test]
fn wave64_is_read() {
    let guid = |name: &[u8; 4]| [name.as_slice(), b"\xF3\xAC\xD3\x11\x8C\xD1\x00\xC0\x4F\x8E\xDB\x8A"].concat();
    let w64 = |name: &[u8; 4], content: &[u8]| {
        let mut chunk = [guid(name), (content.len() as u64 + 24).to_le_bytes().to_vec(), content.to_vec()].concat();
        chunk.resize(chunk.len().next_multiple_of(8), 0);
        chunk
    };
    let body = [w64(b"levl", &[0; 5]), w64(b"fmt ", &fmt(1, 2, 8_000, 16)), w64(b"data", &[0; 36])].concat();
    let bytes = [
        b"riff\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1\x00\x00".to_vec(),
        (body.len() as u64 + 40).to_le_bytes().to_vec(),
        guid(b"wave"),
        body,
    ]
    .concat();
    let read = header(&bytes);
    assert_eq!((read.frames, read.layout.channels, read.findings), (9, 2, vec![]));
}

#[test]
fn a_contradiction_with_one_plain_meaning_is_mended_and_told() {
    let byte_rate = wav(fmt_with(1, 2, 8_000, 0, 4, 16), &[0; 8]);
    let block_align = wav(fmt_with(1, 2, 8_000, 32_000, 2, 16), &[0; 8]);
    for bytes in [byte_rate, block_align] {
        let read = header(&bytes);
        assert_eq!((read.layout.encoding, read.frames), (Encoding::S16, 2));
        assert!(matches!(read.findings[..], [Finding::HeaderRepaired { .. }]));
    }
    let padded = header(&wav(fmt_with(1, 2, 8_000, 64_000, 8, 24), &[0; 16]));
    assert_eq!((padded.layout.encoding, padded.frames), (Encoding::S32, 2));
}

#[test]
fn a_contradiction_without_a_plain_meaning_is_refused_with_its_place() {
    let message = refusal(&wav(fmt_with(1, 2, 8_000, 16_000, 2, 16), &[0; 8]));
    assert!(message.starts_with("byte 20: its format contradicts itself"), "{message}");
    assert!(refusal(&wav(fmt(1, 2, 8_000, 0), &[0; 8])).contains("0 bits"));
    assert!(refusal(&wav(fmt(3, 2, 8_000, 16), &[0; 8])).contains("16 bits in 2 byte(s) are no float"));
}

#[test]
fn what_is_not_read_is_named_with_a_remedy() {
    let cases = [
        (wav(fmt(0x31, 1, 8_000, 8), &[0; 65]), "GSM 6.10"),
        (wav(fmt(0x55, 2, 8_000, 16), &[0; 65]), "MP3"),
        (wav(fmt(1, 2, 96_000, 16), &[0; 8]), "its rate is 96000 Hz; 8000 to 48000 Hz are read"),
        (wav(fmt(1, 2, 4_000, 16), &[0; 8]), "its rate is 4000 Hz"),
        (wav(fmt(1, 9, 8_000, 16), &[0; 18]), "it has 9 channels; 1 to 8"),
        (wav(fmt(1, 0, 8_000, 16), &[0; 8]), "it has 0 channels"),
        (riff(b"RIFX", &[]), "big-endian"),
        ([&b"RIFF\0\0\0\0AVI LIST"[..], &[0; 60]].concat(), "byte 8: it is a RIFF file of another kind than WAVE"),
        (b"hello, world".to_vec(), "byte 0: this is no WAV file;"),
        (riff(b"RIFF", &[chunk(b"data", &[0; 8])]), "no `fmt ` chunk before the sound"),
        (riff(b"RIFF", &[chunk(b"fmt ", &fmt(1, 2, 8_000, 16))]), "byte 36: there is no `data` chunk"),
        (riff(b"RIFF", &[sized(b"LIST", 1_000, &[0; 10])]), "byte 12: chunk \"LIST\" claims 1000 bytes"),
        (riff(b"RIFF", &[sized(b"LISP", 1_000, &[0; 10])]), "byte 12: an unknown chunk claims more bytes than"),
        (stereo16(&[b"\0\0\0\0\0\0\0\0".to_vec()]), "byte 36: what stands here is no chunk"),
        (riff(b"RIFF", &[sized(b"fmt ", 8, &fmt(1, 2, 8_000, 16)[..8])]), "only 8 bytes"),
    ];
    for (bytes, expected) in cases {
        let message = refusal(&bytes);
        assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    }
}

#[test]
fn a_header_cut_anywhere_is_an_error_and_never_a_panic() {
    let bytes = riff(
        b"RIFF",
        &[chunk(b"LIST", b"INFO"), chunk(b"fmt ", &extensible(1, 2, 8_000, 16, 16)), chunk(b"data", &[])],
    );
    for cut in 0..bytes.len() {
        let read = parse(&mut Cursor::new(&bytes[..cut]), cut as u64);
        assert!(
            matches!(
                read,
                Err(WavError::HeaderCut { .. } | WavError::NotWav | WavError::Missing { .. } | WavError::Broken { .. })
            ),
            "cut at {cut}: {read:?}"
        );
    }
}

#[test]
fn flipped_bytes_in_a_header_never_panic_and_never_promise_more_than_there_is() {
    let bytes = riff(
        b"RF64",
        &[
            ds64(64, &[(b"LIST", 4)]),
            chunk(b"fmt ", &extensible(1, 2, 8_000, 16, 16)),
            sized(b"data", u32::MAX, &[0; 64]),
        ],
    );
    let mut readable = 0;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xFF, 0x20] {
            let mut bad = bytes.clone();
            bad[at] ^= flip;
            let Ok(read) = parse(&mut Cursor::new(&bad), bad.len() as u64) else { continue };
            readable += 1;
            assert!(read.data_at + read.frames * read.layout.block_bytes() as u64 <= bad.len() as u64);
        }
    }
    assert!(readable > 100, "most flips in sizes and padding are survived, not {readable}");
}

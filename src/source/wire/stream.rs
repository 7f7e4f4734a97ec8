//! The header of a WAV stream that is read as it comes: nothing can be sought, and its sizes are mostly not true.
//!
//! sox writes 0x7FFFF000 as the size of what it does not know, ffmpeg 0xFFFFFFFF (and a LIST chunk), others 0. Sound
//! begins behind the header of the `data` chunk and ends with the stream, or where a plausible size says.

use std::io::Read;

use super::chunk::plausible;
use super::fmt::{Layout, parse_fmt};
use super::wav::WavError;

/// Most bytes before the sound; more is no header of a stream.
const HEAD_BYTES_MAX: usize = 1 << 20;
/// From this size on it means "unknown" (sox' 0x7FFFF000 and everything above).
const UNKNOWN_FROM: u32 = 0x7FFF_0000;

/// The header of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamHead {
    /// How a sample frame is laid out.
    pub layout: Layout,
    /// Bytes of sound, where the header says it plausibly.
    pub data_bytes: Option<u64>,
    /// Everything that was read, as it came.
    pub bytes: Vec<u8>,
}

/// Reads up to the first byte of sound.
pub fn read_head(input: &mut impl Read) -> Result<StreamHead, WavError> {
    let mut head = Head { input, bytes: Vec::new() };
    let riff: [u8; 12] = head.take()?;
    match (&riff[..4], &riff[8..]) {
        (b"RIFF" | b"RF64" | b"BW64", b"WAVE") => {}
        (b"RIFX", b"WAVE") => return Err(WavError::BigEndian),
        _ => return Err(WavError::NotWav),
    }
    let mut layout = None;
    loop {
        let offset = head.bytes.len() as u64;
        let chunk: [u8; 8] = head.take()?;
        let id = [chunk[0], chunk[1], chunk[2], chunk[3]];
        let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        if !plausible(id) {
            return Err(WavError::Missing { offset, what: "its header has no `data` chunk" });
        }
        if &id == b"data" {
            let layout =
                layout.ok_or(WavError::Missing { offset, what: "its `data` chunk comes before a `fmt ` chunk" })?;
            let data_bytes = (size != 0 && size < UNKNOWN_FROM && &riff[..4] == b"RIFF").then_some(u64::from(size));
            return Ok(StreamHead { layout, data_bytes, bytes: head.bytes });
        }
        let content = head.skip(size, offset)?;
        if &id == b"fmt " {
            layout = Some(parse_fmt(&head.bytes[content..content + size as usize], offset)?.0);
        }
    }
}

struct Head<'a, R> {
    input: &'a mut R,
    bytes: Vec<u8>,
}

impl<R: Read> Head<'_, R> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WavError> {
        let mut some = [0; N];
        self.fill(&mut some)?;
        self.bytes.extend_from_slice(&some);
        Ok(some)
    }

    /// Reads a chunk's content; returns where it lies.
    fn skip(&mut self, size: u32, offset: u64) -> Result<usize, WavError> {
        let padded = size as usize + size as usize % 2;
        if self.bytes.len() + padded > HEAD_BYTES_MAX {
            return Err(WavError::Broken {
                offset,
                what: "a chunk before the sound is longer than a stream's header".into(),
            });
        }
        let at = self.bytes.len();
        let mut content = vec![0; padded];
        self.fill(&mut content)?;
        self.bytes.append(&mut content);
        Ok(at)
    }

    fn fill(&mut self, some: &mut [u8]) -> Result<(), WavError> {
        self.input.read_exact(some).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => WavError::HeaderCut { offset: self.bytes.len() as u64 },
            _ => WavError::Io(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(size: u32, extra: &[u8]) -> Vec<u8> {
        let mut bytes =
            b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0".to_vec();
        bytes.extend_from_slice(extra);
        bytes.extend_from_slice(b"data");
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes
    }

    #[test]
    fn sizes_that_are_not_known_read_until_the_end() {
        for size in [0, 0x7FFF_F000, 0xFFFF_FFFF] {
            let bytes = [header(size, b"LIST\x04\0\0\0abcd"), vec![7; 9]].concat();
            let mut input = bytes.as_slice();
            let head = read_head(&mut input).unwrap();
            assert_eq!((head.data_bytes, input, head.bytes.len()), (None, &[7; 9][..], bytes.len() - 9));
            assert_eq!((head.layout.rate_hz, head.layout.channels), (8_000, 2));
        }
        assert_eq!(read_head(&mut header(4_000, b"").as_slice()).unwrap().data_bytes, Some(4_000));
    }

    #[test]
    fn what_is_no_header_is_refused_and_cut_ones_say_where() {
        assert!(matches!(read_head(&mut &[0; 64][..]), Err(WavError::NotWav)));
        let whole = header(0, b"");
        for cut in 0..whole.len() {
            assert!(matches!(read_head(&mut &whole[..cut]), Err(WavError::HeaderCut { .. })), "{cut}");
        }
        let long = header(0, b"LIST\xFF\xFF\xFF\x7Fabcd");
        assert!(matches!(read_head(&mut long.as_slice()), Err(WavError::Broken { .. })));
    }
}

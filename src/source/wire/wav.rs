//! The header of a WAV file: RIFF, RF64, BW64 (EBU Tech 3306, ITU-R BS.2088) and Sony Wave64 (ING-01, ING-04, ING-05).
//!
//! Pure: it reads from any `Read + Seek`, opens nothing, keeps no sound. What it returns is checked against the real
//! size of the input, so a reader behind it needs no further look at the header. Messages name known chunks only: what
//! stands where a chunk is looked for may be sound.

use std::io::{self, Read, Seek, SeekFrom};

use thiserror::Error;

use super::chunk::{known, le64, overlong, plausible};
use super::fmt::{Layout, parse_fmt};
use crate::split::Finding;

/// Most chunks before the sound; more is no recording.
const CHUNKS_MAX: usize = 4_096;
/// Longest `fmt ` chunk that is read, bytes; the longest known is 40.
const FMT_BYTES_MAX: u64 = 1_024;
/// Most entries of a `ds64` table that are looked at.
const DS64_ENTRIES_MAX: u32 = 1_024;
/// The size that streaming sox writes, before it is rounded down to whole blocks.
const SOX_STREAMING: u64 = 0x7FFF_F000;
/// Sizes from here to 2³²−1 mean "unknown": writers subtract the header from 2³²−1, or do not.
const UNKNOWN_FROM: u64 = 0xFFFF_FF00;

const W64_RIFF: [u8; 16] = *b"riff\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1\x00\x00";
const W64_TAIL: [u8; 12] = *b"\xF3\xAC\xD3\x11\x8C\xD1\x00\xC0\x4F\x8E\xDB\x8A";

/// Why a WAV header cannot be used. Offsets are bytes from the beginning of the file.
#[derive(Debug, Error)]
pub enum WavError {
    /// Reading failed.
    #[error("reading its header failed: {0}")]
    Io(#[from] io::Error),
    /// It is no WAV file.
    #[error("byte 0: this is no WAV file; name its kind with --raw if it has no header")]
    NotWav,
    /// Big-endian WAV.
    #[error("byte 0: big-endian WAV (RIFX) is not read; convert it, for instance with `sox IN.wav OUT.wav`")]
    BigEndian,
    /// The header ends before it says where the sound lies.
    #[error("byte {offset}: the file ends inside its header, before any sound; nothing can be read from it")]
    HeaderCut {
        /// Where the file ends.
        offset: u64,
    },
    /// The header has no sound chunk, or no format before it.
    #[error(
        "byte {offset}: {what}; it is no recording, or its header was destroyed: read it with --raw if you know its format"
    )]
    Missing {
        /// Where it was noticed.
        offset: u64,
        /// What is missing.
        what: &'static str,
    },
    /// A chunk that cannot be what it says.
    #[error("byte {offset}: {what}; repair the header, or read the file with --raw")]
    Broken {
        /// Where the chunk begins.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A format that is plain but not read.
    #[error("byte {offset}: {what}")]
    Refused {
        /// Where the format is declared.
        offset: u64,
        /// What is not read, and what to do.
        what: String,
    },
    /// An encoding that is not read.
    #[error(
        "byte {offset}: it is coded as {codec}, which is not read; convert it, for instance with `ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav`"
    )]
    Codec {
        /// Where the format is declared.
        offset: u64,
        /// The codec's name or number.
        codec: String,
    },
}

/// A checked header: everything that is needed to read the sound.
#[derive(Clone, Debug, PartialEq)]
pub struct WavHeader {
    /// How a sample frame is laid out.
    pub layout: Layout,
    /// Byte offset of the first sample frame.
    pub data_at: u64,
    /// Whole sample frames that are really there.
    pub frames: u64,
    /// What was found wrong and could be mended.
    pub findings: Vec<Finding>,
}

/// Reads the header at the current beginning of `input`, which is `size` bytes long.
pub fn parse<R: Read + Seek>(input: &mut R, size: u64) -> Result<WavHeader, WavError> {
    let mut scan = Scan { input, size, wide: None, layout: None, findings: Vec::new() };
    let family = scan.family()?;
    let data = scan.find_data(family)?;
    scan.finish(data)
}

/// Which of the WAV kinds it is.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    Riff,
    /// RF64 or BW64: sizes in a `ds64` chunk.
    Wide,
    /// Sony Wave64: GUIDs and 64-bit sizes everywhere.
    Wave64,
}

/// Sizes of a `ds64` chunk.
struct Wide {
    data: u64,
    table: Vec<([u8; 4], u64)>,
}

/// Where the sound begins and how much of it the header promises.
struct Data {
    at: u64,
    promised: Promise,
}

enum Promise {
    Bytes(u64),
    Unknown,
}

struct Chunk {
    id: [u8; 4],
    /// First byte of the chunk's header.
    offset: u64,
    /// First byte of its content.
    at: u64,
    /// Content in bytes, as written.
    bytes: u64,
}

struct Scan<'a, R> {
    input: &'a mut R,
    size: u64,
    wide: Option<Wide>,
    layout: Option<Layout>,
    findings: Vec<Finding>,
}

impl<R: Read + Seek> Scan<'_, R> {
    fn family(&mut self) -> Result<Family, WavError> {
        let mut head = [0; 16];
        self.peek(0, &mut head)?;
        let family = match &head[..4] {
            b"RIFF" => Family::Riff,
            b"RF64" | b"BW64" => Family::Wide,
            b"RIFX" => return Err(WavError::BigEndian),
            b"riff" if head == W64_RIFF => Family::Wave64,
            _ => return Err(WavError::NotWav),
        };
        let form_at = if family == Family::Wave64 { 24 } else { 8 };
        let mut form = [0; 4];
        if self.peek(form_at, &mut form)? < 4 {
            return Err(WavError::HeaderCut { offset: self.size });
        }
        match &form {
            b"WAVE" | b"wave" => Ok(family),
            _ => Err(WavError::Broken { offset: form_at, what: "it is a RIFF file of another kind than WAVE".into() }),
        }
    }

    /// Walks over the chunks up to the sound.
    fn find_data(&mut self, family: Family) -> Result<Data, WavError> {
        let mut at = if family == Family::Wave64 { 40 } else { 12 };
        for _ in 0..CHUNKS_MAX {
            let Some(chunk) = self.chunk(family, at)? else {
                return Err(self.ended(at));
            };
            match &chunk.id {
                b"fmt " => self.take_fmt(&chunk)?,
                b"ds64" => self.take_ds64(&chunk)?,
                b"data" if self.layout.is_none() => {
                    return Err(WavError::Missing {
                        offset: chunk.offset,
                        what: "there is no `fmt ` chunk before the sound",
                    });
                }
                b"data" => return Ok(self.promise(family, &chunk)),
                _ => {}
            }
            at = self.after(family, &chunk)?;
        }
        Err(WavError::Missing { offset: at, what: "there is no `data` chunk among the first 4096 chunks" })
    }

    fn ended(&self, at: u64) -> WavError {
        match self.layout {
            Some(_) => WavError::Missing { offset: at.min(self.size), what: "there is no `data` chunk" },
            None => WavError::HeaderCut { offset: self.size },
        }
    }

    fn chunk(&mut self, family: Family, offset: u64) -> Result<Option<Chunk>, WavError> {
        if family == Family::Wave64 {
            return self.chunk_wave64(offset);
        }
        let mut head = [0; 8];
        if self.peek(offset, &mut head)? < 8 {
            return Ok(None);
        }
        let id = [head[0], head[1], head[2], head[3]];
        let bytes = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        if !plausible(id) {
            return Err(WavError::Broken { offset, what: "what stands here is no chunk".into() });
        }
        Ok(Some(Chunk { id, offset, at: offset + 8, bytes }))
    }

    fn chunk_wave64(&mut self, offset: u64) -> Result<Option<Chunk>, WavError> {
        let mut head = [0; 24];
        if self.peek(offset, &mut head)? < 24 {
            return Ok(None);
        }
        let whole = le64(&head[16..]);
        // Names of our own for the chunks that are not looked at: only `fmt ` and `data` matter here.
        let id = if head[4..16] == W64_TAIL { [head[0], head[1], head[2], head[3]] } else { *b"skip" };
        match whole.checked_sub(24) {
            Some(bytes) => Ok(Some(Chunk { id, offset, at: offset + 24, bytes })),
            None if &id == b"data" => Ok(Some(Chunk { id, offset, at: offset + 24, bytes: 0 })),
            None => {
                Err(WavError::Broken { offset, what: "a chunk says that it is shorter than its own header".into() })
            }
        }
    }

    /// Where the chunk after `chunk` begins.
    fn after(&mut self, family: Family, chunk: &Chunk) -> Result<u64, WavError> {
        let bytes = self.wide_size(chunk).unwrap_or(chunk.bytes);
        let end = chunk
            .at
            .checked_add(bytes)
            .filter(|end| *end <= self.size)
            .ok_or_else(|| WavError::Broken { offset: chunk.offset, what: overlong(chunk.id, bytes) })?;
        if family == Family::Wave64 {
            return Ok(end.next_multiple_of(8));
        }
        // Some writers forget the pad byte behind a chunk of odd size. A name that we know right here proves it.
        let mut next = [0; 4];
        if bytes % 2 == 1 && !(self.peek(end, &mut next)? == 4 && known(next)) {
            return Ok(end + 1);
        }
        Ok(end)
    }

    fn take_fmt(&mut self, chunk: &Chunk) -> Result<(), WavError> {
        if self.layout.is_some() {
            return Ok(());
        }
        let mut content = vec![0; chunk.bytes.min(FMT_BYTES_MAX) as usize];
        let have = self.peek(chunk.at, &mut content)?;
        if have < content.len() {
            return Err(WavError::HeaderCut { offset: self.size });
        }
        let (layout, repaired) = parse_fmt(&content, chunk.at)?;
        self.findings.extend(repaired.map(|what| Finding::HeaderRepaired { what }));
        self.layout = Some(layout);
        Ok(())
    }

    fn take_ds64(&mut self, chunk: &Chunk) -> Result<(), WavError> {
        let mut head = [0; 28];
        if self.peek(chunk.at, &mut head)? < 28 || chunk.bytes < 28 {
            return Err(WavError::Broken { offset: chunk.offset, what: "its `ds64` chunk is too short".into() });
        }
        let entries = u32::from_le_bytes([head[24], head[25], head[26], head[27]]);
        let mut wide = Wide { data: le64(&head[8..]), table: Vec::new() };
        for entry in 0..entries.min(DS64_ENTRIES_MAX) {
            let at = 28 + u64::from(entry) * 12;
            let mut row = [0; 12];
            if at + 12 > chunk.bytes || self.peek(chunk.at + at, &mut row)? < 12 {
                break;
            }
            wide.table.push(([row[0], row[1], row[2], row[3]], le64(&row[4..])));
        }
        self.wide = Some(wide);
        Ok(())
    }

    /// The 64-bit size of a chunk whose own field says "look in `ds64`".
    fn wide_size(&self, chunk: &Chunk) -> Option<u64> {
        let wide = self.wide.as_ref().filter(|_| chunk.bytes == 0xFFFF_FFFF)?;
        if &chunk.id == b"data" {
            return Some(wide.data);
        }
        wide.table.iter().find(|(id, _)| *id == chunk.id).map(|(_, bytes)| *bytes)
    }

    fn promise(&self, family: Family, chunk: &Chunk) -> Data {
        let promised = match (family, self.wide_size(chunk)) {
            (Family::Wide, Some(0 | u64::MAX)) => Promise::Unknown,
            (Family::Wide, Some(bytes)) => Promise::Bytes(bytes),
            (Family::Wave64, _) if chunk.bytes == 0 || chunk.bytes > i64::MAX as u64 => Promise::Unknown,
            (Family::Wave64, _) => Promise::Bytes(chunk.bytes),
            _ if chunk.bytes == 0 || chunk.bytes >= UNKNOWN_FROM => Promise::Unknown,
            _ if self.streamed_by_sox(chunk.bytes) => Promise::Unknown,
            _ => Promise::Bytes(chunk.bytes),
        };
        Data { at: chunk.at, promised }
    }

    fn streamed_by_sox(&self, bytes: u64) -> bool {
        let block = self.block();
        bytes <= SOX_STREAMING && bytes + block > SOX_STREAMING || bytes == 0x7FFF_FFFF
    }

    fn block(&self) -> u64 {
        self.layout.as_ref().map_or(1, |layout| layout.block_bytes() as u64)
    }

    /// Holds what the header promises against what is there.
    fn finish(mut self, data: Data) -> Result<WavHeader, WavError> {
        let block = self.block();
        let there = self.size.saturating_sub(data.at);
        let bytes = match data.promised {
            Promise::Unknown if there == 0 || self.only_chunks_from(data.at)? => 0,
            Promise::Unknown => {
                self.findings.push(Finding::Unfinished);
                there
            }
            Promise::Bytes(promised) if promised / block > there / block => {
                self.findings.push(Finding::Truncated { promised: promised / block, found: there / block });
                there
            }
            Promise::Bytes(promised) if promised >= there => there,
            Promise::Bytes(promised) => promised + self.sound_behind(data.at + promised, there - promised)?,
        };
        let layout =
            self.layout.take().ok_or(WavError::Missing { offset: data.at, what: "there is no `fmt ` chunk" })?;
        Ok(WavHeader { layout, data_at: data.at, frames: bytes / block, findings: self.findings })
    }

    /// Bytes behind the promised end that are sound all the same: a header whose size field wrapped at 4 GiB, or was
    /// last brought up to date some time before the recorder died. A second of it and more counts, if no chunk
    /// begins there.
    fn sound_behind(&mut self, end: u64, bytes: u64) -> Result<u64, WavError> {
        let Some(layout) = &self.layout else { return Ok(0) };
        if bytes < u64::from(layout.rate_hz) * self.block() || self.starts_chunk(end)? || self.starts_chunk(end + 1)? {
            return Ok(0);
        }
        let what =
            format!("the data size ends {bytes} bytes before the sound does; it was read to the end of the file");
        self.findings.push(Finding::HeaderRepaired { what });
        Ok(bytes)
    }

    fn starts_chunk(&mut self, at: u64) -> Result<bool, WavError> {
        let mut head = [0; 8];
        let have = self.peek(at, &mut head)?;
        let bytes = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        Ok(have == 8 && plausible([head[0], head[1], head[2], head[3]]) && at + 8 + bytes <= self.size + 1)
    }

    /// Whether everything from `at` to the end is a chain of chunks, so that a data size of 0 really means no sound.
    fn only_chunks_from(&mut self, mut at: u64) -> Result<bool, WavError> {
        for _ in 0..CHUNKS_MAX {
            let Some(chunk) = self.chunk(Family::Riff, at).ok().flatten().filter(|chunk| known(chunk.id)) else {
                return Ok(false);
            };
            match self.after(Family::Riff, &chunk) {
                Ok(next) if next >= self.size => return Ok(true),
                Ok(next) => at = next,
                Err(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Fills `out` from `at` as far as the input goes; returns how many bytes there were.
    fn peek(&mut self, at: u64, out: &mut [u8]) -> Result<usize, WavError> {
        self.input.seek(SeekFrom::Start(at))?;
        let mut have = 0;
        while have < out.len() {
            match self.input.read(&mut out[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(have)
    }
}

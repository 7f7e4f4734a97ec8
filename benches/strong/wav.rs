//! Stereo WAV in, mono WAV out, in large blocks.

use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use audio_codec_algorithms::decode_ulaw;

const PCM: u16 = 1;
const MU_LAW: u16 = 7;
/// Bytes that are handed to the disk at a time.
const OUT_BYTES: usize = 1 << 18;
const HEADER_BYTES: u32 = 44;

/// A call that is read.
pub struct Reader {
    file: File,
    rate_hz: u32,
    /// What each byte means, if it is µ-law.
    table: Option<Box<[i16; 256]>>,
    left_bytes: u64,
    block: Vec<u8>,
}

impl Reader {
    /// Opens a call that is read in blocks of so many sample frames.
    pub fn open(path: &Path, block: usize) -> Result<Reader, Box<dyn Error>> {
        let mut file = File::open(path)?;
        let mut word = [0; 12];
        file.read_exact(&mut word)?;
        if &word[..4] != b"RIFF" || &word[8..] != b"WAVE" {
            return Err("this is no WAV file".into());
        }
        let mut format = None;
        loop {
            let mut chunk = [0; 8];
            file.read_exact(&mut chunk)?;
            let [name, bytes] = [&chunk[..4], &chunk[4..]];
            let bytes = u32::from_le_bytes(bytes.try_into()?);
            match (name, format) {
                (b"fmt ", _) => {
                    let mut said = vec![0; bytes.next_multiple_of(2) as usize];
                    file.read_exact(&mut said)?;
                    format = Some(parse(&said)?);
                }
                (b"data", Some((rate_hz, is_mu_law))) => {
                    let table = is_mu_law.then(|| Box::new(std::array::from_fn(|byte| decode_ulaw(byte as u8))));
                    let frame_bytes = if is_mu_law { 2 } else { 4 };
                    return Ok(Reader {
                        file,
                        rate_hz,
                        table,
                        left_bytes: bytes.into(),
                        block: vec![0; block * frame_bytes],
                    });
                }
                _ => _ = file.seek(SeekFrom::Current(bytes.next_multiple_of(2).into()))?,
            }
        }
    }

    /// Its rate, Hz.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Appends the left channel of the next block. Whether there was one.
    pub fn read_left(&mut self, left: &mut Vec<i16>) -> io::Result<bool> {
        let wanted = self.block.len().min(usize::try_from(self.left_bytes).unwrap_or(usize::MAX));
        let block = &mut self.block[..wanted];
        self.file.read_exact(block)?;
        self.left_bytes -= wanted as u64;
        match &self.table {
            Some(table) => left.extend(block.as_chunks::<2>().0.iter().map(|[left, _]| table[usize::from(*left)])),
            None => {
                left.extend(block.as_chunks::<4>().0.iter().map(|[low, high, ..]| i16::from_le_bytes([*low, *high])))
            }
        }
        Ok(wanted > 0)
    }
}

/// The rate, and whether it is µ-law.
fn parse(format: &[u8]) -> Result<(u32, bool), Box<dyn Error>> {
    let word = |at: usize| -> Option<u16> { Some(u16::from_le_bytes(format.get(at..at + 2)?.try_into().ok()?)) };
    let (Some(tag), Some(2), Some(bits)) = (word(0), word(2), word(14)) else { return Err("it is not stereo".into()) };
    let rate_hz = u32::from_le_bytes(format[4..8].try_into()?);
    match (tag, bits) {
        (PCM, 16) => Ok((rate_hz, false)),
        (MU_LAW, 8) => Ok((rate_hz, true)),
        _ => Err("it is neither 16-bit nor µ-law".into()),
    }
}

/// A mono 16-bit file that is written.
pub struct Writer {
    file: File,
    rate_hz: u32,
    buffer: Vec<u8>,
    data_bytes: u32,
}

impl Writer {
    /// Begins a file.
    pub fn create(path: &Path, rate_hz: u32) -> io::Result<Writer> {
        let mut buffer = Vec::with_capacity(OUT_BYTES);
        buffer.resize(HEADER_BYTES as usize, 0);
        Ok(Writer { file: File::create(path)?, rate_hz, buffer, data_bytes: 0 })
    }

    /// Writes samples.
    pub fn write(&mut self, samples: &[i16]) -> io::Result<()> {
        for samples in samples.chunks(OUT_BYTES / 4) {
            self.room_for(samples.len() * 2)?;
            let from = self.buffer.len();
            self.buffer.resize(from + samples.len() * 2, 0);
            let places = self.buffer[from..].as_chunks_mut::<2>().0;
            places.iter_mut().zip(samples).for_each(|(place, sample)| *place = sample.to_le_bytes());
        }
        Ok(())
    }

    /// Writes so many samples of silence.
    pub fn silence(&mut self, mut samples: usize) -> io::Result<()> {
        while samples > 0 {
            let now = samples.min(OUT_BYTES / 4);
            self.room_for(now * 2)?;
            self.buffer.resize(self.buffer.len() + now * 2, 0);
            samples -= now;
        }
        Ok(())
    }

    /// Writes what waits, and the header.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        let mut header = b"RIFF".to_vec();
        header.extend((self.data_bytes + HEADER_BYTES - 8).to_le_bytes());
        header.extend(b"WAVEfmt ");
        header.extend(16_u32.to_le_bytes());
        header.extend([PCM, 1].map(u16::to_le_bytes).as_flattened());
        header.extend([self.rate_hz, self.rate_hz * 2].map(u32::to_le_bytes).as_flattened());
        header.extend([2, 16_u16].map(u16::to_le_bytes).as_flattened());
        header.extend(b"data");
        header.extend(self.data_bytes.to_le_bytes());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)
    }

    fn room_for(&mut self, bytes: usize) -> io::Result<()> {
        let wanted = u32::try_from(bytes).ok().and_then(|bytes| self.data_bytes.checked_add(bytes));
        self.data_bytes = wanted.filter(|bytes| *bytes < u32::MAX - HEADER_BYTES).ok_or(ErrorKind::FileTooLarge)?;
        if self.buffer.len() + bytes > OUT_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

//! Writes a stereo WAV file whose length is known beforehand, 16-bit or µ-law, in bounded memory.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use audio_codec_algorithms::encode_ulaw;

use super::{Codec, Kind};

const PCM: u16 = 1;
const MU_LAW: u16 = 7;
const CHANNELS: u32 = 2;

/// A file on its way.
pub struct Wav {
    file: BufWriter<File>,
    codec: Codec,
    bytes: Vec<u8>,
}

impl Wav {
    /// Begins a file of so many sample frames.
    pub fn create(path: &Path, kind: Kind, frames: u64) -> io::Result<Wav> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&header(kind, u32::try_from(frames).expect("the call fits into a WAV file")))?;
        Ok(Wav { file, codec: kind.codec, bytes: Vec::new() })
    }

    /// Writes interleaved samples.
    pub fn write(&mut self, samples: &[i16]) -> io::Result<()> {
        self.bytes.clear();
        match self.codec {
            Codec::Pcm16 => self.bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
            Codec::MuLaw => self.bytes.extend(samples.iter().map(|sample| encode_ulaw(*sample))),
        }
        self.file.write_all(&self.bytes)
    }

    /// Hands the rest to the disk.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn header(kind: Kind, frames: u32) -> Vec<u8> {
    let (tag, sample_bytes) = match kind.codec {
        Codec::Pcm16 => (PCM, 2),
        Codec::MuLaw => (MU_LAW, 1),
    };
    let frame_bytes = CHANNELS * sample_bytes;
    let mut chunks = b"WAVEfmt ".to_vec();
    // Anything but 16-bit PCM says how long its extension is, and counts its samples in a chunk of its own.
    let is_pcm = tag == PCM;
    chunks.extend(if is_pcm { 16_u32 } else { 18 }.to_le_bytes());
    chunks.extend(tag.to_le_bytes());
    chunks.extend((CHANNELS as u16).to_le_bytes());
    chunks.extend(kind.rate_hz.to_le_bytes());
    chunks.extend((kind.rate_hz * frame_bytes).to_le_bytes());
    chunks.extend((frame_bytes as u16).to_le_bytes());
    chunks.extend((sample_bytes as u16 * 8).to_le_bytes());
    if !is_pcm {
        chunks.extend(0_u16.to_le_bytes());
        chunks.extend(b"fact");
        chunks.extend(4_u32.to_le_bytes());
        chunks.extend(frames.to_le_bytes());
    }
    chunks.extend(b"data");
    let data_bytes = frames.checked_mul(frame_bytes).expect("the call fits into a WAV file");
    chunks.extend(data_bytes.to_le_bytes());
    let mut header = b"RIFF".to_vec();
    header.extend((chunks.len() as u32 + data_bytes).to_le_bytes());
    header.extend(chunks);
    header
}

//! The digest of a sound output: its header, what is in it, and where (SEC-08).
//!
//! Silence costs only a test for zero, so that a long call with little kept is cheap to write and to check. Exactly:
//!
//! * The file is a header (80 bytes if it begins with `RF64`, else 44) and data (every byte after it).
//! * The data is cut into blocks of 4,096 bytes; the last one may be shorter.
//! * `D` = BLAKE3 of the bytes of all blocks that are not zero throughout, one after the other.
//! * `I` = BLAKE3 of the indexes of these blocks, from 0, each as 8 bytes, little-endian.
//! * The digest is BLAKE3 in key derivation mode with the context `oneside 2026 sound digest`, over
//!   `D` (32 bytes), `I` (32 bytes), the data's length in bytes (8 bytes, little-endian), the header's length
//!   (8 bytes, little-endian), and the header.
//!
//! Every part has a fixed length or is preceded by it, so two files with the same digest are the same file.

use std::io::{self, Read};
use std::ops::Range;

/// Bytes in a block.
pub const BLOCK_BYTES: usize = 4_096;
/// Bytes read at once: bounded memory whatever the file's length.
const READ_BYTES: usize = 16 * BLOCK_BYTES;
const CONTEXT: &str = "oneside 2026 sound digest";

/// A digest of sound in the making.
#[derive(Clone, Debug, Default)]
pub struct SoundDigest {
    data: blake3::Hasher,
    indexes: blake3::Hasher,
    next_block: u64,
}

impl SoundDigest {
    /// Takes the next blocks; `bytes` begins at a block's beginning, and ends at one's end or at the data's. Tells
    /// `sounding` which stretches of `bytes` are not silent: these are whole blocks, in order.
    pub fn take(&mut self, bytes: &[u8], mut sounding: impl FnMut(Range<usize>)) {
        let mut run = 0..0;
        for block in bytes.chunks(BLOCK_BYTES) {
            let end = run.end + block.len();
            if is_zero(block) {
                self.take_run(bytes, run.clone(), &mut sounding);
                run = end..end;
            } else {
                self.indexes.update(&self.next_block.to_le_bytes());
                run.end = end;
            }
            self.next_block += 1;
        }
        self.take_run(bytes, run, &mut sounding);
    }

    fn take_run(&mut self, bytes: &[u8], run: Range<usize>, sounding: &mut impl FnMut(Range<usize>)) {
        if !run.is_empty() {
            self.data.update(&bytes[run.clone()]);
            sounding(run);
        }
    }

    /// Bytes of the blocks so far that are not silent.
    pub fn sounding_bytes(&self) -> u64 {
        self.data.count()
    }

    /// Passes over whole blocks of silence.
    pub fn pass(&mut self, blocks: u64) {
        self.next_block += blocks;
    }

    /// The digest, in hexadecimal, of data of this length behind this header.
    pub fn finish(&self, data_bytes: u64, header: &[u8]) -> String {
        let mut whole = blake3::Hasher::new_derive_key(CONTEXT);
        whole.update(self.data.finalize().as_bytes());
        whole.update(self.indexes.finalize().as_bytes());
        whole.update(&data_bytes.to_le_bytes());
        whole.update(&(header.len() as u64).to_le_bytes());
        whole.update(header);
        whole.finalize().to_hex().to_string()
    }
}

/// A sound file as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its header, or as much of one as there is.
    pub header: Vec<u8>,
    /// Bytes behind the header.
    pub data_bytes: u64,
    /// Its digest, in hexadecimal.
    pub digest: String,
}

/// Reads a sound file through, in bounded memory. `sounding` gets every stretch that is not silent: its first byte's
/// place in the data, and its bytes.
pub fn measure(file: &mut impl Read, mut sounding: impl FnMut(u64, &[u8])) -> io::Result<Measured> {
    let header = read_header(file)?;
    let mut digest = SoundDigest::default();
    let mut buffer = vec![0; READ_BYTES];
    let mut data_bytes = 0;
    loop {
        let got = fill(file, &mut buffer)?;
        digest.take(&buffer[..got], |run| sounding(data_bytes + run.start as u64, &buffer[run]));
        data_bytes += got as u64;
        if got < buffer.len() {
            break;
        }
    }
    let digest = digest.finish(data_bytes, &header);
    Ok(Measured { header, data_bytes, digest })
}

/// Plain BLAKE3 of all bytes, in hexadecimal, and their number. In bounded memory.
pub fn whole(file: &mut impl Read) -> io::Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    loop {
        let got = fill(file, &mut buffer)?;
        hasher.update(&buffer[..got]);
        bytes += got as u64;
        if got < buffer.len() {
            return Ok((hasher.finalize().to_hex().to_string(), bytes));
        }
    }
}

fn read_header(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut header = vec![0; super::wav::HEADER_BYTES];
    let got = fill(file, &mut header)?;
    header.truncate(got);
    if header.starts_with(b"RF64") && got == super::wav::HEADER_BYTES {
        let mut rest = vec![0; super::wav::RF64_HEADER_BYTES - super::wav::HEADER_BYTES];
        let got = fill(file, &mut rest)?;
        header.extend_from_slice(&rest[..got]);
    }
    Ok(header)
}

/// Reads until the buffer is full or the file at its end.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn is_zero(block: &[u8]) -> bool {
    let (pieces, rest) = block.as_chunks::<64>();
    pieces.iter().all(|piece| piece.iter().fold(0, |all, byte| all | byte) == 0) && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::wav;

    fn file(rf64: bool) -> Vec<u8> {
        let mut data = vec![0; 5 * BLOCK_BYTES + 1_000];
        data[BLOCK_BYTES + 7] = 1; // block 1 sounds
        data[3 * BLOCK_BYTES..4 * BLOCK_BYTES].fill(9); // block 3 sounds
        data[5 * BLOCK_BYTES + 998] = 4; // and the short last one
        let mut file = wav::header(8_000, data.len() as u64 / 2, rf64).unwrap();
        file.extend(data);
        file
    }

    fn digest(bytes: &[u8]) -> String {
        measure(&mut &bytes[..], |_, _| ()).unwrap().digest
    }

    #[test]
    fn any_flipped_bit_changes_the_digest() {
        for rf64 in [false, true] {
            let original = file(rf64);
            let expected = digest(&original);
            let header = if rf64 { wav::RF64_HEADER_BYTES } else { wav::HEADER_BYTES };
            let places = (0..header).chain((header..original.len()).step_by(61)).chain([original.len() - 1]);
            for (at, bit) in places.flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let mut flipped = original.clone();
                flipped[at] ^= 1 << bit;
                assert_ne!(digest(&flipped), expected, "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_shift_a_truncation_and_an_extension_change_the_digest() {
        let original = file(false);
        let expected = digest(&original);
        for cut in [1, 2, 999, 1_000, BLOCK_BYTES, 3 * BLOCK_BYTES] {
            assert_ne!(digest(&original[..original.len() - cut]), expected, "cut by {cut}");
            let mut extended = original.clone();
            extended.extend(vec![0; cut]);
            assert_ne!(digest(&extended), expected, "extended by {cut}");
        }
        for by in [2, 64, BLOCK_BYTES, 2 * BLOCK_BYTES] {
            let mut shifted = original.clone();
            shifted[wav::HEADER_BYTES..].rotate_right(by);
            assert_ne!(digest(&shifted), expected, "shifted by {by}");
        }
        let mut swapped = original.clone();
        let block = |n: usize| wav::HEADER_BYTES + n * BLOCK_BYTES;
        swapped.copy_within(block(3)..block(4), block(2));
        swapped[block(3)..block(4)].fill(0);
        assert_ne!(digest(&swapped), expected, "a sounding block changed places with a silent one");
    }

    #[test]
    fn what_is_computed_while_writing_is_what_the_file_says() {
        let original = file(false);
        let (header, data) = original.split_at(wav::HEADER_BYTES);
        let mut digest = SoundDigest::default();
        digest.pass(1); // a gap that was never looked at
        let mut runs = Vec::new();
        digest.take(&data[BLOCK_BYTES..3 * BLOCK_BYTES], |run| runs.push((run.start, run.end)));
        digest.take(&data[3 * BLOCK_BYTES..], |_| ());
        assert_eq!(runs, [(0, BLOCK_BYTES)]);
        let measured = measure(&mut &original[..], |_, _| ()).unwrap();
        assert_eq!(digest.finish(data.len() as u64, header), measured.digest);
        assert_eq!((measured.header.as_slice(), measured.data_bytes), (header, data.len() as u64));
    }

    #[test]
    fn every_sounding_byte_is_shown_with_its_place() {
        let original = file(false);
        let mut seen = vec![0; original.len() - wav::HEADER_BYTES];
        measure(&mut &original[..], |at, bytes| seen[at as usize..][..bytes.len()].copy_from_slice(bytes)).unwrap();
        assert_eq!(seen, original[wav::HEADER_BYTES..]);
    }

    #[test]
    fn a_file_without_a_whole_header_is_measured_all_the_same() {
        let measured = measure(&mut &b"RF64 is short"[..], |_, _| ()).unwrap();
        assert_eq!((measured.header.len(), measured.data_bytes), (13, 0));
        assert_ne!(measured.digest, digest(b""));
    }
}

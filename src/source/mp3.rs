//! Whether the frames of an MP3 follow each other without a gap.
//!
//! MP3 frames carry no time, and a decoder that meets junk looks for the next frame and goes on, so that everything
//! behind the damage comes too early. Consent counts by time, so the gap has to be noticed: each frame must begin in the
//! file where the one before it ended.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes by which a frame is recognised in the file: its header, side information, the beginning of its content.
const MARK_BYTES: usize = 40;
/// How far behind the tags at the file's beginning the first frame is looked for, bytes.
const SEARCH_BYTES: u64 = 256 * 1024;

/// Follows the frames of an MP3 file.
pub(super) struct FrameChain {
    file: BufReader<File>,
    /// Where the next frame has to begin; `None` until the first was found.
    next: Option<u64>,
}

impl FrameChain {
    pub(super) fn open(path: &Path) -> io::Result<FrameChain> {
        Ok(FrameChain { file: BufReader::new(File::open(path)?), next: None })
    }

    /// Takes note of the next frame (header included). False if it does not begin where the one before it ended.
    pub(super) fn follow(&mut self, frame: &[u8]) -> io::Result<bool> {
        let mark = &frame[..frame.len().min(MARK_BYTES)];
        let begins = match self.next {
            Some(next) => next,
            None => match self.find_first(frame)? {
                Some(first) => first,
                None => return Ok(false),
            },
        };
        let mut there = [0; MARK_BYTES];
        let there = &mut there[..mark.len()];
        match self.file.read_exact(there) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
        self.next = Some(begins + frame.len() as u64);
        self.file.seek_relative((frame.len() - mark.len()) as i64)?;
        Ok(there == mark)
    }

    /// Whether behind the frames that were followed lie more of their kind, at least two.
    pub(super) fn goes_on(&mut self) -> io::Result<bool> {
        let Some(mut at) = self.next else { return Ok(false) };
        for _ in 0..2 {
            let mut header = [0; 4];
            self.file.seek(SeekFrom::Start(at))?;
            match self.file.read_exact(&mut header) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            // Joined files may begin with a tag or a count of their own.
            if &header[..3] == b"ID3" {
                return Ok(true);
            }
            match frame_bytes(header) {
                Some(bytes) => at += bytes,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Finds the first frame behind the tags and leaves the file there. All of it is compared: the frame that counts
    /// the others begins like a silent one.
    fn find_first(&mut self, frame: &[u8]) -> io::Result<Option<u64>> {
        let mut tag = Vec::with_capacity(10);
        (&mut self.file).take(10).read_to_end(&mut tag)?;
        // ID3v2.4, 3.1: the size leaves out the tag's own ten bytes, seven bits of each byte count
        let from = match tag[..] {
            [b'I', b'D', b'3', _, _, _, a, b, c, d] => {
                10 + [a, b, c, d].iter().fold(0u64, |size, byte| size << 7 | u64::from(byte & 0x7F))
            }
            _ => 0,
        };
        self.file.seek(SeekFrom::Start(from))?;
        let mut window = Vec::new();
        (&mut self.file).take(SEARCH_BYTES).read_to_end(&mut window)?;
        let found = window.windows(frame.len().max(1)).position(|bytes| bytes == frame).map(|at| from + at as u64);
        self.file.seek(SeekFrom::Start(found.unwrap_or(0)))?;
        Ok(found)
    }
}

/// Length of the layer-3 frame with this header (ISO 11172-3, 2.4.2.3 and 13818-3, 2.4.2.3), if it is one.
fn frame_bytes(header: [u8; 4]) -> Option<u64> {
    const KBITS_1: [u64; 16] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];
    const KBITS_2: [u64; 16] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0];
    const HZ: [u64; 4] = [44_100, 48_000, 32_000, 0];
    let [first, second, third, _] = header;
    if first != 0xFF || second & 0xE6 != 0xE2 {
        return None;
    }
    let (bit_rates, rate_divisor, factor) = match second >> 3 & 3 {
        3 => (KBITS_1, 1, 144),
        2 => (KBITS_2, 2, 72),
        0 => (KBITS_2, 4, 72),
        _ => return None,
    };
    let bits_per_second = bit_rates[usize::from(third >> 4)] * 1_000;
    let rate_hz = HZ[usize::from(third >> 2 & 3)] / rate_divisor;
    let padding = u64::from(third >> 1 & 1);
    (bits_per_second > 0 && rate_hz > 0).then(|| factor * bits_per_second / rate_hz + padding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::Scratch;

    /// Frames that differ from each other.
    fn frame(number: u8) -> Vec<u8> {
        (0..100).map(|byte| if byte < 20 { byte } else { number.wrapping_mul(31) ^ byte }).collect()
    }

    fn follow(content: Vec<Vec<u8>>, frames: &[u8]) -> Vec<bool> {
        let scratch = Scratch::new();
        let mut chain = FrameChain::open(&scratch.file("a.mp3", content.concat())).unwrap();
        frames.iter().map(|number| chain.follow(&frame(*number)).unwrap()).collect()
    }

    #[test]
    fn frames_that_follow_each_other_are_a_chain_also_behind_a_tag_and_a_count() {
        assert_eq!(follow(vec![frame(1), frame(2), frame(3)], &[1, 2, 3]), [true; 3]);
        let tag = [b"ID3\x04\0\0\0\0\x02\x05".to_vec(), vec![0; 0x105]].concat();
        assert_eq!(follow(vec![tag, frame(99), frame(1), frame(2)], &[1, 2]), [true; 2]);
    }

    /// A frame of MPEG-2.5 at 8 kHz and 32 kbit/s: 288 bytes.
    fn real(number: u8) -> Vec<u8> {
        [vec![0xFF, 0xE3, 0x48, 0x44], vec![number; 284]].concat()
    }

    #[test]
    fn frames_behind_the_last_one_are_noticed_and_tags_are_not_taken_for_them() {
        let goes_on = |behind: Vec<u8>| {
            let scratch = Scratch::new();
            let content = [real(1), real(2), behind].concat();
            let mut chain = FrameChain::open(&scratch.file("a.mp3", content)).unwrap();
            assert!(chain.follow(&real(1)).unwrap() && chain.follow(&real(2)).unwrap());
            chain.goes_on().unwrap()
        };
        assert!(goes_on([real(3), real(4), real(5)].concat()));
        assert!(goes_on(b"ID3\x04\0\0\0".to_vec()));
        assert!(!goes_on(vec![]));
        assert!(!goes_on(real(3)[..100].to_vec()), "a cut last frame");
        assert!(!goes_on([&b"TAG"[..], &[0; 125]].concat()));
    }

    #[test]
    fn junk_or_a_lost_frame_breaks_the_chain() {
        assert_eq!(follow(vec![frame(1), vec![0; 7], frame(2)], &[1, 2]), [true, false]);
        assert_eq!(follow(vec![frame(1), frame(2)[..50].to_vec(), frame(3)], &[1, 3]), [true, false]);
        assert_eq!(follow(vec![frame(1)], &[1, 2]), [true, false]);
        assert_eq!(follow(vec![frame(1)], &[2]), [false]);
    }
}

//! The header of a WAV stream, read as it comes, in whatever pieces.

use std::io::{self, Read};

use oneside::audio::{RATE_MAX_HZ, RATE_MIN_HZ};
use oneside::source::wire::stream::read_head;
use oneside::split::CHANNELS_MAX;

/// Gives a few bytes at a time, other numbers in turn.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let some = self.1.min(out.len()).min(self.0.len());
        out[..some].copy_from_slice(&self.0[..some]);
        self.0 = &self.0[some..];
        Ok(some)
    }
}

/// The bytes are a stream.
pub fn run(data: &[u8]) {
    let mut rest = data;
    let read = read_head(&mut rest);
    let mut pieces = Pieces(data, 0);
    let again = read_head(&mut pieces);
    let head = match read {
        Ok(head) => head,
        Err(error) => {
            let told = again.expect_err("what cannot be read at once cannot be read in pieces").to_string();
            return assert!(!told.is_empty() && told == error.to_string(), "an error says what is wrong");
        }
    };
    assert_eq!(Some(&head), again.as_ref().ok(), "pieces make no difference");
    let taken = data.len() - rest.len();
    assert!(head.bytes == data[..taken], "what was read is kept as it came, to be handed on");
    assert_eq!(pieces.0.len(), rest.len(), "not a byte of sound is taken");
    assert_eq!(&head.bytes[taken - 8..taken - 4], b"data", "sound begins behind the header of its chunk");
    assert!((RATE_MIN_HZ..=RATE_MAX_HZ).contains(&head.layout.rate_hz), "{head:?}");
    assert!((1..=CHANNELS_MAX).contains(&head.layout.channels) && head.layout.block_bytes() > 0, "{head:?}");
    assert!(head.data_bytes.is_none_or(|bytes| bytes > 0), "a size that tells nothing is none");
}

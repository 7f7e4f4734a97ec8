//! Messages of Twilio and Telnyx media streams.

use oneside::source::wire::media_stream::{FRAMES_MAX, Message, parse};

/// Whatever is taken has a bounded length that needs no decoding, and decodes to just that length or not at all.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(Message::Media(media)) => {
            assert!(media.frames() <= FRAMES_MAX);
            if let Ok(bytes) = media.bytes() {
                assert_eq!(bytes.len(), media.frames());
            }
        }
        Ok(Message::Start(start)) => assert_eq!((start.rate_hz, start.encoding.bytes()), (8_000, 1)),
        Ok(Message::Digit { digit, .. }) => assert!("0123456789*#ABCD".contains(digit)),
        Ok(_) => {}
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}

//! A stream of AudioSocket messages, in pieces of any size.

use oneside::source::wire::audiosocket::{Decoder, Message};

/// The first byte says how large the pieces are; the rest is the stream. Whatever the pieces, the messages are the same.
pub fn run(data: &[u8]) {
    let Some((piece, stream)) = data.split_first() else { return };
    let whole = messages(stream, stream.len().max(1));
    assert_eq!(messages(stream, usize::from(*piece) + 1), whole);
}

/// Type and length of everything that came, and how much is left over.
fn messages(stream: &[u8], piece: usize) -> (Vec<(String, usize)>, usize) {
    let (mut decoder, mut found, mut rest) = (Decoder::default(), Vec::new(), stream);
    while !rest.is_empty() {
        let room = decoder.room();
        assert!(!room.is_empty(), "there is always room");
        let count = piece.min(room.len()).min(rest.len());
        room[..count].copy_from_slice(&rest[..count]);
        decoder.filled(count);
        rest = &rest[count..];
        loop {
            let foretold = decoder.sound_next();
            let Some(message) = decoder.take() else { break };
            let bytes = match message {
                Message::Sound { rate_hz, payload } => {
                    assert!(foretold == Some(rate_hz) || payload.is_empty());
                    payload.len()
                }
                Message::Digit(digit) => {
                    assert!("0123456789*#ABCD".contains(digit));
                    1
                }
                Message::Id(_) | Message::Hangup | Message::Error(_) | Message::Malformed(_) | Message::Unknown(_) => 0,
            };
            found.push((format!("{message:?}"), bytes));
        }
    }
    assert!(decoder.rest() <= usize::from(u16::MAX) + 3);
    (found, decoder.rest())
}

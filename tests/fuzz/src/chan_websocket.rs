//! Text messages of Asterisk's chan_websocket, JSON and plain.

use oneside::source::wire::chan_websocket::{Message, parse};

/// Whatever begins is named and uncompressed.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(Message::Start(start)) => {
            assert!(!start.channel_id.is_empty() && start.channel_id.len() <= 256);
            assert!((8_000..=48_000).contains(&start.rate_hz) && start.encoding.bytes() <= 2);
        }
        Ok(Message::Digit(digit)) => assert!("0123456789*#ABCD".contains(digit)),
        Ok(Message::Other) => {}
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}

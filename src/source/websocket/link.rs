//! A connection that stands: its messages, and the ways in which it ends. What is sent on it beyond the protocol's own
//! frames is the dialect's matter; a fork gets nothing back.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use crate::source::listen::{Stop, Stream};

/// Time for a polite end.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Time for a message of ours to leave: a client that does not read is left.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// Capacity for reading, bytes: there are thousands of connections.
const READ_BUFFER_BYTES: usize = 8 << 10;

/// Limits of a connection: messages of at most `message_bytes_max`.
pub(in crate::source) fn limits(message_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(256 << 10)
        .max_message_size(Some(message_bytes_max))
        .max_frame_size(Some(message_bytes_max))
}

/// What a connection brought.
pub(in crate::source) enum Came {
    /// A text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
    /// Nothing for as long as one waited.
    Tick,
    /// Its end: the other side closed it, it broke (the line, the framing, a length that is too long or a lie), nothing came
    /// for too long, or we are being stopped.
    End,
}

/// A connection.
pub(in crate::source) struct Link {
    socket: WebSocketStream<Stream>,
    stop: Stop,
    idle: Duration,
    heard: Instant,
}

impl Link {
    /// Of a connection that ends when nothing comes for `idle`.
    pub(in crate::source) fn new(socket: WebSocketStream<Stream>, stop: Stop, idle: Duration) -> Link {
        Link { socket, stop, idle, heard: Instant::now() }
    }

    /// What comes next, or a tick at `until`.
    pub(in crate::source) async fn next(&mut self, until: Instant) -> Came {
        loop {
            let message = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Came::End,
                message = self.socket.next() => message,
                () = sleep_until(until) => {
                    return if self.heard.elapsed() > self.idle { Came::End } else { Came::Tick };
                }
            };
            self.heard = Instant::now();
            return match message {
                Some(Ok(Message::Text(text))) => Came::Text(text),
                Some(Ok(Message::Binary(bytes))) => Came::Binary(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => Came::End,
            };
        }
    }

    /// Sends a text. Whether it left.
    pub(in crate::source) async fn send(&mut self, text: String) -> bool {
        matches!(timeout(SEND_WITHIN, self.socket.send(Message::text(text))).await, Ok(Ok(())))
    }

    /// Ends it politely, and drains what the other side still sends.
    pub(in crate::source) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        let _ = timeout(CLOSE_WITHIN, async {
            let _ = self.socket.close(Some(frame)).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        })
        .await;
    }
}

//! Where a SIP message ends in a stream (RFC 3261 §18.3), and the keep-alives between messages (RFC 5626 §3.5.1).

use super::{HEAD_BYTES_MAX, MESSAGE_BYTES_MAX};

/// What stands at the beginning of a stream (RFC 3261 §18.3, keep-alives of RFC 5626 §3.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// More bytes are needed.
    More,
    /// Empty lines, to be skipped.
    Blank {
        /// How many bytes.
        bytes: usize,
        /// Whether they are a ping, which is answered with one empty line.
        ping: bool,
    },
    /// A whole message.
    Message {
        /// How many bytes.
        bytes: usize,
    },
    /// What cannot be framed: the connection is of no use any more.
    Broken(&'static str),
}

/// Looks for a message at the beginning of a stream.
pub fn frame(stream: &[u8]) -> Framed {
    match stream {
        b"" | b"\r" => return Framed::More,
        // Two empty lines are a ping. One is what careless senders put between messages, or half of a ping that came in
        // pieces: that one goes without its answer.
        [b'\r', b'\n', b'\r', b'\n', ..] => return Framed::Blank { bytes: 4, ping: true },
        [b'\r', b'\n', ..] => return Framed::Blank { bytes: 2, ping: false },
        [b'\r' | b'\n', ..] => return Framed::Blank { bytes: 1, ping: false },
        _ => {}
    }
    let Some(head) = head_bytes(stream) else {
        return match stream.len() > HEAD_BYTES_MAX {
            true => Framed::Broken("head too long"),
            false => Framed::More,
        };
    };
    if head > HEAD_BYTES_MAX {
        return Framed::Broken("head too long");
    }
    match content_length(&stream[..head]) {
        Ok(Some(body)) if head + body > MESSAGE_BYTES_MAX => Framed::Broken("message too long"),
        Ok(Some(body)) if head + body > stream.len() => Framed::More,
        Ok(Some(body)) => Framed::Message { bytes: head + body },
        // A stream has no other way of telling where a message ends.
        Ok(None) => Framed::Broken("no Content-Length"),
        Err(why) => Framed::Broken(why),
    }
}

/// Bytes up to and with the empty line behind the headers.
pub(super) fn head_bytes(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at) {
        match bytes[at + 1..] {
            [b'\n', ..] => return Some(at + 2),
            [b'\r', b'\n', ..] => return Some(at + 3),
            _ => from = at + 1,
        }
        if from > HEAD_BYTES_MAX {
            return None;
        }
    }
    None
}

/// The Content-Length of a head, without building anything. Two that differ are an attack on framing.
pub(super) fn content_length(head: &[u8]) -> Result<Option<usize>, &'static str> {
    let mut found: Option<usize> = None;
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line[..colon].trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let value = line[colon + 1..].trim_ascii();
        if value.is_empty() || value.len() > 6 || !value.iter().all(u8::is_ascii_digit) {
            return Err("bad Content-Length");
        }
        let bytes = value.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        if found.is_some_and(|other| other != bytes) {
            return Err("two Content-Lengths");
        }
        found = Some(bytes);
    }
    Ok(found)
}

//! A SIP message taken apart, and what a server has to know of a request.

use bytes::Bytes;
use ezk_sip_types::msg::{Line, PullParser};
use ezk_sip_types::{Headers, Name};

use super::frame::{content_length, head_bytes};
use super::texts::param;
use super::via::{Hop, hop};
use super::{HEAD_BYTES_MAX, HEADERS_MAX, MESSAGE_BYTES_MAX, TOKEN_BYTES_MAX};

/// The start line of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request {
        /// Its method, as written: methods are case-sensitive.
        method: String,
        /// Whom it is for.
        uri: String,
    },
    /// A response.
    Response {
        /// 100 to 699.
        code: u16,
    },
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// No SIP at all: not worth an answer.
    NotSip,
    /// The head is too long, or has too many lines.
    TooLong,
    /// The body is shorter than Content-Length says.
    BodyCut,
}

/// A message: its start line, its headers and its body.
#[derive(Clone, Debug)]
pub struct Message {
    /// The start line.
    pub start: Start,
    headers: Headers,
    /// The body, cut to Content-Length where that is given.
    pub body: Bytes,
}

impl Message {
    /// Takes a message apart: a datagram, or what was cut out of a stream.
    pub fn parse(bytes: &[u8]) -> Result<Message, Unreadable> {
        let leading = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let bytes = &bytes[leading..];
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Unreadable::TooLong);
        }
        let head_end = head_bytes(bytes).ok_or(Unreadable::NotSip)?;
        if head_end > HEAD_BYTES_MAX {
            return Err(Unreadable::TooLong);
        }
        let head = Bytes::copy_from_slice(&bytes[..head_end]);
        let mut lines = PullParser::new(&head, 0).map_while(Result::ok);
        let start =
            lines.next().and_then(|line| start_line(std::str::from_utf8(line).ok()?)).ok_or(Unreadable::NotSip)?;
        let mut headers = Headers::new();
        for (number, line) in lines.enumerate() {
            if number >= HEADERS_MAX {
                return Err(Unreadable::TooLong);
            }
            // A line that is no header is left out: what is missing by that is missed where it is needed.
            let Ok(line) = std::str::from_utf8(line) else { continue };
            if let Ok((_, header)) = Line::parse(&head, line) {
                headers.insert(header.name, unfolded(&header.value));
            }
        }
        let rest = &bytes[head_end..];
        let body = match content_length(&head).map_err(|_| Unreadable::BodyCut)? {
            Some(length) => rest.get(..length).ok_or(Unreadable::BodyCut)?,
            None => rest,
        };
        Ok(Message { start, headers, body: Bytes::copy_from_slice(body) })
    }

    /// The first value of a header, by its long name; compact names are found by it too.
    pub fn header(&self, name: &'static str) -> Option<&str> {
        self.values(name).next()
    }

    /// Each value of a header, in their order, a line a value.
    pub fn values(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.headers.get_raw(&Name::from(name)).map(|value| value.as_str()).collect::<Vec<_>>().into_iter()
    }

    /// The words of a header that is a list: `Require`, `Supported`.
    pub fn words(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.values(name).flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
    }
}

/// A header that was continued on the next line becomes one line: a value may be echoed.
fn unfolded(value: &str) -> String {
    value.split(['\r', '\n']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn start_line(line: &str) -> Option<Start> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let (first, second, third) = (words.next()?, words.next()?, words.next());
    if first.eq_ignore_ascii_case("SIP/2.0") {
        let code = second.parse().ok().filter(|code| (100..700).contains(code))?;
        return Some(Start::Response { code });
    }
    let method = first.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte));
    let sip = third?.eq_ignore_ascii_case("SIP/2.0") && words.next().is_none();
    (method && sip && first.len() <= 32).then(|| Start::Request { method: first.to_owned(), uri: second.to_owned() })
}

/// A request with everything that a server needs to answer it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, as written.
    pub method: String,
    /// Whom it is for.
    pub uri: String,
    /// The topmost Via.
    pub hop: Hop,
    /// Call-ID.
    pub call_id: String,
    /// The tag of From; empty where there is none (RFC 2543).
    pub from_tag: String,
    /// The tag of To: it belongs to a dialog that stands.
    pub to_tag: Option<String>,
    /// The number of CSeq.
    pub cseq: u32,
    /// The whole message.
    pub message: Message,
}

impl Request {
    /// Whether everything is there that a request must have (RFC 3261 §8.1.1). `Err` gives the message back with what is
    /// wrong.
    pub fn of(message: Message) -> Result<Request, (Message, &'static str)> {
        match Request::parts(&message) {
            Ok((method, uri, hop, call_id, from_tag, to_tag, cseq)) => {
                Ok(Request { method, uri, hop, call_id, from_tag, to_tag, cseq, message })
            }
            Err(what) => Err((message, what)),
        }
    }

    fn parts(message: &Message) -> Result<(String, String, Hop, String, String, Option<String>, u32), &'static str> {
        let Start::Request { method, uri } = &message.start else { return Err("no request") };
        let hop = message.header("Via").and_then(hop).ok_or("Via")?;
        let call_id = message.header("Call-ID").filter(|id| fits(id)).ok_or("Call-ID")?;
        let from = message.header("From").ok_or("From")?;
        let to = message.header("To").ok_or("To")?;
        let from_tag = param(from, "tag").unwrap_or_default();
        let to_tag = param(to, "tag");
        if from_tag.len() > TOKEN_BYTES_MAX || to_tag.as_ref().is_some_and(|tag| tag.len() > TOKEN_BYTES_MAX) {
            return Err("tag");
        }
        let (number, of) = message.header("CSeq").and_then(|value| value.split_once([' ', '\t'])).ok_or("CSeq")?;
        // At most 2³¹ − 1 (RFC 3261 §8.1.1.5).
        let cseq = number.parse().ok().filter(|number| *number < 1 << 31).ok_or("CSeq")?;
        if of.trim() != method {
            return Err("CSeq");
        }
        let uri = uri.clone();
        Ok((method.clone(), uri, hop, call_id.to_owned(), from_tag, to_tag.filter(|tag| !tag.is_empty()), cseq))
    }
}

fn fits(token: &str) -> bool {
    !token.is_empty() && token.len() <= TOKEN_BYTES_MAX
}

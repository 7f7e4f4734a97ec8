//! Answers to requests (RFC 3261 §8.2.6), as bytes.

use std::fmt::Write;
use std::net::SocketAddr;

use super::message::Message;
use super::texts::param;
use super::via::via_received;

/// An answer in the making.
#[derive(Clone, Debug)]
pub struct Answer {
    code: u16,
    headers: String,
    body: String,
}

impl Answer {
    /// An answer without anything but its code.
    pub fn new(code: u16) -> Answer {
        Answer { code, headers: String::new(), body: String::new() }
    }

    /// Adds a header. What would end the line is taken out of the value.
    pub fn with(mut self, name: &str, value: &str) -> Answer {
        let value: String = value.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
        let _ = write!(self.headers, "{name}: {value}\r\n");
        self
    }

    /// Gives it a body.
    pub fn body(mut self, kind: &str, body: String) -> Answer {
        self = self.with("Content-Type", kind);
        self.body = body;
        self
    }

    /// Its code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The answer as bytes: the request's Vias (the topmost with where it came from), From, To with our tag where it has
    /// none, Call-ID and CSeq echoed, Record-Route as well where a dialog begins.
    pub fn to(&self, request: &Message, from: SocketAddr, tag: &str) -> Vec<u8> {
        let mut out = format!("SIP/2.0 {} {}\r\n", self.code, reason(self.code));
        for (number, via) in request.values("Via").enumerate() {
            let via = if number == 0 { via_received(via, from) } else { via.to_owned() };
            let _ = write!(out, "Via: {via}\r\n");
        }
        for name in ["From", "Call-ID", "CSeq"] {
            if let Some(value) = request.header(name) {
                let _ = write!(out, "{name}: {value}\r\n");
            }
        }
        if let Some(to) = request.header("To") {
            let tag = (self.code > 100 && param(to, "tag").is_none_or(|tag| tag.is_empty())).then_some(tag);
            let _ = write!(out, "To: {to}{}\r\n", tag.map(|tag| format!(";tag={tag}")).unwrap_or_default());
        }
        if (101..300).contains(&self.code) {
            for route in request.values("Record-Route") {
                let _ = write!(out, "Record-Route: {route}\r\n");
            }
        }
        let _ = write!(out, "{}Content-Length: {}\r\n\r\n{}", self.headers, self.body.len(), self.body);
        out.into_bytes()
    }
}

/// What a code says, for people.
pub fn reason(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        200 => "OK",
        400 => "Bad Request",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        603 => "Decline",
        _ => "Answer",
    }
}

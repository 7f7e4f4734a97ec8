//! The parts of a body (RFC 2046 §5.1): any boundary, quoted or not, lines that end in CRLF or in LF.

use super::Unusable;
use crate::source::wire::sip::param;

/// Most parts of a body.
pub const PARTS_MAX: usize = 16;
/// Longest boundary, bytes. The RFC says 70.
const BOUNDARY_BYTES_MAX: usize = 200;

/// A part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its media type, in small letters, without parameters.
    pub kind: String,
    /// What stands in it.
    pub body: &'a [u8],
}

/// The parts of a body; a body that is not multipart is its only part.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, Unusable> {
    let kind = media_type(content_type);
    if !kind.starts_with("multipart/") {
        return Ok(vec![Part { kind, body }]);
    }
    let boundary = param(content_type, "boundary").ok_or(Unusable::Parts)?;
    if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX {
        return Err(Unusable::Parts);
    }
    let mut parts = Vec::new();
    let mut begun = None;
    for (start, line) in lines(body) {
        let Some(last) = delimits(line, boundary.as_bytes()) else { continue };
        if let Some(begun) = begun {
            if parts.len() == PARTS_MAX {
                return Err(Unusable::Parts);
            }
            parts.push(part(without_line_end(&body[begun..start])));
        }
        begun = (!last).then_some(start + line.len());
        if last {
            break;
        }
    }
    // A closing delimiter that was forgotten is forgiven: Content-Length says where the body ends.
    parts.extend(begun.map(|begun| part(&body[begun..])));
    if parts.is_empty() || parts.len() > PARTS_MAX { Err(Unusable::Parts) } else { Ok(parts) }
}

/// Each line with its end, and where it begins.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    text.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line)
    })
}

/// Whether a line is a delimiter; `true` for the last one.
fn delimits(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?.trim_ascii_end();
    match rest {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(body: &[u8]) -> &[u8] {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    body.strip_suffix(b"\r").unwrap_or(body)
}

fn part(text: &[u8]) -> Part<'_> {
    // RFC 2046 §5.1: a part without headers is plain text.
    let mut kind = "text/plain".to_owned();
    let mut body = text;
    for (start, line) in lines(text) {
        body = &text[start + line.len()..];
        let line = line.trim_ascii_end();
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        if line[..colon].trim_ascii().eq_ignore_ascii_case(b"content-type") {
            kind = media_type(&String::from_utf8_lossy(&line[colon + 1..]));
        }
    }
    Part { kind, body }
}

fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

//! What a session recording client sends (RFC 7866, RFC 7865): a body in parts, an offer of streams, and who is who.
//!
//! Read leniently, since no two clients write it alike: prefixes or none, both content types of the metadata, labels of
//! any shape, drafts of before the RFC, no metadata at all. What is doubtful is said to be so, never guessed (ONE-06).

mod answer;
mod metadata;
mod multipart;
mod offer;
mod sides;

pub use answer::{Accepted, answer};
pub use metadata::{METADATA_NODES_MAX, Metadata, Participant};
pub use multipart::{PARTS_MAX, Part, parts};
pub use offer::{Direction, MEDIA_MAX, Media, Offer};
pub use sides::{AgentRules, Doubt, Pattern, Sides, sides};

/// Longest label, id or address of record, bytes.
pub const FIELD_BYTES_MAX: usize = 512;

/// Why a body cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Its parts cannot be told apart, or are too many.
    Parts,
    /// A type of body that says nothing about streams.
    Kind,
    /// The session description cannot be read.
    Offer,
}

/// A body taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The streams, where the body has any.
    pub offer: Option<Offer>,
    /// Who is who, where it can be read.
    pub metadata: Option<Metadata>,
    /// There was a part with metadata that cannot be read.
    pub metadata_unreadable: bool,
}

impl Body {
    /// Reads the body of an INVITE or an UPDATE by its `Content-Type`.
    pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Body, Unusable> {
        let mut read = Body::default();
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(read);
        }
        let content_type = content_type.unwrap_or("application/sdp");
        for part in parts(content_type, body)? {
            match part.kind.as_str() {
                "application/sdp" => {
                    // Two offers in one message: nobody could say which one counts.
                    if read.offer.is_some() {
                        return Err(Unusable::Offer);
                    }
                    read.offer = Some(Offer::parse(part.body)?);
                }
                "application/rs-metadata" | "application/rs-metadata+xml" => match Metadata::parse(part.body) {
                    Some(metadata) if read.metadata.is_none() => read.metadata = Some(metadata),
                    _ => read.metadata_unreadable = true,
                },
                _ => {}
            }
        }
        match (&read.offer, &read.metadata, read.metadata_unreadable) {
            (None, None, false) => Err(Unusable::Kind),
            _ => Ok(read),
        }
    }
}

#[cfg(test)]
mod tests;

//! What is printed of packets and of the line for a bug report: lengths, nobody's voice.

use super::{Content, Piece};

/// Lengths, no sound: what is printed for a bug report must hold nobody's voice.
impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Sound { codec, payload, frames } => {
                write!(f, "Sound({codec:?}, {} bytes, {frames} frames)", payload.len())
            }
            Content::Other => f.write_str("Other"),
        }
    }
}

impl std::fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Piece::Sound { codec, payload, skip, frames } => {
                write!(f, "Sound({codec:?}, {} bytes, {frames} frames after {skip})", payload.len())
            }
            Piece::Missing { frames, why } => write!(f, "Missing({frames} frames, {why:?})"),
        }
    }
}

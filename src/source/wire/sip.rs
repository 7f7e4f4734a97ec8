//! SIP messages (RFC 3261 §7): cut out of a stream, taken apart, answered. Pure, and bounded in every direction.
//!
//! Folding, compact names and Via are read by `ezk-sip-types`. Methods are read here, since that crate takes `BYEBYE` for
//! a BYE. URIs are kept as text: of most of them nothing is needed, and a `tel:` in a From is no reason to refuse a call.

mod frame;
mod message;
mod reply;
mod texts;
mod via;

pub use frame::{Framed, frame};
pub use message::{Message, Request, Start, Unreadable};
pub use reply::{Answer, reason};
pub use texts::{address, param, pieces};
pub use via::Hop;

/// Longest message, bytes: what a UDP datagram can hold.
pub const MESSAGE_BYTES_MAX: usize = 65_535;
/// Longest start line with all headers, bytes.
pub const HEAD_BYTES_MAX: usize = 16_384;
/// Most header lines of a message.
pub const HEADERS_MAX: usize = 128;
/// Longest Call-ID, tag or branch, bytes.
pub const TOKEN_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests;

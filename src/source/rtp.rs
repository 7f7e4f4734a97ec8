//! RTP: a UDP socket for each party of a call, received by a few threads that sweep over all of them.
//!
//! * [`receiver`]: ports, sessions, and the threads. Whatever negotiates (a plain announcement, rtpengine, SIPREC) binds
//!   [`Port`]s, tells their numbers, begins the call, and hands the ports over with what was negotiated ([`Stream`]).
//! * [`announced`]: plain RTP, whose calls are announced.
//! * `party`: one socket → one leg. Source lock, payload types, keys, the jitter buffer, decoding.
//!
//! A port that nobody reads from costs the sender nothing, and no datagram of ours answers any of theirs: a call is never
//! disturbed by being recorded.

pub mod announce;
pub mod announced;
pub mod receiver;

mod party;
mod sweep;

pub use announced::{Announced, AnnouncedConfig};
pub use party::{Ignored, PartyCounts};
pub use receiver::{Port, Receiver, Session, Settings, Stream};

//! Plain sound as it comes from a connection, laid on the legs of its call.

use std::time::Instant;

use zeroize::{Zeroize, Zeroizing};

use super::route::Side;
use crate::ring::Why;
use crate::source::exchange::{CallLine, Leg, Legs, Party};
use crate::source::wire::sample::Encoding;

/// Where sound goes.
#[allow(clippy::large_enum_variant, reason = "one a connection, never moved")]
enum Where {
    /// One party.
    One(Leg, Party),
    /// Both in one stream.
    Both(Leg),
    /// Both came in one stream and are kept apart: the customer's part is decoded only with a grant.
    Apart { agent: Leg, customer: Leg, agent_channel: usize },
}

/// A message that does not hold whole samples of all channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotWhole;

/// Lays the sound of a connection.
pub(super) struct Layer {
    place: Where,
    line: CallLine,
    encoding: Encoding,
    drop_before_decode: bool,
    /// The message in hand; wiped when it is laid.
    samples: Zeroizing<Vec<i16>>,
    other: Zeroizing<Vec<i16>>,
}

impl Layer {
    /// For one party's connection.
    pub(super) fn one(leg: Leg, party: Party, line: CallLine, encoding: Encoding, drop_before_decode: bool) -> Layer {
        Layer::new(Where::One(leg, party), line, encoding, drop_before_decode)
    }

    /// For a connection that brings a whole call.
    pub(super) fn of(legs: Legs, side: Side, line: CallLine, encoding: Encoding, drop_before_decode: bool) -> Layer {
        let place = match legs {
            Legs::Interleaved(leg) => Where::Both(leg),
            Legs::AgentAlone(leg) => Where::One(leg, Party::Agent),
            Legs::Apart { agent, customer } => {
                let agent_channel = if let Side::Stereo { agent_channel } = side { agent_channel } else { 0 };
                Where::Apart { agent, customer, agent_channel }
            }
        };
        Layer::new(place, line, encoding, drop_before_decode)
    }

    fn new(place: Where, line: CallLine, encoding: Encoding, drop_before_decode: bool) -> Layer {
        let (samples, other) = Default::default();
        Layer { place, line, encoding, drop_before_decode, samples, other }
    }

    /// Lays a message.
    pub(super) fn sound(&mut self, bytes: &[u8], now: Instant) -> Result<(), NotWhole> {
        let channels = if matches!(self.place, Where::One(..)) { 1 } else { 2 };
        let width = self.encoding.bytes() * channels;
        if !bytes.len().is_multiple_of(width) {
            return Err(NotWhole);
        }
        let frames = bytes.len() / width;
        let undecoded = self.drop_before_decode && !self.line.customer_wanted();
        match &mut self.place {
            Where::One(leg, Party::Customer) if undecoded => {
                leg.pace(frames as u64, now);
                leg.missing(frames as u64, Why::Undecoded);
            }
            Where::One(leg, _) | Where::Both(leg) => {
                self.samples.resize(frames * channels, 0);
                self.encoding.decode(bytes, &mut self.samples);
                leg.heard(&self.samples, now);
            }
            Where::Apart { agent, customer, agent_channel } => {
                self.samples.resize(frames, 0);
                pick(self.encoding, bytes, *agent_channel, &mut self.samples);
                agent.heard(&self.samples, now);
                if undecoded {
                    customer.pace(frames as u64, now);
                    customer.missing(frames as u64, Why::Undecoded);
                } else {
                    self.other.resize(frames, 0);
                    pick(self.encoding, bytes, 1 - *agent_channel, &mut self.other);
                    customer.heard(&self.other, now);
                    self.other.zeroize();
                }
            }
        }
        self.samples.zeroize();
        Ok(())
    }
}

/// Decodes one channel of two and leaves the other as it is.
fn pick(encoding: Encoding, bytes: &[u8], channel: usize, out: &mut [i16]) {
    let width = encoding.bytes();
    for (frame, out) in bytes.chunks_exact(2 * width).zip(out) {
        encoding.decode(&frame[channel * width..][..width], std::slice::from_mut(out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_channel_of_two_is_decoded_and_the_other_is_not_looked_at() {
        let bytes: Vec<u8> = [1i16, -1, 2, -2, 3, -3].iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut out = [0; 3];
        pick(Encoding::S16, &bytes, 0, &mut out);
        assert_eq!(out, [1, 2, 3]);
        pick(Encoding::S16, &bytes, 1, &mut out);
        assert_eq!(out, [-1, -2, -3]);
        pick(Encoding::Mulaw, &[0xFF, 0x00, 0xFF, 0x80], 1, &mut out);
        assert_eq!(out[..2], [-32_124, 32_124]);
    }
}

//! What is printed of a call for a bug report: no number, and not whose call it is.

use super::Arrival;

/// Without the number and whose call it is.
impl std::fmt::Debug for Arrival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Arrival { call, source, rate_hz, sound, .. } = self;
        write!(f, "Arrival({call}, {source}, {rate_hz} Hz, {sound:?})")
    }
}

#[cfg(test)]
mod tests {
    use super::Arrival;
    use crate::ring::Why;
    use crate::source::exchange::{Arriving, Placing};
    use crate::source::wire::jitter;
    use crate::source::wire::payload::Codec;

    #[test]
    fn what_is_printed_holds_no_number_and_no_sound() {
        let call = Arrival {
            number: Some("+4712345678".into()),
            agent: Some("zoe".into()),
            ..Arrival::new("a".into(), "rtp", 8_000, Arriving::Apart(Placing::Stamped))
        };
        let printed = format!("{call:?}");
        assert!(!printed.contains("4712345678") && !printed.contains("zoe"), "{printed}");
        let sound = jitter::Piece::Sound { codec: Codec::Pcmu, payload: &[211; 160], skip: 0, frames: 160 };
        let printed = format!("{sound:?} {:?}", jitter::Piece::Missing { frames: 1, why: Why::Source });
        assert!(!printed.contains("211"), "{printed}");
    }
}

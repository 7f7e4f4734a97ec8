//! A datagram on an RTP port: header, payload, keys, decoding.

use oneside::source::wire::payload::{Codec, Decoder};
use oneside::source::wire::rtp::{Keys, parse};

/// The bytes are a datagram.
pub fn run(data: &[u8]) {
    let Ok((header, payload)) = parse(data) else { return };
    assert!(payload.len() + 12 <= data.len());
    let mut keys = Keys::default();
    let mut told = 0;
    for now in 0..3 {
        keys.packet(now, header.timestamp, payload, &mut |_| told += 1);
    }
    keys.tick(u64::MAX, &mut |_| told += 1);
    assert!(told <= 1, "a press is told once");
    for (line_hz, codec) in [
        (8_000, Codec::Pcmu),
        (16_000, Codec::Pcma),
        (16_000, Codec::G722),
        (48_000, Codec::G722),
        (48_000, Codec::L16 { rate_hz: 16_000 }),
    ] {
        let (mut decoder, mut out) = (Decoder::new(line_hz), Vec::new());
        decoder.decode(codec, payload, &mut out);
        assert_eq!(Some(out.len() as u32), decoder.frames(codec, payload.len()));
    }
}

//! A stream by script: packets with any numbers at any time. The line is the sum of its pieces, keeps up with the clock,
//! and what waits is bounded.

use oneside::source::wire::jitter::{Content, Jitter, Piece};
use oneside::source::wire::payload::Codec;
use oneside::source::wire::rtp::Header;

use super::bytes::Bytes;

const LINE_HZ: u32 = 8_000;
const DELAY_MS: u32 = 100;
const STEPS_MAX: usize = 2_000;

/// The bytes are a script.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut jitter = Jitter::new(LINE_HZ, DELAY_MS);
    let (mut now_ms, mut sum, mut longest) = (0u64, 0u64, 0u64);
    let (mut sequence, mut timestamp) = (bytes.word(), u32::from(bytes.word()) << 16);
    for _ in 0..STEPS_MAX {
        if bytes.is_empty() {
            break;
        }
        let what = bytes.byte();
        now_ms += u64::from(what & 0x3F);
        match what >> 6 {
            0 => sequence = sequence.wrapping_add(1),
            1 => (sequence, timestamp) = (sequence.wrapping_add(1), timestamp.wrapping_add(160)),
            2 => sequence = sequence.wrapping_add(u16::from(bytes.byte())).wrapping_sub(128),
            _ => timestamp = timestamp.wrapping_add(u32::from(bytes.word()) << bytes.below(16)),
        }
        let mixed = bytes.byte();
        let header =
            Header { marker: mixed & 1 == 1, payload_type: 0, sequence, timestamp, ssrc: u32::from(mixed >> 7) };
        let payload = [0xFF; 320];
        let length = 1 + usize::from(mixed & 0x7E) * 2;
        longest = longest.max(length as u64);
        let sound = Content::Sound { codec: Codec::Pcmu, payload: &payload[..length], frames: length as u32 };
        jitter.packet(now_ms * 1_000_000, &header, 1, if mixed & 0x42 == 0x42 { Content::Other } else { sound });
        jitter.tick(now_ms * 1_000_000, &mut |piece| {
            sum += match piece {
                Piece::Sound { payload, skip, frames, .. } => {
                    assert_eq!(payload.len() as u32, skip + frames);
                    u64::from(frames)
                }
                Piece::Missing { frames, .. } => frames,
            }
        });
        assert_eq!(sum, jitter.laid(), "the line is the sum of its pieces");
        let due = (now_ms * u64::from(LINE_HZ) / 1_000).saturating_sub(u64::from(DELAY_MS * LINE_HZ / 1_000));
        assert!(jitter.laid() >= due, "the line keeps up with the clock");
        assert!(jitter.laid() < due.max(1) + longest, "and runs no packet ahead of it");
        let _ = jitter.place(timestamp);
    }
    let counts = jitter.counts();
    assert!(counts.late + counts.overflow <= counts.packets);
}

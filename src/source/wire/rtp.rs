//! RTP packets (RFC 3550), and the keys that are pressed in them (RFC 4733). Pure.

use rtp_types::RtpPacket;

/// Longest datagram that is read, bytes: an Ethernet frame, and some tunnel's worth.
pub const DATAGRAM_MAX: usize = 2_048;
/// How long after its last packet a key counts as released though none of its END packets came, ns.
const RELEASED_AFTER_NS: u64 = 200_000_000;
/// How often it is told that a key is still down, ns.
const STILL_DOWN_EVERY_NS: u64 = 100_000_000;
/// Presses that are remembered, so that no late repetition of one is a second press.
const REMEMBERED: usize = 4;
/// The longest that one packet of an event can say (RFC 4733 §2.5.1.3): a longer press goes on in a next segment.
const SEGMENT_TICKS: u16 = u16::MAX;

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The marker: for sound, the first packet after silence.
    pub marker: bool,
    /// The payload type.
    pub payload_type: u8,
    /// Counts packets, and wraps.
    pub sequence: u16,
    /// Counts ticks of the payload's clock, and wraps.
    pub timestamp: u32,
    /// Who sends it.
    pub ssrc: u32,
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRtp {
    /// RTCP on the same port (RFC 5761): no fault, and not for us.
    Rtcp,
    /// Anything else.
    Malformed,
}

/// Takes a datagram apart. Contributing sources, header extension and padding are left out of the payload.
pub fn parse(datagram: &[u8]) -> Result<(Header, &[u8]), NotRtp> {
    // RFC 5761 §4: packet types 192 to 223 where RTP has marker and payload type.
    if datagram.first().is_some_and(|first| first >> 6 == 2) && matches!(datagram.get(1), Some(192..=223)) {
        return Err(NotRtp::Rtcp);
    }
    let packet = RtpPacket::parse(datagram).map_err(|_| NotRtp::Malformed)?;
    let header = Header {
        marker: packet.marker_bit(),
        payload_type: packet.payload_type(),
        sequence: packet.sequence_number(),
        timestamp: packet.timestamp(),
        ssrc: packet.ssrc(),
    };
    let from = packet.payload_offset();
    Ok((header, &datagram[from..from + packet.payload_len()]))
}

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub digit: char,
    /// When it was released, or where it is told at once, pressed: a time stamp of the stream.
    pub at: u32,
    /// It was told when it was pressed, and is down until here.
    pub still_down: bool,
}

/// The telephone events of one stream. Each press is told once: by its first END packet, or, if all of those were lost,
/// when another press begins or its packets have stopped. [`Keys::told_when_pressed`]: by its first packet, whichever it is, and then that it is
/// still down.
#[derive(Debug, Default)]
pub struct Keys {
    down: Option<Press>,
    /// Time stamps of the presses that were told, latest last.
    told: [Option<u32>; REMEMBERED],
    /// Where the next segment of a press that is longer than a packet can say would begin.
    goes_on: Option<(u8, u32)>,
    when_pressed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    code: u8,
    timestamp: u32,
    duration: u16,
    heard_ns: u64,
    /// When it was told last that it is down.
    told_ns: u64,
}

impl Keys {
    /// Each press is told when it begins.
    pub fn told_when_pressed() -> Keys {
        Keys { when_pressed: true, ..Keys::default() }
    }

    /// A payload of telephone events came at `now_ns`.
    pub fn packet(&mut self, now_ns: u64, timestamp: u32, payload: &[u8], out: &mut impl FnMut(Key)) {
        let &[code, flags, high, low, ..] = payload else { return };
        if digit(code).is_none() || self.told.contains(&Some(timestamp)) {
            return;
        }
        if self.goes_on == Some((code, timestamp)) {
            self.remember(timestamp); // the same press, told when its first segment was full
            self.goes_on = Some((code, timestamp.wrapping_add(SEGMENT_TICKS.into())));
            return;
        }
        if self.down.is_some_and(|press| press.timestamp != timestamp) {
            self.release(out);
        }
        let duration = u16::from_be_bytes([high, low]);
        let mut told_ns = self.down.map_or(now_ns, |press| press.told_ns);
        if self.when_pressed
            && self.down.is_none()
            && let Some(digit) = digit(code)
        {
            out(Key { digit, at: timestamp, still_down: false });
        }
        if self.when_pressed
            && let (Some(press), Some(digit)) = (self.down, digit(code))
            && (now_ns.saturating_sub(press.told_ns) >= STILL_DOWN_EVERY_NS || flags & 0x80 != 0)
        {
            told_ns = now_ns;
            out(Key { digit, at: timestamp.wrapping_add(duration.into()), still_down: true });
        }
        let longest = self.down.map_or(duration, |press| press.duration.max(duration));
        self.down = Some(Press { code, timestamp, duration: longest, heard_ns: now_ns, told_ns });
        if flags & 0x80 != 0 || duration == SEGMENT_TICKS {
            self.release(out);
        }
    }

    /// Time passes: a press whose END was lost is told.
    pub fn tick(&mut self, now_ns: u64, out: &mut impl FnMut(Key)) {
        if self.down.is_some_and(|press| now_ns.saturating_sub(press.heard_ns) >= RELEASED_AFTER_NS) {
            self.release(out);
        }
    }

    /// Another sender: its time stamps have nothing to do with those before.
    pub fn sender_changed(&mut self, out: &mut impl FnMut(Key)) {
        self.release(out);
        *self = Keys { when_pressed: self.when_pressed, ..Keys::default() };
    }

    fn release(&mut self, out: &mut impl FnMut(Key)) {
        let Some(Press { code, timestamp, duration, .. }) = self.down.take() else { return };
        self.remember(timestamp);
        let released = timestamp.wrapping_add(duration.into());
        if duration == SEGMENT_TICKS {
            self.goes_on = Some((code, released));
        }
        if !self.when_pressed
            && let Some(digit) = digit(code)
        {
            out(Key { digit, at: released, still_down: false });
        }
    }

    fn remember(&mut self, timestamp: u32) {
        self.told.rotate_left(1);
        self.told[REMEMBERED - 1] = Some(timestamp);
    }
}

/// The key of an event code (RFC 4733 §3.2); the others (flash, tones of modems) are none.
fn digit(code: u8) -> Option<char> {
    b"0123456789*#ABCD".get(usize::from(code)).map(|digit| char::from(*digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [u8; 14] = [0x80, 0x80, 0x12, 0x34, 0, 0, 1, 0, 0xAB, 0xCD, 0xEF, 0x01, 7, 8];

    #[test]
    fn a_plain_packet_is_its_header_and_its_payload() {
        let (header, payload) = parse(&PLAIN).unwrap();
        let expected = Header { marker: true, payload_type: 0, sequence: 0x1234, timestamp: 256, ssrc: 0xABCD_EF01 };
        assert_eq!((header, payload), (expected, &[7, 8][..]));
    }

    #[test]
    fn sources_extension_and_padding_are_no_payload() {
        let mut packet = vec![0xB1, 8];
        packet.extend(&PLAIN[2..12]);
        packet.extend([9; 4]); // one contributing source
        packet.extend([0xBE, 0xDE, 0, 1, 1, 2, 3, 4]); // an extension of one word
        packet.extend([42, 43, 0, 0, 3]); // two bytes, and three of padding
        assert_eq!(parse(&packet).unwrap().1, [42, 43]);
        for end in 0..packet.len() - 4 {
            let _ = parse(&packet[..end]);
        }
        *packet.last_mut().unwrap() = 200;
        assert_eq!(parse(&packet), Err(NotRtp::Malformed));
    }

    #[test]
    fn rtcp_and_other_things_are_told_apart() {
        assert_eq!(parse(&[0x80, 200, 0, 1, 0, 0, 0, 0]), Err(NotRtp::Rtcp));
        assert_eq!(parse(&[0x80, 223]), Err(NotRtp::Rtcp));
        assert_eq!(parse(b""), Err(NotRtp::Malformed));
        assert_eq!(parse(&PLAIN[..11]), Err(NotRtp::Malformed));
        let stun = [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(parse(&stun), Err(NotRtp::Malformed));
    }

    /// (ms, time stamp, code, END, duration) → the keys that are told.
    fn keys(packets: &[(u64, u32, u8, bool, u16)], until_ms: u64) -> Vec<(char, u32)> {
        told(Keys::default(), packets, until_ms)
    }

    fn told(mut keys: Keys, packets: &[(u64, u32, u8, bool, u16)], until_ms: u64) -> Vec<(char, u32)> {
        let mut told = Vec::new();
        for (ms, timestamp, code, end, duration) in packets {
            let [high, low] = duration.to_be_bytes();
            let payload = [*code, u8::from(*end) << 7 | 10, high, low];
            keys.packet(ms * 1_000_000, *timestamp, &payload, &mut |key: Key| told.push((key.digit, key.at)));
        }
        keys.tick(until_ms * 1_000_000, &mut |key: Key| told.push((key.digit, key.at)));
        told
    }

    #[test]
    fn a_press_is_told_once_whatever_is_repeated() {
        let press =
            [(0, 100, 1, false, 160), (20, 100, 1, false, 320), (40, 100, 1, true, 480), (41, 100, 1, true, 480)];
        assert_eq!(keys(&press, 0), [('1', 580)]);
        let mut late = press.to_vec();
        late.extend([(60, 2_000, 11, true, 400), (61, 100, 1, true, 480), (62, 2_000, 11, true, 400)]);
        assert_eq!(keys(&late, 9_000), [('1', 580), ('#', 2_400)]);
    }

    #[test]
    fn the_same_key_twice_is_two_presses() {
        assert_eq!(keys(&[(0, 100, 9, true, 160), (300, 2_500, 9, true, 160)], 0), [('9', 260), ('9', 2_660)]);
    }

    #[test]
    fn a_press_whose_end_was_lost_is_told_all_the_same() {
        assert_eq!(keys(&[(0, 100, 2, false, 160)], 199), []);
        assert_eq!(keys(&[(0, 100, 2, false, 160)], 200), [('2', 260)]);
        assert_eq!(keys(&[(0, 100, 2, false, 160), (100, 900, 3, false, 160)], 0), [('2', 260)]);
    }

    #[test]
    fn a_very_long_press_is_one() {
        let long = [(0, 0, 5, false, 0xFFFF), (8_000, 0xFFFF, 5, false, 0xFFFF), (16_000, 0x1_FFFE, 5, true, 900)];
        assert_eq!(keys(&long, 20_000), [('5', 0xFFFF)]);
    }

    #[test]
    fn where_it_is_told_at_once_a_press_is_told_by_its_first_packet_and_not_again() {
        let pressed = |packets: &[_]| told(Keys::told_when_pressed(), packets, 90_000);
        assert_eq!(pressed(&[(0, 100, 1, false, 160)]), [('1', 100)]);
        let long = [(0, 100, 1, false, 160), (900, 100, 1, false, 8_000), (1_000, 100, 1, true, 8_160)];
        assert_eq!(pressed(&long), [('1', 100), ('1', 8_100), ('1', 8_260)]);
        assert_eq!(pressed(&long[1..]), [('1', 100), ('1', 8_260)], "the first packet was lost");
        assert_eq!(pressed(&[long[2], long[0], long[1]]), [('1', 100)], "in any order");
        assert_eq!(pressed(&[long[0], (100, 900, 1, false, 160), long[2]]), [('1', 100), ('1', 900)]);
        let very = [(0, 0, 5, false, 0xFFFF), (8_000, 0xFFFF, 5, false, 0xFFFF), (16_000, 0x1_FFFE, 5, true, 900)];
        assert_eq!(pressed(&very), [('5', 0)]);
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(keys(&[(0, 100, 16, true, 160), (10, 200, 255, true, 160)], 500), []);
        let mut told = 0;
        Keys::default().packet(0, 0, &[1, 0x80, 0], &mut |_| told += 1);
        assert_eq!(told, 0);
    }
}

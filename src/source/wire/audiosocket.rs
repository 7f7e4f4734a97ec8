//! AudioSocket, the protocol of Asterisk's application and channel of that name: a type, a length, a payload.
//!
//! `u8` type, `u16` big-endian length, and so many bytes: 0x00 hang-up, 0x01 the call's UUID, 0x03 a key, 0x10 to 0x18
//! signed linear sound, little-endian, at one of nine rates, 0xff an error. What is of another type is passed over and
//! counted. Nothing here waits or allocates beyond one message.
//!
//! **The trap.** A channel that was told a codec (`c(ulaw)`) sends G.711 under type 0x10, which says 16-bit sound: each
//! byte pair of it, read as a sample, is noise. Nothing in a message says so but its length and its pace: 20 ms of 16-bit
//! sound are 320 bytes, of G.711 they are 160. [`Judge`] tells them apart by the time between messages.

use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

/// Bytes before a payload.
const HEADER: usize = 3;
/// Room of a decoder at first: 20 ms at every rate of a telephone.
const ROOM: usize = 4_096;
/// Room for the longest message there can be.
const ROOM_MAX: usize = HEADER + u16::MAX as usize;
/// The message that hangs up.
pub const HANGUP: [u8; HEADER] = [0, 0, 0];

/// What came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// The other end hangs up.
    Hangup,
    /// Which call it is.
    Id([u8; 16]),
    /// A key was pressed: `0`-`9`, `*`, `#`, `A`-`D`.
    Digit(char),
    /// Sound: signed linear, 16 bits, little-endian; or what else comes under that type.
    Sound {
        /// The rate of its type, Hz.
        rate_hz: u32,
        /// Its bytes.
        payload: &'a [u8],
    },
    /// The other end has failed, with its code if it gave one.
    Error(Option<u8>),
    /// Something of a type that there is, but not as it has to be. A key that cannot be read is among it: it may have
    /// been a no.
    Malformed(u8),
    /// Of a type that there is not.
    Unknown(u8),
}

/// Without the sound.
impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Message::Hangup => f.write_str("Hangup"),
            Message::Id(_) => f.write_str("Id"),
            Message::Digit(_) => f.write_str("Digit"),
            Message::Sound { rate_hz, payload } => write!(f, "Sound({rate_hz} Hz, {} bytes)", payload.len()),
            Message::Error(code) => write!(f, "Error({code:?})"),
            Message::Malformed(kind) => write!(f, "Malformed({kind:#04x})"),
            Message::Unknown(kind) => write!(f, "Unknown({kind:#04x})"),
        }
    }
}

/// Whether a message that is malformed was to be a key.
pub const DIGIT: u8 = 0x03;

/// Takes a stream apart into messages. Its buffer is wiped behind what was read, and when it is dropped.
pub struct Decoder {
    buffer: Zeroizing<Vec<u8>>,
    /// What is read of it, and what is filled.
    read: usize,
    filled: usize,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { buffer: Zeroizing::new(vec![0; ROOM]), read: 0, filled: 0 }
    }
}

impl Decoder {
    /// Room for what comes next, at least a byte. Tell [`Decoder::filled`] how much of it was filled.
    pub fn room(&mut self) -> &mut [u8] {
        let waiting = self.filled - self.read;
        if self.read > 0 {
            self.buffer.copy_within(self.read..self.filled, 0);
            self.buffer[waiting..self.filled].zeroize();
            (self.read, self.filled) = (0, waiting);
        }
        let needed = self.message_bytes().unwrap_or(HEADER).max(waiting + 1);
        if needed > self.buffer.len() {
            // A vector that grew by itself would leave a copy of the sound behind.
            let mut larger = Zeroizing::new(vec![0; needed.next_power_of_two().min(ROOM_MAX)]);
            larger[..waiting].copy_from_slice(&self.buffer[..waiting]);
            self.buffer = larger;
        }
        &mut self.buffer[self.filled..]
    }

    /// So many bytes of the room were filled.
    pub fn filled(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.buffer.len());
    }

    /// The next whole message, if there is one.
    pub fn take(&mut self) -> Option<Message<'_>> {
        let bytes = self.message_bytes().filter(|bytes| self.filled - self.read >= *bytes)?;
        let from = self.read;
        self.read += bytes;
        Some(parse(self.buffer[from], &self.buffer[from + HEADER..from + bytes]))
    }

    /// The rate of the next whole message, if that is sound.
    pub fn sound_next(&self) -> Option<u32> {
        let bytes = self.message_bytes().filter(|bytes| self.filled - self.read >= *bytes)?;
        let kind = self.buffer[self.read];
        (bytes > HEADER).then(|| RATES_HZ.get(usize::from(kind.checked_sub(0x10)?)).copied()).flatten()
    }

    /// Bytes that are there and make no whole message.
    pub fn rest(&self) -> usize {
        self.filled - self.read
    }

    /// The length of the message in front, as soon as its header is there.
    fn message_bytes(&self) -> Option<usize> {
        let [_, high, low] = self.buffer[self.read..self.filled].first_chunk::<HEADER>()?;
        Some(HEADER + usize::from(u16::from_be_bytes([*high, *low])))
    }
}

fn parse(kind: u8, payload: &[u8]) -> Message<'_> {
    match (kind, payload) {
        (0x00, _) => Message::Hangup,
        (0x01, id) => id.try_into().map_or(Message::Malformed(kind), Message::Id),
        (DIGIT, [digit]) => match char::from(*digit).to_ascii_uppercase() {
            digit @ ('0'..='9' | '*' | '#' | 'A'..='D') => Message::Digit(digit),
            _ => Message::Malformed(kind),
        },
        (DIGIT, _) => Message::Malformed(kind),
        (0x10..=0x18, payload) => Message::Sound { rate_hz: RATES_HZ[usize::from(kind - 0x10)], payload },
        (0xff, payload) => Message::Error(payload.first().copied()),
        _ => Message::Unknown(kind),
    }
}

/// The rates of the types of sound, from 0x10 on.
const RATES_HZ: [u32; 9] = [8_000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];

/// Messages that are looked at before a stream's coding is known: 200 ms.
const JUDGED: usize = 10;
/// The gap between messages of 20 ms, at least; those of 10 ms come sooner.
const GAP_MIN: Duration = Duration::from_millis(15);
/// Bytes of 20 ms of G.711.
const G711_BYTES: usize = 160;
const G711_LASTS: Duration = Duration::from_millis(20);
/// A stream that is so far ahead of the clock, if it were G.711, is none: a stall brings no more than was spoken.
const AHEAD_MAX: Duration = Duration::from_millis(600);
/// After so long the mean tells, however the messages come: nothing of a stream is stored before its first two seconds have
/// passed.
const OPENING: Duration = Duration::from_millis(1_800);

/// Finds out whether what comes under type 0x10 is G.711: messages of 160 bytes, each 20 ms after the one before. It looks again
/// and again: where either end is held up, some come at once, and the same bytes could be 10 ms of 16-bit sound for a while.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    last: Option<Duration>,
    gaps: usize,
    long_gaps: usize,
    elapsed: Duration,
    other_lengths: usize,
    word: Option<Coding>,
    opening: Opening,
}

/// The beginning of a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Opening {
    began: Option<Duration>,
    came: u32,
    over: bool,
}

impl Opening {
    /// A message of 160 bytes came. Whether those of the beginning, which is over now, are G.711 by their mean.
    fn is_g711(&mut self, at: Duration) -> bool {
        let passed = at.saturating_sub(*self.began.get_or_insert(at));
        self.came += u32::from(!self.over);
        let over = !self.over && passed >= OPENING;
        self.over |= over;
        over && G711_LASTS * self.came <= passed + AHEAD_MAX
    }
}

/// What comes under type 0x10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// 16-bit sound, as the type says.
    Linear,
    /// G.711.
    G711,
}

impl Judge {
    /// A message of sound came, so long, at this time. The word on the stream, whenever it is another one. Of messages of 160
    /// bytes that come too soon for G.711 there is none: their pace tells.
    pub fn hear(&mut self, bytes: usize, at: Duration) -> Option<Coding> {
        self.other_lengths += usize::from(bytes != G711_BYTES);
        if bytes == G711_BYTES && self.opening.is_g711(at) && self.word.is_none() {
            self.word = Some(Coding::G711);
            return self.word;
        }
        let gap = at.saturating_sub(self.last.replace(at)?);
        self.gaps += 1;
        self.long_gaps += usize::from(gap >= GAP_MIN);
        self.elapsed += gap;
        if self.gaps < JUDGED {
            return None;
        }
        let slow = self.long_gaps * 10 >= JUDGED * 7 && self.elapsed >= GAP_MIN * JUDGED as u32;
        let word = match self.other_lengths {
            0 => slow.then_some(Coding::G711),
            _ => Some(Coding::Linear),
        };
        let new = word.filter(|word| self.word != Some(*word));
        *self = Judge { last: self.last, word: word.or(self.word), opening: self.opening, ..Judge::default() };
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything in a stream that comes in pieces of so many bytes.
    fn all(bytes: &[u8], piece: usize) -> (Vec<String>, usize) {
        let (mut decoder, mut found, mut rest) = (Decoder::default(), Vec::new(), bytes);
        while !rest.is_empty() {
            let room = decoder.room();
            let count = piece.min(room.len()).min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            decoder.filled(count);
            rest = &rest[count..];
            while let Some(message) = decoder.take() {
                found.push(format!("{message:?}"));
            }
        }
        (found, decoder.rest())
    }

    fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind], &length[..], payload].concat()
    }

    #[test]
    fn what_asterisk_sends_is_read_whatever_the_pieces() {
        let stream = [
            message(0x01, &[7; 16]),
            message(0x03, b"1"),
            message(0x10, &[1; 320]),
            message(0x12, &[1; 640]),
            message(0x18, &[1; 7_680]),
            message(0x03, b"x"),
            message(0x01, b"short"),
            message(0x20, b"what"),
            message(0xff, &[4]),
            message(0x10, &[0; 65_535]),
            message(0x00, b""),
        ]
        .concat();
        let expected = [
            "Id",
            "Digit",
            "Sound(8000 Hz, 320 bytes)",
            "Sound(16000 Hz, 640 bytes)",
            "Sound(192000 Hz, 7680 bytes)",
            "Malformed(0x03)",
            "Malformed(0x01)",
            "Unknown(0x20)",
            "Error(Some(4))",
            "Sound(8000 Hz, 65535 bytes)",
            "Hangup",
        ];
        for piece in [1, 2, 3, 7, 323, 4_096, 100_000] {
            assert_eq!(all(&stream, piece), (expected.map(str::to_owned).to_vec(), 0), "pieces of {piece}");
        }
    }

    #[test]
    fn the_bytes_that_were_captured_are_read() {
        let captured = [
            0x01, 0x00, 0x10, 0x40, 0x32, 0x5e, 0xc2, 0x5e, 0xfd, 0x4b, 0xd3, 0x80, 0x5f, 0x53, 0x57, 0x6e, 0x58, 0x1d,
            0x13,
        ];
        let mut decoder = Decoder::default();
        decoder.room()[..captured.len()].copy_from_slice(&captured);
        decoder.filled(captured.len());
        let Some(Message::Id(id)) = decoder.take() else { panic!() };
        assert_eq!(id[..4], [0x40, 0x32, 0x5e, 0xc2]);
        let (found, rest) = all(&[0x03, 0x00, 0x01, 0x31, 0x10, 0x01], 10);
        assert_eq!((found, rest), (vec!["Digit".to_owned()], 2), "half a message waits");
    }

    #[test]
    fn random_bytes_break_nothing_and_memory_is_bounded() {
        let mut state = 1u64;
        let mut bytes = vec![0; 300_000];
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        let mut decoder = Decoder::default();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let room = decoder.room();
            assert!(!room.is_empty());
            let count = room.len().min(rest.len()).min(1_000);
            room[..count].copy_from_slice(&rest[..count]);
            decoder.filled(count);
            rest = &rest[count..];
            while decoder.take().is_some() {}
            assert!(decoder.buffer.len() <= ROOM_MAX);
        }
    }

    #[test]
    fn g711_under_the_type_of_linear_sound_is_found_out() {
        let word = |bytes: usize, gaps_ms: &dyn Fn(u64) -> u64| {
            let (mut judge, mut at) = (Judge::default(), 0);
            (0..300).find_map(|number| {
                at += gaps_ms(number);
                judge.hear(bytes, Duration::from_millis(at))
            })
        };
        assert_eq!(word(160, &|_| 20), Some(Coding::G711));
        assert_eq!(word(160, &|number| if number % 2 == 0 { 16 } else { 24 }), Some(Coding::G711), "jitter");
        assert_eq!(word(160, &|number| if number < 15 { 0 } else { 20 }), Some(Coding::G711), "held up at first");
        assert_eq!(word(160, &|_| 10), None, "10 ms of 16-bit sound");
        assert_eq!(word(160, &|number| if number % 2 == 0 { 0 } else { 20 }), None, "in pairs");
        assert_eq!(word(160, &|number| if number % 3 == 0 { 0 } else { 15 }), None, "by a coarse clock");
        assert_eq!(word(160, &|number| if number % 2 == 0 { 0 } else { 40 }), Some(Coding::G711), "two at a time");
        assert_eq!(word(320, &|_| 20), Some(Coding::Linear));
        // A channel that is given a codec in mid-call.
        let mut judge = Judge::default();
        let words: Vec<Coding> =
            (0..60).filter_map(|n| judge.hear(if n < 30 { 320 } else { 160 }, Duration::from_millis(n * 20))).collect();
        assert_eq!(words, [Coding::Linear, Coding::G711]);
    }
}

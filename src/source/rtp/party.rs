//! One party's socket, and what becomes of its datagrams.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use zeroize::Zeroize;

use super::receiver::{Port, Stream};
use super::sweep::BURST_MAX;
use crate::ring::Why;
use crate::source::exchange::{CallLine, Leg, Party};
use crate::source::wire::jitter::{Content, Counts, Jitter, Piece, Taken};
use crate::source::wire::payload::{Codec, Decoder, Kind};
use crate::source::wire::rtp::{DATAGRAM_MAX, Header, Key, Keys, NotRtp, parse};

/// Packets of one address after which no other one counts.
const LOCK_AFTER: u32 = 3;
/// How long nothing must have come from the address that counts, before another port of its host may take its place.
const LOCK_FOR: Duration = Duration::from_secs(5);

/// What was counted of a party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartyCounts {
    /// Of the packets that count.
    pub stream: Counts,
    /// Of the others.
    pub ignored: Ignored,
    /// Keys that were pressed.
    pub keys: u64,
}

/// Datagrams that do not count, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Of an address that is not the party's.
    pub foreign: u64,
    /// No RTP.
    pub malformed: u64,
    /// RTCP on the same port.
    pub rtcp: u64,
    /// A payload type that was not negotiated, or that does not fit the line.
    pub payload: u64,
}

/// One party.
pub(super) struct Receiving {
    party: Party,
    leg: Leg,
    line: CallLine,
    socket: Option<UdpSocket>,
    allow: Arc<[IpNet]>,
    stream: Stream,
    lock: Lock,
    jitter: Jitter,
    decoder: Decoder,
    keys: Keys,
    drop_before_decode: bool,
    ignored: Ignored,
    pressed: u64,
    /// Decoded, on its way into the leg.
    sound: Vec<i16>,
}

/// Whose packets count.
#[derive(Clone, Copy, Debug, Default)]
struct Lock {
    /// From whom, how many of them in a row, and when the last of them came.
    from: Option<(SocketAddr, u32, Instant)>,
}

impl Receiving {
    pub(super) fn new(
        party: Party,
        leg: Leg,
        line: CallLine,
        rate_hz: u32,
        delay_ms: u32,
        allow: Arc<[IpNet]>,
    ) -> Receiving {
        Receiving {
            party,
            leg,
            line,
            socket: None,
            allow,
            stream: Stream::default(),
            lock: Lock::default(),
            jitter: Jitter::new(rate_hz, delay_ms),
            decoder: Decoder::new(rate_hz),
            keys: Keys::default(),
            drop_before_decode: false,
            ignored: Ignored::default(),
            pressed: 0,
            sound: Vec::new(),
        }
    }

    pub(super) fn dropped_before_decode(mut self) -> Receiving {
        self.drop_before_decode = true;
        self
    }

    pub(super) fn open(&mut self, port: Port, stream: Stream) {
        self.socket = Some(port.socket);
        self.change(stream);
    }

    pub(super) fn change(&mut self, stream: Stream) {
        if stream.peer != self.stream.peer {
            self.lock = Lock::default();
        }
        self.stream = stream;
    }

    pub(super) fn shut(&mut self) {
        self.socket = None;
        self.jitter.clear();
        self.lock = Lock::default();
    }

    pub(super) fn counts(&self) -> PartyCounts {
        PartyCounts { stream: self.jitter.counts(), ignored: self.ignored, keys: self.pressed }
    }

    /// Reads what lies in the socket. Whether something came that counts.
    pub(super) fn read(&mut self, began: Instant) -> bool {
        let mut datagram = [0u8; DATAGRAM_MAX];
        let mut heard = false;
        for _ in 0..BURST_MAX {
            let Some(socket) = &self.socket else { return heard };
            match socket.recv_from(&mut datagram) {
                Ok((length, from)) => {
                    heard |= self.datagram(&datagram[..length], from, began);
                    datagram[..length].zeroize();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // An ICMP error of a datagram that we did not send, or an interruption: the next sweep reads on.
                Err(_) => break,
            }
        }
        heard
    }

    /// One datagram. Whether it counts.
    fn datagram(&mut self, datagram: &[u8], from: SocketAddr, began: Instant) -> bool {
        let now = Instant::now();
        let (header, payload) = match parse(datagram) {
            Ok(packet) => packet,
            Err(NotRtp::Rtcp) => {
                self.ignored.rtcp += 1;
                return false;
            }
            Err(NotRtp::Malformed) => {
                self.ignored.malformed += 1;
                return false;
            }
        };
        let Some(kind) = self.stream.payloads.kind(header.payload_type) else {
            self.ignored.payload += 1;
            return false;
        };
        let allowed = self.allow.is_empty() || self.allow.iter().any(|net| net.contains(&from.ip().to_canonical()));
        if !allowed || !self.lock.admits(self.stream.peer, from, now) {
            self.ignored.foreign += 1;
            return false;
        }
        let now_ns = u64::try_from(now.saturating_duration_since(began).as_nanos()).unwrap_or(u64::MAX);
        match kind {
            Kind::Sound(codec) => self.came(now, now_ns, &header, codec, payload),
            Kind::Keys { clock_hz } => self.key(now_ns, &header, clock_hz, payload),
            Kind::ComfortNoise => {
                let unit = self.decoder.unit(8_000).unwrap_or(1);
                self.jitter.packet(now_ns, &header, unit, Content::Other);
            }
        }
        true
    }

    fn came(&mut self, now: Instant, now_ns: u64, header: &Header, codec: Codec, payload: &[u8]) {
        let fitting = self.decoder.frames(codec, payload.len()).zip(self.decoder.unit(codec.clock_hz()));
        let Some((frames, unit)) = fitting.filter(|(frames, _)| *frames > 0) else {
            self.ignored.payload += 1;
            return;
        };
        match self.jitter.packet(now_ns, header, unit, Content::Sound { codec, payload, frames }) {
            Taken::NewSender => {
                self.sender_changed();
                self.leg.pace(frames.into(), now);
            }
            Taken::New => self.leg.pace(frames.into(), now),
            Taken::Duplicate | Taken::Late | Taken::Straggler | Taken::Overflow => {}
        }
    }

    fn key(&mut self, now_ns: u64, header: &Header, clock_hz: u32, payload: &[u8]) {
        let Some(unit) = self.decoder.unit(clock_hz) else {
            self.ignored.payload += 1;
            return;
        };
        let taken = self.jitter.packet(now_ns, header, unit, Content::Other);
        if taken == Taken::NewSender {
            self.sender_changed();
        }
        if taken != Taken::Straggler {
            let Receiving { keys, jitter, line, party, pressed, .. } = self;
            keys.packet(now_ns, header.timestamp, payload, &mut |key| tell(line, *party, jitter, pressed, key));
        }
    }

    fn sender_changed(&mut self) {
        let Receiving { keys, jitter, line, party, pressed, decoder, .. } = self;
        keys.sender_changed(&mut |key| tell(line, *party, jitter, pressed, key));
        decoder.reset();
    }

    /// Lays what is due `now_ns` after the call began.
    pub(super) fn lay(&mut self, now_ns: u64) {
        let Receiving { keys, jitter, line, party, pressed, leg, decoder, sound, .. } = self;
        keys.tick(now_ns, &mut |key| tell(line, *party, jitter, pressed, key));
        let undecoded = self.drop_before_decode && !line.customer_wanted();
        jitter.tick(now_ns, &mut |piece| match piece {
            Piece::Missing { frames, why } => leg.missing(frames, why),
            Piece::Sound { frames, .. } if undecoded => leg.missing(frames.into(), Why::Undecoded),
            Piece::Sound { codec, payload, skip, .. } => {
                sound.clear();
                decoder.decode(codec, payload, sound);
                leg.sound(&sound[(skip as usize).min(sound.len())..]);
                sound.as_mut_slice().zeroize();
            }
        });
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.sound.zeroize();
    }
}

fn tell(line: &CallLine, party: Party, jitter: &Jitter, pressed: &mut u64, key: Key) {
    *pressed += 1;
    line.digit(party, key.digit, jitter.place(key.released));
}

impl Lock {
    /// Whether a packet of this address counts.
    fn admits(&mut self, peer: Option<SocketAddr>, from: SocketAddr, now: Instant) -> bool {
        let expected =
            peer.is_none_or(|peer| peer.ip() == from.ip() && (peer.port() == 0 || peer.port() == from.port()));
        if !expected {
            return false;
        }
        match &mut self.from {
            Some((locked, packets, last)) if *locked == from => {
                *packets = packets.saturating_add(1);
                *last = now;
                true
            }
            Some((locked, packets, last)) if *packets >= LOCK_AFTER => {
                let moved = locked.ip() == from.ip() && now.saturating_duration_since(*last) >= LOCK_FOR;
                if moved {
                    self.from = Some((from, 1, now));
                }
                moved
            }
            _ => {
                self.from = Some((from, 1, now));
                true
            }
        }
    }
}

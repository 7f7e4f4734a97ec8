//! One party's socket, and what becomes of its datagrams.

use std::io::ErrorKind;
use std::net::SocketAddr;
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
use crate::split::Finding;

/// Packets of one address after which only another port of its host may take its place.
const LOCK_AFTER: u32 = 3;
/// How long nothing must have come from the address that counts, before another one may take its place.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// How long after the first packet it is watched whether two send.
const OPENING: Duration = Duration::from_secs(2);
/// Addresses that are told apart in that time.
const HEARD_MAX: usize = 8;

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

/// Figures of a party.
pub(super) const FIGURES: usize = 14;

impl PartyCounts {
    /// Each by its name.
    pub(super) fn figures(&self) -> [(&'static str, u64); FIGURES] {
        let PartyCounts { stream, ignored, keys } = *self;
        [
            ("packets", stream.packets),
            ("lost", stream.lost),
            ("duplicates", stream.duplicates),
            ("late", stream.late),
            ("overflow", stream.overflow),
            ("stragglers", stream.stragglers),
            ("senders", stream.senders),
            ("jumps", stream.jumps),
            ("steps", stream.steps),
            ("foreign", ignored.foreign),
            ("malformed", ignored.malformed),
            ("rtcp", ignored.rtcp),
            ("payload", ignored.payload),
            ("keys", keys),
        ]
    }
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
    port: Option<Port>,
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

/// Whose packets count: the first one's, until it falls silent.
#[derive(Clone, Debug, Default)]
struct Lock {
    /// From whom, how many of them, and when the last of them came.
    from: Option<(SocketAddr, u32, Instant)>,
    /// When the first packet came.
    opened: Option<Instant>,
    /// Who sent since then, and how much.
    heard: Vec<(SocketAddr, u32)>,
    /// It was told that two do.
    told: bool,
}

/// Whether a packet counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admitted {
    Yes,
    No,
    /// It does not, and whose sound this is cannot be told any more.
    Doubtful,
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
            port: None,
            allow,
            stream: Stream::default(),
            lock: Lock::default(),
            jitter: Jitter::new(rate_hz, delay_ms),
            decoder: Decoder::new(rate_hz),
            // An echo of the agent's key may be heard while it is still down: it must be known by then (CON-18).
            keys: if party == Party::Agent { Keys::told_when_pressed() } else { Keys::default() },
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
        self.port = Some(port);
        self.change(stream);
    }

    pub(super) fn change(&mut self, stream: Stream) {
        if (stream.peer, stream.prefers) != (self.stream.peer, self.stream.prefers) {
            self.lock = Lock::default();
        }
        self.stream = stream;
    }

    pub(super) fn shut(&mut self) {
        self.port = None;
        self.jitter.clear();
        self.lock = Lock::default();
    }

    pub(super) fn counts(&self) -> PartyCounts {
        PartyCounts { stream: self.jitter.counts(), ignored: self.ignored, keys: self.pressed }
    }

    /// It was not looked at for so long.
    pub(super) fn excuse(&mut self, stalled: Duration) {
        self.leg.excuse(stalled);
    }

    /// Reads what lies in the socket. Whether something came that counts.
    pub(super) fn read(&mut self, began: Instant, datagram: &mut [u8; DATAGRAM_MAX]) -> bool {
        let mut heard = false;
        for _ in 0..BURST_MAX {
            let Some(port) = &self.port else { return heard };
            match port.socket.recv_from(datagram) {
                Ok((length, from)) => {
                    heard |= self.datagram(&datagram[..length], from, began);
                    datagram[..length].fill(0);
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
        let admitted = if allowed { self.lock.admits(&self.stream, from, now) } else { Admitted::No };
        if admitted == Admitted::Doubtful {
            let what = match self.party {
                Party::Agent => "two addresses send to the agent's port",
                Party::Customer => "two addresses send to the customer's port",
            };
            self.line.contradict(Finding::SideUnknown { what: what.into() });
        }
        if admitted != Admitted::Yes {
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
            let Receiving { keys, jitter, line, party, pressed, leg, .. } = self;
            keys.packet(now_ns, header.timestamp, payload, &mut |key| {
                tell(line, *party, jitter.place(key.at), leg.end(), pressed, key);
            });
        }
    }

    fn sender_changed(&mut self) {
        let Receiving { keys, line, party, pressed, decoder, leg, .. } = self;
        // The time stamp is the old sender's, and means nothing on the new one's line: it counts from now on.
        keys.sender_changed(&mut |key| tell(line, *party, None, leg.end(), pressed, key));
        decoder.reset();
    }

    /// Lays all that waits `now_ns` after the call began: its stream is at its end.
    pub(super) fn lay_all(&mut self, now_ns: u64) {
        let until_ns = now_ns + self.jitter.delay_ns();
        self.jitter.hurry(until_ns);
        self.lay(until_ns);
    }

    /// Lays what is due `now_ns` after the call began.
    pub(super) fn lay(&mut self, now_ns: u64) {
        let Receiving { keys, jitter, line, party, pressed, leg, decoder, sound, .. } = self;
        keys.tick(now_ns, &mut |key| tell(line, *party, jitter.place(key.at), leg.end(), pressed, key));
        let undecoded = self.drop_before_decode && !line.customer_wanted();
        jitter.tick(now_ns, &mut |piece| match piece {
            Piece::Missing { frames, why } => leg.missing(frames, why),
            Piece::Sound { frames, .. } if undecoded => leg.missing(frames.into(), Why::Undecoded),
            Piece::Sound { codec, payload, skip, .. } => {
                sound.clear();
                decoder.decode(codec, payload, sound);
                leg.sound(&sound[(skip as usize).min(sound.len())..]);
                sound.fill(0);
            }
        });
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.sound.zeroize();
    }
}

/// Tells of a key, whose place by its time stamp is `place`. A sender's time stamp is believed as far as it does not put
/// the key before what is `laid`: what has been judged is not answered any more.
fn tell(line: &CallLine, party: Party, place: Option<u64>, laid: u64, pressed: &mut u64, key: Key) {
    let place = place.map(|place| place.max(laid));
    if key.still_down {
        return line.still_down(party, key.digit, place);
    }
    *pressed += 1;
    line.digit(party, key.digit, place);
}

impl Lock {
    /// Whether a packet of this address counts. Where nothing was said of the sender's address (`stream.peer`), two that
    /// send at the beginning are a doubt whose sound this is.
    fn admits(&mut self, stream: &Stream, from: SocketAddr, now: Instant) -> Admitted {
        let expected =
            stream.peer.is_none_or(|peer| peer.ip() == from.ip() && (peer.port() == 0 || peer.port() == from.port()));
        if !expected {
            return Admitted::No;
        }
        let opened = *self.opened.get_or_insert(now);
        let preferred = |address: SocketAddr| stream.prefers == Some(address.port());
        let takes_over = match self.from {
            None => true,
            Some((locked, ..)) if locked == from => false,
            Some((locked, ..)) if preferred(from) && !preferred(locked) => true,
            Some((locked, packets, last)) => {
                let silent = now.saturating_duration_since(last) > SILENT_FOR;
                silent && (packets < LOCK_AFTER || locked.ip() == from.ip())
            }
        };
        if takes_over {
            self.from = Some((from, 0, now));
        }
        let counts = match &mut self.from {
            Some((locked, packets, last)) if *locked == from => {
                *packets = packets.saturating_add(1);
                *last = now;
                true
            }
            _ => false,
        };
        if stream.peer.is_none() && now.saturating_duration_since(opened) < OPENING && self.is_doubtful(from) {
            return Admitted::Doubtful;
        }
        if counts { Admitted::Yes } else { Admitted::No }
    }

    /// One more packet of this address. Whether two have sent for long enough; told once.
    fn is_doubtful(&mut self, from: SocketAddr) -> bool {
        if let Some((_, packets)) = self.heard.iter_mut().find(|(address, _)| *address == from) {
            *packets = packets.saturating_add(1);
        } else if self.heard.len() < HEARD_MAX {
            self.heard.push((from, 1));
        }
        let doubtful = self.heard.iter().filter(|(_, packets)| *packets >= LOCK_AFTER).count() > 1;
        doubtful && !std::mem::replace(&mut self.told, true)
    }
}

#[cfg(test)]
#[path = "party_tests.rs"]
mod tests;

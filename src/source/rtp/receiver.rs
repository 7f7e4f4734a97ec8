//! Ports out of a range, and the sessions that receive on them.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use ipnet::IpNet;

use super::party::PartyCounts;
use super::sweep::{self, Command, Shared, Task, Totals};
use crate::source::exchange::{Arrival, Begun, CallLine, Declined, Exchange, Party};
use crate::source::wire::payload::{Payloads, line_hz};

/// How late sound may be placed because the first packets of a stream were slow, and how late a sweep may look, ms:
/// added to the delay it is what a call declares as its worst buffering.
const PLACED_LATE_MS: u32 = 120;
/// How long a port that was given back is not bound again.
pub const REST: Duration = Duration::from_secs(60);

/// How RTP is received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the ports are bound.
    pub address: IpAddr,
    /// The address that senders are told, if it is another one.
    pub advertise: Option<IpAddr>,
    /// The first and the last port; even ones are used (RFC 3550 §11). Two zeros: any that is free.
    pub ports: [u16; 2],
    /// Who may send; everybody if empty.
    pub allow: Vec<IpNet>,
    /// How far behind the clock sound is laid, ms: jitter up to this loses nothing.
    pub delay_ms: u32,
    /// Threads that sweep over the sockets.
    pub sweepers: usize,
}

impl Settings {
    /// The ports, for people.
    pub fn ports_shown(&self) -> String {
        let [first, last] = self.ports;
        if last == 0 { "any".into() } else { format!("{first} to {last}") }
    }
}

/// Receives RTP. Its threads end when it and all its sessions are dropped.
pub struct Receiver {
    settings: Settings,
    allow: Arc<[IpNet]>,
    sweepers: Vec<Sender<Command>>,
    next_port: AtomicUsize,
    freed: Arc<Freed>,
    totals: Arc<Totals>,
    next_session: AtomicU64,
}

/// A bound port that nobody reads from yet.
#[derive(Debug)]
pub struct Port {
    pub(super) socket: UdpSocket,
    address: SocketAddr,
    freed: Arc<Freed>,
}

/// When ports were given back.
#[derive(Debug, Default)]
struct Freed(Mutex<HashMap<u16, Instant>>);

impl Freed {
    fn note(&self, port: u16, now: Instant) {
        let mut freed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        freed.retain(|_, since| now.saturating_duration_since(*since) < REST);
        freed.insert(port, now);
    }

    fn rests(&self, port: u16, now: Instant) -> bool {
        let freed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        freed.get(&port).is_some_and(|since| now.saturating_duration_since(*since) < REST)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.freed.note(self.address.port(), Instant::now());
    }
}

impl Port {
    /// Where it is reached: what senders are told.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.address.port()
    }
}

/// What was negotiated for one party.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// What its payload types stand for.
    pub payloads: Payloads,
    /// Who is to send it. With port 0, any port of that address; absent, whoever sends first. The first packet settles it:
    /// afterwards only its address counts, until it falls silent.
    pub peer: Option<SocketAddr>,
    /// The port that is likely to be the sender's: its packets count before those of others, which count where it does not
    /// send.
    pub prefers: Option<u16>,
}

impl Receiver {
    /// Starts the threads.
    pub fn start(settings: Settings) -> io::Result<Receiver> {
        let sweepers = (0..settings.sweepers.max(1)).map(sweep::start).collect::<io::Result<_>>()?;
        let (next_port, next_session) = (AtomicUsize::new(0), AtomicU64::new(0));
        let allow = settings.allow.clone().into();
        Ok(Receiver {
            settings,
            allow,
            sweepers,
            next_port,
            freed: Arc::default(),
            totals: Arc::default(),
            next_session,
        })
    }

    /// How it receives.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What was counted of all its calls since it was started: packets that came, that were lost, that came late, that did
    /// not count and why. As of at most 200 ms ago.
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        self.totals.figures()
    }

    /// The longest that sound may have waited when it is laid, ms (CON-06).
    pub fn worst_ms(&self) -> u32 {
        2 * self.settings.delay_ms + PLACED_LATE_MS
    }

    /// Binds the next free port. One that was just given back rests for [`REST`]: what is still on its way to it must not
    /// fall into another call.
    pub fn bind(&self) -> Result<Port, Declined> {
        let [first, last] = self.settings.ports;
        if (first, last) == (0, 0) {
            return self.bind_to(0).map_err(|error| Declined::new("ports", format!("no port can be bound: {error}")));
        }
        let even = first.next_multiple_of(2);
        let count = usize::from(last.saturating_sub(even) / 2 + 1);
        for _ in 0..count {
            let at = self.next_port.fetch_add(1, Ordering::Relaxed) % count;
            let number = even + at as u16 * 2;
            if self.freed.rests(number, Instant::now()) {
                continue;
            }
            match self.bind_to(number) {
                Ok(port) => return Ok(port),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => return Err(Declined::new("ports", format!("no port can be bound: {error}"))),
            }
        }
        Err(Declined::new("ports", format!("all ports from {first} to {last} are in use or were a minute ago")))
    }

    fn bind_to(&self, port: u16) -> io::Result<Port> {
        let socket = UdpSocket::bind((self.settings.address, port))?;
        socket.set_nonblocking(true)?;
        let mut address = socket.local_addr()?;
        address.set_ip(self.settings.advertise.unwrap_or(address.ip()));
        Ok(Port { socket, address, freed: Arc::clone(&self.freed) })
    }

    /// The rate of the line for these streams, Hz; declined (`codec`) if there is no sound that can be read in them.
    pub fn line_hz(streams: &[&Payloads]) -> Result<u32, Declined> {
        line_hz(streams.iter().copied()).ok_or_else(|| Declined::new("codec", "no codec that can be read was offered"))
    }

    /// Begins a call and receives it. Rate, worst buffering and encoding of the arrival are filled in here; `arrival.sound`
    /// says which legs it has (stamped). A party without a port is missing until [`Session::open`]. Blocks as
    /// [`Exchange::begin`] does.
    pub fn begin(
        &self,
        exchange: &dyn Exchange,
        mut arrival: Arrival,
        agent: Option<(Port, Stream)>,
        customer: Option<(Port, Stream)>,
    ) -> Result<Session, Declined> {
        let streams: Vec<&Payloads> = agent.iter().chain(&customer).map(|(_, stream)| &stream.payloads).collect();
        arrival.rate_hz = Receiver::line_hz(&streams)?;
        arrival.worst_ms = self.worst_ms();
        let each: Vec<String> = streams.iter().map(|payloads| payloads.describe()).collect();
        arrival.encoding = format!("{}: {}", arrival.source, each.join(" / "));
        let (rate_hz, drop_before_decode) = (arrival.rate_hz, arrival.drop_before_decode);
        let begun = exchange.begin(arrival)?;
        Ok(self.receive(begun, rate_hz, drop_before_decode, agent, customer))
    }

    /// Receives a call that has begun with this rate.
    pub fn receive(
        &self,
        begun: Begun,
        rate_hz: u32,
        drop_before_decode: bool,
        agent: Option<(Port, Stream)>,
        customer: Option<(Port, Stream)>,
    ) -> Session {
        let (number, sweepers) = (self.next_session.fetch_add(1, Ordering::Relaxed), self.sweepers.len() as u64);
        let (id, sweeper) = (number / sweepers, self.sweepers[(number % sweepers) as usize].clone());
        let (line, shared) = (begun.line.clone(), Arc::new(Shared::default()));
        let (delay_ms, allow) = (self.settings.delay_ms, Arc::clone(&self.allow));
        let task = Task {
            id,
            begun,
            rate_hz,
            delay_ms,
            drop_before_decode,
            allow,
            shared: Arc::clone(&shared),
            totals: Arc::clone(&self.totals),
        };
        let session = Session { id, line, shared, sweeper };
        session.tell(Command::Begin(Box::new(task)));
        for (party, with) in [(Party::Agent, agent), (Party::Customer, customer)] {
            if let Some((port, stream)) = with {
                session.open(party, port, stream);
            }
        }
        session
    }
}

/// A call that is being received. Dropped: its ports are closed and its legs end.
pub struct Session {
    id: u64,
    line: CallLine,
    shared: Arc<Shared>,
    sweeper: Sender<Command>,
}

impl Session {
    /// For what the wire says about it, and how its doors stand.
    pub fn line(&self) -> &CallLine {
        &self.line
    }

    /// From now on a party is received on this port, in place of the one before.
    pub fn open(&self, party: Party, port: Port, stream: Stream) {
        self.tell(Command::Open { id: self.id, party, port, stream });
    }

    /// From now on other payload types, or another peer, count for a party: a re-INVITE. Its port stays.
    pub fn change(&self, party: Party, stream: Stream) {
        self.tell(Command::Change { id: self.id, party, stream });
    }

    /// Closes a party's port and throws away what waits of it. Its side is missing from now on.
    pub fn shut(&self, party: Party) {
        self.tell(Command::Shut { id: self.id, party });
    }

    /// How long no packet of either party has come that counts.
    pub fn silent_for(&self) -> Duration {
        self.shared.silent_for()
    }

    /// What was counted of a party.
    pub fn counts(&self, party: Party) -> PartyCounts {
        self.shared.counts(party)
    }

    fn tell(&self, command: Command) {
        // A sweeper ends with the last sender; what is told to one that died is told to nobody.
        let _ = self.sweeper.send(command);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tell(Command::Close { id: self.id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_given_back_rests() {
        let first = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() & !1;
        let address = IpAddr::from([127, 0, 0, 1]);
        let ports = [first, first];
        let settings = Settings { address, advertise: None, ports, allow: Vec::new(), delay_ms: 60, sweepers: 1 };
        let receiver = Receiver::start(settings).unwrap();
        let port = receiver.bind().unwrap();
        assert_eq!(port.number(), first);
        drop(port);
        assert_eq!(receiver.bind().unwrap_err().reason, "ports");
        let freed = Freed::default();
        let now = Instant::now();
        freed.note(4, now);
        assert!(freed.rests(4, now + REST / 2) && !freed.rests(4, now + REST) && !freed.rests(6, now));
    }
}

//! Whom we talk to, and by which way an answer goes back to it (RFC 3261 §18.2.2, RFC 3581).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::source::wire::sip::Hop;

/// Messages that may wait for a connection's other side; one more, and it is not listening.
pub const WAITING_MAX: usize = 64;

/// By which way messages go.
#[derive(Clone, Debug)]
pub enum Way {
    /// Datagrams, from this socket.
    Datagrams(Arc<UdpSocket>),
    /// A connection, through what writes to it; `true`: it is encrypted.
    Connection(mpsc::Sender<Arc<[u8]>>, bool),
}

/// The other side of an exchange of messages.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it sent from.
    pub source: SocketAddr,
    /// Where our messages go to.
    pub address: SocketAddr,
    /// Our address, as the other side is told it.
    pub local: SocketAddr,
    /// The way.
    pub way: Way,
}

impl Peer {
    /// Sends; never waits. What cannot be sent is lost, as a datagram may be: SIP repeats itself.
    pub fn send(&self, bytes: &Arc<[u8]>) {
        match &self.way {
            Way::Datagrams(socket) => drop(socket.try_send_to(bytes, self.address)),
            Way::Connection(writer, _) => drop(writer.try_send(Arc::clone(bytes))),
        }
    }

    /// The same way, to where an answer to this hop goes: to the address that it came from and never to another one, so
    /// that nobody can be pelted with answers.
    pub fn answering(mut self, hop: &Hop) -> Peer {
        if matches!(self.way, Way::Datagrams(_)) && !hop.rport {
            self.address.set_port(hop.port);
        }
        self
    }

    /// Whether what is sent arrives, or the connection ends.
    pub fn is_reliable(&self) -> bool {
        matches!(self.way, Way::Connection(..))
    }

    /// What our Via says.
    pub fn transport(&self) -> &'static str {
        match self.way {
            Way::Datagrams(_) => "UDP",
            Way::Connection(_, false) => "TCP",
            Way::Connection(_, true) => "TLS",
        }
    }

    /// Our Contact: we are a session recording server (RFC 7866 §6.1.2).
    pub fn contact(&self) -> String {
        let transport = match self.way {
            Way::Datagrams(_) => "",
            Way::Connection(_, false) => ";transport=tcp",
            Way::Connection(_, true) => ";transport=tls",
        };
        format!("<sip:srs@{}{transport}>;+sip.srs", self.local)
    }
}

/// Our address towards another one. No packet is sent for it.
pub fn local_towards(peer: IpAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect((peer, 9))?;
    Ok(socket.local_addr()?.ip())
}

//! Messages from sockets: datagrams, and connections with their framing, their limits and their time limits.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::peer::{Peer, WAITING_MAX, Way, local_towards};
use super::server::Server;
use crate::source::listen::{Knocks, Listen, Stream};
use crate::source::wire::sip::{Framed, MESSAGE_BYTES_MAX, frame};

/// How long a message may take from its first byte to its last (slow loris), and how long the first one may be waited for: a
/// connection on which nothing was ever said is nobody's.
const MESSAGE_WITHIN: Duration = Duration::from_secs(10);
/// How long one write may take.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may be idle while no session stands on it. Sessions outlive their connections: a client that has
/// to say something connects again.
const IDLE: Duration = Duration::from_secs(3_600);
/// Rest after an error of a socket.
const REST: Duration = Duration::from_millis(50);
/// Bytes asked of a socket at once.
const READ_BYTES: usize = 4_096;

/// Our address as this peer is told it.
fn told(bound: SocketAddr, advertised: Option<IpAddr>, peer: IpAddr) -> SocketAddr {
    let ip = match advertised {
        Some(ip) => ip,
        None if bound.ip().is_unspecified() => local_towards(peer.to_canonical()).unwrap_or(bound.ip()),
        None => bound.ip(),
    };
    SocketAddr::new(ip, bound.port())
}

/// Takes datagrams until all is over.
pub async fn datagrams(
    server: Arc<Server>,
    socket: Arc<UdpSocket>,
    listen: Listen,
    knocks: Arc<Knocks>,
) -> io::Result<()> {
    let bound = socket.local_addr()?;
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // What one of our answers ran into (ICMP) is told on the next receive; it is no reason to stop. An error that
            // lasts must not keep a processor busy.
            Err(_) => {
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        if !listen.allows(from.ip()) {
            knocks.not_allowed.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        // Keep-alives are empty, or two empty lines.
        if buffer[..length].iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            continue;
        }
        let local = told(bound, server.means.config.advertised, from.ip());
        let peer = Peer { source: from, address: from, local, way: Way::Datagrams(Arc::clone(&socket)) };
        server.receive(&buffer[..length], &peer);
    }
}

/// Serves a connection until it ends, breaks the rules, or falls silent.
pub async fn connection(server: Arc<Server>, stream: Stream, from: SocketAddr, bound: SocketAddr, tls: bool) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (sender, mut waiting) = mpsc::channel::<Arc<[u8]>>(WAITING_MAX);
    let local = told(bound, server.means.config.advertised, from.ip());
    let peer = Peer { source: from, address: from, local, way: Way::Connection(sender, tls) };
    let writing = async {
        while let Some(bytes) = waiting.recv().await {
            let written = tokio::time::timeout(WRITE_WITHIN, async {
                writer.write_all(&bytes).await?;
                writer.flush().await
            });
            if !matches!(written.await, Ok(Ok(()))) {
                return;
            }
        }
    };
    let reading = async {
        let mut stream = Vec::new();
        let (mut began, mut said) = (tokio::time::Instant::now(), false);
        loop {
            let within = match stream.is_empty() && said {
                true => IDLE,
                false => MESSAGE_WITHIN.saturating_sub(began.elapsed()),
            };
            let mut some = [0; READ_BYTES];
            let Ok(Ok(length @ 1..)) = tokio::time::timeout(within, reader.read(&mut some)).await else { return };
            if stream.is_empty() {
                began = tokio::time::Instant::now();
            }
            stream.extend_from_slice(&some[..length]);
            let before = stream.len();
            if !messages(&server, &peer, &mut stream, &mut began) {
                return;
            }
            said |= stream.len() < before;
        }
    };
    // Whichever ends first: a connection that cannot be written to is of no use, nor is one that was closed.
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
}

/// Takes every whole message out of what was read. `false`: it cannot be framed.
fn messages(server: &Arc<Server>, peer: &Peer, stream: &mut Vec<u8>, began: &mut tokio::time::Instant) -> bool {
    let mut taken = 0;
    let whole = loop {
        match frame(&stream[taken..]) {
            Framed::More => break true,
            Framed::Blank { bytes, ping } => {
                if ping {
                    peer.send(&Arc::from(*b"\r\n"));
                }
                taken += bytes;
            }
            Framed::Message { bytes } => {
                server.receive(&stream[taken..taken + bytes], peer);
                taken += bytes;
            }
            Framed::Broken(_) => {
                server.means.exchange.declined("siprec", "malformed", None);
                break false;
            }
        }
    };
    if taken > 0 {
        stream.drain(..taken);
        *began = tokio::time::Instant::now();
    }
    whole
}

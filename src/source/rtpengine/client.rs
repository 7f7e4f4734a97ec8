//! Asks an rtpengine over UDP: the same request with the same cookie again until it answers, so that what it did already
//! is not done twice.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::source::wire::bencode::Value;
use crate::source::wire::ng::{ANSWER_MAX, Answer, answer, request};

/// How long each try waits for its answer.
const TRIES_MS: [u64; 4] = [300, 600, 1_000, 1_500];

/// Why there is no answer to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NgError {
    /// It does not answer.
    Gone,
    /// It does not know the call.
    UnknownCall,
    /// It refused.
    Refused(String),
}

/// Where an rtpengine listens.
pub(super) struct Client {
    address: SocketAddr,
    /// Sets the cookies of this process apart from those of others, and of each other.
    cookie: (u64, AtomicU64),
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Client {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let own = since.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(40);
        Client { address, cookie: (own, AtomicU64::new(0)) }
    }

    /// Asks, and gives what `read` makes of the answer.
    pub(super) async fn ask<T>(
        &self,
        command: &str,
        entries: Vec<(&str, Value<'_>)>,
        read: impl FnOnce(&Value<'_>) -> T,
    ) -> Result<T, NgError> {
        let cookie = format!("{:x}_{}", self.cookie.0, self.cookie.1.fetch_add(1, Ordering::Relaxed));
        let request = request(&cookie, command, entries);
        let socket = self.socket().await.map_err(|_| NgError::Gone)?;
        let mut datagram = vec![0; ANSWER_MAX];
        for within in TRIES_MS {
            if socket.send(&request).await.is_err() {
                tokio::time::sleep(Duration::from_millis(within)).await;
                continue; // nobody listens there now
            }
            let length = timeout(Duration::from_millis(within), receive(&socket, &mut datagram, &cookie)).await;
            let Ok(Ok(length)) = length else {
                continue;
            };
            match answer(&datagram[..length], &cookie) {
                Some(Answer::Ok(value)) => return Ok(read(&value)),
                Some(Answer::Refused(why)) if why.eq_ignore_ascii_case("unknown call-id") => {
                    return Err(NgError::UnknownCall);
                }
                Some(Answer::Refused(why)) => return Err(NgError::Refused(why.chars().take(200).collect())),
                None => {}
            }
        }
        Err(NgError::Gone)
    }

    async fn socket(&self) -> io::Result<UdpSocket> {
        let any: SocketAddr = if self.address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(self.address).await?;
        Ok(socket)
    }
}

/// Waits for a datagram that answers this cookie; others are old.
async fn receive(socket: &UdpSocket, datagram: &mut [u8], cookie: &str) -> io::Result<usize> {
    loop {
        let length = socket.recv(datagram).await?;
        if answer(&datagram[..length], cookie).is_some() {
            return Ok(length);
        }
    }
}

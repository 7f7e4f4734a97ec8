//! A WebSocket client of our own, on a plain socket: it writes the very bytes that a switch writes, right or wrong.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a connection goes over: a plain socket, or one behind TLS.
pub trait Wire: Read + Write + Send {
    /// How long a read may take.
    fn wait_at_most(&self, time: Duration) -> io::Result<()>;
}

impl Wire for TcpStream {
    fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

impl Wire for rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        self.sock.set_read_timeout(Some(time))
    }
}

/// A connection that was opened.
pub struct Client {
    stream: Box<dyn Wire>,
    /// The answer to its request, without the body.
    pub answer: String,
    /// What was read and is not taken yet.
    pending: Vec<u8>,
}

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// A text.
    Text(String),
    /// A close with its code.
    Close(u16),
    /// Anything else: its opcode.
    Other(u8),
    /// The end of the connection.
    End,
}

/// The request of a switch for `target`: `headers` are whole lines, written as they are.
pub fn request(target: &str, headers: &[&str]) -> String {
    let mut request = format!("GET {target} HTTP/1.1\r\n");
    let upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
    for line in upgrade.iter().chain(headers) {
        request.push_str(&format!("{line}\r\n"));
    }
    request.push_str("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    request
}

impl Client {
    /// Opens a connection.
    pub fn open(address: SocketAddr, target: &str, headers: &[&str]) -> Client {
        let host = format!("Host: {address}");
        let headers: Vec<&str> = [host.as_str()].into_iter().chain(headers.iter().copied()).collect();
        let client = Client::ask(address, &request(target, &headers)).expect("an answer");
        assert!(client.answer.starts_with("HTTP/1.1 101"), "{}", client.answer);
        client
    }

    /// Writes a request and reads the answer.
    pub fn ask(address: SocketAddr, request: &str) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Client::over(stream, request)
    }

    /// The same over a connection that is there.
    pub fn over(stream: impl Wire + 'static, request: &str) -> io::Result<Client> {
        let mut stream: Box<dyn Wire> = Box::new(stream);
        stream.wait_at_most(PATIENCE)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte)? == 0 {
                break;
            }
            answer.push(byte[0]);
        }
        Ok(Client { stream, answer: String::from_utf8_lossy(&answer).into_owned(), pending: Vec::new() })
    }

    /// Sends a text.
    pub fn text(&mut self, text: &str) {
        self.raw(&frame(1, text.as_bytes()));
    }

    /// Sends bytes.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.raw(&frame(2, bytes));
    }

    /// Closes with a code.
    pub fn close(&mut self, code: u16) {
        self.raw(&frame(8, &code.to_be_bytes()));
    }

    /// Writes bytes as they are; a server that is gone is no fault of the client's.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }

    /// What the server sends next, if it does within this time.
    pub fn next(&mut self, within: Duration) -> Option<Sent> {
        let until = Instant::now() + within;
        loop {
            if let Some(sent) = self.taken() {
                return Some(sent);
            }
            let left = until.checked_duration_since(Instant::now())?.max(Duration::from_millis(1));
            self.stream.wait_at_most(left).unwrap();
            let mut buffer = [0; 4_096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Some(Sent::End),
                Ok(read) => self.pending.extend_from_slice(&buffer[..read]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return None;
                }
                Err(_) => return Some(Sent::End),
            }
        }
    }

    fn taken(&mut self) -> Option<Sent> {
        let (opcode, short) = (*self.pending.first()? & 15, *self.pending.get(1)?);
        assert_eq!(short & 0x80, 0, "a server does not mask");
        let (head, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes([*self.pending.get(2)?, *self.pending.get(3)?]))),
            127 => panic!("a server says nothing so long"),
            short => (2, usize::from(short)),
        };
        let payload = self.pending.get(head..head + length)?.to_vec();
        self.pending.drain(..head + length);
        Some(match opcode {
            1 => Sent::Text(String::from_utf8(payload).expect("a text")),
            8 => Sent::Close(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))),
            other => Sent::Other(other),
        })
    }
}

/// A frame as a client sends it, masked.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(opcode, payload.len());
    let mask = [0x5A, 0x17, 0xC3, 0x88];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The head of a masked frame, up to its mask.
pub fn head(opcode: u8, length: usize) -> Vec<u8> {
    let mut head = vec![0x80 | opcode];
    match length {
        0..=125 => head.push(0x80 | length as u8),
        126..=65_535 => {
            head.push(0x80 | 126);
            head.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    head
}

/// Does something every `every`, `times` times, by the clock.
pub fn paced(times: usize, every: Duration, mut work: impl FnMut(usize)) {
    let began = Instant::now();
    for n in 0..times {
        let due = began + every * n as u32;
        if let Some(rest) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(rest);
        }
        work(n);
    }
}

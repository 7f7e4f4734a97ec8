//! The calls: two streams each, a packet every 20 ms, evenly spread over that time, sent by few threads.

use std::error::Error;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::calls;
use crate::server::Server;

/// Samples of 20 ms.
const FRAME: usize = 160;
const TICK: Duration = Duration::from_millis(20);
/// Calls that begin to speak in a second.
const BEGUN_PER_SECOND: usize = 250;
/// A packet that goes out so much after its time is late: by then two of a stream may go together.
const LATE: Duration = Duration::from_millis(15);

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Announced calls, a port for each party.
    Rtp,
    /// Two connections a call.
    AudioSocket,
}

/// What is said: both sides of the samples, one after the other, as payloads of 20 ms.
pub struct Sound {
    mulaw: Arc<[Vec<u8>; 2]>,
    linear: Arc<[Vec<u8>; 2]>,
}

impl Sound {
    /// Of the project's samples.
    pub fn new() -> Result<Sound, Box<dyn Error>> {
        let both = calls::samples()?.concat();
        let side = |side: usize| both.iter().skip(side).step_by(2).copied().collect::<Vec<i16>>();
        let sides = [side(0), side(1)];
        let mulaw = sides.each_ref().map(|side| side.iter().map(|v| audio_codec_algorithms::encode_ulaw(*v)).collect());
        let linear = sides.each_ref().map(|side| side.iter().flat_map(|v| v.to_le_bytes()).collect());
        Ok(Sound { mulaw: Arc::new(mulaw), linear: Arc::new(linear) })
    }
}

/// Where a stream goes.
enum Way {
    Datagrams(SocketAddr),
    Connection(TcpStream),
}

/// One party's stream.
struct Stream {
    way: Way,
    call: usize,
    side: usize,
    packets: u32,
}

/// What the threads and those who ask both know.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicU64,
    late: AtomicU64,
}

/// Calls at work.
pub struct Traffic {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    calls: usize,
}

impl Traffic {
    /// Announces the calls, and begins to send.
    pub fn begin(
        protocol: Protocol,
        server: &Server,
        sound: &Sound,
        calls: usize,
        threads: usize,
    ) -> Result<Traffic, Box<dyn Error>> {
        let mut streams: Vec<Vec<Stream>> = (0..threads).map(|_| Vec::new()).collect();
        for call in 0..calls {
            for (side, way) in ways(protocol, server, call)?.into_iter().enumerate() {
                streams[call % threads].push(Stream { way, call, side, packets: 0 });
            }
        }
        let (shared, began) = (Arc::new(Shared::default()), Instant::now());
        let payloads = match protocol {
            Protocol::Rtp => (Arc::clone(&sound.mulaw), FRAME),
            Protocol::AudioSocket => (Arc::clone(&sound.linear), 2 * FRAME),
        };
        let send = |streams| {
            let (shared, payloads) = (Arc::clone(&shared), payloads.clone());
            std::thread::spawn(move || run(streams, &payloads.0, payloads.1, began, &shared))
        };
        let threads = streams.into_iter().map(send).collect();
        Ok(Traffic { shared, threads, calls })
    }

    /// Time until all speak.
    pub fn ramp(&self) -> Duration {
        Duration::from_millis((self.calls * 1_000 / BEGUN_PER_SECOND) as u64)
    }

    /// Lateness counts from now on.
    pub fn forget_lateness(&self) {
        self.shared.sent.store(0, Ordering::Relaxed);
        self.shared.late.store(0, Ordering::Relaxed);
    }

    /// Packets that went out late, of a hundred.
    pub fn late_percent(&self) -> f64 {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        100.0 * count(&self.shared.late) / count(&self.shared.sent).max(1.0)
    }

    /// All hang up.
    pub fn end(self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

fn ways(protocol: Protocol, server: &Server, call: usize) -> Result<[Way; 2], Box<dyn Error>> {
    let name = format!("load-{call}");
    match protocol {
        Protocol::Rtp => {
            let payloads = json!({ "payloads": ["0", "101 telephone-event/8000"] });
            let wanted = json!({ "source": "rtp", "call": name, "agent": payloads, "customer": payloads });
            let answer = server.expect(&wanted)?;
            let at = |party: &Value| {
                let port = party["port"].as_u64().and_then(|port| u16::try_from(port).ok())?;
                Some(Way::Datagrams(SocketAddr::new(party["address"].as_str()?.parse().ok()?, port)))
            };
            let both = at(&answer["agent"]).zip(at(&answer["customer"])).ok_or("no ports")?;
            Ok(both.into())
        }
        Protocol::AudioSocket => {
            let id = |side: u8| format!("00000000-0000-4000-80{side:02x}-{call:012x}");
            let wanted = json!({ "source": "audiosocket", "call": name, "agent": id(0), "customer": id(1) });
            server.expect(&wanted)?;
            let connect = |side: u8| -> Result<Way, Box<dyn Error>> {
                let mut stream = TcpStream::connect(server.audiosocket)?;
                stream.set_nodelay(true)?;
                let mut message = vec![0x01, 0, 16];
                let digits: String = id(side).chars().filter(char::is_ascii_hexdigit).collect();
                for at in (0..digits.len()).step_by(2) {
                    message.push(u8::from_str_radix(&digits[at..at + 2], 16)?);
                }
                stream.write_all(&message)?;
                // The UUID has to be there in time, the sound comes later: as with the switch.
                Ok(Way::Connection(stream))
            };
            Ok([connect(0)?, connect(1)?])
        }
    }
}

/// Sends until it is told to stop.
fn run(mut streams: Vec<Stream>, sound: &[Vec<u8>; 2], bytes: usize, began: Instant, shared: &Shared) {
    let Ok(socket) = UdpSocket::bind("127.0.0.1:0") else { return };
    let (count, mut sent, mut message) = (streams.len() as u64, 0u64, Vec::with_capacity(bytes + 16));
    while !shared.stop.load(Ordering::Relaxed) && count > 0 {
        let elapsed = began.elapsed();
        let due = (elapsed.as_nanos() * u128::from(count) / TICK.as_nanos()) as u64;
        let late_before = (elapsed.saturating_sub(LATE).as_nanos() * u128::from(count) / TICK.as_nanos()) as u64;
        shared.late.fetch_add(late_before.saturating_sub(sent), Ordering::Relaxed);
        shared.sent.fetch_add(due.saturating_sub(sent), Ordering::Relaxed);
        while sent < due {
            let stream = &mut streams[(sent % count) as usize];
            let tick = (sent / count) as usize;
            if tick >= stream.call * 50 / BEGUN_PER_SECOND {
                stream.send(&socket, sound, bytes, &mut message);
            }
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(1_000));
    }
}

impl Stream {
    /// The next 20 ms.
    fn send(&mut self, socket: &UdpSocket, sound: &[Vec<u8>; 2], bytes: usize, message: &mut Vec<u8>) {
        let side = &sound[self.side];
        // Each call is at another place of the samples.
        let at = (self.call * 37 + self.packets as usize) % (side.len() / bytes) * bytes;
        let payload = &side[at..at + bytes];
        message.clear();
        match &mut self.way {
            Way::Datagrams(to) => {
                message.extend([0x80, u8::from(self.packets == 0) << 7]);
                message.extend((self.packets as u16).to_be_bytes());
                message.extend((self.packets * FRAME as u32).to_be_bytes());
                message.extend((2 * self.call as u32 + self.side as u32 + 1).to_be_bytes());
                message.extend(payload);
                let _ = socket.send_to(message, *to); // what is lost is counted where it is missing
            }
            Way::Connection(stream) => {
                message.push(0x10);
                message.extend((bytes as u16).to_be_bytes());
                message.extend(payload);
                let _ = stream.write_all(message); // a connection that was closed is missing among the calls
            }
        }
        self.packets += 1;
    }
}

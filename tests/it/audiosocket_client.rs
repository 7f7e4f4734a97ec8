//! A party that speaks over AudioSocket, on a plain socket: it writes the very bytes that Asterisk writes, right or wrong.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::common::{Dice, agent};
use super::serve_common::{Server, track};

/// Samples of a message: 20 ms.
pub const MESSAGE: usize = 160;

/// A message.
pub fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], payload].concat()
}

/// A message of 16-bit sound.
pub fn sound(samples: &[i16]) -> Vec<u8> {
    message(0x10, &samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())
}

/// A UUID's bytes.
pub fn uuid(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(|letter| *letter != '-').collect();
    (0..16).map(|byte| u8::from_str_radix(&digits[2 * byte..2 * byte + 2], 16).unwrap()).collect()
}

/// A connection that said its UUID.
pub fn knock(address: SocketAddr, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(&message(0x01, &uuid(id))).unwrap();
    stream
}

/// A UUID of its own for each number.
pub fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// Announces a call of the agent alone under [`id`] `number`, and connects to it.
pub fn agent_alone(server: &Server, address: SocketAddr, call: &str, number: usize) -> TcpStream {
    server.expect(json!({ "source": "audiosocket", "call": call, "agent": id(number) }));
    knock(address, &id(number))
}

/// `seconds` of an agent who speaks without a pause, other for each number, without a sample that is nothing: what is not
/// stored can be told from what is.
pub fn speech(seconds: usize, number: usize) -> Vec<i16> {
    const SPOKEN: std::ops::Range<usize> = 8_000 * 43 / 10..8_000 * 68 / 10;
    let spoken = agent(7)[SPOKEN].to_vec();
    let mut dice = Dice::new(number as u64);
    // A little noise of its own makes every stretch of it known by where it lies.
    let sample = |sample: i16, noise: i16| if sample + noise == 0 { 1 } else { sample + noise };
    let all = spoken.into_iter().cycle().skip(number * 347).take(seconds * 8_000);
    all.map(|v| sample(v.clamp(-32_000, 32_000), dice.below(9) as i16 - 4)).collect()
}

/// Somebody who speaks in real time on a thread of their own.
pub struct Talk {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(TcpStream, usize)>,
}

impl Talk {
    /// Begins to.
    pub fn begin(mut stream: TcpStream, samples: Vec<i16>) -> Talk {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let sent = talk(&mut stream, &samples, &stopped);
            (stream, sent)
        });
        Talk { stop, thread }
    }

    /// Waits until all was said: the connection.
    pub fn wait(self) -> TcpStream {
        self.thread.join().unwrap().0
    }

    /// Stops after the message in hand: the connection, and the samples that were sent.
    pub fn stop(self) -> (TcpStream, usize) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Speaks in real time; a server that is gone ends it. The samples that were sent.
pub fn talk(stream: &mut TcpStream, samples: &[i16], stop: &AtomicBool) -> usize {
    let began = Instant::now();
    let mut sent = 0;
    for (n, piece) in samples.chunks(MESSAGE).enumerate() {
        std::thread::sleep((began + Duration::from_millis(20) * n as u32).saturating_duration_since(Instant::now()));
        if stop.load(Ordering::Relaxed) || stream.write_all(&sound(piece)).is_err() {
            break;
        }
        sent += piece.len();
    }
    sent
}

/// A call of the agent alone that is not taken: after its first sound the other end hangs up.
pub fn is_declined(server: &Server, address: SocketAddr, call: &str, number: usize) -> bool {
    let mut stream = agent_alone(server, address, call, number);
    stream.write_all(&sound(&[1; MESSAGE])).unwrap();
    is_hung_up(&mut stream)
}

/// Whether the other end said that it hangs up, and did.
pub fn is_hung_up(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = [1; 3];
    stream.read_exact(&mut answer).is_ok() && answer == [0; 3]
}

/// The agent's track of a call holds what was sent, sample by sample and in its order, most of it, and nothing else. Between
/// them there may be silence: where the gate heard no speech, and where a sender that was held up sent nothing.
#[track_caller]
pub fn is_exact(out: &Path, call: &str, sent: &[i16]) {
    let stored = track(&out.join(format!("{call}.agent.wav")));
    let (mut from, mut kept) = (0, 0);
    for run in stored.split(|sample| *sample == 0).filter(|run| !run.is_empty()) {
        let found = sent[from..].windows(run.len()).position(|window| window == run);
        let found =
            found.unwrap_or_else(|| panic!("{call}: {} samples behind {from} are not what was sent", run.len()));
        (from, kept) = (from + found + run.len(), kept + run.len());
    }
    assert!(kept * 10 > sent.len() * 7, "{call}: only {kept} of {} samples are stored", sent.len());
    let manifest = std::fs::read_to_string(out.join(format!("{call}.json"))).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert!(manifest["tally"]["agent"]["left_out"]["lost"].is_null(), "{call}: {manifest}");
}

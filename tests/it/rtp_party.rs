//! A party that sends RTP as real ones do, and what was kept of her.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::common::Dice;
use super::encode;

/// Samples in a packet: 20 ms.
pub const PACKET: usize = 160;

/// What the network does to the packets.
#[derive(Clone, Copy, Default)]
pub struct Network {
    /// Of a hundred packets, so many are lost.
    pub lost_percent: u64,
    /// Of a hundred packets, so many come twice.
    pub doubled_percent: u64,
    /// A packet may come so much later than another, ms.
    pub jitter_ms: u64,
}

/// A party that speaks.
pub struct Speaker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<bool>>,
}

/// An RTP packet (RFC 3550).
pub fn packet(payload_type: u8, marker: bool, sequence: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type | u8::from(marker) << 7];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

/// As it sounds when µ-law was through with it.
pub fn as_heard(samples: &[i16]) -> Vec<i16> {
    samples.iter().map(|v| audio_codec_algorithms::decode_ulaw(encode::mulaw(*v))).collect()
}

impl Speaker {
    /// Speaks in real time, in µ-law, to `to`. `keys`: (ms, event code) of keys that are pressed for 100 ms.
    pub fn begin(to: SocketAddr, samples: Vec<i16>, keys: &[(u64, u8)], network: Network, seed: u64) -> Speaker {
        let keys: Vec<_> = keys.iter().map(|(at, code)| (*at, *code, 100)).collect();
        Speaker::holding(to, samples, &keys, network, seed)
    }

    /// The same with keys that are held down: (ms, event code, for how many ms).
    pub fn holding(to: SocketAddr, samples: Vec<i16>, keys: &[(u64, u8, u64)], network: Network, seed: u64) -> Speaker {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, keys) = (Arc::clone(&stop), keys.to_vec());
        let thread = std::thread::spawn(move || speak(&socket, to, &samples, &keys, network, seed, &stopped));
        Speaker { stop, thread }
    }

    /// Stops at once: which packets were lost on their way.
    pub fn end(self) -> Vec<bool> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn speak(
    socket: &UdpSocket,
    to: SocketAddr,
    samples: &[i16],
    keys: &[(u64, u8, u64)],
    network: Network,
    seed: u64,
    stop: &AtomicBool,
) -> Vec<bool> {
    let mut dice = Dice::new(seed);
    let (mut waiting, mut lost) = (Vec::<(Instant, Vec<u8>)>::new(), Vec::new());
    let (ssrc, base) = (dice.below(1 << 32) as u32, u32::MAX - 40_000);
    let began = Instant::now();
    for (n, block) in samples.chunks_exact(PACKET).enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let due = began + Duration::from_millis(n as u64 * 20);
        let ms = n as u64 * 20;
        let key = keys.iter().find(|(at, _, lasts)| (*at..at + lasts).contains(&ms));
        let packet = match key {
            Some((at, code, lasts)) => {
                let (since, last) = ((ms - at) as u16, ms + 20 >= at + lasts);
                let [high, low] = ((since + 20) * 8).to_be_bytes();
                let event = [*code, u8::from(last) << 7 | 10, high, low];
                packet(101, since == 0, n as u16, base.wrapping_add(*at as u32 * 8), ssrc, &event)
            }
            None => {
                let timestamp = base.wrapping_add((n * PACKET) as u32);
                packet(0, n == 0, n as u16, timestamp, ssrc, &encode::body(block, |v, out| out.push(encode::mulaw(v))))
            }
        };
        let goes = n > 5 && key.is_none() && dice.below(100) < network.lost_percent;
        lost.push(goes);
        let jitter = |dice: &mut Dice| Duration::from_millis(dice.below(network.jitter_ms + 1));
        if !goes {
            waiting.push((due + jitter(&mut dice), packet.clone()));
        }
        if !goes && dice.below(100) < network.doubled_percent {
            waiting.push((due + jitter(&mut dice), packet));
        }
        deliver(socket, to, &mut waiting, due);
        std::thread::sleep((due + Duration::from_millis(20)).saturating_duration_since(Instant::now()));
    }
    deliver(socket, to, &mut waiting, Instant::now() + Duration::from_secs(1));
    lost
}

fn deliver(socket: &UdpSocket, to: SocketAddr, waiting: &mut Vec<(Instant, Vec<u8>)>, now: Instant) {
    waiting.sort_by_key(|(at, _)| *at);
    let due = waiting.partition_point(|(at, _)| *at <= now);
    for (_, packet) in waiting.drain(..due) {
        let _ = socket.send_to(&packet, to);
    }
}

/// Where sound that was `sent` begins in what was `stored`, by the first stretch that is found in it whole.
pub fn offset(stored: &[i16], sent: &[i16]) -> i64 {
    const STRETCH: usize = 120;
    for at in (0..stored.len().saturating_sub(STRETCH)).step_by(40) {
        let stretch = &stored[at..at + STRETCH];
        if stretch.iter().filter(|v| v.unsigned_abs() > 200).count() < STRETCH / 2 {
            continue;
        }
        if let Some(from) = sent.windows(STRETCH).position(|window| window == stretch) {
            return at as i64 - from as i64;
        }
    }
    panic!("nothing that was sent is stored");
}

/// Every sample that is stored is the one that belongs there; the stretch of `sent` from the first to the last of them.
#[track_caller]
pub fn in_place(stored: &[i16], sent: &[i16]) -> (usize, usize) {
    let offset = offset(stored, sent);
    let mut kept = Vec::new();
    for (at, sample) in stored.iter().enumerate().filter(|(_, sample)| **sample != 0) {
        let from = usize::try_from(at as i64 - offset).expect("nothing before its beginning");
        assert_eq!(*sample, sent[from], "sample {at} of what is stored");
        kept.push(from);
    }
    (kept[0], kept[kept.len() - 1])
}

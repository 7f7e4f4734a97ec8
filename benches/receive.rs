//! What receiving RTP costs: a thread that sweeps over non-blocking sockets against a tokio task per socket.
//!
//! `cargo bench --bench receive`: 1,000 sockets of 50 packets a second each, sent by a process of their own. Told is the
//! processor time of the receiving process alone, for a packet and as a part of a core. Nothing is parsed or decoded.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SOCKETS: u16 = 1_000;
const FIRST_PORT: u16 = 20_000;
const SECONDS: u64 = 6;
/// Header and 20 ms of G.711.
const PACKET_BYTES: usize = 172;
const WAYS: [&str; 4] = ["sweep-10", "sweep-20", "sweep-60", "tokio"];

fn main() {
    let until = Instant::now() + Duration::from_secs(SECONDS);
    match std::env::args().nth(1).as_deref() {
        Some("send") => send(until + Duration::from_secs(1)),
        Some("sweep-10") => sweep(until, Duration::from_millis(10)),
        Some("sweep-20") => sweep(until, Duration::from_millis(20)),
        Some("sweep-60") => sweep(until, Duration::from_millis(60)),
        Some("tokio") => tasks(until),
        _ => WAYS.iter().chain(&WAYS).for_each(|way| measure(way)),
    }
}

fn measure(way: &str) {
    let this = std::env::current_exe().expect("this program");
    let mut sender = Command::new(&this).arg("send").spawn().expect("a sender");
    let receiver = Command::new(&this).arg(way).status();
    assert!(receiver.is_ok_and(|status| status.success()), "{way} received");
    sender.wait().expect("the sender ends");
}

fn sweep(until: Instant, every: Duration) {
    let sockets: Vec<UdpSocket> = ports().map(bound).collect();
    let (began, mut packets, mut next) = (processor_seconds(), 0, Instant::now());
    let mut datagram = [0; 2_048];
    while Instant::now() < until {
        for socket in &sockets {
            for _ in 0..32 {
                let Ok((length, _)) = socket.recv_from(&mut datagram) else { break };
                packets += u64::from(length == PACKET_BYTES);
            }
        }
        next = (next + every).max(Instant::now());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    tell(&format!("sweep every {} ms", every.as_millis()), processor_seconds() - began, packets);
}

fn tasks(until: Instant) {
    let packets = Arc::new(AtomicU64::new(0));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let began = processor_seconds();
    for port in ports() {
        let packets = Arc::clone(&packets);
        let socket = bound(port);
        runtime.spawn(async move {
            let socket = tokio::net::UdpSocket::from_std(socket).expect("a socket");
            let mut datagram = [0; 2_048];
            while let Ok((length, _)) = socket.recv_from(&mut datagram).await {
                packets.fetch_add(u64::from(length == PACKET_BYTES), Ordering::Relaxed);
            }
        });
    }
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    tell("a tokio task a socket", processor_seconds() - began, packets.load(Ordering::Relaxed));
    runtime.shutdown_background();
}

fn send(until: Instant) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (began, mut sent) = (Instant::now(), 0u64);
    while Instant::now() < until {
        let due = (began.elapsed().as_secs_f64() * 50.0 * f64::from(SOCKETS)) as u64;
        while sent < due {
            let port = FIRST_PORT + (sent % u64::from(SOCKETS)) as u16;
            let _ = socket.send_to(&[0x80; PACKET_BYTES], ("127.0.0.1", port));
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

fn ports() -> impl Iterator<Item = u16> {
    (0..SOCKETS).map(|n| FIRST_PORT + n)
}

fn bound(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind(("127.0.0.1", port)).expect("a free port; `ulimit -n` above the number of sockets");
    socket.set_nonblocking(true).expect("a socket that does not wait");
    socket
}

/// Of this process so far (Linux).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    fields[11..13].iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn tell(way: &str, processor: f64, packets: u64) {
    println!(
        "{way}: {packets} packets, {:.2} µs of processor time each, {:.1} % of a core",
        processor / packets.max(1) as f64 * 1e6,
        processor / SECONDS as f64 * 100.0
    );
}

//! How many calls a core carries: `oneside serve` as a child with one worker, and calls that are sent to it over loopback.
//!
//!     cargo build --release && cargo run --release --example load -- rtp --calls 250,500,1000,2000 --seconds 20
//!
//! Each call is two streams of 20 ms packets with the speech of the samples. Told is, a line for each number of calls: the
//! server's processor time by its threads, what follows for a core that is 60 % busy, frames that came to nothing, how long
//! sweeps took since the start, and memory a call. The generator's own time is not in the server's; but what the kernel
//! does to hand a datagram over loopback is booked to whoever sends. Linux only.

#[path = "../calls/mod.rs"]
mod calls;
mod server;
mod traffic;

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::server::{Server, Times, processor_times};
use self::traffic::{Protocol, Sound, Traffic};

/// The load for which calls a core are told.
const LOAD: f64 = 0.6;
/// Bytes of a frame in a ring.
const RING_FRAME_BYTES: f64 = 2.0;
const USAGE: &str = "usage: load rtp|audiosocket [--calls N,N…] [--seconds S] [--granted PERCENT] [--threads T] \
                     [--ring-ms MS] [--server FILE] [--out DIR] [--pin] [--perf FILE]";

/// What was asked for.
struct Wanted {
    protocol: Protocol,
    calls: Vec<usize>,
    seconds: u64,
    /// Calls whose customer is stored, of a hundred.
    granted: usize,
    threads: usize,
    ring_ms: u32,
    server: PathBuf,
    out: PathBuf,
    /// The server runs on the first core alone.
    pin: bool,
    /// Where `perf record` puts what it saw of the server while it was measured.
    perf: Option<PathBuf>,
}

fn wanted() -> Result<Wanted, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let protocol = match arguments.next().as_deref() {
        Some("rtp") => Protocol::Rtp,
        Some("audiosocket") => Protocol::AudioSocket,
        _ => return Err(USAGE.into()),
    };
    let beside = std::env::current_exe()?.parent().and_then(|dir| dir.parent()).map(|dir| dir.join("oneside"));
    let mut wanted = Wanted {
        protocol,
        calls: vec![250, 500, 1_000, 2_000],
        seconds: 20,
        granted: 50,
        threads: 1,
        ring_ms: 5_000,
        server: beside.unwrap_or_default(),
        out: "/dev/shm".into(),
        pin: false,
        perf: None,
    };
    while let Some(flag) = arguments.next() {
        if flag == "--pin" {
            wanted.pin = true;
            continue;
        }
        let value = arguments.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--calls" => wanted.calls = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--seconds" => wanted.seconds = value.parse()?,
            "--granted" => wanted.granted = value.parse()?,
            "--threads" => wanted.threads = value.parse()?,
            "--ring-ms" => wanted.ring_ms = value.parse()?,
            "--server" => wanted.server = value.into(),
            "--out" => wanted.out = value.into(),
            "--perf" => wanted.perf = Some(value.into()),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(wanted)
}

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = wanted()?;
    let sound = Sound::new()?;
    println!(
        "| calls | server, % of a core | receive | shard | rest | calls a core at 60 % | lost frames | sweep p50/p99/max, ms \
         | generator, % | sent late, % | KiB a call | without rings |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for calls in &wanted.calls {
        step(&wanted, &sound, *calls)?;
    }
    Ok(())
}

/// One number of calls: begins them, lets them run in, measures, ends them.
fn step(wanted: &Wanted, sound: &Sound, calls: usize) -> Result<(), Box<dyn Error>> {
    let server = Server::start(&wanted.server, &wanted.out, wanted.ring_ms, wanted.pin)?;
    let empty = server.resident_kib();
    let traffic = Traffic::begin(wanted.protocol, &server, sound, calls, wanted.threads)?;
    std::thread::sleep(traffic.ramp() + Duration::from_secs(1));
    for call in (0..calls).filter(|call| call % 100 < wanted.granted) {
        server.grant(call)?;
    }
    // Until every ring was written to its end: a page counts once it was touched.
    std::thread::sleep(Duration::from_millis(u64::from(wanted.ring_ms) + 1_000));
    let lost_before = server.lost_frames()?;
    traffic.forget_lateness();
    let perf = wanted.perf.as_ref().map(|file| server.watched_by_perf(file, wanted.seconds)).transpose()?;
    let (began, before, own_before) = (Instant::now(), server.times(), processor_times(std::process::id()));
    std::thread::sleep(Duration::from_secs(wanted.seconds));
    let (took, after) = (began.elapsed().as_secs_f64(), server.times());
    let (own_after, late) = (processor_times(std::process::id()), traffic.late_percent());
    let resident = server.resident_kib();
    if let Some(mut perf) = perf {
        perf.wait()?;
    }
    let lost = server.lost_frames()? - lost_before;
    let [p50, p99, max] = server.sweep_ms()?;
    let in_hand = server.calls_in_hand()?;
    traffic.end();
    let sealed = server.end()?;
    if (in_hand, sealed) != (calls, calls) {
        println!("not all calls: {in_hand} in hand, {sealed} sealed");
    }
    let used = Times::between(&before, &after);
    let percent = |seconds: f64| 100.0 * seconds / took;
    let own = Times::between(&own_before, &own_after).all();
    let with = (resident - empty) as f64 / calls as f64;
    let rings = 2.0 * f64::from(wanted.ring_ms) * 8.0 * RING_FRAME_BYTES / 1_024.0;
    println!(
        "| {calls} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {lost} | {p50}/{p99}/{max} | {:.0} | {late:.2} | {with:.0} | {:.0} |",
        percent(used.all()),
        percent(used.receive),
        percent(used.shard),
        percent(used.rest),
        calls as f64 * LOAD * took / used.all(),
        percent(own),
        with - rings,
    );
    Ok(())
}

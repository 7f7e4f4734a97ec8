//! How many live calls a core carries without sockets: N calls of 8 kHz stereo on one thread, or on several, every one given 20 ms of
//! sound every 20 ms, through levels, guard, doubt, tones, detectors in banks of sixteen, lead-in and tail to where it goes.
//! What a tick takes by the clock is told: the median, what 99 of 100 do not exceed, and the longest; and how much of a
//! core's time all of them took, in which what else the machine does has no part.
//!
//!     cargo bench --bench engine -- --calls 4000
//!     cargo bench --bench engine -- --search        the most calls whose ticks' p99 is no longer than a tick
//!     --outlet files|memory    files: the worker of a live call with its files, journal and checkpoints, in a directory of
//!                              its own (--out, /dev/shm); memory: the call alone, its tracks buffered and digested nearly as
//!                              the store does, and let go
//!     --tick MS                ticks lie so far apart (20)
//!     --turns T                (1) how many ticks there are until it is a call's turn again, with all that came meanwhile: with
//!                              --tick 5, as shards do, 24: each tick six frames of a 24th of the calls
//!     --cores C                (1) threads that share the calls; the ticks of all of them are told together
//!     --granted PERCENT        calls whose customer is stored as well (50)
//!     --seconds S              measured (10), after 2 s that are not
//!
//! The core sleeps between ticks, as it does in service. Calls do not begin together. What is left
//! out is how sound gets there: sockets, jitter buffers, rings.

#[path = "../calls/mod.rs"]
mod calls;
mod files;
mod memory;
mod seats;

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::files::{Desk, Files};
use self::memory::Memory;
use self::seats::{Groups, Seat, Sound};

const FRAME_MS: usize = 20;
/// Not measured, in front, s.
const WARM_UP_SECONDS: usize = 2;
/// How closely that is searched for.
const CLOSE: f64 = 1.04;
const USAGE: &str = "usage: engine [--calls N,N…] [--search] [--outlet files|memory] [--tick MS] [--turns T] [--cores C] \
                     [--granted PERCENT] [--seconds S] [--out DIR]";

/// What was asked for.
struct Wanted {
    calls: Vec<usize>,
    search: bool,
    files: bool,
    tick_ms: usize,
    turns: usize,
    cores: usize,
    granted: usize,
    seconds: usize,
    out: PathBuf,
}

fn wanted() -> Result<Wanted, Box<dyn Error>> {
    let (calls, out) = (vec![4_000], "/dev/shm".into());
    let mut wanted = Wanted {
        calls,
        search: false,
        files: false,
        tick_ms: FRAME_MS,
        turns: 1,
        cores: 1,
        granted: 50,
        seconds: 10,
        out,
    };
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench"); // cargo says so
    while let Some(flag) = arguments.next() {
        if flag == "--search" {
            wanted.search = true;
            continue;
        }
        let value = arguments.next().ok_or(USAGE)?;
        match (flag.as_str(), value.as_str()) {
            ("--calls", _) => wanted.calls = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            ("--outlet", "files" | "memory") => wanted.files = value == "files",
            ("--tick", _) => wanted.tick_ms = value.parse::<usize>()?.clamp(1, 1_000),
            ("--turns", _) => wanted.turns = value.parse::<usize>()?.max(1),
            ("--cores", _) => wanted.cores = value.parse::<usize>()?.max(1),
            ("--granted", _) => wanted.granted = value.parse()?,
            ("--seconds", _) => wanted.seconds = value.parse()?,
            ("--out", _) => wanted.out = value.into(),
            _ => return Err(USAGE.into()),
        }
    }
    if !(wanted.turns * wanted.tick_ms).is_multiple_of(FRAME_MS) {
        return Err("a turn of every call has to take whole frames of 20 ms: --turns times --tick".into());
    }
    Ok(wanted)
}

/// Frames of a call that come until it is its turn again.
fn frames(wanted: &Wanted) -> usize {
    wanted.turns * wanted.tick_ms / FRAME_MS
}

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = wanted()?;
    let sound = Sound::new(&calls::samples()?);
    println!("oneside {}, {}", env!("CARGO_PKG_VERSION"), machine());
    println!(
        "| calls | cores | outlet | tick ms | frames a turn | customers stored | p50 ms | p99 ms | max ms | of a core |"
    );
    println!("|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|");
    if wanted.search {
        return search(&wanted, &sound);
    }
    for calls in &wanted.calls {
        measure(&wanted, &sound, *calls)?;
    }
    Ok(())
}

/// Doubles the calls until a core does not carry them, then halves what lies between.
fn search(wanted: &Wanted, sound: &Sound) -> Result<(), Box<dyn Error>> {
    let (mut carried, mut too_many) = (0, None);
    let mut calls = wanted.calls[0];
    while too_many.is_none_or(|limit| limit as f64 > carried as f64 * CLOSE) && calls > 0 {
        if measure(wanted, sound, calls)? <= wanted.tick_ms as f64 {
            carried = calls;
        } else {
            too_many = Some(calls);
        }
        calls = too_many.map_or(calls * 2, |limit: usize| carried.midpoint(limit));
    }
    println!("\n{carried} calls: the most of those tried whose p99 is at most {} ms", wanted.tick_ms);
    Ok(())
}

/// The p99 of so many calls' ticks, ms.
fn measure(wanted: &Wanted, sound: &Sound, calls: usize) -> Result<f64, Box<dyn Error>> {
    let on_core = |core: usize| run_core(wanted, sound, core, calls).map_err(|error| error.to_string());
    let ran = std::thread::scope(|scope| {
        let cores: Vec<_> = (0..wanted.cores).map(|core| scope.spawn(move || on_core(core))).collect();
        cores.into_iter().map(|core| core.join().expect("a core's thread")).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(tell(wanted, calls, ran))
}

/// What a core's ticks took, ms, and how much of its time was used, if the system says so.
struct Ran {
    took: Vec<f64>,
    used_seconds: Option<f64>,
}

/// The share of all calls that one core has.
fn run_core(wanted: &Wanted, sound: &Sound, core: usize, calls: usize) -> Result<Ran, Box<dyn Error>> {
    let calls = (core..calls).step_by(wanted.cores);
    let is_granted = |call: usize| call % 100 < wanted.granted;
    if wanted.files {
        let desk = Desk::new(&wanted.out, core)?;
        let seats = calls.map(|call| Files::begin(&desk, sound, call, frames(wanted), is_granted(call)));
        run_seats(wanted, &mut Groups::new(seats.collect::<Result<_, _>>()?, sound))
    } else {
        let seats = calls.map(|call| Memory::begin(call, is_granted(call)));
        run_seats(wanted, &mut Groups::new(seats.collect(), sound))
    }
}

fn run_seats<S: Seat>(wanted: &Wanted, groups: &mut Groups<S>) -> Result<Ran, Box<dyn Error>> {
    groups.spread();
    let tick = Duration::from_millis(wanted.tick_ms as u64);
    let (warm_up, ticks) = (ticks(wanted, WARM_UP_SECONDS), ticks(wanted, wanted.seconds));
    let mut took = Vec::with_capacity(ticks);
    let mut next = Instant::now();
    let mut used = None;
    for number in 0..warm_up + ticks {
        if number == warm_up {
            used = used_seconds();
        }
        let began = Instant::now();
        groups.turn(number % wanted.turns, wanted.turns, frames(wanted));
        if number >= warm_up {
            took.push(began.elapsed().as_secs_f64() * 1e3);
        }
        // Who is late goes on from where he is.
        next = (next + tick).max(Instant::now());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let used_seconds = used_seconds().zip(used).map(|(after, before)| after - before);
    groups.check()?;
    Ok(Ran { took, used_seconds })
}

/// Ticks of so many seconds: whole rounds, in which each call has its turn.
fn ticks(wanted: &Wanted, seconds: usize) -> usize {
    (seconds * 1_000).div_ceil(wanted.tick_ms).next_multiple_of(wanted.turns)
}

/// Prints a line, and gives the p99.
fn tell(wanted: &Wanted, calls: usize, ran: Vec<Ran>) -> f64 {
    // What one core has for so many ticks, whether they were in time or not.
    let whole = (ticks(wanted, wanted.seconds) * wanted.tick_ms * wanted.cores) as f64 / 1e3;
    let used: Option<f64> = ran.iter().map(|ran| ran.used_seconds).sum();
    let busy = used.map_or("?".into(), |used| format!("{:.0}", used * 100.0 / whole));
    let mut took: Vec<f64> = ran.into_iter().flat_map(|ran| ran.took).collect();
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took[(took.len() * percent).div_ceil(100).clamp(1, took.len()) - 1];
    let outlet = if wanted.files { "files" } else { "memory" };
    println!(
        "| {calls} | {} | {outlet} | {} | {} | {} % | {:.2} | {:.2} | {:.2} | {busy} % |",
        wanted.cores,
        wanted.tick_ms,
        frames(wanted),
        wanted.granted,
        at(50),
        at(99),
        at(100),
    );
    at(99)
}

/// Processor time of this thread, seconds; nothing where the system does not say.
fn used_seconds() -> Option<f64> {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(said.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// The processor, and what system it runs.
fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let (model, system) = (model.map_or("?", |(_, model)| model.trim()), read("/proc/sys/kernel/osrelease"));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores, {} {}", std::env::consts::OS, system.trim())
}

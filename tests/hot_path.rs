//! Zero allocations and frees per frame, held by an allocator of our own that counts; and no call of the system where a
//! source's thread pushes, held by a trace.

#![allow(unsafe_code)] // an allocator cannot be written without

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use oneside::audio::{FRAMES_PER_SECOND, MediaTime, Span, Stereo};
use oneside::call::{Call, Missing, Opening, Outlet};
use oneside::consent::{Act, Cleared, Decision, Event, Notice, PartyId, Stamped, Track};
use oneside::ring::{Inlet, Why, ring};
use oneside::run::line::{Cutter, Sides};
use oneside::run::live::arrival::ArrivalClock;
use oneside::run::live::intake::{Came, Intake, OneRing};
use oneside::run::live::meter::Meter;
use oneside::split::{AgentChannel, ChannelMap, Delivery};
use oneside::voice::{Bank, Mode, Speech};

#[path = "it/skipped.rs"]
mod skipped;

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends may free after its locals are gone; that is not ours to count.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts what is written, keeps nothing.
#[derive(Default)]
struct Sink {
    agent: u64,
    customer: u64,
}

impl Outlet for Sink {
    fn write(&mut self, sound: Cleared<'_>) {
        match sound.track() {
            Track::Agent => self.agent += sound.samples().len() as u64,
            Track::Customer => self.customer += sound.samples().len() as u64,
        }
    }

    fn erase_customer(&mut self, _span: Span) {}
}

/// Speech-like sound: a buzz that comes and goes.
fn voice(seed: u32, rate_hz: u32, seconds: u32) -> Vec<i16> {
    let mut noise = seed;
    (0..rate_hz * seconds)
        .map(|i| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let t = f64::from(i) / f64::from(rate_hz);
            let talking = ((t + f64::from(seed)) * 0.7).sin() > 0.0;
            let buzz: f64 = (1..12)
                .map(|k| {
                    (t * (90.0 + 37.0 * f64::from(seed)) * f64::from(k) * std::f64::consts::TAU).sin() / f64::from(k)
                })
                .sum();
            let hiss = f64::from((noise >> 24) as i8) / 20.0;
            (if talking { buzz * 3_000.0 } else { 0.0 } + hiss) as i16
        })
        .collect()
}

fn opening(rate_hz: u32, reach_ms: u32) -> Opening {
    Opening { reach_ms, ..Opening::new("hot", rate_hz) }
}

fn frames_allocate_nothing(rate_hz: u32, reach_ms: u32) {
    let (agent, customer) = (voice(1, rate_hz, 20), voice(3, rate_hz, 20));
    let mut call = Call::open(opening(rate_hz, reach_ms));
    let notice = Notice { notice: "std".into(), version: "1".into(), language: None };
    call.event(Stamped::new(0, None, Event::Told { party: None, notice }, rate_hz));
    let yes = Decision {
        party: PartyId::default(),
        act: Act::Dtmf { digit: '1' },
        purposes: vec!["training".into()],
        basis: None,
    };
    call.event(Stamped::new(0, None, Event::Granted(yes), rate_hz));
    let mut bank = Bank::new(1, rate_hz, Mode::default());
    let mut sink = Sink::default();
    let frame = (u64::from(rate_hz) / FRAMES_PER_SECOND) as usize;
    let mut calls = 0;
    for (number, (agent, customer)) in agent.chunks_exact(frame).zip(customer.chunks_exact(frame)).enumerate() {
        // A gap in every tenth frame; announcing one is no part of a frame.
        if number % 10 == 5 {
            let from = (number * frame + frame / 3) as u64;
            call.missing(Span::new(MediaTime(from), MediaTime(from + frame as u64 / 2)), Missing::Lost);
        }
        let before = CALLS.get();
        let sound = Stereo::new(MediaTime((number * frame) as u64), agent, customer);
        let heard = call.listen(&sound);
        let mut speech = [Speech::default()];
        bank.decide(&[heard.samples()], &mut speech);
        call.settle(&sound, speech[0], &mut sink);
        // The first frame takes the events in; events may allocate.
        if number > 0 {
            calls += CALLS.get() - before;
        }
    }
    assert!(sink.agent > 0 && sink.customer > 0, "sound passed on both sides: {} and {}", sink.agent, sink.customer);
    assert_eq!(calls, 0, "calls of the allocator while {rate_hz} Hz frames passed");
}

#[test]
fn a_frame_allocates_and_frees_nothing() {
    frames_allocate_nothing(8_000, 0);
}

#[test]
fn a_frame_of_a_call_with_a_mask_of_long_reach_allocates_and_frees_nothing() {
    frames_allocate_nothing(8_000, 5_000);
}

#[test]
fn a_frame_that_is_converted_for_the_detector_allocates_and_frees_nothing() {
    frames_allocate_nothing(48_000, 0);
}

/// Two devices at once, with a stall and a gap in between: what a worker does in each tick.
#[test]
fn aligning_two_devices_allocates_and_frees_nothing() {
    use oneside::audio::align::{Aligner, Cadence, Stamp, Whose};

    for (agent_hz, customer_hz) in [(48_000u32, 44_100u32), (8_000, 48_000)] {
        let mut aligner = Aligner::new(agent_hz, customer_hz, 8_000, Cadence::Sparse);
        let sides = [(Whose::Agent, agent_hz), (Whose::Customer, customer_hz)];
        let sound = vec![1_000; 480];
        let (mut left, mut right) = (vec![0; aligner.block()], vec![0; aligner.block()]);
        let (mut frames, mut blocks) = ([0u64; 2], 0);
        let before = CALLS.get();
        for tick in 1..1_000u64 {
            let now = 1_000_000_000 + tick * 10_000_000;
            for (i, (whose, hz)) in sides.into_iter().enumerate() {
                if i == 1 && (300..450).contains(&tick) {
                    continue; // it delivers nothing
                }
                let length = (hz / 100) as usize;
                frames[i] += length as u64;
                aligner.stamp(whose, Stamp { frames: frames[i], nanos: now, epoch: 0 }, now);
                match tick % 97 {
                    0 => aligner.skip(whose, length as u64, false),
                    _ => aligner.push(whose, &sound[..length]),
                }
            }
            while aligner.pull(now, &mut left, &mut right).is_some() {
                blocks += 1;
            }
        }
        assert_eq!(CALLS.get() - before, 0, "calls of the allocator at {agent_hz} and {customer_hz} Hz");
        assert!(blocks > 980, "{blocks} blocks came out");
    }
}

/// What the sound system's real-time thread runs: every format, more channels than are heard, pauses, a full ring.
#[cfg(feature = "capture")]
#[test]
fn the_callback_of_a_device_allocates_and_frees_nothing() {
    use std::sync::Arc;

    use oneside::audio::align::Cadence;
    use oneside::ring::{Piece, ring};
    use oneside::source::capture::{Ear, Heartbeat, Mix};

    for (mix, channels) in [(Mix::Average, 1), (Mix::Average, 6), (Mix::Pair, 2), (Mix::Pair, 8)] {
        let heard = if mix == Mix::Pair { 2 } else { 1 };
        let (inlet, mut drain) = ring(4_800, heard);
        let heartbeat = Arc::new(Heartbeat::new());
        let mut ear = Ear::new(inlet, Arc::clone(&heartbeat), mix, channels, 48_000, Cadence::Sparse);
        let floats = vec![0.25f32; 1_021 * channels];
        let bytes = vec![192u8; 480 * channels];
        let words = vec![8_192i16; 7 * channels];
        let before = CALLS.get();
        let mut now = 1_000_000_000;
        for round in 0..300u64 {
            ear.hear(&floats, now);
            ear.hear(&bytes, now + 21_270_833);
            ear.hear(&words, now + 31_270_833);
            now += if round % 50 == 0 { 500_000_000 } else { 31_416_666 };
        }
        assert_eq!(CALLS.get() - before, 0, "calls of the allocator: {mix:?} of {channels} channels");

        // Nobody read: what found no room lies on the line all the same, and what is there is right.
        let stamp = heartbeat.stamp().expect("it beats");
        assert_eq!(heartbeat.callbacks(), 900);
        assert_eq!(heartbeat.longest_callback(), 1_021);
        let (mut sound, mut gaps, mut block) = (0, 0, vec![0; 960]);
        drop(ear);
        loop {
            match drain.read(&mut block) {
                Piece::Sound(frames) => {
                    sound += frames as u64;
                    let right = |sample: &i16| [8_191, 8_192, 16_384].contains(sample);
                    assert!(block[..frames * heard].iter().all(right), "{:?}", &block[..4]);
                }
                Piece::Gap { frames, .. } => gaps += frames,
                Piece::Nothing | Piece::Ended => break,
            }
        }
        assert_eq!((sound, sound + gaps), (4_800, stamp.frames));
    }
}

#[test]
fn the_allocator_counts() {
    let before = CALLS.get();
    drop(std::hint::black_box(Box::new(7)));
    assert_eq!(CALLS.get() - before, 2);
}

/// A ring of half a second of two channels, and what reads it.
fn live_ends(rate_hz: u32, call_hz: u32) -> (Inlet, OneRing, Sides) {
    let (inlet, drain) = ring(rate_hz as usize / 2, 2);
    let delivery = Delivery::Both(ChannelMap::new(AgentChannel(0), 2).unwrap());
    let clock = ArrivalClock::new(rate_hz, 100);
    (inlet, OneRing::new(drain, delivery, rate_hz, call_hz, Some(clock)), Sides::new(rate_hz, call_hz))
}

fn interleaved(rate_hz: u32, seconds: u32) -> Vec<i16> {
    voice(1, rate_hz, seconds).into_iter().zip(voice(3, rate_hz, seconds)).flat_map(|(a, c)| [a, c]).collect()
}

#[test]
fn a_push_into_the_ring_allocates_and_frees_nothing_also_when_it_is_full() {
    let sound = interleaved(8_000, 4);
    let (mut inlet, mut drain) = ring(4_000, 2);
    let mut block = vec![0; 2_000];
    let (mut calls, mut lost) = (0, 0);
    for (number, piece) in sound.chunks(322).enumerate() {
        let before = CALLS.get();
        lost += inlet.push(piece);
        if number % 50 == 0 {
            inlet.skip(7, Why::Source);
        }
        calls += CALLS.get() - before;
        if number > 60 {
            drain.read(&mut block);
        }
    }
    assert!(lost > 0, "it was full");
    assert_eq!(calls, 0, "calls of the allocator while {} samples were pushed", sound.len());
}

/// What a worker does with a frame, but for what it writes: from the ring to the door.
fn live_frames_allocate_nothing(rate_hz: u32, call_hz: u32) {
    let sound = interleaved(rate_hz, 20);
    let (mut inlet, mut intake, mut sides) = live_ends(rate_hz, call_hz);
    let mut call = Call::open(opening(call_hz, 0));
    let (mut line, mut bank) = (Cutter::new(call_hz), Bank::new(1, call_hz, Mode::default()));
    let (mut sink, mut meter) = (Sink::default(), Meter::default());
    let mut calls = 0;
    for (number, packet) in sound.chunks(2 * rate_hz as usize / 50).enumerate() {
        inlet.push(packet);
        let before = CALLS.get();
        let came = intake.take(number as u64 * 20_000_000, false, &mut sides);
        while line.listen(MediaTime(u64::MAX), false, &mut call, &mut sides) {
            let mut speech = [Speech::default()];
            bank.decide(&[line.heard(&sides)], &mut speech);
            meter.hear(&line.sound(&sides), speech[0]);
            line.settle(speech[0], &mut call, &sides, &mut sink);
        }
        assert!(matches!(came, Came::Sound(_)), "packet {number}: {came:?}");
        if number == 0 {
            grant(&mut call, call_hz, &mut sink);
        } else {
            calls += CALLS.get() - before;
        }
    }
    assert!(sink.agent > 0 && sink.customer > 0, "sound passed on both sides: {} and {}", sink.agent, sink.customer);
    assert_eq!(calls, 0, "calls of the allocator while live frames passed, {rate_hz} to {call_hz} Hz");
}

fn grant(call: &mut Call, rate_hz: u32, sink: &mut Sink) {
    let notice = Notice { notice: "std".into(), version: "1".into(), language: None };
    let told = Event::Told { party: None, notice };
    let yes = Decision {
        party: PartyId::default(),
        act: Act::Dtmf { digit: '1' },
        purposes: vec!["training".into()],
        basis: None,
    };
    for event in [told, Event::Granted(yes)] {
        call.take_now(Stamped::placed(call.position(), None, event, rate_hz), sink);
    }
}

#[test]
fn a_live_frame_allocates_and_frees_nothing_from_the_ring_to_the_door() {
    live_frames_allocate_nothing(8_000, 8_000);
    live_frames_allocate_nothing(48_000, 48_000);
}

#[test]
fn a_live_frame_at_another_rate_allocates_and_frees_nothing_either() {
    live_frames_allocate_nothing(48_000, 8_000);
    live_frames_allocate_nothing(8_000, 16_000);
}

/// Pushes a million times between two calls of the system that a trace shows. Run by the test below.
#[test]
#[ignore = "watched: run under strace by the test that looks for calls of the system"]
fn a_million_pushes_between_two_marks() {
    let (mut inlet, mut drain) = ring(4_000, 2);
    let (sound, mut block) = ([7; 64], vec![0; 4_000]);
    let mark = |name: &str| assert!(std::fs::metadata(format!("/oneside-mark-{name}")).is_err());
    mark("begin");
    let mut lost = 0;
    for number in 0..1_000_000u32 {
        lost += inlet.push(&sound);
        // Every thousandth time nobody has read for long: it is full.
        if number % 1_000 > 300 {
            drain.read(&mut block);
        }
    }
    mark("end");
    assert!(lost > 0, "it was full now and then");
}

#[test]
#[cfg(target_os = "linux")]
fn a_push_into_the_ring_calls_the_system_for_nothing() {
    use std::process::Command;

    let trace = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hot-path-trace.txt");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(&trace).arg(std::env::current_exe().unwrap());
    strace.args(["--exact", "a_million_pushes_between_two_marks", "--include-ignored"]);
    let ran = match strace.output() {
        Ok(ran) => ran,
        Err(error) => return skipped::skipped(format!("no strace: {error}")),
    };
    let text = std::fs::read_to_string(&trace).unwrap_or_default();
    if text.is_empty() {
        return skipped::skipped(format!("strace may not trace here: {}", String::from_utf8_lossy(&ran.stderr)));
    }
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    let lines: Vec<&str> = text.lines().collect();
    let place = |name: &str| lines.iter().position(|line| line.contains(name)).expect("the mark is seen");
    let (begin, end) = (place("oneside-mark-begin"), place("oneside-mark-end"));
    let thread = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let own = thread(lines[begin]);
    assert_eq!(own, thread(lines[end]), "one thread pushes");
    let between: Vec<&&str> = lines[begin + 1..end].iter().filter(|line| thread(line) == own).collect();
    // A timer of the kernel may be seen; nothing that was asked for.
    let calls: Vec<_> = between.into_iter().filter(|line| !line.contains("--- SIG")).collect();
    assert!(calls.is_empty(), "calls of the system while a million pushes were made: {calls:?}");
    let _ = std::fs::remove_file(&trace);
}

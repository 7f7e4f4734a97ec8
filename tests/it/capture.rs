//! The sound devices, against a private PulseAudio daemon: real speech played by `paplay`, captured through cpal, compared
//! with what was played.
//!
//! The tests that need the daemon run inside of it: the outer test starts `tests/pulse.sh`, which starts this program
//! again for the inner one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use oneside::audio::align::{Aligned, Aligner, Whose};
use oneside::audio::rate::Converter;
use oneside::ring::{Piece, Why};
use oneside::source::capture::{Capture, Condition, Pick, Spec, open};
use realfft::RealFftPlanner;

use crate::encode;
use crate::skipped::skipped;

/// Rate of the sample call, Hz.
pub const SAMPLE_HZ: u32 = 8_000;
/// Rate at which is captured and compared: the call's rate would cut what lies at its band's edge.
pub const HZ: u32 = 16_000;
/// Rate at which is played: that of the sinks, so that the daemon converts nothing.
pub const PLAY_HZ: u32 = 48_000;
/// Places between two samples at which a correlation is looked at.
const FINER: usize = 8;
const INSIDE: &str = "INSIDE_PRIVATE_PULSE";

/// A daemon is real time: one at a time, or they disturb each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs a test of this program, by its whole name, inside a private daemon; true if this is the inner run.
pub fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let _one = ONE_AT_A_TIME.lock();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pulse.sh");
    let status = Command::new(script)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .status()
        .expect("bash is there");
    match status.code() {
        Some(77) => skipped("needs pulseaudio and pulseaudio-utils"),
        _ => assert!(status.success(), "{test} inside the private daemon: {status}"),
    }
    false
}

/// Both sides of the sample call, speech, at another rate.
pub fn speech(rate_hz: u32) -> (Vec<i16>, Vec<i16>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/calls/granted.wav");
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (SAMPLE_HZ, 2));
    let both: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    let side = |side: usize| {
        let mut converter = Converter::new(SAMPLE_HZ, rate_hz, rate_hz as usize / 100, 128);
        let (mut out, mut block) = (Vec::new(), vec![0; rate_hz as usize / 100]);
        converter.push(&both[side..].iter().step_by(2).copied().collect::<Vec<_>>());
        while converter.pull(&mut block) {
            out.extend_from_slice(&block);
        }
        out
    };
    (side(0), side(1))
}

pub fn wav(name: &str, channels: u16, samples: &[i16]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("capture-{name}-{}.wav", std::process::id()));
    std::fs::write(&path, encode::wav16(samples, channels, PLAY_HZ)).unwrap();
    path.to_str().unwrap().to_owned()
}

pub fn play(sink: &str, file: &str) -> Child {
    Command::new("paplay").arg(format!("--device={sink}")).arg(file).spawn().expect("paplay starts")
}

pub fn pactl(arguments: &[&str]) -> String {
    let out = Command::new("pactl").args(arguments).output().expect("pactl starts");
    assert!(out.status.success(), "pactl {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// A worker in small: drains, aligns, keeps what came out.
struct Worker {
    capture: Capture,
    aligner: Aligner,
    sound: [Vec<i16>; 2],
    missing: Vec<Aligned>,
    gap_frames: [u64; 2],
    overruns: u64,
    worst_wait_ms: f64,
}

impl Worker {
    fn two(agent: &str, customer: &str) -> Worker {
        let spec = Spec::Two { agent: Pick::named(agent), customer: Pick::named(customer) };
        let capture = open(&spec).unwrap_or_else(|error| panic!("{error}"));
        let [a, b] = &capture.lines[..] else { panic!("two lines") };
        println!(
            "agent: {} | {:?} frames; customer: {} | {:?} frames",
            a.opened_as, a.buffer_frames, b.opened_as, b.buffer_frames
        );
        let aligner = Aligner::new(a.rate_hz, b.rate_hz, HZ, b.cadence);
        Worker::new(capture, aligner)
    }

    fn new(capture: Capture, aligner: Aligner) -> Worker {
        let (sound, missing) = (Default::default(), Vec::new());
        Worker { capture, aligner, sound, missing, gap_frames: [0; 2], overruns: 0, worst_wait_ms: 0.0 }
    }

    /// Works for so long, or until `until` says so.
    fn work(&mut self, seconds: f64, mut until: impl FnMut(&Worker) -> bool) -> bool {
        let begun = Instant::now();
        while begun.elapsed().as_secs_f64() < seconds {
            self.tick();
            if until(self) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn tick(&mut self) {
        let now = self.capture.now_ns();
        let one = self.capture.lines.len() == 1;
        for (i, line) in self.capture.lines.iter_mut().enumerate() {
            let whose = if i == 0 { Whose::Agent } else { Whose::Customer };
            if let Some(stamp) = line.heartbeat.stamp() {
                self.aligner.stamp(whose, stamp, now);
                if one {
                    self.aligner.stamp(Whose::Customer, stamp, now);
                }
            }
            let mut block = [0; 1_920];
            loop {
                match line.drain.read(&mut block) {
                    Piece::Sound(frames) if one => {
                        for (whose, side) in [(Whose::Agent, 0), (Whose::Customer, 1)] {
                            let mono: Vec<i16> = block[side..2 * frames].iter().step_by(2).copied().collect();
                            self.aligner.push(whose, &mono);
                        }
                    }
                    Piece::Sound(frames) => self.aligner.push(whose, &block[..frames]),
                    Piece::Gap { frames, why } => {
                        self.gap_frames[i] += frames;
                        self.overruns += u64::from(why == Why::Overrun);
                        self.aligner.skip(whose, frames, false);
                        if one {
                            self.aligner.skip(Whose::Customer, frames, false);
                        }
                    }
                    Piece::Nothing | Piece::Ended => break,
                }
            }
        }
        let (mut left, mut right) = (vec![0; self.aligner.block()], vec![0; self.aligner.block()]);
        while let Some(missing) = self.aligner.pull(now, &mut left, &mut right) {
            self.sound[0].extend_from_slice(&left);
            self.sound[1].extend_from_slice(&right);
            self.missing.push(missing);
        }
        if let Some(sample) = self.aligner.sample_at(now).filter(|_| self.sound[0].len() > 2 * HZ as usize) {
            let wait = (sample as f64 - self.aligner.given() as f64) * 1e3 / f64::from(HZ);
            self.worst_wait_ms = self.worst_wait_ms.max(wait);
        }
    }

    fn condition(&self, line: usize) -> Condition {
        self.capture.lines[line].heartbeat.condition()
    }

    fn until_all_live(&mut self) {
        let live =
            |worker: &Worker| (0..worker.capture.lines.len()).all(|line| worker.condition(line) == Condition::Live);
        assert!(self.work(8.0, live), "the devices deliver within 8 s");
    }

    fn report(&self) {
        for line in &self.capture.lines {
            let beat = &line.heartbeat;
            println!(
                "{}: {} callbacks of up to {} frames, device's delay up to {:.1} ms, {} xruns, {:?}",
                line.id,
                beat.callbacks(),
                beat.longest_callback(),
                beat.device_delay_ns() as f64 / 1e6,
                beat.xruns(),
                beat.last_error()
            );
        }
        println!("drift {:.1} ppm, longest wait {:.0} ms", self.aligner.drift_ppm(), self.worst_wait_ms);
    }
}

/// The best lag (samples by which `captured` lies behind `played`) and the correlation there, of a stretch of the
/// captured sound that is as long as what was played.
pub fn correlate(captured: &[i16], played: &[i16]) -> (f64, f64) {
    let length = (captured.len() + played.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let (forth, back) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length * FINER));
    let spectrum = |samples: &[i16]| {
        let mut time = vec![0.0; length];
        time.iter_mut().zip(samples).for_each(|(out, sample)| *out = f64::from(*sample));
        let mut spectrum = forth.make_output_vec();
        forth.process(&mut time, &mut spectrum).unwrap();
        spectrum
    };
    let mut product: Vec<_> = spectrum(captured).iter().zip(spectrum(played)).map(|(a, b)| a * b.conj()).collect();
    product[0].im = 0.0;
    product.resize(length * FINER / 2 + 1, Default::default());
    let mut correlation = back.make_output_vec();
    back.process(&mut product, &mut correlation).unwrap();
    let lags = 0..captured.len() * FINER;
    let lag = lags.max_by(|a, b| correlation[*a].abs().total_cmp(&correlation[*b].abs())).unwrap();
    let from = lag / FINER;
    let stretch = &captured[from..(from + played.len()).min(captured.len())];
    let energy = |samples: &[i16]| samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
    let scale = (energy(stretch) * energy(played)).sqrt().max(1.0);
    (lag as f64 / FINER as f64, correlation[lag] / length as f64 / scale)
}

/// Both sides are what was played, neither is the other, and they lie together: in each 5 s in which both are heard.
fn compare(worker: &Worker, agent: &[i16], customer: &[i16]) {
    let part = 5 * HZ as usize;
    let mut heard = 0;
    for (agent, customer) in agent.chunks(part).zip(customer.chunks(part)) {
        let loud = |samples: &[i16]| samples.iter().filter(|sample| sample.abs() > 500).count() > part / 50;
        if !(loud(agent) && loud(customer)) {
            continue;
        }
        heard += 1;
        let own = [correlate(&worker.sound[0], agent), correlate(&worker.sound[1], customer)];
        let cross = [correlate(&worker.sound[0], customer).1, correlate(&worker.sound[1], agent).1];
        let offset_ms = (own[0].0 - own[1].0) * 1e3 / f64::from(HZ);
        println!(
            "own {:.4} {:.4}, cross {:.4} {:.4}, offset {offset_ms:.2} ms",
            own[0].1, own[1].1, cross[0], cross[1]
        );
        assert!(own.iter().all(|(_, correlation)| *correlation > 0.97), "{own:?}");
        assert!(cross.iter().all(|correlation| correlation.abs() < 0.3), "{cross:?}");
        assert!(offset_ms.abs() < 20.0, "{offset_ms} ms");
    }
    assert!(heard > 0, "the sample has 5 s in which both are heard");
}

fn play_and_capture(worker: &mut Worker, name: &str) {
    let (agent, customer) = speech(PLAY_HZ);
    let both: Vec<i16> = agent.iter().zip(&customer).flat_map(|(a, b)| [*a, *b]).collect();
    let file = wav(name, 2, &both);
    worker.until_all_live();
    let mut player = play("call", &file);
    worker.work(agent.len() as f64 / f64::from(PLAY_HZ) + 2.0, |_| false);
    assert!(player.wait().unwrap().success());
    std::fs::remove_file(&file).unwrap();
    worker.report();
    let (agent, customer) = speech(HZ);
    compare(worker, &agent, &customer);
    assert_eq!((worker.gap_frames, worker.overruns), ([0, 0], 0));
}

#[test]
fn two_devices_capture_what_was_played_each_its_own_side() {
    if inside("capture::two_devices_capture_what_was_played_each_its_own_side") {
        play_and_capture(&mut Worker::two("Agent's micro", "monitor*phones"), "two");
    }
}

#[test]
fn one_two_channel_device_captures_both_sides() {
    if inside("capture::one_two_channel_device_captures_both_sides") {
        let capture = open(&Spec::One(Pick::named("both_sides"))).unwrap_or_else(|error| panic!("{error}"));
        let aligner = Aligner::one_clock(capture.lines[0].rate_hz, HZ);
        play_and_capture(&mut Worker::new(capture, aligner), "one");
    }
}

#[test]
fn an_unplugged_device_is_noticed_within_a_second_and_resumes_as_itself() {
    if !inside("capture::an_unplugged_device_is_noticed_within_a_second_and_resumes_as_itself") {
        return;
    }
    let (agent, customer) = speech(PLAY_HZ);
    let (file, other) = (wav("customer", 1, &customer), wav("other", 1, &agent));
    let mut worker = Worker::two("agent_mic", "usb_headset");
    worker.until_all_live();
    worker.work(1.0, |_| false);

    let modules = pactl(&["list", "short", "modules"]);
    let headset = modules.lines().find(|line| line.contains("sink_name=headset")).expect("it is plugged in");
    pactl(&["unload-module", headset.split('\t').next().unwrap()]);
    let unplugged = Instant::now();
    let gone = |worker: &Worker| matches!(worker.condition(1), Condition::Lost | Condition::Stalled);
    assert!(worker.work(3.0, gone), "it is noticed");
    println!(
        "{:?} after {} ms: {:?}",
        worker.condition(1),
        unplugged.elapsed().as_millis(),
        worker.capture.lines[1].heartbeat.last_error()
    );
    assert!(unplugged.elapsed() < Duration::from_secs(1));

    // Another device sounds meanwhile. None of that may come in.
    let mut player = play("elsewhere", &other);
    let before = worker.sound[1].len();
    worker.work(3.0, |_| false);
    let _ = player.kill();
    player.wait().unwrap();
    assert!(gone(&worker), "{:?}", worker.condition(1));
    let meanwhile = &worker.sound[1][before + HZ as usize / 4..];
    assert!(
        meanwhile.len() > HZ as usize * 3 / 2 && meanwhile.iter().all(|sample| *sample == 0),
        "{}",
        meanwhile.len()
    );
    assert!(worker.sound[0].len() > before + HZ as usize * 2, "the agent's side goes on");

    pactl(&["load-module", "module-null-sink", "sink_name=headset", "channels=1", "rate=44100"]);
    let plugged = Instant::now();
    assert!(worker.work(6.0, |worker| worker.condition(1) == Condition::Live), "it resumes");
    println!("live again after {} ms", plugged.elapsed().as_millis());
    let mut player = play("headset", &file);
    worker.work(customer.len() as f64 / f64::from(PLAY_HZ) + 1.5, |_| false);
    assert!(player.wait().unwrap().success());
    worker.report();

    let hz = f64::from(worker.capture.lines[1].rate_hz);
    let away = (plugged - unplugged).as_secs_f64();
    let gap = worker.gap_frames[1] as f64 / hz;
    println!("away {away:.2} s and the time to open; gap {gap:.2} s");
    assert!(gap > away - 0.2 && gap < away + 6.0, "the gap is marked: {gap:.2} s");
    assert_eq!((worker.gap_frames[0], worker.overruns), (0, 0));
    // Without the silence in which the sample begins.
    let (_, correlation) = correlate(&worker.sound[1], &speech(HZ).1[5 * HZ as usize..10 * HZ as usize]);
    println!("correlation of what was said after its return {correlation:.4}");
    assert!(correlation > 0.95, "{correlation}");
    for file in [file, other] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn devices_are_listed_and_a_missing_one_shows_those_that_are_there() {
    if !inside("capture::devices_are_listed_and_a_missing_one_shows_those_that_are_there") {
        return;
    }
    let run = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_oneside")).args(arguments).output().unwrap();
        assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let text = run(&["devices"]);
    println!("{text}");
    assert!(text.contains("usb_headset") && text.contains("USB headset"), "{text}");
    let list: serde_json::Value = serde_json::from_str(&run(&["devices", "--json"])).unwrap();
    let headset = list.as_array().unwrap().iter().find(|device| device["id"] == "usb_headset").expect("it is listed");
    assert_eq!((&headset["input"], &headset["error"]), (&true.into(), &serde_json::Value::Null));
    assert!(headset["channels"].as_array().is_some_and(|channels| !channels.is_empty()), "{headset}");

    let two = |agent: &str, customer: &str| {
        let spec = Spec::Two { agent: Pick::named(agent), customer: Pick::named(customer) };
        open(&spec).err().expect("it cannot be opened").to_string()
    };
    let error = two("jabra", "usb_headset");
    assert!(error.contains("`jabra`") && error.contains("USB headset (usb_headset)"), "{error}");
    let error = two("agent's", "usb_headset");
    assert!(
        error.contains("matches several") && error.contains("agent_mic") && error.contains("agent_phones"),
        "{error}"
    );
    assert!(two("usb_headset", "USB*").contains("cannot both be"));
}

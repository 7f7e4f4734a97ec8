//! The conversation goes on whatever becomes of its recording: what passes through is what came, byte for byte (ROB-06).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use oneside::config::{Raw, Sided, resolve};
use oneside::relay::{PassThrough, Relay};
use oneside::ring::ring;
use oneside::run::line::BLOCK;
use oneside::run::live::intake::OneRing;
use oneside::run::live::{Desk, Ended, LiveOrders, NewCall, Sound, start};
use oneside::source::RawFormat;
use oneside::source::pipe::{PipeInput, PipeSource};
use oneside::split::{AgentChannel, ChannelMap, Delivery};

use super::broken_intake::Broken;
use super::common::{RATE, Ran, Scratch, agent, canary, interleave};
use super::encode;
use super::live_common::{BYTES_PER_S, Live, STEREO, asked, pipe, until};
use super::skipped::skipped;

fn call(seconds: usize, seed: u64) -> Vec<u8> {
    encode::body(&interleave(&[&agent(seconds), &canary(seconds, seed)]), encode::s16le)
}

/// Sends these bytes at once, and gives back what is handed on.
fn through(live: &mut Live, bytes: &[u8]) -> Vec<u8> {
    let (mut input, mut output) = (live.input.take().unwrap(), live.output());
    let bytes = bytes.to_vec();
    let sender = thread::spawn(move || input.write_all(&bytes).unwrap());
    let mut passed = Vec::new();
    output.read_to_end(&mut passed).unwrap();
    sender.join().unwrap();
    passed
}

#[test]
fn while_all_is_well_every_byte_is_handed_on_also_half_a_frame() {
    let scratch = Scratch::new("relay-well");
    let bytes = [call(4, 1), vec![9; 3]].concat();
    let mut live = Live::start(scratch.command(&pipe("call", &["--pass-through", "original"])));
    assert!(through(&mut live, &bytes) == bytes);
    live.ended().ends(0);
    let mut wav = encode::wav16(&interleave(&[&agent(4), &canary(4, 1)]), 2, RATE);
    wav[40..44].copy_from_slice(&0x7FFF_F000u32.to_le_bytes());
    let arguments = ["pipe", "--call", "wav", "--out", "out", "--preset", "stereo-agent-left"];
    let arguments = [&arguments[..5], &["--agent-channel", "left", "--pass-through", "original"]].concat();
    let mut live = Live::start(scratch.command(&arguments));
    assert!(through(&mut live, &wav) == wav);
    live.ended().ends(0);
}

#[test]
fn of_the_agents_side_alone_everybody_else_is_silent_in_every_encoding() {
    let scratch = Scratch::new("relay-agent");
    let (agent, customer) = (agent(3), canary(3, 2));
    let cases: [(&str, encode::Put, &[u8]); 3] = [
        ("s16le", encode::s16le, &[0, 0]),
        ("mulaw", |v, b| b.push(encode::mulaw(v)), &[0xFF]),
        ("alaw", |v, b| b.push(encode::alaw(v)), &[0xD5]),
    ];
    for (encoding, put, silence) in cases {
        for side in ["left", "right"] {
            let channels: [&[i16]; 2] = if side == "left" { [&agent, &customer] } else { [&customer, &agent] };
            let bytes = encode::body(&interleave(&channels), put);
            let mut expected = bytes.clone();
            let other = if side == "left" { silence.len() } else { 0 };
            expected
                .chunks_mut(2 * silence.len())
                .for_each(|f| f[other..other + silence.len()].copy_from_slice(silence));
            let name = format!("{encoding}-{side}");
            let format = ["--raw", encoding, "--rate", "8000", "--channels", "2", "--agent-channel", side];
            let to = ["pipe", "--call", &name, "--out", "out", "--pass-through", "agent"];
            let mut live = Live::start(scratch.command(&[&to[..], &format].concat()));
            assert!(through(&mut live, &bytes) == expected, "{name}");
            live.ended().ends(0);
            assert!(scratch.has(&format!("out/{name}.agent.wav")));
        }
    }
}

/// A file system of a given size, as long as it lives.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf) -> Option<Disk> {
        fs::create_dir_all(&path).unwrap();
        let ran = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(&path).output();
        ran.is_ok_and(|ran| ran.status.success()).then_some(Disk(path))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_fills_up_ends_the_recording_and_not_the_conversation() {
    let scratch = Scratch::new("relay-full");
    let Some(_disk) = Disk::mount(scratch.at("out")) else {
        skipped("this user may not mount a small disk");
        return;
    };
    scratch.file("out/ballast", &vec![1; 3 << 20]);
    let bytes = call(120, 3);
    let more = ["--pass-through", "original", "--http", "0", "--speech", "--json"];
    let mut live = Live::start(scratch.command(&pipe("call", &more)));
    let (mut input, mut output) = (live.input.take().unwrap(), live.output());
    let reader = thread::spawn(move || {
        let mut passed = Vec::new();
        output.read_to_end(&mut passed).unwrap();
        passed
    });
    let half = 60 * BYTES_PER_S;
    input.write_all(&bytes[..half]).unwrap();
    // Whoever looks is told, and what is asked is still on the record.
    until("the disk is full", || asked(&live.address(), "GET", "/health", "").0 == 503);
    let state = asked(&live.address(), "GET", "/v1/calls/call", "").1;
    assert!(state.contains("not_recording") && state.contains("\"why\":"), "{state}");
    let told = asked(&live.address(), "POST", "/v1/calls/call/told", r#"{"notice":"n","version":"1"}"#);
    assert_eq!(told.0, 200, "{}", told.1);
    input.write_all(&bytes[half..]).unwrap();
    drop(input);
    assert!(reader.join().unwrap() == bytes, "what passes through is what came");
    let ran = live.ended().ends(5);
    ran.complains(&["\"result\":\"interrupted\""]);
    fs::remove_file(scratch.at("out/ballast")).unwrap();
    let manifest = scratch.json("out/call.json");
    assert_eq!(manifest["result"], "interrupted");
    assert_eq!(manifest["ledger"][0]["event"], "told", "what was asked then is on the record");
    let stored = scratch.sound("out/call.agent.wav");
    assert!(stored.len() > RATE as usize && stored.len() < 120 * RATE as usize, "{} samples", stored.len());
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn a_call_that_cannot_be_begun_is_handed_on_all_the_same() {
    let scratch = Scratch::new("relay-nowhere");
    scratch.file("out", b"no directory");
    let bytes = call(4, 4);
    let mut live = Live::start(scratch.command(&pipe("call", &["--pass-through", "original"])));
    assert!(through(&mut live, &bytes) == bytes);
    live.ended().ends(5).complains(&["NOT RECORDING"]);
    // Nor where too little is free.
    let arguments = [&pipe("call", &["--pass-through", "original", "--free-min-mib", "99999999"])[..]].concat();
    let arguments: Vec<&str> = arguments.into_iter().map(|word| if word == "out" { "free" } else { word }).collect();
    let at = arguments.iter().position(|word| *word == "--free-min-mib").unwrap();
    let arguments = [&arguments[..at], &arguments[at + 2..]].concat();
    let mut live = Live::start(scratch.command(&arguments));
    assert!(through(&mut live, &bytes) == bytes);
    live.ended().ends(5).complains(&["NOT RECORDING"]);
}

#[test]
fn nobody_who_listens_any_more_ends_a_recording() {
    let scratch = Scratch::new("relay-unheard");
    let bytes = call(6, 5);
    scratch.file("in/call.raw", &bytes);
    scratch.run(&[&["batch", "in", "--out", "batch"][..], &STEREO].concat()).ends(0);
    let mut live = Live::start(scratch.command(&pipe("call", &["--pass-through", "original"])));
    let (mut input, mut output) = (live.input.take().unwrap(), live.output());
    input.write_all(&bytes[..BYTES_PER_S]).unwrap();
    output.read_exact(&mut [0; 1_000]).unwrap();
    drop(output);
    input.write_all(&bytes[BYTES_PER_S..]).unwrap();
    drop(input);
    live.ended().ends(0);
    assert!(scratch.files("out")["call.agent.wav"] == scratch.files("batch")["call.agent.wav"]);
}

#[test]
fn a_listener_who_is_slow_hears_all_and_nothing_is_lost() {
    let scratch = Scratch::new("relay-slow");
    let bytes = call(8, 6);
    scratch.file("in/call.raw", &bytes);
    scratch.run(&[&["batch", "in", "--out", "batch"][..], &STEREO].concat()).ends(0);
    let mut live = Live::start(scratch.command(&pipe("call", &["--pass-through", "original"])));
    let (mut input, mut output) = (live.input.take().unwrap(), live.output());
    let sent = bytes.clone();
    let sender = thread::spawn(move || input.write_all(&sent).unwrap());
    let (mut passed, mut piece) = (Vec::new(), [0; 4_096]);
    loop {
        match output.read(&mut piece).unwrap() {
            0 => break,
            read => passed.extend_from_slice(&piece[..read]),
        }
        thread::sleep(Duration::from_millis(20));
    }
    sender.join().unwrap();
    assert!(passed == bytes);
    live.ended().ends(0);
    let manifest = scratch.json("out/call.json");
    assert_eq!(manifest["tally"]["agent"]["left_out"].get("lost"), None, "{manifest}");
    // Between the pieces lies nothing on purpose, either: it comes faster than real time.
    assert!(scratch.files("out")["call.agent.wav"] == scratch.files("batch")["call.agent.wav"]);
}

#[test]
fn a_regular_file_gets_the_whole_call_only_if_the_danger_is_named() {
    let scratch = Scratch::new("relay-file");
    let bytes = call(3, 7);
    scratch.file("sound.raw", &bytes);
    let run = |arguments: &[&str]| {
        let mut command = scratch.command(arguments);
        command.stdin(File::open(scratch.at("sound.raw")).unwrap());
        command.stdout(File::options().append(true).create(true).open(scratch.at("passed.raw")).unwrap());
        Ran::of(command.output().unwrap(), arguments)
    };
    for what in ["original", "agent"] {
        run(&pipe("call", &["--pass-through", what])).ends(2).complains(&["regular file", "[danger]"]);
        assert!(!scratch.has("out") && fs::read(scratch.at("passed.raw")).unwrap().is_empty(), "{what}");
    }
    scratch.file("danger.toml", b"[danger]\npass_through_to_file = true\n");
    let ran = run(&pipe("call", &["--pass-through", "original", "--config", "danger.toml"])).ends(0);
    ran.complains(&["[danger]", "without consent"]);
    assert!(fs::read(scratch.at("passed.raw")).unwrap() == bytes);
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A call of the library whose worker breaks; what it handed on, and how it ended if it does.
fn broken(scratch: &Scratch, bytes: &[u8], how: fn()) -> (Vec<u8>, Arc<Desk>, thread::JoinHandle<()>) {
    let raw = Raw { agent_channel: Some("left".into()), free_min_mib: Some(0), ..Raw::default() };
    let settings = resolve(Raw::default(), Raw::default(), raw, Sided::ByKnobs).unwrap();
    let orders = LiveOrders { out: scratch.at("out"), settings, revoked: Default::default(), namer: None };
    let delivery = Delivery::Both(ChannelMap::new(AgentChannel(0), 2).unwrap());
    let (inlet, drain) = ring(2 * RATE as usize, 2);
    let inner = OneRing::new(drain, delivery, RATE, RATE, None);
    let intake = Box::new(Broken { inner, left: 4, how });
    let sound =
        Sound { delivery, source_hz: RATE, rate_hz: RATE, encoding: "test".into(), intake, block_frames: BLOCK };
    let desk = Arc::new(Desk::default());
    let new = NewCall::new("call".into(), sound);
    let (_, worker) = start(&Arc::new(orders), &desk, new).unwrap();
    scratch.file("sound.raw", bytes);
    let input = PipeInput::Path(scratch.at("sound.raw"));
    let source = PipeSource::open(&input, Some(&RawFormat::new("s16le", RATE, 2).unwrap())).unwrap();
    let heard = Heard::default();
    let mut relay = Relay::new(PassThrough::Original, Box::new(heard.clone()));
    source.run(inlet, Some((&mut relay, Some(0))), &AtomicBool::new(false)).unwrap();
    let passed = heard.0.lock().unwrap().clone();
    (passed, desk, worker)
}

#[test]
fn a_recorder_that_panics_takes_nothing_with_it_and_what_it_had_is_sealed() {
    let scratch = Scratch::new("relay-panic");
    let bytes = call(20, 8);
    let (passed, desk, worker) = broken(&scratch, &bytes, || panic!("on purpose, in a test"));
    assert!(passed == bytes);
    worker.join().unwrap();
    let ended: Vec<Ended> = desk.ended();
    assert_eq!((ended.len(), ended[0].result.as_str()), (1, "interrupted"));
    assert!(ended[0].error.as_ref().is_some_and(|error| error.contains("on purpose")), "{ended:?}");
    assert!(desk.is_idle());
    let manifest = scratch.json("out/call.json");
    assert_eq!((&manifest["result"], manifest["seal"].as_str()), (&"interrupted".into(), ended[0].manifest.as_deref()));
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn a_store_that_never_answers_holds_nobody_up() {
    let scratch = Scratch::new("relay-dead");
    let bytes = call(60, 9);
    let stuck = || loop {
        thread::park();
    };
    let (passed, desk, worker) = broken(&scratch, &bytes, stuck);
    assert!(passed == bytes);
    assert!(!worker.is_finished() && !desk.is_idle(), "the recorder is still stuck");
    // It is in somebody's hand as long as this process lives: nobody else seals it.
    scratch.run(&pipe("other", &[])).ends(0);
    assert!(scratch.has("out/.live/call") && !scratch.has("out/call.json"));
}

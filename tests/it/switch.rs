//! The samples for switches: the commands of the pages as they are written, and the scripts with the byte shapes that
//! Asterisk and FreeSWITCH were measured to send.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::common::Scratch;
use super::encode;
use super::live_common::{Pace, Sender, together, until};
use super::skipped::skipped;

/// Samples a second of the sample calls.
const RATE: usize = 8_000;
/// What a missing side is filled with in FreeSWITCH's stereo.
const FILLER: i16 = -1;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A directory with `samples/` in it, and `oneside` on its path.
fn desk(name: &str) -> Scratch {
    let scratch = Scratch::new(&format!("switch-{name}"));
    symlink(root().join("samples"), scratch.at("samples")).unwrap();
    scratch
}

fn shell(scratch: &Scratch, script: &str) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_oneside")).parent().unwrap();
    let path = std::env::join_paths(
        [bin.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).current_dir(scratch.at("")).env("PATH", path.unwrap());
    command.env("ONESIDE_RUN", scratch.at("run")).env("ONESIDE_OUT", scratch.at("out"));
    command.env("ONESIDE_ARGS", "--free-min-mib 0").stdin(Stdio::null());
    command
}

#[track_caller]
fn well(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {out}{err}", output.status);
    out.into_owned()
}

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap().status.success();
    if !found {
        skipped(format!("{program} is missing: its page is left unchecked"));
    }
    found
}

fn has_plugins(names: &[&str]) -> bool {
    let has = |name: &&str| Command::new("gst-inspect-1.0").arg(name).output().is_ok_and(|ran| ran.status.success());
    let all = names.iter().all(has);
    if !all {
        skipped("GStreamer's plugins-base or plugins-good are missing: their page is left unchecked");
    }
    all
}

/// The two channels of a sample call.
fn sides(call: &str) -> [Vec<i16>; 2] {
    let mut reader = hound::WavReader::open(root().join(format!("samples/calls/{call}.wav"))).unwrap();
    let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    [0, 1].map(|side| samples.iter().skip(side).step_by(2).copied().collect())
}

/// What was kept is this side's, sample by sample, and it is more than a second of it.
#[track_caller]
fn keeps(track: &[i16], side: &[i16], other: &[i16]) {
    assert!(track.len() <= side.len(), "{} samples of {}", track.len(), side.len());
    let kept = track.iter().filter(|sample| **sample != 0).count();
    assert!(kept > RATE, "{kept} samples were kept");
    let of = |side: &[i16]| track.iter().zip(side).filter(|(kept, said)| **kept != 0 && kept == said).count();
    assert_eq!(of(side), kept, "what was kept was said by this side");
    assert!(of(other) < kept / 4, "and not by the other");
}

/// Runs the `sh` blocks of a page, one after the other, in one directory.
fn page(name: &str) -> Scratch {
    let text = fs::read_to_string(root().join(format!("samples/switch/{name}.md"))).unwrap();
    let scratch = desk(name);
    let blocks: Vec<&str> = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 2, "{name}.md shows commands");
    for block in blocks {
        let output = shell(&scratch, block).output().unwrap();
        assert!(output.status.success(), "{name}.md:\n{block}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    scratch.run(&["verify", "out"]).ends(0);
    scratch
}

/// The calls of a page that came from `granted.wav` without a change of the sound.
#[track_caller]
fn kept_the_agent(scratch: &Scratch, calls: &[&str]) {
    let [agent, customer] = sides("granted");
    for call in calls {
        keeps(&scratch.sound(&format!("out/{call}.agent.wav")), &agent, &customer);
    }
}

#[test]
fn the_commands_of_the_pages_work_as_they_are_written() {
    let mut cases: Vec<(&str, fn())> = Vec::new();
    if has("sox") {
        cases.push(("sox", || {
            let scratch = page("sox");
            kept_the_agent(&scratch, &["raw", "wav", "alone", "passed", "yes"]);
            assert!(scratch.has("out/yes.customer.wav") && !scratch.has("out/raw.customer.wav"));
            assert!(scratch.has("out/pair.agent.wav") && scratch.has("out/alaw.agent.wav"));
        }));
        cases.push(("tee", || kept_the_agent(&page("tee"), &["copied"])));
    }
    if has("ffmpeg") {
        cases.push(("ffmpeg", || {
            let scratch = page("ffmpeg");
            kept_the_agent(&scratch, &["raw", "wav", "alone", "passed"]);
            assert!(scratch.has("out/live.customer.wav") && scratch.has("out/pair.agent.wav"));
        }));
    }
    if has("gst-launch-1.0") && has_plugins(&["wavparse", "interleave", "rawaudioparse"]) {
        cases.push(("gstreamer", || {
            let scratch = page("gstreamer");
            kept_the_agent(&scratch, &["raw", "passed"]);
            assert!(scratch.has("out/live.agent.wav") && scratch.has("out/pair.agent.wav"));
        }));
    }
    together(&cases);
}

/// A call as a switch records it into a FIFO that `oneside-call.sh` made.
struct Fifo {
    scratch: Scratch,
    path: PathBuf,
}

impl Fifo {
    fn start(name: &str, whose: &str) -> Fifo {
        let scratch = desk(name);
        let started = shell(&scratch, &format!("samples/switch/oneside-call.sh start 17.5 {whose}")).output().unwrap();
        let path = PathBuf::from(well(&started));
        assert_eq!(path, scratch.at("run/17.5/sound.raw"));
        Fifo { scratch, path }
    }

    fn sender(&self, samples: &[i16], pace: Pace) -> Sender {
        let fifo = File::options().write(true).open(&self.path).expect("somebody reads it");
        Sender::begin(fifo, &Arc::new(encode::body(samples, encode::s16le)), pace)
    }

    fn say(&self, words: &str) {
        well(&shell(&self.scratch, &format!("samples/switch/oneside-call.sh say 17.5 {words}")).output().unwrap());
    }

    /// The switch has closed the FIFO: the call is sealed, and nothing of it is left over.
    #[track_caller]
    fn over(self) -> Scratch {
        until("the call is sealed", || self.scratch.has("out/17.5.json"));
        until("nothing is left over", || !self.scratch.has("run/17.5") && !self.scratch.has("run/17.5.log"));
        self.scratch.run(&["verify", "out"]).ends(0);
        self.scratch
    }
}

fn stereo(left: &[i16], right: &[i16]) -> Vec<i16> {
    left.iter().zip(right).flat_map(|(left, right)| [*left, *right]).collect()
}

/// MixMonitor on the customer's channel: the customer left, bursts of the stdio buffer, a short one at the end.
fn mixmonitor() {
    let [agent, customer] = sides("granted");
    let fifo = Fifo::start("mixmonitor", "right");
    let sender = fifo.sender(&stereo(&customer, &agent)[..2 * 7 * RATE], Pace { burst: 32_768, ..STEREO });
    fifo.say("told recording-question 1");
    fifo.say("granted 1 training");
    sender.end();
    let scratch = fifo.over();
    keeps(&scratch.sound("out/17.5.agent.wav"), &agent, &customer);
    let stored = scratch.sound("out/17.5.customer.wav");
    keeps(&stored, &customer, &agent);
    // Behind the burst that was on its way, and behind what may have been (2,048 ms).
    let from = stored.iter().position(|sample| *sample != 0).unwrap();
    assert!(from >= 2 * RATE, "a yes counted from sample {from}");
}

/// The same with the wrong word: the customer is taken for the agent. Nothing but a listener can tell.
fn wrong_side() {
    let [agent, customer] = sides("granted");
    let fifo = Fifo::start("wrong-side", "left");
    fifo.sender(&stereo(&customer, &agent)[..2 * 12 * RATE], Pace { burst: 32_768, ..STEREO }).end();
    let scratch = fifo.over();
    keeps(&scratch.sound("out/17.5.agent.wav"), &customer, &agent);
}

/// FreeSWITCH on the agent's leg: 64 KiB at a time, and fillers where the customer's side is missing.
fn freeswitch() {
    let [agent, mut customer] = sides("granted");
    customer[..3 * RATE].fill(FILLER);
    let fifo = Fifo::start("freeswitch", "left");
    let sender = fifo.sender(&stereo(&agent, &customer)[..2 * 9 * RATE], Pace { burst: 65_536, ..STEREO });
    fifo.say("told recording-question 1");
    fifo.say("refused");
    sender.end();
    let scratch = fifo.over();
    keeps(&scratch.sound("out/17.5.agent.wav"), &agent, &customer);
    assert!(!scratch.has("out/17.5.customer.wav"));
    assert_eq!(scratch.json("out/17.5.json")["customer"]["reason"], "refused");
}

/// EAGI on the agent's channel: descriptor 3, 20 ms at a time, and Asterisk's words on standard input.
fn eagi() {
    let [agent, customer] = sides("granted");
    let scratch = desk("eagi");
    scratch.file(
        "agi",
        b"agi_request: oneside-eagi.sh\nagi_channel: PJSIP/a-1\nagi_uniqueid: 17.5\nagi_enhanced: 1.0\n\n",
    );
    let script = "mkfifo sound; exec samples/switch/oneside-eagi.sh agent 3<sound <agi";
    let script = shell(&scratch, script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the FIFO is there", || scratch.has("sound"));
    let sound = File::options().write(true).open(scratch.at("sound")).unwrap();
    let bytes = Arc::new(encode::body(&agent[..8 * RATE], encode::s16le));
    Sender::begin(sound, &bytes, Pace { burst: 320, per_s: 2 * RATE, pause: None }).end();
    let said = well(&script.wait_with_output().unwrap());
    assert_eq!(said, "", "standard output is Asterisk's");
    keeps(&scratch.sound("out/17.5.agent.wav"), &agent, &customer);
    assert!(!scratch.has("run/17.5"));
    scratch.run(&["verify", "out"]).ends(0);
}

const STEREO: Pace = Pace { burst: 640, per_s: 4 * RATE, pause: None };

#[test]
fn the_shapes_of_the_switches_keep_the_right_side() {
    together(&[("mixmonitor", mixmonitor), ("wrong side", wrong_side), ("freeswitch", freeswitch), ("eagi", eagi)]);
}

#[test]
fn a_switch_that_never_comes_and_a_recorder_that_cannot_start_leave_nothing() {
    let scratch = desk("nobody");
    let start = "samples/switch/oneside-call.sh start";
    let came = shell(&scratch, &format!("{start} gone left")).env("ONESIDE_WAIT_S", "1").output().unwrap();
    well(&came);
    // Settings that are wrong: `start` says so, so that the switch records nothing.
    for (id, whose) in [("wrong", "middle"), ("../up", "left"), ("a b", "left")] {
        let refused = shell(&scratch, &format!("{start} '{id}' {whose}")).output().unwrap();
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{id} {whose}");
    }
    until("the call that nobody made is over", || !scratch.has("run/gone"));
    until("what could not start is cleaned up", || !scratch.has("run/wrong"));
    assert!(fs::read_to_string(scratch.at("run/wrong.log")).unwrap().contains("which channel is the agent's"));
    assert!(!scratch.has("run/up") && !scratch.has("up"));
    // A call of that name may come again.
    let fifo = Fifo { path: scratch.at("run/gone/sound.raw"), scratch };
    well(&shell(&fifo.scratch, &format!("{start} gone left")).output().unwrap());
    let mut sound = File::options().write(true).open(&fifo.path).unwrap();
    assert!(!shell(&fifo.scratch, &format!("{start} gone left")).output().unwrap().status.success(), "it is in hand");
    sound.write_all(&[0; 640]).unwrap();
    drop(sound);
    until("it is over", || !fifo.scratch.has("run/gone"));
}

#[test]
fn words_that_are_no_words_never_reach_a_call() {
    let fifo = Fifo::start("words", "left");
    let sound = File::options().write(true).open(&fifo.path).unwrap();
    for words in ["'told\"}' a 1", "granted '1;x' training", "granted", "refused --now=a/b"] {
        let said = shell(&fifo.scratch, &format!("samples/switch/oneside-call.sh say 17.5 {words}")).output().unwrap();
        assert!(!said.status.success(), "{words}");
    }
    thread::sleep(Duration::from_millis(100));
    drop(sound);
    let manifest = fifo.over().json("out/17.5.json");
    assert_eq!(manifest["ledger"].as_array().unwrap().len(), 0, "{manifest}");
}

#[test]
fn the_sidecars_settings_are_accepted() {
    let scratch = desk("desk");
    let said = well(&shell(&scratch, "cd samples/desk; oneside check --config sidecar.toml").output().unwrap());
    assert!(said.contains("purposes        training") && said.contains("(file)"), "{said}");
    // They are held against the limits: the file is no empty shell.
    let text = fs::read_to_string(root().join("samples/desk/sidecar.toml")).unwrap();
    scratch
        .file("bad.toml", text.replace("\"mon\", \"wed\"", "\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"").as_bytes());
    scratch.file("never-record.txt", b"");
    scratch.run(&["check", "--config", "bad.toml"]).ends(2).complains(&["SEL-01"]);
}

#[test]
fn the_softphones_hook_says_what_ctl_understands() {
    let scratch = desk("hook");
    for word in ["answered '+46 70 174 06 05'", "ended", "hold", "unhold", "private", "private-ended"] {
        // Nobody listens there: who gets so far has understood the words.
        let script = format!("AGENT=a17 ONESIDE_AT=http://127.0.0.1:9 samples/desk/softphone-hook.sh {word}");
        let ran = shell(&scratch, &script).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success() && said.contains("no recorder answers"), "{word}: {said}");
    }
    let unknown = shell(&scratch, "samples/desk/softphone-hook.sh ringing").output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}

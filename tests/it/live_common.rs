//! What the tests of live calls share: `oneside pipe` at work, a sender that speaks in real time, a client of the HTTP
//! API of twenty lines, and the look at what came of it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::common::{RATE, Ran, Scratch, agent, interleave};
use super::encode;

/// How two channels of 16 bits without a header are read.
pub const STEREO: [&str; 8] = ["--raw", "s16le", "--rate", "8000", "--channels", "2", "--agent-channel", "left"];
/// Bytes of a second of it.
pub const BYTES_PER_S: usize = RATE as usize * 4;
/// Longest wait for anything that is to happen. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The arguments of `oneside pipe` with two channels of 16 bits, and more.
pub fn pipe<'a>(call: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["pipe", "--call", call, "--out", "out", "--free-min-mib", "0"][..], &STEREO, more].concat()
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs these at the same time: they are mostly waiting.
pub fn together(cases: &[(&str, fn())]) {
    thread::scope(|scope| {
        let running: Vec<_> = cases.iter().map(|(name, case)| (name, scope.spawn(case))).collect();
        let failed: Vec<_> = running.into_iter().filter_map(|(name, case)| case.join().err().map(|_| name)).collect();
        assert!(failed.is_empty(), "failed: {failed:?}");
    });
}

/// `oneside pipe` at work.
pub struct Live {
    child: Child,
    /// Where its sound goes, until it is taken.
    pub input: Option<ChildStdin>,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
    arguments: Vec<String>,
}

impl Live {
    /// A call with two channels of 16 bits, steered over HTTP.
    pub fn stereo(scratch: &Scratch, call: &str, more: &[&str]) -> Live {
        Live::start(scratch.command(&pipe(call, &[&["--http", "0"], more].concat())))
    }

    /// Whatever this command is; its input and its standard error are taken.
    pub fn start(mut command: Command) -> Live {
        let arguments = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        command.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let (input, errors) = (child.stdin.take(), child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let listener = thread::spawn(move || {
            for line in BufReader::new(errors).lines() {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line.expect("standard error is UTF-8"));
                heard.push('\n');
            }
        });
        Live { child, input, said, listener: Some(listener), arguments }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it hands on.
    pub fn output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("standard output was not taken")
    }

    /// What it said on standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Where it can be steered.
    #[track_caller]
    pub fn address(&self) -> String {
        let find = |said: &str| {
            let (_, rest) = said.split_once("steering at http://")?;
            rest.split_once('\n').map(|(address, _)| address.trim_end_matches('/').to_owned())
        };
        until("it says where it is steered", || find(&self.said()).is_some());
        find(&self.said()).unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Closes its input and waits for its end.
    pub fn ended(mut self) -> Ran {
        drop(self.input.take());
        let mut out = Vec::new();
        if let Some(mut output) = self.child.stdout.take() {
            output.read_to_end(&mut out).unwrap();
        }
        let status = self.child.wait().unwrap();
        self.listener.take().unwrap().join().unwrap();
        let output = std::process::Output { status, stdout: Vec::new(), stderr: self.said().into_bytes() };
        Ran::of(output, &self.arguments)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill(); // a test that failed in the middle
        let _ = self.child.wait();
    }
}

/// Asks over HTTP; the status and the body.
pub fn asked(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in UTF-8");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").expect("a body").1.to_owned())
}

/// How a sender sends.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Bytes at a time.
    pub burst: usize,
    /// Bytes a second.
    pub per_s: usize,
    /// After so many bytes it sends nothing for so long, and loses nothing: what comes next was spoken after it.
    pub pause: Option<(usize, Duration)>,
}

/// 20 ms at a time.
pub const REAL_TIME: Pace = Pace { burst: BYTES_PER_S / 50, per_s: BYTES_PER_S, pause: None };

/// A sender. What it sends is sent when it was spoken: a burst at its end.
pub struct Sender {
    thread: JoinHandle<usize>,
    stop: Arc<AtomicBool>,
    begun: Instant,
    pace: Pace,
    sound: Arc<Vec<u8>>,
}

impl Sender {
    /// Sends all of it, and then no more; the input stays open.
    pub fn begin(mut input: impl Write + Send + 'static, sound: &Arc<Vec<u8>>, pace: Pace) -> Sender {
        let (stop, sound) = (Arc::new(AtomicBool::new(false)), Arc::clone(sound));
        let (stopped, bytes, begun) = (Arc::clone(&stop), Arc::clone(&sound), Instant::now());
        let thread = thread::spawn(move || {
            let mut sent = 0;
            while sent < bytes.len() && !stopped.load(Ordering::Relaxed) {
                let burst = pace.burst.min(bytes.len() - sent);
                thread::sleep((begun + pace.moment_of(sent + burst)).saturating_duration_since(Instant::now()));
                match input.write_all(&bytes[sent..sent + burst]) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                    written => written.expect("it takes what it is sent"),
                }
                sent += burst;
            }
            sent
        });
        Sender { thread, stop, begun, pace, sound }
    }

    /// Bytes that were spoken by now, sent or not.
    pub fn spoken(&self) -> usize {
        let clock = |time: Duration| (time.as_secs_f64() * self.pace.per_s as f64) as usize;
        match self.pace.pause {
            Some((at, pause)) if clock(self.begun.elapsed()) > at => {
                at.max(clock(self.begun.elapsed().saturating_sub(pause)))
            }
            _ => clock(self.begun.elapsed()),
        }
    }

    /// Waits until so many seconds were spoken.
    pub fn wait(&self, seconds: f64) {
        let spoken = self.pace.moment_of((seconds * self.pace.per_s as f64) as usize);
        thread::sleep((self.begun + spoken).saturating_duration_since(Instant::now()));
    }

    /// Sends no more; what was sent.
    pub fn stop(self) -> Vec<u8> {
        self.stop.store(true, Ordering::Relaxed);
        self.end()
    }

    /// Waits until everything is sent, and closes the input; what was sent.
    pub fn end(self) -> Vec<u8> {
        let sent = self.thread.join().unwrap();
        self.sound[..sent].to_vec()
    }
}

impl Pace {
    fn moment_of(&self, bytes: usize) -> Duration {
        let pause = self.pause.filter(|(at, _)| bytes > *at).map_or(Duration::ZERO, |(_, pause)| pause);
        Duration::from_secs_f64(bytes as f64 / self.per_s as f64) + pause
    }
}

/// The customer of these tests: sample number n holds this, so that each tells its place, and none is silent.
pub fn counter(n: usize) -> i16 {
    (n % 30_000) as i16 + 1
}

/// An agent who speaks, and a customer who counts: the bytes of two channels.
pub fn counted(seconds: usize) -> Arc<Vec<u8>> {
    let customer: Vec<i16> = (0..seconds * RATE as usize).map(counter).collect();
    Arc::new(encode::body(&interleave(&[&agent(seconds), &customer]), encode::s16le))
}

/// A call that somebody has in real time, and steers.
pub struct Talk {
    /// Where.
    pub scratch: Scratch,
    /// The recorder.
    pub live: Live,
    /// Who speaks.
    pub sender: Sender,
    /// What it was answered.
    pub answers: Vec<Value>,
    address: String,
    rate: String,
}

impl Talk {
    /// A call named `call` in a directory of its name, with what can be told of it.
    pub fn begin(call: &str, more: &[&str], sound: &Arc<Vec<u8>>, pace: Pace) -> Talk {
        Talk::of(call, &[&["--rate", "8000"], more].concat(), sound, pace)
    }

    /// The same at another rate.
    pub fn of(call: &str, more: &[&str], sound: &Arc<Vec<u8>>, pace: Pace) -> Talk {
        let scratch = Scratch::new(call);
        let format = ["--raw", "s16le", "--channels", "2", "--agent-channel", "left", "--list", "--report", "--speech"];
        let to = ["pipe", "--call", "call", "--out", "out", "--free-min-mib", "0", "--http", "0"];
        let mut live = Live::start(scratch.command(&[&to[..], &format, more].concat()));
        let address = live.address();
        let rate = (pace.per_s / 4).to_string();
        let sender = Sender::begin(live.input.take().unwrap(), sound, pace);
        Talk { scratch, live, sender, address, rate, answers: Vec::new() }
    }

    /// Where it can be steered.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks for something; the status and the answer.
    pub fn ask(&mut self, kind: &str, body: Value) -> (u16, Value) {
        let (status, text) = asked(&self.address, "POST", &format!("/v1/calls/call/{kind}"), &body.to_string());
        let mut answer: Value = serde_json::from_str(&text).expect("an answer is JSON");
        if answer.get("answer").is_some() {
            answer = answer["answer"].take();
        }
        if answer.get("ledger").is_some() {
            self.answers.push(answer.clone());
        }
        (status, answer)
    }

    /// Asks for something that must count; from which sample it does.
    #[track_caller]
    pub fn does(&mut self, kind: &str, body: Value) -> usize {
        let (status, answer) = self.ask(kind, body);
        assert_eq!((status, &answer["outcome"]), (200, &json!("accepted")), "{kind}: {answer}");
        answer["sample"].as_u64().unwrap() as usize
    }

    /// The customer is told.
    #[track_caller]
    pub fn told(&mut self) -> usize {
        self.does("told", json!({"notice": "standard", "version": 1}))
    }

    /// The customer says yes.
    #[track_caller]
    pub fn granted(&mut self) -> usize {
        self.does("granted", json!({"act": "dtmf", "digit": "1", "purpose": "training"}))
    }

    /// The state of the call.
    pub fn state(&self) -> Value {
        let (status, text) = asked(&self.address, "GET", "/v1/calls/call", "");
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The sender has said all: the call ends, its books are checked, and it is made again from its list of inputs.
    #[track_caller]
    pub fn over(self) -> Over {
        let Talk { scratch, live, sender, rate, answers, .. } = self;
        let sent = sender.end();
        live.ended().ends(0);
        let manifest = scratch.json("out/call.json");
        assert_eq!(manifest["result"], "recorded", "{manifest}");
        sound(&scratch, &manifest, &answers);
        replays(&scratch, "call", &sent, &["--raw", "s16le", "--rate", &rate, "--channels", "2"]);
        let customer = scratch.has("out/call.customer.wav").then(|| scratch.sound("out/call.customer.wav"));
        Over { agent: scratch.sound("out/call.agent.wav"), customer, manifest }
    }
}

/// `verify` finds nothing, and every answer that was given stands in the ledger as it was told.
#[track_caller]
pub fn sound(scratch: &Scratch, manifest: &Value, answers: &[Value]) {
    scratch.run(&["verify", "out"]).ends(0);
    for answer in answers {
        let entry = &manifest["ledger"][answer["ledger"].as_u64().unwrap() as usize];
        assert_eq!(entry["hash"], answer["ledger_hash"], "{answer} and {entry}");
        assert_eq!(entry["sample"], answer["sample"], "{answer} and {entry}");
        assert_eq!(entry["effect"]["outcome"], answer["outcome"], "{answer} and {entry}");
    }
}

/// Made again from its list and what was sent, the call is the same.
#[track_caller]
pub fn replays(scratch: &Scratch, call: &str, sent: &[u8], format: &[&str]) {
    let (sound, list) = (format!("sent-{call}.raw"), format!("out/{call}.inputs.jsonl"));
    scratch.file(&sound, sent);
    let again = ["replay", &list, "--audio", &sound, "--out", "again", "--check"];
    scratch.run(&[&again[..], format].concat()).ends(0).says(&["the same, bit for bit"]);
}

/// What came of a call.
pub struct Over {
    /// Its manifest.
    pub manifest: Value,
    /// The agent's track.
    pub agent: Vec<i16>,
    /// The customer's, if it stands.
    pub customer: Option<Vec<i16>>,
}

impl Over {
    /// The customer is stored in these stretches to the sample, and nowhere else.
    #[track_caller]
    pub fn keeps(&self, stretches: &[(usize, usize)]) {
        let stored = self.customer.as_ref().expect("there is a customer's track");
        for (n, value) in stored.iter().enumerate() {
            let inside = stretches.iter().any(|(from, until)| (*from..*until).contains(&n));
            assert_eq!(*value, if inside { counter(n) } else { 0 }, "sample {n}; {stretches:?} may be kept");
        }
    }

    /// Nothing of the customer stands, for this reason.
    #[track_caller]
    pub fn keeps_nothing(&self, reason: &str) {
        assert!(self.customer.is_none(), "the customer's track stands");
        assert_eq!(self.manifest["customer"]["stored"], false);
        assert_eq!(self.manifest["customer"]["reason"], reason);
    }
}

//! `oneside serve` as a child process: started from a configuration, steered by its HTTP API, searched for what it wrote.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use serde_json::Value;

use crate::common::Scratch;

/// The configuration's name in the scratch directory.
const CONFIG: &str = "media-server.toml";

fn configuration(out: &Path, top: &str, sources: &str) -> String {
    let out = out.display().to_string();
    format!("{top}\n[serve]\nout = {out:?}\n{sources}\n[serve.http]\nlisten = \"127.0.0.1:0\"\n")
}

/// A server at work. Dropped, it is killed.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    /// What it said so far.
    pub said: Vec<String>,
    /// Where its calls go.
    pub out: PathBuf,
    /// Its API.
    pub api: SocketAddr,
    scratch: Option<Scratch>,
}

impl Server {
    /// Starts one. `name` keeps the tests apart; `top`: what stands before `[serve]` (`purposes` …); `sources`: keys of
    /// `[serve]`, the tables of the sources (`[serve.audiosocket]` …), whose listeners take port 0, and others (`[keys]` …).
    pub fn start_with(name: &str, top: &str, sources: &str) -> Server {
        let scratch = Scratch::new(name);
        let out = scratch.at("out");
        Server::start_in(scratch, out, top, sources)
    }

    /// The same over a store that is there.
    pub fn start_in(scratch: Scratch, out: PathBuf, top: &str, sources: &str) -> Server {
        Server::start_under(&[], scratch, out, top, sources)
    }

    /// The same under another program (`strace …`), which must become it.
    pub fn start_under(wrapper: &[&str], scratch: Scratch, out: PathBuf, top: &str, sources: &str) -> Server {
        Server::start_with_text(wrapper, scratch, out.clone(), &configuration(&out, top, sources))
    }

    /// The same with a whole configuration, whose `out` is this one.
    pub fn start_with_text(wrapper: &[&str], scratch: Scratch, out: PathBuf, text: &str) -> Server {
        let config = scratch.at(CONFIG);
        std::fs::write(&config, text).unwrap();
        let words: Vec<&str> = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_oneside")]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(scratch.at(""))
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .stderr(Stdio::piped())
            .stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (line_in, lines) = unbounded();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = line_in.send(line);
            }
        });
        let api = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut server = Server { child, lines, said: Vec::new(), out, api, scratch: Some(scratch) };
        server.wait_for("serving; calls go to");
        let steering = server.said.iter().find_map(|line| line.split("steering at http://").nth(1)).unwrap();
        server.api = steering.trim_end_matches('/').parse().unwrap();
        server
    }

    /// Has it read another configuration; `heard`: what it says to that.
    pub fn reconfigure(&mut self, top: &str, sources: &str, heard: &str) {
        let scratch = self.scratch.as_ref().expect("it has one until its end");
        std::fs::write(scratch.at(CONFIG), configuration(&self.out, top, sources)).unwrap();
        while let Ok(line) = self.lines.try_recv() {
            self.said.push(line);
        }
        let before = self.said.len();
        self.signal("HUP");
        self.wait_for_after(heard, before);
    }

    /// Waits for a line that holds `text`, and returns it.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_for_after(text, 0)
    }

    /// The same, of the lines behind the first `before`.
    fn wait_for_after(&mut self, text: &str, before: usize) -> String {
        if let Some(line) = self.said[before..].iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if let Ok(line) = self.lines.recv_timeout(Duration::from_millis(100)) {
                self.said.push(line.clone());
                if line.contains(text) {
                    return line;
                }
            }
        }
        panic!("it did not say `{text}`; it said:\n{}", self.said.join("\n"));
    }

    /// The address that a line tells: `… listens on ADDRESS`.
    pub fn address_of(&mut self, source: &str) -> SocketAddr {
        let line = self.wait_for(&format!("{source} listens on "));
        line.split("listens on ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    }

    /// A request of the API: the status and the body, as JSON.
    pub fn request(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let (status, body) = self.request_text(method, path, body);
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// A request of the API: the status and the body as it is.
    pub fn request_text(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
        let mut stream = TcpStream::connect(self.api).unwrap();
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.api,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
    }

    /// Announces a call; what the source answers.
    pub fn expect(&self, wanted: Value) -> Value {
        let (status, answer) = self.request("POST", "/v1/expected", Some(wanted));
        assert_eq!(status, 201, "{answer}");
        answer
    }

    /// Tells a call something; it must count.
    pub fn ask(&self, call: &str, kind: &str, body: Value) -> Value {
        let (status, answer) = self.request("POST", &format!("/v1/calls/{call}/{kind}"), Some(body));
        assert_eq!(status, 200, "{kind}: {answer}");
        answer
    }

    /// The state of a call in hand, if it is.
    pub fn state(&self, call: &str) -> Option<Value> {
        let (status, state) = self.request("GET", &format!("/v1/calls/{call}"), None);
        (status == 200).then_some(state)
    }

    /// Waits until a call is in hand.
    pub fn wait_in_hand(&self, call: &str) -> Value {
        self.wait(|| self.state(call), &format!("call {call} in hand"))
    }

    /// Waits until a call is over: its end.
    pub fn wait_ended(&self, call: &str) -> Value {
        let ended = || {
            let (_, list) = self.request("GET", "/v1/ended", None);
            list.as_array()?.iter().find(|ended| ended["call"] == call).cloned()
        };
        self.wait(ended, &format!("call {call} over"))
    }

    /// Waits for something.
    pub fn wait<T>(&self, look: impl Fn() -> Option<T>, what: &str) -> T {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if let Some(found) = look() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what}: it did not come to that");
    }

    /// Waits until the metrics count so much on this line.
    pub fn wait_counted(&self, line: &str, count: u64) {
        let wanted = format!("{line} {count}");
        let counted = || {
            let (_, metrics) = self.request_text("GET", "/metrics", None);
            metrics.lines().any(|found| found == wanted).then_some(())
        };
        self.wait(counted, &wanted);
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Kills it, as the system does: its scratch directory with the store.
    pub fn kill(mut self) -> Scratch {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.scratch.take().expect("it has one until its end")
    }

    /// Ends it by SIGTERM: its exit code, what it said, and its scratch directory with the store.
    pub fn end(mut self) -> (i32, Vec<String>, Scratch) {
        self.signal("TERM");
        let until = Instant::now() + Duration::from_secs(40);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it does not end; it said:\n{}", self.said.join("\n"));
            std::thread::sleep(Duration::from_millis(10));
        };
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(200)) {
            self.said.push(line);
        }
        let scratch = self.scratch.take().expect("it has one until its end");
        (status.code().unwrap_or(-1), std::mem::take(&mut self.said), scratch)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The samples of a stored track, without its header.
pub fn track(path: &Path) -> Vec<i16> {
    let mut reader = hound::WavReader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.samples::<i16>().map(Result::unwrap).collect()
}

/// The power of a tone in sound at `rate_hz`, dBFS (a full-scale sine is 0): Goertzel's sum.
pub fn tone_dbfs(samples: &[i16], rate_hz: u32, hz: f64) -> f64 {
    let omega = std::f64::consts::TAU * hz / f64::from(rate_hz);
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sin, cos) = (omega * n as f64).sin_cos();
        re += f64::from(*sample) / 32_768.0 * cos;
        im -= f64::from(*sample) / 32_768.0 * sin;
    }
    let amplitude = 2.0 * re.hypot(im) / samples.len().max(1) as f64;
    20.0 * amplitude.max(1e-10).log10()
}

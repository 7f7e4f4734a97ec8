//! The server as a child: started, steered, asked for its figures, and looked at from outside.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Time for the end of all calls.
const END_WITHIN: Duration = Duration::from_secs(120);

/// A server at work. Dropped, it is killed and what it wrote is removed.
pub struct Server {
    child: Child,
    dir: PathBuf,
    api: SocketAddr,
    /// Where AudioSocket listens.
    pub audiosocket: SocketAddr,
}

/// Processor time by kind of thread, seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// The threads that receive: RTP's sweeper, the runtime's for AudioSocket.
    pub receive: f64,
    /// Those that have the calls.
    pub shard: f64,
    /// All others: those that seal, the HTTP API.
    pub rest: f64,
}

impl Times {
    /// Of all threads.
    pub fn all(&self) -> f64 {
        self.receive + self.shard + self.rest
    }

    /// What was used between two looks. A thread that ended meanwhile, as those do that begin calls, is left out.
    pub fn between(before: &Threads, after: &Threads) -> Times {
        let mut times = Times::default();
        for (thread, (name, ran)) in after {
            let kind = match name.as_str() {
                "io" => &mut times.receive,
                name if name.starts_with("rtp-") => &mut times.receive,
                name if name.starts_with("shard-") => &mut times.shard,
                _ => &mut times.rest,
            };
            *kind += ran - before.get(thread).map_or(0.0, |(_, ran)| *ran);
        }
        times
    }
}

/// The threads of a process: their names, and the seconds for which they ran.
pub type Threads = BTreeMap<OsString, (String, f64)>;

/// What the threads of a process used so far.
pub fn processor_times(pid: u32) -> Threads {
    let mut threads = Threads::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return threads };
    for task in tasks.flatten().map(|task| task.path()) {
        let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
        let ran = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        let ns: f64 = ran.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0);
        threads.insert(task.into_os_string(), (name.trim().to_owned(), ns / 1e9));
    }
    threads
}

impl Server {
    /// Starts the program with one worker and a store in a directory of its own below `out`.
    pub fn start(program: &Path, out: &Path, ring_ms: u32, pin: bool) -> Result<Server, Box<dyn Error>> {
        let dir = out.join(format!("oneside-load-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let config = dir.join("load.toml");
        let text = format!(
            "purposes = [\"training\"]\non_withdrawal = \"keep\"\nring_ms = {ring_ms}\n[serve]\nout = {:?}\nworkers = 1\n\
             calls_max = 20000\ndrain_s = 100\n[serve.http]\nlisten = \"127.0.0.1:0\"\n[serve.rtp]\nports = \"0\"\n\
             [serve.audiosocket]\nlisten = \"127.0.0.1:0\"\nconnections_max = 40000\n",
            dir.join("out")
        );
        fs::write(&config, text)?;
        let mut command = match pin {
            true => Command::new("taskset"),
            false => Command::new(program),
        };
        if pin {
            command.args(["-c", "0"]).arg(program);
        }
        command.arg("serve").arg("--config").arg(&config).stderr(Stdio::piped()).stdin(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no stderr")?).lines();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Server { child, dir, api: nowhere, audiosocket: nowhere };
        for line in lines.by_ref() {
            let line = line?;
            let word_after = |text: &str| line.split(text).nth(1)?.split_whitespace().next().map(str::to_owned);
            if let Some(api) = word_after("steering at http://") {
                server.api = api.trim_end_matches('/').parse()?;
            }
            if let Some(address) = word_after("audiosocket listens on ") {
                server.audiosocket = address.parse()?;
            }
            if line.contains("serving; calls go to") {
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(server);
            }
        }
        Err("the server did not start".into())
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<String, Box<dyn Error>> {
        let mut stream = TcpStream::connect(self.api)?;
        let body = body.map(Value::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.api,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        match head.split(' ').nth(1) {
            Some(status) if status.starts_with('2') => Ok(body.to_owned()),
            _ => Err(format!("{method} {path}: {head}\n{body}").into()),
        }
    }

    /// Announces a call; what the source answers.
    pub fn expect(&self, wanted: &Value) -> Result<Value, Box<dyn Error>> {
        Ok(serde_json::from_str(&self.request("POST", "/v1/expected", Some(wanted))?)?)
    }

    /// From now on the customer of a call is stored.
    pub fn grant(&self, call: usize) -> Result<(), Box<dyn Error>> {
        let (told, granted) =
            (json!({ "notice": "std", "version": "1" }), json!({ "act": "spoken_yes", "purpose": "training" }));
        self.request("POST", &format!("/v1/calls/load-{call}/told"), Some(&told))?;
        self.request("POST", &format!("/v1/calls/load-{call}/granted"), Some(&granted))?;
        Ok(())
    }

    /// The sum of the metrics whose name and labels begin so.
    fn metric(&self, begins: &str) -> Result<f64, Box<dyn Error>> {
        let text = self.request("GET", "/metrics", None)?;
        let values = text.lines().filter(|line| line.starts_with(begins)).filter_map(|line| line.rsplit(' ').next());
        Ok(values.filter_map(|value| value.parse::<f64>().ok()).sum())
    }

    /// Frames that came to nothing and were not meant to, of calls in hand and of those that ended.
    pub fn lost_frames(&self) -> Result<u64, Box<dyn Error>> {
        let text = self.request("GET", "/metrics", None)?;
        let lost = |line: &&str| {
            (line.starts_with("oneside_lost_frames_total{") || line.starts_with("oneside_calls_lost_frames{"))
                && line.contains("intended=\"false\"")
        };
        let values = text.lines().filter(lost).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(values.sum())
    }

    /// How long half, 99 of 100, and all sweeps took at most, ms, since the start.
    pub fn sweep_ms(&self) -> Result<[u64; 3], Box<dyn Error>> {
        let quantile = |q: &str| self.metric(&format!("oneside_sweep_ms{{quantile=\"{q}\"}}")).map(|ms| ms as u64);
        Ok([quantile("0.5")?, quantile("0.99")?, quantile("1")?])
    }

    /// Calls that are recorded at this moment.
    pub fn calls_in_hand(&self) -> Result<usize, Box<dyn Error>> {
        self.metric("oneside_calls{recording=\"recording\"}").map(|calls| calls as usize)
    }

    /// What its threads used so far.
    pub fn times(&self) -> Threads {
        processor_times(self.child.id())
    }

    /// Memory that it has in RAM, KiB.
    pub fn resident_kib(&self) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// `perf record` on it for so long.
    pub fn watched_by_perf(&self, file: &Path, seconds: u64) -> Result<Child, Box<dyn Error>> {
        let mut perf = Command::new("perf");
        perf.args(["record", "-q", "-F", "499", "-g", "-p", &self.child.id().to_string(), "-o"]).arg(file);
        Ok(perf.args(["--", "sleep", &seconds.to_string()]).spawn()?)
    }

    /// Ends it politely; how many calls were sealed.
    pub fn end(mut self) -> Result<usize, Box<dyn Error>> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let until = Instant::now() + END_WITHIN;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Err("the server does not end".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let files = fs::read_dir(self.dir.join("out"))?.flatten().map(|file| file.file_name());
        Ok(files.filter(|name| name.to_string_lossy().ends_with(".agent.wav")).count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

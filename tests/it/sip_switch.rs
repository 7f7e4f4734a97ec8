//! A switch of real parts on loopback, rtpengine and Kamailio, with a call between two telephones of baresip or of SIPp.
//!
//! Each switch takes a range of ports below those that the system hands out, and holds it by a socket: several of them run
//! side by side, in one process or in many.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oneside::source::wire::bencode::Value as Ben;
use oneside::source::wire::ng::{Answer, Selector, answer, find, request};
use serde_json::{Value, json};

use super::common::{Dice, RATE, Scratch, agent, have};
use super::encode;
use super::skipped::skipped;

/// The customer's voice has a tone that nobody else has.
pub const TONE_HZ: f64 = 1_000.0;
/// How much the telephones have to say, s.
const SPOKEN_S: usize = 40;
/// Ports of a switch.
const RANGE: u16 = 400;
/// The first port of the first range, and how many ranges there are: up to 29,999, below what the system hands out.
const RANGES: (u16, u16) = (20_000, 25);

static COOKIES: AtomicU64 = AtomicU64::new(0);

/// Whose telephones they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Telephones {
    /// baresip: keys can be pressed.
    Baresip,
    /// SIPp: the agent hangs up after nine seconds.
    Sipp,
}

/// A program and what it started, ended when it is dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It leads a process group: Kamailio's workers do not end with it.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A range of ports, held.
struct Ports {
    base: u16,
    _held: UdpSocket,
}

impl Ports {
    fn take() -> Ports {
        let begin = std::process::id() as u16 % RANGES.1;
        let bases = (0..RANGES.1).map(|n| RANGES.0 + (begin + n) % RANGES.1 * RANGE);
        let mut held = bases.filter_map(|base| {
            let _held = UdpSocket::bind(("127.0.0.1", base + RANGE - 1)).ok()?;
            Some(Ports { base, _held })
        });
        held.next().expect("a range of ports")
    }

    fn media(&self) -> u16 {
        self.base
    }

    /// Where the telephones' media begin, fifty ports each.
    fn telephone(&self, number: u16) -> u16 {
        self.base + 200 + 50 * number
    }

    /// SIP's are ten apart: baresip takes the next one as well, for TLS.
    fn single(&self, number: u16) -> u16 {
        self.base + 350 + number
    }
}

/// A switch with a call between two telephones.
pub struct Switch {
    /// rtpengine's `listen-ng`.
    pub ng: SocketAddr,
    /// What the customer has to say, as µ-law makes it.
    pub customer: Vec<i16>,
    // Dropped in this order.
    programs: Vec<Program>,
    scratch: Scratch,
    ports: Ports,
}

/// Whether all programs are there; says which are not.
pub fn are_there(telephones: Telephones) -> bool {
    let program = if telephones == Telephones::Sipp { "sipp" } else { "baresip" };
    // `have` asks for the version, which tells nothing but that the program can be started.
    let found = ["rtpengine", "kamailio", program].map(have);
    let all = found.iter().all(|found| *found);
    if !all {
        skipped("install the Debian packages rtpengine-daemon, kamailio, baresip-core, sip-tester");
    }
    all
}

fn customer() -> Vec<i16> {
    let mut dice = Dice::new(90);
    let sample = |n: usize| {
        let tone = 10_000.0 * (n as f64 / f64::from(RATE) * TONE_HZ * std::f64::consts::TAU).sin();
        // No two stretches are alike.
        (tone + dice.below(8_001) as f64 - 4_000.0) as i16
    };
    (0..SPOKEN_S * RATE as usize).map(sample).map(|v| encode::from_mulaw(encode::mulaw(v))).collect()
}

impl Switch {
    /// Starts it; the agent calls the customer.
    pub fn start(name: &str, telephones: Telephones) -> Switch {
        let (scratch, ports) = (Scratch::new(name), Ports::take());
        let (ng, proxy, customer_at) = (ports.single(0), ports.single(1), ports.single(20));
        let ng_at = SocketAddr::from(([127, 0, 0, 1], ng));
        let mut switch = Switch { ng: ng_at, customer: customer(), programs: Vec::new(), scratch, ports };
        let media = switch.ports.media();
        let own = [
            format!("--listen-ng=127.0.0.1:{ng}"),
            format!("--port-min={media}"),
            format!("--port-max={}", media + 199),
        ];
        let plain = "--config-file=none --table=-1 --interface=127.0.0.1 --foreground --log-stderr --log-level=4 \
                     --delete-delay=0";
        switch.run("rtpengine", &plain.split_whitespace().chain(own.iter().map(String::as_str)).collect::<Vec<_>>());
        let places = [("PROXY", proxy), ("NG", ng), ("CUSTOMER", customer_at)];
        let config = switch.fill("kamailio.cfg", "kamailio.cfg", &numbers(&places));
        switch.wait("rtpengine answers", |switch| switch.ng("ping", vec![], |_| ()));
        let run = switch.path("");
        switch.run("kamailio", &["-DD", "-E", "-f", &config, "-P", &switch.path("kamailio.pid"), "-Y", &run]);
        switch.wait("Kamailio answers", |switch| switch.options(proxy));
        match telephones {
            Telephones::Baresip => switch.baresip(proxy),
            Telephones::Sipp => switch.sipp(proxy),
        }
        switch
    }

    fn baresip(&mut self, proxy: u16) {
        write_wav(&self.scratch.at("agent.wav"), &agent(SPOKEN_S));
        write_wav(&self.scratch.at("customer.wav"), &self.customer);
        self.telephone("customer", 1, "", &[]);
        let control = self.control(1);
        self.wait("the customer's telephone", |_| TcpStream::connect(("127.0.0.1", control)).ok());
        let outbound = format!(";outbound=\"sip:127.0.0.1:{proxy};lr\"");
        let dial = format!("d sip:customer@127.0.0.1:{proxy}");
        self.telephone("agent", 0, &outbound, &["-e", &dial]);
    }

    /// The customer's is number 1.
    fn telephone(&mut self, who: &str, number: u16, more: &str, arguments: &[&str]) {
        let (sip, first) = (self.ports.single(10 + 10 * number), self.ports.telephone(number));
        let mut places =
            numbers(&[("SIP", sip), ("CONTROL", self.control(number)), ("FIRST", first), ("LAST", first + 49)]);
        places.push(("SOUND", self.path(&format!("{who}.wav"))));
        self.fill("baresip.config", &format!("{who}/config"), &places);
        let account = format!("<sip:{who}@127.0.0.1:{sip}>;regint=0;answermode=auto;audio_codecs=PCMU{more}\n");
        fs::write(self.scratch.at(&format!("{who}/accounts")), account).unwrap();
        fs::write(self.scratch.at(&format!("{who}/contacts")), "").unwrap();
        let directory = self.path(who);
        self.run("baresip", &[&["-f", &directory, "-t", "60"], arguments].concat());
    }

    fn control(&self, number: u16) -> u16 {
        self.ports.single(30 + number)
    }

    fn sipp(&mut self, proxy: u16) {
        let target = format!("127.0.0.1:{proxy}");
        for (who, number, sound, more) in [
            ("customer", 1, self.customer.clone(), &[][..]),
            ("agent", 0, agent(SPOKEN_S), &["-s", "customer", &target][..]),
        ] {
            let law: Vec<u8> = sound.into_iter().map(encode::mulaw).collect();
            fs::write(self.scratch.at(&format!("{who}.ul")), law).unwrap();
            let scenario = format!("sipp-{who}.xml");
            let scenario = self.fill(&scenario, &scenario, &[("SOUND", self.path(&format!("{who}.ul")))]);
            let (sip, media) =
                (self.ports.single(10 + 10 * number).to_string(), self.ports.telephone(number).to_string());
            let own = ["-sf", &scenario, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", &sip, "-mp", &media];
            self.run("sipp", &[&own[..], &["-m", "1", "-nostdin"], more].concat());
        }
    }

    fn path(&self, below: &str) -> String {
        self.scratch.at(below).display().to_string()
    }

    fn run(&mut self, program: &str, arguments: &[&str]) {
        let log = fs::File::create(self.scratch.at(&format!("{program}-{}.log", self.programs.len()))).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.scratch.at("")).process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.programs.push(Program(command.spawn().unwrap()));
    }

    /// A file of `tests/sip` with its places filled in.
    fn fill(&self, from: &str, to: &str, places: &[(&str, String)]) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sip").join(from);
        let mut text = fs::read_to_string(file).unwrap();
        for (place, value) in places {
            text = text.replace(&format!("@{place}@"), value);
        }
        let path = self.scratch.at(to);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Whether the proxy answers at all.
    fn options(&self, proxy: u16) -> Option<()> {
        let socket = listening();
        let own = socket.local_addr().unwrap();
        let request = format!(
            "OPTIONS sip:127.0.0.1:{proxy} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK-{0}\r\nFrom: <sip:test@{own}>;\
             tag=1\r\nTo: <sip:127.0.0.1:{proxy}>\r\nCall-ID: {0}@test\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\n\
             Content-Length: 0\r\n\r\n",
            own.port()
        );
        socket.send_to(request.as_bytes(), ("127.0.0.1", proxy)).ok()?;
        socket.recv(&mut [0; 2_048]).ok().map(|_| ())
    }

    /// Asks rtpengine something.
    pub fn ng<T>(&self, command: &str, entries: Vec<(&str, Ben<'_>)>, read: impl FnOnce(&Ben<'_>) -> T) -> Option<T> {
        let socket = listening();
        // Of an old cookie rtpengine gives the old answer.
        let cookie = format!("test{}", COOKIES.fetch_add(1, Ordering::Relaxed));
        socket.send_to(&request(&cookie, command, entries), self.ng).ok()?;
        let mut datagram = vec![0; 65_535];
        let length = socket.recv(&mut datagram).ok()?;
        if command == "ping" {
            return Some(read(&Ben::Integer(0)));
        }
        match answer(&datagram[..length], &cookie)? {
            Answer::Ok(value) => Some(read(&value)),
            Answer::Refused(_) => None,
        }
    }

    /// The Call-ID of the call, when it is answered.
    pub fn call_id(&self) -> String {
        self.wait("a call", |switch| {
            let calls = |list: &Ben<'_>| list.get("calls")?.items().first()?.as_text().map(str::to_owned);
            let call_id = switch.ng("list", vec![], calls)??;
            (switch.tag(&call_id, "agent").is_some() && switch.tag(&call_id, "customer").is_some()).then_some(call_id)
        })
    }

    /// The tag of a party.
    pub fn tag(&self, call_id: &str, label: &str) -> Option<String> {
        let found = |call: &Ben<'_>| find(call, &Selector::Label(label.into()));
        self.ng("query", vec![("call-id", call_id.into())], found)?
    }

    /// Who listens to a party, beside the other one.
    pub fn subscribers(&self, call_id: &str, label: &str) -> usize {
        let listening = |call: &Ben<'_>| {
            let tags = call.get("tags")?;
            let (_, party) = tags.entries().find(|(_, about)| about.text("label") == Some(label))?;
            let subscribers = party.get("subscribers")?.items();
            Some(subscribers.iter().filter(|subscriber| subscriber.text("type") == Some("pub/sub")).count())
        };
        self.wait("rtpengine knows the party", |switch| {
            switch.ng("query", vec![("call-id", call_id.into())], listening).flatten()
        })
    }

    /// Presses a key of the customer's telephone.
    pub fn press(&self, key: char) {
        // The telephone has this command only while it has a call.
        let said = json!({ "command": "sndcode", "params": key.to_string() }).to_string();
        let control = self.control(1);
        self.wait("a key", |_| {
            let mut control = TcpStream::connect(("127.0.0.1", control)).ok()?;
            control.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
            write!(control, "{}:{said},", said.len()).ok()?;
            let mut answer = [0; 1_024];
            let length = control.read(&mut answer).ok()?;
            let (_, answer) = std::str::from_utf8(&answer[..length]).ok()?.split_once(':')?;
            let answer: Value = serde_json::from_str(answer.trim_end_matches(',')).ok()?;
            (answer["ok"] == true).then_some(())
        });
    }

    /// Waits until the agent's telephone has ended by itself: how.
    pub fn hung_up(&mut self) -> ExitStatus {
        let until = Instant::now() + Duration::from_secs(20);
        let last = self.programs.last_mut().expect("it was started last");
        loop {
            if let Some(status) = last.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the agent hangs up");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Both telephones are gone, and say nothing of it.
    pub fn telephones_die(&mut self) {
        self.programs.truncate(self.programs.len() - 2);
    }

    /// Waits for something.
    pub fn wait<T>(&self, what: &str, look: impl Fn(&Switch) -> Option<T>) -> T {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(found) = look(self) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let logs = self.scratch.files("").into_iter().filter(|(file, _)| file.ends_with(".log"));
        let logs: Vec<String> =
            logs.map(|(file, text)| format!("{file}:\n{}", String::from_utf8_lossy(&text))).collect();
        panic!("{what}: it did not come to that\n{}", logs.join("\n"));
    }
}

fn listening() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket
}

fn numbers<'a>(places: &[(&'a str, u16)]) -> Vec<(&'a str, String)> {
    places.iter().map(|(place, value)| (*place, value.to_string())).collect()
}

fn write_wav(path: &Path, samples: &[i16]) {
    fs::write(path, encode::wav16(samples, 1, RATE)).unwrap();
}

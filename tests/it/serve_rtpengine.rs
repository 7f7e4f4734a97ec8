//! A real SIP call, baresip → Kamailio and rtpengine → baresip, recorded one-sided through rtpengine's subscriptions.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oneside::source::wire::bencode::Value as Ben;
use oneside::source::wire::ng::{Answer, answer, request};
use serde_json::{Value, json};

use super::common::{Scratch, agent, have};
use super::serve_common::{Server, tone_dbfs, track};

const RATE: u32 = 8_000;
const PROGRAMS: [&str; 3] = ["rtpengine", "kamailio", "baresip"];
/// The customer's voice: a tone that nobody else has.
const TONE_HZ: f64 = 1_000.0;

static COOKIES: AtomicU64 = AtomicU64::new(0);
/// The ranges of ports of the telephones and of rtpengine are fixed: one switch at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Ended when it is dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A switch with a call between two telephones.
struct Switch {
    ng: SocketAddr,
    control: u16,
    programs: Vec<Program>,
    scratch: Scratch,
    _alone: MutexGuard<'static, ()>,
}

/// Ports of this machine that nobody has.
fn free<const N: usize>() -> [u16; N] {
    let sockets: [UdpSocket; N] = std::array::from_fn(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

fn there(program: &str) -> bool {
    let found = have(program);
    if !found {
        println!("skipped: install the Debian packages rtpengine-daemon, kamailio, baresip-core");
    }
    found
}

impl Switch {
    fn start(name: &str) -> Switch {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let scratch = Scratch::new(name);
        let [ng, proxy, agent_at, customer_at, agent_control, control] = free();
        let mut switch =
            Switch { ng: ([127, 0, 0, 1], ng).into(), control, programs: Vec::new(), scratch, _alone: alone };
        write_wav(&switch.scratch.at("agent.wav"), &agent(40));
        let tone =
            |n: u32| (16_000.0 * (f64::from(n) / f64::from(RATE) * TONE_HZ * std::f64::consts::TAU).sin()) as i16;
        write_wav(&switch.scratch.at("customer.wav"), &(0..40 * RATE).map(tone).collect::<Vec<_>>());
        let listen = format!("--listen-ng=127.0.0.1:{ng}");
        let media = [
            "--config-file=none",
            "--table=-1",
            "--interface=127.0.0.1",
            "--foreground",
            "--log-stderr",
            "--log-level=4",
        ];
        switch.run("rtpengine", &[&media[..], &[&listen, "--port-min=34000", "--port-max=34999"]].concat());
        let config =
            switch.fill("kamailio.cfg", "kamailio.cfg", &[("PROXY", proxy), ("NG", ng), ("CUSTOMER", customer_at)]);
        switch.wait("rtpengine answers", |switch| switch.ask("ping", None, |_| ()));
        switch
            .run("kamailio", &["-DD", "-E", "-f", &config, "-P", &switch.path("kamailio.pid"), "-Y", &switch.path("")]);
        std::thread::sleep(Duration::from_millis(700));
        switch.telephone("customer", customer_at, control, 35_000, "", &[]);
        std::thread::sleep(Duration::from_millis(700));
        let outbound = format!(";outbound=\"sip:127.0.0.1:{proxy};lr\"");
        let dial = format!("d sip:customer@127.0.0.1:{proxy}");
        switch.telephone("agent", agent_at, agent_control, 36_000, &outbound, &["-e", &dial]);
        switch
    }

    fn path(&self, below: &str) -> String {
        self.scratch.at(below).display().to_string()
    }

    fn run(&mut self, program: &str, arguments: &[&str]) {
        let log = fs::File::create(self.scratch.at(&format!("{program}-{}.log", self.programs.len()))).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.programs.push(Program(command.spawn().unwrap()));
    }

    /// A file of `tests/sip` with its places filled in.
    fn fill(&self, from: &str, to: &str, places: &[(&str, u16)]) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sip").join(from);
        let mut text = fs::read_to_string(file).unwrap().replace("@SOUND@", &self.path(&to.replace("/config", ".wav")));
        for (place, value) in places {
            text = text.replace(&format!("@{place}@"), &value.to_string());
        }
        let path = self.scratch.at(to);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn telephone(&mut self, who: &str, sip: u16, control: u16, first: u16, more: &str, arguments: &[&str]) {
        let places = [("SIP", sip), ("CONTROL", control), ("FIRST", first), ("LAST", first + 99)];
        self.fill("baresip.config", &format!("{who}/config"), &places);
        let account = format!("<sip:{who}@127.0.0.1:{sip}>;regint=0;answermode=auto;audio_codecs=PCMU{more}\n");
        fs::write(self.scratch.at(&format!("{who}/accounts")), account).unwrap();
        fs::write(self.scratch.at(&format!("{who}/contacts")), "").unwrap();
        let directory = self.path(who);
        self.run("baresip", &[&["-f", &directory, "-t", "60"], arguments].concat());
    }

    /// Asks rtpengine something.
    fn ask<T>(&self, command: &str, call_id: Option<&str>, read: impl Fn(&Ben<'_>) -> T) -> Option<T> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let entries = call_id.map(|call_id| ("call-id", Ben::from(call_id)));
        // Of an old cookie rtpengine gives the old answer.
        let cookie = format!("test{}", COOKIES.fetch_add(1, Ordering::Relaxed));
        socket.send_to(&request(&cookie, command, entries.into_iter().collect()), self.ng).ok()?;
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
    fn call_id(&self) -> String {
        self.wait("a call", |switch| {
            let calls = |list: &Ben<'_>| list.get("calls")?.items().first()?.as_text().map(str::to_owned);
            let call_id = switch.ask("list", None, calls)??;
            let parties = switch
                .ask("query", Some(&call_id), |call| call.get("tags").map_or(0, |tags| tags.entries().count()))?;
            (parties == 2).then_some(call_id)
        })
    }

    /// Who listens to a party, beside the other one.
    fn subscribers(&self, call_id: &str, label: &str) -> usize {
        let listening = |call: &Ben<'_>| {
            let tags = call.get("tags")?;
            let (_, party) = tags.entries().find(|(_, about)| about.text("label") == Some(label))?;
            let subscribers = party.get("subscribers")?.items();
            Some(subscribers.iter().filter(|subscriber| subscriber.text("type") == Some("pub/sub")).count())
        };
        self.ask("query", Some(call_id), listening).flatten().expect("rtpengine knows the party")
    }

    /// A key of the customer's telephone.
    fn press(&self, key: char) {
        use std::io::Write;
        let command = json!({ "command": "sndcode", "params": key.to_string() }).to_string();
        let mut control = std::net::TcpStream::connect(("127.0.0.1", self.control)).unwrap();
        write!(control, "{}:{command},", command.len()).unwrap();
        std::thread::sleep(Duration::from_millis(600));
    }

    fn wait<T>(&self, what: &str, look: impl Fn(&Switch) -> Option<T>) -> T {
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

fn write_wav(path: &Path, samples: &[i16]) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
}

fn serve(name: &str, switch: &Switch, more: &str) -> Server {
    let sources = format!("[serve.rtp]\nports = \"0\"\n[serve.rtpengine]\nng = \"{}\"\n{more}", switch.ng);
    Server::start_with(name, "purposes = [\"training\"]\non_withdrawal = \"keep\"", &sources)
}

fn announce(server: &Server, call: &str, call_id: &str) {
    server.expect(json!({
        "source": "rtpengine", "call": call, "call_id": call_id,
        "agent": { "label": "agent" }, "customer": { "label": "customer" }
    }));
    server.wait_in_hand(call);
}

fn ledger(server: &Server, call: &str) -> Vec<Value> {
    let manifest = fs::read(server.out.join(format!("{call}.json"))).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["ledger"].as_array().unwrap().clone()
}

fn place(ledger: &[Value], event: &str) -> usize {
    let entry = ledger.iter().find(|entry| entry["event"] == event).unwrap_or_else(|| panic!("{event}: {ledger:?}"));
    entry["sample"].as_u64().unwrap() as usize
}

/// The customer's tone is not in the agent's track.
fn is_one_sided(agent: &[i16]) {
    assert!(agent.iter().filter(|sample| **sample != 0).count() > RATE as usize, "the agent was kept");
    let level = tone_dbfs(agent, RATE, TONE_HZ);
    assert!(level < -50.0, "the customer's tone in the agent's track: {level} dBFS");
}

#[test]
fn a_sip_call_is_kept_one_sided_and_the_customer_from_the_consent_to_the_withdrawal() {
    if !PROGRAMS.iter().all(|program| there(program)) {
        return;
    }
    let switch = Switch::start("serve-rtpengine-switch");
    let server = serve("serve-rtpengine", &switch, "");
    let call_id = switch.call_id();
    announce(&server, "sip-1", &call_id);
    assert_eq!((switch.subscribers(&call_id, "agent"), switch.subscribers(&call_id, "customer")), (1, 1));
    std::thread::sleep(Duration::from_secs(4));
    server.ask("sip-1", "told", json!({ "notice": "standard", "version": 1 }));
    switch.press('1');
    server.ask("sip-1", "granted", json!({ "act": "spoken_yes", "purpose": "training" }));
    std::thread::sleep(Duration::from_secs(3));
    server.ask("sip-1", "withdrawn", json!({}));
    switch.wait("the customer unsubscribed", |switch| (switch.subscribers(&call_id, "customer") == 0).then_some(()));
    assert_eq!(switch.subscribers(&call_id, "agent"), 1);
    std::thread::sleep(Duration::from_secs(3));
    drop(switch); // rtpengine is gone: the call is kept, with what it sent
    std::thread::sleep(Duration::from_secs(1));
    server.wait_in_hand("sip-1");
    server.request("DELETE", "/v1/expected/sip-1", None);
    server.wait_ended("sip-1");

    let ledger = ledger(&server, "sip-1");
    let (granted, withdrawn) = (place(&ledger, "granted"), place(&ledger, "withdrawn"));
    is_one_sided(&track(&server.out.join("sip-1.agent.wav")));
    let customer = track(&server.out.join("sip-1.customer.wav"));
    let kept: Vec<usize> = (0..customer.len()).filter(|n| customer[*n] != 0).collect();
    let (first, last) = (kept[0], kept[kept.len() - 1]);
    assert!((granted..granted + 20).contains(&first), "granted at {granted}, kept from {first}");
    assert!(last <= withdrawn && last + 2 * RATE as usize > withdrawn, "withdrawn at {withdrawn}, kept to {last}");
    assert!(tone_dbfs(&customer[first..last], RATE, TONE_HZ) > -8.0, "it is the customer's tone");
}

#[test]
fn with_drop_before_decode_the_customer_is_subscribed_to_while_a_grant_stands_only() {
    if !PROGRAMS.iter().all(|program| there(program)) {
        return;
    }
    let switch = Switch::start("serve-rtpengine-drop-switch");
    let server = serve("serve-rtpengine-drop", &switch, "reference = \"drop-before-decode\"");
    let call_id = switch.call_id();
    announce(&server, "sip-2", &call_id);
    assert_eq!((switch.subscribers(&call_id, "agent"), switch.subscribers(&call_id, "customer")), (1, 0));
    std::thread::sleep(Duration::from_secs(3));
    server.ask("sip-2", "told", json!({ "notice": "standard", "version": 1 }));
    server.ask("sip-2", "granted", json!({ "act": "spoken_yes", "purpose": "training" }));
    switch.wait("the customer subscribed", |switch| (switch.subscribers(&call_id, "customer") == 1).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    server.ask("sip-2", "withdrawn", json!({}));
    switch.wait("the customer unsubscribed", |switch| (switch.subscribers(&call_id, "customer") == 0).then_some(()));
    server.request("DELETE", "/v1/expected/sip-2", None);
    server.wait_ended("sip-2");
    switch.wait("nobody subscribed", |switch| (switch.subscribers(&call_id, "agent") == 0).then_some(()));
    let customer = track(&server.out.join("sip-2.customer.wav"));
    let first = customer.iter().position(|sample| *sample != 0).expect("the customer was kept");
    assert!(first >= place(&ledger(&server, "sip-2"), "granted"));
    is_one_sided(&track(&server.out.join("sip-2.agent.wav")));
}

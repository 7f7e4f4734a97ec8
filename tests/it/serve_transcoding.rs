//! What `oneside serve` asks of an rtpengine whose parties speak what it cannot read: `allow transcoding`, then and only then.
//! The rtpengine here is one of our own, as strict as the real one: without that flag it sends nothing but what it offered.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use oneside::source::wire::bencode::Value as Ben;
use serde_json::json;

use super::audiosocket_client::is_exact;
use super::audiosocket_client::speech;
use super::encode;
use super::rtp_party::{PACKET, as_heard, packet};
use super::serve_common::Server;
use super::ws_client::paced;

const TOP: &str = "purposes = [\"training\"]\n";

/// What was asked of it: each command, with the description and the flags that came with it.
type Asked = Vec<(String, String, Vec<String>)>;

/// An rtpengine with one party, the agent.
struct Engine {
    ng: SocketAddr,
    asked: Arc<Mutex<Asked>>,
    /// Where its sound comes from.
    sound: UdpSocket,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// `formats`: of the party's `m=` line, with its `a=rtpmap`; `converts`: whether it is able to.
    fn start(formats: &'static str, map: &'static str, converts: bool) -> Engine {
        let (socket, sound) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let (ng, port) = (socket.local_addr().unwrap(), sound.local_addr().unwrap().port());
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Asked::new())));
        let (stopped, told) = (Arc::clone(&stop), Arc::clone(&asked));
        let offered = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\nc=IN IP4 127.0.0.1\r\n\
             a=label:1\r\n{map}a=sendonly\r\n"
        );
        let thread = std::thread::spawn(move || {
            let mut datagram = vec![0; 65_535];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut datagram) else { continue };
                let cookie = datagram[..length].iter().position(|byte| *byte == b' ').unwrap();
                let request = Ben::read(&datagram[cookie + 1..length]).unwrap();
                let mut answer = datagram[..=cookie].to_vec();
                answered(&request, &offered, formats, converts).write(&mut answer);
                let text = |key| request.text(key).unwrap_or_default().to_owned();
                let flags = request.get("flags").map_or(Vec::new(), |flags| {
                    flags.items().iter().filter_map(|flag| flag.as_text().map(str::to_owned)).collect()
                });
                told.lock().unwrap().push((text("command"), text("sdp"), flags));
                socket.send_to(&answer, from).unwrap();
            }
        });
        Engine { ng, asked, sound, stop, thread: Some(thread) }
    }

    /// The answers to its offers: description and flags.
    fn answers(&self) -> Vec<(String, Vec<String>)> {
        let asked = self.asked.lock().unwrap();
        let answers = asked.iter().filter(|(command, ..)| command == "subscribe answer");
        answers.map(|(_, sdp, flags)| (sdp.clone(), flags.clone())).collect()
    }

    fn was_asked(&self, command: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|(asked, ..)| asked == command)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answered<'a>(request: &Ben<'_>, offered: &'a str, formats: &str, converts: bool) -> Ben<'a> {
    let refused = |why| Ben::dictionary([("result", "error".into()), ("error-reason", Ben::from(why))]);
    match request.text("command") {
        Some("query") => {
            let about = Ben::dictionary([("label", "agent".into())]);
            Ben::dictionary([("result", "ok".into()), ("tags", Ben::dictionary([("a1", about)]))])
        }
        Some("subscribe request") => Ben::dictionary([
            ("result", "ok".into()),
            ("to-tag", "recorder".into()),
            ("from-tags", Ben::texts(["a1"])),
            ("media-labels", Ben::dictionary([("1", Ben::dictionary([("tag", "a1".into())]))])),
            ("sdp", offered.into()),
        ]),
        Some("subscribe answer") => {
            let flags = request.get("flags").map(Ben::items).unwrap_or_default();
            let allowed = flags.iter().any(|flag| flag.as_text() == Some("allow transcoding"));
            let sdp = request.text("sdp").unwrap();
            let line = sdp.lines().find(|line| line.starts_with("m=audio ")).unwrap();
            let wanted = line.split("RTP/AVP ").nth(1).unwrap();
            match () {
                () if wanted == formats && !allowed => Ben::dictionary([("result", "ok".into())]),
                () if wanted == formats => refused("there is nothing to convert"),
                () if !allowed => refused("transcoding was not allowed"),
                () if !converts => refused("no transcoding here"),
                () => Ben::dictionary([("result", "ok".into())]),
            }
        }
        _ => Ben::dictionary([("result", "ok".into())]),
    }
}

fn serve(name: &str, engine: &Engine) -> Server {
    let sources = format!("[serve.rtp]\nports = \"0\"\n[serve.rtpengine]\nng = \"{}\"\n", engine.ng);
    let server = Server::start_with(name, TOP, &sources);
    server.expect(json!({ "source": "rtpengine", "call": "c1", "call_id": "1@x", "agent": { "label": "agent" } }));
    server
}

#[test]
fn what_can_be_read_is_taken_as_it_is_and_what_cannot_is_asked_for_in_pcmu() {
    for (name, formats, map, converted) in [
        ("transcoding-none", "0 101", "a=rtpmap:101 telephone-event/8000\r\n", false),
        ("transcoding-opus", "96", "a=rtpmap:96 opus/48000/2\r\n", true),
        ("transcoding-mixed", "0 96", "a=rtpmap:96 opus/48000/2\r\n", true),
    ] {
        let engine = Engine::start(formats, map, true);
        let server = serve(name, &engine);
        server.wait_in_hand("c1");
        let answers = server.wait(|| Some(engine.answers()).filter(|answers| !answers.is_empty()), "an answer");
        let (sdp, flags) = &answers[0];
        assert_eq!(flags.contains(&"allow transcoding".to_owned()), converted, "{name}: {flags:?}");
        let line = sdp.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
        let (port, wanted) = line.split_once(" RTP/AVP ").unwrap();
        assert_eq!(wanted, if converted { "0 101" } else { formats }, "{name}");
        // What comes then is µ-law, and is recorded.
        let to = ("127.0.0.1", port.parse::<u16>().unwrap());
        let sent = speech(4, 1);
        paced(sent.len() / PACKET, Duration::from_millis(20), |n| {
            let law: Vec<u8> = sent[n * PACKET..][..PACKET].iter().map(|sample| encode::mulaw(*sample)).collect();
            let packet = packet(0, n == 0, n as u16, (n * PACKET) as u32, 7, &law);
            engine.sound.send_to(&packet, to).unwrap();
        });
        server.request("DELETE", "/v1/expected/c1", None);
        let ended = server.wait_ended("c1");
        assert_eq!(ended["result"], "recorded", "{name}: {ended}");
        is_exact(&server.out, "c1", &as_heard(&sent));
        server.wait(|| engine.was_asked("unsubscribe").then_some(()), "it is let go");
    }
}

#[test]
fn where_nobody_converts_the_call_is_not_recorded_and_that_is_counted() {
    let engine = Engine::start("96", "a=rtpmap:96 opus/48000/2\r\n", false);
    let server = serve("transcoding-refused", &engine);
    server.wait_counted("oneside_calls_declined_total{source=\"rtpengine\",reason=\"refused\"}", 1);
    assert_eq!(engine.answers().len(), 1, "it is asked once");
    server.wait(|| engine.was_asked("unsubscribe").then_some(()), "the subscription is given up");
    server.wait(|| server.state("c1").is_none().then_some(()), "nothing of it is in hand");
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    scratch.file("switch.csv", b"call\nc1\n");
    scratch.run(&["reconcile", "switch.csv", "--store", "out"]).ends(0);
    scratch.run(&["verify", "out"]).ends(0);
}

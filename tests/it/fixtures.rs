//! What real programs put on the wire, against a server: captured sessions of the shared folder are told again, message by
//! message, at the times at which they were seen. The captures hold no sound but a few frames; it is made again: 440 Hz is
//! the agent, 1,000 Hz the customer.
//!
//! Needs `fixtures/` of the shared folder; see `tones.rs`.

use std::io::Write;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::audiosocket_client::{knock, message};
use super::encode;
use super::serve_common::{Server, tone_dbfs, track};
use super::serve_rtp::{announce_in, manifest};
use super::skipped::skipped;
use super::tones::shared_folder;
use super::ws_client::{Client, paced};

const TOP: &str = "purposes = [\"training\"]\non_withdrawal = \"keep\"\n[keys]\n1 = \"grant\"\n9 = \"withdraw\"\n[danger]\nplain_listeners = true\n";
const AGENT_HZ: f64 = 440.0;
const CUSTOMER_HZ: f64 = 1_000.0;

/// The text of a capture, if it is there.
fn captured(name: &str) -> Option<String> {
    file(name).map(|path| std::fs::read_to_string(path).unwrap())
}

fn file(name: &str) -> Option<PathBuf> {
    let path = shared_folder("fixtures")?.join(name);
    if !path.is_file() {
        skipped(format!("no {}", path.display()));
        return None;
    }
    Some(path)
}

/// A tone of −6 dB, on for 1.2 s and off for as long: nobody speaks on one note for ever.
fn tone(hz: f64, rate_hz: usize, at: std::ops::Range<usize>) -> impl Iterator<Item = i16> {
    let sine = move |n: usize| (std::f64::consts::TAU * hz * n as f64 / rate_hz as f64).sin() * 16_384.0;
    let other = usize::from(hz == CUSTOMER_HZ);
    at.map(move |n| if n / (rate_hz * 6 / 5) % 2 == other { sine(n) as i16 } else { 0 })
}

fn law(hz: f64, at: std::ops::Range<usize>) -> Vec<u8> {
    tone(hz, 8_000, at).map(encode::mulaw).collect()
}

/// The agent's tone is loud somewhere in the agent's track, and the customer's is not in it.
#[track_caller]
fn holds_the_agent(server: &Server, call: &str, rate_hz: u32) {
    let stored = track(&server.out.join(format!("{call}.agent.wav")));
    let loudest =
        stored.chunks(rate_hz as usize / 50).map(|piece| tone_dbfs(piece, rate_hz, AGENT_HZ)).fold(-200.0, f64::max);
    let other = tone_dbfs(&stored, rate_hz, CUSTOMER_HZ);
    assert!(loudest > -10.0 && other < -50.0, "{call}: the agent {loudest} dBFS, the customer {other} dBFS");
}

/// Waits until so many seconds after `began`.
fn at(began: Instant, seconds: f64) {
    std::thread::sleep((began + Duration::from_secs_f64(seconds)).saturating_duration_since(Instant::now()));
}

#[test]
fn a_fork_of_twilios_double_is_recorded_message_by_message() {
    let (Some(trace), Some(log)) =
        (captured("twilio_streamdouble_both_trace.jsonl"), captured("twilio_streamdouble_both.log"))
    else {
        return;
    };
    let source = "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n[[serve.websocket.route]]\npath = \"/media\"\n\
                  dialect = \"media_stream\"\nagent_track = \"outbound\"\ncall = \"key:callId\"\n";
    let mut server = Server::start_with("fixture-twilio", TOP, source);
    let mut client =
        Client::open(server.address_of("websocket"), "/media", &["User-Agent: Python/3.11 websockets/17.4"]);
    let said = |event: &str| {
        let line = log.lines().find(|line| line.contains(&format!("\"event\": \"{event}\""))).unwrap();
        line[line.find('{').unwrap()..].to_owned()
    };
    let stream = serde_json::from_str::<Value>(&said("start")).unwrap()["streamSid"].clone();
    let (mut media, mut first) = (0, None);
    let began = Instant::now();
    for line in trace.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let t = line["t"].as_f64().unwrap();
        at(began, t - *first.get_or_insert(t));
        match line["event"].as_str().unwrap() {
            "media" => {
                let place = line["timestamp_ms"].as_str().unwrap().parse::<usize>().unwrap() * 8;
                let hz = if line["track"] == "outbound" { AGENT_HZ } else { CUSTOMER_HZ };
                let payload = STANDARD.encode(law(hz, place..place + 160));
                assert_eq!(payload.len() as u64, line["bytes"].as_u64().unwrap(), "as it was seen");
                client.text(
                    &json!({ "event": "media", "sequenceNumber": line["seq"], "streamSid": stream, "media": {
                        "track": line["track"], "chunk": line["chunk"], "timestamp": line["timestamp_ms"], "payload": payload
                    } })
                    .to_string(),
                );
                media += 1;
            }
            other => client.text(&said(other)),
        }
    }
    assert_eq!(media, 500);
    assert_eq!(server.wait_ended("42")["result"], "recorded");
    let manifest = manifest(&server, "42");
    assert_eq!(manifest["customer"]["reason"], "no_decision", "{manifest}");
    holds_the_agent(&server, "42", 8_000);
    let length = track(&server.out.join("42.agent.wav")).len();
    assert!((39_000..45_000).contains(&length), "{length} samples of 5 s");
}

/// A connection of a WebSocket capture: what it asked for, what it said and when, its messages of sound.
struct Seen {
    target: String,
    headers: Vec<String>,
    texts: Vec<(f64, String)>,
    bytes: usize,
    messages: usize,
    code: u16,
}

/// Reads `[n] path=… headers= {…}`, `[n] SECONDS TEXT …`, `[n] binary sizes {BYTES: MESSAGES} close code CODE`.
fn connections(log: &str) -> Vec<Seen> {
    let mut all: Vec<Seen> = Vec::new();
    for line in log.lines() {
        let (_, line) = line.split_once("] ").unwrap();
        if let Some(rest) = line.strip_prefix("path=") {
            let words: Vec<&str> = rest.split("headers= ").nth(1).unwrap().split('\'').skip(1).step_by(2).collect();
            let ours = ["Host", "Upgrade", "Connection", "Sec-WebSocket-Version"];
            let pairs = words.chunks_exact(2).filter(|pair| !ours.contains(&pair[0]));
            let headers = pairs.map(|pair| format!("{}:{}", pair[0], pair[1])).collect();
            let target = rest.split(' ').next().unwrap().to_owned();
            all.push(Seen { target, headers, texts: Vec::new(), bytes: 0, messages: 0, code: 1_000 });
            continue;
        }
        let seen = all.last_mut().unwrap();
        if let Some((seconds, text)) = line.split_once(" TEXT ") {
            seen.texts.push((seconds.parse().unwrap(), text.to_owned()));
        } else if let Some(rest) = line.strip_prefix("binary sizes {") {
            let numbers: Vec<usize> =
                rest.split(|letter: char| !letter.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
            (seen.bytes, seen.messages, seen.code) = (numbers[0], numbers[1], numbers[2] as u16);
        }
    }
    all
}

impl Seen {
    /// Tells it again to this path; `sound`: the bytes of the n-th message of 20 ms.
    fn again(&self, to: std::net::SocketAddr, target: &str, mut sound: impl FnMut(usize) -> Vec<u8>) {
        let headers: Vec<&str> = self.headers.iter().map(String::as_str).collect();
        let mut client = Client::open(to, target, &headers);
        let mut texts = self.texts.iter();
        let mut text = texts.next();
        paced(self.messages, Duration::from_millis(20), |n| {
            while let Some((_, said)) = text.filter(|(seconds, _)| *seconds <= n as f64 / 50.0) {
                client.text(said);
                text = texts.next();
            }
            let bytes = sound(n);
            assert_eq!(bytes.len(), self.bytes, "as it was seen");
            client.binary(&bytes);
        });
        text.into_iter().chain(texts).for_each(|(_, said)| client.text(said));
        client.close(self.code);
        while client.next(Duration::from_secs(1)).is_some_and(|sent| sent != super::ws_client::Sent::End) {}
    }
}

#[test]
fn connections_of_mod_audio_stream_with_metadata_with_a_word_and_without_any() {
    let Some(log) = captured("freeswitch_mod_audio_stream.log") else { return };
    let route = |path: &str, more: &str| {
        format!(
            "[[serve.websocket.route]]\npath = \"{path}\"\ndialect = \"audio_stream\"\nworst_buffering_ms = 200\n{more}"
        )
    };
    let source = format!(
        "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n{}{}",
        route(
            "/rec",
            "side = \"stereo\"\nagent_channel = \"left\"\nrate = 16000\ncall = \"key:call\"\ndigits = \"customer\"\n"
        ),
        route("/mono", "side = \"agent-alone\"\nrate = 8000\ncall = \"text\"\n"),
    );
    let mut server = Server::start_with("fixture-freeswitch", TOP, &source);
    let to = server.address_of("websocket");
    let seen = connections(&log);
    assert_eq!(seen.len(), 3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let pair = |n: usize| tone(AGENT_HZ, 16_000, n..n + 1).chain(tone(CUSTOMER_HZ, 16_000, n..n + 1));
            seen[0].again(to, &seen[0].target, |n| {
                (n * 320..(n + 1) * 320).flat_map(pair).flat_map(i16::to_le_bytes).collect()
            });
        });
        for seen in &seen[1..] {
            let mono = |n: usize| tone(AGENT_HZ, 8_000, n * 160..(n + 1) * 160).flat_map(i16::to_le_bytes).collect();
            scope.spawn(move || seen.again(to, "/mono", mono));
        }
        server.wait_in_hand("42");
        std::thread::sleep(Duration::from_millis(1_500));
        server.ask("42", "told", json!({ "notice": "std", "version": 1 }));
    });
    for (call, rate_hz) in [("42", 16_000), ("meta", 8_000)] {
        assert_eq!(server.wait_ended(call)["result"], "recorded", "{call}");
        holds_the_agent(&server, call, rate_hz);
    }
    // Her key at 3 s opened the door.
    let customer = track(&server.out.join("42.customer.wav"));
    let first = customer.iter().position(|sample| *sample != 0).unwrap();
    assert!(first > 46_000, "from {first}");
    // Sound of which nothing was said is nobody's.
    server.wait_counted("oneside_calls_declined_total{source=\"websocket\",reason=\"layout\"}", 1);
}

#[test]
fn a_channel_of_asterisk_by_websocket_in_json_and_in_plain_lines() {
    let source = "[serve.websocket]\nlisten = \"127.0.0.1:0\"\n[[serve.websocket.route]]\npath = \"/media\"\n\
                  dialect = \"chan_websocket\"\nside = \"agent-alone\"\ncall = \"id\"\n";
    for (log, call, rate_hz) in [
        ("asterisk_chan_websocket_json.log", "1795289909.33", 16_000),
        ("asterisk_chan_websocket_plain.log", "1795289919.36", 8_000),
    ] {
        let Some(log) = captured(log) else { return };
        let mut server = Server::start_with("fixture-chan", TOP, source);
        let to = server.address_of("websocket");
        let [seen] = connections(&log).try_into().ok().unwrap();
        let samples = rate_hz / 50;
        seen.again(to, &seen.target, |n| {
            let tone = tone(AGENT_HZ, rate_hz, n * samples..(n + 1) * samples);
            if rate_hz == 8_000 { tone.map(encode::mulaw).collect() } else { tone.flat_map(i16::to_le_bytes).collect() }
        });
        assert_eq!(server.wait_ended(call)["result"], "recorded");
        holds_the_agent(&server, call, rate_hz as u32);
    }
}

/// The RTP packets of a capture (Ethernet, IPv4, UDP): seconds, the port of the receiver, the packet.
fn datagrams(pcap: &[u8]) -> Vec<(f64, u16, Vec<u8>)> {
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(20)), (0xA1B2_C3D4, 1), "a capture of Ethernet in microseconds");
    let (mut found, mut at) = (Vec::new(), 24);
    while at + 16 <= pcap.len() && at + 16 + word(at + 8) as usize <= pcap.len() {
        let frame = &pcap[at + 16..at + 16 + word(at + 8) as usize];
        let ip = &frame[14..];
        let udp = &ip[usize::from(ip[0] & 15) * 4..];
        let port = u16::from_be_bytes([udp[2], udp[3]]);
        // Odd ports are RTCP's.
        if port.is_multiple_of(2) {
            found.push((f64::from(word(at)) + f64::from(word(at + 4)) / 1e6, port, udp[8..].to_vec()));
        }
        at += 16 + frame.len();
    }
    found
}

#[test]
fn what_rtpengine_captured_of_a_call_is_recorded_as_rtp() {
    let Some(path) = file("rtpengine_small.pcap") else { return };
    let datagrams = datagrams(&std::fs::read(path).unwrap());
    // Whose a stream is, its tone tells.
    let is_agent = |port: u16| {
        let sound = datagrams.iter().filter(|(_, to, _)| *to == port).flat_map(|(_, _, packet)| &packet[12..]);
        let sound: Vec<i16> = sound.map(|byte| encode::from_mulaw(*byte)).collect();
        tone_dbfs(&sound, 8_000, AGENT_HZ) > tone_dbfs(&sound, 8_000, CUSTOMER_HZ)
    };
    let mut ports: Vec<u16> = datagrams.iter().map(|(_, port, _)| *port).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.iter().map(|port| is_agent(*port)).filter(|agent| *agent).count(), 1, "{ports:?}");
    let server = Server::start_with("fixture-pcap", TOP, "[serve.rtp]\nports = \"0\"\nidle_s = 2\n");
    let (to_agent, to_customer) = announce_in(&server, "c1", &["0", "101 telephone-event/8000"]);
    let legs = ports.iter().map(|port| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(if is_agent(*port) { to_agent } else { to_customer }).unwrap();
        (*port, socket)
    });
    let legs: Vec<_> = legs.collect();
    let began = Instant::now();
    for (seconds, port, packet) in &datagrams {
        at(began, seconds - datagrams[0].0);
        legs.iter().find(|(of, _)| of == port).unwrap().1.send(packet).unwrap();
    }
    assert_eq!(server.wait_ended("c1")["result"], "recorded");
    let manifest = manifest(&server, "c1");
    // Less than a second of one note is hardly speech; but all of it was heard, of either side.
    for side in ["agent", "customer"] {
        let tally = &manifest["tally"][side];
        let heard = tally["heard"].as_u64().unwrap() - tally["left_out"]["absent"].as_u64().unwrap();
        assert_eq!(heard, datagrams.len() as u64 / 2 * 160, "{side}: {tally}");
        assert!(tally["left_out"]["lost"].is_null(), "{side}: {tally}");
    }
    assert_eq!(manifest["customer"]["stored"], false, "{manifest}");
    let other = tone_dbfs(&track(&server.out.join("c1.agent.wav")), 8_000, CUSTOMER_HZ);
    assert!(other < -50.0, "the customer in the agent's track: {other} dBFS");
}

#[test]
fn connections_of_asterisk_by_audiosocket_in_wide_band_by_the_application_and_with_a_codec() {
    for (log, coding, result) in
        [("as_16.log", 16_000, "recorded"), ("as_app.log", 8_000, "recorded"), ("as_ul.log", 8_000, "quarantined")]
    {
        let Some(log) = captured(log) else { return };
        let mut server =
            Server::start_with("fixture-audiosocket", TOP, "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n");
        let to = server.address_of("audiosocket");
        let id = log.lines().find_map(|line| line.strip_prefix("  uuid ")).unwrap();
        server.expect(json!({ "source": "audiosocket", "call": "c1", "agent": id }));
        // `SECONDS first kind 0xKK len BYTES …`, a line for each kind; what follows are keys.
        let mut stream = knock(to, id);
        let began = Instant::now();
        for line in log.lines().filter(|line| line.contains(" first kind ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let kind = u8::from_str_radix(&words[3][2..], 16).unwrap();
            at(began, words[0].parse().unwrap());
            match kind {
                0x01 => {}
                0x03 => {
                    let keys = log.lines().filter_map(|line| line.strip_prefix("  DTMF b'"));
                    keys.for_each(|key| stream.write_all(&message(kind, &key.as_bytes()[..1])).unwrap());
                }
                _ => {
                    let (bytes, messages) = (words[5].parse::<usize>().unwrap(), sent(&log, kind));
                    let samples = coding / 50;
                    paced(messages, Duration::from_millis(20), |n| {
                        let tone = tone(AGENT_HZ, coding, n * samples..(n + 1) * samples);
                        let payload: Vec<u8> = match bytes == samples {
                            true => tone.map(encode::mulaw).collect(),
                            false => tone.flat_map(i16::to_le_bytes).collect(),
                        };
                        assert_eq!(payload.len(), bytes, "as it was seen");
                        stream.write_all(&message(kind, &payload)).unwrap();
                    });
                }
            }
        }
        drop(stream);
        let ended = server.wait_ended("c1");
        assert_eq!(ended["result"], result, "{ended}");
        match result {
            "recorded" => holds_the_agent(&server, "c1", coding as u32),
            _ => assert!(track(&server.out.join("c1.agent.wav")).iter().all(|sample| *sample == 0)),
        }
    }
}

/// How many messages of a kind were seen: `counts {'0x12': 84, …}`.
fn sent(log: &str, kind: u8) -> usize {
    let counts = log.lines().find_map(|line| line.strip_prefix("counts ")).unwrap();
    let count = counts.split(&format!("'{kind:#x}': ")).nth(1).unwrap();
    count.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn a_session_of_the_reference_client_of_audiohook() {
    let Some(log) = captured("audiohook_reference_client_session.log") else { return };
    let mut server = Server::start_with("fixture-audiohook", TOP, "[serve.audiohook]\nlisten = \"127.0.0.1:0\"\n");
    let to = server.address_of("audiohook");
    // Its signature is too old by now; what it says is not.
    let messages = log.split("sendMessage - Sending message: ").skip(1).map(|rest| {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        values.next().unwrap().unwrap()
    });
    let messages: Vec<Value> = messages.collect();
    assert_eq!(
        messages.iter().map(|message| message["type"].as_str().unwrap()).collect::<Vec<_>>(),
        ["open", "ping", "ping", "close"]
    );
    let session = messages[0]["id"].as_str().unwrap();
    let mut client = Client::open(to, "/audiohook", &[&format!("Audiohook-Session-Id: {session}")]);
    client.text(&messages[0].to_string());
    let mut heard = vec![client.next(Duration::from_secs(10))];
    paced(25, Duration::from_millis(200), |n| {
        if n == 5 {
            for message in &messages[1..3] {
                client.text(&message.to_string());
                heard.push(client.next(Duration::from_secs(10)));
            }
        }
        let pair = |n: usize| [law(CUSTOMER_HZ, n..n + 1), law(AGENT_HZ, n..n + 1)].concat();
        client.binary(&(n * 1_600..(n + 1) * 1_600).flat_map(pair).collect::<Vec<u8>>());
    });
    client.text(&messages[3].to_string());
    heard.push(client.next(Duration::from_secs(10)));
    let heard = format!("{heard:?}");
    for kind in ["opened", "pong", "closed"] {
        assert!(heard.contains(&format!("\\\"type\\\":\\\"{kind}\\\"")), "{kind}: {heard}");
    }
    let call = messages[0]["parameters"]["conversationId"].as_str().unwrap();
    assert_eq!(server.wait_ended(call)["result"], "recorded");
    holds_the_agent(&server, call, 8_000);
    assert!(!server.out.join(format!("{call}.customer.wav")).exists());
    assert!(!manifest(&server, call).to_string().contains("555-1234"), "no number is told");
}

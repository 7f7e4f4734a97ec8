//! `oneside serve` and AudioSocket: a client that does on the wire what Asterisk was seen to do.
//!
//! The UUID at once, keys when they are pressed, the first sound half a second later, then a message every 20 ms, each in
//! one write. The agent is a tone of 440 Hz, the customer one of 1,000 Hz.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::audiosocket_client::{message, uuid};
use crate::serve_common::{Server, tone_dbfs, track};

const AGENT: &str = "40325ec2-5efd-4bd3-805f-53576e581d13";
const CUSTOMER: &str = "40325ec2-5efd-4bd3-805f-53576e581d14";
const AGENT_HZ: f64 = 440.0;
const CUSTOMER_HZ: f64 = 1_000.0;

/// Asterisk's end of a connection.
struct Asterisk {
    stream: TcpStream,
    /// What is sent with sound: type, samples of 20 ms, the rate.
    kind: u8,
    rate_hz: u32,
    hz: f64,
    at: u64,
}

impl Asterisk {
    fn connect(address: SocketAddr, id: &str, hz: f64) -> Asterisk {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&message(0x01, &uuid(id))).unwrap();
        Asterisk { stream, kind: 0x10, rate_hz: 8_000, hz, at: 0 }
    }

    fn at_rate(mut self, kind: u8, rate_hz: u32) -> Asterisk {
        (self.kind, self.rate_hz) = (kind, rate_hz);
        self
    }

    fn frame(&mut self) -> Vec<i16> {
        let from = self.at;
        self.at += u64::from(self.rate_hz) / 50;
        let sine = |at: u64| (std::f64::consts::TAU * self.hz * at as f64 / f64::from(self.rate_hz)).sin();
        // They talk in turns, as people do: a second and a fifth each.
        let (turn, rate) = (u64::from(self.hz == CUSTOMER_HZ), u64::from(self.rate_hz));
        let loud = |at: u64| if at / (rate * 6 / 5) % 2 == turn { 12_000.0 } else { 0.0 };
        (from..self.at).map(|at| (loud(at) * sine(at)) as i16).collect()
    }

    fn sound(&mut self) -> bool {
        let payload: Vec<u8> = self.frame().into_iter().flat_map(i16::to_le_bytes).collect();
        self.stream.write_all(&message(self.kind, &payload)).is_ok()
    }

    fn digit(&mut self, digit: u8) {
        self.stream.write_all(&message(0x03, &[digit])).unwrap();
    }

    /// Whether it was told to hang up, after which it goes on in its dialplan.
    fn is_told_to_hang_up(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut answer = [1; 3];
        self.stream.read_exact(&mut answer).is_ok() && answer == [0; 3]
    }
}

/// Both ends of a call, talking for so long; `at` is asked before each 20 ms.
fn talk(sides: &mut [&mut Asterisk], ms: u64, mut at: impl FnMut(u64, &mut [&mut Asterisk])) {
    let began = Instant::now();
    for frame in 0..ms / 20 {
        at(frame * 20, sides);
        for side in sides.iter_mut() {
            assert!(side.sound(), "the recorder always reads");
        }
        let due = began + Duration::from_millis((frame + 1) * 20);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn announced(server: &Server, call: &str) {
    server.expect(json!({ "source": "audiosocket", "call": call, "agent": AGENT, "customer": CUSTOMER }));
}

const KEYS: &str =
    "purposes = [\"training\"]\n[keys]\nquestion_s = 10\n1 = \"grant\"\n2 = \"refuse\"\n9 = \"withdraw\"\n";
const SOURCE: &str = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n";

fn told() -> Value {
    json!({ "notice": "std", "version": "1" })
}

fn loudness(sound: &[i16], rate_hz: u32, from_s: f64, until_s: f64, hz: f64) -> f64 {
    let place = |s: f64| ((s * f64::from(rate_hz)) as usize).min(sound.len());
    tone_dbfs(&sound[place(from_s)..place(until_s)], rate_hz, hz)
}

/// Ends the server, and reads the files of a call: the agent's track, the customer's if there is one, the manifest.
fn stored(server: Server, call: &str) -> (Vec<i16>, Option<Vec<i16>>, Value) {
    let out = server.out.clone();
    let (_, _, _scratch) = server.end();
    let manifest = std::fs::read_to_string(out.join(format!("{call}.json"))).unwrap();
    let customer = out.join(format!("{call}.customer.wav"));
    let customer = customer.is_file().then(|| track(&customer));
    (track(&out.join(format!("{call}.agent.wav"))), customer, serde_json::from_str(&manifest).unwrap())
}

#[test]
fn a_key_inside_of_the_question_opens_the_door_from_there_on_and_another_shuts_it() {
    let mut server = Server::start_with("as-keys", KEYS, SOURCE);
    let address = server.address_of("audiosocket");
    announced(&server, "c1");
    let mut agent = Asterisk::connect(address, AGENT, AGENT_HZ);
    let mut customer = Asterisk::connect(address, CUSTOMER, CUSTOMER_HZ);
    std::thread::sleep(Duration::from_millis(500));
    talk(&mut [&mut agent, &mut customer], 11_000, |ms, sides| match ms {
        // Before the question it counts for nothing.
        2_500 => sides[1].digit(b'1'),
        3_500 => drop(server.ask("c1", "told", told())),
        4_500 => sides[0].digit(b'1'),
        5_500 => {
            let state = server.state("c1").unwrap();
            assert_eq!(
                state["customer_stored"], false,
                "nobody but the customer, and nowhere but in the question: {state}"
            );
            sides[1].digit(b'1');
        }
        _ => {}
    });
    for side in [agent, customer] {
        drop(side);
    }
    server.wait_ended("c1");
    let (agent, customer, manifest) = stored(server, "c1");
    assert_eq!(manifest["result"], "recorded", "{manifest}");
    assert!(loudness(&agent, 8_000, 4.0, 10.0, AGENT_HZ) > -24.0);
    assert!(loudness(&agent, 8_000, 0.0, 11.0, CUSTOMER_HZ) < -60.0);
    let customer = customer.expect("the customer granted");
    assert!(customer.iter().take(5 * 8_000 + 3_000).all(|sample| *sample == 0), "nothing before the key");
    assert!(loudness(&customer, 8_000, 7.0, 10.0, CUSTOMER_HZ) > -24.0, "everything after it");
    let ledger = manifest["ledger"].to_string();
    assert!(ledger.contains("outside_question") && ledger.contains("not_the_customer"), "{ledger}");
}

#[test]
fn without_a_grant_nothing_of_the_customers_is_in_any_file() {
    let mut server = Server::start_with("as-plain", KEYS, SOURCE);
    let address = server.address_of("audiosocket");
    announced(&server, "c1");
    let mut agent = Asterisk::connect(address, AGENT, AGENT_HZ).at_rate(0x12, 16_000);
    let mut customer = Asterisk::connect(address, CUSTOMER, CUSTOMER_HZ).at_rate(0x12, 16_000);
    talk(&mut [&mut agent, &mut customer], 3_500, |_, _| {});
    agent.stream.write_all(&message(0x00, b"")).unwrap();
    customer.stream.write_all(&message(0x00, b"")).unwrap();
    server.wait_ended("c1");
    let (agent, customer, manifest) = stored(server, "c1");
    assert_eq!((customer, &manifest["rate_hz"]), (None, &json!(16_000)), "{manifest}");
    assert!(loudness(&agent, 16_000, 0.5, 3.0, AGENT_HZ) > -24.0);
    assert!(loudness(&agent, 16_000, 0.0, 3.5, CUSTOMER_HZ) < -60.0);
}

#[test]
fn who_is_unknown_is_told_to_go_on_in_the_dialplan() {
    let mut server = Server::start_with("as-unknown", KEYS, SOURCE);
    let address = server.address_of("audiosocket");
    let mut unknown = Asterisk::connect(address, AGENT, AGENT_HZ);
    assert!(unknown.is_told_to_hang_up());
    server.wait_for("unknown");
    // Sound before any UUID: nobody's.
    let mut nobody = TcpStream::connect(address).unwrap();
    nobody.write_all(&message(0x10, &[0; 320])).unwrap();
    nobody.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = [1; 3];
    nobody.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0; 3]);
    server.wait_for("no_uuid");
}

#[test]
fn when_the_call_or_the_server_ends_the_dialplan_goes_on() {
    let mut server = Server::start_with("as-end", KEYS, SOURCE);
    let address = server.address_of("audiosocket");
    announced(&server, "c1");
    let mut agent = Asterisk::connect(address, AGENT, AGENT_HZ);
    let mut customer = Asterisk::connect(address, CUSTOMER, CUSTOMER_HZ);
    talk(&mut [&mut agent, &mut customer], 1_000, |_, _| {});
    server.wait_in_hand("c1");
    server.signal("TERM");
    assert!(agent.is_told_to_hang_up() && customer.is_told_to_hang_up());
    drop((agent, customer));
    let (_, _, manifest) = stored(server, "c1");
    assert_eq!(manifest["result"], "recorded");
}

#[test]
fn g711_under_the_type_of_linear_sound_is_quarantined_or_decoded_if_that_is_known() {
    for (setting, result) in [("", "quarantined"), ("g711 = \"ulaw\"\n", "recorded")] {
        let mut server = Server::start_with("as-ulaw", KEYS, &format!("{SOURCE}{setting}"));
        let address = server.address_of("audiosocket");
        server.expect(json!({ "source": "audiosocket", "call": "c1", "agent": AGENT }));
        let mut agent = Asterisk::connect(address, AGENT, AGENT_HZ);
        let began = Instant::now();
        for frame in 0..150u32 {
            let payload: Vec<u8> = agent.frame().into_iter().map(encode_ulaw).collect();
            agent.stream.write_all(&message(0x10, &payload)).unwrap();
            let due = began + Duration::from_millis(20) * (frame + 1);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        drop(agent);
        server.wait_ended("c1");
        let (agent, _, manifest) = stored(server, "c1");
        assert_eq!(manifest["result"], result, "{manifest}");
        let loud = loudness(&agent, 8_000, 0.3, 2.8, AGENT_HZ) > -24.0;
        assert_eq!(loud, result == "recorded");
        assert!(loud || agent.iter().all(|sample| *sample == 0), "nothing doubtful is stored");
    }
}

/// µ-law by its definition (ITU-T G.711).
fn encode_ulaw(sample: i16) -> u8 {
    let magnitude = (i32::from(sample).abs().min(32_635) + 132) as u32;
    let exponent = 31 - magnitude.leading_zeros() - 7;
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (exponent << 4 | mantissa) as u8)
}

#[test]
fn garbage_stalls_and_torn_messages_hurt_nobody() {
    let mut server = Server::start_with("as-garbage", KEYS, SOURCE);
    let address = server.address_of("audiosocket");
    announced(&server, "c1");
    let mut agent = Asterisk::connect(address, AGENT, AGENT_HZ);
    let mut customer = Asterisk::connect(address, CUSTOMER, CUSTOMER_HZ);
    for length in [1usize, 3, 700] {
        let mut other = TcpStream::connect(address).unwrap();
        other.write_all(&vec![0x5a; length]).unwrap();
    }
    let silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    talk(&mut [&mut agent, &mut customer], 4_000, |ms, sides| match ms {
        500 => sides[0].stream.write_all(&message(0x77, &[1; 60_000])).unwrap(),
        1_000 => sides[0].stream.write_all(&message(0xff, &[4])).unwrap(),
        2_000 => std::thread::sleep(Duration::from_millis(700)), // it stalls, and catches up
        _ => {}
    });
    agent.stream.write_all(&[0x10, 0x01, 0x40, 1, 2, 3]).unwrap();
    drop((agent, customer, silent));
    server.wait_ended("c1");
    for what in ["unknown", "error", "torn"] {
        let nothing = format!("oneside_audiosocket_faults_total{{source=\"audiosocket\",what=\"{what}\"}} 0\n");
        let counted = || {
            let metrics = server.request_text("GET", "/metrics", None).1;
            (metrics.contains(nothing.trim_end_matches("0\n")) && !metrics.contains(&nothing)).then_some(())
        };
        server.wait(counted, what);
    }
    let (agent, customer, manifest) = stored(server, "c1");
    assert_eq!((customer, &manifest["result"]), (None, &json!("recorded")), "{manifest}");
    assert!(loudness(&agent, 8_000, 0.5, 3.5, AGENT_HZ) > -24.0);
}

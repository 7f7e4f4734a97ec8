//! Whom a connection of AudioSocket carries and where it lies: parties that a file names, the highest rate there is, and two
//! connections of a call that begin apart.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::audiosocket_client::{MESSAGE, Talk, id, is_exact, is_hung_up, knock, message, sound, speech};
use super::common::{Scratch, canary};
use super::rtp_party::{in_place, offset};
use super::serve_common::{Server, track};
use super::ws_client::paced;

const TOP: &str = "purposes = [\"training\"]\non_withdrawal = \"keep\"\n";
const SOURCE: &str = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n";

fn granted(server: &Server, call: &str) {
    server.wait_in_hand(call);
    server.ask(call, "told", json!({ "notice": "std", "version": 1 }));
    server.ask(call, "granted", json!({ "act": "spoken_yes", "purpose": "training" }));
}

#[test]
fn whom_the_file_names_is_recorded_and_whom_it_does_not_is_told_to_go_on_and_counted() {
    let scratch = Scratch::new("as-registry");
    let (out, file) = (scratch.at("out"), scratch.at("parties.jsonl"));
    let first = json!({ "call": "c1", "agent": id(1), "customer": id(2) });
    std::fs::write(&file, format!("{first}\n")).unwrap();
    let mut server = Server::start_in(scratch, out, TOP, &format!("{SOURCE}registry = \"parties.jsonl\"\n"));
    let address = server.address_of("audiosocket");
    let unknown = |count| {
        assert!(is_hung_up(&mut knock(address, &id(9))), "its dialplan goes on");
        server.wait_counted("oneside_calls_declined_total{source=\"audiosocket\",reason=\"unknown\"}", count);
    };
    unknown(1);
    let (agent, customer) = (speech(5, 1), canary(5, 2));
    // The customer's connection comes first: whose it is says the file, and no order does.
    let talks = [(2, customer.clone()), (1, agent.clone())];
    let talks = talks.map(|(number, side)| Talk::begin(knock(address, &id(number)), side));
    granted(&server, "c1");
    talks.into_iter().for_each(|talk| drop(talk.wait()));
    assert_eq!(server.wait_ended("c1")["result"], "recorded");
    is_exact(&server.out, "c1", &agent);
    let (_, last) = in_place(&track(&server.out.join("c1.customer.wav")), &customer);
    assert!(last > 3 * 8_000, "the customer to {last}");

    // A switch adds a call, and is still writing the next one.
    let second = json!({ "call": "c2", "agent": id(3) });
    std::fs::write(&file, format!("{first}\n{second}\n{{\"call\": \"c3\", \"agent\": \"{}", id(9))).unwrap();
    let agent = speech(3, 3);
    drop(Talk::begin(knock(address, &id(3)), agent.clone()).wait());
    assert_eq!(server.wait_ended("c2")["result"], "recorded");
    is_exact(&server.out, "c2", &agent);
    unknown(2);
    // A call that the file does not name any more is nobody's.
    std::fs::write(&file, format!("{second}\n\n")).unwrap();
    assert!(is_hung_up(&mut knock(address, &id(9))) && is_hung_up(&mut knock(address, &id(1))));
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    let list = String::from_utf8(scratch.files("out")["not-recorded.jsonl"].clone()).unwrap_or_default();
    assert!(!list.contains("c1") && !list.contains("c2"), "{list}");
}

#[test]
fn the_highest_rate_there_is_comes_down_to_the_highest_of_a_call() {
    const TIMES: usize = 24; // 192 kHz of 8 kHz
    let mut server = Server::start_with("as-192", TOP, SOURCE);
    let address = server.address_of("audiosocket");
    server.expect(json!({ "source": "audiosocket", "call": "c1", "agent": id(1) }));
    let mut stream = knock(address, &id(1));
    let spoken = speech(3, 1);
    paced(spoken.len() / MESSAGE, Duration::from_millis(20), |n| {
        let samples = spoken[n * MESSAGE..][..MESSAGE].iter().flat_map(|sample| [*sample; TIMES]);
        let payload: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
        assert_eq!(payload.len(), 7_680, "as Asterisk sends 20 ms");
        stream.write_all(&message(0x18, &payload)).unwrap();
    });
    drop(stream);
    assert_eq!(server.wait_ended("c1")["result"], "recorded");
    let expected: Vec<i16> = spoken.iter().flat_map(|sample| [*sample; TIMES / 4]).collect();
    is_exact(&server.out, "c1", &expected);
    let reader = hound::WavReader::open(server.out.join("c1.agent.wav")).unwrap();
    assert_eq!(reader.spec().sample_rate, 48_000);
}

/// Sends at the pace of speech from `began` on; what was to be sent in the stall is sent at its end, at once.
fn stalls(mut stream: TcpStream, samples: &[i16], stall: std::ops::Range<usize>) -> TcpStream {
    let began = Instant::now();
    for (n, piece) in samples.chunks_exact(MESSAGE).enumerate() {
        let due = if stall.contains(&n) { stall.end } else { n };
        let due = began + Duration::from_millis(20) * due as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        stream.write_all(&sound(piece)).unwrap();
    }
    stream
}

#[test]
fn of_two_connections_one_that_begins_later_and_stalls_lies_where_it_was_spoken() {
    const LATER: Duration = Duration::from_millis(900);
    let mut server = Server::start_with("as-later", TOP, SOURCE);
    let address = server.address_of("audiosocket");
    server.expect(json!({ "source": "audiosocket", "call": "c1", "agent": id(1), "customer": id(2) }));
    // She speaks from 3.4 to 7 s, by her own clock.
    let (agent, customer) = (speech(8, 1), canary(11, 3)[4 * 8_000..].to_vec());
    let (stream, began) = (knock(address, &id(1)), Instant::now());
    let talk = Talk::begin(stream, agent.clone());
    granted(&server, "c1");
    let stream = knock(address, &id(2));
    std::thread::sleep(LATER.saturating_sub(began.elapsed()));
    let apart = began.elapsed().as_secs_f64();
    // It stalls after 5 s for 0.3 s.
    let stream = stalls(stream, &customer, 250..265);
    drop((talk.wait(), stream));
    assert_eq!(server.wait_ended("c1")["result"], "recorded");
    is_exact(&server.out, "c1", &agent);
    let [agent_stored, customer_stored] =
        ["agent", "customer"].map(|side| track(&server.out.join(format!("c1.{side}.wav"))));
    let (first, last) = in_place(&customer_stored, &customer);
    assert!(first < 240 * MESSAGE && last > 290 * MESSAGE, "from {first} to {last}: before the stall and after it");
    let apart_stored = (offset(&customer_stored, &customer) - offset(&agent_stored, &agent)) as f64 / 8_000.0;
    assert!((apart_stored - apart).abs() < 0.15, "{apart} s apart, and {apart_stored} s as stored");
}

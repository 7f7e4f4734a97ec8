//! A call that takes long to begin, because the disk does: its connection is read all the same, so that Asterisk never waits,
//! and what was held of it is stored in its place.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

use super::audiosocket_client::{Talk, agent_alone, is_exact, sound, speech};
use super::serve_common::Server;

const TOP: &str = "purposes = [\"training\"]\n";
const SOCKET: &str = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n";

/// Nobody can claim a place in the store until this is dropped.
fn held_up(server: &Server) -> File {
    let live = server.out.join(".live");
    fs::create_dir_all(&live).unwrap();
    let lock = OpenOptions::new().create(true).append(true).open(live.join(".lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn however_long_a_call_takes_to_begin_its_connection_is_read() {
    let mut server = Server::start_with("faults-begin-flood", TOP, SOCKET);
    let address = server.address_of("audiosocket");
    let lock = held_up(&server);
    let mut stream = agent_alone(&server, address, "flood", 1);
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    // More than the buffers of the system hold, however far they grow.
    let second: Vec<u8> = speech(1, 1).chunks(160).flat_map(sound).collect();
    for n in 0..3_000 {
        stream.write_all(&second).unwrap_or_else(|error| panic!("made to wait after {n} s of sound: {error}"));
    }
    assert!(server.state("flood").is_none(), "it has not begun");
    drop(lock);
    server.wait_in_hand("flood");
    drop(stream);
    server.wait_ended("flood");
}

#[test]
fn a_call_that_begins_late_begins_with_the_latest_that_was_said() {
    let mut server = Server::start_with("faults-begin-late", TOP, SOCKET);
    let address = server.address_of("audiosocket");
    let lock = held_up(&server);
    let began = Instant::now();
    let (sent, stream) = (speech(12, 1), agent_alone(&server, address, "late", 1));
    let talk = Talk::begin(stream, sent.clone());
    std::thread::sleep(Duration::from_secs(3));
    drop(lock);
    server.wait_in_hand("late");
    let waited = began.elapsed().as_secs_f64();
    drop(talk.wait());
    let ended = server.wait_ended("late");
    assert_eq!(ended["result"], "recorded", "{ended}");
    is_exact(&server.out, "late", &sent);
    let (seconds, whole) = (ended["seconds"].as_f64().unwrap(), sent.len() as f64 / 8_000.0);
    // From two seconds before it began; the rest is what this machine may have slept.
    let least = whole - waited + 2.0 - 0.3;
    assert!((least..=whole - 3.0 + 2.0 + 0.1).contains(&seconds), "{seconds} s of {whole}, after {waited} s");
}

//! Many connections on which nothing comes, and slow ones, on every listener of `oneside serve`: a real call goes through
//! meanwhile, and they are thrown out.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::audiosocket_client::{Talk, agent_alone, is_exact, speech};
use super::serve_common::Server;
use super::skipped::skipped;
use super::ws_client::request;

/// Connections on which nothing comes, where the system lets a process have so many.
const CROWD: usize = 10_000;
/// The least number that is worth a test.
const CROWD_MIN: usize = 2_000;
/// What this process may need for the other tests that run beside this one.
const SPARE: u64 = 1_000;

const TOP: &str = "purposes = [\"training\"]\n[danger]\nplain_listeners = true\n";
const SOURCES: &str = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n\
                       [serve.websocket]\nlisten = \"127.0.0.1:0\"\n[[serve.websocket.route]]\npath = \"/a\"\n\
                       dialect = \"audio_stream\"\nside = \"agent-alone\"\nrate = 8000\ncall = \"key:call\"\n\
                       [serve.audiohook]\nlisten = \"127.0.0.1:0\"\n\
                       [serve.rtp]\nports = \"0\"\n[serve.siprec]\nlisten_tcp = \"127.0.0.1:0\"\nagent_label = \"1\"\n";

/// How many connections this process may have.
fn room() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let room = getrlimit(Resource::Nofile).current.map_or(CROWD as u64, |limit| limit.saturating_sub(SPARE));
    CROWD.min(room as usize)
}

/// Whether the other end has closed it; what it said is passed over.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut some = [0; 512];
    loop {
        match stream.read(&mut some) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

fn silent(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

/// One that says a byte of its request every second.
struct Slow {
    stream: TcpStream,
    rest: Vec<u8>,
    what: &'static str,
}

#[test]
fn a_crowd_that_says_nothing_and_slow_ones_keep_nobody_out_and_are_thrown_out() {
    let crowd = room();
    if crowd < CROWD_MIN {
        skipped("this user may have too few files open");
        return;
    }
    let mut server = Server::start_with("faults-crowd", TOP, SOURCES);
    let mut at = |source: &str| server.address_of(source);
    let (socket, web, hook, sip) = (at("audiosocket"), at("websocket"), at("audiohook"), at("siprec/tcp"));
    let api = server.api;
    let slow = |address, what, bytes: Vec<u8>| Slow { stream: silent(address), rest: bytes, what };
    let upgrade = |target: &str| request(target, &["Host: 127.0.0.1"]).into_bytes();
    let mut slow = vec![
        slow(socket, "AudioSocket", [&[1, 0, 16][..], &[7; 16]].concat()),
        slow(web, "WebSocket", upgrade("/a")),
        slow(hook, "AudioHook", upgrade("/audiohook")),
        slow(sip, "SIP", b"OPTIONS sip:recorder@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1\r\n".to_vec()),
        slow(api, "HTTP", b"GET /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n".to_vec()),
    ];
    let mut silent: Vec<TcpStream> = (0..crowd).map(|n| silent([socket, web, hook, sip][n % 4])).collect();
    // Each listener has thousands of them, and a call goes through.
    let sent = speech(4, 1);
    let talk = Talk::begin(agent_alone(&server, socket, "real", 1), sent.clone());
    server.wait_in_hand("real");
    let until = Instant::now() + Duration::from_secs(90);
    while !(slow.is_empty() && silent.is_empty()) {
        let left: Vec<&str> = slow.iter().map(|slow| slow.what).collect();
        assert!(Instant::now() < until, "{} silent ones and {left:?} are still there", silent.len());
        slow.retain_mut(|slow| {
            let next = if slow.rest.len() > 1 { slow.rest.remove(0) } else { b'x' };
            let written = slow.stream.write(&[next]);
            let gone = written.is_err_and(|error| error.kind() != ErrorKind::WouldBlock);
            !gone && !is_closed(&mut slow.stream)
        });
        silent.retain_mut(|stream| !is_closed(stream));
        std::thread::sleep(Duration::from_secs(1));
    }
    drop(talk.wait());
    assert_eq!(server.wait_ended("real")["result"], "recorded");
    is_exact(&server.out, "real", &sent);
    let (code, said, _scratch) = server.end();
    assert_eq!(code, 0, "{:?}", said.last());
}

/// The server raises its own limit as far as the system lets it, and says so where that is not enough for its calls.
#[test]
#[cfg(target_os = "linux")]
fn the_limit_of_open_files_is_raised_and_one_that_is_too_low_is_told() {
    use super::common::Scratch;
    let under = |name: &str, limits: &str, serve: &str| {
        let scratch = Scratch::new(name);
        let out = scratch.at("out");
        let limits = format!("{limits}; exec \"$0\" \"$@\"");
        Server::start_under(&["sh", "-c", &limits], scratch, out, TOP, &format!("{serve}{SOURCES}"))
    };
    let server = under("faults-files", "ulimit -Sn 100; ulimit -Hn 1200", "calls_max = 100\n");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().nth(3), Some("1200"), "{files}");
    let told = |said: &[String]| said.iter().any(|line| line.contains("LimitNOFILE") && line.contains("calls_max"));
    assert!(!told(&server.said), "{:?}", server.said);
    let server = under("faults-few-files", "ulimit -n 1200", "calls_max = 1000\n");
    assert!(told(&server.said), "{:?}", server.said);
}

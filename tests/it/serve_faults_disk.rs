//! `oneside serve` over a disk that is full, that refuses, and that is slow: calls in hand are sealed, new ones are declined
//! for a reason that is counted, the API answers, and the switch is never made to wait.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::audiosocket_client::{Talk, agent_alone, is_declined, is_exact, message, speech};
use super::common::{Scratch, have};
use super::serve_common::Server;
use super::skipped::skipped;

const TOP: &str = "purposes = [\"training\"]\nfree_min_mib = 1\n";
const SOCKET: &str = "[serve.audiosocket]\nlisten = \"127.0.0.1:0\"\n";

/// A file system of a given size, as long as it lives.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this process may not mount.
    fn mount(path: PathBuf) -> Option<Disk> {
        fs::create_dir_all(&path).unwrap();
        let ran = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(&path).output();
        ran.is_ok_and(|ran| ran.status.success()).then_some(Disk(path))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn declined(server: &Server, reason: &str) -> bool {
    let (status, metrics) = server.request_text("GET", "/metrics", None);
    let line = format!("oneside_calls_declined_total{{source=\"audiosocket\",reason=\"{reason}\"}} 1");
    status == 200 && metrics.lines().any(|found| found == line)
}

/// Says which calls there are, as the switch does; the store must know a result of each.
fn reconciled(scratch: &Scratch, calls: &[&str]) {
    scratch.file("switch.csv", format!("call\n{}\n", calls.join("\n")).as_bytes());
    scratch.run(&["reconcile", "switch.csv", "--store", "out"]).ends(0);
}

#[test]
fn a_disk_that_is_full_interrupts_the_calls_in_hand_and_declines_new_ones_until_there_is_room() {
    let scratch = Scratch::new("faults-disk-full");
    let Some(disk) = Disk::mount(scratch.at("out")) else {
        skipped("this user may not mount a small disk");
        return;
    };
    let ballast = scratch.at("out/ballast");
    let mut server = Server::start_in(scratch, disk.0.clone(), TOP, SOCKET);
    let address = server.address_of("audiosocket");
    let talks: Vec<Talk> =
        (0..2).map(|n| Talk::begin(agent_alone(&server, address, &format!("in-hand-{n}"), n), speech(60, n))).collect();
    let at_work =
        |n: usize| server.state(&format!("in-hand-{n}")).filter(|state| state["seconds"].as_f64() > Some(1.0));
    (0..2).for_each(|n| drop(server.wait(|| at_work(n), "a call at work")));
    // It is filled to its last byte.
    let mut left = 4 << 20;
    while left > 0 {
        let file = fs::OpenOptions::new().create(true).append(true).open(&ballast).unwrap();
        if (&file).write_all(&vec![1; left]).is_err() {
            left /= 2;
        }
    }
    // A call has the rest of its last block until it needs a new one.
    let told = |n: usize| server.state(&format!("in-hand-{n}")).filter(|state| state["recording"] == "not_recording");
    (0..2).for_each(|n| drop(server.wait(|| told(n), "it is told that nothing is recorded")));
    assert!(is_declined(&server, address, "new", 7), "the dialplan goes on");
    server.wait(|| declined(&server, "disk_full").then_some(()), "it is counted why");
    assert_eq!(server.request("GET", "/v1/calls", None).0, 200);
    for (n, talk) in talks.into_iter().enumerate() {
        let (stream, _) = talk.stop();
        drop(stream);
        let ended = server.wait_ended(&format!("in-hand-{n}"));
        assert_eq!(ended["result"], "interrupted", "{ended}");
    }
    // With room again all is as it was.
    fs::remove_file(&ballast).unwrap();
    drop(Talk::begin(agent_alone(&server, address, "later", 8), speech(1, 8)).wait());
    assert_eq!(server.wait_ended("later")["result"], "recorded");
    is_exact(&server.out, "later", &speech(1, 8));
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    for n in 0..2 {
        let sound = scratch.sound(&format!("out/in-hand-{n}.agent.wav"));
        assert!(sound.len() > 1_600 && sound.len() < 60 * 8_000, "what stood is kept: {}", sound.len());
    }
    scratch.run(&["verify", "out"]).ends(0);
    reconciled(&scratch, &["in-hand-0", "in-hand-1", "new", "later"]);
}

#[test]
fn a_disk_that_refuses_to_write_interrupts_calls_and_no_more() {
    let scratch = Scratch::new("faults-disk-refuses");
    let out = scratch.at("out");
    if !have("bash") {
        return;
    }
    // No file may be larger: what is written beyond is refused.
    let under = |scratch, out, kib: u32| {
        let limit = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        Server::start_under(&["bash", "-c", &limit], scratch, out, TOP, SOCKET)
    };
    let mut server = under(scratch, out.clone(), 100);
    let address = server.address_of("audiosocket");
    assert!(is_declined(&server, address, "none", 1), "the dialplan goes on");
    server.wait(|| declined(&server, "disk").then_some(()), "it is counted why");
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    reconciled(&scratch, &["none"]);
    let mut server = under(scratch, out, 320);
    let address = server.address_of("audiosocket");
    // At 48 kHz the limit is reached after three seconds.
    let mut stream = agent_alone(&server, address, "long", 1);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let long = thread::spawn(move || {
        let loud: Vec<u8> = speech(1, 1)[..960].iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let began = Instant::now();
        let mut n = 0;
        while !stopped.load(Ordering::Relaxed) && stream.write_all(&message(0x16, &loud)).is_ok() {
            n += 1;
            thread::sleep((began + Duration::from_millis(20) * n).saturating_duration_since(Instant::now()));
        }
    });
    drop(Talk::begin(agent_alone(&server, address, "short", 2), speech(2, 2)).wait());
    assert_eq!(server.wait_ended("short")["result"], "recorded");
    is_exact(&server.out, "short", &speech(2, 2));
    let told = || server.state("long").filter(|state| state["recording"] == "not_recording");
    server.wait(told, "it is told that nothing is recorded");
    stop.store(true, Ordering::Relaxed);
    long.join().unwrap();
    let ended = server.wait_ended("long");
    assert_eq!(ended["result"], "interrupted", "{ended}");
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    assert!(scratch.sound("out/long.agent.wav").len() > 8_000, "what stood is kept");
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_slow_costs_no_sample() {
    if !have("strace") {
        return;
    }
    let scratch = Scratch::new("faults-disk-slow");
    let out = scratch.at("out");
    // Every write takes its time, and what waits for the disk takes longer.
    let (calls, write, sync) =
        ("trace=write,fsync,fdatasync", "inject=write:delay_enter=10000", "inject=fsync,fdatasync:delay_enter=150000");
    let wrapper =
        ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "slow.txt", "-e", calls, "-e", write, "-e", sync];
    let mut server = Server::start_under(&wrapper, scratch, out, TOP, SOCKET);
    let address = server.address_of("audiosocket");
    let name = |n: usize| format!("slow-{n}");
    let talks: Vec<Talk> =
        (0..4).map(|n| Talk::begin(agent_alone(&server, address, &name(n), n), speech(5, n))).collect();
    assert_eq!(server.request("GET", "/v1/calls", None).0, 200);
    for (n, talk) in talks.into_iter().enumerate() {
        drop(talk.wait());
        let ended = server.wait_ended(&name(n));
        assert_eq!(ended["result"], "recorded", "{ended}");
        is_exact(&server.out, &name(n), &speech(5, n));
    }
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    let trace = fs::read_to_string(scratch.at("slow.txt")).unwrap();
    assert!(trace.contains("(DELAYED)"), "the disk was slow");
    scratch.run(&["verify", "out"]).ends(0);
}

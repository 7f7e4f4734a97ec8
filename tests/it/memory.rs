//! Memory stays bounded whatever the length of a call, and files beyond 4 GiB are read and written whole (ING-05).
//!
//! Peak memory is what the kernel says of the process (`VmHWM`), the program's own code included.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};

use super::common::{RATE, Ran, Scratch, agent, batch, canary, interleave};
use super::encode;

/// What a run with one call may take: less than the 16 MiB, and 8 MiB a job, that are promised.
const KIB_MAX: u64 = (16 + 2) * 1_024;

/// Runs a batch; its peak memory, KiB.
fn peak(scratch: &Scratch, arguments: &[&str]) -> u64 {
    let mut child = scratch.command(arguments).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        // A process that has just ended has no memory any more.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(peak).max(peak);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Ran::of(child.wait_with_output().unwrap(), arguments).ends(0);
    peak
}

#[test]
#[cfg(target_os = "linux")]
fn a_call_of_two_hours_takes_no_more_memory_than_was_promised() {
    let scratch = Scratch::new("memory-hours");
    let minute = encode::body(&interleave(&[&agent(60), &canary(60, 1)]), encode::s16le);
    let mut file = encode::wav16(&[], 2, RATE);
    let bytes = minute.len() * 120;
    file[4..8].copy_from_slice(&(bytes as u32 + 36).to_le_bytes());
    file[40..44].copy_from_slice(&(bytes as u32).to_le_bytes());
    scratch.file("in/call.wav", &file);
    let mut out = File::options().append(true).open(scratch.at("in/call.wav")).unwrap();
    (0..120).for_each(|_| out.write_all(&minute).unwrap());
    scratch.events("call", &[super::common::GRANTED]);
    // By one thread, and by two.
    for jobs in ["1", "2"] {
        let peak = peak(&scratch, &batch(&["--jobs", jobs, "--speech", "--report"]));
        assert!(peak > 1_000, "the peak was measured");
        assert!(peak <= KIB_MAX, "{peak} KiB with {jobs} jobs, at most {KIB_MAX}");
        assert_eq!(scratch.json("out/call.json")["length_samples"], 7_200 * RATE);
        fs::remove_dir_all(scratch.at("out")).unwrap();
    }
}

/// Takes about a minute.
#[test]
#[ignore = "long: a call of 5 GiB"]
#[cfg(target_os = "linux")]
fn a_file_of_five_gibibytes_is_read_to_its_end_within_the_promised_memory() {
    let scratch = Scratch::new("memory-gibibytes");
    let block = encode::body(&interleave(&[&agent(60), &canary(60, 1)]), encode::s16le);
    let data_bytes: u64 = 5 << 30;
    scratch.file("in/call.wav", &encode::rf64_header(data_bytes, 2, RATE));
    let mut file = File::options().write(true).open(scratch.at("in/call.wav")).unwrap();
    let header = file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(&block).unwrap();
    // Nothing but a hole, and sound again at the very end, beyond 4 GiB.
    file.set_len(header + data_bytes).unwrap();
    file.seek(SeekFrom::Start(header + data_bytes - block.len() as u64)).unwrap();
    file.write_all(&block).unwrap();
    drop(file);
    let peak = peak(&scratch, &batch(&["--jobs", "1"]));
    assert!(peak <= KIB_MAX, "{peak} KiB, at most {KIB_MAX}");
    assert_eq!(scratch.json("out/call.json")["length_samples"], data_bytes / 4);
    let mut stored = File::open(scratch.at("out/call.agent.wav")).unwrap();
    stored.seek(SeekFrom::End(-(block.len() as i64 / 2))).unwrap();
    let mut tail = Vec::new();
    stored.read_to_end(&mut tail).unwrap();
    let kept = tail.chunks(2).zip(agent(60)).filter(|(bytes, v)| **bytes == v.to_le_bytes() && *v != 0).count();
    assert!(kept > 60 * RATE as usize / 3, "the agent at the end was kept in her place: {kept} samples");
}

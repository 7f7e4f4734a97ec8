//! What fuzzers once stumbled over, and the seeds they start from, through the same functions that they run.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../fuzz/src/lib.rs"]
mod harness;

#[test]
fn no_seed_and_no_crash_of_a_fuzzer_breaks_anything() {
    for (target, run) in harness::TARGETS {
        let seeds = files("seeds", target);
        assert!(!seeds.is_empty(), "{target} has seeds");
        for file in seeds.into_iter().chain(files("crashes", target)) {
            println!("{}", file.display()); // shown when one of them panics
            run(&fs::read(&file).unwrap());
        }
    }
}

/// What is known to break and not mended yet. A file that passes moves to `crashes`.
#[test]
#[ignore = "an event that comes late and is stamped back ends a kept stretch before what was written of it"]
fn what_is_open_breaks_nothing_any_more() {
    for (target, run) in harness::TARGETS {
        for file in files("open", target) {
            println!("{}", file.display());
            run(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_directory_of_seeds_or_crashes_belongs_to_a_target() {
    for kind in ["seeds", "crashes", "open"] {
        for entry in fs::read_dir(fuzz_dir().join(kind)).into_iter().flatten() {
            let name = entry.unwrap().file_name();
            assert!(harness::TARGETS.iter().any(|(target, _)| name == *target), "{kind}/{}", name.display());
        }
    }
}

/// A seed, whole, cut short at each place and with each byte turned round: what a fuzzer tries first, without one.
///
/// Scripts whose events come while the call runs are left out until `open` is empty: byte 5 makes a script one of them.
#[test]
fn small_seeds_survive_being_cut_and_changed_anywhere() {
    for (target, run) in harness::TARGETS {
        for file in files("seeds", target) {
            let mut bytes = fs::read(&file).unwrap();
            let script = target == "call_script";
            if bytes.len() > 600 || script && bytes[5] & 1 == 0 {
                continue;
            }
            println!("{}", file.display());
            for at in 0..bytes.len() {
                run(&bytes[..at]);
                if script && at == 5 {
                    continue;
                }
                bytes[at] ^= 0xFF;
                run(&bytes);
                bytes[at] ^= 0xFF;
            }
        }
    }
}

fn files(kind: &str, target: &str) -> Vec<PathBuf> {
    let dir = fuzz_dir().join(kind).join(target);
    let mut files: Vec<_> = fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

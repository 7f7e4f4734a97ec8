//! The scorers against the reference scorers in Python, number by number, over a labelled set.
//!
//! Needs `data/` and `score/` of the shared folder (`../shared`, or where `ONESIDE_SHARED` says), python3 with numpy,
//! and `flac`; without them it says so and passes. Release builds score every item (about a minute, most of it the
//! reference's), others every twelfth. `ONESIDE_ROUNDS=8` tries every kind of output on every item.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use oneside::evaluate::{self, Interval, Item, Kind, Outcome, Report, Set, Sound};
use serde_json::Value;

use crate::skipped::skipped;

/// How far a figure may lie from the reference: dB, ms, seconds, or percentage points.
const TOLERANCE: f64 = 0.1;
/// Columns that are shares of 0..=1 and are compared as percent.
const SHARES: [&str; 8] = ["prec", "rec", "F1", "FA", "miss", "acc", "lost", "cust"];
/// The kinds of output that [`stored`] makes.
const KINDS_OF_OUTPUT: usize = 8;

#[test]
fn evaluate_agrees_with_the_reference_scorers() {
    let shared = std::env::var_os("ONESIDE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    if let Some(reason) = missing(&shared) {
        skipped(reason);
        return;
    }
    let mut set = evaluate::set::read(&shared.join("data")).expect("the shared set is sound");
    if cfg!(debug_assertions) {
        set.items = set.items.into_iter().step_by(12).collect();
    }
    let rounds = std::env::var("ONESIDE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut deviations = BTreeMap::new();
    for round in 0..rounds {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("evaluate-{round}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a temporary folder");
        let started = Instant::now();
        let report = run(&set, round, &folder);
        println!("round {round}: run, decoded and scored in {:.1} s", started.elapsed().as_secs_f64());
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        let ours = evaluate::table::json(&report);
        compare(&ours["voice"], &reference(&shared, "score_vad.py", &folder), &mut deviations);
        compare(&ours["stored"], &reference(&shared, "score_leak.py", &folder), &mut deviations);
        if round == 0 {
            println!("{}", evaluate::table::text(&report, false));
        }
        fs::remove_dir_all(&folder).expect("the temporary folder is ours");
    }
    for (column, (deviation, place)) in &deviations {
        println!("{column:12} off by at most {deviation:.2e} ({place})");
    }
    for (column, (deviation, place)) in &deviations {
        assert!(*deviation <= TOLERANCE, "{column} of {place} is off by {deviation}");
    }
}

fn missing(shared: &Path) -> Option<String> {
    let files = ["data/manifest.jsonl", "score/score_vad.py", "score/score_leak.py"];
    if let Some(file) = files.iter().map(|file| shared.join(file)).find(|file| !file.is_file()) {
        return Some(format!("no {}", file.display()));
    }
    let works = |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if !works("python3", &["-c", "import numpy"]) {
        return Some("no python3 with numpy".to_string());
    }
    (!works("flac", &["--version"])).then(|| "no flac".to_string())
}

// Makes an output and intervals for every item, writes them for the reference scorers, and has them scored.
fn run(set: &Set, round: usize, folder: &Path) -> Report {
    let mut hypotheses = fs::File::create(folder.join("hypotheses.jsonl")).expect("a file for the hypotheses");
    let mut nth = round;
    evaluate::evaluate(set, decode, |item, sound| {
        nth += 1;
        let voiced = voiced(&sound.channel(item.channel)?, item.rate_hz, nth % 4);
        writeln!(hypotheses, "{}", serde_json::json!({ "id": item.id })).map_err(|error| error.to_string())?;
        for span in &voiced {
            let line = serde_json::json!({ "id": item.id, "start_s": span.from_s, "end_s": span.until_s });
            writeln!(hypotheses, "{line}").map_err(|error| error.to_string())?;
        }
        let (Kind::Call { customer_channel, .. } | Kind::Echo { customer_channel, .. }) = item.kind else {
            return Ok(Outcome { voiced: Some(voiced), stored: None });
        };
        let (agent, customer) = (sound.channel(item.agent_channel)?, sound.channel(customer_channel)?);
        let output = stored(item, &agent, &customer, nth % KINDS_OF_OUTPUT);
        write_wav(&folder.join(format!("{}.wav", item.id)), &output, item.rate_hz);
        // the reference scorer takes no intervals for echo items
        let voiced = matches!(item.kind, Kind::Call { .. }).then_some(voiced);
        Ok(Outcome { voiced, stored: Some(output) })
    })
}

fn stored(item: &Item, agent: &[i16], customer: &[i16], kind: usize) -> Vec<i16> {
    let rate = item.rate_hz as usize;
    match kind {
        0 => agent.to_vec(),
        1 => only_labelled(item, agent),
        2 => [&vec![0; rate * 11 / 80], agent].concat(),
        3 => agent.iter().zip(customer).zip(noise(agent.len())).map(|((a, c), n)| a / 2 + c / 32 + n).collect(),
        4 => gated(agent, customer, rate / 100),
        5 => agent[rate / 50..agent.len() * 4 / 5].to_vec(),
        6 => {
            only_labelled(item, agent).iter().zip(late(customer, rate * 9 / 100)).map(|(a, c)| a / 2 + c / 4).collect()
        }
        _ => vec![0; agent.len()],
    }
}

fn only_labelled(item: &Item, agent: &[i16]) -> Vec<i16> {
    let spoken = evaluate::grid::of_class(&item.labels, "agent");
    let inside = |at: usize| {
        let second = at as f64 / f64::from(item.rate_hz);
        spoken.iter().any(|span| (span.from_s..span.until_s).contains(&second))
    };
    agent.iter().enumerate().map(|(at, &sample)| if inside(at) { sample } else { 0 }).collect()
}

fn gated(agent: &[i16], customer: &[i16], hop: usize) -> Vec<i16> {
    let loud = |frame: &[i16]| frame.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>();
    let keep = |(a, c): (&[i16], &[i16])| if loud(a) > 2.0 * loud(c) { a.to_vec() } else { vec![0; a.len()] };
    agent.chunks(hop).zip(customer.chunks(hop)).flat_map(keep).collect()
}

fn late(signal: &[i16], by: usize) -> impl Iterator<Item = i16> {
    std::iter::repeat_n(0, by).chain(signal.iter().copied())
}

fn noise(length: usize) -> impl Iterator<Item = i16> {
    let mut state = 7u64;
    (0..length).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 58) as i16) - 32
    })
}

// A crude detector; its boundaries lie off the 10 ms grid on purpose, some of them exactly halfway.
fn voiced(signal: &[i16], rate_hz: u32, kind: usize) -> Vec<Interval> {
    let loud = |frame: &[i16]| frame.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / frame.len() as f64;
    let frames: Vec<bool> =
        signal.chunks(rate_hz as usize / 50).map(|frame| loud(frame) > [1e4, 1e5, 1e6, 1e12][kind]).collect();
    let (lead_s, tail_s) = ([0.0, 0.015, 0.005, 0.0][kind], [0.0, 0.135, 0.1234, 0.0][kind]);
    let span = |(from, until): (usize, usize)| Interval {
        from_s: from as f64 * 0.02 - lead_s,
        until_s: until as f64 * 0.02 + tail_s,
    };
    evaluate::grid::runs(&frames).into_iter().map(span).collect()
}

fn decode(path: &Path) -> Result<Sound, String> {
    let bytes = if path.extension().is_some_and(|extension| extension == "flac") {
        let output = Command::new("flac").args(["-d", "-s", "-c"]).arg(path).output();
        output.map_err(|error| error.to_string())?.stdout
    } else {
        fs::read(path).map_err(|error| error.to_string())?
    };
    let reader = hound::WavReader::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let (channels, rate_hz) = (usize::from(reader.spec().channels), reader.spec().sample_rate);
    let samples = reader.into_samples().collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    Ok(Sound { samples, channels, rate_hz })
}

fn write_wav(path: &Path, samples: &[i16], sample_rate: u32) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).expect("a temporary WAV file");
    samples.iter().for_each(|&sample| writer.write_sample(sample).expect("room for a temporary WAV file"));
    writer.finalize().expect("room for a temporary WAV file");
}

fn reference(shared: &Path, scorer: &str, folder: &Path) -> Value {
    let json = folder.join("reference.json");
    let mut command = Command::new("python3");
    command.arg(shared.join("score").join(scorer));
    if scorer == "score_leak.py" {
        command.arg("set").arg(shared.join("data")).arg(folder);
    } else {
        command.arg(shared.join("data")).arg(folder.join("hypotheses.jsonl"));
    }
    let started = Instant::now();
    let output = command.arg("--json").arg(&json).output().expect("python3 starts");
    println!("{scorer} took {:.1} s", started.elapsed().as_secs_f64());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Python writes what JSON has no words for
    let text = fs::read_to_string(json).expect("the reference scorer wrote its figures");
    let text = text.replace(": -Infinity", ": \"-inf\"").replace(": NaN", ": null");
    serde_json::from_str(&text).expect("the reference scorer writes JSON")
}

// Every figure of every item and set that either side has; what only one of them could measure is infinitely far off.
fn compare(ours: &Value, theirs: &Value, deviations: &mut BTreeMap<String, (f64, String)>) {
    for part in ["sets", "items"] {
        let (our_rows, their_rows) = (ours[part].as_object(), theirs[part].as_object());
        let (our_rows, their_rows) = (our_rows.expect("rows of ours"), their_rows.expect("rows of theirs"));
        let names: Vec<&String> = our_rows.keys().collect();
        assert_eq!(names, their_rows.keys().collect::<Vec<_>>(), "the same {part} in the same order");
        assert!(!names.is_empty());
        for (name, figures) in our_rows {
            for (column, ours) in figures.as_object().expect("figures") {
                let theirs = &their_rows[name][column];
                let scale = if SHARES.contains(&column.as_str()) { 100.0 } else { 1.0 };
                let deviation = match (ours.as_f64(), theirs.as_f64()) {
                    (Some(ours), Some(theirs)) => (ours - theirs).abs() * scale,
                    _ if ours == theirs => 0.0,
                    _ => f64::INFINITY,
                };
                let worst = deviations.entry(column.clone()).or_insert((0.0, String::new()));
                if deviation > worst.0 {
                    *worst = (deviation, format!("{name}: {ours} against {theirs}"));
                }
            }
        }
    }
}

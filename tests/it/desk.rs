//! The desk on healthy, odd and doubtful calls: what is written, in which form, and what every finding does
//! (ING-06, ONE-06, SEC-04, ANO-02).

use std::fs;

use serde_json::Value;

use super::common::{GRANTED, RATE, Ran, Scratch, agent, canary, voices};

/// A call's name, its agent, its customer, the finding (none: empty) and the result.
type Doubtful<'a> = (&'a str, &'a [i16], &'a [i16], &'a str, &'a str);

fn kept(samples: &[i16]) -> usize {
    samples.iter().filter(|v| **v != 0).count()
}

pub fn codes(manifest: &Value) -> Vec<&str> {
    manifest["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn the_agents_track_is_as_long_as_the_input_and_holds_her_own_samples_or_silence() {
    let scratch = Scratch::new("desk-agent");
    for (n, name) in ["granted", "withdrawn", "no-events"].iter().enumerate() {
        let (mut agent, mut customer) = voices(name);
        agent.truncate(agent.len() - n * 7); // the last frame may be a short one
        customer.truncate(agent.len());
        scratch.call(name, &agent, &customer);
    }
    scratch.batch(&[]).ends(0);
    for (n, name) in ["granted", "withdrawn", "no-events"].iter().enumerate() {
        let input = voices(name).0;
        let stored = scratch.sound(&format!("out/{name}.agent.wav"));
        assert_eq!(stored.len(), input.len() - n * 7, "{name}");
        assert!(stored.iter().zip(&input).all(|(stored, input)| *stored == 0 || stored == input), "{name}");
        assert!(kept(&stored) > stored.len() / 3, "{name}: {} samples are kept", kept(&stored));
    }
}

#[test]
fn a_mask_and_a_private_stretch_leave_both_sides_silent_and_verify_looks_that_they_are() {
    // ONE-09, SEL-06: from 4 s to 6 s masked, from 8 s to 10 s private.
    let scratch = Scratch::new("desk-mask");
    let (agent, customer) = (agent(14), canary(14, 3));
    scratch.call("plain", &agent, &customer);
    scratch.events("plain", &[GRANTED]);
    scratch.call("call", &agent, &customer);
    let stops = [
        GRANTED,
        r#"{"at":6,"event":"masked","seconds":2}"#,
        r#"{"at":8,"event":"private"}"#,
        r#"{"at":9,"event":"resumed"}"#,
        r#"{"at":10,"event":"private_ended"}"#,
    ];
    scratch.events("call", &stops);
    scratch.batch(&[]).ends(0);
    for track in ["agent", "customer"] {
        let stored = scratch.sound(&format!("out/call.{track}.wav"));
        let plain = scratch.sound(&format!("out/plain.{track}.wav"));
        let second = |from: usize, until: usize| from * RATE as usize..until * RATE as usize;
        assert!([second(4, 6), second(8, 10)].into_iter().all(|part| kept(&stored[part]) == 0), "{track}");
        assert!(kept(&plain[second(4, 6)]) + kept(&plain[second(8, 10)]) > 0, "{track}: something was there");
        if track == "customer" {
            let rest = [second(0, 4), second(6, 8), second(10, 14)];
            assert!(rest.into_iter().all(|part| stored[part.clone()] == plain[part]), "the rest stands to the sample");
        }
    }
    let manifest = scratch.json("out/call.json");
    let masked = &manifest["ledger"][2]["effect"]["masked"];
    assert_eq!(masked, &serde_json::json!([4 * RATE, 6 * RATE]));
    assert_eq!(manifest["tally"]["customer"]["left_out"]["masked"], 2 * RATE);
    assert_eq!(manifest["tally"]["customer"]["left_out"]["private"], 2 * RATE);
    assert_eq!(manifest["tally"]["customer"]["erased"], 0, "what was to be masked was never written");
    scratch.run(&["verify", "out"]).ends(0);
}

#[test]
fn speech_and_timeline_lead_back_to_the_agents_track_sample_for_sample() {
    for rate in ["8000", "11025", "44100"] {
        let scratch = Scratch::new(&format!("desk-speech-{rate}"));
        scratch.call("call", &agent(9), &canary(9, 1));
        scratch.batch(&["--speech", "--rate", rate]).ends(0);
        let (track, speech) = (scratch.sound("out/call.agent.wav"), scratch.sound("out/call.speech.wav"));
        let timeline = fs::read_to_string(scratch.at("out/call.timeline.csv")).unwrap();
        let mut lines = timeline.lines();
        assert_eq!(lines.next(), Some("out_start_s,src_start_s,dur_s"));
        let mut rebuilt = vec![0; track.len()];
        let mut next = 0;
        for line in lines {
            let samples = |field: &str| (field.parse::<f64>().unwrap() * rate.parse::<f64>().unwrap()).round() as usize;
            let [out, source, length] = line.split(',').map(samples).collect::<Vec<_>>()[..] else { panic!("{line}") };
            assert_eq!(out, next, "the pieces follow each other");
            next = out + length;
            rebuilt[source..source + length].copy_from_slice(&speech[out..next]);
        }
        assert_eq!(next, speech.len());
        assert!(rebuilt == track, "at {rate} Hz");
        let speech_alone = scratch.json("out/call.json")["tally"]["agent"]["written"].clone();
        assert_eq!(speech_alone, speech.len());
    }
}

#[test]
fn the_customers_track_is_silent_outside_the_grants_and_untouched_within() {
    let scratch = Scratch::new("desk-customer");
    let customer = canary(9, 2);
    scratch.call("call", &agent(9), &customer);
    let third = |at: f32, event: &str| format!(r#"{{"at":{at},"event":"{event}","party":"wife"}}"#);
    let lines = [
        GRANTED.to_owned(),
        r#"{"at":3,"event":"paused"}"#.into(),
        r#"{"at":4.25,"event":"resumed"}"#.into(),
        third(6.0, "joined"),
        third(7.5, "left"),
    ];
    scratch.events("call", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    scratch.batch(&[]).ends(0);
    let stored = scratch.sound("out/call.customer.wav");
    assert_eq!(stored.len(), customer.len());
    let manifest = scratch.json("out/call.json");
    let spans = manifest["customer"]["kept"].as_array().unwrap();
    let spans: Vec<(usize, usize)> =
        spans.iter().map(|s| (s["from"].as_u64().unwrap() as usize, s["until"].as_u64().unwrap() as usize)).collect();
    assert_eq!(spans[..2], [(12_000, 24_000), (34_000, 48_000)], "CON-14: nothing while a third party has not granted");
    for n in 0..stored.len() {
        let inside = spans.iter().any(|(from, until)| (*from..*until).contains(&n));
        assert_eq!(stored[n], if inside { customer[n] } else { 0 }, "sample {n}");
    }
    // The pause stops both sides.
    let agent = scratch.sound("out/call.agent.wav");
    assert_eq!(kept(&agent[24_000..34_000]), 0);
}

#[test]
fn what_is_doubtful_about_a_calls_sound_does_what_the_table_of_findings_says() {
    let scratch = Scratch::new("desk-doubt");
    let (talk, other) = (agent(12), canary(12, 3));
    let times = |factor: f64| talk.iter().map(|v| (f64::from(*v) * factor) as i16).collect::<Vec<i16>>();
    let silence = vec![0; talk.len()];
    let sounds: [Doubtful; 8] = [
        ("twin", &talk, &talk, "twin", "quarantined"),
        ("twin-softer", &talk, &times(0.7), "twin", "quarantined"),
        ("opposite", &talk, &times(-1.0), "opposite_phase", "quarantined"),
        ("customer-dead", &talk, &silence, "customer_dead", "recorded"),
        ("agent-dead", &silence, &other, "agent_dead", "recorded"),
        ("clipped", &times(200.0), &other, "agent_clipped", "recorded"),
        ("contradicted", &talk, &other, "map_contradicted", "quarantined"),
        ("agreed", &talk, &other, "", "recorded"),
    ];
    for (name, agent, customer, _, _) in sounds {
        scratch.call(name, agent, customer);
    }
    // A grant changes nothing about a doubt.
    for name in ["twin", "opposite", "customer-dead"] {
        scratch.events(name, &[GRANTED]);
    }
    scratch.events("contradicted", &[r#"{"event":"opened","agent_channel":"right"}"#, GRANTED]);
    scratch.events("agreed", &[r#"{"event":"opened","agent_channel":"left"}"#]);
    scratch.batch(&["--speech"]).ends(0);
    for (name, _, _, code, result) in sounds {
        let manifest = scratch.json(&format!("out/{name}.json"));
        assert_eq!(manifest["result"], result, "{name}");
        assert!(
            if code.is_empty() { codes(&manifest).is_empty() } else { codes(&manifest).contains(&code) },
            "{name}: {manifest}"
        );
        let stored = kept(&scratch.sound(&format!("out/{name}.agent.wav")));
        let withheld = result == "quarantined" || name == "agent-dead";
        let leak = &manifest["leak"];
        assert_eq!(leak["measurable"], !withheld, "{name}: in what was not kept nothing can be: {leak}");
        assert!(!withheld || leak["residual_db"].is_null(), "{name}: {leak}");
        assert_eq!(stored == 0, withheld, "{name}: {stored} samples of the agent's track are no silence");
        assert!(result == "recorded" || !scratch.has(&format!("out/{name}.customer.wav")), "{name}");
        assert!(result == "recorded" || kept(&scratch.sound(&format!("out/{name}.speech.wav"))) == 0, "{name}");
    }
    scratch.run(&["verify", "out"]).ends(0);
    scratch.batch(&["--speech", "--strict"]).ends(3);
    fs::remove_dir_all(scratch.at("in")).unwrap();
    scratch.call("agreed", &talk, &other);
    scratch.batch(&["--strict"]).ends(0);
}

#[test]
fn an_echo_of_the_agent_on_the_line_raises_no_doubt_and_costs_less_than_a_hundredth() {
    let scratch = Scratch::new("desk-echo");
    let mut cases = Vec::new();
    for name in ["granted", "withdrawn"] {
        let (agent, customer) = voices(name);
        scratch.call(&format!("{name}-none"), &agent, &customer);
        for db in [-10, -20, -30] {
            for delay_ms in [0, 100, 300] {
                let factor = 10f64.powf(f64::from(db) / 20.0);
                let delay = delay_ms * RATE as usize / 1_000;
                let echo = |n: usize| if n < delay { 0.0 } else { f64::from(agent[n - delay]) * factor };
                let line: Vec<i16> = (0..agent.len()).map(|n| (f64::from(customer[n]) + echo(n)) as i16).collect();
                let case = format!("{name}{db}dB-{delay_ms}ms");
                scratch.call(&case, &agent, &line);
                cases.push((name, case));
            }
        }
    }
    scratch.batch(&[]).ends(0);
    let mut wrong = Vec::new();
    for (name, case) in cases {
        let count = |call: &str| kept(&scratch.sound(&format!("out/{call}.agent.wav")));
        let (plain, echoed) = (count(&format!("{name}-none")), count(&case));
        let manifest = scratch.json(&format!("out/{case}.json"));
        if echoed * 100 < plain * 99 || !codes(&manifest).is_empty() {
            wrong.push(format!("{case}: {echoed} of {plain} samples kept, {:?}", codes(&manifest)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn hashed_names_leave_no_input_name_in_any_file_or_name() {
    let scratch = Scratch::new("desk-names");
    let number = "0701234567";
    scratch.call(&format!("{number}-good"), &agent(6), &canary(6, 4));
    scratch.events(&format!("{number}-good"), &[&GRANTED.replace('{', &format!(r#"{{"call":"{number}-good","#))]);
    scratch.call(&format!("{number}-contradicted"), &agent(6), &canary(6, 5));
    scratch.events(&format!("{number}-contradicted"), &[r#"{"event":"opened","agent_channel":"right"}"#, GRANTED]);
    scratch.file(&format!("in/{number}-bad.wav"), b"RIFF, but no call");
    scratch.file(&format!("in/{number}-worse.wav"), &[]);
    scratch.call(&format!("{number}-told"), &agent(6), &canary(6, 6));
    scratch.events(&format!("{number}-told"), &["no json"]);
    scratch.file("key", b"sixteen bytes at the least");
    let hashed = ["--names", "hash", "--names-key", "key", "--speech", "--report"];
    scratch.batch(&hashed).ends(1);
    let files = scratch.files("out");
    assert_eq!(files.len(), 6 + 5 + 1, "{:?}", files.keys());
    for (file, bytes) in &files {
        let found = bytes.windows(number.len()).any(|window| window == number.as_bytes());
        assert!(!file.contains(number) && !found, "{file}: {}", String::from_utf8_lossy(bytes));
    }
    scratch.run(&["verify", "out"]).ends(0);
    scratch.batch(&hashed).ends(1).says(&["2 of them unchanged"]);
    let silent = |ran: &Ran| assert!(!ran.out.contains(number) && !ran.err.contains(number), "{}{}", ran.out, ran.err);
    silent(&scratch.batch(&hashed).ends(1));
    silent(&scratch.batch(&[&hashed[..], &["--dry-run"]].concat()).ends(0));
    silent(&scratch.batch(&[&hashed[..], &["--dry-run", "--json"]].concat()).ends(0));
    silent(&scratch.run(&[&["check", "in", "--agent-channel", "left"], &hashed[..]].concat()).ends(1));
    scratch.file(
        &format!("{number}.jsonl"),
        &[br#"{"call":"0701234567-nobody","at":1,"event":"refused"}"#, &b"\n"[..]].concat(),
    );
    let feed = format!("{number}.jsonl");
    silent(&scratch.batch(&[&hashed[..], &["--events", &feed]].concat()).ends(2));
    scratch.file("key", b"too short");
    scratch.batch(&hashed).ends(2).complains(&["key", "16"]);
    scratch.run(&["check", "in", "--agent-channel", "left"]).ends(1).says(&["warning", "--names hash"]);
}

#[test]
fn the_tally_of_every_call_adds_up_to_what_is_in_its_files() {
    let scratch = Scratch::new("desk-tally");
    scratch.call("plain", &agent(7), &canary(7, 10));
    scratch.call("granted", &agent(7), &canary(7, 10));
    scratch.events("granted", &[GRANTED, r#"{"at":3,"event":"paused"}"#, r#"{"at":4,"event":"resumed"}"#]);
    scratch.call("twin", &agent(7), &agent(7));
    scratch.batch(&[]).ends(0);
    for call in ["plain", "granted", "twin"] {
        let manifest = scratch.json(&format!("out/{call}.json"));
        for side in ["agent", "customer"] {
            let account = &manifest["tally"][side];
            let left_out: u64 = account["left_out"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
            let [heard, written, erased] = ["heard", "written", "erased"].map(|key| account[key].as_u64().unwrap());
            assert_eq!(heard, 7 * u64::from(RATE), "{call}, {side}");
            assert_eq!(heard, written + erased + left_out, "{call}, {side}");
            let track = format!("out/{call}.{side}.wav");
            let sounding = if scratch.has(&track) { kept(&scratch.sound(&track)) as u64 } else { 0 };
            assert!(
                sounding <= written && written - sounding <= written / 10,
                "{call}, {side}: {sounding} of {written}"
            );
        }
    }
}

#[test]
#[cfg(unix)]
fn files_are_their_owners_alone_and_so_are_the_directories_that_were_made() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("desk-modes");
    scratch.call("mon/call", &agent(6), &canary(6, 11));
    scratch.events("mon/call", &[GRANTED]);
    scratch.run(&["batch", "in", "--out", "deep/out", "--agent-channel", "left", "--speech", "--report"]).ends(0);
    let mode = |below: &str| fs::metadata(scratch.at(below)).unwrap().permissions().mode() & 0o777;
    for dir in ["deep", "deep/out", "deep/out/mon"] {
        assert_eq!(mode(dir), 0o700, "{dir}");
    }
    let files = scratch.files("deep/out");
    assert_eq!(files.len(), 7);
    files.keys().for_each(|file| assert_eq!(mode(&format!("deep/out/{file}")), 0o600, "{file}"));
    scratch.run(&["erase", "deep/out", "--call", "mon/call"]).ends(0);
    assert_eq!(mode("deep/out/mon/call.erased.json"), 0o600);
}

#[test]
fn one_channel_that_is_a_delayed_copy_of_the_other_keeps_nothing_of_either() {
    // ING-06: both voices are on both channels, so whatever was kept as the agent's would hold the customer.
    let scratch = Scratch::new("desk-delayed-copy");
    let (agent, customer) = (agent(20), canary(20, 5));
    let mix: Vec<i16> = agent.iter().zip(&customer).map(|(a, c)| a.saturating_add(*c)).collect();
    for (number, delay) in [1, 3, 40, 160, 800].into_iter().enumerate() {
        let late: Vec<i16> = std::iter::repeat_n(0, delay).chain(mix.iter().copied()).take(mix.len()).collect();
        scratch.call(&format!("line-late-{number}"), &mix, &late);
        scratch.call(&format!("microphone-late-{number}"), &late, &mix);
    }
    scratch.batch(&[]).ends(0);
    for (file, bytes) in scratch.files("out").iter().filter(|(file, _)| file.ends_with(".agent.wav")) {
        assert!(bytes[44..].iter().all(|byte| *byte == 0), "{file} is silent");
    }
    assert_eq!(scratch.json("out/batch.json")["totals"]["quarantined"], 10);
}

#[test]
#[cfg(target_os = "linux")]
fn where_the_system_has_no_thread_to_spare_one_does_it_all() {
    use super::skipped::skipped;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    let (scratch, undisturbed) = super::faults::undisturbed("desk-threads", 5, 3);
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    ["", "in"].iter().for_each(|directory| allow(&scratch.at(directory), 0o777));
    fs::read_dir(scratch.at("in")).unwrap().for_each(|entry| allow(&entry.unwrap().path(), 0o644));
    // The limit does not bind root.
    let other: &[&str] =
        if rustix::process::geteuid().is_root() { &["setpriv", "--reuid=65534", "--clear-groups"] } else { &[] };
    let wrapper = [other, &["bash", "-c", "ulimit -u 1; exec \"$0\" \"$@\""]].concat();
    if !scratch.through(&wrapper, &["--version"]).output().is_ok_and(|output| output.status.success()) {
        skipped("a user whom limits bind cannot run the program here");
        return;
    }
    // Five calls by four workers, and one by two threads.
    for (input, calls) in [("in", 5), ("in/call-0.wav", 1)] {
        let arguments = ["batch", input, "--out", "out", "--agent-channel", "left", "--speech", "--jobs", "4"];
        let ran = Ran::of(scratch.through(&wrapper, &arguments).output().unwrap(), &arguments).ends(0);
        if !ran.err.contains("Ctrl-C") {
            return skipped("the limit of threads does not bind here"); // else that thread is refused, too
        }
        let mut files = scratch.files("out");
        files.remove("batch.json");
        let wanted =
            undisturbed.iter().filter(|(file, _)| calls == 5 && *file != "batch.json" || file.starts_with("call-0."));
        assert!(files.iter().eq(wanted), "{input}");
        fs::remove_dir_all(scratch.at("out")).unwrap();
    }
}

//! INPUT arguments as people give them.

use std::path::PathBuf;

use super::inputs::{Gathered, InputError, Sound, Wanted, gather, shown};
use super::pairing::PairPattern;
use super::testing::Scratch;

fn find(arguments: &[PathBuf], raw: bool, pair: Option<&str>, stdin: &str) -> Result<Gathered, InputError> {
    let pair: Option<PairPattern> = pair.map(|pair| pair.parse().expect("the patterns are a pair"));
    let wanted = Wanted { arguments, raw, pair: pair.as_ref(), offset_s: 0.5 };
    gather(&wanted, &mut stdin.as_bytes())
}

fn found(arguments: &[PathBuf]) -> Gathered {
    find(arguments, false, None, "").unwrap_or_else(|error| panic!("usable, not: {error}"))
}

fn names(gathered: &Gathered) -> Vec<&str> {
    gathered.inputs.iter().map(|input| input.name.as_str()).collect()
}

fn refusal(result: Result<Gathered, InputError>) -> String {
    result.expect_err("the arguments are refused").to_string()
}

fn with(files: &[&str]) -> Scratch {
    let scratch = Scratch::new();
    files.iter().for_each(|file| drop(scratch.file(file, "x")));
    scratch
}

#[test]
fn a_directory_gives_its_sound_files_with_the_path_below_it() {
    let scratch = with(&[
        "b.WAV",
        "a.flac",
        "day1/c.mp3",
        "day1/x/d.opus",
        "note.txt",
        ".hidden.wav",
        ".git/e.wav",
        "f.raw",
        "g.wav.part",
    ]);
    assert_eq!(names(&found(&[scratch.path().into()])), ["a", "b", "day1/c", "day1/x/d"]);
    let raw = find(&[scratch.path().into()], true, None, "").unwrap();
    assert_eq!(names(&raw), ["a", "b", "day1/c", "day1/x/d", "f"]);
}

#[test]
fn own_outputs_in_a_directory_are_passed_over_and_told() {
    let scratch = with(&["a.wav", "a.agent.wav", "a.customer.wav", "a.SPEECH.wav"]);
    let gathered = found(&[scratch.path().into()]);
    assert_eq!((names(&gathered), gathered.passed_over.len()), (vec!["a"], 3));
}

#[test]
fn single_files_globs_and_lists_are_named_flat() {
    let scratch = with(&["x/one.wav", "x/two.wav", "x/two.events.jsonl", "y/three.ul", "y/1510.42"]);
    let path = |name: &str| scratch.path().join(name);
    assert_eq!(names(&found(&[path("x/one.wav"), path("y/1510.42"), path("y/three.ul")])), ["1510.42", "one", "three"]);
    assert_eq!(names(&found(&[path("*/*.wav")])), ["one", "two"]);
    assert_eq!(names(&found(&[path("x/*")])), ["one", "two"]);
    drop(scratch.file("x/.shy/.four.wav", "x"));
    assert_eq!(names(&found(&[path("x/**/*.wav")])), ["one", "two"]);
    assert_eq!(names(&found(&[path("x/.shy/.*.wav")])), [".four"]);
    let list =
        format!("\u{feff}{}\r\n\n{}\n{}", path("x/one.wav").display(), path("y").display(), path("gone.wav").display());
    let listed = find(&["-".into()], false, None, &list).unwrap();
    assert_eq!(names(&listed), ["gone", "one"], "a listed file that is gone is reported when its turn comes");
}

#[test]
fn the_same_file_named_twice_is_one_call() {
    let scratch = with(&["a.wav"]);
    assert_eq!(names(&found(&[scratch.path().into(), scratch.path().join("a.wav")])), ["a"]);
}

#[test]
fn one_file_under_two_names_is_an_error() {
    let scratch = with(&["x/a.wav"]);
    let message = refusal(find(&[scratch.path().into(), scratch.path().join("x")], false, None, ""));
    assert!(message.contains("the arguments name it twice, as a and as x/a"), "{message}");
}

#[test]
fn arguments_that_name_nothing_are_errors() {
    let scratch = with(&["a.wav", "b.txt"]);
    let path = |name: &str| scratch.path().join(name);
    assert!(refusal(find(&[path("gone.wav")], false, None, "")).contains("there is no such file or directory"));
    assert!(refusal(find(&[path("*.mp3")], false, None, "")).contains("it matches no sound file"));
    assert!(refusal(find(&[path("*.txt")], false, None, "")).contains("it matches no sound file"));
    assert!(refusal(find(&[path("[")], false, None, "")).contains("this is no pattern"));
    let long = format!("{}\n", "x".repeat(70_000));
    assert!(refusal(find(&["-".into()], false, None, &long)).contains("standard input, line 1: the line is longer"));
}

#[test]
fn the_events_beside_a_call_are_found_and_orphans_told() {
    let scratch = with(&["d/a.wav", "d/a.events.jsonl", "d/b.wav", "d/c.events.jsonl"]);
    let gathered = found(&[scratch.path().into()]);
    let events: Vec<bool> = gathered.inputs.iter().map(|input| input.events.is_some()).collect();
    assert_eq!(events, [true, false]);
    assert_eq!(gathered.orphaned_events, [scratch.path().join("d/c.events.jsonl")]);
}

#[test]
fn names_that_would_meet_in_the_outputs_are_errors_that_name_both_files() {
    let cases: [(&[&str], &str); 6] = [
        (&["a.wav", "a.mp3"], "a.agent.wav"),
        (&["a.wav", "A.wav"], "a.agent.wav"),
        (&["a.wav", "a.agent.flac"], "a.agent.*"),
        (&["a.wav", "a.json/b.wav"], "a.json"),
        (&["x/ä.wav", "x/Ä.flac"], "x/ä.agent.wav"),
        (&["a.wav", "a.svg/x/b.wav"], "a.svg"),
    ];
    for (files, output) in cases {
        let scratch = with(files);
        let message = refusal(find(&[scratch.path().into()], false, None, ""));
        assert!(message.to_lowercase().contains(&format!("both would write {output};")), "{message}");
        assert!(files.iter().all(|file| message.contains(file)), "{message} names {files:?}");
    }
    let scratch = with(&["x/a.wav", "y/a.wav"]);
    assert!(refusal(find(&[scratch.path().join("*/*.wav")], false, None, "")).contains("both would write"));
}

/// What was noted as unusable, in text.
fn unusable(gathered: &Gathered) -> Vec<(String, &str)> {
    gathered.unusable.iter().map(|(path, cause)| (shown(path), cause.as_str())).collect()
}

#[test]
fn names_that_are_taken_are_errors() {
    let cases = [("batch.wav", "the summary of a run"), ("Batch.flac", "the summary of a run")];
    for (file, expected) in cases {
        let scratch = with(&[file]);
        let message = refusal(find(&[scratch.path().into()], false, None, ""));
        assert!(message.contains(expected), "{message}");
    }
    let deep = with(&["day/batch.wav"]);
    assert_eq!(names(&found(&[deep.path().into()])), ["day/batch"]);
}

#[test]
fn a_name_that_cannot_be_used_is_noted_and_stops_no_other() {
    let long = format!("{}.wav", "x".repeat(201));
    let scratch = with(&["good.wav", "d/a\nb.wav", "d/a\nb.events.jsonl", "d/c.wav", &long]);
    let gathered = found(&[scratch.path().into()]);
    assert_eq!(names(&gathered), ["d/c", "good"]);
    assert_eq!(gathered.orphaned_events, <[PathBuf; 0]>::default(), "the events of the unusable file are its own");
    let noted = unusable(&gathered);
    assert_eq!(noted.len(), 2, "{noted:?}");
    assert!(noted[0].0.ends_with("d/a\\nb.wav") && noted[0].1.contains("control characters"), "{noted:?}");
    assert!(noted[0].1.ends_with("; rename the file"), "{noted:?}");
    assert!(noted[1].1.contains("longer than 200 bytes"), "{noted:?}");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let listed = format!("{}\n{}\n", path("gone/.."), path("good.wav"));
    let listed = find(&["-".into()], false, None, &listed).unwrap();
    assert_eq!(names(&listed), ["good"]);
    assert!(unusable(&listed)[0].1.contains("no file name"), "{listed:?}");
    // A clash is about all of them: which one is meant cannot be told.
    let clash = with(&["a.wav", "a.mp3", "x\ny.wav"]);
    assert!(refusal(find(&[clash.path().into()], false, None, "")).contains("both would write"));
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_is_noted_wherever_it_is_met_and_stops_no_other() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = with(&["d/good.wav"]);
    let dir = scratch.path().join("d");
    let odd = dir.join(std::ffi::OsStr::from_bytes(b"caf\xE9.wav"));
    std::fs::write(&odd, "x").unwrap();
    std::fs::write(odd.with_extension("events.jsonl"), "x").unwrap();
    let below = dir.join(std::ffi::OsStr::from_bytes(b"\xFF"));
    std::fs::create_dir(&below).unwrap();
    std::fs::write(below.join("lost.wav"), "x").unwrap();
    let gathered = found(&[scratch.path().into()]);
    assert_eq!((names(&gathered), gathered.orphaned_events.len()), (vec!["d/good"], 0));
    assert_eq!(gathered.unusable.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), [odd.clone(), below]);
    assert!(gathered.unusable.iter().all(|(_, cause)| cause.contains("not UTF-8")), "{gathered:?}");
    let good = dir.join("good.wav");
    assert_eq!(found(&[odd.clone(), good]).unusable.len(), 1, "named itself");
    assert_eq!(found(&[dir.join("*.wav")]).unusable.len(), 1, "matched by a pattern");
    let list = [odd.as_os_str().as_bytes(), b"\n", dir.join("good.wav").as_os_str().as_bytes()].concat();
    let wanted = Wanted { arguments: &["-".into()], ..Wanted::default() };
    let listed = gather(&wanted, &mut &list[..]).unwrap();
    assert_eq!((names(&listed), listed.unusable.len()), (vec!["good"], 1));
}

#[cfg(unix)]
#[test]
fn a_directory_below_that_cannot_be_read_is_noted_and_stops_no_other() {
    use std::os::unix::fs::PermissionsExt;
    const WITHOUT: &str = "ONESIDE_TEST_WITHOUT_PRIVILEGE";
    let scratch = with(&["good.wav", "shut/a.wav"]);
    let shut = scratch.path().join("shut");
    let allow = |mode: u32| std::fs::set_permissions(&shut, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0);
    let root = std::fs::read_dir(&shut).is_ok();
    let gathered = found(&[scratch.path().into()]);
    allow(0o700);
    // To root no directory is shut: once more, then, without what makes it so.
    let again = || {
        let own = std::env::current_exe().unwrap();
        let caps = "-dac_override,-dac_read_search";
        let mut setpriv = std::process::Command::new("setpriv");
        setpriv.args(["--bounding-set", caps, "--inh-caps", caps]).arg(own).env(WITHOUT, "1");
        setpriv.args(["--exact", std::thread::current().name().unwrap()]).output()
    };
    match root {
        true if std::env::var_os(WITHOUT).is_some() => panic!("the privilege is still there"),
        true => match again() {
            Ok(ran) => assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout)),
            Err(error) => crate::skipped::skipped(format!("to this user no directory is shut; setpriv: {error}")),
        },
        false => assert_eq!((names(&gathered), gathered.unusable[0].0.clone()), (vec!["good"], shut)),
    }
    let deep = with(&["good.wav", &format!("{}a.wav", "d/".repeat(70))]);
    let gathered = found(&[deep.path().into()]);
    assert_eq!(names(&gathered), ["good"]);
    assert!(gathered.unusable[0].1.contains("directories lie more than 64 deep"), "{gathered:?}");
}

#[cfg(unix)]
#[test]
fn links_to_files_are_followed_and_directories_never_walked_in_circles() {
    let scratch = with(&["real/a.wav"]);
    let link =
        |to: &str, name: &str| std::os::unix::fs::symlink(scratch.path().join(to), scratch.path().join(name)).unwrap();
    link("real/a.wav", "b.wav");
    link(".", "real/loop");
    link("gone", "real/gone.txt");
    assert_eq!(names(&found(&[scratch.path().into()])), ["b", "real/a"]);
}

#[test]
fn pairs_are_named_by_what_the_star_matched() {
    let scratch = with(&[
        "1-agent.wav",
        "1-customer.wav",
        "1.events.jsonl",
        "d/2-agent.wav",
        "d/2-customer.wav",
        "d/other.wav",
        "d/2-agent.txt",
    ]);
    let gathered = find(&[scratch.path().into()], false, Some("*-agent.wav:*-customer.wav"), "").unwrap();
    assert_eq!(names(&gathered), ["1", "d/2"]);
    let path = |name: &str| scratch.path().join(name);
    assert_eq!(
        gathered.inputs[1].sound,
        Sound::Pair { agent: path("d/2-agent.wav"), customer: path("d/2-customer.wav"), offset_s: 0.5 }
    );
    assert_eq!(gathered.inputs[0].events, Some(path("1.events.jsonl")));
    assert_eq!(gathered.passed_over, [path("d/other.wav")]);
    let glob = find(&[path("d/*.wav")], false, Some("*-agent.wav:*-customer.wav"), "").unwrap();
    assert_eq!(names(&glob), ["2"]);
}

#[test]
fn pairs_may_lie_in_directories_of_their_own_and_carry_any_extension() {
    let scratch = with(&["in/7.g711", "out/7.g711"]);
    let gathered = find(&[scratch.path().into()], false, Some("out/*.g711:in/*.g711"), "").unwrap();
    assert_eq!(names(&gathered), ["7"]);
    assert_eq!(gathered.inputs[0].sound.paths(), [scratch.path().join("out/7.g711"), scratch.path().join("in/7.g711")]);
}

#[test]
fn of_two_patterns_that_match_the_more_telling_decides() {
    let scratch = with(&["7.wav", "7-customer.wav"]);
    let gathered = find(&[scratch.path().into()], false, Some("*.wav:*-customer.wav"), "").unwrap();
    assert_eq!(gathered.inputs[0].sound.paths(), [scratch.path().join("7.wav"), scratch.path().join("7-customer.wav")]);
    let torn = with(&["a-b.wav"]);
    let message = refusal(find(&[torn.path().into()], false, Some("a-*.wav:*-b.wav"), ""));
    assert!(message.contains("it matches both patterns"), "{message}");
}

#[test]
fn half_a_pair_is_an_error_that_names_what_is_missing() {
    let scratch = with(&["d/2-agent.wav"]);
    let message = refusal(find(&[scratch.path().into()], false, Some("*-agent.wav:*-customer.wav"), ""));
    assert!(message.contains("its customer side is missing: there is no d/2-customer.wav"), "{message}");
    let scratch = with(&["3-customer.wav"]);
    let message = refusal(find(&[scratch.path().into()], false, Some("*-agent.wav:*-customer.wav"), ""));
    assert!(message.contains("its agent side is missing: there is no 3-agent.wav"), "{message}");
    let scratch = with(&["x/3-a.wav", "x/3-c.wav", "y/3-a.wav"]);
    let message = refusal(find(&[scratch.path().join("*/*.wav")], false, Some("*-a.wav:*-c.wav"), ""));
    assert!(message.contains("both are the agent side of 3"), "{message}");
}

#[test]
fn patterns_that_are_no_pair_are_refused() {
    for text in ["*-a.wav", "*-a.wav:c.wav", "*a*:*b", "*-a.wav:*-a.wav", "*:*:*"] {
        assert!(text.parse::<PairPattern>().is_err(), "{text}");
    }
}

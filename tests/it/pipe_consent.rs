//! Consent in a call that runs: every answer is what the writer did, and to the sample (CON-06, CON-07, CON-10, INF-03).
//!
//! The customer counts, so each stored sample tells when it was spoken. All of it in real time, all at the same time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::common::{RATE, agent, interleave};
use super::encode;
use super::live_common::{BYTES_PER_S, Pace, REAL_TIME, Talk, counted, counter, together, until};

/// A tap that keeps little back.
const PROMPT: [&str; 2] = ["--worst-buffering-ms", "100"];
const FRAME: usize = 4;

fn nothing(sound: &[i16]) -> bool {
    sound.iter().all(|value| *value == 0)
}

#[test]
fn what_is_asked_of_a_running_call_is_done_to_the_sample_as_it_is_answered() {
    together(&[
        ("a grant", grant),
        ("a withdrawal", withdrawal),
        ("a withdrawal that keeps", withdrawal_that_keeps),
        ("a refusal", refusal),
        ("a pause", pause),
        ("a mask", mask),
        ("a private stretch", private),
        ("a third party", third_party),
        ("a withdrawal before its grant counts", withdrawn_ahead),
        ("a grant to nobody who was told", not_informed),
        ("bursts", bursts),
        ("a sender that pauses", sender_pauses),
    ]);
}

/// Nothing before the answer's sample, nothing lost after it, and it is not before what had been spoken.
fn grant() {
    let mut talk = Talk::begin("consent-grant", &PROMPT, &counted(3), REAL_TIME);
    talk.sender.wait(0.5);
    let told = talk.told();
    talk.sender.wait(0.7);
    let spoken = talk.sender.spoken() / FRAME;
    let from = talk.granted();
    assert!(from >= spoken && from > told, "spoken {spoken}, granted from {from}");
    let (status, again) = talk.ask("told", json!({"notice": "standard"}));
    assert_eq!((status, talk.state()["told"].clone()), (422, json!(true)), "{again}");
    let over = talk.over();
    over.keeps(&[(from, 3 * RATE as usize)]);
}

/// The customer's track as it lies while the call runs.
fn lies_on_disk(talk: &Talk) -> bool {
    let there = talk.scratch.files("out");
    let tracks = there.iter().filter(|(file, _)| file.contains("customer"));
    tracks.into_iter().any(|(_, bytes)| bytes.get(44..).is_some_and(|sound| sound.iter().any(|byte| *byte != 0)))
}

fn withdrawal() {
    let mut talk = Talk::begin("consent-withdrawal", &PROMPT, &counted(4), REAL_TIME);
    talk.told();
    talk.granted();
    until("something of the customer lies on disk", || lies_on_disk(&talk));
    talk.does("withdrawn", json!({}));
    assert!(!lies_on_disk(&talk), "the answer says that it is withdrawn, and it lies there");
    let over = talk.over();
    over.keeps_nothing("withdrawn");
    assert!(over.manifest["tally"]["customer"]["erased"].as_u64().unwrap() > 0);
}

fn withdrawal_that_keeps() {
    let more = [&PROMPT[..], &["--on-withdrawal", "keep"]].concat();
    let mut talk = Talk::begin("consent-keep", &more, &counted(4), REAL_TIME);
    talk.told();
    let from = talk.granted();
    until("something is stored", || talk.state()["customer_written"].as_u64() > Some(4_000));
    let spoken = talk.sender.spoken() / FRAME;
    let until = talk.does("withdrawn", json!({}));
    // Generous: on a busy machine the writer may be behind.
    assert!(until <= spoken + RATE as usize / 10, "a withdrawal is not delayed: {until}, spoken {spoken}");
    talk.over().keeps(&[(from, until)]);
}

fn refusal() {
    let mut talk = Talk::begin("consent-refusal", &PROMPT, &counted(2), REAL_TIME);
    talk.told();
    talk.does("refused", json!({}));
    let (status, answer) = talk.ask("granted", json!({"act": "button", "purpose": "training"}));
    assert_eq!((status, &answer["refusal"]), (409, &json!("refusal_stands")), "{answer}");
    assert_eq!(answer["customer"], "shut");
    talk.over().keeps_nothing("refused");
}

fn pause() {
    let mut talk = Talk::begin("consent-pause", &PROMPT, &counted(6), REAL_TIME);
    talk.told();
    let from = talk.granted();
    talk.sender.wait(4.8); // the agent speaks from 4.3 to 6.8 s
    let paused = talk.does("paused", json!({}));
    assert_eq!(talk.state()["recording"], "paused");
    talk.sender.wait(5.4);
    let resumed = talk.does("resumed", json!({}));
    let over = talk.over();
    over.keeps(&[(from, paused), (resumed, 6 * RATE as usize)]);
    assert!(nothing(&over.agent[paused..resumed]), "a pause stops both sides");
    assert!(!nothing(&over.agent[paused - 1_600..paused]) && !nothing(&over.agent[resumed..resumed + 1_600]));
}

fn mask() {
    let more = [&PROMPT[..], &["--reach-s", "3"]].concat();
    let mut talk = Talk::begin("consent-mask", &more, &counted(7), REAL_TIME);
    talk.told();
    let from = talk.granted();
    talk.sender.wait(6.0);
    let (status, answer) = talk.ask("masked", json!({"seconds": 1}));
    let (masked, until) =
        (answer["masked_from"].as_u64().unwrap() as usize, answer["sample"].as_u64().unwrap() as usize);
    assert_eq!((status, masked), (200, until - RATE as usize), "{answer}");
    let over = talk.over();
    over.keeps(&[(from, masked), (until, 7 * RATE as usize)]);
    assert!(nothing(&over.agent[masked..until]), "a mask leaves out both sides");
    assert!(!nothing(&over.agent[masked - 1_600..masked]) && !nothing(&over.agent[until..until + 1_600]));
}

fn private() {
    let mut talk = Talk::begin("consent-private", &PROMPT, &counted(6), REAL_TIME);
    talk.told();
    let from = talk.granted();
    talk.sender.wait(4.8);
    let begun = talk.does("private", json!({}));
    let (_, answer) = talk.ask("resumed", json!({}));
    assert_eq!(answer["recording"], "private", "only its own end ends it: {answer}");
    talk.sender.wait(5.4);
    let ended = talk.does("private_ended", json!({}));
    let over = talk.over();
    over.keeps(&[(from, begun), (ended, 6 * RATE as usize)]);
    assert!(nothing(&over.agent[begun..ended]) && !nothing(&over.agent[begun - 1_600..begun]));
}

fn third_party() {
    let mut talk = Talk::begin("consent-third", &PROMPT, &counted(4), REAL_TIME);
    talk.told();
    let from = talk.granted();
    talk.sender.wait(1.5);
    let joined = talk.does("joined", json!({"party": "wife"}));
    talk.sender.wait(2.5);
    let left = talk.does("left", json!({"party": "wife"}));
    talk.over().keeps(&[(from, joined), (left, 4 * RATE as usize)]);
}

/// A pipe that may have kept a burst back: a grant counts from after it, and what comes before that wins.
fn withdrawn_ahead() {
    let mut talk = Talk::begin("consent-ahead", &[], &counted(5), REAL_TIME);
    talk.told();
    talk.sender.wait(0.5);
    let (_, answer) = talk.ask("granted", json!({"act": "dtmf", "digit": "1", "purpose": "training"}));
    let (from, writer) = (answer["sample"].as_u64().unwrap(), answer["writer_sample"].as_u64().unwrap());
    assert!(from >= writer + u64::from(RATE), "it counts from far ahead: {answer}");
    assert_eq!(talk.state()["customer_from"], from);
    talk.does("withdrawn", json!({}));
    assert_eq!(talk.state()["customer_from"], json!(null));
    let over = talk.over();
    over.keeps_nothing("withdrawn");
    assert_eq!(over.manifest["tally"]["customer"]["erased"], 0, "it was never written");
}

fn not_informed() {
    let mut talk = Talk::begin("consent-untold", &PROMPT, &counted(2), REAL_TIME);
    talk.sender.wait(0.3);
    let (status, answer) = talk.ask("granted", json!({"act": "dtmf", "digit": "1", "purpose": "training"}));
    assert_eq!((status, &answer["outcome"]), (409, &json!("rejected")), "{answer}");
    assert_eq!((&answer["refusal"], &answer["customer"]), (&json!("not_informed"), &json!("shut")));
    talk.over().keeps_nothing("no_decision");
}

/// What a sender that writes 64 KiB at a time still kept back when the grant came is not stored, by its own number.
fn bursts() {
    let (rate, seconds) = (16_000, 8);
    let customer: Vec<i16> = (0..seconds * rate).map(counter).collect();
    let agent: Vec<i16> = agent(seconds).iter().flat_map(|value| [*value; 2]).collect();
    let sound = Arc::new(encode::body(&interleave(&[&agent, &customer]), encode::s16le));
    let pace = Pace { burst: 65_536, per_s: rate * FRAME, pause: None };
    let mut talk = Talk::of("consent-bursts", &["--rate", "16000"], &sound, pace);
    talk.told();
    talk.sender.wait(3.6); // in the middle of the fourth
    let spoken = talk.sender.spoken() / FRAME;
    let from = talk.granted();
    let over = talk.over();
    let stored = over.customer.as_ref().expect("it was granted");
    assert!(nothing(&stored[..from]) && stored[from..].iter().any(|value| *value != 0));
    for (n, value) in stored.iter().enumerate().filter(|(_, value)| **value != 0) {
        // Within half a round of the counter.
        let turns = (n as i64 - (i64::from(*value) - 1) + 15_000).div_euclid(30_000);
        let number = turns * 30_000 + i64::from(*value) - 1;
        assert!(number >= spoken as i64, "sample {number} was spoken before the grant at {spoken} and lies at {n}");
    }
    assert_eq!(stored.len(), seconds * rate, "nothing was lost and nothing laid");
}

fn sender_pauses() {
    let pause = Some((BYTES_PER_S * 3 / 2, Duration::from_secs(2)));
    let mut talk = Talk::begin("consent-silence", &PROMPT, &counted(4), Pace { pause, ..REAL_TIME });
    talk.told();
    let from = talk.granted();
    let over = talk.over();
    let (length, absent) = (
        over.manifest["length_samples"].as_u64().unwrap() as f64 / f64::from(RATE),
        over.manifest["tally"]["customer"]["left_out"]["absent"].as_u64().unwrap() as usize,
    );
    // Generous: what a busy machine holds up looks like a pause as well.
    assert!((5.6..6.8).contains(&length), "two seconds are kept on the time line: {length} s");
    assert!((1.6..2.8).contains(&(absent as f64 / f64::from(RATE))), "{absent} samples are absent");
    assert_eq!(over.manifest["tally"]["agent"]["left_out"]["absent"], absent);
    let lost = &over.manifest["live"]["losses"][0];
    assert_eq!(
        (&lost["reason"], &lost["intended"], &lost["samples"]),
        (&json!("absent"), &json!(true), &json!(absent))
    );
    // What was said lies before the silence and behind it, whole.
    let stored = over.customer.as_ref().unwrap();
    let kept: Vec<i16> = stored.iter().copied().filter(|value| *value != 0).collect();
    assert!(kept == (from..4 * RATE as usize).map(counter).collect::<Vec<_>>());
    let gap = stored[from..].iter().position(|value| *value == 0).unwrap() + from;
    assert!(gap <= 3 * RATE as usize / 2 && nothing(&stored[gap..gap + absent]), "at {gap}");
}

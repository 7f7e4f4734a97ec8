//! A small made-up set through the whole room.

use super::*;
use std::path::PathBuf;

fn item(id: &str, kind: Kind, who: &str) -> Item {
    let label = |from_s, until_s, who: &str| Label { span: Interval { from_s, until_s }, who: who.to_string() };
    Item {
        id: id.to_string(),
        set: "a-set".to_string(),
        kind,
        audio: PathBuf::from(format!("{id}.wav")),
        channel: 0,
        rate_hz: 8_000,
        length_s: 1.0,
        labels: [label(0.0, 0.5, "agent"), label(0.5, 1.0, "customer"), label(0.0, 0.5, "speech")].into(),
        who: who.to_string(),
        agent_channel: 0,
    }
}

fn call(id: &str) -> Item {
    item(id, Kind::Call { clean: PathBuf::from("clean.wav"), customer_channel: 1 }, "agent")
}

// Agent in the left half second, customer in the right one; "odd.wav" has another rate.
fn decode(path: &Path) -> Result<Sound, String> {
    let frame = |at: i16| if at < 4_000 { [at % 97 * 100, 0] } else { [0, at % 89 * 100] };
    match path.to_str() {
        Some("gone.wav") => Err("no such file".to_string()),
        Some("odd.wav") => Ok(Sound { samples: vec![0; 2], channels: 2, rate_hz: 16_000 }),
        _ => Ok(Sound { samples: (0..8_000).flat_map(frame).collect(), channels: 2, rate_hz: 8_000 }),
    }
}

fn pass_through(item: &Item, sound: &Sound) -> Result<Outcome, String> {
    let voiced = vec![Interval { from_s: 0.0, until_s: 0.75 }];
    Ok(Outcome { voiced: Some(voiced), stored: Some(sound.channel(item.agent_channel)?) })
}

#[test]
fn a_set_is_run_and_both_tables_are_filled() {
    let items = vec![call("c1"), item("v1", Kind::Vad, "speech"), call("c2")];
    let report = evaluate(&Set { items, passed_over: 4 }, decode, pass_through);
    assert_eq!((report.voice_items.len(), report.voice_sets.len()), (3, 1));
    assert_eq!(report.voice_sets[0].figures.precision, 150.0 / 225.0);
    // the customer's side of the two calls; the mono item has no other party
    assert_eq!(report.voice_sets[0].figures.customer, 0.5);
    let stored: Vec<&str> = report.stored_items.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(stored, ["c1", "c2"]);
    assert_eq!(report.stored_sets[0].figures.kept_percent, 100.0);
    assert_eq!(report.stored_sets[0].figures.residual_db, f64::NEG_INFINITY);
    assert_eq!((report.failed.len(), report.passed_over), (0, 4));
}

#[test]
fn an_item_that_fails_is_named_and_does_not_stop_the_others() {
    let items = vec![call("gone"), call("odd"), call("c1"), call("refused")];
    let report = evaluate(&Set { items, passed_over: 0 }, decode, |item, sound| match item.id.as_str() {
        "refused" => Err("too loud".to_string()),
        _ => pass_through(item, sound),
    });
    let failed: Vec<String> = report.failed.iter().map(|row| format!("{}: {}", row.name, row.figures)).collect();
    assert_eq!(
        failed,
        ["gone: gone.wav: no such file", "odd: odd.wav: 16000 Hz, and the manifest says 8000", "refused: too loud"]
    );
    assert_eq!(report.stored_items.len(), 1);
}

#[test]
fn a_channel_that_is_not_there_is_refused() {
    let sound = Sound { samples: vec![1, 2, 3, 4, 5], channels: 2, rate_hz: 8_000 };
    assert_eq!(sound.channel(1), Ok(vec![2, 4]));
    assert_eq!(sound.channel(2), Err("channel 2 is wanted and there are 2".to_string()));
    assert!(Sound { samples: vec![1], channels: 0, rate_hz: 8_000 }.channel(0).is_err());
}

#[test]
fn an_output_that_was_not_made_is_not_scored() {
    let only_voice = |item: &Item, sound: &Sound| Ok(Outcome { stored: None, ..pass_through(item, sound)? });
    let report = evaluate(&Set { items: vec![call("c1")], passed_over: 0 }, decode, only_voice);
    assert_eq!((report.voice_items.len(), report.stored_items.len()), (1, 0));
}

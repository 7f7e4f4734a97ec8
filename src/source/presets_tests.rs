//! Presets, and the identity of inputs.

use super::identity::{Coverage, of_file};
use super::presets::{AgentSide, Choice, Direction, PresetError, all, find};
use super::testing::Scratch;
use crate::split::AgentChannel;

const LEFT: AgentChannel = AgentChannel(0);
const RIGHT: AgentChannel = AgentChannel(1);

fn settle(name: &str, choice: Choice) -> Result<AgentChannel, PresetError> {
    find(name)?.agent_channel(choice)
}

fn given(channel: AgentChannel) -> Choice {
    Choice { agent_channel: Some(channel), ..Choice::default() }
}

fn called(direction: Direction) -> Choice {
    Choice { direction: Some(direction), ..Choice::default() }
}

const PAIR: Choice = Choice { agent_channel: None, direction: None, pair: true };

#[test]
fn an_export_with_a_fixed_side_settles_it_and_bears_no_contradiction() {
    assert_eq!(settle("vicidial", Choice::default()), Ok(LEFT));
    assert_eq!(settle("connect", Choice::default()), Ok(RIGHT));
    assert_eq!(settle("genesys", given(RIGHT)), Ok(RIGHT));
    let contradicted = PresetError::Contradicted { preset: "genesys", by_preset: RIGHT, given: LEFT };
    assert_eq!(settle("genesys", given(LEFT)), Err(contradicted));
    assert_eq!(settle("vicidial", PAIR), Err(PresetError::NoPair { preset: "vicidial" }));
}

#[test]
fn an_export_that_depends_on_the_direction_asks_for_it() {
    for name in ["freeswitch", "webitel", "twilio-dual"] {
        assert_eq!(settle(name, called(Direction::Outbound)), Ok(LEFT));
        assert_eq!(settle(name, called(Direction::Inbound)), Ok(RIGHT));
        assert_eq!(settle(name, given(RIGHT)), Ok(RIGHT));
        assert!(matches!(settle(name, Choice::default()), Err(PresetError::NeedsDirection { .. })));
    }
    let both = Choice { agent_channel: Some(LEFT), ..called(Direction::Inbound) };
    assert!(matches!(settle("webitel", both), Err(PresetError::Contradicted { .. })));
}

#[test]
fn an_export_whose_side_only_the_operator_knows_is_never_guessed() {
    for name in ["asterisk-d", "mediasense", "starface"] {
        assert!(matches!(settle(name, called(Direction::Inbound)), Err(PresetError::NeedsAgentChannel { .. })));
        assert_eq!(settle(name, given(RIGHT)), Ok(RIGHT));
    }
    assert_eq!(find("asterisk-d").unwrap().raw, Some(("s16le", 2)));
}

#[test]
fn an_export_of_two_files_asks_for_the_pair() {
    for name in ["asterisk-rt", "vicidial-gateway", "siprec-pair", "genesys-bulk"] {
        assert!(matches!(settle(name, given(LEFT)), Err(PresetError::NeedsPair { .. })));
        assert_eq!(settle(name, PAIR), Ok(LEFT));
    }
}

#[test]
fn exports_that_cannot_be_told_apart_are_refused_whatever_is_given() {
    for name in ["mono", "adversus", "leocall", "dialfire", "leaddesk", "rtpengine-channels"] {
        for choice in [Choice::default(), given(LEFT), PAIR, called(Direction::Inbound)] {
            assert!(matches!(settle(name, choice), Err(PresetError::Refused { .. })), "{name}");
        }
    }
}

#[test]
fn an_unknown_preset_is_answered_with_the_list() {
    let message = find("genesis").unwrap_err().to_string();
    assert!(message.contains("there is no preset `genesis`"));
    assert!(all().iter().all(|preset| message.contains(preset.name)));
}

#[test]
fn every_preset_says_what_it_assumes_and_has_a_name_of_its_own() {
    let mut names: Vec<&str> = all().iter().map(|preset| preset.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all().len());
    for preset in all().iter().filter(|preset| !matches!(preset.side, AgentSide::Refused(_))) {
        assert!(preset.assumes.len() > 20, "{}", preset.name);
    }
}

#[test]
fn the_identity_of_a_file_changes_with_its_content_and_its_length() {
    let scratch = Scratch::new();
    let content = vec![7u8; 3 << 20];
    let path = scratch.file("a", &content);
    let [sampled, full] = [Coverage::Sampled, Coverage::Full].map(|coverage| of_file(&path, coverage).unwrap());
    assert_eq!((sampled.size, full.size), (3 << 20, 3 << 20));
    assert!(sampled.mtime_ns > 0);
    assert_eq!(full.digest, blake3::hash(&content).to_hex().to_string());
    assert_eq!(of_file(&path, Coverage::Sampled).unwrap(), sampled);
    for at in [0, 65_535, (3 << 20) - 1] {
        let mut changed = content.clone();
        changed[at] ^= 1;
        let path = scratch.file("b", &changed);
        assert_ne!(of_file(&path, Coverage::Sampled).unwrap().digest, sampled.digest, "byte {at}");
    }
    let longer = scratch.file("c", vec![7u8; (3 << 20) + 1]);
    assert_ne!(of_file(&longer, Coverage::Sampled).unwrap().digest, sampled.digest);
    assert!(of_file(scratch.path(), Coverage::Sampled).is_err());
}

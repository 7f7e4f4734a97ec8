//! Keys and what they amount to.

use std::collections::BTreeMap;

use super::*;
use crate::consent::Notice;

const RATE_HZ: u32 = 1_000;

fn at(ms: u64) -> MediaTime {
    MediaTime(ms)
}

fn tone(dbfs: i16, ms: u64) -> How {
    How::InBand { dbfs_tenths: dbfs * 10, from: at(ms.saturating_sub(50)) }
}

fn told() -> Event {
    Event::Told { party: None, notice: Notice { notice: "std".into(), version: "1".into(), language: None } }
}

fn question() -> Question {
    let grant = CustomerKey::Grant(vec!["training".into()]);
    let customer = [('1', grant), ('2', CustomerKey::Refuse), ('9', CustomerKey::Withdraw)].into();
    let agent = BTreeMap::from([('*', AgentKey::Pause), ('#', AgentKey::Resume)]);
    Question::new(Keys::new(10, customer, agent).unwrap(), RATE_HZ)
}

/// A question that was asked at 1 s.
fn asked() -> Question {
    let mut question = question();
    question.counted(&told(), at(1_000));
    question
}

fn granted(event: &Option<Event>) -> bool {
    matches!(event, Some(Event::Granted(decision)) if decision.act == Act::Dtmf { digit: '1' } && decision.purposes == ["training"])
}

fn unusable(event: &Option<Event>) -> Option<Refusal> {
    match event {
        Some(Event::Unusable { said, refusal }) => {
            assert_eq!(said, "key", "which key it was is nobody's business");
            Some(*refusal)
        }
        _ => None,
    }
}

use Party::{Agent, Customer};

#[test]
fn a_signalled_yes_counts_inside_of_the_question_and_nowhere_else() {
    for (ms, counts) in [(0, false), (999, false), (1_000, true), (10_999, true), (11_000, false)] {
        let mut question = asked();
        let said = question.digit(Customer, '1', How::Signalled, at(ms));
        assert_eq!(granted(&said), counts, "{ms} ms");
        assert_eq!(unusable(&said), (!counts).then_some(Refusal::OutsideQuestion), "{ms} ms");
    }
    let never = question().digit(Customer, '1', How::Signalled, at(5));
    assert_eq!(unusable(&never), Some(Refusal::OutsideQuestion));
}

#[test]
fn a_yes_from_the_agents_side_is_none() {
    for how in [How::Signalled, tone(-10, 2_000)] {
        let said = asked().digit(Agent, '1', how, at(2_000));
        assert_eq!(unusable(&said), Some(Refusal::NotTheCustomer));
    }
}

#[test]
fn a_no_always_counts_and_a_key_without_a_meaning_leaves_no_trace() {
    for how in [How::Signalled, tone(-20, 50_000)] {
        assert!(matches!(question().digit(Customer, '2', how, at(50_000)), Some(Event::Refused { .. })));
        let withdrawn = question().digit(Customer, '9', how, at(50_000));
        assert!(matches!(withdrawn, Some(Event::Withdrawn { purposes, .. }) if purposes.is_empty()));
        assert_eq!(asked().digit(Customer, '5', how, at(2_000)), None);
        assert_eq!(asked().digit(Agent, '5', how, at(2_000)), None);
        assert_eq!(
            asked().digit(Agent, '2', how, at(2_000)),
            None,
            "the agent cannot refuse for the customer by a key"
        );
    }
}

#[test]
fn an_audible_yes_counts_when_the_other_side_had_time_to_be_heard() {
    let mut question = asked();
    assert_eq!(question.digit(Customer, '1', tone(-20, 2_000), at(2_000)), None);
    assert_eq!(question.due(at(2_199)), None);
    assert!(granted(&question.due(at(2_200))));
    assert_eq!(question.due(at(9_000)), None, "once");
}

#[test]
fn a_tone_that_began_before_the_question_is_no_answer() {
    let mut question = asked();
    let said = question.digit(Customer, '1', tone(-20, 1_020), at(1_020));
    assert_eq!(unusable(&said), Some(Refusal::OutsideQuestion));
}

#[test]
fn the_agents_echo_in_the_customers_leg_neither_opens_nor_shuts() {
    for softer in 10..=30 {
        for late in [0, 20, 100, 200, 300] {
            for (digit, agents) in [('1', Some(Refusal::NotTheCustomer)), ('2', None), ('9', None)] {
                let mut question = asked();
                let said = question.digit(Agent, digit, tone(-10, 2_000), at(2_000));
                assert_eq!(unusable(&said), agents);
                assert_eq!(question.digit(Customer, digit, tone(-10 - softer, 2_000 + late), at(2_000 + late)), None);
                assert_eq!(question.due(at(9_000)), None, "key {digit} {softer} dB softer, {late} ms late");
            }
        }
    }
    // A tone that belongs to a press that was signalled has an echo, too.
    let mut question = asked();
    question.digit(Agent, '1', How::Signalled, at(2_000));
    question.digit(Agent, '1', tone(-10, 2_800), at(2_800));
    assert_eq!(question.digit(Customer, '1', tone(-30, 2_900), at(2_900)), None);
    assert_eq!(question.due(at(9_000)), None);
    // The sides may be out of step: the echo is heard first, and still opens nothing.
    let mut question = asked();
    assert_eq!(question.digit(Customer, '1', tone(-30, 2_000), at(2_000)), None);
    assert_eq!(unusable(&question.digit(Agent, '1', tone(-10, 2_150), at(2_150))), Some(Refusal::NotTheCustomer));
    assert_eq!(question.due(at(9_000)), None);
    // Signalled by the agent's telephone, and carried over as a tone.
    let mut question = asked();
    question.digit(Agent, '1', How::Signalled, at(2_000));
    assert_eq!(question.digit(Customer, '1', tone(-12, 2_300), at(2_300)), None);
    assert_eq!(question.due(at(9_000)), None);
}

#[test]
fn the_customers_key_in_the_agents_headset_steers_nothing() {
    let mut question = question();
    question.digit(Customer, '*', tone(-12, 2_000), at(2_000));
    assert_eq!(question.digit(Agent, '*', tone(-32, 2_080), at(2_080)), None, "no pause by an echo");
    let mut question = asked();
    assert_eq!(question.digit(Customer, '1', tone(-12, 2_000), at(2_000)), None);
    assert_eq!(question.digit(Agent, '1', tone(-32, 2_080), at(2_080)), None);
    assert!(granted(&question.due(at(2_300))), "the customer's own yes is not hurt by its echo");
}

#[test]
fn what_is_as_loud_on_both_sides_opens_nothing_and_may_shut() {
    let mut question = asked();
    question.digit(Agent, '1', tone(-20, 2_000), at(2_000));
    assert_eq!(unusable(&question.digit(Customer, '1', tone(-22, 2_000), at(2_000))), Some(Refusal::WhoseKey));
    let mut question = asked();
    question.digit(Agent, '2', tone(-20, 2_000), at(2_000));
    assert!(matches!(question.digit(Customer, '2', tone(-22, 2_000), at(2_000)), Some(Event::Refused { .. })));
    let mut question = asked();
    question.digit(Customer, '#', tone(-20, 2_000), at(2_000));
    assert_eq!(unusable(&question.digit(Agent, '#', tone(-18, 2_000), at(2_000))), Some(Refusal::WhoseKey));
    question.digit(Customer, '*', tone(-20, 4_000), at(4_000));
    assert_eq!(question.digit(Agent, '*', tone(-18, 4_000), at(4_000)), Some(Event::Paused));
}

#[test]
fn a_press_that_is_signalled_and_heard_counts_once() {
    let mut question = asked();
    assert!(granted(&question.digit(Customer, '1', How::Signalled, at(2_000))));
    assert_eq!(question.digit(Customer, '1', tone(-20, 2_100), at(2_100)), None);
    assert_eq!(question.due(at(9_000)), None);
    // Heard first: what was signalled makes it certain at once.
    let mut question = asked();
    assert_eq!(question.digit(Customer, '1', tone(-20, 2_000), at(2_000)), None);
    assert!(granted(&question.digit(Customer, '1', How::Signalled, at(2_090))));
    assert_eq!(question.due(at(9_000)), None);
    // Twice is twice.
    let mut question = asked();
    for ms in [2_000, 2_400] {
        assert!(matches!(question.digit(Customer, '2', How::Signalled, at(ms)), Some(Event::Refused { .. })));
    }
    // A no that is heard after a yes is a no, whatever was signalled before.
    let mut question = asked();
    question.digit(Customer, '2', How::Signalled, at(2_000));
    assert!(granted(&question.digit(Customer, '1', How::Signalled, at(2_400))));
    assert!(matches!(question.digit(Customer, '2', tone(-20, 2_700), at(2_700)), Some(Event::Refused { .. })));
    // What was taken for the agent's is the customer's after all, says the wire.
    let mut question = asked();
    question.digit(Agent, '1', tone(-10, 2_000), at(2_000));
    assert_eq!(question.digit(Customer, '1', tone(-30, 2_010), at(2_010)), None);
    assert!(granted(&question.digit(Customer, '1', How::Signalled, at(2_090))));
}

#[test]
fn the_question_closes_when_the_line_changes() {
    let second = PartyId("second".into());
    let changes =
        [Event::Held, Event::HungUp, Event::Joined { party: second.clone() }, Event::Left { party: second.clone() }];
    for change in changes {
        let mut question = asked();
        assert_eq!(question.digit(Customer, '1', tone(-20, 2_000), at(2_000)), None);
        question.counted(&change, at(2_100));
        assert_eq!(question.due(at(3_000)), None, "{change:?}: what waited is gone");
        let said = question.digit(Customer, '1', How::Signalled, at(3_100));
        assert_eq!(unusable(&said), Some(Refusal::OutsideQuestion), "{change:?}");
    }
}

#[test]
fn after_a_transfer_the_keys_are_those_of_who_was_asked() {
    let mut question = asked();
    question.counted(&Event::Joined { party: PartyId("second".into()) }, at(2_000));
    let both = question.digit(Customer, '2', How::Signalled, at(2_100));
    assert_eq!(both, Some(Event::Refused { party: PartyId(SOMEBODY.into()) }), "it is everybody's");
    question.counted(&Event::Left { party: PartyId::default() }, at(2_200));
    let no = question.digit(Customer, '2', How::Signalled, at(2_500));
    assert_eq!(no, Some(Event::Refused { party: PartyId("second".into()) }));
    question.counted(&told(), at(3_000));
    let Some(Event::Granted(yes)) = question.digit(Customer, '1', How::Signalled, at(4_000)) else { panic!() };
    assert_eq!(yes.party, PartyId("second".into()));
}

#[test]
fn a_no_takes_back_a_yes_that_waits() {
    let mut question = asked();
    question.digit(Customer, '1', tone(-20, 2_000), at(2_000));
    let no = question.digit(Customer, '2', tone(-20, 2_150), at(2_150)).unwrap();
    question.counted(&no, at(2_150));
    assert_eq!(question.due(at(9_000)), None);
}

#[test]
fn keys_for_nothing_fill_no_ledger() {
    let mut question = question();
    let noted = (0..1_000).filter(|press| question.digit(Customer, '1', How::Signalled, at(press * 100)).is_some());
    assert_eq!(noted.count(), NOTED_MAX as usize);
}

/// The agent's key is down from 2 s to 3 s, as the wire tells while it is.
#[test]
fn the_echo_of_a_key_that_the_agent_holds_down_opens_nothing() {
    for echo_ms in (1_950..=3_400).step_by(50) {
        let (mut question, mut heard) = (asked(), false);
        for ms in (1_900..=4_500).step_by(50) {
            if ms == 2_000 {
                question.digit(Agent, '1', How::Signalled, at(ms));
            }
            if (2_100..=3_000).contains(&ms) && ms % 100 == 0 {
                question.still_down(Agent, '1', at(ms));
            }
            if ms == echo_ms {
                heard = true;
                assert!(!granted(&question.digit(Customer, '1', tone(-12, ms), at(ms))), "{echo_ms}");
            }
            assert!(!granted(&question.due(at(ms))), "{echo_ms}");
        }
        assert!(heard);
    }
    // Told at its beginning alone: the echo 300 ms behind it is one all the same, however late it was made out.
    let mut question = asked();
    question.digit(Agent, '1', How::Signalled, at(2_000));
    let late = How::InBand { dbfs_tenths: -120, from: at(2_300) };
    assert_eq!(question.digit(Customer, '1', late, at(2_480)), None);
    assert_eq!(question.due(at(9_000)), None);
    // What is pressed after it was released, or is another key, counts.
    let mut question = asked();
    question.digit(Agent, '1', How::Signalled, at(2_000));
    question.still_down(Agent, '1', at(3_000));
    assert_eq!(question.digit(Customer, '1', tone(-12, 3_600), at(3_600)), None);
    assert!(granted(&question.due(at(3_800))));
    // A no is never hidden for longer than by a tap.
    let mut question = asked();
    question.digit(Agent, '2', How::Signalled, at(2_000));
    question.still_down(Agent, '2', at(3_000));
    assert!(matches!(question.digit(Customer, '2', tone(-12, 2_600), at(2_600)), Some(Event::Refused { .. })));
    // Nothing was told of this key.
    question.still_down(Agent, '7', at(3_000));
}

//! The rules of the door, one by one, on the gate alone.

use oneside::audio::{Customer, Frame, MediaTime};
use oneside::consent::{
    Act, Basis, Decision, Effect, Event, Gate, Notice, OnWithdrawal, Outcome, PartyId, Refusal, Stamped, Terms,
    TokenState,
};

const RATE_HZ: u32 = 8_000;

struct Door {
    gate: Gate,
}

impl Door {
    fn new() -> Door {
        Door::under(Terms::default())
    }

    fn under(terms: Terms) -> Door {
        Door { gate: Gate::new(terms, Vec::new()) }
    }

    fn at(&mut self, seconds: u64, event: Event) -> Effect {
        self.gate.apply(&Stamped::new(seconds * 1_000_000_000, None, event, RATE_HZ))
    }

    fn is_open_at(&self, seconds: u64) -> bool {
        let frame: Frame<'_, Customer> = Frame::new(MediaTime(seconds * u64::from(RATE_HZ)), &[1; 160]);
        self.gate.customer(frame).is_ok()
    }
}

fn told() -> Event {
    Event::Told {
        party: None,
        notice: Notice { notice: "std".into(), version: "3".into(), language: Some("sv".into()) },
    }
}

fn yes(act: Act) -> Event {
    Event::Granted(Decision { party: PartyId::default(), act, purposes: vec!["training".into()], basis: None })
}

fn key() -> Event {
    yes(Act::Dtmf { digit: '1' })
}

fn no() -> Event {
    Event::Refused { party: PartyId::default() }
}

fn rejected(effect: &Effect) -> Option<Refusal> {
    match effect.outcome {
        Outcome::Rejected(refusal) => Some(refusal),
        _ => None,
    }
}

#[test]
fn without_a_decision_the_door_is_shut() {
    // CON-01
    let mut door = Door::new();
    assert!(!door.is_open_at(0));
    door.at(1, told());
    assert!(!door.is_open_at(2));
}

#[test]
fn a_grant_before_any_announcement_counts_for_nothing() {
    // INF-01
    let mut door = Door::new();
    assert_eq!(rejected(&door.at(1, key())), Some(Refusal::NotInformed));
    assert!(!door.is_open_at(2));
}

#[test]
fn something_that_is_no_act_counts_for_nothing() {
    // CON-02
    let mut door = Door::new();
    door.at(1, told());
    let implied = Event::Unusable { said: "implied".into(), refusal: Refusal::UnknownEvent };
    assert_eq!(rejected(&door.at(2, implied)), Some(Refusal::UnknownEvent));
    assert!(!door.is_open_at(3));
}

#[test]
fn a_grant_without_a_purpose_is_no_specific_consent() {
    // CON-04
    let mut door = Door::new();
    door.at(1, told());
    let vague =
        Decision { party: PartyId::default(), act: Act::Dtmf { digit: '1' }, purposes: vec![" ".into()], basis: None };
    assert_eq!(rejected(&door.at(2, Event::Granted(vague))), Some(Refusal::NoPurpose));
}

#[test]
fn only_purposes_that_the_store_records_for_are_kept() {
    // CON-04
    let only = Terms { purposes: Some(vec!["training".into()]), ..Terms::default() };
    let mut door = Door::under(only.clone());
    door.at(1, told());
    let both = |purposes: &[&str]| {
        Event::Granted(Decision {
            party: PartyId::default(),
            act: Act::Dtmf { digit: '1' },
            purposes: purposes.iter().map(|p| p.to_string()).collect(),
            basis: None,
        })
    };
    assert_eq!(rejected(&door.at(2, both(&["marketing"]))), Some(Refusal::PurposeNotConfigured));
    door.at(3, both(&["marketing", "training"]));
    assert_eq!(door.gate.kept()[0].purposes, ["training"]);
}

#[test]
fn after_a_refusal_the_agents_button_needs_a_documented_basis() {
    // CON-09, CON-13
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, no());
    assert_eq!(rejected(&door.at(3, yes(Act::Button { agent: None }))), Some(Refusal::RefusalStands));
    let with = |basis_ref: &str| {
        Event::Granted(Decision {
            party: PartyId::default(),
            act: Act::Button { agent: None },
            purposes: vec!["dispute".into()],
            basis: Some(Basis { basis: "legal_obligation".into(), basis_ref: basis_ref.into() }),
        })
    };
    assert_eq!(rejected(&door.at(4, with(""))), Some(Refusal::NoBasisReference));
    let effect = door.at(5, with("DPIA-2026-7"));
    assert!(effect.overrode && effect.customer_open);
}

#[test]
fn after_a_refusal_the_customers_own_act_reopens() {
    // CON-09
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, no());
    let effect = door.at(3, key());
    assert!(effect.customer_open && !effect.overrode);
}

#[test]
fn a_sensitive_call_takes_no_basis_but_consent() {
    // CON-12
    let mut door = Door::under(Terms { sensitive: true, ..Terms::default() });
    door.at(1, told());
    let other = Event::Granted(Decision {
        party: PartyId::default(),
        act: Act::Button { agent: None },
        purposes: vec!["care".into()],
        basis: Some(Basis { basis: "legitimate_interest".into(), basis_ref: "LIA-1".into() }),
    });
    assert_eq!(rejected(&door.at(2, other)), Some(Refusal::SensitiveNeedsConsent));
    assert!(door.at(3, key()).customer_open);
}

#[test]
fn a_standing_token_counts_only_if_it_was_found_valid() {
    // CON-16
    let token = |state| yes(Act::Token { token: "T1".into(), state });
    for (state, refusal) in [
        (TokenState::Expired, Refusal::TokenExpired),
        (TokenState::Revoked, Refusal::TokenRevoked),
        (TokenState::Unverifiable, Refusal::TokenUnverifiable),
    ] {
        assert_eq!(rejected(&Door::new().at(1, token(state))), Some(refusal));
    }
    let mut door = Door::new();
    assert!(door.at(1, token(TokenState::Valid)).customer_open);
    assert!(!door.at(5, Event::Expired { party: PartyId::default(), token: "T1".into() }).customer_open);
}

#[test]
fn everyone_on_the_line_has_to_say_yes() {
    // CON-14, CON-15
    let second = || PartyId("second".into());
    let mut door = Door::new();
    door.at(1, told());
    assert!(door.at(2, key()).customer_open);
    assert!(!door.at(3, Event::Joined { party: second() }).customer_open);
    let theirs = || {
        Event::Granted(Decision {
            party: second(),
            act: Act::Dtmf { digit: '1' },
            purposes: vec!["training".into()],
            basis: None,
        })
    };
    assert_eq!(rejected(&door.at(4, theirs())), Some(Refusal::NotInformed));
    door.at(5, told());
    assert!(door.at(6, theirs()).customer_open);
    assert!(!door.at(7, Event::Withdrawn { party: second(), purposes: Vec::new() }).customer_open);
    assert!(door.at(8, Event::Left { party: second() }).customer_open);
}

#[test]
fn a_withdrawal_erases_what_was_kept_under_the_grant_unless_the_terms_keep_it() {
    // WDR-02
    let withdrawn = || Event::Withdrawn { party: PartyId::default(), purposes: Vec::new() };
    for (on_withdrawal, erased, kept) in [(OnWithdrawal::Erase, 1, 0), (OnWithdrawal::Keep, 0, 1)] {
        let mut door = Door::under(Terms { on_withdrawal, ..Terms::default() });
        door.at(1, told());
        door.at(2, key());
        let effect = door.at(9, withdrawn());
        assert_eq!((effect.erased.len(), door.gate.kept().len()), (erased, kept));
        assert_eq!(effect.on_withdrawal, Some(on_withdrawal), "the ledger says which");
        assert!(!door.is_open_at(10));
    }
}

#[test]
fn a_withdrawal_of_one_purpose_keeps_what_the_others_cover() {
    // CON-04
    let mut door = Door::new();
    door.at(1, told());
    door.at(
        2,
        Event::Granted(Decision {
            party: PartyId::default(),
            act: Act::Dtmf { digit: '1' },
            purposes: vec!["training".into(), "documentation".into()],
            basis: None,
        }),
    );
    let effect = door.at(5, Event::Withdrawn { party: PartyId::default(), purposes: vec!["training".into()] });
    assert!(effect.customer_open && effect.erased.is_empty());
    assert!(door.gate.kept().iter().all(|kept| kept.purposes == ["documentation"]), "{:?}", door.gate.kept());
}

#[test]
fn a_pause_survives_a_hold_and_ends_only_by_a_resume() {
    // PAY-02
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, key());
    door.at(3, Event::Paused);
    door.at(4, Event::Held);
    assert!(!door.at(5, Event::Retrieved).recording);
    assert!(!door.at(6, key()).customer_open);
    assert!(door.at(7, Event::Resumed).customer_open);
}

#[test]
fn after_the_call_nothing_is_granted() {
    // CON-16
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, key());
    assert!(!door.at(3, Event::HungUp).customer_open);
    assert_eq!(rejected(&door.at(4, key())), Some(Refusal::CallOver));
}

#[test]
fn a_grant_is_never_backdated() {
    // A frame that begins before the grant stays out, whole.
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, key());
    let early: Frame<'_, Customer> = Frame::new(MediaTime(2 * 8_000 - 1), &[1; 160]);
    assert!(door.gate.customer(early).is_err());
    let exact: Frame<'_, Customer> = Frame::new(MediaTime(2 * 8_000), &[1; 160]);
    assert!(door.gate.customer(exact).is_ok());
}

#[test]
fn at_a_tie_what_shuts_wins() {
    let mut events = [
        Stamped::new(5_000_000_000, None, no(), RATE_HZ),
        Stamped::new(5_000_000_000, None, key(), RATE_HZ),
        Stamped::new(5_000_000_000, None, told(), RATE_HZ),
    ];
    events.sort_by_key(Stamped::order);
    let mut gate = Gate::new(Terms::default(), Vec::new());
    let last = events.iter().map(|event| gate.apply(event)).last().unwrap();
    assert!(!last.customer_open);
    assert_eq!(last.outcome, Outcome::Accepted);
}

#[test]
fn a_token_that_runs_out_ends_only_the_grant_that_rests_on_it() {
    // CON-16
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, yes(Act::Token { token: "T1".into(), state: TokenState::Valid }));
    door.at(3, key());
    let effect = door.at(5, Event::Expired { party: PartyId::default(), token: "T1".into() });
    assert!(effect.customer_open, "the key press stands on its own");
}

fn granted_for(purpose: &str) -> Event {
    Event::Granted(Decision {
        party: PartyId::default(),
        act: Act::Dtmf { digit: '1' },
        purposes: vec![purpose.into()],
        basis: None,
    })
}

fn withdrawn_for(purpose: &str) -> Event {
    Event::Withdrawn { party: PartyId::default(), purposes: vec![purpose.into()] }
}

#[test]
fn a_party_that_has_left_can_still_withdraw_a_purpose() {
    // WDR-02
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, granted_for("training"));
    door.at(5, Event::Left { party: PartyId::default() });
    let effect = door.at(6, withdrawn_for("training"));
    assert_eq!(effect.outcome, Outcome::Accepted);
    assert!(door.gate.kept().is_empty(), "{:?}", door.gate.kept());
}

#[test]
fn a_withdrawal_of_one_purpose_leaves_what_was_kept_for_another_alone() {
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, granted_for("documentation"));
    door.at(5, granted_for("training"));
    let effect = door.at(8, withdrawn_for("training"));
    assert_eq!((effect.erased.len(), effect.customer_open), (1, false));
    let kept: Vec<_> = door.gate.kept().iter().map(|kept| (kept.from.0, kept.purposes.clone())).collect();
    assert_eq!(kept, [(16_000, vec!["documentation".to_owned()])]);
    assert_eq!(door.at(9, withdrawn_for("training")).outcome, Outcome::Unchanged, "said twice");
    assert_eq!(door.gate.kept().len(), 1);
}

#[test]
fn a_withdrawal_of_what_was_never_granted_is_one_of_everything() {
    for purpose in ["Trainning", "marketing"] {
        let mut door = Door::new();
        door.at(1, told());
        door.at(2, granted_for("training"));
        let effect = door.at(5, withdrawn_for(purpose));
        assert!(!effect.customer_open && effect.erased.len() == 1, "{purpose}");
    }
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, granted_for("training"));
    assert_eq!(door.at(5, withdrawn_for("TRAINING")).erased.len(), 1, "letter case is no difference");
}

#[test]
fn a_no_of_somebody_never_heard_of_is_everybodys() {
    for no in [
        Event::Refused { party: PartyId("caller".into()) },
        Event::Withdrawn { party: PartyId("Customer".into()), purposes: Vec::new() },
    ] {
        let mut door = Door::new();
        door.at(1, told());
        door.at(2, key());
        let effect = door.at(5, no);
        assert_eq!(effect.outcome, Outcome::Accepted);
        assert!(!effect.customer_open && effect.erased.len() == 1);
    }
}

#[test]
fn joining_again_does_not_undo_a_no() {
    // CON-09, CON-15
    let mut door = Door::new();
    door.at(1, told());
    door.at(2, no());
    door.at(3, Event::Joined { party: PartyId::default() });
    door.at(4, told());
    assert_eq!(rejected(&door.at(5, yes(Act::Button { agent: None }))), Some(Refusal::RefusalStands));
    assert!(door.at(6, key()).customer_open, "the customer's own act reopens");
}

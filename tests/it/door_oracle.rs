//! Every script of six events, against an oracle that shares no code with the gate.
//!
//! The gate keeps state and changes it; the oracle looks at the whole script so far and asks what it amounts to.

use oneside::audio::{Agent, Customer, Frame, Levels, MediaTime, Span};
use oneside::bleed::{Ear, Heard, Reference, Unheard, Verdict};
use oneside::consent::{Act, Decision, Event, Gate, Notice, OnWithdrawal, PartyId, Stamped, Terms, rehearse};

/// The small alphabet: a letter an event.
const ALPHABET: [char; 12] = ['t', 'g', 'b', 'n', 'w', 'j', 'y', 'l', 'p', 'r', 'h', 'u'];
const STEPS: usize = 6;
/// Samples between two events.
const STEP: u64 = 100;
const RATE_HZ: u32 = 8_000;

pub fn event(letter: char) -> Event {
    let second = || PartyId("second".into());
    let yes = |party, act| Event::Granted(Decision { party, act, purposes: vec!["training".into()], basis: None });
    match letter {
        't' => {
            Event::Told { party: None, notice: Notice { notice: "std".into(), version: "1".into(), language: None } }
        }
        'g' => yes(PartyId::default(), Act::Dtmf { digit: '1' }),
        'b' => yes(PartyId::default(), Act::Button { agent: None }),
        'n' => Event::Refused { party: PartyId::default() },
        'w' => Event::Withdrawn { party: PartyId::default(), purposes: Vec::new() },
        'j' => Event::Joined { party: second() },
        'y' => yes(second(), Act::SpokenYes { agent: None, question: None }),
        'l' => Event::Left { party: second() },
        'p' => Event::Paused,
        'r' => Event::Resumed,
        'h' => Event::Held,
        'u' => Event::HungUp,
        other => panic!("no event `{other}`"),
    }
}

/// Last place of any of `letters` in `script`.
fn last(script: &[char], letters: &str) -> Option<usize> {
    script.iter().rposition(|letter| letters.contains(*letter))
}

/// Oracle: recording is paused after this script.
fn paused(script: &[char]) -> bool {
    last(script, "p").is_some_and(|p| !script[p..].contains(&'r'))
}

/// Oracle: the call is on hold after this script. A resume while paused ends the pause, not the hold.
fn held(script: &[char]) -> bool {
    last(script, "h").is_some_and(|h| !(h..script.len()).any(|i| script[i] == 'r' && !paused(&script[..i])))
}

/// Oracle: the first party's grant stands after this script.
fn first_grants(script: &[char]) -> bool {
    let valid = |i: usize| {
        let before = &script[..i];
        let informed = before.contains(&'t');
        let over = before.contains(&'u');
        let yes_since_no = (0..i).rev().find(|k| "nw".contains(script[*k]) || is_valid_first(script, *k));
        let said_no = yes_since_no.is_some_and(|k| "nw".contains(script[k]));
        informed && !over && (script[i] == 'g' || !said_no)
    };
    let decisive = (0..script.len()).rev().find(|i| match script[*i] {
        'g' | 'b' => valid(*i),
        letter => "nw".contains(letter),
    });
    decisive.is_some_and(|i| "gb".contains(script[i]))
}

/// Oracle: the yes of the first party at this place counted.
fn is_valid_first(script: &[char], i: usize) -> bool {
    "gb".contains(script[i]) && first_grants(&script[..=i]) && {
        // It counted if the script without it would not have ended in a no, or if it is the customer's own act.
        script[i] == 'g' || last(&script[..i], "nw").is_none_or(|no| (no..i).any(|k| is_valid_first(script, k)))
    }
}

/// Oracle: the second party is on the line after this script, and since when.
fn second_since(script: &[char]) -> Option<usize> {
    last(script, "j").filter(|j| !script[*j..].contains(&'l'))
}

/// Oracle: the customer's side may be kept after this script, as far as is known by then.
pub fn open(script: &[char]) -> bool {
    let second_ok = second_since(script).is_none_or(|since| {
        (since..script.len())
            .any(|i| script[i] == 'y' && script[since..i].contains(&'t') && !script[..i].contains(&'u'))
    });
    first_grants(script) && second_ok && !script.contains(&'u') && !paused(script) && !held(script)
}

/// A proof for `span`, from an ear that has nothing to compare.
pub fn proof(span: Span) -> Heard {
    let mut ear = Ear::new(Reference::OneParty);
    ear.hear(&Levels::default(), Unheard::default(), [span; 2]);
    ear.end();
    let [Verdict::Own(heard), _] = ear.answer() else { panic!("an ear without reference owns everything") };
    heard
}

struct Checked {
    kept: u64,
    dropped: u64,
}

/// Plays a script through the gate: one frame of each side after each event.
fn play(script: &[char], foreseen: bool, checked: &mut Checked) {
    let terms = Terms { on_withdrawal: OnWithdrawal::Erase, ..Terms::default() };
    let nanos = |i: usize| (i as u64 * STEP) * 1_000_000_000 / u64::from(RATE_HZ);
    let events: Vec<Stamped> =
        script.iter().enumerate().map(|(i, letter)| Stamped::new(nanos(i), None, event(*letter), RATE_HZ)).collect();
    let foreclosed = if foreseen { rehearse(&terms, &events) } else { Vec::new() };
    let mut gate = Gate::new(terms, foreclosed);
    let sound = [7; STEP as usize];
    let name = || script.iter().collect::<String>();
    for i in 0..script.len() {
        let effect = gate.apply(&events[i]);
        let at = MediaTime(i as u64 * STEP);
        let customer: Frame<'_, Customer> = Frame::new(at, &sound);
        let agent: Frame<'_, Agent> = Frame::new(at, &sound);
        let expected_open = open(&script[..=i]);
        let withdrawn_later = foreseen && script[i + 1..].iter().any(|letter| "nw".contains(*letter));
        assert_eq!(effect.customer_open, expected_open, "{}: the door after step {i}", name());
        let kept = gate.customer(customer).is_ok();
        assert_eq!(kept, expected_open && !withdrawn_later, "{}: the customer after step {i} ({foreseen})", name());
        assert_eq!(
            gate.agent(agent, proof(agent.span())).is_ok(),
            !paused(&script[..=i]),
            "{}: the agent at {i}",
            name()
        );
        if kept { checked.kept += 1 } else { checked.dropped += 1 }
    }
    // What is on the record at the end: what was open and no later no has erased.
    for i in 0..script.len() - 1 {
        let (from, until) = (MediaTime(i as u64 * STEP), MediaTime((i as u64 + 1) * STEP));
        let recorded = gate.kept().iter().any(|kept| kept.from <= from && kept.until.is_none_or(|end| end >= until));
        let survives = open(&script[..=i]) && !script[i + 1..].iter().any(|letter| "nw".contains(*letter));
        assert_eq!(recorded, survives, "{}: what stays on the record of step {i}", name());
    }
}

#[test]
fn every_script_of_six_events_agrees_with_the_oracle() {
    let mut checked = Checked { kept: 0, dropped: 0 };
    let mut script = vec!['t'; STEPS];
    for number in 0..ALPHABET.len().pow(STEPS as u32) {
        let mut rest = number;
        for letter in &mut script {
            *letter = ALPHABET[rest % ALPHABET.len()];
            rest /= ALPHABET.len();
        }
        play(&script, number % 2 == 1, &mut checked);
    }
    assert!(checked.kept > 50_000, "scripts that keep something were among them: {}", checked.kept);
    assert!(checked.dropped > 10_000_000, "scripts that drop were among them: {}", checked.dropped);
}

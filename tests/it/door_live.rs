//! The door of a live call: events count as they arrive, what opens counts from a place ahead, what shuts counts at once.
//!
//! Every script of five events against an oracle that shares no code with the gate. Random ones stand in `door_paper`, whole
//! calls in `door_live_call`.

use oneside::audio::{Agent, Customer, Frame, MediaTime, Span};
use oneside::consent::{Dropped, Event, Gate, Stamped, Terms};

use super::door_oracle::{self, proof};

/// Letters of scripts: those of recordings, `m` masked, `v` private, `e` private no more.
const ALPHABET: [char; 15] = ['t', 'g', 'b', 'n', 'w', 'j', 'y', 'l', 'p', 'r', 'h', 'u', 'm', 'v', 'e'];
const STEPS: usize = 5;
/// Samples between two events.
pub const STEP: u64 = 100;
/// Samples by which what opens lies ahead.
const AHEAD: u64 = 150;
/// Samples of which everything above is a multiple.
pub const BLOCK: u64 = 50;
/// Samples per second: a mask of a second is as long as what opens lies ahead.
pub const RATE_HZ: u32 = 150;

fn event(letter: char) -> Event {
    match letter {
        'm' => Event::Masked { seconds: 1 },
        'v' => Event::Private,
        'e' => Event::PrivateEnded,
        other => door_oracle::event(other),
    }
}

/// Where the event of this step is stamped.
fn place(script: &[char], step: usize) -> u64 {
    step as u64 * STEP + if "gbylre".contains(script[step]) { AHEAD } else { 0 }
}

/// Oracle: from where an opening of this step counts: from the latest place that anything was stamped with by then.
fn counts_from(script: &[char], step: usize) -> u64 {
    (0..=step).map(|step| place(script, step)).max().unwrap()
}

/// Oracle: a private stretch stands after this script.
fn private(script: &[char]) -> bool {
    script.iter().rfind(|letter| "ve".contains(**letter)) == Some(&'v')
}

/// Oracle: the customer's door is open after this script, if perhaps from a place ahead.
fn open(script: &[char]) -> bool {
    let others: Vec<char> = script.iter().copied().filter(|letter| !"mve".contains(*letter)).collect();
    door_oracle::open(&others) && !private(script)
}

/// Oracle: the customer's sample at this place is written when the script has come that far.
fn writes(script: &[char], at: u64) -> bool {
    let step = (at / STEP) as usize;
    let since = (0..=step).rev().take_while(|step| open(&script[..=*step])).last();
    since.is_some_and(|since| counts_from(script, since) <= at)
}

/// Oracle: a stop of both sides that begins with one letter and ends with another covers this place.
fn stopped(script: &[char], begins: char, ends: char, at: u64) -> bool {
    (0..script.len()).any(|first| {
        let ended = |last: usize| script[last] == ends && counts_from(script, last) <= at;
        script[first] == begins && first as u64 * STEP <= at && !(first + 1..script.len()).any(ended)
    })
}

/// Oracle: a mask that reaches back so far covers this place.
fn masked(script: &[char], reach: u64, at: u64) -> bool {
    let covers = |step: usize| at < step as u64 * STEP && at + reach >= step as u64 * STEP;
    (0..script.len()).any(|step| script[step] == 'm' && covers(step))
}

/// How far back a mask reaches on the agent's side.
const AGENT_REACH: u64 = 100;

#[derive(Default)]
struct Seen {
    written: u64,
    erased: u64,
    withheld: u64,
}

fn play(script: &[char], seen: &mut Seen) {
    let name = || script.iter().collect::<String>();
    let mut gate = Gate::new(Terms::default(), Vec::new()).at_rate(RATE_HZ);
    let sound = [7; BLOCK as usize];
    let blocks = script.len() as u64 * STEP / BLOCK;
    let mut standing = vec![false; blocks as usize];
    for step in 0..script.len() {
        let at = MediaTime(place(script, step));
        let stamped = Stamped::placed(at, None, event(script[step]), RATE_HZ);
        let here = step as u64 * STEP;
        let effect = gate.apply_reaching(&stamped, MediaTime(here.saturating_sub(AGENT_REACH)));
        assert_eq!(effect.customer_open, open(&script[..=step]), "{}: the door after step {step}", name());
        let gone = effect.erased.iter().map(|erased| erased.span).chain(effect.masked_customer);
        for span in gone {
            assert!(span.until.0 <= here, "{}: step {step} erases what is still to come, {span:?}", name());
            for block in span.from.0 / BLOCK..span.until.0 / BLOCK {
                seen.erased += u64::from(std::mem::take(&mut standing[block as usize]));
            }
        }
        for block in here / BLOCK..(here + STEP) / BLOCK {
            let frame: Frame<'_, Customer> = Frame::new(MediaTime(block * BLOCK), &sound);
            assert_eq!(gate.edge(frame.span()), None, "{}: edges lie between blocks", name());
            let kept = gate.customer(frame).is_ok();
            assert_eq!(kept, writes(&script[..=step], block * BLOCK), "{}: block {block}", name());
            standing[block as usize] = kept;
        }
    }
    for block in 0..blocks {
        let at = block * BLOCK;
        let stands = standing[block as usize];
        let later = &script[(at / STEP) as usize + 1..];
        let withdrawn = later.iter().any(|letter| "nw".contains(*letter));
        let expected = writes(script, at) && !withdrawn && !masked(script, AHEAD, at);
        assert_eq!(stands, expected, "{}: what stands of block {block}", name());
        let span = Span::new(MediaTime(at), MediaTime(at + BLOCK));
        let covered =
            gate.kept().iter().any(|kept| kept.from <= span.from && kept.until.is_none_or(|u| u >= span.until));
        // A mask is no end of consent: what it leaves out was kept by right, and stays on the record as that.
        let by_right = writes(script, at) && !withdrawn;
        assert_eq!(covered, by_right, "{}: what is on the record of block {block}", name());
        // The agent's side is asked late, as by a call that holds it back.
        let frame: Frame<'_, Agent> = Frame::new(MediaTime(at), &sound);
        let withheld =
            stopped(script, 'p', 'r', at) || stopped(script, 'v', 'e', at) || masked(script, AGENT_REACH, at);
        assert_eq!(gate.agent(frame, proof(span)).is_err(), withheld, "{}: the agent's block {block}", name());
        seen.written += u64::from(stands);
        seen.withheld += u64::from(withheld);
    }
}

#[test]
fn every_live_script_of_five_events_agrees_with_the_oracle() {
    let mut seen = Seen::default();
    let mut script = vec!['t'; STEPS];
    for number in 0..ALPHABET.len().pow(STEPS as u32) {
        let mut rest = number;
        for letter in &mut script {
            *letter = ALPHABET[rest % ALPHABET.len()];
            rest /= ALPHABET.len();
        }
        play(&script, &mut seen);
    }
    assert!(seen.written > 5_000 && seen.erased > 200, "{} written, {} erased", seen.written, seen.erased);
    assert!(seen.withheld > 100_000, "{} withheld", seen.withheld);
}

#[test]
fn up_to_where_an_opening_counts_the_reason_before_it_holds() {
    let mut gate = Gate::new(Terms::default(), Vec::new()).at_rate(RATE_HZ);
    let mut at = |place, letter| {
        gate.apply(&Stamped::placed(MediaTime(place), None, event(letter), RATE_HZ));
        [0, 250, 350, 450, 550, 650].map(|place| gate.why_not(MediaTime(place)))
    };
    at(100, 't');
    let no = Some(Dropped::NoDecision);
    assert_eq!(at(200, 'g'), [no, None, None, None, None, None]);
    at(300, 'p');
    let paused = Some(Dropped::Paused);
    assert_eq!(at(500, 'r'), [paused, paused, paused, paused, None, None], "what was settled is not asked again");
    assert_eq!(at(600, 'g')[5], None);
    // One grant in place of another, ahead: until then the first one counts.
    assert_eq!(at(700, 'g')[4..], [None, None]);
    let private = Some(Dropped::Private);
    assert_eq!(at(400, 'v'), [private; 6]);
}

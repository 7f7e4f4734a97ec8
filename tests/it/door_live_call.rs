//! Thousands of whole live calls of random events, losses and masks: every sample is written or counted, at its place.

use std::collections::BTreeMap;

use oneside::audio::{MediaTime, Span, Stereo};
use oneside::bleed::Reference;
use oneside::call::{Call, Missing, Opening, Outlet, Trace};
use oneside::consent::ledger::Recorded;
use oneside::consent::{Cleared, Dropped, Event, Gate, Stamped, Terms, Track};
use oneside::voice::Speech;

use super::door_paper::{Dice, Paper, is_opening};

/// What a call wrote, sample by sample, with what each sample was.
#[derive(Default)]
struct Tape {
    agent: BTreeMap<u64, i16>,
    customer: BTreeMap<u64, i16>,
    agent_ever: Vec<Span>,
    traced: u64,
}

impl Outlet for Tape {
    fn write(&mut self, sound: Cleared<'_>) {
        let from = sound.at().0;
        let samples = sound.samples().iter().enumerate().map(|(i, sample)| (from + i as u64, *sample));
        match sound.track() {
            Track::Agent => self.agent.extend(samples),
            Track::Customer => self.customer.extend(samples),
        }
        if sound.track() == Track::Agent {
            self.agent_ever.push(Span::new(sound.at(), MediaTime(from + sound.samples().len() as u64)));
        }
    }

    fn erase_customer(&mut self, span: Span) {
        self.customer.retain(|at, _| *at < span.from.0 || *at >= span.until.0);
    }

    fn trace(&mut self, unit: Trace) {
        assert_eq!(unit.span.from.0, self.traced, "units follow each other");
        self.traced = unit.span.until.0;
    }
}

/// Frames of a whole call in the test below, each of 20 samples: a call at 1 kHz.
const FRAMES: u64 = 60;
const FRAME: u64 = 20;

/// Plays a random live call; returns what was written, erased of the customer's, and masked of the agent's.
fn live_call(dice: &mut Dice) -> [u64; 3] {
    let reach_ms = [0, 100, 500][dice.below(3) as usize];
    let opening = Opening { reference: Reference::OneParty, reach_ms, ..Opening::new("live", 1_000) };
    let (mut call, mut tape, mut paper) = (Call::open(opening), Tape::default(), Paper::new());
    let waits = 260 + u64::from(reach_ms);
    // By sample: whether the customer's is to stand, whether nothing of the agent's may be written, what is missing.
    let length = FRAMES * FRAME;
    let mut stands = vec![false; length as usize];
    let mut forbidden = vec![false; length as usize];
    let mut missing: Vec<Option<Missing>> = vec![None; length as usize];
    let (mut open_from, mut latest) = (None, 0);
    let (mut stopped_from, mut stop_ends): (Option<u64>, Option<u64>) = (None, None);
    for frame in 0..FRAMES {
        let here = frame * FRAME;
        if dice.one_in(8) {
            let (from, why) = (here + dice.below(30), [Missing::Lost, Missing::Absent][dice.below(2) as usize]);
            let until = (from + 1 + dice.below(50)).min(length);
            let after = missing.iter().rposition(Option::is_some).map_or(0, |last| last as u64 + 1);
            call.missing(Span::new(MediaTime(from), MediaTime(until)), why);
            (from.max(after)..until).for_each(|at| missing[at as usize] = Some(why));
        }
        while dice.one_in(3) {
            let event = dice.event();
            let ahead = if is_opening(&event) { dice.below(60) } else { dice.below(60) / 30 };
            let took = call.take_now(Stamped::placed(MediaTime(here + ahead), None, event.clone(), 1_000), &mut tape);
            let at = if is_opening(&event) { latest.max(here + ahead) } else { here };
            latest = latest.max(at);
            assert_eq!((took.at.0, took.writer.0), (at, here), "{event:?}");
            let before = paper.open();
            paper.note(&event);
            assert_eq!(took.doors.customer_open, paper.open());
            match (before, paper.open()) {
                (false, true) => open_from = Some(latest),
                (_, false) => open_from = None,
                (true, true) if at > here => {} // one grant in place of another, without a gap
                // What goes on narrower at once goes on no earlier than what was stamped ahead.
                (true, true) if !took.effect.erased.is_empty() || is_narrower(&event) => {
                    open_from = open_from.max(Some(latest))
                }
                (true, true) => {}
            }
            for erased in &took.effect.erased {
                stands[erased.span.from.0 as usize..erased.span.until.0 as usize].fill(false);
            }
            let stopped = paper.paused || paper.private || paper.outside;
            match (stopped_from, stopped) {
                (None, true) => stopped_from = Some(here),
                (Some(_), false) => {
                    stopped_from = None;
                    stop_ends = stop_ends.max(Some(at));
                }
                _ => {}
            }
            if matches!(event, Event::Masked { .. }) {
                let from = here.saturating_sub(1_000);
                stands[from as usize..here as usize].fill(false);
                let reached = from.max(here.saturating_sub(waits));
                assert_eq!(took.masked_from(), Some(MediaTime(reached)));
                forbidden[reached as usize..here as usize].fill(true);
                // What was let go before stays: the agent's track is never rewritten.
                assert!(tape.agent_ever.last().is_none_or(|last| last.until.0 <= here.saturating_sub(waits)));
            }
        }
        let agent: Vec<i16> =
            (here..here + FRAME).map(|at| if missing[at as usize].is_some() { 0 } else { 9_000 }).collect();
        let customer: Vec<i16> =
            (here..here + FRAME).map(|at| if missing[at as usize].is_some() { 0 } else { at as i16 + 1 }).collect();
        for at in here..here + FRAME {
            stands[at as usize] = missing[at as usize].is_none() && open_from.is_some_and(|from| from <= at);
            let stopped = stopped_from.is_some() || stop_ends.is_some_and(|end| at < end);
            forbidden[at as usize] |= stopped;
        }
        let sound = Stereo::new(MediaTime(here), &agent, &customer);
        call.listen(&sound);
        call.settle(&sound, Speech(true), &mut tape);
    }
    let closing = call.close(&mut tape);
    let (agent, customer) = (&closing.tally.agent, &closing.tally.customer);
    for why in [Missing::Lost, Missing::Absent] {
        let count = missing.iter().filter(|one| **one == Some(why)).count() as u64;
        assert_eq!([agent.left_out(why.reason()), customer.left_out(why.reason())], [count; 2], "{why:?} is counted");
    }
    let expected: Vec<u64> = (0..length).filter(|at| stands[*at as usize]).collect();
    assert_eq!(tape.customer.keys().copied().collect::<Vec<_>>(), expected, "what stands of the customer's");
    assert!(tape.customer.iter().all(|(at, sample)| *sample == *at as i16 + 1), "each sample at its place");
    assert_eq!((customer.written, agent.written), (tape.customer.len() as u64, tape.agent.len() as u64));
    for at in 0..length {
        let written = tape.agent.contains_key(&at);
        let unit = (at / 10 * 10) as usize..(at / 10 * 10) as usize + 10;
        let near = forbidden[unit.clone()].iter().any(|forbidden| *forbidden);
        assert!(!written || !forbidden[at as usize] && missing[at as usize].is_none(), "the agent's sample {at}");
        assert!(written || near || missing[at as usize].is_some(), "the agent's sample {at} is lost without reason");
    }
    let mut gate = Gate::new(Terms::default(), Vec::new()).at_rate(1_000);
    for entry in &closing.ledger {
        assert_eq!(Recorded::new(&entry.replay(&mut gate)), entry.effect, "the ledger leads to the same door");
    }
    [customer.written, customer.erased, agent.left_out(Dropped::Masked)]
}

fn is_narrower(event: &Event) -> bool {
    matches!(event, Event::Withdrawn { purposes, .. } if !purposes.is_empty())
}

#[test]
fn a_live_call_writes_what_stands_and_counts_every_sample() {
    let mut dice = Dice(7);
    let mut seen = [0; 3];
    for _ in 0..4_000 {
        let one = live_call(&mut dice);
        seen = [0, 1, 2].map(|i| seen[i] + one[i]);
    }
    assert!(seen.iter().all(|samples| *samples > 10_000), "{seen:?}");
}

//! The door of a live call: events count as they arrive, what opens counts from a place ahead, what shuts counts at once.
//!
//! Every script of five events against an oracle, a million random ones against a model, and thousands through a whole
//! call; none of the expectations shares code with the gate.

use std::collections::BTreeMap;

use oneside::audio::{Agent, Customer, Frame, MediaTime, Span, Stereo};
use oneside::bleed::Reference;
use oneside::call::{Call, Missing, Opening, Outlet, Trace};
use oneside::consent::ledger::Recorded;
use oneside::consent::{Act, Basis, Cleared, Decision, Dropped, Event, Gate, Notice, PartyId, Stamped, Terms, Track};
use oneside::voice::Speech;

use super::door_oracle::{self, proof};

/// Letters of scripts: those of recordings, `m` masked, `v` private, `e` private no more.
const ALPHABET: [char; 15] = ['t', 'g', 'b', 'n', 'w', 'j', 'y', 'l', 'p', 'r', 'h', 'u', 'm', 'v', 'e'];
const STEPS: usize = 5;
/// Samples between two events.
const STEP: u64 = 100;
/// Samples by which what opens lies ahead.
const AHEAD: u64 = 150;
/// Samples of which everything above is a multiple.
const BLOCK: u64 = 50;
/// Samples per second: a mask of a second is as long as what opens lies ahead.
const RATE_HZ: u32 = 150;

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

/// A generator that needs no crate: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    fn party(&mut self) -> PartyId {
        [PartyId::default(), PartyId("second".into()), PartyId("third".into())][self.below(3) as usize].clone()
    }

    fn purposes(&mut self) -> Vec<String> {
        let bits = 1 + self.below(3);
        ["training", "quality"]
            .iter()
            .enumerate()
            .filter(|(i, _)| bits >> i & 1 == 1)
            .map(|(_, p)| (*p).into())
            .collect()
    }

    fn event(&mut self) -> Event {
        match self.below(24) {
            0..=3 => Event::Told {
                party: self.one_in(4).then(|| self.party()),
                notice: Notice { notice: "std".into(), version: "1".into(), language: None },
            },
            4..=9 => {
                let act = match self.below(4) {
                    0 | 1 => Act::Dtmf { digit: '1' },
                    2 => Act::Button { agent: None },
                    _ => Act::Token { token: "T".into(), state: oneside::consent::TokenState::Valid },
                };
                let basis = self.one_in(6).then(|| Basis { basis: "duty".into(), basis_ref: "DPIA-1".into() });
                Event::Granted(Decision { party: self.party(), act, purposes: self.purposes(), basis })
            }
            10 => Event::Refused { party: self.party() },
            11 => Event::Withdrawn { party: self.party(), purposes: Vec::new() },
            12 => Event::Withdrawn { party: self.party(), purposes: self.purposes() },
            13 => Event::Joined { party: self.party() },
            14 => Event::Left { party: self.party() },
            15 => Event::Paused,
            16 => Event::Resumed,
            17 => Event::Held,
            18 => Event::Retrieved,
            19 if self.one_in(4) => Event::HungUp,
            19 => Event::Masked { seconds: 1 },
            20 => Event::Expired { party: self.party(), token: "T".into() },
            21 if self.one_in(2) => Event::Private,
            21 => Event::PrivateEnded,
            22 if self.one_in(2) => Event::WindowClosed,
            22 => Event::WindowOpened,
            _ => Event::Resumed,
        }
    }
}

/// What one party amounts to.
#[derive(Clone, Default)]
struct Person {
    told: bool,
    said_no: bool,
    /// What its grant in force covers; whether it rests on the token.
    grant: Option<(Vec<String>, bool)>,
}

/// The line as a careful listener would keep it on paper.
struct Paper {
    people: BTreeMap<String, Person>,
    /// Every purpose that a name ever granted.
    ever: BTreeMap<String, Vec<String>>,
    paused: bool,
    private: bool,
    outside: bool,
    held: bool,
    over: bool,
}

impl Paper {
    fn new() -> Paper {
        let people = BTreeMap::from([("customer".to_owned(), Person::default())]);
        let ever = BTreeMap::new();
        Paper { people, ever, paused: false, private: false, outside: false, held: false, over: false }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Told { party, .. } => {
                for (name, person) in &mut self.people {
                    person.told |= party.as_ref().is_none_or(|party| party.0 == *name);
                }
            }
            Event::Granted(decision) => self.granted(decision),
            Event::Refused { party } => self.no(&party.0),
            Event::Withdrawn { party, purposes } if purposes.is_empty() => self.no(&party.0),
            Event::Withdrawn { party, purposes } => {
                let ever = self.ever.get(&party.0).is_some_and(|ever| ever.iter().any(|one| purposes.contains(one)));
                if !ever {
                    return self.no(&party.0);
                }
                if let Some(person) = self.people.get_mut(&party.0)
                    && let Some((covers, _)) = &mut person.grant
                {
                    covers.retain(|purpose| !purposes.contains(purpose));
                    if covers.is_empty() {
                        (person.grant, person.said_no) = (None, true);
                    }
                }
            }
            Event::Joined { party } => {
                let said_no = self.people.get(&party.0).is_some_and(|person| person.said_no);
                self.people.insert(party.0.clone(), Person { said_no, ..Person::default() });
            }
            Event::Left { party } => drop(self.people.remove(&party.0)),
            Event::Paused => self.paused = true,
            Event::Resumed if self.paused => self.paused = false,
            Event::Resumed | Event::Retrieved => self.held = false,
            Event::Held => self.held = true,
            Event::HungUp => self.over = true,
            Event::Private => self.private = true,
            Event::PrivateEnded => self.private = false,
            Event::WindowClosed => self.outside = true,
            Event::WindowOpened => self.outside = false,
            Event::Expired { party, .. } => {
                if let Some(person) = self.people.get_mut(&party.0) {
                    person.grant.take_if(|(_, by_token)| *by_token);
                }
            }
            Event::Masked { .. } | Event::Unusable { .. } => {}
        }
    }

    fn granted(&mut self, decision: &Decision) {
        let Some(person) = self.people.get_mut(&decision.party.0).filter(|_| !self.over) else { return };
        let by_token = matches!(decision.act, Act::Token { .. });
        let own_act = matches!(decision.act, Act::Dtmf { .. });
        let may = person.told || by_token;
        if may && (!person.said_no || own_act || decision.basis.is_some()) {
            person.said_no = false;
            person.grant = Some((decision.purposes.clone(), by_token));
            self.ever.entry(decision.party.0.clone()).or_default().extend(decision.purposes.clone());
        }
    }

    /// A no; of a name that was never heard of it is everybody's.
    fn no(&mut self, name: &str) {
        let known = self.people.contains_key(name) || self.ever.contains_key(name);
        for (other, person) in &mut self.people {
            if !known || other == name {
                (person.grant, person.said_no) = (None, true);
            }
        }
    }

    /// Everybody on the line has a grant in force, for a purpose that all of them cover, and nothing stops it.
    fn open(&self) -> bool {
        let stopped = self.paused || self.private || self.outside || self.held || self.over;
        let covered = |purpose: &str| {
            let covers = |person: &Person| {
                person.grant.as_ref().is_some_and(|(covers, _)| covers.iter().any(|one| one == purpose))
            };
            self.people.values().all(covers)
        };
        !stopped && !self.people.is_empty() && (covered("training") || covered("quality"))
    }
}

#[test]
fn an_open_door_means_a_live_grant_of_everybody_on_the_line() {
    // CON-14, CON-15, PAY-02: a million sequences of up to twelve events.
    let mut dice = Dice(2026);
    let sound = [1; 10];
    let (mut opened, mut shut) = (0u64, 0u64);
    for _ in 0..1_000_000 {
        let (mut gate, mut paper) = (Gate::new(Terms::default(), Vec::new()).at_rate(RATE_HZ), Paper::new());
        for step in 0..3 + dice.below(10) {
            let event = dice.event();
            let place = step * STEP + if is_opening(&event) { dice.below(3) * BLOCK } else { 0 };
            paper.note(&event);
            let effect = gate.apply(&Stamped::placed(MediaTime(place), None, event, RATE_HZ));
            assert_eq!(effect.customer_open, paper.open(), "{:?} {effect:?}", gate.kept());
            let far: Frame<'_, Customer> = Frame::new(MediaTime(1 << 40), &sound);
            assert_eq!(gate.customer(far).is_ok(), paper.open());
            let here: Frame<'_, Customer> = Frame::new(MediaTime(step * STEP), &sound);
            assert!(gate.customer(here).is_err() || paper.open(), "a frame passes only through an open door");
            if paper.open() { opened += 1 } else { shut += 1 }
        }
    }
    assert!(opened > 100_000 && shut > 1_000_000, "{opened} open, {shut} shut");
}

fn is_opening(event: &Event) -> bool {
    event.rank() == oneside::consent::event::Rank::Opens
}

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
    let opening = Opening {
        name: "live".into(),
        rate_hz: 1_000,
        reference: Reference::OneParty,
        terms: Terms::default(),
        foreclosed: Vec::new(),
        findings: Vec::new(),
        lead_in_ms: 150,
        tail_ms: 250,
        reach_ms,
    };
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

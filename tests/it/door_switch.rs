//! Whatever a switch does to a call, its door does not open wider (CON-15, CON-18, PAY-02).
//!
//! A million random calls: announcements, keys pressed on both legs, signalled and as tones, with their echoes; holds,
//! re-INVITEs, transfers, reconnects, parties that join and leave, pauses. They go through the question and the gate. What
//! is expected is read off the whole history of the call by rules of its own; it shares no code with either.

use std::collections::BTreeMap;

use oneside::audio::{Customer, Frame, MediaTime};
use oneside::consent::{Act, Decision, Event, Gate, Notice, Outcome, PartyId, Stamped, Terms};
use oneside::policy::keys::{AgentKey, CustomerKey, Keys};
use oneside::run::live::question::{How, Question};
use oneside::source::exchange::Party;

/// Calls: some six seconds of a core in the profile of the tests.
const CALLS: usize = 1_000_000;
/// Samples per second: one is a millisecond.
const RATE_HZ: u32 = 1_000;
/// How long the question stays open, ms.
const QUESTION_MS: u64 = 5_000;
const NAMES: [&str; 3] = ["customer", "second", "third"];

/// Something that happened, as the history keeps it.
#[derive(Clone, Debug, PartialEq)]
enum Happened {
    Told,
    /// A key: whose leg, which, how loud in dB if it was heard, signalled otherwise.
    Key {
        party: Party,
        digit: char,
        db: Option<i16>,
    },
    /// The agent attests a yes of this party.
    Attested(usize),
    Joined(usize),
    Left(usize),
    Held,
    Retrieved,
    Paused,
    Resumed,
    HungUp,
}

use Happened::*;

#[derive(Debug, Default)]
struct History(Vec<(u64, Happened)>);

/// What a careful listener makes of a history.
impl History {
    fn last(&self, which: impl Fn(&Happened) -> bool) -> Option<usize> {
        self.0.iter().rposition(|(_, happened)| which(happened))
    }

    /// Who is on the line: since which entry, if since one.
    fn line(&self, upto: usize) -> BTreeMap<usize, Option<usize>> {
        let mut line = BTreeMap::from([(0, None)]);
        for (number, (_, happened)) in self.0[..upto].iter().enumerate() {
            match happened {
                Joined(party) => _ = line.insert(*party, Some(number)),
                Left(party) => _ = line.remove(party),
                _ => {}
            }
        }
        line
    }

    /// Whether the agent pressed the same key at about that time, and not surely softer: then it may be an echo.
    fn may_be_an_echo(&self, number: usize) -> bool {
        let (at, Key { digit, db: Some(db), .. }) = &self.0[number] else { return false };
        self.0.iter().any(|(when, happened)| match happened {
            Key { party: Party::Agent, digit: other, db: loud } => {
                other == digit && when + 400 >= *at && *when <= at + 200 && loud.is_none_or(|loud| loud > db - 6)
            }
            _ => false,
        })
    }

    /// A yes by a key: on the customer's leg, inside of the question, with the line unchanged from the announcement on
    /// until the yes could count; and no echo.
    fn is_yes(&self, number: usize) -> bool {
        let (at, Key { party: Party::Customer, digit: '1', db }) = &self.0[number] else { return false };
        let began = if db.is_some() { at.saturating_sub(50) } else { *at };
        let counts = if db.is_some() { at + 200 } else { *at };
        let changes = |(_, happened): &(u64, Happened)| matches!(happened, Joined(_) | Left(_) | Held | HungUp);
        let asked = (0..number).rev().find(|told| self.0[*told].1 == Told);
        let inside = asked.is_some_and(|told| {
            self.0[told].0 <= began
                && *at < self.0[told].0 + QUESTION_MS
                && !self.0[told..].iter().take_while(|entry| entry.0 < counts).any(changes)
        });
        inside && !self.may_be_an_echo(number)
    }

    /// A no by a key on the customer's leg that no echo of the agent's can be.
    fn is_no(&self, number: usize) -> bool {
        matches!(&self.0[number].1, Key { party: Party::Customer, digit: '2' | '9', .. })
            && !self.may_be_an_echo(number)
    }

    /// Something that says why this party's side may be kept: a yes since it came, told before, and no no since then.
    fn is_justified(&self, party: usize, since: Option<usize>) -> bool {
        let from = since.map_or(0, |since| since + 1);
        (from..self.0.len()).any(|number| {
            let told = self.0[from..number].iter().any(|(_, happened)| *happened == Told);
            let yes = match &self.0[number].1 {
                Attested(whose) => *whose == party,
                _ => self.is_yes(number),
            };
            // Whose no it was cannot be told from a key, so it is that of everybody on the line.
            told && yes && !(number + 1..self.0.len()).any(|later| self.is_no(later))
        })
    }

    fn is_paused(&self, upto: usize) -> bool {
        let last = self.0[..upto].iter().rev().find(|(_, one)| matches!(one, Paused | Resumed));
        last.is_some_and(|(_, one)| *one == Paused)
    }

    /// A hold stands. A resume while nothing is paused ends one.
    fn is_held(&self) -> bool {
        let ends = |number: usize| match self.0[number].1 {
            Retrieved => true,
            Resumed => !self.is_paused(number),
            _ => false,
        };
        self.last(|one| *one == Held).is_some_and(|held| !(held..self.0.len()).any(ends))
    }

    /// The door may be open: nothing stops it, and everybody on the line has said yes.
    fn may_be_open(&self) -> bool {
        let paused = self.is_paused(self.0.len());
        let stopped = self.is_held() || paused || self.last(|one| *one == HungUp).is_some();
        let line = self.line(self.0.len());
        !stopped && !line.is_empty() && line.into_iter().all(|(party, since)| self.is_justified(party, since))
    }
}

/// A generator that needs no crate: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A call at a switch.
struct Call {
    gate: Gate,
    question: Question,
    history: History,
    now: u64,
}

impl Call {
    fn new(keys: &Keys) -> Call {
        let gate = Gate::new(Terms::default(), Vec::new()).at_rate(RATE_HZ);
        Call { gate, question: Question::new(keys.clone(), RATE_HZ), history: History::default(), now: 0 }
    }

    fn is_open(&self) -> bool {
        let frame: Frame<'_, Customer> = Frame::new(MediaTime(self.now + 1), &[1]);
        self.gate.customer(frame).is_ok()
    }

    fn apply(&mut self, event: Event) {
        let at = MediaTime(self.now);
        let effect = self.gate.apply(&Stamped::placed(at, None, event.clone(), RATE_HZ));
        if !matches!(effect.outcome, Outcome::Rejected(_)) {
            self.question.counted(&event, at);
        }
    }

    /// Time passes, a frame at a time; a yes that waited may count.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.now += 20;
            if let Some(event) = self.question.due(MediaTime(self.now)) {
                self.apply(event);
                self.check();
            }
        }
    }

    fn key(&mut self, party: Party, digit: char, db: Option<i16>) {
        self.history.0.push((self.now, Key { party, digit, db }));
        let how = db.map_or(How::Signalled, |db| How::InBand {
            dbfs_tenths: db * 10,
            from: MediaTime(self.now.saturating_sub(50)),
        });
        if let Some(event) = self.question.digit(party, digit, how, MediaTime(self.now)) {
            let told = matches!(&event, Event::Unusable { said, .. } if said != "key");
            assert!(!told, "what is on record of a key that counts for nothing does not say which: {event:?}");
            if matches!(event, Event::Paused | Event::Resumed) {
                let happened = if event == Event::Paused { Paused } else { Resumed };
                self.history.0.push((self.now, happened));
            }
            self.apply(event);
        }
        let no = self.history.0.len() - 1;
        assert!(!self.history.is_no(no) || !self.is_open(), "a no shuts at once: {:?}", self.history);
    }

    fn happen(&mut self, happened: Happened, event: Event) {
        self.history.0.push((self.now, happened));
        self.apply(event);
    }

    fn check(&self) {
        assert!(!self.is_open() || self.history.may_be_open(), "open without a reason: {:#?}", self.history);
    }

    /// What a switch does to a line: afterwards no more is open than before.
    fn change(&mut self, changes: &[(Happened, Event)]) {
        let before = self.is_open();
        for (happened, event) in changes {
            self.happen(happened.clone(), event.clone());
            self.check();
        }
        assert!(before || !self.is_open(), "the line changed, and the door opened: {:#?}", self.history);
    }
}

fn id(party: usize) -> PartyId {
    PartyId(NAMES[party].into())
}

fn step(call: &mut Call, dice: &mut Dice) {
    let notice = || Notice { notice: "std".into(), version: "1".into(), language: None };
    let party = dice.below(3) as usize;
    let loud = |dice: &mut Dice| -(dice.below(30) as i16) - 5;
    let digit = ['1', '1', '1', '2', '9', '5', '*', '#'][dice.below(8) as usize];
    let joined = |party| (Joined(party), Event::Joined { party: id(party) });
    let left = |party| (Left(party), Event::Left { party: id(party) });
    match dice.below(22) {
        0..=4 => call.happen(Told, Event::Told { party: None, notice: notice() }),
        5..=7 => call.key(Party::Customer, digit, None),
        8 | 9 => {
            let db = loud(dice);
            call.key(Party::Customer, digit, Some(db));
        }
        10 => call.key(Party::Agent, digit, None),
        11 => {
            let db = loud(dice);
            call.key(Party::Agent, digit, Some(db));
        }
        12 | 13 => {
            // The agent presses, and the customer's leg carries it back.
            let (db, before) = (loud(dice), call.is_open());
            let ours = matches!(digit, '1' | '2' | '9' | '5');
            call.key(Party::Agent, digit, Some(db));
            call.pass(dice.below(16) * 20);
            let open = call.is_open();
            call.key(Party::Customer, digit, Some(db - 10 - dice.below(21) as i16));
            call.pass(300);
            assert!(!ours || before == open && open == call.is_open() || has_waited(call), "{:#?}", call.history);
        }
        14 => call.change(&[(Held, Event::Held)]),
        // Out of a hold a re-INVITE brings back what stood before.
        15 if call.history.is_held() => call.happen(Retrieved, Event::Retrieved),
        15 => call.change(&[(Held, Event::Held), (Retrieved, Event::Retrieved)]),
        16 => call.happen(Retrieved, Event::Retrieved),
        17 => {
            let new = dice.below(3) as usize;
            let on_line = call.history.line(call.history.0.len());
            if let Some((old, _)) = on_line.into_iter().next().filter(|(old, _)| *old != new) {
                // The new one before the old one is gone, or after it: then nobody is there for a moment.
                let (first, second) =
                    if dice.below(2) == 0 { (joined(new), left(old)) } else { (left(old), joined(new)) };
                call.change(&[first, second]);
            }
        }
        18 => call.change(&[joined(party)]),
        19 if call.history.line(call.history.0.len()).contains_key(&party) => {
            // Reconnected: gone and there again.
            call.change(&[left(party), joined(party)]);
        }
        19 => call.change(&[joined(party)]),
        20 => {
            let act = Act::SpokenYes { agent: None, question: None };
            let yes = Decision { party: id(party), act, purposes: vec!["training".into()], basis: None };
            call.happen(Attested(party), Event::Granted(yes));
        }
        _ if dice.below(4) == 0 => call.happen(HungUp, Event::HungUp),
        _ if dice.below(2) == 0 => call.happen(Paused, Event::Paused),
        _ => call.happen(Resumed, Event::Resumed),
    }
}

/// A yes that was heard shortly before may have counted in between.
fn has_waited(call: &Call) -> bool {
    let entries = call.history.0.iter().enumerate();
    entries.rev().any(|(number, (at, _))| at + 1_000 >= call.now && call.history.is_yes(number))
}

#[test]
fn nothing_that_a_switch_does_opens_the_door_wider() {
    let grant = CustomerKey::Grant(vec!["training".into()]);
    let customer = [('1', grant), ('2', CustomerKey::Refuse), ('9', CustomerKey::Withdraw)].into();
    let agent = [('*', AgentKey::Pause), ('#', AgentKey::Resume)].into();
    let keys = Keys::new((QUESTION_MS / 1_000) as u32, customer, agent).unwrap();
    let (mut dice, mut opened, mut shut) = (Dice(15), 0u64, 0u64);
    for _ in 0..CALLS {
        let mut call = Call::new(&keys);
        for _ in 0..3 + dice.below(10) {
            step(&mut call, &mut dice);
            call.check();
            match dice.below(8) {
                0 => call.pass(6_000),
                one => call.pass(one * 60),
            }
            call.check();
            if call.is_open() { opened += 1 } else { shut += 1 }
        }
    }
    println!("{CALLS} calls: {opened} steps with the door open, {shut} with it shut");
    assert!(opened > CALLS as u64 / 4 && shut > CALLS as u64, "{opened} open, {shut} shut");
}

#[test]
fn a_yes_inside_of_the_question_does_open() {
    let customer = [('1', CustomerKey::Grant(vec!["training".into()])), ('2', CustomerKey::Refuse)].into();
    let keys = Keys::new(5, customer, BTreeMap::new()).unwrap();
    for db in [None, Some(-20)] {
        let mut call = Call::new(&keys);
        let notice = Notice { notice: "std".into(), version: "1".into(), language: None };
        call.happen(Told, Event::Told { party: None, notice });
        call.pass(1_000);
        call.key(Party::Customer, '1', db);
        assert_eq!(call.is_open(), db.is_none());
        call.pass(300);
        assert!(call.is_open() && call.history.may_be_open());
        call.key(Party::Customer, '2', db);
        assert!(!call.is_open());
    }
}

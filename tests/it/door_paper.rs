//! A line kept on paper: what a careful listener would write down of its events, against the gate over a million random
//! sequences. It shares no code with the gate.

use std::collections::BTreeMap;

use oneside::audio::{Customer, Frame, MediaTime};
use oneside::consent::{Act, Basis, Decision, Event, Gate, Notice, PartyId, Stamped, Terms};

use super::door_live::{BLOCK, RATE_HZ, STEP};

/// A generator that needs no crate: the same numbers everywhere.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    pub fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    pub fn party(&mut self) -> PartyId {
        [PartyId::default(), PartyId("second".into()), PartyId("third".into())][self.below(3) as usize].clone()
    }

    pub fn purposes(&mut self) -> Vec<String> {
        let bits = 1 + self.below(3);
        ["training", "quality"]
            .iter()
            .enumerate()
            .filter(|(i, _)| bits >> i & 1 == 1)
            .map(|(_, p)| (*p).into())
            .collect()
    }

    pub fn event(&mut self) -> Event {
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
pub struct Person {
    pub told: bool,
    pub said_no: bool,
    /// What its grant in force covers; whether it rests on the token.
    pub grant: Option<(Vec<String>, bool)>,
}

/// The line as a careful listener would keep it on paper.
pub struct Paper {
    pub people: BTreeMap<String, Person>,
    /// Every purpose that a name ever granted.
    pub ever: BTreeMap<String, Vec<String>>,
    pub paused: bool,
    pub private: bool,
    pub outside: bool,
    pub held: bool,
    pub over: bool,
}

impl Paper {
    pub fn new() -> Paper {
        let people = BTreeMap::from([("customer".to_owned(), Person::default())]);
        let ever = BTreeMap::new();
        Paper { people, ever, paused: false, private: false, outside: false, held: false, over: false }
    }

    pub fn note(&mut self, event: &Event) {
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

    pub fn granted(&mut self, decision: &Decision) {
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
    pub fn no(&mut self, name: &str) {
        let known = self.people.contains_key(name) || self.ever.contains_key(name);
        for (other, person) in &mut self.people {
            if !known || other == name {
                (person.grant, person.said_no) = (None, true);
            }
        }
    }

    /// Everybody on the line has a grant in force, for a purpose that all of them cover, and nothing stops it.
    pub fn open(&self) -> bool {
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

pub fn is_opening(event: &Event) -> bool {
    event.rank() == oneside::consent::event::Rank::Opens
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

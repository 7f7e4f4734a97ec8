//! The door. The only place in the program that makes a [`Cleared`], and a store accepts nothing else.
//!
//! Why one can believe it:
//! * `Cleared` and `Grant` have private fields; only this file builds them.
//! * A `Grant` is made only of a [`Decision`], and a decision carries an [`Act`]; silence has no variant.
//! * A `Cleared` borrows the gate and every event needs `&mut` gate, so none outlives a withdrawal.
//! * The agent's side needs a proof, too: [`Heard`], made only by the bleed guard.
//!
//! The tests that hold this: `tests/compile_fail/`, `tests/it/door_oracle.rs`, `tests/it/canary.rs`.

use serde::Serialize;

use super::event::{Act, Decision, Event, Notice, Refusal, Stamped, TokenState};
use super::roster::{PartyId, Roster, Standing};
use super::{OnWithdrawal, Terms};
use crate::audio::{Agent, Customer, Frame, MediaTime, Span};
use crate::bleed::Heard;

/// Sound that may be stored. There is no other way to make one than [`Gate::agent`] and [`Gate::customer`].
#[derive(Debug)]
pub struct Cleared<'g> {
    track: Track,
    at: MediaTime,
    samples: Samples<'g>,
    authority: Authority,
}

/// Samples that print their number, not themselves.
struct Samples<'g>(&'g [i16]);

impl std::fmt::Debug for Samples<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} samples", self.0.len())
    }
}

impl<'g> Cleared<'g> {
    /// Whose track it belongs to.
    pub fn track(&self) -> Track {
        self.track
    }

    /// Place of its first sample.
    pub fn at(&self) -> MediaTime {
        self.at
    }

    /// The samples.
    pub fn samples(&self) -> &[i16] {
        self.samples.0
    }

    /// By what right it may be stored.
    pub fn authority(&self) -> Authority {
        self.authority
    }
}

/// A track of a recording: one party, one file (ONE-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// The agent's.
    Agent,
    /// The customer's.
    Customer,
}

/// By what right a frame may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The agent's own voice, as the bleed guard heard it.
    AgentsOwn,
    /// The grant of everyone on the line; the number of the kept stretch it belongs to (see [`Kept`]).
    Grants(u32),
}

/// Why a frame is not stored. Every one of them is counted in the tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// Agent: not speech (MIN-01).
    NotSpeech,
    /// Agent: the customer's voice in the agent's microphone (ONE-04).
    Bleed,
    /// Either: the channels cannot be told apart here (twin or opposite phase, ING-06).
    Doubt,
    /// Either: recording is paused (PAY-01).
    Paused,
    /// Either: the call is quarantined (ONE-06).
    Quarantined,
    /// Customer: someone on the line has decided nothing (CON-01, CON-14), or nobody is on the line.
    NoDecision,
    /// Customer: someone on the line refused.
    Refused,
    /// Customer: someone on the line took the grant back.
    Withdrawn,
    /// Customer: a later withdrawal would erase it, so it is never written (WDR-02).
    WithdrawnLater,
    /// Customer: a standing token ran out (CON-16).
    Expired,
    /// Customer: the call is on hold (CON-15).
    Held,
    /// Customer: the call is over (CON-16).
    CallOver,
}

impl Dropped {
    /// All reasons, in the order of the tally.
    pub const ALL: [Dropped; 12] = [
        Dropped::NotSpeech,
        Dropped::Bleed,
        Dropped::Doubt,
        Dropped::Paused,
        Dropped::Quarantined,
        Dropped::NoDecision,
        Dropped::Refused,
        Dropped::Withdrawn,
        Dropped::WithdrawnLater,
        Dropped::Expired,
        Dropped::Held,
        Dropped::CallOver,
    ];

    /// The reason's stable name in manifests.
    pub fn code(self) -> &'static str {
        match self {
            Dropped::NotSpeech => "not_speech",
            Dropped::Bleed => "bleed",
            Dropped::Doubt => "doubt",
            Dropped::Paused => "paused",
            Dropped::Quarantined => "quarantined",
            Dropped::NoDecision => "no_decision",
            Dropped::Refused => "refused",
            Dropped::Withdrawn => "withdrawn",
            Dropped::WithdrawnLater => "withdrawn_later",
            Dropped::Expired => "expired",
            Dropped::Held => "held",
            Dropped::CallOver => "call_over",
        }
    }
}

/// A yes that counts. Made only here, only of a [`Decision`].
#[derive(Clone, Debug)]
struct Grant {
    party: PartyId,
    purposes: Vec<String>,
}

/// A stretch of the customer's track that may be kept, and by which grants (CON-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number within the call, as [`Authority::Grants`] names it.
    pub number: u32,
    /// Where it begins.
    pub from: MediaTime,
    /// Where it ends; `None` while it is still open.
    pub until: Option<MediaTime>,
    /// The grants in force, one for each party on the line.
    pub grants: Vec<u32>,
    /// The purposes that all of them cover.
    pub purposes: Vec<String>,
}

/// What an event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Whether it counted.
    pub outcome: Outcome,
    /// The customer's door after it.
    pub customer_open: bool,
    /// Recording as a whole after it: false while paused or quarantined.
    pub recording: bool,
    /// Stretches of the customer's track that it erases.
    pub erased: Vec<Span>,
    /// The number of the grant it made.
    pub grant: Option<u32>,
    /// It overrode a refusal (CON-09).
    pub overrode: bool,
}

/// Whether an event counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It counted.
    Accepted,
    /// It said what was so already.
    Unchanged,
    /// It counted for nothing, and why.
    Rejected(Refusal),
}

/// The door of one call.
#[derive(Debug, Default)]
pub struct Gate {
    terms: Terms,
    roster: Roster,
    grants: Vec<Grant>,
    kept: Vec<Kept>,
    kept_count: u32,
    /// Stretches that a later withdrawal would erase; known beforehand for recordings (see `rehearsal`).
    foreclosed: Vec<Span>,
    pauses: Vec<Span>,
    paused_since: Option<MediaTime>,
    held: bool,
    over: bool,
    quarantined: bool,
    now: MediaTime,
}

impl Gate {
    /// A shut door. `foreclosed`: stretches of the customer's side that must not be kept whatever is granted.
    pub fn new(terms: Terms, foreclosed: Vec<Span>) -> Gate {
        Gate { terms, foreclosed, ..Gate::default() }
    }

    /// May this frame of the agent's be stored? Asked after the holdback, so pauses are looked up at the time the
    /// frame was spoken. A frame that touches a pause is dropped whole (PAY-01).
    pub fn agent<'g>(&'g self, frame: Frame<'g, Agent>, heard: Heard) -> Result<Cleared<'g>, Dropped> {
        if self.quarantined {
            return Err(Dropped::Quarantined);
        }
        let span = frame.span();
        if !heard.covers(span) {
            return Err(Dropped::Doubt);
        }
        let paused_now = self.paused_since.is_some_and(|since| since < span.until);
        let paused_then = || self.pauses.iter().rev().take_while(|p| p.until > span.from).any(|p| p.overlaps(span));
        if paused_now || paused_then() {
            return Err(Dropped::Paused);
        }
        Ok(Cleared {
            track: Track::Agent,
            at: frame.at(),
            samples: Samples(frame.samples()),
            authority: Authority::AgentsOwn,
        })
    }

    /// May this frame of the customer's be stored? The frame must not straddle an event: the call cuts it there.
    pub fn customer<'g>(&'g self, frame: Frame<'g, Customer>) -> Result<Cleared<'g>, Dropped> {
        let kept = self.open().ok_or_else(|| self.why_shut())?;
        let span = frame.span();
        if span.from < kept.from {
            return Err(Dropped::NoDecision);
        }
        if self.foreclosed.iter().any(|foreclosed| foreclosed.overlaps(span)) {
            return Err(Dropped::WithdrawnLater);
        }
        Ok(Cleared {
            track: Track::Customer,
            at: frame.at(),
            samples: Samples(frame.samples()),
            authority: Authority::Grants(kept.number),
        })
    }

    /// Shuts both sides for good (ONE-06): which channel is whose is in doubt.
    pub fn quarantine(&mut self) {
        self.quarantined = true;
        self.refresh();
    }

    /// Whether both sides are shut for good.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined
    }

    /// Stretches of the customer's side that may be kept, in the order in which they began.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// Whether the agent's side is paused now.
    pub fn is_paused(&self) -> bool {
        self.paused_since.is_some()
    }

    /// The kept stretch that is open now.
    fn open(&self) -> Option<&Kept> {
        self.kept.last().filter(|kept| kept.until.is_none())
    }

    fn why_shut(&self) -> Dropped {
        if self.quarantined {
            return Dropped::Quarantined;
        }
        if self.over {
            return Dropped::CallOver;
        }
        if self.is_paused() {
            return Dropped::Paused;
        }
        let has = |standing| self.roster.iter().any(|remote| remote.standing == standing);
        if has(Standing::Refused) {
            Dropped::Refused
        } else if has(Standing::Withdrawn) {
            Dropped::Withdrawn
        } else if has(Standing::Expired) {
            Dropped::Expired
        } else if self.held && self.roster.unanimous().is_some() {
            Dropped::Held
        } else {
            Dropped::NoDecision
        }
    }
}

/// What events do.
impl Gate {
    /// Takes an event. It counts from its own place or, if that lies behind, from the last event's: consent is never
    /// backdated.
    pub fn apply(&mut self, stamped: &Stamped) -> Effect {
        self.now = self.now.max(stamped.at);
        let mut effect = Effect {
            outcome: Outcome::Accepted,
            customer_open: false,
            recording: false,
            erased: Vec::new(),
            grant: None,
            overrode: false,
        };
        effect.outcome = self.take(&stamped.event, &mut effect);
        self.refresh();
        effect.customer_open = self.open().is_some();
        effect.recording = !self.quarantined && !self.is_paused();
        effect
    }

    fn take(&mut self, event: &Event, effect: &mut Effect) -> Outcome {
        match event {
            Event::Told { party, notice } => self.told(party.as_ref(), notice),
            Event::Granted(decision) => match self.grant(decision, effect) {
                Ok(()) => Outcome::Accepted,
                Err(refusal) => Outcome::Rejected(refusal),
            },
            Event::Refused { party } => self.end_consent(party, Standing::Refused, effect),
            Event::Withdrawn { party, purposes } if !purposes.is_empty() => self.narrow(party, purposes, effect),
            Event::Withdrawn { party, .. } => self.end_consent(party, Standing::Withdrawn, effect),
            Event::Expired { party } => self.expire(party),
            Event::Joined { party } => {
                self.roster.join(party.clone());
                Outcome::Accepted
            }
            Event::Left { party } if self.roster.leave(party) => Outcome::Accepted,
            Event::Left { .. } => Outcome::Rejected(Refusal::UnknownParty),
            Event::Paused => self.pause(),
            Event::Resumed => self.resume(),
            Event::Held => changed(!std::mem::replace(&mut self.held, true)),
            Event::Retrieved => changed(std::mem::replace(&mut self.held, false)),
            Event::HungUp => changed(!std::mem::replace(&mut self.over, true)),
            Event::Unusable { refusal, .. } => Outcome::Rejected(*refusal),
        }
    }

    fn told(&mut self, party: Option<&PartyId>, notice: &Notice) -> Outcome {
        let mut found = false;
        for remote in self.roster.iter_mut().filter(|remote| party.is_none_or(|id| remote.id == *id)) {
            remote.told = Some(notice.clone());
            found = true;
        }
        if found { Outcome::Accepted } else { Outcome::Rejected(Refusal::UnknownParty) }
    }

    fn grant(&mut self, decision: &Decision, effect: &mut Effect) -> Result<(), Refusal> {
        if self.over {
            return Err(Refusal::CallOver);
        }
        let purposes = self.purposes_of(decision)?;
        let sensitive = self.terms.sensitive;
        let remote = self.roster.find(&decision.party).ok_or(Refusal::UnknownParty)?;
        match (&decision.basis, &decision.act) {
            (Some(_), _) if sensitive => return Err(Refusal::SensitiveNeedsConsent),
            (Some(basis), _) if basis.basis_ref.trim().is_empty() => return Err(Refusal::NoBasisReference),
            (_, Act::Token { state: TokenState::Expired, .. }) => return Err(Refusal::TokenExpired),
            (_, Act::Token { state: TokenState::Revoked, .. }) => return Err(Refusal::TokenRevoked),
            (_, Act::Token { state: TokenState::Unverifiable, .. }) => return Err(Refusal::TokenUnverifiable),
            (_, Act::Token { .. }) => {} // its holder was informed when it was given
            _ if remote.told.is_none() => return Err(Refusal::NotInformed),
            _ => {}
        }
        let said_no = matches!(remote.standing, Standing::Refused | Standing::Withdrawn);
        if said_no && !decision.act.is_the_customers_own() {
            if decision.basis.is_none() {
                return Err(Refusal::RefusalStands);
            }
            effect.overrode = true;
        }
        let number = self.grants.len() as u32;
        remote.standing = Standing::Granted(number);
        self.grants.push(Grant { party: decision.party.clone(), purposes });
        effect.grant = Some(number);
        Ok(())
    }

    fn purposes_of(&self, decision: &Decision) -> Result<Vec<String>, Refusal> {
        let named = || decision.purposes.iter().filter(|purpose| !purpose.trim().is_empty());
        if named().next().is_none() {
            return Err(Refusal::NoPurpose);
        }
        let wanted = |purpose: &&String| self.terms.purposes.as_ref().is_none_or(|list| list.contains(purpose));
        let purposes: Vec<String> = named().filter(wanted).cloned().collect();
        if purposes.is_empty() { Err(Refusal::PurposeNotConfigured) } else { Ok(purposes) }
    }

    /// A no. If a grant stood (or ran out) it is taken back, and what was kept under any grant of that party is erased
    /// unless the terms keep it (WDR-02).
    fn end_consent(&mut self, party: &PartyId, standing: Standing, effect: &mut Effect) -> Outcome {
        let present = self.roster.find(party).map(|remote| {
            let changed = remote.standing != standing;
            remote.standing = standing;
            changed
        });
        let granted_before = self.grants.iter().any(|grant| grant.party == *party);
        if self.terms.on_withdrawal == OnWithdrawal::Erase && granted_before {
            effect.erased = self
                .erase_where(|kept, grants| kept.grants.iter().any(|grant| grants[*grant as usize].party == *party));
        }
        match present {
            Some(true) => Outcome::Accepted,
            _ if !effect.erased.is_empty() => Outcome::Accepted,
            Some(false) => Outcome::Unchanged,
            None if granted_before => Outcome::Unchanged,
            None => Outcome::Rejected(Refusal::UnknownParty),
        }
    }

    /// A withdrawal of some purposes: what was kept for these alone is erased, the rest stays for the others.
    fn narrow(&mut self, party: &PartyId, gone: &[String], effect: &mut Effect) -> Outcome {
        let mut all_gone = true;
        let mut touched = false;
        for grant in self.grants.iter_mut().filter(|grant| grant.party == *party) {
            let before = grant.purposes.len();
            grant.purposes.retain(|purpose| !gone.contains(purpose));
            touched |= grant.purposes.len() < before;
        }
        let Some(remote) = self.roster.find(party) else {
            return Outcome::Rejected(Refusal::UnknownParty);
        };
        if let Standing::Granted(number) = remote.standing {
            all_gone = self.grants[number as usize].purposes.is_empty();
        }
        if all_gone {
            return self.end_consent(party, Standing::Withdrawn, effect);
        }
        if !touched {
            return Outcome::Unchanged;
        }
        // The stretch in progress ends here and goes on, narrower, as another one.
        self.close_open();
        if self.terms.on_withdrawal == OnWithdrawal::Erase {
            effect.erased = self.erase_where(|kept, grants| {
                let theirs = kept.grants.iter().any(|grant| grants[*grant as usize].party == *party);
                theirs && kept.purposes.iter().all(|purpose| gone.contains(purpose))
            });
            for kept in &mut self.kept {
                if kept.grants.iter().any(|grant| self.grants[*grant as usize].party == *party) {
                    kept.purposes.retain(|purpose| !gone.contains(purpose));
                }
            }
        }
        Outcome::Accepted
    }

    fn expire(&mut self, party: &PartyId) -> Outcome {
        match self.roster.find(party) {
            Some(remote) if matches!(remote.standing, Standing::Granted(_)) => {
                remote.standing = Standing::Expired;
                Outcome::Accepted
            }
            _ => Outcome::Unchanged,
        }
    }

    fn pause(&mut self) -> Outcome {
        if self.is_paused() {
            return Outcome::Unchanged;
        }
        self.paused_since = Some(self.now);
        Outcome::Accepted
    }

    fn resume(&mut self) -> Outcome {
        match self.paused_since.take() {
            Some(since) => {
                self.pauses.push(Span::new(since, self.now));
                Outcome::Accepted
            }
            None => changed(std::mem::replace(&mut self.held, false)),
        }
    }

    /// Takes the kept stretches that `condemned` names off the record and returns where they lay.
    fn erase_where(&mut self, condemned: impl Fn(&Kept, &[Grant]) -> bool) -> Vec<Span> {
        let now = self.now;
        let mut erased = Vec::new();
        let grants = &self.grants;
        self.kept.retain(|kept| {
            if !condemned(kept, grants) {
                return true;
            }
            erased.push(Span::new(kept.from, kept.until.unwrap_or(now)));
            false
        });
        erased.retain(|span| !span.is_empty());
        erased
    }

    /// Brings the kept stretch in progress into line with what now stands.
    fn refresh(&mut self) {
        let shut = self.quarantined || self.over || self.held || self.is_paused();
        let grants = if shut { None } else { self.roster.unanimous() };
        let purposes = grants.as_deref().map(|grants| self.common_purposes(grants)).unwrap_or_default();
        let unchanged = match (&grants, self.open()) {
            (Some(grants), Some(kept)) => kept.grants == *grants && kept.purposes == purposes,
            (None, None) => true,
            _ => false,
        };
        if unchanged {
            return;
        }
        self.close_open();
        if let Some(grants) = grants.filter(|_| !purposes.is_empty()) {
            let number = self.kept_count;
            self.kept_count += 1;
            self.kept.push(Kept { number, from: self.now, until: None, grants, purposes });
        }
    }

    fn close_open(&mut self) {
        let now = self.now;
        if let Some(kept) = self.kept.last_mut().filter(|kept| kept.until.is_none()) {
            kept.until = Some(now);
            if kept.from == now {
                self.kept.pop();
            }
        }
    }

    fn common_purposes(&self, grants: &[u32]) -> Vec<String> {
        let Some((first, others)) = grants.split_first() else { return Vec::new() };
        let mut common = self.grants[*first as usize].purposes.clone();
        common.retain(|purpose| others.iter().all(|grant| self.grants[*grant as usize].purposes.contains(purpose)));
        common
    }
}

fn changed(changed: bool) -> Outcome {
    if changed { Outcome::Accepted } else { Outcome::Unchanged }
}

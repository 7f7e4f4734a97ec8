//! What events do to the door: the only way to open it, and every way to shut it.

use super::{Gate, Grant, Kept, Mask, Stop};
use crate::audio::{MediaTime, Span};
use crate::consent::OnWithdrawal;
use crate::consent::event::{Act, Decision, Event, Notice, Rank, Refusal, Stamped, TokenState};
use crate::consent::roster::{PartyId, Remote, Standing};

/// What an event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Whether it counted.
    pub outcome: Outcome,
    /// The customer's door after it.
    pub customer_open: bool,
    /// Recording as a whole after it: false while paused, private, outside the recording windows, or quarantined.
    pub recording: bool,
    /// Stretches of the customer's track that it erases.
    pub erased: Vec<Erased>,
    /// What it does with what was kept under the grants that it ends; absent if it ends none.
    pub on_withdrawal: Option<OnWithdrawal>,
    /// The number of the grant it made.
    pub grant: Option<u32>,
    /// It overrode a refusal (CON-09).
    pub overrode: bool,
    /// The stretch that it masks of both sides.
    pub masked: Option<Span>,
    /// The stretch that it masks of the customer's side: all that was asked for. It begins before `masked` where the
    /// agent's side had been let go before the mask came.
    pub masked_customer: Option<Span>,
}

/// A stretch of the customer's track that a withdrawal erases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The number of the kept stretch.
    pub kept: u32,
    /// Where it lay.
    pub span: Span,
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

/// What events do.
impl Gate {
    /// Takes an event. What opens counts from its own place or, if anything was stamped later than that, from there:
    /// consent is never backdated. What shuts counts from its own place, also where an opening before it was stamped
    /// further ahead: refusal is never delayed, and what was opened ahead of it never opens.
    pub fn apply(&mut self, stamped: &Stamped) -> Effect {
        self.apply_reaching(stamped, MediaTime::ZERO)
    }

    /// The same where a mask reaches the agent's side no further back than `reach`: what lies before it was let go.
    pub fn apply_reaching(&mut self, stamped: &Stamped, reach: MediaTime) -> Effect {
        self.now = self.now.max(stamped.at);
        let place = if stamped.event.rank() == Rank::Opens { self.now } else { stamped.at };
        let shut_before = self.shut().or(self.shut_before);
        let mut effect = Effect {
            outcome: Outcome::Accepted,
            customer_open: false,
            recording: false,
            erased: Vec::new(),
            on_withdrawal: None,
            grant: None,
            overrode: false,
            masked: None,
            masked_customer: None,
        };
        effect.outcome = match stamped.event {
            Event::Masked { seconds } => self.mask(seconds, place, reach, &mut effect),
            _ => self.take(&stamped.event, place, &mut effect),
        };
        self.shut_before = shut_before;
        self.refresh(place);
        effect.customer_open = self.open().is_some();
        effect.recording = !self.quarantined && self.stops.standing().is_none();
        effect
    }

    /// Makes known a mask that lies ahead, as those of a recording do: what it leaves out is never written at all. An
    /// event of the same sample may put the mask off to the sample's end, so it is foreseen up to there.
    pub fn foresee(&mut self, stamped: &Stamped) {
        if let Event::Masked { seconds } = stamped.event {
            let from = self.reach_of(seconds, stamped.at).from;
            let until = self.rate_hz.map_or(stamped.at, |rate_hz| MediaTime::at_or_after(stamped.nanos, rate_hz));
            let span = Span::new(from, until.max(stamped.at));
            self.masks.push(Mask { agent: span, customer: span });
        }
    }

    fn take(&mut self, event: &Event, place: MediaTime, effect: &mut Effect) -> Outcome {
        match event {
            Event::Told { party, notice } => self.told(party.as_ref(), notice),
            Event::Granted(decision) => match self.grant(decision, effect) {
                Ok(()) => Outcome::Accepted,
                Err(refusal) => Outcome::Rejected(refusal),
            },
            Event::Refused { party } => self.end_consent(party, Standing::Refused, place, effect),
            Event::Withdrawn { party, purposes } if !purposes.is_empty() => self.narrow(party, purposes, place, effect),
            Event::Withdrawn { party, .. } => self.end_consent(party, Standing::Withdrawn, place, effect),
            Event::Expired { party, token } => self.expire(party, token),
            Event::Joined { party } => {
                self.roster.join(party.clone());
                Outcome::Accepted
            }
            Event::Left { party } if self.roster.leave(party) => Outcome::Accepted,
            Event::Left { .. } => Outcome::Rejected(Refusal::UnknownParty),
            Event::Paused => changed(self.stops.begin(Stop::Paused, place)),
            Event::Resumed if self.stops.end(Stop::Paused, place) => Outcome::Accepted,
            Event::Resumed => changed(std::mem::replace(&mut self.held, false)),
            Event::Private => changed(self.stops.begin(Stop::Private, place)),
            Event::PrivateEnded => changed(self.stops.end(Stop::Private, place)),
            Event::WindowClosed => changed(self.stops.begin(Stop::OutsideWindow, place)),
            Event::WindowOpened => changed(self.stops.end(Stop::OutsideWindow, place)),
            Event::Held => changed(!std::mem::replace(&mut self.held, true)),
            Event::Retrieved => changed(std::mem::replace(&mut self.held, false)),
            Event::HungUp => changed(!std::mem::replace(&mut self.over, true)),
            Event::Unusable { refusal, .. } => Outcome::Rejected(*refusal),
            Event::Masked { .. } => Outcome::Unchanged, // has a way of its own: it needs to know how far it reaches
        }
    }

    /// Leaves out what lies up to `seconds` before `place`; of the agent's side, what does not lie before `reach`.
    fn mask(&mut self, seconds: u32, place: MediaTime, reach: MediaTime, effect: &mut Effect) -> Outcome {
        let customer = self.reach_of(seconds, place);
        let agent = Span::new(customer.from.max(reach).min(place), place);
        self.masks.push(Mask { agent, customer });
        effect.masked = Some(agent);
        effect.masked_customer = Some(customer);
        changed(!customer.is_empty())
    }

    /// The stretch of `seconds` before `place`.
    fn reach_of(&self, seconds: u32, place: MediaTime) -> Span {
        let samples = self.rate_hz.map_or(u64::MAX, |rate_hz| u64::from(seconds) * u64::from(rate_hz));
        Span::new(MediaTime(place.0.saturating_sub(samples)), place)
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
        if remote.standing.is_no() && !decision.act.is_the_customers_own() {
            if decision.basis.is_none() {
                return Err(Refusal::RefusalStands);
            }
            effect.overrode = true;
        }
        let number = self.grants.len() as u32;
        remote.standing = Standing::Granted(number);
        let token = match &decision.act {
            Act::Token { token, .. } => Some(token.clone()),
            _ => None,
        };
        self.grants.push(Grant { party: decision.party.clone(), purposes, withdrawn: Vec::new(), token });
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
    /// unless the terms keep it (WDR-02). A no of somebody who was never heard of is everybody's: whose it was cannot
    /// be told, so nobody's side is kept.
    fn end_consent(&mut self, party: &PartyId, standing: Standing, place: MediaTime, effect: &mut Effect) -> Outcome {
        let granted_before = self.grants.iter().any(|grant| grant.party == *party);
        let known = granted_before || self.roster.find(party).is_some();
        let mut outcome = Outcome::Unchanged;
        for remote in self.roster.iter_mut().filter(|remote| !known || remote.id == *party) {
            if std::mem::replace(&mut remote.standing, standing) != standing {
                outcome = Outcome::Accepted;
            }
        }
        let ends = |kept: &Kept, grants: &[Grant]| {
            !known || kept.grants.iter().any(|grant| grants[*grant as usize].party == *party)
        };
        let ends_grants = if known { granted_before } else { !self.grants.is_empty() };
        effect.on_withdrawal = ends_grants.then_some(self.terms.on_withdrawal);
        if self.terms.on_withdrawal == OnWithdrawal::Erase {
            effect.erased = self.erase_where(place, ends);
        }
        if effect.erased.is_empty() { outcome } else { Outcome::Accepted }
    }

    /// A withdrawal of some purposes: what was kept for these alone is erased, the rest stays for the others. If the
    /// party never granted any of them, what is meant cannot be told, and it is a withdrawal of everything.
    fn narrow(&mut self, party: &PartyId, gone: &[String], place: MediaTime, effect: &mut Effect) -> Outcome {
        let is_gone = |purpose: &String| gone.iter().any(|gone| gone.trim().eq_ignore_ascii_case(purpose.trim()));
        let theirs = |grant: &&mut Grant| grant.party == *party;
        let mut ever = false;
        let mut touched = false;
        for grant in self.grants.iter_mut().filter(theirs) {
            ever |= grant.purposes.iter().chain(&grant.withdrawn).any(is_gone);
            let (withdrawn, left) = std::mem::take(&mut grant.purposes).into_iter().partition(is_gone);
            grant.purposes = left;
            touched |= !Vec::is_empty(&withdrawn);
            grant.withdrawn.extend(withdrawn);
        }
        if !ever {
            return self.end_consent(party, Standing::Withdrawn, place, effect);
        }
        effect.on_withdrawal = Some(self.terms.on_withdrawal);
        if let Some(remote) = self.roster.find(party)
            && let Standing::Granted(number) = remote.standing
            && self.grants[number as usize].purposes.is_empty()
        {
            remote.standing = Standing::Withdrawn;
        }
        // The stretch in progress ends here and goes on, narrower, as another one.
        self.close_open(place);
        if self.terms.on_withdrawal == OnWithdrawal::Erase {
            let theirs =
                |kept: &Kept, grants: &[Grant]| kept.grants.iter().any(|grant| grants[*grant as usize].party == *party);
            effect.erased =
                self.erase_where(place, |kept, grants| theirs(kept, grants) && kept.purposes.iter().all(is_gone));
            for kept in &mut self.kept {
                if theirs(kept, &self.grants) {
                    kept.purposes.retain(|purpose| !is_gone(purpose));
                }
            }
        }
        if touched { Outcome::Accepted } else { Outcome::Unchanged }
    }

    fn expire(&mut self, party: &PartyId, token: &str) -> Outcome {
        let rests_on_it = |grant: &Grant| grant.token.as_deref() == Some(token);
        match self.roster.find(party) {
            Some(Remote { standing: standing @ Standing::Granted(_), .. }) => {
                let Standing::Granted(number) = *standing else { return Outcome::Unchanged };
                if !rests_on_it(&self.grants[number as usize]) {
                    return Outcome::Unchanged;
                }
                *standing = Standing::Expired;
                Outcome::Accepted
            }
            _ => Outcome::Unchanged,
        }
    }

    /// Takes the kept stretches that `condemned` names off the record and returns where they lay, up to `place`: what
    /// was to come behind it does not come.
    fn erase_where(&mut self, place: MediaTime, condemned: impl Fn(&Kept, &[Grant]) -> bool) -> Vec<Erased> {
        let mut erased = Vec::new();
        let grants = &self.grants;
        self.kept.retain(|kept| {
            if !condemned(kept, grants) {
                return true;
            }
            let until = kept.until.map_or(place, |until| until.min(place));
            erased.push(Erased { kept: kept.number, span: Span::new(kept.from, until) });
            false
        });
        erased.retain(|erased: &Erased| !erased.span.is_empty());
        erased
    }

    /// Brings the kept stretch in progress into line with what stands from `place` on.
    pub(super) fn refresh(&mut self, place: MediaTime) {
        self.shut = self.why_shut();
        let shut = self.quarantined || self.over || self.held || self.stops.standing().is_some();
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
        self.close_open(place);
        if let Some(grants) = grants.filter(|_| !purposes.is_empty()) {
            let number = self.kept_count;
            self.kept_count += 1;
            self.kept.push(Kept { number, from: self.now, until: None, grants, purposes });
        }
    }

    /// Ends what is kept at `place`. What was to begin behind it, or to go on there, does not.
    fn close_open(&mut self, place: MediaTime) {
        while self.kept.pop_if(|kept| kept.from >= place).is_some() {}
        if let Some(kept) = self.kept.last_mut().filter(|kept| kept.until.is_none_or(|until| until > place)) {
            kept.until = Some(place);
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

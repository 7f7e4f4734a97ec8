//! What events do to the door: the only way to open it, and every way to shut it.

use super::{Gate, Grant, Kept};
use crate::audio::Span;
use crate::consent::OnWithdrawal;
use crate::consent::event::{Act, Decision, Event, Notice, Refusal, Stamped, TokenState};
use crate::consent::roster::{PartyId, Remote, Standing};

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
    pub erased: Vec<Erased>,
    /// What it does with what was kept under the grants that it ends; absent if it ends none.
    pub on_withdrawal: Option<OnWithdrawal>,
    /// The number of the grant it made.
    pub grant: Option<u32>,
    /// It overrode a refusal (CON-09).
    pub overrode: bool,
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
    /// Takes an event. It counts from its own place or, if that lies behind, from the last event's: consent is never
    /// backdated.
    pub fn apply(&mut self, stamped: &Stamped) -> Effect {
        self.now = self.now.max(stamped.at);
        let mut effect = Effect {
            outcome: Outcome::Accepted,
            customer_open: false,
            recording: false,
            erased: Vec::new(),
            on_withdrawal: None,
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
            Event::Expired { party, token } => self.expire(party, token),
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
    fn end_consent(&mut self, party: &PartyId, standing: Standing, effect: &mut Effect) -> Outcome {
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
            effect.erased = self.erase_where(ends);
        }
        if effect.erased.is_empty() { outcome } else { Outcome::Accepted }
    }

    /// A withdrawal of some purposes: what was kept for these alone is erased, the rest stays for the others. If the
    /// party never granted any of them, what is meant cannot be told, and it is a withdrawal of everything.
    fn narrow(&mut self, party: &PartyId, gone: &[String], effect: &mut Effect) -> Outcome {
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
            return self.end_consent(party, Standing::Withdrawn, effect);
        }
        effect.on_withdrawal = Some(self.terms.on_withdrawal);
        if let Some(remote) = self.roster.find(party)
            && let Standing::Granted(number) = remote.standing
            && self.grants[number as usize].purposes.is_empty()
        {
            remote.standing = Standing::Withdrawn;
        }
        // The stretch in progress ends here and goes on, narrower, as another one.
        self.close_open();
        if self.terms.on_withdrawal == OnWithdrawal::Erase {
            let theirs =
                |kept: &Kept, grants: &[Grant]| kept.grants.iter().any(|grant| grants[*grant as usize].party == *party);
            effect.erased = self.erase_where(|kept, grants| theirs(kept, grants) && kept.purposes.iter().all(is_gone));
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
    fn erase_where(&mut self, condemned: impl Fn(&Kept, &[Grant]) -> bool) -> Vec<Erased> {
        let now = self.now;
        let mut erased = Vec::new();
        let grants = &self.grants;
        self.kept.retain(|kept| {
            if !condemned(kept, grants) {
                return true;
            }
            erased.push(Erased { kept: kept.number, span: Span::new(kept.from, kept.until.unwrap_or(now)) });
            false
        });
        erased.retain(|erased: &Erased| !erased.span.is_empty());
        erased
    }

    /// Brings the kept stretch in progress into line with what now stands.
    pub(super) fn refresh(&mut self) {
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

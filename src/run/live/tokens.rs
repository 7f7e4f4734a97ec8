//! Standing tokens in a live call: whether one counts now, and when it runs out (CON-16).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::worker::Alarm;
use crate::consent::{Act, Decision, Event, TokenState};

/// The list of tokens that count no more, by their ids: one for all calls of a process, in hand or to come. Read again, it
/// counts for all of them.
#[derive(Debug, Default)]
pub struct Revoked {
    list: Mutex<Arc<HashSet<String>>>,
    /// How often it was read again.
    read: AtomicU64,
}

impl Revoked {
    /// With these ids.
    pub fn new(list: HashSet<String>) -> Revoked {
        Revoked { list: Mutex::new(Arc::new(list)), read: AtomicU64::new(0) }
    }

    /// What stands on it now.
    pub fn list(&self) -> Arc<HashSet<String>> {
        Arc::clone(&self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on it says what `newer` says.
    pub fn replace(&self, newer: &Revoked) {
        *self.list.lock().unwrap_or_else(PoisonError::into_inner) = newer.list();
        self.read.fetch_add(1, Ordering::AcqRel);
    }
}

/// What is known about tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    revoked: Arc<Revoked>,
    /// How often the list had been read again when its news were taken.
    heeded: u64,
}

impl Tokens {
    /// With this list of what is revoked.
    pub fn new(revoked: Arc<Revoked>) -> Tokens {
        let heeded = revoked.read.load(Ordering::Acquire);
        Tokens { revoked, heeded }
    }

    /// The list, if it was read again since this was asked last.
    pub fn news(&mut self) -> Option<Arc<HashSet<String>>> {
        let read = self.revoked.read.load(Ordering::Acquire);
        (std::mem::replace(&mut self.heeded, read) != read).then(|| self.revoked.list())
    }

    /// Finds out whether the token of an event counts at `now`; the alarm for the moment at which it runs out.
    pub fn check(&self, event: &mut Event, expires: Option<Timestamp>, now: Timestamp) -> Option<Alarm> {
        let Event::Granted(Decision { party, act: Act::Token { token, state }, .. }) = event else { return None };
        let left = expires.map(|expires| Duration::try_from(now.until(expires).ok()?).ok().filter(|d| !d.is_zero()));
        *state = match left {
            _ if self.revoked.list().contains(token) => TokenState::Revoked,
            None => TokenState::Unverifiable,
            Some(None) => TokenState::Expired,
            Some(Some(_)) => TokenState::Valid,
        };
        let left = left.flatten().filter(|_| *state == TokenState::Valid)?;
        let at = Instant::now().checked_add(left)?;
        Some(Alarm { at, wall: expires?, event: Event::Expired { party: party.clone(), token: token.clone() } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::PartyId;

    fn list(revoked: &[&str]) -> Revoked {
        Revoked::new(revoked.iter().map(|id| (*id).to_owned()).collect())
    }

    fn state_of(revoked: &[&str], expires: Option<&str>) -> (TokenState, bool) {
        let tokens = Tokens::new(Arc::new(list(revoked)));
        let act = Act::Token { token: "t".into(), state: TokenState::Unverifiable };
        let mut event =
            Event::Granted(Decision { party: PartyId::default(), act, purposes: vec!["training".into()], basis: None });
        let now: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        let alarm = tokens.check(&mut event, expires.map(|text| text.parse().unwrap()), now);
        let Event::Granted(Decision { act: Act::Token { state, .. }, .. }) = event else { unreachable!() };
        (state, alarm.is_some())
    }

    #[test]
    fn a_token_counts_only_if_it_is_known_to_be_good_now() {
        assert_eq!(state_of(&[], Some("2026-03-01T09:00:01Z")), (TokenState::Valid, true));
        assert_eq!(state_of(&[], Some("2026-03-01T09:00:00Z")), (TokenState::Expired, false));
        assert_eq!(state_of(&[], Some("2020-03-01T09:00:00Z")), (TokenState::Expired, false));
        assert_eq!(state_of(&[], None), (TokenState::Unverifiable, false));
        assert_eq!(state_of(&["t"], Some("2030-03-01T09:00:00Z")), (TokenState::Revoked, false));
    }

    #[test]
    fn what_is_read_again_is_told_once_to_every_call() {
        let shared = Arc::new(list(&["a"]));
        let mut calls = [Tokens::new(Arc::clone(&shared)), Tokens::new(Arc::clone(&shared))];
        assert!(calls.iter_mut().all(|tokens| tokens.news().is_none()));
        shared.replace(&list(&["b"]));
        for tokens in &mut calls {
            assert!(tokens.news().is_some_and(|news| news.contains("b") && !news.contains("a")));
            assert!(tokens.news().is_none());
        }
    }
}

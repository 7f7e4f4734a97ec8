//! Standing tokens in a live call: whether one counts now, and when it runs out (CON-16).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::worker::Alarm;
use crate::consent::{Act, Decision, Event, TokenState};

/// What is known about tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    revoked: HashSet<String>,
}

impl Tokens {
    /// With these revoked.
    pub fn new(revoked: HashSet<String>) -> Tokens {
        Tokens { revoked }
    }

    /// Finds out whether the token of an event counts at `now`; the alarm for the moment at which it runs out.
    pub fn check(&self, event: &mut Event, expires: Option<Timestamp>, now: Timestamp) -> Option<Alarm> {
        let Event::Granted(Decision { party, act: Act::Token { token, state }, .. }) = event else { return None };
        let left = expires.map(|expires| Duration::try_from(now.until(expires).ok()?).ok().filter(|d| !d.is_zero()));
        *state = match left {
            _ if self.revoked.contains(token) => TokenState::Revoked,
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

    fn state_of(revoked: &[&str], expires: Option<&str>) -> (TokenState, bool) {
        let tokens = Tokens::new(revoked.iter().map(|id| (*id).to_owned()).collect());
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
}

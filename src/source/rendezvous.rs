//! Two connections of one call find each other: each carries one party, and whoever comes first begins the call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::exchange::{Arrival, Begun, CallLine, Declined, Exchange, Leg, Legs, Party};

/// Calls of which one connection has come, and the leg of the other waits.
#[derive(Default)]
pub struct Rendezvous(Mutex<HashMap<String, Waiting>>);

/// The leg that waits for its connection. Locked while the call is being begun: the other party waits for that.
type Waiting = Arc<Mutex<Option<(Party, Leg, CallLine)>>>;

impl Rendezvous {
    /// The leg of `party`. Begins the call if it is the first, and otherwise takes what the first one left. `arrival.sound`
    /// must be `Apart`. Blocks as [`Exchange::begin`] does.
    pub fn leg(&self, exchange: &dyn Exchange, arrival: Arrival, party: Party) -> Result<(Leg, CallLine), Declined> {
        let (place, first) = self.place(&arrival.call);
        let mut waiting = place.lock().unwrap_or_else(PoisonError::into_inner);
        if !first {
            return match waiting.take() {
                Some((free, leg, line)) if free == party => Ok((leg, line)),
                other => {
                    *waiting = other; // the connection that is there stays
                    Err(Declined::new("exists", "this party of the call is connected already"))
                }
            };
        }
        let call = arrival.call.clone();
        let begun = exchange.begin(arrival);
        let Begun { line, legs: Legs::Apart { agent, customer } } = begun.inspect_err(|_| self.forget(&call))? else {
            self.forget(&call);
            return Err(Declined::new("bug", "a call of two connections has two legs"));
        };
        let (mine, other) = match party {
            Party::Agent => (agent, customer),
            Party::Customer => (customer, agent),
        };
        *waiting = Some((party.other(), other, line.clone()));
        Ok((mine, line))
    }

    /// The first party's connection has ended: the leg that nobody came for ends as well. Tell it for every connection.
    pub fn left(&self, call: &str) {
        self.forget(call);
    }

    fn place(&self, call: &str) -> (Waiting, bool) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = calls.get(call) {
            return (Arc::clone(waiting), false);
        }
        let place = Waiting::default();
        calls.insert(call.into(), Arc::clone(&place));
        (place, true)
    }

    fn forget(&self, call: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(call);
    }
}

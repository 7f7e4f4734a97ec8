//! Two connections of one call find each other: each carries one party, and whoever comes first begins the call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::exchange::{Arrival, Begun, CallLine, Declined, Exchange, Leg, Legs, Party};
use crate::ring::Why;
use crate::split::Finding;

/// Calls of which one connection has come, and the leg of the other waits.
#[derive(Default)]
pub struct Rendezvous(Mutex<HashMap<String, Arc<Mutex<Option<Meeting>>>>>);

/// A call that one connection has begun. Locked while it is being begun: the other one waits for that.
struct Meeting {
    line: CallLine,
    /// When the first sound of the connection that is there came: its line begins with it, however long the disk took.
    came: Instant,
    rate_hz: u32,
    drop_before_decode: bool,
    /// The leg that waits for its connection.
    free: Option<(Party, Leg)>,
}

impl Rendezvous {
    /// The leg of `party`. Begins the call if it is the first, and otherwise takes what the first one left: its line begins
    /// with the time that it was awaited, so that both sides lie on one line. `arrival.sound` must be `Apart`; `came`: when
    /// its first sound did. Blocks as [`Exchange::begin`] does.
    pub fn leg(
        &self,
        exchange: &dyn Exchange,
        arrival: Arrival,
        party: Party,
        came: Instant,
    ) -> Result<(Leg, CallLine), Declined> {
        let (place, first) = self.place(&arrival.call);
        let mut meeting = place.lock().unwrap_or_else(PoisonError::into_inner);
        if !first {
            let meeting =
                meeting.as_mut().ok_or_else(|| Declined::new("exists", "the call has just come to nothing"))?;
            return meeting.join(exchange, &arrival, party, came);
        }
        let (call, rate_hz, drop_before_decode) = (arrival.call.clone(), arrival.rate_hz, arrival.drop_before_decode);
        let begun = exchange.begin(arrival).inspect_err(|_| self.forget(&call, &place))?;
        let Begun { line, legs: Legs::Apart { agent, customer } } = begun else {
            self.forget(&call, &place);
            return Err(Declined::new("bug", "a call of two connections has two legs"));
        };
        let (mine, other) = match party {
            Party::Agent => (agent, customer),
            Party::Customer => (customer, agent),
        };
        let free = Some((party.other(), other));
        *meeting = Some(Meeting { line: line.clone(), came, rate_hz, drop_before_decode, free });
        Ok((mine, line))
    }

    /// A connection that had a leg of this call has ended: a leg that nobody came for ends as well.
    pub fn left(&self, line: &CallLine) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(line.call()).cloned();
        let Some(place) = known else { return };
        // Not under the lock of the list: who begins a call has this one and wants that one.
        let same = place.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|met| met.line.is(line));
        if same {
            self.forget(line.call(), &place);
        }
    }

    fn place(&self, call: &str) -> (Arc<Mutex<Option<Meeting>>>, bool) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meeting) = calls.get(call) {
            return (Arc::clone(meeting), false);
        }
        let place = Arc::default();
        calls.insert(call.into(), Arc::clone(&place));
        (place, true)
    }

    fn forget(&self, call: &str, place: &Arc<Mutex<Option<Meeting>>>) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.get(call).is_some_and(|known| Arc::ptr_eq(known, place)) {
            calls.remove(call);
        }
    }
}

impl Meeting {
    fn join(
        &mut self,
        exchange: &dyn Exchange,
        arrival: &Arrival,
        party: Party,
        came: Instant,
    ) -> Result<(Leg, CallLine), Declined> {
        if self.free.as_ref().is_none_or(|(free, _)| *free != party) {
            // The connection that is there stays.
            return Err(Declined::new("exists", "this party of the call is connected already"));
        }
        if let Err(declined) = exchange.admits(arrival) {
            self.line.contradict(Finding::NeverRecord);
            return Err(declined);
        }
        if (arrival.rate_hz, arrival.drop_before_decode) != (self.rate_hz, self.drop_before_decode) {
            let what = format!(
                "one party comes at {} Hz, the other at {} Hz or otherwise treated",
                self.rate_hz, arrival.rate_hz
            );
            self.line.contradict(Finding::LayoutMismatch { what: what.clone() });
            return Err(Declined::new("rate", what));
        }
        let (_, mut leg) = self.free.take().ok_or_else(|| Declined::new("bug", "the leg was there"))?;
        let awaited = came.saturating_duration_since(self.came).as_nanos() * u128::from(self.rate_hz) / 1_000_000_000;
        leg.missing(u64::try_from(awaited).unwrap_or(u64::MAX), Why::Absent);
        Ok((leg, self.line.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::ring::{Drain, Piece, ring};
    use crate::source::exchange::{Arriving, Placing, Said};
    use crate::source::wire::pace::Pace;

    /// Begins calls, keeps the worker's ends, and what was said.
    #[derive(Default)]
    struct Calls {
        drains: Mutex<Vec<Drain>>,
        said: Arc<Mutex<Vec<Said>>>,
        begun: AtomicU64,
    }

    impl Exchange for Calls {
        fn begin(&self, arrival: Arrival) -> Result<Begun, Declined> {
            self.begun.fetch_add(1, Ordering::Relaxed);
            let said = Arc::clone(&self.said);
            let line =
                CallLine::new(arrival.call, Box::new(move |word| said.lock().unwrap().push(word)), Arc::default());
            let leg = || {
                let (inlet, drain) = ring(80_000, 1);
                self.drains.lock().unwrap().push(drain);
                Leg::new(inlet, 1, Pace::stream(8_000, 20), line.clone()).0
            };
            let legs = Legs::Apart { agent: leg(), customer: leg() };
            Ok(Begun { line, legs })
        }

        fn declined(&self, _: &'static str, _: &'static str, _: Option<&str>) {}

        fn admits(&self, arrival: &Arrival) -> Result<(), Declined> {
            match arrival.number.as_deref() {
                Some("112") => Err(Declined::new("never_record", "it is on the list")),
                _ => Ok(()),
            }
        }
    }

    fn arrival() -> Arrival {
        Arrival::new("a".into(), "audiosocket", 8_000, Arriving::Apart(Placing::ByArrival { burst_ms: 20 }))
    }

    #[test]
    fn who_comes_later_begins_with_the_time_that_it_was_awaited() {
        let (calls, meet) = (Calls::default(), Rendezvous::default());
        let began = std::time::Instant::now();
        let (mut first, line) = meet.leg(&calls, arrival(), Party::Customer, Instant::now()).unwrap();
        first.sound(&[1; 160]);
        std::thread::sleep(std::time::Duration::from_millis(300));
        let (second, same) = meet.leg(&calls, arrival(), Party::Agent, Instant::now()).unwrap();
        assert!(line.is(&same) && calls.begun.load(Ordering::Relaxed) == 1);
        let most = began.elapsed().as_millis() as u64 * 8 + 160;
        assert!((2_400..=most).contains(&second.end()), "{} of {most}", second.end());
        let mut drains = calls.drains.lock().unwrap();
        assert!(matches!(drains[0].read(&mut [0; 160]), Piece::Gap { why: Why::Absent, .. }));
    }

    #[test]
    fn a_party_that_connects_twice_or_leaves_takes_nothing_from_the_others() {
        let (calls, meet) = (Calls::default(), Rendezvous::default());
        let (_first, line) = meet.leg(&calls, arrival(), Party::Agent, Instant::now()).unwrap();
        assert_eq!(meet.leg(&calls, arrival(), Party::Agent, Instant::now()).err().unwrap().reason, "exists");
        // A line of another call of that name that is over.
        let other = CallLine::new("a".into(), Box::new(|_| ()), Arc::default());
        meet.left(&other);
        assert!(meet.leg(&calls, arrival(), Party::Customer, Instant::now()).is_ok(), "its place was kept");
        meet.left(&line);
        assert!(meet.leg(&calls, arrival(), Party::Customer, Instant::now()).is_ok());
        assert_eq!(calls.begun.load(Ordering::Relaxed), 2, "after its end the name is free");
    }

    #[test]
    fn what_the_second_one_says_counts_too() {
        let (calls, meet) = (Calls::default(), Rendezvous::default());
        let _first = meet.leg(&calls, arrival(), Party::Agent, Instant::now()).unwrap();
        let fast = Arrival { rate_hz: 16_000, ..arrival() };
        assert_eq!(meet.leg(&calls, fast, Party::Customer, Instant::now()).err().unwrap().reason, "rate");
        let listed = Arrival { number: Some("112".into()), ..arrival() };
        assert_eq!(meet.leg(&calls, listed, Party::Customer, Instant::now()).err().unwrap().reason, "never_record");
        let said = calls.said.lock().unwrap();
        assert!(matches!(
            said[..],
            [Said::Contradicted(Finding::LayoutMismatch { .. }), Said::Contradicted(Finding::NeverRecord)]
        ));
    }
}

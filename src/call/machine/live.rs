//! A live call: events are taken as they arrive, between two frames, and whoever asked is told what was done.

use super::{Call, Outlet};
use crate::audio::{MediaTime, Span};
use crate::bleed::Leak;
use crate::call::Tally;
use crate::consent::event::Rank;
use crate::consent::{Dropped, Effect, Entry, Gate, Outcome, PartyId, Refusal, Stamped, Stop};
use crate::split::{Finding, Remedy};

/// What an event did, as the writer knows it: what an answer is made of (INF-03, CON-10).
#[derive(Clone, Debug)]
pub struct Took {
    /// From which sample it counts. What opens may count from one that lies ahead.
    pub at: MediaTime,
    /// Where the writer was: samples of the call settled.
    pub writer: MediaTime,
    /// The number of its entry in the ledger.
    pub ledger: u64,
    /// That entry's hash.
    pub hash: String,
    /// What it did.
    pub effect: Effect,
    /// How the doors stand after it.
    pub doors: Doors,
}

impl Took {
    /// Whether it counted.
    pub fn outcome(&self) -> Outcome {
        self.effect.outcome
    }

    /// Why it counted for nothing, if so.
    pub fn refusal(&self) -> Option<Refusal> {
        match self.effect.outcome {
            Outcome::Rejected(refusal) => Some(refusal),
            Outcome::Accepted | Outcome::Unchanged => None,
        }
    }

    /// From which sample on both sides are masked, if it is a mask: later than was asked for where the agent's sound
    /// had been let go before it came. The customer's side is masked as far as was asked, see
    /// [`Effect::masked_customer`].
    pub fn masked_from(&self) -> Option<MediaTime> {
        self.effect.masked.map(|span| span.from)
    }
}

/// Where an event counts that arrives when the writer is at `now`: what opens not before that, nor before anything that
/// was stamped earlier; what shuts or informs there.
pub(crate) fn place_now(gate: &Gate, stamped: Stamped, now: MediaTime, rate_hz: u32) -> Stamped {
    let at = match stamped.event.rank() {
        Rank::Opens => stamped.at.max(now).max(gate.latest()),
        Rank::Informs | Rank::Shuts => now,
    };
    Stamped::placed(at, stamped.wall, stamped.event, rate_hz)
}

/// How the doors of a call stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doors {
    /// The customer's is open, now or from `customer_from` on.
    pub customer_open: bool,
    /// The place ahead from which it is open; `None` if it is open already, or shut.
    pub customer_from: Option<MediaTime>,
    /// Why the customer's next sample would not be stored; `None` if it would.
    pub customer_why: Option<Dropped>,
    /// Everybody on the line was told (INF-01).
    pub told: bool,
    /// Recording is paused.
    pub paused: bool,
    /// A private stretch.
    pub private: bool,
    /// Outside the agent's recording windows.
    pub outside_window: bool,
    /// Shut for good: the channels cannot be told apart.
    pub quarantined: bool,
}

impl Doors {
    /// Why nothing of either side is stored now, if so.
    pub fn stopped(&self) -> Option<Dropped> {
        [
            (self.quarantined, Dropped::Quarantined),
            (self.paused, Dropped::Paused),
            (self.private, Dropped::Private),
            (self.outside_window, Dropped::OutsideWindow),
        ]
        .into_iter()
        .find_map(|(stands, reason)| stands.then_some(reason))
    }
}

/// What a live call is asked, and what it can tell while it runs.
impl Call {
    /// Takes an event as it arrives, between two frames. Events count in the order of their arrival:
    /// * what opens counts from `stamped.at`, which may lie ahead (the ring's end, and what the source may hold back),
    ///   never behind: not before the frame to come, and not before anything that was stamped earlier;
    /// * what shuts or informs counts at once, from the frame to come, whatever its stamp says, and what an event before
    ///   it was to open further ahead does not open.
    ///
    /// A mask leaves out both sides back to what of the agent's still waits: [`HOLDBACK_FRAMES`](super::HOLDBACK_FRAMES)
    /// frames (260 ms) and the reach that the call was opened with. The customer's side is wiped as far back as was
    /// asked, also on disk: that track can be rewritten, the agent's never is.
    ///
    /// The time that the ledger notes is made of the place. May allocate.
    pub fn take_now(&mut self, stamped: Stamped, out: &mut impl Outlet) -> Took {
        assert!(self.heard.is_none(), "an event is taken between two frames");
        let stamped = place_now(&self.gate, stamped, self.now, self.rate_hz);
        let at = stamped.at;
        let effect = self.carry_out(&stamped, self.released, out);
        let entry = self.ledger.entries().last().expect("it was just recorded");
        let (ledger, hash) = (entry.seq, entry.hash.clone());
        Took { at, writer: self.now, ledger, hash, effect, doors: self.doors() }
    }

    /// What arrives is not what was said of it: both sides are withheld from here on, and nothing of the call is kept.
    pub fn contradict(&mut self, finding: Finding) {
        assert!(self.heard.is_none(), "a contradiction is taken between two frames");
        if finding.remedy() == Remedy::BothWithheld {
            self.gate.quarantine();
        }
        if !self.findings.iter().any(|known| known.code() == finding.code()) {
            self.findings.push(finding);
        }
    }

    /// Nothing of the call is kept from here on, for a reason that is told later.
    pub fn quarantine(&mut self) {
        self.gate.quarantine();
    }

    /// The parties whose consent rests on a standing token that is `revoked`.
    pub fn resting_on(&self, revoked: impl Fn(&str) -> bool) -> Vec<PartyId> {
        self.gate.resting_on(revoked)
    }

    /// Samples settled so far: the place of the frame to come.
    pub fn position(&self) -> MediaTime {
        self.now
    }

    /// How the doors stand for the frame to come.
    pub fn doors(&self) -> Doors {
        let open = self.gate.open();
        let mut remotes = self.gate.roster().iter().peekable();
        Doors {
            customer_open: open.is_some(),
            customer_from: open.map(|kept| kept.from).filter(|from| *from > self.now),
            customer_why: self.gate.why_not(self.now),
            told: remotes.peek().is_some() && remotes.all(|remote| remote.told.is_some()),
            paused: self.gate.stands(Stop::Paused),
            private: self.gate.stands(Stop::Private),
            outside_window: self.gate.stands(Stop::OutsideWindow),
            quarantined: self.gate.is_quarantined(),
        }
    }

    /// The account so far. The agent's side lags by what waits.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The ledger so far.
    pub fn ledger(&self) -> &[Entry] {
        self.ledger.entries()
    }

    /// What was found so far, without what is only known at the end.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How much of the customer may have leaked so far.
    pub fn leak(&self) -> Leak {
        let leak = self.ear.leak();
        if self.tally.agent.written > 0 { leak } else { leak.of_nothing() }
    }

    /// What of the agent's side waits and could still be masked.
    pub fn maskable(&self) -> Span {
        Span::new(self.released, self.now)
    }
}

//! An outlet that believes nothing: it holds everything a call writes against the sound that went in and against what
//! can be said beforehand about a script's events.

use oneside::audio::{MediaTime, Span};
use oneside::call::{CallResult, Closing, Outlet, Trace};
use oneside::consent::{Authority, Cleared, Event, Stamped, Track};

/// What may not be stored whatever else happens, worked out from a script's events alone.
#[derive(Default)]
pub struct Forbidden {
    /// Nothing at all: what was found before the call opened puts both sides in doubt.
    pub everything: bool,
    /// Nothing of the customer's before this; `None`: nothing of it at all.
    pub customer_before: Option<MediaTime>,
    /// Nothing of the customer's from here on.
    pub customer_from: Option<MediaTime>,
    /// Nothing of either side.
    pub pauses: Vec<Span>,
    /// All events were known when the call opened: nothing is written that is to be erased.
    pub known: bool,
}

impl Forbidden {
    /// By these events, in their order.
    pub fn by(events: &[Stamped], known: bool, rate_hz: u32) -> Forbidden {
        let mut forbidden = Forbidden { known, ..Forbidden::default() };
        let granted = events.iter().filter(|stamped| matches!(stamped.event, Event::Granted(_)));
        forbidden.customer_before = granted.map(|stamped| stamped.at).min();
        if !known {
            return forbidden; // an event may come late and then counts from when it came
        }
        let (mut now, mut paused, mut private) = (MediaTime::ZERO, None, None);
        for stamped in events {
            now = now.max(stamped.at);
            match stamped.event {
                Event::Paused => paused = paused.or(Some(now)),
                Event::Resumed => forbidden.pauses.extend(paused.take().map(|since| Span::new(since, now))),
                Event::Private => private = private.or(Some(now)),
                Event::PrivateEnded => {
                    forbidden.pauses.extend(private.take().map(|since| Span::new(since, now)));
                }
                Event::Masked { seconds } => {
                    let reach = u64::from(seconds) * u64::from(rate_hz);
                    forbidden.pauses.push(Span::new(MediaTime(now.0.saturating_sub(reach)), now));
                }
                Event::HungUp => forbidden.customer_from = forbidden.customer_from.or(Some(now)),
                _ => {}
            }
        }
        forbidden.pauses.extend(private.map(|since| Span::new(since, MediaTime(u64::MAX))));
        forbidden.pauses.extend(paused.map(|since| Span::new(since, MediaTime(u64::MAX))));
        forbidden
    }
}

/// The outlet of a script.
pub struct ScriptOutlet<'a> {
    agent: &'a [i16],
    customer: &'a [i16],
    forbidden: Forbidden,
    agent_next: u64,
    agent_written: u64,
    customer_next: u64,
    customer_erased: u64,
    /// What stands of the customer's track, in order.
    standing: Vec<Span>,
    traced: u64,
    /// Samples of the agent's side that the traces call stored.
    traced_written: u64,
}

impl<'a> ScriptOutlet<'a> {
    /// The outlet of a call that hears these sides.
    pub fn new(agent: &'a [i16], customer: &'a [i16], forbidden: Forbidden) -> ScriptOutlet<'a> {
        ScriptOutlet {
            agent,
            customer,
            forbidden,
            agent_next: 0,
            agent_written: 0,
            customer_next: 0,
            customer_erased: 0,
            standing: Vec::new(),
            traced: 0,
            traced_written: 0,
        }
    }

    /// Holds what was written against the account.
    pub fn check(&self, closing: &Closing) {
        let heard = self.agent.len() as u64;
        let (agent, customer) = (&closing.tally.agent, &closing.tally.customer);
        assert!(agent.adds_up() && customer.adds_up(), "the tally adds up");
        assert_eq!((agent.heard, customer.heard, closing.length.0), (heard, heard, heard), "all was heard");
        assert_eq!((agent.written, agent.erased), (self.agent_written, 0), "the agent's account");
        assert_eq!((self.traced, self.traced_written), (heard, self.agent_written), "the traces tell the same");
        let standing: u64 = self.standing.iter().map(|span| span.samples()).sum();
        assert_eq!((customer.written, customer.erased), (standing, self.customer_erased), "the customer's account");
        let mut kept: Vec<Span> = Vec::new();
        for stretch in &closing.kept {
            let until = stretch.until.expect("a stretch is closed when the call is");
            assert!(kept.last().is_none_or(|last| last.until <= stretch.from), "kept stretches lie in order");
            assert!(!stretch.purposes.is_empty() && !stretch.grants.is_empty(), "a stretch is kept by grants");
            push(&mut kept, Span::new(stretch.from, until));
        }
        if closing.result == CallResult::Quarantined {
            return; // nothing of it is kept: the store takes back what was written before the doubt came up
        }
        for span in &self.standing {
            assert!(kept.iter().any(|kept| kept.contains(*span)), "{span:?} stands outside of {kept:?}");
        }
    }

    fn check_allowed(&self, track: Track, span: Span) {
        assert!(!self.forbidden.everything, "a call in doubt writes nothing");
        let paused = self.forbidden.pauses.iter().find(|pause| pause.overlaps(span));
        assert!(paused.is_none(), "{span:?} of {track:?} lies in a pause, {paused:?}");
        if track == Track::Customer {
            let before = self.forbidden.customer_before.expect("without a grant there is no customer");
            assert!(before <= span.from, "{span:?} lies before the first grant, {before:?}");
            assert!(self.forbidden.customer_from.is_none_or(|from| span.until <= from), "the call was over");
        }
    }
}

impl Outlet for ScriptOutlet<'_> {
    fn write(&mut self, sound: Cleared<'_>) {
        let from = sound.at();
        let span = Span::new(from, MediaTime(from.0 + sound.samples().len() as u64));
        if span.is_empty() {
            return;
        }
        self.check_allowed(sound.track(), span);
        let place = from.0 as usize..span.until.0 as usize;
        let (source, next) = match sound.track() {
            Track::Agent => (self.agent, &mut self.agent_next),
            Track::Customer => (self.customer, &mut self.customer_next),
        };
        assert!(*next <= from.0, "sound comes in order and once: {span:?} after {next}");
        *next = span.until.0;
        assert!(sound.samples() == &source[place], "what is written is that side's own sound");
        match (sound.track(), sound.authority()) {
            (Track::Agent, Authority::AgentsOwn) => self.agent_written += span.samples(),
            (Track::Customer, Authority::Grants(_)) => push(&mut self.standing, span),
            (track, authority) => panic!("{track:?} written by {authority:?}"),
        }
    }

    fn erase_customer(&mut self, span: Span) {
        let before: u64 = self.standing.iter().map(|span| span.samples()).sum();
        let parts = |whole: &Span| {
            let first = Span::new(whole.from, whole.until.min(span.from));
            let last = Span::new(whole.from.max(span.until), whole.until);
            if whole.overlaps(span) { [first, last] } else { [*whole, Span::new(whole.until, whole.until)] }
        };
        self.standing = self.standing.iter().flat_map(parts).filter(|part| !part.is_empty()).collect();
        let erased = before - self.standing.iter().map(|span| span.samples()).sum::<u64>();
        assert!(erased == 0 || !self.forbidden.known, "{span:?} was written although its end was known");
        self.customer_erased += erased;
    }

    fn trace(&mut self, unit: Trace) {
        assert_eq!(unit.span.from.0, self.traced, "units follow each other");
        self.traced = unit.span.until.0;
        if unit.agent.is_ok() {
            self.traced_written += unit.span.samples();
        }
    }
}

fn push(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.until == span.from => last.until = span.until,
        _ => spans.push(span),
    }
}

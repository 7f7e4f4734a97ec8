//! Server transactions (RFC 3261 §17.2): a request that comes again gets its answer again, a refused INVITE is refused
//! until that is acknowledged. Pure: the time is handed in.
//!
//! Why they are our own: of the crates, `rsip` has stood still since 2022, and those that are alive (`rsipstack`,
//! `ezk-sip-core`, `rvoip-sip-core`; none of them was built here) are stacks with more than this in them. What a server that is only called needs is
//! this file. Here the listeners keep their own limits and lists of who may come, and no thread and no clock is in what is tested. Messages and
//! headers are read by `ezk-sip-types`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::source::wire::sip::Request;

/// The round trip that is expected (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// The longest between two repetitions.
pub const T2: Duration = Duration::from_secs(4);
/// How long a transaction is remembered: 64 × T1.
pub const LIFE: Duration = Duration::from_secs(32);
/// How long an INVITE may go without a final answer.
const UNANSWERED: Duration = Duration::from_secs(180);
/// Most transactions at a time; beyond it requests are left to their repetition.
pub const TRANSACTIONS_MAX: usize = 20_000;

/// Which transaction a request belongs to (RFC 3261 §17.2.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// Of a request. An ACK belongs to its INVITE.
    pub fn of(request: &Request) -> Key {
        Key::with(request, if request.method == "ACK" { "INVITE" } else { &request.method })
    }

    /// Of the INVITE that a CANCEL is for.
    pub fn cancelled(request: &Request) -> Key {
        Key::with(request, "INVITE")
    }

    fn with(request: &Request, method: &str) -> Key {
        let Request { hop, call_id, from_tag, cseq, .. } = request;
        // Without the magic cookie a branch need not be unique (RFC 2543).
        Key(match hop.branch.starts_with("z9hG4bK") {
            true => format!("{method} {} {}", hop.sent_by, hop.branch),
            false => format!("{method} {} {call_id} {from_tag} {cseq}", hop.sent_by),
        })
    }
}

/// What a request is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It came for the first time.
    New,
    /// It came before; this is its answer, if there is one yet.
    Again(Option<Arc<[u8]>>),
    /// There is no room for it.
    Overfull,
}

/// What a CANCEL does.
#[derive(Clone, Debug)]
pub enum Cancelled {
    /// There is no such INVITE.
    Unknown,
    /// It has its final answer already.
    Late,
    /// It is to be answered with 487.
    Now(Arc<Request>),
}

struct Held<P> {
    invite: Option<Arc<Request>>,
    answer: Option<Arc<[u8]>>,
    code: u16,
    /// Where to, when next and how long after that: the repetition of a refused INVITE over an unreliable transport.
    again: Option<(P, Instant, Duration)>,
    ends: Instant,
}

/// The transactions that are remembered. `P`: where an answer goes.
pub struct Transactions<P> {
    held: HashMap<Key, Held<P>>,
}

impl<P> Default for Transactions<P> {
    fn default() -> Transactions<P> {
        Transactions { held: HashMap::new() }
    }
}

impl<P: Clone> Transactions<P> {
    /// A request came that is no ACK.
    pub fn receive(&mut self, request: &Arc<Request>, now: Instant) -> Seen {
        let key = Key::of(request);
        if let Some(held) = self.held.get(&key) {
            return Seen::Again(held.answer.clone());
        }
        if self.held.len() >= TRANSACTIONS_MAX {
            return Seen::Overfull;
        }
        let invite = (request.method == "INVITE").then(|| Arc::clone(request));
        let ends = now + if invite.is_some() { UNANSWERED } else { LIFE };
        self.held.insert(key, Held { invite, answer: None, code: 0, again: None, ends });
        Seen::New
    }

    /// A request is answered. `false`: it has its final answer already (it was cancelled), and this one is not sent.
    /// `peer`: where a refused INVITE is refused again; absent on a reliable transport.
    pub fn answered(&mut self, key: &Key, code: u16, answer: &Arc<[u8]>, peer: Option<P>, now: Instant) -> bool {
        let Some(held) = self.held.get_mut(key).filter(|held| held.code < 200) else { return false };
        held.code = code;
        held.answer = Some(Arc::clone(answer));
        if code >= 200 {
            held.ends = now + LIFE;
            let refused = held.invite.take().is_some() && code >= 300;
            held.again = peer.filter(|_| refused).map(|peer| (peer, now + T1, T1));
        }
        true
    }

    /// An ACK came. Whether it is for a refused INVITE: then nobody else has to hear of it.
    pub fn acknowledged(&mut self, key: &Key) -> bool {
        let Some(held) = self.held.get_mut(key).filter(|held| held.code >= 300) else { return false };
        held.again = None;
        true
    }

    /// A CANCEL came for this INVITE.
    pub fn cancel(&mut self, invite: &Key) -> Cancelled {
        match self.held.get(invite) {
            None => Cancelled::Unknown,
            Some(Held { invite: Some(request), code, .. }) if *code < 200 => Cancelled::Now(Arc::clone(request)),
            Some(_) => Cancelled::Late,
        }
    }

    /// What is to be sent again now; what is over is forgotten.
    pub fn due(&mut self, now: Instant) -> Vec<(Arc<[u8]>, P)> {
        self.held.retain(|_, held| held.ends > now);
        let mut due = Vec::new();
        for held in self.held.values_mut() {
            if let (Some((peer, next, pause)), Some(answer)) = (&mut held.again, &held.answer)
                && *next <= now
            {
                due.push((Arc::clone(answer), peer.clone()));
                *pause = (*pause * 2).min(T2);
                *next = now + *pause;
            }
        }
        due
    }
}

/// Something that is sent again until the other side has said that it came: a 200 to an INVITE, a request of ours.
#[derive(Clone, Debug)]
pub struct Repeated {
    bytes: Arc<[u8]>,
    next: Instant,
    pause: Duration,
    ends: Instant,
}

impl Repeated {
    /// It was sent just now.
    pub fn sent(bytes: Arc<[u8]>, now: Instant) -> Repeated {
        Repeated { bytes, next: now + T1, pause: T1, ends: now + LIFE }
    }

    /// What is to be sent now, if anything.
    pub fn due(&mut self, now: Instant) -> Option<Arc<[u8]>> {
        if now < self.next {
            return None;
        }
        self.pause = (self.pause * 2).min(T2);
        self.next = now + self.pause;
        Some(Arc::clone(&self.bytes))
    }

    /// Nobody answered for too long.
    pub fn is_given_up(&self, now: Instant) -> bool {
        now >= self.ends
    }

    /// When to look again.
    pub fn next(&self) -> Instant {
        self.next.min(self.ends)
    }
}

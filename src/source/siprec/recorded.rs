//! The recording of a session: which stream is whose, its ports, its call, and what becomes of them when the client
//! changes its mind.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::SiprecConfig;
use super::names::{call_name, user};
use super::streams::{is_on_hold, is_there, same_labels};
use crate::consent::{Event, PartyId};
use crate::source::exchange::{Arrival, Arriving, CallLine, Declined, Exchange, Party, Placing};
use crate::source::rtp::{Port, Receiver, Session, Stream};
use crate::source::wire::siprec::{Accepted, Body, Doubt, Media, Metadata, Offer, Sides, answer, sides};
use crate::split::Finding;

/// The rate of a call of which nothing is kept, Hz.
const DOUBTFUL_HZ: u32 = 8_000;

/// Why there is no recording: the code of the answer, and the reason that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code of the answer.
    pub code: u16,
    /// The stable word that it is counted by.
    pub reason: &'static str,
    /// The exchange, which declined the call, has counted it.
    pub counted: bool,
}

/// What recordings need.
#[derive(Clone)]
pub struct Means {
    /// How it is configured.
    pub config: Arc<SiprecConfig>,
    /// Where calls begin.
    pub exchange: Arc<dyn Exchange>,
    /// Where ports come from.
    pub receiver: Arc<Receiver>,
}

/// A session that is being recorded, or of which it is on record that nothing could be kept.
pub struct Recorded {
    means: Means,
    call_id: String,
    /// The address that ports are told with.
    local: IpAddr,
    /// Where the signalling comes from: sound is expected from there if the offer names no address.
    signalled_by: IpAddr,
    offer: Offer,
    metadata: Option<Metadata>,
    /// What was found out when the call began; it does not change any more.
    found: Option<Sides>,
    /// Absent once the session is over.
    session: Option<Session>,
    line: CallLine,
    accepted: Vec<Accepted>,
    /// Ports of streams that nobody listens to. They stay bound: a sender that is told of a closed port might end more
    /// than the recording.
    unheard: Vec<Port>,
    held: bool,
    customers: Vec<(String, PartyId)>,
    parties: usize,
    /// Calls of this session so far: another agent is another call.
    calls: u32,
    version: u64,
    origin: u64,
}

impl Recorded {
    /// Begins a recording. Blocks as [`Exchange::begin`] does. A doubt about the sides is no refusal: the client is answered,
    /// so that its call goes on as it is, and the call's result says what was missing.
    pub fn begin(
        means: Means,
        call_id: &str,
        body: Body,
        local: IpAddr,
        signalled_by: IpAddr,
    ) -> Result<Recorded, Refusal> {
        let offer = body.offer.ok_or(Refusal { code: 488, reason: "no_offer", counted: false })?;
        let origin =
            blake3::hash(call_id.as_bytes()).as_bytes().iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte));
        let found = match body.metadata_unreadable {
            true => Err(Doubt::Unknown("the metadata cannot be read")),
            false => sides(&offer, body.metadata.as_ref(), &means.config.agent),
        };
        let opened = open(&means, call_id, 0, (&offer, body.metadata.as_ref()), &found, signalled_by)?;
        let mut recorded = Recorded {
            means,
            call_id: call_id.to_owned(),
            local,
            signalled_by,
            offer,
            metadata: body.metadata,
            found: None,
            line: opened.session.line().clone(),
            session: Some(opened.session),
            accepted: opened.accepted,
            unheard: opened.unheard,
            held: false,
            customers: Vec::new(),
            parties: 0,
            calls: 1,
            version: 0,
            origin: origin >> 2,
        };
        recorded.began(found);
        Ok(recorded)
    }

    /// What is said at the beginning of a call.
    fn began(&mut self, found: Result<Sides, Doubt>) {
        self.held = false;
        self.customers.clear();
        self.parties = 0;
        if let Ok(found) = found {
            self.participants(&found);
            self.hold(is_on_hold(&self.offer, &found));
            self.found = Some(found);
        }
    }

    /// A re-INVITE or an UPDATE. Blocks if another agent took the call over.
    pub fn update(&mut self, body: Body) -> Result<(), Refusal> {
        let offered = body.offer.is_some();
        let offer = body.offer.unwrap_or_else(|| self.offer.clone());
        if offer.media.len() < self.offer.media.len() {
            // RFC 3264 §8: streams keep their places.
            return Err(Refusal { code: 488, reason: "streams_missing", counted: false });
        }
        let metadata = match (self.metadata.clone(), body.metadata) {
            (Some(before), Some(update)) => Some(before.updated(update)),
            (before, update) => update.or(before),
        };
        let Some(found) = self.found.clone() else {
            // What was in doubt once stays so: its result is on record already.
            self.extend(&offer)?;
            (self.offer, self.metadata) = (offer, metadata);
            return Ok(());
        };
        let now = match body.metadata_unreadable {
            true => Err(Doubt::Unknown("the metadata cannot be read")),
            false => sides(&offer, metadata.as_ref(), &self.means.config.agent),
        };
        match now {
            // The customer's stream may be gone for a while (hold, transfer), or one may be there of which nothing was said
            // when the call began: nobody listens to that.
            Ok(now) if now.agent == found.agent => {
                if now.agent_aor.is_some() && found.agent_aor.is_some() && now.agent_aor != found.agent_aor {
                    return self.another_agent(offer, metadata, now);
                }
                self.extend(&offer)?;
                if now.customer == found.customer {
                    self.participants(&now);
                }
                if offered {
                    self.streams(&offer, &found)?;
                }
                (self.offer, self.metadata) = (offer, metadata);
                self.hold(is_on_hold(&self.offer, &found));
            }
            Err(Doubt::Unknown(_)) if same_labels(&self.offer, &offer, &found) => {
                // A client on hold takes back who sends what; the streams are still those that they were. Until it is
                // clear again, nothing of the far side is kept.
                self.extend(&offer)?;
                if offered {
                    self.streams(&offer, &found)?;
                }
                (self.offer, self.metadata) = (offer, metadata);
                self.hold(true);
            }
            other => {
                let what = match &other {
                    Err(doubt) => doubt.what(),
                    Ok(_) => "in mid-call the client named the other stream as the agent's",
                };
                self.line.contradict(Finding::SideUnknown { what: what.into() });
                self.extend(&offer)?;
                (self.offer, self.metadata) = (offer, metadata);
            }
        }
        Ok(())
    }

    /// The answer to the offer in force, or our offer where none was made: it is the same.
    pub fn answer(&mut self) -> String {
        self.version += 1;
        answer(&self.offer, &self.accepted, self.local, self.origin, self.version)
    }

    /// The call's line.
    pub fn line(&self) -> &CallLine {
        &self.line
    }

    /// The client said something that cannot be read: it might have been a no.
    pub fn doubt(&mut self) {
        self.hold(true);
    }

    /// The session is over: its ports are closed, and its books as well.
    pub fn end(&mut self) {
        if self.session.take().is_some() {
            self.line.say(Event::HungUp);
        }
    }

    /// How long nothing has come from either party.
    pub fn silent_for(&self) -> std::time::Duration {
        self.session.as_ref().map(Session::silent_for).unwrap_or_default()
    }

    /// Rules for staff go by the agent's name: another agent is another call, which begins with nothing decided (CON-15).
    fn another_agent(&mut self, offer: Offer, metadata: Option<Metadata>, now: Sides) -> Result<(), Refusal> {
        let found = Ok(now);
        let said = (&offer, metadata.as_ref());
        let opened = open(&self.means, &self.call_id, self.calls, said, &found, self.signalled_by)?;
        self.line.say(Event::HungUp);
        self.calls += 1;
        // The old call is over when its receiver is dropped, behind what was just said.
        self.line = opened.session.line().clone();
        (self.session, self.accepted, self.unheard) = (Some(opened.session), opened.accepted, opened.unheard);
        (self.offer, self.metadata) = (offer, metadata);
        self.began(found);
        Ok(())
    }

    /// Takes streams that were added, or begin only now: they are accepted in form and not listened to.
    fn extend(&mut self, offer: &Offer) -> Result<(), Refusal> {
        let is_heard =
            |number| self.found.as_ref().is_some_and(|found| found.agent == number || found.customer == Some(number));
        for (number, media) in offer.media.iter().enumerate() {
            match self.accepted.get(number) {
                Some(Accepted::To(_)) => continue,
                Some(Accepted::Inactive) if is_heard(number) => continue,
                Some(Accepted::Inactive) | None => {}
            }
            let (accepted, port) = unheard(&self.means.receiver, media)?;
            match self.accepted.get_mut(number) {
                Some(before) => *before = accepted,
                None => self.accepted.push(accepted),
            }
            self.unheard.extend(port);
        }
        Ok(())
    }

    /// Tells the receiver what changed about the streams: codecs, where they come from, whether they are there at all.
    fn streams(&mut self, offer: &Offer, found: &Sides) -> Result<(), Refusal> {
        let Some(session) = &self.session else { return Ok(()) };
        let parties = [(Party::Agent, Some(found.agent)), (Party::Customer, found.customer)];
        for (party, number) in parties.into_iter().filter_map(|(party, number)| Some((party, number?))) {
            let (before, now) = (&self.offer.media[number], &offer.media[number]);
            let stream = stream(now, self.signalled_by);
            match (is_there(before), is_there(now)) {
                (false, false) => {}
                (true, false) => session.shut(party),
                (false, true) => {
                    let port = self.means.receiver.bind().map_err(|declined| refusal(&declined))?;
                    self.accepted[number] = Accepted::To(port.number());
                    session.open(party, port, stream);
                }
                (true, true) => session.change(party, stream),
            }
        }
        Ok(())
    }

    fn hold(&mut self, held: bool) {
        if held != self.held {
            self.held = held;
            self.line.say(if held { Event::Held } else { Event::Retrieved });
        }
    }

    /// Who is on the customer's side now. Who joins starts undecided, and joins before anybody leaves (CON-14, CON-15).
    fn participants(&mut self, now: &Sides) {
        if now.customers.is_empty() {
            return;
        }
        let keys: Vec<String> =
            now.customers.iter().map(|(id, aor)| aor.clone().unwrap_or_else(|| id.clone())).collect();
        for key in &keys {
            if self.customers.iter().any(|(known, _)| known == key) {
                continue;
            }
            self.parties += 1;
            let first = self.customers.is_empty() && self.parties == 1;
            let party = if first { PartyId::default() } else { PartyId(format!("customer-{}", self.parties)) };
            if !first {
                self.line.say(Event::Joined { party: party.clone() });
            }
            self.customers.push((key.clone(), party));
        }
        let (stay, gone) = std::mem::take(&mut self.customers).into_iter().partition(|(key, _)| keys.contains(key));
        self.customers = stay;
        let gone: Vec<(String, PartyId)> = gone;
        for (_, party) in gone {
            self.line.say(Event::Left { party });
        }
    }
}

/// A call that was begun, and what its client is told.
struct Opened {
    session: Session,
    accepted: Vec<Accepted>,
    unheard: Vec<Port>,
}

/// Begins a call, with a port for each of its streams. `calls`: how many of this session there were before.
fn open(
    means: &Means,
    call_id: &str,
    calls: u32,
    (offer, metadata): (&Offer, Option<&Metadata>),
    found: &Result<Sides, Doubt>,
    signalled_by: IpAddr,
) -> Result<Opened, Refusal> {
    let Means { config, exchange, receiver } = means;
    let (mut accepted, mut left, mut agent, mut customer) = (Vec::new(), Vec::new(), None, None);
    for (number, media) in offer.media.iter().enumerate() {
        let party = match found {
            Ok(sides) if sides.agent == number => Some(&mut agent),
            Ok(sides) if sides.customer == Some(number) => Some(&mut customer),
            _ => None,
        };
        let Some(party) = party else {
            let (answer, port) = unheard(receiver, media)?;
            accepted.push(answer);
            left.extend(port);
            continue;
        };
        if media.payloads.codecs().next().is_none() {
            return Err(Refusal { code: 488, reason: "codec", counted: false });
        }
        let port = receiver.bind().map_err(|declined| refusal(&declined))?;
        accepted.push(Accepted::To(port.number()));
        *party = Some((port, stream(media, signalled_by)));
    }
    let mut name = call_name(config.call_name, metadata, call_id);
    if calls > 0 {
        name.push_str(&format!("-{}", calls + 1));
    }
    let sound = match found {
        Ok(Sides { customer: None, .. }) => Arriving::AgentAlone(Placing::Stamped),
        _ => Arriving::Apart(Placing::Stamped),
    };
    let mut arrival = Arrival::new(name, "siprec", DOUBTFUL_HZ, sound);
    arrival.drop_before_decode = config.drop_before_decode;
    let session = match found {
        Ok(sides) => {
            let known = sides.agent_aor.as_deref().filter(|_| config.agent_id_is_user);
            arrival.agent = known.and_then(user).map(str::to_owned);
            let number = sides.customers.first().and_then(|(_, aor)| user(aor.as_deref()?));
            arrival.number = number.map(str::to_owned);
            receiver.begin(exchange.as_ref(), arrival, agent, customer)
        }
        Err(doubt) => {
            arrival.worst_ms = receiver.worst_ms();
            exchange.begin(arrival).map(|begun| {
                begun.line.contradict(Finding::SideUnknown { what: doubt.what().into() });
                receiver.receive(begun, DOUBTFUL_HZ, config.drop_before_decode, None, None)
            })
        }
    };
    Ok(Opened { session: session.map_err(|declined| refusal(&declined))?, accepted, unheard: left })
}

/// A stream that is taken in form: nobody reads what comes.
fn unheard(receiver: &Receiver, media: &Media) -> Result<(Accepted, Option<Port>), Refusal> {
    if !media.audio || media.port == 0 {
        return Ok((Accepted::Inactive, None));
    }
    let port = receiver.bind().map_err(|declined| refusal(&declined))?;
    Ok((Accepted::To(port.number()), Some(port)))
}

/// What is received of a stream, and from whom: from the address that the offer names, at best from the port that it names,
/// but a client need not send from there.
fn stream(media: &Media, signalled_by: IpAddr) -> Stream {
    let address = media.address.filter(|address| !address.is_unspecified()).unwrap_or(signalled_by);
    let prefers = (media.port != 0).then_some(media.port);
    Stream { payloads: media.payloads.clone(), peer: Some(SocketAddr::new(address.to_canonical(), 0)), prefers }
}

/// What a client is told of a call that is not begun. One that may not be recorded (`Excluded::code`) is refused for good;
/// otherwise it may try another server, or this one later.
fn refusal(declined: &Declined) -> Refusal {
    let code = match declined.reason {
        "never_record" | "no_agent_ack" | "no_agent" => 603,
        "codec" => 488,
        _ => 503,
    };
    Refusal { code, reason: declined.reason, counted: true }
}

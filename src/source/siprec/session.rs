//! One recording session, from its INVITE to its BYE, on a task of its own: requests are taken one after the other.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::dialog::{Dialog, DialogId};
use super::peer::Peer;
use super::recorded::{Recorded, Refusal};
use super::server::{ALLOW, Server, Told, capabilities, tag};
use super::transactions::Repeated;
use crate::source::wire::sip::{Answer, Request, pieces};
use crate::source::wire::siprec::{Body, Unusable};

/// What a client may require of us (RFC 3261 §8.2.2.3). Reliable provisional answers: we give none that would need it.
const SUPPORTED: [&str; 4] = ["siprec", "timer", "record-aware", "100rel"];
/// How often the call is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Shortest session interval, s (RFC 4028 §4).
const SESSION_MIN_S: u32 = 90;

/// The answer to an INVITE that is refused before anything else is looked at.
pub fn refused(invite: &Request) -> Option<Answer> {
    let message = &invite.message;
    let unsupported: Vec<&str> = message
        .words("Require")
        .filter(|word| !SUPPORTED.iter().any(|known| word.eq_ignore_ascii_case(known)))
        .collect();
    if !unsupported.is_empty() {
        return Some(Answer::new(420).with("Unsupported", &unsupported.join(", ")));
    }
    let siprec = |name| message.words(name).any(|word| word.eq_ignore_ascii_case("siprec"));
    let client = || {
        message
            .values("Contact")
            .any(|contact| pieces(contact, ';').skip(1).any(|part| part.trim().eq_ignore_ascii_case("+sip.src")))
    };
    let described =
        || message.header("Content-Type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/"));
    // An ordinary call rang at the wrong door: here nobody would ever answer it.
    let ordinary = !siprec("Require") && !siprec("Supported") && !client() && !described();
    ordinary.then(|| Answer::new(421).with("Require", "siprec"))
}

struct Session {
    server: Arc<Server>,
    dialog: Dialog,
    peer: Peer,
    recorded: Recorded,
    /// The 200 that has not arrived yet, and the number of its INVITE.
    unacknowledged: Option<(u32, Repeated)>,
    /// When the session ends unless it is refreshed (RFC 4028).
    refresh: Option<(Duration, Instant)>,
    /// Our BYE.
    leaving: Option<Repeated>,
}

/// Carries a session.
pub async fn run(server: Arc<Server>, id: DialogId, mut told: mpsc::Receiver<Told>, invite: Arc<Request>, peer: Peer) {
    let begun = begin(&server, &id, &invite, &peer).await;
    if let Some(mut session) = begun {
        while session.step(&mut told).await {}
        server.forget(&id);
        told.close();
        while let Some(left) = told.recv().await {
            if let Told::Request(request, peer) = left {
                session.answer(&request, &peer, Answer::new(481));
            }
        }
    }
    server.forget(&id);
}

/// Answers the INVITE. `None`: there is no session.
async fn begin(server: &Arc<Server>, id: &DialogId, invite: &Arc<Request>, peer: &Peer) -> Option<Session> {
    let dialog = Dialog::begin(invite, id.local_tag.clone());
    let interval = match session_expires(invite) {
        Ok(interval) => interval,
        Err(answer) => return refuse(server, invite, peer, answer, Some("interval"), id),
    };
    let body = match body_of(invite) {
        Ok(body) => body,
        Err((answer, reason)) => return refuse(server, invite, peer, answer, Some(reason), id),
    };
    let (means, call_id) = (server.means.clone(), invite.call_id.clone());
    let (local, signalled_by) = (sound_at(server, peer), peer.source.ip());
    let begun = tokio::task::spawn_blocking(move || Recorded::begin(means, &call_id, body, local, signalled_by)).await;
    let mut recorded = match begun {
        Ok(Ok(recorded)) => recorded,
        Ok(Err(refusal)) => {
            let (answer, reason) = (answer_to(server, refusal), refusal.reason);
            return refuse(server, invite, peer, answer, Some(reason).filter(|_| !refusal.counted), id);
        }
        // A panic: the call's own worker has shut its doors.
        Err(_) => return refuse(server, invite, peer, Answer::new(500), Some("failed"), id),
    };
    let answer = accepted(peer, &mut recorded, interval, invite);
    let Some(bytes) = server.answer_bytes(invite, peer, answer, &id.local_tag) else {
        // It was cancelled in the meantime.
        recorded.end();
        return None;
    };
    let now = Instant::now();
    Some(Session {
        server: Arc::clone(server),
        dialog,
        peer: peer.clone(),
        recorded,
        unacknowledged: Some((invite.cseq, Repeated::sent(bytes, now))),
        refresh: interval.map(|interval| (interval, now + interval)),
        leaving: None,
    })
}

/// The address that sound is to be sent to.
fn sound_at(server: &Server, peer: &Peer) -> IpAddr {
    let settings = server.means.receiver.settings();
    let bound = Some(settings.address).filter(|bound| !bound.is_unspecified());
    settings.advertise.or(bound).unwrap_or(peer.local.ip())
}

fn refuse<T>(
    server: &Server,
    invite: &Request,
    peer: &Peer,
    answer: Answer,
    uncounted: Option<&'static str>,
    id: &DialogId,
) -> Option<T> {
    if let Some(reason) = uncounted {
        server.means.exchange.declined("siprec", reason, None);
    }
    // Forgotten before it is answered: a client may try again at once, in the same Call-ID.
    server.forget(id);
    server.answer(invite, peer, answer, &id.local_tag);
    None
}

/// The 200 to an offer.
fn accepted(peer: &Peer, recorded: &mut Recorded, interval: Option<Duration>, request: &Request) -> Answer {
    let answer = refreshed(Answer::new(200), interval, request).with("Contact", &peer.contact());
    answer.with("Allow", ALLOW).with("Supported", "siprec, timer").body("application/sdp", recorded.answer())
}

/// Says who refreshes the session: the client, since it knows whether its call still stands.
fn refreshed(answer: Answer, interval: Option<Duration>, request: &Request) -> Answer {
    let Some(interval) = interval else { return answer };
    let answer = answer.with("Session-Expires", &format!("{};refresher=uac", interval.as_secs()));
    match request.message.words("Supported").any(|word| word.eq_ignore_ascii_case("timer")) {
        true => answer.with("Require", "timer"),
        false => answer,
    }
}

fn session_expires(request: &Request) -> Result<Option<Duration>, Answer> {
    let Some(value) = request.message.header("Session-Expires") else { return Ok(None) };
    let seconds = value.split(';').next().and_then(|seconds| seconds.trim().parse::<u32>().ok());
    match seconds {
        Some(seconds) if seconds >= SESSION_MIN_S => Ok(Some(Duration::from_secs(seconds.into()))),
        Some(_) => Err(Answer::new(422).with("Min-SE", &SESSION_MIN_S.to_string())),
        None => Err(Answer::new(400)),
    }
}

fn body_of(request: &Request) -> Result<Body, (Answer, &'static str)> {
    let message = &request.message;
    let accept = "application/sdp, application/rs-metadata, application/rs-metadata+xml, multipart/mixed";
    Body::parse(message.header("Content-Type"), &message.body).map_err(|unusable| match unusable {
        Unusable::Kind => (Answer::new(415).with("Accept", accept), "body"),
        Unusable::Parts | Unusable::Offer => (Answer::new(400), "body"),
    })
}

fn answer_to(server: &Server, refusal: Refusal) -> Answer {
    match refusal.code {
        503 => server.busy(),
        code => Answer::new(code),
    }
}

impl Session {
    /// Waits for what comes next, and does it. `false`: the session is over.
    async fn step(&mut self, told: &mut mpsc::Receiver<Told>) -> bool {
        let stop = self.server.stop.clone();
        let leaving = self.leaving.is_some();
        tokio::select! {
            biased;
            told = told.recv() => match told {
                Some(Told::Request(request, peer)) => return self.request(&request, peer).await,
                Some(Told::Acknowledged(cseq)) => {
                    self.unacknowledged.take_if(|(waiting, _)| *waiting == cseq);
                }
                Some(Told::Answered(code, cseq)) => {
                    if leaving && code >= 200 && self.dialog.is_ours(cseq) {
                        return false;
                    }
                }
                None => return false,
            },
            () = stop.cancelled(), if !leaving => self.leave(),
            () = tokio::time::sleep_until(self.next_look().into()) => return self.look(),
        }
        true
    }

    fn next_look(&self) -> Instant {
        let repeated = self.unacknowledged.iter().map(|(_, repeated)| repeated).chain(&self.leaving);
        repeated.map(Repeated::next).fold(Instant::now() + LOOK_EVERY, Instant::min)
    }

    /// Repeats what is due, and looks whether the session is still wanted.
    fn look(&mut self) -> bool {
        let now = Instant::now();
        if let Some(leaving) = &mut self.leaving {
            if leaving.is_given_up(now) {
                return false;
            }
            if let Some(bytes) = leaving.due(now).filter(|_| !self.peer.is_reliable()) {
                self.peer.send(&bytes);
            }
            return true;
        }
        let mut over = self.recorded.line().is_over();
        if let Some((_, waiting)) = &mut self.unacknowledged {
            // RFC 3261 §13.3.1.4: a 200 that nobody acknowledges ends what it began, over any transport.
            over |= waiting.is_given_up(now);
            if let Some(bytes) = waiting.due(now) {
                self.peer.send(&bytes);
            }
        }
        over |= self.refresh.is_some_and(|(_, until)| now >= until);
        over |= self.recorded.silent_for() >= self.server.means.config.silent_max;
        if over {
            self.leave();
        }
        true
    }

    /// Ends the session from our side.
    fn leave(&mut self) {
        self.unacknowledged = None;
        self.recorded.end();
        let branch = tag().unwrap_or_default();
        let bytes = self.dialog.bye(self.peer.transport(), &self.peer.local.to_string(), &branch);
        let bytes: Arc<[u8]> = bytes.into();
        self.peer.send(&bytes);
        self.leaving = Some(Repeated::sent(bytes, Instant::now()));
    }

    /// A request within the dialog. `false`: it was the last.
    async fn request(&mut self, request: &Arc<Request>, peer: Peer) -> bool {
        if !self.dialog.request(request) {
            self.answer(request, &peer, Answer::new(500));
            return true;
        }
        self.peer = peer.clone();
        match request.method.as_str() {
            "BYE" => {
                self.recorded.end();
                self.server.forget(&self.dialog.id);
                self.answer(request, &peer, Answer::new(200));
                return false;
            }
            "INVITE" | "UPDATE" if self.leaving.is_none() => self.update(request, &peer).await,
            "INVITE" | "UPDATE" => self.answer(request, &peer, Answer::new(481)),
            "OPTIONS" => self.answer(request, &peer, capabilities()),
            _ => self.answer(request, &peer, Answer::new(405).with("Allow", ALLOW)),
        }
        true
    }

    /// A re-INVITE or an UPDATE: other streams, other people, or only a sign of life.
    async fn update(&mut self, request: &Arc<Request>, peer: &Peer) {
        let invite = request.method == "INVITE";
        let interval = match session_expires(request) {
            Ok(interval) => interval,
            Err(answer) => return self.answer(request, peer, answer),
        };
        let body = match body_of(request) {
            Ok(body) => body,
            Err((answer, reason)) => {
                self.unreadable(reason);
                return self.answer(request, peer, answer);
            }
        };
        let offered = body.offer.is_some();
        // Another agent is another call, and beginning it waits for the disk.
        let updated = tokio::task::block_in_place(|| self.recorded.update(body));
        if let Err(refusal) = updated {
            self.unreadable(refusal.reason);
            let answer = answer_to(&self.server, refusal);
            return self.answer(request, peer, answer);
        }
        self.refresh = interval.map(|interval| (interval, Instant::now() + interval)).or(self.refresh);
        let answer = if invite || offered {
            accepted(peer, &mut self.recorded, interval, request)
        } else {
            refreshed(Answer::new(200), interval, request).with("Contact", &peer.contact())
        };
        let sent = self.server.answer_bytes(request, peer, answer, &self.dialog.id.local_tag);
        if let (true, Some(bytes)) = (invite, sent) {
            self.unacknowledged = Some((request.cseq, Repeated::sent(bytes, Instant::now())));
        }
    }

    /// What could not be read might have been a no: until it is clear again, nothing of the far side is kept.
    fn unreadable(&mut self, reason: &'static str) {
        self.server.means.exchange.declined("siprec", reason, Some(self.recorded.line().call()));
        self.recorded.doubt();
    }

    fn answer(&self, request: &Request, peer: &Peer, answer: Answer) {
        self.server.answer(request, peer, answer, &self.dialog.id.local_tag);
    }
}

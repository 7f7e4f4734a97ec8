//! What becomes of a message: which transaction, which dialog, which answer (RFC 3261 §8.2, §9.2, §12.2.2).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::dialog::DialogId;
use super::peer::Peer;
use super::recorded::Means;
use super::session;
use super::transactions::{Cancelled, Key, Seen, Transactions};
use crate::source::listen::Stop;
use crate::source::wire::sip::{Answer, Message, Request, Start, param};

/// Methods that we know what to do with.
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE";
/// Methods that exist and are not for us.
const KNOWN: [&str; 8] = ["REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "REFER", "INFO", "PRACK"];
/// Requests of one dialog that may wait.
const INBOX_MAX: usize = 32;
/// How often transactions are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a session is told.
pub enum Told {
    /// A request within its dialog.
    Request(Arc<Request>, Peer),
    /// Its 200 arrived.
    Acknowledged(u32),
    /// A request of ours has its answer: code and number.
    Answered(u16, u32),
}

struct Standing {
    inbox: mpsc::Sender<Told>,
    remote_tag: String,
}

/// The server: everything that its listeners and sessions share.
pub struct Server {
    /// What recordings need.
    pub means: Means,
    /// Ends everything.
    pub stop: Stop,
    transactions: Mutex<Transactions<Peer>>,
    dialogs: Mutex<HashMap<DialogId, Standing>>,
}

impl Server {
    /// A server without sessions.
    pub fn new(means: Means, stop: Stop) -> Arc<Server> {
        Arc::new(Server { means, stop, transactions: Mutex::default(), dialogs: Mutex::default() })
    }

    /// A message came. Never waits.
    pub fn receive(self: &Arc<Server>, bytes: &[u8], peer: &Peer) {
        let Ok(message) = Message::parse(bytes) else { return self.declined("malformed") };
        if let Start::Response { code } = message.start {
            return self.response(code, &message);
        }
        match Request::of(message) {
            Ok(request) => {
                let peer = peer.clone().answering(&request.hop);
                self.request(Arc::new(request), peer);
            }
            Err((message, _)) => {
                self.declined("malformed");
                // Without a Via an answer would not find its way; an ACK has none.
                if message.header("Via").is_some()
                    && !matches!(&message.start, Start::Request { method, .. } if method == "ACK")
                {
                    peer.send(&Answer::new(400).to(&message, peer.source, "malformed").into());
                }
            }
        }
    }

    fn declined(&self, reason: &'static str) {
        self.means.exchange.declined("siprec", reason, None);
    }

    /// An answer to a request of ours: our tag is in From.
    fn response(&self, code: u16, message: &Message) {
        let (call_id, from) = (message.header("Call-ID"), message.header("From"));
        let local_tag = from.and_then(|from| param(from, "tag"));
        let cseq = message.header("CSeq").and_then(|cseq| cseq.split_whitespace().next()?.parse().ok());
        if let (Some(call_id), Some(local_tag), Some(cseq)) = (call_id, local_tag, cseq) {
            let id = DialogId { call_id: call_id.to_owned(), local_tag };
            if let Some(standing) = self.dialogs().get(&id) {
                let _ = standing.inbox.try_send(Told::Answered(code, cseq));
            }
        }
    }

    fn request(self: &Arc<Server>, request: Arc<Request>, peer: Peer) {
        let now = Instant::now();
        if request.method == "ACK" {
            if !self.transactions().acknowledged(&Key::of(&request)) {
                self.acknowledged(&request);
            }
            return;
        }
        let seen = self.transactions().receive(&request, now);
        match seen {
            Seen::Again(Some(answer)) => return peer.send(&answer),
            Seen::Again(None) => return,
            Seen::Overfull => return self.declined("limit"),
            Seen::New => {}
        }
        match request.method.as_str() {
            "CANCEL" => self.cancel(&request, &peer),
            _ if request.to_tag.is_some() => self.within(request, peer),
            "INVITE" => self.invite(request, peer),
            method => {
                let answer = match method {
                    "OPTIONS" => capabilities(),
                    "BYE" | "UPDATE" => Answer::new(481),
                    method if KNOWN.contains(&method) => Answer::new(405).with("Allow", ALLOW),
                    _ => Answer::new(501).with("Allow", ALLOW),
                };
                self.answer(&request, &peer, answer, "");
            }
        }
    }

    /// Answers a request, unless it has its answer already.
    pub fn answer(&self, request: &Request, peer: &Peer, answer: Answer, tag: &str) {
        let _ = self.answer_bytes(request, peer, answer, tag);
    }

    /// Answers a request; what was sent, unless it has its answer already.
    pub fn answer_bytes(&self, request: &Request, peer: &Peer, answer: Answer, tag: &str) -> Option<Arc<[u8]>> {
        // An answer without a dialog has a tag as well; the same one for each repetition, since the answer is kept.
        let made: String;
        let tag = match tag {
            "" => {
                made = blake3::hash(format!("{} {}", request.call_id, request.from_tag).as_bytes()).to_hex()[..16]
                    .to_owned();
                &made
            }
            tag => tag,
        };
        let code = answer.code();
        let bytes: Arc<[u8]> = answer.to(&request.message, peer.source, tag).into();
        let again = (!peer.is_reliable()).then(|| peer.clone());
        if !self.transactions().answered(&Key::of(request), code, &bytes, again, Instant::now()) {
            return None;
        }
        peer.send(&bytes);
        Some(bytes)
    }

    fn cancel(&self, request: &Request, peer: &Peer) {
        let cancelled = self.transactions().cancel(&Key::cancelled(request));
        match cancelled {
            Cancelled::Unknown => return self.answer(request, peer, Answer::new(481), ""),
            Cancelled::Late => {}
            Cancelled::Now(invite) => self.answer(&invite, peer, Answer::new(487), ""),
        }
        self.answer(request, peer, Answer::new(200), "");
    }

    /// A request within a dialog.
    fn within(&self, request: Arc<Request>, peer: Peer) {
        let inbox = self.inbox(&request);
        let Some(inbox) = inbox else {
            return self.answer(&request, &peer, Answer::new(481), "");
        };
        if inbox.try_send(Told::Request(Arc::clone(&request), peer.clone())).is_err() {
            self.answer(&request, &peer, self.busy(), "");
        }
    }

    fn acknowledged(&self, request: &Request) {
        if let Some(inbox) = self.inbox(request) {
            let _ = inbox.try_send(Told::Acknowledged(request.cseq));
        }
    }

    /// The session that a request belongs to: Call-ID and both tags agree.
    fn inbox(&self, request: &Request) -> Option<mpsc::Sender<Told>> {
        let id = DialogId { call_id: request.call_id.clone(), local_tag: request.to_tag.clone()? };
        let dialogs = self.dialogs();
        dialogs
            .get(&id)
            .filter(|standing| standing.remote_tag == request.from_tag)
            .map(|standing| standing.inbox.clone())
    }

    /// An INVITE that begins something.
    fn invite(self: &Arc<Server>, request: Arc<Request>, peer: Peer) {
        if let Some(answer) = session::refused(&request) {
            self.declined("extension");
            return self.answer(&request, &peer, answer, "");
        }
        if self.stop.is_cancelled() {
            self.declined("draining");
            return self.answer(&request, &peer, self.busy(), "");
        }
        let Some(local_tag) = tag() else { return self.answer(&request, &peer, self.busy(), "") };
        let id = DialogId { call_id: request.call_id.clone(), local_tag };
        let (inbox, told) = mpsc::channel(INBOX_MAX);
        let refused = {
            let mut dialogs = self.dialogs();
            let again = |(known, standing): (&DialogId, &Standing)| {
                known.call_id == id.call_id && standing.remote_tag == request.from_tag
            };
            if dialogs.iter().any(again) {
                // The same call by two ways (RFC 3261 §8.2.2.2): recorded once.
                Some(("merged", Answer::new(482)))
            } else if dialogs.len() >= self.means.config.sessions_max {
                Some(("limit", self.busy()))
            } else {
                dialogs.insert(id.clone(), Standing { inbox, remote_tag: request.from_tag.clone() });
                None
            }
        };
        if let Some((reason, answer)) = refused {
            self.declined(reason);
            return self.answer(&request, &peer, answer, "");
        }
        self.answer(&request, &peer, Answer::new(100), "");
        tokio::spawn(session::run(Arc::clone(self), id, told, request, peer));
    }

    /// A session is over: what comes for it now is answered with 481.
    pub fn forget(&self, id: &DialogId) {
        self.dialogs().remove(id);
    }

    /// Sessions that stand.
    pub fn sessions(&self) -> usize {
        self.dialogs().len()
    }

    /// The answer of a server that has no room: another one may be tried, or this one later.
    pub fn busy(&self) -> Answer {
        Answer::new(503).with("Retry-After", &self.means.config.retry_after_s.to_string())
    }

    /// Repeats what has to be repeated, until all is over.
    pub async fn look_after(self: Arc<Server>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let due = self.transactions().due(Instant::now());
            for (bytes, peer) in due {
                peer.send(&bytes);
            }
            if self.stop.is_cancelled() && self.sessions() == 0 {
                return;
            }
        }
    }

    fn transactions(&self) -> std::sync::MutexGuard<'_, Transactions<Peer>> {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dialogs(&self) -> std::sync::MutexGuard<'_, HashMap<DialogId, Standing>> {
        self.dialogs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What we can do (RFC 3261 §11.2).
pub fn capabilities() -> Answer {
    Answer::new(200)
        .with("Allow", ALLOW)
        .with("Accept", "application/sdp, application/rs-metadata, application/rs-metadata+xml, multipart/mixed")
        .with("Supported", "siprec, timer")
}

/// A tag that nobody can guess: 128 bits.
pub fn tag() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

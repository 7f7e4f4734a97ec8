//! One call of an rtpengine, from its announcement to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::client::NgError;
use super::{Rtpengine, Wanted};
use crate::consent::{Event, Refusal};
use crate::source::exchange::{Arrival, CallLine, Declined, Party};
use crate::source::listen::Stop;
use crate::source::rtp::{Port, Receiver, Session, Stream};
use crate::source::wire::bencode::Value;
use crate::source::wire::ng::{Offer, Offered, Selector, Unusable, accept, find, lists, offer, transcoded};
use crate::source::wire::payload::Kind;

/// How often rtpengine is asked whether a call that was announced is there.
const FIND_EVERY: Duration = Duration::from_millis(250);
/// How often the doors are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often rtpengine is asked whether the agent still is in the call.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Rest after a subscription that failed.
const REST: Duration = Duration::from_secs(2);

/// A subscription to one party.
struct Subscription {
    to_tag: String,
    offered: Offered,
    /// rtpengine is asked to convert to µ-law.
    transcode: bool,
}

impl Subscription {
    fn stream(&self) -> Stream {
        let payloads = if self.transcode { transcoded() } else { self.offered.payloads.clone() };
        Stream { payloads, peer: self.offered.peer, prefers: None }
    }
}

/// A call that came to nothing.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) declined: Declined,
    /// The exchange declined it, and has counted it.
    pub(super) counted: bool,
}

impl From<Declined> for Failed {
    fn from(declined: Declined) -> Failed {
        Failed { declined, counted: false }
    }
}

/// Fetches the call, and records it until it is over, or `stop`.
pub(super) async fn follow(engine: &Arc<Rtpengine>, wanted: Wanted, stop: Stop) -> Result<(), Failed> {
    let found = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        found = parties(engine, &wanted) => found,
    };
    let (agent, customer) = found?;
    let taken = take(engine, wanted, agent, customer).await?;
    taken.run(engine, stop).await;
    Ok(())
}

/// The tags of the parties, when all of them are there.
async fn parties(engine: &Rtpengine, wanted: &Wanted) -> Result<(String, Option<String>), Declined> {
    let until = Instant::now() + Duration::from_secs(engine.config.wait_s.into());
    loop {
        let tag = |query: &Value<'_>, party: &Selector| find(query, party);
        let read = |query: &Value<'_>| {
            let customer = wanted.customer.as_ref().map(|customer| tag(query, customer));
            (tag(query, &wanted.agent), customer)
        };
        let found = engine.client.ask("query", vec![("call-id", wanted.call_id.as_str().into())], read).await;
        let why = match found {
            Ok((Some(agent), None)) => return Ok((agent, None)),
            Ok((Some(agent), Some(Some(customer)))) if agent != customer => return Ok((agent, Some(customer))),
            Ok(_) => ("unknown", "its parties are not there, or cannot be told apart"),
            Err(NgError::UnknownCall) => ("unknown", "rtpengine does not know the call"),
            Err(NgError::Gone) => ("unreachable", "rtpengine does not answer"),
            Err(NgError::Refused(_)) => ("refused", "rtpengine refuses to tell of the call"),
        };
        if Instant::now() >= until {
            return Err(Declined::new(why.0, why.1));
        }
        tokio::time::sleep(FIND_EVERY).await;
    }
}

/// A call that is being recorded.
struct Taken {
    call_id: String,
    session: Session,
    agent_tag: String,
    agent: Subscription,
    customer_tag: Option<String>,
    customer: Option<Subscription>,
    line_hz: u32,
    /// When the customer may be subscribed to again.
    again: Instant,
    /// How often in a row that failed: the rest between two tries doubles up to a minute.
    failed: u32,
}

/// Subscribes, begins the call, and lets the sound come.
async fn take(
    engine: &Arc<Rtpengine>,
    wanted: Wanted,
    agent_tag: String,
    customer_tag: Option<String>,
) -> Result<Taken, Failed> {
    let Wanted { call_id, mut arrival, .. } = wanted;
    let agent = subscribe(engine, &call_id, &agent_tag, None).await?;
    let both = customer_tag.as_ref().filter(|_| !engine.config.drop_before_decode);
    // Without the customer the agent is recorded all the same; it is tried again.
    let customer = match both {
        Some(tag) => subscribe(engine, &call_id, tag, None).await.ok(),
        None => None,
    };
    arrival.drop_before_decode = engine.config.drop_before_decode;
    let streams: Vec<Stream> =
        [Some(&agent), customer.as_ref()].into_iter().flatten().map(Subscription::stream).collect();
    let payloads: Vec<_> = streams.iter().map(|stream| &stream.payloads).collect();
    let begun = match Receiver::line_hz(&payloads) {
        Ok(line_hz) => begin(engine, arrival, agent.stream(), customer.as_ref().map(Subscription::stream))
            .await
            .map(|begun| (begun, line_hz)),
        Err(declined) => Err(declined.into()),
    };
    let (begun, line_hz) = match begun {
        Ok(begun) => begun,
        Err(failed) => {
            for subscription in [Some(&agent), customer.as_ref()].into_iter().flatten() {
                unsubscribe(engine, &call_id, &subscription.to_tag).await;
            }
            return Err(failed);
        }
    };
    let Began { session, agent_at, customer_at } = begun;
    let mut taken =
        Taken { call_id, session, agent_tag, agent, customer_tag, customer, line_hz, again: Instant::now(), failed: 0 };
    if let Err(declined) = answer(engine, &taken.call_id, &taken.agent, agent_at).await {
        taken.end(engine).await;
        return Err(declined.into());
    }
    if let (Some(customer), Some(at)) = (taken.customer.as_ref(), customer_at)
        && answer(engine, &taken.call_id, customer, at).await.is_err()
    {
        taken.shut(engine).await;
    }
    Ok(taken)
}

struct Began {
    session: Session,
    agent_at: SocketAddr,
    customer_at: Option<SocketAddr>,
}

/// Binds the ports and begins the call, where that may block.
async fn begin(
    engine: &Arc<Rtpengine>,
    arrival: Arrival,
    agent: Stream,
    customer: Option<Stream>,
) -> Result<Began, Failed> {
    let engine = Arc::clone(engine);
    let begun = tokio::task::spawn_blocking(move || {
        let bound = |stream| engine.receiver.bind().map(|port: Port| (port, stream));
        let (agent, customer) = (bound(agent)?, customer.map(bound).transpose()?);
        let (agent_at, customer_at) = (agent.0.address(), customer.as_ref().map(|(port, _)| port.address()));
        // That there is a codec was made sure of: what declines here is the exchange.
        let session = engine.receiver.begin(&*engine.exchange, arrival, Some(agent), customer);
        let session = session.map_err(|declined| Failed { declined, counted: true })?;
        Ok(Began { session, agent_at, customer_at })
    });
    begun.await.unwrap_or_else(|_| Err(Declined::new("bug", "beginning the call failed").into()))
}

/// Asks for the stream of one party. With `line_hz`, what does not fit that line is to be converted.
async fn subscribe(
    engine: &Rtpengine,
    call_id: &str,
    tag: &str,
    line_hz: Option<u32>,
) -> Result<Subscription, Declined> {
    let entries = vec![
        ("call-id", call_id.into()),
        ("from-tag", tag.into()),
        ("flags", Value::texts(["SIPREC"])), // labels in the answer
    ];
    let read = |answer: &Value<'_>| (offer(answer, tag), answer.text("to-tag").map(str::to_owned));
    let asked = match engine.client.ask("subscribe request", entries, read).await {
        Ok((Err(unusable), Some(to_tag))) => {
            unsubscribe(engine, call_id, &to_tag).await;
            Ok(Err(unusable))
        }
        Ok((offer, _)) => Ok(offer),
        Err(error) => Err(error),
    };
    let Offer { to_tag, media: offered } = match asked {
        Ok(Ok(offer)) => offer,
        Ok(Err(Unusable::Layout)) => {
            return Err(Declined::new("layout", "rtpengine offers another party than was asked for"));
        }
        Ok(Err(Unusable::Transport)) => return Err(Declined::new("transport", "rtpengine offers no plain RTP")),
        Ok(Err(Unusable::Malformed)) => return Err(Declined::new("malformed", "rtpengine's offer cannot be read")),
        Err(error) => return Err(declined(error)),
    };
    let transcode = !is_readable(&offered, line_hz);
    Ok(Subscription { to_tag, offered, transcode })
}

/// Whether all that may come can be laid on the line.
fn is_readable(offered: &Offered, line_hz: Option<u32>) -> bool {
    let mut sound = false;
    let readable = offered.formats.iter().all(|format| match offered.payloads.kind(*format) {
        None => false,
        Some(Kind::Sound(codec)) => {
            sound = true;
            line_hz.is_none_or(|line_hz| line_hz % codec.rate_hz() == 0)
        }
        Some(Kind::Keys { .. } | Kind::ComfortNoise) => true,
    });
    readable && sound
}

/// Lets it come to a port.
async fn answer(
    engine: &Rtpengine,
    call_id: &str,
    subscription: &Subscription,
    at: SocketAddr,
) -> Result<(), Declined> {
    let sdp = accept(&subscription.offered, at, subscription.transcode);
    let mut entries = vec![
        ("call-id", call_id.into()),
        ("to-tag", subscription.to_tag.as_str().into()),
        ("sdp", sdp.as_str().into()),
    ];
    if subscription.transcode {
        entries.push(("flags", Value::texts(["allow transcoding"])));
    }
    engine.client.ask("subscribe answer", entries, |_| ()).await.map_err(declined)
}

async fn unsubscribe(engine: &Rtpengine, call_id: &str, to_tag: &str) {
    let entries = vec![("call-id", call_id.into()), ("to-tag", to_tag.into())];
    // If it fails, the call is gone there or rtpengine is: its packets find a closed port.
    let _ = engine.client.ask("unsubscribe", entries, |_| ()).await;
}

fn declined(error: NgError) -> Declined {
    match error {
        NgError::Gone => Declined::new("unreachable", "rtpengine does not answer"),
        NgError::UnknownCall => Declined::new("unknown", "rtpengine does not know the call"),
        NgError::Refused(why) => Declined::new("refused", format!("rtpengine refuses: {why}")),
    }
}

impl Taken {
    async fn run(mut self, engine: &Arc<Rtpengine>, stop: Stop) {
        let (over, answers) = (stop.child_token(), Arc::new(AtomicBool::new(true)));
        let line = self.session.line().clone();
        let watch = Watch {
            engine: Arc::clone(engine),
            call_id: self.call_id.clone(),
            agent_tag: self.agent_tag.clone(),
            line: line.clone(),
            answers: Arc::clone(&answers),
            over: over.clone(),
        };
        tokio::spawn(watch.run());
        let [idle, silent] = [engine.config.idle_s, engine.config.silent_s].map(|s| Duration::from_secs(s.into()));
        while !over.is_cancelled() && !line.is_over() {
            self.steer(engine).await;
            let silent_for = self.session.silent_for();
            if silent_for >= silent || silent_for >= idle && !answers.load(Ordering::Relaxed) {
                break;
            }
            tokio::select! {
                () = over.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        over.cancel();
        if !engine.stop.is_cancelled() {
            line.say(Event::HungUp);
        }
        self.end(engine).await;
    }

    /// Subscribes to the customer, or no longer, as the doors stand.
    async fn steer(&mut self, engine: &Arc<Rtpengine>) {
        let Some(tag) = self.customer_tag.clone() else { return };
        let line = self.session.line();
        let wanted = line.customer_wanted() || !(engine.config.drop_before_decode || line.customer_refused());
        if !wanted && self.customer.is_some() {
            self.shut(engine).await;
        } else if wanted && self.customer.is_none() && Instant::now() >= self.again {
            self.open(engine, &tag).await;
            self.failed = if self.customer.is_some() { 0 } else { (self.failed + 1).min(5) };
            self.again = Instant::now() + REST * (1 << self.failed);
        }
    }

    /// Closes the customer's port, and then has rtpengine stop sending.
    async fn shut(&mut self, engine: &Rtpengine) {
        self.session.shut(Party::Customer);
        if let Some(customer) = self.customer.take() {
            unsubscribe(engine, &self.call_id, &customer.to_tag).await;
        }
    }

    /// Subscribes to the customer. If that fails it is tried again later: meanwhile that side is missing.
    async fn open(&mut self, engine: &Rtpengine, tag: &str) {
        let Ok(customer) = subscribe(engine, &self.call_id, tag, Some(self.line_hz)).await else { return };
        let answered = match engine.receiver.bind() {
            Ok(port) => {
                let at = port.address();
                self.session.open(Party::Customer, port, customer.stream());
                answer(engine, &self.call_id, &customer, at).await
            }
            Err(declined) => Err(declined),
        };
        self.customer = Some(customer);
        if answered.is_err() {
            self.shut(engine).await;
        }
    }

    /// Closes both ports, which ends the call's legs, and then all subscriptions.
    async fn end(self, engine: &Rtpengine) {
        let Taken { session, call_id, agent, customer, .. } = self;
        drop(session);
        for subscription in [Some(&agent), customer.as_ref()].into_iter().flatten() {
            unsubscribe(engine, &call_id, &subscription.to_tag).await;
        }
    }
}

/// Asks whether the call still is.
struct Watch {
    engine: Arc<Rtpengine>,
    call_id: String,
    agent_tag: String,
    line: CallLine,
    /// Whether rtpengine answered the last time.
    answers: Arc<AtomicBool>,
    over: Stop,
}

impl Watch {
    /// Until it is over.
    async fn run(self) {
        let mut was_listed = false;
        loop {
            // About the agent, not the call: that stays known as long as it has our subscriptions, deleted or not.
            let about = vec![("call-id", self.call_id.as_str().into()), ("from-tag", self.agent_tag.as_str().into())];
            let listed = self.engine.client.ask("query", about, |answer| lists(answer, &self.agent_tag)).await;
            match listed {
                Err(NgError::UnknownCall) => return self.over.cancel(),
                // One that never lists the agent does not speak of what was asked.
                Ok(Some(false)) if was_listed => return self.over.cancel(),
                Ok(Some(true)) => was_listed = true,
                Ok(_) | Err(NgError::Gone | NgError::Refused(_)) => {}
            }
            let gone = listed == Err(NgError::Gone);
            if self.answers.swap(!gone, Ordering::Relaxed) && gone {
                // For the record of the call: what it sends goes on being recorded.
                let said = "rtpengine does not answer".into();
                self.line.say(Event::Unusable { said, refusal: Refusal::UnknownEvent });
            }
            tokio::select! {
                () = self.over.cancelled() => return,
                () = tokio::time::sleep(WATCH_EVERY) => {}
            }
        }
    }
}

//! Connections of Twilio and Telnyx: sound in JSON, with time stamps, both tracks on one connection.

use std::sync::Arc;

use tokio::time::Instant;
use zeroize::{Zeroize, Zeroizing};

use super::link::{Came, Link};
use super::playout::{Line, Piece, Put, Track as Waiting};
use super::route::Route;
use super::{FIRST_WITHIN, Shared, TICK, call_named};
use crate::consent::Event;
use crate::ring::Why;
use crate::source::exchange::{Arrival, Arriving, Begun, CallLine, Declined, Leg, Legs, Party, Placing};
use crate::source::wire::media_stream::{Media, Message, Start, Track, parse};
use crate::source::wire::sample::Encoding;
use crate::split::Finding;

/// Most messages in a row that cannot be used: beyond, the other side speaks something else.
const GARBLED_MAX: u32 = 100;

/// Serves a connection to its end.
pub(super) async fn serve(mut link: Link, shared: Arc<Shared>, route: Arc<Route>, agent: Track, reorder_ms: u32) {
    let start = match first(&mut link).await {
        Ok(Some(start)) => start,
        Ok(None) => return,
        Err(declined) => {
            shared.exchange.declined(route.dialect.source(), declined.reason, None);
            return link.close().await;
        }
    };
    let call = match call_named(&route.call, start.call.as_deref(), start.stream.as_deref(), None, &start.parameters) {
        Ok(call) => call,
        Err(declined) => {
            shared.exchange.declined(route.dialect.source(), declined.reason, None);
            return link.close().await;
        }
    };
    // One that is declined is counted already.
    if let Ok(Begun { line, legs }) = begin(&shared, &route, agent, &start, call, reorder_ms).await {
        for event in route.heeded.events(&start.parameters, "websocket") {
            line.say(event);
        }
        let stream = Stream::new(&route, agent, &start, legs, line, reorder_ms);
        carry(&mut link, &route, stream).await;
    }
    link.close().await;
}

async fn first(link: &mut Link) -> Result<Option<Start>, Declined> {
    let until = Instant::now() + FIRST_WITHIN;
    loop {
        match link.next(until).await {
            Came::Text(text) => match parse(&text) {
                Ok(Message::Start(start)) => return Ok(Some(start)),
                Ok(Message::Connected | Message::Unknown) => {}
                Ok(_) => return Err(Declined::new("layout", "sound came before the stream began")),
                Err(fault) => return Err(Declined::new("garbled", fault.to_string())),
            },
            Came::Binary(_) => return Err(Declined::new("layout", "a media stream has no binary messages")),
            Came::Tick => return Err(Declined::new("silent", "the stream did not begin")),
            Came::End => return Ok(None),
        }
    }
}

async fn begin(
    shared: &Arc<Shared>,
    route: &Route,
    agent: Track,
    start: &Start,
    call: String,
    reorder_ms: u32,
) -> Result<Begun, Declined> {
    let sound = match (start.tracks.is_empty(), start.tracks.contains(&agent), start.tracks.contains(&agent.other())) {
        (true, _, _) | (_, true, true) => Arriving::Apart(Placing::Stamped),
        (_, true, false) => Arriving::AgentAlone(Placing::Stamped),
        (_, false, _) => {
            shared.exchange.declined(route.dialect.source(), "side", Some(&call));
            return Err(Declined::new("side", "the agent's track is not among those of the stream"));
        }
    };
    let parties = if let Arriving::Apart(_) = sound { "two tracks" } else { "the agent's track alone" };
    let arrival = Arrival {
        encoding: format!("{}: {} {} Hz, {parties}", route.dialect.name(), start.encoding, start.rate_hz),
        // What waits for its turn here is not in the ring yet.
        worst_ms: route.worst_ms.max(reorder_ms),
        drop_before_decode: route.drop_before_decode,
        agent: route.heeded.agent(&start.parameters),
        number: route.heeded.number(&start.parameters),
        ..Arrival::new(call, route.dialect.source(), start.rate_hz, sound)
    };
    let exchange = Arc::clone(&shared.exchange);
    let begun = tokio::task::spawn_blocking(move || exchange.begin(arrival));
    begun.await.unwrap_or_else(|_| Err(Declined::new("bug", "beginning the call failed")))
}

/// Carries sound and keys until one side ends it.
async fn carry(link: &mut Link, route: &Route, mut stream: Stream) {
    let mut tick = Instant::now() + TICK;
    let mut garbled = 0;
    loop {
        match link.next(tick).await {
            Came::Text(text) => match parse(&text) {
                Ok(Message::Media(media)) => {
                    garbled = 0;
                    if let Err(what) = stream.media(&media) {
                        stream.line.contradict(Finding::LayoutMismatch { what: what.into() });
                        return;
                    }
                }
                Ok(Message::Digit { digit, track }) => {
                    if let Some(party) = stream.presser(track).or(route.digits) {
                        stream.line.digit(party, digit, None)
                    }
                }
                Ok(Message::Start(_)) => {
                    let what = "the stream began a second time".into();
                    stream.line.contradict(Finding::LayoutMismatch { what });
                    return;
                }
                Ok(Message::Stop) => return stream.end(),
                Ok(Message::Connected | Message::Mark | Message::Unknown) => {}
                Err(_) => {
                    // It may have been the key that means no.
                    stream.line.say(Event::Held);
                    garbled += 1;
                    if garbled > GARBLED_MAX {
                        return stream.end();
                    }
                }
            },
            Came::Binary(_) => {
                stream.line.contradict(Finding::LayoutMismatch { what: "a media stream sent bytes".into() });
                return;
            }
            Came::Tick => {}
            Came::End => return stream.end(),
        }
        if Instant::now() >= tick {
            tick = Instant::now() + TICK;
            stream.lay_on();
            if stream.line.is_closing() || stream.line.is_over() {
                return stream.end();
            }
        }
    }
}

/// A call's two tracks.
struct Stream {
    line: CallLine,
    agent_track: Track,
    encoding: Encoding,
    rate_hz: u32,
    drop_before_decode: bool,
    placed: Line,
    /// The time stamp at which the line begins, ms.
    first_ms: Option<u64>,
    reorder_ms: u64,
    began: std::time::Instant,
    agent: (Waiting, Leg),
    customer: Option<(Waiting, Leg)>,
    samples: Zeroizing<Vec<i16>>,
}

impl Stream {
    fn new(route: &Route, agent: Track, start: &Start, legs: Legs, line: CallLine, reorder_ms: u32) -> Stream {
        let (agent_leg, customer) = match legs {
            Legs::Apart { agent, customer } => (agent, Some((Waiting::default(), customer))),
            Legs::AgentAlone(leg) | Legs::Interleaved(leg) => (leg, None),
        };
        Stream {
            line,
            agent_track: agent,
            encoding: start.encoding,
            rate_hz: start.rate_hz,
            drop_before_decode: route.drop_before_decode,
            placed: Line::new(start.rate_hz, reorder_ms, route.worst_ms),
            first_ms: None,
            reorder_ms: reorder_ms.into(),
            began: std::time::Instant::now(),
            agent: (Waiting::default(), agent_leg),
            customer,
            samples: Zeroizing::default(),
        }
    }

    fn presser(&self, track: Option<Track>) -> Option<Party> {
        track.map(|track| if track == self.agent_track { Party::Agent } else { Party::Customer })
    }

    /// Puts a message of sound at its place.
    fn media(&mut self, media: &Media<'_>) -> Result<(), &'static str> {
        let now = std::time::Instant::now();
        let timestamp_ms = media.timestamp_ms.ok_or("sound without a time stamp")?;
        // The line begins a little before the first sound: what belongs before it may still come.
        let first_ms = *self.first_ms.get_or_insert(timestamp_ms.saturating_sub(self.reorder_ms));
        let place_ms = timestamp_ms.saturating_sub(first_ms);
        let at = place_ms.checked_mul(u64::from(self.rate_hz)).ok_or("a time stamp of another stream")? / 1_000;
        let frames = media.frames() as u64;
        let (party, undecoded) = match media.track == self.agent_track {
            true => (&mut self.agent, false),
            false => {
                let undecoded = self.drop_before_decode && !self.line.customer_wanted();
                (self.customer.as_mut().ok_or("a track that was not announced")?, undecoded)
            }
        };
        let sound = if undecoded { Err(frames) } else { Ok(media.bytes().map_err(|fault| fault.0)?) };
        match party.0.put(at, sound, self.rate_hz) {
            Put::Refused => return Err("sound that is too far ahead of its stream"),
            Put::Twice => {}
            Put::Waits | Put::Late => {
                party.1.pace(frames, now);
                self.placed.came(at.saturating_add(frames), nanos(self.began, now));
            }
        }
        self.lay_on();
        Ok(())
    }

    /// Lays both tracks as far as the line may go.
    fn lay_on(&mut self) {
        let target = self.placed.target(nanos(self.began, std::time::Instant::now()));
        self.lay(target);
    }

    fn lay(&mut self, target: u64) {
        let (encoding, samples) = (self.encoding, &mut self.samples);
        for (waiting, leg) in [Some(&mut self.agent), self.customer.as_mut()].into_iter().flatten() {
            waiting.lay(target, |piece| match piece {
                Piece::Sound(bytes) => {
                    samples.resize(bytes.len(), 0);
                    encoding.decode(bytes, samples);
                    leg.sound(samples);
                    samples.zeroize();
                }
                Piece::Undecoded(frames) => leg.missing(frames, Why::Undecoded),
                Piece::Lost(frames) => leg.missing(frames, Why::Source),
                Piece::Absent(frames) => leg.missing(frames, Why::Absent),
            });
        }
    }

    /// The stream has ended: what still waits is laid.
    fn end(mut self) {
        self.lay(self.placed.newest());
    }
}

fn nanos(from: std::time::Instant, now: std::time::Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}

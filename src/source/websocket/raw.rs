//! Connections of plain sound: a text that says what it is, then bytes. FreeSWITCH, jambonz and Asterisk do so; they
//! differ in their texts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::lay::Layer;
use super::link::{Came, Link};
use super::route::{Dialect, Route, Side};
use super::{FIRST_WITHIN, Shared, TICK, call_named};
use crate::consent::Event;
use crate::source::exchange::{Arrival, Arriving, Begun, CallLine, Declined, Exchange, Party, Placing};
use crate::source::wire::audio_stream::{self, Mix};
use crate::source::wire::chan_websocket;
use crate::source::wire::json::Words;
use crate::source::wire::sample::Encoding;
use crate::split::{AgentChannel, ChannelMap, Finding};

/// What the first text says.
#[derive(Debug, PartialEq)]
struct Facts {
    call: String,
    encoding: Encoding,
    rate_hz: u32,
    words: Words,
}

/// What a later text says.
enum Later {
    Digit(char),
    Garbled,
    Other,
}

/// Serves a connection to its end.
pub(super) async fn serve(mut link: Link, shared: Arc<Shared>, route: Arc<Route>, side: Side) {
    let facts = match first(&mut link, &route, side).await {
        Ok(Some(facts)) => facts,
        Ok(None) => return,
        Err(declined) => {
            shared.exchange.declined(route.dialect.source(), declined.reason, None);
            return link.close().await;
        }
    };
    let (events, call) = (route.heeded.events(&facts.words, "websocket"), facts.call.clone());
    match begin(&shared, &route, side, facts).await {
        Ok((layer, line)) => {
            for event in events {
                line.say(event);
            }
            carry(&mut link, &route, side, layer, &line).await;
            if let Side::One(_) = side {
                shared.rendezvous.left(&line);
            }
        }
        // What came to nothing in the exchange is counted there.
        Err((declined, false)) => shared.exchange.declined(route.dialect.source(), declined.reason, Some(&call)),
        Err((_, true)) => {}
    }
    link.close().await;
}

/// Waits for the text that says what this is. `None`: the connection ended before it said anything.
async fn first(link: &mut Link, route: &Route, side: Side) -> Result<Option<Facts>, Declined> {
    let until = Instant::now() + FIRST_WITHIN;
    loop {
        match link.next(until).await {
            Came::Text(text) => {
                if let Some(facts) = facts(route, side, &text)? {
                    return Ok(Some(facts));
                }
            }
            Came::Binary(_) => return Err(Declined::new("layout", "sound came before it was said what it is")),
            Came::Tick => return Err(Declined::new("silent", "the connection did not say what it is")),
            Came::End => return Ok(None),
        }
    }
}

/// What a first text says; `None` if it says nothing yet.
fn facts(route: &Route, side: Side, text: &str) -> Result<Option<Facts>, Declined> {
    let garbled = |fault: crate::source::wire::json::Fault| Declined::new("garbled", fault.to_string());
    match route.dialect {
        Dialect::ChanWebsocket { .. } => match chan_websocket::parse(text).map_err(garbled)? {
            chan_websocket::Message::Start(start) => {
                let connection = start.connection_id.as_deref();
                let call = call_named(&route.call, Some(&start.channel_id), connection, None, &start.variables)?;
                let (encoding, rate_hz) = (start.encoding, start.rate_hz);
                Ok(Some(Facts { call, encoding, rate_hz, words: start.variables }))
            }
            _ => Ok(None),
        },
        Dialect::AudioStream { rate_hz, .. } => {
            let first = audio_stream::parse_first(text).map_err(garbled)?;
            let mix_fits = match first.mix {
                None => true,
                Some(Mix::Mono) => side.channels() == 1,
                Some(Mix::Stereo) => side.channels() == 2,
                Some(Mix::Mixed) => false,
            };
            if !mix_fits {
                return Err(Declined::new("layout", "the parties do not lie in the sound as this path says"));
            }
            let rate_hz = match (rate_hz, first.rate_hz) {
                (Some(said), Some(other)) if said != other => {
                    return Err(Declined::new("layout", "the stream has another rate than this path says"));
                }
                (Some(rate), _) | (None, Some(rate)) if (8_000..=48_000).contains(&rate) => rate,
                _ => {
                    return Err(Declined::new("layout", "the stream's rate is not known, or not between 8 and 48 kHz"));
                }
            };
            let id = first.words.get("callSid").map(String::as_str);
            let call = call_named(&route.call, id, None, first.plain.as_deref(), &first.words)?;
            Ok(Some(Facts { call, encoding: Encoding::S16, rate_hz, words: first.words }))
        }
        Dialect::MediaStream { .. } => Err(Declined::new("bug", "a media stream is served elsewhere")),
    }
}

/// The call's legs, or why there are none and whether the exchange knows it.
async fn begin(
    shared: &Arc<Shared>,
    route: &Arc<Route>,
    side: Side,
    facts: Facts,
) -> Result<(Layer, CallLine), (Declined, bool)> {
    let (shared, route) = (Arc::clone(shared), Arc::clone(route));
    let begun = tokio::task::spawn_blocking(move || {
        let exchange = Asked { exchange: &*shared.exchange, was_asked: AtomicBool::new(false) };
        let begun = begin_with(&exchange, &shared, &route, side, &facts);
        begun.map_err(|declined| (declined, exchange.was_asked.load(Ordering::Relaxed)))
    });
    begun.await.unwrap_or_else(|_| Err((Declined::new("bug", "beginning the call failed"), false)))
}

fn begin_with(
    exchange: &Asked<'_>,
    shared: &Shared,
    route: &Route,
    side: Side,
    facts: &Facts,
) -> Result<(Layer, CallLine), Declined> {
    let arrival = arrival(route, side, facts)?;
    let (encoding, dropping) = (facts.encoding, route.drop_before_decode);
    if let Side::One(party) = side {
        let (leg, line) = shared.rendezvous.leg(exchange, arrival, party, std::time::Instant::now())?;
        return Ok((Layer::one(leg, party, line.clone(), encoding, dropping), line));
    }
    let begun = exchange.begin(arrival)?;
    Ok((Layer::of(begun.legs, side, begun.line.clone(), encoding, dropping), begun.line))
}

/// An exchange, and whether it was asked to begin a call.
struct Asked<'a> {
    exchange: &'a dyn Exchange,
    was_asked: AtomicBool,
}

impl Exchange for Asked<'_> {
    fn admits(&self, arrival: &Arrival) -> Result<(), Declined> {
        self.exchange.admits(arrival)
    }

    fn begin(&self, arrival: Arrival) -> Result<Begun, Declined> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.exchange.begin(arrival)
    }

    fn declined(&self, source: &'static str, reason: &'static str, call: Option<&str>) {
        self.exchange.declined(source, reason, call);
    }
}

fn arrival(route: &Route, side: Side, facts: &Facts) -> Result<Arrival, Declined> {
    let placing = Placing::ByArrival { burst_ms: route.burst_ms };
    let sound = match side {
        Side::One(_) => Arriving::Apart(placing),
        Side::AgentAlone => Arriving::AgentAlone(placing),
        Side::Stereo { .. } if route.drop_before_decode => Arriving::Apart(placing),
        Side::Stereo { agent_channel } => {
            let map = ChannelMap::new(AgentChannel(agent_channel), 2);
            Arriving::Interleaved(map.map_err(|error| Declined::new("layout", error.to_string()))?, placing)
        }
    };
    let parties = match side {
        Side::One(_) => "a connection for each party",
        Side::AgentAlone => "the agent alone",
        Side::Stereo { .. } => "stereo",
    };
    Ok(Arrival {
        encoding: format!("{}: {} {} Hz, {parties}", route.dialect.name(), facts.encoding, facts.rate_hz),
        worst_ms: route.worst_ms,
        drop_before_decode: route.drop_before_decode,
        agent: route.heeded.agent(&facts.words),
        number: route.heeded.number(&facts.words),
        ..Arrival::new(facts.call.clone(), route.dialect.source(), facts.rate_hz, sound)
    })
}

/// Carries sound and keys until one side ends it.
async fn carry(link: &mut Link, route: &Route, side: Side, mut layer: Layer, line: &CallLine) {
    let digits = side.party().or(route.digits);
    let mut tick = Instant::now() + TICK;
    loop {
        match link.next(tick).await {
            Came::Binary(bytes) => {
                if layer.sound(&bytes, std::time::Instant::now()).is_err() {
                    let what = format!("a message of {} bytes does not hold whole samples", bytes.len());
                    line.contradict(Finding::LayoutMismatch { what });
                    return;
                }
            }
            Came::Text(text) => match (later(route.dialect, &text), digits) {
                (Later::Digit(digit), Some(party)) => line.digit(party, digit, None),
                // It may have been the key that means no.
                (Later::Garbled, Some(Party::Customer)) => line.say(Event::Held),
                _ => {}
            },
            Came::Tick => {}
            Came::End => return,
        }
        if Instant::now() >= tick {
            tick = Instant::now() + TICK;
            if line.is_over() {
                return;
            }
        }
    }
}

fn later(dialect: Dialect, text: &str) -> Later {
    match dialect {
        Dialect::ChanWebsocket { .. } => match chan_websocket::parse(text) {
            Ok(chan_websocket::Message::Digit(digit)) => Later::Digit(digit),
            Ok(_) => Later::Other,
            Err(_) => Later::Garbled,
        },
        _ => match audio_stream::parse(text) {
            audio_stream::Text::Digit(digit) => Later::Digit(digit),
            audio_stream::Text::Garbled => Later::Garbled,
            audio_stream::Text::Other => Later::Other,
        },
    }
}

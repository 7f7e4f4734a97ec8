//! One AudioHook session: open → opened, sound and pauses, close → closed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use zeroize::{Zeroize, Zeroizing};

use super::Shared;
use crate::consent::Event;
use crate::source::exchange::{Arrival, Arriving, Begun, CallLine, Declined, Leg, Legs, Party, Placing};
use crate::source::websocket::link::{Came, Link};
use crate::source::wire::audiohook::{Message, Offer, Open, Said, Sequence, opened, parse};
use crate::source::wire::json::Fault;
use crate::source::wire::sample::Encoding;
use crate::split::{AgentChannel, ChannelMap, Finding};

/// Time until the client opens the session.
const OPEN_WITHIN: Duration = Duration::from_secs(5);
/// Time until the client closes it when we ask it to.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);
/// How often a session looks how its call stands.
const TICK: Duration = Duration::from_millis(50);
/// How far what was declared may be from what came, nanoseconds of sound.
const POSITION_SLACK_NANOS: u64 = 1_000_000_000;
/// The name in metrics.
const SOURCE: &str = "audiohook";

/// What the request named.
pub(super) struct Named {
    pub(super) organization: Option<String>,
    pub(super) session: Option<String>,
}

/// Why a session comes to an end before the client wants it to.
enum Quit {
    /// The connection is gone.
    Gone,
    /// We ask the client to go: the reason of the protocol's `disconnect`.
    Ask(&'static str, &'static str),
}

/// Serves a session to its end.
pub(super) async fn serve(mut link: Link, shared: Arc<Shared>, named: Named) {
    let mut sequence = Sequence::new(named.session);
    let quit = match open(&mut link, &mut sequence, named.organization.as_deref()).await {
        Ok(open) if open.conversation_id.is_none() => probe(&mut link, &mut sequence, &open).await,
        Ok(open) => conversation(&mut link, &shared, &mut sequence, *open).await,
        Err(quit) => {
            shared.exchange.declined(SOURCE, "garbled", None);
            quit
        }
    };
    if let Quit::Ask(reason, info) = quit {
        disconnect(&mut link, &mut sequence, reason, info).await;
    }
    link.close().await;
}

/// Waits for the `open`.
async fn open(link: &mut Link, sequence: &mut Sequence, organization: Option<&str>) -> Result<Box<Open>, Quit> {
    let until = Instant::now() + OPEN_WITHIN;
    let message = match link.next(until).await {
        Came::Text(text) => accepted(sequence, &text).map_err(|fault| Quit::Ask("error", fault.0))?,
        Came::Binary(_) => return Err(Quit::Ask("error", "sound came before the session was opened")),
        Came::Tick => return Err(Quit::Ask("error", "the session was not opened in time")),
        Came::End => return Err(Quit::Gone),
    };
    let Said::Open(open) = message.said else {
        return Err(Quit::Ask("error", "the session does not begin with an open"));
    };
    if organization.is_some_and(|named| named != open.organization_id) {
        return Err(Quit::Ask("unauthorized", "the organization is not that of the request"));
    }
    Ok(open)
}

fn accepted(sequence: &mut Sequence, text: &str) -> Result<Message, Fault> {
    let message = parse(text)?;
    sequence.accept(&message)?;
    Ok(message)
}

/// A probe tests the connection: it is opened and closed, and carries nothing.
async fn probe(link: &mut Link, sequence: &mut Sequence, open: &Open) -> Quit {
    let chosen = open.offers.iter().find(|offer| offer.is_pcmu());
    if !link.send(sequence.message("opened", opened(chosen, true))).await {
        return Quit::Gone;
    }
    closed(link, sequence).await
}

/// Waits until the client closes, and answers what it asks meanwhile.
async fn closed(link: &mut Link, sequence: &mut Sequence) -> Quit {
    let until = Instant::now() + CLOSE_WITHIN;
    while Instant::now() < until {
        let answer = match link.next(until).await {
            Came::Text(text) => match accepted(sequence, &text).map(|message| message.said) {
                Ok(Said::Close) => {
                    link.send(sequence.message("closed", json!({}))).await;
                    return Quit::Gone;
                }
                Ok(Said::Ping) => Some(sequence.message("pong", json!({}))),
                Ok(_) => None,
                Err(_) => return Quit::Gone,
            },
            Came::Binary(_) => None,
            Came::Tick | Came::End => return Quit::Gone,
        };
        if let Some(answer) = answer
            && !link.send(answer).await
        {
            return Quit::Gone;
        }
    }
    Quit::Gone
}

async fn disconnect(link: &mut Link, sequence: &mut Sequence, reason: &str, info: &str) {
    if link.send(sequence.message("disconnect", json!({"reason": reason, "info": info}))).await {
        closed(link, sequence).await;
    }
}

async fn conversation(link: &mut Link, shared: &Arc<Shared>, sequence: &mut Sequence, open: Open) -> Quit {
    let events = shared.config.heeded.events(&open.words, SOURCE);
    let (begun, offer) = match begin(shared, open).await {
        Ok(begun) => begun,
        Err(_) => {
            // It is counted already; and not recorded is no fault of the switch's.
            return Quit::Ask("completed", "not recorded");
        }
    };
    let line = begun.line.clone();
    for event in events {
        line.say(event);
    }
    let channels = offer.channels.len();
    let paused = line.stopped();
    if !link.send(sequence.message("opened", opened(Some(&offer), paused))).await {
        return Quit::Gone;
    }
    let (Legs::Interleaved(leg) | Legs::AgentAlone(leg)) = begun.legs else {
        return Quit::Ask("error", "internal");
    };
    let session = Session {
        line,
        leg,
        channels,
        asked_to_pause: paused,
        is_paused: paused,
        came_nanos: 0,
        discarded_nanos: 0,
        samples: Zeroizing::default(),
    };
    session.carry(link, sequence).await
}

/// Chooses what is to be sent, and begins the call.
async fn begin(shared: &Arc<Shared>, open: Open) -> Result<(Begun, Offer), Declined> {
    let config = &shared.config;
    let (offer, sound) = chosen(&open.offers, config.drop_before_decode, config.burst_ms).inspect_err(|declined| {
        shared.exchange.declined(SOURCE, declined.reason, open.conversation_id.as_deref());
    })?;
    let parties = if let Arriving::AgentAlone(_) = sound { "the agent alone" } else { "stereo" };
    let arrival = Arrival {
        encoding: format!("audiohook: PCMU 8000 Hz, {parties}"),
        worst_ms: config.worst_ms,
        drop_before_decode: config.drop_before_decode,
        agent: config.heeded.agent(&open.words),
        number: open.number.or_else(|| config.heeded.number(&open.words)),
        ..Arrival::new(open.conversation_id.unwrap_or_default(), SOURCE, 8_000, sound)
    };
    let exchange = Arc::clone(&shared.exchange);
    let begun = tokio::task::spawn_blocking(move || exchange.begin(arrival)).await;
    Ok((begun.unwrap_or_else(|_| Err(Declined::new("bug", "beginning the call failed")))?, offer))
}

fn chosen(offers: &[Offer], agent_alone: bool, burst_ms: u32) -> Result<(Offer, Arriving), Declined> {
    let placing = Placing::ByArrival { burst_ms };
    let mut offers = offers.iter().filter(|offer| offer.is_pcmu());
    let found = match agent_alone {
        true => offers.find(|offer| offer.is_agent_alone()).map(|offer| (offer.clone(), Arriving::AgentAlone(placing))),
        false => offers.find_map(|offer| {
            let map = ChannelMap::new(AgentChannel(offer.agent_of_both()?), 2).ok()?;
            Some((offer.clone(), Arriving::Interleaved(map, placing)))
        }),
    };
    found.ok_or_else(|| Declined::new("layout", "the client does not offer the channels that are needed, in PCMU"))
}

/// A session that stands.
struct Session {
    line: CallLine,
    leg: Leg,
    channels: usize,
    /// The last thing we asked for was a pause.
    asked_to_pause: bool,
    /// The client says that it sends nothing.
    is_paused: bool,
    /// Sound that came, by its bytes.
    came_nanos: u64,
    /// Sound that the client says it left out.
    discarded_nanos: u64,
    samples: Zeroizing<Vec<i16>>,
}

impl Session {
    async fn carry(mut self, link: &mut Link, sequence: &mut Sequence) -> Quit {
        let mut tick = Instant::now() + TICK;
        loop {
            let answer = match link.next(tick).await {
                Came::Binary(bytes) => match self.sound(&bytes) {
                    Ok(()) => None,
                    Err(what) => return self.mismatch(what),
                },
                Came::Text(text) => match self.text(sequence, &text) {
                    Ok(answer) => answer,
                    Err(quit) => return quit,
                },
                Came::Tick => None,
                Came::End => return Quit::Gone,
            };
            if let Some((kind, ends)) = answer {
                let sent = link.send(sequence.message(kind, json!({}))).await;
                if ends || !sent {
                    return Quit::Gone;
                }
            }
            if Instant::now() >= tick {
                tick = Instant::now() + TICK;
                if self.line.is_over() {
                    return Quit::Ask("completed", "the recording has ended");
                }
                if let Some(ask) = self.steer()
                    && !link.send(sequence.message(ask, json!({}))).await
                {
                    return Quit::Gone;
                }
            }
        }
    }

    /// Asks for a pause or its end as the door stands.
    fn steer(&mut self) -> Option<&'static str> {
        let stopped = self.line.stopped();
        if stopped == self.asked_to_pause {
            return None;
        }
        self.asked_to_pause = stopped;
        self.leg.pause_known(std::time::Instant::now());
        Some(if stopped { "pause" } else { "resume" })
    }

    /// Lays a message of sound.
    fn sound(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.is_paused {
            return Err("sound came in a pause that the client had confirmed".into());
        }
        if !bytes.len().is_multiple_of(self.channels) {
            return Err(format!("a message of {} bytes does not hold whole samples", bytes.len()));
        }
        self.came_nanos += (bytes.len() / self.channels) as u64 * 125_000;
        self.samples.resize(bytes.len(), 0);
        Encoding::Mulaw.decode(bytes, &mut self.samples);
        self.leg.heard(&self.samples, std::time::Instant::now());
        self.samples.zeroize();
        Ok(())
    }

    /// What a text asks to be answered with, and whether that ends the session.
    fn text(&mut self, sequence: &mut Sequence, text: &str) -> Result<Option<(&'static str, bool)>, Quit> {
        let message = accepted(sequence, text).map_err(|fault| {
            // It may have been a no.
            self.line.say(Event::Held);
            Quit::Ask("error", fault.0)
        })?;
        if let Said::Resumed { discarded_nanos } | Said::Discarded { discarded_nanos } = message.said {
            self.discarded_nanos = self.discarded_nanos.saturating_add(discarded_nanos);
        }
        if !self.position_fits(message.position_nanos) {
            return Err(self.mismatch("the declared position is not that of the sound that came".into()));
        }
        Ok(match message.said {
            Said::Close => Some(("closed", true)),
            Said::Ping => Some(("pong", false)),
            Said::Update => Some(("updated", false)),
            Said::Paused => {
                self.pause(true);
                None
            }
            Said::Resumed { .. } => {
                self.pause(false);
                None
            }
            Said::Digit(digit) => {
                // AudioHook reports the keys of the external participant, whose channel alone it listens to for them.
                self.line.digit(Party::Customer, digit, None);
                None
            }
            Said::GarbledDigit => {
                self.line.say(Event::Held);
                None
            }
            Said::Open(_) => return Err(self.mismatch("the session was opened a second time".into())),
            Said::Discarded { .. } | Said::Error { .. } | Said::Unknown => None,
        })
    }

    fn pause(&mut self, paused: bool) {
        self.is_paused = paused;
        self.leg.pause_known(std::time::Instant::now());
    }

    /// A client that sends one channel where two were agreed, or two where one was, and counts honestly, is found by this;
    /// one that counts what it sends as what was agreed is found by the clock.
    fn position_fits(&self, declared_nanos: u64) -> bool {
        let most = self.came_nanos.saturating_add(self.discarded_nanos).saturating_add(POSITION_SLACK_NANOS);
        let least = self.came_nanos.saturating_sub(POSITION_SLACK_NANOS);
        (least..=most).contains(&declared_nanos)
    }

    fn mismatch(&self, what: String) -> Quit {
        self.line.contradict(Finding::LayoutMismatch { what });
        Quit::Ask("error", "what was sent is not what was agreed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::wire::audiohook::Channel;

    fn offer(channels: &[Channel], format: &str) -> Offer {
        Offer { kind: "audio".into(), format: format.into(), channels: channels.to_vec(), rate: 8_000 }
    }

    #[test]
    fn both_are_taken_or_the_agent_alone_and_never_the_customer_alone() {
        use Channel::{External, Internal};
        let all = [
            offer(&[External, Internal], "L16"),
            offer(&[External, Internal], "PCMU"),
            offer(&[External], "PCMU"),
            offer(&[Internal], "PCMU"),
        ];
        let (both, sound) = chosen(&all, false, 200).unwrap();
        assert_eq!(both, all[1]);
        assert!(matches!(sound, Arriving::Interleaved(map, _) if map.agent() == 1));
        let (alone, sound) = chosen(&all, true, 200).unwrap();
        assert_eq!(alone, all[3]);
        assert!(matches!(sound, Arriving::AgentAlone(_)));
        assert!(chosen(&all[..1], false, 200).is_err());
        assert!(chosen(&all[2..], false, 200).is_err(), "one party does not stand in for two");
        assert!(chosen(&all[..3], true, 200).is_err());
    }
}

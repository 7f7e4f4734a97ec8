//! The sources of a media server, started as they are configured.

use std::sync::Arc;

use tokio::runtime::Handle as Runtime;

use super::desk::Desk;
use super::figures::Figure;
use super::knocks::{show_faults, show_handshakes, show_knocks};
use crate::config::serve::Serve;
use crate::source::audiosocket;
use crate::source::exchange::Exchange;
use crate::source::listen::{Listen, Stop};
use crate::source::rtp::{self, Receiver};
use crate::source::rtpengine;
use crate::source::siprec;
use crate::source::{audiohook, websocket};

/// What a source needs to be started.
pub struct Ground<'a> {
    /// What is in force.
    pub serve: &'a Serve,
    /// Where its calls are begun.
    pub exchange: Arc<dyn Exchange>,
    /// Where calls are announced.
    pub desk: &'a Desk,
    /// What its tasks run on.
    pub runtime: &'a Runtime,
    /// Cancelled when the server ends.
    pub stop: Stop,
}

/// Whether every source can use what is configured of it, and no listener is open to whom it must not be (SEC-03): the rules
/// by which [`start`] goes, without opening anything. The error is the sentence that it would say.
pub fn check(serve: &Serve) -> Result<(), String> {
    if let Some(siprec) = &serve.siprec {
        let mut listeners = [&siprec.udp, &siprec.tcp, &siprec.tls].into_iter().flatten();
        listeners.try_for_each(Listen::check).map_err(|error| format!("siprec: {error}"))?;
    }
    let websocket = serve.websocket.as_ref().map(|raw| raw.resolve(serve)).transpose();
    let audiohook = serve.audiohook.as_ref().map(|raw| raw.resolve(serve)).transpose();
    let websocket = websocket.map_err(|error| error.to_string())?.map(|config| config.listen).unwrap_or_default();
    let audiohook = audiohook.map_err(|error| error.to_string())?.map(|config| config.listen);
    let audiosocket = serve.audiosocket.as_ref().map(|config| &config.listen);
    let mut listeners = websocket.iter().chain(&audiohook).chain(audiosocket);
    listeners.try_for_each(Listen::check).map_err(|error| error.to_string())
}

/// Starts every source that is configured. A line for people for each: what it is and where it listens. The error is a
/// sentence; nothing goes on then.
pub fn start(ground: &Ground<'_>) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    let receiver = receiver(ground)?;
    if let Some(receiver) = &receiver {
        let receiver = Arc::clone(receiver);
        let figure = |(what, value): (&'static str, u64)| Figure {
            // What seemed lost may still come: alone of all these it can fall.
            name: if what == "lost" { "oneside_rtp_packets_lost" } else { "oneside_rtp_packets_total" },
            part: "",
            kind: if what == "lost" { "gauge" } else { "counter" },
            help: match what {
                "lost" => {
                    "RTP packets that were sent and have not come, by their sequence numbers; it falls when one comes late."
                }
                _ => "RTP, by what was made of it: packets that counted, and those that did not and why.",
            },
            labels: if what == "lost" { Vec::new() } else { vec![("what", what)] },
            value: value as f64,
        };
        ground.desk.figures_of(Box::new(move || receiver.figures().into_iter().map(figure).collect()));
    }
    if let (Some(config), Some(receiver)) = (&ground.serve.announced, &receiver) {
        let (exchange, stop) = (Arc::clone(&ground.exchange), ground.stop.clone());
        let announced = rtp::announced::start(config.clone(), Arc::clone(receiver), exchange, ground.runtime, stop);
        ground.desk.expect_by("rtp", announced);
        lines.push(format!(
            "rtp listens on {}, ports {}",
            receiver.settings().address,
            receiver.settings().ports_shown()
        ));
    }
    if let (Some(config), Some(receiver)) = (&ground.serve.rtpengine, &receiver) {
        let (exchange, stop) = (Arc::clone(&ground.exchange), ground.stop.clone());
        let calls = rtpengine::start(config.clone(), Arc::clone(receiver), exchange, ground.runtime, stop);
        ground.desk.expect_by("rtpengine", calls);
        lines.push(format!("rtpengine is asked at {}", config.address));
    }
    if let (Some(config), Some(receiver)) = (&ground.serve.siprec, &receiver) {
        let (exchange, stop) = (Arc::clone(&ground.exchange), ground.stop.clone());
        let started = siprec::start(config.clone(), Arc::clone(receiver), exchange, ground.runtime, stop);
        let started = started.map_err(|error| format!("siprec: {error}"))?;
        show_knocks(ground.desk, "siprec", started.knocks);
        for (way, at) in [("udp", started.udp), ("tcp", started.tcp), ("tls", started.tls)] {
            lines.extend(at.map(|at| format!("siprec/{way} listens on {at}")));
        }
    }
    if let Some(raw) = &ground.serve.websocket {
        let config = raw.resolve(ground.serve).map_err(|error| error.to_string())?;
        let started = websocket::start(config, Arc::clone(&ground.exchange), ground.runtime, ground.stop.clone());
        let started = started.map_err(|error| error.to_string())?;
        show_knocks(ground.desk, "websocket", started.knocks);
        show_handshakes(ground.desk, "websocket", started.handshakes);
        lines.extend(started.addresses.iter().map(|address| format!("websocket listens on {address}")));
    }
    if let Some(raw) = &ground.serve.audiohook {
        let config = raw.resolve(ground.serve).map_err(|error| error.to_string())?;
        let started = audiohook::start(config, Arc::clone(&ground.exchange), ground.runtime, ground.stop.clone());
        let started = started.map_err(|error| error.to_string())?;
        show_knocks(ground.desk, "audiohook", started.knocks);
        show_handshakes(ground.desk, "audiohook", started.handshakes);
        lines.extend(started.addresses.iter().map(|address| format!("audiohook listens on {address}")));
    }
    if let Some(config) = &ground.serve.audiosocket {
        let started =
            audiosocket::start(config.clone(), Arc::clone(&ground.exchange), ground.runtime, ground.stop.clone())
                .map_err(|error| error.to_string())?;
        show_knocks(ground.desk, audiosocket::SOURCE, started.knocks);
        show_faults(ground.desk, started.counts);
        ground.desk.expect_by(audiosocket::SOURCE, started.registry);
        lines.push(format!("audiosocket listens on {}", started.address));
    }
    Ok(lines)
}

/// The threads that receive RTP, if a source needs them.
fn receiver(ground: &Ground<'_>) -> Result<Option<Arc<Receiver>>, String> {
    let Serve { announced, rtpengine, siprec, .. } = ground.serve;
    let needed = announced.is_some() || rtpengine.is_some() || siprec.is_some();
    let Some(settings) = ground.serve.rtp.clone().filter(|_| needed) else { return Ok(None) };
    let started = Receiver::start(settings).map_err(|error| format!("RTP cannot be received: {error}"))?;
    Ok(Some(Arc::new(started)))
}

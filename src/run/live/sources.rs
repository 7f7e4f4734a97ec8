//! The sources of a media server, started as they are configured.

use std::sync::Arc;

use tokio::runtime::Handle as Runtime;

use super::desk::Desk;
use crate::config::serve::Serve;
use crate::source::exchange::Exchange;
use crate::source::listen::Stop;
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

/// Starts every source that is configured. A line for people for each: what it is and where it listens. The error is a
/// sentence; nothing goes on then.
pub fn start(ground: &Ground<'_>) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    if let Some(raw) = &ground.serve.websocket {
        let config = raw.resolve(ground.serve).map_err(|error| error.to_string())?;
        let started = websocket::start(config, Arc::clone(&ground.exchange), ground.runtime, ground.stop.clone());
        let started = started.map_err(|error| error.to_string())?;
        lines.extend(started.addresses.iter().map(|address| format!("websocket listens on {address}")));
    }
    if let Some(raw) = &ground.serve.audiohook {
        let config = raw.resolve(ground.serve).map_err(|error| error.to_string())?;
        let started = audiohook::start(config, Arc::clone(&ground.exchange), ground.runtime, ground.stop.clone());
        let started = started.map_err(|error| error.to_string())?;
        lines.extend(started.addresses.iter().map(|address| format!("audiohook listens on {address}")));
    }
    Ok(lines)
}

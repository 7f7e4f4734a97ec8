//! The sources of a media server, started as they are configured.

use std::sync::Arc;

use tokio::runtime::Handle as Runtime;

use super::desk::Desk;
use crate::config::serve::Serve;
use crate::source::audiosocket;
use crate::source::exchange::Exchange;
use crate::source::listen::Stop;

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
    if let Some(config) = &ground.serve.audiosocket {
        let started =
            audiosocket::start(config.clone(), Arc::clone(&ground.exchange), ground.runtime, ground.stop.clone())
                .map_err(|error| error.to_string())?;
        ground.desk.expect_by(audiosocket::SOURCE, started.registry);
        lines.push(format!("audiosocket listens on {}", started.address));
    }
    Ok(lines)
}

//! The WebSocket sources alone, with the routes of switches, and what these send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use oneside::source::exchange::Party;
use oneside::source::listen::{Listen, Stop};
use oneside::source::metadata::{CallFrom, Heeded};
use oneside::source::websocket::route::{Dialect, Route, Side};
use oneside::source::websocket::{Started, WebSocketConfig, start};
use oneside::source::wire::media_stream::Track;
use tokio::runtime::Runtime;

use crate::fake_exchange::FakeExchange;
use crate::ws_client::Client;

pub const TICK: Duration = Duration::from_millis(20);
pub const AGENT: Side = Side::One(Party::Agent);
pub const CUSTOMER: Side = Side::One(Party::Customer);

/// A running source. Dropped, it ends.
pub struct Server {
    pub exchange: Arc<FakeExchange>,
    pub started: Started,
    pub stop: Stop,
    pub _runtime: Runtime,
}

impl Server {
    pub fn new(routes: Vec<Route>) -> Server {
        Server::with(FakeExchange::default(), routes)
    }

    pub fn with(exchange: FakeExchange, routes: Vec<Route>) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (exchange, stop) = (Arc::new(exchange), Stop::new());
        let listen = Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            allow: Vec::new(),
            connections_max: 100,
            plain_allowed: false,
        };
        let config = WebSocketConfig {
            listen: vec![listen],
            routes: routes.into_iter().map(Arc::new).collect(),
            idle: Duration::from_secs(3),
            message_bytes_max: 64 << 10,
        };
        let started = start(config, Arc::clone(&exchange) as Arc<_>, runtime.handle(), stop.clone()).unwrap();
        Server { exchange, started, stop, _runtime: runtime }
    }

    pub fn open(&self, target: &str, headers: &[&str]) -> Client {
        Client::open(self.started.addresses[0], target, headers)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn route(path: &str, dialect: Dialect, call: &str) -> Route {
    Route {
        path: path.into(),
        dialect,
        call: CallFrom::parse(call).unwrap(),
        heeded: Heeded::default(),
        credential: None,
        digits: None,
        drop_before_decode: false,
        burst_ms: 400,
        worst_ms: 1_000,
    }
}

pub fn asterisk(path: &str, side: Side, call: &str) -> Route {
    route(path, Dialect::ChanWebsocket { side }, call)
}

pub fn freeswitch(path: &str, side: Side, rate_hz: u32, call: &str) -> Route {
    route(path, Dialect::AudioStream { side, rate_hz: Some(rate_hz) }, call)
}

pub fn twilio(agent: Track) -> Route {
    route("/twilio", Dialect::MediaStream { agent, reorder_ms: 200 }, "id")
}

/// Sound that tells where it is from: a ramp.
pub fn ramp(samples: usize, from: i16) -> Vec<i16> {
    (0..samples).map(|n| from.wrapping_add(n as i16)).collect()
}

pub fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

pub fn media_start(channel: &str, format: &str, variables: &str) -> String {
    format!(
        r#"{{"event":"MEDIA_START","connection_id":"rec1","channel":"WebSocket/rec1/0x7f5f5c00bc30","channel_id":"{channel}","format":"{format}","optimal_frame_size":640,"ptime":20,"channel_variables":{{{variables}}}}}"#
    )
}

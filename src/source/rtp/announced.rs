//! Plain RTP: somebody announces a call, is told two ports, and sends each party to its own.
//!
//! The call begins with its announcement. It ends when it is forgotten (`DELETE`), when it is closed (`close`), or when nothing
//! came on either port for a while. That it hung up ends nothing: what is told so shuts the customer's side.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::announce::Fields;
use super::receiver::{Receiver, Session};
use crate::consent::Event;
use crate::source::exchange::{Declined, Exchange, Expecting};
use crate::source::listen::Stop;

/// How often calls are looked at that may be over.
const LOOK: Duration = Duration::from_millis(500);

/// How announced calls are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncedConfig {
    /// A call on whose ports nothing came for so long is over, seconds.
    pub idle_s: u32,
    /// The customer's payload is not decoded unless a grant stands.
    pub drop_before_decode: bool,
}

/// Calls that were announced.
pub struct Announced {
    config: AnnouncedConfig,
    receiver: Arc<Receiver>,
    exchange: Arc<dyn Exchange>,
    calls: Mutex<HashMap<String, Session>>,
}

/// Starts taking them, until `stop`.
pub fn start(
    config: AnnouncedConfig,
    receiver: Arc<Receiver>,
    exchange: Arc<dyn Exchange>,
    runtime: &Handle,
    stop: Stop,
) -> Arc<Announced> {
    let announced = Arc::new(Announced { config, receiver, exchange, calls: Mutex::default() });
    let watched = Arc::clone(&announced);
    runtime.spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => break watched.calls().clear(),
                () = tokio::time::sleep(LOOK) => watched.look(),
            }
        }
    });
    announced
}

impl Announced {
    fn calls(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) {
        let idle = Duration::from_secs(self.config.idle_s.into());
        self.calls().retain(|_, session| {
            let silent = session.silent_for() >= idle;
            if silent {
                session.line().say(Event::HungUp);
            }
            !silent && !session.line().is_over()
        });
    }
}

impl Expecting for Announced {
    fn expect(&self, wanted: Map<String, Value>) -> Result<Value, Declined> {
        let mut fields = Fields::new(wanted);
        let agent = fields.object("agent")?.ok_or_else(|| Declined::new("announcement", "`agent` is missing"))?;
        let (agent, customer) = (agent.stream()?, fields.object("customer")?.map(Fields::stream).transpose()?);
        let mut arrival = fields.arrival("rtp", customer.is_some())?;
        fields.end()?;
        arrival.drop_before_decode = self.config.drop_before_decode;
        let call = arrival.call.clone();
        if self.calls().contains_key(&call) {
            return Err(Declined::new("exists", "this call was announced already"));
        }
        let agent = (self.receiver.bind()?, agent);
        let customer = customer.map(|stream| self.receiver.bind().map(|port| (port, stream))).transpose()?;
        let told =
            |address: std::net::SocketAddr| json!({ "address": address.ip().to_string(), "port": address.port() });
        let mut answer = json!({ "call": call, "agent": told(agent.0.address()) });
        if let Some((port, _)) = &customer {
            answer["customer"] = told(port.address());
        }
        let session = self.receiver.begin(&*self.exchange, arrival, Some(agent), customer)?;
        self.calls().insert(call, session);
        Ok(answer)
    }

    fn forget(&self, call: &str) -> bool {
        let session = self.calls().remove(call);
        if let Some(session) = &session {
            session.line().say(Event::HungUp);
        }
        session.is_some()
    }
}

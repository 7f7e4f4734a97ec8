//! Calls of an rtpengine: for each that is announced, a subscription to each of its parties.
//!
//! One subscription per party, so that which stream is whose follows from what was asked for, and is checked against the
//! labels of the answer; no order of `m=` lines or packets means anything. It also lets the customer be unsubscribed while
//! the agent goes on without a gap. What rtpengine is asked to stop sending is dropped here first: the customer's port is
//! closed, then the subscription ended.
//!
//! * `reference = guard`: both are subscribed to; after a refusal or a withdrawal the agent alone, until there is a grant.
//! * `drop-before-decode`: the agent alone, and the customer while a grant stands.
//!
//! A call is over when rtpengine does not know it any more, or does not list its agent: a subscription keeps a call known
//! after its proxy has deleted it, for as long as there is nothing in it. What ended without a `delete` is over when both
//! parties have been silent for long, which has to be longer than they may be on hold.
//!
//! The call itself is never touched: no command of ours changes what its parties hear. While rtpengine does not answer,
//! what it sends is recorded on.

mod call;
mod client;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use self::client::Client;
use super::exchange::{Arrival, Declined, Exchange, Expecting};
use super::listen::Stop;
use super::rtp::Receiver;
use super::rtp::announce::Fields;
use super::wire::ng::Selector;

/// Calls that are announced or in hand, at most.
const CALLS_MAX: usize = 20_000;

/// How calls are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpengineConfig {
    /// Where it listens for "ng" (UDP).
    pub address: SocketAddr,
    /// How long an announced call may take to be there with all its parties, seconds.
    pub wait_s: u32,
    /// A call of which nothing came for so long is over if rtpengine does not answer either, seconds.
    pub idle_s: u32,
    /// A call of which nothing came for so long is over although rtpengine still lists it, seconds.
    pub silent_s: u32,
    /// The customer is not subscribed to, nor decoded, unless a grant stands.
    pub drop_before_decode: bool,
}

/// Fetches calls from an rtpengine.
pub struct Rtpengine {
    config: RtpengineConfig,
    client: Client,
    receiver: Arc<Receiver>,
    exchange: Arc<dyn Exchange>,
    runtime: Handle,
    stop: Stop,
    calls: Mutex<HashMap<String, Stop>>,
}

/// A call that was announced.
struct Wanted {
    /// Its SIP Call-ID, as rtpengine knows it.
    call_id: String,
    agent: Selector,
    customer: Option<Selector>,
    arrival: Arrival,
}

/// Starts fetching calls, until `stop`.
pub fn start(
    config: RtpengineConfig,
    receiver: Arc<Receiver>,
    exchange: Arc<dyn Exchange>,
    runtime: &Handle,
    stop: Stop,
) -> Arc<RtpengineCalls> {
    let (client, runtime) = (Client::new(config.address), runtime.clone());
    let calls = Mutex::default();
    Arc::new(RtpengineCalls(Arc::new(Rtpengine { config, client, receiver, exchange, runtime, stop, calls })))
}

/// Where calls of an rtpengine are announced.
pub struct RtpengineCalls(Arc<Rtpengine>);

impl Rtpengine {
    fn calls(&self) -> MutexGuard<'_, HashMap<String, Stop>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expecting for RtpengineCalls {
    fn expect(&self, wanted: Map<String, Value>) -> Result<Value, Declined> {
        let wanted = read(wanted)?;
        let call = wanted.arrival.call.clone();
        let stop = self.0.stop.child_token();
        {
            let mut calls = self.0.calls();
            if calls.contains_key(&call) {
                return Err(Declined::new("exists", "this call was announced already"));
            }
            if calls.len() >= CALLS_MAX {
                return Err(Declined::new("limit", "too many calls were announced that have not ended"));
            }
            calls.insert(call.clone(), stop.clone());
        }
        let (engine, name) = (Arc::clone(&self.0), call.clone());
        self.0.runtime.spawn(async move {
            if let Err(call::Failed { declined, counted: false }) = call::follow(&engine, wanted, stop).await {
                engine.exchange.declined("rtpengine", declined.reason, Some(&name));
            }
            engine.calls().remove(&name);
        });
        Ok(json!({ "call": call, "status": "expected" }))
    }

    fn forget(&self, call: &str) -> bool {
        let stop = self.0.calls().get(call).cloned();
        stop.inspect(Stop::cancel).is_some()
    }
}

fn read(wanted: Map<String, Value>) -> Result<Wanted, Declined> {
    let mut fields = Fields::new(wanted);
    let agent =
        fields.object("agent")?.ok_or_else(|| Declined::new("announcement", "`agent` is missing"))?.selector()?;
    let customer = fields.object("customer")?.map(Fields::selector).transpose()?;
    if customer.as_ref() == Some(&agent) {
        return Err(Declined::new("announcement", "agent and customer are the same party"));
    }
    let (call_id, arrival) = (fields.required("call_id")?, fields.arrival("rtpengine", customer.is_some())?);
    fields.end()?;
    Ok(Wanted { call_id, agent, customer, arrival })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(text: &str) -> Result<Wanted, Declined> {
        let Value::Object(wanted) = serde_json::from_str(text).unwrap() else { panic!("an object") };
        read(wanted)
    }

    #[test]
    fn an_announcement_names_both_parties_or_the_agent() {
        let both = r#"{"source":"rtpengine","call":"c","call_id":"1@x","agent":{"label":"a"},"customer":{"tag":"t"}}"#;
        let wanted = announced(both).unwrap();
        assert_eq!((wanted.agent, wanted.customer), (Selector::Label("a".into()), Some(Selector::Tag("t".into()))));
        assert!(announced(r#"{"call":"c","call_id":"1","agent":{"tag":"a"}}"#).unwrap().customer.is_none());
    }

    #[test]
    fn an_announcement_that_leaves_a_doubt_is_declined() {
        for text in [
            r#"{"call":"c","call_id":"1"}"#,
            r#"{"call":"c","agent":{"tag":"a"}}"#,
            r#"{"call_id":"1","agent":{"tag":"a"}}"#,
            r#"{"call":"c","call_id":"1","agent":{}}"#,
            r#"{"call":"c","call_id":"1","agent":{"tag":"a","label":"b"}}"#,
            r#"{"call":"c","call_id":"1","agent":{"tag":"a"},"customer":{"tag":"a"}}"#,
            r#"{"call":"c","call_id":"1","agent":{"tag":"a"},"costumer":{"tag":"b"}}"#,
            r#"{"call":"c","call_id":"1","agent":{"tag":"a","side":1}}"#,
            r#"{"call":"c","call_id":1,"agent":{"tag":"a"}}"#,
            r#"{"call":"c","call_id":"1","agent":{"tag":"a"},"private":"yes"}"#,
        ] {
            assert_eq!(announced(text).err().map(|declined| declined.reason), Some("announcement"), "{text}");
        }
    }
}

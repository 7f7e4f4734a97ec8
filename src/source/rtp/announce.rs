//! What an announcement says of a call, whichever source it is for.

use std::net::SocketAddr;

use serde_json::{Map, Value};

use super::receiver::Stream;
use crate::source::exchange::{Arrival, Arriving, Declined, Placing};
use crate::source::wire::ng::{Selector, rtpmap};
use crate::source::wire::payload::Payloads;

/// Longest text of an announcement, bytes.
const TEXT_MAX: usize = 256;

/// Reads the fields of one object, and finds those that nobody asked for.
pub struct Fields {
    left: Map<String, Value>,
    what: &'static str,
}

/// An announcement that cannot be used. The name of a field is told, never what it held.
fn bad(what: &str, field: &str, why: &str) -> Declined {
    Declined::new("announcement", format!("{what}: `{field}` {why}"))
}

impl Fields {
    /// Of the whole announcement.
    pub fn new(wanted: Map<String, Value>) -> Fields {
        Fields { left: wanted, what: "announcement" }
    }

    /// A text, if it is there.
    pub fn text(&mut self, field: &str) -> Result<Option<String>, Declined> {
        match self.left.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= TEXT_MAX => Ok(Some(text)),
            Some(_) => Err(bad(self.what, field, "must be a text of 1 to 256 bytes")),
        }
    }

    /// A text that has to be there.
    pub fn required(&mut self, field: &str) -> Result<String, Declined> {
        self.text(field)?.ok_or_else(|| bad(self.what, field, "is missing"))
    }

    /// Yes or no; no if it is not there.
    pub fn flag(&mut self, field: &str) -> Result<bool, Declined> {
        match self.left.remove(field) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(bad(self.what, field, "must be true or false")),
        }
    }

    /// The fields of an object, if it is there.
    pub fn object(&mut self, field: &'static str) -> Result<Option<Fields>, Declined> {
        match self.left.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(left)) => Ok(Some(Fields { left, what: field })),
            Some(_) => Err(bad(self.what, field, "must be an object")),
        }
    }

    /// Nothing may be left: a misspelt field must not be passed over.
    pub fn end(self) -> Result<(), Declined> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(field) => Err(bad(self.what, &field.chars().take(40).collect::<String>(), "is no field of it")),
        }
    }

    /// Which call comes, and what counts for it. Placed by time stamps, its parties apart or the agent alone.
    pub fn arrival(&mut self, source: &'static str, apart: bool) -> Result<Arrival, Declined> {
        let _ = self.left.remove("source"); // it led here
        let call = self.required("call")?;
        let sound = if apart { Arriving::Apart(Placing::Stamped) } else { Arriving::AgentAlone(Placing::Stamped) };
        let mut arrival = Arrival::new(call, source, 0, sound);
        arrival.agent = self.text("agent_id")?;
        arrival.number = self.text("number")?;
        arrival.private = self.flag("private")?;
        arrival.sensitive = self.flag("sensitive")?;
        Ok(arrival)
    }

    /// A party by `label` or `tag`, and only one of them.
    pub fn selector(mut self) -> Result<Selector, Declined> {
        let what = self.what;
        let selector = match (self.text("label")?, self.text("tag")?) {
            (Some(label), None) => Selector::Label(label),
            (None, Some(tag)) => Selector::Tag(tag),
            _ => return Err(bad(what, "label", "or `tag` says which party it is: one of them")),
        };
        self.end()?;
        Ok(selector)
    }

    /// A stream: `payloads` as in `a=rtpmap` (`"0"`, `"96 L16/16000"`, `"101 telephone-event/8000"`), and `peer`, an address
    /// with its port (0: any).
    pub fn stream(mut self) -> Result<Stream, Declined> {
        let what = self.what;
        let peer = self.text("peer")?.map(|peer| peer.parse::<SocketAddr>());
        let peer = peer.transpose().map_err(|_| bad(what, "peer", "must be an address and a port"))?;
        let unusable =
            || bad(what, "payloads", "must be a list such as [\"0 PCMU/8000\", \"101 telephone-event/8000\"]");
        let Some(Value::Array(listed)) = self.left.remove("payloads") else { return Err(unusable()) };
        let mut payloads = Payloads::new();
        for entry in &listed {
            let entry = entry.as_str().ok_or_else(unusable)?;
            let known = match rtpmap(entry) {
                Some((payload_type, name, clock_hz, channels)) => payloads.add(payload_type, name, clock_hz, channels),
                None => entry.parse().is_ok_and(|payload_type| payloads.add_static(payload_type)),
            };
            if !known {
                return Err(bad(what, "payloads", "names one that cannot be read"));
            }
        }
        self.end()?;
        Ok(Stream { payloads, peer, prefers: None })
    }
}

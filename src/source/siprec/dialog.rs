//! A dialog, from the side of who was called (RFC 3261 §12): what names it, and the BYE that ends it.

use std::fmt::Write;

use crate::source::wire::sip::{Request, address};

/// What names a dialog to us: Call-ID and our tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: String,
    /// Our tag: random, so that who does not see our answers cannot end a recording.
    pub local_tag: String,
}

/// A dialog that stands.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Its name.
    pub id: DialogId,
    /// The last number of the other side.
    pub remote_cseq: u32,
    /// From of what the other side sent: To of what we send.
    remote: String,
    /// To of the first request.
    local: String,
    /// Where the other side is reached.
    target: String,
    /// The proxies that asked to stay on the way, nearest first.
    routes: Vec<String>,
    local_cseq: u32,
}

impl Dialog {
    /// Of the INVITE that begins it.
    pub fn begin(invite: &Request, local_tag: String) -> Dialog {
        let message = &invite.message;
        let contact = message.header("Contact").and_then(address);
        let remote = message.header("From").unwrap_or_default().to_owned();
        let target = contact.or_else(|| address(&remote)).unwrap_or("sip:invalid").to_owned();
        Dialog {
            id: DialogId { call_id: invite.call_id.clone(), local_tag },
            remote_cseq: invite.cseq,
            local: message.header("To").unwrap_or_default().to_owned(),
            target,
            routes: message.values("Record-Route").map(str::to_owned).collect(),
            remote,
            local_cseq: 0,
        }
    }

    /// A request within it came. `false`: its number is an old one (RFC 3261 §12.2.2).
    pub fn request(&mut self, request: &Request) -> bool {
        if request.cseq <= self.remote_cseq {
            return false;
        }
        self.remote_cseq = request.cseq;
        // INVITE and UPDATE may move the other side elsewhere.
        if let ("INVITE" | "UPDATE", Some(contact)) =
            (request.method.as_str(), request.message.header("Contact").and_then(address))
        {
            self.target = contact.to_owned();
        }
        true
    }

    /// A BYE of ours. `transport` and `sent_by`: what our Via says.
    pub fn bye(&mut self, transport: &str, sent_by: &str, branch: &str) -> Vec<u8> {
        self.local_cseq += 1;
        let Dialog { id, remote, local, target, routes, local_cseq, .. } = self;
        let mut out = format!(
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\n"
        );
        for route in routes {
            let _ = write!(out, "Route: {route}\r\n");
        }
        let _ = write!(
            out,
            "From: {local};tag={}\r\nTo: {remote}\r\nCall-ID: {}\r\nCSeq: {local_cseq} BYE\r\nContent-Length: 0\r\n\r\n",
            id.local_tag, id.call_id
        );
        out.into_bytes()
    }

    /// Whether an answer's number is that of our last request.
    pub fn is_ours(&self, cseq: u32) -> bool {
        cseq == self.local_cseq && cseq > 0
    }
}

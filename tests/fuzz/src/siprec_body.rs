//! The body of a session recording client's INVITE: parts, offer, metadata, sides, answer.

use oneside::source::wire::siprec::{Accepted, AgentRules, Body, Metadata, Offer, Pattern, answer, sides};

/// The bytes are a body in parts with the boundary `x`, and metadata by themselves.
pub fn run(data: &[u8]) {
    let _ = Metadata::parse(data);
    let Ok(body) = Body::parse(Some("multipart/mixed; boundary=\"x\""), data) else { return };
    let Some(offer) = body.offer else { return };
    let rules = AgentRules { aor: Pattern::new("sip:agent@*").into_iter().collect(), label: Vec::new() };
    if let Ok(sides) = sides(&offer, body.metadata.as_ref(), &rules) {
        assert!(offer.media[sides.agent].audio && Some(sides.agent) != sides.customer, "{sides:?}");
        assert!(body.metadata.is_some(), "an address is known by metadata only");
        let aor = sides.agent_aor.expect("who is an agent has an address");
        assert!(aor.to_ascii_lowercase().starts_with("sip:agent@"), "the agent is one");
        for (_, aor) in sides.customers {
            assert!(
                !aor.expect("everybody has an address").to_ascii_lowercase().starts_with("sip:agent@"),
                "others are not"
            );
        }
    }
    let accepted = vec![Accepted::To(4_000); offer.media.len()];
    let written = answer(&offer, &accepted, [192, 0, 2, 9].into(), 1, 1);
    let read = Offer::parse(written.as_bytes()).expect("an answer can be read");
    assert_eq!(read.media.len(), offer.media.len(), "an answer has a stream for each stream");
    for (asked, said) in offer.media.iter().zip(&read.media) {
        assert_eq!(asked.port == 0, said.port == 0, "what is not offered is not accepted, and all else is");
        assert_eq!(asked.label, said.label, "labels are echoed");
    }
}

//! Recording metadata (RFC 7865): sessions, participants, streams, and who sends what. Read without namespaces, so that
//! prefixes make no difference; no entities, no document types.

use std::collections::BTreeMap;

use roxmltree::{Document, Node, ParsingOptions};

use super::FIELD_BYTES_MAX;

/// Most nodes of a document.
pub const METADATA_NODES_MAX: u32 = 20_000;
/// Most participants, streams or associations.
const ENTRIES_MAX: usize = 256;

/// Someone who takes part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Participant {
    /// Addresses of record. Personal data: they are compared, and stay in memory.
    pub aors: Vec<String>,
    /// What participant sends: ids of streams.
    pub sends: Vec<String>,
}

/// Who takes part in a recorded session, and what each sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// It replaces what was said before; otherwise it changes parts of it (`datamode` of RFC 7865 §6.1).
    pub complete: bool,
    /// The id of the communication session.
    pub session: Option<String>,
    /// The Session-ID of the recorded call (RFC 7989).
    pub sip_session: Option<String>,
    /// By their ids.
    pub participants: BTreeMap<String, Participant>,
    /// Labels of streams, by the ids of the streams.
    pub streams: BTreeMap<String, String>,
}

impl Metadata {
    /// Reads a document. `None`: it is no metadata.
    pub fn parse(bytes: &[u8]) -> Option<Metadata> {
        let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim();
        let options = ParsingOptions { allow_dtd: false, nodes_limit: METADATA_NODES_MAX, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).ok()?;
        let root = document.root_element();
        if !named(root, "recording") {
            return None;
        }
        let mut read = Metadata { complete: true, ..Metadata::default() };
        for node in root.children().filter(Node::is_element).take(ENTRIES_MAX) {
            read.take(node);
        }
        Some(read)
    }

    fn take(&mut self, node: Node) {
        match node.tag_name().name() {
            "datamode" | "dataMode" => {
                self.complete = text(node).is_none_or(|mode| !mode.eq_ignore_ascii_case("partial"))
            }
            "session" => {
                self.session = self.session.take().or_else(|| id(node, "session_id"));
                let said = child(node, "sipSessionID").and_then(text);
                self.sip_session = self.sip_session.take().or(said);
            }
            "participant" => {
                let Some(id) = id(node, "participant_id") else { return };
                let participant = self.participants.entry(id).or_default();
                for name in elements(node, "nameID") {
                    participant.aors.extend(attribute(name, "aor").or_else(|| child(name, "aor").and_then(text)));
                }
                participant.aors.extend(elements(node, "aor").filter_map(text));
                // Drafts before the RFC had no associations: a participant named its streams itself.
                participant.sends.extend(elements(node, "send").filter_map(text));
            }
            "stream" => {
                if let (Some(id), Some(label)) = (id(node, "stream_id"), child(node, "label").and_then(text)) {
                    self.streams.insert(id, label);
                }
            }
            "participantstreamassoc" => {
                let Some(id) = id(node, "participant_id") else { return };
                // One that was ended says who sent something once.
                let ended = child(node, "disassociate-time").is_some();
                let sends = elements(node, "send").filter_map(text).filter(|_| !ended).collect::<Vec<_>>();
                self.participants.entry(id).or_default().sends.extend(sends);
            }
            _ => {}
        }
    }

    /// What stands after an update: a complete one replaces everything, a partial one what it names.
    pub fn updated(&self, update: Metadata) -> Metadata {
        if update.complete {
            return update;
        }
        let mut merged = self.clone();
        merged.session = merged.session.or(update.session);
        merged.sip_session = merged.sip_session.or(update.sip_session);
        merged.streams.extend(update.streams);
        for (id, change) in update.participants {
            let participant = merged.participants.entry(id).or_default();
            if !change.aors.is_empty() {
                participant.aors = change.aors;
            }
            if !change.sends.is_empty() {
                participant.sends = change.sends;
            }
        }
        merged
    }

    /// The streams that carry a label.
    pub fn labelled<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a str> {
        self.streams.iter().filter(move |(_, said)| said.trim() == label.trim()).map(|(id, _)| id.as_str())
    }

    /// Who sends a stream.
    pub fn senders<'a>(&'a self, stream: &'a str) -> impl Iterator<Item = (&'a str, &'a Participant)> {
        let sends = move |participant: &Participant| participant.sends.iter().any(|sent| sent == stream);
        self.participants.iter().filter(move |(_, who)| sends(who)).map(|(id, who)| (id.as_str(), who))
    }
}

fn named(node: Node, name: &str) -> bool {
    node.is_element() && node.tag_name().name().eq_ignore_ascii_case(name)
}

fn elements<'a, 'input: 'a>(node: Node<'a, 'input>, name: &'a str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| named(*child, name)).take(ENTRIES_MAX)
}

fn child<'a, 'input: 'a>(node: Node<'a, 'input>, name: &'a str) -> Option<Node<'a, 'input>> {
    elements(node, name).next()
}

fn text(node: Node) -> Option<String> {
    fitting(node.text()?)
}

fn attribute(node: Node, name: &str) -> Option<String> {
    node.attributes().find(|attribute| attribute.name() == name).and_then(|attribute| fitting(attribute.value()))
}

/// An id: by the attribute of the RFC, or by the `id` of its drafts.
fn id(node: Node, name: &str) -> Option<String> {
    attribute(node, name).or_else(|| attribute(node, "id"))
}

fn fitting(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= FIELD_BYTES_MAX).then(|| text.to_owned())
}

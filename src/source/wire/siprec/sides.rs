//! Which stream is the agent's. By the chain of RFC 7865: label of the SDP → stream → who sends it → address of record;
//! or by label, where a client sends no metadata. Nothing is guessed from an order or a position (ONE-06).

use super::metadata::Metadata;
use super::offer::{Media, Offer};

/// A text with `*` for any run of characters; letters match in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern. One that matches everything says nothing and is refused, as is an empty one.
    pub fn new(text: &str) -> Option<Pattern> {
        let text = text.trim().to_ascii_lowercase();
        (text.chars().any(|c| c != '*') && text.len() <= 256).then_some(Pattern(text))
    }

    /// Whether it matches a whole text.
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let parts: Vec<&str> = self.0.split('*').collect();
        let [first, middle @ .., last] = parts.as_slice() else { return self.0 == text };
        let Some(rest) = text.strip_prefix(first) else { return false };
        let Some(mut rest) = rest.strip_suffix(last) else { return false };
        // The leftmost place for each part leaves the most for those behind it.
        middle.iter().all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }
}

/// How the agent is known. At least one of the two is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentRules {
    /// Addresses of record that are agents'.
    pub aor: Vec<Pattern>,
    /// Labels that are agents'.
    pub label: Vec<Pattern>,
}

/// Which stream is whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The stream of the agent: its place in the offer.
    pub agent: usize,
    /// The stream of the customer. `None`: the agent's is the only one.
    pub customer: Option<usize>,
    /// The agent's address of record, if metadata tells it.
    pub agent_aor: Option<String>,
    /// The customers' participants: id and address of record. Empty without metadata.
    pub customers: Vec<(String, Option<String>)>,
}

/// Why it is not known which stream is the agent's. The texts name no person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Something is missing.
    Unknown(&'static str),
    /// Two things contradict each other.
    Contradicted(&'static str),
}

impl Doubt {
    /// What was missing, or contradicted what.
    pub fn what(&self) -> &'static str {
        match self {
            Doubt::Unknown(what) | Doubt::Contradicted(what) => what,
        }
    }
}

/// Finds out which stream is whose.
pub fn sides(offer: &Offer, metadata: Option<&Metadata>, rules: &AgentRules) -> Result<Sides, Doubt> {
    let streams: Vec<(usize, &Media)> =
        offer.media.iter().enumerate().filter(|(_, media)| media.audio && media.port != 0).collect();
    match streams.len() {
        0 => return Err(Doubt::Unknown("the offer has no stream of sound")),
        1 | 2 => {}
        _ => return Err(Doubt::Unknown("the offer has more than two streams of sound")),
    }
    if let [(_, one), (_, two)] = streams.as_slice()
        && one.label.is_some()
        && one.label == two.label
    {
        return Err(Doubt::Contradicted("both streams have the same label"));
    }
    let told = metadata.filter(|metadata| !metadata.streams.is_empty());
    let chain = told.map(|metadata| by_metadata(&streams, metadata, rules)).transpose()?;
    let by_aor = match (&chain, rules.aor.is_empty()) {
        (Some(chain), false) => Some(agent_of(chain)?),
        (None, false) if rules.label.is_empty() => {
            return Err(Doubt::Unknown("the client sent no metadata, and no label is configured as the agent's"));
        }
        _ => None,
    };
    let by_label = if rules.label.is_empty() { None } else { Some(label_of(&streams, rules)?) };
    let agent = match (by_aor, by_label) {
        (Some(aor), Some(label)) if aor != label => {
            return Err(Doubt::Contradicted("metadata and label name different streams as the agent's"));
        }
        (Some(agent), _) | (None, Some(agent)) => agent,
        (None, None) => return Err(Doubt::Unknown("neither an address nor a label is configured as the agent's")),
    };
    let customer = streams.iter().map(|(number, _)| *number).find(|number| *number != agent);
    let senders = |of: usize| chain.iter().flatten().filter(move |sender| sender.stream == of);
    Ok(Sides {
        agent,
        customer,
        agent_aor: senders(agent).find_map(|sender| sender.aor.clone()),
        customers: customer
            .into_iter()
            .flat_map(senders)
            .map(|sender| (sender.participant.clone(), sender.aor.clone()))
            .collect(),
    })
}

/// Someone who sends a stream.
struct Sender {
    stream: usize,
    participant: String,
    aor: Option<String>,
    agent: bool,
}

/// Who sends which stream, by the metadata. Whether it agrees with the labels is checked for every rule.
fn by_metadata(streams: &[(usize, &Media)], metadata: &Metadata, rules: &AgentRules) -> Result<Vec<Sender>, Doubt> {
    let mut senders: Vec<Sender> = Vec::new();
    for (number, media) in streams {
        let label = media.label.as_deref().ok_or(Doubt::Unknown("a stream has no label"))?;
        let mut ids = metadata.labelled(label);
        let id = ids.next().ok_or(Doubt::Unknown("the metadata does not know the label of a stream"))?;
        if ids.next().is_some() {
            return Err(Doubt::Contradicted("the metadata has two streams of one label"));
        }
        let before = senders.len();
        for (participant, who) in metadata.senders(id) {
            if senders.iter().any(|sender| sender.participant == participant) {
                return Err(Doubt::Contradicted("one participant sends both streams"));
            }
            let agent = who.aors.iter().any(|aor| rules.aor.iter().any(|pattern| pattern.matches(aor)));
            if agent && !who.aors.iter().all(|aor| rules.aor.iter().any(|pattern| pattern.matches(aor))) {
                return Err(Doubt::Contradicted("a participant has addresses of an agent and of somebody else"));
            }
            if who.aors.is_empty() && !rules.aor.is_empty() {
                return Err(Doubt::Unknown("a participant has no address"));
            }
            let (participant, aor) = (participant.to_owned(), who.aors.first().cloned());
            senders.push(Sender { stream: *number, participant, aor, agent });
        }
        if senders.len() == before {
            return Err(Doubt::Unknown("the metadata does not say who sends a stream"));
        }
        // A customer's stream may carry several people; with an agent among them it is a mix.
        let of_stream = &senders[before..];
        if of_stream.len() > 1 && of_stream.iter().any(|sender| sender.agent) {
            return Err(Doubt::Contradicted("one stream carries an agent and somebody else"));
        }
    }
    Ok(senders)
}

/// The stream of the agent: exactly one participant is one.
fn agent_of(senders: &[Sender]) -> Result<usize, Doubt> {
    let mut agents = senders.iter().filter(|sender| sender.agent);
    match (agents.next(), agents.next()) {
        (Some(agent), None) => Ok(agent.stream),
        (None, _) => Err(Doubt::Unknown("no participant has an address of an agent")),
        (Some(_), Some(_)) => Err(Doubt::Unknown("both participants have addresses of agents")),
    }
}

/// The stream whose label is an agent's: exactly one is.
fn label_of(streams: &[(usize, &Media)], rules: &AgentRules) -> Result<usize, Doubt> {
    let is_agent = |label: &str| rules.label.iter().any(|pattern| pattern.matches(label));
    let mut agents = streams.iter().filter(|(_, media)| media.label.as_deref().is_some_and(is_agent));
    match (agents.next(), agents.next()) {
        (Some((number, _)), None) => Ok(*number),
        (None, _) => Err(Doubt::Unknown("no stream has a label of an agent")),
        (Some(_), Some(_)) => Err(Doubt::Unknown("both streams have labels of agents")),
    }
}

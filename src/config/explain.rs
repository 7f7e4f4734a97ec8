//! What is in force, in words: every value with its origin, and what it means for the customer's voice.

use std::fmt::{Display, Write};

use super::resolve::{AgentSide, Alone, DigestKind, Names, Settings};
use super::{Live, Origin, Setting};
use crate::consent::OnWithdrawal;
use crate::policy::keys::{AgentKey, CustomerKey};
use crate::voice::Detector;

/// The settings as a table, and one sentence on what happens to the customer's voice.
pub fn explain(settings: &Settings) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &dyn Display, origin: Origin| {
        let _ = writeln!(out, "  {name:<15} {value:<34} ({origin})");
    };
    let agent = match &settings.agent.value {
        AgentSide::Channel(channel) => channel.to_string(),
        AgentSide::Pair => "the agent's file of each pair".into(),
        AgentSide::Alone(Alone::Agent) => "the only party delivered".into(),
        AgentSide::Alone(Alone::Customer) => "not delivered".into(),
        AgentSide::BySource => "as each source of [serve] says".into(),
        AgentSide::Preset { name, channel } => format!("{channel} (preset {name})"),
    };
    line("agent_channel", &agent, settings.agent.origin);
    line("on_withdrawal", &word(settings.on_withdrawal.value), settings.on_withdrawal.origin);
    let purposes = match &settings.purposes.value {
        Some(list) => list.join(", "),
        None => "whatever a grant names".into(),
    };
    line("purposes", &purposes, settings.purposes.origin);
    let revoked = settings.revoked_tokens.value.as_ref().map_or("none".into(), |path| path.display().to_string());
    line("revoked_tokens", &revoked, settings.revoked_tokens.origin);
    line("vad_mode", &settings.vad_mode.value.number(), settings.vad_mode.origin);
    let detector = match settings.detector.value {
        Detector::Lanes => "lanes",
        Detector::Webrtc => "webrtc",
    };
    line("detector", &detector, settings.detector.origin);
    line("lead_in_ms", &settings.lead_in_ms.value, settings.lead_in_ms.origin);
    line("tail_ms", &settings.tail_ms.value, settings.tail_ms.origin);
    let rate = settings.rate_hz.value.map_or("as the input".into(), |rate| format!("{rate} Hz"));
    line("rate", &rate, settings.rate_hz.origin);
    line("speech", &settings.speech.value, settings.speech.origin);
    line("sparse", &settings.sparse.value, settings.sparse.origin);
    line("report", &settings.report.value, settings.report.origin);
    line("jobs", &settings.jobs.value, settings.jobs.origin);
    line("digest", &digest(&settings.digest), settings.digest.origin);
    let names = match &settings.names.value {
        Names::Plain => "plain".into(),
        Names::Hash { key_file } => format!("hash (key in {})", key_file.display()),
    };
    line("names", &names, settings.names.origin);
    line("strict", &settings.strict.value, settings.strict.origin);
    let live = &settings.live;
    line("reach_s", &live.reach_s.value, live.reach_s.origin);
    line("ring_ms", &live.ring_ms.value, live.ring_ms.origin);
    line("free_min_mib", &live.free_min_mib.value, live.free_min_mib.origin);
    line("list", &live.list.value, live.list.origin);
    if let Some(worst) = &live.worst_buffering_ms {
        line("worst_buffering", &format!("{} ms", worst.value), worst.origin);
    }
    if let Some(keys) = &live.keys {
        line("[keys] question", &format!("open for {} s after `told`", keys.question_s()), Origin::File);
        let customer = keys.customers().map(|(digit, key)| format!("{digit} {}", meaning(key)));
        line("[keys] customer", &listed(customer), Origin::File);
        let agent = keys.agents().map(|(digit, key)| match key {
            AgentKey::Pause => format!("{digit} pauses"),
            AgentKey::Resume => format!("{digit} resumes"),
        });
        line("[keys] agent", &listed(agent), Origin::File);
    }
    if live.pass_through_to_file {
        line("[danger]", &"pass_through_to_file: both voices, without consent", Origin::File);
    }
    let staff = &live.staff;
    if let Some(list) = &staff.acknowledged {
        line("[staff] version", &format!("{}, acknowledged by {}", list.version, list.agents.len()), Origin::File);
    }
    if staff.windows.is_some() {
        line("[staff] windows", &"in force", Origin::File);
    }
    if !staff.never_record.is_empty() {
        line("[staff] never", &format!("{} number(s)", staff.never_record.len()), Origin::File);
    }
    out.push('\n');
    out.push_str(&live_sentence(live));
    out.push('\n');
    out.push_str(&customer_sentence(settings));
    out.push('\n');
    out
}

/// What the reach of a mask costs a live call (ONE-09).
fn live_sentence(live: &Live) -> String {
    let memory = live.memory_bytes(2, 8_000, 8_000).div_ceil(1024);
    format!(
        "Live calls: a mask reaches back {} s; a kill in mid-call loses at most {} s of the agent; {memory} KiB a call at \
         8 kHz stereo for ring and reach.",
        live.reach_s.value,
        live.crash_bound_s(),
    )
}

/// What happens to the customer's voice under these settings.
pub fn customer_sentence(settings: &Settings) -> String {
    let withdrawn = match settings.on_withdrawal.value {
        OnWithdrawal::Erase => "a withdrawal erases what was kept under the grant",
        OnWithdrawal::Keep => "a withdrawal ends it and what was kept until then stays",
    };
    let purposes = match &settings.purposes.value {
        Some(list) => format!(" for {}", list.join(" or ")),
        None => String::new(),
    };
    format!(
        "The customer's voice: dropped, except between a grant{purposes} made by an active act and its end; {withdrawn}. \
         The agent's: kept where the agent speaks."
    )
}

/// What a key of the customer's does.
fn meaning(key: &CustomerKey) -> String {
    match key {
        CustomerKey::Grant(purposes) => format!("grants {}", purposes.join(" and ")),
        CustomerKey::Refuse => "refuses".into(),
        CustomerKey::Withdraw => "withdraws".into(),
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() { "none".into() } else { words.join(", ") }
}

fn word(on_withdrawal: OnWithdrawal) -> &'static str {
    match on_withdrawal {
        OnWithdrawal::Erase => "erase",
        OnWithdrawal::Keep => "keep",
    }
}

fn digest(digest: &Setting<DigestKind>) -> &'static str {
    match digest.value {
        DigestKind::Sampled => "sampled",
        DigestKind::Full => "full",
    }
}

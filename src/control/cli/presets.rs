//! `oneside presets`: the known exports, and what each preset assumes.

use crate::control::exit::Exit;
use crate::source::presets::{AgentSide, all};

/// Prints the list.
pub fn main() -> Exit {
    for preset in all() {
        let side = match preset.side {
            AgentSide::Fixed(channel) => format!("agent {channel}"),
            AgentSide::ByDirection { .. } => "needs --direction".into(),
            AgentSide::NeedsAgentChannel(_) => "needs --agent-channel".into(),
            AgentSide::NeedsPair(_) => "needs --pair".into(),
            AgentSide::Refused(_) => "refused".into(),
        };
        say_line!("{:<20} {side:<22} {} ({})", preset.name, preset.assumes, preset.source);
    }
    say_line!(
        "\nA preset says which channel is the agent's. An unknown export is refused, never guessed: listen to one"
    );
    say_line!("recording and say --agent-channel.");
    Exit::Done
}

//! What may be recorded of whom, and when: pure data, made up before a call begins (SEL-01, SEL-02, SEL-06, INF-04).
//!
//! It can only shut. Nothing in here opens the customer's door: what a key means is written down here, whether it counts
//! is decided where it is pressed.

pub mod keys;
pub mod numbers;
pub mod windows;

pub use keys::Keys;
pub use numbers::NeverRecord;
pub use windows::{Limits, Window, Windows, WindowsError};

use thiserror::Error;

/// Why a call is not recorded at all. The codes are stable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Excluded {
    /// The agent's acknowledgement is not on file.
    #[error(
        "agent `{agent}` has not acknowledged `{version}` (purpose, retention, access, rules), so nothing is captured \
         (INF-04); `oneside acknowledge` puts it on file"
    )]
    NoAgentAck {
        /// The agent.
        agent: String,
        /// What was to be acknowledged.
        version: String,
    },
    /// Nobody said whose call it is, and staff rules are in force.
    #[error("staff rules are in force, so a call needs the agent's id (--agent, or `agent` in the request)")]
    NoAgent,
    /// The other side's number is on the never-record list.
    #[error("the number is on the never-record list, so neither side is recorded (SEL-06)")]
    NeverRecord,
}

impl Excluded {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Excluded::NoAgentAck { .. } => "no_agent_ack",
            Excluded::NoAgent => "no_agent",
            Excluded::NeverRecord => "never_record",
        }
    }
}

/// The rules for staff.
#[derive(Clone, Debug, Default)]
pub struct Staff {
    /// What has to be acknowledged, and who has; `None`: nothing has to be.
    pub acknowledged: Option<Acknowledged>,
    /// When each agent may be recorded; `None`: always.
    pub windows: Option<Windows>,
    /// Numbers of which no call is recorded.
    pub never_record: NeverRecord,
}

/// Who has acknowledged what (INF-04).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The version of purpose, retention, access and rules that has to be acknowledged.
    pub version: String,
    /// The agents who have acknowledged this version.
    pub agents: std::collections::BTreeSet<String>,
}

impl Staff {
    /// Whether there is any rule that needs to know whose call it is.
    pub fn needs_agent(&self) -> bool {
        self.acknowledged.is_some() || self.windows.is_some()
    }

    /// Whether a call of this agent with this number may be begun.
    pub fn admit(&self, agent: Option<&str>, number: Option<&str>) -> Result<(), Excluded> {
        if number.is_some_and(|number| self.never_record.has(number)) {
            return Err(Excluded::NeverRecord);
        }
        let agent = match agent {
            Some(agent) => agent,
            None if self.needs_agent() => return Err(Excluded::NoAgent),
            None => return Ok(()),
        };
        match &self.acknowledged {
            Some(list) if !list.agents.contains(agent) => {
                Err(Excluded::NoAgentAck { agent: agent.into(), version: list.version.clone() })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_acknowledged_is_not_captured() {
        let agents = ["a1".to_owned()].into();
        let staff = Staff { acknowledged: Some(Acknowledged { version: "v2".into(), agents }), ..Staff::default() };
        assert_eq!(staff.admit(Some("a1"), None), Ok(()));
        assert_eq!(staff.admit(Some("a2"), None).unwrap_err().code(), "no_agent_ack");
        assert_eq!(staff.admit(None, None), Err(Excluded::NoAgent));
        assert_eq!(Staff::default().admit(None, Some("1")), Ok(()));
    }

    #[test]
    fn a_number_on_the_list_is_never_recorded() {
        let staff = Staff { never_record: NeverRecord::parse("+46 70-123 45 67"), ..Staff::default() };
        assert_eq!(staff.admit(None, Some("0046701234567")), Err(Excluded::NeverRecord));
    }
}

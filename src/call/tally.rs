//! What went in, what was written, what was left out and why. It must add up, for each side.

use serde::Serialize;

use crate::consent::Dropped;

/// The account of one side, in samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Samples that came in.
    pub heard: u64,
    /// Samples that were stored.
    pub written: u64,
    /// Samples that were stored and erased again by a withdrawal.
    pub erased: u64,
    left_out: [u64; Dropped::ALL.len()],
}

/// The accounts of both sides of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The agent's side.
    pub agent: Account,
    /// The customer's side.
    pub customer: Account,
}

impl Account {
    /// Counts samples that were left out.
    pub fn leave_out(&mut self, reason: Dropped, samples: u64) {
        self.left_out[index(reason)] += samples;
    }

    /// Samples left out for `reason`.
    pub fn left_out(&self, reason: Dropped) -> u64 {
        self.left_out[index(reason)]
    }

    /// Whether every sample that came in is accounted for.
    pub fn adds_up(&self) -> bool {
        self.heard == self.written + self.erased + self.left_out.iter().sum::<u64>()
    }

    /// The reasons that occurred, with their samples.
    pub fn reasons(&self) -> impl Iterator<Item = (Dropped, u64)> + '_ {
        Dropped::ALL.into_iter().map(|reason| (reason, self.left_out(reason))).filter(|(_, samples)| *samples > 0)
    }
}

fn index(reason: Dropped) -> usize {
    reason as usize
}

/// `{"heard":…,"written":…,"left_out":{"reason":…}}`, every number in samples.
impl Serialize for Account {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let left_out: serde_json::Map<String, serde_json::Value> =
            self.reasons().map(|(reason, samples)| (reason.code().into(), samples.into())).collect();
        let mut out = serializer.serialize_struct("Account", 4)?;
        out.serialize_field("heard", &self.heard)?;
        out.serialize_field("written", &self.written)?;
        out.serialize_field("erased", &self.erased)?;
        out.serialize_field("left_out", &left_out)?;
        out.end()
    }
}

impl Serialize for Tally {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Tally", 2)?;
        out.serialize_field("agent", &self.agent)?;
        out.serialize_field("customer", &self.customer)?;
        out.end()
    }
}

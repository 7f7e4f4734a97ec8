//! What the manifest of a live call tells beyond that of a file.

use serde::{Deserialize, Serialize};

use super::parts::{Account, Leak, Policy, Tally};
use crate::call::{self, Of};
use crate::consent::{Dropped, Terms};

/// How a live call came in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    /// Where the sound came from, for people.
    pub source: String,
    /// When the call was opened (RFC 3339).
    pub opened: String,
    /// When it was closed (RFC 3339); unknown of one that was interrupted.
    pub ended: Option<String>,
    /// BLAKE3 of the bytes that the source delivered, in hexadecimal, if it was taken.
    pub digest: Option<String>,
    /// What became of the customer's sound before the gate: `guard` (the bleed guard compared with it, in memory) or
    /// `drop-before-decode` (it was not decoded without a grant; leak cannot be measured), `none` (it never came here).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Sound that did not come, by reason.
    pub losses: Vec<Loss>,
}

/// Sound that did not come; silence of the same length stands in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Of which side; of both if absent.
    #[serde(default, skip_serializing_if = "is_of_both")]
    pub of: Of,
    /// Why: `lost`, `absent`.
    pub reason: String,
    /// Whether it was meant to be.
    pub intended: bool,
    /// How much.
    pub samples: u64,
}

fn is_of_both(of: &Of) -> bool {
    *of == Of::Both
}

impl Tally {
    /// The account of a call that is going on.
    pub(crate) fn so_far(tally: &call::Tally) -> Tally {
        let account = |account: &call::Account| {
            let left_out = account.reasons().map(|(reason, samples)| (reason.code().into(), samples)).collect();
            Account { heard: account.heard, written: account.written, erased: account.erased, left_out }
        };
        Tally { agent: account(&tally.agent), customer: account(&tally.customer) }
    }

    /// The account as the call kept it.
    pub(crate) fn to_call(&self) -> call::Tally {
        call::Tally { agent: self.agent.to_call(), customer: self.customer.to_call() }
    }
}

impl Account {
    fn to_call(&self) -> call::Account {
        let mut account = call::Account::default();
        (account.heard, account.written, account.erased) = (self.heard, self.written, self.erased);
        for reason in Dropped::ALL {
            account.leave_out(reason, self.left_out.get(reason.code()).copied().unwrap_or_default());
        }
        account
    }
}

impl Leak {
    /// The figures as the call kept them.
    pub(crate) fn to_call(&self) -> call::Leak {
        let Leak { measurable, coupling_db, customer_active_s, withheld_s, residual_db } = *self;
        call::Leak { measurable, coupling_db, customer_active_s, withheld_s, residual_db }
    }
}

impl Policy {
    /// The terms of the door that they make.
    pub(crate) fn terms(&self) -> Terms {
        let Policy { on_withdrawal, purposes, sensitive, .. } = self;
        Terms { on_withdrawal: (*on_withdrawal).into(), purposes: purposes.clone(), sensitive: *sensitive }
    }
}

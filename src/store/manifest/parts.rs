//! What a manifest is made of. See the parent module for what its numbers count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::call::{self, CallResult, Closing};
use crate::consent::OnWithdrawal;
use crate::store::name::Kind;

/// What a call was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Container and encoding, for people.
    pub encoding: String,
    /// Its channels, of both files of a pair together.
    pub channels: usize,
    /// Its rate, samples per second.
    pub rate_hz: u32,
    /// The file, or the agent's and then the customer's of a pair.
    pub files: Vec<InputFile>,
}

/// A file that a call was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// Its name as given, relative; absent where names are hashed.
    pub name: Option<String>,
    /// Its bytes.
    pub bytes: u64,
    /// Its time of modification (RFC 3339).
    pub modified: String,
    /// Its digest.
    pub digest: InputDigest,
}

/// The digest of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputDigest {
    /// Of what.
    pub kind: DigestKind,
    /// In hexadecimal.
    pub blake3: String,
}

/// What a digest of an input covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestKind {
    /// Pieces of the file: enough to tell that it is the same one.
    Sampled,
    /// Every byte.
    Full,
}

/// Which channel is the agent's, and who said so (ONE-06).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentChannel {
    /// The channel, from 0.
    pub channel: usize,
    /// `--agent-channel`, `preset NAME`, `config FILE`.
    pub from: String,
}

/// How speech was detected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voice {
    /// The detector.
    pub detector: String,
    /// Its mode: 0 keeps most, 3 keeps least.
    pub mode: u8,
    /// Kept before speech, ms.
    pub lead_in_ms: u32,
    /// Kept after speech, ms.
    pub tail_ms: u32,
}

/// Under which terms the customer could be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether anything could open the customer's door.
    pub scope: Scope,
    /// What a withdrawal did with what was kept.
    pub on_withdrawal: Withdrawal,
    /// The purposes recorded for; absent: whatever a grant names.
    pub purposes: Option<Vec<String>>,
    /// The call was flagged sensitive (CON-12).
    pub sensitive: bool,
}

/// Whether anything can open the customer's door. There is no "always".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Nothing can.
    AgentOnly,
    /// A grant can.
    WithConsent,
}

/// What a withdrawal does with what was kept (WDR-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawal {
    /// It is erased.
    Erase,
    /// It stays, up to the withdrawal.
    Keep,
}

/// What became of every sample, for each side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// The agent's side.
    pub agent: Account,
    /// The customer's side.
    pub customer: Account,
}

/// The account of one side, in samples: `heard` = `written` + `erased` + the sum of `left_out`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Came in.
    pub heard: u64,
    /// Were stored.
    pub written: u64,
    /// Were stored and erased again.
    pub erased: u64,
    /// Were never stored, by reason.
    pub left_out: BTreeMap<String, u64>,
}

/// How much of the customer may have leaked into the agent's track (ONE-04).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// False where there was nothing to compare with, or in more than a tenth of what was called the agent's, or where
    /// nothing of the agent's was kept.
    pub measurable: bool,
    /// From the customer's line to the agent's microphone, dB.
    pub coupling_db: Option<f64>,
    /// Time in which the customer's side was active, seconds.
    pub customer_active_s: f64,
    /// Time withheld as bleed, seconds.
    pub withheld_s: f64,
    /// Upper estimate of what is left in what was kept, dB relative to the customer's own.
    pub residual_db: Option<f64>,
}

/// Something found out about the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Its stable name.
    pub code: String,
    /// What it did.
    pub remedy: String,
    /// For people.
    pub sentence: String,
    /// Its figures.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// What was kept of the customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Whether there is a track of the customer's.
    pub stored: bool,
    /// Why there is none: what most of it was left out for (CON-01).
    pub reason: Option<String>,
    /// The stretches kept, and by which grants.
    pub kept: Vec<Kept>,
}

/// A kept stretch of the customer's side: samples `[from, until)` (CON-05).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its first sample.
    pub from: u64,
    /// The first sample after it.
    pub until: u64,
    /// The grants in force, as the ledger numbers them.
    pub grants: Vec<u32>,
    /// The purposes that all of them cover.
    pub purposes: Vec<String>,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its name, beside the manifest.
    pub file: String,
    /// What it is.
    pub kind: Kind,
    /// Its length, samples, if it is a sound file.
    pub length_samples: Option<u64>,
    /// Its bytes.
    pub bytes: u64,
    /// Of a sound file the digest of [`digest`](crate::store::digest), else plain BLAKE3; in hexadecimal.
    pub digest: String,
}

/// The removal of an input, after its outputs were read back and found whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disposed {
    /// How: `delete`.
    pub method: String,
    /// Whether it is known to be gone.
    pub state: Progress,
    /// What was removed, in the order of the input's files.
    pub files: Vec<DisposedFile>,
}

/// A file of an input that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisposedFile {
    /// Its bytes.
    pub bytes: u64,
    /// BLAKE3 of every one of them, in hexadecimal.
    pub blake3: String,
    /// Where it lies, while its removal is pending only: so that an interrupted one can be completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// How far a removal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Decided and begun; it may have been interrupted.
    Pending,
    /// Carried out, and seen to be.
    Done,
}

impl Finding {
    pub(crate) fn all_of(findings: &[call::Finding]) -> Vec<Finding> {
        let findings = findings.iter().map(|finding| {
            let fields = match serde_json::to_value(finding) {
                Ok(serde_json::Value::Object(mut fields)) => {
                    fields.shift_remove("code");
                    fields
                }
                _ => serde_json::Map::new(),
            };
            let remedy = serde_json::to_value(finding.remedy()).ok();
            Finding {
                code: finding.code().into(),
                remedy: remedy.as_ref().and_then(|remedy| remedy.as_str()).unwrap_or_default().into(),
                sentence: finding.sentence(),
                fields,
            }
        });
        findings.collect()
    }
}

impl Tally {
    pub(super) fn of(closing: &Closing) -> Tally {
        let account = |account: &call::Account| {
            let left_out = account.reasons().map(|(reason, samples)| (reason.code().into(), samples)).collect();
            let (written, erased) = match closing.result {
                CallResult::Recorded | CallResult::Interrupted => (account.written, account.erased),
                // The recorder took back what was written before the doubt came up.
                CallResult::Quarantined => (0, account.erased + account.written),
            };
            Account { heard: account.heard, written, erased, left_out }
        };
        Tally { agent: account(&closing.tally.agent), customer: account(&closing.tally.customer) }
    }
}

impl Leak {
    pub(super) fn of(closing: &Closing) -> Leak {
        Leak::so_far(closing.leak)
    }

    /// Figures as JSON can carry them.
    pub(crate) fn so_far(leak: call::Leak) -> Leak {
        // JSON has no word for what is not finite.
        let finite = |figure: f64| figure.is_finite().then_some(figure);
        Leak {
            measurable: leak.measurable,
            coupling_db: leak.coupling_db.and_then(finite),
            customer_active_s: finite(leak.customer_active_s).unwrap_or_default(),
            withheld_s: finite(leak.withheld_s).unwrap_or_default(),
            residual_db: leak.residual_db.and_then(finite),
        }
    }
}

impl Customer {
    pub(super) fn of(closing: &Closing, stored: bool) -> Customer {
        let most = closing.tally.customer.reasons().max_by_key(|(_, samples)| *samples);
        let reason = match (stored, closing.result) {
            (true, _) => None,
            (false, CallResult::Quarantined) => Some("quarantined".into()),
            (false, _) => Some(most.map_or("no_sound", |(reason, _)| reason.code()).into()),
        };
        let kept = if closing.result == CallResult::Quarantined { &[] } else { closing.kept.as_slice() };
        let kept = kept.iter().filter_map(|kept| {
            let kept_until = kept.until.unwrap_or(closing.length);
            Kept::within(closing.length.0, kept.from.0, kept_until.0, &kept.grants, &kept.purposes)
        });
        Customer { stored, reason, kept: kept.collect() }
    }
}

impl Kept {
    /// A stretch as far as the call reaches; `None` if nothing of it does.
    pub(crate) fn within(length: u64, from: u64, until: u64, grants: &[u32], purposes: &[String]) -> Option<Kept> {
        let until = until.min(length);
        (from < until).then(|| Kept { from, until, grants: grants.to_vec(), purposes: purposes.to_vec() })
    }
}

impl Account {
    /// Whether every sample that came in is accounted for.
    pub fn adds_up(&self) -> bool {
        let left_out = self.left_out.values().map(|samples| u128::from(*samples)).sum::<u128>();
        u128::from(self.heard) == u128::from(self.written) + u128::from(self.erased) + left_out
    }
}

impl From<OnWithdrawal> for Withdrawal {
    fn from(terms: OnWithdrawal) -> Withdrawal {
        match terms {
            OnWithdrawal::Erase => Withdrawal::Erase,
            OnWithdrawal::Keep => Withdrawal::Keep,
        }
    }
}

impl From<Withdrawal> for OnWithdrawal {
    fn from(terms: Withdrawal) -> OnWithdrawal {
        match terms {
            Withdrawal::Erase => OnWithdrawal::Erase,
            Withdrawal::Keep => OnWithdrawal::Keep,
        }
    }
}

//! Every call that the switch knows is accounted for: stored, quarantined, interrupted, erased, or not recorded for a
//! reason (FIN-02, ROB-07).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::ArchiveError;
use crate::call::CallResult;
use crate::store::declined::not_recorded;
use crate::store::name::{MANIFEST_SUFFIX, RECEIPT_SUFFIX, SUMMARY};
use crate::store::{Manifest, Place, files, live};

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It stands.
    Recorded,
    /// It stands, and nothing of it was kept.
    Quarantined,
    /// It was interrupted; what stood was sealed.
    Interrupted,
    /// It was erased, and a receipt says so.
    Erased,
    /// It was not recorded: why.
    NotRecorded(String),
    /// It is being recorded: no result yet.
    InHand,
    /// It was interrupted and waits for the next start, which seals it: no result yet.
    Waits,
    /// Its manifest cannot be read: `oneside verify` says what is wrong.
    Unreadable,
    /// Nothing is known of it.
    Unknown,
}

impl Became {
    /// Whether it is a definite result.
    pub fn is_definite(&self) -> bool {
        !matches!(self, Became::InHand | Became::Waits | Became::Unreadable | Became::Unknown)
    }

    /// Its stable name.
    pub fn code(&self) -> &str {
        match self {
            Became::Recorded => "recorded",
            Became::Quarantined => "quarantined",
            Became::Interrupted => "interrupted",
            Became::Erased => "erased",
            Became::NotRecorded(reason) => reason,
            Became::InHand => "in_hand",
            Became::Waits => "waits_for_recovery",
            Became::Unreadable => "unreadable",
            Became::Unknown => "unknown",
        }
    }
}

/// What became of the calls of a store, by name. A call that stands below a day's directory is found by its own name as
/// well.
#[derive(Debug, Default)]
pub struct Results(BTreeMap<String, Became>);

impl Results {
    /// Takes stock of the store in `dir`. `progress` is told how many calls were looked at.
    pub fn of(dir: &Path, progress: &mut dyn FnMut(u64)) -> Result<Results, ArchiveError> {
        let mut results = Results::default();
        // Weakest first: what stands tells more than a list.
        for declined in not_recorded(dir)? {
            results.add(&declined.call, Became::NotRecorded(declined.reason));
        }
        for (call, waiting) in live::all_in_hand_by_name(dir) {
            let became = if waiting == live::Waiting::InHand { Became::InHand } else { Became::Waits };
            results.add(&call, became);
        }
        let mut names = Vec::new();
        files::walk(dir, &mut |path| {
            let name = path.strip_prefix(dir).unwrap_or(path).to_string_lossy().into_owned();
            if let Some(call) = name.strip_suffix(RECEIPT_SUFFIX) {
                names.push((call.to_owned(), true));
            } else if let Some(call) = name.strip_suffix(MANIFEST_SUFFIX).filter(|_| name != SUMMARY) {
                names.push((call.to_owned(), false));
            }
            Ok(())
        })?;
        for (number, (name, receipt)) in names.into_iter().enumerate() {
            progress(number as u64);
            let became = if receipt { Became::Erased } else { standing(dir, &name) };
            // A receipt of the customer's track alone stands beside the manifest.
            let known = results.0.get(&name);
            if !(receipt && known.is_some_and(|known| matches!(known, Became::Recorded | Became::Interrupted))) {
                results.add(&name, became);
            }
        }
        Ok(results)
    }

    fn add(&mut self, name: &str, became: Became) {
        if let Some(bare) = without_day(name) {
            self.0.insert(bare.to_owned(), became.clone());
        }
        self.0.insert(name.to_owned(), became);
    }

    /// What became of a call.
    pub fn became(&self, call: &str) -> Became {
        self.0.get(call).cloned().unwrap_or(Became::Unknown)
    }
}

fn standing(dir: &Path, name: &str) -> Became {
    let manifest = Place::new(dir, name).ok().and_then(|place| Manifest::read(&place).ok());
    match manifest.map(|manifest| manifest.result) {
        Some(CallResult::Recorded) => Became::Recorded,
        Some(CallResult::Quarantined) => Became::Quarantined,
        Some(CallResult::Interrupted) => Became::Interrupted,
        None => Became::Unreadable,
    }
}

/// The name below `2026/11/22/`.
fn without_day(name: &str) -> Option<&str> {
    let mut parts = name.splitn(4, '/');
    let is = |part: Option<&str>, digits: usize| {
        part.is_some_and(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    (is(parts.next(), 4) && is(parts.next(), 2) && is(parts.next(), 2)).then(|| parts.next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_below_a_day_is_found_by_its_own_name() {
        assert_eq!(without_day("2026/11/22/desk/a"), Some("desk/a"));
        assert_eq!(without_day("2026/11/22"), None);
        assert_eq!(without_day("desk/11/22/a"), None);
        let mut results = Results::default();
        results.add("2026/11/22/a", Became::Recorded);
        assert_eq!((results.became("a"), results.became("b")), (Became::Recorded, Became::Unknown));
        assert!(!Became::InHand.is_definite() && Became::NotRecorded("limit".into()).is_definite());
    }
}

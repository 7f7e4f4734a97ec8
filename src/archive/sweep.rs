//! Retention: what is older than it may be is erased, unless it is held (RET-01, HLD-01).
//!
//! First the [`Plan`], which lists what is due and what is held; then the deed. What time it is comes from outside.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::erase;
use super::error::ArchiveError;
use super::hold::{Hold, Holds};
use super::receipt::{Receipt, What};
use crate::store::name::{MANIFEST_SUFFIX, RECEIPT_SUFFIX, SUMMARY};
use crate::store::{Manifest, Place, StoreError, files};

/// The reason in receipts of the sweep.
pub const REASON: &str = "retention";

/// What a sweep would do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Calls that are due, by name.
    pub due: Vec<Due>,
    /// Calls that are due and held.
    pub held: Vec<(Due, Hold)>,
    /// Calls whose age is unknown, and why. They are not swept; `verify` says more.
    pub undated: Vec<(String, String)>,
    /// Calls that are not due yet.
    pub kept: u64,
}

/// A call that is older than it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its name.
    pub call: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// Looks which calls in `dir` were recorded `older_than` or more before `now`; changes nothing.
pub fn plan(dir: &Path, older_than: SignedDuration, holds: &Holds, now: Timestamp) -> Result<Plan, ArchiveError> {
    let mut plan = Plan::default();
    for call in calls(dir)? {
        let recorded_at = match recorded_at(dir, &call) {
            Ok(recorded_at) => recorded_at,
            Err(why) => {
                plan.undated.push((call, why));
                continue;
            }
        };
        if recorded_at.duration_since(now) > SignedDuration::from_hours(24) {
            // A clock that was wrong must not keep a call for ever.
            plan.undated.push((call, format!("it says that it was recorded on {recorded_at}, which is still to come")));
            continue;
        }
        let due = Due { call, recorded_at };
        match holds.of(&due.call) {
            _ if now.duration_since(recorded_at) < older_than => plan.kept += 1,
            Some(hold) => plan.held.push((due, hold.clone())),
            None => plan.due.push(due),
        }
    }
    Ok(plan)
}

/// Erases what is due by the plan, one call after the other; one that fails does not stop the others.
pub fn sweep(dir: &Path, plan: &Plan, now: Timestamp) -> Vec<(String, Result<Receipt, ArchiveError>)> {
    let erase = |due: &Due| {
        let place = Place::new(dir, &due.call)?;
        erase::erase(&erase::preview(&place, What::All, &Holds::default())?, REASON, now)
    };
    plan.due.iter().map(|due| (due.call.clone(), erase(due))).collect()
}

/// The calls in `dir` that have a manifest, by name.
pub(super) fn calls(dir: &Path) -> Result<Vec<String>, StoreError> {
    let mut calls = Vec::new();
    files::walk(dir, &mut |file| {
        let relative = file.strip_prefix(dir).ok().and_then(Path::to_str);
        let record = relative.filter(|name| *name != SUMMARY && !name.ends_with(RECEIPT_SUFFIX));
        calls.extend(record.and_then(|name| name.strip_suffix(MANIFEST_SUFFIX)).map(str::to_string));
        Ok(())
    })?;
    Ok(calls)
}

fn recorded_at(dir: &Path, call: &str) -> Result<Timestamp, String> {
    let manifest = Place::new(dir, call).and_then(|place| Manifest::read(&place)).map_err(|error| error.to_string())?;
    manifest.recorded_at.parse().map_err(|error| format!("recorded_at `{}`: {error}", manifest.recorded_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Scene, Scratch};

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn store() -> Scratch {
        let scratch = Scratch::new();
        for (name, recorded_at) in [("old", "2026-01-01T00:00:00Z"), ("new", "2026-03-01T01:00:00+02:00")] {
            Scene { recorded_at: recorded_at.into(), ..Scene::new(name) }.record(scratch.path());
        }
        scratch
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.due.iter().map(|due| due.call.as_str()).collect()
    }

    #[test]
    fn a_call_is_due_at_its_age_and_not_a_second_before() {
        let scratch = store();
        let at = |now: &str| plan(scratch.path(), DAY * 59, &Holds::default(), now.parse().unwrap()).unwrap();
        assert_eq!(names(&at("2026-02-28T23:59:59Z")), [] as [&str; 0]);
        assert_eq!(names(&at("2026-03-01T00:00:00Z")), ["old"]);
        assert_eq!(names(&at("2026-04-28T22:59:59Z")), ["old"]);
        assert_eq!(names(&at("2026-04-28T23:00:00Z")), ["new", "old"]);
    }

    #[test]
    fn sweeping_leaves_receipts_alone_and_once() {
        let scratch = store();
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        let swept = plan(scratch.path(), DAY, &Holds::default(), now).unwrap();
        let receipts = sweep(scratch.path(), &swept, now);
        assert!(receipts.iter().all(|(_, receipt)| receipt.as_ref().unwrap().erasures[0].reason == REASON));
        let mut left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["new.erased.json", "old.erased.json"]);
        assert_eq!(names(&plan(scratch.path(), DAY, &Holds::default(), now).unwrap()), [] as [&str; 0]);
    }

    #[test]
    fn a_call_from_the_future_is_named_and_not_kept_in_silence() {
        let scratch = store();
        let before = plan(scratch.path(), DAY, &Holds::default(), "2025-06-01T00:00:00Z".parse().unwrap()).unwrap();
        let undated: Vec<&str> = before.undated.iter().map(|(call, _)| call.as_str()).collect();
        assert_eq!((undated, before.kept), (vec!["new", "old"], 0));
    }

    #[test]
    fn a_held_call_stays_until_its_release() {
        let scratch = store();
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        let (call, reason, by) = ("old".into(), "dispute".into(), "legal".into());
        let holds = Holds::new(vec![Hold { call, reason, by, review: jiff::civil::date(2027, 6, 1) }]);
        let first = plan(scratch.path(), DAY, &holds, now).unwrap();
        assert_eq!((names(&first), first.held.len()), (vec!["new"], 1));
        sweep(scratch.path(), &first, now);
        assert!(scratch.path().join("old.agent.wav").exists());
        assert_eq!(names(&plan(scratch.path(), DAY, &Holds::default(), now).unwrap()), ["old"]);
    }

    #[test]
    fn a_call_of_unknown_age_is_named_not_swept() {
        let scratch = store();
        std::fs::write(scratch.path().join("old.json"), "{}").unwrap();
        let plan = plan(scratch.path(), DAY, &Holds::default(), "2027-01-01T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!((names(&plan), plan.undated.len()), (vec!["new"], 1));
        assert_eq!(plan.undated[0].0, "old");
    }
}

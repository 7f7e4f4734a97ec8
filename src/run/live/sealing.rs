//! How a live call ends: committed, or sealed as far as it was laid down; always with a definite result (ROB-07).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::desk::{Desk, Ended};
use super::meter::Missed;
use super::start::LiveOrders;
use super::worker::Worked;
use crate::call::{CallResult, Missing};
use crate::store::Manifest;
use crate::store::live::{self, Outcome};
use crate::store::manifest::Live;

/// Brings a call to a definite result (ROB-07).
pub struct Sealing {
    /// Who is told.
    pub desk: Arc<Desk>,
    /// Where it lies.
    pub orders: Arc<LiveOrders>,
    /// The name under which it stands.
    pub stored_as: String,
    /// Its name, as it was asked for.
    pub name: String,
}

impl Sealing {
    /// Commits what was written, or seals what was laid down before it broke; the desk is told the result.
    pub fn seal(self, worked: Result<Worked, String>) {
        let Sealing { desk, orders, stored_as, name } = self;
        let mut missed = None;
        let committed = worked.map_err(|text| format!("internal error: {text}; please report it")).and_then(|worked| {
            missed = Some(worked.missed.clone());
            catch_unwind(AssertUnwindSafe(|| worked.commit()))
                .unwrap_or_else(|panic| Err(format!("internal error: {}; please report it", panic_text(&*panic))))
        });
        let (manifest, ended) = match committed {
            Ok(manifest) => {
                manifest.leak.residual_db.iter().for_each(|residual| desk.note_leak(*residual));
                let ended = ended(name, &manifest, None);
                (Some(manifest), ended)
            }
            Err(why) => sealed_interrupted(&orders, name, &stored_as, why),
        };
        // Before it is told that it ended: who hears of that finds it counted.
        if let Some(manifest) = &manifest {
            desk.figures.sealed(&manifest.tally, &manifest.findings);
        }
        let laid = || manifest.as_ref().and_then(|manifest| manifest.live.as_ref()).map(missed_of).unwrap_or_default();
        desk.figures.missed(&missed.unwrap_or_else(laid));
        desk.leave(ended);
    }
}

/// What a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

impl Worked {
    fn commit(self) -> Result<Manifest, String> {
        self.out.finish(&self.closing).map(|stored| stored.manifest).map_err(|error| error.to_string())
    }
}

/// What was missing of a call whose worker broke, as far as its journal tells.
fn missed_of(live: &Live) -> Missed<u64> {
    let mut missed = Missed::default();
    for loss in &live.losses {
        if let Some(why) = Missing::of_reason(&loss.reason) {
            *missed.of(why) += loss.samples;
        }
    }
    missed
}

/// What was laid down before it broke is sealed; if even that fails, the next start does it.
fn sealed_interrupted(orders: &LiveOrders, name: String, stored_as: &str, why: String) -> (Option<Manifest>, Ended) {
    // Its writer is gone, so its journal can be taken, as after a kill. The store may hold thousands of others.
    let sealed = live::recover_one(&orders.out, stored_as).map_err(|error| error.to_string()).and_then(|found| {
        match found.map(|recovered| recovered.outcome) {
            Some(Outcome::Sealed(stored) | Outcome::Completed(stored)) => Ok(stored.manifest),
            Some(Outcome::Failed(error)) => Err(error.to_string()),
            Some(Outcome::Removed) | None => Err("nothing of it was there".into()),
        }
    });
    match sealed {
        Ok(manifest) => {
            let ended = ended(name, &manifest, Some(why));
            (Some(manifest), ended)
        }
        Err(error) => {
            let ended = Ended {
                call: name,
                stored_as: stored_as.into(),
                result: "failed".into(),
                seconds: 0.0,
                agent_s: 0.0,
                customer_s: 0.0,
                manifest: None,
                party_missing: Vec::new(),
                error: Some(format!("{why}; and it could not be sealed: {error}. The next start tries again")),
            };
            (None, ended)
        }
    }
}

fn ended(name: String, manifest: &Manifest, error: Option<String>) -> Ended {
    let seconds = |samples: u64| samples as f64 / f64::from(manifest.rate_hz.max(1));
    let missing = manifest.findings.iter().filter(|finding| finding.code == "party_missing");
    Ended {
        call: name,
        stored_as: manifest.call.clone(),
        result: match manifest.result {
            CallResult::Recorded => "recorded",
            CallResult::Quarantined => "quarantined",
            CallResult::Interrupted => "interrupted",
        }
        .into(),
        seconds: seconds(manifest.length_samples),
        agent_s: seconds(manifest.tally.agent.written),
        customer_s: seconds(manifest.tally.customer.written),
        manifest: Some(manifest.seal.clone()),
        party_missing: missing.filter_map(|finding| Some(finding.fields.get("party")?.as_str()?.to_owned())).collect(),
        error,
    }
}

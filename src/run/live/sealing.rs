//! How a live call ends: committed, or sealed as far as it was laid down; always with a definite result (ROB-07).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::desk::{Desk, Ended};
use super::start::LiveOrders;
use super::worker::Worked;
use crate::call::CallResult;
use crate::store::Manifest;
use crate::store::live::{self, Outcome};

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
        let committed = worked.map_err(|text| format!("internal error: {text}; please report it")).and_then(|worked| {
            desk.figures.lost_frames.fetch_add(worked.missing.0, Ordering::Relaxed);
            desk.figures.intended_frames.fetch_add(worked.missing.1, Ordering::Relaxed);
            catch_unwind(AssertUnwindSafe(|| worked.commit()))
                .unwrap_or_else(|panic| Err(format!("internal error: {}; please report it", panic_text(&*panic))))
        });
        let ended = match committed {
            Ok(manifest) => {
                manifest.leak.residual_db.iter().for_each(|residual| desk.note_leak(*residual));
                ended(name, &manifest, None)
            }
            Err(why) => sealed_interrupted(&orders, name, &stored_as, why),
        };
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

/// What was laid down before it broke is sealed; if even that fails, the next start does it.
fn sealed_interrupted(orders: &LiveOrders, name: String, stored_as: &str, why: String) -> Ended {
    // Its writer is gone, so its journal can be taken, as after a kill. The store may hold thousands of others.
    let sealed = live::recover_one(&orders.out, stored_as).map_err(|error| error.to_string()).and_then(|found| {
        match found.map(|recovered| recovered.outcome) {
            Some(Outcome::Sealed(stored) | Outcome::Completed(stored)) => Ok(stored.manifest),
            Some(Outcome::Failed(error)) => Err(error.to_string()),
            Some(Outcome::Removed) | None => Err("nothing of it was there".into()),
        }
    });
    match sealed {
        Ok(manifest) => ended(name, &manifest, Some(why)),
        Err(error) => Ended {
            call: name,
            stored_as: stored_as.into(),
            result: "failed".into(),
            seconds: 0.0,
            agent_s: 0.0,
            customer_s: 0.0,
            manifest: None,
            error: Some(format!("{why}; and it could not be sealed: {error}. The next start tries again")),
        },
    }
}

fn ended(name: String, manifest: &Manifest, error: Option<String>) -> Ended {
    let seconds = |samples: u64| samples as f64 / f64::from(manifest.rate_hz.max(1));
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
        error,
    }
}

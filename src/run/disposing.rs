//! Whether the input of a call may go: only where what was made of it is beyond doubt (ING-07).

use super::job::{JobError, Orders};
use crate::archive;
use crate::call::CallResult;
use crate::source::Input;
use crate::store::{Manifest, Place};

/// Findings after which somebody may want to run the input again, with another map, repaired, or with other events.
const DOUBTS: [&str; 5] = ["agent_dead", "swapped_suspected", "truncated", "unfinished", "events_rejected"];

/// Why the input of a recorded call is kept although its removal was asked for.
pub fn doubt(manifest: &Manifest) -> Option<String> {
    if manifest.result != CallResult::Recorded || manifest.disposed.is_some() {
        return None;
    }
    if manifest.length_samples == 0 {
        return Some("no sound".into());
    }
    let code = manifest.findings.iter().map(|finding| &finding.code).find(|code| DOUBTS.contains(&code.as_str()));
    code.map(|code| code.replace('_', " "))
}

impl Orders {
    pub(super) fn dispose(&self, input: &Input, place: &Place, manifest: Manifest) -> Result<Manifest, JobError> {
        // What was quarantined is all there is of the call: its input stays.
        match self.dispose && manifest.result == CallResult::Recorded && doubt(&manifest).is_none() {
            true => Ok(archive::dispose(place, &input.sound.paths())?),
            false => Ok(manifest),
        }
    }
}

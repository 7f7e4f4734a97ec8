//! `NAME.json`: what was kept of a call, what was left out, and why (AUD-01, CON-05, SEC-08).
//!
//! Nothing in it depends on when or where the call was processed, so a run that was killed and repeated leaves the
//! same bytes. Every number of samples counts from the call's first sample, at `rate_hz`.

mod live;
mod parts;

use std::fs;
use std::path::Path;

pub use live::{Live, Loss};
pub use parts::*;

use serde::{Deserialize, Serialize};

use super::error::{Naming, StoreError};
use super::files;
use super::name::{Kind, Place};
use super::sealed;
use crate::call::{CallResult, Closing};
use crate::consent::Entry;

/// The format's name and version.
pub const FORMAT: &str = "oneside-manifest/1";
/// Largest record that is read, bytes: ten thousand events take a tenth of it.
pub const RECORD_BYTES_MAX: u64 = 64 << 20;

/// The record of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The call's name; the file is called `NAME.json`.
    pub call: String,
    /// How the call ended.
    pub result: CallResult,
    /// Samples per second of the outputs.
    pub rate_hz: u32,
    /// The call's length, samples.
    pub length_samples: u64,
    /// When it was recorded (RFC 3339): the call's start if known, else the input's time of modification.
    pub recorded_at: String,
    /// What it was made of.
    pub input: Input,
    /// Which channel is the agent's.
    pub agent_channel: AgentChannel,
    /// BLAKE3 over everything that influences the outputs: equal settings and input give equal outputs.
    pub settings: String,
    /// How speech was detected.
    pub voice: Voice,
    /// Under which terms the customer could be kept.
    pub policy: Policy,
    /// What became of every sample.
    pub tally: Tally,
    /// How much of the customer may have leaked into the agent's track.
    pub leak: Leak,
    /// What was found out about the input.
    pub findings: Vec<Finding>,
    /// What was kept of the customer.
    pub customer: Customer,
    /// The files that were written.
    pub outputs: Vec<Output>,
    /// Every event and its effect, hash-chained.
    pub ledger: Vec<Entry>,
    /// The removal of the input, if it was asked for.
    pub disposed: Option<Disposed>,
    /// How it came in, if it was a live call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// BLAKE3 over all other bytes of the file.
    #[serde(serialize_with = "sealed::blank")]
    pub seal: String,
}

/// What a manifest tells that the closing of the call does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The call's name.
    pub call: String,
    /// When it was recorded (RFC 3339).
    pub recorded_at: String,
    /// What it was made of.
    pub input: Input,
    /// Which channel is the agent's.
    pub agent_channel: AgentChannel,
    /// BLAKE3 over everything that influences the outputs.
    pub settings: String,
    /// How speech was detected.
    pub voice: Voice,
    /// Under which terms the customer could be kept.
    pub policy: Policy,
}

impl Manifest {
    /// The record of a closed call.
    pub fn new(about: About, closing: &Closing, outputs: Vec<Output>) -> Manifest {
        let stored = outputs.iter().any(|output| output.kind == Kind::Customer);
        Manifest {
            format: FORMAT.into(),
            call: about.call,
            result: closing.result,
            rate_hz: closing.rate_hz,
            length_samples: closing.length.0,
            recorded_at: about.recorded_at,
            input: about.input,
            agent_channel: about.agent_channel,
            settings: about.settings,
            voice: about.voice,
            policy: about.policy,
            tally: Tally::of(closing),
            leak: Leak::of(closing),
            findings: Finding::all_of(&closing.findings),
            customer: Customer::of(closing, stored),
            outputs,
            ledger: closing.ledger.clone(),
            disposed: None,
            live: None,
            seal: String::new(),
        }
    }

    /// The manifest as it stands in its file, sealed anew.
    pub fn to_text(&self) -> String {
        sealed::to_text(self)
    }

    /// Reads the manifest of a call; its seal must be whole.
    pub fn read(place: &Place) -> Result<Manifest, StoreError> {
        let file = place.manifest();
        let text = read_record(&file)?;
        let manifest = Manifest::parse(&text).map_err(|why| StoreError::Record { file: file.clone(), why })?;
        if manifest.format != FORMAT || manifest.call != place.name() {
            let why = format!("it is the {} of call `{}`", manifest.format, manifest.call);
            return Err(StoreError::Record { file, why });
        }
        Ok(manifest)
    }

    /// Reads a manifest's text; its seal must be whole. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Manifest, String> {
        sealed::check_seal(text)?;
        sealed::parse(text)
    }

    /// Seals the manifest and puts it in its place, durably. Returns the seal.
    pub fn write(&self, place: &Place) -> Result<String, StoreError> {
        let text = self.to_text();
        let seal = sealed::check_seal(&text).map_err(|why| StoreError::Record { file: place.manifest(), why })?;
        files::write_text(&place.manifest(), &text)?;
        Ok(seal)
    }

    /// Whether every output is there with its size: what a re-run asks before it skips a call. `verify` asks more.
    pub fn outputs_stand(&self, place: &Place) -> bool {
        let stands = |output: &Output| {
            let found = fs::symlink_metadata(place.output(output.kind));
            found.is_ok_and(|found| found.is_file() && found.len() == output.bytes)
        };
        self.outputs.iter().all(stands)
    }
}

/// Reads a record of bounded size as text.
pub(crate) fn read_record(file: &Path) -> Result<String, StoreError> {
    let bytes = fs::metadata(file).naming("read", file)?.len();
    if bytes > RECORD_BYTES_MAX {
        let why = format!("it has {bytes} bytes, more than any record; it was not written by oneside");
        return Err(StoreError::Record { file: file.into(), why });
    }
    let bytes = fs::read(file).naming("read", file)?;
    String::from_utf8(bytes).map_err(|error| {
        let why = format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to());
        StoreError::Record { file: file.into(), why }
    })
}

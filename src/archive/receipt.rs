//! `NAME.erased.json`: what was erased of a call, when and why. All that is left of one that was erased whole.
//!
//! It holds no sound, and of the sound only sizes and digests; of the ledger its length and its last link, so that a
//! ledger kept elsewhere can be recognised (WDR-04).

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::store::manifest::{Progress, read_record};
use crate::store::{Kind, Place, StoreError, files, sealed};

/// The format's name and version.
pub const FORMAT: &str = "oneside-erased/1";

/// What is erased of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Everything, the manifest too.
    All,
    /// The customer's track.
    Customer,
    /// The agent's track and what was made of it.
    Agent,
}

/// The receipt of what was erased of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`FORMAT`].
    pub format: String,
    /// The call's name.
    pub call: String,
    /// Whether the last erasure is known to be complete.
    pub state: Progress,
    /// The seal of the call's manifest; absent if there was none that could be read.
    pub manifest: Option<String>,
    /// Entries in the call's ledger.
    pub ledger_entries: Option<u64>,
    /// The hash of the last one.
    pub ledger_head: Option<String>,
    /// What was erased, oldest first.
    pub erasures: Vec<Erasure>,
    /// BLAKE3 over all other bytes of the file.
    #[serde(serialize_with = "sealed::blank")]
    pub seal: String,
}

/// One erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// What of the call.
    pub what: What,
    /// Why: `retention`, or what the person who asked said.
    pub reason: String,
    /// When it was decided (RFC 3339).
    pub at: String,
    /// The files that were there.
    pub files: Vec<ErasedFile>,
}

/// A file that was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasedFile {
    /// Its name, beside the receipt.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its digest by the manifest (of the manifest: its seal); absent if the manifest could not tell.
    pub digest: Option<String>,
}

impl What {
    /// The outputs it covers. With the agent's track goes what was made of it; the picture shows the agent's side.
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            What::All => &Kind::ALL,
            What::Customer => &[Kind::Customer],
            What::Agent => &[Kind::Agent, Kind::Speech, Kind::Timeline, Kind::Picture],
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            What::All => "files",
            What::Customer => "customer's track",
            What::Agent => "agent's track",
        }
    }
}

impl Receipt {
    /// Whether the output was erased by one of the erasures.
    pub fn covers(&self, kind: Kind) -> bool {
        self.erasures.iter().any(|erasure| erasure.what.kinds().contains(&kind))
    }

    /// Whether the whole call was erased.
    pub fn covers_all(&self) -> bool {
        self.erasures.iter().any(|erasure| erasure.what == What::All)
    }

    /// The receipt as it stands in its file, sealed anew.
    pub fn to_text(&self) -> String {
        sealed::to_text(self)
    }

    /// Puts the receipt in its place, durably.
    pub fn write(&self, place: &Place) -> Result<(), StoreError> {
        files::write_text(&place.receipt(), &self.to_text())
    }

    /// Reads the receipt of a call, if there is one; its seal must be whole and its call the right one.
    pub fn read(place: &Place) -> Result<Option<Receipt>, StoreError> {
        let file = place.receipt();
        if file.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let text = read_record(&file)?;
        Receipt::parse(&text, place.name()).map(Some).map_err(|why| StoreError::Record { file, why })
    }

    /// Reads and checks a receipt's text. The error says what is wrong.
    pub fn parse(text: &str, call: &str) -> Result<Receipt, String> {
        sealed::check_seal(text)?;
        let receipt: Receipt = sealed::parse(text)?;
        if receipt.format != FORMAT {
            return Err(format!("its format is `{}`, not `{FORMAT}`", receipt.format));
        }
        if receipt.call != call {
            return Err(format!("it is the receipt of call `{}`", receipt.call));
        }
        match sealed::first_difference(text, &receipt.to_text()) {
            Some(line) => Err(format!("line {line} is not as oneside writes it")),
            None if receipt.erasures.is_empty() => Err("it names nothing that was erased".into()),
            None => Ok(receipt),
        }
    }
}

/// The call whose receipt a file is, by its path below the store's directory.
pub fn call_of(relative: &Path) -> Option<&str> {
    relative.to_str()?.strip_suffix(crate::store::name::RECEIPT_SUFFIX)
}

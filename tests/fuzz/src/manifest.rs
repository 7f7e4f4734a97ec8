//! Records at rest: manifests, summaries, receipts. They are read as they are, and again sealed anew, because no
//! fuzzer finds a seal; a manifest that can be read stands in a store of its own and is verified.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use oneside::archive::{Receipt, verify};
use oneside::consent::ledger::check_chain;
use oneside::store::{Manifest, Place, Summary, sealed};

/// The bytes are a record's text.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let sealed_as_is = sealed::check_seal(text).is_ok();
    for read in [Manifest::parse(text).is_ok(), Summary::parse(text).is_ok(), Receipt::parse(text, "a").is_ok()] {
        assert!(sealed_as_is || !read, "nothing is read whose seal is broken");
    }
    if let Ok(manifest) = sealed::parse::<Manifest>(text) {
        let text = resealed(&manifest, Manifest::to_text, Manifest::parse, |manifest| manifest.seal.clear());
        let _ = check_chain(&manifest.call, &manifest.ledger);
        stands(&manifest, &text);
    }
    if let Ok(summary) = sealed::parse::<Summary>(text) {
        resealed(&summary, Summary::to_text, Summary::parse, |summary| summary.seal.clear());
        let fewer = summary.calls.first().map(|line| summary.clone().without(&line.name));
        assert!(fewer.is_none_or(|fewer| fewer.calls.len() < summary.calls.len()));
    }
    if let Ok(receipt) = sealed::parse::<Receipt>(text) {
        let _ = Receipt::parse(&receipt.to_text(), &receipt.call);
    }
}

/// Seals a record, reads it back, and seals what was read: nothing is lost on the way. Returns the sealed text.
fn resealed<T: Clone + PartialEq + Debug>(
    record: &T,
    to_text: fn(&T) -> String,
    parse: fn(&str) -> Result<T, String>,
    clear: fn(&mut T),
) -> String {
    let text = to_text(record);
    assert!(sealed::check_seal(&text).is_ok(), "what was sealed has a whole seal");
    let (mut read, mut written) = (parse(&text).expect("what was written can be read"), record.clone());
    assert_eq!(to_text(&read), text, "a record that is read and written again is the same text");
    clear(&mut read);
    clear(&mut written);
    assert_eq!(read, written, "a record is read as it was written");
    text
}

/// Verifies a store of this one manifest: it must come to an end, and miss the files that the manifest names.
fn stands(manifest: &Manifest, text: &str) {
    let scratch = Scratch::new();
    let Ok(place) = Place::new(&scratch.0, &manifest.call) else { return };
    if place.parent() != scratch.0 || fs::write(place.manifest(), text).is_err() {
        return; // a name too long for the file system, or one with directories: nothing to do with records
    }
    let report = verify(&scratch.0, &mut |_, _| ()).expect("the scratch directory can be read");
    assert!(manifest.outputs.is_empty() || !report.findings.is_empty(), "outputs that are not there are missed");
}

/// A directory of this process and thread, emptied when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let dir = std::env::temp_dir().join(format!("oneside-fuzz-{}-{thread}", std::process::id()));
        fs::create_dir_all(&dir).expect("the temporary directory can be written to");
        Scratch(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // what stays lies in the temporary directory
    }
}

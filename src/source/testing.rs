//! What the tests of this room share: a scratch directory, and recordings in it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::files::Recording;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory that vanishes when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Scratch {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("oneside-source-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the scratch directory can be made");
        Scratch(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, with the directories above it.
    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("directories can be made");
        std::fs::write(&path, content).expect("the file can be written");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reads a recording to its end, in blocks of an odd size.
pub(super) fn read_all(recording: &mut dyn Recording) -> Vec<i16> {
    let channels = recording.format().channels;
    let mut block = vec![0; 777 * channels];
    let mut sound = Vec::new();
    loop {
        let frames = recording.read(&mut block).expect("the recording is readable");
        sound.extend_from_slice(&block[..frames * channels]);
        if frames < 777 {
            return sound;
        }
    }
}

/// The bytes of 16-bit samples.
pub(super) fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

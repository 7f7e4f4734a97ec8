//! Where cleared sound goes: the only room, with the archive, that can make or change a file.
//!
//! It has no verb that takes samples: all of them take [`crate::consent::Cleared`], and it may not import `audio`, so
//! it cannot even name a raw frame.
//!
//! * [`tracks`]: the outlet of a call, [`Recorder`]: one file a track (ONE-10), committed so that a kill at any moment
//!   leaves either the old call or the new one, or neither, never a mixture that looks whole.
//! * [`wav`], [`timeline`]: the files; [`digest`]: how they are known again.
//! * [`manifest`], [`summary`]: what was kept and why; [`sealed`]: how these show that they were touched.
//! * [`live`]: calls in hand, crash-safe; their outlet is [`live::LiveRecorder`].
//! * [`picture`]: the call at a glance.
//! * [`files`], [`name`]: how files are written, called and found.

pub mod declined;
pub mod digest;
pub mod error;
pub mod files;
pub mod live;
pub mod manifest;
pub mod name;
pub mod picture;
pub mod sealed;
pub mod summary;
pub mod timeline;
pub mod tracks;
pub mod wav;

mod commit;
#[cfg(test)]
pub(crate) mod testing;

pub use commit::{Stored, is_erased};
pub use error::StoreError;
pub use files::{Lock, lock, remove_abandoned};
pub use manifest::{About, Manifest, Output};
pub use name::{Kind, Place};
pub use summary::Summary;
pub use tracks::{Plan, Recorder};

//! `oneside`: one-sided call recording.
//!
//! > No sample of a customer's voice reaches a disk, a socket or a log unless, at the moment it was spoken, a grant made
//! > by an active act stood.
//!
//! ```text
//!  source ──▶ split ──▶ bleed ──▶ voice ──▶ GATE ──▶ store ──▶ archive
//!  captures   who is    whose     is it     may it   where it   what is kept,
//!             who       voice     speech    be       goes       how long
//!                                           written
//! ```
//!
//! The folder names are the sentence. Rooms import only from rooms that stand lower in this list (`tests/tidy.rs` holds
//! the floor plan); the first six are pure: no I/O, no clock, no threads.
//!
//! | room | what lives there |
//! |---|---|
//! | [`audio`] | frames that carry their party, media time, levels, rate conversion |
//! | [`ring`] | the lock-free ring between a source's thread and a worker |
//! | [`split`] | who is who: the channel map, doubt, findings |
//! | [`bleed`] | whose voice is in the agent's microphone: the guard and its proof |
//! | [`voice`] | is it speech: the detector bank, lead-in and tail |
//! | [`consent`] | the only door: events, roster, gate, ledger |
//! | [`policy`] | what may be recorded of whom, and when; it can only shut |
//! | [`call`] | one call as a pure state machine |
//! | [`store`] | where cleared sound goes |
//! | [`source`] | where calls come from |
//! | [`relay`] | the call, handed on as it came; reaches no store |
//! | [`archive`] | verify, erase, sweep, hold, dispose |
//! | [`evaluate`] | judging by numbers |
//! | [`config`] | what is in force, and where each value comes from |
//! | [`run`] | drives calls: threads, blocks, workers |
//! | [`control`] | the command line |
//! | [`manual`] | the handbook: start there |
//!
//! Read on: the picture above → [`consent::gate`] → `tests/compile_fail/`.

pub mod archive;
pub mod audio;
pub mod bleed;
pub mod call;
pub mod config;
pub mod consent;
pub mod control;
pub mod evaluate;
pub mod manual;
pub mod policy;
pub mod relay;
pub mod ring;
pub mod run;
pub mod source;
pub mod split;
pub mod store;
pub mod voice;

#[cfg(test)]
#[path = "../tests/it/skipped.rs"]
mod skipped;

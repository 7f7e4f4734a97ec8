//! `oneside`: one-sided call recording.
pub mod archive;
pub mod audio;
pub mod bleed;
pub mod call;
pub mod config;
pub mod consent;
pub mod control;
pub mod evaluate;
pub mod manual;
pub mod run;
pub mod source;
pub mod split;
pub mod store;
pub mod voice;

//! Holdback.

//! Doubt.
/// Doubt.
pub struct Doubt;

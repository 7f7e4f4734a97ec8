//! Levels.
/// Levels.
pub struct Levels;

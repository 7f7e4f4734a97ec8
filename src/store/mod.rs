//! Where cleared sound goes.

pub mod picture;

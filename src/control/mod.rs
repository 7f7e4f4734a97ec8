//! How people steer: the command line, and its exit codes.

pub mod cli;
pub mod exit;

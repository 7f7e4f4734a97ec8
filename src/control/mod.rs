//! How people steer: the command line and its exit codes, the HTTP API and the agent's page.

pub mod cli;
pub mod exit;
#[cfg(feature = "http")]
pub mod http;

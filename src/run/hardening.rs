//! What the process forbids itself before it hears anybody (ONE-02, SEC-04).
//!
//! A customer's samples are in memory while a call is decided. A core dump would put them on a disk, so there is none.

/// Forbids core dumps of this process: by the limit, and on Linux also for dump handlers that ignore it. Where neither
/// can be set the error says so; the caller decides whether to go on.
#[cfg(unix)]
pub fn forbid_core_dumps() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Elsewhere the system writes no core dumps by itself.
#[cfg(not(unix))]
pub fn forbid_core_dumps() -> std::io::Result<()> {
    Ok(())
}

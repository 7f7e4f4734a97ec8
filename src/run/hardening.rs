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

/// Files and sockets that the process may have open: the system's limit for it is raised as far as it goes. `None`: there is
/// no limit, or none that can be read.
#[cfg(unix)]
pub fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current == limit.maximum || setrlimit(Resource::Nofile, raised).is_ok() {
        return limit.maximum;
    }
    // Some systems have a lower limit of their own than the one that they name.
    limit.current
}

/// Elsewhere no such limit is known.
#[cfg(not(unix))]
pub fn raise_open_files() -> Option<u64> {
    None
}

/// The least limit of locked memory with which memory is locked, bytes: with less, an allocation could fail later.
#[cfg(target_os = "linux")]
const LOCKED_MIN: u64 = 256 << 20;

/// Keeps this process' memory out of the swap, as far as the system allows (SEC-04). Only pages that are used are locked,
/// so the process does not grow. The error says what to do.
#[cfg(target_os = "linux")]
pub fn keep_out_of_swap() -> Result<(), String> {
    use rustix::mm::{MlockAllFlags, mlockall};
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Memlock).current;
    if limit.is_some_and(|limit| limit < LOCKED_MIN) {
        return Err(format!(
            "memory is not locked, so what is in it could be swapped to a disk: raise the limit (LimitMEMLOCK=infinity in \
             a systemd unit, `ulimit -l`; at least {} MiB), or use no swap or an encrypted one",
            LOCKED_MIN >> 20
        ));
    }
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|error| format!("memory could not be locked ({error}): use no swap, or an encrypted one"))
}

/// Elsewhere that needs unsafe code; the manual says what to do.
#[cfg(not(target_os = "linux"))]
pub fn keep_out_of_swap() -> Result<(), String> {
    Err("memory is not locked on this system: use no swap file, or an encrypted one".into())
}

//! Plain loops, compiled a second time for the wide registers of the machine at hand (AVX2 where it has them).
//!
//! The program is built for the least of processors; the crate `pulp` chooses at run time, once. The results are the
//! same: integers, and floats of which no sum is reordered.

use std::sync::LazyLock;

pub use pulp::NullaryFnOnce as Work;

pub(super) static ARCH: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);

/// Whether work is compiled for more than the least of x86-64 processors.
pub fn is_wide() -> bool {
    !matches!(*ARCH, pulp::Arch::Scalar)
}

/// Does the work with the widest registers. Its `call`, and what that calls, must be inlined (`#[inline(always)]`) to gain
/// anything; that is why it is no closure.
#[inline(always)]
pub fn wide<W: Work>(work: W) -> W::Output {
    ARCH.dispatch(work)
}

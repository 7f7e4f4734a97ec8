//! How long the turns of shards took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Sweeps longer than this are told apart no more, ms.
const SWEEP_MAX_MS: usize = 256;

/// Figures of one shard or of all.
#[derive(Debug)]
pub struct Sweeps([AtomicU64; SWEEP_MAX_MS]);

impl Default for Sweeps {
    fn default() -> Sweeps {
        Sweeps([const { AtomicU64::new(0) }; SWEEP_MAX_MS])
    }
}

impl Sweeps {
    /// Takes in one.
    pub fn add(&self, took: Duration) {
        self.0[(took.as_millis() as usize).min(SWEEP_MAX_MS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// Sweeps so far, and the time that 50, 99 and 100 of 100 of them did not exceed, ms.
    pub fn figures(&self) -> (u64, [u32; 3]) {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let within = |per_cent: u64| {
            let mut left = (all * per_cent).div_ceil(100);
            let at = counts.iter().position(|count| {
                left = left.saturating_sub(*count);
                left == 0
            });
            at.map_or(0, |ms| ms as u32 + 1)
        };
        if all == 0 { (0, [0; 3]) } else { (all, [within(50), within(99), within(100)]) }
    }
}

//! What counts for live calls only.

use super::resolve::{Layers, bad, default};
use super::{ConfigError, Setting};
use crate::policy::{Keys, Staff};

/// Longest reach of a mask, seconds: it is memory, and what a crash loses.
pub const REACH_MAX_S: u32 = 60;
/// Default of what a ring holds, ms.
pub const RING_MS: u32 = 5_000;
/// The least and the most that a ring may hold, ms.
pub const RING_RANGE_MS: [u32; 2] = [500, 60_000];
/// Longest worst buffering, ms.
pub const WORST_BUFFERING_MAX_MS: u32 = 300_000;
/// Default of the free space without which no call is begun, MiB.
pub const FREE_MIN_MIB: u64 = 64;

/// Settings of live calls.
#[derive(Clone, Debug)]
pub struct Live {
    /// Seconds of the agent's that stay in memory, where a mask still reaches them (ONE-09).
    pub reach_s: Setting<u32>,
    /// What the ring holds, ms; never less than two bursts of the source.
    pub ring_ms: Setting<u32>,
    /// The longest that sound may wait on its way to us, ms; absent: what the source declares by itself.
    pub worst_buffering_ms: Option<Setting<u32>>,
    /// No call is begun with less free space than this, MiB (ROB-01).
    pub free_min_mib: Setting<u64>,
    /// The input list of each call is kept.
    pub list: Setting<bool>,
    /// The call may be passed through into a regular file.
    pub pass_through_to_file: bool,
    /// What the keys of a telephone mean; `None`: nothing.
    pub keys: Option<Keys>,
    /// Rules for staff.
    pub staff: Staff,
    /// Calls are stored in a directory for each day (UTC).
    pub by_date: bool,
}

impl Live {
    /// What a kill in mid-call loses of the agent at most, seconds.
    pub fn crash_bound_s(&self) -> u32 {
        self.reach_s.value + 1
    }

    /// Memory that one call takes for its ring and its reach, bytes, with `channels` at `source_hz` and a call at `rate_hz`.
    pub fn memory_bytes(&self, channels: usize, source_hz: u32, rate_hz: u32) -> u64 {
        let ring = u64::from(self.ring_ms.value) * u64::from(source_hz) / 1_000 * channels as u64 * 2;
        ring + u64::from(self.reach_s.value) * u64::from(rate_hz) * 2
    }
}

impl Layers<'_> {
    pub(super) fn live(&self) -> Result<Live, ConfigError> {
        let ring = match self.pick(|raw| raw.ring_ms) {
            None => default(RING_MS),
            Some(Setting { value, origin }) if !(RING_RANGE_MS[0]..=RING_RANGE_MS[1]).contains(&value) => {
                let [least, most] = RING_RANGE_MS;
                return Err(bad("ring_ms", origin, format!("{value} ms is not possible; {least} to {most} ms are")));
            }
            Some(setting) => setting,
        };
        let worst = self.pick(|raw| raw.worst_buffering_ms);
        if let Some(Setting { value, origin }) = worst.as_ref().filter(|worst| worst.value > WORST_BUFFERING_MAX_MS) {
            let message = format!("{value} ms is too long; at most {WORST_BUFFERING_MAX_MS} ms");
            return Err(bad("worst_buffering_ms", *origin, message));
        }
        let purposes = self.pick(|raw| raw.purposes.clone()).map(|setting| setting.value);
        let keys = self.0.iter().find_map(|(_, raw)| raw.keys.clone());
        let staff = self.0.iter().find_map(|(_, raw)| raw.staff.clone());
        let danger = self.0.iter().find_map(|(_, raw)| raw.danger.clone()).unwrap_or_default();
        #[cfg(feature = "serve")]
        let by_date = match self.0.iter().find_map(|(_, raw)| raw.serve.as_ref()) {
            Some(serve) => serve.by_date()?,
            None => false,
        };
        #[cfg(not(feature = "serve"))]
        let by_date = false;
        Ok(Live {
            by_date,
            reach_s: self.at_most("reach_s", |raw| raw.reach_s, 0, REACH_MAX_S)?,
            ring_ms: ring,
            worst_buffering_ms: worst,
            free_min_mib: self.pick(|raw| raw.free_min_mib).unwrap_or(default(FREE_MIN_MIB)),
            list: self.flag(|raw| raw.list),
            keys: keys.map(|keys| keys.resolve(purposes.as_deref())).transpose()?,
            staff: staff.map(|staff| staff.resolve()).transpose()?.unwrap_or_default(),
            pass_through_to_file: danger.pass_through_to_file.unwrap_or(false),
        })
    }
}

//! The end of a stream: nothing is waited for any more.

use super::Jitter;

impl Jitter {
    /// How far behind the clock it lays, ns.
    pub fn delay_ns(&self) -> u64 {
        self.delay as u64 * 1_000_000_000 / u64::from(self.line_hz)
    }

    /// What waits is to be laid by a [`tick`](Jitter::tick) at `now_ns`, the newest too. It may have its place ahead of the clock:
    /// where all of the first packets were slow, those behind them come early.
    pub fn hurry(&mut self, now_ns: u64) {
        let newest = self.pending.back().map_or(0, |slot| slot.place + 1);
        self.delay = self.delay.min(self.frames(now_ns) - newest);
    }
}

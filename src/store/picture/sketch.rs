//! What a picture needs to know of a call's sound, in bounded memory whatever its length.

use crate::call::{Span, Trace};
use crate::consent::Dropped;

/// Bins in a sketch: about as many as a picture has columns.
pub const BINS: usize = 1_000;

/// Fates of a unit of the agent's side: stored, or one of the reasons.
const FATES: usize = 1 + Dropped::ALL.len();

/// What became of each stretch of a call, counted in bins. Starts with bins of 10 ms; when the call outgrows them, pairs
/// are merged and a bin covers twice the time. Allocates once, when it is made; about 60 kB.
#[derive(Clone, Debug)]
pub struct Sketch {
    bins: Vec<Bin>,
    bin_samples: u64,
}

/// Samples of each kind in one bin. At 48 kHz a count would be full after a day, a bin of a call of three years.
#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    agent: [u32; FATES],
    customer_active: u32,
}

impl Sketch {
    /// An empty sketch of a call at `rate_hz`.
    pub fn new(rate_hz: u32) -> Sketch {
        Sketch { bins: vec![Bin::default(); BINS], bin_samples: u64::from(rate_hz / 100).max(1) }
    }

    /// Counts a unit of the call.
    pub fn add(&mut self, unit: Trace) {
        let Span { from, until } = unit.span;
        if from >= until {
            return;
        }
        while (until.0 - 1) / self.bin_samples >= BINS as u64 {
            self.merge_pairs();
        }
        let mut at = from.0;
        while at < until.0 {
            let index = at / self.bin_samples;
            let end = (index + 1).saturating_mul(self.bin_samples).min(until.0);
            self.bins[index as usize].count(&unit, (end - at) as u32);
            at = end;
        }
    }

    /// Samples that a bin covers.
    pub fn bin_samples(&self) -> u64 {
        self.bin_samples
    }

    /// The part, 0 to 1, of the bin around `sample` that became of the agent's side what `fate` says.
    pub(super) fn agent_share(&self, sample: u64, fate: Result<(), Dropped>) -> f64 {
        let Some(bin) = self.bin(sample) else { return 0.0 };
        let heard: u64 = bin.agent.iter().map(|&samples| u64::from(samples)).sum();
        f64::from(bin.agent[index(fate)]) / heard.max(1) as f64
    }

    /// The part, 0 to 1, of the bin around `sample` in which the customer's side was active.
    pub(super) fn activity(&self, sample: u64) -> f64 {
        let Some(bin) = self.bin(sample) else { return 0.0 };
        let heard: u64 = bin.agent.iter().map(|&samples| u64::from(samples)).sum();
        f64::from(bin.customer_active) / heard.max(1) as f64
    }

    fn bin(&self, sample: u64) -> Option<&Bin> {
        self.bins.get(usize::try_from(sample / self.bin_samples).ok()?)
    }

    fn merge_pairs(&mut self) {
        for i in 0..BINS / 2 {
            self.bins[i] = self.bins[2 * i].plus(&self.bins[2 * i + 1]);
        }
        self.bins[BINS / 2..].fill(Bin::default());
        self.bin_samples = self.bin_samples.saturating_mul(2);
    }
}

impl Bin {
    fn count(&mut self, unit: &Trace, samples: u32) {
        let count = &mut self.agent[index(unit.agent)];
        *count = count.saturating_add(samples);
        if unit.customer_active {
            self.customer_active = self.customer_active.saturating_add(samples);
        }
    }

    fn plus(&self, other: &Bin) -> Bin {
        Bin {
            agent: std::array::from_fn(|i| self.agent[i].saturating_add(other.agent[i])),
            customer_active: self.customer_active.saturating_add(other.customer_active),
        }
    }
}

fn index(fate: Result<(), Dropped>) -> usize {
    fate.map_or_else(|reason| 1 + reason as usize, |()| 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::MediaTime;

    fn unit(from: u64, until: u64, agent: Result<(), Dropped>, customer_active: bool) -> Trace {
        Trace { span: Span { from: MediaTime(from), until: MediaTime(until) }, agent, customer_active }
    }

    #[test]
    fn two_hours_fit_into_the_same_bins_as_two_seconds() {
        let mut sketch = Sketch::new(8_000);
        for i in 0..720_000 {
            sketch.add(unit(i * 80, (i + 1) * 80, Ok(()), false));
        }
        assert_eq!(sketch.bins.len(), BINS);
        assert_eq!(sketch.bin_samples(), 80 * 1024);
        let counted: u64 = sketch.bins.iter().map(|bin| u64::from(bin.agent[0])).sum();
        assert_eq!(counted, 720_000 * 80, "no sample is lost by merging");
    }

    #[test]
    fn a_unit_over_the_edge_of_a_bin_is_counted_in_both() {
        let mut sketch = Sketch::new(8_000);
        sketch.add(unit(0, 40, Err(Dropped::Bleed), true));
        sketch.add(unit(40, 120, Ok(()), false));
        assert_eq!(sketch.agent_share(0, Ok(())), 0.5);
        assert_eq!(sketch.activity(0), 0.5);
        assert_eq!(sketch.agent_share(80, Ok(())), 1.0, "a bin that is not full yet counts what is there");
    }

    #[test]
    fn a_unit_at_the_end_of_time_neither_panics_nor_hangs() {
        let mut sketch = Sketch::new(8_000);
        sketch.add(unit(u64::MAX - 80, u64::MAX, Ok(()), true));
        sketch.add(unit(80, 80, Ok(()), true));
        assert_eq!(sketch.agent_share(u64::MAX - 1, Ok(())), 1.0);
    }
}

//! How long the turns of shards took. Shards only add to counters: nobody waits for anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::figures::Figure;

/// Sweeps longer than this are told apart no more, ms.
const SWEEP_MAX_MS: usize = 256;
/// The upper bounds of the histogram's buckets, seconds as they are written and the same in ms. A turn has 5 ms.
const BUCKETS: [(&str, usize); 8] =
    [("0.001", 1), ("0.002", 2), ("0.005", 5), ("0.01", 10), ("0.02", 20), ("0.05", 50), ("0.1", 100), ("0.2", 200)];

/// Figures of one shard or of all.
#[derive(Debug)]
pub struct Sweeps {
    /// Sweeps by the whole milliseconds that they did not exceed, less one: the first took at most 1 ms.
    counts: [AtomicU64; SWEEP_MAX_MS],
    /// The time of all, ns: it lasts for five hundred years of one thread.
    nanos: AtomicU64,
}

impl Default for Sweeps {
    fn default() -> Sweeps {
        Sweeps { counts: [const { AtomicU64::new(0) }; SWEEP_MAX_MS], nanos: AtomicU64::new(0) }
    }
}

impl Sweeps {
    /// Takes in one.
    pub fn add(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let ms = usize::try_from(nanos.saturating_sub(1) / 1_000_000).unwrap_or(SWEEP_MAX_MS);
        self.counts[ms.min(SWEEP_MAX_MS - 1)].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What it counted, for metrics: all sweeps; the time that 50, 99 and 100 of 100 did not exceed; the histogram.
    pub fn figures(&self) -> Vec<Figure> {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let mut figures = Vec::new();
        let mut figure = |(name, part), kind, help, labels, value| {
            figures.push(Figure { name, part, kind, help, labels, value });
        };
        figure(("oneside_sweeps_total", ""), "counter", "Turns of all workers.", Vec::new(), all as f64);
        let help = "Time of a worker's turn, ms (one comes every 5 ms; calls of RTP are served in every 24th, others in every fourth): quantiles since the start.";
        for (quantile, per_cent) in [("0.5", 50), ("0.99", 99), ("1", 100)] {
            figure(
                ("oneside_sweep_ms", ""),
                "gauge",
                help,
                vec![("quantile", quantile)],
                f64::from(within(&counts, per_cent)),
            );
        }
        let help = "Time of a worker's turn, seconds: one comes every 0.005 s.";
        let (name, kind) = ("oneside_sweep_seconds", "histogram");
        for (bound, ms) in BUCKETS {
            let up_to: u64 = counts[..ms].iter().sum();
            figure((name, "_bucket"), kind, help, vec![("le", bound)], up_to as f64);
        }
        figure((name, "_bucket"), kind, help, vec![("le", "+Inf")], all as f64);
        let seconds = self.nanos.load(Ordering::Relaxed) as f64 / 1e9;
        figure((name, "_sum"), kind, help, Vec::new(), seconds);
        figure((name, "_count"), kind, help, Vec::new(), all as f64);
        figures
    }
}

/// The time that so many of 100 sweeps did not exceed, ms; 0 if there was none.
fn within(counts: &[u64], per_cent: u64) -> u32 {
    let mut left = (counts.iter().sum::<u64>() * per_cent).div_ceil(100);
    if left == 0 {
        return 0;
    }
    let at = counts.iter().position(|count| {
        left = left.saturating_sub(*count);
        left == 0
    });
    at.map_or(0, |ms| ms as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(figures: &[Figure], part: &str, label: &str) -> f64 {
        let of = |figure: &&Figure| {
            figure.part == part && (label.is_empty() || figure.labels.iter().any(|(_, value)| *value == label))
        };
        figures.iter().filter(|figure| figure.name != "oneside_sweeps_total").find(of).unwrap().value
    }

    #[test]
    fn a_bucket_holds_what_did_not_exceed_its_bound() {
        let sweeps = Sweeps::default();
        for micros in [0, 400, 1_000, 1_001, 20_000, 20_001, 150_000, 2_000_000] {
            sweeps.add(Duration::from_micros(micros));
        }
        let figures = sweeps.figures();
        for (bound, count) in [
            ("0.001", 3.0),
            ("0.002", 4.0),
            ("0.01", 4.0),
            ("0.02", 5.0),
            ("0.05", 6.0),
            ("0.1", 6.0),
            ("0.2", 7.0),
            ("+Inf", 8.0),
        ] {
            assert_eq!(value(&figures, "_bucket", bound), count, "{bound}");
        }
        assert_eq!(value(&figures, "_count", ""), 8.0);
        assert!((value(&figures, "_sum", "") - 2.192_402).abs() < 1e-9);
        assert_eq!((value(&figures, "", "0.5"), value(&figures, "", "1")), (2.0, 256.0));
        assert_eq!(value(&Sweeps::default().figures(), "", "0.99"), 0.0);
    }
}

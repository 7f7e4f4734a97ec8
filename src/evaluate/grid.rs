//! The 10 ms grid on which labels and hypotheses meet: intervals in seconds become one flag a frame.
//!
//! Frame `k` covers `k*10..k*10+10` ms. A boundary goes to the nearest frame, and halfway to the even one, as
//! Python's `round` does: the reference scorers do so, and a boundary moved by one frame moves the onset by 10 ms.

/// Length of a frame, seconds.
pub const HOP_S: f64 = 0.01;
/// Frames in a second.
pub const FRAMES_PER_SECOND: u32 = 100;

/// A stretch of time in seconds, `from_s` included, `until_s` not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Where it starts, seconds since the first sample.
    pub from_s: f64,
    /// Where it ends, seconds since the first sample.
    pub until_s: f64,
}

/// A labelled stretch.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// When.
    pub span: Interval,
    /// Who or what: `speech`, `agent`, `customer`, or a DTMF digit.
    pub who: String,
}

/// The stretches of `labels` that belong to `who`.
pub fn of_class(labels: &[Label], who: &str) -> Vec<Interval> {
    labels.iter().filter(|label| label.who == who).map(|label| label.span).collect()
}

/// Whole frames in `seconds`; what is left over counts for nothing.
pub fn whole_frames(seconds: f64) -> usize {
    (seconds / HOP_S) as usize
}

/// One flag a frame (shape: `frames`), set inside the intervals, each widened by `widen` frames at both ends.
///
/// What lies outside `0..frames` is cut off; an interval that ends before it starts sets nothing.
pub fn mask(intervals: &[Interval], frames: usize, widen: usize) -> Vec<bool> {
    let mut flags = vec![false; frames];
    for interval in intervals {
        let from = nearest_frame(interval.from_s).saturating_sub(widen).min(frames);
        let until = nearest_frame(interval.until_s).saturating_add(widen).min(frames);
        if from < until {
            flags[from..until].fill(true);
        }
    }
    flags
}

/// `flags` spread by `reach` frames to both sides.
pub fn spread(flags: &[bool], reach: usize) -> Vec<bool> {
    let mut wide = vec![false; flags.len()];
    for (from, until) in runs(flags) {
        wide[from.saturating_sub(reach)..until.saturating_add(reach).min(flags.len())].fill(true);
    }
    wide
}

/// The runs of set flags as (first, one past the last).
pub fn runs(flags: &[bool]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open = None;
    for (at, &set) in flags.iter().enumerate() {
        match (open, set) {
            (None, true) => open = Some(at),
            (Some(from), false) => {
                found.push((from, at));
                open = None;
            }
            _ => {}
        }
    }
    found.extend(open.map(|from| (from, flags.len())));
    found
}

/// How many flags are set.
pub fn count(flags: &[bool]) -> usize {
    flags.iter().filter(|&&set| set).count()
}

/// The `percent`-th percentile (0..=100) with linear interpolation between neighbours; NaN if there is no value.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = percent / 100.0 * (sorted.len() - 1) as f64;
    let below = (place as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

/// The middle value, or the mean of the two in the middle; NaN if there is no value.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

// A negative or undefined time becomes frame 0: the cast saturates.
fn nearest_frame(seconds: f64) -> usize {
    (seconds / HOP_S).round_ties_even() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from_s: f64, until_s: f64) -> Interval {
        Interval { from_s, until_s }
    }

    #[test]
    fn a_boundary_halfway_goes_to_the_even_frame() {
        // 0.125 / 0.01 is exactly 12.5 and goes down to 12; 0.175 / 0.01 is 17.5 (rounded) and goes up to 18
        assert_eq!(runs(&mask(&[span(0.125, 0.175)], 30, 0)), [(12, 18)]);
    }

    #[test]
    fn an_interval_is_cut_to_the_item() {
        assert_eq!(runs(&mask(&[span(-1.0, 0.02), span(0.08, 9.0)], 10, 0)), [(0, 2), (8, 10)]);
        assert_eq!(runs(&mask(&[span(0.05, 0.06)], 10, 2)), [(3, 8)]);
        assert_eq!(count(&mask(&[span(0.07, 0.03), span(f64::NAN, 0.0), span(1e300, f64::INFINITY)], 10, 0)), 0);
    }

    #[test]
    fn spreading_reaches_both_neighbours_and_stops_at_the_ends() {
        assert_eq!(runs(&spread(&mask(&[span(0.01, 0.02), span(0.08, 0.09)], 10, 0), 2)), [(0, 4), (6, 10)]);
    }

    #[test]
    fn percentiles_interpolate_between_neighbours() {
        assert_eq!(percentile(&[30.0, 10.0, 20.0], 90.0), 28.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}

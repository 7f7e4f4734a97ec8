//! How well voice-activity intervals agree with the labels, frame by frame and segment by segment.
//!
//! The definitions are those of the reference scorer `score_vad.py`, on frames of 10 ms: counts are added up over the
//! items of a set before any ratio is taken, so that a long item weighs more than a short one.

use super::grid::{HOP_S, Interval, count, mask, median, percentile, runs};

/// A segment counts for the delay only after this much without reference speech, frames (0.2 s).
const GAP_FRAMES: usize = 20;
/// A pause counts for the overhang only from this length on, frames.
const PAUSE_FRAMES: usize = 5;
/// Milliseconds in a frame.
const FRAME_MS: f64 = 10.0;

/// What is counted of one item, or of several together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Frames of speech that were called speech.
    pub hits: usize,
    /// Frames without speech that were called speech.
    pub false_alarms: usize,
    /// Frames of speech that were not called speech.
    pub misses: usize,
    /// Frames without speech that were not called speech.
    pub rejections: usize,
    /// Start of each found segment to its first frame called speech, ms.
    pub delays_ms: Vec<f64>,
    /// How long the hypothesis stayed on after each segment, ms.
    pub overhangs_ms: Vec<f64>,
    /// Segments that count for the delay.
    pub segments: usize,
    /// Those of them without any frame called speech.
    pub lost: usize,
    /// Frames in which only the other side speaks.
    pub other: usize,
    /// Those of them called speech of this side.
    pub other_let_through: usize,
}

/// The ratios of a set or an item; NaN where there is nothing to divide by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// Share of the hypothesis' speech frames that are speech, 0..=1.
    pub precision: f64,
    /// Share of the speech frames that were found, 0..=1.
    pub recall: f64,
    /// Harmonic mean of the two, 0..=1.
    pub f1: f64,
    /// Share of the frames without speech that were called speech, 0..=1.
    pub false_alarm: f64,
    /// Share of the speech frames that were not found, 0..=1.
    pub miss: f64,
    /// Share of all frames that are right, 0..=1.
    pub accuracy: f64,
    /// Detection delay, median, ms.
    pub delay50_ms: f64,
    /// Detection delay, 90th percentile, ms.
    pub delay90_ms: f64,
    /// Share of the segments that were never detected, 0..=1.
    pub lost: f64,
    /// Overhang after a segment's end, median, ms.
    pub overhang50_ms: f64,
    /// Share of the other side's frames that were called this side's speech, 0..=1.
    pub customer: f64,
    /// Time that was scored, seconds.
    pub seconds: f64,
}

/// Counts one item of `frames` frames.
///
/// `collar` frames on both sides of every reference boundary stay out of the frame counts. `other` are the other
/// party's stretches, where the item has two parties.
pub fn score(
    reference: &[Interval],
    hypothesis: &[Interval],
    frames: usize,
    collar: usize,
    other: Option<&[Interval]>,
) -> Counts {
    let speech = mask(reference, frames, 0);
    let called = mask(hypothesis, frames, 0);
    let mut counts = Counts::default();
    let judged = outside_collar(&speech, collar);
    for at in (0..frames).filter(|&at| judged[at]) {
        let cell = match (speech[at], called[at]) {
            (true, true) => &mut counts.hits,
            (false, true) => &mut counts.false_alarms,
            (true, false) => &mut counts.misses,
            (false, false) => &mut counts.rejections,
        };
        *cell += 1;
    }
    count_segments(&mut counts, &speech, &called);
    if let Some(other) = other {
        let theirs: Vec<bool> = mask(other, frames, 0).iter().zip(&speech).map(|(&o, &s)| o && !s).collect();
        counts.other = count(&theirs);
        counts.other_let_through = theirs.iter().zip(&called).filter(|&(&theirs, &called)| theirs && called).count();
    }
    counts
}

impl Counts {
    /// Adds the counts of another item.
    pub fn add(&mut self, item: &Counts) {
        self.hits += item.hits;
        self.false_alarms += item.false_alarms;
        self.misses += item.misses;
        self.rejections += item.rejections;
        self.delays_ms.extend_from_slice(&item.delays_ms);
        self.overhangs_ms.extend_from_slice(&item.overhangs_ms);
        self.segments += item.segments;
        self.lost += item.lost;
        self.other += item.other;
        self.other_let_through += item.other_let_through;
    }

    /// The ratios of these counts.
    pub fn metrics(&self) -> Metrics {
        let speech = self.hits + self.misses;
        let silence = self.false_alarms + self.rejections;
        let f1 = ratio(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses);
        Metrics {
            precision: ratio(self.hits, self.hits + self.false_alarms),
            recall: ratio(self.hits, speech),
            // without any speech there is nothing to find, and 0 would look like a failure
            f1: if speech > 0 { f1 } else { f64::NAN },
            false_alarm: ratio(self.false_alarms, silence),
            miss: ratio(self.misses, speech),
            accuracy: ratio(self.hits + self.rejections, speech + silence),
            delay50_ms: median(&self.delays_ms),
            delay90_ms: percentile(&self.delays_ms, 90.0),
            lost: ratio(self.lost, self.segments),
            overhang50_ms: median(&self.overhangs_ms),
            customer: ratio(self.other_let_through, self.other),
            seconds: (speech + silence) as f64 * HOP_S,
        }
    }
}

fn outside_collar(speech: &[bool], collar: usize) -> Vec<bool> {
    let mut judged = vec![true; speech.len()];
    if collar > 0 {
        for edge in runs(speech).into_iter().flat_map(|(from, until)| [from, until]) {
            judged[edge.saturating_sub(collar)..edge.saturating_add(collar).min(speech.len())].fill(false);
        }
    }
    judged
}

fn count_segments(counts: &mut Counts, speech: &[bool], called: &[bool]) {
    let segments = runs(speech);
    let mut previous_end = None;
    for (nth, &(from, until)) in segments.iter().enumerate() {
        let next = segments.get(nth + 1).map_or(speech.len(), |&(from, _)| from);
        if next - until >= PAUSE_FRAMES {
            let stayed = called[until..next].iter().take_while(|&&on| on).count();
            counts.overhangs_ms.push(stayed as f64 * FRAME_MS);
        }
        let after_pause = previous_end.replace(until).is_none_or(|end| from - end >= GAP_FRAMES);
        if after_pause {
            counts.segments += 1;
            match called[from..until].iter().position(|&on| on) {
                Some(late) => counts.delays_ms.push(late as f64 * FRAME_MS),
                None => counts.lost += 1,
            }
        }
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { f64::NAN } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(spans: &[(u32, u32)]) -> Vec<Interval> {
        let second = |frame: u32| f64::from(frame) / 100.0;
        spans.iter().map(|&(from, until)| Interval { from_s: second(from), until_s: second(until) }).collect()
    }

    #[test]
    fn a_late_start_and_a_long_tail_are_counted_to_the_frame() {
        // speech 10..50 and 100..120 of 200; called 13..60: 37 hits, 10 false, 23 missed, 130 right rejections
        let counts = score(&frames(&[(10, 50), (100, 120)]), &frames(&[(13, 60)]), 200, 0, None);
        assert_eq!((counts.hits, counts.false_alarms, counts.misses, counts.rejections), (37, 10, 23, 130));
        assert_eq!(counts.delays_ms, [30.0]);
        assert_eq!(counts.overhangs_ms, [100.0, 0.0]);
        assert_eq!((counts.segments, counts.lost), (2, 1));
        let metrics = counts.metrics();
        assert_eq!((metrics.precision, metrics.recall, metrics.f1), (37.0 / 47.0, 37.0 / 60.0, 74.0 / 107.0));
        assert_eq!((metrics.accuracy, metrics.lost, metrics.seconds), (167.0 / 200.0, 0.5, 2.0));
    }

    #[test]
    fn a_segment_shortly_after_another_says_nothing_about_the_delay() {
        let counts = score(&frames(&[(10, 50), (69, 80)]), &[], 100, 0, None);
        assert_eq!((counts.segments, counts.lost), (1, 1));
        let counts = score(&frames(&[(10, 50), (70, 80)]), &[], 100, 0, None);
        assert_eq!((counts.segments, counts.lost), (2, 2));
    }

    #[test]
    fn a_pause_of_four_frames_has_no_overhang() {
        let on = frames(&[(0, 100)]);
        assert_eq!(score(&frames(&[(10, 20), (24, 40), (45, 100)]), &on, 100, 0, None).overhangs_ms, [50.0]);
    }

    #[test]
    fn frames_within_the_collar_are_not_judged() {
        let counts = score(&frames(&[(10, 50)]), &frames(&[(12, 52)]), 100, 2, None);
        assert_eq!((counts.hits, counts.false_alarms, counts.misses, counts.rejections), (36, 0, 0, 56));
    }

    #[test]
    fn the_other_side_counts_only_where_it_speaks_alone() {
        let other = frames(&[(40, 70)]);
        let counts = score(&frames(&[(10, 50)]), &frames(&[(10, 55)]), 100, 0, Some(&other));
        assert_eq!((counts.other, counts.other_let_through), (20, 5));
        assert_eq!(counts.metrics().customer, 0.25);
    }

    #[test]
    fn a_set_is_scored_by_its_frames_not_by_the_mean_of_its_items() {
        let mut all = score(&frames(&[(0, 10)]), &[], 10, 0, None);
        all.add(&score(&frames(&[(0, 30)]), &frames(&[(0, 30)]), 30, 0, None));
        assert_eq!(all.metrics().recall, 0.75);
    }

    #[test]
    fn without_speech_there_is_a_false_alarm_rate_and_no_f1() {
        let metrics = score(&[], &frames(&[(0, 5)]), 50, 0, None).metrics();
        assert_eq!(metrics.false_alarm, 0.1);
        assert!(metrics.f1.is_nan() && metrics.recall.is_nan() && metrics.customer.is_nan());
    }
}

//! How loud one channel comes back in another, learnt for every delay at once (ONE-04, ONE-05).
//!
//! A *lane* holds the coupling for one delay: level of the target now minus level of the source that long ago. Whoever
//! else speaks in the target only raises that difference, so the coupling is its **lower edge**: a lane falls quickly
//! when a difference lies below it and creeps up when differences keep lying above. That needs no double-talk
//! detector: two people speaking at once never lower what was learnt, and raise it by at most 3.5 dB per second of active
//! source (8 dB in the first second).
//!
//! *Expected* is the loudest that any lane predicts. Lanes that no sound has tested keep their start value, so what is
//! not known stays bounded from above.
//!
//! Limits: one level per unit, delays up to `LANES - 1` units, no samples. A path whose frequency response is very uneven
//! (a 900 Hz high pass of 18 dB an octave) spreads the differences beyond the guard's margin.

use crate::audio::Sixteen;
use crate::audio::level::{ACTIVE, Level, tenths_db};

/// Stands for "no sound": far below anything, yet sums of two stay inside an `i16`.
pub(super) const SILENT: Level = -8_192;

/// A source below this level is nobody speaking.
pub(super) const AUDIBLE: Level = ACTIVE;

/// Lowest coupling that is told apart: 45 dB of loss.
pub(super) const LEAST: Level = tenths_db(-450);

/// A lane learns only from a source this close to its recent peak: weaker sound drowns in noise and reverberation.
/// The peak falls 4.7 dB a second while the source is audible.
const PEAK_FALL: Level = 4;

/// A target louder than the source by this much is somebody else, not a path.
const CEILING: Level = tenths_db(30);

/// Differences more than this above a lane are somebody else as well; they raise it by 1 dB a second only.
const NEAR: Level = tenths_db(200);

/// Active units (1 s) in which a path is *young*: it falls at once and rises fast.
pub(super) const YOUNG_UNITS: u32 = 100;

/// How a lane follows: all of the distance down, or if it is slow an eighth, at most `fall` a unit; `rise` a unit up.
#[derive(Clone, Copy)]
struct Pace {
    is_slow: bool,
    fall: Level,
    rise: Level,
}

const YOUNG: Pace = Pace { is_slow: false, fall: tenths_db(60), rise: 7 };
const SETTLED: Pace = Pace { is_slow: true, fall: tenths_db(30), rise: 3 };
const RISE_FAR: Level = 1;

/// What one unit teaches: the target's level, and above which level a source teaches.
#[derive(Clone, Copy)]
struct Lesson {
    target: Level,
    above: Level,
    pace: Pace,
}

impl Lesson {
    /// The lane after this lesson, at whose delay the source had `level`.
    #[inline(always)]
    fn follow(self, lane: Level, level: Level, most: Level) -> Level {
        let off = self.target - level - lane;
        let up = if off < NEAR { self.pace.rise } else { RISE_FAR };
        let slowed = if self.pace.is_slow { off >> 3 } else { off };
        let step = if off < 0 { slowed.max(-self.pace.fall) } else { up };
        let step = if level > self.above { step } else { 0 };
        (lane + step).max(LEAST).min(most)
    }

    /// The same of sixteen lanes. Nothing saturates: levels lie between [`SILENT`] and full scale.
    #[inline(always)]
    fn follow_sixteen<S: Sixteen>(self, simd: S, lanes: S::Samples, levels: S::Samples, most: Level) -> S::Samples {
        let off = simd.minus(simd.minus(simd.splat(self.target), levels), lanes);
        let up = simd.select(simd.gt(simd.splat(NEAR), off), simd.splat(self.pace.rise), simd.splat(RISE_FAR));
        let slowed = if self.pace.is_slow { simd.eighth(off) } else { off };
        let down = simd.max(slowed, simd.splat(-self.pace.fall));
        let step = simd.select(simd.gt(simd.splat(0), off), down, up);
        let step = simd.and(step, simd.gt(levels, simd.splat(self.above)));
        simd.min(simd.max(simd.plus(lanes, step), simd.splat(LEAST)), simd.splat(most))
    }
}

/// Reverberation that outlasts the longest delay falls at least this fast: 120 dB a second, a room of 0.5 s.
const TAIL_FALL: Level = tenths_db(12);

/// The last 62 levels of one channel, each written twice so that every window is one slice, and two units of silence
/// after the newest: a window may reach into what is still to come.
#[derive(Debug)]
pub(super) struct History {
    newest: usize,
    levels: [Level; 2 * History::LENGTH],
}

impl History {
    pub(super) const LENGTH: usize = 64;
    const AHEAD: usize = 2;

    pub(super) const fn new() -> History {
        History { newest: 0, levels: [SILENT; 2 * History::LENGTH] }
    }

    #[inline]
    fn set(&mut self, at: usize, level: Level) {
        let at = at % History::LENGTH;
        self.levels[at] = level;
        self.levels[at + History::LENGTH] = level;
    }

    #[inline]
    pub(super) fn push(&mut self, level: Level) {
        self.newest = (self.newest + 1) % History::LENGTH;
        self.set(self.newest, level);
        self.set(self.newest + History::AHEAD, SILENT);
    }

    /// `N` levels, oldest first, the last `count` of them (1 or 2) silence in the place of what is pushed next. Reading
    /// what has just been written, as a part of something longer, makes the processor wait: so windows are read first.
    #[inline]
    pub(super) fn ahead<const N: usize>(&self, count: usize) -> &[Level; N] {
        let start = (self.newest + 1 + History::LENGTH + count - N) % History::LENGTH;
        let Some(window) = self.levels[start..].first_chunk() else {
            unreachable!("a window of {N} begins at {start}")
        };
        window
    }

    /// `N` levels, oldest first, the last of them `back` before the newest; `N + back` is at most [`History::LENGTH`].
    #[inline]
    pub(super) fn window<const N: usize>(&self, back: usize) -> &[Level; N] {
        let start = (self.newest + 1 + History::LENGTH - back - N) % History::LENGTH;
        let Some(window) = self.levels[start..].first_chunk() else {
            unreachable!("a window of {N} begins at {start}")
        };
        window
    }
}

/// The last eight levels, to be asked for one by one.
#[derive(Debug)]
pub(super) struct Recent {
    newest: usize,
    levels: [Level; 8],
}

impl Recent {
    pub(super) const fn new() -> Recent {
        Recent { newest: 0, levels: [SILENT; 8] }
    }

    #[inline]
    pub(super) fn push(&mut self, level: Level) {
        self.newest += 1;
        self.levels[self.newest % 8] = level;
    }

    /// The level `back` before the newest; `back` is below 8.
    #[inline]
    pub(super) fn at(&self, back: usize) -> Level {
        self.levels[(self.newest + 8 - back) % 8]
    }
}

/// One acoustic or electric path; lane `LANES - 1` is delay 0, lane 0 the longest delay.
#[derive(Debug)]
pub(super) struct Path<const LANES: usize> {
    source: History,
    tail: Recent,
    lanes: [Level; LANES],
    peak: Level,
    reach: Level,
    most: Level,
    active_units: u32,
    /// One bit for each unit of the source: was it audible? The newest is the lowest.
    audible: u64,
}

/// The loudest of a whole number of sixteens.
#[inline(always)]
fn loudest<S: Sixteen, const N: usize>(simd: S, levels: &[Level; N]) -> Level {
    const { assert!(N.is_multiple_of(16)) };
    let mut loudest = simd.splat(SILENT);
    for levels in levels.as_chunks::<16>().0 {
        loudest = simd.max(loudest, simd.load(levels));
    }
    simd.largest(loudest)
}

/// The loudest that a lane makes of its level. The sums do not saturate.
#[inline(always)]
fn loudest_of_sums<S: Sixteen, const N: usize>(simd: S, lanes: &[Level; N], levels: &[Level; N]) -> Level {
    const { assert!(N.is_multiple_of(16)) };
    let mut loudest = simd.splat(Level::MIN);
    for (lanes, levels) in lanes.as_chunks::<16>().0.iter().zip(levels.as_chunks::<16>().0) {
        loudest = simd.max(loudest, simd.plus(simd.load(lanes), simd.load(levels)));
    }
    simd.largest(loudest)
}

impl<const LANES: usize> Path<LANES> {
    /// All lanes start at `start` and never pass `most`; sources within `reach` of the recent peak teach.
    pub(super) const fn new(start: Level, most: Level, reach: Level) -> Path<LANES> {
        Path {
            source: History::new(),
            tail: Recent::new(),
            lanes: [start; LANES],
            peak: AUDIBLE + tenths_db(100),
            reach,
            most,
            active_units: 0,
            audible: 0,
        }
    }

    /// Takes two units, oldest first: what the source and the target measure at the same time.
    #[inline(always)]
    pub(super) fn hear(&mut self, simd: impl Sixteen, source: [Level; 2], target: [Level; 2]) {
        let first = self.learn(simd, &source[..1], target[0]);
        let second = self.learn(simd, &source, target[1]);
        self.learn_newest(0, source[0], first);
        self.learn_newest(0, source[1], second);
        self.learn_newest(1, source[0], second);
        self.source.push(source[0]);
        self.source.push(source[1]);
    }

    /// Takes one unit and answers with what is now expected in it.
    #[inline(always)]
    pub(super) fn expect(&mut self, simd: impl Sixteen, source: Level, target: Level) -> Level {
        let lesson = self.learn(simd, &[source], target);
        let past = loudest_of_sums(simd, &self.lanes, self.source.ahead::<LANES>(1)).max(self.tail.at(0));
        self.learn_newest(0, source, lesson);
        self.source.push(source);
        past.max(self.lanes[LANES - 1] + source)
    }

    /// Learns from one unit, the last of `new`, in the lanes of all units before those: the others are left to
    /// [`learn_newest`](Path::learn_newest), which touches single lanes and so comes last.
    #[inline(always)]
    fn learn(&mut self, simd: impl Sixteen, new: &[Level], target: Level) -> Option<Lesson> {
        let oldest = self.source.ahead::<LANES>(new.len())[0];
        self.follow_tail(oldest);
        self.follow_peak(new[new.len() - 1]);
        let Path { source, lanes, most, .. } = self;
        let window = source.ahead::<LANES>(new.len());
        let loudest = new.iter().fold(loudest(simd, window), |loudest, &level| loudest.max(level));
        let threshold = (self.peak - self.reach).max(AUDIBLE);
        if loudest < threshold {
            return None;
        }
        self.active_units = self.active_units.saturating_add(1);
        let pace = if self.active_units < YOUNG_UNITS { YOUNG } else { SETTLED };
        // Loud enough to teach, and not so much weaker than the target that this must be somebody else.
        let lesson = Lesson { target, above: (threshold - 1).max(target - CEILING), pace };
        for (lanes, levels) in lanes.as_chunks_mut::<16>().0.iter_mut().zip(window.as_chunks::<16>().0) {
            *lanes = simd.store(lesson.follow_sixteen(simd, simd.load(lanes), simd.load(levels), *most));
        }
        Some(lesson)
    }

    #[inline(always)]
    fn learn_newest(&mut self, delay: usize, level: Level, lesson: Option<Lesson>) {
        if let Some(lesson) = lesson {
            let lane = &mut self.lanes[LANES - 1 - delay];
            *lane = lesson.follow(*lane, level, self.most);
        }
    }

    /// Takes one unit of the source alone; nothing is learnt from it.
    #[inline(always)]
    pub(super) fn pass(&mut self, source: Level) {
        self.follow_tail(self.source.ahead::<LANES>(1)[0]);
        self.follow_peak(source);
        self.source.push(source);
    }

    #[inline(always)]
    fn follow_tail(&mut self, oldest: Level) {
        let tail = self.tail.at(0) - TAIL_FALL;
        self.tail.push(tail.max(oldest + self.lanes[0]).max(SILENT));
    }

    #[inline(always)]
    fn follow_peak(&mut self, source: Level) {
        let audible = source > AUDIBLE;
        self.audible = self.audible << 1 | u64::from(audible);
        if audible {
            self.peak -= PEAK_FALL;
        }
        self.peak = self.peak.max(source).max(AUDIBLE);
    }

    /// Loudest level that the source can have caused in the target, `back` units ago.
    #[inline(always)]
    pub(super) fn expected(&self, simd: impl Sixteen, back: usize) -> Level {
        loudest_of_sums(simd, &self.lanes, self.source.window::<LANES>(back)).max(self.tail.at(back))
    }

    /// Whether the source can still be heard `back` units ago, over all delays.
    #[inline(always)]
    pub(super) fn is_heard(&self, back: usize) -> bool {
        self.audible >> back & ((1 << LANES) - 1) != 0
    }

    /// The strongest coupling of any delay.
    #[inline(always)]
    pub(super) fn coupling(&self) -> Level {
        self.lanes.iter().fold(LEAST, |most, &lane| most.max(lane))
    }

    /// Raises the lanes around `delay` units to `coupling`, and learns as quickly as at first for half a second.
    pub(super) fn raise(&mut self, delay: usize, coupling: Level) {
        for near in delay.saturating_sub(1)..=(delay + 2).min(LANES - 1) {
            let lane = &mut self.lanes[LANES - 1 - near];
            *lane = (*lane).max(coupling.min(self.most));
        }
        self.active_units = self.active_units.min(YOUNG_UNITS / 2);
    }

    pub(super) fn peak(&self) -> Level {
        self.peak
    }

    /// Units in which some lane could learn, counted up to `u32::MAX`.
    pub(super) fn active_units(&self) -> u32 {
        self.active_units
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{BySixteen, by_sixteen};

    /// A lesson for sixteen lanes at once.
    struct Sixteenth([Level; 16], [Level; 16], Lesson);

    impl BySixteen for Sixteenth {
        type Output = ([Level; 16], [Level; 2]);

        #[inline(always)]
        fn call(self, simd: impl Sixteen) -> Self::Output {
            let Sixteenth(lanes, levels, lesson) = self;
            let followed = lesson.follow_sixteen(simd, simd.load(&lanes), simd.load(&levels), -100);
            (simd.store(followed), [loudest(simd, &levels), loudest_of_sums(simd, &lanes, &levels)])
        }
    }

    #[test]
    fn sixteen_lanes_follow_as_each_by_itself() {
        let mut state = 3u32;
        let mut between = |low: Level, high: Level| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            low + ((state >> 8) % (high - low + 1) as u32) as Level
        };
        for round in 0..20_000 {
            let lanes: [Level; 16] = std::array::from_fn(|_| between(LEAST, -100));
            let levels: [Level; 16] =
                std::array::from_fn(|lane| if lane % 5 == round % 7 { SILENT } else { between(0, 6_911) });
            let pace = [YOUNG, SETTLED][round % 2];
            let lesson = Lesson { target: between(0, 6_911), above: between(AUDIBLE, 6_911), pace };
            let (followed, [most, most_sum]) = by_sixteen(Sixteenth(lanes, levels, lesson));
            for lane in 0..16 {
                assert_eq!(followed[lane], lesson.follow(lanes[lane], levels[lane], -100));
            }
            assert_eq!(most, *levels.iter().max().unwrap());
            assert_eq!(Some(most_sum), lanes.iter().zip(&levels).map(|(lane, level)| lane + level).max());
        }
    }
}

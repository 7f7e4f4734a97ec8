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

/// How a lane follows: `shift` of the distance down at most `fall` a unit, `rise` a unit up.
struct Pace {
    shift: u32,
    fall: Level,
    rise: Level,
}

const YOUNG: Pace = Pace { shift: 0, fall: tenths_db(60), rise: 7 };
const SETTLED: Pace = Pace { shift: 3, fall: tenths_db(30), rise: 3 };
const RISE_FAR: Level = 1;

/// Reverberation that outlasts the longest delay falls at least this fast: 120 dB a second, a room of 0.5 s.
const TAIL_FALL: Level = tenths_db(12);

/// The last 64 levels of one channel, each written twice so that every window is one slice.
#[derive(Debug)]
pub(super) struct History {
    newest: usize,
    levels: [Level; 2 * History::LENGTH],
}

impl History {
    pub(super) const LENGTH: usize = 64;

    pub(super) const fn new() -> History {
        History { newest: 0, levels: [SILENT; 2 * History::LENGTH] }
    }

    pub(super) fn push(&mut self, level: Level) {
        self.newest = (self.newest + 1) % History::LENGTH;
        self.levels[self.newest] = level;
        self.levels[self.newest + History::LENGTH] = level;
    }

    /// `N` levels, oldest first, the last of them `back` before the newest; `N + back` is at most [`History::LENGTH`].
    pub(super) fn window<const N: usize>(&self, back: usize) -> &[Level; N] {
        let end = self.newest + History::LENGTH + 1 - back;
        let Some(window) = self.levels[..end].last_chunk() else { unreachable!("a window of {N} ends at {end}") };
        window
    }

    /// The level `back` before the newest.
    pub(super) fn at(&self, back: usize) -> Level {
        self.levels[self.newest + History::LENGTH - back]
    }
}

/// One acoustic or electric path; lane `LANES - 1` is delay 0, lane 0 the longest delay.
#[derive(Debug)]
pub(super) struct Path<const LANES: usize> {
    source: History,
    tail: History,
    lanes: [Level; LANES],
    peak: Level,
    reach: Level,
    most: Level,
    active_units: u32,
}

impl<const LANES: usize> Path<LANES> {
    /// All lanes start at `start` and never pass `most`; sources within `reach` of the recent peak teach.
    pub(super) const fn new(start: Level, most: Level, reach: Level) -> Path<LANES> {
        Path {
            source: History::new(),
            tail: History::new(),
            lanes: [start; LANES],
            peak: AUDIBLE + tenths_db(100),
            reach,
            most,
            active_units: 0,
        }
    }

    /// Takes one unit: what the source and the target measure at the same time.
    pub(super) fn hear(&mut self, source: Level, target: Level) {
        self.pass(source);
        self.learn(target);
    }

    /// Takes one unit of the source alone; nothing is learnt from it.
    pub(super) fn pass(&mut self, source: Level) {
        self.source.push(source);
        let oldest = self.source.at(LANES - 1) + self.lanes[0];
        self.tail.push(oldest.max(self.tail.at(0) - TAIL_FALL).max(SILENT));
        if source > AUDIBLE {
            self.peak -= PEAK_FALL;
        }
        self.peak = self.peak.max(source).max(AUDIBLE);
    }

    /// Loudest level that the source can have caused in the target, `back` units ago.
    pub(super) fn expected(&self, back: usize) -> Level {
        let window = self.source.window::<LANES>(back);
        self.lanes.iter().zip(window).fold(self.tail.at(back), |loudest, (lane, level)| loudest.max(lane + level))
    }

    /// Loudest source that can still be heard `back` units ago, over all delays.
    pub(super) fn loudest(&self, back: usize) -> Level {
        self.source.window::<LANES>(back).iter().fold(SILENT, |loudest, &level| loudest.max(level))
    }

    /// The strongest coupling of any delay.
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

    fn learn(&mut self, target: Level) {
        let threshold = (self.peak - self.reach).max(AUDIBLE);
        if self.loudest(0) < threshold {
            return;
        }
        self.active_units = self.active_units.saturating_add(1);
        let pace = if self.active_units < YOUNG_UNITS { YOUNG } else { SETTLED };
        let Path { source, lanes, most, .. } = self;
        for (lane, &level) in lanes.iter_mut().zip(source.window::<LANES>(0)) {
            let difference = target - level;
            let off = difference - *lane;
            let up = if off < NEAR { pace.rise } else { RISE_FAR };
            let step = if off < 0 { (off >> pace.shift).max(-pace.fall) } else { up };
            let step = if level >= threshold && difference < CEILING { step } else { 0 };
            *lane = (*lane + step).max(LEAST).min(*most);
        }
    }
}

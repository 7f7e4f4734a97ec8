//! The guard itself: two learnt paths, a second look, and a verdict per 10 ms unit (ONE-04, ONE-05).
//!
//! Why these numbers. On the dev set's customer-only frames the microphone lies at most 10 dB above what the bleed path
//! expects in 99.9 % of the units (an offline study with a slightly faster lane; the set's headsets and rooms,
//! -12 to -40 dB): [`CLEAR`] is 13 dB. With 10 dB the first leak appeared. Before anything is learnt the coupling is taken
//! as -9 dB, so the microphone has to be 4 dB louder than the customer. The price is 0.2 to 0.8 s of agent in the
//! call's first double talk.
//!
//! Limits. A customer who speaks first at -3 dB or more in the microphone can pass for the agent's echo (one synthetic
//! call of four let 0.2 s through). A coupling that jumps leaks until the likeness is sure, 0.2 to 0.5 s. Where the
//! customer's sound did not come, what it would have caused cannot be known: such units pass as those of one party do, are
//! counted as not compared, and teach nothing; nor do those in which the microphone's did not come.
//!
//! Real-time: no allocation, no clock, integers only; the state is about 2 KiB of levels, never a sample.

use super::evidence::{AHEAD_UNITS, Evidence, Seen};
use super::leak::{Account, Leak};
use super::likeness::{ALIKE, ALIKE_BESIDE_AGENT, Likeness};
use super::path::{AUDIBLE, LEAST, Path, Recent, SILENT, YOUNG_UNITS};
use super::{Reference, Unheard};
use crate::audio::level::{Level, Levels, OCTAVE, tenths_db};
use crate::audio::{BySixteen, Sixteen, by_sixteen};

/// Frames that must have been heard after the one a verdict is asked for: 100 ms.
pub const LOOK_FRAMES: u64 = 5;

/// The second unit of a frame is judged three units later, with what was learnt until then.
const JUDGED_BACK: usize = 3;
const _: () = assert!(2 * LOOK_FRAMES + 1 > AHEAD_UNITS + JUDGED_BACK as u64);

/// Delays of the bleed path in units: 0 to 310 ms. Of the echo path in frames: 0 to 300 ms.
const BLEED_LANES: usize = 32;
const ECHO_LANES: usize = 16;

/// Above the expected bleed by this much, a unit is the agent's; by [`FAINT`] next to the agent's voice.
const CLEAR: Level = tenths_db(130);
const FAINT: Level = tenths_db(80);

/// Coupling taken for true before anything is known, the most that can be learnt, and the reach of the learning.
const BLEED_START: Level = tenths_db(-90);
const BLEED_MOST: Level = 0;
const BLEED_REACH: Level = tenths_db(120);

/// The agent's echo in the customer's line: start and most, and how far above the lower edge a line still is echo. Start
/// plus slack stays below 0 dB: a customer at -3 dB in the microphone must never look like the agent's echo.
const ECHO_START: Level = tenths_db(-140);
const ECHO_REACH: Level = tenths_db(150);
const ECHO_SLACK: Level = tenths_db(120);

/// A bleed whose clear threshold lies below this (about -65 dBFS) is nothing.
const NOTHING: Level = AUDIBLE + tenths_db(-50);

/// Within this of the microphone's own noise nobody speaks; this far above it, somebody does.
const NOISE_REACH: Level = tenths_db(90);
const VOICE_REACH: Level = tenths_db(150);

/// An agent surely heard keeps the floor while untested delays are still unknown: no quieter than this below his level,
/// no dip longer than that, and no longer than 600 ms. His level falls 14 dB a second.
const FLOOR_DROP: Level = tenths_db(60);
const FLOOR_DIP_UNITS: u32 = 12;
const FLOOR_UNITS: u32 = 60;
const FLOOR_FALL: Level = 13;
const FLOOR_LOST: u32 = 1_000;

/// A coupling that jumped: the customer is loud enough within this of the peak, the microphone this far above the
/// expectation, and after ten alike frames (200 ms) the path is raised to 3 dB below the mean.
const LIKE_REACH: Level = tenths_db(250);
const LIKE_ABOVE: Level = tenths_db(30);
const LIKE_FRAMES: u32 = 10;
const LIKE_EDGE: Level = tenths_db(30);
const AGENT_RECENT_UNITS: u32 = 100;

/// Louder than any level.
const FULL_SCALE: Level = 27 * OCTAVE;

/// What one 10 ms unit of the microphone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May be the agent's: the customer cannot have caused it.
    Own,
    /// Holds the customer's voice, or could; withheld.
    Bleed,
    /// The microphone's own noise while the customer is heard; nothing of the agent is in it.
    Quiet,
}

/// Hears both sides of one call and says which units of the microphone may be the agent's.
#[derive(Debug)]
pub struct Guard {
    reference: Reference,
    bleed: Path<BLEED_LANES>,
    echo: Path<ECHO_LANES>,
    likeness: Likeness,
    evidence: Evidence,
    account: Account,
    agent: Recent,
    noise: Level,
    floor: Level,
    floor_units: u32,
    dip_units: u32,
    since_agent_units: u32,
    alike_frames: u32,
    alike: u32,
    /// One bit for each unit: the customer's sound did not come. The newest is the lowest.
    customer_unheard: u64,
    /// The same of the agent's.
    agent_unheard: u64,
    units: u64,
}

impl Guard {
    /// A guard that knows nothing yet.
    #[must_use]
    pub const fn new(reference: Reference) -> Guard {
        Guard {
            reference,
            bleed: Path::new(BLEED_START, BLEED_MOST, BLEED_REACH),
            echo: Path::new(ECHO_START, ECHO_START, ECHO_REACH),
            likeness: Likeness::new(),
            evidence: Evidence::new(),
            account: Account::new(),
            agent: Recent::new(),
            noise: FULL_SCALE,
            floor: 0,
            floor_units: FLOOR_LOST,
            dip_units: 0,
            since_agent_units: FLOOR_LOST,
            alike_frames: 0,
            alike: 0,
            customer_unheard: 0,
            agent_unheard: 0,
            units: 0,
        }
    }

    /// Hears one 20 ms frame. `unheard`: what of it did not come, which is silence that nobody heard and teaches nothing.
    pub fn hear(&mut self, levels: &Levels, unheard: Unheard) {
        if self.reference == Reference::OneParty {
            self.units += 2;
            return;
        }
        by_sixteen(Comparison { guard: self, levels, unheard });
    }

    #[inline(always)]
    fn compare_sides(&mut self, simd: impl Sixteen, levels: &Levels, unheard: Unheard) {
        self.customer_unheard = self.customer_unheard << 2 | bits(unheard.customer);
        self.agent_unheard = self.agent_unheard << 2 | bits(unheard.agent);
        let customer = self.without_echo(simd, levels, unheard);
        if unheard == Unheard::default() {
            self.bleed.hear(simd, customer, levels.agent);
        } else {
            customer.into_iter().for_each(|level| self.bleed.pass(level));
        }
        for ((agent, unheard), customer) in levels.agent.into_iter().zip(unheard.agent).zip(customer) {
            if unheard {
                self.agent.push(self.noise);
            } else {
                self.noise = agent.min(self.noise + 1);
                self.agent.push(agent);
            }
            if customer > AUDIBLE {
                self.account.customer(customer);
            }
        }
        self.units += 2;
        let line = if customer == [SILENT; 2] { SILENT } else { middle(levels.customer) };
        self.compare(simd, line, middle(levels.agent), unheard == Unheard::default());
        self.judge_frame(simd);
    }

    /// The call has ended: hears the silence that the last verdicts look ahead into. Nothing is heard after it.
    pub fn end(&mut self) {
        for _ in 0..LOOK_FRAMES {
            if self.reference == Reference::Both {
                // A silence that nobody heard must not teach that there is no bleed.
                for _ in 0..2 {
                    self.agent.push(self.noise);
                    self.bleed.pass(SILENT);
                }
            }
            self.units += 2;
            self.alike <<= 1;
            self.customer_unheard <<= 2;
            self.agent_unheard <<= 2;
            by_sixteen(Judgement(self));
        }
    }

    /// The verdict on 10 ms unit `unit`, counted from 0: exactly once each, in order, after [`hear`](Guard::hear) took
    /// frame `unit / 2 + LOOK_FRAMES`, or after [`end`](Guard::end).
    ///
    /// # Panics
    ///
    /// If that frame has not been heard yet, or more than 25 frames have been heard since: a bug of the caller.
    pub fn verdict(&mut self, unit: u64) -> Verdict {
        assert!(unit / 2 + LOOK_FRAMES < self.units / 2, "unit {unit} was asked too early");
        if self.reference == Reference::OneParty {
            return Verdict::Own;
        }
        let back = self.units - 1 - JUDGED_BACK as u64 - unit;
        assert!(back < 60, "unit {unit} was asked too late");
        if self.evidence.own(back) {
            let ago = self.units - 1 - unit;
            // What did not come of the agent's is not kept either, whatever is said of it.
            let uncompared = self.customer_unheard & !self.agent_unheard;
            self.account.kept(unit, uncompared >> ago & 1 == 0);
            Verdict::Own
        } else if self.evidence.quiet(back) {
            Verdict::Quiet
        } else {
            self.account.withheld();
            Verdict::Bleed
        }
    }

    /// The figures of the call so far.
    #[must_use]
    pub fn leak(&self) -> Leak {
        match self.reference {
            Reference::OneParty => Leak::NotMeasurable,
            Reference::Both => {
                let known = self.bleed.active_units() >= YOUNG_UNITS;
                Leak::Measured(self.account.figures(known.then(|| self.bleed.coupling())))
            }
        }
    }

    /// The customer's levels, silent where the line carries no more than the agent's own echo (ONE-05).
    #[inline(always)]
    fn without_echo(&mut self, simd: impl Sixteen, levels: &Levels, unheard: Unheard) -> [Level; 2] {
        let agent = audible(middle(levels.agent));
        let customer = middle(levels.customer);
        // The frame as a whole is compared, as it was learnt: a syllable that begins in its second half must not slip past.
        let echo = if unheard == Unheard::default() {
            self.echo.expect(simd, agent, customer)
        } else {
            // Nothing is learnt of it; but what did come of the customer's is the least that can be heard of it elsewhere.
            self.echo.pass(agent);
            self.echo.expected(simd, 0)
        };
        if customer > echo + ECHO_SLACK { levels.customer.map(audible) } else { [SILENT; 2] }
    }

    /// Whether the microphone follows the customer at a level that the bleed path does not expect. Nothing is compared where
    /// either was not `heard`.
    #[inline(always)]
    fn compare(&mut self, simd: impl Sixteen, customer: Level, agent: Level, heard: bool) {
        let threshold = if heard { (self.bleed.peak() - LIKE_REACH).max(AUDIBLE) } else { Level::MAX };
        let beside_agent = self.since_agent_units < AGENT_RECENT_UNITS;
        let limit = if beside_agent { ALIKE_BESIDE_AGENT } else { ALIKE };
        let found = self.likeness.hear(customer, agent, threshold, limit);
        self.alike <<= 1;
        let Some(found) = found else {
            self.alike_frames = 0;
            return;
        };
        let expected = self.bleed.expected(simd, 0).max(self.bleed.expected(simd, 1));
        if agent > self.noise + NOISE_REACH && agent > expected + LIKE_ABOVE {
            self.alike |= 1;
            self.alike_frames += 1;
            if self.alike_frames >= LIKE_FRAMES {
                self.bleed.raise(2 * found.frames, found.coupling - LIKE_EDGE);
            }
        }
    }

    /// Judges the two units that are due.
    #[inline(always)]
    fn judge_frame(&mut self, simd: impl Sixteen) {
        for back in [JUDGED_BACK + 1, JUDGED_BACK] {
            let seen = self.judge(simd, back);
            self.evidence.push(seen);
        }
        self.evidence.weigh();
    }

    /// Looks at the unit `back` before the newest.
    #[inline(always)]
    fn judge(&mut self, simd: impl Sixteen, back: usize) -> Seen {
        let agent = self.agent.at(back);
        let above_noise = agent - self.noise.min(agent);
        let expected = self.bleed.expected(simd, back);
        if let Some(unit) = self.units.checked_sub(1 + back as u64) {
            self.account.judged(unit, agent, expected);
        }
        let customer_heard = self.bleed.is_heard(back);
        // A customer who was not heard may have spoken, and be what the microphone hears.
        let customer_silent = !customer_heard && self.customer_unheard >> back & ((1 << BLEED_LANES) - 1) == 0;
        let keeps_floor = self.keeps_floor(agent, above_noise, customer_silent);
        if customer_heard && above_noise < NOISE_REACH {
            return Seen { quiet: true, ..Seen::default() };
        }
        let follows = self.alike & ((2 << (back / 2)) - 1) != 0;
        if customer_heard && follows {
            return Seen::default();
        }
        let nothing = expected + CLEAR < NOTHING;
        let strong = keeps_floor || nothing || agent > expected + CLEAR;
        let faint = keeps_floor || nothing || agent > expected + FAINT;
        Seen { strong, faint, voiced: strong && above_noise > VOICE_REACH, quiet: false }
    }

    /// Whether the agent, surely heard while the customer was silent, goes on although some delay is still unknown.
    #[inline(always)]
    fn keeps_floor(&mut self, agent: Level, above_noise: Level, customer_silent: bool) -> bool {
        self.floor_units = (self.floor_units + 1).min(FLOOR_LOST);
        self.since_agent_units = (self.since_agent_units + 1).min(FLOOR_LOST);
        if customer_silent && above_noise > VOICE_REACH {
            self.floor = agent.max(self.floor - FLOOR_FALL);
            self.floor_units = 0;
            self.since_agent_units = 0;
        }
        let holds = agent > self.floor - FLOOR_DROP;
        self.dip_units = if holds { 0 } else { self.dip_units + 1 };
        if self.dip_units > FLOOR_DIP_UNITS {
            self.floor_units = FLOOR_LOST;
            self.dip_units = 0;
        }
        let unknown = || self.bleed.coupling() > BLEED_START + tenths_db(-40);
        holds && self.floor_units < FLOOR_UNITS && unknown()
    }
}

/// A frame to be heard.
struct Comparison<'a> {
    guard: &'a mut Guard,
    levels: &'a Levels,
    unheard: Unheard,
}

impl BySixteen for Comparison<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self, simd: impl Sixteen) {
        self.guard.compare_sides(simd, self.levels, self.unheard);
    }
}

/// A frame to be judged after the call's end.
struct Judgement<'a>(&'a mut Guard);

impl BySixteen for Judgement<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self, simd: impl Sixteen) {
        self.0.judge_frame(simd);
    }
}

fn middle(levels: [Level; 2]) -> Level {
    (levels[0] + levels[1]) / 2
}

fn bits([first, second]: [bool; 2]) -> u64 {
    u64::from(first) << 1 | u64::from(second)
}

fn audible(level: Level) -> Level {
    if level > 0 { level } else { SILENT }
}

const _: () = assert!(ECHO_START + ECHO_SLACK < 0 && LEAST < ECHO_START && LEAST < BLEED_START);

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;

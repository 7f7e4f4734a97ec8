//! From single units to speech: what 10 ms cannot say alone, its neighbours can.
//!
//! The last 64 judged units are bits, newest lowest. Rules, in units of 10 ms:
//! * a unit counts only in a run of three above the threshold: bleed pokes through for one or two, a voice does not stop;
//! * within six units of the agent's voice the lower threshold is enough: the quiet ends of a syllable;
//! * gaps of up to six units inside the voice are bridged: stops and the valleys between syllables.

/// What one judged unit looked like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Clearly above what the customer can have caused.
    pub(super) strong: bool,
    /// Above it by less.
    pub(super) faint: bool,
    /// Strong, and well above the microphone's own noise: a voice.
    pub(super) voiced: bool,
    /// Nothing but the microphone's own noise while the customer is heard.
    pub(super) quiet: bool,
}

/// Units after a unit that the rules look at.
pub(super) const AHEAD_UNITS: u64 = 6;

#[derive(Debug)]
pub(super) struct Evidence {
    strong: u64,
    faint: u64,
    voiced: u64,
    quiet: u64,
    own: u64,
}

impl Evidence {
    pub(super) const fn new() -> Evidence {
        Evidence { strong: 0, faint: 0, voiced: 0, quiet: 0, own: 0 }
    }

    pub(super) fn push(&mut self, seen: Seen) {
        self.strong = self.strong << 1 | u64::from(seen.strong);
        self.faint = self.faint << 1 | u64::from(seen.faint);
        self.voiced = self.voiced << 1 | u64::from(seen.voiced);
        self.quiet = self.quiet << 1 | u64::from(seen.quiet);
    }

    /// Weighs the bits; call it once after the last [`push`](Evidence::push) and before the questions.
    pub(super) fn weigh(&mut self) {
        let three = self.strong & self.strong << 1 & self.strong << 2;
        let runs = three | three >> 1 | three >> 2;
        let voice = runs & self.voiced;
        let near = widen_older(voice) | widen_newer(voice);
        let voice = voice | near & self.faint;
        self.own = runs | narrow(widen_older(voice));
    }

    /// Whether the unit `back` before the newest judged one may be the agent's; `back` is below 64.
    pub(super) fn own(&self, back: u64) -> bool {
        self.own >> back & 1 == 1
    }

    pub(super) fn quiet(&self, back: u64) -> bool {
        self.quiet >> back & 1 == 1
    }
}

/// Each bit and the six older ones.
fn widen_older(bits: u64) -> u64 {
    let bits = bits | bits << 1;
    let bits = bits | bits << 2;
    bits | bits << 3
}

/// Each bit and the six newer ones.
fn widen_newer(bits: u64) -> u64 {
    let bits = bits | bits >> 1;
    let bits = bits | bits >> 2;
    bits | bits >> 3
}

/// Bits whose six older ones are set too: takes back what `widen_older` added outside of gaps.
fn narrow(bits: u64) -> u64 {
    let bits = bits & bits >> 1;
    let bits = bits & bits >> 2;
    bits & bits >> 3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `V` voice, `F` faint, `.` neither; oldest first. Answers in the same order, `#` own.
    fn answer(units: &str) -> String {
        let mut evidence = Evidence::new();
        for unit in units.chars() {
            evidence.push(Seen { strong: unit == 'V', faint: unit != '.', voiced: unit == 'V', quiet: false });
        }
        evidence.weigh();
        (0..units.len() as u64).rev().map(|back| if evidence.own(back) { '#' } else { '.' }).collect()
    }

    #[test]
    fn two_units_above_the_threshold_are_not_a_voice() {
        assert_eq!(answer("....VV....V...VV......"), "......................");
    }

    #[test]
    fn a_run_of_three_is() {
        assert_eq!(answer("..........VVV.........."), "..........###..........");
    }

    #[test]
    fn gaps_of_a_word_are_bridged_and_pauses_are_not() {
        assert_eq!(answer("...VVV......VVV........"), "...############........");
        assert_eq!(answer("...VVV.......VVV......."), "...###.......###.......");
    }

    #[test]
    fn the_quiet_ends_of_a_syllable_need_less() {
        assert_eq!(answer("FFFFFFFFFVVVFFFFFFFFFF"), "...###############....");
    }
}

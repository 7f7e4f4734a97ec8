//! Calls that begin and end by what is heard: both sides have sound, both have been silent for a while.

use std::time::Duration;

/// Louder than this is sound: −45 dBFS, above the noise of a headset.
const SOUND_DB: f64 = -45.0;
/// How long one side's sound counts while the other's is waited for.
const TOGETHER_S: f64 = 3.0;
/// Sound that a side must have had within that time.
const SOUND_S: f64 = 0.2;
/// What of the agent's is kept from before the beginning.
const BEFORE_S: u32 = 15;

/// What is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A call begins.
    Begin,
    /// The call ends.
    End,
    /// No call is in hand, and both sides have been silent for as long as would end one.
    Silence,
    /// All is as it was.
    Nothing,
}

/// Listens for the beginning and the end of calls.
#[derive(Debug)]
pub struct Auto {
    rate_hz: u32,
    silence_s: f64,
    /// Sound of each side lately, seconds; it fades over [`TOGETHER_S`].
    heard_s: [f64; 2],
    quiet_s: f64,
}

impl Auto {
    /// A call ends after this long a silence of both sides.
    pub fn new(rate_hz: u32, silence: Duration) -> Auto {
        Auto { rate_hz, silence_s: silence.as_secs_f64(), heard_s: [0.0; 2], quiet_s: 0.0 }
    }

    /// Samples of the agent's that are kept from before the beginning.
    pub fn before(&self) -> usize {
        (BEFORE_S * self.rate_hz) as usize
    }

    /// Hears a block of both sides.
    pub fn hear(&mut self, agent: &[i16], customer: &[i16], in_call: bool) -> Wish {
        let block_s = agent.len() as f64 / f64::from(self.rate_hz);
        let mut sound = false;
        for (heard, side) in self.heard_s.iter_mut().zip([agent, customer]) {
            *heard *= (-block_s / TOGETHER_S).exp();
            if is_sound(side) {
                *heard += block_s;
                sound = true;
            }
        }
        self.quiet_s = if sound { 0.0 } else { self.quiet_s + block_s };
        if !in_call && self.heard_s.iter().all(|heard| *heard >= SOUND_S) {
            self.heard_s = [0.0; 2];
            return Wish::Begin;
        }
        if in_call && self.quiet_s >= self.silence_s {
            self.quiet_s = 0.0;
            self.heard_s = [0.0; 2];
            return Wish::End;
        }
        match !in_call && self.quiet_s >= self.silence_s {
            true => Wish::Silence,
            false => Wish::Nothing,
        }
    }
}

fn is_sound(samples: &[i16]) -> bool {
    let sum: i64 = samples.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum();
    let power = sum as f64 / samples.len().max(1) as f64 / (32_768.0 * 32_768.0);
    power > 10f64.powf(SOUND_DB / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: [i16; 80] = [3_000; 80];
    const QUIET: [i16; 80] = [20; 80];

    fn hear(auto: &mut Auto, agent: &[i16], customer: &[i16], blocks: usize, in_call: bool) -> Vec<(usize, Wish)> {
        (0..blocks)
            .map(|block| (block, auto.hear(agent, customer, in_call)))
            .filter(|(_, wish)| *wish != Wish::Nothing)
            .collect()
    }

    #[test]
    fn it_takes_both_sides_to_begin_and_silence_of_both_to_end() {
        let mut auto = Auto::new(8_000, Duration::from_secs(2));
        assert!(hear(&mut auto, &LOUD, &QUIET, 1_000, false).is_empty(), "one side alone is no call");
        let begun = hear(&mut auto, &QUIET, &LOUD, 100, false);
        assert!(matches!(begun[..], [(15..=30, Wish::Begin)]), "{begun:?}");
        assert!(hear(&mut auto, &QUIET, &LOUD, 1_000, true).is_empty());
        let ended = hear(&mut auto, &QUIET, &QUIET, 250, true);
        assert!(matches!(ended[..], [(198..=200, Wish::End)]), "{ended:?}");
        assert!(hear(&mut auto, &QUIET, &LOUD, 10, false).is_empty(), "what was heard in the call before is forgotten");
    }
}

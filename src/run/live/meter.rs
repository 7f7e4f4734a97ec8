//! What the agent's page shows of the sound: two levels, a talk line. A level, never a waveform.

use super::ask::{Lost, State};
use crate::audio::Stereo;
use crate::call::Missing;
use crate::voice::Speech;

/// Frames over which a level is taken: 100 ms.
const FRAMES: usize = 5;
/// The lowest level that is told, dBFS.
const FLOOR_DB: f32 = -96.0;

/// The meters of one call.
#[derive(Debug, Default)]
pub struct Meter {
    agent: [f32; FRAMES],
    customer: [f32; FRAMES],
    next: usize,
    speaks: bool,
    lost: u64,
    absent: u64,
}

impl Meter {
    /// Hears one frame.
    pub fn hear(&mut self, sound: &Stereo<'_>, speech: Speech) {
        self.agent[self.next] = power(sound.agent.samples());
        self.customer[self.next] = power(sound.customer.samples());
        self.next = (self.next + 1) % FRAMES;
        self.speaks = speech.0;
    }

    /// So many frames of the source are missing.
    pub fn lost(&mut self, why: Missing, frames: u64) {
        match why {
            Missing::Absent => self.absent += frames,
            Missing::Lost => self.lost += frames,
        }
    }

    /// Frames that are missing without intent, and with.
    pub fn missing(&self) -> (u64, u64) {
        (self.lost, self.absent)
    }

    /// Writes what is seen into the state.
    pub fn tell(&self, state: &mut State, talk: impl Iterator<Item = char>) {
        state.agent_dbfs = level(&self.agent);
        state.customer_dbfs = level(&self.customer);
        state.agent_speaks = self.speaks;
        state.talk.clear();
        state.talk.extend(talk);
        state.lost.clear();
        let lost = [("lost", false, self.lost), ("absent", true, self.absent)];
        let told = lost.into_iter().filter(|(_, _, frames)| *frames > 0);
        state.lost.extend(told.map(|(reason, intended, frames)| Lost { reason, intended, frames }));
    }
}

fn power(samples: &[i16]) -> f32 {
    let sum: i64 = samples.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum();
    sum as f32 / samples.len().max(1) as f32
}

fn level(powers: &[f32]) -> f32 {
    let mean = powers.iter().sum::<f32>() / powers.len() as f32;
    (10.0 * (mean / (32_768.0 * 32_768.0)).max(1e-12).log10()).max(FLOOR_DB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::MediaTime;

    #[test]
    fn full_scale_is_0_db_and_silence_is_the_floor() {
        let mut meter = Meter::default();
        for _ in 0..FRAMES {
            meter.hear(&Stereo::new(MediaTime::ZERO, &[i16::MIN; 160], &[0; 160]), Speech(true));
        }
        let mut state = State::default();
        meter.tell(&mut state, "ss..".chars());
        assert_eq!((state.agent_dbfs, state.customer_dbfs, state.talk.as_str()), (0.0, FLOOR_DB, "ss.."));
    }
}

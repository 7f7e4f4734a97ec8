//! Levels of one 20 ms frame, both sides, computed once and shared by the bleed guard and the channel-doubt check.
//!
//! **Band.** Every energy here is that of `x[t] - x[t-2]` at about 8 kHz: a band pass around 2 kHz, with zeros at 0 and
//! 4 kHz. Rumble below the voice and hiss above the telephone band do not pass from a customer's line into a
//! microphone as speech does; left in, they made the ratio microphone : customer wander by 30 dB (measured on a
//! LibriSpeech voice with 0-60 Hz rumble, and on /s/ above 3 kHz), in this band it stays within about 10 dB. Higher
//! rates are first averaged down to about 8 kHz, so the scale does not depend on the rate.
//!
//! **Scale.** A [`Level`] is 256 times the binary logarithm of the mean power: 256 steps are 3.01 dB. Between powers
//! of two the logarithm is a straight line (error below 0.26 dB), so only integers are involved and every machine gets
//! the same number. Differences are divided by four before squaring (a frame quieter
//! than about -81 dBFS reads as 0) and clipped at half of full scale, so that the sums fit 32 bits.
//!
//! **Limits.** A frame may have any length; energies cannot overflow below 2^24 samples. No allocation, no clock.

use super::by_sixteen;
use super::narrow::{Narrowed, narrow};
use registers::{Frame, Frame8k};

mod registers;

/// 256 x log2 of a mean power in the band; 0 is digital silence or next to it, full scale is below 6,912.
pub type Level = i16;

/// Levels that make a factor of two in power.
pub const OCTAVE: Level = 256;

/// A side whose level lies above this (about -60 dBFS of white noise) is active.
pub const ACTIVE: Level = 1_810;

/// Twin channels are alike in level within this. A line echoes the agent at -10 dB or less, a headset leaks the
/// customer at -12 dB or less: neither is a twin.
pub const TWIN_WITHIN: Level = tenths_db(60);

/// Samples that one `i32` accumulator can take: a square is at most 2^24, 112 of them stay below 2^31.
const CHUNK: usize = 112;

/// `tenths` tenths of a decibel as a difference of levels.
pub const fn tenths_db(tenths: i32) -> Level {
    let rounding = if tenths < 0 { -15_051 } else { 15_051 };
    ((tenths * 256_000 + rounding) / 30_103) as Level
}

/// What one 20 ms frame of both sides measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Level of the microphone in the first and second 10 ms unit.
    pub agent: [Level; 2],
    /// Level of the customer's line in the same units.
    pub customer: [Level; 2],
    /// Sum over the frame of the squared band signal / 16 of the microphone.
    pub agent_energy: u64,
    /// The same of the customer's line.
    pub customer_energy: u64,
    /// Sum of microphone x customer in the same band: equal to both energies for twin channels, to their negative for
    /// channels in opposite phase. 0 unless [`Levels::may_be_twins`]: elsewhere nobody asks for it.
    pub dot: i64,
    /// Largest absolute sample of the microphone as it came (32,768 for `i16::MIN`), to count clipping.
    pub agent_peak: u16,
}

impl Levels {
    /// Whether both sides are active, and in both units equally loud within [`TWIN_WITHIN`].
    pub fn may_be_twins(&self) -> bool {
        let active = |side: [Level; 2]| side[0].max(side[1]) > ACTIVE;
        let alike = |unit: usize| (self.agent[unit] - self.customer[unit]).abs() <= TWIN_WITHIN;
        alike(0) && alike(1) && active(self.agent) && active(self.customer)
    }
}

/// Measures one frame: `agent` and `customer` hold the same samples of time; a longer one is read as far as the other
/// goes. The first unit is the first `len / 2` samples.
#[must_use]
pub fn measure(agent: &[i16], customer: &[i16]) -> Levels {
    let fold = (agent.len().min(customer.len()) / 160).max(1);
    measure_narrowed(agent, customer, &narrow(agent, customer, fold, &mut None))
}

/// The same of a frame that was [narrowed](narrow) already.
#[must_use]
pub fn measure_narrowed(agent: &[i16], customer: &[i16], narrowed: &Narrowed<'_>) -> Levels {
    let len = agent.len().min(customer.len());
    let (agent, customer) = (&agent[..len], &customer[..len]);
    if narrowed.fold == 1
        && let (Ok(agent), Ok(customer)) = (agent.try_into(), customer.try_into())
    {
        return by_sixteen(Frame8k { agent, customer });
    }
    let ([a, b], [c, d]) = (narrowed.agent, narrowed.customer);
    if let (Ok(a), Ok(b), Ok(c), Ok(d)) = (a.try_into(), b.try_into(), c.try_into(), d.try_into()) {
        return by_sixteen(Frame { whole: agent, agent: [a, b], customer: [c, d] });
    }
    measure_any(agent, customer, narrowed)
}

/// Frames of any length, equal on both sides.
fn measure_any(agent: &[i16], customer: &[i16], narrowed: &Narrowed<'_>) -> Levels {
    let len = agent.len();
    let half = len / 2;
    let (first, second) = if narrowed.fold == 1 {
        // Whole eights of differences: the first unit may reach up to seven samples into the second, the second as far
        // back into the first. Nothing reaches into another frame: no sample is kept for the next one (MIN-01).
        let upto = (half.saturating_sub(2).next_multiple_of(8) + 2).min(len);
        let from = len - ((len - half).next_multiple_of(8) + 2).min(len);
        (plain(&agent[..upto], &customer[..upto]), plain(&agent[from..], &customer[from..]))
    } else {
        let Narrowed { agent, customer, .. } = narrowed;
        (plain(agent[0], customer[0]), plain(agent[1], customer[1]))
    };
    let mut levels = Levels {
        agent: [mean(first.agent, first.count), mean(second.agent, second.count)],
        customer: [mean(first.customer, first.count), mean(second.customer, second.count)],
        agent_energy: first.agent + second.agent,
        customer_energy: first.customer + second.customer,
        dot: first.dot + second.dot,
        agent_peak: peak(agent),
    };
    if !levels.may_be_twins() {
        levels.dot = 0;
    }
    levels
}

/// `power` of a [`Level`]: the inverse of the logarithm, with the same straight lines.
pub(crate) fn power(level: Level) -> u64 {
    let level = u64::try_from(level).unwrap_or(0);
    ((256 + (level & 0xff)) << (level >> 8)) >> 8
}

/// 256 x log2 of `x`, the mantissa taken as linear; `x` must not be 0.
pub(crate) fn log2(x: u64) -> i32 {
    let whole = 63 - x.leading_zeros();
    let mantissa = ((x << (63 - whole)) >> 55) & 0xff;
    (whole * 256) as i32 + mantissa as i32
}

#[derive(Clone, Copy, Default)]
struct Sums {
    agent: u64,
    customer: u64,
    dot: i64,
    count: u64,
}

fn mean(sum: u64, count: u64) -> Level {
    if sum == 0 { 0 } else { (log2(sum) - log2(count)).max(0) as Level }
}

fn peak(samples: &[i16]) -> u16 {
    let (low, high) = samples.iter().fold((0i16, 0i16), |(low, high), &x| (low.min(x), high.max(x)));
    low.unsigned_abs().max(high.unsigned_abs())
}

/// A difference of two samples, a quarter of its size, clipped at half of full scale: -4,096 to 4,095.
fn step(before: i16, after: i16) -> i16 {
    let difference = after.saturating_sub(before);
    difference.saturating_add(difference).saturating_add(4) >> 3
}

/// Sums at about 8 kHz, in plain loops that the compiler turns into multiply-adds.
fn plain(agent: &[i16], customer: &[i16]) -> Sums {
    let count = agent.len().saturating_sub(2);
    let mut sums = Sums { count: count as u64, ..Sums::default() };
    let mut from = 0;
    while from < count {
        let upto = (from + CHUNK).min(count);
        let part = products(&agent[from..upto + 2], &customer[from..upto + 2]);
        sums.agent += u64::from(part[0].unsigned_abs());
        sums.customer += u64::from(part[1].unsigned_abs());
        sums.dot += i64::from(part[2]);
        from = upto;
    }
    sums
}

/// Agent squared, customer squared and their product over at most [`CHUNK`] differences of two samples apart.
fn products(agent: &[i16], customer: &[i16]) -> [i32; 3] {
    let count = agent.len() - 2;
    let (a0, a2) = (&agent[..count], &agent[2..count + 2]);
    let (c0, c2) = (&customer[..count], &customer[2..count + 2]);
    let (mut aa, mut cc, mut ac) = (0i32, 0i32, 0i32);
    for i in 0..count {
        let a = i32::from(step(a0[i], a2[i]));
        let c = i32::from(step(c0[i], c2[i]));
        aa += a * a;
        cc += c * c;
        ac += a * c;
    }
    [aa, cc, ac]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(len: usize, period: usize, size: i16) -> Vec<i16> {
        (0..len).map(|t| if t % period < period / 2 { size } else { -size }).collect()
    }

    #[test]
    fn six_decibels_more_are_512_levels_more() {
        let quiet = measure(&tone(160, 8, 1_000), &tone(160, 8, 2_000));
        assert!((quiet.customer[0] - quiet.agent[0] - 512).abs() <= 4, "{quiet:?}");
        assert!((quiet.agent[0] - quiet.agent[1]).abs() <= 8, "{quiet:?}");
    }

    #[test]
    fn the_same_sound_has_the_same_level_at_every_rate() {
        let at_8k = measure(&tone(160, 8, 1_000), &[0; 160]).agent[1];
        for fold in [2usize, 3, 6] {
            let frame = tone(160 * fold, 8 * fold, 1_000);
            let level = measure(&frame, &vec![0; frame.len()]).agent[1];
            assert!((level - at_8k).abs() < 90, "fold {fold}: {level} against {at_8k}");
        }
    }

    #[test]
    fn rumble_and_a_constant_are_not_heard() {
        let constant = measure(&[i16::MIN; 160], &[i16::MAX; 160]);
        assert_eq!((constant.agent, constant.customer, constant.agent_peak), ([0, 0], [0, 0], 32_768));
        let ramp: Vec<i16> = (0..160).collect();
        let voice = measure(&tone(160, 8, 80), &ramp);
        assert!(voice.agent[1] - voice.customer[1] > 1_500, "{voice:?}");
    }

    #[test]
    fn the_loudest_square_does_not_overflow() {
        for period in [2usize, 4, 6] {
            for len in [160usize, 161, 220, 221, 222, 319] {
                let square: Vec<i16> =
                    (0..len).map(|t| if t % period < period / 2 { i16::MAX } else { i16::MIN }).collect();
                let levels = measure(&square, &square);
                assert_eq!(levels.agent_energy, exact(&square), "period {period}, {len} samples");
                assert_eq!(levels.dot, exact(&square) as i64);
            }
        }
    }

    /// The energy of a frame at 8 to 16 kHz, in 64-bit steps of its own.
    fn exact(samples: &[i16]) -> u64 {
        let (len, half) = (samples.len(), samples.len() / 2);
        let upto = len.min((half - 2).div_ceil(8) * 8 + 2);
        let from = len - len.min((len - half).div_ceil(8) * 8 + 2);
        let units = [&samples[..upto], &samples[from..]];
        let square = |w: &[i16]| {
            let twice = (2 * (i64::from(w[2]) - i64::from(w[0])).clamp(-32_768, 32_767)).clamp(-32_768, 32_767);
            ((twice + 4).min(32_767).div_euclid(8) as u64).wrapping_mul((twice + 4).min(32_767).div_euclid(8) as u64)
        };
        units.iter().flat_map(|unit| unit.windows(3).map(square)).sum()
    }

    #[test]
    fn the_quick_way_measures_the_same() {
        let mut mixed = 1u32;
        let mut noise = |shift: usize| -> [i16; 960] {
            std::array::from_fn(|_| {
                mixed = mixed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (mixed >> 16) as i16 >> shift
            })
        };
        let compare = |agent: &[i16], customer: &[i16]| {
            // As the whole frame that it is, and as the last, short one of a higher rate.
            let whole = agent.len() / 160;
            for fold in [whole, 2, 6].into_iter().filter(|fold| *fold >= whole) {
                let mut room = None;
                let narrowed = narrow(agent, customer, fold, &mut room);
                let measured = measure_narrowed(agent, customer, &narrowed);
                assert_eq!(measured, measure_any(agent, customer, &narrowed));
            }
        };
        for seed in 0..2_000 {
            let (agent, customer) = (noise(seed % 16), noise(seed / 16 % 16));
            for len in [160, 320, 480, 640, 960] {
                compare(&agent[..len], &customer[..len]);
                compare(&agent[..len], &agent[..len]);
            }
        }
        for edge in [[i16::MIN, i16::MAX], [i16::MAX, i16::MIN], [0, i16::MIN]] {
            for len in [160, 320, 960] {
                let agent: Vec<i16> = (0..len).map(|t| edge[t / 2 % 2]).collect();
                let customer: Vec<i16> = (0..len).map(|t| edge[t % 2]).collect();
                compare(&agent, &customer);
                compare(&agent, &agent);
            }
        }
    }

    #[test]
    fn twin_and_opposite_channels_show_in_the_dot_product() {
        let voice = tone(160, 10, 3_000);
        let other: Vec<i16> = voice.iter().map(|x| -x).collect();
        let twin = measure(&voice, &voice);
        assert_eq!(twin.dot, twin.agent_energy as i64);
        let opposite = measure(&voice, &other);
        assert!(opposite.dot < -(opposite.agent_energy as i64) * 9 / 10);
    }

    #[test]
    fn any_length_down_to_none_is_measured() {
        for len in 0..400 {
            let levels = measure(&vec![-1_000; len], &vec![9; len]);
            assert_eq!(levels.agent_peak, if len == 0 { 0 } else { 1_000 });
        }
    }

    #[test]
    fn power_undoes_the_logarithm() {
        for x in [1u64, 2, 3, 100, 255, 4_096, 1_000_003, 1 << 26] {
            let back = power(log2(x) as Level);
            assert!(back.abs_diff(x) * 100 <= x.max(100), "{x} came back as {back}");
        }
    }
}

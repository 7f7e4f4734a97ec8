//! Both sides of a frame at about 8 kHz, once for everything that measures there: levels and keypad tones.
//!
//! Higher rates are averaged down by a whole number, 8 kHz and what lies near it passes as it is.

use super::{BySixteen, Sixteen, by_sixteen};

/// Samples of a half frame at the rate that comes out: 10 ms, below 12 kHz.
const HALF_MAX: usize = 120;

/// The halves of a frame at about 8 kHz, of both sides. A half is 10 ms when the frame is whole.
#[derive(Clone, Copy)]
pub struct Narrowed<'a> {
    /// Samples that one of these is the mean of.
    pub fold: usize,
    /// The agent's.
    pub agent: [&'a [i16]; 2],
    /// The customer's.
    pub customer: [&'a [i16]; 2],
}

/// Where the averages lie while a frame is measured. No state keeps it: no sample is looked at after its frame (MIN-01).
pub struct Room([[[i16; HALF_MAX]; 2]; 2]);

/// Samples that are averaged into one at a rate, Hz.
pub fn fold_of(rate_hz: u32) -> usize {
    (rate_hz / 8_000).max(1) as usize
}

/// Narrows a frame by `fold`: `agent` and `customer` hold the same samples of time, at most 20 ms; a longer one is read as
/// far as the other goes. The first half is the first `len / 2` samples.
#[inline]
pub fn narrow<'a>(agent: &'a [i16], customer: &'a [i16], fold: usize, room: &'a mut Option<Room>) -> Narrowed<'a> {
    let len = agent.len().min(customer.len());
    let halves = |side: &'a [i16]| {
        let (first, second) = side[..len].split_at(len / 2);
        [first, second]
    };
    let (agent, customer) = (halves(agent), halves(customer));
    if fold == 1 {
        return Narrowed { fold, agent, customer };
    }
    let room = room.insert(Room([[[0; HALF_MAX]; 2]; 2]));
    by_sixteen(Narrowing { fold, sides: [agent, customer], room });
    let side = |number: usize, halves: [&[i16]; 2]| {
        let room: &'a [[i16; HALF_MAX]; 2] = &room.0[number];
        [0, 1].map(|half| &room[half][..halves[half].len() / fold])
    };
    Narrowed { fold, agent: side(0, agent), customer: side(1, customer) }
}

/// A frame to be narrowed.
struct Narrowing<'a, 'r> {
    fold: usize,
    sides: [[&'a [i16]; 2]; 2],
    room: &'r mut Room,
}

impl BySixteen for Narrowing<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self, simd: impl Sixteen) {
        let Narrowing { fold, sides, room } = self;
        for (side, room) in sides.into_iter().zip(&mut room.0) {
            for (half, room) in side.into_iter().zip(room) {
                match fold {
                    2 => average_pairs::<2, 1>(simd, half, room),
                    4 => average_pairs::<4, 2>(simd, half, room),
                    6 => average_pairs::<6, 3>(simd, half, room),
                    _ => average_from(half, fold, room, 0),
                }
            }
        }
    }
}

/// The means, rounded towards zero, of every `FOLD` samples, which are `PAIRS` pairs.
#[inline(always)]
fn average_pairs<const FOLD: usize, const PAIRS: usize>(
    simd: impl Sixteen,
    samples: &[i16],
    out: &mut [i16; HALF_MAX],
) {
    // Eight means at a time: the sums of their pairs, and of those as many as a mean has.
    let rounds = samples.as_chunks::<16>().0.chunks_exact(PAIRS);
    let done = rounds.len() * 8;
    for (group, means) in rounds.zip(out.as_chunks_mut::<8>().0) {
        let mut pairs = [[0i32; 8]; PAIRS];
        for (pairs, samples) in pairs.iter_mut().zip(group) {
            *pairs = simd.sums(simd.add_products(simd.zero(), simd.load(samples), simd.splat(1)));
        }
        let pairs = pairs.as_flattened();
        for (number, mean) in means.iter_mut().enumerate() {
            let mut sum = 0;
            for pair in 0..PAIRS {
                sum += pairs[number * PAIRS + pair];
            }
            *mean = (sum / FOLD as i32) as i16;
        }
    }
    average_from(samples, FOLD, out, done);
}

/// The means from number `from` on.
#[inline(always)]
fn average_from(samples: &[i16], fold: usize, out: &mut [i16; HALF_MAX], from: usize) {
    let groups = samples.chunks_exact(fold).skip(from);
    for (out, group) in out[from..].iter_mut().zip(groups) {
        *out = (group.iter().map(|&x| i32::from(x)).sum::<i32>() / fold as i32) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_is_averaged_alike() {
        let mut state = 7u32;
        let mut noise = |len: usize| -> Vec<i16> {
            let next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if state >> 29 == 0 { i16::MIN } else { (state >> 16) as i16 }
            };
            std::iter::repeat_with(next).take(len).collect()
        };
        for len in [0, 1, 2, 159, 160, 161, 319, 320, 321, 441, 480, 640, 700, 800, 882, 959, 960] {
            let (agent, customer) = (noise(len), noise(len));
            let mut room = None;
            let fold = fold_of(50 * len as u32);
            let narrowed = narrow(&agent, &customer, fold, &mut room);
            for (sound, halves) in [(&agent, narrowed.agent), (&customer, narrowed.customer)] {
                for (part, half) in [(&sound[..len / 2], halves[0]), (&sound[len / 2..], halves[1])] {
                    let mean = |group: &[i16]| group.iter().map(|x| i64::from(*x)).sum::<i64>() / fold as i64;
                    let means: Vec<i64> = part.chunks_exact(fold).map(mean).collect();
                    assert_eq!(half.iter().map(|x| i64::from(*x)).collect::<Vec<_>>(), means, "{len} samples");
                }
            }
        }
    }
}

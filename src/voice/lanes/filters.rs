//! From sound to six bands: the rate is halved to 8 kHz, five splits halve the band, and a high pass takes what lies
//! below 80 Hz.
//!
//! A value on its way stands in the upper half of its number; what stands in the lower half means nothing, or is the
//! neighbour in time where two values share a number ("pair").

use super::energy::{Heights, Sums};
use super::group::Group;
use super::vector::Lanes;

/// Samples at 8 kHz that pass all filters before the next come: one for the lowest band.
pub const BLOCK: usize = 16;

/// The filters' state while a frame passes.
struct Filters<V> {
    halvings: [Halving<V>; 2],
    splits: [Split<V>; 5],
    high_pass: [V; 4],
}

/// One conversion to half the rate: all-pass filters of 32 bits, of the even and of the odd samples.
#[derive(Clone, Copy)]
struct Halving<V> {
    upper: V,
    lower: V,
}

/// One split of a band: all-pass filters of 16 bits, of the even and of the odd samples. The states stand in the upper
/// half, negated.
#[derive(Clone, Copy)]
struct Split<V> {
    upper: V,
    lower: V,
}

/// Passes a frame of each lane through the filters; `active` lanes keep what they then remember.
///
/// # Safety
///
/// Each of `frames` has `blocks` × 16 samples, times 2 for each halving.
#[inline(always)]
pub unsafe fn pass<V: Lanes<N>, const N: usize, const HALVINGS: usize>(
    group: &mut Group<N>,
    heights: &mut Heights<N>,
    frames: &[*const i16; N],
    blocks: usize,
    active: V::Mask,
) -> Sums<V> {
    let mut filters = Filters::<V>::load(group);
    let mut sums = Sums::new();
    for block in 0..blocks {
        // SAFETY: as the caller says.
        let half = unsafe { filters.halve::<N, HALVINGS>(frames, block) };
        filters.split(&half, block, heights, &mut sums);
    }
    filters.store(group, active);
    sums
}

impl<V> Filters<V> {
    #[inline(always)]
    fn load<const N: usize>(group: &Group<N>) -> Self
    where
        V: Lanes<N>,
    {
        let zero = V::splat(0);
        let mut filters = Filters {
            halvings: [Halving { upper: zero, lower: zero }; 2],
            splits: [Split { upper: zero, lower: zero }; 5],
            high_pass: [zero; 4],
        };
        for (halving, [upper, lower]) in filters.halvings.iter_mut().zip(&group.halvings) {
            *halving = Halving { upper: V::load_wide(upper), lower: V::load_wide(lower) };
        }
        for (number, split) in filters.splits.iter_mut().enumerate() {
            split.upper = zero - V::load(&group.upper[number]).shl::<16>();
            split.lower = zero - V::load(&group.lower[number]).shl::<16>();
        }
        for (value, row) in filters.high_pass.iter_mut().zip(&group.high_pass) {
            *value = V::load(row);
        }
        filters
    }

    #[inline(always)]
    fn store<const N: usize>(&self, group: &mut Group<N>, active: V::Mask)
    where
        V: Lanes<N>,
    {
        let zero = V::splat(0);
        for (halving, [upper, lower]) in self.halvings.iter().zip(&mut group.halvings) {
            V::select(active, halving.upper, V::load_wide(upper)).store_wide(upper);
            V::select(active, halving.lower, V::load_wide(lower)).store_wide(lower);
        }
        for (number, split) in self.splits.iter().enumerate() {
            let (upper, lower) = (&mut group.upper[number], &mut group.lower[number]);
            V::select(active, (zero - split.upper).shr::<16>(), V::load(upper)).store(upper);
            V::select(active, (zero - split.lower).shr::<16>(), V::load(lower)).store(lower);
        }
        for (value, row) in self.high_pass.iter().zip(&mut group.high_pass) {
            V::select(active, *value, V::load(row)).store(row);
        }
    }

    /// Brings a block to 8 kHz and splits it: the upper and the lower half band, eight values each.
    ///
    /// # Safety
    ///
    /// The frames go so far.
    #[inline(always)]
    unsafe fn halve<const N: usize, const HALVINGS: usize>(
        &mut self,
        frames: &[*const i16; N],
        block: usize,
    ) -> [(V, V); 8]
    where
        V: Lanes<N>,
    {
        let mut half = [(V::splat(0), V::splat(0)); 8];
        let [last, first] = &mut self.halvings;
        let split = &mut self.splits[0];
        for piece in 0..1 << HALVINGS {
            // SAFETY: as the caller says.
            let input = unsafe { V::gather(frames, (block << HALVINGS) + piece) };
            match HALVINGS {
                0 => {
                    for at in 0..8 {
                        half[at] = split.pair(input[at]);
                    }
                }
                1 => {
                    for at in 0..4 {
                        let (even, odd) = (last.pair(input[2 * at]), last.pair(input[2 * at + 1]));
                        half[4 * piece + at] = split.two(even, odd);
                    }
                }
                _ => {
                    for at in 0..2 {
                        let (even, odd) = (first.pair(input[4 * at]), first.pair(input[4 * at + 1]));
                        let before = last.pair(odd.above(even));
                        let (even, odd) = (first.pair(input[4 * at + 2]), first.pair(input[4 * at + 3]));
                        half[2 * piece + at] = split.two(before, last.pair(odd.above(even)));
                    }
                }
            }
        }
        half
    }

    /// From two half bands to six bands, of which the sums are taken.
    #[inline(always)]
    fn split<const N: usize>(&mut self, half: &[(V, V); 8], block: usize, heights: &mut Heights<N>, sums: &mut Sums<V>)
    where
        V: Lanes<N>,
    {
        let zero = V::splat(0);
        let mut low = [zero; 4];
        for two in 0..2 {
            let [a, b, c, d] = [half[4 * two], half[4 * two + 1], half[4 * two + 2], half[4 * two + 3]];
            let (first, second) = (self.splits[1].two(a.0, b.0), self.splits[1].two(c.0, d.0));
            sums.hear(5, first.0.above(second.0), heights.row(5, 2 * block + two));
            sums.hear(4, first.1.above(second.1), heights.row(4, 2 * block + two));
            let (first, second) = (self.splits[2].two(a.1, b.1), self.splits[2].two(c.1, d.1));
            sums.hear(3, first.0.above(second.0), heights.row(3, 2 * block + two));
            (low[2 * two], low[2 * two + 1]) = (first.1, second.1);
        }
        let (first, second) = (self.splits[3].two(low[0], low[1]), self.splits[3].two(low[2], low[3]));
        sums.hear(2, first.0.above(second.0), heights.row(2, block));
        let (above, below) = self.splits[4].two(first.1, second.1);
        sums.hear(1, above.above(zero), heights.row(1, block));
        sums.hear(0, self.high_pass(below).above(zero), heights.row(0, block));
    }

    /// Takes what lies below 80 Hz from a band of 250 Hz: two zeros and two poles, Q14.
    #[inline(always)]
    fn high_pass<const N: usize>(&mut self, value: V) -> V
    where
        V: Lanes<N>,
    {
        let factor = |value: i32| V::splat(value & 0xffff);
        let x = value.shr::<16>();
        let [x1, x2, y1, y2] = self.high_pass;
        let zeros = x.dot(factor(6_631)) + x1.dot(factor(-13_262)) + x2.dot(factor(6_631));
        let sum = zeros + y1.dot(factor(7_756)) + y2.dot(factor(-5_620));
        let out = sum.shl::<2>();
        self.high_pass = [x, x1, out.shr::<16>(), y1];
        out
    }
}

impl<V> Halving<V> {
    /// 0.64 and 0.17, Q13.
    const UPPER: i32 = 5_243;
    const LOWER: i32 = 1_392;

    /// A pair at the higher rate, even below, to one value at the lower.
    #[inline(always)]
    fn pair<const N: usize>(&mut self, pair: V) -> V
    where
        V: Lanes<N>,
    {
        let upper = (self.upper.shr::<1>() + pair.dot(V::splat(Self::UPPER)).shr::<14>()).shl::<16>();
        self.upper = pair.wrapped() - upper.dot(V::splat(Self::UPPER << 16)).shr::<12>();
        let lower = (self.lower.shr::<1>() + pair.dot(V::splat(Self::LOWER << 16)).shr::<14>()).shl::<16>();
        self.lower = pair.shr::<16>() - lower.dot(V::splat(Self::LOWER << 16)).shr::<12>();
        upper + lower
    }
}

impl<V> Split<V> {
    /// 0.64 and 0.17, Q15.
    const UPPER: i32 = 20_972;
    const LOWER: i32 = 5_571;

    /// A pair of samples, even below, to the upper and the lower half of the band.
    #[inline(always)]
    fn pair<const N: usize>(&mut self, pair: V) -> (V, V)
    where
        V: Lanes<N>,
    {
        let even = (pair.dot(V::splat(Self::UPPER)), pair.dot(V::splat(0x8000)));
        self.step(even, (pair.dot(V::splat(Self::LOWER << 16)), pair.dot(V::splat(i32::MIN))))
    }

    /// The same for an even and an odd sample that stand by themselves.
    #[inline(always)]
    fn two<const N: usize>(&mut self, even: V, odd: V) -> (V, V)
    where
        V: Lanes<N>,
    {
        let minus = V::splat(i32::MIN);
        let even = (even.dot(V::splat(Self::UPPER << 16)), even.dot(minus));
        self.step(even, (odd.dot(V::splat(Self::LOWER << 16)), odd.dot(minus)))
    }

    /// Both all-pass filters, each given its sample times its coefficient and times -1, Q15; their difference and sum.
    #[inline(always)]
    fn step<const N: usize>(&mut self, even: (V, V), odd: (V, V)) -> (V, V)
    where
        V: Lanes<N>,
    {
        let above = even.0 - self.upper;
        let feedback = above.dot(V::splat(Self::UPPER << 16));
        self.upper = even.1 + feedback + feedback;
        let below = odd.0 - self.lower;
        self.lower = odd.1 + below.dot(V::splat((2 * Self::LOWER) << 16));
        (above.sub_halves(below), above.add_halves(below))
    }
}

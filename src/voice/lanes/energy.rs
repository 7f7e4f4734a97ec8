//! From six bands to features: the logarithm of each band's energy.

use super::filters::BLOCK;
use super::tables::{BANDS, ENERGY_OFFSETS, POWER_MIN};
use super::vector::Lanes;

/// Blocks of 30 ms.
pub const BLOCKS_MAX: usize = 240 / BLOCK;

/// The bands' samples of a frame, two in a number, for those energies that have to be taken again. Scratch: kept so that
/// no frame has to clear it.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Heights<const N: usize> {
    wide: [[[i32; N]; 2 * BLOCKS_MAX]; 3],
    narrow: [[[i32; N]; BLOCKS_MAX]; 3],
}

impl<const N: usize> Heights<N> {
    pub fn new() -> Heights<N> {
        Heights { wide: [[[0; N]; 2 * BLOCKS_MAX]; 3], narrow: [[[0; N]; BLOCKS_MAX]; 3] }
    }

    /// The upper three bands have two rows a block.
    #[inline(always)]
    pub fn row(&mut self, band: usize, number: usize) -> &mut [i32; N] {
        if band < 3 { &mut self.narrow[band][number] } else { &mut self.wide[band - 3][number] }
    }

    #[inline(always)]
    fn rows(&self, band: usize, blocks: usize) -> &[[i32; N]] {
        if band < 3 { &self.narrow[band][..blocks] } else { &self.wide[band - 3][..2 * blocks] }
    }
}

/// What is summed while the bands come out of the filters.
pub struct Sums<V> {
    highest: [V; BANDS],
    squares: [V; BANDS],
}

impl<V> Sums<V> {
    #[inline(always)]
    pub fn new<const N: usize>() -> Self
    where
        V: Lanes<N>,
    {
        Sums { highest: [V::splat(0); BANDS], squares: [V::splat(0); BANDS] }
    }

    /// Two samples of a band.
    #[inline(always)]
    pub fn hear<const N: usize>(&mut self, band: usize, pair: V, height: &mut [i32; N])
    where
        V: Lanes<N>,
    {
        pair.store_wide(height);
        self.highest[band] = self.highest[band].max_halves(pair.abs_halves());
        self.squares[band] = self.squares[band] + pair.dot(pair);
    }

    /// The six features, Q4, and in which lanes there is sound at all.
    #[inline(always)]
    pub fn features<const N: usize>(&self, heights: &Heights<N>, blocks: usize) -> ([[i16; N]; BANDS], V::Mask)
    where
        V: Lanes<N>,
    {
        let mut features = [[0; N]; BANDS];
        let mut power = V::splat(0);
        for band in (0..BANDS).rev() {
            let rows = heights.rows(band, blocks);
            let samples = if band < 2 { blocks } else { 2 * rows.len() };
            let (energy, shift) = self.energy(band, rows, samples);
            let (feature, more) = logarithm(energy, shift, ENERGY_OFFSETS[band]);
            feature.store(&mut features[band]);
            let is_quiet = V::splat(POWER_MIN + 1).gt(power);
            power = power + V::select(is_quiet, more, V::splat(0));
        }
        (features, power.gt(V::splat(POWER_MIN)))
    }

    /// A band's energy and the bits by which each square was shortened, so that the sum of all fits into 32 bits. The
    /// highest sample tells; one of -32,768 alone counts as none, and the sum may then wrap.
    #[inline(always)]
    fn energy<const N: usize>(&self, band: usize, rows: &[[i32; N]], samples: usize) -> (V, V)
    where
        V: Lanes<N>,
    {
        let zero = V::splat(0);
        let highest = self.highest[band];
        let highest = highest.shr::<16>().max(highest.wrapped());
        let room = (highest * highest).leading_zeros() - V::splat(1);
        let bits = V::splat(samples.ilog2() as i32 + 1);
        let shift = V::select(highest.eq(zero) | room.gt(bits), zero, bits - room);
        if !V::any(shift.gt(zero)) {
            return (self.squares[band], shift);
        }
        let mut energy = zero;
        for row in rows {
            let row = V::load_wide(row);
            let (upper, lower) = (row.shr::<16>(), row.wrapped());
            energy = energy + (upper * upper).shr_by(shift) + (lower * lower).shr_by(shift);
        }
        (energy, shift)
    }
}

/// 160 log10 of an energy, and what it adds to the frame's power.
#[inline(always)]
fn logarithm<V: Lanes<N>, const N: usize>(energy: V, shift: V, offset: i32) -> (V, V) {
    /// 160 log10(2), Q9.
    const FACTOR: i32 = 24_660;
    let (zero, factor, offset) = (V::splat(0), V::splat(FACTOR), V::splat(offset));
    let zeros = energy.leading_zeros();
    // As a number of 15 bits, shifted by so many.
    let fifteen = energy.shl_by(zeros).shr_zeros::<17>();
    let shifts = shift + V::splat(17) - zeros;
    // log2 of it, Q10: the leading bit is 14, what follows is nearly linear.
    let log2 = V::splat(14 << 10) + (fifteen & V::splat(0x3fff)).shr::<4>();
    let log = ((factor * log2).shr::<19>() + (shifts * factor).shr::<9>()).max(zero);
    let is_silent = energy.eq(zero);
    let feature = V::select(is_silent, offset, log + offset);
    let exact = fifteen.shr_by((zero - shifts) & V::splat(31));
    let more = V::select(zero.gt(shifts), exact, V::splat(POWER_MIN + 1));
    (feature, V::select(is_silent, zero, more))
}

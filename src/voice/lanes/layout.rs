//! How the six bands of a lane lie in a group: a row each, beside those of other lanes; or abreast in one row, where there
//! is one lane alone.

use super::group::{Group, Model};
use super::tables::{BAND_WEIGHTS, BANDS};
use super::vector::Lanes;

/// Where a band's values lie, and the constants of the bands as they do.
pub trait Layout<const N: usize> {
    /// Rows that the bands take.
    const ROWS: usize;

    /// The constants of the bands of a row.
    fn constant<V: Lanes<N>>(table: &[i32; BANDS], row: usize) -> V;

    /// The weights of the bands of a row.
    fn weight<V: Lanes<N>>(row: usize) -> V;

    /// Of each lane: the sum over all its bands, and the most of any.
    fn over_bands<V: Lanes<N>>(sum: V, most: V) -> (V, V);
}

/// A row a band, a column a lane.
pub struct Apart;

impl<const N: usize> Layout<N> for Apart {
    const ROWS: usize = BANDS;

    #[inline(always)]
    fn constant<V: Lanes<N>>(table: &[i32; BANDS], row: usize) -> V {
        V::splat(table[row])
    }

    #[inline(always)]
    fn weight<V: Lanes<N>>(row: usize) -> V {
        V::splat(BAND_WEIGHTS[row])
    }

    #[inline(always)]
    fn over_bands<V: Lanes<N>>(sum: V, most: V) -> (V, V) {
        (sum, most)
    }
}

/// A column a band, all of one lane. What is left of the last row repeats the highest band, without weight.
pub struct Abreast;

impl<const N: usize> Layout<N> for Abreast {
    const ROWS: usize = BANDS.div_ceil(N);

    #[inline(always)]
    fn constant<V: Lanes<N>>(table: &[i32; BANDS], row: usize) -> V {
        V::load_wide(&std::array::from_fn(|column| table[band::<N>(row, column)]))
    }

    #[inline(always)]
    fn weight<V: Lanes<N>>(row: usize) -> V {
        V::load_wide(&std::array::from_fn(|column| BAND_WEIGHTS.get(row * N + column).copied().unwrap_or(0)))
    }

    #[inline(always)]
    fn over_bands<V: Lanes<N>>(sum: V, most: V) -> (V, V) {
        let (mut sums, mut highest) = ([0; N], [0; N]);
        sum.store_wide(&mut sums);
        most.store_wide(&mut highest);
        (V::splat(sums.iter().sum()), V::splat(highest.iter().fold(0, |most, &value| most.max(value))))
    }
}

/// The band that lies in a column of a row.
#[inline(always)]
fn band<const N: usize>(row: usize, column: usize) -> usize {
    (row * N + column).min(BANDS - 1)
}

/// The features of a frame, abreast.
#[inline(always)]
pub fn abreast<const N: usize>(features: &[i16; BANDS]) -> [[i16; N]; BANDS] {
    std::array::from_fn(|row| std::array::from_fn(|column| features[band::<N>(row, column)]))
}

/// What a lane remembers of its bands, laid abreast.
pub fn lay_abreast<const N: usize>(group: &Group<N>, lane: usize, alone: &mut Group<N>) {
    let bands = |rows: &[[i16; N]; BANDS]| abreast::<N>(&rows.map(|row| row[lane]));
    let model = |model: &Model<N>| Model {
        means: model.means.each_ref().map(bands),
        deviations: model.deviations.each_ref().map(bands),
    };
    (alone.noise, alone.speech) = (model(&group.noise), model(&group.speech));
    alone.smallest.iter_mut().zip(&group.smallest).for_each(|(to, from)| *to = bands(from));
    alone.ages.iter_mut().zip(&group.ages).for_each(|(to, from)| *to = bands(from));
    alone.minimum = bands(&group.minimum);
    alone.judged = [group.judged[lane]; N];
    alone.hangover = [group.hangover[lane]; N];
    alone.run = [group.run[lane]; N];
}

/// The way back: what was laid abreast becomes what the lane remembers.
pub fn lay_apart<const N: usize>(alone: &Group<N>, group: &mut Group<N>, lane: usize) {
    let put = |from: &[[i16; N]; BANDS], to: &mut [[i16; N]; BANDS]| {
        to.iter_mut().enumerate().for_each(|(band, row)| row[lane] = from[band / N][band % N]);
    };
    for (from, to) in [(&alone.noise, &mut group.noise), (&alone.speech, &mut group.speech)] {
        from.means.iter().zip(&mut to.means).for_each(|(from, to)| put(from, to));
        from.deviations.iter().zip(&mut to.deviations).for_each(|(from, to)| put(from, to));
    }
    alone.smallest.iter().zip(&mut group.smallest).for_each(|(from, to)| put(from, to));
    alone.ages.iter().zip(&mut group.ages).for_each(|(from, to)| put(from, to));
    put(&alone.minimum, &mut group.minimum);
    group.judged[lane] = alone.judged[0];
    group.hangover[lane] = alone.hangover[0];
    group.run[lane] = alone.run[0];
}

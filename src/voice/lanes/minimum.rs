//! The floor of each band: the third smallest feature of about the last hundred frames, smoothed.

use super::group::Group;
use super::layout::Layout;
use super::tables::{BANDS, SLOTS};
use super::vector::Lanes;

/// The value of a slot in which nothing is remembered; above every feature.
pub const EMPTY: i16 = 10_000;
/// A feature is forgotten after so many frames.
const AGE_MAX: i16 = 100;
/// Smoothing downwards (0.2) and upwards (0.99), Q15.
const DOWN: i32 = 6_553;
const UP: i32 = 32_439;

/// Remembers each band's feature in the lanes that are `judged`, and smooths the bands' floors.
#[inline(always)]
pub fn track<V: Lanes<N>, L: Layout<N>, const N: usize>(
    group: &mut Group<N>,
    features: &[[i16; N]; BANDS],
    judged: V::Mask,
) {
    let mut row = [0; N];
    V::select(judged, V::splat(-1), V::splat(0)).store(&mut row);
    for (pair, features) in features.as_chunks::<2>().0.iter().enumerate().take(L::ROWS.div_ceil(2)) {
        let second = if 2 * pair + 1 < L::ROWS { row } else { [0; N] };
        let rest = insert_where_two_go::<V, N>(group, pair, features, [row, second]);
        insert::<V, N>(group, pair, features, rest);
    }
    smooth::<V, L, N>(group, judged);
}

/// Lets [`insert_alone`] do the bands of a pair and the lanes in which two features reach their age together, and gives
/// those that are left of `judged`.
#[inline(always)]
fn insert_where_two_go<V: Lanes<N>, const N: usize>(
    group: &mut Group<N>,
    pair: usize,
    features: &[[i16; N]; 2],
    mut judged: [[i16; N]; 2],
) -> V::HalfMask {
    let zero = V::splat(0);
    let mask = zero.gt_halves(V::load_halves(&judged));
    let mut gone = zero.gt_halves(zero);
    let mut twice = gone;
    for row in &group.ages {
        let old = V::load_halves(&row.as_chunks::<2>().0[pair]).eq_halves(V::splat_halves(AGE_MAX));
        twice = twice | (gone & old);
        gone = gone | old;
    }
    if !V::any_half(twice & mask) {
        return mask;
    }
    let mut two_go = [[0; N]; 2];
    V::splat(-1).store_halves(twice & mask, &mut two_go);
    for half in 0..2 {
        for lane in 0..N {
            if two_go[half][lane] != 0 {
                judged[half][lane] = 0;
                insert_alone(group, pair * 2 + half, lane, features[half][lane]);
            }
        }
    }
    zero.gt_halves(V::load_halves(&judged))
}

/// Ages the slots of a pair of bands by a frame, forgets what has reached its age (one at most) and puts the features
/// where they belong, where `judged`.
#[inline(always)]
fn insert<V: Lanes<N>, const N: usize>(
    group: &mut Group<N>,
    pair: usize,
    features: &[[i16; N]; 2],
    judged: V::HalfMask,
) {
    let (oldest, one) = (V::splat_halves(AGE_MAX), V::splat_halves(1));
    let never = one.gt_halves(one);
    let feature = V::load_halves(features);
    let load = |rows: &[[i16; N]; BANDS]| V::load_halves(&rows.as_chunks::<2>().0[pair]);
    let mut gone = never;
    let mut has_passed = never;
    let (mut value, mut age) = (load(&group.smallest[0]), load(&group.ages[0]));
    let mut aged = age.add_halves(one);
    let (mut value_below, mut age_below) = (V::splat_halves(i16::MIN), one);
    for slot in 0..SLOTS {
        let old = age.eq_halves(oldest);
        gone = gone | old;
        let (next_value, next_age) = if slot + 1 < SLOTS {
            (load(&group.smallest[slot + 1]), load(&group.ages[slot + 1]))
        } else {
            (V::splat_halves(EMPTY), V::splat_halves(AGE_MAX + 1))
        };
        // What moves up into the place of a forgotten one is not aged in this frame.
        let next_aged = V::select_halves(old, next_age, next_age.add_halves(one));
        let kept_value = V::select_halves(gone, next_value, value);
        let kept_age = V::select_halves(gone, next_aged, aged);
        let passed = kept_value.gt_halves(feature);
        let new_age = V::select_halves(passed, V::select_halves(has_passed, age_below, one), kept_age);
        let new_value = kept_value.min_halves(feature.max_halves(value_below));
        new_value.store_halves(judged, &mut group.smallest[slot].as_chunks_mut::<2>().0[pair]);
        new_age.store_halves(judged, &mut group.ages[slot].as_chunks_mut::<2>().0[pair]);
        (value_below, age_below, has_passed) = (kept_value, kept_age, passed);
        (value, age, aged) = (next_value, next_age, next_aged);
    }
}

/// As [`insert`], for one band of one lane: where two features reach their age together.
#[cold]
#[inline(never)]
fn insert_alone<const N: usize>(group: &mut Group<N>, band: usize, lane: usize, feature: i16) {
    let mut list = [(0, 0); SLOTS];
    for (slot, entry) in list.iter_mut().enumerate() {
        *entry = (group.smallest[slot][band][lane], group.ages[slot][band][lane]);
    }
    for slot in 0..SLOTS {
        if list[slot].1 == AGE_MAX {
            // What moves up into this slot is neither aged nor asked for its age in this frame.
            list.copy_within(slot + 1.., slot);
            list[SLOTS - 1] = (EMPTY, AGE_MAX + 1);
        } else {
            list[slot].1 += 1;
        }
    }
    if let Some(at) = list.iter().position(|&(value, _)| feature < value) {
        list.copy_within(at..SLOTS - 1, at + 1);
        list[at] = (feature, 1);
    }
    for (slot, (value, age)) in list.into_iter().enumerate() {
        group.smallest[slot][band][lane] = value;
        group.ages[slot][band][lane] = age;
    }
}

#[inline(always)]
fn smooth<V: Lanes<N>, L: Layout<N>, const N: usize>(group: &mut Group<N>, judged: V::Mask) {
    let zero = V::splat(0);
    let before = V::load(&group.judged);
    let (is_new, is_young) = (before.eq(zero), V::splat(3).gt(before));
    for band in 0..L::ROWS {
        let old = V::load(&group.minimum[band]);
        let low = V::select(is_young, V::load(&group.smallest[0][band]), V::load(&group.smallest[2][band]));
        let low = V::select(is_new, V::splat(1600), low);
        let keep = V::select(low.gt(old - V::splat(1)), V::splat(UP), V::splat(DOWN));
        let keep = V::select(is_new, zero, keep);
        let new = (keep + V::splat(1)) * old + (V::splat(32_767) - keep) * low + V::splat(16_384);
        V::select(judged, new.shr::<15>(), old).store(&mut group.minimum[band]);
    }
}

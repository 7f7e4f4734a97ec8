//! The decision: how likely the features are as noise and as speech by two Gaussians each, and what is learnt of it.

use super::group::Group;
use super::layout::Layout;
use super::minimum;
use super::tables::*;
use super::vector::Lanes;

type Row<const N: usize> = [i16; N];

/// A Gaussian seen from the frame in hand.
#[derive(Clone, Copy)]
struct Near<V> {
    /// (x - mean) / deviation², Q11.
    delta: V,
    /// Its share of its model's likelihood, Q14.
    share: V,
}

#[derive(Clone, Copy)]
struct Likely<V> {
    noise: [Near<V>; GAUSSIANS],
    speech: [Near<V>; GAUSSIANS],
}

/// Decides the lanes that are `judged`, learns from their features, and gives the lanes with speech.
#[inline(always)]
pub fn judge<V: Lanes<N>, L: Layout<N>, const N: usize>(
    group: &mut Group<N>,
    features: &[Row<N>; BANDS],
    judged: V::Mask,
    thresholds: &Thresholds,
) -> V::Mask {
    let zero = V::splat(0);
    let nothing = Near { delta: zero, share: zero };
    let mut likely = [Likely { noise: [nothing; 2], speech: [nothing; 2] }; BANDS];
    let mut sum = zero;
    let mut most = zero;
    for row in 0..L::ROWS {
        let (near, ratio) = weigh::<V, L, N>(group, row, V::load(&features[row]));
        likely[row] = near;
        sum = sum + ratio * L::weight::<V>(row);
        most = most.max(ratio);
    }
    let (sum, most) = L::over_bands(sum, most);
    let local = most.shl::<2>().gt(V::splat(thresholds.local));
    let speech = (local | sum.gt(V::splat(thresholds.global - 1))) & judged;

    minimum::track::<V, L, N>(group, features, judged);
    for row in 0..L::ROWS {
        learn::<V, L, N>(group, row, &likely[row], V::load(&features[row]), judged, speech);
    }
    let before = V::load(&group.judged);
    V::select(judged, (before + V::splat(1)).min(V::splat(3)), before).store(&mut group.judged);
    speech
}

/// What the Gaussians of a row's bands say of their features, and how many powers of two speech is likelier than noise.
#[inline(always)]
fn weigh<V: Lanes<N>, L: Layout<N>, const N: usize>(group: &Group<N>, row: usize, x: V) -> (Likely<V>, V) {
    let [mean, deviation] = [&group.noise.means, &group.noise.deviations];
    let (first, delta_0) = gaussian(x, V::load(&mean[0][row]), V::load(&deviation[0][row]));
    let (second, delta_1) = gaussian(x, V::load(&mean[1][row]), V::load(&deviation[1][row]));
    let first = first * L::constant::<V>(&NOISE_WEIGHTS[0], row);
    let noise = first + second * L::constant::<V>(&NOISE_WEIGHTS[1], row);
    // With too little to share all is the first one's.
    let (share_0, share_1) = shares(first, noise, V::splat(16_384));
    let noise_near = [Near { delta: delta_0, share: share_0 }, Near { delta: delta_1, share: share_1 }];

    let [mean, deviation] = [&group.speech.means, &group.speech.deviations];
    let (first, delta_0) = gaussian(x, V::load(&mean[0][row]), V::load(&deviation[0][row]));
    let (second, delta_1) = gaussian(x, V::load(&mean[1][row]), V::load(&deviation[1][row]));
    let first = first * L::constant::<V>(&SPEECH_WEIGHTS[0], row);
    let speech = first + second * L::constant::<V>(&SPEECH_WEIGHTS[1], row);
    let (share_0, share_1) = shares(first, speech, V::splat(0));
    let speech_near = [Near { delta: delta_0, share: share_0 }, Near { delta: delta_1, share: share_1 }];

    let ratio = noise.leading_zeros() - speech.leading_zeros();
    (Likely { noise: noise_near, speech: speech_near }, ratio)
}

/// The likelihood of a feature (Q4) under a Gaussian (Q7), Q20, and (x - mean) / deviation², Q11.
#[inline(always)]
fn gaussian<V: Lanes<N>, const N: usize>(x: V, mean: V, deviation: V) -> (V, V) {
    let inverse = (V::splat(131_072) + deviation.shr::<1>()).quotient(deviation);
    let coarse = inverse.shr::<2>();
    let square = (coarse * coarse).shr::<2>();
    let distance = x.shl::<3>() - mean;
    let delta = (square * distance).shl::<6>().shr::<16>();
    let exponent = (delta * distance).shr::<9>();
    // Q12 * Q10 >> 12, of which the sixteen lower bits are kept.
    let binary = (exponent * V::splat(5_909)).shl::<4>().shr::<16>();
    let minus = (V::splat(0) - binary).wrapped();
    let fraction = V::splat(0x400) | (minus & V::splat(0x3ff));
    let shift = (V::splat(-1) - minus).shr::<10>() + V::splat(1);
    let value = fraction.shr_by(shift & V::splat(31));
    let value = V::select(V::splat(22_005).gt(exponent), value, V::splat(0));
    (inverse * value, delta)
}

/// The shares of the first and of the second Gaussian, Q14; with too little to share `bare` and nothing.
#[inline(always)]
fn shares<V: Lanes<N>, const N: usize>(first: V, both: V, bare: V) -> (V, V) {
    let whole = both.shr::<12>();
    let is_enough = whole.gt(V::splat(0));
    let part = (first & V::splat(!0xfff)).shl::<2>();
    let share = divide(part, whole.max(V::splat(1)));
    let rest = V::splat(16_384) - share;
    (V::select(is_enough, share, bare), V::select(is_enough, rest, V::splat(0)))
}

/// `number / divisor` for 0 ≤ number < 2^31, 0 < divisor, and a quotient below 2^21: there an f32 is at most one off.
#[inline(always)]
fn divide<V: Lanes<N>, const N: usize>(number: V, divisor: V) -> V {
    let near = number.quotient(divisor);
    let rest = number - near * divisor;
    let (zero, one) = (V::splat(0), V::splat(1));
    let near = V::select(zero.gt(rest), near - one, near);
    V::select(rest.gt(divisor - one), near + one, near)
}

/// `number / divisor`, towards zero.
#[inline(always)]
pub fn divide_signed<V: Lanes<N>, const N: usize>(number: V, divisor: V) -> V {
    if V::any(V::splat(256).gt(divisor)) {
        let mut numbers = [0; N];
        let mut divisors = [0; N];
        number.store_wide(&mut numbers);
        divisor.store_wide(&mut divisors);
        divide_slowly(&mut numbers, &divisors);
        return V::load_wide(&numbers);
    }
    let size = divide(number.abs(), divisor);
    let zero = V::splat(0);
    V::select(zero.gt(number), zero - size, size)
}

#[cold]
#[inline(never)]
fn divide_slowly<const N: usize>(numbers: &mut [i32; N], divisors: &[i32; N]) {
    for (number, &divisor) in numbers.iter_mut().zip(divisors) {
        *number /= divisor;
    }
}

/// `weights` of a row's bands, of the two Gaussians' means.
#[inline(always)]
fn middle<V: Lanes<N>, L: Layout<N>, const N: usize>(
    weights: &[[i32; BANDS]; GAUSSIANS],
    row: usize,
    means: [V; 2],
) -> V {
    means[0] * L::constant::<V>(&weights[0], row) + means[1] * L::constant::<V>(&weights[1], row)
}

#[inline(always)]
fn learn<V: Lanes<N>, L: Layout<N>, const N: usize>(
    group: &mut Group<N>,
    row: usize,
    likely: &Likely<V>,
    x: V,
    judged: V::Mask,
    speech: V::Mask,
) {
    let zero = V::splat(0);
    let pick = V::select;
    let mut noise_means = [V::load(&group.noise.means[0][row]), V::load(&group.noise.means[1][row])];
    let mut speech_means = [V::load(&group.speech.means[0][row]), V::load(&group.speech.means[1][row])];
    let center = middle::<V, L, N>(&NOISE_WEIGHTS, row, noise_means).shr::<6>();
    // The floor in Q8 wraps at sixteen bits.
    let off = (V::load(&group.minimum[row]).shl::<4>() - center).wrapped();
    let correction = (off * V::splat(154)).shr::<9>();
    for k in 0..GAUSSIANS {
        let (noise_mean, speech_mean) = (noise_means[k], speech_means[k]);
        let share = pick(speech, likely.speech[k].share, likely.noise[k].share);
        let delta = pick(speech, likely.speech[k].delta, likely.noise[k].delta);
        let drift = (share * delta).shl::<5>().shr::<16>();

        let learnt = pick(speech, zero, (drift * V::splat(655)).shr::<22>());
        let lowest = V::splat((k as i32 + 5) << 7);
        let highest = L::constant::<V>(&NOISE_GAUSSIAN_MAX[k], row);
        noise_means[k] = (noise_mean + learnt + correction).max(lowest).min(highest);

        let learnt = ((drift * V::splat(6_554)).shr::<21>() + V::splat(1)).shr::<1>();
        let moved = (speech_mean + learnt)
            .max(V::splat(SPEECH_GAUSSIAN_MIN[k]))
            .min(L::constant::<V>(&SPEECH_GAUSSIAN_MAX, row));
        speech_means[k] = pick(speech, moved, speech_mean);

        let mean = pick(speech, speech_mean + V::splat(4), noise_mean).shr::<3>();
        let spread = (delta * (x - mean)).shr::<3>() - V::splat(4_096);
        let part = (share + pick(speech, zero, V::splat(2))).shr::<2>();
        let product = part * spread;
        let number = pick(speech, product.shr::<4>(), product.shr::<14>());
        let noise_deviation = V::load(&group.noise.deviations[k][row]);
        let speech_deviation = V::load(&group.speech.deviations[k][row]);
        let divisor = pick(speech, (speech_deviation * V::splat(10)).wrapped(), noise_deviation);
        let step = divide_signed(number, divisor);
        let step = (step + pick(speech, V::splat(128), V::splat(32))).wrapped();
        let step = pick(speech, step.shr::<8>(), step.shr::<6>());
        let old = pick(speech, speech_deviation, noise_deviation);
        let deviation = (old + step).max(V::splat(DEVIATION_MIN));
        pick(speech, deviation, speech_deviation).store(&mut group.speech.deviations[k][row]);
        let new = pick(speech, noise_deviation, deviation);
        pick(judged, new, noise_deviation).store(&mut group.noise.deviations[k][row]);
    }
    keep_apart::<V, L, N>(group, row, noise_means, speech_means, judged);
}

/// Moves the models apart where they are too near each other, and back where they are too loud; stores the means.
#[inline(always)]
fn keep_apart<V: Lanes<N>, L: Layout<N>, const N: usize>(
    group: &mut Group<N>,
    row: usize,
    mut noise: [V; 2],
    mut speech: [V; 2],
    judged: V::Mask,
) {
    let zero = V::splat(0);
    let distance = middle::<V, L, N>(&SPEECH_WEIGHTS, row, speech).shr::<9>()
        - middle::<V, L, N>(&NOISE_WEIGHTS, row, noise).shr::<9>();
    let lacking = (L::constant::<V>(&DISTANCE_MIN, row) - distance).max(zero);
    let up = (lacking * V::splat(13)).shr::<2>();
    let down = (lacking * V::splat(3)).shr::<2>();
    speech = [speech[0] + up, speech[1] + up];
    noise = [noise[0] - down, noise[1] - down];
    let over = (middle::<V, L, N>(&SPEECH_WEIGHTS, row, speech).shr::<7>() - L::constant::<V>(&SPEECH_MEAN_MAX, row))
        .max(zero);
    speech = [speech[0] - over, speech[1] - over];
    let over =
        (middle::<V, L, N>(&NOISE_WEIGHTS, row, noise).shr::<7>() - L::constant::<V>(&NOISE_MEAN_MAX, row)).max(zero);
    noise = [noise[0] - over, noise[1] - over];
    for k in 0..GAUSSIANS {
        let means = &mut group.noise.means[k][row];
        V::select(judged, noise[k], V::load(means)).store(means);
        let means = &mut group.speech.means[k][row];
        V::select(judged, speech[k], V::load(means)).store(means);
    }
}

//! The signal arithmetic behind the leak figures: by how much one signal lags another, and how much of it is in it.
//!
//! Lags come from the cross-correlation (by FFT, in blocks, so that an hour needs no more memory than a minute);
//! coherent parts from a least-squares FIR (normal equations, Cholesky). All in `f64`, full scale = 1.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Most samples a fit looks at; of a longer selection it takes as many, evenly spread.
const PICKED_MAX: usize = 16_000;
/// Ridge on the normal equations, relative to their mean diagonal: −60 dB, so that a silent band stays solvable.
const RIDGE: f64 = 1e-6;
/// Rows that are added to the normal equations in one go; 8 × 512 values just fill a first-level cache.
const ROWS: usize = 8;
/// Shortest FFT of the cross-correlation; shorter ones spend their time on overhead.
const FFT_MIN: usize = 4_096;

/// A correlation weaker than this is rounding noise of the FFT, and a lag taken from it would be arbitrary.
const STRENGTH_MIN: f64 = 1e-12;

/// How one signal lies against another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lag {
    /// Delay of the second signal against the first, samples.
    pub samples: i64,
    /// Normalised correlation at this lag, 0..=1.
    pub strength: f64,
}

/// One input of a fit.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its samples, on the time line of the fitted signal.
    pub signal: &'a [f64],
    /// Lag of the first tap, samples; may be negative (the tap looks ahead).
    pub first_lag: i64,
}

/// What a fit found.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Energy of each source's part over the picked samples, in the order of the sources.
    pub parts: Vec<f64>,
    /// The samples that were looked at.
    pub picked: Vec<usize>,
}

/// The lag in `lowest..=highest` (samples) that maximises `|Σ second[t + lag] · first[t]|`; the lowest of equals.
///
/// What lies outside a signal counts as zero. If the signals never meet, the lag is `lowest` and its strength 0.
pub fn best_lag(first: &[f64], second: &[f64], lowest: i64, highest: i64) -> Lag {
    let span = usize::try_from(highest.saturating_sub(lowest)).unwrap_or(0);
    let correlation = correlate(first, second, lowest, span);
    let mut best = (0, 0.0);
    for (at, value) in correlation.iter().map(|value| value.abs()).enumerate() {
        if value > best.1 {
            best = (at, value);
        }
    }
    let strength = best.1 / (energy(first) * energy(second) + 1e-30).sqrt();
    if strength < STRENGTH_MIN {
        return Lag { samples: lowest, strength: 0.0 };
    }
    Lag { samples: lowest + best.0 as i64, strength }
}

/// Fits `target` as the sum of the sources, each through its own FIR of `taps` taps, over the `selected` samples.
///
/// `None` if fewer than three samples a tap are selected, or if the sources hold nothing there that can be solved for.
pub fn fit(target: &[f64], sources: &[Source<'_>], taps: usize, selected: &[bool]) -> Option<Fit> {
    let picked = pick(selected, target.len());
    let columns = taps * sources.len();
    if columns == 0 || picked.len() < columns * 3 {
        return None;
    }
    let padded: Vec<Padded> = sources.iter().map(|source| Padded::new(source, taps, target.len())).collect();
    let mut gram = vec![0.0; columns * columns];
    let mut right = vec![0.0; columns];
    let mut rows = vec![0.0; ROWS * columns];
    for group in picked.chunks(ROWS) {
        rows.fill(0.0); // the last group may be short, and a row of zeros adds nothing
        for (row, &sample) in rows.chunks_exact_mut(columns).zip(group) {
            for (part, source) in row.chunks_exact_mut(taps).zip(&padded) {
                part.copy_from_slice(source.window(sample, taps));
            }
            for (sum, value) in right.iter_mut().zip(&*row) {
                *sum += value * target[sample];
            }
        }
        add_products(&mut gram, &rows, columns);
    }
    let trace: f64 = (0..columns).map(|at| gram[at * columns + at]).sum();
    for at in 0..columns {
        gram[at * columns + at] += RIDGE * trace / columns as f64;
    }
    solve(&mut gram, &mut right)?;
    let parts = padded
        .iter()
        .zip(right.chunks_exact(taps))
        .map(|(source, weights)| picked.iter().map(|&sample| dot(source.window(sample, taps), weights).powi(2)).sum());
    Some(Fit { parts: parts.collect(), picked })
}

/// Every second sample after a low-pass of 33 taps (windowed sinc, cut-off 0.24 of the rate): 16 kHz to 8 kHz.
pub fn half_rate(signal: &[f64]) -> Vec<f64> {
    const REACH: usize = 16;
    let taps: Vec<f64> = (0..=2 * REACH)
        .map(|at| {
            let x = (at as f64 - REACH as f64) * 0.48;
            let sinc = if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
            let hamming = 0.54 - 0.46 * (std::f64::consts::PI * at as f64 / REACH as f64).cos();
            sinc * 0.48 * hamming
        })
        .collect();
    let mut padded = vec![0.0; REACH];
    padded.extend_from_slice(signal);
    padded.resize(signal.len() + 2 * REACH, 0.0);
    (0..signal.len()).step_by(2).map(|at| dot(&padded[at..=at + 2 * REACH], &taps)).collect()
}

/// Sum of the squares.
pub fn energy(signal: &[f64]) -> f64 {
    signal.iter().map(|value| value * value).sum()
}

// Blocks of `first` against what of `second` they can meet; the blocks' spectra add up before one way back.
fn correlate(first: &[f64], second: &[f64], lowest: i64, span: usize) -> Vec<f64> {
    let size = (4 * (span + 1)).next_power_of_two().max(FFT_MIN);
    let step = size - span;
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let (mut left, mut right) = (forward.make_input_vec(), forward.make_input_vec());
    let (mut left_bins, mut right_bins) = (forward.make_output_vec(), forward.make_output_vec());
    let mut sum = vec![Complex::new(0.0, 0.0); left_bins.len()];
    for (nth, block) in first.chunks(step).enumerate() {
        if block.iter().all(|&value| value == 0.0) {
            continue;
        }
        left.fill(0.0);
        left[..block.len()].copy_from_slice(block);
        let start = (nth * step) as i64 + lowest;
        for (at, value) in right.iter_mut().enumerate() {
            let place = usize::try_from(start + at as i64).ok();
            *value = place.and_then(|place| second.get(place)).copied().unwrap_or(0.0);
        }
        // the transforms fail only on buffers of a wrong length, and these come from the plans themselves
        let _ = forward.process(&mut left, &mut left_bins);
        let _ = forward.process(&mut right, &mut right_bins);
        for (total, (l, r)) in sum.iter_mut().zip(left_bins.iter().zip(&right_bins)) {
            *total += l.conj() * r;
        }
    }
    // an FFT of real signals has real ends up to rounding; the way back insists on exact zeros
    if let Some(end) = sum.first_mut() {
        end.im = 0.0;
    }
    if let Some(end) = sum.last_mut() {
        end.im = 0.0;
    }
    let _ = inverse.process(&mut sum, &mut left);
    left.truncate(span + 1);
    left.iter_mut().for_each(|value| *value /= size as f64);
    left
}

// The selected samples, thinned evenly to PICKED_MAX; the places are those of numpy's linspace, cut to whole numbers.
fn pick(selected: &[bool], length: usize) -> Vec<usize> {
    let all: Vec<usize> = selected.iter().take(length).enumerate().filter(|&(_, &on)| on).map(|(at, _)| at).collect();
    if all.len() <= PICKED_MAX {
        return all;
    }
    let last = all.len() - 1;
    let step = last as f64 / (PICKED_MAX - 1) as f64;
    (0..PICKED_MAX)
        .map(|nth| if nth + 1 == PICKED_MAX { last } else { (nth as f64 * step) as usize })
        .map(|at| all[at.min(last)])
        .collect()
}

// A source with zeros around it, so that every window of taps is a plain slice. Taps stand in a window from the
// oldest sample to the newest, that is, last tap first.
struct Padded {
    samples: Vec<f64>,
    shift: usize,
}

impl Padded {
    fn new(source: &Source<'_>, taps: usize, length: usize) -> Padded {
        let reach = taps + usize::try_from(source.first_lag.unsigned_abs()).unwrap_or(0);
        let mut samples = vec![0.0; reach];
        samples.extend(source.signal.iter().take(length));
        samples.resize(length + 2 * reach, 0.0);
        // window start of sample 0: the last tap looks `first_lag + taps - 1` back
        let shift = (reach as i64 - source.first_lag - taps as i64 + 1).max(0) as usize;
        Padded { samples, shift }
    }

    fn window(&self, sample: usize, taps: usize) -> &[f64] {
        &self.samples[self.shift + sample..][..taps]
    }
}

// Adds the products of all pairs of columns to the upper triangle, ROWS rows at once: one pass over the triangle
// then serves eight multiplications an entry instead of one.
fn add_products(gram: &mut [f64], rows: &[f64], columns: usize) {
    for column in 0..columns {
        let line = &mut gram[column * columns + column..(column + 1) * columns];
        let width = line.len();
        let row = |nth: usize| &rows[nth * columns + column..][..width];
        let lanes: [&[f64]; ROWS] = std::array::from_fn(row);
        let factors: [f64; ROWS] = std::array::from_fn(|nth| lanes[nth][0]);
        for (at, sum) in line.iter_mut().enumerate() {
            let low = factors[0] * lanes[0][at] + factors[1] * lanes[1][at];
            let middle = factors[2] * lanes[2][at] + factors[3] * lanes[3][at];
            let high = factors[4] * lanes[4][at] + factors[5] * lanes[5][at];
            let top = factors[6] * lanes[6][at] + factors[7] * lanes[7][at];
            *sum += (low + middle) + (high + top);
        }
    }
}

// Solves in place by Cholesky (A = Uᵀ U, only the upper triangle is read); `None` if the matrix is not positive.
fn solve(gram: &mut [f64], right: &mut [f64]) -> Option<()> {
    let size = right.len();
    for at in 0..size {
        let pivot = gram[at * size + at];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        let (done, below) = gram.split_at_mut((at + 1) * size);
        let line = &mut done[at * size..];
        let root = pivot.sqrt();
        line[at..].iter_mut().for_each(|value| *value /= root);
        right[at] /= root;
        for (next, lower) in below.chunks_exact_mut(size).enumerate() {
            let column = at + 1 + next;
            let factor = line[column];
            for (value, &above) in lower[column..].iter_mut().zip(&line[column..]) {
                *value -= factor * above;
            }
            right[column] -= factor * right[at];
        }
    }
    for at in (0..size).rev() {
        let line = &gram[at * size..(at + 1) * size];
        right[at] = (right[at] - dot(&line[at + 1..], &right[at + 1..])) / line[at];
    }
    Some(())
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    // noise in -0.5..0.5 from a fixed seed
    fn noise(seed: u64, length: usize) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        (0..length).map(|_| next()).collect()
    }

    fn delayed(signal: &[f64], by: usize) -> Vec<f64> {
        let mut late = vec![0.0; by];
        late.extend_from_slice(&signal[..signal.len() - by]);
        late
    }

    #[test]
    fn a_delay_is_found_to_the_sample_across_blocks() {
        let signal = noise(1, 50_000);
        let lag = best_lag(&signal, &delayed(&signal, 777), -400, 8_000);
        assert_eq!(lag.samples, 777);
        assert!(lag.strength > 0.98 && lag.strength <= 1.0, "{lag:?}");
        assert_eq!(best_lag(&delayed(&signal, 55), &signal, -400, 8_000).samples, -55);
    }

    #[test]
    fn a_correlation_by_blocks_is_the_plain_sum() {
        let (first, second) = (noise(2, 9_000), noise(3, 7_000));
        let found = correlate(&first, &second, -20, 40);
        for (at, value) in found.iter().enumerate() {
            let lag = at as i64 - 20;
            let plain: f64 = (0..first.len() as i64)
                .filter_map(|t| Some(first[t as usize] * second.get(usize::try_from(t + lag).ok()?)?))
                .sum();
            assert!((value - plain).abs() < 1e-9, "lag {lag}: {value} against {plain}");
        }
        assert_eq!(found.len(), 41);
    }

    #[test]
    fn silence_lags_by_the_lowest_lag_with_no_strength() {
        assert_eq!(best_lag(&[0.0; 100], &[1.0; 100], -5, 5), Lag { samples: -5, strength: 0.0 });
        assert_eq!(best_lag(&[], &[], 3, 1), Lag { samples: 3, strength: 0.0 });
        let (early, late) = ([noise(7, 400), vec![0.0; 400]].concat(), [vec![0.0; 400], noise(8, 400)].concat());
        assert_eq!(best_lag(&late, &early, 0, 300), Lag { samples: 0, strength: 0.0 });
    }

    #[test]
    fn a_fit_tells_two_sources_apart() {
        let (agent, customer) = (noise(4, 8_000), noise(5, 8_000));
        let target: Vec<f64> =
            delayed(&agent, 3).iter().zip(delayed(&customer, 40)).map(|(a, c)| 0.5 * a - 0.1 * c).collect();
        let sources = [Source { signal: &agent, first_lag: -8 }, Source { signal: &customer, first_lag: 20 }];
        let found = fit(&target, &sources, 32, &[true; 8_000]).expect("both sources are there");
        assert_eq!(found.picked.len(), 8_000);
        let share = |part: f64, source: &[f64]| (part / energy(source)).sqrt();
        assert!((share(found.parts[0], &agent) - 0.5).abs() < 2e-3);
        assert!((share(found.parts[1], &customer) - 0.1).abs() < 2e-3);
    }

    #[test]
    fn a_fit_on_too_little_or_on_silence_is_refused() {
        let signal = noise(6, 300);
        let source = [Source { signal: &signal, first_lag: 0 }];
        assert!(fit(&signal, &source, 101, &[true; 300]).is_none());
        assert!(fit(&signal, &source, 100, &[true; 300]).is_some());
        assert!(fit(&signal, &[Source { signal: &[0.0; 300], first_lag: 0 }], 10, &[true; 300]).is_none());
    }

    #[test]
    fn a_long_selection_is_thinned_evenly_and_keeps_its_ends() {
        let picked = pick(&[true; 48_000], 48_000);
        assert_eq!((picked.len(), picked[0], picked[PICKED_MAX - 1]), (PICKED_MAX, 0, 47_999));
        assert!(picked.windows(2).all(|two| (3..=4).contains(&(two[1] - two[0]))));
    }

    #[test]
    fn halving_the_rate_keeps_a_low_tone_and_drops_a_high_one() {
        let tone = |hz: f64| -> Vec<f64> {
            (0..1_600).map(|at| (std::f64::consts::TAU * hz * f64::from(at) / 16_000.0).sin()).collect()
        };
        let level = |hz: f64| energy(&half_rate(&tone(hz))[50..750]) / 350.0;
        assert!((level(500.0) - 1.0).abs() < 0.01, "{}", level(500.0));
        assert!(level(6_000.0) < 1e-4, "{}", level(6_000.0));
        assert_eq!(half_rate(&tone(500.0)).len(), 800);
    }
}

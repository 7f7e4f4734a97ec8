//! How much of the customer is left in a one-sided output, and how much of the agent was kept.
//!
//! The definitions are those of the reference scorer `score_leak.py`. The output is compared with the same call
//! without bleed, on frames of 10 ms that the labels sort into customer-only, agent-only, both and neither. Energies
//! are ratios against the clean speaker in the same frames; a set's decibels are those of the mean energy ratio.

use super::fit::{Source, best_lag, energy, fit, half_rate};
use super::grid::{FRAMES_PER_SECOND, HOP_S, Label, count, mask, median, of_class, percentile, runs, spread};
use crate::audio::{RATE_MAX_HZ, RATE_MIN_HZ};

/// How far the output may lag the agent, seconds.
const LAG_MAX_S: f64 = 1.0;
/// How far the output may lead the agent, seconds.
const LEAD_MAX_S: f64 = 0.05;
/// A correlation below this says nothing about the lag, which then counts as 0.
const LAG_STRENGTH_MIN: f64 = 0.1;
/// How late the customer may arrive in the agent's microphone, seconds.
const BLEED_LAG_MAX_S: f64 = 0.3;
/// Taps of the fit on customer-only frames (40 ms at 8 kHz), and how many of them lie before the best lag.
const ALONE: (usize, i64) = (320, 40);
/// Taps of the fit in double talk (32 ms at 8 kHz), and how many of them lie before the best lag.
const TOGETHER: (usize, i64) = (256, 32);
/// Double talk is fitted from this many frames on.
const DOUBLE_TALK_FRAMES_MIN: usize = 100;
/// An output frame is a leak if it is louder than the customer's active level by this energy ratio (−40 dB).
const LEAK_RATIO: f64 = 1e-4;
/// Agent frames count as speech down to this energy ratio below the active level (−30 dB).
const SPEECH_RATIO: f64 = 1e-3;
/// An agent frame is kept if the output has at least this share of its energy (−10 dB).
const KEPT_RATIO: f64 = 0.1;
/// Onsets are taken from segments with this many speech frames or more.
const ONSET_FRAMES_MIN: usize = 5;

/// What is compared: an output, and the call as it would be without bleed. All at one rate, on one time line.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The agent-only output; it may be longer than the call, shorter, or delayed.
    pub output: &'a [i16],
    /// The agent alone; `None` where no such recording exists (real echo), and then the output is taken as undelayed.
    pub agent: Option<&'a [i16]>,
    /// The customer alone.
    pub customer: &'a [i16],
    /// Sample rate, Hz.
    pub rate_hz: u32,
    /// Who speaks when; classes `agent` and `customer`.
    pub labels: &'a [Label],
}

/// The leak figures of an item or a set. NaN = could not be measured; −∞ dB = digital silence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Delay of the output, ms.
    pub lag_ms: f64,
    /// Output energy over clean customer energy in customer-only frames, dB.
    pub residual_db: f64,
    /// The same without the output's own noise (median of its frames in which nobody speaks), dB.
    pub residual_net_db: f64,
    /// Only what is linearly coherent with the customer, dB.
    pub coherent_db: f64,
    /// The same inside double talk, fitted jointly with the agent, dB.
    pub double_talk_db: f64,
    /// Customer-only frames whose output is louder than the customer's active level − 40 dB, percent.
    pub leak_percent: f64,
    /// The longest run of such frames, seconds (of a set: in any of its items).
    pub longest_s: f64,
    /// Output energy over clean agent energy in agent-only frames, dB; 0 = as it was.
    pub retained_db: f64,
    /// Agent speech frames whose output is no more than 10 dB below the clean agent, percent.
    pub kept_percent: f64,
    /// Start of an agent segment to its first kept frame, median, ms.
    pub onset50_ms: f64,
    /// The same, 90th percentile, ms.
    pub onset90_ms: f64,
}

/// The figures' names as the reference scorer prints them, in the order of [`Figures::values`].
pub const COLUMNS: [&str; 11] = [
    "lag_ms",
    "resid_dB",
    "resid_net",
    "coh_dB",
    "dt_dB",
    "leak%",
    "longest_s",
    "ret_dB",
    "kept%",
    "onset50_ms",
    "onset90_ms",
];

/// The figures of one call. A call without a single whole frame has none, nor one at a rate outside 8–48 kHz.
pub fn score(call: &Call<'_>) -> Figures {
    let mut figures = Figures::unmeasured();
    let Some(scene) = Scene::lay(call) else { return figures };
    figures.lag_ms = scene.lag as f64 / f64::from(scene.rate_hz) * 1000.0;
    let heard = energy(&scene.output) > 0.0;
    let mut bleed_lag = 0;
    if scene.frames.customer_only.contains(&true) {
        scene.residual(&mut figures);
        let alone = scene.only(&scene.output, &scene.frames.customer_only);
        figures.coherent_db = f64::NEG_INFINITY;
        if energy(&alone) > 0.0 {
            let customer = scene.only(&scene.customer, &scene.frames.customer);
            bleed_lag = best_lag(&customer, &alone, 0, (BLEED_LAG_MAX_S * f64::from(scene.rate_hz)) as i64).samples;
            figures.coherent_db = scene.coherent(bleed_lag, &scene.frames.customer_only, false);
        }
    }
    if heard && count(&scene.frames.both) >= DOUBLE_TALK_FRAMES_MIN {
        figures.double_talk_db = scene.coherent(bleed_lag, &scene.frames.both, true);
    }
    if scene.frames.agent_only.contains(&true) {
        scene.kept(&mut figures);
    }
    figures
}

/// The figures of a set: decibels of the mean energy ratio, the longest leak, and plain means of the rest.
///
/// What could not be measured on an item is left out of that column.
pub fn aggregate(items: &[Figures]) -> Figures {
    let rows: Vec<[f64; COLUMNS.len()]> = items.iter().map(Figures::values).collect();
    Figures::from_values(std::array::from_fn(|column| {
        let measured: Vec<f64> = rows.iter().map(|row| row[column]).filter(|value| !value.is_nan()).collect();
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / measured.len() as f64;
        match COLUMNS[column] {
            _ if measured.is_empty() => f64::NAN,
            "longest_s" => measured.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            name if name.ends_with("dB") || name == "resid_net" => {
                decibels(mean(&mut measured.iter().map(|value| 10f64.powf(value / 10.0))))
            }
            _ => mean(&mut measured.iter().copied()),
        }
    }))
}

impl Figures {
    /// Figures of which none could be measured.
    pub fn unmeasured() -> Figures {
        Figures::from_values([f64::NAN; COLUMNS.len()])
    }

    /// The figures in the order of [`COLUMNS`].
    pub fn values(&self) -> [f64; COLUMNS.len()] {
        [
            self.lag_ms,
            self.residual_db,
            self.residual_net_db,
            self.coherent_db,
            self.double_talk_db,
            self.leak_percent,
            self.longest_s,
            self.retained_db,
            self.kept_percent,
            self.onset50_ms,
            self.onset90_ms,
        ]
    }

    fn from_values(values: [f64; COLUMNS.len()]) -> Figures {
        let [lag_ms, residual_db, residual_net_db, coherent_db, double_talk_db, leak_percent, longest_s, ..] = values;
        let [.., retained_db, kept_percent, onset50_ms, onset90_ms] = values;
        Figures {
            lag_ms,
            residual_db,
            residual_net_db,
            coherent_db,
            double_talk_db,
            leak_percent,
            longest_s,
            retained_db,
            kept_percent,
            onset50_ms,
            onset90_ms,
        }
    }
}

// Which frames belong to whom (shape of each: frames of the call).
struct Frames {
    agent: Vec<bool>,
    customer: Vec<bool>,
    customer_only: Vec<bool>,
    agent_only: Vec<bool>,
    both: Vec<bool>,
    neither: Vec<bool>,
}

impl Frames {
    // Rooms ring on: customer frames reach 30 ms further, and 60 ms next to the agent are nobody's alone.
    fn sort(labels: &[Label], frames: usize) -> Frames {
        let (agents, customers) = (of_class(labels, "agent"), of_class(labels, "customer"));
        let (agent, customer) = (mask(&agents, frames, 0), mask(&customers, frames, 0));
        let (near_agent, wide_customer) = (mask(&agents, frames, 6), mask(&customers, frames, 3));
        let (around_agent, around_customer) = (spread(&agent, 10), mask(&customers, frames, 20));
        Frames {
            customer_only: both_of(&wide_customer, &not(&near_agent)),
            agent_only: both_of(&agent, &not(&wide_customer)),
            both: both_of(&agent, &customer),
            neither: both_of(&not(&around_agent), &not(&around_customer)),
            agent,
            customer,
        }
    }
}

// The three signals laid on one time line (samples, full scale 1), and their energy frame by frame.
struct Scene {
    rate_hz: u32,
    hop: usize,
    lag: i64,
    frames: Frames,
    output: Vec<f64>,
    agent: Vec<f64>,
    customer: Vec<f64>,
    output_energy: Vec<f64>,
    agent_energy: Vec<f64>,
    customer_energy: Vec<f64>,
}

impl Scene {
    fn lay(call: &Call<'_>) -> Option<Scene> {
        if !(RATE_MIN_HZ..=RATE_MAX_HZ).contains(&call.rate_hz) {
            return None;
        }
        let hop = (call.rate_hz / FRAMES_PER_SECOND) as usize;
        let length = call.agent.map_or(call.customer.len(), |agent| agent.len().min(call.customer.len()));
        let frames = Some(length / hop).filter(|&frames| frames > 0)?;
        let samples = frames * hop;
        let agent = call.agent.map_or_else(|| vec![0.0; samples], |agent| full_scale_one(&agent[..samples]));
        let customer = full_scale_one(&call.customer[..samples]);
        let raw = full_scale_one(call.output);
        let sorted = Frames::sort(call.labels, frames);
        let lag = output_lag(&raw, &agent, &sorted.agent, hop, call.rate_hz);
        let mut output: Vec<f64> = vec![0.0; usize::try_from(-lag).unwrap_or(0)];
        output.extend(raw.iter().skip(usize::try_from(lag).unwrap_or(0)));
        output.resize(samples, 0.0);
        Some(Scene {
            rate_hz: call.rate_hz,
            hop,
            lag,
            frames: sorted,
            output_energy: output.chunks_exact(hop).map(energy).collect(),
            agent_energy: agent.chunks_exact(hop).map(energy).collect(),
            customer_energy: customer.chunks_exact(hop).map(energy).collect(),
            output,
            agent,
            customer,
        })
    }

    fn residual(&self, figures: &mut Figures) {
        let alone = &self.frames.customer_only;
        let spoken: f64 = chosen(&self.customer_energy, &both_of(alone, &self.frames.customer)).iter().sum();
        let spoken = if spoken > 0.0 { spoken } else { 1e-12 };
        let left = chosen(&self.output_energy, alone);
        let total: f64 = left.iter().sum();
        let quiet = chosen(&self.output_energy, &self.frames.neither);
        let noise = if quiet.len() > 20 { median(&quiet) } else { 0.0 };
        figures.residual_db = decibels(total / spoken);
        figures.residual_net_db = decibels((total - noise * left.len() as f64).max(0.0) / spoken);
        let limit = mean(&chosen(&self.customer_energy, &self.frames.customer)) * LEAK_RATIO;
        let loud: Vec<bool> =
            self.output_energy.iter().zip(alone).map(|(&energy, &alone)| alone && energy > limit).collect();
        figures.leak_percent = 100.0 * count(&loud) as f64 / left.len() as f64;
        figures.longest_s = runs(&loud).iter().map(|&(from, until)| until - from).max().unwrap_or(0) as f64 * HOP_S;
    }

    // What of the output in `frames` is a filtered customer, dB against the customer there; fitted at 8 kHz, where
    // speech has its energy, also on calls at 16 kHz.
    fn coherent(&self, bleed_lag: i64, frames: &[bool], with_agent: bool) -> f64 {
        let mut selected = self.per_sample(frames);
        let (mut output, mut customer, mut agent) = (None, None, None);
        if self.rate_hz == 16_000 {
            selected = selected.into_iter().step_by(2).collect();
            (output, customer) = (Some(half_rate(&self.output)), Some(half_rate(&self.customer)));
            agent = with_agent.then(|| half_rate(&self.agent));
        }
        let output = output.as_deref().unwrap_or(&self.output);
        let customer = customer.as_deref().unwrap_or(&self.customer);
        let agent = agent.as_deref().unwrap_or(&self.agent);
        let (taps, before) = if with_agent { TOGETHER } else { ALONE };
        let first_lag = (bleed_lag * 8_000 / i64::from(self.rate_hz) - before).max(0);
        let sources = [Source { signal: customer, first_lag }, Source { signal: agent, first_lag: -TOGETHER.1 }];
        let used = if with_agent { &sources[..] } else { &sources[..1] };
        fit(output, used, taps, &selected).map_or(f64::NAN, |found| {
            let there: f64 = found.picked.iter().map(|&at| customer[at] * customer[at]).sum();
            decibels(found.parts[0] / (there + 1e-12))
        })
    }

    fn kept(&self, figures: &mut Figures) {
        let Frames { agent, agent_only, .. } = &self.frames;
        let was: f64 = chosen(&self.agent_energy, agent_only).iter().sum();
        let is: f64 = chosen(&self.output_energy, agent_only).iter().sum();
        figures.retained_db = decibels(is / was.max(1e-12));
        let limit = mean(&chosen(&self.agent_energy, agent)) * SPEECH_RATIO;
        let speech: Vec<bool> =
            self.agent_energy.iter().zip(agent).map(|(&energy, &on)| on && energy > limit).collect();
        let loud: Vec<bool> =
            self.output_energy.iter().zip(&self.agent_energy).map(|(&out, &clean)| out >= clean * KEPT_RATIO).collect();
        let kept = both_of(&speech, &loud);
        figures.kept_percent = 100.0 * count(&kept) as f64 / count(&speech).max(1) as f64;
        let mut onsets_ms = Vec::new();
        for (from, until) in runs(agent) {
            let Some(starts) = speech[from..until].iter().position(|&on| on) else { continue };
            if count(&speech[from..until]) >= ONSET_FRAMES_MIN {
                let late = kept[from..until].iter().position(|&on| on).map_or(until - from, |first| first - starts);
                onsets_ms.push(late as f64 * 10.0);
            }
        }
        figures.onset50_ms = median(&onsets_ms);
        figures.onset90_ms = percentile(&onsets_ms, 90.0);
    }

    fn per_sample(&self, frames: &[bool]) -> Vec<bool> {
        frames.iter().flat_map(|&on| std::iter::repeat_n(on, self.hop)).collect()
    }

    fn only(&self, signal: &[f64], frames: &[bool]) -> Vec<f64> {
        silenced(signal, frames, self.hop)
    }
}

// By how many samples the output lags the agent; 0 where neither says so clearly.
fn output_lag(output: &[f64], agent: &[f64], speaks: &[bool], hop: usize, rate_hz: u32) -> i64 {
    if !speaks.contains(&true) || energy(agent) == 0.0 || energy(&output[..output.len().min(agent.len())]) == 0.0 {
        return 0;
    }
    let (late, early) = ((LAG_MAX_S * f64::from(rate_hz)) as usize, (LEAD_MAX_S * f64::from(rate_hz)) as i64);
    let heard = &output[..output.len().min(agent.len() + late)];
    let lag = best_lag(&silenced(agent, speaks, hop), heard, -early, late as i64);
    if lag.strength < LAG_STRENGTH_MIN { 0 } else { lag.samples }
}

fn silenced(signal: &[f64], frames: &[bool], hop: usize) -> Vec<f64> {
    let mut left = signal.to_vec();
    for (frame, _) in left.chunks_exact_mut(hop).zip(frames).filter(|&(_, &on)| !on) {
        frame.fill(0.0);
    }
    left
}

fn full_scale_one(samples: &[i16]) -> Vec<f64> {
    samples.iter().map(|&sample| f64::from(sample) / 32_768.0).collect()
}

fn both_of(left: &[bool], right: &[bool]) -> Vec<bool> {
    left.iter().zip(right).map(|(&l, &r)| l && r).collect()
}

fn not(flags: &[bool]) -> Vec<bool> {
    flags.iter().map(|&on| !on).collect()
}

fn chosen(values: &[f64], frames: &[bool]) -> Vec<f64> {
    values.iter().zip(frames).filter(|&(_, &on)| on).map(|(&value, _)| value).collect()
}

// 0 for nothing at all: no customer label, no active level
fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

fn decibels(ratio: f64) -> f64 {
    if ratio <= 0.0 { f64::NEG_INFINITY } else { 10.0 * ratio.log10() }
}

#[cfg(test)]
#[path = "leak_tests.rs"]
mod tests;

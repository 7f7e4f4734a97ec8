//! What a speech decision costs: 20 ms of a voice at 8, 16 and 32 kHz, by libfvad and by lanes of each width that the
//! machine has. One iteration is one frame of one lane, so the times read as ns per frame.
//!
//!     cargo bench --bench lanes
//!
//! The voices are the agents of the project's samples, each lane at another place of them; at the higher rates the same
//! numbers are heard as if they had been taken faster.

#[path = "calls/mod.rs"]
mod calls;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use oneside::voice::lanes::{Detectors, Width};
use oneside::voice::{Mode, Speech};
use webrtc_vad::{SampleRate, Vad, VadMode};

/// Lanes that are decided together: two full groups of the widest.
const LANES: usize = 32;

/// The agents of all samples, one after the other, from the beginning again at the end.
fn voice() -> Vec<i16> {
    let interleaved = calls::samples().expect("the project's samples can be read").concat();
    let mut voice: Vec<i16> = interleaved.into_iter().step_by(2).collect();
    voice.extend_from_within(..);
    voice
}

fn rate(rate_hz: usize) -> SampleRate {
    SampleRate::try_from(rate_hz as i32).expect("a rate of the detector")
}

fn lanes(criterion: &mut Criterion) {
    let voice = voice();
    for rate_hz in [8_000, 16_000, 32_000] {
        let samples = rate_hz / 50;
        let whole = voice.len() / 2 / samples;
        let frame = |lane: usize, number: usize| {
            let from = (number % whole) * samples + lane * (voice.len() / 2 / LANES);
            &voice[from..from + samples]
        };
        let mut group = criterion.benchmark_group(format!("a frame at {rate_hz} Hz"));
        group.bench_function("webrtc-vad", |b| {
            b.iter_custom(|frames| {
                let mut vad = Vad::new_with_rate_and_mode(rate(rate_hz), VadMode::Aggressive);
                let begun = Instant::now();
                for number in 0..frames as usize {
                    black_box(vad.is_voice_segment(frame(0, number)).expect("a frame of 20 ms"));
                }
                begun.elapsed()
            });
        });
        for width in Width::supported() {
            group.bench_function(format!("{width:?}"), |b| {
                b.iter_custom(|frames| {
                    let mut detectors = Detectors::with_width(width, LANES, rate_hz as u32, Mode::default(), 20);
                    let mut speech = [Speech::default(); LANES];
                    let rounds = (frames as usize).div_ceil(LANES);
                    let begun = Instant::now();
                    for number in 0..rounds {
                        detectors.decide(|lane| frame(lane, number), black_box(&mut speech));
                    }
                    begun.elapsed().mul_f64(frames as f64 / (rounds * LANES) as f64)
                });
            });
        }
        group.finish();
    }
}

/// Frames of one lane by itself, ten seconds at a time.
fn alone(criterion: &mut Criterion) {
    const RUN: usize = 500;
    let voice = voice();
    let whole = voice.len() / 160;
    let mut group = criterion.benchmark_group("a frame at 8000 Hz, by itself");
    for width in Width::supported() {
        group.bench_function(format!("{width:?}"), |b| {
            b.iter_custom(|frames| {
                let mut detectors = Detectors::with_width(width, 1, 8_000, Mode::default(), 20);
                let mut speech = [Speech::default(); RUN];
                let runs = (frames as usize).div_ceil(RUN);
                let begun = Instant::now();
                for run in 0..runs {
                    let frame = |number: usize| &voice[(run * RUN + number) % whole * 160..][..160];
                    detectors.decide_run(0, frame, black_box(&mut speech));
                }
                begun.elapsed().mul_f64(frames as f64 / (runs * RUN) as f64)
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = lanes, alone
}
criterion_main!(benches);

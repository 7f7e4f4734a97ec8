//! What a frame costs: 20 ms of stereo at 8 kHz. One iteration is one frame, so the times read as ns per frame.
//!
//!     cargo bench --bench frame
//!
//! The budget: guard and doubt together at most 80 ns; keypad tones at most 150 ns a side.

#[path = "calls/mod.rs"]
mod calls;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use oneside::audio::{Levels, MediaTime, Span, Stereo, level};
use oneside::bleed::{Ear, Reference, Unheard};
use oneside::call::{Call, Opening};
use oneside::split::Doubt;
use oneside::voice::{Bank, Mode, Speech, Tones};

use self::calls::RATE_HZ;
use self::calls::plain::Nowhere;

const FRAME: usize = 160;

/// What is narrow already.
fn halves(side: &[i16]) -> [&[i16]; 2] {
    [&side[..FRAME / 2], &side[FRAME / 2..]]
}

/// Both sides of all samples, one after the other, in frames.
struct Sound {
    agent: Vec<i16>,
    customer: Vec<i16>,
}

impl Sound {
    fn new() -> Sound {
        let interleaved = calls::samples().expect("the project's samples can be read").concat();
        let mut sound = Sound {
            agent: interleaved.iter().step_by(2).copied().collect(),
            customer: interleaved.iter().skip(1).step_by(2).copied().collect(),
        };
        let whole = sound.agent.len() / FRAME * FRAME;
        sound.agent.truncate(whole);
        sound.customer.truncate(whole);
        sound
    }

    fn frames(&self) -> impl Iterator<Item = (&[i16], &[i16])> {
        self.agent.chunks_exact(FRAME).zip(self.customer.chunks_exact(FRAME))
    }

    fn levels(&self) -> Vec<Levels> {
        self.frames().map(|(agent, customer)| level::measure(agent, customer)).collect()
    }

    fn speech(&self) -> Vec<Speech> {
        let mut bank = Bank::new(1, 8_000, Mode::default());
        let mut decide = |agent: &[i16]| {
            let mut speech = [Speech::default()];
            bank.decide(&[agent], &mut speech);
            speech[0]
        };
        self.frames().map(|(agent, _)| decide(agent)).collect()
    }
}

/// Time for `frames` frames of a pass over the sound that is begun anew, with `pass`, whenever it is through. What a
/// pass makes before it hands over the frames' work is not counted.
fn timed<F: FnMut(usize)>(frames: u64, whole: usize, mut pass: impl FnMut() -> F) -> Duration {
    let mut time = Duration::ZERO;
    let mut left = frames as usize;
    while left > 0 {
        let count = left.min(whole);
        let mut frame = pass();
        let begun = Instant::now();
        (0..count).for_each(&mut frame);
        time += begun.elapsed();
        left -= count;
    }
    time
}

fn units(number: usize) -> [Span; 2] {
    let from = (number * FRAME) as u64;
    let half = MediaTime(from + FRAME as u64 / 2);
    [Span::new(MediaTime(from), half), Span::new(half, MediaTime(from + FRAME as u64))]
}

/// An ear that is asked as the call asks it.
fn guard(ear: &mut Ear, number: usize, levels: &Levels) {
    ear.hear(levels, Unheard::default(), units(number));
    if number >= Ear::LOOK_FRAMES {
        black_box(ear.answer());
    }
}

fn frame(criterion: &mut Criterion) {
    let sound = Sound::new();
    let frames: Vec<_> = sound.frames().collect();
    let (levels, speech, whole) = (sound.levels(), sound.speech(), frames.len());
    let measure = |number: usize| level::measure(black_box(frames[number].0), black_box(frames[number].1));
    let mut group = criterion.benchmark_group("frame");
    group.bench_function("levels", |b| {
        b.iter_custom(|n| timed(n, whole, || |number| _ = black_box(measure(number))));
    });
    group.bench_function("tones of both sides", |b| {
        b.iter_custom(|n| {
            timed(n, whole, || {
                let mut tones = [Tones::new(8_000), Tones::new(8_000)];
                let (frames, levels) = (&frames, &levels);
                move |number| {
                    let ((agent, customer), levels) = (frames[number], &levels[number]);
                    let [ours, theirs] = &mut tones;
                    let ours = ours.hear(FRAME, halves(agent), levels.agent);
                    black_box((ours, theirs.hear(FRAME, halves(customer), levels.customer)));
                }
            })
        });
    });
    group.bench_function("guard", |b| {
        b.iter_custom(|n| {
            timed(n, whole, || {
                let mut ear = Ear::new(Reference::Both);
                move |number| guard(&mut ear, number, &measure(number))
            })
        });
    });
    group.bench_function("doubt", |b| {
        b.iter_custom(|n| {
            timed(n, whole, || {
                let mut doubt = Doubt::default();
                let levels = &levels;
                move |number| _ = black_box((doubt.hear(&levels[number]), doubt.is_whole()))
            })
        });
    });
    group.bench_function("guard+doubt", |b| {
        b.iter_custom(|n| {
            timed(n, whole, || {
                let (mut ear, mut doubt) = (Ear::new(Reference::Both), Doubt::default());
                move |number| {
                    let levels = measure(number);
                    guard(&mut ear, number, &levels);
                    black_box((doubt.hear(&levels), doubt.is_whole()));
                }
            })
        });
    });
    group.bench_function("call without detector", |b| {
        b.iter_custom(|n| {
            timed(n, whole, || {
                let mut call = Call::open(Opening::new("bench", RATE_HZ));
                let (frames, speech) = (&frames, &speech);
                move |number| {
                    let at = MediaTime((number * FRAME) as u64);
                    let sound = Stereo::new(at, frames[number].0, frames[number].1);
                    black_box(call.listen(&sound).samples());
                    call.settle(&sound, speech[number], &mut Nowhere);
                }
            })
        });
    });
    group.bench_function("detector", |b| {
        b.iter_custom(|n| {
            timed(n, whole, || {
                let mut bank = Bank::new(1, 8_000, Mode::default());
                let frames = &frames;
                move |number| {
                    let mut speech = [Speech::default()];
                    bank.decide(&[frames[number].0], &mut speech);
                    black_box(speech);
                }
            })
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = frame
}
criterion_main!(benches);

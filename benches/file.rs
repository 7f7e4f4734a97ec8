//! What a file costs: stereo calls → the agent's track and its speech, with guard, digests, manifest and everything that
//! makes them durable, against the obvious program on the same calls in the same run.
//!
//!     cargo bench --bench file
//!
//! Times are wall-clock time of one worker in this process; `benches/peers.sh` measures whole programs by CPU time.

#[path = "calls/mod.rs"]
mod calls;
#[path = "obvious/mod.rs"]
mod obvious;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use calls::Kind;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oneside::config::{Raw, Sided, resolve};
use oneside::run::{Batch, Job, JobError, Orders, Watch, run};
use oneside::source::{Wanted, gather};

const CALLS: u32 = 8;
const ROUNDS: usize = 9;

fn file(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut group = criterion.benchmark_group("file");
    group.throughput(Throughput::Elements(bench.seconds));
    group.bench_function("oneside", |b| b.iter_custom(|n| (0..n).map(|_| bench.oneside()).sum()));
    group.bench_function("obvious", |b| b.iter_custom(|n| (0..n).map(|_| bench.obvious()).sum()));
    group.finish();
    // The ratio by turns, so that what else the machine does falls on both.
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (bench.oneside(), bench.obvious())).collect();
    let mut ratios: Vec<f64> = rounds.iter().map(|(ours, theirs)| theirs.as_secs_f64() / ours.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    let (least, median, most) = (ratios[0], ratios[ROUNDS / 2], ratios[ROUNDS - 1]);
    println!(
        "oneside does {median:.2} times the work of the obvious program ({least:.2} to {most:.2}, {ROUNDS} rounds)"
    );
}

struct Bench {
    dir: PathBuf,
    /// Of all calls together.
    seconds: u64,
}

impl Bench {
    /// Makes the calls in memory where there is a file system in memory.
    fn new() -> Bench {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
        let dir = parent.join(format!("oneside-bench-{}", std::process::id()));
        let seconds = calls::make(&dir.join("calls"), CALLS, 60..121, Kind::default());
        let seconds = seconds.expect("the calls can be made");
        Bench { dir, seconds }
    }

    /// An empty directory.
    fn out(&self) -> PathBuf {
        let out = self.dir.join("out");
        let _ = fs::remove_dir_all(&out); // it is not there the first time
        fs::create_dir(&out).expect("a directory can be made");
        out
    }

    fn oneside(&self) -> Duration {
        let batch = self.batch(self.out());
        let begun = Instant::now();
        let outcome = run(&batch, &AtomicBool::new(false), &Nobody).expect("the batch runs");
        let took = begun.elapsed();
        assert_eq!(outcome.summary.totals.recorded, u64::from(CALLS));
        took
    }

    fn obvious(&self) -> Duration {
        let out = self.out();
        let begun = Instant::now();
        for number in 0..CALLS {
            let name = format!("call-{number:03}");
            let call = self.dir.join("calls").join(format!("{name}.wav"));
            let outputs = [out.join(format!("{name}.agent.wav")), out.join(format!("{name}.speech.wav"))];
            obvious::obvious(&call, &outputs[0], &outputs[1]).expect("the call can be read");
        }
        begun.elapsed()
    }

    fn batch(&self, out: PathBuf) -> Batch {
        let flags = Raw { agent_channel: Some("left".into()), speech: Some(true), jobs: Some(1), ..Raw::default() };
        let settings = resolve(Raw::default(), Raw::default(), flags, Sided::ByKnobs).expect("the settings are good");
        let arguments = [self.dir.join("calls")];
        let wanted = Wanted { arguments: &arguments, raw: false, pair: None, offset_s: 0.0 };
        let gathered = gather(&wanted, &mut std::io::empty()).expect("the calls are found");
        let orders =
            Orders { out, settings, raw: None, feed: None, revoked: Default::default(), namer: None, dispose: false };
        Batch { orders, inputs: gathered.inputs, unusable: gathered.unusable }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir); // what stays lies in a temporary directory
    }
}

/// Nobody watches.
struct Nobody;

impl Watch for Nobody {
    fn advanced(&self, _input: usize, _frames: u64) {}

    fn finished(&self, _input: usize, _result: &Result<Job, JobError>) {}
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = file
}
criterion_main!(benches);

//! What is told while a batch runs: a bar on a terminal, plain lines in a pipe, nothing with --quiet (but errors
//! always).

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::run::{Batch, Job, JobError, Watch};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Tells how far a batch is.
pub struct Progress<'a> {
    batch: &'a Batch,
    bytes: Vec<u64>,
    bar: Option<ProgressBar>,
    lines: bool,
    state: Mutex<State>,
}

struct State {
    started: Instant,
    told: Instant,
    done: usize,
    bytes_done: u64,
    frames: HashMap<usize, u64>,
}

impl<'a> Progress<'a> {
    /// For the inputs of this batch, of these sizes in bytes.
    pub fn new(batch: &'a Batch, bytes: Vec<u64>, quiet: bool) -> Progress<'a> {
        let terminal = std::io::stderr().is_terminal();
        let bar = (!quiet && terminal).then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} MiB  {per_sec}  {eta} left  {msg}");
            ProgressBar::new(bytes.iter().sum::<u64>() >> 20).with_style(style.unwrap_or(ProgressStyle::default_bar()))
        });
        let now = Instant::now();
        let state = State { started: now, told: now, done: 0, bytes_done: 0, frames: HashMap::new() };
        Progress { batch, bytes, bar, lines: !quiet && !terminal, state: Mutex::new(state) }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| warn_line!("{line}")),
            None => warn_line!("{line}"),
        }
    }

    fn tell(&self, state: &mut State) {
        let total: u64 = self.bytes.iter().sum();
        if let Some(bar) = &self.bar {
            bar.set_position(state.bytes_done >> 20);
            bar.set_message(format!("{} of {} calls", state.done, self.batch.inputs.len()));
        }
        let last = state.done == self.batch.inputs.len();
        if self.lines && (last || state.told.elapsed() >= LINE_EVERY) {
            state.told = Instant::now();
            let elapsed = state.started.elapsed().as_secs_f64();
            let left = elapsed * (total as f64 / (state.bytes_done.max(1)) as f64 - 1.0).max(0.0);
            warn_line!(
                "oneside: {} of {} calls done, {elapsed:.0} s, about {left:.0} s left",
                state.done,
                self.batch.inputs.len()
            );
        }
    }
}

impl Watch for Progress<'_> {
    fn advanced(&self, input: usize, frames: u64) {
        let Ok(mut state) = self.state.lock() else { return };
        *state.frames.entry(input).or_default() += frames;
        self.tell(&mut state);
    }

    fn finished(&self, input: usize, result: &Result<Job, JobError>) {
        let Ok(mut state) = self.state.lock() else { return };
        state.done += 1;
        state.bytes_done += self.bytes.get(input).copied().unwrap_or(0);
        state.frames.remove(&input);
        match result {
            Ok(_) | Err(JobError::Stopped) => {}
            Err(error) => {
                let (orders, input) = (&self.batch.orders, &self.batch.inputs[input]);
                self.say(&format!("oneside: {}: {}", orders.stored_name(input), orders.told(error, input)));
            }
        }
        self.tell(&mut state);
    }
}

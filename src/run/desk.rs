//! The batch desk: workers that take inputs from one queue, a stop flag, a summary at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel as channel;

use super::by_two;
use super::job::{Job, JobError, Orders};
use super::together::{Together, share_files};
use crate::archive::{self, ArchiveError};
use crate::source::{Input, shown};
use crate::store::summary::{CallLine, ErrorLine};
use crate::store::{Manifest, Place, Summary, lock, remove_abandoned};

/// A batch: orders, and the inputs they are for.
pub struct Batch {
    /// What every job has in common.
    pub orders: Orders,
    /// The inputs, each with a name of its own.
    pub inputs: Vec<Input>,
    /// What was found and cannot be an input (a name that cannot be used, a directory that cannot be read), with its
    /// cause; told as errors.
    pub unusable: Vec<(PathBuf, String)>,
}

/// Whoever watches a batch run. Called from the workers' threads, of which the one that asked for the batch is one.
pub trait Watch: Sync {
    /// Sample frames of this input were taken in.
    fn advanced(&self, input: usize, frames: u64);

    /// This input is finished with.
    fn finished(&self, input: usize, result: &Result<Job, JobError>);
}

/// What a batch came to.
pub struct Outcome {
    /// What became of each input, by its place in the batch; inputs that were not begun are missing.
    pub results: BTreeMap<usize, Result<Job, JobError>>,
    /// The summary as it stands in `batch.json`.
    pub summary: Summary,
    /// It was interrupted.
    pub interrupted: bool,
}

/// Runs a batch: first tidies up after runs that were killed, then does the inputs, then writes the summary. An error
/// here means that nothing was begun or that the summary could not be written; errors of single inputs are among the
/// results.
pub fn run(batch: &Batch, stop: &AtomicBool, watch: &dyn Watch) -> Result<Outcome, ArchiveError> {
    let dir = &batch.orders.out;
    let _held = lock(dir)?;
    remove_abandoned(dir)?;
    archive::finish_pending(dir)?;
    if batch.orders.dispose {
        archive::finish_disposals(dir)?;
    }
    Summary::remove(dir)?;
    let results = work(batch, stop, watch);
    let interrupted =
        results.len() < batch.inputs.len() || results.values().any(|result| matches!(result, Err(JobError::Stopped)));
    let summary = summarise(batch, &results);
    summary.write(dir)?;
    let summary = Summary::read(dir)?.unwrap_or(summary);
    Ok(Outcome { results, summary, interrupted })
}

/// What a batch with `dispose` comes to that finds no input any more: the disposals that were cut short after their
/// inputs had gone are completed, and the summary follows them. `None` if nothing was ever done in the directory.
pub fn finish(orders: &Orders) -> Result<Option<Vec<String>>, ArchiveError> {
    let dir = &orders.out;
    if !dir.is_dir() {
        return Ok(None);
    }
    let _held = lock(dir)?;
    remove_abandoned(dir)?;
    archive::finish_pending(dir)?;
    let finished = archive::finish_disposals(dir)?;
    let Some(summary) = Summary::read(dir)? else { return Ok((!finished.is_empty()).then_some(finished)) };
    let Summary { mut calls, errors, .. } = summary;
    for call in &mut calls {
        if finished.contains(&call.name) {
            *call = line(&Manifest::read(&Place::new(dir, &call.name)?)?, false);
        }
    }
    if !finished.is_empty() {
        Summary::new(calls, errors).with_inputs_remaining(0).write(dir)?;
    }
    Ok(Some(finished))
}

fn work(batch: &Batch, stop: &AtomicBool, watch: &dyn Watch) -> BTreeMap<usize, Result<Job, JobError>> {
    let (orders, queue) = channel::bounded(batch.inputs.len());
    for number in 0..batch.inputs.len() {
        let _ = orders.send(number); // there is room for all
    }
    drop(orders);
    let (done, results) = channel::unbounded();
    let jobs = batch.orders.settings.jobs.value;
    let wanted = jobs.min(batch.inputs.len()).max(1);
    let (workers, files) = share_files(wanted);
    let calls = batch.inputs.len().div_ceil(workers);
    let idle = jobs.saturating_sub(wanted);
    let worker = |by_two| Worker { batch, stop, watch, queue: queue.clone(), done: done.clone(), calls, files, by_two };
    thread::scope(|scope| {
        for number in 1..workers {
            let other = worker(calls == 1 && number < idle);
            // Where the system has no thread to spare, those that are there take the whole queue.
            if thread::Builder::new().spawn_scoped(scope, move || other.work()).is_err() {
                break;
            }
        }
        worker(calls == 1 && idle > 0).work();
    });
    drop(done);
    results.into_iter().collect()
}

/// What takes inputs from the queue until it is empty: a thread of its own, and the one that asked for the batch.
struct Worker<'a> {
    batch: &'a Batch,
    stop: &'a AtomicBool,
    watch: &'a dyn Watch,
    queue: channel::Receiver<usize>,
    done: channel::Sender<(usize, Result<Job, JobError>)>,
    /// Inputs that it will get about.
    calls: usize,
    /// Files that it may have open, if that is limited.
    files: Option<u64>,
    /// It takes one call after the other, each by two threads.
    by_two: bool,
}

impl Worker<'_> {
    fn work(self) {
        while self.by_two
            && let Some(number) = self.next()
        {
            self.tell(number, by_two::take(self.batch, self.watch, number, || !self.stopped()));
        }
        let mut together = Together::new(self.batch, self.watch, self.calls, self.files);
        loop {
            while together.has_room()
                && let Some(number) = self.next()
            {
                if let Some(result) = together.seat(number) {
                    self.tell(number, result);
                }
            }
            if together.is_empty() {
                return;
            }
            for (number, result) in together.turn(self.stop) {
                self.tell(number, result);
            }
        }
    }

    /// The next input; all were in the queue before the workers began.
    fn next(&self) -> Option<usize> {
        if self.stopped() { None } else { self.queue.try_recv().ok() }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn tell(&self, number: usize, result: Result<Job, JobError>) {
        self.watch.finished(number, &result);
        let _ = self.done.send((number, result)); // the receiver outlives the workers
    }
}

fn summarise(batch: &Batch, results: &BTreeMap<usize, Result<Job, JobError>>) -> Summary {
    let mut calls = Vec::new();
    let mut errors = Vec::new();
    for (number, result) in results {
        let input = &batch.inputs[*number];
        match result {
            Ok(Job::Done(manifest) | Job::Unchanged(manifest)) => calls.push(line(manifest, remains(input))),
            Ok(Job::Erased { .. }) | Err(JobError::Stopped) => {}
            Err(error) => errors
                .push(ErrorLine { input: batch.orders.stored_name(input), cause: batch.orders.told(error, input) }),
        }
    }
    for (path, cause) in &batch.unusable {
        let input = if batch.orders.namer.is_some() { "a file without a usable name".into() } else { shown(path) };
        errors.push(ErrorLine { input, cause: cause.clone() });
    }
    // Every input counts, with a line or without: one that was not begun holds as much as one that was.
    let remaining = batch.inputs.iter().filter(|input| remains(input)).count() + batch.unusable.len();
    Summary::new(calls, errors).with_inputs_remaining(remaining as u64)
}

/// Whether a file of the input is still there. What cannot be looked at counts as there.
fn remains(input: &Input) -> bool {
    input.sound.paths().iter().any(|path| path.try_exists().unwrap_or(true))
}

fn line(manifest: &Manifest, input_remains: bool) -> CallLine {
    CallLine {
        name: manifest.call.clone(),
        result: manifest.result,
        manifest: manifest.seal.clone(),
        findings: manifest.findings.iter().map(|finding| finding.code.clone()).collect(),
        customer_stored: manifest.customer.stored,
        input_remains,
    }
}

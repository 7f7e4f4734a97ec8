//! What stands of the customer's track, by place: so that what is erased or masked is counted to the sample.

use crate::audio::Span;

/// Runs that there is room for from the beginning. More than these are rare: each needs an interruption of its own.
const ROOM: usize = 256;

/// The stretches that were written and not erased, in their order: facts, no sound.
#[derive(Debug)]
pub struct Runs(Vec<Run>);

#[derive(Clone, Copy, Debug)]
struct Run {
    /// The number of the kept stretch that it belongs to.
    kept: u32,
    span: Span,
}

impl Default for Runs {
    fn default() -> Runs {
        Runs(Vec::with_capacity(ROOM))
    }
}

impl Runs {
    /// Notes that `span` was written under the kept stretch of that number.
    pub fn add(&mut self, kept: u32, span: Span) {
        match self.0.last_mut() {
            Some(last) if last.kept == kept && last.span.until == span.from => last.span.until = span.until,
            _ => self.0.push(Run { kept, span }),
        }
    }

    /// Takes out what was written under a kept stretch. Returns its samples.
    pub fn erase_kept(&mut self, kept: u32) -> u64 {
        let before = self.samples();
        self.0.retain(|run| run.kept != kept);
        before - self.samples()
    }

    /// Takes out what was written in `hole`. Returns its samples.
    pub fn erase(&mut self, hole: Span) -> u64 {
        let before = self.samples();
        let first = self.0.partition_point(|run| run.span.until <= hole.from);
        let touched: Vec<Run> = self.0.drain(first..).collect();
        for run in touched {
            let front = Span::new(run.span.from, run.span.until.min(hole.from));
            let back = Span::new(run.span.from.max(hole.until), run.span.until);
            let parts = [front, back].into_iter().filter(|part| !part.is_empty());
            self.0.extend(parts.map(|span| Run { span, ..run }));
        }
        before - self.samples()
    }

    /// Makes room for what an event may begin, so that no frame has to.
    pub fn make_room(&mut self) {
        self.0.reserve(ROOM);
    }

    fn samples(&self) -> u64 {
        self.0.iter().map(|run| run.span.samples()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::MediaTime;

    fn span(from: u64, until: u64) -> Span {
        Span::new(MediaTime(from), MediaTime(until))
    }

    #[test]
    fn what_is_masked_is_not_erased_a_second_time() {
        let mut runs = Runs::default();
        runs.add(0, span(100, 200));
        runs.add(0, span(200, 300));
        runs.add(1, span(300, 400));
        assert_eq!(runs.0.len(), 2);
        assert_eq!(runs.erase(span(150, 320)), 170);
        assert_eq!(runs.erase(span(0, 310)), 50);
        assert_eq!(runs.erase_kept(0), 0);
        assert_eq!(runs.erase_kept(1), 80);
    }

    #[test]
    fn a_mask_in_the_middle_leaves_both_ends() {
        let mut runs = Runs::default();
        runs.add(3, span(0, 100));
        assert_eq!(runs.erase(span(40, 60)), 20);
        assert_eq!(runs.erase(span(0, 50)), 40);
        assert_eq!(runs.erase_kept(3), 40);
    }
}

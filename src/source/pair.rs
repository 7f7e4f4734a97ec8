//! A call in two mono files, read as one recording of two channels: 0 the agent, 1 the customer (ING-03).

use std::path::Path;

use zeroize::Zeroizing;

use super::error::SourceError;
use super::files::{Format, Recording};
use crate::split::Finding;

/// Sample frames of each side that are read at once.
const BLOCK_FRAMES: usize = 16 * 1024;
/// Largest shift of the customer's file, seconds: a day.
const OFFSET_MAX_S: f64 = 86_400.0;

/// Two open mono recordings on the agent's time line.
pub struct Pair {
    agent: Voice,
    customer: Voice,
    format: Format,
}

impl Pair {
    /// Joins two mono recordings. The customer's begins `offset_s` seconds after the agent's; if that is negative, its
    /// beginning, which lies before the agent's first sample, is left out.
    pub(super) fn new(
        paths: (&Path, &Path),
        (agent, customer): (Box<dyn Recording>, Box<dyn Recording>),
        offset_s: f64,
    ) -> Result<Pair, SourceError> {
        let misfit = |what: String| SourceError::Pair { agent: paths.0.into(), customer: paths.1.into(), what };
        let (a, c) = (agent.format().clone(), customer.format().clone());
        if a.rate_hz != c.rate_hz {
            let what = format!(
                "their rates differ ({} and {} Hz); bring them to one, for instance with `sox IN.wav -r {} OUT.wav`",
                a.rate_hz,
                c.rate_hz,
                a.rate_hz.max(c.rate_hz)
            );
            return Err(misfit(what));
        }
        if (a.channels, c.channels) != (1, 1) {
            let what = format!(
                "they have {} and {} channels, a pair is of two mono files; a file that holds both sides is read by itself, without --pair",
                a.channels, c.channels
            );
            return Err(misfit(what));
        }
        if !offset_s.is_finite() || offset_s.abs() > OFFSET_MAX_S {
            return Err(misfit(format!("an offset of {offset_s} s cannot be; give seconds, at most a day")));
        }
        let offset = (offset_s * f64::from(a.rate_hz)).round() as i64;
        let agent = Voice::new(agent, 0);
        let customer = Voice::new(customer, offset);
        let format = Format {
            rate_hz: a.rate_hz,
            channels: 2,
            frames: agent.frames().zip(customer.frames()).map(|(a, c)| a.max(c)),
            frames_at_most: agent.frames_at_most().max(customer.frames_at_most()),
            encoding: format!("pair of {} and {}", a.encoding, c.encoding),
        };
        Ok(Pair { agent, customer, format })
    }

    fn lengths(&self) -> Option<(u64, u64)> {
        let length = |voice: &Voice| voice.frames().or(voice.ended.then_some(voice.heard));
        length(&self.agent).zip(length(&self.customer))
    }
}

impl Recording for Pair {
    fn format(&self) -> &Format {
        &self.format
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, SourceError> {
        let mut done = 0;
        for out in out.chunks_mut(BLOCK_FRAMES * 2) {
            let wanted = out.len() / 2;
            let frames = self.agent.read(wanted)?.max(self.customer.read(wanted)?);
            let sides = self.agent.block.iter().zip(self.customer.block.iter());
            for (pair, (agent, customer)) in out.as_chunks_mut::<2>().0.iter_mut().zip(sides).take(frames) {
                *pair = [*agent, *customer];
            }
            done += frames;
            if frames < wanted {
                break;
            }
        }
        Ok(done)
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings = self.agent.recording.findings();
        findings.extend(self.customer.recording.findings());
        if let Some((agent, customer)) = self.lengths()
            && agent.abs_diff(customer) > u64::from(self.format.rate_hz)
        {
            findings.push(Finding::PairLengthsDiffer { agent, customer });
        }
        findings
    }
}

/// One side: its recording, shifted, continued with silence.
struct Voice {
    recording: Box<dyn Recording>,
    block: Zeroizing<Vec<i16>>,
    offset: i64,
    /// Silence still to come before its first sample.
    lead: u64,
    /// Samples still to be left out before the time line begins.
    skip: u64,
    /// Samples given out, silence before them included, silence behind them not.
    heard: u64,
    ended: bool,
}

impl Voice {
    fn new(recording: Box<dyn Recording>, offset: i64) -> Voice {
        Voice {
            recording,
            block: Zeroizing::new(vec![0; BLOCK_FRAMES]),
            offset,
            lead: offset.max(0).unsigned_abs(),
            skip: offset.min(0).unsigned_abs(),
            heard: 0,
            ended: false,
        }
    }

    fn frames(&self) -> Option<u64> {
        self.recording.format().frames.map(|frames| frames.saturating_add_signed(self.offset))
    }

    fn frames_at_most(&self) -> u64 {
        self.recording.format().frames_at_most.saturating_add_signed(self.offset)
    }

    /// Puts the next `wanted` samples into the block, silence behind the end; returns how many came before the end.
    fn read(&mut self, wanted: usize) -> Result<usize, SourceError> {
        self.leave_out()?;
        let lead = self.lead.min(wanted as u64) as usize;
        self.block[..lead].fill(0);
        self.lead -= lead as u64;
        let read = match self.ended {
            true => 0,
            false => self.recording.read(&mut self.block[lead..wanted])?,
        };
        self.ended |= lead + read < wanted;
        self.block[lead + read..].fill(0);
        self.heard += (lead + read) as u64;
        Ok(lead + read)
    }

    fn leave_out(&mut self) -> Result<(), SourceError> {
        while self.skip > 0 {
            let wanted = self.skip.min(BLOCK_FRAMES as u64) as usize;
            let read = self.recording.read(&mut self.block[..wanted])?;
            self.skip -= read as u64;
            if read < wanted {
                self.ended = true;
                self.skip = 0;
            }
        }
        Ok(())
    }
}

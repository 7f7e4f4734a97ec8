//! The two streams of a call, one for each party, joined on one line.
//!
//! Each has a ring and, where its sound is placed by its arrival, a clock of its own. The line goes as far as both have
//! come. A stream that delivers nothing while the other goes on is waited for as long as the other one's ring allows
//! (the sender may have stalled, and what it kept is worth having); then silence is laid for it, and what comes of it
//! late is left out, so that later sound never shifts.

use std::collections::VecDeque;

use zeroize::{Zeroize, Zeroizing};

use super::arrival::{Advice, ArrivalClock};
use super::intake::{Came, Intake, OneSided, RingEnds, Vouch, digest_into, missing, opening_place};
use crate::audio::rate::converted_len;
use crate::call::{MediaTime, Missing, Of, Span};
use crate::ring::{Drain, Piece};
use crate::run::line::Sides;
use crate::split::{AgentChannel, ChannelMap, Delivery};

/// The worker's end of one party's stream.
pub struct Stream {
    drain: Drain,
    /// Its arrival clock. Without one it keeps its line itself.
    clock: ArrivalClock,
    /// The clock lays silence where the sender paused.
    by_arrival: bool,
    vouched: Vouch,
    /// What was read and waits for the other stream: `waiting[..filled]`.
    waiting: Zeroizing<Vec<i16>>,
    filled: usize,
    /// Frames of it that lie on the line, those that wait among them.
    placed: u64,
    /// Silence that is still to be laid, and why.
    owed: Option<(u64, Missing)>,
    /// Silence that was laid for it because it was late.
    debt: u64,
    /// What was left out because it was late, and not told yet.
    late: u64,
    ended: bool,
}

impl Stream {
    /// The end of `drain` (mono). `by_arrival`: the clock lays silence where the sender paused.
    pub fn new(drain: Drain, clock: ArrivalClock, by_arrival: bool, vouched: Vouch, block_frames: usize) -> Stream {
        let waiting = Zeroizing::new(vec![0; block_frames]);
        Stream {
            drain,
            clock,
            by_arrival,
            vouched,
            waiting,
            filled: 0,
            placed: 0,
            owed: None,
            debt: 0,
            late: 0,
            ended: false,
        }
    }

    fn is_vouched_for(&self) -> bool {
        (self.vouched)()
    }

    /// Frames that have come and are not on the line.
    fn backlog(&self) -> usize {
        self.filled + self.drain.waiting()
    }

    fn room(&self) -> usize {
        self.waiting.len() - self.filled
    }

    /// Lays silence behind what waits, as far as there is room. What was laid.
    fn lay(&mut self, frames: u64, why: Missing) -> Option<(u64, u64, Missing)> {
        let now = frames.min(self.room() as u64);
        self.owed = (frames > now).then_some((frames - now, why));
        self.waiting[self.filled..self.filled + now as usize].fill(0);
        self.filled += now as usize;
        let from = self.placed;
        self.placed += now;
        (now > 0).then_some((from, now, why))
    }

    /// Reads what is there; each stretch of silence that it lays is told.
    fn fill(&mut self, now: u64, opens_ahead: bool, mut laid: impl FnMut(u64, u64, Missing)) {
        while self.room() > 0 && !self.ended {
            if let Some((frames, why)) = self.owed.take() {
                if let Some((from, frames, why)) = self.lay(frames, why) {
                    laid(from, frames, why);
                }
                continue;
            }
            if self.by_arrival {
                match self.clock.look(now, self.drain.position().end(), opens_ahead) {
                    Advice::Take => {}
                    Advice::Hold => return,
                    Advice::Fill { frames, intended } => {
                        // What was laid for it already is part of it.
                        let known = frames.min(self.debt);
                        self.debt -= known;
                        let why = if intended { Missing::Absent } else { Missing::Lost };
                        self.owed = (frames > known).then_some((frames - known, why));
                        continue;
                    }
                }
            } else {
                // It keeps its own line; the clock only says where something opens.
                self.clock.look(now, self.drain.position().end(), opens_ahead);
            }
            match self.drain.read(&mut self.waiting[self.filled..]) {
                Piece::Sound(frames) => self.take(frames),
                Piece::Gap { frames, why } => {
                    let late = frames.min(self.debt);
                    self.debt -= late;
                    self.owed = (frames > late).then_some((frames - late, missing(why)));
                }
                Piece::Nothing => return,
                Piece::Ended => self.ended = true,
            }
        }
    }

    /// Sound was read behind what waits. What is late lies where silence was laid, and is left out.
    fn take(&mut self, frames: usize) {
        let late = self.debt.min(frames as u64) as usize;
        self.debt -= late as u64;
        self.late += late as u64;
        let came = &mut self.waiting[self.filled..self.filled + frames];
        came.copy_within(late.., 0);
        came[frames - late..].zeroize();
        self.filled += frames - late;
        self.placed += (frames - late) as u64;
    }

    fn drop_front(&mut self, frames: usize) {
        self.waiting.copy_within(frames..self.filled, 0);
        self.waiting[self.filled - frames..self.filled].zeroize();
        self.filled -= frames;
    }

    /// Nothing of it will come any more.
    fn is_done(&self) -> bool {
        self.ended && self.filled == 0 && self.owed.is_none()
    }
}

/// Two streams, the agent's first.
pub struct TwoRings {
    streams: [Stream; 2],
    /// Frames of a stream that may wait for the other one.
    patience: usize,
    hurried: bool,
    map: Delivery,
    both: Zeroizing<Vec<i16>>,
    news: VecDeque<OneSided>,
    placed: u64,
    source_hz: u32,
    rate_hz: u32,
    digest: blake3::Hasher,
}

impl TwoRings {
    /// Joins two streams at `source_hz` for a call at `rate_hz`; one waits at most `patience` frames for the other.
    pub fn new(streams: [Stream; 2], patience: usize, source_hz: u32, rate_hz: u32) -> TwoRings {
        let both = Zeroizing::new(vec![0; 2 * streams[0].waiting.len()]);
        TwoRings {
            streams,
            patience,
            hurried: false,
            map: TwoRings::delivery(),
            both,
            news: VecDeque::new(),
            placed: 0,
            source_hz,
            rate_hz,
            digest: blake3::Hasher::new(),
        }
    }

    /// How what it delivers is laid out: the agent first.
    pub fn delivery() -> Delivery {
        Delivery::Both(ChannelMap::new(AgentChannel(0), 2).expect("two channels have a map"))
    }

    fn lies_at(&self, frames: u64) -> MediaTime {
        MediaTime(converted_len(frames, self.source_hz, self.rate_hz))
    }

    fn fill(&mut self, now: u64, opens_ahead: bool) {
        let (source_hz, rate_hz) = (self.source_hz, self.rate_hz);
        let lies_at = |frames| MediaTime(converted_len(frames, source_hz, rate_hz));
        for (stream, of) in self.streams.iter_mut().zip([Of::Agent, Of::Customer]) {
            stream.fill(now, opens_ahead, |from, frames, why| {
                let span = Span::new(lies_at(from), lies_at(from + frames));
                self.news.push_back(OneSided { of, span, frames, from, why });
            });
            let late = std::mem::take(&mut stream.late);
            if late > 0 {
                // Its place is taken: it counts as lost, and changes nothing on the line.
                let here = lies_at(self.placed);
                let span = Span::new(here, here);
                self.news.push_back(OneSided { of, span, frames: late, from: self.placed, why: Missing::Lost });
            }
        }
    }

    fn tell(&mut self, of: Of, from: u64, frames: u64, why: Missing) {
        let span = Span::new(self.lies_at(from), self.lies_at(from + frames));
        self.news.push_back(OneSided { of, span, frames, from, why });
    }

    /// Silence for a stream that is late or over, so that the other one can go on.
    fn wait_no_longer(&mut self, hurried: bool) {
        for (index, of) in [(0, Of::Agent), (1, Of::Customer)] {
            let (other, here) = (&self.streams[1 - index], &self.streams[index]);
            if here.filled > 0 || other.filled == 0 {
                continue;
            }
            let over = here.ended || hurried;
            if !over && other.backlog() < self.patience {
                continue;
            }
            let frames = other.filled as u64;
            let why = Missing::Absent;
            let stream = &mut self.streams[index];
            let laid = stream.lay(frames, why);
            if !over {
                stream.debt += laid.map_or(0, |(_, frames, _)| frames);
            }
            if let Some((from, frames, why)) = laid {
                self.tell(of, from, frames, why);
            }
        }
    }
}

impl Intake for TwoRings {
    fn take(&mut self, now: u64, opens_ahead: bool, sides: &mut Sides) -> Came {
        if self.is_judging() {
            return Came::Nothing;
        }
        self.fill(now, opens_ahead);
        self.wait_no_longer(self.hurried);
        let [agent, customer] = &self.streams;
        let frames = agent.filled.min(customer.filled);
        if frames == 0 {
            let done = self.streams.iter().all(Stream::is_done);
            return if done { Came::Ended } else { Came::Nothing };
        }
        let pairs = self.both[..2 * frames].as_chunks_mut::<2>().0.iter_mut();
        for ((pair, agent), customer) in pairs.zip(agent.waiting.iter()).zip(customer.waiting.iter()) {
            *pair = [*agent, *customer];
        }
        let block = &mut self.both[..2 * frames];
        digest_into(&mut self.digest, block);
        sides.take(&self.map, block);
        block.zeroize();
        self.streams.iter_mut().for_each(|stream| stream.drop_front(frames));
        self.placed += frames as u64;
        Came::Sound(frames as u64)
    }

    fn opens_from(&self, now: u64, ring_end: u64) -> MediaTime {
        let of_stream = |stream: &Stream| {
            let place = match stream.is_vouched_for() {
                true => stream.clock.opens_from(now, ring_end),
                false => stream.clock.opens_unseen(now, ring_end),
            };
            place + stream.debt
        };
        Intake::place(self, self.streams.iter().map(of_stream).max().unwrap_or(ring_end))
    }

    fn place(&self, place: u64) -> MediaTime {
        opening_place(place, self.source_hz, self.rate_hz)
    }

    fn ends(&self) -> RingEnds {
        RingEnds(self.streams.iter().map(|stream| stream.drain.position()).collect())
    }

    fn is_judging(&self) -> bool {
        !self.streams.iter().all(Stream::is_vouched_for)
    }

    fn hurry(&mut self) {
        self.hurried = true;
        self.streams.iter_mut().for_each(|stream| stream.clock.hurry());
    }

    fn one_sided(&mut self) -> Option<OneSided> {
        self.news.pop_front()
    }

    fn digest(&self) -> (u64, String) {
        (self.digest.count(), self.digest.finalize().to_hex().to_string())
    }
}

#[cfg(test)]
#[path = "two_rings_tests.rs"]
mod two_rings_tests;

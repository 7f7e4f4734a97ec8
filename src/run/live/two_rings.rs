//! The two streams of a call, one for each party, joined on one line.
//!
//! Each has a ring and, where its sound is placed by its arrival, a clock of its own. The line goes as far as both have
//! come. A stream that delivers nothing while the other goes on is waited for as long as the other one's ring allows
//! (the sender may have stalled, and what it kept is worth having); then silence is laid for it, and what comes of it
//! late is left out, so that later sound never shifts. So it is with a stream whose pace is not known to be plausible yet.
//!
//! What was read of a stream lies at once where the call takes its frames from, on the plane of its side; of the side that
//! has come further, what is ahead waits there too.

use std::collections::VecDeque;

use super::arrival::{Advice, ArrivalClock};
use super::intake::{Came, Intake, OneSided, RingEnds, Vouch, missing, opening_place};
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
    /// Frames of it that lie on the line, those that wait for the other stream among them.
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
    pub fn new(drain: Drain, clock: ArrivalClock, by_arrival: bool, vouched: Vouch) -> Stream {
        Stream { drain, clock, by_arrival, vouched, placed: 0, owed: None, debt: 0, late: 0, ended: false }
    }

    fn is_vouched_for(&self) -> bool {
        (self.vouched)()
    }

    /// Lays silence behind what waits, as far as there is room. What was laid.
    fn lay(&mut self, plane: &mut Vec<i16>, frames: u64, why: Missing) -> Option<(u64, u64, Missing)> {
        let now = frames.min(room(plane) as u64);
        self.owed = (frames > now).then_some((frames - now, why));
        plane.resize(plane.len() + now as usize, 0);
        let from = self.placed;
        self.placed += now;
        (now > 0).then_some((from, now, why))
    }

    /// Reads what is there; each stretch of silence that it lays is told.
    fn fill(&mut self, plane: &mut Vec<i16>, now: u64, opens_ahead: bool, mut laid: impl FnMut(u64, u64, Missing)) {
        if !self.is_vouched_for() {
            // Nothing of it is there yet, whatever has come.
            return self.clock.watch(now, self.drain.position().end());
        }
        while room(plane) > 0 && !self.ended {
            if let Some((frames, why)) = self.owed.take() {
                if let Some((from, frames, why)) = self.lay(plane, frames, why) {
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
            let before = plane.len();
            plane.resize(before + room(plane).min(self.drain.waiting()), 0);
            let piece = self.drain.read(&mut plane[before..]);
            plane.truncate(before + if let Piece::Sound(frames) = piece { frames } else { 0 });
            match piece {
                Piece::Sound(frames) => self.take(plane, frames),
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
    fn take(&mut self, plane: &mut Vec<i16>, frames: usize) {
        let late = self.debt.min(frames as u64) as usize;
        if late > 0 {
            self.debt -= late as u64;
            self.late += late as u64;
            let from = plane.len() - frames;
            plane.copy_within(from + late.., from);
            let end = plane.len() - late;
            plane[end..].fill(0);
            plane.truncate(end);
        }
        self.placed += (frames - late) as u64;
    }

    /// Nothing of it will come any more.
    fn is_done(&self) -> bool {
        self.ended && self.owed.is_none()
    }
}

/// Samples for which a plane has room.
fn room(plane: &Vec<i16>) -> usize {
    plane.capacity() - plane.len()
}

/// How many samples each side has that the other one has not.
fn ahead(planes: [&mut Vec<i16>; 2]) -> [usize; 2] {
    let [agent, customer] = planes.map(|plane| plane.len());
    [agent.saturating_sub(customer), customer.saturating_sub(agent)]
}

/// Two streams, the agent's first.
pub struct TwoRings {
    streams: [Stream; 2],
    /// Frames of a stream that may wait for the other one.
    patience: usize,
    hurried: bool,
    news: VecDeque<OneSided>,
    placed: u64,
    rate_hz: u32,
}

impl TwoRings {
    /// Joins two streams at the call's rate; one waits at most `patience` frames for the other.
    pub fn new(streams: [Stream; 2], patience: usize, rate_hz: u32) -> TwoRings {
        TwoRings { streams, patience, hurried: false, news: VecDeque::new(), placed: 0, rate_hz }
    }

    /// How what it delivers is laid out: the agent first.
    pub fn delivery() -> Delivery {
        Delivery::Both(ChannelMap::new(AgentChannel(0), 2).expect("two channels have a map"))
    }

    fn fill(&mut self, now: u64, opens_ahead: bool, sides: &mut Sides) {
        let parties = self.streams.iter_mut().zip(sides.planes()).zip([Of::Agent, Of::Customer]);
        for ((stream, plane), of) in parties {
            stream.fill(plane, now, opens_ahead, |from, frames, why| {
                let span = Span::new(MediaTime(from), MediaTime(from + frames));
                self.news.push_back(OneSided { of, span, frames, from, why });
            });
            let late = std::mem::take(&mut stream.late);
            if late > 0 {
                // Its place is taken: it counts as lost, and changes nothing on the line.
                let here = MediaTime(self.placed);
                let span = Span::new(here, here);
                self.news.push_back(OneSided { of, span, frames: late, from: self.placed, why: Missing::Lost });
            }
        }
    }

    /// Silence for a stream that is late or over, so that the other one can go on.
    fn wait_no_longer(&mut self, sides: &mut Sides) {
        let ahead = ahead(sides.planes());
        for (index, of) in [(0, Of::Agent), (1, Of::Customer)] {
            let other = ahead[1 - index];
            if other == 0 {
                continue;
            }
            let over = self.streams[index].ended || self.hurried;
            if !over && other + self.streams[1 - index].drain.waiting() < self.patience {
                continue;
            }
            let stream = &mut self.streams[index];
            let laid = stream.lay(sides.planes()[index], other as u64, Missing::Absent);
            if let Some((from, frames, why)) = laid {
                stream.debt += if over { 0 } else { frames };
                let span = Span::new(MediaTime(from), MediaTime(from + frames));
                self.news.push_back(OneSided { of, span, frames, from, why });
            }
        }
    }
}

impl Intake for TwoRings {
    fn take(&mut self, now: u64, opens_ahead: bool, sides: &mut Sides) -> Came {
        let both = |sides: &mut Sides| sides.planes().map(|plane| plane.len()).into_iter().min().unwrap_or(0);
        let before = both(sides);
        self.fill(now, opens_ahead, sides);
        self.wait_no_longer(sides);
        let after = both(sides);
        if after == before {
            let done = ahead(sides.planes()) == [0, 0] && self.streams.iter().all(Stream::is_done);
            return if done { Came::Ended } else { Came::Nothing };
        }
        self.placed += (after - before) as u64;
        Came::Sound((after - before) as u64)
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
        opening_place(place, self.rate_hz, self.rate_hz)
    }

    fn ends(&self) -> RingEnds {
        RingEnds(self.streams.iter().map(|stream| stream.drain.position()).collect())
    }

    fn is_placed_by_arrival(&self) -> bool {
        self.streams.iter().any(|stream| stream.by_arrival)
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
}

#[cfg(test)]
#[path = "two_rings_tests.rs"]
mod two_rings_tests;

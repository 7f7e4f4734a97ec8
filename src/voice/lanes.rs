//! The WebRTC voice-activity detector for many lanes at once, bit for bit as libfvad decides.
//!
//! libfvad's filters run from sample to sample, and leave a processor with vector registers idle. Calls do not depend on
//! each other: so the state of 16 (AVX-512), 8 (AVX2) or 4 (SSE 4.1) of them lies in rows, one column a lane, and each
//! step is taken for all of a group together. Which width is used is found out when the detectors are made; all of them
//! give the same decisions. A frame of 20 ms at 8 kHz takes libfvad 1,190 to 1,390 ns, and a lane of a full group 83 to
//! 100 (14 times less), 109 to 128 (11 times) or 260 to 275 (5 times), on one core of an EPYC of the fourth generation:
//! `cargo bench --bench lanes`.
//!
//! | file | what |
//! |---|---|
//! | `filters.rs` | sound → 8 kHz → six bands |
//! | `energy.rs` | bands → the logarithms of their energies, the features |
//! | `mixture.rs` | features → likelihood of noise and of speech → decision → what is learnt |
//! | `minimum.rs` | the floor of each band over about a hundred frames |
//! | `decide.rs` | these together, and the hangover |
//! | `layout.rs` | how the bands of a lane lie in a group |
//! | `run.rs` | many frames of one lane at once: the filters in pieces |
//! | `steps.rs` | the steps, compiled for each set of instructions |
//! | `group.rs`, `tables.rs` | the state of a group; the detector's numbers |
//! | `vector.rs` | the operations that all of it is written in |
//! | `avx512.rs`, `avx2.rs`, `sse41.rs`, `portable.rs` | these operations |
//!
//! The one difference to libfvad: that counts the frames it has judged in 32 bits and would begin to miscount after
//! 2^31 of them (497 days of 20 ms); here the count stops at three, the last at which it matters.
//!
//! What is computed, and its numbers, are those of the WebRTC project's common_audio/vad as libfvad and the crate
//! `webrtc-vad` 0.4.0 carry it:
//!
//! > Copyright (c) 2011, The WebRTC project authors. All rights reserved. Copyright (c) 2016 Daniel Pirch.
//! >
//! > Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
//! > following conditions are met:
//! >
//! > * Redistributions of source code must retain the above copyright notice, this list of conditions and the following
//! >   disclaimer.
//! > * Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the
//! >   following disclaimer in the documentation and/or other materials provided with the distribution.
//! > * Neither the name of Google nor the names of its contributors may be used to endorse or promote products derived
//! >   from this software without specific prior written permission.
//! >
//! > THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
//! > INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
//! > DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
//! > SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
//! > SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
//! > WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
//! > OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

#![allow(unsafe_code)] // vector instructions are not to be had without; each `unsafe` says why it is none
#![allow(clippy::needless_range_loop)] // rows of several arrays are walked by one number

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod decide;
mod energy;
mod filters;
mod group;
mod layout;
mod minimum;
mod mixture;
mod portable;
mod run;
#[cfg(test)]
mod run_tests;
#[cfg(target_arch = "x86_64")]
mod sse41;
mod steps;
mod tables;
#[cfg(test)]
mod tests;
mod vector;

use super::bank::{Mode, Speech};
use decide::Settings;
use energy::Heights;
use group::Group;
use run::{Run, Scratch};
use steps::Steps;
use tables::Thresholds;

/// How many lanes are computed together, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Registers of AVX-512.
    Sixteen,
    /// Registers of AVX2.
    Eight,
    /// Registers of SSE 4.1; elsewhere arrays, of which the compiler makes what the target has (NEON).
    Four,
    /// One lane by itself.
    One,
}

impl Width {
    /// Those that this machine has, the widest first.
    pub fn supported() -> impl Iterator<Item = Width> {
        [Width::Sixteen, Width::Eight, Width::Four, Width::One].into_iter().filter(|width| width.is_supported())
    }

    fn is_supported(self) -> bool {
        let [sixteen, eight, _] = steps::available();
        match self {
            Width::Sixteen => sixteen,
            Width::Eight => eight,
            Width::Four | Width::One => true,
        }
    }

    /// The fastest on this machine for so many lanes. A group costs the same with one lane as with all, and one of eight
    /// less than one of sixteen.
    fn fastest(lanes: usize) -> Width {
        match lanes {
            1..=8 if Width::Eight.is_supported() => Width::Eight,
            1 if !steps::available()[2] => Width::One,
            _ => Width::supported().next().unwrap_or(Width::One),
        }
    }
}

/// Detectors of any number of lanes. About 550 bytes a lane, and up to 9 KiB that all share.
pub struct Detectors {
    settings: Settings,
    lanes: usize,
    seats: Seats,
}

enum Seats {
    #[cfg(target_arch = "x86_64")]
    Sixteen(Groups<16>),
    #[cfg(target_arch = "x86_64")]
    Eight(Groups<8>),
    Four(Groups<4>),
    One(Groups<1>),
}

/// Does `$body` with the groups, of whatever width they are.
macro_rules! any_width {
    ($seats:expr, $groups:ident => $body:expr) => {
        match $seats {
            #[cfg(target_arch = "x86_64")]
            Seats::Sixteen($groups) => $body,
            #[cfg(target_arch = "x86_64")]
            Seats::Eight($groups) => $body,
            Seats::Four($groups) => $body,
            Seats::One($groups) => $body,
        }
    };
}

impl Detectors {
    /// Detectors of `lanes` lanes (0: many will come) that have heard nothing, for frames of `frame_ms` at `rate_hz`, in
    /// the width that is fastest here.
    ///
    /// # Panics
    ///
    /// If the rate is not 8,000, 16,000 or 32,000 Hz, or the frame not 10, 20 or 30 ms.
    pub fn new(lanes: usize, rate_hz: u32, mode: Mode, frame_ms: u32) -> Detectors {
        Detectors::with_width(Width::fastest(lanes), lanes, rate_hz, mode, frame_ms)
    }

    /// The same in a given width.
    ///
    /// # Panics
    ///
    /// As [`Detectors::new`], and if the machine does not have the width.
    pub fn with_width(width: Width, lanes: usize, rate_hz: u32, mode: Mode, frame_ms: u32) -> Detectors {
        let halvings = match rate_hz {
            8_000 => 0,
            16_000 => 1,
            32_000 => 2,
            _ => panic!("{rate_hz} Hz is no rate of the detector"),
        };
        assert!(matches!(frame_ms, 10 | 20 | 30), "{frame_ms} ms is no frame of the detector");
        assert!(width.is_supported(), "{width:?} is not to be had on this machine");
        let seats = match width {
            #[cfg(target_arch = "x86_64")]
            Width::Sixteen => Seats::Sixteen(Groups::new(steps::sixteen())),
            #[cfg(target_arch = "x86_64")]
            Width::Eight => Seats::Eight(Groups::new(steps::eight())),
            #[cfg(target_arch = "x86_64")]
            Width::Four if steps::available()[2] => Seats::Four(Groups::new(steps::four_sse41())),
            Width::Four => Seats::Four(Groups::new(steps::four())),
            _ => Seats::One(Groups::new(steps::one())),
        };
        let thresholds = Thresholds::new(mode.number(), frame_ms);
        let settings = Settings { halvings, blocks: frame_ms as usize / 2, thresholds };
        let mut detectors = Detectors { settings, lanes: 0, seats };
        for _ in 0..lanes {
            detectors.grow();
        }
        detectors
    }

    /// Lanes that there are.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Samples of a frame.
    pub fn samples(&self) -> usize {
        self.settings.samples()
    }

    /// One lane more; its number.
    pub fn grow(&mut self) -> usize {
        self.lanes += 1;
        let lane = self.lanes - 1;
        any_width!(&mut self.seats, groups => groups.reach(lane));
        lane
    }

    /// Makes a lane one that has heard nothing.
    pub fn renew(&mut self, lane: usize) {
        assert!(lane < self.lanes, "lane {lane} of {}", self.lanes);
        any_width!(&mut self.seats, groups => groups.renew(lane));
    }

    /// Decides one frame of each lane. `frame` gives a lane's; one that is empty leaves its lane as it is and is no
    /// speech. Nothing is allocated; a group without any frame costs nothing.
    ///
    /// # Panics
    ///
    /// If a frame is neither empty nor as long as [`Detectors::samples`], or `speech` not as long as there are lanes.
    pub fn decide<'a>(&mut self, frame: impl Fn(usize) -> &'a [i16], speech: &mut [Speech]) {
        assert_eq!(speech.len(), self.lanes, "one decision a lane");
        let settings = &self.settings;
        any_width!(&mut self.seats, groups => groups.decide(frame, speech, settings));
    }

    /// Decides as many frames of one lane, one after the other, as there is room for in `speech`: the same as one by one,
    /// in less time. `frame` gives each by its number.
    ///
    /// # Panics
    ///
    /// If a frame is not as long as [`Detectors::samples`].
    pub fn decide_run<'a>(&mut self, lane: usize, frame: impl Fn(usize) -> &'a [i16], speech: &mut [Speech]) {
        assert!(lane < self.lanes, "lane {lane} of {}", self.lanes);
        let settings = &self.settings;
        any_width!(&mut self.seats, groups => groups.decide_run(lane, frame, speech, settings));
    }
}

/// Groups of one width, and the scratch that they share.
struct Groups<const N: usize> {
    steps: Steps<N>,
    groups: Vec<Group<N>>,
    heights: Box<Heights<N>>,
    /// For runs, once there was one.
    scratch: Option<Box<Scratch<N>>>,
}

impl<const N: usize> Groups<N> {
    fn new(steps: Steps<N>) -> Groups<N> {
        Groups { steps, groups: Vec::new(), heights: Box::new(Heights::new()), scratch: None }
    }

    /// Makes room for a lane.
    fn reach(&mut self, lane: usize) {
        if lane / N == self.groups.len() {
            self.groups.push(Group::new());
        }
    }

    fn renew(&mut self, lane: usize) {
        self.groups[lane / N].renew(lane % N);
    }

    fn decide<'a>(&mut self, frame: impl Fn(usize) -> &'a [i16], speech: &mut [Speech], settings: &Settings) {
        for (number, (group, speech)) in self.groups.iter_mut().zip(speech.chunks_mut(N)).enumerate() {
            let mut frames: [&[i16]; N] = [&[]; N];
            for (lane, frames) in frames.iter_mut().enumerate().take(speech.len()) {
                *frames = frame(number * N + lane);
            }
            let found = if frames.iter().all(|frame| frame.is_empty()) {
                [false; N]
            } else {
                (self.steps.decide)(group, &mut self.heights, &frames, settings)
            };
            for (speech, found) in speech.iter_mut().zip(found) {
                *speech = Speech(found);
            }
        }
    }

    fn decide_run<'a>(
        &mut self,
        lane: usize,
        frame: impl Fn(usize) -> &'a [i16],
        speech: &mut [Speech],
        settings: &Settings,
    ) {
        let Groups { steps, groups, heights, scratch } = self;
        let scratch = scratch.get_or_insert_with(|| Box::new(Scratch::new()));
        let mut run = Run { steps: *steps, settings, heights, scratch };
        run.decide(&mut groups[lane / N], lane % N, frame, speech);
    }
}

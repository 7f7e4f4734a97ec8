//! Many frames of one lane at once: the filters take them in pieces, a lane each; the judgement, which depends on all that
//! went before, takes them one by one, all bands at once.
//!
//! A filter that begins with nothing is where it would be after a few frames: then a piece that began there is, bit for
//! bit, what would have come. Each piece is begun [`WARM_UP`] frames early, and what its filters then remember is compared
//! with what those of the piece before remember at its end. Where they differ, the piece is taken again from there.

use super::decide::Settings;
use super::energy::Heights;
use super::group::{FilterState, Group};
use super::layout;
use super::steps::{Features, Steps};
use super::tables::BANDS;
use crate::voice::Speech;

/// Frames after which filters that began with nothing have nearly always come to where they would be.
const WARM_UP: usize = 5;
/// Frames of a piece, at least: with less, the beginnings cost more than the lanes save.
const PIECE_MIN: usize = 6;
/// Frames that are taken at a time, at most.
const FRAMES_MAX: usize = 512;

/// What runs need that is not a lane's: kept so that nothing has to be allocated for each.
#[derive(Debug)]
pub struct Scratch<const N: usize> {
    /// The filters of the pieces.
    pieces: Group<N>,
    /// The lane in hand, its bands abreast.
    alone: Group<N>,
    heard: Vec<Features>,
    /// Pieces that were taken, and of them those that had to be taken again.
    #[cfg(test)]
    pub taken: [u64; 2],
}

impl<const N: usize> Scratch<N> {
    pub fn new() -> Scratch<N> {
        Scratch {
            pieces: Group::new(),
            alone: Group::new(),
            heard: vec![(false, [0; BANDS]); FRAMES_MAX],
            #[cfg(test)]
            taken: [0; 2],
        }
    }
}

/// Decisions with one set of instructions.
pub struct Run<'a, const N: usize> {
    pub steps: Steps<N>,
    pub settings: &'a Settings,
    pub heights: &'a mut Heights<N>,
    pub scratch: &'a mut Scratch<N>,
}

impl<const N: usize> Run<'_, N> {
    /// Decides as many frames of a lane, one after the other, as there is room for decisions. None is empty.
    pub fn decide<'s>(
        &mut self,
        group: &mut Group<N>,
        lane: usize,
        frame: impl Fn(usize) -> &'s [i16],
        speech: &mut [Speech],
    ) {
        for (number, speech) in speech.chunks_mut(FRAMES_MAX).enumerate() {
            self.hear(group, lane, |at| frame(number * FRAMES_MAX + at), speech.len());
            let Scratch { alone, heard, .. } = &mut *self.scratch;
            layout::lay_abreast(group, lane, alone);
            (self.steps.judge)(alone, heard, self.settings, speech);
            layout::lay_apart(alone, group, lane);
        }
    }

    /// Measures `count` frames of a lane, and has its filters remember what they then do.
    fn hear<'s>(&mut self, group: &mut Group<N>, lane: usize, frame: impl Fn(usize) -> &'s [i16], count: usize) {
        let length = count.div_ceil(N).max(PIECE_MIN);
        let used = count.div_ceil(length);
        let place = |piece: usize, at: usize| Some(piece * length + at).filter(|&place| piece < used && place < count);
        // The first piece goes on from what the lane remembers, the others begin early with nothing.
        self.scratch.pieces.set_filters(0, &group.filters(lane));
        for piece in 1..used {
            self.scratch.pieces.set_filters(piece, &FilterState::default());
        }
        for early in (1..=WARM_UP).rev() {
            self.listen(
                |piece| place(piece, 0).filter(|_| piece > 0).map(|begin| (begin - early, frame(begin - early))),
                false,
            );
        }
        let begun: [FilterState; N] = std::array::from_fn(|piece| self.scratch.pieces.filters(piece));
        for at in 0..length {
            self.listen(|piece| place(piece, at).map(|place| (place, frame(place))), true);
        }
        #[cfg(test)]
        (self.scratch.taken[0] += used as u64);
        for again in 1..used {
            let end = self.scratch.pieces.filters(again - 1);
            if end == begun[again] {
                continue;
            }
            #[cfg(test)]
            (self.scratch.taken[1] += 1);
            self.scratch.pieces.set_filters(again, &end);
            for at in 0..length {
                let place = place(again, at);
                self.listen(|piece| place.filter(|_| piece == again).map(|place| (place, frame(place))), true);
            }
        }
        group.set_filters(lane, &self.scratch.pieces.filters(used - 1));
    }

    /// Passes a frame of each piece that has one, and notes what was measured of them at their places.
    fn listen<'s>(&mut self, frame: impl Fn(usize) -> Option<(usize, &'s [i16])>, note: bool) {
        let Scratch { pieces, heard, .. } = &mut *self.scratch;
        let frames: [Option<(usize, &[i16])>; N] = std::array::from_fn(frame);
        let sounds = frames.map(|frame| frame.map_or(&[][..], |(_, sound)| sound));
        let found = (self.steps.hear)(pieces, self.heights, &sounds, self.settings);
        for (piece, (place, _)) in frames.iter().enumerate().filter_map(|(piece, frame)| Some((piece, (*frame)?))) {
            if note {
                heard[place] = (found.has_sound[piece] != 0, found.features.map(|row| row[piece]));
            }
        }
    }
}

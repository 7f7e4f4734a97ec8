//! The state of N lanes that are decided together: a row a value, a column a lane.

use super::minimum::EMPTY;
use super::tables::{BANDS, GAUSSIANS, NOISE_DEVIATIONS, NOISE_MEANS, SLOTS, SPEECH_DEVIATIONS, SPEECH_MEANS};

type Row<const N: usize> = [i16; N];

/// A model of one kind of sound: its Gaussians of each band, Q7.
#[derive(Clone, Debug, PartialEq)]
pub struct Model<const N: usize> {
    pub means: [[Row<N>; BANDS]; GAUSSIANS],
    pub deviations: [[Row<N>; BANDS]; GAUSSIANS],
}

/// What N lanes remember from one frame to the next: 542 bytes a lane.
#[derive(Clone, Debug, PartialEq)]
#[repr(align(64))]
pub struct Group<const N: usize> {
    /// The all-pass filters of the conversions from 16 to 8 kHz and from 32 to 16 kHz.
    pub halvings: [[[i32; N]; 2]; 2],
    /// The all-pass filters of the five splits, Q(-1).
    pub upper: [Row<N>; 5],
    pub lower: [Row<N>; 5],
    /// The high pass: two samples that went in, two that came out.
    pub high_pass: [Row<N>; 4],
    pub noise: Model<N>,
    pub speech: Model<N>,
    /// The smallest features of each band, ascending, and how many frames ago each was heard.
    pub smallest: [[Row<N>; BANDS]; SLOTS],
    pub ages: [[Row<N>; BANDS]; SLOTS],
    /// Each band's smoothed minimum, Q4.
    pub minimum: [Row<N>; BANDS],
    /// Frames judged, counted to 3.
    pub judged: Row<N>,
    /// Frames of hangover left.
    pub hangover: Row<N>,
    /// Frames of speech in a row, counted to 6.
    pub run: Row<N>,
}

/// What the filters of one lane remember.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilterState {
    halvings: [[i32; 2]; 2],
    upper: [i16; 5],
    lower: [i16; 5],
    high_pass: [i16; 4],
}

const _: () = assert!(size_of::<Group<16>>() == 544 * 16, "542 bytes a lane, and what the alignment adds");

impl<const N: usize> Group<N> {
    /// N lanes that have heard nothing.
    pub fn new() -> Group<N> {
        let rows = |values: [[i16; BANDS]; GAUSSIANS]| values.map(|bands| bands.map(|value| [value; N]));
        Group {
            halvings: [[[0; N]; 2]; 2],
            upper: [[0; N]; 5],
            lower: [[0; N]; 5],
            high_pass: [[0; N]; 4],
            noise: Model { means: rows(NOISE_MEANS), deviations: rows(NOISE_DEVIATIONS) },
            speech: Model { means: rows(SPEECH_MEANS), deviations: rows(SPEECH_DEVIATIONS) },
            smallest: [[[EMPTY; N]; BANDS]; SLOTS],
            ages: [[[0; N]; BANDS]; SLOTS],
            minimum: [[1600; N]; BANDS],
            judged: [0; N],
            hangover: [0; N],
            run: [0; N],
        }
    }

    /// Makes a lane one that has heard nothing.
    pub fn renew(&mut self, lane: usize) {
        for row in self.halvings.as_flattened_mut() {
            row[lane] = 0;
        }
        let mut fresh = Group::<1>::new();
        for (row, fresh) in self.rows().zip(fresh.rows()) {
            row[lane] = fresh[0];
        }
    }

    /// What the filters of a lane remember.
    pub fn filters(&self, lane: usize) -> FilterState {
        FilterState {
            halvings: self.halvings.map(|pair| pair.map(|row| row[lane])),
            upper: self.upper.map(|row| row[lane]),
            lower: self.lower.map(|row| row[lane]),
            high_pass: self.high_pass.map(|row| row[lane]),
        }
    }

    /// Has the filters of a lane remember this.
    pub fn set_filters(&mut self, lane: usize, state: &FilterState) {
        let rows = self.halvings.as_flattened_mut().iter_mut().zip(state.halvings.as_flattened());
        rows.for_each(|(row, value)| row[lane] = *value);
        let rows = self.upper.iter_mut().chain(&mut self.lower).chain(&mut self.high_pass);
        let values = state.upper.iter().chain(&state.lower).chain(&state.high_pass);
        rows.zip(values).for_each(|(row, value)| row[lane] = *value);
    }

    /// All rows of 16 bits.
    pub fn rows(&mut self) -> impl Iterator<Item = &mut Row<N>> {
        let models = [&mut self.noise, &mut self.speech];
        let models = models.into_iter().flat_map(|Model { means, deviations }| [means, deviations]);
        let filters = self.upper.iter_mut().chain(&mut self.lower).chain(&mut self.high_pass);
        let slots = self.smallest.iter_mut().chain(&mut self.ages).flatten();
        let single = [&mut self.judged, &mut self.hangover, &mut self.run];
        filters
            .chain(models.flat_map(|rows| rows.as_flattened_mut()))
            .chain(slots)
            .chain(&mut self.minimum)
            .chain(single)
    }
}

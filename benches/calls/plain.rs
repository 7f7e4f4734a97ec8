//! A plain call to measure, and an outlet that lets all of it go.

use std::hint::black_box;

use oneside::audio::Span;
use oneside::bleed::Reference;
use oneside::call::{Opening, Outlet};
use oneside::consent::{Cleared, Terms};

use super::RATE_HZ;

/// The opening of a call at 8 kHz with the program's defaults.
pub fn opening(name: impl Into<String>) -> Opening {
    Opening {
        name: name.into(),
        rate_hz: RATE_HZ,
        reference: Reference::Both,
        terms: Terms::default(),
        foreclosed: Vec::new(),
        findings: Vec::new(),
        lead_in_ms: 150,
        tail_ms: 250,
        reach_ms: 0,
    }
}

/// An outlet that stores nothing.
pub struct Nowhere;

impl Outlet for Nowhere {
    fn write(&mut self, sound: Cleared<'_>) {
        black_box(sound.samples());
    }

    fn erase_customer(&mut self, _span: Span) {}
}

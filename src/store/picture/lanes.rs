//! The two sides of a call over its time: the agent's talk, the customer's activity, the customer's door, and the axis.

use super::door::Stretch;
use super::paint::{self, DROPPED_ACTIVITY, KEPT_ACTIVITY, OPEN, STORED};
use super::sketch::Sketch;
use super::svg::{Anchor, Canvas, FAINT, PALE, Style};
use super::{LANE_WIDTH, LANE_X, Scale};
use crate::consent::Dropped;

/// Columns of a lane: what is drawn does not grow with the call.
const COLUMNS: usize = 1_000;
/// Height of the agent's lane, px.
pub(super) const AGENT_HEIGHT: f64 = 54.0;
/// Height of the customer's activity, px.
pub(super) const ACTIVITY_HEIGHT: f64 = 30.0;
/// Height of the customer's door, px.
pub(super) const DOOR_HEIGHT: f64 = 24.0;
/// Steps in which the agent's lane shows parts of a column.
const STEPS: f64 = 18.0;

/// The agent's lane: of each column the part that was stored, and on top of it what was withheld for which reason.
pub(super) fn agent(canvas: &mut Canvas, top: f64, sketch: &Sketch, scale: Scale) {
    canvas.rect(LANE_X, top, LANE_WIDTH, AGENT_HEIGHT, PALE);
    let fates = std::iter::once(Ok(())).chain(Dropped::ALL.into_iter().filter(|r| *r != Dropped::NotSpeech).map(Err));
    let fates: Vec<Result<(), Dropped>> = fates.collect();
    let mut runs: Vec<Vec<[f64; 4]>> = vec![Vec::new(); fates.len()];
    let momentary = sketch.bin_samples() <= scale.moment();
    for column in 0..COLUMNS {
        let Some(sample) = scale.sample_in(column) else { continue };
        let mut below = 0.0;
        for (fate, runs) in fates.iter().zip(&mut runs) {
            let share = sketch.agent_share(sample, *fate);
            // Two halves of a column must not become two wholes.
            let above: f64 = (below + if momentary { share.round() } else { share }).min(1.0);
            let (low, high) = ((below * STEPS).round() / STEPS, (above * STEPS).round() / STEPS);
            if high > low {
                extend(runs, column, top + AGENT_HEIGHT * (1.0 - high), AGENT_HEIGHT * (high - low));
            }
            below = above;
        }
    }
    for (fate, runs) in fates.iter().zip(&runs) {
        canvas.rects(runs, fate.map_or_else(paint::fill, |()| STORED));
    }
}

/// The customer's activity: there or not, no loudness. Where a column covers more than a moment, its shade says how much
/// of the time. What was kept fills the lane, what was not is a thin line.
pub(super) fn activity(canvas: &mut Canvas, top: f64, sketch: &Sketch, door: &[Stretch], scale: Scale) {
    canvas.rect(LANE_X, top, LANE_WIDTH, ACTIVITY_HEIGHT, PALE);
    let fates = columns(door, scale);
    let mut dropped: [Vec<[f64; 4]>; 3] = Default::default();
    let mut kept: [Vec<[f64; 4]>; 3] = Default::default();
    for (column, fate) in fates.into_iter().enumerate() {
        let Some(sample) = scale.sample_in(column) else { continue };
        let share = sketch.activity(sample);
        if share <= 0.0 {
            continue;
        }
        let shade = if share < 0.2 { 0 } else { 1 + usize::from(share >= 0.6) };
        match fate {
            Some(Ok(())) => extend(&mut kept[shade], column, top, ACTIVITY_HEIGHT),
            _ => extend(&mut dropped[shade], column, top + ACTIVITY_HEIGHT / 2.0 - 5.0, 10.0),
        }
    }
    for shade in 0..3 {
        canvas.rects(&dropped[shade], DROPPED_ACTIVITY[shade]);
        canvas.rects(&kept[shade], KEPT_ACTIVITY[shade]);
    }
}

/// The customer's door over time: open, or shut and why.
pub(super) fn door(canvas: &mut Canvas, top: f64, door: &[Stretch], scale: Scale) {
    canvas.rect(LANE_X, top, LANE_WIDTH, DOOR_HEIGHT, PALE);
    for (x, width, fate) in bands(door, scale) {
        canvas.rect(x, top, width, DOOR_HEIGHT, door_fill(fate));
    }
}

/// The door in words, where there is room for them.
pub(super) fn door_words(canvas: &mut Canvas, top: f64, door: &[Stretch], scale: Scale) {
    let style = Style::plain(11.0).anchored(Anchor::Middle);
    if scale.length == 0 {
        canvas.text(LANE_X + LANE_WIDTH / 2.0, top + 16.0, style, "the call holds no sound");
    }
    for (x, width, fate) in bands(door, scale) {
        let full = fate.map_or_else(|reason| format!("not kept: {}", paint::words(reason)), |()| "kept".into());
        let brief = fate.map_or_else(paint::words, |()| "kept");
        let fits = |words: &&str| style.width(words) + 8.0 <= width;
        if let Some(words) = [full.as_str(), brief].into_iter().find(fits) {
            let words_width = style.width(words) + 8.0;
            let plain = matches!(fate, Ok(()) | Err(Dropped::NoDecision | Dropped::CallOver));
            let plate = if plain { door_fill(fate) } else { "white" };
            let middle = x + width / 2.0;
            canvas.rect(middle - words_width / 2.0, top + 4.0, words_width, DOOR_HEIGHT - 8.0, plate);
            canvas.text(middle, top + 16.0, style, words);
        }
    }
}

fn door_fill(fate: Result<(), Dropped>) -> &'static str {
    fate.map_or_else(paint::fill, |()| OPEN)
}

/// The bands of the door: left edge, width, fate.
fn bands(door: &[Stretch], scale: Scale) -> Vec<(f64, f64, Result<(), Dropped>)> {
    let columns = columns(door, scale);
    let mut bands = Vec::new();
    let mut column = 0;
    while column < COLUMNS {
        let end = (column..COLUMNS).find(|other| columns[*other] != columns[column]).unwrap_or(COLUMNS);
        if let Some(fate) = columns[column] {
            bands.push((column_x(column), column_x(end) - column_x(column), fate));
        }
        column = end;
    }
    bands
}

/// The time axis, with its labels below `y`.
pub(super) fn axis(canvas: &mut Canvas, y: f64, scale: Scale) {
    canvas.line((LANE_X, y), (LANE_X + LANE_WIDTH, y), FAINT, 1.0);
    let seconds = scale.seconds();
    let step = tick_step(seconds);
    let style = Style::plain(11.0).faint().anchored(Anchor::Middle);
    let mut tick = 0;
    while (tick * step) as f64 <= seconds {
        let at = (tick * step) as f64;
        let x = if seconds > 0.0 { LANE_X + LANE_WIDTH * at / seconds } else { LANE_X };
        canvas.line((x, y), (x, y + 5.0), FAINT, 1.0);
        canvas.text(x, y + 18.0, style, &super::clock(at));
        tick += 1;
    }
}

/// Seconds between ticks: a round number that gives at most twelve of them.
fn tick_step(seconds: f64) -> u64 {
    const STEPS_S: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];
    let fits = |step: &u64| seconds / *step as f64 <= 12.0;
    STEPS_S.into_iter().find(fits).unwrap_or_else(|| 3_600 * (seconds / 12.0 / 3_600.0).ceil() as u64)
}

/// The fate that each column shows: `kept` if anything in it was kept, else what held longest in it.
fn columns(door: &[Stretch], scale: Scale) -> Vec<Option<Result<(), Dropped>>> {
    let mut columns: Vec<Option<(Result<(), Dropped>, u64)>> = vec![None; COLUMNS];
    for stretch in door {
        let (first, last) = (scale.column(stretch.from), scale.column(stretch.until - 1));
        for (column, shown) in columns.iter_mut().enumerate().take(last + 1).skip(first) {
            let (from, until) = scale.samples_of(column);
            let covers = stretch.until.min(until).saturating_sub(stretch.from.max(from));
            let weight = if stretch.fate.is_ok() { u64::MAX } else { covers };
            if shown.is_none_or(|(_, before)| weight > before) {
                *shown = Some((stretch.fate, weight));
            }
        }
    }
    columns.into_iter().map(|shown| shown.map(|(fate, _)| fate)).collect()
}

/// Adds a column to the last rectangle if it continues that one, else begins another.
fn extend(runs: &mut Vec<[f64; 4]>, column: usize, y: f64, height: f64) {
    let (x, width) = (column_x(column), LANE_WIDTH / COLUMNS as f64);
    match runs.last_mut() {
        Some(run) if run[1] == y && run[3] == height && (run[0] + run[2] - x).abs() < 1e-6 => run[2] += width,
        _ => runs.push([x, y, width, height]),
    }
}

fn column_x(column: usize) -> f64 {
    LANE_X + LANE_WIDTH * column as f64 / COLUMNS as f64
}

/// Where samples lie in the columns of a lane.
impl Scale {
    /// A sample in the middle of a column; none if the call holds no sound.
    fn sample_in(self, column: usize) -> Option<u64> {
        let middle = u128::from(self.length) * (2 * column as u128 + 1) / (2 * COLUMNS as u128);
        (self.length > 0).then_some(middle as u64)
    }

    /// The column in which a sample lies.
    fn column(self, sample: u64) -> usize {
        let column = u128::from(sample) * COLUMNS as u128 / u128::from(self.length.max(1));
        (column as usize).min(COLUMNS - 1)
    }

    /// The samples of a column: first, and first after it.
    fn samples_of(self, column: usize) -> (u64, u64) {
        let edge = |column: usize| (u128::from(self.length) * column as u128).div_ceil(COLUMNS as u128) as u64;
        (edge(column), edge(column + 1))
    }
}

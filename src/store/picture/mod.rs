//! The picture of a call: what was kept of whom, when, and why not the rest, so that a person understands it at a glance.
//!
//! One SVG per call, drawn of facts alone: the agent's talk over time, the customer's activity (a yes or no, never a
//! loudness), the customer's door with its reasons, every event, the leak and the findings. It holds no sound, reads no
//! file and no clock; the same facts give the same text. Its size is bounded whatever the length of the call and the number
//! of its events.
//!
//! ```text
//! let mut sketch = Sketch::new(rate_hz);
//! // in Outlet::trace:
//! sketch.add(unit);
//! // when the call is closed:
//! let svg = picture::draw(&name, &closing, &sketch);
//! ```

mod door;
mod events;
mod lanes;
mod notes;
mod paint;
mod sketch;
mod svg;

#[cfg(test)]
mod tests;

pub use sketch::{BINS, Sketch};

use self::events::Flags;
use self::svg::{Anchor, Canvas, Style};
use crate::call::{CallResult, Closing};

/// Width of the picture, px.
const WIDTH: f64 = 1_000.0;
/// Left edge of titles and footer, px.
const MARGIN: f64 = 24.0;
/// Left edge of the lanes, px.
const LANE_X: f64 = 150.0;
/// Width of the lanes, px.
const LANE_WIDTH: f64 = 820.0;

/// Draws a closed call.
pub fn draw(name: &str, closing: &Closing, sketch: &Sketch) -> String {
    let scale = Scale { length: closing.length.0, rate_hz: closing.rate_hz };
    let door = door::stretches(closing);
    let flags = Flags::place(&closing.ledger, scale);
    let mut canvas = Canvas::default();

    let below_head = head(&mut canvas, name, closing, scale);
    let agent_top = below_head + flags.height() + 6.0;
    let customer_top = agent_top + lanes::AGENT_HEIGHT + 10.0;
    let door_top = customer_top + lanes::ACTIVITY_HEIGHT;
    let axis_y = door_top + lanes::DOOR_HEIGHT + 4.0;

    canvas.raw("<g shape-rendering=\"crispEdges\">\n");
    lanes::agent(&mut canvas, agent_top, sketch, scale);
    lanes::activity(&mut canvas, customer_top, sketch, &door, scale);
    lanes::door(&mut canvas, door_top, &door, scale);
    canvas.raw("</g>\n");
    lanes::axis(&mut canvas, axis_y, scale);
    flags.draw(&mut canvas, below_head, axis_y);
    lanes::door_words(&mut canvas, door_top, &door, scale);
    side_notes(&mut canvas, closing, scale, agent_top, customer_top);

    let height = notes::draw(&mut canvas, axis_y + 34.0, closing, sketch, &door, flags.unlabelled, scale);
    canvas.finish(WIDTH, height, name, &summary(closing, scale), &paint::patterns())
}

/// The call's name, length, rate and result. Returns where the next thing may begin.
fn head(canvas: &mut Canvas, name: &str, closing: &Closing, scale: Scale) -> f64 {
    let result = match closing.result {
        CallResult::Recorded => ("recorded", "#00674b", "#d9f0e8"),
        CallResult::Interrupted => ("interrupted: what stood was sealed", "#7a5c00", "#fdf3cf"),
        CallResult::Quarantined => ("quarantined: both sides withheld", "#9a3606", "#f8ddcf"),
    };
    let style = Style::plain(13.0).bold().coloured(result.1).anchored(Anchor::Middle);
    let width = style.width(result.0) + 24.0;
    let left = LANE_X + LANE_WIDTH - width;
    canvas.rect(left, 18.0, width, 26.0, result.2);
    canvas.text(left + width / 2.0, 36.0, style, result.0);

    let title = Style::plain(21.0).bold();
    canvas.text(MARGIN, 40.0, title, &title.fit(name, left - MARGIN - 20.0));
    canvas.text(MARGIN, 62.0, Style::plain(13.0), &summary(closing, scale));
    84.0
}

/// What stands left of the lanes: whose they are and how much was kept.
fn side_notes(canvas: &mut Canvas, closing: &Closing, scale: Scale, agent_top: f64, customer_top: f64) {
    let mut note = |top: f64, title: &str, lines: [&str; 2]| {
        canvas.text(MARGIN, top + 16.0, Style::plain(14.0).bold(), title);
        canvas.text(MARGIN, top + 33.0, Style::plain(11.0).faint(), lines[0]);
        canvas.text(MARGIN, top + 48.0, Style::plain(11.0).faint(), lines[1]);
    };
    let (agent, customer) = (&closing.tally.agent, &closing.tally.customer);
    let stored = format!("stored: {}", percent(agent.written, agent.heard));
    note(agent_top, "Agent", [&stored, &duration(scale.seconds_of(agent.written))]);
    let kept = format!("kept: {}", percent(customer.written, customer.heard));
    note(customer_top, "Customer", [&kept, &duration(scale.seconds_of(customer.written))]);
}

/// The call in one line.
fn summary(closing: &Closing, scale: Scale) -> String {
    let (agent, customer) = (&closing.tally.agent, &closing.tally.customer);
    let kept = match customer.written {
        0 => "nothing of the customer kept".into(),
        samples => format!("{} of the customer kept", duration(scale.seconds_of(samples))),
    };
    let stored = match agent.written {
        0 => "no agent talk stored".into(),
        samples => format!("{} of agent talk stored", duration(scale.seconds_of(samples))),
    };
    format!("Call of {} at {} kHz: {stored}, {kept}.", duration(scale.seconds()), f64::from(closing.rate_hz) / 1e3)
}

/// Where the samples of a call lie across a lane.
#[derive(Clone, Copy, Debug)]
struct Scale {
    length: u64,
    rate_hz: u32,
}

impl Scale {
    /// The call's length, seconds.
    fn seconds(self) -> f64 {
        self.seconds_of(self.length)
    }

    /// Samples of the longest bin that is drawn as one moment: it was this or that, not parts of both.
    fn moment(self) -> u64 {
        u64::from(self.rate_hz / 2)
    }

    fn seconds_of(self, samples: u64) -> f64 {
        samples as f64 / f64::from(self.rate_hz.max(1))
    }

    /// The place of a sample, px; what lies behind the end is shown at the end.
    fn x(self, sample: u64) -> f64 {
        LANE_X + LANE_WIDTH * sample.min(self.length) as f64 / self.length.max(1) as f64
    }
}

/// A place in time as people read it: `m:ss`, from an hour on `h:mm:ss`.
fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A length of time as people say it.
fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{:.1} s", seconds.max(0.0) + 0.0);
    }
    let whole = seconds.round() as u64;
    match whole / 3_600 {
        0 => format!("{} min {:02} s", whole / 60, whole % 60),
        hours => format!("{hours} h {:02} min", whole / 60 % 60),
    }
}

/// A part of a whole. What is there at all is never shown as nothing, what is missing at all never as everything.
fn percent(part: u64, whole: u64) -> String {
    match 100.0 * part as f64 / whole.max(1) as f64 {
        _ if part == 0 => "0 %".into(),
        share if share < 1.0 => "< 1 %".into(),
        share if part < whole && share > 99.0 => "> 99 %".into(),
        share => format!("{share:.0} %"),
    }
}

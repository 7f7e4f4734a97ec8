//! Below the lanes: the legend, what was left out and why in numbers, the leak, the findings.

use super::door::Stretch;
use super::paint::{self, DROPPED_ACTIVITY, KEPT, OPEN, STORED};
use super::sketch::Sketch;
use super::svg::{Canvas, Style};
use super::{LANE_WIDTH, LANE_X, MARGIN, Scale, duration};
use crate::call::{Account, Closing};
use crate::consent::Dropped;

/// Lines of findings at most; the manifest has them all.
const FINDING_LINES_MAX: usize = 14;
/// Height of a line, px.
const LINE: f64 = 18.0;

/// Draws legend and notes from `top` on. Returns the height of the picture.
pub(super) fn draw(
    canvas: &mut Canvas,
    top: f64,
    closing: &Closing,
    sketch: &Sketch,
    door: &[Stretch],
    unlabelled: usize,
    scale: Scale,
) -> f64 {
    let mut y = legend(canvas, top, closing, door);
    if sketch.bin_samples() > scale.moment() {
        let each = duration(scale.seconds_of(sketch.bin_samples()));
        let words =
            format!("A column covers up to {each}: its height (agent) or shade (customer) is the part of that time.");
        canvas.text(MARGIN, y + 12.0, Style::plain(11.0).faint(), &words);
        y += LINE;
    }
    y += 12.0;
    canvas.line((MARGIN, y), (LANE_X + LANE_WIDTH, y), "#d5d9de", 1.0);
    y += 22.0;
    let seconds = |samples: u64| duration(scale.seconds_of(samples));
    y = note(canvas, y, "Agent", &account(&closing.tally.agent, "stored", seconds));
    y = note(canvas, y, "Customer", &account(&closing.tally.customer, "kept", seconds));
    y = note(canvas, y, "Leak", &leak(closing));
    if unlabelled > 0 {
        y = note(
            canvas,
            y,
            "Events",
            &format!("{unlabelled} more are marked without words; the manifest lists them all."),
        );
    }
    findings(canvas, y, closing) + 6.0
}

/// What the colours and patterns of this picture mean. Only those that occur in it.
fn legend(canvas: &mut Canvas, top: f64, closing: &Closing, door: &[Stretch]) -> f64 {
    let (agent, customer) = (&closing.tally.agent, &closing.tally.customer);
    let opened = door.iter().any(|stretch| stretch.fate.is_ok());
    let mut entries: Vec<(&str, &str)> = Vec::new();
    if agent.written > 0 {
        entries.push((STORED, "agent speaks, stored"));
    }
    if customer.heard > 0 {
        entries.push((DROPPED_ACTIVITY[2], "customer speaks, not kept"));
    }
    if opened {
        entries.extend([(KEPT, "customer speaks, kept"), (OPEN, "kept while open")]);
    }
    let occurs =
        |reason: &Dropped| agent.left_out(*reason) > 0 || door.iter().any(|stretch| stretch.fate == Err(*reason));
    // Not speech and no decision are the empty ground of their lanes.
    let told = |reason: &Dropped| !matches!(reason, Dropped::NotSpeech | Dropped::NoDecision);
    let reasons = Dropped::ALL.into_iter().filter(occurs).filter(told);
    entries.extend(reasons.map(|reason| (paint::fill(reason), paint::words(reason))));

    let style = Style::plain(11.0);
    let (mut x, mut y) = (MARGIN, top);
    for (fill, words) in entries {
        let width = 26.0 + style.width(words) + 14.0;
        if x + width > LANE_X + LANE_WIDTH && x > MARGIN {
            (x, y) = (MARGIN, y + LINE + 2.0);
        }
        canvas.raw(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"20\" height=\"12\" fill=\"{fill}\" stroke=\"#9aa5b1\" stroke-width=\"0.6\"/>\n"
        ));
        canvas.text(x + 26.0, y + 10.5, style, words);
        x += width;
    }
    y + LINE
}

/// A side in numbers.
fn account(account: &Account, kept: &str, seconds: impl Fn(u64) -> String) -> String {
    if account.heard == 0 {
        return "no sound".into();
    }
    let mut parts = vec![format!("{} of {} {kept}", seconds(account.written), seconds(account.heard))];
    if account.erased > 0 {
        parts.push(format!("{} kept at first and erased", seconds(account.erased)));
    }
    parts.extend(account.reasons().map(|(reason, samples)| format!("{} {}", seconds(samples), paint::words(reason))));
    format!("{}.", parts.join(" · "))
}

fn leak(closing: &Closing) -> String {
    let leak = &closing.leak;
    if !leak.measurable {
        return "not measurable: there was no customer's side to compare the microphone with, or not enough of it, or nothing \
                of the agent's was kept."
            .into();
    }
    let coupling = match leak.coupling_db {
        Some(db) => format!("the customer's line reaches the agent's microphone at {} dB", signed(db)),
        None => "no coupling from the customer's line to the agent's microphone was measured".into(),
    };
    let residual = match leak.residual_db {
        Some(db) => format!("what was stored holds at most {} dB of it", signed(db)),
        None => "what was stored has no estimate".into(),
    };
    format!("{coupling}; {} withheld; {residual}.", duration(leak.withheld_s))
}

/// Decibels with a real minus sign.
fn signed(db: f64) -> String {
    if !db.is_finite() {
        return if db < 0.0 { "−∞".into() } else { "unknown".into() };
    }
    format!("{}{:.0}", if db <= -0.5 { "−" } else { "" }, db.abs())
}

fn findings(canvas: &mut Canvas, top: f64, closing: &Closing) -> f64 {
    if closing.findings.is_empty() {
        return note(canvas, top, "Findings", "none.");
    }
    let style = Style::plain(12.0);
    let width = LANE_X + LANE_WIDTH - MARGIN - 90.0;
    let lines: Vec<String> =
        closing.findings.iter().flat_map(|finding| style.wrap(&format!("• {}", finding.sentence()), width)).collect();
    let hidden = lines.len().saturating_sub(FINDING_LINES_MAX);
    canvas.text(MARGIN, top, style.bold(), "Findings");
    let mut y = top;
    for line in lines.iter().take(FINDING_LINES_MAX) {
        canvas.text(MARGIN + 90.0, y, style, line);
        y += LINE;
    }
    if hidden > 0 {
        canvas.text(MARGIN + 90.0, y, style.faint(), &format!("… and {hidden} more lines; the manifest has them all."));
        y += LINE;
    }
    y
}

/// A titled paragraph with its first baseline at `y`. Returns the baseline of the next.
fn note(canvas: &mut Canvas, y: f64, title: &str, text: &str) -> f64 {
    let style = Style::plain(12.0);
    canvas.text(MARGIN, y, style.bold(), title);
    let mut y = y;
    for line in style.wrap(text, LANE_X + LANE_WIDTH - MARGIN - 90.0) {
        canvas.text(MARGIN + 90.0, y, style, &line);
        y += LINE;
    }
    y
}

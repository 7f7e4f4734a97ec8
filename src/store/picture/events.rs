//! The events of a call as labelled markers that do not cover each other.

use super::paint::{KEPT, SHUT};
use super::svg::{Anchor, Canvas, FAINT, Style};
use super::{LANE_WIDTH, LANE_X, Scale};
use crate::consent::event::Rank;
use crate::consent::{Act, Entry, Event, PartyId, Refusal};

/// Rows of labels at most; events that find no place in them are marked without words.
const ROWS_MAX: usize = 9;
/// Height of a row, px.
const ROW_HEIGHT: f64 = 17.0;
/// Free space between two labels of a row, px.
const GAP: f64 = 8.0;
/// Widest label, px.
const LABEL_WIDTH_MAX: f64 = 400.0;
/// Room below the last row, for the markers, px.
const MARKERS: f64 = 14.0;

/// A label with its place: `left` and `right` in px, row 0 on top.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Label {
    pub(super) x: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) row: usize,
    text: String,
    kind: Kind,
}

/// What an event did to the door, as its marker shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Informs,
    Opens,
    Shuts,
    CountsForNothing,
}

/// The events of a call, placed.
#[derive(Debug, Default)]
pub(super) struct Flags {
    pub(super) labels: Vec<Label>,
    /// Markers without words, each at another pixel.
    bare: Vec<(f64, Kind)>,
    /// Events without words.
    pub(super) unlabelled: usize,
}

impl Flags {
    /// Places the events of a call.
    pub(super) fn place(ledger: &[Entry], scale: Scale) -> Flags {
        let mut flags = Flags::default();
        let mut bare_pixels = std::collections::BTreeSet::new();
        for entry in ledger {
            let x = scale.x(entry.sample);
            let kind = Kind::of(entry);
            match flags.free_place(x, &label_text(entry, scale)) {
                Some(label) => flags.labels.push(Label { kind, ..label }),
                None => {
                    flags.unlabelled += 1;
                    if bare_pixels.insert((x.round() as i64, kind as u8)) {
                        flags.bare.push((x, kind));
                    }
                }
            }
        }
        flags
    }

    /// Height of the labels and markers, px.
    pub(super) fn height(&self) -> f64 {
        let rows = self.labels.iter().map(|label| label.row + 1).max().unwrap_or(0);
        rows as f64 * ROW_HEIGHT + if rows > 0 { MARKERS } else { 0.0 }
    }

    /// Draws them above `top + self.height()`, with lines down to `bottom`.
    pub(super) fn draw(&self, canvas: &mut Canvas, top: f64, bottom: f64) {
        let ground = top + self.height() - 5.0;
        for (x, kind) in &self.bare {
            canvas.line((*x, ground - 5.0), (*x, ground + 5.0), kind.colour(), 0.8);
        }
        for label in &self.labels {
            let from = top + label.row as f64 * ROW_HEIGHT + 3.0;
            canvas.line((label.x, from), (label.x, ground), label.kind.colour(), 1.2);
            canvas.line((label.x, ground), (label.x, bottom), label.kind.colour(), 0.7);
        }
        // Words come last, on white, so that a line that passes behind them does not cross them out.
        for label in &self.labels {
            let y = top + label.row as f64 * ROW_HEIGHT;
            let inset = if label.left < label.x { -4.0 } else { 4.0 };
            let beside_its_line = if label.left < label.x { label.left } else { label.left + 1.0 };
            canvas.rect(beside_its_line, y + 1.0, label.right - label.left - 1.0, ROW_HEIGHT - 2.0, "white");
            canvas.text(label.x + inset, y + 13.0, label.style(), &label.text);
        }
        for label in &self.labels {
            label.kind.marker(canvas, label.x, ground);
        }
    }

    /// The topmost place for a label at `x` that covers no other and is crossed by no line of another: the line of a later
    /// event starts below every label that it would cross.
    fn free_place(&self, x: f64, text: &str) -> Option<Label> {
        let style = Style::plain(11.5);
        let text = style.fit(text, LABEL_WIDTH_MAX);
        let width = style.width(&text) + 6.0;
        let fits_to_the_right = x + width <= LANE_X + LANE_WIDTH + 20.0;
        let (left, right) = if fits_to_the_right { (x, x + width) } else { (x - width, x) };
        let covers = |label: &&Label| label.left < right + GAP && left < label.right + GAP;
        let row = self.labels.iter().filter(covers).map(|label| label.row + 1).max().unwrap_or(0);
        (row < ROWS_MAX).then_some(Label { x, left, right, row, text, kind: Kind::Informs })
    }
}

impl Label {
    fn style(&self) -> Style {
        let anchor = if self.left < self.x { Anchor::End } else { Anchor::Start };
        Style::plain(11.5).coloured(self.kind.text_colour()).anchored(anchor)
    }
}

impl Kind {
    fn of(entry: &Entry) -> Kind {
        if entry.effect.outcome == "rejected" {
            return Kind::CountsForNothing;
        }
        match entry.event.rank() {
            Rank::Informs => Kind::Informs,
            Rank::Opens => Kind::Opens,
            Rank::Shuts => Kind::Shuts,
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Kind::Informs | Kind::CountsForNothing => "#7b8794",
            Kind::Opens => KEPT,
            Kind::Shuts => SHUT,
        }
    }

    fn text_colour(self) -> &'static str {
        match self {
            Kind::Informs => super::svg::INK,
            Kind::CountsForNothing => FAINT,
            Kind::Opens => "#00674b",
            Kind::Shuts => "#9a3606",
        }
    }

    /// A circle for what opens, a square for what shuts, a ring for what informs, a cross for what counts for nothing.
    fn marker(self, canvas: &mut Canvas, x: f64, y: f64) {
        let colour = self.colour();
        canvas.raw(&match self {
            Kind::Opens => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>\n"),
            Kind::Informs => {
                format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"white\" stroke=\"{colour}\" stroke-width=\"2\"/>\n")
            }
            Kind::Shuts => {
                format!("<rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\" fill=\"{colour}\"/>\n", x - 4.5, y - 4.5)
            }
            Kind::CountsForNothing => format!(
                "<path d=\"M{:.1} {:.1}l8 8m0 -8l-8 8\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
                x - 4.0,
                y - 4.0
            ),
        });
    }
}

/// The time of an event and its words.
fn label_text(entry: &Entry, scale: Scale) -> String {
    let rejected = match entry.effect.refusal {
        Some(refusal) => format!("counts for nothing ({}): ", refusal_words(refusal)),
        None => String::new(),
    };
    let beyond = if entry.sample > scale.length { " (after the end)" } else { "" };
    format!("{} {rejected}{}{beyond}", super::clock(entry.at), words(&entry.event))
}

fn words(event: &Event) -> String {
    match event {
        Event::Told { party, notice } => {
            let language = notice.language.as_ref().map(|language| format!(", {language}")).unwrap_or_default();
            let whom = party.as_ref().map(of).unwrap_or_default();
            format!("told{whom}: {} v{}{language}", notice.notice, notice.version)
        }
        Event::Granted(decision) => {
            let act = match &decision.act {
                Act::Dtmf { digit } => format!("key {digit}"),
                Act::SpokenYes { .. } => "spoken yes".into(),
                Act::Button { .. } => "button".into(),
                Act::Api { .. } => "another system".into(),
                Act::Token { .. } => "standing consent".into(),
            };
            format!("granted{}: {act}, for {}", of(&decision.party), decision.purposes.join(" and "))
        }
        Event::Refused { party } => format!("refused{}", of(party)),
        Event::Withdrawn { party, purposes } if purposes.is_empty() => format!("withdrawn{}", of(party)),
        Event::Withdrawn { party, purposes } => format!("withdrawn{} for {}", of(party), purposes.join(" and ")),
        Event::Joined { party } => format!("{} joined", party.0),
        Event::Left { party } => format!("{} left", party.0),
        Event::Paused => "paused".into(),
        Event::Resumed => "resumed".into(),
        Event::Held => "on hold".into(),
        Event::Retrieved => "off hold".into(),
        Event::HungUp => "hung up".into(),
        Event::Masked { seconds } => format!("masked the last {seconds} s"),
        Event::Private => "private".into(),
        Event::PrivateEnded => "private no more".into(),
        Event::WindowClosed => "recording window closed".into(),
        Event::WindowOpened => "recording window opened".into(),
        Event::Expired { party, .. } => format!("consent ran out{}", of(party)),
        Event::Unusable { said, .. } => format!("“{said}”"),
    }
}

/// The party, unless it is the one that is there from the beginning.
fn of(party: &PartyId) -> String {
    if *party == PartyId::default() { String::new() } else { format!(" ({})", party.0) }
}

/// The stable name of a refusal, as words.
fn refusal_words(refusal: Refusal) -> String {
    let name = serde_json::to_value(refusal).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('_', " ")
}

//! Writing SVG: elements, text that is safe to embed, and how wide text will be.

use std::fmt::Write;

/// Text colour.
pub(super) const INK: &str = "#1f2933";
/// Colour of secondary text.
pub(super) const FAINT: &str = "#5b6670";
/// Background of lanes, and what is not speech.
pub(super) const PALE: &str = "#eef0f2";

/// A drawing in the making. Coordinates are pixels of a picture 1,000 wide.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    out: String,
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) size: f64,
    pub(super) colour: &'static str,
    pub(super) bold: bool,
    pub(super) anchor: Anchor,
}

/// Which point of a text its position means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Style {
    /// Plain text of a size.
    pub(super) fn plain(size: f64) -> Style {
        Style { size, colour: INK, bold: false, anchor: Anchor::Start }
    }

    pub(super) fn bold(self) -> Style {
        Style { bold: true, ..self }
    }

    pub(super) fn faint(self) -> Style {
        Style { colour: FAINT, ..self }
    }

    pub(super) fn coloured(self, colour: &'static str) -> Style {
        Style { colour, ..self }
    }

    pub(super) fn anchored(self, anchor: Anchor) -> Style {
        Style { anchor, ..self }
    }

    /// An upper estimate of the width of `text`, pixels. No font is at hand when a picture is drawn, so this goes by a
    /// wide one (DejaVu Sans); with a narrower one labels stand further apart.
    pub(super) fn width(self, text: &str) -> f64 {
        let weight = if self.bold { 1.12 } else { 1.0 };
        text.chars().map(advance).sum::<f64>() * self.size * weight
    }

    /// `text`, shortened at its end to fit into `width`.
    pub(super) fn fit(self, text: &str, width: f64) -> String {
        let text = clean(text);
        if self.width(&text) <= width {
            return text;
        }
        let mut out = String::new();
        for c in text.chars() {
            if self.width(&out) + (advance(c) + advance('…')) * self.size * 1.12 > width {
                break;
            }
            out.push(c);
        }
        out.push('…');
        out
    }

    /// `text` in lines that fit into `width`, broken at spaces; words that are wider than a line are shortened.
    pub(super) fn wrap(self, text: &str, width: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in clean(text).split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.width(line) + self.width(" ") + self.width(word) <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(self.fit(word, width)),
            }
        }
        lines
    }
}

impl Canvas {
    pub(super) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A filled rectangle. `fill` is a colour or `url(#pattern)`.
    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        let _ = writeln!(
            self.out,
            r#"<rect x="{}" y="{}" width="{}" height="{}" fill="{fill}"/>"#,
            short(x),
            short(y),
            short(width),
            short(height)
        );
    }

    /// Many rectangles (x, y, width, height) of one fill.
    pub(super) fn rects(&mut self, rects: &[[f64; 4]], fill: &str) {
        if rects.is_empty() {
            return;
        }
        let _ = write!(self.out, r#"<path fill="{fill}" d=""#);
        for [x, y, width, height] in rects.iter().copied() {
            let (x, y, width, height) = (short(x), short(y), short(width), short(height));
            let _ = write!(self.out, "M{x} {y}h{width}v{height}h-{width}z");
        }
        self.raw("\"/>\n");
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64) {
        let _ = writeln!(
            self.out,
            r#"<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="{stroke}" stroke-width="{}"/>"#,
            short(from.0),
            short(from.1),
            short(to.0),
            short(to.1),
            short(width)
        );
    }

    /// Text with its baseline at `y`.
    pub(super) fn text(&mut self, x: f64, y: f64, style: Style, text: &str) {
        let anchor = match style.anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let weight = if style.bold { r#" font-weight="bold""# } else { "" };
        let _ = writeln!(
            self.out,
            r#"<text x="{}" y="{}" font-size="{}" fill="{}"{anchor}{weight}>{}</text>"#,
            short(x),
            short(y),
            short(style.size),
            style.colour,
            escape(text)
        );
    }

    /// The picture: `body` in its frame, `title` and `description` for those who listen to pictures.
    pub(super) fn finish(self, width: f64, height: f64, title: &str, description: &str, patterns: &str) -> String {
        let (width, height) = (short(width), short(height));
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="'DejaVu Sans', Verdana, sans-serif" role="img" aria-labelledby="title description">
<title id="title">{}</title>
<desc id="description">{}</desc>
<defs>
{patterns}</defs>
<rect width="{width}" height="{height}" fill="white"/>
{}</svg>
"#,
            escape(title),
            escape(description),
            self.out
        )
    }
}

/// Text that may stand in an element or an attribute. What XML does not allow, and what turns the direction of the text
/// around it (a call's name comes from a file name), becomes U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn clean(text: &str) -> String {
    let unsafe_in_text = |c: char| {
        c.is_control()
            || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{200e}' | '\u{200f}')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    text.chars().map(|c| if unsafe_in_text(c) { '\u{fffd}' } else { c }).collect()
}

/// Width of a character in ems.
fn advance(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.36,
        'f' | 'r' | 't' | '(' | ')' | '-' | '/' | '"' => 0.44,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' | '—' => 1.02,
        'A'..='Z' => 0.75,
        '\0'..='\u{24f}' => 0.65,
        _ => 1.05,
    }
}

/// A number with at most two decimals and no trailing zeros, so that the same picture is the same text.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element() {
        assert_eq!(escape("</text><script>\"'&"), "&lt;/text&gt;&lt;script&gt;&quot;&#39;&amp;");
        assert_eq!(escape("a\u{0}b\u{202e}c\n"), "a\u{fffd}b\u{fffd}c\u{fffd}");
    }

    #[test]
    fn shortened_text_fits() {
        let style = Style::plain(12.0).bold();
        for text in ["", "short", "WWWWWWWWWWWWWWWWWWWWWWWWW", "ålder och ärenden, mycket långt namn på ett samtal"]
        {
            assert!(style.width(&style.fit(text, 100.0)) <= 100.0, "{text}");
            assert!(style.wrap(text, 100.0).iter().all(|line| style.width(line) <= 100.0), "{text}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([short(1.0), short(0.25), short(-0.001), short(10.0)], ["1", "0.25", "0", "10"]);
    }
}

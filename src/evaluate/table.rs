//! A report as two aligned tables for people and as JSON for programs.
//!
//! In a table `-` = could not be measured (nothing to divide by) and `-inf` = digital silence. JSON has neither NaN
//! nor infinities: there the one is `null`, the other the text `"-inf"`.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::leak::{COLUMNS, Figures};
use super::vad::Metrics;
use super::{Report, Row};

/// A column: its name, its value, and how many decimals it is shown with.
type Column = (&'static str, f64, usize);

/// Both tables, per set and if wanted per item, and what could not be scored. Ends with a line break.
pub fn text(report: &Report, per_item: bool) -> String {
    let mut out = String::new();
    section(&mut out, "Voice detector", &lines(&report.voice_sets, voice_columns));
    if per_item {
        section(&mut out, "Voice detector, per item", &lines(&report.voice_items, voice_columns));
    }
    section(&mut out, "What is stored of the agent's channel", &lines(&report.stored_sets, stored_columns));
    if per_item {
        section(&mut out, "What is stored, per item", &lines(&report.stored_items, stored_columns));
    }
    for failed in &report.failed {
        let _ = writeln!(out, "not scored: {}: {}", failed.name, failed.figures);
    }
    if report.passed_over > 0 {
        let _ = writeln!(out, "{} items of kinds that are not scored were passed over", report.passed_over);
    }
    out
}

/// The report as one JSON object; figures under the columns' names, by set and by item.
pub fn json(report: &Report) -> Value {
    json!({
        "voice": { "sets": object(&report.voice_sets, voice_values), "items": object(&report.voice_items, voice_values) },
        "stored": { "sets": object(&report.stored_sets, stored_columns), "items": object(&report.stored_items, stored_columns) },
        "failed": report.failed.iter().map(|row| json!({ "id": row.name, "cause": row.figures })).collect::<Vec<_>>(),
        "passed_over": report.passed_over,
    })
}

// As printed: shares as 0..1 with three decimals, but two of them in percent, as the reference scorer has it.
fn voice_columns(metrics: &Metrics) -> Vec<Column> {
    let mut columns = voice_values(metrics);
    columns.rotate_right(1);
    for column in &mut columns {
        match column.0 {
            "lost" => *column = ("lost%", column.1 * 100.0, 1),
            "cust" => *column = ("cust%", column.1 * 100.0, 1),
            "seconds" => column.0 = "sec",
            "d50" => column.0 = "d50ms",
            "d90" => column.0 = "d90ms",
            _ => {}
        }
    }
    columns
}

// Under the reference scorer's own keys, unscaled.
fn voice_values(metrics: &Metrics) -> Vec<Column> {
    vec![
        ("prec", metrics.precision, 3),
        ("rec", metrics.recall, 3),
        ("F1", metrics.f1, 3),
        ("FA", metrics.false_alarm, 3),
        ("miss", metrics.miss, 3),
        ("acc", metrics.accuracy, 3),
        ("d50", metrics.delay50_ms, 0),
        ("d90", metrics.delay90_ms, 0),
        ("lost", metrics.lost, 1),
        ("over50", metrics.overhang50_ms, 0),
        ("cust", metrics.customer, 1),
        ("seconds", metrics.seconds, 0),
    ]
}

fn stored_columns(figures: &Figures) -> Vec<Column> {
    COLUMNS.into_iter().zip(figures.values()).map(|(name, value)| (name, value, 1)).collect()
}

fn lines<T>(rows: &[Row<T>], columns: fn(&T) -> Vec<Column>) -> Vec<Vec<String>> {
    let Some(first) = rows.first() else { return Vec::new() };
    let head = columns(&first.figures).into_iter().map(|(name, ..)| name.to_string());
    let mut lines = vec![std::iter::once(String::new()).chain(head).collect()];
    for row in rows {
        let cells = columns(&row.figures).into_iter().map(|(_, value, decimals)| shown(value, decimals));
        lines.push(std::iter::once(row.name.clone()).chain(cells).collect::<Vec<_>>());
    }
    lines
}

fn shown(value: f64, decimals: usize) -> String {
    match value {
        value if value.is_nan() => "-".to_string(),
        value if value.is_infinite() => "-inf".to_string(),
        value => {
            let text = format!("{value:.decimals$}");
            // what rounds to zero has no sign
            if text.starts_with("-0") && text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.')) {
                text[1..].to_string()
            } else {
                text
            }
        }
    }
}

fn section(out: &mut String, title: &str, lines: &[Vec<String>]) {
    let Some(head) = lines.first() else { return };
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let _ = writeln!(out, "{title}");
    for line in lines {
        let mut text = String::new();
        for (nth, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let _ = if nth == 0 { write!(text, "  {cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
    out.push('\n');
}

fn object<T>(rows: &[Row<T>], columns: fn(&T) -> Vec<Column>) -> Value {
    let figures = |row: &Row<T>| -> Map<String, Value> {
        columns(&row.figures).into_iter().map(|(name, value, _)| (name.to_string(), number(value))).collect()
    };
    Value::Object(rows.iter().map(|row| (row.name.clone(), Value::Object(figures(row)))).collect())
}

fn number(value: f64) -> Value {
    if value == f64::NEG_INFINITY { json!("-inf") } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{ItemScore, leak, vad};

    fn report() -> Report {
        let counts = vad::Counts { hits: 150, false_alarms: 50, rejections: 100, ..vad::Counts::default() };
        let figures = leak::Figures {
            residual_db: f64::NEG_INFINITY,
            retained_db: -0.04,
            kept_percent: 99.25,
            ..leak::Figures::unmeasured()
        };
        let score = |set: &str, id: &str| ItemScore {
            id: id.to_string(),
            set: set.to_string(),
            voice: Some(counts.clone()),
            stored: Some(figures),
        };
        Report::of(&[score("call-clean", "c1"), score("x", "c2")])
    }

    #[test]
    fn columns_are_aligned_and_what_was_not_measured_is_a_dash() {
        let text = text(&report(), false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            "              sec   prec    rec     F1     FA   miss    acc  d50ms  d90ms  lost%  over50  cust%"
        );
        assert_eq!(
            lines[2],
            "  call-clean    3  0.750  1.000  0.857  0.333  0.000  0.833      -      -      -       -      -"
        );
        assert_eq!(lines[6], lines[6].trim_end());
        let stored: Vec<&str> = lines[7].split_whitespace().collect();
        assert_eq!(stored, ["call-clean", "-", "-inf", "-", "-", "-", "-", "-", "0.0", "99.2", "-", "-"]);
        assert_eq!(lines[7].len(), lines[6].len());
    }

    #[test]
    fn items_are_listed_only_when_wanted_and_failures_always() {
        let mut report = report();
        report.failed.push(Row { name: "c9".to_string(), figures: "no such file".to_string() });
        assert!(!text(&report, false).contains("c1"));
        assert!(text(&report, true).contains("c1"));
        assert!(text(&report, false).contains("not scored: c9: no such file\n"));
    }

    #[test]
    fn json_holds_neither_nan_nor_infinity() {
        let value = json(&report());
        assert_eq!(value["stored"]["sets"]["x"]["resid_dB"], "-inf");
        assert_eq!(value["stored"]["items"]["c2"]["coh_dB"], Value::Null);
        assert_eq!(value["voice"]["sets"]["x"]["prec"], 0.75);
        assert_eq!(value["voice"]["sets"]["x"]["lost"], Value::Null);
    }
}

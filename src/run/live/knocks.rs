//! What listeners count, for metrics: who knocked, what became of their requests, what AudioSocket's clients sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::desk::Desk;
use super::figures::Figure;
use crate::source::audiosocket::{self, Counts};
use crate::source::listen::Knocks;
use crate::source::websocket::Handshakes;

/// A family of counters: its name, what it is, and the label that tells its members apart.
type Family = (&'static str, &'static str, &'static str);

const CONNECTIONS: Family = (
    "oneside_connections_total",
    "Connections to listeners, by what became of them; of SIP over UDP, messages from addresses that are not allowed.",
    "outcome",
);
const REQUESTS: Family =
    ("oneside_websocket_requests_total", "Requests to open a WebSocket, by what became of them.", "outcome");
const FAULTS: Family =
    ("oneside_audiosocket_faults_total", "What AudioSocket's clients sent that is not as it has to be.", "what");

/// Shows who knocked at the listeners of a source.
pub fn show_knocks(desk: &Desk, source: &'static str, knocks: Arc<Knocks>) {
    desk.figures_of(Box::new(move || {
        let Knocks { accepted, not_allowed, too_many, no_handshake } = &*knocks;
        let counted = [
            ("accepted", accepted),
            ("not_allowed", not_allowed),
            ("too_many", too_many),
            ("no_handshake", no_handshake),
        ];
        figures(CONNECTIONS, source, &counted)
    }));
}

/// Shows what became of requests to open a WebSocket.
pub fn show_handshakes(desk: &Desk, source: &'static str, handshakes: Arc<Handshakes>) {
    desk.figures_of(Box::new(move || {
        let Handshakes { opened, unfinished, no_route, unauthorized } = &*handshakes;
        let counted =
            [("opened", opened), ("unfinished", unfinished), ("no_route", no_route), ("unauthorized", unauthorized)];
        figures(REQUESTS, source, &counted)
    }));
}

/// Shows what AudioSocket's clients did wrong.
pub fn show_faults(desk: &Desk, counts: Arc<Counts>) {
    desk.figures_of(Box::new(move || {
        let Counts { unknown, malformed, errors, torn, other_coding, early } = &*counts;
        let counted = [
            ("unknown", unknown),
            ("malformed", malformed),
            ("error", errors),
            ("torn", torn),
            ("other_coding", other_coding),
            ("early", early),
        ];
        figures(FAULTS, audiosocket::SOURCE, &counted)
    }));
}

fn figures((name, help, label): Family, source: &'static str, counted: &[(&'static str, &AtomicU64)]) -> Vec<Figure> {
    let figure = |(which, count): &(&'static str, &AtomicU64)| Figure {
        name,
        part: "",
        kind: "counter",
        help,
        labels: vec![("source", source), (label, *which)],
        value: count.load(Ordering::Relaxed) as f64,
    };
    counted.iter().map(figure).collect()
}

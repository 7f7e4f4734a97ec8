//! Text messages of an AudioHook client, one a line, through the checks of a session.

use oneside::source::wire::audiohook::{Said, Sequence, duration, opened, parse};

/// Whatever is accepted goes on by one and never back; what is answered can be read.
pub fn run(data: &[u8]) {
    let mut sequence = Sequence::default();
    let (mut seq, mut position) = (0, 0);
    for line in String::from_utf8_lossy(data).lines() {
        let _ = duration(line);
        let Ok(message) = parse(line) else { continue };
        if sequence.accept(&message).is_err() {
            continue;
        }
        assert_eq!(message.seq, seq + 1);
        assert!(message.position_nanos >= position);
        (seq, position) = (message.seq, message.position_nanos);
        let answer = match &message.said {
            Said::Open(open) => sequence.message("opened", opened(open.offers.first(), true)),
            _ => sequence.message("pong", serde_json::json!({})),
        };
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("what we say is JSON");
        assert_eq!(answer["clientseq"], seq);
    }
}

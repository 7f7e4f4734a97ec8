//! What an rtpengine answers.

use oneside::source::wire::bencode::Value;
use oneside::source::wire::ng::{Answer, Selector, accept, answer, find, offer};

/// The bytes are an answer to the request with the cookie `c`.
pub fn run(data: &[u8]) {
    if let Some(value) = Value::read(data) {
        let mut written = Vec::new();
        value.write(&mut written);
        assert_eq!(Value::read(&written), Some(value), "what is written is read");
    }
    let Some(Answer::Ok(value)) = answer(data, "c") else { return };
    for party in [Selector::Label("agent".into()), Selector::Tag("agent".into())] {
        if let Some(tag) = find(&value, &party) {
            assert!(!matches!(party, Selector::Tag(wanted) if wanted != tag));
        }
    }
    let Ok(offer) = offer(&value, "agent") else { return };
    for transcode in [false, true] {
        let sdp = accept(&offer.media, "127.0.0.1:4000".parse().expect("an address"), transcode);
        assert!(sdp.contains("m=audio 4000 RTP/AVP") && sdp.ends_with("a=recvonly\r\n"));
    }
}

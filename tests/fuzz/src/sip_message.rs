//! SIP from the network: a stream that is framed, a datagram, and what is answered.

use std::net::SocketAddr;

use oneside::source::wire::sip::{
    Answer, Framed, HEAD_BYTES_MAX, HEADERS_MAX, MESSAGE_BYTES_MAX, Message, Request, Start, frame,
};

/// The bytes are a stream, and a datagram.
pub fn run(data: &[u8]) {
    let mut stream = data;
    loop {
        match frame(stream) {
            Framed::Blank { bytes, .. } => {
                assert!(bytes > 0 && bytes <= stream.len(), "empty lines are something");
                stream = &stream[bytes..];
            }
            Framed::Message { bytes } => {
                assert!(bytes > 0 && bytes <= stream.len().min(MESSAGE_BYTES_MAX), "a message is within the stream");
                message(&stream[..bytes]);
                stream = &stream[bytes..];
            }
            Framed::More | Framed::Broken(_) => break,
        }
    }
    message(data);
}

fn message(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    // An answer is a little longer than what it answers.
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    if bytes.len() > HEAD_BYTES_MAX / 2 || lines > HEADERS_MAX / 2 {
        return;
    }
    let from: SocketAddr = ([192, 0, 2, 1], 5_070).into();
    let (message, whole) = match Request::of(message) {
        Ok(request) => (request.message, true),
        Err((message, _)) => (message, false),
    };
    let answer = Answer::new(200).with("Contact", "<sip:srs@192.0.2.9>;+sip.srs").to(&message, from, "t1");
    assert!(matches!(frame(&answer), Framed::Message { bytes } if bytes == answer.len()), "an answer is one message");
    let read = Message::parse(&answer).expect("an answer can be read");
    assert_eq!(read.start, Start::Response { code: 200 });
    if whole {
        let echoed = |name: &'static str| read.header(name) == message.header(name);
        assert!(echoed("Call-ID") && echoed("From") && echoed("CSeq"), "what makes the transaction is echoed");
        assert!(
            read.header("Via").is_some_and(|via| via.contains(";received=192.0.2.1")),
            "where it came from is told"
        );
    }
}

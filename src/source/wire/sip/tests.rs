//! Messages as they are captured, as the RFC allows them, and as nobody should send them.

use std::net::SocketAddr;

use super::*;

const INVITE: &[u8] = include_bytes!("../../../../tests/fuzz/seeds/sip_message/opensips-invite");

fn request(text: &str) -> Request {
    Request::of(Message::parse(text.as_bytes()).unwrap()).unwrap()
}

fn simple(method: &str, more: &str) -> String {
    format!(
        "{method} sip:srs SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=f\r\n\
         To: <sip:b>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{more}\r\n"
    )
}

#[test]
fn an_invite_of_opensips_is_read() {
    assert_eq!(frame(INVITE), Framed::Message { bytes: INVITE.len() });
    let invite = Request::of(Message::parse(INVITE).unwrap()).unwrap();
    assert_eq!((invite.method.as_str(), invite.uri.as_str()), ("INVITE", "sip:127.0.0.1:5090"));
    assert_eq!(invite.hop.branch, "z9hG4bK81c4.ab8c3b61.0");
    assert_eq!((invite.hop.sent_by.as_str(), invite.hop.rport), ("127.0.0.1:5060", false));
    assert_eq!((invite.cseq, invite.to_tag), (2, None));
    assert_eq!(invite.call_id, "B2B.263.8093503.1795291255.999391364");
    assert_eq!(invite.message.words("Require").collect::<Vec<_>>(), ["siprec"]);
    assert_eq!(invite.message.body.len(), 2_283);
    assert_eq!(address(invite.message.header("Contact").unwrap()), Some("sip:127.0.0.1:5060"));
}

#[test]
fn compact_names_folded_lines_several_vias_and_a_telephone_number_are_read() {
    let text = "INVITE sip:srs SIP/2.0\r\nv: SIP/2.0/TCP [2001:db8::1]:5061;branch=z9hG4bKa;rport, SIP/2.0/UDP b\r\n\
                v: SIP/2.0/UDP c;branch=z9hG4bKb\r\nf: \"a <x>;tag=no\" <tel:+441632960000;ext=1>\r\n ;tag=yes\r\n\
                t: <sip:b>\r\ni: call\r\nCSeq: 12\tINVITE\r\nk: siprec,\r\n timer\r\nl: 3\r\n\r\nabcdef";
    let read = request(text);
    assert_eq!((read.from_tag.as_str(), read.cseq), ("yes", 12));
    assert_eq!(read.message.words("Supported").collect::<Vec<_>>(), ["siprec", "timer"]);
    assert_eq!(&read.message.body[..], b"abc");
    assert_eq!((read.hop.sent_by.as_str(), read.hop.rport), ("2001:db8::1:5061", true));
    let from: SocketAddr = "192.0.2.7:4000".parse().unwrap();
    let answer = String::from_utf8(Answer::new(200).to(&read.message, from, "mine")).unwrap();
    assert!(
        answer.contains(
            "Via: SIP/2.0/TCP [2001:db8::1]:5061;branch=z9hG4bKa;rport=4000;received=192.0.2.7, SIP/2.0/UDP b\r\n\
             Via: SIP/2.0/UDP c;branch=z9hG4bKb\r\n"
        ),
        "{answer}"
    );
    assert!(answer.contains("\r\nTo: <sip:b>;tag=mine\r\n"), "{answer}");
    assert!(answer.contains("\r\nFrom: \"a <x>;tag=no\" <tel:+441632960000;ext=1> ;tag=yes\r\n"), "{answer}");
}

#[test]
fn a_method_is_its_whole_word() {
    assert_eq!(request(&simple("BYEBYE", "")).method, "BYEBYE");
    let crossed = simple("BYE", "").replace("CSeq: 1 BYE", "CSeq: 1 INVITE");
    assert_eq!(Request::of(Message::parse(crossed.as_bytes()).unwrap()).unwrap_err().1, "CSeq");
}

#[test]
fn what_a_request_must_have_is_missed() {
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let text: String =
            simple("OPTIONS", "").split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect();
        assert_eq!(Request::of(Message::parse(text.as_bytes()).unwrap()).unwrap_err().1, name);
    }
    let many = simple("OPTIONS", &"X: y\r\n".repeat(HEADERS_MAX));
    assert_eq!(Message::parse(many.as_bytes()).unwrap_err(), Unreadable::TooLong);
    let long = simple("OPTIONS", &format!("X: {}\r\n", "y".repeat(HEAD_BYTES_MAX)));
    assert_eq!(Message::parse(long.as_bytes()).unwrap_err(), Unreadable::TooLong);
    let cut = simple("OPTIONS", "Content-Length: 5\r\n");
    assert_eq!(Message::parse(cut.as_bytes()).unwrap_err(), Unreadable::BodyCut);
    for line in
        ["", "\r\n\r\n", "INVITE sip:a HTTP/1.1\r\n\r\n", "INVITE\r\n\r\n", "SIP/2.0 99 Low\r\n\r\n", "A b c d\r\n\r\n"]
    {
        assert!(Message::parse(line.as_bytes()).is_err(), "{line:?}");
    }
}

#[test]
fn a_stream_is_cut_into_messages_and_lies_about_lengths_end_it() {
    let one = simple("OPTIONS", "Content-Length: 2\r\n") + "ab";
    for cut in 0..one.len() {
        assert_eq!(frame(&one.as_bytes()[..cut]), Framed::More, "{cut}");
    }
    let two = format!("{one}\r\n\r\n{one}");
    assert_eq!(frame(two.as_bytes()), Framed::Message { bytes: one.len() });
    assert_eq!(frame(&two.as_bytes()[one.len()..]), Framed::Blank { bytes: 4, ping: true });
    for (lie, why) in [
        ("", "no Content-Length"),
        ("Content-Length: -1\r\n", "bad Content-Length"),
        ("Content-Length: 99999999999999999999\r\n", "bad Content-Length"),
        ("Content-Length: 900000\r\n", "message too long"),
        ("Content-Length: 0\r\nl: 9\r\n", "two Content-Lengths"),
    ] {
        assert_eq!(frame(simple("OPTIONS", lie).as_bytes()), Framed::Broken(why));
    }
    assert_eq!(frame(&vec![b'a'; HEAD_BYTES_MAX + 1]), Framed::Broken("head too long"));
}

#[test]
fn an_answer_cannot_be_broken_out_of() {
    let answer = Answer::new(503).with("Retry-After", "5\r\nX: y");
    let text = String::from_utf8(answer.to(&request(&simple("INVITE", "")).message, "[::1]:1".parse().unwrap(), "t"));
    let text = text.unwrap();
    assert!(text.contains("\r\nRetry-After: 5X: y\r\n"), "{text}");
    assert!(text.starts_with(
        "SIP/2.0 503 Service Unavailable\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;received=::1\r\n"
    ));
}

#[test]
fn values_are_taken_apart_with_heed_to_quotes() {
    assert_eq!(address("\"a <b>, \\\" c\" <sip:x@y;z=1>;tag=2").unwrap(), "sip:x@y;z=1");
    assert_eq!(address("sip:x@y;tag=2"), Some("sip:x@y"));
    assert_eq!(address("<>"), None);
    assert_eq!(param("\"a;tag=1\" <sip:x;tag=2>;q;TAG = 3", "tag").as_deref(), Some("3"));
    assert_eq!(param("sip:x;tag=4", "tag").as_deref(), Some("4"));
    assert_eq!(param("<sip:x>", "tag"), None);
    assert_eq!(pieces("a,\"b,c\",d", ',').collect::<Vec<_>>(), ["a", "\"b,c\"", "d"]);
}

//! What session recording clients send: captured, bent, and contradicting itself.

use super::*;
use crate::source::wire::payload::{Codec, Kind};

const BODY: &[u8] = include_bytes!("../../../../tests/fuzz/seeds/siprec_body/opensips");
const KIND: &str = "multipart/mixed;boundary=x";

fn rules(aor: &[&str], label: &[&str]) -> AgentRules {
    let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text).unwrap()).collect();
    AgentRules { aor: patterns(aor), label: patterns(label) }
}

fn opensips() -> Body {
    Body::parse(Some(KIND), BODY).unwrap()
}

fn changed(change: impl Fn(&str) -> String) -> Body {
    Body::parse(Some(KIND), change(std::str::from_utf8(BODY).unwrap()).as_bytes()).unwrap()
}

fn who(body: &Body, rules: &AgentRules) -> Result<(usize, Option<usize>), Doubt> {
    sides(body.offer.as_ref().unwrap(), body.metadata.as_ref(), rules).map(|sides| (sides.agent, sides.customer))
}

#[test]
fn the_chain_from_label_to_address_is_followed() {
    let body = opensips();
    let found = sides(body.offer.as_ref().unwrap(), body.metadata.as_ref(), &rules(&["sip:agent@*"], &[])).unwrap();
    assert_eq!((found.agent, found.customer), (0, Some(1)));
    assert_eq!(found.agent_aor.as_deref(), Some("sip:agent@127.0.0.1:5081"));
    assert_eq!(found.customers, [("xTAPonvXSFS9HDtSCK8RZg==".into(), Some("sip:cust@127.0.0.1:5060".into()))]);
    // The same offer the other way round, by metadata alone: positions mean nothing.
    let swapped = changed(|text| {
        text.replace("a=label:1", "a=label:9").replace("a=label:0", "a=label:1").replace("a=label:9", "a=label:0")
    });
    assert_eq!(who(&swapped, &rules(&["sip:agent@*"], &[])), Ok((1, Some(0))));
    assert_eq!(who(&body, &rules(&["sip:cust@*"], &[])), Ok((1, Some(0))));
}

#[test]
fn offers_are_read() {
    let offer = opensips().offer.unwrap();
    let [agent, customer] = offer.media.as_slice() else { panic!("{offer:?}") };
    assert_eq!((agent.port, customer.port), (31_036, 31_048));
    assert_eq!((agent.label.as_deref(), customer.label.as_deref()), (Some("1"), Some("0")));
    assert_eq!(agent.address, Some([127, 0, 0, 1].into()));
    let payloads = [(0, Kind::Sound(Codec::Pcmu)), (101, Kind::Keys { clock_hz: 8_000 })];
    assert!(agent.payloads.iter().eq(payloads), "{agent:?}");
    assert!(agent.audio && agent.direction == Direction::Sends);
}

#[test]
fn hold_is_read_in_all_its_ways() {
    for (from, to) in
        [("a=sendonly", "a=inactive"), ("a=sendonly", "a=recvonly"), ("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0")]
    {
        let held = changed(|text| text.replacen(from, to, 1));
        let directions: Vec<_> = held.offer.unwrap().media.iter().map(|media| media.direction).collect();
        assert_eq!(directions, [Direction::Silent, Direction::Sends], "{to}");
    }
}

#[test]
fn metadata_is_read_with_prefixes_in_either_type_in_drafts_and_in_lf() {
    let prefixed = changed(|text| {
        let (head, xml) = text.split_once("<recording").unwrap();
        let xml = format!("<recording{xml}").replace("</", "</rs:").replace("xmlns=", "xmlns:rs=");
        let mut out = String::new();
        for (at, part) in xml.split('<').enumerate() {
            let opens = at > 0 && !part.starts_with('/');
            out += &format!("{}{}{part}", if at > 0 { "<" } else { "" }, if opens { "rs:" } else { "" });
        }
        head.to_owned() + &out
    });
    assert_eq!(prefixed.metadata, opensips().metadata);
    for other in [
        changed(|text| text.replace("rs-metadata+xml", "rs-metadata")),
        changed(|text| text.replace("\r\n", "\n")),
        changed(|text| text.replace("application/rs-metadata+xml", "Application/RS-Metadata+XML; charset=utf-8")),
        changed(|text| text.replace("--x--", "")),
    ] {
        assert_eq!(other, opensips());
    }
    let draft = br#"<recording xmlns="urn:ietf:params:xml:ns:recording"><dataMode>Complete</dataMode>
        <participant id="p1" session="s"><nameID aor="sip:agent@x"><name>A</name></nameID><send>m1</send></participant>
        <participant id="p2"><aor>sip:c@y</aor><send>m2</send><recv>m1</recv></participant>
        <stream id="m1"><label>96</label></stream><stream id="m2"><label>97</label></stream></recording>"#;
    let draft = Metadata::parse(draft).unwrap();
    assert_eq!(draft.participants["p1"], Participant { aors: vec!["sip:agent@x".into()], sends: vec!["m1".into()] });
    assert_eq!(draft.participants["p2"], Participant { aors: vec!["sip:c@y".into()], sends: vec!["m2".into()] });
    assert_eq!(draft.labelled("97").collect::<Vec<_>>(), ["m2"]);
}

#[test]
fn labels_of_any_shape_are_matched_as_texts() {
    let body = changed(|text| {
        let text =
            text.replace("a=label:1", "a=label:1/a_leg/inbound/10").replace("a=label:0", "a=label:1/b_leg/outbound/11");
        text.replace("<label>1<", "<label>1/a_leg/inbound/10<").replace("<label>0<", "<label> 1/b_leg/outbound/11 <")
    });
    assert_eq!(who(&body, &rules(&["sip:agent@*"], &[])), Ok((0, Some(1))));
    assert_eq!(who(&body, &rules(&[], &["1/a_leg/*"])), Ok((0, Some(1))));
    assert_eq!(who(&body, &rules(&[], &["*_leg/*"])), Err(Doubt::Unknown("both streams have labels of agents")));
}

#[test]
fn without_metadata_only_a_label_tells() {
    let bare = changed(|text| text.split("--x\r\nContent-Type: application/rs").next().unwrap().to_owned() + "--x--");
    assert_eq!(bare.metadata, None);
    assert!(matches!(who(&bare, &rules(&["sip:agent@*"], &[])), Err(Doubt::Unknown(_))));
    assert_eq!(who(&bare, &rules(&[], &["1"])), Ok((0, Some(1))));
    assert_eq!(who(&bare, &rules(&["sip:agent@*"], &["0"])), Ok((1, Some(0))));
    assert!(matches!(who(&bare, &rules(&[], &["7"])), Err(Doubt::Unknown(_))));
    let sdp = String::from_utf8_lossy(BODY);
    let sdp = sdp.split("\r\n\r\n").nth(1).unwrap();
    assert_eq!(Body::parse(Some("application/sdp"), sdp.as_bytes()).unwrap().offer, bare.offer);
}

#[test]
fn what_contradicts_or_is_missing_is_never_guessed() {
    let agents = rules(&["sip:agent@*"], &[]);
    let contradicted = |body: &Body, rules: &AgentRules| match who(body, rules) {
        Err(Doubt::Contradicted(what)) => what,
        other => panic!("{other:?}"),
    };
    let unknown = |body: &Body, rules: &AgentRules| match who(body, rules) {
        Err(Doubt::Unknown(what)) => what,
        other => panic!("{other:?}"),
    };
    assert!(contradicted(&opensips(), &rules(&["sip:agent@*"], &["0"])).contains("different streams"));
    let one_label = changed(|text| text.replace("a=label:0", "a=label:1"));
    assert!(contradicted(&one_label, &agents).contains("same label"));
    let twice = changed(|text| text.replace("<label>0<", "<label>1<"));
    assert!(contradicted(&twice, &agents).contains("two streams of one label"));
    let both =
        changed(|text| text.replace("<send>8usqu7yZRPSVD+cHN+TKqQ==</send>", "<send>9BaoTlNZTrOx3qT1hIoMjA==</send>"));
    assert!(contradicted(&both, &agents).contains("an agent and somebody else"), "two people on one stream");
    let self_talk =
        changed(|text| text.replace("<recv>8usqu7yZRPSVD+cHN+TKqQ==</recv>", "<send>8usqu7yZRPSVD+cHN+TKqQ==</send>"));
    assert!(contradicted(&self_talk, &agents).contains("both streams"));
    assert!(contradicted(&self_talk, &rules(&[], &["1"])).contains("both streams"), "whatever the rule");
    assert!(unknown(&opensips(), &rules(&["sip:*@127.0.0.1*"], &[])).contains("both participants"));
    assert!(unknown(&opensips(), &rules(&["sip:*@elsewhere"], &[])).contains("no participant"));
    let other_labels = changed(|text| text.replace("<label>0<", "<label>5<"));
    assert!(unknown(&other_labels, &agents).contains("does not know the label"));
    let no_sender = changed(|text| text.replace("<send>8usqu7yZRPSVD+cHN+TKqQ==</send>", ""));
    assert!(unknown(&no_sender, &agents).contains("who sends"));
    let gone = changed(|text| text.replacen("<send>8us", "<disassociate-time>2026</disassociate-time><send>8us", 1));
    assert!(unknown(&gone, &agents).contains("who sends"));
    let nameless = changed(|text| text.replace("<nameID aor=\"sip:cust@127.0.0.1:5060\"/>", "<nameID/>"));
    assert!(unknown(&nameless, &agents).contains("no address"));
    let three = changed(|text| {
        text.replace(
            "\r\n\r\n--x\r\nContent-Type: application/rs",
            "\r\nm=audio 9000 RTP/AVP 0\r\na=label:3\r\n\r\n--x\r\nContent-Type: application/rs",
        )
    });
    assert_eq!(three.offer.as_ref().unwrap().media.len(), 3);
    assert!(unknown(&three, &agents).contains("more than two"));
    let encrypted = changed(|text| text.replace("RTP/AVP", "RTP/SAVP"));
    assert!(unknown(&encrypted, &agents).contains("no stream of sound"));
}

#[test]
fn an_update_replaces_everything_or_what_it_names() {
    let before = opensips().metadata.unwrap();
    let partial = Metadata::parse(
        b"<recording><datamode>partial</datamode><participant participant_id='new'><nameID aor='sip:n@x'/></participant>\
          <participantstreamassoc participant_id='new'><send>8usqu7yZRPSVD+cHN+TKqQ==</send></participantstreamassoc>\
          <participantstreamassoc participant_id='xTAPonvXSFS9HDtSCK8RZg=='><send>none</send></participantstreamassoc></recording>",
    )
    .unwrap();
    assert!(!partial.complete);
    let merged = before.updated(partial);
    let offer = opensips().offer.unwrap();
    let found = sides(&offer, Some(&merged), &rules(&["sip:agent@*"], &[])).unwrap();
    assert_eq!(found.customers, [("new".into(), Some("sip:n@x".into()))]);
    assert_eq!(merged.session, before.session);
    let complete = Metadata::parse(b"<recording><session session_id='other'/></recording>").unwrap();
    assert_eq!(merged.updated(complete.clone()), complete);
}

#[test]
fn entities_depth_and_size_are_bounded() {
    assert_eq!(
        Metadata::parse(b"<!DOCTYPE r [<!ENTITY a 'b'>]><recording><session session_id='&a;'/></recording>"),
        None
    );
    assert_eq!(Metadata::parse(b"<other/>"), None);
    let deep = format!("<recording>{}{}</recording>", "<a>".repeat(15_000), "</a>".repeat(15_000));
    let _ = Metadata::parse(deep.as_bytes());
    let wide = format!("<recording>{}</recording>", "<a/>".repeat(METADATA_NODES_MAX as usize + 1));
    assert_eq!(Metadata::parse(wide.as_bytes()), None);
    let long = format!("<recording><session session_id='{}'/></recording>", "s".repeat(FIELD_BYTES_MAX + 1));
    assert_eq!(Metadata::parse(long.as_bytes()).unwrap().session, None);
    let unreadable = changed(|text| text.replace("</recording>", ""));
    assert!(unreadable.metadata_unreadable && unreadable.metadata.is_none() && unreadable.offer.is_some());
}

#[test]
fn bodies_that_say_nothing_about_streams_are_refused() {
    let parse = |kind, body: &str| Body::parse(kind, body.as_bytes());
    assert_eq!(parse(Some("text/plain"), "hello"), Err(Unusable::Kind));
    assert_eq!(parse(Some("multipart/mixed"), "--x\r\n\r\n--x--"), Err(Unusable::Parts));
    assert_eq!(parse(Some("multipart/mixed;boundary=y"), "--x\r\n\r\n--x--"), Err(Unusable::Parts));
    assert_eq!(parse(Some("application/sdp"), "hello"), Err(Unusable::Offer));
    assert_eq!(parse(None, " \r\n"), Ok(Body::default()));
    let many = "--x\r\nContent-Type: text/plain\r\n\r\na\r\n".repeat(PARTS_MAX + 1);
    assert_eq!(parse(Some(KIND), &many), Err(Unusable::Parts));
    let two = "--x\nContent-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 1.1.1.1\ns=-\nt=0 0\nm=audio 9 RTP/AVP 0\n"
        .repeat(2);
    assert_eq!(parse(Some(KIND), &two), Err(Unusable::Offer));
}

#[test]
fn an_answer_takes_every_stream_in_its_order() {
    let mut offer = opensips().offer.unwrap();
    offer.media[1].direction = Direction::Silent;
    let text = answer(&offer, &[Accepted::To(40_000), Accepted::To(40_002)], [192, 0, 2, 9].into(), 7, 2);
    assert_eq!(
        text,
        "v=0\r\no=- 7 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=recvonly\r\na=label:1\r\n\
         m=audio 40002 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=inactive\r\na=label:0\r\n"
    );
    offer.media[0].audio = false;
    offer.media[1].port = 0;
    let text = answer(&offer, &[Accepted::Inactive, Accepted::To(1)], [192, 0, 2, 9].into(), 7, 2);
    assert!(text.contains("m=audio 9 RTP/AVP 0 101\r\na=inactive\r\n"), "{text}");
    assert!(text.contains("m=audio 0 RTP/AVP 0 101\r\n"), "{text}");
}

#[test]
fn patterns_match_whole_texts_in_any_case() {
    for (pattern, text, matches) in [
        ("sip:*@agents.example", "sip:Anna@Agents.example", true),
        ("sip:*@agents.example", "sip:anna@agents.example.org", false),
        ("sip:agent@*", "sip:agent@127.0.0.1:5081", true),
        ("sip:agent@*", "sip:myagent@127.0.0.1", false),
        ("*ab*ab*", "xabxaby", true),
        ("*ab*ab*", "xaby", false),
        ("ab*ba", "aba", false),
        ("1", "1", true),
        ("1", "10", false),
    ] {
        assert_eq!(Pattern::new(pattern).unwrap().matches(text), matches, "{pattern} {text}");
    }
    assert_eq!((Pattern::new("*"), Pattern::new(" "), Pattern::new("**")), (None, None, None));
}

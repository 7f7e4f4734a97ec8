//! The configuration that lies in `samples/serve`, as it is but for its ports and its directory: a call by each source that it
//! opens and for which there is a client here is recorded, the customer from her key on.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use super::audiosocket_client::{MESSAGE, id, knock, message, sound, speech};
use super::common::{Scratch, canary};
use super::encode;
use super::rtp_party::{Network, Speaker, as_heard, in_place};
use super::serve_common::{Server, track};
use super::serve_rtp::{announce, wait_until};
use super::siprec_client::{Client as Recorder, Talk};
use super::ws_client::{Client, paced};

const SAMPLE: &str = include_str!("../../samples/serve/media-server.toml");
/// When the customer is told, and when her key is pressed: s and packets of 20 ms.
const TOLD_S: f64 = 2.5;
const KEY: usize = 210;
const SECONDS: usize = 7;
/// A grant counts from so many samples behind the key at most: sound of a WebSocket may have waited for 2 s on its way
/// (`worst_buffering_ms`) and was then spoken before the key; and a busy machine may be late itself.
const WITHIN: i64 = 8_000 * 26 / 10;

/// The sample with free ports and this directory.
fn text(out: &str) -> String {
    let mut text = SAMPLE.to_owned();
    let ports = ["127.0.0.1:8741", "127.0.0.1:9092", "127.0.0.1:5090", "127.0.0.1:9300"];
    for (written, ours) in ports.map(|port| (port, "127.0.0.1:0")).into_iter().chain([
        ("\"40000-44999\"", "\"0\""),
        ("out = \"recordings\"", &*format!("out = {out:?}")),
        // The machine of the tests may have less.
        ("free_min_mib = 512", "free_min_mib = 1"),
    ]) {
        assert!(text.contains(written), "the sample has {written}");
        text = text.replace(written, ours);
    }
    text
}

struct Call<'a> {
    server: &'a Server,
    name: &'a str,
    agent: Vec<i16>,
    customer: Vec<i16>,
    began: Instant,
}

impl Call<'_> {
    fn told(&self) {
        self.server.wait_in_hand(self.name);
        self.server.ask(self.name, "told", json!({ "notice": "std", "version": 1 }));
    }

    /// Two connections with a message of each every 20 ms; the last argument is true when the key is pressed.
    fn talk(&self, mut send: impl FnMut(&[i16], &[i16], bool)) {
        paced(SECONDS * 50, Duration::from_millis(20), |n| {
            if n == (TOLD_S * 50.0) as usize {
                self.told();
            }
            let piece = n * MESSAGE..(n + 1) * MESSAGE;
            send(&self.agent[piece.clone()], &self.customer[piece], n == KEY);
        });
    }

    fn by_audiosocket(&self, to: SocketAddr) {
        self.server.expect(json!({ "source": "audiosocket", "call": self.name, "agent": id(1), "customer": id(2) }));
        let (mut agent, mut customer) = (knock(to, &id(1)), knock(to, &id(2)));
        self.talk(|a, c, key| {
            agent.write_all(&sound(a)).unwrap();
            customer.write_all(&sound(c)).unwrap();
            if key {
                customer.write_all(&message(0x03, b"1")).unwrap();
            }
        });
    }

    fn by_rtp(&self) {
        let (to_agent, to_customer) = announce(self.server, self.name);
        let key = [(KEY as u64 * 20, 1)];
        let speakers = [(to_agent, &self.agent, &[][..], 1), (to_customer, &self.customer, &key, 2)];
        let speakers =
            speakers.map(|(to, sound, keys, seed)| Speaker::begin(to, sound.clone(), keys, Network::default(), seed));
        wait_until(self.began, TOLD_S);
        self.told();
        wait_until(self.began, SECONDS as f64);
        speakers.into_iter().for_each(|speaker| drop(speaker.end()));
        assert_eq!(self.server.request("DELETE", &format!("/v1/expected/{}", self.name), None).0, 204);
    }

    fn by_siprec(&self, to: SocketAddr, tcp: bool) {
        let mut client = Recorder::new(to, tcp, self.name);
        client.invite(str::to_owned);
        let talk = Talk::begin(&client.ports, [self.agent.clone(), self.customer.clone()]);
        talk.wait(TOLD_S);
        self.told();
        talk.wait(KEY as f64 / 50.0);
        talk.press();
        talk.wait(SECONDS as f64 - 0.1);
        talk.end();
        client.bye();
    }

    fn by_websocket(&self, to: SocketAddr) {
        let [mut agent, mut customer] = ["agent", "customer"].map(|side| {
            let mut client = Client::open(to, &format!("/asterisk/{side}"), &["Sec-WebSocket-Protocol: media"]);
            let variables = json!({ "ONESIDE_CALL": self.name });
            client.text(
                &json!({ "event": "MEDIA_START", "connection_id": side, "channel": "WebSocket/rec1/0x7f",
                "channel_id": format!("1.{side}"), "format": "ulaw", "optimal_frame_size": 160, "ptime": 20,
                "channel_variables": variables })
                .to_string(),
            );
            client
        });
        let law = |samples: &[i16]| encode::body(samples, |v, out| out.push(encode::mulaw(v)));
        self.talk(|a, c, key| {
            agent.binary(&law(a));
            customer.binary(&law(c));
            if key {
                customer.text(r#"{"event":"DTMF_END","channel_id":"1.customer","digit":"1"}"#);
            }
        });
        agent.close(1001);
        customer.close(1001);
    }
}

#[test]
fn the_sample_records_a_call_by_each_of_its_sources() {
    let scratch = Scratch::new("serve-sample");
    let out = scratch.at("out");
    let text = text(&out.display().to_string());
    let mut server = Server::start_with_text(&[], scratch, out, &text);
    let [audiosocket, udp, tcp, websocket] =
        ["audiosocket", "siprec/udp", "siprec/tcp", "websocket"].map(|source| server.address_of(source));
    const CALLS: [&str; 5] = ["as-1", "rtp-1", "aaaa0000cccc0001", "aaaa0000cccc0002", "ws-1"];
    let began = Instant::now();
    let calls = CALLS.map(|name| {
        let number = CALLS.iter().position(|call| *call == name).unwrap();
        // She speaks from 3.4 s on.
        let customer = canary(SECONDS + 4, 80 + number as u64)[4 * 8_000..].to_vec();
        let agent = speech(SECONDS, number);
        Call { server: &server, name, agent, customer, began }
    });
    std::thread::scope(|scope| {
        let [by_audiosocket, by_rtp, by_udp, by_tcp, by_websocket] = &calls;
        scope.spawn(move || by_audiosocket.by_audiosocket(audiosocket));
        scope.spawn(|| by_rtp.by_rtp());
        scope.spawn(move || by_udp.by_siprec(udp, false));
        scope.spawn(move || by_tcp.by_siprec(tcp, true));
        scope.spawn(move || by_websocket.by_websocket(websocket));
    });
    let mut stored_as = Vec::new();
    for Call { name, agent, customer, .. } in &calls {
        let ended = server.wait_ended(name);
        assert_eq!(ended["result"], "recorded", "{ended}");
        let name = ended["stored_as"].as_str().unwrap();
        assert_eq!(name.matches('/').count(), 3, "a directory for each day: {name}");
        let law = *name.rsplit('/').next().unwrap() != *CALLS[0];
        let heard = |sent: &[i16]| if law { as_heard(sent) } else { sent.to_vec() };
        let (first, last) = in_place(&track(&server.out.join(format!("{name}.agent.wav"))), &heard(agent));
        assert!(first < 8_000 && last + 8_000 > agent.len(), "{name}: the agent from {first} to {last}");
        let (first, last) = in_place(&track(&server.out.join(format!("{name}.customer.wav"))), &heard(customer));
        let pressed = KEY * MESSAGE;
        let late = first as i64 - pressed as i64;
        assert!(late >= -(MESSAGE as i64) && late < WITHIN, "{name}: the customer from {first}");
        // Nothing withdrew it: it goes on to the end of the call, less what a busy machine was late by.
        assert!(last > 6 * 8_000, "{name}: the customer to {last}");
        stored_as.push(name.to_owned());
    }
    drop(calls);
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    for name in stored_as {
        let manifest = scratch.json(&format!("out/{name}.json"));
        assert_eq!(manifest["live"]["reference"], "guard", "{manifest}");
    }
    scratch.run(&["verify", "out"]).ends(0);
}

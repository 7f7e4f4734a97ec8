//! A session recording server under calls of a client as OpenSIPS is one, over UDP and TCP: one-sided until the key, two-sided
//! until it is taken back; nothing of a customer who did not say yes, nothing at all of a call in doubt.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::common::{Scratch, agent, canary};
use super::encode;
use super::hunt::{Hunt, likeness};
use super::serve_common::{Server, tone_dbfs, track};
use super::siprec_client::{Client, Talk};
use super::tls_client::{Certified, Tls, connect};

const TOP: &str = "purposes = [\"training\"]\non_withdrawal = \"keep\"\n";
const RATE: usize = 8_000;

fn source(more: &str) -> String {
    format!(
        "[serve.rtp]\nports = \"0\"\n[serve.siprec]\nlisten_udp = \"127.0.0.1:0\"\nlisten_tcp = \"127.0.0.1:0\"\n\
         agent_aor = [\"sip:agent@*\", \"sip:*@agents.example\"]\n{more}"
    )
}

/// The sources of a server that is spoken to behind TLS.
pub(super) fn behind_tls(certified: &Certified) -> String {
    format!(
        "[serve.rtp]\nports = \"0\"\n[serve.siprec]\nlisten_tls = \"127.0.0.1:0\"\n{}agent_label = \"1\"\n",
        certified.keys()
    )
}

/// Such a server, and a connection to it.
fn over_tls(name: &str, top: &str) -> (Server, Tls) {
    let scratch = Scratch::new(name);
    let certified = Certified::new(&scratch, "srs");
    let out = scratch.at("out");
    let mut server = Server::start_in(scratch, out, top, &behind_tls(&certified));
    let tls = connect(server.address_of("siprec/tls"), &certified.authority).unwrap();
    (server, tls)
}

fn as_it_is(body: &str) -> String {
    body.to_owned()
}

/// The customer's leg is inactive, as in the second re-INVITE of a hold.
fn held(body: &str) -> String {
    let at = body.rfind("a=sendonly").unwrap();
    format!("{}a=inactive{}", &body[..at], &body[at + "a=sendonly".len()..])
}

fn addresses(server: &mut Server) -> [SocketAddr; 2] {
    [server.address_of("siprec/udp"), server.address_of("siprec/tcp")]
}

/// A tone of −6 dB.
fn tone(seconds: usize, hz: f64) -> Vec<i16> {
    let sample = |n: usize| (std::f64::consts::TAU * hz * n as f64 / RATE as f64).sin() * 16_384.0;
    (0..seconds * RATE).map(|n| sample(n) as i16).collect()
}

fn manifest(out: &std::path::Path, call: &str) -> Value {
    let text = fs::read_to_string(out.join(format!("{call}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The dBFS of 1000 Hz in each tenth of a second.
fn tenths(sound: &[i16]) -> Vec<f64> {
    sound.chunks(RATE / 10).map(|tenth| tone_dbfs(tenth, RATE as u32, 1_000.0)).collect()
}

/// A customer of whom every half second has a tone of its own: what is kept tells when it was spoken.
fn scale(seconds: usize) -> Vec<i16> {
    (0..seconds * 2).flat_map(|half| tone(1, note(half)).into_iter().take(RATE / 2)).collect()
}

fn note(half: usize) -> f64 {
    700.0 + 90.0 * half as f64
}

/// Which half seconds of [`scale`] are in there.
fn kept(sound: &[i16], halves: usize) -> Vec<usize> {
    let heard = |half: &usize| sound.chunks(RATE / 10).any(|tenth| tone_dbfs(tenth, RATE as u32, note(*half)) > -20.0);
    (0..halves).filter(heard).collect()
}

#[test]
fn the_customer_is_kept_from_the_yes_to_the_withdrawal_and_not_a_moment_longer() {
    let mut server =
        Server::start_with("siprec-consent", &format!("{TOP}[keys]\n1 = \"grant\"\n9 = \"withdraw\"\n"), &source(""));
    for (to, call) in addresses(&mut server).into_iter().zip(["aaaa0000bbbb0001", "aaaa0000bbbb0002"]) {
        let mut client = Client::new(to, call.ends_with('2'), call);
        client.invite(as_it_is);
        server.wait_in_hand(call);
        let customer = scale(9);
        let talk = Talk::begin(&client.ports, [agent(9), customer.clone()]);
        talk.wait(1.0);
        server.ask(call, "told", json!({ "notice": "std", "version": 3 }));
        talk.wait(1.5);
        // The one by her key, the other by the API.
        let pressed = call.ends_with('1').then(|| talk.press());
        talk.wait(2.0);
        let granted = match pressed {
            Some(at) => at,
            None => {
                server.ask(call, "granted", json!({ "act": "dtmf", "digit": "1", "purpose": "training" }));
                talk.spoken()
            }
        };
        talk.wait(5.0);
        server.ask(call, "withdrawn", json!({}));
        let withdrawn = talk.spoken();
        talk.wait(7.0);
        talk.end();
        client.bye();
        server.wait_ended(call);
        let manifest = manifest(&server.out, call);
        assert_eq!(manifest["result"], "recorded", "{manifest}");
        let agent = track(&server.out.join(format!("{call}.agent.wav")));
        assert!(agent.len() > 6 * RATE, "{} samples", agent.len());
        assert!(agent.iter().filter(|sample| **sample != 0).count() > RATE, "the agent is kept");
        assert!(likeness(&agent, &customer, 800) < 0.1, "the customer is not in the agent's track");
        let kept = kept(&track(&server.out.join(format!("{call}.customer.wav"))), 18);
        let (from, until) = (|half: usize| half as f64 / 2.0, |half: usize| (half + 1) as f64 / 2.0);
        for half in 0..18 {
            if until(half) <= granted || from(half) >= withdrawn {
                assert!(!kept.contains(&half), "granted at {granted}, withdrawn at {withdrawn}, kept {kept:?}");
            }
            if from(half) >= granted + 1.2 && until(half) <= withdrawn - 1.0 {
                assert!(kept.contains(&half), "granted at {granted}, withdrawn at {withdrawn}, kept {kept:?}");
            }
        }
    }
    let (code, said, _scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
}

#[test]
fn nothing_of_a_customer_who_said_nothing_is_anywhere_however_the_client_writes_its_metadata() {
    let more = "agent_label = \"1\"\nagent_id = \"aor-user\"\n";
    let prefixed = |body: &str| {
        let (head, xml) = body.split_once("<recording").unwrap();
        let xml = format!("<recording{xml}").replace("</", "@@").replace('<', "<rs:").replace("@@", "</rs:");
        head.to_owned() + &xml.replace("xmlns=", "xmlns:rs=")
    };
    let bare = |body: &str| body.split("--x\r\nContent-Type: application/rs").next().unwrap().to_owned() + "--x--\r\n";
    let numbers = |body: &str| body.replace("sip:cust@127.0.0.1:5060", "sip:+441632960123@127.0.0.1");
    let cases: [(&str, &(dyn Fn(&str) -> String + Sync)); 3] =
        [("cccc0000bbbb0001", &prefixed), ("cccc0000bbbb0002", &bare), ("cccc0000bbbb0003", &numbers)];
    for (reference, name) in [("guard", "siprec-canary"), ("drop-before-decode", "siprec-canary-dropped")] {
        let more = format!("{more}reference = \"{reference}\"\n");
        let mut server = Server::start_with(name, TOP, &source(&more));
        let to = addresses(&mut server);
        let canary = canary(5, 47);
        let law: Vec<i16> = canary.iter().map(|sample| encode::from_mulaw(encode::mulaw(*sample))).collect();
        let hunt = Hunt::of(vec![canary.clone(), law]);
        // All at once.
        std::thread::scope(|scope| {
            for (number, (session, change)) in cases.into_iter().enumerate() {
                let canary = &canary;
                scope.spawn(move || {
                    let mut client = Client::new(to[number % 2], number % 2 == 1, session);
                    client.invite(change);
                    let talk = Talk::begin(&client.ports, [agent(5), canary.clone()]);
                    talk.wait(4.5);
                    talk.end();
                    client.bye();
                });
            }
        });
        let ended = server.wait(
            || {
                let (_, list) = server.request("GET", "/v1/ended", None);
                list.as_array().filter(|list| list.len() == cases.len()).cloned()
            },
            "all calls over",
        );
        for call in ended.iter().map(|ended| ended["call"].as_str().unwrap()) {
            let manifest = manifest(&server.out, call);
            assert_eq!(manifest["result"], "recorded", "{manifest}");
            let reason = if reference == "guard" { "no_decision" } else { "undecoded" };
            assert_eq!(manifest["customer"]["reason"], reason, "{manifest}");
            let agent = track(&server.out.join(format!("{call}.agent.wav")));
            assert!(agent.iter().filter(|sample| **sample != 0).count() > RATE / 2, "{call}: the agent is kept");
            assert!(likeness(&agent, &canary, 400) < 0.05, "{call}: the customer is heard");
            assert!(!server.out.join(format!("{call}.customer.wav")).exists());
        }
        let (code, said, scratch) = server.end();
        assert_eq!(code, 0, "{said:?}");
        let mut written = scratch.files("out");
        written.insert("standard error".into(), said.join("\n").into_bytes());
        for (file, bytes) in written {
            hunt.finds_nothing(&file, &bytes);
            for personal in ["441632960123", "cust@"] {
                let found = bytes.windows(personal.len()).any(|window| window == personal.as_bytes());
                assert!(!found && !file.contains(personal), "{personal} is in {file}");
            }
        }
    }
}

#[test]
fn of_a_call_in_doubt_nothing_is_kept_and_its_result_says_why() {
    let mut server = Server::start_with("siprec-doubt", TOP, &source("agent_label = \"1\"\n"));
    let [udp, _] = addresses(&mut server);
    // The metadata has the labels the wrong way round: by it the agent is on label 0.
    let swapped = |body: &str| {
        body.replace("<label>1<", "<label>9<").replace("<label>0<", "<label>1<").replace("<label>9<", "<label>0<")
    };
    let both = |body: &str| body.replace("sip:cust@127.0.0.1:5060", "sip:zoe@agents.example");
    let cases: [(&str, &dyn Fn(&str) -> String); 2] = [("dddd0000bbbb0001", &swapped), ("dddd0000bbbb0002", &both)];
    for (call, change) in cases {
        let mut client = Client::new(udp, false, call);
        client.invite(change);
        let talk = Talk::begin(&client.ports, [agent(3), tone(3, 1_000.0)]);
        talk.wait(2.5);
        talk.end();
        client.bye();
        server.wait_ended(call);
        let manifest = manifest(&server.out, call);
        assert_eq!(manifest["result"], "quarantined", "{manifest}");
        assert!(manifest.to_string().contains("side_unknown"), "{manifest}");
        let kept = track(&server.out.join(format!("{call}.agent.wav")));
        assert!(kept.iter().all(|sample| *sample == 0), "nothing of either side is kept");
        assert!(!server.out.join(format!("{call}.customer.wav")).exists());
    }
}

#[test]
fn a_hold_keeps_the_line_and_nothing_of_the_far_side_and_a_server_that_ends_says_bye() {
    let mut server = Server::start_with("siprec-hold", TOP, &source(""));
    let [udp, _] = addresses(&mut server);
    let call = "eeee0000bbbb0001";
    let mut client = Client::new(udp, false, call);
    client.invite(as_it_is);
    server.wait_in_hand(call);
    let talk = Talk::begin(&client.ports, [agent(9), tone(9, 1_000.0)]);
    talk.wait(0.5);
    server.ask(call, "told", json!({ "notice": "std", "version": 3 }));
    server.ask(call, "granted", json!({ "act": "dtmf", "digit": "1", "purpose": "training" }));
    talk.wait(3.0);
    // As it was seen: the same offer again, one leg inactive, and sound of both stops.
    let ports = client.ports.clone();
    client.invite(as_it_is);
    client.invite(held);
    talk.quiet(true);
    talk.wait(5.0);
    client.invite(held);
    client.invite(as_it_is);
    assert_eq!(client.ports, ports);
    talk.quiet(false);
    talk.wait(7.0);
    talk.end();
    let out = server.out.clone();
    let ending = std::thread::spawn(move || server.end());
    client.is_hung_up();
    let (code, said, _scratch) = ending.join().unwrap();
    assert_eq!(code, 0, "{said:?}");
    let manifest = manifest(&out, call);
    let events = manifest.to_string();
    assert!(events.contains("held") && events.contains("retrieved"), "{manifest}");
    let customer = tenths(&track(&out.join(format!("{call}.customer.wav"))));
    assert!(customer[16..24].iter().all(|dbfs| *dbfs > -40.0), "{customer:?}");
    assert!(customer[37..48].iter().all(|dbfs| *dbfs < -60.0), "{customer:?}");
    assert!(customer[60..65].iter().all(|dbfs| *dbfs > -40.0), "{customer:?}");
}

#[test]
fn sip_over_tls_is_the_same_behind_encryption() {
    let (_server, mut client) = over_tls("siprec-tls", TOP);
    let asked = "OPTIONS sip:srs SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n\
                 Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    client.write_all(asked.as_bytes()).unwrap();
    let mut answer = BufReader::new(client).lines().map_while(Result::ok);
    assert_eq!(answer.next().as_deref(), Some("SIP/2.0 200 OK"));
    assert!(answer.any(|line| line == "Supported: siprec, timer"));
}

#[test]
fn a_whole_call_over_tls_is_signalled_and_kept_as_over_any_other_way() {
    let (server, tls) = over_tls("siprec-tls-call", &format!("{TOP}[keys]\n1 = \"grant\"\n9 = \"withdraw\"\n"));
    let call = "abcd0000bbbb0001";
    let mut client = Client::over_tls(tls, call);
    let answer = client.invite(as_it_is);
    assert!(answer.contains("Via: SIP/2.0/TLS "), "{answer}");
    assert!(answer.lines().any(|line| line.starts_with("Contact: ") && line.contains("transport=tls")), "{answer}");
    server.wait_in_hand(call);
    let customer = scale(7);
    let talk = Talk::begin(&client.ports, [agent(7), customer.clone()]);
    talk.wait(2.5);
    server.ask(call, "told", json!({ "notice": "std", "version": 3 }));
    talk.wait(4.0);
    let granted = talk.press();
    // A re-INVITE within the dialog, as a hold sends them: the ports stay.
    let ports = client.ports.clone();
    client.invite(as_it_is);
    assert_eq!(client.ports, ports);
    talk.wait(6.5);
    talk.end();
    client.bye();
    assert_eq!(server.wait_ended(call)["result"], "recorded");
    let agent = track(&server.out.join(format!("{call}.agent.wav")));
    assert!(agent.iter().filter(|sample| **sample != 0).count() > RATE, "the agent is kept");
    assert!(likeness(&agent, &customer, 800) < 0.1, "the customer is not in the agent's track");
    let kept = kept(&track(&server.out.join(format!("{call}.customer.wav"))), 14);
    let (before, after): (Vec<usize>, Vec<usize>) = kept.iter().partition(|half| (**half + 1) as f64 / 2.0 <= granted);
    assert!(before.is_empty() && after.contains(&11), "granted at {granted}, kept {kept:?}");
    let (code, said, _scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
}

#[test]
fn a_server_that_ends_says_bye_over_tls() {
    let (server, tls) = over_tls("siprec-tls-bye", TOP);
    let mut client = Client::over_tls(tls, "abcd0000bbbb0002");
    client.invite(as_it_is);
    let ending = std::thread::spawn(move || server.end());
    client.is_hung_up();
    let (code, said, _scratch) = ending.join().unwrap();
    assert_eq!(code, 0, "{said:?}");
}

//! AudioHook through a server while nobody may be recorded: a conversation that begins outside of the agent's hours is opened with
//! `startPaused`, and resumed when they begin (SEL-01).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::audiohook_client::{CONVERSATION, FRAME, KEY, SECRET, Session, signed};
use super::audiosocket_client::speech;
use super::common::{RATE, Scratch, canary};
use super::encode;
use super::hunt::Hunt;
use super::rtp_party::{as_heard, in_place};
use super::serve_common::{Server, track};
use super::ws_client::{Client, paced};

/// From the start of the server to the beginning of the agent's hours, s.
const AHEAD_S: i64 = 7;
const SOURCE: &str = "[serve.audiohook]\nlisten = \"127.0.0.1:0\"\nkeys = \"keys\"\nagent_key = \"inputVariables.agent\"\n\
     worst_buffering_ms = 300\n";

/// A zone where it is so long before nine in the morning, and the hours of that day.
fn zone() -> (String, String) {
    const DAY_S: i64 = 86_400;
    const DAYS: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"]; // from the first of January 1970 on
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let east_s = (9 * 3_600 - AHEAD_S - now_s).rem_euclid(DAY_S);
    let east_s = if east_s > DAY_S / 2 { east_s - DAY_S } else { east_s };
    let (sign, s) = (if east_s > 0 { '-' } else { '+' }, east_s.abs());
    let day = DAYS[((now_s + east_s) / DAY_S % 7) as usize];
    let hours = format!(
        "purposes = [\"training\"]\n[[staff.window]]\nagents = [\"a7\"]\ndays = [\"{day}\"]\nfrom = \"09:00\"\n\
         until = \"10:00\"\n"
    );
    (format!("TZ=<here>{sign}{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60), hours)
}

fn session(server: &mut Server, conversation: &str) -> (Session, Value) {
    let address = server.address_of("audiohook");
    let nonce = format!("nonce-of-the-conversation-{conversation}");
    let client = Client::ask(address, &signed(address, "/audiohook", &nonce)).unwrap();
    assert!(client.answer.starts_with("HTTP/1.1 101"), "{}", client.answer);
    let mut session = Session { client, seq: 0, serverseq: 0, position_ms: 0 };
    session.open_of(conversation, json!({ "inputVariables": { "agent": "a7" } }));
    let opened = session.hears("opened");
    (session, opened)
}

/// 200 ms of both, as the client interleaves them.
fn both(session: &mut Session, customer: &[i16], agent: &[i16]) {
    let stereo = customer.iter().zip(agent).flat_map(|(c, a)| [encode::mulaw(*c), encode::mulaw(*a)]);
    session.client.binary(&stereo.collect::<Vec<u8>>());
    session.position_ms += 200;
}

#[test]
fn a_conversation_outside_of_the_agents_hours_begins_paused_and_is_kept_from_their_beginning_on() {
    const LONG: usize = 4 * RATE as usize;
    const PIECE: usize = RATE as usize / 5;
    let scratch = Scratch::new("hook-paused");
    scratch.file("keys", format!("{KEY} {SECRET}\n").as_bytes());
    let (out, (zone, hours)) = (scratch.at("out"), zone());
    let mut server = Server::start_under(&["env", &zone], scratch, out, &hours, SOURCE);
    let (mut hook, opened) = session(&mut server, CONVERSATION);
    assert_eq!(opened["startPaused"], true, "{opened}");
    hook.say("paused", json!({}));
    hook.say("ping", json!({}));
    hook.hears("pong");
    // Another client of the same agent does not pause.
    let (agent, customer) = (speech(4, 1), canary(4, 71));
    let (mut sends, opened) = session(&mut server, "wrong");
    assert_eq!(opened["startPaused"], true, "{opened}");
    both(&mut sends, &customer[..PIECE], &agent[..PIECE]);
    assert_eq!(sends.hears("disconnect")["reason"], "error");
    sends.client.close(1000);
    assert_eq!(server.wait_ended("wrong")["result"], "quarantined");

    hook.hears("resume");
    hook.say("resumed", json!({ "start": "PT0S", "discarded": "PT0S" }));
    paced(LONG / PIECE, FRAME, |n| both(&mut hook, &customer[n * PIECE..][..PIECE], &agent[n * PIECE..][..PIECE]));
    std::thread::sleep(Duration::from_millis(200));
    hook.close();
    assert_eq!(server.wait_ended(CONVERSATION)["result"], "recorded");
    let (code, said, scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
    let stored = track(&scratch.at(&format!("out/{CONVERSATION}.agent.wav")));
    let (first, last) = in_place(&stored, &as_heard(&agent));
    assert!(first < RATE as usize / 2 && last + RATE as usize / 2 > LONG, "the agent from {first} to {last}");
    let manifest = scratch.json(&format!("out/{CONVERSATION}.json"));
    let ledger = manifest["ledger"].to_string();
    let opened = manifest["ledger"].as_array().unwrap().iter().find(|entry| entry["event"] == "window_opened");
    let opened = opened.and_then(|entry| entry["sample"].as_u64()).unwrap_or_else(|| panic!("{ledger}"));
    let kept = stored.iter().position(|sample| *sample != 0).unwrap() as u64;
    assert!(ledger.contains("window_closed") && kept >= opened, "opened at {opened}, kept from {kept}: {ledger}");
    let hunt = Hunt::of(vec![as_heard(&customer)]);
    for (file, bytes) in scratch.files("out") {
        hunt.finds_nothing(&file, &bytes);
        if file.starts_with("wrong") && file.ends_with(".wav") {
            assert!(scratch.sound(&format!("out/{file}")).iter().all(|sample| *sample == 0), "{file}");
        }
    }
}

//! RTP in wide band through a server: G.722 (RFC 3551 §4.5.2) and 16-bit samples (§4.5.11), of both parties.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use audio_codec::Encoder;
use audio_codec::g722::G722Encoder;
use serde_json::json;

use super::audiosocket_client::speech;
use super::common::canary;
use super::encode;
use super::rtp_party::packet;
use super::serve_common::{Server, track};
use super::serve_rtp::{announce_in, manifest};
use super::ws_client::paced;

const RATE: usize = 16_000;
const SECONDS: usize = 6;
/// Samples in a packet: 20 ms.
const PACKET: usize = RATE / 50;

/// A voice at 16 kHz, by straight lines between the samples of one at 8 kHz.
fn wide(narrow: &[i16]) -> Vec<i16> {
    let between = |pair: &[i16]| [pair[0], ((i32::from(pair[0]) + i32::from(pair[1])) / 2) as i16];
    narrow.windows(2).flat_map(between).chain([narrow[narrow.len() - 1]; 2]).collect()
}

/// Sends payloads of 20 ms each in real time, `ticks` of the time stamp apart.
fn send(to: [SocketAddr; 2], payload_type: u8, ticks: u32, legs: [Vec<Vec<u8>>; 2]) {
    let socket = to.map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    paced(legs[0].len(), Duration::from_millis(20), |n| {
        for leg in 0..2 {
            let stamp = 7_000 + n as u32 * ticks;
            let packet = packet(payload_type, n == 0, n as u16, stamp, 40 + leg as u32, &legs[leg][n]);
            socket[leg].send_to(&packet, to[leg]).unwrap();
        }
    });
}

fn g722(samples: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = G722Encoder::new();
    let coded = |piece: &[i16]| {
        let mut bytes = vec![0; PACKET / 2];
        assert_eq!(encoder.encode_into(piece, &mut bytes).unwrap(), PACKET / 2);
        bytes
    };
    samples.chunks_exact(PACKET).map(coded).collect()
}

fn l16(samples: &[i16]) -> Vec<Vec<u8>> {
    samples.chunks_exact(PACKET).map(|piece| encode::body(piece, |v, out| out.extend(v.to_be_bytes()))).collect()
}

/// The likeness of the loudest half second of what is stored to the stretch of what was sent that is most like it.
fn likeness(stored: &[i16], sent: &[i16]) -> f64 {
    const LONG: usize = RATE / 2;
    const BEGINNING: usize = RATE / 10;
    let product = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let energy = |piece: &[i16]| product(piece, piece);
    let loudest = stored.chunks_exact(LONG).max_by(|a, b| energy(a).total_cmp(&energy(b))).unwrap();
    let like = |at: usize| {
        let piece = &sent[at..at + BEGINNING];
        product(&loudest[..BEGINNING], piece) / energy(piece).sqrt().max(1.0)
    };
    let at = (0..sent.len() - LONG).max_by(|a, b| like(*a).total_cmp(&like(*b))).unwrap();
    // It goes on as it was sent.
    let sent = &sent[at..at + LONG];
    product(loudest, sent) / (energy(loudest) * energy(sent)).sqrt().max(1.0)
}

#[test]
fn what_was_sent_in_g722_and_in_samples_is_what_is_stored_of_both() {
    let server = Server::start_with(
        "rtp-codecs",
        "purposes = [\"training\"]\non_withdrawal = \"keep\"",
        "[serve.rtp]\nports = \"0\"\nidle_s = 1",
    );
    let voices = [wide(&speech(SECONDS, 1)), wide(&canary(SECONDS, 2))];
    std::thread::scope(|scope| {
        for (call, payloads, kind, ticks) in [
            ("g722", ["9", "101 telephone-event/8000"], 9, 160),
            ("l16", ["96 L16/16000", "101 telephone-event/16000"], 96, 320),
        ] {
            let (server, voices) = (&server, &voices);
            scope.spawn(move || {
                let to = announce_in(server, call, &payloads);
                let legs = voices.each_ref().map(|voice| if kind == 9 { g722(voice) } else { l16(voice) });
                let sender = std::thread::spawn(move || send(to.into(), kind, ticks, legs));
                server.ask(call, "told", json!({ "notice": "standard", "version": 1 }));
                server.ask(call, "granted", json!({ "act": "spoken_yes", "purpose": "training" }));
                sender.join().unwrap();
                server.wait_ended(call);
            });
        }
    });
    for (call, name, least) in [("g722", "G722", 0.95), ("l16", "L16", 0.999_999)] {
        let manifest = manifest(&server, call);
        assert_eq!((&manifest["result"], &manifest["rate_hz"]), (&json!("recorded"), &json!(RATE)), "{manifest}");
        assert_eq!(manifest["input"]["encoding"], format!("rtp: {name} 16000 Hz / {name} 16000 Hz"));
        let stored = ["agent", "customer"].map(|side| track(&server.out.join(format!("{call}.{side}.wav"))));
        for side in 0..2 {
            let alike = likeness(&stored[side], &voices[side]);
            assert!(alike > least, "{call}, side {side}: {alike}");
            let other = likeness(&stored[side], &voices[1 - side]);
            assert!(other < 0.7, "{call}, side {side} is like the other one: {other}");
        }
    }
}

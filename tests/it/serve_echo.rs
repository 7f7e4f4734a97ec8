//! The echo of the agent in the customer's leg, through a server: it neither opens the customer's door nor shuts it, and takes
//! nothing from the agent (CON-18).
//!
//! Speech of the samples, and of the shared folder where it is; from 10 to 30 dB softer, up to 300 ms late.

use std::path::Path;
use std::time::Instant;

use serde_json::json;

use super::common::{RATE, agent, voices};
use super::rtp_party::{Network, Speaker, as_heard, in_place};
use super::serve_common::{Server, track};
use super::serve_rtp::{announce, manifest, wait_until};
use super::skipped::skipped;
use super::tones::{channels, shared};

const TOP: &str = "purposes = [\"training\"]\non_withdrawal = \"keep\"\n\
                   [keys]\n1 = \"grant\"\n2 = \"refuse\"\n9 = \"withdraw\"\n";
const SECONDS: usize = 10;
const DELAYS_MS: [usize; 3] = [0, 100, 300];
const SOFTER_DB: [f64; 3] = [10.0, 20.0, 30.0];
/// Where the agent presses a key whose tone is heard, ms; and the tones: of 1, by which the customer would grant, and of 9, by
/// which she would withdraw.
const KEYS: [(usize, f64, f64); 2] = [(7_000, 697.0, 1_209.0), (7_900, 852.0, 1_477.0)];

/// Adds the tones of keys, 200 ms each. An echo that comes no later than what it is one of may be heard first, since the sides are
/// some frames out of step: then it opens nothing, but a no is not delayed, and it shuts. So 9 is pressed where it comes later.
fn pressing(mut samples: Vec<i16>, delay_ms: usize) -> Vec<i16> {
    let keys = if delay_ms == 0 { &KEYS[..1] } else { &KEYS };
    let wave = |n: usize, hz: f64| (std::f64::consts::TAU * hz * n as f64 / f64::from(RATE)).sin();
    for &(at_ms, low, high) in keys {
        let stretch = samples.iter_mut().enumerate().take((at_ms + 200) * 8).skip(at_ms * 8);
        stretch.for_each(|(n, sample)| *sample = ((wave(n, low) + wave(n, high)) * 6_000.0) as i16);
    }
    samples
}

/// The customer's leg: what she says, and the agent.
fn leg(customer: &[i16], agent: &[i16], delay_ms: usize, softer_db: f64) -> Vec<i16> {
    let gain = 10f64.powf(-softer_db / 20.0);
    let echo = |n: usize| n.checked_sub(delay_ms * 8).map_or(0.0, |from| f64::from(agent[from]) * gain);
    (0..agent.len()).map(|n| (f64::from(customer[n]) + echo(n)) as i16).collect()
}

/// Samples of the agent that are stored, each where it belongs.
fn kept(server: &Server, call: &str, spoken: &[i16]) -> usize {
    let stored = track(&server.out.join(format!("{call}.agent.wav")));
    in_place(&stored, &as_heard(spoken));
    stored.iter().filter(|sample| **sample != 0).count()
}

/// All echoes of a pair of voices at once; each once with nothing granted, and once with a grant that stands.
fn neither_opens_nor_shuts(name: &str, agent: Vec<i16>, customer: &[i16]) {
    let server = Server::start_with(name, TOP, "[serve.rtp]\nports = \"0\"\nidle_s = 1\n");
    let echoes = DELAYS_MS.into_iter().flat_map(|delay_ms| SOFTER_DB.map(|softer_db| (delay_ms, softer_db)));
    // The first is without an echo.
    let cases: Vec<(usize, f64)> = [(0, 200.0)].into_iter().chain(echoes).collect();
    let begin = |(delay_ms, softer_db): &(usize, f64), granted: bool| {
        let call = format!("{}-{delay_ms}-{softer_db}", if granted { "granted" } else { "plain" });
        let (to_agent, to_customer) = announce(&server, &call);
        let agent = pressing(agent.clone(), *delay_ms);
        let leg = leg(customer, &agent, *delay_ms, *softer_db);
        let speakers = [(to_agent, agent.clone(), 1), (to_customer, leg, 2)];
        let speakers = speakers.map(|(to, sound, seed)| Speaker::begin(to, sound, &[], Network::default(), seed));
        (call, granted, agent, speakers)
    };
    let began = Instant::now();
    let calls: Vec<_> = cases.iter().flat_map(|case| [begin(case, false), begin(case, true)]).collect();
    wait_until(began, 3.0);
    for (call, granted, ..) in &calls {
        server.ask(call, "told", json!({ "notice": "standard", "version": 1 }));
        if *granted {
            server.ask(call, "granted", json!({ "act": "spoken_yes", "purpose": "training" }));
        }
    }
    wait_until(began, SECONDS as f64 - 0.3);
    let calls: Vec<_> = calls
        .into_iter()
        .map(|(call, granted, agent, speakers)| {
            speakers.into_iter().for_each(|speaker| drop(speaker.end()));
            (call, granted, agent)
        })
        .collect();
    let mut without = [None; 2];
    for (call, granted, agent) in calls {
        server.wait_ended(&call);
        let manifest = manifest(&server, &call);
        assert_eq!(manifest["result"], "recorded", "{call}: {manifest}");
        let ledger = manifest["ledger"].to_string();
        assert_eq!(ledger.contains("\"granted\""), granted, "{call}: {ledger}");
        assert!(!ledger.contains("\"withdrawn\"") && !ledger.contains("\"refused\""), "{call}: {ledger}");
        assert_eq!(manifest["customer"]["stored"], granted, "{call}: {}", manifest["customer"]);
        if granted {
            let stored = track(&server.out.join(format!("{call}.customer.wav")));
            let last = stored.iter().rposition(|sample| *sample != 0).unwrap();
            assert!(last > 8 * RATE as usize, "{call}: the customer to {last}");
        }
        let kept = kept(&server, &call, &agent);
        let without = *without[usize::from(granted)].get_or_insert(kept);
        // Where what comes of a silent customer is a faint echo alone, a moment of the agent may be taken for hers.
        assert!(kept * 10 >= without * 9, "{call}: {kept} samples of the agent, {without} without an echo");
    }
}

#[test]
fn the_agents_echo_neither_opens_nor_shuts_anything() {
    let customer: Vec<i16> =
        voices("withdrawn").1.into_iter().cycle().skip(9 * 8_000 + 4_000).take(SECONDS * 8_000).collect();
    neither_opens_nor_shuts("echo-samples", agent(SECONDS), &customer);
}

#[test]
fn nor_does_it_where_the_customer_is_silent() {
    // A line that is open: a little noise, as every line has.
    let mut dice = super::common::Dice::new(5);
    let customer: Vec<i16> = (0..SECONDS * 8_000).map(|_| dice.below(31) as i16 - 15).collect();
    neither_opens_nor_shuts("echo-silent", agent(SECONDS), &customer);
}

#[test]
fn nor_does_it_in_a_call_of_the_shared_folder() {
    let Some(data) = shared() else { return };
    let call = data.join(Path::new("calls/c1/c1_clean.flac"));
    if !call.is_file() {
        skipped(format!("no {}", call.display()));
        return;
    }
    let (rate_hz, mut sides) = channels(&call);
    assert_eq!((rate_hz, sides.len()), (RATE, 2));
    sides.iter_mut().for_each(|side| side.truncate(SECONDS * 8_000));
    let [agent, customer] = sides.try_into().unwrap();
    neither_opens_nor_shuts("echo-shared", agent, &customer);
}

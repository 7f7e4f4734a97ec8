//! Leak figures of signals whose energies are known by hand.

use super::*;
use crate::evaluate::grid::Interval;

const RATE_HZ: u32 = 8_000;
const SECOND: usize = 8_000;

// Random signs at a constant amplitude: the energy of every frame is known exactly, and every lag is distinct.
fn voice(seed: u64, amplitude: i16, samples: usize) -> Vec<i16> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if state >> 63 == 0 { amplitude } else { -amplitude }
    };
    (0..samples).map(|_| next()).collect()
}

fn label(from_s: f64, until_s: f64, who: &str) -> Label {
    Label { span: Interval { from_s, until_s }, who: who.to_string() }
}

// The agent speaks in the first second, the customer in the second one.
struct TwoTurns {
    agent: Vec<i16>,
    customer: Vec<i16>,
    labels: Vec<Label>,
}

fn two_turns() -> TwoTurns {
    let quiet = vec![0; SECOND];
    TwoTurns {
        agent: [voice(1, 16_384, SECOND), quiet.clone()].concat(),
        customer: [quiet, voice(2, 8_192, SECOND)].concat(),
        labels: vec![label(0.0, 1.0, "agent"), label(1.0, 2.0, "customer")],
    }
}

impl TwoTurns {
    fn score(&self, output: &[i16]) -> Figures {
        let (agent, customer, labels) = (Some(&self.agent[..]), &self.customer[..], &self.labels[..]);
        score(&Call { output, agent, customer, rate_hz: RATE_HZ, labels })
    }
}

#[track_caller]
fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 0.01, "{found} is not {wanted}");
}

#[test]
fn an_eighth_of_the_customer_is_minus_eighteen_decibels() {
    let call = two_turns();
    let output: Vec<i16> = call.agent.iter().zip(&call.customer).map(|(a, c)| a + c / 8).collect();
    let figures = call.score(&output);
    near(figures.residual_db, -18.06);
    near(figures.residual_net_db, -18.06);
    assert!((figures.coherent_db + 18.06).abs() < 0.5, "{}", figures.coherent_db);
    assert!(figures.double_talk_db.is_nan());
    // 1.00..2.00 s without the 60 ms next to the agent
    assert_eq!(figures.leak_percent, 100.0);
    near(figures.longest_s, 0.94);
    assert_eq!((figures.lag_ms, figures.kept_percent, figures.onset90_ms), (0.0, 100.0, 0.0));
    near(figures.retained_db, 0.0);
}

#[test]
fn a_silent_customer_is_minus_infinity_and_no_leak() {
    let call = two_turns();
    let figures = call.score(&call.agent);
    assert_eq!((figures.residual_db, figures.coherent_db), (f64::NEG_INFINITY, f64::NEG_INFINITY));
    assert_eq!((figures.leak_percent, figures.longest_s), (0.0, 0.0));
}

#[test]
fn an_agent_cut_by_thirty_milliseconds_has_that_onset() {
    let call = two_turns();
    let mut output = call.agent.clone();
    output[..240].fill(0);
    let figures = call.score(&output);
    assert_eq!((figures.onset50_ms, figures.kept_percent), (30.0, 97.0));
    // 94 of the 97 frames in which only the agent speaks
    near(figures.retained_db, 10.0 * (94.0f64 / 97.0).log10());
}

#[test]
fn a_delayed_output_is_moved_back_before_it_is_judged() {
    let call = two_turns();
    let output = [vec![0; 1_000], call.agent.clone()].concat();
    let figures = call.score(&output);
    assert_eq!((figures.lag_ms, figures.kept_percent, figures.residual_db), (125.0, 100.0, f64::NEG_INFINITY));
    let early = call.score(&call.agent[160..]);
    assert_eq!((early.lag_ms, early.kept_percent), (-20.0, 98.0));
}

#[test]
fn the_outputs_own_noise_is_taken_off_the_net_residual() {
    let (labels, quiet) = (vec![label(0.0, 1.0, "agent"), label(2.0, 3.0, "customer")], vec![0; 2 * SECOND]);
    let call = TwoTurns {
        agent: [voice(1, 16_384, SECOND), quiet.clone()].concat(),
        customer: [quiet, voice(2, 8_192, SECOND)].concat(),
        labels,
    };
    let noise = voice(3, 256, 3 * SECOND);
    let output: Vec<i16> = call.agent.iter().zip(&noise).map(|(a, n)| a + n).collect();
    let figures = call.score(&output);
    // 256 against 8192 over 1.03 s against 1.00 s
    near(figures.residual_db, 20.0 * (256.0f64 / 8_192.0).log10() + 10.0 * 1.03f64.log10());
    assert_eq!(figures.residual_net_db, f64::NEG_INFINITY);
    assert!(figures.coherent_db < figures.residual_db - 5.0, "noise is not the customer: {}", figures.coherent_db);
}

#[test]
fn in_double_talk_the_customer_is_told_from_the_agent() {
    let (agent, customer) = (voice(4, 8_192, SECOND), voice(5, 8_192, SECOND));
    let call = TwoTurns { labels: vec![label(0.0, 1.0, "agent"), label(0.0, 1.0, "customer")], agent, customer };
    let output: Vec<i16> = call.agent.iter().zip(&call.customer).map(|(a, c)| a + c / 16).collect();
    let figures = call.score(&output);
    assert!((figures.double_talk_db + 24.08).abs() < 0.2, "{}", figures.double_talk_db);
    assert!(figures.residual_db.is_nan() && figures.retained_db.is_nan());
}

#[test]
fn a_set_averages_energies_and_takes_the_longest_leak() {
    let item = |residual_db, kept_percent, longest_s| Figures {
        residual_db,
        kept_percent,
        longest_s,
        ..Figures::unmeasured()
    };
    let set = aggregate(&[item(-10.0, 90.0, 0.5), item(f64::NEG_INFINITY, f64::NAN, 0.25)]);
    near(set.residual_db, -13.01);
    assert_eq!((set.kept_percent, set.longest_s), (90.0, 0.5));
    assert!(set.lag_ms.is_nan());
}

#[test]
fn odd_input_is_scored_without_a_panic() {
    let labels = [label(0.0, 9.0, "agent"), label(0.0, 9.0, "customer")];
    let call = |output, agent, customer, rate_hz| Call { output, agent, customer, rate_hz, labels: &labels };
    let sound = voice(6, 1_000, 900);
    let nothing = score(&call(&sound, Some(&[]), &sound, RATE_HZ));
    assert!(nothing.values().iter().all(|value| value.is_nan()));
    for rate_hz in [0, 50, 96_000, u32::MAX] {
        assert!(score(&call(&sound, None, &sound, rate_hz)).lag_ms.is_nan());
    }
    assert_eq!(score(&call(&[], Some(&sound), &sound, RATE_HZ)).lag_ms, 0.0);
    assert_eq!(score(&call(&[7], None, &sound, 11_025)).lag_ms, 0.0);
}

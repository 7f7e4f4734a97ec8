//! What the recommendation asks for (ITU-T Q.24), in a table, at every rate; speech is in `tests/it/tones.rs`.

use super::*;
use crate::audio::narrow::{fold_of, narrow};
use crate::audio::{frame_end, level};

/// A sine at the full scale of G.711, dBm0 (ITU-T G.711, A-law).
#[allow(clippy::approx_constant, reason = "a level, not the ratio")]
const FULL_SCALE_DBM: f64 = 3.14;

const DIGITS: &str = "123A456B789C*0#D";
const HZ: [f64; 8] = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// A generator that needs no crate: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Noise of a spread of one.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// A press of a key.
#[derive(Clone, Copy)]
struct Press {
    digit: char,
    ms: f64,
    /// Level of the louder tone, dBm0 (a sine at full scale is +3.14).
    dbm: f64,
    /// The column's tone above the row's, dB.
    twist_db: f64,
    /// How far off the tones are, as a share.
    off: [f64; 2],
    /// Noise below both tones together, dB.
    snr_db: f64,
}

const PLAIN: Press = Press { digit: '1', ms: 60.0, dbm: -10.0, twist_db: 0.0, off: [0.0; 2], snr_db: 40.0 };

/// Keys that are heard of presses with pauses of 60 ms, at random places of the frame's grid.
fn heard(presses: &[Press], rate_hz: u32, dice: &mut Dice) -> String {
    let mut sound = Vec::new();
    let rate = f64::from(rate_hz);
    for press in presses {
        let key = DIGITS.find(press.digit).unwrap();
        let hz = [HZ[key / 4] * (1.0 + press.off[0]), HZ[4 + key % 4] * (1.0 + press.off[1])];
        let loud = 32_767.0 * 10f64.powf((press.dbm - FULL_SCALE_DBM) / 20.0);
        let soft = loud * 10f64.powf(-press.twist_db.abs() / 20.0);
        let amplitude = if press.twist_db >= 0.0 { [soft, loud] } else { [loud, soft] };
        let power = amplitude.iter().map(|a| a * a / 2.0).sum::<f64>();
        // The noise of the telephone band; at higher rates as dense as there.
        let noise = (power * 10f64.powf(-press.snr_db / 10.0) * rate / 8_000.0).sqrt();
        let phase = [dice.between(0.0, std::f64::consts::TAU), dice.between(0.0, std::f64::consts::TAU)];
        let before = (dice.between(60.0, 100.0) * rate / 1_000.0) as usize;
        let length = (press.ms * rate / 1_000.0) as usize;
        for at in 0..before + length {
            let tone = if at < before {
                0.0
            } else {
                let t = (at - before) as f64 / rate;
                (0..2).map(|i| amplitude[i] * (std::f64::consts::TAU * hz[i] * t + phase[i]).sin()).sum()
            };
            sound.push((tone + noise * dice.noise()).round().clamp(-32_768.0, 32_767.0) as i16);
        }
    }
    sound.extend(vec![0; rate_hz as usize / 10]);
    keys(&sound, rate_hz).iter().map(|(_, key)| key.digit).collect()
}

fn hear(tones: &mut Tones, part: &[i16], rate_hz: u32) -> Toned {
    let mut room = None;
    let narrowed = narrow(part, part, fold_of(rate_hz), &mut room);
    tones.hear(part.len(), narrowed.agent, level::measure_narrowed(part, part, &narrowed).agent)
}

fn keys(sound: &[i16], rate_hz: u32) -> Vec<(u64, Key)> {
    let mut tones = Tones::new(rate_hz);
    let (mut at, mut keys) = (0, Vec::new());
    for frame in 0.. {
        let end = frame_end(frame, rate_hz).0 as usize;
        let Some(part) = sound.get(at..end) else { break };
        let toned = hear(&mut tones, part, rate_hz);
        keys.extend(toned.key.map(|key| (at as u64, key)));
        at = end;
    }
    keys
}

/// Of so many presses of each key, those that are heard once and as what they are, per thousand.
fn per_thousand(press: impl Fn(&mut Dice) -> Press, rate_hz: u32) -> u64 {
    let mut dice = Dice(11);
    let (mut right, mut all) = (0, 0);
    for digit in DIGITS.chars().cycle().take(16 * 25) {
        let press = Press { digit, ..press(&mut dice) };
        all += 1;
        right += u64::from(heard(&[press], rate_hz, &mut dice) == digit.to_string());
    }
    right * 1_000 / all
}

#[test]
fn every_key_is_heard_at_every_rate() {
    let presses: Vec<Press> = DIGITS.chars().map(|digit| Press { digit, ..PLAIN }).collect();
    for rate_hz in [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] {
        assert_eq!(heard(&presses, rate_hz, &mut Dice(3)), DIGITS, "{rate_hz} Hz");
    }
    assert_eq!(heard(&presses, 4_000, &mut Dice(3)), "", "a rate that cannot hold them");
}

#[test]
fn short_soft_and_noisy_keys_are_heard_and_what_is_off_pitch_is_not() {
    let levels = |dice: &mut Dice| dice.between(-30.0, -3.0);
    let pitch = |dice: &mut Dice, most: f64| [dice.between(-most, most), dice.between(-most, most)];
    let both_ends = |dice: &mut Dice, off: f64| [0, 1].map(|_| if dice.unit() < 0.5 { -off } else { off });
    for rate_hz in [8_000, 11_025, 16_000, 48_000] {
        let table: [(&str, u64, u64, &dyn Fn(&mut Dice) -> Press); 9] = [
            ("50 ms, -3 to -30 dBm", 990, 1_000, &|d| Press { ms: 50.0, dbm: levels(d), snr_db: 20.0, ..PLAIN }),
            ("the same in noise", 990, 1_000, &|d| Press { ms: 50.0, dbm: levels(d), snr_db: 15.0, ..PLAIN }),
            ("40 ms", 990, 1_000, &|d| Press { ms: 40.0, dbm: levels(d), snr_db: 20.0, ..PLAIN }),
            ("twist and pitch at their limits", 990, 1_000, &|d| Press {
                ms: 50.0,
                dbm: d.between(-22.0, -3.0),
                twist_db: d.between(-8.0, 4.0),
                off: pitch(d, 0.015),
                snr_db: 20.0,
                ..PLAIN
            }),
            ("a long one is one", 990, 1_000, &|d| Press { ms: 700.0, dbm: levels(d), snr_db: 20.0, ..PLAIN }),
            ("too short", 0, 0, &|d| Press { ms: d.between(5.0, 25.0), dbm: levels(d), ..PLAIN }),
            ("one tone off by 3.5 %", 0, 5, &|d| Press { ms: 50.0, off: [both_ends(d, 0.035)[0], 0.0], ..PLAIN }),
            ("both off by 3.5 % or more", 0, 5, &|d| {
                let off = d.between(0.035, 0.06);
                Press { ms: 50.0, off: both_ends(d, off), ..PLAIN }
            }),
            ("twist beyond all limits", 0, 0, &|d| Press {
                ms: 50.0,
                twist_db: if d.unit() < 0.5 { -12.0 } else { 8.0 },
                ..PLAIN
            }),
        ];
        for (name, least, most, press) in table {
            let heard = per_thousand(press, rate_hz);
            println!("{rate_hz} Hz, {name}: {heard} of 1,000");
            assert!((least..=most).contains(&heard), "{rate_hz} Hz, {name}: {heard} of 1,000");
        }
    }
}

#[test]
fn a_lost_packet_in_a_tone_makes_no_second_key_and_a_pause_does() {
    let rate = 8_000.0;
    let tone = |at: usize| {
        let t = at as f64 / rate;
        (6_000.0 * (std::f64::consts::TAU * 770.0 * t).sin() + 6_000.0 * (std::f64::consts::TAU * 1_336.0 * t).sin())
            as i16
    };
    let with_gap = |gap: usize, offset: usize| -> Vec<i16> {
        (0..4_000)
            .map(|at| if at < 800 + offset || at > 2_400 || (1_600..1_600 + gap).contains(&at) { 0 } else { tone(at) })
            .collect()
    };
    for offset in 0..160 {
        assert_eq!(keys(&with_gap(160, offset), 8_000).len(), 1, "a gap of 20 ms");
        assert_eq!(keys(&with_gap(320, offset), 8_000).len(), 2, "a pause of 40 ms");
    }
}

#[test]
fn the_loudness_of_a_key_is_that_of_its_tones() {
    for dbm in [-3.0, -13.0, -23.0] {
        let mut dice = Dice(5);
        let t = |at: usize, hz: f64| (std::f64::consts::TAU * hz * at as f64 / 8_000.0 + dice.0 as f64).sin();
        let size = 32_767.0 * 10f64.powf((dbm - FULL_SCALE_DBM) / 20.0);
        let sound: Vec<i16> = (0..1_600).map(|at| (size * (t(at, 852.0) + t(at, 1_477.0))) as i16).collect();
        dice.unit();
        let found = keys(&sound, 8_000);
        let expected = ((dbm - FULL_SCALE_DBM) * 10.0) as i16;
        assert!(found.len() == 1 && (found[0].1.dbfs_tenths - expected).abs() <= 2, "{dbm}: {found:?}");
    }
}

#[test]
fn what_holds_a_tone_is_named_and_nothing_far_from_it() {
    for offset in 0..160usize {
        let (from, until) = (1_600 + offset, 1_600 + offset + 800);
        let size = |at: usize| if (from..until).contains(&at) { 5_000.0 } else { 0.0 };
        let t = |at: usize, hz: f64| (std::f64::consts::TAU * hz * at as f64 / 8_000.0).sin();
        let sound: Vec<i16> = (0..4_000).map(|at| (size(at) * (t(at, 941.0) + t(at, 1_336.0))) as i16).collect();
        let mut tones = Tones::new(8_000);
        let mut named = vec![false; sound.len() / 80];
        for (frame, part) in sound.chunks_exact(160).enumerate() {
            let toned = hear(&mut tones, part, 8_000);
            named[2 * frame - usize::from(toned.units_before)..2 * frame].fill(true);
            (0..2).filter(|unit| toned.units[*unit]).for_each(|unit| named[2 * frame + unit] = true);
        }
        for (unit, named) in named.iter().enumerate() {
            let (begin, end) = (unit * 80, unit * 80 + 80);
            let touched = begin < until && end > from;
            let near = begin < until + 80 && end + 80 > from;
            assert!(*named || !touched, "offset {offset}: unit {unit} holds a tone");
            assert!(!*named || near, "offset {offset}: unit {unit} is far from the tone");
        }
    }
}

//! The levels: their scale, their band, and that every way to them gives the same.

use super::*;

fn tone(len: usize, period: usize, size: i16) -> Vec<i16> {
    (0..len).map(|t| if t % period < period / 2 { size } else { -size }).collect()
}

#[test]
fn six_decibels_more_are_512_levels_more() {
    let quiet = measure(&tone(160, 8, 1_000), &tone(160, 8, 2_000));
    assert!((quiet.customer[0] - quiet.agent[0] - 512).abs() <= 4, "{quiet:?}");
    assert!((quiet.agent[0] - quiet.agent[1]).abs() <= 8, "{quiet:?}");
}

#[test]
fn the_same_sound_has_the_same_level_at_every_rate() {
    let at_8k = measure(&tone(160, 8, 1_000), &[0; 160]).agent[1];
    for fold in [2usize, 3, 6] {
        let frame = tone(160 * fold, 8 * fold, 1_000);
        let level = measure(&frame, &vec![0; frame.len()]).agent[1];
        assert!((level - at_8k).abs() < 90, "fold {fold}: {level} against {at_8k}");
    }
}

#[test]
fn rumble_and_a_constant_are_not_heard() {
    let constant = measure(&[i16::MIN; 160], &[i16::MAX; 160]);
    assert_eq!((constant.agent, constant.customer, constant.agent_peak), ([0, 0], [0, 0], 32_768));
    let ramp: Vec<i16> = (0..160).collect();
    let voice = measure(&tone(160, 8, 80), &ramp);
    assert!(voice.agent[1] - voice.customer[1] > 1_500, "{voice:?}");
}

#[test]
fn the_loudest_square_does_not_overflow() {
    for period in [2usize, 4, 6] {
        for len in [160usize, 161, 220, 221, 222, 319] {
            let square: Vec<i16> =
                (0..len).map(|t| if t % period < period / 2 { i16::MAX } else { i16::MIN }).collect();
            let levels = measure(&square, &square);
            assert_eq!(levels.agent_energy, exact(&square), "period {period}, {len} samples");
            assert_eq!(levels.dot, exact(&square) as i64);
        }
    }
}

/// The energy of a frame at 8 to 16 kHz, in 64-bit steps of its own.
fn exact(samples: &[i16]) -> u64 {
    let (len, half) = (samples.len(), samples.len() / 2);
    let upto = len.min((half - 2).div_ceil(8) * 8 + 2);
    let from = len - len.min((len - half).div_ceil(8) * 8 + 2);
    let units = [&samples[..upto], &samples[from..]];
    let square = |w: &[i16]| {
        let twice = (2 * (i64::from(w[2]) - i64::from(w[0])).clamp(-32_768, 32_767)).clamp(-32_768, 32_767);
        ((twice + 4).min(32_767).div_euclid(8) as u64).wrapping_mul((twice + 4).min(32_767).div_euclid(8) as u64)
    };
    units.iter().flat_map(|unit| unit.windows(3).map(square)).sum()
}

#[test]
fn the_quick_way_measures_the_same() {
    let mut mixed = 1u32;
    let mut noise = |shift: usize| -> [i16; 160] {
        std::array::from_fn(|_| {
            mixed = mixed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (mixed >> 16) as i16 >> shift
        })
    };
    for seed in 0..2_000 {
        let (agent, customer) = (noise(seed % 16), noise(seed / 16 % 16));
        assert_eq!(measure_8k(&agent, &customer), measure_any(&agent, &customer));
    }
    for edge in [[i16::MIN, i16::MAX], [i16::MAX, i16::MIN], [0, i16::MIN]] {
        let agent = std::array::from_fn(|t| edge[t / 2 % 2]);
        let customer = std::array::from_fn(|t| edge[t % 2]);
        assert_eq!(measure_8k(&agent, &customer), measure_any(&agent, &customer));
        assert_eq!(measure_8k(&agent, &agent), measure_any(&agent, &agent));
    }
}

#[test]
fn twin_and_opposite_channels_show_in_the_dot_product() {
    let voice = tone(160, 10, 3_000);
    let other: Vec<i16> = voice.iter().map(|x| -x).collect();
    let twin = measure(&voice, &voice);
    assert_eq!(twin.dot, twin.agent_energy as i64);
    let opposite = measure(&voice, &other);
    assert!(opposite.dot < -(opposite.agent_energy as i64) * 9 / 10);
}

#[test]
fn any_length_down_to_none_is_measured() {
    for len in 0..400 {
        let levels = measure(&vec![-1_000; len], &vec![9; len]);
        assert_eq!(levels.agent_peak, if len == 0 { 0 } else { 1_000 });
    }
}

#[test]
fn power_undoes_the_logarithm() {
    for x in [1u64, 2, 3, 100, 255, 4_096, 1_000_003, 1 << 26] {
        let back = power(log2(x) as Level);
        assert!(back.abs_diff(x) * 100 <= x.max(100), "{x} came back as {back}");
    }
}

//! The lanes against libfvad: bit for bit, whatever sound, mode, rate, frame and width; lanes that leave out frames and
//! begin anew.

use webrtc_vad::{SampleRate, Vad, VadMode};

use super::portable::Portable;
use super::vector::Lanes;
use super::{Detectors, Group, Groups, Seats, Width, mixture};
use crate::voice::{Mode, Speech};

/// Lanes that are decided together: two groups of sixteen, the second mostly empty.
const LANES: usize = 19;
const RATES_HZ: [u32; 3] = [8_000, 16_000, 32_000];
const FRAMES_MS: [u32; 3] = [10, 20, 30];
/// Frames that each width decides in the ordinary run, and in the long one.
const FRAMES: usize = 100_000;
const FRAMES_LONG: usize = 10_000_000;

#[test]
fn every_width_decides_as_libfvad_does_whatever_it_hears() {
    compare(FRAMES, 1);
}

#[test]
#[ignore = "long: ten million frames"]
fn every_width_decides_as_libfvad_does_over_ten_million_frames() {
    compare(FRAMES_LONG, 2);
}

#[test]
fn the_features_of_bare_minima_are_those_of_libfvad() {
    // The highest sample of a band that holds -32,768 alone counts as none, and its energy wraps.
    for width in Width::supported() {
        for step in [1, 2, 4, 8, 16, 32] {
            let sound = |at: usize| if (at / step).is_multiple_of(2) { i16::MIN } else { i16::MAX };
            let mut detectors = Detectors::with_width(width, 1, 8_000, Mode::default(), 20);
            let mut vad = reference(8_000, Mode::default());
            for frame in 0..200 {
                let frame: Vec<i16> = (frame * 160..(frame + 1) * 160).map(sound).collect();
                let mut speech = [Speech::default()];
                detectors.decide(|_| &frame, &mut speech);
                assert_eq!(speech[0].0, vad.is_voice_segment(&frame).unwrap(), "{width:?}, step {step}");
            }
        }
    }
}

#[test]
fn models_that_drifted_far_decide_as_those_of_libfvad() {
    let mut side_by_side = SideBySide::new(8_000, Mode::new(3).unwrap(), 10, 3);
    for round in 0..3_000 {
        for (lane, voice) in side_by_side.voices.iter_mut().enumerate() {
            // At full scale for a quarter of a minute, then at the edge.
            voice.kind = if round < 1_500 { [1, 5, 8, 9][lane % 4] } else { 12 + lane as u64 % 5 };
            (voice.level, voice.patience) = (15 - lane as u32 % 3, u64::MAX);
        }
        side_by_side.decide();
    }
}

#[test]
fn every_register_computes_as_the_array_does() {
    let mut random = Random(7);
    let edges = [0, 1, -1, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fff_ffff, i32::MIN, 0x7fff_8000, 0x00ff_ffff, 378];
    for round in 0..20_000 {
        let value = |random: &mut Random| match random.below(3) {
            0 => edges[random.below(12) as usize],
            1 => random.next() as i32,
            _ => random.next() as i32 >> random.below(32),
        };
        let numbers: [[i32; 16]; 2] = [0, 1].map(|_| [0; 16].map(|_| value(&mut random)));
        let quotients = computed::<Portable<16>, 16>(&numbers)[6];
        for (lane, quotient) in quotients.into_iter().enumerate() {
            let divisor = (numbers[1][lane] | 1) as i16;
            assert_eq!(quotient, (numbers[0][lane] >> 4) / i32::from(divisor), "{:?}", (numbers[0][lane], divisor));
        }
        #[cfg(target_arch = "x86_64")]
        if Width::Sixteen.is_supported() {
            let computed = computed::<super::avx512::Avx512, 16>(&numbers);
            assert_eq!(computed, self::computed::<Portable<16>, 16>(&numbers), "round {round}: {numbers:?}");
        }
        #[cfg(target_arch = "x86_64")]
        if Width::Eight.is_supported() {
            let numbers = [0, 1].map(|row| numbers[row].as_chunks::<8>().0[round % 2]);
            let computed = computed::<super::avx2::Avx2, 8>(&numbers);
            assert_eq!(computed, self::computed::<Portable<8>, 8>(&numbers), "round {round}: {numbers:?}");
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("sse4.1") {
            let numbers = [0, 1].map(|row| numbers[row].as_chunks::<4>().0[round % 4]);
            let computed = computed::<super::sse41::Sse41, 4>(&numbers);
            assert_eq!(computed, self::computed::<Portable<4>, 4>(&numbers), "round {round}: {numbers:?}");
        }
    }
}

/// What each operation that a processor may do in its own way makes of two rows.
fn computed<V: Lanes<N>, const N: usize>(numbers: &[[i32; N]; 2]) -> [[i32; N]; 16] {
    let [a, b] = [0, 1].map(|at| V::load_wide(&numbers[at]));
    let (zero, small) = (V::splat(0), b & V::splat(31));
    let divisor = (b & V::splat(0xffff)) | V::splat(1);
    let mask = a.gt(b) | a.eq(b);
    let half_mask = a.gt_halves(b) | a.eq_halves(b);
    let results = [
        a * b,
        a.shr_by(small),
        a.shl_by(small) + a.shl_by(V::splat(32)),
        a.leading_zeros(),
        a.min(b) - a.max(b),
        a.abs(),
        mixture::divide_signed(a.shr::<4>(), divisor.shl::<16>().shr::<16>()),
        V::select(mask, a, zero),
        V::select_halves(half_mask, a, b),
        a.dot(b),
        a.add_halves(b),
        a.sub_halves(b),
        a.min_halves(b),
        a.max_halves(b).abs_halves(),
        a.above(b),
        (a.shr_zeros::<9>() | b.wrapped()) & V::splat(i32::from(V::any(mask)) - 2 * i32::from(V::any_half(half_mask))),
    ];
    results.map(|result| {
        let mut row = [0; N];
        result.store_wide(&mut row);
        row
    })
}

#[test]
fn a_lane_without_a_frame_is_left_as_it_is() {
    for width in Width::supported() {
        let mut detectors = Detectors::with_width(width, LANES, 16_000, Mode::default(), 20);
        let mut voices: Vec<Voice> = (0..LANES as u64).map(Voice::new).collect();
        let mut speech = [Speech::default(); LANES];
        let mut changes = 0;
        for frame in 0..400 {
            let frames: Vec<Vec<i16>> = voices.iter_mut().map(|voice| voice.frame(320)).collect();
            let before = columns(&mut detectors);
            let has_frame = |lane: usize| frame < 200 || (lane + frame).is_multiple_of(3) && frame < 300;
            detectors.decide(|lane| if has_frame(lane) { &frames[lane] } else { &[] }, &mut speech);
            for (lane, (before, after)) in before.iter().zip(columns(&mut detectors)).enumerate() {
                assert!(has_frame(lane) || *before == after, "{width:?}, lane {lane}, frame {frame}");
                changes += usize::from(*before != after);
                assert!(has_frame(lane) || !speech[lane].0, "{width:?}: no frame is no speech");
            }
        }
        assert!(changes > 200 * LANES * 3 / 4, "{width:?}: {changes}");
    }
}

#[test]
fn a_renewed_lane_is_a_new_one_and_the_others_stay() {
    for width in Width::supported() {
        let mut detectors = Detectors::with_width(width, LANES, 32_000, Mode::default(), 30);
        let new = columns(&mut detectors);
        let mut voices: Vec<Voice> = (0..LANES as u64).map(Voice::new).collect();
        for _ in 0..200 {
            let frames: Vec<Vec<i16>> = voices.iter_mut().map(|voice| voice.frame(960)).collect();
            detectors.decide(|lane| &frames[lane], &mut [Speech::default(); LANES]);
        }
        let before = columns(&mut detectors);
        detectors.renew(17);
        let after = columns(&mut detectors);
        assert_ne!(before[17], new[17], "{width:?}");
        assert_eq!(after[17], new[17], "{width:?}");
        assert!((0..LANES).all(|lane| lane == 17 || after[lane] == before[lane]), "{width:?}");
    }
}

#[test]
#[should_panic(expected = "samples of a frame")]
fn a_frame_of_another_length_is_refused() {
    let mut detectors = Detectors::new(1, 8_000, Mode::default(), 20);
    detectors.decide(|_| &[0; 159], &mut [Speech::default()]);
}

/// Every mode, rate and frame length in turn, until so many frames are compared.
fn compare(frames: usize, seed: u64) {
    // Of eight frames one is left out.
    let rounds = (frames * 8 / 7).div_ceil(4 * RATES_HZ.len() * FRAMES_MS.len() * LANES) * 101 / 100;
    let (mut compared, mut speech) = (0, 0);
    for mode in 0..4 {
        for rate_hz in RATES_HZ {
            for frame_ms in FRAMES_MS {
                let mut side_by_side = SideBySide::new(rate_hz, Mode::new(mode).unwrap(), frame_ms, seed);
                (0..rounds).for_each(|_| side_by_side.decide());
                compared += side_by_side.compared;
                speech += side_by_side.speech;
            }
        }
    }
    println!("{compared} frames, {speech} with speech");
    assert!(compared >= frames && speech > compared / 10 && speech < compared * 9 / 10, "{compared}, {speech}");
}

/// Lanes of every width and libfvad, hearing the same.
struct SideBySide {
    settings: (u32, Mode, u32),
    detectors: Vec<(Width, Detectors)>,
    vads: Vec<Vad>,
    voices: Vec<Voice>,
    random: Random,
    compared: usize,
    speech: usize,
}

impl SideBySide {
    fn new(rate_hz: u32, mode: Mode, frame_ms: u32, seed: u64) -> SideBySide {
        let mut random = Random(seed << 32 | u64::from(rate_hz * frame_ms + u32::from(mode.number())));
        let detectors = |width| (width, Detectors::with_width(width, LANES, rate_hz, mode, frame_ms));
        SideBySide {
            settings: (rate_hz, mode, frame_ms),
            detectors: Width::supported().map(detectors).collect(),
            vads: (0..LANES).map(|_| reference(rate_hz, mode)).collect(),
            voices: (0..LANES).map(|_| Voice::new(random.next())).collect(),
            random,
            compared: 0,
            speech: 0,
        }
    }

    fn decide(&mut self) {
        let mut frames = Vec::new();
        for lane in 0..LANES {
            if self.random.below(1_000) == 0 {
                self.detectors.iter_mut().for_each(|(_, detectors)| detectors.renew(lane));
                self.vads[lane] = reference(self.settings.0, self.settings.1);
            }
            let samples = if self.random.below(8) == 0 { 0 } else { self.detectors[0].1.samples() };
            frames.push(self.voices[lane].frame(samples));
        }
        let decided = |(frame, vad): (&Vec<i16>, &mut Vad)| !frame.is_empty() && vad.is_voice_segment(frame).unwrap();
        let expected: Vec<bool> = frames.iter().zip(&mut self.vads).map(decided).collect();
        for (width, detectors) in &mut self.detectors {
            let mut speech = [Speech::default(); LANES];
            detectors.decide(|lane| &frames[lane], &mut speech);
            for (lane, speech) in speech.into_iter().enumerate() {
                let voice = &self.voices[lane];
                assert_eq!(speech.0, expected[lane], "{width:?}, {:?}, lane {lane}, {voice:?}", self.settings);
            }
        }
        for (lane, &speech) in expected.iter().enumerate() {
            self.voices[lane].was_speech(speech);
            self.compared += usize::from(!frames[lane].is_empty());
            self.speech += usize::from(speech);
        }
    }
}

fn reference(rate_hz: u32, mode: Mode) -> Vad {
    let rate = SampleRate::try_from(rate_hz as i32).unwrap();
    let mode = match mode.number() {
        0 => VadMode::Quality,
        1 => VadMode::LowBitrate,
        2 => VadMode::Aggressive,
        _ => VadMode::VeryAggressive,
    };
    Vad::new_with_rate_and_mode(rate, mode)
}

/// All that each lane remembers.
pub(super) fn columns(detectors: &mut Detectors) -> Vec<Vec<i32>> {
    fn of<const N: usize>(groups: &mut Groups<N>) -> Vec<Vec<i32>> {
        let column = |group: &mut Group<N>, lane: usize| {
            let wide: Vec<i32> = group.halvings.as_flattened().iter().map(|row| row[lane]).collect();
            wide.into_iter().chain(group.rows().map(|row| i32::from(row[lane]))).collect()
        };
        let mut columns = Vec::new();
        for group in &mut groups.groups {
            columns.extend((0..N).map(|lane| column(group, lane)).collect::<Vec<_>>());
        }
        columns
    }
    let mut columns = match &mut detectors.seats {
        #[cfg(target_arch = "x86_64")]
        Seats::Sixteen(groups) => of(groups),
        #[cfg(target_arch = "x86_64")]
        Seats::Eight(groups) => of(groups),
        Seats::Four(groups) => of(groups),
        Seats::One(groups) => of(groups),
    };
    columns.truncate(detectors.lanes);
    columns
}

pub(super) struct Random(pub(super) u64);

impl Random {
    /// SplitMix64.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }
}

/// Sound that changes its kind and level now and then: some after half a second, some after many minutes.
#[derive(Debug)]
pub(super) struct Voice {
    kind: u64,
    /// Of 0 to 15 bits.
    level: u32,
    /// A change comes once in so many frames.
    patience: u64,
    at: u64,
    random: u64,
    /// Of sound that keeps to the edge between speech and none, where all that is remembered decides.
    edge: f64,
}

impl Voice {
    pub(super) fn new(seed: u64) -> Voice {
        let patience = [20, 60, 500, 5_000][seed as usize % 4];
        Voice { kind: 0, level: 0, patience, at: 0, random: seed, edge: 100.0 }
    }

    /// Louder after a frame without speech, quieter after one with it.
    fn was_speech(&mut self, speech: bool) {
        self.edge = (self.edge * if speech { 0.93 } else { 1.04 }).clamp(1.0, 20_000.0);
    }

    pub(super) fn frame(&mut self, samples: usize) -> Vec<i16> {
        let mut random = Random(self.random);
        if self.at == 0 || random.below(self.patience) == 0 {
            self.kind = random.below(17);
        }
        if self.at == 0 || random.below(self.patience) == 0 {
            self.level = random.below(16) as u32;
        }
        let frame = (0..samples).map(|_| self.sample(&mut random)).collect();
        self.random = random.0;
        frame
    }

    fn sample(&mut self, random: &mut Random) -> i16 {
        self.at += 1;
        let highest = ((1_i64 << self.level) - 1).max(1);
        let noise = |random: &mut Random, highest: i64| random.below(2 * highest as u64 + 1) as i64 - highest;
        let square = |half: u64| if (self.at / half).is_multiple_of(2) { 32_767 } else { -32_768 };
        let value = match self.kind {
            0 => 0,
            1 => square(1 << (self.level % 8)),
            2 => -32_768,
            3 => highest,
            4 => -highest,
            5 => noise(random, 32_767),
            6 => noise(random, highest),
            7 if random.below(200) == 0 => square(1),
            7 => 0,
            8 => square(1 + random.below(2)),
            9 => i64::from(random.next() as i16) >> (15 - self.level),
            10 | 11 => speech(self.at, self.kind, highest as f64) as i64 + noise(random, 20),
            12 | 13 => speech(self.at, self.kind, self.edge) as i64 + noise(random, 20),
            _ => noise(random, self.edge as i64),
        };
        value.clamp(-32_768, 32_767) as i16
    }
}

/// A buzz with formants that comes and goes, and a slow swing with it: what a voice model learns from.
fn speech(at: u64, kind: u64, highest: f64) -> f64 {
    let time = at as f64 / 8_000.0;
    let syllable = (time * 9.0).sin().max(0.0) * (time * 1.3).sin().max(0.0);
    let pitch = 110.0 + 25.0 * (kind as f64 - 10.0) + 20.0 * (time * 2.0).sin();
    let buzz: f64 =
        [1.0, 4.0, 9.0, 17.0].iter().map(|k| (time * pitch * k * std::f64::consts::TAU).sin() / k.sqrt()).sum();
    highest * syllable * buzz * 0.5
}

//! Two devices in virtual time: their clocks drift, their callbacks come late, one of them pauses, stalls, or dies.

use super::*;

const SECOND: u64 = 1_000_000_000;
/// A marker is a cosine bell of this length, seconds.
const BELL_S: f64 = 0.004;

/// A device in a world whose sound is a bell at every multiple of `every` seconds.
struct Device {
    whose: Whose,
    /// Its true rate.
    hz: f64,
    nominal_hz: u32,
    /// When its first frame was captured, seconds.
    begins: f64,
    callback: u64,
    every: f64,
    /// Frames it captured.
    captured: u64,
    /// Frames it announced to us.
    announced: u64,
    /// When it delivers nothing, and whether what it captured then is lost.
    silent: Vec<(f64, f64)>,
    /// Callbacks that come late: from, until, nothing is lost.
    held_up: Vec<(f64, f64)>,
    epoch: u32,
    new_epoch_after_silence: bool,
    jitter: u64,
    samples: Vec<i16>,
}

impl Device {
    fn new(whose: Whose, nominal_hz: u32, ppm: f64, begins: f64) -> Device {
        Device {
            whose,
            hz: f64::from(nominal_hz) * (1.0 + ppm / 1e6),
            nominal_hz,
            begins,
            callback: u64::from(nominal_hz) / 100,
            every: 1.0,
            captured: 0,
            announced: 0,
            silent: Vec::new(),
            held_up: Vec::new(),
            epoch: 0,
            new_epoch_after_silence: false,
            jitter: 88_172_645_463_325_252,
            samples: Vec::new(),
        }
    }

    fn random_ms(&mut self, up_to: u64) -> f64 {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        (self.jitter % (up_to * 1_000)) as f64 / 1e6
    }

    fn second_of(&self, frame: u64) -> f64 {
        self.begins + frame as f64 / self.hz
    }

    fn bell(&self, second: f64) -> i16 {
        let from_marker = (second / self.every).round().mul_add(-self.every, second);
        if from_marker.abs() > BELL_S / 2.0 {
            return 0;
        }
        (8_000.0 * (1.0 + (from_marker * std::f64::consts::TAU / BELL_S).cos())) as i16
    }

    /// Delivers all callbacks that are due by `now`.
    fn deliver(&mut self, aligner: &mut Aligner, now: f64) {
        let now_ns = (now * 1e9) as u64;
        loop {
            let end = self.second_of(self.captured + self.callback);
            if end > now || self.held_up.iter().any(|(from, until)| (*from..*until).contains(&now)) {
                return;
            }
            let first = self.captured;
            self.captured += self.callback;
            if self.silent.iter().any(|(from, until)| (*from..*until).contains(&end)) {
                self.epoch += u32::from(self.new_epoch_after_silence);
                continue;
            }
            self.announced += self.callback;
            // A callback that was held up is dated when it comes.
            let late = if now - end > 0.1 { now } else { end + self.random_ms(3) };
            let nanos = (late * 1e9) as u64;
            let stamp = Stamp { frames: self.announced, nanos, epoch: self.epoch };
            aligner.stamp(self.whose, stamp, now_ns);
            let mut samples = std::mem::take(&mut self.samples);
            samples.clear();
            samples.extend((first..self.captured).map(|frame| self.bell(self.second_of(frame))));
            aligner.push(self.whose, &samples);
            self.samples = samples;
        }
    }
}

/// What came out: where the bells rang on each side (in samples), and what was missing.
#[derive(Default)]
struct Heard {
    agent: Ear,
    customer: Ear,
    lost: [usize; 2],
    absent: [usize; 2],
    samples: u64,
    worst_wait: f64,
}

/// Finds the middle of each bell.
#[derive(Default)]
struct Ear {
    bells: Vec<f64>,
    weight: f64,
    moment: f64,
}

impl Ear {
    fn listen(&mut self, from: u64, samples: &[i16]) {
        for (i, sample) in samples.iter().enumerate() {
            if *sample > 200 {
                self.weight += f64::from(*sample);
                self.moment += f64::from(*sample) * (from as f64 + i as f64);
            } else if self.weight > 0.0 && *sample < 50 {
                self.bells.push(self.moment / self.weight);
                (self.weight, self.moment) = (0.0, 0.0);
            }
        }
    }
}

/// Runs the two devices for so many seconds, ticking every 10 ms.
fn run(aligner: &mut Aligner, agent: &mut Device, customer: &mut Device, seconds: f64) -> Heard {
    let mut heard = Heard::default();
    let (mut left, mut right) = (vec![0; aligner.block()], vec![0; aligner.block()]);
    for tick in 0..(seconds * 100.0) as u64 {
        let now = tick as f64 / 100.0 + 10.0;
        agent.deliver(aligner, now);
        customer.deliver(aligner, now);
        let now_ns = (now * 1e9) as u64;
        while let Some(aligned) = aligner.pull(now_ns, &mut left, &mut right) {
            heard.agent.listen(heard.samples, &left);
            heard.customer.listen(heard.samples, &right);
            for (i, missing) in [aligned.agent, aligned.customer].into_iter().enumerate() {
                heard.lost[i] += missing.lost;
                heard.absent[i] += missing.absent;
            }
            heard.samples += left.len() as u64;
        }
        if tick > 500 {
            let behind = aligner.sample_at(now_ns).unwrap() as f64 - aligner.given() as f64;
            heard.worst_wait = heard.worst_wait.max(behind / f64::from(aligner.call_hz));
        }
    }
    heard
}

fn pair(agent_hz: u32, agent_ppm: f64, customer_hz: u32, customer_ppm: f64) -> (Device, Device) {
    // They do not begin together.
    let agent = Device::new(Whose::Agent, agent_hz, agent_ppm, 10.013);
    let mut customer = Device::new(Whose::Customer, customer_hz, customer_ppm, 9.871);
    customer.jitter = 1_234_567_891_011;
    (agent, customer)
}

/// Every bell of the agent against the nearest of the customer: the largest offset from the second `after` on, ms, and
/// how many bells of the agent have none within 200 ms.
fn offsets(heard: &Heard, call_hz: u32, after: f64) -> (f64, usize) {
    let (mut worst, mut alone) = (0.0f64, 0);
    for bell in heard.agent.bells.iter().filter(|bell| **bell > after * f64::from(call_hz)) {
        let next = heard.customer.bells.partition_point(|other| other < bell);
        let near = heard.customer.bells[next.saturating_sub(1)..(next + 1).min(heard.customer.bells.len())].iter();
        let off = near.map(|other| (other - bell).abs() * 1_000.0 / f64::from(call_hz)).fold(f64::MAX, f64::min);
        if off > 200.0 { alone += 1 } else { worst = worst.max(off) }
    }
    (worst, alone)
}

fn four_hours_at(ppm: f64) {
    let (mut agent, mut customer) = pair(8_000, -ppm / 2.0, 8_000, ppm / 2.0);
    (agent.every, customer.every) = (10.0, 10.0);
    let mut aligner = Aligner::new(8_000, 8_000, 8_000, Cadence::Steady);
    let heard = run(&mut aligner, &mut agent, &mut customer, 4.0 * 3_600.0);
    let (worst, alone) = offsets(&heard, 8_000, 0.0);
    println!("4 h at {ppm} ppm: {worst:.3} ms at worst, {:.1} ppm measured", aligner.drift_ppm());
    assert!(worst < 20.0 && alone == 0, "{worst:.2} ms at worst, {alone} bells alone");
    assert!((aligner.drift_ppm() - ppm).abs() < 20.0, "{:.1} ppm measured", aligner.drift_ppm());
    assert_eq!(heard.agent.bells.len(), 1_439);
    assert_eq!((heard.lost, heard.absent), ([0, 0], [0, 0]));
}

#[test]
fn four_hours_of_a_customer_200_ppm_fast_stay_within_20_ms() {
    four_hours_at(200.0);
}

#[test]
fn four_hours_of_a_customer_200_ppm_slow_stay_within_20_ms() {
    four_hours_at(-200.0);
}

#[test]
fn any_pair_of_rates_comes_out_together_and_in_time() {
    for (agent_hz, customer_hz, call_hz) in
        [(48_000, 44_100, 8_000), (44_100, 48_000, 16_000), (16_000, 48_000, 8_000), (48_000, 48_000, 32_000)]
    {
        let (mut agent, mut customer) = pair(agent_hz, 150.0, customer_hz, -50.0);
        let mut aligner = Aligner::new(agent_hz, customer_hz, call_hz, Cadence::Steady);
        let heard = run(&mut aligner, &mut agent, &mut customer, 60.0);
        let (worst, alone) = offsets(&heard, call_hz, 0.0);
        println!("{agent_hz} {customer_hz} {call_hz}: {worst:.3} ms, {:.1} ms late", heard.worst_wait * 1e3);
        assert!(worst < 8.0 && alone == 0, "{agent_hz}, {customer_hz} to {call_hz}: {worst:.2} ms, {alone} alone");
        let samples = 60.0 * f64::from(call_hz) * (1.0 + 150e-6);
        assert!((heard.samples as f64 - samples).abs() < f64::from(call_hz) * 0.06, "{} samples", heard.samples);
        // A callback and a tick of 10 ms each on top.
        assert!(heard.worst_wait < aligner.latency() + 0.021, "{:.1} ms", heard.worst_wait * 1e3);
        assert!(aligner.latency() <= 0.030);
        assert_eq!((aligner.late(Whose::Agent), aligner.late(Whose::Customer)), (0, 0));
    }
}

#[test]
fn a_loopback_that_falls_silent_keeps_its_place() {
    let (mut agent, mut customer) = pair(48_000, 0.0, 48_000, 120.0);
    customer.silent = vec![(20.3, 21.9), (33.33, 39.7), (52.0, 52.5), (60.2, 68.8)];
    let mut aligner = Aligner::new(48_000, 48_000, 8_000, Cadence::Sparse);
    let heard = run(&mut aligner, &mut agent, &mut customer, 90.0);
    let (worst, alone) = offsets(&heard, 8_000, 0.0);
    println!("pauses: {worst:.3} ms, waits {:.0} ms", heard.worst_wait * 1e3);
    assert!(worst < 5.0, "{worst:.2} ms");
    // 21 | 34 … 39 | 52 | 61 … 68: the bells that fell into the pauses
    assert_eq!(alone, 16);
    let absent = heard.absent[1] as f64 / 8_000.0;
    assert!((absent - (1.6 + 6.37 + 0.5 + 8.6)).abs() < 0.2, "{absent:.2} s absent");
    assert_eq!((heard.lost, heard.absent[0]), ([0, 0], 0));
    assert!(heard.worst_wait < 0.1, "the line does not wait for it: {:.0} ms", heard.worst_wait * 1e3);
}

#[test]
fn a_device_that_dies_and_comes_back_does_not_shift_the_other() {
    for dead in [Whose::Agent, Whose::Customer] {
        let (mut agent, mut customer) = pair(48_000, -80.0, 44_100, 60.0);
        let device = if dead == Whose::Agent { &mut agent } else { &mut customer };
        device.silent = vec![(30.4, 37.6)];
        device.new_epoch_after_silence = true;
        let mut aligner = Aligner::new(48_000, 44_100, 8_000, Cadence::Steady);
        let heard = run(&mut aligner, &mut agent, &mut customer, 70.0);
        let (worst, _) = offsets(&heard, 8_000, 0.0);
        println!("{dead:?} dead: {worst:.3} ms");
        assert!(worst < 5.0, "{dead:?}: {worst:.2} ms");
        let (whole, broken) = match dead {
            Whose::Agent => (&heard.customer.bells, &heard.agent.bells),
            Whose::Customer => (&heard.agent.bells, &heard.customer.bells),
        };
        let steps = whole.windows(2).map(|two| two[1] - two[0]);
        assert!(steps.clone().all(|step| (step - 8_000.0).abs() < 16.0), "{dead:?}: {:?}", steps.collect::<Vec<_>>());
        assert_eq!(whole.len() - broken.len(), 7, "31 … 37 are missing");
        let side = usize::from(dead == Whose::Customer);
        let lost = heard.lost[side] as f64 / 8_000.0;
        assert!((lost - 7.2).abs() < 0.1, "{lost:.2} s lost");
        assert_eq!((heard.lost[1 - side], heard.absent), (0, [0, 0]));
    }
}

#[test]
fn a_held_up_callback_of_a_steady_device_loses_nothing() {
    let (mut agent, mut customer) = pair(48_000, 0.0, 48_000, 20.0);
    customer.held_up = vec![(25.2, 25.9)];
    agent.held_up = vec![(40.1, 40.8)];
    let mut aligner = Aligner::new(48_000, 48_000, 8_000, Cadence::Steady);
    let heard = run(&mut aligner, &mut agent, &mut customer, 60.0);
    let (worst, alone) = offsets(&heard, 8_000, 0.0);
    assert!(worst < 5.0 && alone == 0, "{worst:.2} ms, {alone}");
    assert_eq!((heard.lost, heard.absent), ([0, 0], [0, 0]));
}

#[test]
fn frames_that_a_device_lost_without_a_word_are_found_out() {
    // An overrun in the device: 120 ms are missing, and the count of frames does not say so.
    let (mut agent, mut customer) = pair(48_000, 0.0, 48_000, 0.0);
    customer.silent = vec![(30.3, 30.42)];
    let mut aligner = Aligner::new(48_000, 48_000, 8_000, Cadence::Steady);
    let heard = run(&mut aligner, &mut agent, &mut customer, 60.0);
    let (worst, alone) = offsets(&heard, 8_000, 0.0);
    assert!(worst < 5.0 && alone == 0, "{worst:.2} ms, {alone}");
    assert!((heard.lost[1] as f64 / 8_000.0 - 0.12).abs() < 0.01, "{}", heard.lost[1]);
}

#[test]
fn a_customer_that_never_delivers_is_silence() {
    for (cadence, seconds) in [(Cadence::Steady, 1.1), (Cadence::Sparse, 0.3)] {
        let (mut agent, mut customer) = pair(48_000, 0.0, 48_000, 0.0);
        customer.silent = vec![(0.0, 1e9)];
        let mut aligner = Aligner::new(48_000, 48_000, 8_000, cadence);
        let heard = run(&mut aligner, &mut agent, &mut customer, 20.0);
        assert!(heard.samples as f64 > (20.0 - seconds) * 8_000.0, "{}", heard.samples);
        assert!(heard.customer.bells.is_empty() && heard.agent.bells.len() >= 18);
        assert_eq!(heard.lost[1] + heard.absent[1], heard.samples as usize);
    }
}

#[test]
fn gaps_that_the_ring_counted_keep_their_length() {
    let mut aligner = Aligner::one_clock(48_000, 8_000);
    let (mut left, mut right) = ([0; 80], [0; 80]);
    let sides = [Whose::Agent, Whose::Customer];
    let mut frames = 0;
    let mut feed = |aligner: &mut Aligner, gap: bool| {
        frames += 48_000;
        for whose in sides {
            aligner.stamp(whose, Stamp { frames, nanos: frames * SECOND / 48_000, epoch: 0 }, 0);
            if gap { aligner.skip(whose, 48_000, false) } else { aligner.push(whose, &vec![1_000; 48_000]) }
        }
        frames * SECOND / 48_000
    };
    let mut lost = 0;
    for second in 0..12 {
        // Six seconds at once: more than an aligner holds.
        let now = feed(&mut aligner, (3..9).contains(&second));
        if !(3..8).contains(&second) {
            while let Some(aligned) = aligner.pull(now, &mut left, &mut right) {
                assert_eq!(aligned.agent, aligned.customer);
                assert_eq!(left, right);
                lost += aligned.agent.lost;
            }
        }
    }
    assert!((lost as i64 - 48_000).abs() < 80, "{lost}");
    assert!(aligner.given() > 12 * 8_000 - 200, "{}", aligner.given());
    assert_eq!(aligner.late(Whose::Agent), 0);
}

#[test]
fn a_bell_of_both_sides_lies_at_the_same_sample_on_one_clock() {
    let (mut agent, mut customer) = pair(44_100, 90.0, 44_100, 90.0);
    customer.begins = agent.begins;
    customer.jitter = agent.jitter;
    let mut aligner = Aligner::one_clock(44_100, 16_000);
    let heard = run(&mut aligner, &mut agent, &mut customer, 10.0);
    assert_eq!(heard.agent.bells, heard.customer.bells);
    // The first bell rings 0.987 s after the device's first frame.
    assert!((heard.agent.bells[0] - 0.987 * 16_000.0).abs() < 3.0, "{}", heard.agent.bells[0]);
    assert_eq!(agent.nominal_hz, 44_100);
}

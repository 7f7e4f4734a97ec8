//! The arrival clock against senders in simulated time: every frame carries the moment at which it was spoken.

use super::*;

const RATE: u32 = 8_000;
const TICK_MS: u64 = 5;

/// A sender: at each millisecond it may deliver some frames.
struct World {
    clock: ArrivalClock,
    now_ms: u64,
    delivered: u64,
    taken: u64,
    /// The time line: the millisecond in which each frame was spoken; `None` where silence was laid.
    line: Vec<Option<u64>>,
    waiting: Vec<u64>,
    opens: Option<u64>,
}

impl World {
    fn new(worst_ms: u64) -> World {
        let clock = ArrivalClock::new(RATE, worst_ms);
        World { clock, now_ms: 1_000, delivered: 0, taken: 0, line: Vec::new(), waiting: Vec::new(), opens: None }
    }

    /// One millisecond in which the sound of these milliseconds arrives.
    fn step(&mut self, spoken: impl IntoIterator<Item = u64>) {
        for ms in spoken {
            self.waiting.extend([ms; 8]);
            self.delivered += 8;
        }
        if self.now_ms.is_multiple_of(TICK_MS) {
            let ahead = self.opens.is_some_and(|at| at > self.line.len() as u64);
            match self.clock.look(self.now_ms * 1_000_000, self.delivered, ahead) {
                Advice::Hold => {}
                Advice::Take => self.take(),
                Advice::Fill { frames, .. } => {
                    self.line.extend((0..frames).map(|_| None));
                    self.take();
                }
            }
        }
        self.now_ms += 1;
    }

    fn take(&mut self) {
        self.taken += self.waiting.len() as u64;
        self.line.extend(self.waiting.drain(..).map(Some));
    }

    fn grant(&mut self) -> u64 {
        let at = self.clock.opens_from(self.now_ms * 1_000_000, self.delivered);
        self.opens = Some(at);
        at
    }

    /// 20 ms packets, for so long.
    fn speak(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while self.now_ms < until {
            let now = self.now_ms;
            if now.is_multiple_of(20) { self.step(now - 20..now) } else { self.step([]) }
        }
    }

    /// Bursts of `burst` ms.
    fn speak_in_bursts(&mut self, ms: u64, burst: u64) {
        let until = self.now_ms + ms;
        while self.now_ms < until {
            let now = self.now_ms;
            if now.is_multiple_of(burst) { self.step(now - burst..now) } else { self.step([]) }
        }
    }

    fn nothing(&mut self, ms: u64) {
        for _ in 0..ms {
            self.step([]);
        }
    }

    /// No frame from `at` on was spoken before the moment of the grant.
    fn check(&self, at: u64, granted_ms: u64) {
        let early = self.line.iter().skip(at as usize).flatten().find(|spoken| **spoken < granted_ms);
        assert_eq!(early, None, "spoken before the grant at {granted_ms} ms, and behind place {at}");
    }
}

#[test]
fn a_pause_becomes_silence_of_its_length_and_the_line_keeps_time() {
    let mut world = World::new(2_048);
    world.speak(3_000);
    world.nothing(10_000);
    world.speak(3_000);
    let seconds = world.line.len() as f64 / f64::from(RATE);
    assert!((15.7..=16.05).contains(&seconds), "{seconds}");
    let silence = world.line.iter().filter(|frame| frame.is_none()).count() as f64 / f64::from(RATE);
    assert!((9.9..=10.1).contains(&silence), "{silence}");
    // What was said after the pause lies where the clock has it.
    let last = world.line.iter().rposition(|frame| *frame == Some(15_500)).unwrap();
    assert!((last as f64 / 8.0 - 14_500.0).abs() < 60.0, "{last}");
}

#[test]
fn short_pauses_between_packets_are_kept_as_well() {
    let mut world = World::new(2_048);
    for _ in 0..20 {
        world.speak(1_000);
        world.nothing(500);
    }
    let seconds = world.line.len() as f64 / f64::from(RATE);
    assert!((29.0..=30.1).contains(&seconds), "{seconds}");
}

#[test]
fn a_stall_that_loses_nothing_lays_no_silence() {
    let mut world = World::new(2_048);
    world.speak(5_000);
    let from = world.now_ms;
    world.nothing(18_000);
    world.step(from - 20..from + 17_980);
    world.speak(5_000);
    assert!(world.line.iter().flatten().is_sorted());
    let silence = world.line.iter().filter(|frame| frame.is_none()).count();
    assert!(silence < 800, "{silence} frames of silence in a stream that lost nothing");
}

#[test]
fn no_sound_spoken_before_a_grant_lies_behind_it_whatever_the_sender_does() {
    // Bursts of 64 KiB of 8 kHz stereo are 2,048 ms.
    for (burst, worst) in [(20, 2_048), (1_024, 2_048), (2_048, 2_048), (20, 100)] {
        for stall in [0, 300, 1_000, 4_000, 18_000] {
            // How much of the stall the sender had kept, from its beginning: the rest it lost.
            for kept_permille in [0, 100, 500, 1_000] {
                // When the grant comes, from the beginning of the stall.
                for grant_at in [-3_000i64, -1_000, -100, 0, 150, 1_000, 9_000, 18_100, 18_300, 20_000] {
                    one_stall(burst, worst, stall, kept_permille, grant_at);
                }
            }
        }
    }
}

fn one_stall(burst: u64, worst: u64, stall: u64, kept_permille: u64, grant_at: i64) {
    let mut world = World::new(worst);
    world.speak_in_bursts(8_192, burst);
    let grant_ms = (world.now_ms + 6_144).saturating_add_signed(grant_at);
    let mut granted = None;
    let mut until = |world: &mut World, end: u64, mut arrives: Box<dyn FnMut(u64) -> Vec<u64>>| {
        while world.now_ms < end {
            if world.now_ms == grant_ms {
                granted = Some((world.grant(), world.now_ms));
            }
            let now = world.now_ms;
            world.step(arrives(now));
        }
    };
    let live = |burst: u64| -> Box<dyn FnMut(u64) -> Vec<u64>> {
        Box::new(move |now| if now.is_multiple_of(burst) { (now - burst..now).collect() } else { Vec::new() })
    };
    let end = world.now_ms + 6_144;
    until(&mut world, end, live(burst));
    let begun = world.now_ms;
    until(&mut world, begun + stall, Box::new(|_| Vec::new()));
    // What was kept comes at once, then the stream is live again.
    let resumed = world.now_ms;
    let first = begun / burst * burst;
    let kept: Vec<u64> = (first..first + stall * kept_permille / 1_000).collect();
    let mut kept = Some(kept);
    let since = if kept_permille == 1_000 { first + stall } else { resumed };
    let mut sent = since;
    until(
        &mut world,
        resumed + 24_000,
        Box::new(move |now| {
            let mut comes = kept.take().unwrap_or_default();
            if now.is_multiple_of(burst) {
                comes.extend(sent..now);
                sent = now.max(sent);
            }
            comes
        }),
    );
    let Some((at, moment)) = granted else { return };
    let early = world.line.iter().skip(at as usize).flatten().filter(|spoken| **spoken < moment).count();
    assert_eq!(
        early, 0,
        "burst {burst} ms, worst {worst} ms, stall {stall} ms, kept {kept_permille} ‰, grant at {grant_at} ms: frames too early"
    );
    world.check(at, moment);
}

#[test]
fn a_stream_faster_than_real_time_is_taken_as_it_comes() {
    let mut world = World::new(2_048);
    for ms in 0..500u64 {
        world.step(ms * 100..ms * 100 + 100);
    }
    assert_eq!(world.line.len(), 400_000 - world.waiting.len());
    assert!(world.line.iter().all(Option::is_some));
    let at = world.grant();
    assert!(at >= world.delivered, "a grant counts from what was not delivered yet");
}

#[test]
fn a_clock_that_drifts_brings_no_silence() {
    // 200 ppm slow over two hours: a packet of 20 ms every 20.004 ms.
    let mut clock = ArrivalClock::new(RATE, 100);
    let mut delivered = 0;
    for packet in 0..360_000u64 {
        delivered += 160;
        let advice = clock.look(1_000_000_000 + packet * 20_004_000, delivered, false);
        assert_eq!(advice, Advice::Take, "packet {packet}");
    }
}

#[test]
fn a_grant_before_the_first_burst_does_not_reach_what_the_sender_had_collected_by_then() {
    // The sender began long ago and writes its first burst only when its buffer is full.
    for (burst, worst) in [(1_024, 2_048), (2_048, 2_048), (20, 100)] {
        for late in [0, burst / 2, burst - 1] {
            let mut world = World::new(worst);
            let begun = world.now_ms;
            world.nothing(late);
            let at = world.grant();
            let granted_ms = world.now_ms;
            world.nothing(begun + burst - granted_ms);
            world.step(begun..begun + burst);
            world.check(at, granted_ms);
        }
    }
}

#[test]
fn a_yes_while_the_first_sound_still_waits_counts_behind_what_is_on_its_way() {
    for clock in [ArrivalClock::of_a_device(RATE, 500), ArrivalClock::new(RATE, 500)] {
        let at = clock.opens_from(1_900_000_000, 15_360);
        assert!((15_360 + 4_000..15_360 + 4_400).contains(&at), "{at}");
    }
}

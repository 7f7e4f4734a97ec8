//! Two streams on one line, by a clock that is told.

use std::sync::Arc;

use super::*;
use crate::ring::{Inlet, Why, ring};

const RATE: u32 = 8_000;
const MS: u64 = 1_000_000;

fn stream(by_arrival: bool) -> (Inlet, Stream) {
    let (inlet, drain) = ring(5 * RATE as usize, 1);
    let clock = if by_arrival { ArrivalClock::new(RATE, 100) } else { ArrivalClock::of_a_device(RATE, 100) };
    (inlet, Stream::new(drain, clock, by_arrival, Arc::new(|| true)))
}

struct World {
    rings: TwoRings,
    inlets: [Option<Inlet>; 2],
    sides: Sides,
    now_ms: u64,
    /// The line: what lies at each sample of both sides, and where silence was laid.
    missing: Vec<OneSided>,
    taken: u64,
    ended: bool,
}

impl World {
    fn new(by_arrival: bool) -> World {
        let ((agent_in, agent), (customer_in, customer)) = (stream(by_arrival), stream(by_arrival));
        World {
            rings: TwoRings::new([agent, customer], 3 * RATE as usize, RATE),
            inlets: [Some(agent_in), Some(customer_in)],
            sides: Sides::in_blocks(1_600, RATE, RATE),
            now_ms: 1_000,
            missing: Vec::new(),
            taken: 0,
            ended: false,
        }
    }

    /// 20 ms of each side, of those that speak.
    fn speak(&mut self, ms: u64, agent: bool, customer: bool) {
        for _ in 0..ms / 20 {
            for (inlet, speaks) in self.inlets.iter_mut().zip([agent, customer]) {
                if let Some(inlet) = inlet.as_mut().filter(|_| speaks) {
                    inlet.push(&[7; 160]);
                }
            }
            self.step();
        }
    }

    fn step(&mut self) {
        loop {
            let came = self.rings.take(self.now_ms * MS, false, &mut self.sides);
            while let Some(gap) = self.rings.one_sided() {
                self.missing.push(gap);
            }
            match came {
                Came::Sound(frames) => {
                    self.taken += frames;
                    self.sides.drop_front(frames as usize);
                }
                Came::Ended => {
                    self.ended = true;
                    break;
                }
                _ => break,
            }
        }
        self.now_ms += 20;
    }

    fn laid(&self, of: Of, why: Missing) -> u64 {
        self.missing.iter().filter(|gap| gap.of == of && gap.why == why).map(|gap| gap.frames).sum()
    }
}

#[test]
fn both_streams_go_on_together_and_end_together() {
    let mut world = World::new(true);
    world.speak(5_000, true, true);
    assert_eq!((world.taken, world.missing.len()), (40_000, 0));
    world.inlets = [None, None];
    world.step();
    assert!(world.ended);
}

#[test]
fn a_stream_that_is_over_holds_up_nobody() {
    let mut world = World::new(true);
    world.speak(1_000, true, true);
    world.inlets[1] = None;
    world.speak(1_000, true, false);
    assert_eq!((world.taken, world.laid(Of::Customer, Missing::Absent)), (16_000, 8_000));
    assert_eq!(world.laid(Of::Agent, Missing::Absent) + world.laid(Of::Agent, Missing::Lost), 0);
}

#[test]
fn a_pause_of_one_side_is_waited_for_then_silence_and_the_line_keeps_time() {
    let mut world = World::new(true);
    world.speak(2_000, true, true);
    world.speak(10_000, true, false);
    // The agent's sound waits no longer than the patience.
    assert!(world.taken >= 9 * 8_000 - 400, "{}", world.taken);
    world.speak(4_000, true, true);
    let seconds = world.taken as f64 / f64::from(RATE);
    assert!((15.5..=16.1).contains(&seconds), "{seconds}");
    let silence = world.laid(Of::Customer, Missing::Absent) as f64 / f64::from(RATE);
    assert!((9.7..=10.2).contains(&silence), "{silence}");
    assert_eq!(world.laid(Of::Agent, Missing::Absent), 0);
}

#[test]
fn a_stall_that_loses_nothing_and_is_short_lays_no_silence() {
    let mut world = World::new(true);
    world.speak(2_000, true, true);
    world.speak(2_000, true, false);
    // It comes at once.
    world.inlets[1].as_mut().unwrap().push(&[7; 16_000]);
    world.speak(2_000, true, true);
    assert_eq!((world.taken, world.missing.len()), (48_000, 0));
}

#[test]
fn what_comes_too_late_is_left_out_and_later_sound_does_not_shift() {
    let mut world = World::new(true);
    world.speak(2_000, true, true);
    world.speak(8_000, true, false);
    world.inlets[1].as_mut().unwrap().push(&[7; 40_000]); // what found no room was lost on the way
    world.speak(2_000, true, true);
    assert!(world.laid(Of::Customer, Missing::Lost) > 20_000, "{:?}", world.missing);
    assert!(world.taken >= 11 * 8_000, "{}", world.taken);
}

#[test]
fn a_party_that_comes_later_lies_where_it_was_spoken() {
    for late_ms in [300, 2_000, 10_000, 30_000] {
        for (late, of) in [(0, Of::Agent), (1, Of::Customer)] {
            let mut world = World::new(true);
            world.speak(late_ms, late == 1, late == 0);
            // As the rendezvous does for the second connection.
            world.inlets[late].as_mut().unwrap().skip(late_ms * 8, Why::Absent);
            world.speak(6_000, true, true);
            world.inlets = [None, None];
            world.step();
            let whole = (late_ms + 6_000) * 8;
            assert_eq!(world.taken, whole, "{of:?} {late_ms} ms later");
            assert_eq!(world.laid(of, Missing::Absent), late_ms * 8, "{of:?} {late_ms} ms later");
            assert_eq!(world.laid(of, Missing::Lost), 0);
        }
    }
}

#[test]
fn a_stream_that_keeps_its_own_line_tells_its_gaps_itself() {
    let mut world = World::new(false);
    world.speak(1_000, true, true);
    for _ in 0..10 {
        world.inlets[0].as_mut().unwrap().push(&[7; 160]);
        world.inlets[1].as_mut().unwrap().skip(160, Why::Undecoded);
        world.step();
    }
    world.inlets[0].as_mut().unwrap().push(&[7; 160]);
    world.inlets[1].as_mut().unwrap().skip(160, Why::Source);
    world.step();
    assert_eq!(world.taken, 8_000 + 11 * 160);
    assert_eq!(world.laid(Of::Customer, Missing::Undecoded), 1_600);
    assert_eq!(world.laid(Of::Customer, Missing::Lost), 160);
}

#[test]
fn what_opens_counts_from_behind_everything_that_was_delivered() {
    let mut world = World::new(true);
    world.speak(3_000, true, true);
    world.inlets[0].as_mut().unwrap().push(&[7; 8_000]);
    let at = world.rings.opens_from(world.now_ms * MS, world.rings.ends().end());
    assert!(at.0 >= 32_000, "{at:?}");
}

#[test]
fn what_was_on_its_way_while_the_streams_were_judged_is_on_its_way_afterwards() {
    use std::sync::atomic::{AtomicBool, Ordering};
    const WORST_MS: u64 = 500;
    for by_arrival in [true, false] {
        for way_ms in [0, 100, 300, 460] {
            let known = Arc::new(AtomicBool::new(false));
            let mut inlets = Vec::new();
            let streams = [(); 2].map(|()| {
                let (inlet, drain) = ring(5 * RATE as usize, 1);
                let clock = if by_arrival { ArrivalClock::new } else { ArrivalClock::of_a_device }(RATE, WORST_MS);
                let known = Arc::clone(&known);
                inlets.push(inlet);
                Stream::new(drain, clock, by_arrival, Arc::new(move || known.load(Ordering::Relaxed)))
            });
            let mut rings = TwoRings::new(streams, 3 * RATE as usize, RATE);
            let mut sides = Sides::in_blocks(1_600, RATE, RATE);
            // What is spoken from 0 ms on comes `way_ms` later; the pace is known 2 s after that.
            for now_ms in (0..10_000u64).step_by(20) {
                known.store(now_ms >= way_ms + 2_000, Ordering::Relaxed);
                if now_ms >= way_ms {
                    inlets.iter_mut().for_each(|inlet| assert_eq!(inlet.push(&[7; 160]), 0));
                }
                while let Came::Sound(frames) = rings.take(now_ms * MS, false, &mut sides) {
                    sides.drop_front(frames as usize);
                }
                let opens = rings.opens_from(now_ms * MS, rings.ends().end()).0;
                assert!(opens >= now_ms * 8, "{opens} at {now_ms} ms, {way_ms} ms on its way, {by_arrival}");
            }
        }
    }
}

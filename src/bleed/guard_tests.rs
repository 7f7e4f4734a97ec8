//! Small calls made of levels: a customer and an agent who speak in syllables, a path between them.

use super::*;
use crate::audio::level::measure;

const NOISE: Level = 300;
const VOICE: Level = 4_600;

/// Level of a voice at unit `t`: syllables of `period` units that fall by 25 dB, with a pause after each.
fn voice(t: usize, period: usize) -> Level {
    let at = t % period;
    if at < period * 2 / 3 { VOICE - (at * at) as Level * 12 } else { NOISE }
}

fn louder(a: Level, b: Level) -> Level {
    if (a - b).abs() < OCTAVE { a.max(b) + OCTAVE / 2 } else { a.max(b) }
}

/// One call of `units` units; `agent` and `customer` give the levels at the mouth, the rest is added here.
struct Call<'a> {
    units: usize,
    agent: &'a dyn Fn(usize) -> Level,
    customer: &'a dyn Fn(usize) -> Level,
    bleed: &'a dyn Fn(usize) -> Option<Level>,
    bleed_delay: usize,
    echo: Option<(Level, usize)>,
    /// Whether the customer's sound did not come at that unit.
    unheard: &'a dyn Fn(usize) -> bool,
}

const SPEECHLESS: &dyn Fn(usize) -> Level = &|_| NOISE;
const HEARD: &dyn Fn(usize) -> bool = &|_| false;
const NO_BLEED: &dyn Fn(usize) -> Option<Level> = &|_| None;

impl Call<'_> {
    fn run(&self) -> (Vec<Verdict>, Guard) {
        let line = |t: usize| {
            let echo = self.echo.and_then(|(loss, delay)| Some((self.agent)(t.checked_sub(delay)?) + loss));
            louder((self.customer)(t), echo.unwrap_or(0))
        };
        let microphone = |t: usize| {
            let source = t.checked_sub(self.bleed_delay).map_or(NOISE, line);
            louder((self.agent)(t), (self.bleed)(t).map_or(0, |loss| source + loss))
        };
        let mut guard = Guard::new(Reference::Both);
        let mut verdicts = Vec::new();
        for frame in 0..self.units / 2 {
            let pair = [2 * frame, 2 * frame + 1];
            let unheard = Unheard { agent: [false; 2], customer: pair.map(self.unheard) };
            let line = |t| if (self.unheard)(t) { 0 } else { line(t) };
            let levels = Levels { agent: pair.map(microphone), customer: pair.map(line), ..Levels::default() };
            guard.hear(&levels, unheard);
            if let Some(due) = (frame as u64).checked_sub(LOOK_FRAMES) {
                verdicts.extend([guard.verdict(2 * due), guard.verdict(2 * due + 1)]);
            }
        }
        guard.end();
        while verdicts.len() < self.units {
            verdicts.push(guard.verdict(verdicts.len() as u64));
        }
        (verdicts, guard)
    }
}

fn own(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|&&verdict| verdict == Verdict::Own).count()
}

fn figures(guard: &Guard) -> crate::bleed::leak::Figures {
    match guard.leak() {
        Leak::Measured(figures) => figures,
        Leak::NotMeasurable => panic!("both sides were heard"),
    }
}

const CUSTOMER: &dyn Fn(usize) -> Level = &|t| voice(t, 37);
const AGENT: &dyn Fn(usize) -> Level = &|t| voice(t, 29);

/// Units of `verdicts` where the agent really speaks up, and how many of them are kept.
fn kept(verdicts: &[Verdict], from: usize) -> f64 {
    let spoken: Vec<usize> = (from..verdicts.len()).filter(|&t| AGENT(t) > VOICE - 1_500).collect();
    spoken.iter().filter(|&&t| verdicts[t] == Verdict::Own).count() as f64 / spoken.len() as f64
}

#[test]
fn a_loud_loudspeaker_is_withheld_before_anything_is_known() {
    for loss in [-255, -1_020] {
        let call = Call {
            units: 400,
            agent: SPEECHLESS,
            customer: CUSTOMER,
            bleed: &|_| Some(loss),
            bleed_delay: 3,
            echo: None,
            unheard: HEARD,
        };
        let (verdicts, guard) = call.run();
        let loud = |t: &usize| *t > 3 && CUSTOMER(*t - 3) + loss > NOISE + 765;
        assert_eq!((0..400).filter(loud).filter(|&t| verdicts[t] == Verdict::Own).count(), 0, "at {loss}");
        assert!(figures(&guard).withheld_s > 1.5);
    }
}

#[test]
fn without_bleed_double_talk_is_kept_once_that_is_known() {
    let call = Call {
        units: 1_200,
        agent: &|t| if t < 200 { NOISE } else { AGENT(t) },
        customer: CUSTOMER,
        bleed: NO_BLEED,
        bleed_delay: 0,
        echo: None,
        unheard: HEARD,
    };
    let (verdicts, guard) = call.run();
    assert!(kept(&verdicts, 200) > 0.98, "{}", kept(&verdicts, 200));
    assert!(figures(&guard).coupling_db.is_some_and(|coupling| coupling < -40.0));
}

#[test]
fn bleed_at_every_delay_to_300_ms_is_learnt_and_withheld() {
    for delay in [0, 1, 7, 15, 30] {
        let call = Call {
            units: 800,
            agent: SPEECHLESS,
            customer: CUSTOMER,
            bleed: &|_| Some(-1_700),
            bleed_delay: delay,
            echo: None,
            unheard: HEARD,
        };
        let (verdicts, guard) = call.run();
        let loud = |t: &usize| *t > delay && CUSTOMER(*t - delay) - 1_700 > NOISE + 765;
        assert_eq!((0..800).filter(loud).filter(|&t| verdicts[t] == Verdict::Own).count(), 0, "{delay} units");
        let coupling = figures(&guard).coupling_db.expect("8 s of customer");
        // The lower edge of -20 dB.
        assert!((-21.0..=-16.0).contains(&coupling), "{coupling} dB at {delay} units");
    }
}

#[test]
fn the_agents_echo_in_the_customers_line_costs_nothing() {
    for (loss, delay) in [(-1_020, 0), (-1_020, 8), (-1_700, 20), (-2_550, 30)] {
        let call = Call {
            units: 1_000,
            agent: AGENT,
            customer: SPEECHLESS,
            bleed: NO_BLEED,
            bleed_delay: 0,
            echo: Some((loss, delay)),
            unheard: HEARD,
        };
        let (verdicts, guard) = call.run();
        let lost: Vec<usize> = (0..1000).filter(|&t| AGENT(t) > VOICE - 1_500 && verdicts[t] != Verdict::Own).collect();
        assert!(kept(&verdicts, 0) > 0.99, "{} at {loss}, {delay}: {lost:?}", kept(&verdicts, 0));
        assert!(figures(&guard).customer_s < 0.5, "the echo is no customer");
    }
}

#[test]
fn a_coupling_that_jumps_is_caught_within_half_a_second() {
    let loss = |t: usize| if t < 600 { Some(-3_400) } else { Some(-1_020) };
    let call = Call {
        units: 1_400,
        agent: SPEECHLESS,
        customer: CUSTOMER,
        bleed: &loss,
        bleed_delay: 4,
        echo: None,
        unheard: HEARD,
    };
    let (verdicts, _) = call.run();
    let loud = |t: &usize| CUSTOMER(*t - 4) > VOICE - 1_500;
    let leaked: Vec<usize> = (600..1_400).filter(loud).filter(|&t| verdicts[t] == Verdict::Own).collect();
    assert!(leaked.len() < 50 && leaked.iter().all(|&t| t < 680), "{leaked:?}");
}

#[test]
fn the_quiet_microphone_under_a_customer_is_not_the_agent() {
    let call = Call {
        units: 400,
        agent: SPEECHLESS,
        customer: CUSTOMER,
        bleed: NO_BLEED,
        bleed_delay: 0,
        echo: None,
        unheard: HEARD,
    };
    let (verdicts, guard) = call.run();
    assert!(verdicts[20..380].iter().all(|&verdict| verdict == Verdict::Quiet));
    assert_eq!(figures(&guard).withheld_s, 0.0);
}

#[test]
fn an_agent_without_a_customer_is_all_his_own() {
    let call = Call {
        units: 500,
        agent: AGENT,
        customer: &|_| 0,
        bleed: NO_BLEED,
        bleed_delay: 0,
        echo: None,
        unheard: HEARD,
    };
    let (verdicts, guard) = call.run();
    assert_eq!(own(&verdicts), 500);
    assert_eq!(
        figures(&guard),
        crate::bleed::leak::Figures {
            coupling_db: None,
            customer_s: 0.0,
            withheld_s: 0.0,
            residual_db: None,
            own_s: 5.0,
            uncompared_s: 0.0
        }
    );
}

#[test]
fn the_leak_figure_bounds_the_bleed_that_was_kept() {
    let call = Call {
        units: 2_000,
        agent: &|t| if t < 600 { NOISE } else { AGENT(t) },
        customer: CUSTOMER,
        bleed: &|_| Some(-1_700),
        bleed_delay: 0,
        echo: None,
        unheard: HEARD,
    };
    let (verdicts, guard) = call.run();
    let power = |level: Level| 2f64.powf(f64::from(level) / 256.0);
    let all: f64 = (0..2_000).map(|t| power(CUSTOMER(t))).sum();
    let kept: f64 = (0..2_000).filter(|&t| verdicts[t] == Verdict::Own).map(|t| power(CUSTOMER(t) - 1_700)).sum();
    let truth = 10.0 * (kept / all).log10();
    let said = figures(&guard).residual_db.expect("customer heard");
    assert!(said >= truth && said < truth + 10.0, "said {said}, was {truth}");
}

#[test]
fn one_party_passes_everything_and_measures_nothing() {
    let mut guard = Guard::new(Reference::OneParty);
    for _ in 0..20 {
        guard.hear(&Levels { agent: [500; 2], customer: [6_000; 2], ..Levels::default() }, Unheard::default());
    }
    assert!((0..20).all(|unit| guard.verdict(unit) == Verdict::Own));
    assert_eq!(guard.leak(), Leak::NotMeasurable);
}

/// A customer whose sound does not come in some units, with a loudspeaker at -20 dB.
fn with_gaps(unheard: &dyn Fn(usize) -> bool) -> (Vec<Verdict>, Guard) {
    let call = Call {
        units: 1_400,
        agent: SPEECHLESS,
        customer: CUSTOMER,
        bleed: &|_| Some(-1_700),
        bleed_delay: 5,
        echo: None,
        unheard,
    };
    call.run()
}

#[test]
fn what_had_nothing_to_be_compared_with_is_kept_and_not_measured() {
    let (verdicts, guard) = with_gaps(&|_| true);
    assert_eq!(own(&verdicts), 1_400, "as of one party alone");
    assert!(!figures(&guard).is_compared());
    assert_eq!((figures(&guard).uncompared_s, figures(&guard).coupling_db), (14.0, None));
    let leak = crate::bleed::Leak::from(guard.leak());
    assert_eq!((leak.measurable, leak.residual_db), (false, None));
}

#[test]
fn a_customer_who_stops_coming_leaves_the_figure_not_measurable() {
    let (verdicts, guard) = with_gaps(&|t| t >= 700);
    assert!(own(&verdicts[..690]) < 70 && own(&verdicts[740..]) > 600, "{} {}", own(&verdicts[..690]), own(&verdicts));
    assert!(figures(&guard).coupling_db.is_some() && !figures(&guard).is_compared());
}

#[test]
fn beside_a_packet_that_is_lost_the_guard_hears_what_came() {
    // Packets do not lie on frames: one that is lost takes half of two frames.
    for phase in 0..40 {
        let from = 701 + phase;
        let (verdicts, _) = with_gaps(&|t| t == from || t == from + 1);
        assert_eq!(own(&verdicts[690..760]), 0, "{from}");
    }
}

#[test]
fn single_packets_that_are_lost_do_not_unmake_the_figure() {
    let agent_speaks = |unheard: &dyn Fn(usize) -> bool| {
        let call = Call {
            units: 1_400,
            agent: AGENT,
            customer: CUSTOMER,
            bleed: NO_BLEED,
            bleed_delay: 0,
            echo: None,
            unheard,
        };
        figures(&call.run().1)
    };
    let lossy = agent_speaks(&|t| t / 2 % 20 == 7);
    assert!(lossy.is_compared() && lossy.uncompared_s > 0.1, "{lossy:?}");
    assert!(!agent_speaks(&|t| t / 2 % 4 == 1).is_compared());
}

#[test]
fn what_the_microphone_hears_of_a_customer_whose_sound_does_not_come_is_not_taken_for_the_agents_voice() {
    // It would keep the floor when her sound does come, in the middle of a word.
    const COMES: usize = 610;
    let words = |t: usize| if t % 40 < 30 { VOICE } else { NOISE };
    type Levels<'a> = &'a dyn Fn(usize) -> Level;
    fn call(agent: Levels, customer: Levels, loss: Option<Level>, unheard: &dyn Fn(usize) -> bool) -> Vec<Verdict> {
        Call { units: 1_400, agent, customer, bleed: &|_| loss, bleed_delay: 5, echo: None, unheard }.run().0
    }
    let of_the_word = |verdicts: Vec<Verdict>| own(&verdicts[COMES + 8..COMES + 25]);
    assert_eq!(of_the_word(call(SPEECHLESS, &words, Some(-1_700), &|t| t < COMES)), 0);
    // The same, had she been silent up to there: then it is the agent whom the microphone hears, and goes on hearing.
    let agent = |t: usize| louder(NOISE, words(t.max(5) - 5) - 1_700);
    let customer = |t| if t < COMES { 0 } else { words(t) };
    assert!(of_the_word(call(&agent, &customer, None, HEARD)) > 5);
}

#[test]
fn a_microphone_that_was_not_heard_does_not_teach_that_there_is_no_bleed() {
    let loudspeaker = |guard: &mut Guard, units: std::ops::Range<usize>, absent: bool| {
        let mut own = 0;
        for frame in units.start / 2..units.end / 2 {
            let pair = [2 * frame, 2 * frame + 1];
            let customer = pair.map(CUSTOMER);
            let agent = if absent { [0; 2] } else { pair.map(|t| louder(NOISE, CUSTOMER(t.max(5) - 5) - 1_700)) };
            guard.hear(
                &Levels { agent, customer, ..Levels::default() },
                Unheard { agent: [absent; 2], customer: [false; 2] },
            );
            if let Some(due) = (frame as u64).checked_sub(LOOK_FRAMES) {
                let verdicts = [guard.verdict(2 * due), guard.verdict(2 * due + 1)];
                own += verdicts.iter().filter(|verdict| **verdict == Verdict::Own).count();
            }
        }
        own
    };
    let mut guard = Guard::new(Reference::Both);
    loudspeaker(&mut guard, 0..600, false);
    loudspeaker(&mut guard, 600..1_000, true);
    assert_eq!(loudspeaker(&mut guard, 1_000..1_400, false), 0);
}

#[test]
fn extremes_and_varying_frame_lengths_do_not_panic() {
    let sounds: [fn(usize) -> i16; 6] = [
        |_| i16::MIN,
        |_| i16::MAX,
        |_| 0,
        |t| if t % 2 == 0 { i16::MAX } else { i16::MIN },
        |t| if t / 2 % 2 == 0 { i16::MIN } else { i16::MAX },
        |t| (t * 7_919 % 65_536) as u16 as i16,
    ];
    let mut guard = Guard::new(Reference::Both);
    for frame in 0..3_600 {
        let (a, c) = (sounds[frame / 100 % 6], sounds[frame / 600 % 6]);
        let len = [220, 221, 160, 161, 1, 2, 3, 960, 1_921][frame % 9];
        let side = |sound: fn(usize) -> i16| -> Vec<i16> { (0..len).map(|t| sound(t + frame)).collect() };
        guard.hear(&measure(&side(a), &side(c)), Unheard::default());
        if let Some(due) = (frame as u64).checked_sub(LOOK_FRAMES) {
            guard.verdict(2 * due);
            guard.verdict(2 * due + 1);
        }
    }
    guard.end();
    assert!(figures(&guard).withheld_s + 0.01 > 0.0);
}

#[test]
fn the_same_levels_give_the_same_verdicts() {
    let call = Call {
        units: 600,
        agent: AGENT,
        customer: CUSTOMER,
        bleed: &|_| Some(-1_700),
        bleed_delay: 5,
        echo: Some((-1_700, 3)),
        unheard: HEARD,
    };
    assert_eq!(call.run().0, call.run().0);
}

#[test]
#[should_panic(expected = "too early")]
fn a_verdict_asked_too_early_is_a_bug() {
    let mut guard = Guard::new(Reference::Both);
    for _ in 0..LOOK_FRAMES {
        guard.hear(&Levels::default(), Unheard::default());
    }
    guard.verdict(0);
}

//! The tones of keys are in neither track, and all that was said around them is (PAY-05).
//!
//! Random calls with presses on both sides, under grants, masks, pauses, withdrawals and gaps. What is stored is looked
//! at by a Goertzel filter of its own.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use oneside::audio::{MediaTime, Span, Stereo};
use oneside::bleed::Reference;
use oneside::call::{Call, Missing, Opening, Outlet};
use oneside::consent::{Act, Cleared, Decision, Dropped, Event, Notice, OnWithdrawal, PartyId, Stamped, Terms, Track};
use oneside::voice::Speech;

const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: &str = "123A456B789C*0#D";
/// Seconds of a call.
const SECONDS: usize = 6;

struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        // SplitMix64: the two sides of a call must not resemble each other.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 33) as usize % sides
    }
}

/// What stands on both tracks, sample by sample, and what was wiped.
#[derive(Default)]
struct Tape {
    tracks: [BTreeMap<u64, i16>; 2],
    wiped_of_tones: u64,
    wiped: u64,
}

impl Outlet for Tape {
    fn write(&mut self, sound: Cleared<'_>) {
        let track = &mut self.tracks[usize::from(sound.track() == Track::Customer)];
        for (number, sample) in sound.samples().iter().enumerate() {
            assert_eq!(track.insert(sound.at().0 + number as u64, *sample), None, "no sample is written twice");
        }
    }

    fn erase_customer(&mut self, span: Span) {
        self.tracks[1].retain(|at, _| *at < span.from.0 || *at >= span.until.0);
        self.wiped += span.samples();
    }

    fn erase_tone(&mut self, span: Span) {
        self.wiped_of_tones += span.samples();
        self.erase_customer(span);
    }
}

/// A press: on which side, where, for how long, which key.
#[derive(Clone, Copy, Debug)]
struct Press {
    side: usize,
    from: usize,
    until: usize,
    key: usize,
}

/// A voice that no detector takes for a tone, with presses in pauses of it.
fn sound(rate: usize, side: usize, presses: &[Press], dice: &mut Dice) -> Vec<i16> {
    let (mut low, mut loud, mut left) = (0.0, 1.0, 0);
    let mut voice = || {
        if left == 0 {
            // Syllables: sides that are alike in loudness are taken for one and the same.
            (loud, left) = ([0.05, 0.2, 0.5, 1.0][dice.below(4)], rate * (60 + dice.below(200)) / 1_000);
        }
        left -= 1;
        low += 0.3 * ((dice.below(16_000) as f64 - 8_000.0) - low);
        low * loud
    };
    let mut sound: Vec<f64> = (0..rate * SECONDS).map(|_| voice()).collect();
    let quiet = rate / 50;
    for press in presses.iter().filter(|press| press.side == side) {
        sound[press.from - quiet..press.until + quiet].iter_mut().for_each(|sample| *sample *= 0.02);
        for (at, sample) in sound.iter_mut().enumerate().take(press.until).skip(press.from) {
            let tone = |hz: f64| 4_000.0 * (TAU * hz * at as f64 / rate as f64).sin();
            *sample += tone(ROWS[press.key / 4]) + tone(COLUMNS[press.key % 4]);
        }
    }
    sound.into_iter().map(|sample| sample.round() as i16).collect()
}

fn presses(rate: usize, dice: &mut Dice) -> Vec<Press> {
    let mut presses = Vec::new();
    let mut at = rate / 2;
    while at < rate * (SECONDS - 1) {
        let length = rate * (50 + dice.below(250)) / 1_000;
        presses.push(Press { side: dice.below(2), from: at, until: at + length, key: dice.below(16) });
        at += length + rate * (120 + dice.below(400)) / 1_000;
    }
    presses
}

fn opening(rate_hz: u32, on_withdrawal: OnWithdrawal) -> Opening {
    Opening {
        reference: Reference::OneParty,
        terms: Terms { on_withdrawal, ..Terms::default() },
        ..Opening::new("tones", rate_hz)
    }
}

fn told() -> Event {
    Event::Told { party: None, notice: Notice { notice: "std".into(), version: "1".into(), language: None } }
}

fn granted() -> Event {
    let decision = Decision {
        party: PartyId::default(),
        act: Act::Dtmf { digit: '1' },
        purposes: vec!["training".into()],
        basis: None,
    };
    Event::Granted(decision)
}

/// Drives a call over both sides; before each frame `steer` may do something to it.
fn drive(
    rate_hz: u32,
    sides: &[Vec<i16>; 2],
    mut steer: impl FnMut(&mut Call, u64, &mut Tape),
) -> (Tape, oneside::call::Closing, Vec<oneside::call::Press>) {
    let (mut call, mut tape, mut heard) =
        (Call::open(opening(rate_hz, OnWithdrawal::Keep)), Tape::default(), Vec::new());
    // Said wrongly: the events that come all the same undo it.
    call.expect_no_event();
    let frame = rate_hz as usize / 50;
    for (number, (agent, customer)) in sides[0].chunks(frame).zip(sides[1].chunks(frame)).enumerate() {
        steer(&mut call, number as u64, &mut tape);
        let sound = Stereo::new(call.position(), agent, customer);
        call.listen(&sound);
        call.settle(&sound, Speech(true), &mut tape);
        heard.extend(std::iter::from_fn(|| call.next_press()));
    }
    let closing = call.close(&mut tape);
    (tape, closing, heard)
}

fn say(call: &mut Call, event: Event, rate_hz: u32, tape: &mut Tape) {
    call.take_now(Stamped::placed(call.position(), None, event, rate_hz), tape);
}

/// The longest stretch of a track, in ms, of which two of the tones hold most of the energy.
fn longest_tone_ms(track: &BTreeMap<u64, i16>, rate: usize) -> usize {
    let window = rate / 100;
    let (mut longest, mut run) = (0, 0);
    for start in (0..rate * SECONDS - window).step_by(window) {
        let part: Vec<f64> = (start..start + window)
            .map(|at| track.get(&(at as u64)).map_or(0.0, |sample| f64::from(*sample)))
            .collect();
        let power = |hz: f64| {
            let angle = |at: usize| TAU * hz * at as f64 / rate as f64;
            let (cos, sin) = part.iter().enumerate().fold((0.0, 0.0), |(cos, sin), (at, sample)| {
                (cos + sample * angle(at).cos(), sin + sample * angle(at).sin())
            });
            2.0 * (cos * cos + sin * sin) / part.len() as f64
        };
        let energy: f64 = part.iter().map(|sample| sample * sample).sum();
        let best = |tones: [f64; 4]| tones.map(power).into_iter().fold(0.0, f64::max);
        run = if energy > 1e6 && best(ROWS) + best(COLUMNS) > 0.75 * energy { run + 10 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[test]
fn no_tone_is_stored_of_either_side_and_everything_around_it_is() {
    let mut dice = Dice(77);
    for rate_hz in [8_000, 16_000, 11_000, 48_000] {
        let rate = rate_hz as usize;
        let mut wiped = 0;
        for _ in 0..3 {
            let presses = presses(rate, &mut dice);
            let sides = [0, 1].map(|side| sound(rate, side, &presses, &mut dice));
            for (side, sound) in sides.iter().enumerate() {
                let whole = sound.iter().enumerate().map(|(at, sample)| (at as u64, *sample)).collect();
                let there = presses.iter().any(|press| press.side == side);
                assert!(!there || longest_tone_ms(&whole, rate) >= 40, "the test's own filter finds what is there");
            }
            let (tape, closing, heard) = drive(rate_hz, &sides, |call, frame, tape| match frame {
                0 => say(call, told(), rate_hz, tape),
                1 => say(call, granted(), rate_hz, tape),
                _ => {}
            });
            wiped += tape.wiped_of_tones;
            for (side, track) in tape.tracks.iter().enumerate() {
                assert!(longest_tone_ms(track, rate) <= 10, "side {side} at {rate_hz} Hz");
                let margin = rate / 50;
                for (at, sample) in sides[side].iter().enumerate() {
                    let near =
                        |press: &&Press| press.side == side && press.from < at + margin && at < press.until + margin;
                    let inside = |press: &Press| press.side == side && (press.from..press.until).contains(&at);
                    let stored = track.get(&(at as u64));
                    assert!(stored.is_none() || !presses.iter().any(inside), "{at} of a tone at {rate_hz} Hz");
                    let shut = side == 1 && at < rate / 50;
                    let clear = presses.iter().find(near).is_none() && !shut;
                    let said = format!(
                        "sample {at} of side {side} at {rate_hz} Hz is intact: {presses:?} {:?}",
                        closing.tally
                    );
                    assert!(!clear || stored == Some(sample), "{said}");
                }
            }
            let tally = &closing.tally;
            assert!(tally.agent.adds_up() && tally.customer.adds_up());
            assert_eq!(tally.agent.written, tape.tracks[0].len() as u64);
            assert_eq!(tally.customer.written, tape.tracks[1].len() as u64);
            assert_eq!(tally.customer.erased, 0, "what is wiped of a tone is left out, not erased");
            assert_eq!(tally.agent.left_out(Dropped::Tone) + tally.agent.written, tally.agent.heard);
            let expected: Vec<_> =
                presses.iter().map(|press| (press.side, KEYS.as_bytes()[press.key] as char)).collect();
            let found: Vec<_> =
                heard.iter().map(|press| (usize::from(press.side == Track::Customer), press.key.digit)).collect();
            assert_eq!(found, expected, "each press is told once, at {rate_hz} Hz");
            for (press, heard) in presses.iter().zip(&heard) {
                let ms = |samples: i64| samples * 1_000 / i64::from(rate_hz);
                assert!((-20..=1).contains(&ms(heard.from.0 as i64 - press.from as i64)), "{press:?} {heard:?}");
                assert!((25..=60).contains(&ms(heard.known.0 as i64 - press.from as i64)), "{press:?} {heard:?}");
            }
        }
        assert!(wiped > 0, "beginnings were wiped");
    }
}

#[test]
fn tones_among_pauses_masks_withdrawals_and_gaps_keep_the_account_right() {
    let (mut dice, rate_hz) = (Dice(5), 8_000);
    let (mut toned, mut erased) = (0, 0);
    for _ in 0..60 {
        let presses = presses(8_000, &mut dice);
        let sides = [0, 1].map(|side| sound(8_000, side, &presses, &mut dice));
        let steps: Vec<usize> = (0..SECONDS * 50).map(|_| dice.below(60)).collect();
        let (tape, closing, _) = drive(rate_hz, &sides, |call, frame, tape| {
            let here = call.position().0;
            match steps[frame as usize] {
                0..=3 => {
                    say(call, told(), rate_hz, tape);
                    say(call, granted(), rate_hz, tape);
                }
                4 => say(call, Event::Paused, rate_hz, tape),
                5..=7 => say(call, Event::Resumed, rate_hz, tape),
                8 => say(call, Event::Masked { seconds: 1 }, rate_hz, tape),
                9 => say(call, Event::Withdrawn { party: PartyId::default(), purposes: Vec::new() }, rate_hz, tape),
                10 => call.missing(Span::new(MediaTime(here + 40), MediaTime(here + 200)), Missing::Lost),
                _ => {}
            }
        });
        let tally = &closing.tally;
        assert_eq!(tally.agent.written, tape.tracks[0].len() as u64);
        assert_eq!(tally.customer.written, tape.tracks[1].len() as u64);
        for (side, track) in tape.tracks.iter().enumerate() {
            let inside = |at: u64| {
                presses.iter().any(|press| press.side == side && (press.from as u64..press.until as u64).contains(&at))
            };
            assert!(!track.keys().any(|at| inside(*at)), "nothing of a tone stands on side {side}");
        }
        toned += tally.customer.left_out(Dropped::Tone);
        erased += tally.customer.erased;
    }
    assert!(toned > 50_000 && erased > 100_000, "{toned} of tones, {erased} erased");
}

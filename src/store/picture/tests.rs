//! Pictures of made-up calls: their ledgers come from the real gate, their sound is a list of who speaks when.

use super::*;
use crate::call::{Finding, Leak, MediaTime, Span, Tally, Trace};
use crate::consent::{Act, Decision, Dropped, Event, Gate, Ledger, Notice, PartyId, Stamped, Terms};

const RATE_HZ: u32 = 8_000;

/// A call to draw: seconds in which each side speaks, and what happens.
#[derive(Default)]
struct Scene {
    seconds: f64,
    agent: Vec<(f64, f64)>,
    bleed: Vec<(f64, f64)>,
    customer: Vec<(f64, f64)>,
    events: Vec<(f64, Event)>,
    findings: Vec<Finding>,
    quarantined: bool,
}

impl Scene {
    fn picture(&self, name: &str) -> String {
        let (closing, sketch) = self.closed();
        draw(name, &closing, &sketch)
    }

    fn closed(&self) -> (Closing, Sketch) {
        let length = MediaTime((self.seconds * f64::from(RATE_HZ)) as u64);
        let (mut gate, mut ledger) = (Gate::new(Terms::default(), Vec::new()).at_rate(RATE_HZ), Ledger::new("call"));
        if self.quarantined {
            gate.quarantine();
        }
        for (at, event) in &self.events {
            let stamped = Stamped::new((at * 1e9).round() as u64, None, event.clone(), RATE_HZ);
            let effect = gate.apply(&stamped);
            ledger.record(&stamped, &effect);
        }
        let kept = gate.kept().to_vec();
        let mut closing = Closing {
            result: if self.quarantined { CallResult::Quarantined } else { CallResult::Recorded },
            length,
            rate_hz: RATE_HZ,
            tally: Tally::default(),
            leak: Leak {
                measurable: true,
                coupling_db: (!self.bleed.is_empty()).then_some(-20.3),
                customer_active_s: 0.0,
                withheld_s: self.bleed.iter().map(|(from, until)| until - from).sum(),
                residual_db: (!self.bleed.is_empty()).then_some(-67.2),
            },
            findings: self.findings.clone(),
            ledger: ledger.entries().to_vec(),
            kept,
        };
        let sketch = self.sketch(&mut closing);
        (closing, sketch)
    }

    fn sketch(&self, closing: &mut Closing) -> Sketch {
        let door = door::stretches(closing);
        let paused: Vec<Span> = door
            .iter()
            .filter(|stretch| stretch.fate == Err(Dropped::Paused))
            .map(|stretch| Span::new(MediaTime(stretch.from), MediaTime(stretch.until)))
            .collect();
        let (talk, bleed, active) = (spans(&self.agent), spans(&self.bleed), spans(&self.customer));
        let mut sketch = Sketch::new(RATE_HZ);
        let unit_samples = if self.seconds > 600.0 { 8_000 } else { 80 };
        for from in (0..closing.length.0).step_by(unit_samples) {
            let span = Span::new(MediaTime(from), MediaTime((from + unit_samples as u64).min(closing.length.0)));
            let within = |spans: &[Span]| spans.iter().any(|other| other.overlaps(span));
            let agent = match () {
                () if self.quarantined => Err(Dropped::Quarantined),
                () if within(&paused) => Err(Dropped::Paused),
                () if within(&bleed) => Err(Dropped::Bleed),
                () if within(&talk) => Ok(()),
                () => Err(Dropped::NotSpeech),
            };
            sketch.add(Trace { span, agent, customer_active: within(&active) });
            closing.tally.agent.heard += span.samples();
            match agent {
                Ok(()) => closing.tally.agent.written += span.samples(),
                Err(reason) => closing.tally.agent.leave_out(reason, span.samples()),
            }
        }
        for stretch in door {
            let samples = stretch.until - stretch.from;
            closing.tally.customer.heard += samples;
            match stretch.fate {
                Ok(()) => closing.tally.customer.written += samples,
                Err(reason) => closing.tally.customer.leave_out(reason, samples),
            }
        }
        sketch
    }
}

fn spans(seconds: &[(f64, f64)]) -> Vec<Span> {
    let at = |seconds: f64| MediaTime((seconds * f64::from(RATE_HZ)) as u64);
    seconds.iter().map(|(from, until)| Span::new(at(*from), at(*until))).collect()
}

fn told(party: Option<&str>) -> Event {
    let notice = Notice { notice: "std".into(), version: "3".into(), language: Some("sv".into()) };
    Event::Told { party: party.map(|party| PartyId(party.into())), notice }
}

fn granted(party: PartyId, act: Act) -> Event {
    Event::Granted(Decision { party, act, purposes: vec!["training".into()], basis: None })
}

fn key_one() -> Event {
    granted(PartyId::default(), Act::Dtmf { digit: '1' })
}

fn fates(scene: &Scene) -> Vec<(f64, f64, Result<(), Dropped>)> {
    let seconds = |samples| samples as f64 / f64::from(RATE_HZ);
    let stretches = door::stretches(&scene.closed().0);
    stretches.iter().map(|stretch| (seconds(stretch.from), seconds(stretch.until), stretch.fate)).collect()
}

/// A granted call with a pause, a third party and leak: everything that commonly happens.
fn eventful() -> Scene {
    let wife = PartyId("wife".into());
    let spoken = Act::SpokenYes { agent: None, question: None };
    Scene {
        seconds: 42.0,
        agent: vec![(0.5, 5.2), (7.6, 9.9), (12.5, 14.0), (20.6, 24.8), (31.0, 34.5), (38.0, 40.2)],
        bleed: vec![(10.4, 12.1), (35.0, 37.0)],
        customer: vec![(6.1, 6.3), (10.3, 12.2), (16.0, 19.8), (25.2, 27.0), (29.2, 29.9), (34.8, 37.2)],
        events: vec![
            (5.2, told(None)),
            (6.3, key_one()),
            (14.5, Event::Paused),
            (20.5, Event::Resumed),
            (24.9, Event::Joined { party: wife.clone() }),
            (28.6, told(Some("wife"))),
            (30.0, granted(wife, spoken)),
            (42.0, Event::HungUp),
        ],
        findings: vec![Finding::AgentClipped { per_thousand: 120 }, Finding::EventsRejected { count: 1 }],
        ..Scene::default()
    }
}

#[test]
fn a_picture_is_well_formed_and_says_what_happened() {
    let svg = eventful().picture("2026-03-14-0007");
    let xml = roxmltree::Document::parse(&svg).expect("well-formed");
    let texts: Vec<&str> = xml.descendants().filter_map(|node| node.text()).collect();
    for expected in
        ["2026-03-14-0007", "recorded", "0:06 granted: key 1, for training", "0:14 paused", "0:24 wife joined"]
    {
        assert!(texts.contains(&expected), "{expected} is missing in {texts:#?}");
    }
}

#[test]
fn a_name_cannot_break_out_of_the_picture() {
    let name = "</text><script>alert('x')</script>&\u{1}\u{202e}\"";
    let svg = eventful().picture(name);
    let xml = roxmltree::Document::parse(&svg).expect("well-formed");
    assert!(xml.descendants().all(|node| node.tag_name().name() != "script"));
    let title = xml.descendants().find(|node| node.has_tag_name("title")).and_then(|node| node.text());
    assert_eq!(title, Some("</text><script>alert('x')</script>&\u{fffd}\u{fffd}\""));
}

#[test]
fn a_very_long_name_is_shortened_and_kept_whole_in_the_title() {
    let name = "år/2026/".repeat(200);
    let svg = eventful().picture(&name);
    let xml = roxmltree::Document::parse(&svg).expect("well-formed");
    let shown = xml.descendants().filter(|node| node.has_tag_name("text")).filter_map(|node| node.text());
    assert!(shown.clone().all(|text| text.chars().count() < 200));
    assert!(svg.contains(&name));
}

#[test]
fn labels_never_overlap() {
    let scene = Scene { seconds: 300.0, events: many_events(500, 300.0), ..Scene::default() };
    let (closing, _) = scene.closed();
    let flags = Flags::place(&closing.ledger, Scale { length: closing.length.0, rate_hz: RATE_HZ });
    assert!(flags.labels.len() >= 20, "{} labels", flags.labels.len());
    assert_eq!(flags.labels.len() + flags.unlabelled, 500);
    for (i, a) in flags.labels.iter().enumerate() {
        assert!(a.left >= 0.0 && a.right <= WIDTH, "inside the picture");
        for b in &flags.labels[i + 1..] {
            assert!(a.row != b.row || a.right <= b.left || b.right <= a.left, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn a_picture_does_not_grow_with_the_call() {
    let talk: Vec<(f64, f64)> = (0..700).map(|i| (f64::from(i) * 10.0, f64::from(i) * 10.0 + 4.0)).collect();
    let customer = talk.iter().map(|(from, until)| (from + 4.0, until + 3.0)).collect();
    let scene =
        Scene { seconds: 7_200.0, agent: talk, customer, events: many_events(2_000, 7_000.0), ..Scene::default() };
    let svg = scene.picture("two hours");
    roxmltree::Document::parse(&svg).expect("well-formed");
    assert!(svg.len() < 400_000, "{} bytes", svg.len());
}

#[test]
fn a_call_without_sound_has_a_picture() {
    let scene = Scene { events: vec![(3.0, told(None)), (4.0, key_one())], ..Scene::default() };
    let svg = scene.picture("empty");
    roxmltree::Document::parse(&svg).expect("well-formed");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn the_same_facts_give_the_same_picture() {
    assert_eq!(eventful().picture("a"), eventful().picture("a"));
}

#[test]
fn each_stretch_of_the_customer_has_its_reason() {
    assert_eq!(
        fates(&eventful()),
        [
            (0.0, 6.3, Err(Dropped::NoDecision)),
            (6.3, 14.5, Ok(())),
            (14.5, 20.5, Err(Dropped::Paused)),
            (20.5, 24.9, Ok(())),
            (24.9, 30.0, Err(Dropped::NoDecision)),
            (30.0, 42.0, Ok(())),
        ]
    );
}

#[test]
fn what_a_later_withdrawal_erases_is_told_apart_from_what_came_after_it() {
    let withdrawn = Event::Withdrawn { party: PartyId::default(), purposes: Vec::new() };
    let events = vec![(5.0, told(None)), (6.0, key_one()), (15.0, withdrawn), (18.0, Event::HungUp)];
    let scene = Scene { seconds: 20.0, events, ..Scene::default() };
    assert_eq!(
        fates(&scene),
        [
            (0.0, 6.0, Err(Dropped::NoDecision)),
            (6.0, 15.0, Err(Dropped::WithdrawnLater)),
            (15.0, 18.0, Err(Dropped::Withdrawn)),
            (18.0, 20.0, Err(Dropped::CallOver)),
        ]
    );
}

#[test]
fn a_refusal_a_hold_and_a_quarantine_are_named() {
    let refused = Event::Refused { party: PartyId::default() };
    let scene = Scene { seconds: 10.0, events: vec![(4.0, refused)], ..Scene::default() };
    assert_eq!(fates(&scene), [(0.0, 4.0, Err(Dropped::NoDecision)), (4.0, 10.0, Err(Dropped::Refused))]);
    let events = vec![(1.0, told(None)), (2.0, key_one()), (5.0, Event::Held)];
    let scene = Scene { seconds: 10.0, events, ..Scene::default() };
    assert_eq!(fates(&scene).last(), Some(&(5.0, 10.0, Err(Dropped::Held))));
    let scene = Scene { quarantined: true, ..eventful() };
    assert_eq!(fates(&scene), [(0.0, 42.0, Err(Dropped::Quarantined))]);
}

#[test]
fn private_stretches_windows_and_masks_are_named() {
    let events = vec![
        (1.0, told(None)),
        (2.0, key_one()),
        (5.0, Event::Masked { seconds: 1 }),
        (6.0, Event::Private),
        (7.0, Event::WindowClosed),
        (8.0, Event::PrivateEnded),
        (9.0, Event::WindowOpened),
    ];
    let scene = Scene { seconds: 10.0, events, ..Scene::default() };
    let expected = [
        (0.0, 2.0, Err(Dropped::NoDecision)),
        (2.0, 4.0, Ok(())),
        (4.0, 5.0, Err(Dropped::Masked)),
        (5.0, 6.0, Ok(())),
        (6.0, 8.0, Err(Dropped::Private)),
        (8.0, 9.0, Err(Dropped::OutsideWindow)),
        (9.0, 10.0, Ok(())),
    ];
    assert_eq!(fates(&scene), expected);
    let picture = scene.picture("stops");
    assert!(["masked the last 1 s", "recording window closed", "private no more"].iter().all(|w| picture.contains(w)));
}

#[test]
fn what_changed_nothing_changes_no_reason() {
    let stranger = || PartyId("stranger".into());
    let events = vec![
        (1.0, Event::Expired { party: PartyId::default(), token: "T".into() }),
        (2.0, Event::Refused { party: stranger() }),
        (3.0, granted(stranger(), Act::Dtmf { digit: '1' })),
        (4.0, key_one()),
    ];
    let scene = Scene { seconds: 10.0, events, ..Scene::default() };
    assert_eq!(fates(&scene), [(0.0, 10.0, Err(Dropped::NoDecision))]);
}

#[test]
fn a_column_shared_by_two_fates_stays_within_its_lane() {
    // A picture column of this call is 20 ms, so every turn falls into the middle of one.
    let turns =
        |odd: usize| (0..20).filter(move |i| i % 2 == odd).map(|i| (i as f64 + 0.01, i as f64 + 1.01)).collect();
    let scene = Scene { seconds: 20.0, agent: turns(0), bleed: turns(1), ..Scene::default() };
    let picture = scene.picture("shared");
    let tops = |fill: &str| -> Vec<f64> {
        let path = picture.split(&format!("<path fill=\"{fill}\" d=\"")).nth(1).expect("it is drawn").split('"').next();
        path.unwrap().split('M').skip(1).map(|run| run.split([' ', 'h']).nth(1).unwrap().parse().unwrap()).collect()
    };
    let lane = tops("#0072b2").into_iter().fold(f64::INFINITY, f64::min);
    assert!(tops("url(#bleed)").iter().all(|top| *top >= lane), "{:?} above {lane}", tops("url(#bleed)"));
}

#[test]
fn parts_are_never_rounded_to_all_or_nothing() {
    assert_eq!(percent(0, 10), "0 %");
    assert_eq!(percent(1, 1_000_000), "< 1 %");
    assert_eq!(percent(999_999, 1_000_000), "> 99 %");
    assert_eq!(percent(10, 10), "100 %");
    assert_eq!([clock(0.0), clock(75.9), clock(3_600.0)], ["0:00", "1:15", "1:00:00"]);
}

/// Events of all kinds, evenly spread.
fn many_events(count: u32, seconds: f64) -> Vec<(f64, Event)> {
    let kinds = [told(None), key_one(), Event::Paused, Event::Resumed, Event::Held, Event::Retrieved];
    let spread = |i: u32| (f64::from(i) * seconds / f64::from(count), kinds[i as usize % kinds.len()].clone());
    (0..count).map(spread).collect()
}

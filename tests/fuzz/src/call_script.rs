//! A call by script: bytes become sound, speech decisions and events, known beforehand or coming while the call runs.
//! [`ScriptOutlet`] checks what is written.

use oneside::audio::{MediaTime, Stereo, frame_end};
use oneside::bleed::Reference;
use oneside::call::{Call, CallResult, Opening};
use oneside::consent::ledger::check_chain;
use oneside::consent::{
    Act, Basis, Decision, Event, Notice, OnWithdrawal, PartyId, Refusal, Stamped, Terms, TokenState, rehearse,
};
use oneside::split::Finding;
use oneside::voice::Speech;

use super::bytes::Bytes;
use super::script_outlet::{Forbidden, ScriptOutlet};

const RATES_HZ: [u32; 5] = [8_000, 8_001, 11_025, 16_000, 48_000];
/// Most frames in a script: 8 s.
const FRAMES_MAX: usize = 400;
/// Most events in a script.
const EVENTS_MAX: usize = 200;
/// A step of an event's time: 100 µs and a bit, so that events fall between samples and at their edges.
const STEP_NANOS: u64 = 100_003;

/// A script that was read.
struct Script {
    rate_hz: u32,
    terms: Terms,
    reference: Reference,
    /// The events are known when the call opens.
    known: bool,
    findings: Vec<Finding>,
    lead_in_ms: u32,
    tail_ms: u32,
    /// Which sound, for each frame, and whether the detector hears speech in it.
    frames: Vec<(u8, bool)>,
    /// Samples that the last frame lacks.
    short_by: u64,
    /// Each with the number of the frame before which it comes in.
    events: Vec<(usize, Stamped)>,
}

/// The bytes are a script.
pub fn run(data: &[u8]) {
    let script = Script::read(&mut Bytes::new(data));
    let (agent, customer) = script.sound();
    let mut events: Vec<Stamped> = script.events.iter().map(|(_, event)| event.clone()).collect();
    events.sort_by_key(Stamped::order);
    let foreclosed = if script.known { rehearse(&script.terms, &events) } else { Vec::new() };
    let mut forbidden = Forbidden::by(&events, script.known, script.rate_hz);
    forbidden.everything = !script.findings.is_empty();
    let mut out = ScriptOutlet::new(&agent, &customer, forbidden);
    let mut call = Call::open(Opening {
        reference: script.reference,
        terms: script.terms.clone(),
        foreclosed,
        findings: script.findings.clone(),
        lead_in_ms: script.lead_in_ms,
        tail_ms: script.tail_ms,
        ..Opening::new("script", script.rate_hz)
    });
    let mut waiting = script.events.iter().peekable();
    let mut from = 0;
    for (number, (_, speech)) in script.frames.iter().enumerate() {
        while let Some((_, event)) = waiting.next_if(|(before, _)| script.known || *before <= number) {
            call.event(event.clone());
        }
        let until = (frame_end(number as u64, script.rate_hz).0 as usize).min(agent.len());
        let sound = Stereo::new(MediaTime(from as u64), &agent[from..until], &customer[from..until]);
        let heard = call.listen(&sound);
        assert!(heard.samples() == &agent[from..until], "the detector hears the agent");
        call.settle(&sound, Speech(*speech), &mut out);
        from = until;
    }
    waiting.for_each(|(_, event)| call.event(event.clone()));
    let closing = call.close(&mut out);
    out.check(&closing);
    assert_eq!(closing.ledger.len(), script.events.len(), "every event is in the ledger");
    check_chain("script", &closing.ledger).expect("the ledger's chain holds");
    if !script.findings.is_empty() {
        assert_eq!(closing.result, CallResult::Quarantined);
    }
}

impl Script {
    fn read(bytes: &mut Bytes<'_>) -> Script {
        let rate_hz = bytes.pick(&RATES_HZ);
        let purposes = bytes.flag().then(|| vec!["training".into(), "quality".into()]);
        let on_withdrawal = bytes.pick(&[OnWithdrawal::Erase, OnWithdrawal::Keep]);
        let contradicted = Finding::MapContradicted { map: 0, declared: 1, by: "script".into() };
        let mut script = Script {
            rate_hz,
            terms: Terms { on_withdrawal, purposes, sensitive: bytes.below(4) == 1 },
            reference: bytes.pick(&[Reference::Both, Reference::Both, Reference::Both, Reference::OneParty]),
            known: bytes.flag(),
            findings: if bytes.below(16) == 1 { vec![contradicted] } else { Vec::new() },
            lead_in_ms: u32::from(bytes.byte()),
            tail_ms: u32::from(bytes.byte()) * 4,
            frames: Vec::new(),
            short_by: u64::from(bytes.byte()),
            events: Vec::new(),
        };
        while !bytes.is_empty() && script.frames.len() < FRAMES_MAX && script.events.len() < EVENTS_MAX {
            match bytes.below(3) {
                0 => script.event(bytes),
                speech => {
                    let sound = bytes.byte();
                    let count = 1 + usize::from(bytes.below(32));
                    script.frames.extend(std::iter::repeat_n((sound, speech == 2), count));
                }
            }
        }
        script
    }

    fn event(&mut self, bytes: &mut Bytes<'_>) {
        let event = event(bytes);
        // Half of the events happen about when they come in, the others at any time.
        let now = frame_end(self.frames.len() as u64, self.rate_hz).0 * 1_000_000_000 / u64::from(self.rate_hz);
        let nanos = match bytes.flag() {
            true => u64::from(bytes.word()) * STEP_NANOS,
            false => now.saturating_sub(u64::from(bytes.byte()) * STEP_NANOS),
        };
        self.events.push((self.frames.len(), Stamped::new(nanos, None, event, self.rate_hz)));
    }

    /// Both sides, whole.
    fn sound(&self) -> (Vec<i16>, Vec<i16>) {
        let Some(last) = self.frames.len().checked_sub(1) else { return (Vec::new(), Vec::new()) };
        let whole = frame_end(last as u64, self.rate_hz).0;
        let frame = whole - last.checked_sub(1).map_or(0, |before| frame_end(before as u64, self.rate_hz).0);
        let length = (whole - self.short_by.min(frame - 1)) as usize;
        let (mut agent, mut customer) = (Vec::with_capacity(length), Vec::with_capacity(length));
        let mut noise = 1u32;
        for (number, (kind, _)) in self.frames.iter().enumerate() {
            let until = (frame_end(number as u64, self.rate_hz).0 as usize).min(length);
            while agent.len() < until {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                customer.push(sample(kind & 7, noise >> 16));
                agent.push(match kind >> 5 {
                    6 => customer[agent.len()] / 2,
                    7 => customer[agent.len()].saturating_neg(),
                    other => sample(other, (noise >> 8).wrapping_mul(40_503)),
                });
            }
        }
        (agent, customer)
    }
}

/// One sample of a kind of sound: silence, hiss, three levels of noise, the limits.
fn sample(kind: u8, noise: u32) -> i16 {
    let noise = noise as i16;
    match kind {
        0 => 0,
        1 => noise / 2_048,
        2 => noise / 64,
        3 => noise / 16,
        4 => noise,
        5 => [i16::MIN, i16::MAX][usize::from(noise & 1 == 1)],
        6 => i16::MIN,
        _ => i16::MAX,
    }
}

fn event(bytes: &mut Bytes<'_>) -> Event {
    match bytes.below(20) {
        0 | 1 => Event::Told {
            party: bytes.flag().then(|| party(bytes)),
            notice: Notice { notice: "std".into(), version: "1".into(), language: None },
        },
        2..=4 => Event::Granted(decision(bytes)),
        5 => Event::Refused { party: party(bytes) },
        6 => Event::Withdrawn { party: party(bytes), purposes: purposes(bytes) },
        7 => Event::Joined { party: party(bytes) },
        8 => Event::Left { party: party(bytes) },
        9 => Event::Paused,
        10 => Event::Resumed,
        11 => Event::Held,
        12 => Event::Retrieved,
        13 => Event::HungUp,
        14 => Event::Expired { party: party(bytes), token: "7".into() },
        15 => Event::Masked { seconds: 1 + u32::from(bytes.below(3)) },
        16 => Event::Private,
        17 => Event::PrivateEnded,
        18 if bytes.flag() => Event::WindowClosed,
        18 => Event::WindowOpened,
        _ => Event::Unusable { said: "?".into(), refusal: Refusal::UnknownEvent },
    }
}

fn decision(bytes: &mut Bytes<'_>) -> Decision {
    let act = match bytes.below(8) {
        0..=2 => Act::Dtmf { digit: '1' },
        3 => Act::SpokenYes { agent: None, question: None },
        4 => Act::Button { agent: None },
        5 => Act::Api { source: None },
        6 => Act::Token { token: "7".into(), state: TokenState::Valid },
        _ => Act::Token { token: "8".into(), state: bytes.pick(&[TokenState::Expired, TokenState::Revoked]) },
    };
    let reference = bytes.pick(&["", "", "", "DPIA-1"]);
    let basis = (bytes.below(8) == 1).then(|| Basis { basis: "duty".into(), basis_ref: reference.into() });
    Decision { party: party(bytes), act, purposes: purposes(bytes), basis }
}

fn party(bytes: &mut Bytes<'_>) -> PartyId {
    match bytes.below(4) {
        0 | 1 => PartyId::default(),
        other => PartyId(format!("party {other}")),
    }
}

fn purposes(bytes: &mut Bytes<'_>) -> Vec<String> {
    let named = bytes.byte();
    let all = ["training", "quality", "documentation"];
    all.iter().enumerate().filter(|(bit, _)| named >> bit & 1 == 1).map(|(_, purpose)| (*purpose).into()).collect()
}

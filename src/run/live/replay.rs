//! A live call made again from its list of inputs, over sound that somebody supplies: the same outputs, bit for bit.
//!
//! The list holds everything that determined them but the sound: the opening, each event with its place, each gap. What a
//! live call did can so be shown, and a fault in it be found, without anybody's voice in the report.

use std::path::Path;

use thiserror::Error;
use zeroize::Zeroizing;

use super::intake::digest_into;
use crate::audio::rate::converted_len;
use crate::bleed::Reference;
use crate::call::{Call, MediaTime, Missing, Of, Opening, Outlet, Span};
use crate::consent::Terms;
use crate::run::line::{BLOCK, Line, Sides};
use crate::source::{Recording, SourceError};
use crate::split::{AgentChannel, ChannelMap, Delivery};
use crate::store::live::journal::{Applied, Gap, Line as Entry};
use crate::store::live::{self, InputList};
use crate::store::picture::{self, Sketch};
use crate::store::{Manifest, Place, Plan, Recorder, StoreError};
use crate::voice::{Bank, Mode};

/// Why a call cannot be made again.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The list cannot be read, or the outputs not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sound cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is not the sound that came in: another customer's voice would be kept under this call's grant.
    #[error(
        "this is not the sound that came in, or the list does not tell its digest; nothing was kept (--other-sound makes the call over it all the same)"
    )]
    OtherSound,
    /// The list and the sound do not belong together, or the list is not whole.
    #[error("{0}")]
    Unfit(String),
}

/// What came of it.
pub struct Replayed {
    /// The manifest of the call made again.
    pub manifest: Manifest,
    /// The sound was the same as the call's, by its digest; `None` where the list does not tell it.
    pub same_sound: Option<bool>,
}

/// Makes the call of a list again into `out`, under the name that it had.
pub fn replay(
    list: &InputList,
    recording: &mut dyn Recording,
    out: &Path,
    other_sound: bool,
) -> Result<Replayed, ReplayError> {
    let opening = &list.opening;
    let about = &opening.about;
    let (format, input) = (recording.format().clone(), &about.input);
    if (format.rate_hz, format.channels) != (input.rate_hz, input.channels) {
        return Err(ReplayError::Unfit(format!(
            "the call came with {} channel(s) at {} Hz, the sound given has {} at {} Hz; give the sound that came in",
            input.channels, input.rate_hz, format.channels, format.rate_hz
        )));
    }
    let delivery = delivery(opening)?;
    let place = Place::new(out, &about.call)?;
    let plan = Plan { ..opening.plan };
    let report = opening.more.get("report").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let mut desk =
        Desk { recorder: Recorder::create(place, plan)?, sketch: report.then(|| Sketch::new(opening.plan.rate_hz)) };
    let mut again = Again::new(opening, delivery, list);
    let digest = again.run(recording, &mut desk)?;
    let closing = again.call.close(&mut desk);
    let told = list.lines.iter().rev().find_map(|line| match line {
        Entry::Digest(digest) => Some(&digest.blake3),
        _ => None,
    });
    let same_sound = told.map(|told| *told == digest);
    if same_sound != Some(true) && !other_sound {
        return Err(ReplayError::OtherSound); // dropped, the recorder leaves nothing behind
    }
    let picture = desk.sketch.map(|sketch| picture::draw(&about.call, &closing, &sketch));
    let build = |outputs| Manifest::new(about.clone(), &closing, outputs);
    let stored = desk.recorder.finish(&closing, picture.as_deref(), build)?;
    Ok(Replayed { manifest: stored.manifest, same_sound })
}

/// Reads a list of inputs.
pub fn read_list(path: &Path) -> Result<InputList, StoreError> {
    InputList::read(path)
}

/// The manifest of a call that stands beside its list.
pub fn manifest_beside(list: &Path, call: &str) -> Result<Manifest, StoreError> {
    // The name may have directories in it, which lie above the list.
    let depth = call.split('/').count();
    let dir = list.ancestors().nth(depth).filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Manifest::read(&Place::new(dir, call)?)
}

/// What differs between a call and the same made again: a sentence each.
pub fn differences(then: &Manifest, now: &Manifest) -> Vec<String> {
    let mut told = Vec::new();
    for kind in crate::store::Kind::ALL.into_iter().filter(|kind| *kind != crate::store::Kind::Inputs) {
        let output = |manifest: &Manifest| {
            manifest
                .outputs
                .iter()
                .find(|output| output.kind == kind)
                .map(|output| (output.bytes, output.digest.clone()))
        };
        match (output(then), output(now)) {
            (one, other) if one == other => {}
            (Some(_), Some(_)) => told.push(format!("{}: its bytes differ", kind.suffix())),
            (Some(_), None) => told.push(format!("{}: it was not made again", kind.suffix())),
            (None, _) => told.push(format!("{}: it was not there", kind.suffix())),
        }
    }
    let same = [
        ("the result", then.result == now.result),
        ("the length", then.length_samples == now.length_samples),
        ("the tally", then.tally == now.tally),
        ("the ledger", then.ledger == now.ledger),
        ("what was kept of the customer", then.customer == now.customer),
    ];
    told.extend(same.into_iter().filter(|(_, same)| !same).map(|(what, _)| format!("{what} differs")));
    told
}

fn delivery(opening: &live::Opening) -> Result<Delivery, ReplayError> {
    match opening.more.get("delivery").and_then(serde_json::Value::as_str) {
        Some("both") => {
            ChannelMap::new(AgentChannel(opening.about.agent_channel.channel), opening.about.input.channels)
                .map(Delivery::Both)
                .map_err(|error| ReplayError::Unfit(error.to_string()))
        }
        Some("agent") => Ok(Delivery::AgentAlone),
        Some("customer") => Ok(Delivery::CustomerAlone),
        _ => Err(ReplayError::Unfit("its opening does not say what was delivered".into())),
    }
}

/// A call that is made again.
struct Again<'a> {
    call: Call,
    line: Line,
    sides: Sides,
    delivery: Delivery,
    gaps: Vec<&'a Gap>,
    events: Vec<&'a Applied>,
    /// Frames of the source on the time line so far.
    placed: u64,
    source_hz: u32,
    rate_hz: u32,
}

impl<'a> Again<'a> {
    fn new(opening: &live::Opening, delivery: Delivery, list: &'a InputList) -> Again<'a> {
        let about = &opening.about;
        let (source_hz, rate_hz) = (about.input.rate_hz, opening.plan.rate_hz);
        let mode = Mode::new(about.voice.mode).unwrap_or_default();
        let call = Call::open(Opening {
            name: about.call.clone(),
            rate_hz,
            reference: if opening.is_compared() || delivery == Delivery::CustomerAlone {
                Reference::Both
            } else {
                Reference::OneParty
            },
            terms: Terms {
                on_withdrawal: about.policy.on_withdrawal.into(),
                purposes: about.policy.purposes.clone(),
                sensitive: about.policy.sensitive,
            },
            foreclosed: Vec::new(),
            findings: Vec::new(),
            lead_in_ms: about.voice.lead_in_ms,
            tail_ms: about.voice.tail_ms,
            reach_ms: opening.reach_s * 1_000,
        });
        let (mut gaps, mut events) = (Vec::new(), Vec::new());
        for line in list.lines.iter().rev() {
            match line {
                Entry::Gap(gap) => gaps.push(gap),
                Entry::Event(event) => events.push(event),
                _ => {}
            }
        }
        // Each side is told of as it comes: in their order on the line, the first one last.
        gaps.sort_by_key(|gap: &&Gap| std::cmp::Reverse(gap.from));
        Again {
            call,
            line: Line::new(rate_hz, Bank::new(1, rate_hz, mode)),
            sides: Sides::new(source_hz, rate_hz),
            delivery,
            gaps,
            events,
            placed: 0,
            source_hz,
            rate_hz,
        }
    }

    /// Takes in the sound and lays the gaps; the digest of the sound.
    fn run(&mut self, recording: &mut dyn Recording, out: &mut impl Outlet) -> Result<String, ReplayError> {
        let channels = self.delivery.channels();
        let mut block = Zeroizing::new(vec![0i16; BLOCK * channels]);
        let mut digest = blake3::Hasher::new();
        self.settle(out);
        loop {
            if let Some(gap) = self.gaps.pop_if(|gap| gap.from <= self.placed) {
                match gap.of {
                    Of::Both => self.lay(gap, &mut block, out),
                    // The other side is there: the silence of this one is in the sound.
                    Of::Agent | Of::Customer => self.announce(gap),
                }
                continue;
            }
            let room =
                self.gaps.last().map_or(BLOCK as u64, |gap| gap.from.saturating_sub(self.placed).min(BLOCK as u64));
            let frames = recording.read(&mut block[..room as usize * channels])?;
            if frames == 0 {
                break;
            }
            digest_into(&mut digest, &block[..frames * channels]);
            self.sides.take(&self.delivery, &block[..frames * channels]);
            self.placed += frames as u64;
            self.settle(out);
        }
        if let Some(gap) = self.gaps.last() {
            let what =
                format!("the sound ends after {} frames, before the gap at {}: it is not whole", self.placed, gap.from);
            return Err(ReplayError::Unfit(what));
        }
        self.sides.finish();
        self.settle(out);
        self.line.settle_rest(&mut self.call, &mut self.sides, out);
        self.settle(out);
        match self.events.last() {
            Some(event) => Err(ReplayError::Unfit(format!(
                "the sound ends at sample {}, before an event that was applied at {}: it is not whole",
                self.call.position().0,
                event.position
            ))),
            None => Ok(digest.finalize().to_hex().to_string()),
        }
    }

    fn lay(&mut self, gap: &Gap, block: &mut [i16], out: &mut impl Outlet) {
        self.announce(gap);
        let mut left = gap.frames;
        while left > 0 {
            let now = left.min(BLOCK as u64) as usize;
            let silence = &mut block[..now * self.delivery.channels()];
            silence.fill(0);
            self.sides.take(&self.delivery, silence);
            self.settle(out);
            left -= now as u64;
        }
        self.placed += gap.frames;
    }

    fn announce(&mut self, gap: &Gap) {
        let why = Missing::of_reason(&gap.reason).unwrap_or(Missing::Lost);
        let place = |frames| MediaTime(converted_len(frames, self.source_hz, self.rate_hz));
        self.call.missing_of(gap.of, Span::new(place(gap.from), place(gap.from + gap.frames)), why);
    }

    /// Settles what is there, each event between the frames between which it was taken.
    fn settle(&mut self, out: &mut impl Outlet) {
        loop {
            let until = self.events.last().map_or(MediaTime(u64::MAX), |event| MediaTime(event.position));
            self.line.settle_until(until, &mut self.call, &mut self.sides, out);
            match self.events.pop_if(|event| event.position == self.call.position().0) {
                Some(event) => drop(self.call.take_now(event.stamped(self.rate_hz), out)),
                None => return,
            }
        }
    }
}

/// Where a call that is made again goes.
struct Desk {
    recorder: Recorder,
    sketch: Option<Sketch>,
}

impl Outlet for Desk {
    fn write(&mut self, sound: crate::consent::Cleared<'_>) {
        self.recorder.write(sound);
    }

    fn erase_customer(&mut self, span: Span) {
        self.recorder.erase_customer(span);
    }

    fn trace(&mut self, unit: crate::call::Trace) {
        if let Some(sketch) = &mut self.sketch {
            sketch.add(unit);
        }
    }
}

//! One input of a batch on its way: begun, taken through its call block by block, finished.

use std::path::PathBuf;

use super::by_two;
use super::drive::{Block, Course, Drive, Intake};
use super::job::{Job, JobError, Orders};
use crate::audio::rate;
use crate::call::{Closing, Outlet, Span, Trace};
use crate::consent::Cleared;
use crate::source::identity::{self, Identity};
use crate::source::{CallEvents, Format, Input, SourceError};
use crate::split::ChannelMap;
use crate::store::picture::{self, Sketch};
use crate::store::{Manifest, Place, Plan, Recorder, is_erased};
use crate::voice::{Detection, Speech};

/// An input that was looked at.
pub enum Begun<'a> {
    /// There is nothing to do.
    Already(Job),
    /// It is being processed.
    Underway(Box<Underway<'a>>),
}

/// An input on its way into files that do not stand yet.
pub struct Underway<'a> {
    orders: &'a Orders,
    input: &'a Input,
    place: Place,
    events: CallEvents,
    identity: Vec<Identity>,
    fingerprint: String,
    format: Format,
    map: ChannelMap,
    drive: Drive<'static>,
    out: Desk,
}

impl Orders {
    /// Looks at an input, and opens its call if there is something to do. `block`: sample frames to take in at a time.
    pub fn begin<'a>(&'a self, input: &'a Input, block: usize) -> Result<Begun<'a>, JobError> {
        let name = self.stored_name(input);
        let place = Place::new(&self.out, &name)?;
        if is_erased(&place) {
            return Ok(Begun::Already(Job::Erased { name }));
        }
        let events = self.events_of(input)?;
        let identity = identity::of(&input.sound, self.coverage())?;
        let fingerprint = self.fingerprint(input, &events);
        if let Some(before) = self.done_before(&place, &identity, &fingerprint) {
            return Ok(Begun::Already(Job::Unchanged(Box::new(self.dispose(input, &place, before)?))));
        }
        let recording = crate::source::open(&input.sound, self.raw.as_ref())?;
        let format = recording.format().clone();
        let map = self.map(input, &format)?;
        let rate_hz = self.settings.rate_hz.value.unwrap_or(format.rate_hz);
        let samples_max = rate::converted_len(format.frames_at_most, format.rate_hz, rate_hz);
        let plan =
            Plan { rate_hz, samples_max, speech: self.settings.speech.value, sparse: self.settings.sparse.value };
        let out = Desk {
            recorder: Recorder::create(place.clone(), plan)?,
            sketch: self.settings.report.value.then(|| Sketch::new(rate_hz)),
        };
        let course = Course { block, ..self.course(&name, map, &events) };
        let drive = Drive::begin(course, recording, events.stamp(rate_hz, &self.revoked));
        let underway = Underway { orders: self, input, place, events, identity, fingerprint, format, map, drive, out };
        Ok(Begun::Underway(Box::new(underway)))
    }
}

impl Underway<'_> {
    /// The recording, where it is cut into frames.
    pub fn intake(&self) -> &Intake<'static> {
        &self.drive.intake
    }

    /// Takes in the next block. Sample frames of it; 0 at the end.
    pub fn take_in(&mut self, block: &mut Block) -> Result<usize, JobError> {
        Ok(self.drive.intake().take_in(block)?)
    }

    /// Takes the whole call through by two threads, this one and one more. `go_on` is told after each block how
    /// many sample frames it had, and says whether to.
    pub fn through_by_two(
        mut self,
        detection: Detection,
        mut go_on: impl FnMut(usize) -> bool,
    ) -> Result<Job, JobError> {
        let go_on = |frames: usize, out: &Desk| go_on(frames) && out.recorder.error().is_none();
        match by_two::through(&mut self.drive, detection, &mut self.out, go_on) {
            Err(error) if self.out.recorder.error().is_none() => Err(error),
            _ => self.finish(),
        }
    }

    /// Settles the frames that wait, decided so. False: the disk does not take what is written, and there is no sense
    /// in going on.
    pub fn settle(&mut self, speech: &[Speech]) -> bool {
        self.drive.settle(speech, &mut self.out);
        self.out.recorder.error().is_none()
    }

    /// Closes the call when all of it was settled, or could not be stored, and puts its files in place.
    pub fn finish(self) -> Result<Job, JobError> {
        let Underway { orders, input, place, events, identity, fingerprint, format, map, drive, mut out } = self;
        if out.recorder.error().is_some() {
            // An outlet cannot fail; its first error is what stopped the call.
            return Err(out.recorder.into_error().map_or(JobError::Stopped, JobError::Store));
        }
        let closing: Closing = drive.close(&mut out);
        // What was read must be what was recognised: a file that changed meanwhile is not recorded.
        if !identity::still(&input.sound, &identity)? {
            let path: PathBuf = input.sound.paths()[0].into();
            return Err(SourceError::Changed { path }.into());
        }
        let about = orders.about(place.name(), input, &identity, &format, map, &events, fingerprint);
        let picture = out.sketch.map(|sketch| picture::draw(place.name(), &closing, &sketch));
        let recorder = out.recorder;
        let stored =
            recorder.finish(&closing, picture.as_deref(), |outputs| Manifest::new(about, &closing, outputs))?;
        Ok(Job::Done(Box::new(orders.dispose(input, &place, stored.manifest)?)))
    }
}

/// Where a call of the batch goes: the files, and the picture if one is wanted.
struct Desk {
    recorder: Recorder,
    sketch: Option<Sketch>,
}

impl Outlet for Desk {
    fn write(&mut self, sound: Cleared<'_>) {
        self.recorder.write(sound);
    }

    fn erase_customer(&mut self, span: Span) {
        self.recorder.erase_customer(span);
    }

    fn trace(&mut self, unit: Trace) {
        if let Some(sketch) = &mut self.sketch {
            sketch.add(unit);
        }
    }
}

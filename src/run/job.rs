//! One input of a batch: the orders for it, what becomes of it, and what its manifest says of where it came from.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

use super::about::{policy, voice};
use super::drive::{Course, Drive};
use super::line::BLOCK;
use super::naming::Namer;
use crate::archive::ArchiveError;
use crate::call::{Closing, Outlet, Span};
use crate::config::{AgentSide, DigestKind, Settings};
use crate::consent::{Cleared, Stamped, Terms};
use crate::source::identity::{Coverage, Identity};
use crate::source::{
    CallEvents, Declared, EventsError, Feed, Format, Input, RawFormat, Sound, SourceError, read_beside,
};
use crate::split::{ChannelMap, Finding, MapError};
use crate::store::{About, Manifest, Place, StoreError, manifest};

/// Changes whenever the same input and settings would give other outputs, so that a re-run does them again.
const ENGINE: &str = "oneside-engine/3";

/// What every job of a batch has in common.
pub struct Orders {
    /// Where outputs go.
    pub out: PathBuf,
    /// What is in force.
    pub settings: Settings,
    /// How files without a header are read.
    pub raw: Option<RawFormat>,
    /// The events of all calls, if they came in one file.
    pub feed: Option<Feed>,
    /// Ids of tokens that count no more.
    pub revoked: HashSet<String>,
    /// Makes names, where they are hashed.
    pub namer: Option<Namer>,
    /// Inputs are deleted once their outputs were verified.
    pub dispose: bool,
}

/// What became of an input.
#[derive(Clone, Debug)]
pub enum Job {
    /// It was processed now.
    Done(Box<Manifest>),
    /// It was done before and nothing has changed.
    Unchanged(Box<Manifest>),
    /// The call was erased on purpose; it is not made again (ERA-03).
    Erased {
        /// The call.
        name: String,
    },
}

/// Why an input came to nothing. Nothing of it stands, and the input is as it was.
#[derive(Debug, Error)]
pub enum JobError {
    /// The input cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Its events cannot be used. Without them a pause could not be kept, so nothing is.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// Its channels do not fit the map.
    #[error("{}: {source}", path.display())]
    Map {
        /// The input.
        path: PathBuf,
        /// Why.
        source: MapError,
    },
    /// The output cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The input could not be disposed of.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The work was interrupted.
    #[error("interrupted")]
    Stopped,
    /// A bug in this program.
    #[error("internal error in this call: {0}; the others go on, and the input is untouched. Please report it")]
    Panic(String),
}

impl JobError {
    /// Whether the disk is full or fails.
    pub fn is_disk(&self) -> bool {
        match self {
            JobError::Store(error) => matches!(error, StoreError::DiskFull { .. } | StoreError::Io { .. }),
            JobError::Archive(error) => error.is_disk(),
            _ => false,
        }
    }
}

impl Orders {
    /// The name under which an input's outputs stand.
    pub fn stored_name(&self, input: &Input) -> String {
        self.namer.as_ref().map_or_else(|| input.name.clone(), |namer| namer.name(&input.name))
    }

    /// Looks at an input without writing anything: its format and what a call made of it would say.
    pub fn look(&self, input: &Input, stop: &AtomicBool) -> Result<(Format, Closing), JobError> {
        let events = self.events_of(input)?;
        let recording = crate::source::open(&input.sound, self.raw.as_ref())?;
        let format = recording.format().clone();
        let map = self.map(input, &format)?;
        let rate_hz = self.settings.rate_hz.value.unwrap_or(format.rate_hz);
        let stamped: Vec<Stamped> = events.stamp(rate_hz, &self.revoked);
        let drive = Drive::begin(self.course(&input.name, map, &events), recording, stamped);
        let detection = self.settings.detection();
        let closing = drive.through(detection, &mut Nowhere, |_, _| !stop.load(Ordering::Relaxed))?;
        closing.map(|closing| (format, closing)).ok_or(JobError::Stopped)
    }

    /// How much of an input its digest covers.
    pub(super) fn coverage(&self) -> Coverage {
        match self.settings.digest.value {
            DigestKind::Sampled => Coverage::Sampled,
            DigestKind::Full => Coverage::Full,
        }
    }

    pub(super) fn course(&self, name: &str, map: ChannelMap, events: &CallEvents) -> Course {
        let settings = &self.settings;
        Course {
            name: name.into(),
            map,
            rate_hz: settings.rate_hz.value,
            lead_in_ms: settings.lead_in_ms.value,
            tail_ms: settings.tail_ms.value,
            terms: Terms {
                on_withdrawal: settings.on_withdrawal.value,
                purposes: settings.purposes.value.clone(),
                sensitive: events.sensitive,
            },
            findings: contradiction(events.declared.as_ref(), map).into_iter().collect(),
            block: BLOCK,
        }
    }

    pub(super) fn map(&self, input: &Input, format: &Format) -> Result<ChannelMap, JobError> {
        ChannelMap::new(self.settings.agent.value.channel(), format.channels)
            .map_err(|source| JobError::Map { path: first_path(input).into(), source })
    }

    pub(super) fn events_of(&self, input: &Input) -> Result<CallEvents, EventsError> {
        match (&self.feed, &input.events) {
            (Some(feed), _) => Ok(feed.of(&input.name).cloned().unwrap_or_default()),
            (None, Some(path)) => read_beside(path, &input.name),
            (None, None) => Ok(CallEvents::default()),
        }
    }

    /// The manifest of an earlier run that made the same of the same.
    pub(super) fn done_before(&self, place: &Place, identity: &[Identity], fingerprint: &str) -> Option<Manifest> {
        let manifest = Manifest::read(place).ok()?;
        let same_files = manifest.input.files.len() == identity.len()
            && manifest.input.files.iter().zip(identity).all(|(then, now)| {
                then.bytes == now.size && then.modified == rfc3339(now.mtime_ns) && then.digest.blake3 == now.digest
            });
        (same_files && manifest.settings == fingerprint && manifest.outputs_stand(place)).then_some(manifest)
    }

    /// A digest of everything but the input's sound that influences the outputs.
    pub(super) fn fingerprint(&self, input: &Input, events: &CallEvents) -> String {
        let settings = &self.settings;
        let offset = match &input.sound {
            Sound::Pair { offset_s, .. } => Some(offset_s.to_bits()),
            Sound::File(_) => None,
        };
        let told = format!(
            "{ENGINE} {:?} {:?} {:?} {:?} {} {} {:?} {} {} {} {:?} {:?} {offset:?} {} {}",
            settings.agent.value,
            settings.on_withdrawal.value,
            settings.purposes.value,
            settings.detection(),
            settings.lead_in_ms.value,
            settings.tail_ms.value,
            settings.rate_hz.value,
            settings.speech.value,
            settings.sparse.value,
            settings.report.value,
            settings.digest.value,
            self.raw,
            self.namer.is_some(),
            events.digest(&self.revoked),
        );
        blake3::hash(told.as_bytes()).to_hex().to_string()
    }

    #[allow(clippy::too_many_arguments)] // each is a fact of its own; a struct would only rename them
    pub(super) fn about(
        &self,
        name: &str,
        input: &Input,
        identity: &[Identity],
        format: &Format,
        map: ChannelMap,
        events: &CallEvents,
        fingerprint: String,
    ) -> About {
        let settings = &self.settings;
        let from = match &settings.agent.value {
            AgentSide::Channel(_) => format!("--agent-channel ({})", settings.agent.origin),
            AgentSide::Preset { name, .. } => format!("preset {name} ({})", settings.agent.origin),
            AgentSide::Pair => "--pair".into(),
            AgentSide::Alone(_) => "--party".into(),
            AgentSide::BySource => "by the source".into(),
        };
        let scope = if events.is_empty() { manifest::Scope::AgentOnly } else { manifest::Scope::WithConsent };
        About {
            call: name.into(),
            recorded_at: events.start.map_or_else(
                || rfc3339(identity.iter().map(|identity| identity.mtime_ns).min().unwrap_or(0)),
                |start| start.wall(0).unwrap_or_default(),
            ),
            input: manifest::Input {
                encoding: format.encoding.clone(),
                channels: format.channels,
                rate_hz: format.rate_hz,
                files: input
                    .sound
                    .paths()
                    .into_iter()
                    .zip(identity)
                    .map(|(path, identity)| self.input_file(path, identity))
                    .collect(),
            },
            agent_channel: manifest::AgentChannel { channel: map.agent(), from },
            settings: fingerprint,
            voice: voice(settings),
            policy: policy(settings, scope, events.sensitive),
        }
    }

    fn input_file(&self, path: &Path, identity: &Identity) -> manifest::InputFile {
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        manifest::InputFile {
            name: file_name.filter(|_| self.namer.is_none()),
            bytes: identity.size,
            modified: rfc3339(identity.mtime_ns),
            digest: manifest::InputDigest {
                kind: match identity.coverage {
                    Coverage::Sampled => manifest::DigestKind::Sampled,
                    Coverage::Full => manifest::DigestKind::Full,
                },
                blake3: identity.digest.clone(),
            },
        }
    }
}

/// An outlet that stores nothing.
struct Nowhere;

impl Outlet for Nowhere {
    fn write(&mut self, _sound: Cleared<'_>) {}

    fn erase_customer(&mut self, _span: Span) {}
}

/// What was declared about the agent's channel against the map in force (ONE-06).
fn contradiction(declared: Option<&Declared>, map: ChannelMap) -> Option<Finding> {
    declared.filter(|declared| declared.channel.0 != map.agent()).map(|declared| Finding::MapContradicted {
        map: map.agent(),
        declared: declared.channel.0,
        by: Path::new(&declared.by).file_name().map_or(declared.by.clone(), |n| n.to_string_lossy().into_owned()),
    })
}

fn first_path(input: &Input) -> &Path {
    input.sound.paths()[0]
}

/// Nanoseconds since 1970 as RFC 3339; the same number always gives the same text.
fn rfc3339(nanos: u64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default().to_string()
}

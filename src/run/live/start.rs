//! How a live call begins: its terms from the settings, its place in the store, its worker on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use jiff::{Timestamp, Zoned};
use thiserror::Error;

use super::alone;
use super::ask::{Asks, Recording, State};
use super::desk::{Desk, Handle, WAITING_MAX};
use super::intake::Intake;
use super::meter::{Meter, Origin};
use super::outlet::LiveOutlet;
use super::question::Question;
use super::sealing::{Sealing, panic_text};
use super::tokens::{Revoked, Tokens};
use super::worker::{Alarm, Paces, Worker};
use crate::bleed::Reference;
use crate::call::{Call, MediaTime, Opening};
use crate::config::{AgentSide, Settings};
use crate::consent::{Event, Terms};
use crate::policy::{Excluded, Windows};
use crate::run::about::{policy, voice};
use crate::run::line::{Cutter, Sides};
use crate::run::naming::Namer;
use crate::source::exchange::Standing;
use crate::split::Delivery;
use crate::store::live::{self, SAMPLES_MAX};
use crate::store::{About, Plan, StoreError, manifest};
use crate::voice::Bank;

const MIB: u64 = 1 << 20;

/// What all live calls of a process have in common.
pub struct LiveOrders {
    /// Where outputs go.
    pub out: PathBuf,
    /// What is in force.
    pub settings: Settings,
    /// Ids of tokens that count no more; the list outlives these orders.
    pub revoked: Arc<Revoked>,
    /// Makes names, where they are hashed.
    pub namer: Option<Namer>,
}

impl LiveOrders {
    /// A call's name, hashed if names are.
    pub fn hashed_name(&self, call: &str) -> String {
        self.namer.as_ref().map_or_else(|| call.to_owned(), |namer| namer.name(call))
    }

    /// The name under which a call is to stand.
    fn stored_name(&self, call: &str) -> String {
        let name = self.hashed_name(call);
        if self.settings.live.by_date { format!("{}/{name}", Timestamp::now().strftime("%Y/%m/%d")) } else { name }
    }
}

/// Where a call's sound comes from.
pub struct Sound {
    /// What is delivered.
    pub delivery: Delivery,
    /// The source's rate.
    pub source_hz: u32,
    /// The call's rate.
    pub rate_hz: u32,
    /// What it is, for the manifest.
    pub encoding: String,
    /// The worker's end of it.
    pub intake: Box<dyn Intake>,
    /// Frames of the source that it hands over at a time, at most.
    pub block_frames: usize,
}

/// A call to be begun.
pub struct NewCall {
    /// Its name.
    pub name: String,
    /// Its sound.
    pub sound: Sound,
    /// Whose it is: for windows and acknowledgement (SEL-01, INF-04).
    pub agent: Option<String>,
    /// The other side's number: only compared with the never-record list (SEL-06).
    pub number: Option<String>,
    /// It begins as a private call: neither side is recorded until that ends (SEL-06).
    pub private: bool,
    /// Health and the like (CON-12).
    pub sensitive: bool,
    /// What is wrong with the source, if something is: then the state says that nothing is recorded.
    pub trouble: Option<Arc<Mutex<Option<String>>>>,
    /// When its sound was captured, where the source knows it.
    pub origin: Option<Arc<Origin>>,
    /// The customer's payload is not decoded without a grant: the guard has nothing to compare with.
    pub undecoded: bool,
    /// The source knows which side is which, and says so: its name.
    pub sided_by: Option<&'static str>,
    /// What its source has to know of it.
    pub standing: Option<Arc<Standing>>,
    /// How often it is looked after.
    pub paces: Paces,
}

impl NewCall {
    /// What becomes of the customer's sound before the gate, where a switch delivers it.
    fn reference(&self) -> Option<&'static str> {
        self.sided_by?;
        Some(match self.sound.delivery {
            _ if self.undecoded => "drop-before-decode",
            Delivery::AgentAlone => "none",
            Delivery::Both(_) | Delivery::CustomerAlone => "guard",
        })
    }

    /// A call of this name.
    pub fn new(name: String, sound: Sound) -> NewCall {
        NewCall {
            name,
            sound,
            agent: None,
            number: None,
            private: false,
            sensitive: false,
            trouble: None,
            origin: None,
            undecoded: false,
            sided_by: None,
            standing: None,
            paces: Paces::default(),
        }
    }
}

/// Why a call was not begun.
#[derive(Debug, Error)]
pub enum StartError {
    /// A rule says that the call is not recorded.
    #[error(transparent)]
    Excluded(#[from] Excluded),
    /// The store refuses, or is full.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("no thread could be started for the call: {0}")]
    Thread(std::io::Error),
}

/// Begins a call on a thread of its own: its files are there, its worker runs, the desk knows it.
pub fn start(orders: &Arc<LiveOrders>, desk: &Arc<Desk>, new: NewCall) -> Result<(Handle, JoinHandle<()>), StartError> {
    let (to, asks) = bounded(WAITING_MAX);
    let (rate_hz, detection) = (new.sound.rate_hz, orders.settings.detection());
    let Prepared { handle, worker, sealing } = prepare(orders, desk, new, Asks { to, key: 0 })?;
    let drive = move || {
        let bank = || Bank::new(1, rate_hz, detection); // made on the thread that uses it
        let worked = catch_unwind(AssertUnwindSafe(|| alone::run(worker, bank(), &asks)));
        sealing.seal(worked.map_err(|panic| panic_text(&*panic)));
    };
    let thread = std::thread::Builder::new().name("call".into()).spawn(drive);
    let thread = thread.map_err(|error| {
        desk.strike_out(&handle);
        StartError::Thread(error)
    })?;
    Ok((handle, thread))
}

/// A call whose files are there and which the desk knows, for whoever drives it.
pub struct Prepared {
    /// The call, for those who steer.
    pub handle: Handle,
    /// The call at work.
    pub worker: Worker,
    /// How it is brought to its result.
    pub sealing: Sealing,
}

/// Admits a call, claims its place in the store, and makes its worker. `asks`: where what is asked of it goes.
pub fn prepare(orders: &Arc<LiveOrders>, desk: &Arc<Desk>, new: NewCall, asks: Asks) -> Result<Prepared, StartError> {
    // Its clock begins before the disk is waited for: a grant is placed behind what came meanwhile and is not laid yet (CON-06).
    let began = Instant::now();
    let settings = &orders.settings;
    settings.live.staff.admit(new.agent.as_deref(), new.number.as_deref())?;
    let free = live::require_free(&orders.out, settings.live.free_min_mib.value * MIB)?;
    let opened = Timestamp::now();
    let place = live::claim(&orders.out, &orders.stored_name(&new.name))?;
    let about = about(settings, place.name(), &new, opened);
    let recorder = live::LiveRecorder::create(place, journal_opening(settings, about.clone(), &new, opened))?;
    let state = first_state(settings, &new, &about, opened, free);
    let end = Arc::new(AtomicBool::new(false));
    let handle = Handle {
        call: new.name.clone(),
        asks,
        ends: new.sound.intake.ends(),
        state: Arc::clone(&state),
        entered: Arc::default(),
        end: Arc::clone(&end),
    };
    let alarms = alarms(settings.live.staff.windows.as_ref(), &new);
    let NewCall { name, sound, sensitive, undecoded, trouble, origin, standing, paces, .. } = new;
    let Sound { source_hz, rate_hz, delivery, intake, block_frames, .. } = sound;
    let mut opening = opening(settings, &about.call, sensitive, rate_hz, delivery);
    if undecoded {
        opening.reference = Reference::OneParty;
    }
    let worker = Worker {
        call: Call::open(opening),
        line: Cutter::new(rate_hz),
        sides: Sides::in_blocks(block_frames, source_hz, rate_hz),
        intake,
        out: LiveOutlet::new(recorder, settings.report.value, rate_hz),
        state,
        end,
        ending: None,
        rate_hz,
        began,
        name: name.clone(),
        stopped_until: None,
        opened: MediaTime::ZERO,
        alarms,
        trouble,
        origin,
        delays: None,
        tokens: Tokens::new(Arc::clone(&orders.revoked)),
        question: settings.live.keys.clone().map(|keys| Box::new(Question::new(keys, rate_hz))),
        meter: Meter::default(),
        standing,
        laid: (began, MediaTime::ZERO),
        published: began,
        paces,
    };
    let mut worker = worker;
    worker.begin();
    desk.enter(handle.clone());
    let sealing = Sealing { desk: Arc::clone(desk), orders: Arc::clone(orders), stored_as: about.call, name };
    Ok(Prepared { handle, worker, sealing })
}

fn first_state(settings: &Settings, new: &NewCall, about: &About, opened: Timestamp, free: u64) -> Arc<Mutex<State>> {
    Arc::new(Mutex::new(State {
        call: new.name.clone(),
        stored_as: about.call.clone(),
        opened: opened.to_string(),
        rate_hz: new.sound.rate_hz,
        recording: if new.private { Recording::Private } else { Recording::Recording },
        free_bytes: Some(free),
        mask_reach_s: settings.live.reach_s.value,
        agent_dbfs: -96.0,
        customer_dbfs: -96.0,
        ..State::default()
    }))
}

/// What the clock and the call's beginning bring: a private call, the agent's windows.
fn alarms(windows: Option<&Windows>, new: &NewCall) -> Vec<Alarm> {
    let (now, wall) = (Instant::now(), Timestamp::now());
    let mut alarms = Vec::new();
    if new.private {
        alarms.push(Alarm { at: now, wall, event: Event::Private });
    }
    let (Some(windows), Some(agent)) = (windows, &new.agent) else { return alarms };
    let here = Zoned::now();
    if !windows.is_open(agent, here.datetime()) {
        alarms.push(Alarm { at: now, wall, event: Event::WindowClosed });
    }
    for (at, open) in windows.boundaries(agent, here.datetime()) {
        let Ok(there) = at.to_zoned(here.time_zone().clone()).map(|at| at.timestamp()) else { continue };
        let ahead = Some(here.timestamp().duration_until(there)).and_then(|ahead| Duration::try_from(ahead).ok());
        let event = if open { Event::WindowOpened } else { Event::WindowClosed };
        alarms.extend(ahead.and_then(|ahead| now.checked_add(ahead)).map(|at| Alarm { at, wall: there, event }));
    }
    alarms
}

/// The call's opening: used again, word for word, when it is replayed.
pub fn opening(settings: &Settings, name: &str, sensitive: bool, rate_hz: u32, delivery: Delivery) -> Opening {
    Opening {
        name: name.into(),
        rate_hz,
        reference: match delivery {
            Delivery::AgentAlone => Reference::OneParty,
            Delivery::Both(_) | Delivery::CustomerAlone => Reference::Both,
        },
        terms: Terms {
            on_withdrawal: settings.on_withdrawal.value,
            purposes: settings.purposes.value.clone(),
            sensitive,
        },
        foreclosed: Vec::new(),
        findings: Vec::new(),
        lead_in_ms: settings.lead_in_ms.value,
        tail_ms: settings.tail_ms.value,
        reach_ms: settings.live.reach_s.value * 1_000,
    }
}

fn journal_opening(settings: &Settings, about: About, new: &NewCall, opened: Timestamp) -> live::Opening {
    let plan = Plan {
        rate_hz: new.sound.rate_hz,
        samples_max: SAMPLES_MAX,
        speech: settings.speech.value,
        sparse: settings.sparse.value,
    };
    live::Opening {
        format: live::journal::FORMAT.into(),
        source: new.sound.encoding.clone(),
        opened: opened.to_string(),
        both_sides: matches!(new.sound.delivery, Delivery::Both(_)),
        reach_s: settings.live.reach_s.value,
        list: settings.live.list.value,
        more: serde_json::Map::from_iter(
            [
                ("delivery".into(), delivered(new.sound.delivery).into()),
                ("report".into(), settings.report.value.into()),
            ]
            .into_iter()
            .chain(new.reference().map(|reference| ("reference".to_owned(), reference.into()))),
        ),
        about,
        plan,
    }
}

/// What is delivered, in the journal's words.
pub fn delivered(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Both(_) => "both",
        Delivery::AgentAlone => "agent",
        Delivery::CustomerAlone => "customer",
    }
}

fn about(settings: &Settings, stored_as: &str, new: &NewCall, opened: Timestamp) -> About {
    let from = match &settings.agent.value {
        AgentSide::Preset { name, .. } => format!("preset {name} ({})", settings.agent.origin),
        _ if new.sided_by.is_some() => format!("by the source ({})", new.sided_by.unwrap_or_default()),
        AgentSide::Alone(_) => "--party".into(),
        AgentSide::BySource => "by the source".into(),
        AgentSide::Channel(_) | AgentSide::Pair => format!("--agent-channel ({})", settings.agent.origin),
    };
    let told = format!(
        "live {:?} {:?} {:?} {} {} {} {} {}",
        settings.agent.value,
        settings.on_withdrawal.value,
        settings.purposes.value,
        settings.vad_mode.value.number(),
        settings.lead_in_ms.value,
        settings.tail_ms.value,
        new.sound.rate_hz,
        settings.live.reach_s.value,
    );
    About {
        call: stored_as.into(),
        recorded_at: opened.to_string(),
        input: manifest::Input {
            encoding: new.sound.encoding.clone(),
            channels: new.sound.delivery.channels(),
            rate_hz: new.sound.source_hz,
            files: Vec::new(),
        },
        agent_channel: manifest::AgentChannel { channel: new.sound.delivery.agent().unwrap_or(0), from },
        settings: blake3::hash(told.as_bytes()).to_hex().to_string(),
        voice: voice(settings),
        policy: policy(settings, manifest::Scope::WithConsent, new.sensitive),
    }
}

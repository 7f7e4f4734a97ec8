//! A live call as the program drives it: its worker, its files, its journal, its checkpoints. Only what brings the sound is
//! ours.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, bounded};
use oneside::audio::MediaTime;
use oneside::config::{Raw, Sided, resolve};
use oneside::run::line::Sides;
use oneside::run::live::ask::{Arrived, Asked, Asks, Matter};
use oneside::run::live::intake::{Came, Intake, RingEnds};
use oneside::run::live::sealing::Sealing;
use oneside::run::live::shard::PACES;
use oneside::run::live::start::prepare;
use oneside::run::live::worker::Worker;
use oneside::run::live::{LiveOrders, NewCall, Sound as Delivered};
use oneside::split::{AgentChannel, ChannelMap, Delivery};
use oneside::voice::Speech;

use super::memory::yes;
use super::seats::{FRAME, RATE_HZ, Seat, Sound};

/// Frames of the source that are taken in at a time, at most.
const BLOCK_FRAMES: usize = 50 * FRAME;

/// Where calls are begun; its directory is gone with it.
pub struct Desk {
    dir: PathBuf,
    orders: Arc<LiveOrders>,
    desk: Arc<oneside::run::live::Desk>,
}

impl Desk {
    /// With a directory in `parent`, for this core's calls.
    pub fn new(parent: &Path, core: usize) -> Result<Desk, Box<dyn Error>> {
        let dir = parent.join(format!("oneside-engine-{}-{core}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let raw = Raw { agent_channel: Some("left".into()), free_min_mib: Some(0), ..Raw::default() };
        let settings = resolve(Raw::default(), Raw::default(), raw, Sided::ByKnobs)?;
        let orders = LiveOrders { out: dir.clone(), settings, revoked: Default::default(), namer: None };
        Ok(Desk { dir, orders: Arc::new(orders), desk: Arc::default() })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir); // what stays lies in a temporary directory
    }
}

/// A call with its files.
pub struct Files {
    worker: Worker,
    _sealing: Sealing,
    _asks: Receiver<(u64, Asked)>,
}

impl Files {
    /// Begins a call that is given so many frames a turn.
    pub fn begin(
        desk: &Desk,
        sound: &Sound,
        number: usize,
        frames: usize,
        is_granted: bool,
    ) -> Result<Files, Box<dyn Error>> {
        let (to, asks) = bounded(1);
        let delivery = Delivery::Both(ChannelMap::new(AgentChannel(0), 2)?);
        let intake = Box::new(Played { sound: sound.clone(), number, frames, placed: 0 });
        let (encoding, block_frames) = ("engine".into(), BLOCK_FRAMES);
        let delivered = Delivered { delivery, source_hz: RATE_HZ, rate_hz: RATE_HZ, encoding, intake, block_frames };
        let mut new = NewCall::new(format!("call-{number}"), delivered);
        new.paces = PACES;
        let prepared = prepare(&desk.orders, &desk.desk, new, Asks { to, key: 0 })?;
        let mut worker = prepared.worker;
        for event in yes().into_iter().filter(|_| is_granted) {
            let arrived = Arrived { ring_end: 0, at: Instant::now(), place: None };
            let matter = Matter::Event(event);
            worker.answer(Asked { matter, expires: None, wall: None, arrived, reply: None, waiting: None });
        }
        Ok(Files { worker, _sealing: prepared.sealing, _asks: asks })
    }
}

impl Seat for Files {
    fn take_in(&mut self, _sound: &Sound, _frames: usize) {
        self.worker.take_in();
    }

    fn waiting(&self) -> usize {
        self.worker.waiting(false)
    }

    fn heard(&self, number: usize) -> &[i16] {
        self.worker.heard(number)
    }

    fn settle(&mut self, speech: &[Speech]) {
        self.worker.settle_run(speech, false);
    }

    fn look_after(&mut self) {
        self.worker.look_after();
    }

    fn check(&self) -> Result<(), String> {
        match self.worker.out.error() {
            Some(error) => Err(format!("{}: {error}", self.worker.name)),
            None if self.worker.call.tally().agent.written == 0 => Err(format!("{}: nothing came", self.worker.name)),
            None => Ok(()),
        }
    }
}

/// Sound that is there whenever it is asked for.
struct Played {
    sound: Sound,
    number: usize,
    frames: usize,
    placed: usize,
}

impl Intake for Played {
    fn take(&mut self, _now: u64, _opens_ahead: bool, sides: &mut Sides) -> Came {
        for _ in 0..self.frames {
            let frame = self.sound.frame(self.number, self.placed);
            sides.planes().into_iter().zip(frame).for_each(|(side, frame)| side.extend_from_slice(frame));
            self.placed += 1;
        }
        Came::Sound((self.frames * FRAME) as u64)
    }

    fn opens_from(&self, _now: u64, _ring_end: u64) -> MediaTime {
        MediaTime((self.placed * FRAME) as u64)
    }

    fn place(&self, place: u64) -> MediaTime {
        MediaTime(place)
    }

    fn ends(&self) -> RingEnds {
        RingEnds(Vec::new())
    }

    fn is_placed_by_arrival(&self) -> bool {
        false
    }
}

//! A worker that panics in one call takes no other call of its shard with it (ROB-06). There is no switch for that in the
//! program: the shards of the library get a call whose intake breaks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use oneside::config::{Raw, Sided, resolve};
use oneside::ring::{Inlet, ring};
use oneside::run::line::BLOCK;
use oneside::run::live::intake::{Intake, OneRing};
use oneside::run::live::shard::{PACES, Shards};
use oneside::run::live::start::{Prepared, prepare};
use oneside::run::live::{Desk, LiveOrders, NewCall, Sound};
use oneside::split::{AgentChannel, ChannelMap, Delivery};

use super::audiosocket_client::{is_exact, speech};
use super::broken_intake::Broken;
use super::common::{RATE, Scratch};

fn orders(scratch: &Scratch) -> Arc<LiveOrders> {
    let raw = Raw { agent_channel: Some("left".into()), free_min_mib: Some(0), ..Raw::default() };
    let settings = resolve(Raw::default(), Raw::default(), raw, Sided::ByKnobs).unwrap();
    Arc::new(LiveOrders { out: scratch.at("out"), settings, revoked: Default::default(), namer: None })
}

/// Seats a call of both sides on a shard; `breaks`: after so many blocks. Where its sound goes.
fn seated(shards: &Shards, orders: &Arc<LiveOrders>, desk: &Arc<Desk>, name: &str, breaks: Option<u32>) -> Inlet {
    let delivery = Delivery::Both(ChannelMap::new(AgentChannel(0), 2).unwrap());
    let (inlet, drain) = ring(5 * RATE as usize, 2);
    let inner = OneRing::new(drain, delivery, RATE, RATE, None);
    let intake: Box<dyn Intake> = match breaks {
        Some(left) => Box::new(Broken { inner, left, how: || panic!("on purpose, in a test") }),
        None => Box::new(inner),
    };
    let sound =
        Sound { delivery, source_hz: RATE, rate_hz: RATE, encoding: "test".into(), intake, block_frames: BLOCK };
    let seat = shards.seat(usize::MAX).unwrap();
    let new = NewCall { paces: PACES, ..NewCall::new(name.into(), sound) };
    let Prepared { worker, sealing, .. } = prepare(orders, desk, new, seat.asks()).unwrap();
    seat.take(worker, sealing);
    inlet
}

#[test]
fn a_call_whose_worker_panics_is_sealed_and_the_others_of_its_shard_go_on() {
    let scratch = Scratch::new("faults-panic");
    let (orders, desk) = (orders(&scratch), Arc::new(Desk::default()));
    let shards = Shards::start(1, orders.settings.detection()).unwrap();
    let names = ["before", "broken", "after"];
    let mut inlets: Vec<Inlet> =
        names.iter().map(|name| seated(&shards, &orders, &desk, name, (*name == "broken").then_some(4))).collect();
    let seconds = 4;
    let sent: Vec<Vec<i16>> = (0..names.len()).map(|number| speech(seconds, number)).collect();
    for from in (0..sent[0].len()).step_by(1_600) {
        for (inlet, sent) in inlets.iter_mut().zip(&sent) {
            let both: Vec<i16> = sent[from..from + 1_600].iter().flat_map(|agent| [*agent, 0]).collect();
            inlet.push(&both);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(inlets);
    assert!(shards.finish(Instant::now() + Duration::from_secs(30)), "every call is sealed");
    assert!(desk.is_idle());
    for ended in desk.ended() {
        let broken = ended.call == "broken";
        assert_eq!(ended.result, if broken { "interrupted" } else { "recorded" }, "{ended:?}");
        assert_eq!(ended.error.is_some_and(|error| error.contains("on purpose")), broken);
    }
    assert_eq!(desk.ended().len(), names.len());
    is_exact(&orders.out, "before", &sent[0]);
    is_exact(&orders.out, "after", &sent[2]);
    scratch.run(&["verify", "out"]).ends(0);
}
